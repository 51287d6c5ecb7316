"""Lesson 03: its own functions against the package and numpy."""

from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.lesson_code import definitions

from hmr_edu import camera as cameras

LESSON = Path(__file__).parents[2] / "notebooks" / "03_projection.ipynb"
DOUBLE = torch.float64
NAMES = (
    *("weak_perspective", "perspective", "translation_from_weak", "fit_camera", "fit_by_lstsq"),
    *("unavoidable", "crop_to_full", "fit_energy", "in_camera", "RX_PI", "person"),
)


@pytest.fixture(scope="module")
def lesson():
    # The lesson computes in float64 by default, and so its own tensors do.
    before = torch.get_default_dtype()
    torch.set_default_dtype(DOUBLE)
    found = definitions(LESSON, *NAMES)
    torch.set_default_dtype(before)
    return found


def randn(*shape, seed=0):
    return torch.randn(shape, generator=torch.Generator().manual_seed(seed), dtype=DOUBLE)


def people(batch=5, n=19, seed=0):
    return randn(batch, n, 3, seed=seed) * torch.tensor([0.3, 0.6, 0.2], dtype=DOUBLE)


def weak_cameras(batch=5, seed=1):
    return torch.cat([0.5 + randn(batch, 1, seed=seed).abs(), randn(batch, 2, seed=seed + 1)], 1)


def test_weak_perspective_is_the_package_s(lesson):
    points, camera = people(), weak_cameras()
    ours = lesson["weak_perspective"](points, camera)
    torch.testing.assert_close(ours, cameras.weak_perspective(points, camera), rtol=0, atol=0)


def test_perspective_is_the_package_s_and_a_pinhole(lesson):
    points, focal = people(), 1 + randn(5).abs()
    t = randn(5, 3, seed=3) + torch.tensor([0.0, 0.0, 8.0], dtype=DOUBLE)
    ours = lesson["perspective"](points, t, focal)
    torch.testing.assert_close(ours, cameras.perspective(points, t, focal))
    K = np.diag([float(focal[2]), float(focal[2]), 1.0])
    homogeneous = (points[2] + t[2]).numpy() @ K.T
    np.testing.assert_allclose(ours[2], homogeneous[:, :2] / homogeneous[:, 2:], atol=1e-12)


def test_translation_is_the_package_s(lesson):
    camera, focal = weak_cameras(), 1 + randn(5).abs()
    torch.testing.assert_close(
        lesson["translation_from_weak"](camera, focal),
        cameras.translation_from_weak(camera, focal),
    )


def test_fit_camera_is_the_package_s_and_numpy_s(lesson):
    points = people()
    image = cameras.weak_perspective(points, weak_cameras()) + 0.05 * randn(5, 19, 2, seed=4)
    seen = torch.ones(5, 19, dtype=DOUBLE)
    ours = lesson["fit_camera"](points, image, seen)
    torch.testing.assert_close(ours, lesson["fit_by_lstsq"](points, image), atol=1e-9, rtol=0)
    seen[:, ::4] = 0
    torch.testing.assert_close(
        lesson["fit_camera"](points, image, seen),
        cameras.fit_weak_perspective(points, image, seen),
    )


def test_the_lesson_s_linear_system_takes_negative_scales(lesson):
    points, camera = people(), weak_cameras() * torch.tensor([-1.0, 1.0, 1.0], dtype=DOUBLE)
    image = cameras.weak_perspective(points, camera)
    torch.testing.assert_close(lesson["fit_by_lstsq"](points, image), camera)


def test_the_unavoidable_error_is_the_package_s(lesson):
    # `unavoidable` makes its tensors in the lesson's default precision.
    torch.set_default_dtype(DOUBLE)
    try:
        ours = [lesson["unavoidable"](people(1), d, 2.0) for d in (2.0, 5.0)]
    finally:
        torch.set_default_dtype(torch.float32)
    theirs = cameras.weak_perspective_error(
        people(1)[0], torch.tensor([2.0, 5.0], dtype=DOUBLE), 2.0
    )
    np.testing.assert_allclose(ours, theirs.numpy(), rtol=1e-12)


def test_crop_to_full_is_the_package_s(lesson):
    camera = weak_cameras()
    for x, y, size in ((50.0, 60.0, 70.0), (-3.5, 400.0, 11.0)):
        box = cameras.CropBox(x, y, size)
        rows = torch.tensor([[x, y, size]], dtype=DOUBLE).expand(5, 3)
        ours = lesson["crop_to_full"](camera, rows, (640, 480), 700.0)
        torch.testing.assert_close(ours, box.full_translation(camera, 640, 480, 700.0))


def test_in_camera_turns_by_pi_about_x(lesson):
    turn = torch.diag(torch.tensor([1.0, -1.0, -1.0], dtype=DOUBLE))
    torch.testing.assert_close(lesson["RX_PI"], turn, rtol=0, atol=1e-12)
    rotations = lesson["in_camera"](torch.zeros(1, 72, dtype=DOUBLE))
    torch.testing.assert_close(rotations[0, 0], turn, rtol=0, atol=1e-12)
    identity = torch.eye(3, dtype=DOUBLE).expand(23, 3, 3)
    torch.testing.assert_close(rotations[0, 1:], identity)
