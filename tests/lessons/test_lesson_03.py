"""Lesson 03: its own functions against the package and numpy; its checks against usual slips."""

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


def weak(order):
    """Weak perspective from a formula of (points xy, s [B, 1, 1], t [B, 1, 2])."""
    return lambda points, c: order(points[..., :2], c[:, None, :1], c[:, None, 1:])


def pinhole(order):
    """Perspective from a formula of (points, t [B, 1, 3], f [B, 1, 1])."""
    return lambda points, t, f: order(points, t[:, None], f[:, None, None])


def fit(answer):
    """A camera fit from a formula of the visible means, the centred points and s."""

    def function(points, keypoints2d, visibility):
        v, X, x = visibility[..., None], points[..., :2], keypoints2d
        X_mean = (v * X).sum(1, keepdim=True) / v.sum(1, keepdim=True)
        x_mean = (v * x).sum(1, keepdim=True) / v.sum(1, keepdim=True)
        dX, dx = X - X_mean, x - x_mean
        s = ((v * dX * dx).sum((1, 2)) / (v * dX * dX).sum((1, 2)))[:, None]
        return torch.cat(answer(v, X, x, dX, dx, X_mean[:, 0], x_mean[:, 0], s), 1)

    return function


def full(answer):
    """A crop_to_full from a formula of (camera, box, middle, focal)."""

    def function(camera, box, picture, focal):
        middle = torch.tensor([(picture[0] - 1) / 2, (picture[1] - 1) / 2], dtype=DOUBLE)
        return torch.cat(answer(camera, box, middle, focal), 1)

    return function


ONLY_S = torch.tensor([1.0, 0.0, 0.0], dtype=DOUBLE)


def right_full(c, b, m, f):
    pixels_a_metre = c[:, :1] * b[:, 2:] / 2
    return c[:, 1:] + (b[:, :2] - m) / pixels_a_metre, f / pixels_a_metre


def weighted(means, divisor, above, below):
    """A camera fit that uses visibility ("v") only in some of its sums ("1" elsewhere)."""

    def function(points, x, visibility):
        weights = {"v": visibility[..., None], "1": torch.ones_like(visibility)[..., None]}
        X, n = points[..., :2], weights[divisor].sum(1, keepdim=True)
        X_mean, x_mean = ((weights[means] * a).sum(1, keepdim=True) / n for a in (X, x))
        dX, dx = X - X_mean, x - x_mean
        s = total(weights[above], dX * dx)[0] / total(weights[below], dX * dX)[0]
        return torch.cat([s, x_mean[:, 0] / s - X_mean[:, 0]], 1)

    return function


def good_energy(p, x, v, log_prior, betas, sigma):
    d = (p - x).square().sum(-1)
    return (v * d).sum(-1) / (2 * sigma**2) - log_prior + betas.square().sum(-1) / 2


def total(v, *values):
    """Sum over two axes, as the formulas of the slips need it, [B, 1]."""
    return [(v * value).sum((1, 2))[:, None] for value in values]


def centre_forgotten(v, X, x, dX, dx, X_mean, x_mean, s):
    Xx, XX = total(v, X * x, X * X)
    return Xx / XX, x_mean * XX / Xx - X_mean


MISTAKES = {
    "weak, t after the scale": ("weak_perspective", weak(lambda X, s, t: s * X + t), "brackets"),
    "weak, t taken away": ("weak_perspective", weak(lambda X, s, t: s * (X - t)), "not taken away"),
    "weak, y negated": (
        "weak_perspective",
        weak(lambda X, s, t: s * (X + t) * torch.tensor([1.0, -1.0], dtype=DOUBLE)),
        "change no sign",
    ),
    "weak, x and y swapped": (
        "weak_perspective",
        weak(lambda X, s, t: (s * (X + t)).flip(-1)),
        "swapped",
    ),
    "weak, depth kept": (
        "weak_perspective",
        lambda X, c: c[:, None, :1] * (X + torch.nn.functional.pad(c[:, None, 1:], (0, 1))),
        "points[..., :2]",
    ),
    "weak, the first camera for all": (
        "weak_perspective",
        weak(lambda X, s, t: s[:1] * (X + t[:1])),
        "first person",
    ),
    "perspective, Z without t_z": (
        "perspective",
        pinhole(lambda X, t, f: f * (X + t)[..., :2] / X[..., 2:]),
        "Z + t_z, not Z",
    ),
    "perspective, t_z without Z": (
        "perspective",
        pinhole(lambda X, t, f: f * (X + t)[..., :2] / t[..., 2:]),
        "that is weak perspective",
    ),
    "perspective, t_x and t_y forgotten": (
        "perspective",
        pinhole(lambda X, t, f: f * X[..., :2] / (X + t)[..., 2:]),
        "must be added too",
    ),
    "perspective, t added at the end": (
        "perspective",
        pinhole(lambda X, t, f: f * X[..., :2] / (X + t)[..., 2:] + t[..., :2]),
        "before multiplying",
    ),
    "perspective, divided by f": (
        "perspective",
        pinhole(lambda X, t, f: (X + t)[..., :2] / (X + t)[..., 2:] / f),
        "focal length multiplies",
    ),
    "perspective, image upside down": (
        "perspective",
        pinhole(lambda X, t, f: -f * (X + t)[..., :2] / (X + t)[..., 2:]),
        "no minus sign",
    ),
    "perspective, one focal length": (
        "perspective",
        pinhole(lambda X, t, f: f[:1] * (X + t)[..., :2] / (X + t)[..., 2:]),
        "focal length of his own",
    ),
    "perspective, t added after dividing": (
        "perspective",
        pinhole(lambda X, t, f: f * X[..., :2] / X[..., 2:] + t[..., :2]),
        "t moves the point first, in metres",
    ),
    "perspective, t added before f": (
        "perspective",
        pinhole(lambda X, t, f: f * (X[..., :2] / X[..., 2:] + t[..., :2])),
        "depth included",
    ),
    "perspective, t_x and t_y after dividing": (
        "perspective",
        pinhole(lambda X, t, f: f * (X[..., :2] / (X + t)[..., 2:] + t[..., :2])),
        "before dividing",
    ),
    "perspective, f forgotten": (
        "perspective",
        pinhole(lambda X, t, f: (X + t)[..., :2] / (X + t)[..., 2:]),
        "f is missing",
    ),
    "perspective, the depth's axis lost": (
        "perspective",
        pinhole(lambda X, t, f: f * (X + t)[..., :2] / (X + t)[..., 2]),
        "moved[..., 2:] keeps it",
    ),
    "perspective, t without an axis": (
        "perspective",
        lambda X, t, f: f[:, None, None] * (X + t)[..., :2] / (X + t)[..., 2:],
        "translation[:, None]",
    ),
    "perspective, depth kept": (
        "perspective",
        pinhole(lambda X, t, f: f * (X + t) / (X + t)[..., 2:]),
        "two are wanted",
    ),
    "fit, not centred": ("fit_camera", fit(centre_forgotten), "centre both sets"),
    "fit, t in the image": (
        "fit_camera",
        fit(lambda v, X, x, dX, dx, X_mean, x_mean, s: (s, x_mean - s * X_mean)),
        "t is in metres",
    ),
    "fit, mean not divided": (
        "fit_camera",
        fit(lambda v, X, x, dX, dx, X_mean, x_mean, s: (s, x_mean - X_mean)),
        "divide the image's mean",
    ),
    "fit, ratio of spreads": (
        "fit_camera",
        fit(
            lambda v, X, x, dX, dx, X_mean, x_mean, s: (
                r := (total(v, dx * dx)[0] / total(v, dX * dX)[0]).sqrt(),
                x_mean / r - X_mean,
            )
        ),
        "ratio of the two spreads",
    ),
    "fit, the other regression": (
        "fit_camera",
        fit(
            lambda v, X, x, dX, dx, X_mean, x_mean, s: (
                r := total(v, dx * dx)[0] / total(v, dX * dx)[0],
                x_mean / r - X_mean,
            )
        ),
        "spread of the body",
    ),
    "fit, scale made positive": (
        "fit_camera",
        fit(lambda v, X, x, dX, dx, X_mean, x_mean, s: (s.abs(), x_mean / s.abs() - X_mean)),
        "no abs, no clamp",
    ),
    "fit, visibility ignored": (
        "fit_camera",
        lambda X, x, v: fit(lambda v, X, x, dX, dx, Xm, xm, s: (s, xm / s - Xm))(
            X, x, torch.ones_like(v)
        ),
        "did not use `visibility`",
    ),
    "fit, means of all": ("fit_camera", weighted("1", "1", "v", "v"), "means count hidden"),
    "fit, means over N": ("fit_camera", weighted("v", "1", "v", "v"), "not by N"),
    "fit, sums of all": ("fit_camera", weighted("v", "v", "1", "1"), "AND both sums"),
    "fit, upper sum of all": ("fit_camera", weighted("v", "v", "1", "v"), "the upper sum"),
    "fit, lower sum of all": ("fit_camera", weighted("v", "v", "v", "1"), "the lower sum"),
    "fit, detached": (
        "fit_camera",
        lambda X, x, v: fit(lambda v, X, x, dX, dx, Xm, xm, s: (s, xm / s - Xm))(X.detach(), x, v),
        "stay in torch",
    ),
    "full, factor 2 forgotten": (
        "crop_to_full",
        full(
            lambda c, b, m, f: (
                c[:, 1:] + (b[:, :2] - m) * 2 / (c[:, :1] * b[:, 2:]),
                f / (c[:, :1] * b[:, 2:]),
            )
        ),
        "half-crops",
    ),
    "full, no offset": (
        "crop_to_full",
        full(lambda c, b, m, f: (c[:, 1:], 2 * f / (c[:, :1] * b[:, 2:]))),
        "offset from the picture's centre is missing",
    ),
    "full, offset the other way": (
        "crop_to_full",
        full(
            lambda c, b, m, f: (
                c[:, 1:] - (b[:, :2] - m) * 2 / (c[:, :1] * b[:, 2:]),
                2 * f / (c[:, :1] * b[:, 2:]),
            )
        ),
        "the other way",
    ),
    "full, offset in pixels": (
        "crop_to_full",
        full(lambda c, b, m, f: (c[:, 1:] + b[:, :2] - m, 2 * f / (c[:, :1] * b[:, 2:]))),
        "offset is in pixels",
    ),
    "full, offset in half-crops": (
        "crop_to_full",
        full(
            lambda c, b, m, f: (
                c[:, 1:] + (b[:, :2] - m) * 2 / b[:, 2:],
                2 * f / (c[:, :1] * b[:, 2:]),
            )
        ),
        "half-crops now",
    ),
    "full, half a pixel": (
        "crop_to_full",
        full(
            lambda c, b, m, f: (
                c[:, 1:] + (b[:, :2] - m - 0.5) * 2 / (c[:, :1] * b[:, 2:]),
                2 * f / (c[:, :1] * b[:, 2:]),
            )
        ),
        "half a pixel",
    ),
    "full, (H, W) for (W, H)": (
        "crop_to_full",
        lambda c, b, p, f: full(right_full)(c, b, (p[1], p[0]), f),
        "`picture` is (W, H)",
    ),
    "full, t left out": (
        "crop_to_full",
        full(lambda c, b, m, f: right_full(c * ONLY_S, b, m, f)),
        "own t is missing",
    ),
    "full, t divided too": (
        "crop_to_full",
        full(
            lambda c, b, m, f: (
                (c[:, 1:] + b[:, :2] - m) * 2 / (c[:, :1] * b[:, 2:]),
                2 * f / (c[:, :1] * b[:, 2:]),
            )
        ),
        "metres already",
    ),
    "full, depth first": (
        "crop_to_full",
        full(lambda c, b, m, f: right_full(c, b, m, f)[::-1]),
        "the depth comes last",
    ),
    "full, 224 for the box": (
        "crop_to_full",
        full(
            lambda c, b, m, f: (
                c[:, 1:] + (b[:, :2] - m) * 2 / (c[:, :1] * b[:, 2:]),
                2 * f / (c[:, :1] * 224),
            )
        ),
        "224 belongs",
    ),
    "energy, no half": (
        "fit_energy",
        lambda p, x, v, lp, b, s: (
            ((p - x) ** 2 * v[..., None]).sum((1, 2)) / s**2 - lp + b.square().sum(-1) / 2
        ),
        "factor 1/2 of the Gaussian",
    ),
    "energy, sigma not squared": (
        "fit_energy",
        lambda p, x, v, lp, b, s: good_energy(p, x, v, lp, b, s**0.5),
        "not by sigma",
    ),
    "energy, hidden ones count": (
        "fit_energy",
        lambda p, x, v, lp, b, s: good_energy(p, x, torch.ones_like(v), lp, b, s),
        "multiply by `visibility`",
    ),
    "energy, prior added": (
        "fit_energy",
        lambda p, x, v, lp, b, s: good_energy(p, x, v, -lp, b, s),
        "subtract log_prior",
    ),
    "energy, betas not halved": (
        "fit_energy",
        lambda p, x, v, lp, b, s: good_energy(p, x, v, lp, b * 2**0.5, s),
        "|beta|^2 / 2",
    ),
    "energy, mean of betas": (
        "fit_energy",
        lambda p, x, v, lp, b, s: good_energy(p, x, v, lp, b / 10**0.5, s),
        "not the mean",
    ),
    "energy, one for all": (
        "fit_energy",
        lambda p, x, v, lp, b, s: good_energy(p, x, v, lp, b, s).sum(),
        "",
    ),
}
