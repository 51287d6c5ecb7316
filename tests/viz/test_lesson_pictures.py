"""The pictures that lessons draw of bodies, against extents worked out by hand."""

import math

import numpy as np
import pytest
import torch

from hmr_edu import load_body
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.viz import (
    PREDICTION,
    TRUTH,
    blank_picture,
    draw_body,
    draw_pose,
    front_and_side,
    to_picture,
)

QUAD = np.array([[0, 1, 2], [0, 2, 3]])
SIZE = 100


@pytest.fixture(scope="module")
def body():
    return load_body("lite")


def drawn(picture):
    """Rows and columns, [first, last + 1), in which anything is drawn."""
    seen = (picture != blank_picture(len(picture))).any(2)
    rows, columns = np.nonzero(seen.any(1))[0], np.nonzero(seen.any(0))[0]
    return (rows[0], rows[-1] + 1), (columns[0], columns[-1] + 1)


def square(x0, y0, x1, y1, z=0.0):
    """A flat square that faces the camera."""
    return np.array([[x0, y0, z], [x0, y1, z], [x1, y1, z], [x1, y0, z]], np.float32)


def test_a_body_lies_where_its_metres_put_it():
    flat = square(-0.5, -0.25, 0.25, 0.75)
    picture = draw_body(flat, QUAD, size=SIZE, centre=(0.0, 0.0, 0.0))
    assert drawn(picture) == ((37, 88), (25, 63))  # (v + 1) / 2 * 100, to whole pixels
    moved = draw_body(flat, QUAD, size=SIZE, centre=(0.25, 0.75, 0.0), zoom=0.8)
    assert drawn(moved) == ((10, 50), (20, 50))  # its lower right corner in the middle
    middle = draw_body(flat, QUAD, size=SIZE, zoom=0.8)
    assert drawn(middle) == ((30, 70), (35, 65))


def test_a_body_turns_to_the_right_about_its_centre():
    # Half a metre nearer to the camera than the centre: at 90 degrees that is to the right.
    flat = square(-0.2, -0.2, 0.2, 0.2, z=-0.5)
    flat[2:, 2] = -0.3  # not edge-on after the turn
    (_, columns) = drawn(draw_body(flat, QUAD[:, ::-1], size=SIZE, yaw=90, centre=(0.0, 0.0, 0.0)))
    assert columns == (65, 75)


@pytest.mark.parametrize("colour", ["#ff0000", "each vertex"])
def test_a_body_has_its_colour(colour):
    flat = square(-1, -1, 1, 1)
    each = np.tile([[1.0, 0.0, 0.0]], (4, 1))
    r, g, b = draw_body(flat, QUAD, each if colour == "each vertex" else colour, SIZE)[50, 50]
    assert r > 150
    assert max(g, b) < 60


def test_a_pose_has_its_hips_in_the_middle(body):
    pose = 0.2 * torch.randn(24, 3, generator=torch.Generator().manual_seed(0))
    pose[0] = torch.tensor([math.pi, 0.3, 0.2])
    posed = body(torch.zeros(1, 10), pose.view(1, 72))
    hips = [COCOPLUS.index(name) for name in ("left_hip", "right_hip")]
    extent = (posed.vertices[0] - posed.keypoints[0, hips].mean(0))[:, :2].numpy()
    low, high = ((0.7 * extent + 1) / 2 * 200).min(0), ((0.7 * extent + 1) / 2 * 200).max(0)
    rows, columns = drawn(draw_pose(body, pose, size=200, zoom=0.7))
    np.testing.assert_allclose(columns, (low[0], high[0]), atol=1.5)
    np.testing.assert_allclose(rows, (low[1], high[1]), atol=1.5)
    rows, columns = drawn(draw_pose(body, pose, size=200, zoom=0.7, centre="box"))
    assert abs(sum(rows) / 2 - 100) <= 1
    assert abs(sum(columns) / 2 - 100) <= 1


def test_a_pose_is_taken_in_every_form(body):
    joints = 0.3 * torch.randn(23, 3, generator=torch.Generator().manual_seed(1))
    pose = torch.cat([torch.tensor([[math.pi, 0, 0]]), joints])
    matrices = body(torch.zeros(1, 10), pose.view(1, 72)).rotations[0]
    wanted = draw_pose(body, pose).astype(int)
    for same in (matrices, joints, matrices[1:]):
        assert np.abs(draw_pose(body, same) - wanted).max() <= 2
    assert np.abs(draw_pose(body, 0 * joints) - wanted).max() > 50


def test_front_and_side_of_a_body_with_spread_arms(body):
    rest = torch.zeros(23, 3)
    views = front_and_side(body, [(rest, TRUTH), (rest, PREDICTION)], size=150, zoom=0.9)
    wide = [columns[1] - columns[0] for _, columns in map(drawn, views)]
    assert wide[0] == wide[2] > 100  # 1.7 metres of arms
    assert wide[1] == wide[3] < 40
    true, recovered = views[0][75, 75].astype(int), views[2][75, 75].astype(int)
    assert true[0] > true[2]  # gold
    assert recovered[0] < recovered[2]  # blue
    # At 90 degrees the face and the toes look right: beyond the middle of the body.
    rows, _ = drawn(views[1])
    toes = (views[1][rows[1] - 6 : rows[1]] != blank_picture(150)[:6]).any(2).any(0).nonzero()[0]
    heel, toe = 75 - toes.min(), toes.max() + 1 - 75
    assert toe > heel


def test_a_network_s_picture_to_look_at():
    image = torch.zeros(3, 4, 8)
    image[0, 1, 2], image[1, 1, 2], image[2, 3, 7] = 1.0, 0.5, 1.0
    picture = to_picture(image)
    assert picture.shape == (4, 8, 3)
    assert picture[1, 2].tolist() == [255, 128, 0]
    assert picture[3, 7].tolist() == [0, 0, 255]
    assert to_picture(image, 16).shape == (8, 16, 3)
    assert (to_picture(image.requires_grad_()) == picture).all()
    with pytest.raises(ValueError, match=r"must be in \[0, 1\], got values from 0 to 1.7"):
        to_picture(1.7 * image)
