"""The demo on pictures of every kind, with a network whose answer is known beforehand."""

import hashlib
import json
import re

import numpy as np
import pytest
import torch
import trimesh
from helpers.toy_body import toy_body
from PIL import Image
from torch import nn

from hmr_edu.body import SMPL
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.fitting.refining import Refined
from hmr_edu.fitting.smplify import FitOptions
from hmr_edu.hmr import HMR
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.viz.demo import run_demo


class Fixed(HMR):
    """Answers every picture with the same two steps, and remembers what it was shown."""

    def __init__(self, scale=0.8):
        nn.Module.__init__(self)
        self.body, self.image_size, self.options = SMPL(toy_body()), 32, {"encoder": "none"}
        theta = torch.zeros(2, 1, 85)
        theta[:, 0, :3] = torch.tensor([[0.9, 0.0, 0.0], [scale, 0.1, -0.2]])
        self.theta = theta

    def forward(self, images, vertices=True):
        self.shown = images
        return [self.detail(theta) for theta in self.theta]


def picture(width=60, height=40):
    """Red on the left, green on the right, blue in the lower half."""
    image = np.zeros((height, width, 3), np.uint8)
    image[:, : width // 2, 0] = 200
    image[:, width // 2 :, 1] = 200
    image[height // 2 :, :, 2] = 200
    return image


@pytest.fixture
def png(tmp_path):
    Image.fromarray(picture()).save(tmp_path / "two people.png")
    return tmp_path / "two people.png"


def test_everything_is_written(png, tmp_path):
    out = tmp_path / "out" / "deep"
    paths = run_demo(png, out, Fixed())
    assert {path.parent for path in paths.values()} == {out}
    assert sorted(paths) == ["glb", "html", "obj", "overlay", "steps", "theta"]
    assert sorted(out.iterdir()) == sorted(paths.values())  # nothing temporary left
    assert read_photo(paths["overlay"]).shape == (40, 60, 3)
    body = trimesh.load(paths["obj"], force="mesh", process=False, maintain_order=True)
    np.testing.assert_array_equal(body.faces, Fixed().body.faces)
    text = paths["html"].read_text()
    assert "two people.png" in text
    assert not re.search(r"""(src|href)=["']?(?!data:)\w""", text.split("<script")[0])


def test_numbers_are_those_of_the_full_picture(png, tmp_path):
    model = Fixed()
    path = run_demo(png, tmp_path, model, box=(10, 5, 30, 35), weights="mine")["theta"]
    record = json.loads(path.read_text())
    assert record["size"] == [60, 40]
    assert record["box"] == [10, 5, 30, 35]
    assert record["weights"] == "mine"
    np.testing.assert_allclose(record["theta_of_each_step"], model.theta[:, 0], atol=1e-7)
    # By hand: crop of side 1.2 * 30 around (20, 20), pixel edges; x = s (X + t).
    output = model.body(torch.zeros(1, 10), torch.zeros(1, 72))
    xy = output.keypoints[0, :, :2].numpy()
    pixels = 0.8 * (xy + np.array([0.1, -0.2])) * 18 + 20 - 0.5
    found = np.array([record["keypoints2d_pixels"][name] for name in COCOPLUS])
    np.testing.assert_allclose(found, pixels, atol=1e-4)
    # The same through the camera of the whole picture ...
    camera = record["camera_in_picture"]
    x = camera["sx"] * (xy[:, 0] + camera["tx"])
    y = camera["sy"] * (xy[:, 1] + camera["ty"])
    np.testing.assert_allclose((x + 1) * 30 - 0.5, pixels[:, 0], atol=1e-4)
    np.testing.assert_allclose((y + 1) * 20 - 0.5, pixels[:, 1], atol=1e-4)
    # ... and, for the body's origin, through the pinhole.
    pinhole = record["pinhole_in_picture"]
    tx, ty, tz = pinhole["translation_metres"]
    origin = np.array([tx, ty]) / tz * pinhole["focal_pixels"] + (30, 20) - 0.5
    np.testing.assert_allclose(origin, 0.8 * np.array([0.1, -0.2]) * 18 + 20 - 0.5, atol=1e-4)


def test_the_network_sees_the_crop_in_rgb(png, tmp_path):
    model = Fixed()
    run_demo(png, tmp_path, model, box=(32, 2, 42, 12))  # wholly green
    assert model.shown.shape == (1, 3, 32, 32)
    middle = model.shown[0, :, 8:24, 8:24].mean((1, 2))
    np.testing.assert_allclose(middle, (0, 200 / 255, 0), atol=1e-3)


def test_the_body_lies_over_its_keypoints(tmp_path):
    Image.fromarray(np.zeros((300, 500, 3), np.uint8)).save(tmp_path / "dark.png")
    paths = run_demo(tmp_path / "dark.png", tmp_path, Fixed(), box=(300, 100, 400, 200))
    drawn = read_photo(paths["overlay"]).any(2)
    rows, columns = np.nonzero(drawn)
    # The toy body is about 2 m across and 0.8 half-crops of 60 pixels a metre.
    assert 300 < np.median(columns) < 400
    assert 80 < np.median(rows) < 200


def as_16_bit(path):
    Image.fromarray(picture()[..., 1].astype(np.uint16) * 257).save(path)


def as_palette(path):
    Image.fromarray(picture()).quantize(16).save(path)


def as_grey(path):
    Image.fromarray(picture()[..., 1]).save(path)


def as_bits(path):
    Image.fromarray(picture()[..., 1] > 100).save(path)


def as_cmyk(path):
    Image.fromarray(picture()).convert("CMYK").save(path, quality=95)


def as_float(path):
    Image.fromarray(picture()[..., 1].astype(np.float32) / 255).save(path)


def as_animation(path):
    frames = [Image.fromarray(picture()), Image.new("RGB", (60, 40), "white")]
    frames[0].save(path, save_all=True, append_images=frames[1:], duration=100)


def as_webp(path):
    Image.fromarray(picture()).save(path, lossless=True)


@pytest.mark.parametrize(
    ("name", "write"),
    [
        ("deep.png", as_16_bit),
        ("palette.png", as_palette),
        ("grey.jpg", as_grey),
        ("bits.png", as_bits),
        ("ink.jpg", as_cmyk),
        ("float.tiff", as_float),
        ("moving.gif", as_animation),
        ("web.webp", as_webp),
    ],
)
def test_any_kind_of_picture(tmp_path, name, write):
    write(tmp_path / name)
    photo = read_photo(tmp_path / name)
    assert photo.shape == (40, 60, 3)
    # Green is bright on the right and dark on the left in every one of them.
    assert photo[5, 45, 1] > 180
    assert photo[5, 15, 1] < 60
    paths = run_demo(tmp_path / name, tmp_path / "out", Fixed())
    assert all(path.stat().st_size for path in paths.values())


def test_transparent_parts_are_white(tmp_path):
    image = Image.fromarray(picture()).convert("RGBA")
    image.putalpha(
        Image.fromarray(np.where(np.arange(60) < 30, 255, 0)[None].repeat(40, 0).astype(np.uint8))
    )
    image.save(tmp_path / "cut.png")
    photo = read_photo(tmp_path / "cut.png")
    np.testing.assert_array_equal(photo[5, 15], (200, 0, 0))
    np.testing.assert_array_equal(photo[5, 45], (255, 255, 255))


def test_a_phones_picture_is_turned_upright(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6  # the camera was held on its side: turn by 90 degrees
    sideways = Image.fromarray(picture()).rotate(90, expand=True)
    sideways.save(tmp_path / "phone.png", exif=exif)
    np.testing.assert_array_equal(read_photo(tmp_path / "phone.png"), picture())


def test_a_large_picture_is_drawn_smaller(tmp_path):
    Image.new("RGB", (3000, 1000)).save(tmp_path / "large.png")
    paths = run_demo(tmp_path / "large.png", tmp_path, Fixed(), box=(2000, 0, 3000, 1000))
    overlay = read_photo(paths["overlay"])
    assert overlay.shape == (533, 1600, 3)
    assert np.nonzero(overlay.any(2))[1].mean() > 1600 * 2 / 3
    assert json.loads(paths["theta"].read_text())["size"] == [3000, 1000]


@pytest.mark.parametrize("size", [(1, 1), (1, 50), (700, 2)])
def test_tiny_and_thin_pictures(tmp_path, size):
    Image.new("RGB", size).save(tmp_path / "thin.png")
    assert run_demo(tmp_path / "thin.png", tmp_path, Fixed())["overlay"].exists()


@pytest.mark.parametrize("scale", [-0.5, 0.0, 300.0])
def test_strange_answers_are_still_shown(png, tmp_path, scale):
    record = json.loads(run_demo(png, tmp_path, Fixed(scale))["theta"].read_text())
    assert (record["pinhole_in_picture"] is None) == (scale <= 0)


def test_a_network_of_nans_is_named(png, tmp_path):
    with pytest.raises(DataError, match="weights are damaged"):
        run_demo(png, tmp_path / "out", Fixed(float("nan")))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    ("box", "words"),
    [
        ((10, 10, 5, 20), "x0 < x1"),
        ((10, 10, 10, 20), "x0 < x1"),
        ((60, 0, 80, 20), "outside the picture, which is 60 x 40"),
        ((-20, 0, 0, 20), "outside"),
        ((0, 0, float("nan"), 20), "finite"),
        ((0, 0, float("inf"), 20), "finite"),
        ((0, 0, 10), "four"),
    ],
)
def test_unusable_boxes(png, tmp_path, box, words):
    with pytest.raises(DataError, match=words):
        run_demo(png, tmp_path / "out", Fixed(), box=box)
    assert not (tmp_path / "out").exists()


def test_a_box_may_reach_beyond_the_picture(png, tmp_path):
    assert run_demo(png, tmp_path, Fixed(), box=(-1000, -1000, 1000, 1000))["overlay"].exists()


@pytest.mark.parametrize("content", [b"", b"hello", b"\x89PNG\r\n\x1a\n" + b"\0" * 50])
def test_unreadable_pictures_are_named(tmp_path, content):
    (tmp_path / "broken.png").write_bytes(content)
    with pytest.raises(DataError, match=r"broken\.png"):
        run_demo(tmp_path / "broken.png", tmp_path / "out", Fixed())


def test_a_cut_off_picture_and_a_folder_are_named(tmp_path):
    rng = np.random.default_rng(0)
    noise = Image.fromarray(rng.integers(0, 255, (64, 64, 3), dtype=np.uint8))
    noise.save(tmp_path / "whole.jpg")
    data = (tmp_path / "whole.jpg").read_bytes()
    (tmp_path / "cut.jpg").write_bytes(data[: len(data) // 2])
    for name in ("cut.jpg", "."):
        with pytest.raises(DataError, match="not a picture that can be read"):
            run_demo(tmp_path / name, tmp_path / "out", Fixed())
    with pytest.raises(FileNotFoundError, match=r"none\.jpg"):
        run_demo(tmp_path / "none.jpg", tmp_path / "out", Fixed())


def names(folder):
    return sorted(path.name for path in folder.glob("*_theta.json"))


@pytest.mark.parametrize("last", ["save_picture", "write_obj", "write_glb", "write_html"])
def test_a_demo_that_failed_finds_its_own_files_again(png, tmp_path, monkeypatch, last):
    whole, out = tmp_path / "whole", tmp_path / "out"
    run_demo(png, whole, Fixed())

    def full(*_):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(f"hmr_edu.viz.demo_files.{last}", full)
        with pytest.raises(OSError, match="the disk is full"):
            run_demo(png, out, Fixed())
    run_demo(png, out, Fixed())
    assert {path.name for path in out.iterdir()} == {path.name for path in whole.iterdir()}


def test_nothing_of_another_demo_is_overwritten(tmp_path):
    out, other = tmp_path / "out", tmp_path / "other"
    other.mkdir()
    Image.fromarray(picture()).save(tmp_path / "a.png")
    Image.fromarray(picture()).save(tmp_path / "a.bmp")
    Image.fromarray(picture()[:, ::-1]).save(other / "a.png")
    boxes = (None, (10, 5, 30, 35), (10, 5, 30, 36), (10.5, -5, 30, 36))
    for box in (*boxes, boxes[1]):  # once more: a demo replaces its own results
        run_demo(tmp_path / "a.png", out, Fixed(), box)
    assert names(out) == [
        "a_box_10.5_-5_30_36_theta.json",
        "a_box_10_5_30_35_theta.json",
        "a_box_10_5_30_36_theta.json",
        "a_theta.json",
    ]
    # The same name in another folder, or with another ending; other weights.
    for path in (tmp_path / "a.bmp", other / "a.png"):
        run_demo(path, out, Fixed())
    run_demo(tmp_path / "a.png", out, Fixed(), weights="mine")
    written = [json.loads((out / f"a{n}_theta.json").read_text()) for n in ("", "-2", "-3", "-4")]
    assert [record["picture"] for record in written] == ["a.png", "a.bmp", "a.png", "a.png"]
    assert [record["weights"] for record in written] == [None, None, None, "mine"]
    read = [hashlib.sha256((folder / "a.png").read_bytes()) for folder in (tmp_path, other)]
    assert [written[0]["sha256"], written[2]["sha256"]] == [one.hexdigest() for one in read]


def test_files_that_no_demo_wrote_stay(png, tmp_path):
    for name in ("two people.obj", "two people-2_theta.json"):
        (tmp_path / name).write_text("mine")
    paths = run_demo(png, tmp_path, Fixed())
    assert paths["obj"].name == "two people-3.obj"
    assert (tmp_path / "two people.obj").read_text() == "mine"
    assert (tmp_path / "two people-2_theta.json").read_text() == "mine"


def test_a_refined_body_is_a_step_more(png, tmp_path):
    model = HMR("resnet18", image_size=32, width=8, stem="small", pooling="spatial", hidden=16)
    refined = Refined(model.eval(), FitOptions(steps=2))
    direct, fitted = (run_demo(png, tmp_path / str(i), m) for i, m in enumerate((model, refined)))
    records = [json.loads(paths["theta"].read_text()) for paths in (direct, fitted)]
    assert [record["refined"] for record in records] == [False, True]
    thetas = [record["theta_of_each_step"] for record in records]
    np.testing.assert_allclose(thetas[1][:3], thetas[0], atol=1e-6)
    assert len(thetas[1]) == 4
    assert thetas[1][3] != thetas[0][2]
    widths = [read_photo(paths["steps"]).shape[1] for paths in (direct, fitted)]
    assert widths[1] > widths[0]
