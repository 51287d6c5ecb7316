"""Neighbours: who is drawn where, who covers whom, and labels that do not tell of them."""

import dataclasses

import pytest
import torch

from hmr_edu.body import load_body
from hmr_edu.camera import perspective
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.render.body_pixels import BodyPixels
from hmr_edu.data.synthetic.draws import Draws, SameDraws
from hmr_edu.data.synthetic.framing import Framed
from hmr_edu.data.synthetic.neighbours import (
    TWO,
    Neighbours,
    draw_neighbours,
    paint_neighbours,
    step_behind,
)
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople
from hmr_edu.data.synthetic.views import PinholeView

SIZE = 64


def stream(level: str = "plain", **changes) -> SyntheticPeople:
    appearance = dataclasses.replace(APPEARANCES[level], scenes=4, outfits=4, heads=4)
    config = SyntheticConfig(image_size=SIZE, batch_size=12, appearance=appearance)
    return SyntheticPeople(
        load_body("lite"), load_pose_prior(), dataclasses.replace(config, **changes)
    )


def square(depths: list[float], rows: list[int], layer: list[int]) -> Neighbours:
    """Neighbours of 2 x 2 pixels in the upper left corner of pictures of 4 x 4 pixels."""
    K = len(depths)
    index = torch.tensor([16 * k + p for k in range(K) for p in (0, 1, 4, 5)])
    depth = torch.tensor(depths).repeat_interleave(4)
    ones, three = torch.ones(4 * K), torch.zeros(3, 4 * K)
    pixels = BodyPixels(K, 4, index, ones.to(torch.uint8), ones, depth, three, three)
    return Neighbours(pixels, torch.tensor(rows), torch.tensor(layer))


def test_the_nearer_person_covers_the_other():
    # Two neighbours in picture 0, in front of and behind the person; one in picture 1, behind.
    neighbours = square([3.0, 5.0, 5.0], [0, 0, 1], [1, 0, 0])
    looks = torch.tensor([0.25, 0.5, 0.75])[:, None, None, None].expand(3, 3, 4, 4)
    images, hidden = torch.zeros(2, 3, 4, 4), torch.zeros(2, 4, 4)
    depth = torch.full((2, 4, 4), torch.inf)
    depth[:, :, 1:3] = 4.0  # the person is in the middle two columns
    paint_neighbours(images, looks, neighbours)
    assert images[:, 0, 0].tolist() == [[0.25, 0.25, 0, 0], [0.75, 0.75, 0, 0]]
    images[:, :, :, 1:3] = 1.0
    paint_neighbours(images, looks, neighbours, depth, hidden)
    assert images[:, 0, 0].tolist() == [[0.25, 0.25, 1, 0], [0.75, 1, 1, 0]]
    assert hidden[:, 0].tolist() == [[1, 1, 0, 0], [1, 0, 0, 0]]
    assert not hidden[:, 2:].any()


def people_at(*pixels: int) -> BodyPixels:
    """The people of two pictures, four metres away; pixels of 4 x 4 for each."""
    n = len(pixels)
    ones, three = torch.ones(n), torch.zeros(3, n)
    return BodyPixels(
        2, 4, torch.tensor(pixels), ones.to(torch.uint8), ones, 4 * ones, three, three
    )


def test_nobody_hides_the_person_asked_for():
    in_front, behind = square([3.0, 3.0], [0, 1], [0, 0]), square([5.0, 5.0], [0, 1], [0, 0])
    everywhere = range(16, 32)
    # Of eight pixels, a neighbour of four covers a half: not more.
    half = people_at(0, 1, 4, 5, 8, 9, 12, 13, *everywhere)
    assert torch.equal(step_behind(in_front, half).pixels.depth, in_front.pixels.depth)
    # All three pixels of the person in picture 0 are covered, and four of sixteen in picture 1.
    little = people_at(0, 1, 4, *everywhere)
    depth = step_behind(in_front, little).pixels.depth
    assert depth.tolist() == [103.0] * 4 + [3.0] * 4
    assert torch.equal(step_behind(behind, little).pixels.depth, behind.pixels.depth)


@pytest.mark.parametrize("framing", [{}, {"cut_by_border": 0.5, "off_axis": 0.5}])
def test_no_label_tells_of_neighbours(framing):
    alone, among = stream(dense=20, **framing)[0], stream(dense=20, **framing, neighbours=0.5)
    scene, batch = among.prepare(0), among[0]
    before, after = alone.named_tensors(), batch.named_tensors()
    assert before.keys() == after.keys()
    for name in before.keys() - {"images", "visible", "dense.confidence"}:
        assert torch.equal(before[name], after[name]), name
    rows = scene.neighbours.rows.unique()
    others = torch.tensor([k for k in range(12) if k not in rows])
    assert len(rows)
    assert len(others)
    assert torch.equal(alone.images[others], batch.images[others])
    assert (alone.images[rows] != batch.images[rows]).flatten(1).any(1).float().mean() > 0.8
    assert (batch.visible <= alone.visible).all()
    assert torch.equal(alone.visible[others], batch.visible[others])


def test_a_covered_keypoint_is_not_visible():
    alone, among = stream(), stream(neighbours=1.0)
    lost = kept = shown = 0
    for index in range(4):
        scene, before, after = among.prepare(index), alone[index], among[index]
        own = scene.pixels.plane(scene.pixels.depth)
        theirs = scene.neighbours.pixels.plane(scene.neighbours.pixels.depth)
        covered = torch.zeros(12, SIZE, SIZE, dtype=torch.bool)
        for row, depth in zip(scene.neighbours.rows, theirs, strict=True):
            covered[row] |= (depth > 0) & ((own[row] == 0) | (depth < own[row]))
        x, y = ((after.keypoints2d + 1) * SIZE / 2).long().clamp(0, SIZE - 1).unbind(2)
        at = covered[torch.arange(12)[:, None], y, x]
        lost += int(((before.visible > 0) & (after.visible == 0)).sum())
        kept += int((after.visible > 0).sum())
        shown += int((at & (after.visible > 0)).sum())
        assert torch.equal(before.visible * ~at, after.visible * ~at)
    assert shown < 0.01 * (lost + kept)  # soft outlines
    assert lost > 15
    assert kept > 5 * lost


def drawn(n: int, share: float, seed: int = 4):
    body = load_body("lite")
    g = torch.Generator().manual_seed(3)
    output = body(torch.randn(n, 10, generator=g), load_pose_prior().sample(n, g))
    view = PinholeView(
        torch.tensor([0.1, -0.2, 4.0]).repeat(n, 1), torch.full((n,), 3.0), torch.zeros(n, 19, 2)
    )
    return output, draw_neighbours(output, Framed.of(output, view), share, seed)


def test_as_many_as_asked_for_and_never_oneself():
    _, beside = drawn(600, 1 / 3)
    pictures, count = beside.rows.unique(return_counts=True)
    assert abs(len(pictures) - 200) < 4.5 * (600 * 2 / 9) ** 0.5
    two = int((count == 2).sum())
    assert abs(two - TWO * len(pictures)) < 4.5 * (len(pictures) * TWO * (1 - TWO)) ** 0.5
    assert (beside.rows != beside.others).all()
    assert drawn(4, 0.0)[1] is None


def test_neighbours_are_as_large_as_people_and_where_they_were_put():
    output, beside = drawn(300, 1.0)
    seen = perspective(beside.drawn.vertices, beside.view.translation, beside.view.focal)
    height = (seen.amax(1) - seen.amin(1)).amax(1)
    main = perspective(
        output.vertices, torch.tensor([[0.1, -0.2, 4.0]]).expand(300, 3), torch.full((300,), 3.0)
    )
    own = (main.amax(1) - main.amin(1)).amax(1)
    assert 0.7 < height.median() / own.median() < 1.2
    # Beside: the roots are not in the same place, and not out of the picture.
    root = beside.drawn.joints[:, 0] + beside.view.translation
    away = root - (output.joints[beside.rows, 0] + torch.tensor([0.1, -0.2, 4.0]))
    assert away[:, 0].abs().max() < 4 / 3 + 1e-4
    assert away[:, [0, 2]].norm(dim=1).min() > 0.15
    two = beside.layer == 1
    for row in beside.rows[two][:20]:
        first, second = (beside.rows == row).nonzero()[:, 0]
        near, far = (first, second) if beside.layer[first] == 1 else (second, first)
        assert root[near, 2] <= root[far, 2]
        assert away[near, 0] * away[far, 0] <= 0  # on both sides


@pytest.mark.parametrize("level", ["plain", "full"])
def test_same_seed_same_pictures(level):
    first, second = stream(level, neighbours=0.7), stream(level, neighbours=0.7)
    second[0]
    assert torch.equal(first[3].images, second[3].images)


def test_a_neighbour_has_the_light_of_its_picture():
    rows = torch.tensor([4, 0, 4])
    all_of_them, theirs = Draws(5, 7), SameDraws(rows, 5, 7)
    for drawn in (
        lambda draws: draws.uniform(0.0, 1.0, 2),
        lambda draws: draws.chance(0.5, 3),
        lambda draws: draws.normal(3),
        lambda draws: draws.integers(100),
        lambda draws: draws.choice((1, 2, 3)),
    ):
        assert torch.equal(drawn(all_of_them)[rows], drawn(theirs))
    assert theirs.batch == 3
