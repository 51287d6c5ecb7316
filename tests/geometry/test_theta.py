"""The 85 numbers: their order, and the mean that regression starts from."""

import math

import pytest
import torch
from scipy.spatial.transform import Rotation

from hmr_edu.theta import join_theta, mean_theta, split_theta


def test_order_is_camera_pose_betas():
    theta = torch.arange(170.0).reshape(2, 85)
    camera, pose, betas = split_theta(theta)
    assert camera[1].tolist() == [85, 86, 87]
    assert pose[0, 0] == 3
    assert pose[0, -1] == 74
    assert betas[0].tolist() == list(range(75, 85))
    assert torch.equal(join_theta(camera, pose, betas), theta)
    assert torch.equal(split_theta(theta[0]).betas, betas[0])


@pytest.mark.parametrize("batch", [(), (4,), (3, 4), (2, 3, 4)])
def test_any_number_of_batch_dimensions(batch):
    theta = torch.randn(*batch, 85)
    parts = split_theta(theta)
    assert [part.shape for part in parts] == [(*batch, 3), (*batch, 72), (*batch, 10)]
    assert torch.equal(join_theta(*parts), theta)


def test_mean_theta_is_an_upright_person_facing_the_camera():
    camera, pose, betas = split_theta(mean_theta())
    assert camera.tolist() == torch.tensor([0.9, 0, 0]).tolist()
    assert pose[3:].abs().sum() == betas.abs().sum() == 0
    root = Rotation.from_rotvec(pose[:3].double().numpy())
    up, front, left = root.apply([[0, 1, 0], [0, 0, 1], [1, 0, 0]])
    # Image y points down, z away from the camera; our left is at the image's right.
    for axis, expected in ((up, [0, -1, 0]), (front, [0, 0, -1]), (left, [1, 0, 0])):
        assert max(abs(axis - expected)) < 1e-6
    assert math.isclose(pose[0], math.pi, rel_tol=1e-6)
