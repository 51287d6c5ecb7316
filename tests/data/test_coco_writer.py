"""Written keypoints are COCO's, and are read back as they were."""

import json

import pytest
import torch
from PIL import Image

from hmr_edu.data.detections.files import read_detections
from hmr_edu.data.photos.annotations import read_annotations
from hmr_edu.data.photos.coco_writer import write_person
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCO17, COCOPLUS

SIZE = (64, 48)


@pytest.fixture
def picture(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("RGB", SIZE).save(tmp_path / name)
    return tmp_path


def keypoints(known=19, seed=0):
    g = torch.Generator().manual_seed(seed)
    points = torch.rand(19, 2, generator=g) * torch.tensor([63.0, 47.0])
    confidence = torch.zeros(19)
    confidence[torch.randperm(19, generator=g)[:known]] = 0.7
    points[confidence == 0] = torch.nan
    return points, confidence


@pytest.mark.parametrize("known", [2, 14, 19])
def test_what_is_read_is_what_was_written(picture, known):
    points, confidence = keypoints(known)
    write_person(picture / "k.json", "a.png", SIZE, points, confidence)
    (person,) = read_annotations(picture / "k.json")
    assert person.path == picture / "a.png"
    assert torch.equal(person.visible > 0, confidence > 0)
    torch.testing.assert_close(
        person.keypoints2d, points.nan_to_num(0.0), atol=0.006, rtol=0
    )  # hundredths of a pixel
    (found,) = read_detections(picture / "k.json", picture / "a.png")
    assert torch.equal(found.keypoints2d, person.keypoints2d)
    assert torch.equal(found.confidence, person.visible)


def test_the_file_is_cocos(picture):
    """Field by field as https://cocodataset.org/#format-data defines them."""
    points, confidence = keypoints(7)
    write_person(picture / "k.json", "a.png", SIZE, points, confidence)
    content = json.loads((picture / "k.json").read_text())
    assert content.keys() == {"images", "annotations", "categories"}
    ((image,), (person,), (category,)) = (
        content["images"],
        content["annotations"],
        content["categories"],
    )
    assert image == {"id": 1, "file_name": "a.png", "width": 64, "height": 48}
    assert (person["image_id"], person["category_id"]) == (image["id"], category["id"])
    assert person["iscrowd"] == 0
    names = category["keypoints"]
    assert category["name"] == "person"
    assert tuple(names[:17]) == COCO17
    assert sorted(names) == sorted(COCOPLUS)
    assert all(1 <= end <= 19 for bone in category["skeleton"] for end in bone)
    x, y, v = (person["keypoints"][i::3] for i in range(3))
    assert len(x) == len(names)
    assert person["num_keypoints"] == sum(value > 0 for value in v) == 7
    assert set(v) == {0, 2}
    assert all((a, b) == (0, 0) for a, b, c in zip(x, y, v, strict=True) if c == 0)
    left, top, width, height = person["bbox"]
    for a, b, c in zip(x, y, v, strict=True):
        if c:
            assert left <= a <= left + width - 1 + 0.01
            assert top <= b <= top + height - 1 + 0.01
    assert person["area"] == pytest.approx(width * height, abs=0.01)


def test_another_picture_is_added_and_the_same_is_replaced(picture):
    path = picture / "k.json"
    first, second, third = (keypoints(19, seed) for seed in range(3))
    write_person(path, "a.png", SIZE, *first)
    write_person(path, "b.png", SIZE, *second)
    write_person(path, "a.png", SIZE, *third)
    people = {person.path.name: person.keypoints2d for person in read_annotations(path)}
    assert len(people) == 2
    torch.testing.assert_close(people["a.png"], third[0], atol=0.006, rtol=0)
    torch.testing.assert_close(people["b.png"], second[0], atol=0.006, rtol=0)
    content = json.loads(path.read_text())
    ids = [person["id"] for person in content["annotations"]]
    assert len(set(ids)) == 2


@pytest.mark.parametrize(
    "there",
    [
        "{}",
        '{"a.png": [{"keypoints": {"nose": [1, 2]}}]}',
        '{"images": [], "annotations": [], "categories": []}',
        '{"images": [], "annotations": [], "categories": [], "info": {}}',
        '{"images": {}, "annotations": []}',
        "not JSON",
    ],
)
def test_what_another_program_wrote_is_not_touched(picture, there):
    path = picture / "k.json"
    path.write_text(there)
    with pytest.raises(DataError, match=r"k\.json"):
        write_person(path, "a.png", SIZE, *keypoints())
    assert path.read_text() == there


def test_a_person_has_keypoints(picture):
    with pytest.raises(ValueError, match="at least two"):
        write_person(picture / "k.json", "a.png", SIZE, *keypoints(1))
    assert not (picture / "k.json").exists()


def category(**changes):
    return {"id": 1, "name": "person", "keypoints": ["neck", "nose", "left_hip"]} | changes


def read(picture, listed, values=(1, 2, 2, 3, 4, 1, 0, 0, 0)):
    person = {"id": 1, "image_id": 1, "category_id": 1, "keypoints": list(values)}
    content = {"images": [{"id": 1, "file_name": "a.png"}], "annotations": [person]}
    (picture / "k.json").write_text(json.dumps(content | {"categories": [listed]}))
    return read_annotations(picture / "k.json")


def test_any_names_of_cocoplus_are_read(picture):
    (person,) = read(picture, category())
    assert person.keypoints2d[COCOPLUS.index("neck")].tolist() == [1, 2]
    assert person.keypoints2d[COCOPLUS.index("nose")].tolist() == [3, 4]
    assert person.visible.sum() == 2


@pytest.mark.parametrize(
    "changes",
    [
        {"keypoints": ["neck", "nose", "tail"]},
        {"keypoints": ["neck", "nose", "nose"]},
        {"keypoints": ["neck", "nose", ["left_hip"]]},
        {"name": "dog"},
    ],
)
def test_other_names_are_no_persons(picture, changes):
    with pytest.raises(DataError, match="not COCO's 17 but"):
        read(picture, category(**changes))


def test_the_number_of_values_is_that_of_the_names(picture):
    with pytest.raises(DataError, match="`keypoints` must be 9 finite numbers"):
        read(picture, category(), [0] * 51)
