"""Floors where the projection of the ground says, for cameras computed by hand."""

import dataclasses
import math

import numpy as np
import pytest
import torch

from hmr_edu.body import load_body
from hmr_edu.camera import perspective
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.synthetic import floors
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople

SIZE = 128


def looking(pitch, height, distance):
    """A camera over a level ground, and a foot at a distance: up and the foot in its frame."""
    c, s = math.cos(pitch), math.sin(pitch)
    # World: x right, y down, z away. A pitch looks down.
    to_camera = torch.tensor([[1, 0, 0], [0, c, -s], [0, s, c]])
    up = to_camera @ torch.tensor([0.0, -1, 0])
    foot = to_camera @ torch.tensor([0.0, height, distance])
    head = to_camera @ torch.tensor([0.0, height - 1.7, distance])
    return to_camera, up, torch.stack([foot, head])


@pytest.mark.parametrize(("pitch", "height"), [(0.0, 1.5), (0.2, 2.0), (-0.1, 1.2)])
def test_the_map_inverts_the_pinhole(pitch, height):
    to_camera, up, body = looking(pitch, height, 4.0)
    centre, focal = torch.tensor([[0.1, -0.2]]), torch.tensor([2.5])
    ground = floors.ground_under(up[None], body[None], centre, focal)[0]
    rng = np.random.default_rng(0)
    for x, z in rng.uniform((-1, -1.5), (1, 6), (20, 2)):
        # A place on the ground, to the right of the foot and beyond it, by hand.
        point = to_camera @ torch.tensor([x, height, 4.0 + z]).float()
        uv = (point[:2] / point[2] - centre[0]) * focal[0]
        a, b, w = ground @ torch.cat([uv, torch.ones(1)])
        assert w > 0
        torch.testing.assert_close(
            torch.stack([a / w, b / w]), torch.tensor([x, z]).float(), atol=2e-4, rtol=1e-4
        )


def test_the_horizon_of_a_level_camera_is_in_the_middle():
    _, up, body = looking(0.0, 1.5, 4.0)
    ground = floors.ground_under(up[None], body[None], torch.zeros(1, 2), torch.ones(1))[0]
    heights = torch.tensor([-0.5, 0.0, 0.5])
    w = ground[2] @ torch.stack([torch.zeros(3), heights, torch.ones(3)])
    torch.testing.assert_close(w, heights / 1.5)


def test_a_camera_below_the_ground_sees_no_floor():
    _, up, body = looking(0.0, -0.5, 4.0)
    ground = floors.ground_under(up[None], body[None], torch.zeros(1, 2), torch.ones(1))
    assert (ground == 0).all()
    images = torch.full((1, 3, SIZE, SIZE), 0.5)
    bank = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)
    floors.lay(images, ground, bank, torch.zeros(1, dtype=torch.long), Draws(1, 0), 1.0)
    assert (images == 0.5).all()


def test_the_floor_ends_where_the_wall_stands(monkeypatch):
    """Level camera 1.5 m high, wall 2 m behind a foot at 4 m: the line is at y = f 1.5 / 6."""
    for name, value in {"WALL": (2.0, 2.0), "WALL_TURN": 0.0, "CORNER": 0.0, "BOARD": 0.0}.items():
        monkeypatch.setattr(floors, name, value)
    _, up, body = looking(0.0, 1.5, 4.0)
    focal = 2.0
    n = 30
    ground = floors.ground_under(up[None], body[None], torch.zeros(1, 2), torch.full((1,), focal))
    images = torch.full((n, 3, SIZE, SIZE), 0.5)
    bank = torch.zeros(1, 3, 8, 8, dtype=torch.uint8)  # a black floor
    floors.lay(
        images, ground.repeat(n, 1, 1), bank, torch.zeros(n, dtype=torch.long), Draws(n, 0), 0.5
    )
    laid = (images[:, 0, -1] == 0).all(1)
    assert 5 < laid.sum() < 25
    row = (focal * 1.5 / 6 + 1) * SIZE / 2
    floor = images[laid][:, 0]
    assert (floor[:, : int(row) - 1] == 0.5).all()
    assert (floor[:, int(row) + 2 :] == 0).all()
    assert (images[~laid] == 0.5).all()


def people(share, **changes):
    look = APPEARANCES["clear"]
    look = dataclasses.replace(
        look,
        scenes=8,
        outfits=4,
        heads=4,
        places=dataclasses.replace(look.places, floor=share),
    )
    config = SyntheticConfig(image_size=SIZE, batch_size=16, appearance=look, **changes)
    return SyntheticPeople(load_body("lite"), load_pose_prior(), config, 0)


FRAMING = {
    **{"boxes": 0.5, "cut_by_border": 0.3, "near_border": 0.3, "turned": 0.3, "off_axis": 0.5},
    "neighbours": 0.5,
}


@pytest.mark.parametrize("framing", [{}, FRAMING])
def test_only_backgrounds_change(framing):
    off, on = people(0.0, **framing), people(0.5, **framing)
    assert off.prepare(0).support.ground is None
    scene = on.prepare(0)
    a, b = off[0].named_tensors(), on.finish(scene).named_tensors()
    for name in a.keys() - {"images"}:
        assert torch.equal(a[name], b[name]), name
    changed = (a["images"] != b["images"]).flatten(1).any(1)
    assert 2 <= changed.sum() <= 13
    assert torch.equal(people(0.5, **framing)[0].images, b["images"])


@pytest.mark.parametrize("framing", [{}, FRAMING])
def test_the_ground_is_under_the_feet(framing):
    """The lowest vertex of each body in its crop lies at the origin of the ground's plane."""
    stream = people(1.0, **framing)
    scene = stream.prepare(0)
    seen = scene.support.ground.flatten(1).abs().amax(1) > 0
    assert seen.sum() >= 5
    # Independent of the vertices: the ankles are some centimetres over it, nothing is below it.
    pixels = scene.pixels
    size = pixels.size
    for k in seen.nonzero()[:, 0].tolist():
        index = pixels.index[pixels.sample == k] % size**2
        row, column = index // size, index % size
        uv = torch.stack([column, row]).float() * (2 / size) + (1 / size - 1)
        places = scene.support.ground[k] @ torch.cat([uv, torch.ones(1, uv.shape[1])])
        # Rays through the body meet the ground behind what touches it, or not at all.
        away = places[1] / places[2]
        assert (away[places[2] > 1e-3] > -1.3).all()
    assert torch.allclose(
        perspective(torch.zeros(1, 1, 3), torch.tensor([[0, 0, 1.0]]), torch.ones(1)),
        torch.zeros(1),
    )
