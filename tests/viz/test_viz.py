"""Pictures, exports and the 3D page, against shapes whose picture is known by hand."""

import json
from html.parser import HTMLParser

import jaxtyping
import numpy as np
import pytest
import torch
import trimesh

from hmr_edu.camera import CropBox
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.io import write_json
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.viz import export, palette, pictures
from hmr_edu.viz.orbit import body_figure, write_html
from hmr_edu.viz.shading import composite, shade

FACES = np.array([[0, 1, 2], [0, 2, 3]])


def square(x0, y0, x1, y1, z=2.0):
    """A flat square that faces the camera (camera frame: x right, y down, z away)."""
    return np.array([[x0, y0, z], [x0, y1, z], [x1, y1, z], [x1, y0, z]], np.float32)


def changed(before, after):
    return (before != after).any(axis=2)


@pytest.fixture
def image():
    return np.random.default_rng(0).integers(0, 60, (64, 64, 3), dtype=np.uint8)


def test_overlay_covers_exactly_the_pixels_of_a_square(image):
    drawn = pictures.overlay(image, square(-0.5, -0.25, 0.25, 0.75), FACES, (1.0, 0.0, 0.0))
    expected = np.zeros((64, 64), bool)
    expected[24:56, 16:40] = True  # (v + 1) / 2 * 64
    np.testing.assert_array_equal(changed(image, drawn), expected)


def test_overlay_camera_is_scale_times_shifted_point(image):
    # x = 0.5 (X + 0.5): [-0.5, 0.5] -> [0, 0.5]; y = 0.5 (Y - 1): [-1, -0.5] -> [-1, -0.75]
    drawn = pictures.overlay(image, square(-0.5, -1, 0.5, -0.5), FACES, (0.5, 0.5, -1.0))
    rows, columns = np.nonzero(changed(image, drawn))
    assert (columns.min(), columns.max() + 1) == (32, 48)
    assert (rows.min(), rows.max() + 1) == (0, 8)


def test_overlay_in_a_box_of_a_larger_picture():
    image = np.zeros((100, 300, 3), np.uint8)
    # The camera's square is 80 pixels wide and starts left of and above the picture.
    drawn = pictures.overlay(
        image,
        square(-0.5, -0.5, 1, 1),
        FACES,
        (1.0, 0.0, 0.0),
        box=CropBox.around_box(-40, -20, 40, 60),
    )
    rows, columns = np.nonzero(changed(image, drawn))
    # -0.5 -> -20 and 1 -> 40 across; 0 -> 60 down
    assert (columns.min(), columns.max() + 1) == (0, 40)
    assert (rows.min(), rows.max() + 1) == (0, 60)


def test_overlay_alpha_mixes(image):
    bodies = [
        pictures.overlay(image, square(-1, -1, 1, 1), FACES, (1.0, 0.0, 0.0), alpha)
        for alpha in (0.0, 0.5, 1.0)
    ]
    np.testing.assert_array_equal(bodies[0], image)
    mean = (image.astype(float) + bodies[2]) / 2
    assert np.abs(bodies[1] - mean).max() <= 1


@pytest.mark.parametrize(
    "camera", [(1.0, 5.0, 0.0), (0.0, 0.0, 0.0), (1e-9, 0.0, 0.0), (1.0, 0.0, -1e6)]
)
def test_overlay_of_a_body_out_of_sight_changes_nothing_much(image, camera):
    drawn = pictures.overlay(image, square(-0.5, -0.5, 0.5, 0.5), FACES, camera)
    assert changed(image, drawn).sum() <= 4


def test_overlay_larger_than_the_picture_fills_it(image):
    drawn = pictures.overlay(image, square(-0.5, -0.5, 0.5, 0.5), FACES, (500.0, 0.0, 0.0))
    assert changed(image, drawn).all()


def test_overlay_refuses_what_it_cannot_draw(image):
    with pytest.raises(ValueError, match="finite"):
        pictures.overlay(image, square(0, 0, 1, np.nan), FACES, (1.0, 0.0, 0.0))
    with pytest.raises(ValueError, match="box"):
        pictures.overlay(image[:32], square(0, 0, 1, 1), FACES, (1.0, 0.0, 0.0))


def test_shade_of_a_sphere():
    ball = trimesh.creation.icosphere(subdivisions=4, radius=0.8)
    # Right-handed like the camera frame, so the faces still wind counter-clockwise from outside.
    picture = shade(ball.vertices, ball.faces, (1.0, 0.0, 0.0), 128)
    area = picture[..., 3].sum() / 255 / 128**2 * 4
    assert area == pytest.approx(np.pi * 0.8**2, rel=0.01)
    # The key light comes from the upper left, and no side is black.
    light = picture[..., :3].sum(2).astype(float)
    y, x = np.unravel_index(light.argmax(), light.shape)
    assert y < 60
    assert x < 60
    assert light[picture[..., 3] == 255].min() > 0.15 * light.max()
    # A blue body is blue.
    assert picture[64, 64, 2] > picture[64, 64, 0]


def test_composite_of_half_covered_pixels():
    image = np.full((1, 2, 3), 100, np.uint8)
    layer = np.array([[[200, 0, 50, 128], [1, 2, 3, 0]]], np.uint8)
    expected = 100 + (np.array([200, 0, 50]) - 100) * 128 / 255
    np.testing.assert_allclose(composite(image, layer)[0, 0], expected, atol=0.5)
    np.testing.assert_array_equal(composite(image, layer)[0, 1], 100)


def nearest_colour(pixel):
    colours = {"left": palette.LEFT, "right": palette.RIGHT, "middle": palette.MIDDLE}
    distance = {k: np.abs(np.array(palette.rgb(c)) * 255 - pixel).sum() for k, c in colours.items()}
    return min(distance, key=distance.get)


def test_keypoints_are_coloured_by_the_persons_side():
    image = np.full((200, 400, 3), 128, np.uint8)
    # All 19 far apart from each other, in a grid.
    grid = np.stack(np.meshgrid(np.linspace(-0.9, 0.9, 5), np.linspace(-0.9, 0.9, 4)), -1)
    points = grid.reshape(-1, 2)[:19].astype(np.float32)
    drawn = pictures.draw_keypoints(image, points, width=4)
    for name, (x, y) in zip(COCOPLUS, points, strict=True):
        column, row = int((x + 1) / 2 * 400), int((y + 1) / 2 * 200)
        side = name.split("_")[0] if "_" in name else "middle"
        expected = side if side in ("left", "right") else "middle"
        assert nearest_colour(drawn[row, column]) == expected, name


def test_unknown_keypoints_are_left_out(image):
    points = np.zeros((19, 2), np.float32)
    nothing = pictures.draw_keypoints(image, np.full_like(points, np.nan))
    np.testing.assert_array_equal(nothing, image)
    hidden = pictures.draw_keypoints(image, points, visible=np.zeros(19, bool))
    np.testing.assert_array_equal(hidden, image)
    far = pictures.draw_keypoints(image, np.full_like(points, 1e30))
    np.testing.assert_array_equal(far, image)


def test_turntable_turns_a_nose_to_the_right():
    head = trimesh.creation.box((0.4, 0.4, 0.4))
    nose = trimesh.creation.box((0.1, 0.1, 0.6)).apply_translation((0, 0, -0.5))  # to the camera
    mesh = trimesh.util.concatenate([head, nose])
    views = pictures.turntable(mesh.vertices, mesh.faces, 96, (0, 90, 180, 270))
    shares = []
    for view in views:
        seen = np.abs(view.astype(int) - pictures.PAPER).sum(2) > 12
        columns = np.nonzero(seen[40:56].any(0))[0]  # the rows of the nose
        shares.append((48 - columns.min(), columns.max() + 1 - 48))
    left, right = zip(*shares, strict=True)
    assert abs(left[0] - right[0]) <= 1
    assert abs(left[2] - right[2]) <= 1
    # The box of head and nose is centred, so its ends reach equally far at 90 degrees;
    # the head, which is taller, tells the side.
    tall = [np.abs(v.astype(int) - pictures.PAPER).sum(2)[30:34].max(0) > 12 for v in views]
    centre = [np.nonzero(row)[0].mean() for row in tall]
    assert centre[1] < 44
    assert centre[3] > 52


def test_contact_sheet_places_images_in_rows():
    tiles = [np.full((10, 20, 3), 40 * i, np.uint8) for i in range(5)]
    sheet = pictures.contact_sheet(tiles, columns=3)
    assert sheet.shape == (2 * 14 + 4, 3 * 24 + 4, 3)
    assert sheet[4 + 5, 4 + 24 + 10, 0] == 40
    assert sheet[4 + 14 + 5, 4 + 10, 0] == 120
    assert (sheet[4 + 14 + 5, 4 + 48 + 10] == 255).all()
    labelled = pictures.contact_sheet(tiles, 3, ["a"] * 5)
    assert labelled.shape[0] > sheet.shape[0]
    large = [np.zeros((10, width, 3), np.uint8) for width in (200, 800)]
    feet = [pictures.contact_sheet([tile], 1, ["a"]).shape[0] for tile in large]
    assert feet[0] == feet[1]  # letters stop growing
    for bad in ([], [tiles[0], tiles[0][:5]]):
        with pytest.raises(ValueError, match="one size"):
            pictures.contact_sheet(bad, 3)
    with pytest.raises(ValueError, match="labels"):
        pictures.contact_sheet(tiles, 3, ["a"])


def test_prediction_strip_has_a_tile_for_each_step():
    ball = trimesh.creation.icosphere(subdivisions=2, radius=0.5)
    image = np.zeros((32, 32, 3), np.uint8)
    strip = pictures.prediction_strip(image, [(ball.vertices, (1, 0, 0))] * 3, ball.faces, 64)
    assert strip.shape[1] == 5 * 68 + 4
    assert not strip[4 : 4 + 64, 4 : 4 + 64].any()  # the picture itself
    assert strip[4 + 32, 4 + 68 + 32].any()


def test_pictures_are_written_whole(tmp_path, image):
    path = tmp_path / "deep" / "picture.png"
    pictures.save_picture(path, image)
    np.testing.assert_array_equal(read_photo(path), image)
    assert [p.name for p in path.parent.iterdir()] == ["picture.png"]


def lying_box():
    """Not symmetric in any axis, so that a wrong flip shows; camera frame."""
    return trimesh.creation.box((0.4, 1.8, 0.2)).apply_translation((0.3, -0.5, 2.0))


@pytest.mark.parametrize("kind", ["obj", "glb", "ply"])
def test_meshes_read_back_upright(tmp_path, kind):
    mesh, path = lying_box(), tmp_path / f"body.{kind}"
    getattr(export, f"write_{kind}")(path, mesh.vertices, mesh.faces)
    again = trimesh.load(path, force="mesh", process=False, maintain_order=True)
    np.testing.assert_allclose(again.vertices, mesh.vertices * (1, -1, -1), atol=1e-6)
    np.testing.assert_array_equal(again.faces, mesh.faces)
    assert again.volume == pytest.approx(mesh.volume, rel=1e-5)  # not inside out


def test_glb_is_valid_gltf(tmp_path):
    mesh, path = lying_box(), tmp_path / "body.glb"
    export.write_glb(path, mesh.vertices, mesh.faces)
    data = path.read_bytes()
    assert data[:4] == b"glTF"
    assert int.from_bytes(data[8:12], "little") == len(data)
    header = json.loads(data[20 : 20 + int.from_bytes(data[12:16], "little")])
    (primitive,) = header["meshes"][0]["primitives"]
    assert {"POSITION", "NORMAL"} <= set(primitive["attributes"])
    position = header["accessors"][primitive["attributes"]["POSITION"]]
    np.testing.assert_allclose(position["max"], (0.5, 1.4, -1.9), atol=1e-6)
    assert header["materials"][primitive["material"]]["pbrMetallicRoughness"]["metallicFactor"] == 0


def test_a_failed_export_leaves_the_old_file(tmp_path):
    mesh, path = lying_box(), tmp_path / "body.glb"
    path.write_text("old")
    with pytest.raises(ValueError, match="finite"):
        export.write_glb(path, np.full_like(mesh.vertices, np.nan), mesh.faces)
    with pytest.raises(ValueError, match="JSON"):
        write_json(path, {"theta": [float("nan")]})
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1


@pytest.mark.parametrize("kind", ["obj", "glb", "ply"])
def test_what_is_not_one_mesh_is_refused_by_its_shape(tmp_path, monkeypatch, kind):
    """`body.vertices` has a batch axis, whatever the number of bodies."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside the tests
    mesh, write = lying_box(), getattr(export, f"write_{kind}")
    points, path = torch.tensor(mesh.vertices), tmp_path / f"body.{kind}"
    hint = r"\. Write the bodies of a batch one by one: vertices\[0\]$"
    with pytest.raises(ValueError, match=rf"shape \[1, 8, 3\], not one body: \[V, 3\]{hint}"):
        write(path, points[None], mesh.faces)
    with pytest.raises(ValueError, match=r"shape \[24\], not one body: \[V, 3\]$"):
        write(path, points.flatten(), mesh.faces)
    with pytest.raises(ValueError, match=r"faces have shape \[1, 12, 3\], not triangles: \[F, 3\]"):
        write(path, points, mesh.faces[None])
    with pytest.raises(ValueError, match="from 0 to 7, but there are 4: give the faces"):
        write(path, points[:4], mesh.faces)
    assert not path.exists()
    write(path, points, mesh.faces)


class Loads(HTMLParser):
    """Everything that a page asks a browser to fetch."""

    def __init__(self):
        super().__init__()
        self.fetched, self.images = [], []

    def handle_starttag(self, tag, attrs):
        attrs = dict(attrs)
        self.fetched += [v for k, v in attrs.items() if k in ("src", "href", "srcset", "data")]
        if tag == "img":
            self.images.append(attrs)


def loads(text):
    parser = Loads()
    parser.feed(text)
    return parser


def test_html_page_needs_no_network(tmp_path, image):
    mesh, path = lying_box(), tmp_path / "body.html"
    write_html(path, mesh.vertices, mesh.faces, image, "A <b>person</b>")
    text = path.read_text()
    page = loads(text)
    assert all(source.startswith("data:") for source in page.fetched)
    assert "@import" not in text.split("<script")[0]
    assert "url(" not in text.split("<script")[0]
    assert "A &lt;b&gt;person" in text
    assert "<b>person" not in text
    assert page.images[0]["alt"]
    assert path.stat().st_size < 6e6


def test_3d_figure_keeps_proportions_and_stands():
    mesh = lying_box()
    figure = body_figure(mesh.vertices, mesh.faces)
    trace, floor = figure.data
    assert max(floor.z) == min(trace.z)
    extent = [np.ptp(np.asarray(getattr(trace, axis))) for axis in "xyz"]
    np.testing.assert_allclose(extent, (0.4, 0.2, 1.8), atol=1e-6)  # Z up
    scene = figure.layout.scene
    ranges = [np.ptp(scene[f"{axis}axis"].range) for axis in "xyz"]
    assert np.ptp(ranges) < 1e-6
    assert scene.aspectmode == "cube"
    # Closest to the first view is what was closest to the camera.
    nearest = np.argmin(mesh.vertices[:, 2])
    assert trace.y[nearest] == min(trace.y)
    assert scene.camera.eye.y < 0


def test_colours_are_checked():
    assert palette.rgb("#ff8000") == (1.0, 128 / 255, 0.0)
    for bad in ("red", "#12345", "#1234567", "#gggggg"):
        with pytest.raises(ValueError, match=r"colour|hexadecimal"):
            palette.rgb(bad)


def test_read_photo_names_the_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"nothing\.png"):
        read_photo(tmp_path / "nothing.png")
    (tmp_path / "text.png").write_text("not a picture")
    with pytest.raises(DataError, match=r"text\.png"):
        read_photo(tmp_path / "text.png")
