"""Crops as boxes give them, borders of pictures, and crops off the axis: hand-computed cases."""

import dataclasses

import numpy as np
import pytest
import torch
from torch.utils.data import DataLoader, Dataset

from hmr_edu.body import BodyOutput, load_body
from hmr_edu.camera import CropBox, fit_weak_perspective, perspective, weak_perspective
from hmr_edu.crop import crop_image
from hmr_edu.data.batch import Batch
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.synthetic import people as people_module
from hmr_edu.data.synthetic.framing import GOES_ON, frame_people, mesh_edges
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople
from hmr_edu.data.synthetic.picture_border import (
    NO_BORDER,
    around_box,
    box_inside,
    coverage,
    cutting_window,
)
from hmr_edu.data.synthetic.views import PinholeView, draw_turns
from hmr_edu.rotations import matrix_to_axis_angle

SIZE = 64
EVERYTHING = {
    "turned": 0.3,
    "boxes": 0.5,
    "cut_by_border": 0.4,
    "near_border": 0.4,
    "off_axis": 0.4,
    "neighbours": 0.5,
}
# A square person at the distance 1: 4 vertices, 4 outer edges and a diagonal.
SQUARE = torch.tensor([[[-1.0, -1.0], [1.0, -1.0], [1.0, 1.0], [-1.0, 1.0]]])
FACES = torch.tensor([[0, 1, 2], [0, 2, 3]])


def stream(seed: int = 0, level: str = "plain", **changes) -> SyntheticPeople:
    appearance = dataclasses.replace(APPEARANCES[level], scenes=4, outfits=4, heads=4)
    config = SyntheticConfig(image_size=SIZE, batch_size=12, appearance=appearance)
    config = dataclasses.replace(config, **changes)
    return SyntheticPeople(load_body("lite"), load_pose_prior(), config, seed)


def column(*sides: float) -> torch.Tensor:
    """Nineteen keypoints below each other, 0 to 18, and what to keep on each side."""
    points = torch.stack([torch.zeros(19), torch.arange(19.0)], 1)[None]
    return cutting_window(points, torch.tensor([sides]))


def test_a_border_leaves_as_many_keypoints_as_drawn():
    # Eleven are kept, those at 0 to 10: the border is a quarter of the way to 11.
    assert column(19.5, 19.5, 19.5, 11.25).tolist() == [[-torch.inf, -torch.inf, torch.inf, 10.25]]
    # The lowest four are kept, 15 to 18: half of the way up to 14.
    assert column(19.5, 4.5, 19.5, 19.5).tolist() == [[-torch.inf, 14.5, torch.inf, torch.inf]]


def test_a_corner_with_nobody_in_it_is_no_border():
    points = torch.stack([torch.arange(19.0), torch.arange(19.0)], 1)[None]
    # Right of 7 and above 10 lie 8, 9 and 10: too few, so the sides go.
    window = cutting_window(points, torch.tensor([[11.5, 19.5, 19.5, 11.5]]))
    assert window.tolist() == [[-torch.inf, -torch.inf, torch.inf, 10.5]]


@pytest.mark.parametrize(
    ("window", "box"),
    [
        (NO_BORDER, (-1, -1, 1, 1)),
        ((-np.inf, -np.inf, np.inf, 0.25), (-1, -1, 1, 0.25)),
        ((0.5, -np.inf, np.inf, np.inf), (0.5, -1, 1, 1)),
        ((-np.inf, -0.5, 0.25, np.inf), (-1, -0.5, 0.25, 1)),
        # Only the left edge and the diagonal are in this corner.
        ((-np.inf, -np.inf, 0.5, -0.5), (-1, -1, 0.5, -0.5)),
    ],
)
def test_the_box_is_around_what_is_inside_the_picture(window, box):
    found = box_inside(SQUARE, mesh_edges(FACES), torch.tensor([window], dtype=torch.float32))
    assert found.tolist() == [list(map(float, box))]


def test_other_borders_are_at_their_margin():
    window = torch.tensor([NO_BORDER])
    box, margin = torch.tensor([[0.0, 0.0, 2.0, 4.0]]), torch.tensor([[0.25, torch.inf, 0.5, 0.0]])
    assert around_box(window, box, margin).tolist() == [[-1.0, -torch.inf, 4.0, 4.0]]
    window[:, 3] = 1.0  # the picture's own border
    assert around_box(window, box, margin).tolist() == [[-1.0, -torch.inf, 4.0, 1.0]]
    # A picture of a quarter of the person's height is none.
    thin = torch.tensor([[0.0, 0.0, 1.0, 4.0]]), torch.tensor([[0.0, torch.inf, 0.0, torch.inf]])
    assert around_box(torch.tensor([NO_BORDER]), *thin).tolist() == [list(NO_BORDER)]


def test_what_is_beyond_the_picture_is_black_as_in_real_crops():
    step = 8  # pixels of the picture for each of the crop
    left, top, right, bottom = 83, 0, 400, 301
    white = np.full((bottom - top, right - left, 3), 255, np.uint8)
    side = SIZE * step
    real = crop_image(white, CropBox(side / 2 - 0.5 - left, side / 2 - 0.5 - top, side), SIZE)
    window = torch.tensor([[left, -torch.inf, right, bottom]]) * (2 / side) - 1
    window[0, 1] = -1
    ours = coverage(window, SIZE)[0]
    assert np.abs(real[..., 0] / 255 - ours.numpy()).max() < 0.01
    assert (ours == 0).any()
    assert (ours == 1).any()


def test_padding_is_that_of_the_same_picture_cropped_for_real(monkeypatch):
    people = stream(level="full", cut_by_border=1.0, boxes=1.0)
    scene = people.prepare(0)
    ours = people.finish(scene)
    shown = coverage(scene.window, SIZE)
    monkeypatch.setattr(people_module, "coverage", lambda window, size: torch.ones_like(shown))
    endless = people.finish(scene)
    padded = 0
    for image, whole, seen in zip(ours.images, endless.images, shown, strict=True):
        rows, columns = ((seen.amax(k) == 1).nonzero()[:, 0].tolist() for k in (1, 0))
        picture = whole[:, rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        middle = (SIZE - 1) / 2
        real = crop_image(picture, CropBox(middle - columns[0], middle - rows[0], SIZE), SIZE)
        border = (seen > 0) & (seen < 1)  # pixels that the border crosses
        torch.testing.assert_close(image[:, ~border], real[:, ~border], atol=1e-6, rtol=0)
        padded += int((seen == 0).sum())
    assert padded > SIZE * SIZE


def test_the_crop_is_around_what_is_seen_of_a_person():
    people = stream(cut_by_border=1.0, fill=(0.8, 0.8), shift=0.0)
    ends = 0
    for index in range(3):
        scene, batch = people.prepare(index), people[index]
        for parts, window in zip(batch.parts, scene.window, strict=True):
            if not window.isfinite().any():
                continue  # a box cuts this one off, in a picture that goes on
            ends += 1
            rows, columns = (parts.amax(k).nonzero()[:, 0] for k in (1, 0))
            spans = [(int(k[0]), int(k[-1]) + 1) for k in (rows, columns)]
            for low, high in spans:
                assert (low + high) / 2 == pytest.approx(SIZE / 2, abs=1.5)
            assert max(high - low for low, high in spans) == pytest.approx(0.8 * SIZE, abs=2)
    assert ends > 15


def test_keypoints_beyond_the_border_are_labelled_and_not_visible():
    people = stream(cut_by_border=1.0, boxes=0.5)
    scene, batch = people.prepare(0), people[0]
    assert batch.keypoints2d.isfinite().all()
    low, high = scene.window[:, None, :2], scene.window[:, None, 2:]
    inside = ((batch.keypoints2d > low) & (batch.keypoints2d < high)).all(2)
    inside &= (batch.keypoints2d.abs() < 1).all(2)
    assert torch.equal(batch.visible > 0, inside)
    assert (inside.sum(1) >= 3).all()
    assert (~inside[:, :14]).any(1).float().mean() > 0.8
    assert not batch.parts[coverage(scene.window, SIZE) == 0].any()


@pytest.mark.parametrize("options", [EVERYTHING, {"off_axis": 1.0}])
def test_labels_are_the_body_that_is_seen(options):
    people = stream(**options)
    batch = people[0]
    body = people.body(batch.betas, matrix_to_axis_angle(batch.rotations).flatten(1))
    torch.testing.assert_close(body.keypoints, batch.keypoints3d, rtol=0, atol=3e-5)


@pytest.mark.parametrize("options", [{"off_axis": 1.0}, {"boxes": 1.0}, {"cut_by_border": 1.0}])
def test_keypoints_lie_on_the_person(options):
    batch = stream(**options)[0]
    inner = [1, 2, 3, 4, 7, 8, 9, 10]  # deep inside the silhouette
    shown = batch.visible[:, inner] > 0
    pixel = ((batch.keypoints2d[:, inner] + 1) * SIZE / 2).long().clamp(0, SIZE - 1)
    on_body = batch.parts[torch.arange(len(batch))[:, None], pixel[..., 1], pixel[..., 0]] > 0
    assert on_body[shown].float().mean() > 0.94


def framed(n=24, **options):
    """Bodies and how they are framed; the bodies are known, so all can be computed again."""
    config = SyntheticConfig(**options)
    body = load_body("lite")
    g = torch.Generator().manual_seed(3)
    output = body(torch.randn(n, 10, generator=g), load_pose_prior().sample(n, g))
    view = PinholeView(
        torch.tensor([0.1, -0.2, 4.0]).repeat(n, 1), torch.full((n,), 3.0), torch.zeros(n, 19, 2)
    )
    return output, frame_people(output, view, mesh_edges(body.faces), config, 5)


def test_a_sheared_body_is_what_the_picture_shows_off_its_axis():
    output, crops = framed(off_axis=1.0, boxes=0.5)
    centre = crops.ray[:, :2] / crops.ray[:, 2:]
    assert centre.abs().amax(0)[0] > 0.3
    points = output.vertices + crops.position[:, None]
    picture = points[..., :2] / points[..., 2:]  # focal length 1
    expected = (picture - centre[:, None]) * crops.view.focal[:, None, None]
    drawn = perspective(crops.drawn.vertices, crops.view.translation, crops.view.focal)
    torch.testing.assert_close(drawn, expected, atol=2e-5, rtol=0)
    joints = output.keypoints + crops.position[:, None]
    expected = (joints[..., :2] / joints[..., 2:] - centre[:, None]) * crops.view.focal[
        :, None, None
    ]
    torch.testing.assert_close(crops.view.keypoints2d, expected, atol=2e-5, rtol=0)


def test_without_off_axis_the_camera_looks_at_the_crop():
    _, crops = framed(cut_by_border=1.0, boxes=1.0)
    assert crops.ray[:, 2].min() > np.cos(np.radians(1.0))


def test_the_frame_of_the_ray_is_what_a_crop_shows():
    """A weak camera explains the crop better with labels turned towards the ray than without."""
    output, crops = framed(off_axis=1.0)

    def error(keypoints):
        camera = fit_weak_perspective(keypoints, crops.view.keypoints2d)
        return (weak_perspective(keypoints, camera) - crops.view.keypoints2d).norm(dim=2).mean(1)

    far = crops.ray[:, 2] < np.cos(np.radians(15))
    assert far.sum() > 5
    turned, straight = error(output.keypoints @ crops.turn.mT)[far], error(output.keypoints)[far]
    assert turned.mean() < 0.7 * straight.mean()


def test_without_a_box_the_whole_picture_is_the_crop():
    _, crops = framed(200, boxes=1.0)
    window = crops.window
    whole = window.isfinite().all(1)
    assert 1 < whole.sum() < 25
    low, high = window[whole].split(2, dim=1)
    torch.testing.assert_close(low, -high, atol=1e-4, rtol=0)
    torch.testing.assert_close(high.amax(1), torch.ones(int(whole.sum())), atol=1e-4, rtol=0)


def binomial(count: int, n: int, share: float) -> bool:
    return abs(count - n * share) < 4.5 * (n * share * (1 - share)) ** 0.5


def test_shares():
    people = stream(batch_size=400, cut_by_border=0.3, near_border=0.0)
    scenes = [people.prepare(k) for k in range(2)]
    window = torch.cat([scene.window for scene in scenes])
    assert binomial(int(window.isfinite().any(1).sum()), 800, 0.3 * (1 - GOES_ON))
    turns = draw_turns(4000, 0.25, 1)
    turned = ~torch.isclose(turns[:, 0, 0], torch.ones(4000), atol=1e-7)
    assert binomial(int(turned.sum()), 4000, 0.25)
    angle = torch.atan2(turns[turned, 1, 0], turns[turned, 0, 0])
    counts = torch.histc(angle, 8, -np.pi, np.pi)
    assert all(binomial(int(count), int(turned.sum()), 1 / 8) for count in counts)


def test_one_option_changes_nothing_of_what_another_draws():
    output, cut = framed(cut_by_border=0.5)
    _, both = framed(cut_by_border=0.5, near_border=0.5)
    rows = cut.view.focal != 3.0  # framed anew
    assert 0 < rows.sum() < len(rows)
    assert torch.equal(cut.window[rows], both.window[rows])
    assert torch.equal(cut.drawn.vertices[rows], both.drawn.vertices[rows])
    assert torch.equal(cut.drawn.vertices[~rows], output.vertices[~rows])


def test_batches_with_and_without_rays_join():
    plain, framed_batch = stream()[0], stream(boxes=1.0)[0]
    assert plain.ray is None
    joined = Batch.join([plain, framed_batch])
    assert joined.ray[:12].isnan().all()
    assert torch.equal(joined.ray[12:], framed_batch.ray)


def test_only_whole_people_are_pasted_behind_others():
    people = stream(batch_size=30, cut_by_border=0.5, boxes=1.0)
    scene = people.prepare(0)
    drawn = scene.pixels.plane(scene.pixels.part) > 0
    rim = torch.ones(SIZE, SIZE, dtype=torch.bool)
    rim[1:-1, 1:-1] = False
    cut = (drawn & rim).flatten(1).any(1)
    assert 5 < cut.sum() < 25
    assert torch.equal(scene.whole, (~cut).nonzero()[:, 0])
    # Where nobody is whole, nobody is pasted.
    alone = stream(level="full", cut_by_border=1.0)
    nobody = dataclasses.replace(alone.prepare(0), whole=torch.empty(0, dtype=torch.int64))
    assert alone.finish(nobody).images.isfinite().all()


class Scenes(Dataset):
    """What workers make."""

    def __init__(self, people):
        self.people = people

    def __getitem__(self, index):
        return self.people.prepare(index)


@pytest.mark.parametrize("level", ["plain", "full"])
def test_same_seed_same_bits_in_a_worker(level):
    here = stream(level=level, dense=10, **EVERYTHING)
    here[0]
    loader = DataLoader(
        Scenes(stream(level=level, dense=10, **EVERYTHING)),
        batch_size=None,
        sampler=[3],
        num_workers=1,
    )
    there = here.finish(next(iter(loader)))
    for name, value in here[3].named_tensors().items():
        assert torch.equal(value, there.named_tensors()[name]), name


def test_bodies_keep_their_type():
    output, crops = framed(boxes=1.0)
    assert isinstance(crops.drawn, BodyOutput)
    assert crops.drawn.vertices.dtype == output.vertices.dtype == torch.float32
