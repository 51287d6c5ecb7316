"""The keypoint editor without a browser: actions go in, keypoints, body and file come out."""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from hmr_edu.cli import main
from hmr_edu.data.photos.annotations import read_annotations
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.hmr import HMR
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.viz.explore import KeypointEditor
from hmr_edu.viz.explore.keypoint_editor import LEAST

PHOTO = np.full((90, 120, 3), 200, np.uint8)


@pytest.fixture(scope="module")
def model():
    torch.manual_seed(0)
    return HMR(encoder="keypoints", width=8, hidden=16).eval()


@pytest.fixture
def editor(model, tmp_path):
    return KeypointEditor(PHOTO, model, path=tmp_path / "me.json")


def someone() -> torch.Tensor:
    """A stick figure in the middle of the picture."""
    g = torch.Generator().manual_seed(3)
    return torch.rand(19, 2, generator=g) * torch.tensor([80.0, 70.0]) + 10


def place(editor, count=19) -> None:
    for x, y in someone()[:count].tolist():
        editor.act({"do": "place", "x": x, "y": y})


def drawn(editor) -> np.ndarray:
    return np.stack([editor.figure.data[0][axis] for axis in "xyz"])


def test_clicks_make_keypoints_and_a_body(editor, model):
    at_first = drawn(editor)
    assert "next: right ankle (the person's own right)" in editor.readout_text
    place(editor, LEAST - 1)
    assert editor.prediction is None
    assert np.array_equal(drawn(editor), at_first)
    place(editor, 1)
    assert editor.keypoints.placed == LEAST
    assert not np.array_equal(drawn(editor), at_first)
    expected = model(editor.keypoints2d[None], editor.confidence[None])[-1]
    found = editor.prediction
    torch.testing.assert_close(found.vertices, expected.vertices, atol=1e-4, rtol=0)
    torch.testing.assert_close(found.keypoints2d, expected.keypoints2d, atol=1e-2, rtol=0)
    # On the floor, and as large as it is.
    z = drawn(editor)[2]
    assert z.min() == pytest.approx(0, abs=1e-6)
    heights = -expected.vertices[0, :, 1].detach().numpy()
    np.testing.assert_allclose(z, heights - heights.min(), atol=1e-3)


def test_the_browser_gets_the_body_in_pixels(editor):
    assert editor.picture.outline == b""
    place(editor)
    pixels = np.frombuffer(editor.picture.outline, np.float32).reshape(-1, 2)
    keypoints = editor.model.body.keypoint_regressor.numpy() @ pixels
    np.testing.assert_allclose(keypoints, editor.prediction.keypoints2d[0], atol=0.05)
    np.testing.assert_allclose(editor.picture.guess, keypoints, atol=0.1)
    editor.act({"do": "clear"})
    assert editor.picture.outline == b""
    assert editor.picture.guess == []


def test_a_message_of_the_browser_is_answered(editor):
    editor.picture._handle_custom_msg({"do": "place", "x": 5, "y": 6, "number": ["me", 4]}, [])
    assert editor.picture.view["answered"] == ["me", 4]
    assert editor.picture.view["places"][0] == [5, 6]
    assert editor.picture.view["chosen"] == editor.picture.view["next"] == 1
    editor.picture._handle_custom_msg({"do": "dance", "number": ["me", 5]}, [])
    assert editor.picture.view["answered"] == ["me", 5]
    assert "no action 'dance'" in editor.readout_text


@pytest.mark.parametrize(
    "action",
    [
        {},
        {"do": ["place"]},
        {"do": "place", "x": "1", "y": 2},
        {"do": "place", "x": float("nan"), "y": 2},
        {"do": "drag", "index": 40, "x": 1, "y": 2},
        {"do": "drag", "index": "nose", "x": 1, "y": 2},
        {"do": "step", "by": None},
    ],
)
def test_nonsense_is_one_line(editor, action):
    place(editor, 2)
    before = editor.keypoints.snapshot
    editor.act(action)
    assert editor.keypoints.snapshot == before
    assert len(editor.readout_text.splitlines()) == 1
    assert editor.readout_text.count(".") > 1  # more than how many there are, and which is next


def test_a_drag_after_a_click_moves_what_was_clicked(editor):
    editor.act({"do": "place", "x": 5, "y": 6, "gesture": "g"})
    editor.act({"do": "drag", "index": None, "x": 50, "y": 60, "gesture": "g"})
    assert editor.keypoints2d[0].tolist() == [50, 60]
    assert editor.keypoints.next == 1
    editor.act({"do": "undo"})
    assert editor.keypoints.placed == 0


def test_buttons_do_what_they_say_and_only_when_they_can(editor):
    buttons = editor.controls["buttons"].children
    undo, redo, skip, clear, _save = buttons
    assert [b.description for b in buttons if not b.disabled] == ["Skip"]
    place(editor)
    assert [b.description for b in buttons if not b.disabled] == ["Undo", "Clear", "Save"]
    undo.click()
    assert editor.keypoints.placed == 18
    redo.click()
    assert editor.keypoints.placed == 19
    clear.click()
    assert editor.keypoints.placed == 0
    skip.click()
    assert editor.keypoints.next == 1


def test_keypoints_to_begin_with(model, tmp_path):
    points, confidence = someone(), torch.full((19,), 0.5)
    confidence[7] = 0.0
    editor = KeypointEditor(PHOTO, model, points, confidence, tmp_path / "k.json")
    assert torch.equal(editor.confidence, confidence)
    torch.testing.assert_close(editor.keypoints2d[:7], points[:7])
    assert editor.prediction is not None
    assert editor.keypoints.next == 7
    assert not editor.keypoints.can_undo


def test_save_is_read_back(editor, tmp_path):
    place(editor)
    editor.act({"do": "remove", "index": 14})
    editor.controls["buttons"].children[-1].click()
    assert f"Saved to {tmp_path / 'me.json'}" in editor.readout_text
    (person,) = read_annotations(tmp_path / "me.json")
    assert torch.equal(person.visible, editor.confidence)
    torch.testing.assert_close(
        person.keypoints2d, editor.keypoints2d.nan_to_num(0.0), atol=0.006, rtol=0
    )
    assert np.array_equal(read_photo(person.path), PHOTO)
    # The next click says nothing of it any more.
    editor.act({"do": "undo"})
    assert "Saved" not in editor.readout_text


def test_save_names_the_photo_from_where_the_file_is(model, tmp_path):
    (tmp_path / "pictures").mkdir()
    photo = tmp_path / "pictures/a.png"
    Image.fromarray(PHOTO).save(photo)
    editor = KeypointEditor(photo, model, someone(), path=tmp_path / "out/k.json")
    editor.save()
    content = json.loads((tmp_path / "out/k.json").read_text())
    assert content["images"][0]["file_name"] == "../pictures/a.png"
    assert read_annotations(tmp_path / "out/k.json")[0].path.samefile(photo)


def test_what_cannot_be_saved_is_one_line_and_nothing_is_lost(editor, tmp_path):
    place(editor, 1)
    editor.act({"do": "save"})
    assert "at least two keypoints" in editor.readout_text
    place(editor, 5)
    (tmp_path / "me.json").write_text('{"mine": []}')
    editor.act({"do": "save"})
    assert "save to another file" in editor.readout_text
    assert (tmp_path / "me.json").read_text() == '{"mine": []}'
    (tmp_path / "me.json").unlink()
    Image.new("RGB", (9, 9)).save(tmp_path / "me.png")  # a picture of somebody else's
    editor.act({"do": "save"})
    assert "another picture" in editor.readout_text
    assert read_photo(tmp_path / "me.png").shape == (9, 9, 3)
    assert not (tmp_path / "me.json").exists()


@pytest.mark.slow
def test_evaluate_photos_reads_what_was_saved(editor, tmp_path, capsys):
    place(editor)
    path = editor.save()
    network = HMR("resnet18", image_size=64, width=8, hidden=16)
    network.save(tmp_path / "network.safetensors")
    main(["evaluate-photos", "--weights", str(tmp_path / "network.safetensors"), str(path)])
    assert "1 people in 1 pictures, 19 keypoints" in capsys.readouterr().out


def test_another_network_is_refused(tmp_path):
    with pytest.raises(ValueError, match="must read keypoints"):
        KeypointEditor(PHOTO, HMR("resnet18", image_size=64, width=8, hidden=16))


def test_a_picture_stands_in_where_there_is_no_kernel(editor):
    assert np.array_equal(editor.snapshot_picture(), PHOTO)
    place(editor)
    drawn = editor.snapshot_picture()
    assert drawn.shape == PHOTO.shape
    # The colour of each keypoint's side at its place; nothing covers the one drawn last.
    x, y = someone()[COCOPLUS.index("right_ear")].round().int().tolist()
    assert drawn[y, x, 2] > drawn[y, x, 0] + 60
    assert not np.array_equal(drawn, PHOTO)
