"""Looking twice: both glances must count alike, whichever of them comes first."""

import pytest
import torch
from scipy.spatial.transform import Rotation, Slerp

from hmr_edu.encoder.heads import soft_argmax
from hmr_edu.fitting.flip_test import average_theta, run_flip_test
from hmr_edu.hmr import HMR
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS, flip_keypoints, flip_theta
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.theta import split_theta


def tiny(pooling="spatial") -> HMR:
    torch.manual_seed(0)
    options = {"image_size": 32, "width": 8, "stem": "small", "hidden": 16}
    return HMR("resnet18", pooling=pooling, iterations=2, **options).eval()


@pytest.fixture(scope="module")
def images():
    return torch.rand(3, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def rotations(theta):
    return axis_angle_to_matrix(split_theta(theta).pose.unflatten(1, (24, 3)))


@torch.no_grad()
def test_a_mirrored_picture_gives_the_mirrored_answer(images):
    """No network does by itself; both glances together must."""
    model = tiny()
    one, other = run_flip_test(model, images), run_flip_test(model, images.flip(-1))
    alone = model(images)[-1].theta
    assert (rotations(flip_theta(model(images.flip(-1))[-1].theta)) - rotations(alone)).abs().max()
    torch.testing.assert_close(rotations(other.theta), rotations(flip_theta(one.theta)))
    camera, _, betas = split_theta(other.theta)
    torch.testing.assert_close(camera, split_theta(flip_theta(one.theta)).camera)
    torch.testing.assert_close(betas, split_theta(one.theta).betas)
    places = [
        soft_argmax(look.heatmaps.flatten(2).softmax(-1).view_as(look.heatmaps))
        for look in (one, other)
    ]
    torch.testing.assert_close(places[1], flip_keypoints(places[0], COCOPLUS))
    # Depths as a third coordinate: left and right change places, no number changes.
    points = [
        torch.cat([p, look.depths[..., None]], 2)
        for p, look in zip(places, (one, other), strict=True)
    ]
    torch.testing.assert_close(points[1], flip_keypoints(points[0], COCOPLUS))


@torch.no_grad()
def test_a_map_is_a_mixture_of_both(images):
    """Far from the second glance's place, a cell has half of the first one's probability."""
    model = tiny()
    look = run_flip_test(model, images)
    _, first = model(images, return_features=True)
    _, second = model(images.flip(-1), return_features=True)
    left, right = COCOPLUS.index("left_wrist"), COCOPLUS.index("right_wrist")
    p, q = first.heatmaps[:, left].flatten(1).softmax(1), second.heatmaps[:, right].flip(-1)
    expected = (p + q.flatten(1).softmax(1)) / 2
    torch.testing.assert_close(look.heatmaps[:, left].flatten(1).softmax(1), expected)
    middle = (first.depths[:, left] + second.depths[:, right]) / 2
    torch.testing.assert_close(look.depths[:, left], middle)


def test_half_way_between_two_bodies():
    generator = torch.Generator().manual_seed(0)
    a, b = 0.7 * torch.randn(2, 4, 85, generator=generator)
    middle = average_theta(a, b)
    torch.testing.assert_close(middle[:, :3], (a[:, :3] + b[:, :3]) / 2)
    torch.testing.assert_close(middle[:, 75:], (a[:, 75:] + b[:, 75:]) / 2)
    for i in range(4):  # no two of these are nearly half a turn apart
        for j in range(3, 75, 3):
            ends = Rotation.from_rotvec(torch.stack([a[i, j : j + 3], b[i, j : j + 3]]).double())
            expected = torch.from_numpy(Slerp([0, 1], ends)(0.5).as_matrix())
            found = axis_angle_to_matrix(middle[i, j : j + 3].double())
            torch.testing.assert_close(found, expected, rtol=0, atol=1e-4)


def test_a_network_without_heatmaps_is_named(images):
    with pytest.raises(DataError, match="no heat-maps"):
        run_flip_test(tiny("average"), images)
