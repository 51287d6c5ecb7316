"""Seats: under those who sit, where a camera would see them, and on backgrounds only."""

import dataclasses

import numpy as np
import pytest
import torch
from scipy.spatial import Delaunay

from hmr_edu.body import load_body
from hmr_edu.data.synthetic import seats
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.framing import Framed
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople
from hmr_edu.data.synthetic.views import draw_view
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.training.setup import pose_source

SIZE = 64
# The camera's axes are x right, y down, z away; this turns the world's up into it.
UPRIGHT = torch.diag(torch.tensor([1.0, -1.0, -1.0]))


def posed(thighs=(0.0, 0.0), knees=(0.0, 0.0), lean=0.0):
    """Return a body that faces the camera, with thighs lifted and knees bent by degrees."""
    pose = torch.zeros(24, 3)
    for joint, degrees in ((1, -thighs[0]), (2, -thighs[1]), (4, knees[0]), (5, knees[1])):
        pose[joint, 0] = np.radians(degrees)
    rotations = axis_angle_to_matrix(pose)
    rotations[0] = UPRIGHT @ axis_angle_to_matrix(
        torch.tensor([np.radians(lean), 0.0, 0.0]).float()
    )
    return load_body("lite")(torch.zeros(1, 10), rotations[None])


def framed(output):
    view = draw_view(output.keypoints, SyntheticConfig(), torch.Generator().manual_seed(0))
    return Framed.of(output, view)


def found(output, share=1.0):
    return seats.seats_of(UPRIGHT[None], output, framed(output), share, 0)


@pytest.mark.parametrize(
    ("pose", "sit"),
    [
        ({"thighs": (90, 90), "knees": (90, 90)}, True),
        ({"thighs": (70, 85), "knees": (80, 60)}, True),
        ({}, False),  # stands
        ({"thighs": (90, 0), "knees": (90, 0)}, False),  # one leg lifted
        ({"thighs": (90, 90)}, False),  # on the ground, legs stretched
        ({"thighs": (90, 90), "knees": (90, 90), "lean": 80}, False),  # lies on one's face
    ],
)
def test_who_sits(pose, sit):
    assert len(found(posed(**pose)).rows) == sit
    assert not len(found(posed(**pose), share=0.0).rows)


def test_the_seat_is_under_the_hips():
    output = posed(thighs=(90, 90), knees=(90, 90))
    seat, place = found(output), framed(output).position
    joints = (output.joints + place)[0]
    hips = (joints[1] + joints[2]) / 2
    expected = hips + torch.tensor([0.0, seats.BELOW_HIPS, 0.0])
    torch.testing.assert_close(seat.origin[0], expected)
    soles = (output.vertices + place)[0, :, 1].max()
    torch.testing.assert_close(seat.height[0], soles - expected[1])
    # Up is against y; forward is towards the camera.
    axes = torch.tensor([[1.0, 0.0, 0.0], [0.0, -1.0, 0.0], [0.0, 0.0, -1.0]])
    torch.testing.assert_close(seat.axes[0], axes, atol=1e-6, rtol=0)


def a_seat(turn, origin=(0.1, 0.3, 3.0)):
    """Return one seat, turned about the upright axis by radians, 0.4 m high."""
    cos, sin = np.cos(turn), np.sin(turn)
    axes = torch.tensor([[cos, 0.0, sin], [0.0, -1.0, 0.0], [sin, 0.0, -cos]])
    return seats.Seats(
        rows=torch.tensor([0]),
        origin=torch.tensor([origin]),
        axes=axes[None].float(),
        height=torch.tensor([0.4]),
        centre=torch.tensor([[0.05, -0.02]]),
        focal=torch.tensor([2.5]),
    )


def painted(monkeypatch, seat, **values):
    """Paint on white with fixed sizes and one light; return the pixels that are seat by half."""
    fixed = {"HALF_WIDTH": 0.3, "BEHIND": 0.2, "BEFORE": 0.25, "THICKNESS": 0.1} | values
    for name, value in fixed.items():
        monkeypatch.setattr(seats, name, value if name in ("BLOCK", "BACK") else (value, value))
    monkeypatch.setattr(seats, "LIT", seats.SHADE)
    images = torch.ones(1, 3, SIZE, SIZE)
    seats.paint(images, seat, torch.zeros(1, 3, SIZE, SIZE), Draws(1, 0))
    dark = 1 - images[0, 0].numpy()
    return dark > dark.max() / 2


def shadow_of(seat, low, high):
    """Return which pixels a box covers: those in the hull of its corners' projections."""
    corners = np.array([[x, y, z] for x in (0, 1) for y in (0, 1) for z in (0, 1)], float)
    corners = np.array(low) + corners * (np.array(high) - np.array(low))
    points = corners @ seat.axes[0].numpy() + seat.origin[0].numpy()
    rays = points[:, :2] / points[:, 2:]
    hull = Delaunay((rays - seat.centre[0].numpy()) * float(seat.focal[0]))
    place = (np.arange(SIZE) + 0.5) * 2 / SIZE - 1
    pixels = np.stack(np.meshgrid(place, place), -1)
    return hull.find_simplex(pixels) >= 0


def apart(one, other):
    """Return the pixels in which two masks differ, but for their edges."""
    from scipy.ndimage import binary_dilation, binary_erosion

    return (one & ~binary_dilation(other)) | (binary_erosion(other) & ~one)


@pytest.mark.parametrize("turn", [0.0, 0.5, 1.2, np.pi / 2, 2.5, np.pi])
def test_a_block_covers_what_its_corners_span(monkeypatch, turn):
    seat = a_seat(turn)
    mask = painted(monkeypatch, seat, BLOCK=1.0, BACK=0.0)
    expected = shadow_of(seat, (-0.3, -0.4, -0.2), (0.3, 0.0, 0.25))
    assert expected.sum() > 100
    assert not apart(mask, expected).any()


def test_a_chair_has_legs_and_a_back_rest_that_hides_nobody(monkeypatch):
    sizes = {"BLOCK": 0.0, "BACK": 1.0, "BACK_HEIGHT": 0.5, "BACK_THICKNESS": 0.06, "LEG": 0.03}
    seat = a_seat(0.4)
    mask = painted(monkeypatch, seat, **sizes)
    expected = shadow_of(seat, (-0.3, -0.1, -0.2), (0.3, 0.0, 0.25))
    expected |= shadow_of(seat, (-0.3, 0.0, -0.26), (0.3, 0.5, -0.2))
    for x in (-0.3, 0.24):
        for z in (-0.2, 0.19):
            expected |= shadow_of(seat, (x, -0.4, z), (x + 0.06, -0.1, z + 0.06))
    assert not apart(mask, expected).any()
    # Seen from behind, the back rest would be before the person.
    behind = painted(monkeypatch, a_seat(np.pi), **sizes)
    top = shadow_of(a_seat(np.pi), (-0.3, 0.1, -0.26), (0.3, 0.5, -0.2))
    assert not (behind & top).any()


def test_a_seat_that_reaches_the_camera_is_left_out(monkeypatch):
    assert not painted(monkeypatch, a_seat(0.0, (0.0, 0.2, 0.4)), BLOCK=1.0, BACK=0.0).any()


def people(share):
    look = APPEARANCES["clear"]
    places = dataclasses.replace(look.places, seat=share)
    look = dataclasses.replace(look, scenes=8, outfits=4, heads=4, places=places)
    config = SyntheticConfig(image_size=SIZE, batch_size=16, appearance=look)
    return SyntheticPeople(load_body("lite"), pose_source("seated"), config, 0)


def test_only_backgrounds_change():
    scene = people(1.0).prepare(0)
    a, b = people(0.0)[0].named_tensors(), people(1.0).finish(scene).named_tensors()
    for name in a.keys() - {"images"}:
        assert torch.equal(a[name], b[name]), name
    changed = (a["images"] - b["images"]).abs().amax(1) > 1e-3
    assert not (changed & (scene.pixels.plane(scene.pixels.coverage) == 1)).any()
    rows = changed.flatten(1).any(1).nonzero()[:, 0]
    assert len(rows) > 5
    assert set(rows.tolist()) <= set(scene.support.seats.rows.tolist())
    assert torch.equal(people(1.0)[0].images, b["images"])
    fewer = people(0.3).prepare(0).support.seats.rows.tolist()
    assert 1 <= len(fewer) < len(scene.support.seats.rows)
