"""Checks of lesson 03: cameras, crops, and the energy of a fit."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from torch import Tensor

from hmr_edu.course.check import Check, Mismatch, Report, compare, inputs, require, shaped

DOUBLE = torch.float64
TIGHT = 1e-9


def check_weak_perspective(function: Callable[..., Any]) -> Report:
    """Check `weak_perspective(points [B, N, 3], camera [B, 3]) -> [B, N, 2]`, x = s (X + t)."""
    check = Check("weak_perspective", function)

    with check.part("by hand: s = 2, t = (1, 0) sends (0.5, -0.25, 9) to (3, -0.5)"):
        points, camera = _tensor([[[0.5, -0.25, 9.0]]]), _tensor([[2.0, 1.0, 0.0]])
        mistakes = {
            "the brackets: t is added before the scale, s * (X + t), not s * X + t": _tensor(
                [[[2.0, -0.5]]]
            ),
            "t is added to the point, not taken away": _tensor([[[-1.0, -0.5]]]),
        }
        got = _two_left(check.call(points, camera))
        compare(got, _tensor([[[3.0, -0.5]]]), TIGHT, mistakes)

    points, camera = _people(3, 5), _tensor([[0.9, 0.1, -0.2], [0.5, 0.0, 0.3], [1.4, -0.4, 0.0]])
    by_hand = torch.stack([c[0] * (p[:, :2] + c[1:]) for p, c in _pairs(points, camera)])
    with check.part("every person has a camera of his own"):
        flipped = by_hand * _tensor([1.0, -1.0])
        first = camera[:1, None, :1] * (points[..., :2] + camera[:1, None, 1:])
        mistakes = {
            "y points down in the image and in the camera frame alike: change no sign": flipped,
            "you used the first person's camera for everybody": first,
            "x and y are swapped": by_hand.flip(-1),
            "the brackets: t is added before the scale, s * (X + t), not s * X + t": camera[
                :, None, :1
            ]
            * points[..., :2]
            + camera[:, None, 1:],
        }
        compare(_two_left(check.call(points, camera)), by_hand, TIGHT, mistakes)

    with check.part("as many persons as points: still one camera a person"):
        points, camera = _people(4, 4, seed=1), _people(1, 4, seed=2)[0].abs()
        want = torch.stack([c[0] * (p[:, :2] + c[1:]) for p, c in _pairs(points, camera)])
        hint = "camera[:, 0] has shape [B]; give it an axis for the points: camera[:, None, :1]"
        wrong = camera[:, :1] * (points[..., :2] + camera[:, 1:])
        compare(_two_left(check.call(points, camera)), want, TIGHT, {hint: wrong})

    with check.part("depth changes nothing"):
        deeper = points + _tensor([0.0, 0.0, 7.0])
        compare(check.call(deeper, camera), check.call(points, camera), TIGHT)
    return check.report()


def check_perspective(function: Callable[..., Any]) -> Report:
    """Check `perspective(points [B, N, 3], translation [B, 3], focal [B]) -> [B, N, 2]`."""
    check = Check("perspective", function)

    with check.part("by hand: f = 3, t = (1, 0, 2) sends (1, 2, 4) to (1, 1)"):
        points, t, f = _tensor([[[1.0, 2.0, 4.0]]]), _tensor([[1.0, 0.0, 2.0]]), _tensor([3.0])
        mistakes = {
            "the depth to divide by is Z + t_z, not Z": _tensor([[[1.5, 1.5]]]),
            "the depth to divide by is Z + t_z, not t_z (that is weak perspective)": _tensor(
                [[[3.0, 3.0]]]
            ),
            "t_x and t_y must be added too, before dividing": _tensor([[[0.5, 1.0]]]),
            "t_x and t_y are metres: add them before multiplying by f / depth": _tensor(
                [[[1.5, 1.0]]]
            ),
            "the focal length multiplies: x = f X / Z": _tensor([[[1 / 9, 1 / 9]]]),
            "f is missing: x = f (X + t_x) / (Z + t_z)": _tensor([[[1 / 3, 1 / 3]]]),
            "t moves the point first, in metres; only then divide by the depth": _tensor(
                [[[1.75, 1.5]]]
            ),
            "t moves the point first, depth included; only then divide, and multiply by f": _tensor(
                [[[3.75, 1.5]]]
            ),
            "t_x and t_y are metres: add them before dividing by the depth": _tensor(
                [[[3.5, 1.0]]]
            ),
        }
        got = _two_left(_with_axes(lambda: check.call(points, t, f)))
        compare(got, _tensor([[[1.0, 1.0]]]), TIGHT, mistakes)

    points = _people(3, 5)
    t = _tensor([[0.0, 0.0, 3.0], [0.4, -0.2, 5.0], [-1.0, 0.1, 2.5]])
    f = _tensor([2.0, 6.0, 3.0])
    want = torch.tensor(
        [
            [[_pinhole(X + tx, Z + tz, ff), _pinhole(Y + ty, Z + tz, ff)] for X, Y, Z in person]
            for person, (tx, ty, tz), ff in zip(
                points.tolist(), t.tolist(), f.tolist(), strict=True
            )
        ],
        dtype=DOUBLE,
    )
    with check.part("a pinhole written out point by point"):
        moved = points + t[:, None]
        mistakes = {
            "every person has a focal length of his own": f[0] * moved[..., :2] / moved[..., 2:],
            "the depth to divide by is Z + t_z, each point its own": f[:, None, None]
            * moved[..., :2]
            / t[:, None, 2:],
            "the image is upright, as if mirrored behind the pinhole: no minus sign": -want,
            "f is missing: x = f (X + t_x) / (Z + t_z)": want / f[:, None, None],
        }
        got = _two_left(_with_axes(lambda: check.call(points, t, f)))
        compare(got, want, TIGHT, mistakes)

    with check.part("as many persons as points: still one focal length a person"):
        square = points[:, :3]
        hint = "focal has shape [B]; give it axes for points and coordinates: focal[:, None, None]"
        moved = square + t[:, None]
        wrong = f[:, None] * moved[..., :2] / moved[..., 2:]
        got = _two_left(_with_axes(lambda: check.call(square, t, f)))
        compare(got, want[:, :3], TIGHT, {hint: wrong})

    with check.part("everything twice as large and twice as far looks the same"):
        near = _with_axes(lambda: check.call(points, t, f))
        compare(check.call(2 * points, 2 * t, f), near, TIGHT)

    with check.part("at the body's own depth it is weak perspective with s = f / t_z"):
        flat = points * _tensor([1.0, 1.0, 0.0])
        weak = (f / t[:, 2])[:, None, None] * (flat + t[:, None])[..., :2]
        compare(_two_left(_with_axes(lambda: check.call(flat, t, f))), weak, TIGHT)
    return check.report()


def check_fit_camera(function: Callable[..., Any]) -> Report:
    """Check `fit_camera(points [B, N, 3], keypoints2d [B, N, 2], visibility [B, N]) -> [B, 3]`."""
    check = Check("fit_camera", function)
    points, away = _people(4, 19), 1 + _people(1, 4, seed=5)[0].abs()
    camera = away * _tensor([0.9, 0.1, -0.2])
    exact = camera[:, None, :1] * (points[..., :2] + camera[:, None, 1:])
    seen = torch.ones(4, 19, dtype=DOUBLE)

    with check.part("finds the camera that made the keypoints"):
        compare(check.call(points, exact, seen), camera, 1e-8, _fit_mistakes(points, exact, seen))

    noisy = exact + 0.1 * _noise(exact.shape, 6)
    with check.part("noisy keypoints: as numpy.linalg.lstsq"):
        want = _lstsq(points, noisy, seen)
        compare(check.call(points, noisy, seen), want, 1e-8, _fit_mistakes(points, noisy, seen))

    with check.part("hidden keypoints do not count"):
        some = seen.clone()
        some[:, ::3] = 0
        want = _lstsq(points, noisy, some)
        ignored = {
            "you did not use `visibility`: hidden keypoints moved the camera": _lstsq(
                points, noisy, seen
            )
        }
        mistakes = (
            ignored | _fit_mistakes(points, noisy, some) | _half_weighted(points, noisy, some)
        )
        compare(check.call(points, noisy, some), want, 1e-8, mistakes)

    with check.part("a body that is upside down gets a negative scale"):
        turned = -exact
        want = _lstsq(points, turned, seen)
        got = check.call(points, turned, seen)
        require(
            isinstance(got, Tensor) and got.shape == want.shape and bool((got[:, 0] < 0).all()),
            "the scale is not negative",
            "the sign of the scale is part of the answer: no abs, no clamp",
        )
        compare(got, want, 1e-8)

    with check.part("gradients flow through it"):
        leaf = points.clone().requires_grad_()
        result = function(leaf, noisy, seen)
        require(
            isinstance(result, Tensor) and result.requires_grad,
            "the camera does not depend on the points",
            "stay in torch from beginning to end: no numpy, no .detach(), no .item()",
        )
        result.sum().backward()
        require(bool(leaf.grad.isfinite().all()), "a gradient is NaN or infinite")
    return check.report()


def check_crop_to_full(function: Callable[..., Any]) -> Report:
    """Check `crop_to_full(camera [B, 3], box [B, 3], picture (W, H), focal) -> [B, 3]`.

    `box` holds the crop's centre and side in pixels, counted from 0 at pixel centres; the result
    is the translation before the pinhole of the whole picture.
    """
    check = Check("crop_to_full", function)

    with check.part("by hand: a crop that is the whole picture keeps t_x and t_y"):
        camera, box = _tensor([[0.5, 0.1, -0.2]]), _tensor([[49.5, 49.5, 100.0]])
        hints = _full_mistakes(camera, box, (100, 100), 200.0)
        want = _tensor([[0.1, -0.2, 8.0]])
        compare(check.call(camera, box, (100, 100), 200.0), want, TIGHT, hints)

    camera = _tensor([[0.9, 0.1, -0.2], [0.7, -0.3, 0.1], [1.2, 0.0, 0.0]])
    box = _tensor([[60.0, 90.0, 80.0], [310.5, 120.0, 150.0], [0.0, 239.0, 61.0]])
    size, focal = (400, 240), 500.0
    hints = _full_mistakes(camera, box, size, focal)

    def pixels(translation: Tensor, point: Tensor) -> Tensor:
        # The pinhole of the whole picture, its axis through the picture's centre.
        moved = point + translation
        centre = _tensor([(size[0] - 1) / 2, (size[1] - 1) / 2])
        return focal * moved[:, :2] / moved[:, 2:] + centre

    def through_crop(point: Tensor) -> Tensor:
        crop = camera[:, :1] * (point[:2] + camera[:, 1:])
        return crop * box[:, 2:] / 2 + box[:, :2]

    with check.part("the body's origin lands on the same pixel as through the crop"):
        got = shaped(check.call(camera, box, size, focal), (3, 3))
        origin = torch.zeros(3, dtype=DOUBLE)
        got_pixels, want_pixels = pixels(got, origin), through_crop(origin)
        if not torch.allclose(got_pixels, want_pixels, atol=1e-6):
            # Said in the terms of the translation, where a mistake can be recognised.
            compare(got, _full(camera, box, size, focal), TIGHT, hints)

    with check.part("so does a point beside it, at the same depth: the scale is right"):
        got = shaped(check.call(camera, box, size, focal), (3, 3))
        beside = _tensor([0.3, -0.4, 0.0])
        if not torch.allclose(pixels(got, beside), through_crop(beside), atol=1e-6):
            compare(got, _full(camera, box, size, focal), TIGHT, hints)

    with check.part("twice the focal length is twice the distance"):
        near = shaped(check.call(camera, box, size, focal), (3, 3))
        far = shaped(check.call(camera, box, size, 2 * focal), (3, 3))
        compare(far, near * _tensor([1.0, 1.0, 2.0]), 1e-8)
    return check.report()


def check_fit_energy(function: Callable[..., Any]) -> Report:
    """Check `fit_energy(projected, keypoints2d, visibility, log_prior, betas, sigma) -> [B]`."""
    check = Check("fit_energy", function)
    x, target = 0.3 * _noise((3, 19, 2), 7), 0.3 * _noise((3, 19, 2), 8)
    seen = (_noise((3, 19), 9) > -0.5).to(DOUBLE)
    log_prior, betas, sigma = _tensor([60.0, -20.0, 5.0]), _noise((3, 10), 10), 0.02
    no_prior, no_betas = torch.zeros(3, dtype=DOUBLE), torch.zeros(3, 10, dtype=DOUBLE)
    d = (x - target).square().sum(-1)

    with check.part("by hand: one keypoint off by one sigma costs one half"):
        one = torch.zeros(1, 1, 2, dtype=DOUBLE)
        off = one + _tensor([0.02, 0.0])
        zero, ten = torch.zeros(1, dtype=DOUBLE), torch.zeros(1, 10, dtype=DOUBLE)
        got = check.call(off, one, torch.ones(1, 1, dtype=DOUBLE), zero, ten, sigma)
        mistakes = {
            "the factor 1/2 of the Gaussian is missing: |x|^2 / (2 sigma^2)": _tensor([1.0]),
            "divide by sigma squared, not by sigma": _tensor([0.01]),
            "take the square of the distance: |x|^2 / (2 sigma^2)": _tensor([25.0]),
            "divide by sigma squared: without it pixels and radians cannot be compared": _tensor(
                [0.0002]
            ),
        }
        compare(got, _tensor([0.5]), TIGHT, mistakes)

    with check.part("2D term: minus the log of a Gaussian, visible keypoints only"):
        normal = torch.distributions.Normal(target, sigma)
        highest = normal.log_prob(target)
        want = ((highest - normal.log_prob(x)).sum(-1) * seen).sum(-1)
        mistakes = {
            "hidden keypoints must not count: multiply by `visibility`": d.sum(-1) / (2 * sigma**2),
            "the sum over keypoints, not the mean": want / 19,
            "the sum over keypoints, not the mean: every seen keypoint is evidence": want
            / seen.sum(-1),
        }
        got = check.call(x, target, seen, no_prior, no_betas, sigma)
        _one_each(got)
        compare(got, want, 1e-6, mistakes)

    with check.part("likely poses have low energy"):
        got = check.call(x, x, seen, log_prior, no_betas, sigma)
        mistakes = {"energy is MINUS the log probability: subtract log_prior": log_prior}
        compare(got, -log_prior, TIGHT, mistakes)

    with check.part("betas: minus the log of a standard normal, up to a constant"):
        normal = torch.distributions.Normal(0.0, 1.0)
        want = (normal.log_prob(torch.zeros_like(betas)) - normal.log_prob(betas)).sum(-1)
        mistakes = {
            "the factor 1/2 is missing: |beta|^2 / 2": 2 * want,
            "the sum over the ten betas, not the mean": want / 10,
            "the square of the norm, not the norm": betas.norm(dim=-1) / 2,
        }
        compare(check.call(x, x, seen, no_prior, betas, sigma), want, 1e-7, mistakes)

    with check.part("the three terms add up"):
        got = check.call(x, target, seen, log_prior, betas, sigma)
        want = (d * seen).sum(-1) / (2 * sigma**2) - log_prior + betas.square().sum(-1) / 2
        compare(got, want, 1e-6)
    return check.report()


def _tensor(values: Any) -> Tensor:
    return torch.tensor(values, dtype=DOUBLE)


def _noise(shape: tuple[int, ...], seed: int) -> Tensor:
    return torch.randn(shape, generator=inputs(seed), dtype=DOUBLE)


def _people(batch: int, n: int, seed: int = 0) -> Tensor:
    """Points about as far apart as those of a person, metres [batch, n, 3]."""
    return _noise((batch, n, 3), seed) * _tensor([0.3, 0.6, 0.2])


def _pairs(points: Tensor, camera: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(points, camera, strict=True))


def _pinhole(across: float, depth: float, focal: float) -> float:
    return focal * across / depth


def _lstsq(points: Tensor, keypoints2d: Tensor, visibility: Tensor) -> Tensor:
    """The same question as a linear system in (s, s tx, s ty), answered by numpy."""
    cameras = []
    for X, x, v in zip(points.numpy(), keypoints2d.numpy(), visibility.numpy(), strict=True):
        w, one, zero = np.sqrt(v), np.ones(len(X)), np.zeros(len(X))
        rows = np.concatenate(
            [
                np.stack([X[:, 0], one, zero], 1) * w[:, None],
                np.stack([X[:, 1], zero, one], 1) * w[:, None],
            ]
        )
        s, sx, sy = np.linalg.lstsq(rows, np.concatenate([x[:, 0] * w, x[:, 1] * w]), rcond=None)[0]
        cameras.append((s, sx / s, sy / s))
    return _tensor(cameras)


def _fit_mistakes(points: Tensor, keypoints2d: Tensor, visibility: Tensor) -> dict[str, Tensor]:
    """What the usual slips in the closed form give."""
    right = _lstsq(points, keypoints2d, visibility)
    v = visibility[..., None]
    X, x = points[..., :2], keypoints2d
    X_mean, x_mean = ((v * a).sum(1) / v.sum(1) for a in (X, x))
    s = right[:, :1]
    raw = ((v * X * x).sum((1, 2)) / (v * X * X).sum((1, 2)))[:, None]
    dX, dx = X - X_mean[:, None], x - x_mean[:, None]
    other_way = ((v * dx * dx).sum((1, 2)) / (v * dX * dx).sum((1, 2)))[:, None]
    ratio = ((v * dx * dx).sum((1, 2)) / (v * dX * dX).sum((1, 2))).sqrt()[:, None]

    def join(scale: Tensor) -> Tensor:
        return torch.cat([scale, x_mean / scale - X_mean], -1)

    return {
        "centre both sets first: subtract their means before you compute s": join(raw),
        "t is in metres: x = s (X + t), so t = mean(x) / s - mean(X)": torch.cat(
            [s, x_mean - s * X_mean], -1
        ),
        "t = mean(x) / s - mean(X): divide the image's mean by s": torch.cat(
            [s, x_mean - X_mean], -1
        ),
        "s divides by the spread of the body, sum v |dX|^2, not by that of the image": join(
            other_way
        ),
        "the ratio of the two spreads is no least squares: s = sum dX dx / sum dX dX": join(ratio),
    }


def _half_weighted(points: Tensor, keypoints2d: Tensor, visibility: Tensor) -> dict[str, Tensor]:
    """What comes of weighting the means but not the sums, or one sum, or the other way round."""
    v, X, x = visibility[..., None], points[..., :2], keypoints2d
    one = torch.ones_like(v)

    def fit(counts: Tensor, mean_by: Tensor, above: Tensor, below: Tensor) -> Tensor:
        X_mean, x_mean = ((counts * a).sum(1, keepdim=True) / mean_by for a in (X, x))
        dX, dx = X - X_mean, x - x_mean
        s = (above * dX * dx).sum((1, 2)) / (below * dX * dX).sum((1, 2))
        return torch.cat([s[:, None], (x_mean / s[:, None, None] - X_mean)[:, 0]], -1)

    seen, all_points = v.sum(1, keepdim=True), one.sum(1, keepdim=True)
    means = "the means count hidden keypoints: mean X = sum v X / sum v, and so for x"
    return {
        means: fit(one, all_points, v, v),
        "divide the sums of the means by the sum of v, not by N: mean X = sum v X / sum v": fit(
            v, all_points, v, v
        ),
        "weight the means AND both sums of s by v: here the sums count hidden keypoints": fit(
            v, seen, one, one
        ),
        "weight the means AND both sums of s by v: the upper sum counts hidden keypoints": fit(
            v, seen, one, v
        ),
        "weight the means AND both sums of s by v: the lower sum counts hidden keypoints": fit(
            v, seen, v, one
        ),
    }


def _full(camera: Tensor, box: Tensor, picture: tuple[int, int], focal: float) -> Tensor:
    """Similar triangles: the depth from the scale, the sideways shift from the offset."""
    rows = []
    for (s, tx, ty), (cx, cy, side) in zip(camera.tolist(), box.tolist(), strict=True):
        pixels_a_metre = s * side / 2
        depth = focal / pixels_a_metre
        right = (cx - (picture[0] - 1) / 2) / pixels_a_metre
        down = (cy - (picture[1] - 1) / 2) / pixels_a_metre
        rows.append((tx + right, ty + down, depth))
    return _tensor(rows)


def _full_mistakes(
    camera: Tensor, box: Tensor, picture: tuple[int, int], focal: float
) -> dict[str, Tensor]:
    right = _full(camera, box, picture, focal)
    middle = _tensor([(picture[0] - 1) / 2, (picture[1] - 1) / 2])
    zero = torch.zeros(len(camera), 1, dtype=DOUBLE)
    offset = torch.cat([(box[:, :2] - middle) * 2 / (camera[:, :1] * box[:, 2:]), zero], -1)
    half = torch.cat([1 / (camera[:, :1] * box[:, 2:]).expand(-1, 2), zero], -1)
    plain = torch.cat([camera[:, 1:], right[:, 2:]], -1)
    sideways = torch.cat([camera[:, 1:], zero], -1)
    in_picture = torch.cat([camera[:, 1:] + (box[:, :2] - middle), right[:, 2:]], -1)
    in_crop = torch.cat([camera[:, 1:] + (box[:, :2] - middle) * 2 / box[:, 2:], right[:, 2:]], -1)
    return {
        "s counts half-crops: a metre is s * side / 2 pixels, so t_z = 2 f / (s side)": right
        * _tensor([1.0, 1.0, 0.5]),
        "t_z = f / s holds when f is in half-crops; here f is in pixels": torch.cat(
            [right[:, :2], focal / camera[:, :1]], -1
        ),
        "224 belongs to the network's input; here the crop's side is the box's": torch.cat(
            [right[:, :2], 2 * focal / (224 * camera[:, :1])], -1
        ),
        "the crop's offset from the picture's centre is missing": plain,
        "the offset goes the other way: a box on the right means +x": right - 2 * offset,
        "the offset is in pixels: divide it by the pixels of a metre, s * side / 2": in_picture,
        "the offset is in half-crops now: divide it by s, too": in_crop,
        "half a pixel: counted from pixel centres the picture's centre is (W - 1) / 2": right
        - half,
        "`picture` is (W, H): x goes with the width, y with the height": _full(
            camera, box, (picture[1], picture[0]), focal
        ),
        "the crop's own t is missing: add t_x and t_y to the shift": right - sideways,
        "t_x and t_y are metres already: only the offset in pixels is divided": right
        - sideways
        + sideways * 2 / (camera[:, :1] * box[:, 2:]),
        "the order is (t_x, t_y, t_z): the depth comes last": right[:, [2, 0, 1]],
    }


def _two_left(got: Any) -> Any:
    """Say of points that kept their depth that two coordinates are wanted."""
    three = isinstance(got, Tensor) and got.ndim == 3 and got.shape[-1] == 3
    require(
        not three, "three coordinates a point, two are wanted", "depth is gone: points[..., :2]"
    )
    return got


def _with_axes(call: Callable[[], Any]) -> Any:
    """Call, and say of shapes that do not fit which axes are easily lost."""
    try:
        return call()
    except RuntimeError as error:
        if "must match the size" not in str(error):
            raise
        raise Mismatch(
            f"your function raised RuntimeError: {error}",
            "an axis was lost: moved[..., 2:] keeps it, moved[..., 2] does not; and "
            "translation[:, None], focal[:, None, None]",
        ) from error


def _one_each(got: Any) -> None:
    require(
        isinstance(got, Tensor) and got.ndim == 1,
        "one energy a person is wanted, shape [B]",
        "sum over keypoints and coordinates, not over the batch: .sum((1, 2))",
    )
