"""Checks of lesson 03: cameras and crops."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hmr_edu.course.check import Check, Mismatch, Report, compare, inputs, require, shaped

DOUBLE = torch.float64
TIGHT = 1e-9


def check_weak_perspective(function: Callable[..., Any]) -> Report:
    """Check `weak_perspective(points [B, N, 3], camera [B, 3]) -> [B, N, 2]`, x = s (X + t)."""
    check = Check("weak_perspective", function)

    with check.part("by hand: s = 2, t = (1, 0) sends (0.5, -0.25, 9) to (3, -0.5)"):
        points, camera = tensor([[[0.5, -0.25, 9.0]]]), tensor([[2.0, 1.0, 0.0]])
        mistakes = {
            "the brackets: t is added before the scale, s * (X + t), not s * X + t": tensor(
                [[[2.0, -0.5]]]
            ),
            "t is added to the point, not taken away": tensor([[[-1.0, -0.5]]]),
        }
        got = _two_left(check.call(points, camera))
        compare(got, tensor([[[3.0, -0.5]]]), TIGHT, mistakes)

    points, camera = people(3, 5), tensor([[0.9, 0.1, -0.2], [0.5, 0.0, 0.3], [1.4, -0.4, 0.0]])
    by_hand = torch.stack([c[0] * (p[:, :2] + c[1:]) for p, c in _pairs(points, camera)])
    with check.part("every person has a camera of his own"):
        flipped = by_hand * tensor([1.0, -1.0])
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
        points, camera = people(4, 4, seed=1), people(1, 4, seed=2)[0].abs()
        want = torch.stack([c[0] * (p[:, :2] + c[1:]) for p, c in _pairs(points, camera)])
        hint = "camera[:, 0] has shape [B]; give it an axis for the points: camera[:, None, :1]"
        wrong = camera[:, :1] * (points[..., :2] + camera[:, 1:])
        compare(_two_left(check.call(points, camera)), want, TIGHT, {hint: wrong})

    with check.part("depth changes nothing"):
        deeper = points + tensor([0.0, 0.0, 7.0])
        compare(check.call(deeper, camera), check.call(points, camera), TIGHT)
    return check.report()


def check_perspective(function: Callable[..., Any]) -> Report:
    """Check `perspective(points [B, N, 3], translation [B, 3], focal [B]) -> [B, N, 2]`."""
    check = Check("perspective", function)

    with check.part("by hand: f = 3, t = (1, 0, 2) sends (1, 2, 4) to (1, 1)"):
        points, t, f = tensor([[[1.0, 2.0, 4.0]]]), tensor([[1.0, 0.0, 2.0]]), tensor([3.0])
        mistakes = {
            "the depth to divide by is Z + t_z, not Z": tensor([[[1.5, 1.5]]]),
            "the depth to divide by is Z + t_z, not t_z (that is weak perspective)": tensor(
                [[[3.0, 3.0]]]
            ),
            "t_x and t_y must be added too, before dividing": tensor([[[0.5, 1.0]]]),
            "t_x and t_y are metres: add them before multiplying by f / depth": tensor(
                [[[1.5, 1.0]]]
            ),
            "the focal length multiplies: x = f X / Z": tensor([[[1 / 9, 1 / 9]]]),
            "f is missing: x = f (X + t_x) / (Z + t_z)": tensor([[[1 / 3, 1 / 3]]]),
            "t moves the point first, in metres; only then divide by the depth": tensor(
                [[[1.75, 1.5]]]
            ),
            "t moves the point first, depth included; only then divide, and multiply by f": tensor(
                [[[3.75, 1.5]]]
            ),
            "t_x and t_y are metres: add them before dividing by the depth": tensor([[[3.5, 1.0]]]),
        }
        got = _two_left(_with_axes(lambda: check.call(points, t, f)))
        compare(got, tensor([[[1.0, 1.0]]]), TIGHT, mistakes)

    points = people(3, 5)
    t = tensor([[0.0, 0.0, 3.0], [0.4, -0.2, 5.0], [-1.0, 0.1, 2.5]])
    f = tensor([2.0, 6.0, 3.0])
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
        flat = points * tensor([1.0, 1.0, 0.0])
        weak = (f / t[:, 2])[:, None, None] * (flat + t[:, None])[..., :2]
        compare(_two_left(_with_axes(lambda: check.call(flat, t, f))), weak, TIGHT)
    return check.report()


def check_crop_to_full(function: Callable[..., Any]) -> Report:
    """Check `crop_to_full(camera [B, 3], box [B, 3], picture (W, H), focal) -> [B, 3]`.

    `box` holds the crop's centre and side in pixels, counted from 0 at pixel centres; the result
    is the translation before the pinhole of the whole picture.
    """
    check = Check("crop_to_full", function)

    with check.part("by hand: a crop that is the whole picture keeps t_x and t_y"):
        camera, box = tensor([[0.5, 0.1, -0.2]]), tensor([[49.5, 49.5, 100.0]])
        hints = _full_mistakes(camera, box, (100, 100), 200.0)
        want = tensor([[0.1, -0.2, 8.0]])
        compare(check.call(camera, box, (100, 100), 200.0), want, TIGHT, hints)

    camera = tensor([[0.9, 0.1, -0.2], [0.7, -0.3, 0.1], [1.2, 0.0, 0.0]])
    box = tensor([[60.0, 90.0, 80.0], [310.5, 120.0, 150.0], [0.0, 239.0, 61.0]])
    size, focal = (400, 240), 500.0
    hints = _full_mistakes(camera, box, size, focal)

    def pixels(translation: Tensor, point: Tensor) -> Tensor:
        # The pinhole of the whole picture, its axis through the picture's centre.
        moved = point + translation
        centre = tensor([(size[0] - 1) / 2, (size[1] - 1) / 2])
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
        beside = tensor([0.3, -0.4, 0.0])
        if not torch.allclose(pixels(got, beside), through_crop(beside), atol=1e-6):
            compare(got, _full(camera, box, size, focal), TIGHT, hints)

    with check.part("twice the focal length is twice the distance"):
        near = shaped(check.call(camera, box, size, focal), (3, 3))
        far = shaped(check.call(camera, box, size, 2 * focal), (3, 3))
        compare(far, near * tensor([1.0, 1.0, 2.0]), 1e-8)
    return check.report()


def tensor(values: Any) -> Tensor:
    """Values in float64."""
    return torch.tensor(values, dtype=DOUBLE)


def noise(shape: tuple[int, ...], seed: int) -> Tensor:
    """Normal numbers, another draw for every student, float64."""
    return torch.randn(shape, generator=inputs(seed), dtype=DOUBLE)


def people(batch: int, n: int, seed: int = 0) -> Tensor:
    """Points about as far apart as those of a person, metres [batch, n, 3]."""
    return noise((batch, n, 3), seed) * tensor([0.3, 0.6, 0.2])


def _pairs(points: Tensor, camera: Tensor) -> list[tuple[Tensor, Tensor]]:
    return list(zip(points, camera, strict=True))


def _pinhole(across: float, depth: float, focal: float) -> float:
    return focal * across / depth


def _full(camera: Tensor, box: Tensor, picture: tuple[int, int], focal: float) -> Tensor:
    """Similar triangles: the depth from the scale, the sideways shift from the offset."""
    rows = []
    for (s, tx, ty), (cx, cy, side) in zip(camera.tolist(), box.tolist(), strict=True):
        pixels_a_metre = s * side / 2
        depth = focal / pixels_a_metre
        right = (cx - (picture[0] - 1) / 2) / pixels_a_metre
        down = (cy - (picture[1] - 1) / 2) / pixels_a_metre
        rows.append((tx + right, ty + down, depth))
    return tensor(rows)


def _full_mistakes(
    camera: Tensor, box: Tensor, picture: tuple[int, int], focal: float
) -> dict[str, Tensor]:
    right = _full(camera, box, picture, focal)
    middle = tensor([(picture[0] - 1) / 2, (picture[1] - 1) / 2])
    zero = torch.zeros(len(camera), 1, dtype=DOUBLE)
    offset = torch.cat([(box[:, :2] - middle) * 2 / (camera[:, :1] * box[:, 2:]), zero], -1)
    half = torch.cat([1 / (camera[:, :1] * box[:, 2:]).expand(-1, 2), zero], -1)
    plain = torch.cat([camera[:, 1:], right[:, 2:]], -1)
    sideways = torch.cat([camera[:, 1:], zero], -1)
    in_picture = torch.cat([camera[:, 1:] + (box[:, :2] - middle), right[:, 2:]], -1)
    in_crop = torch.cat([camera[:, 1:] + (box[:, :2] - middle) * 2 / box[:, 2:], right[:, 2:]], -1)
    return {
        "s counts half-crops: a metre is s * side / 2 pixels, so t_z = 2 f / (s side)": right
        * tensor([1.0, 1.0, 0.5]),
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
