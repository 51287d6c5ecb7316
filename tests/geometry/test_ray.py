"""The rotation of an off-axis crop, against scipy and against direct projection, in float64."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hmr_edu.camera import (
    CropBox,
    axis_to_ray,
    fit_weak_perspective,
    perspective,
    weak_perspective,
)

SLOPES = st.floats(-2, 2)


@given(x=SLOPES, y=SLOPES)
def test_it_is_the_smallest_rotation_to_the_ray(x, y):
    R = axis_to_ray(torch.tensor([x, y], dtype=torch.float64)).numpy()
    ray = np.array([x, y, 1.0])
    np.testing.assert_allclose(R @ [0, 0, 1], ray / np.linalg.norm(ray), atol=1e-12)
    # The axis of the smallest rotation is perpendicular to both directions.
    across, angle = np.cross([0, 0, 1], ray), np.arctan(np.hypot(x, y))
    vector = across / max(np.linalg.norm(across), 1e-300) * angle
    np.testing.assert_allclose(R, Rotation.from_rotvec(vector).as_matrix(), atol=1e-9)


def test_no_rotation_on_the_axis_and_many_rays_at_once():
    assert torch.equal(axis_to_ray(torch.zeros(2)), torch.eye(3))
    rays = torch.randn(4, 5, 2)
    assert axis_to_ray(rays).shape == (4, 5, 3, 3)
    torch.testing.assert_close(axis_to_ray(rays)[1, 2], axis_to_ray(rays[1, 2]))


@pytest.mark.parametrize("ray", [(0.5, 0.0), (-0.3, 0.4), (0.2, -0.6)])
def test_the_crop_shows_the_body_rotated_back(ray):
    """A body beside the axis, seen directly by the picture's pinhole, then cropped.

    A weak camera explains the crop with the body in the crop's frame. It does not with the body
    as it stands in the picture's frame, though both have a camera of their own fitted.
    """
    g = torch.Generator().manual_seed(0)
    body = torch.randn(200, 3, dtype=torch.float64, generator=g) * torch.tensor([0.2, 0.5, 0.2])
    ray, focal, distance = torch.tensor(ray, dtype=torch.float64), 1000.0, 40.0
    R = axis_to_ray(ray)
    place = distance * R[:, 2]
    pixels = perspective(body, place, torch.tensor(focal, dtype=torch.float64))
    crop = CropBox(*(focal * ray), 60).to_crop(pixels)

    def unexplained(points):
        camera = fit_weak_perspective(points, crop)
        return float((weak_perspective(points, camera) - crop).norm(dim=-1).mean())

    in_the_crops_frame = body @ R  # R^T X
    assert unexplained(in_the_crops_frame) < 0.45 * unexplained(body)
    # What is left is the stretch of pictures at the border, not a rotation: along the ray by
    # 1 / cos^2, across it by 1 / cos. Undone, a weak camera explains the crop.
    cosine, unit = R[2, 2], ray / ray.norm()
    along = torch.outer(unit, unit)
    straight = crop @ (along * cosine**2 + (torch.eye(2) - along) * cosine).to(crop)
    camera = fit_weak_perspective(in_the_crops_frame, straight)
    left = (weak_perspective(in_the_crops_frame, camera) - straight).norm(dim=-1).mean()
    assert left < 0.02


def test_a_root_goes_to_the_pictures_frame_by_the_same_rotation():
    """The picture of R (X + t) is that of X + t under the homography K R K^-1."""
    g = torch.Generator().manual_seed(1)
    body = torch.randn(50, 3, dtype=torch.float64, generator=g)
    ray, away = torch.tensor([0.4, -0.25]).double(), torch.tensor([0.0, 0.0, 6.0]).double()
    R = axis_to_ray(ray)
    seen_by_the_crops_camera = perspective(body, away, torch.tensor(1.0).double())
    seen = torch.cat([seen_by_the_crops_camera, torch.ones(50, 1).double()], 1) @ R.T
    direct = perspective(body @ R.T, R @ away, torch.tensor(1.0).double())
    torch.testing.assert_close(direct, seen[:, :2] / seen[:, 2:])
    # The crop's axis lands on the ray.
    torch.testing.assert_close((R @ away)[:2] / (R @ away)[2], ray)
