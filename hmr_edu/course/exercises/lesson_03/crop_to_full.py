"""Exercise of lesson 03, `crop_to_full`: from the crop to the whole picture."""

from __future__ import annotations

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, shaped
from hmr_edu.course.exercises._common import DOUBLE, slopes_of, tensor
from hmr_edu.course.exercises.lesson_03._common import TIGHT
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4
ONLY_S = tensor([1.0, 0.0, 0.0])


def check_crop_to_full(function: Asked) -> Report:
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
        near = check.call(camera, box, size, focal, shape=(3, 3)).detach()
        compare(check.call(camera[:1], box[:1], size, focal), near[:1], TIGHT)
        slopes_of(check, [camera, box, size, focal], [0], near, TIGHT)
        far = shaped(check.call(camera, box, size, 2 * focal), (3, 3))
        compare(far, near * tensor([1.0, 1.0, 2.0]), 1e-8)
    return check.report()


def _full(camera: Tensor, box: Tensor, picture: tuple[int, int], focal: float) -> Tensor:
    """Use similar triangles: the depth from the scale, the sideways shift from the offset."""
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


# Wrong answers that people give.


def _answer(formula):
    """Make a crop_to_full from a formula of (camera, box, middle, focal)."""

    def function(camera, box, picture, focal):
        middle = tensor([(picture[0] - 1) / 2, (picture[1] - 1) / 2])
        return torch.cat(formula(camera, box, middle, focal), 1)

    return function


def _right(c, b, m, f):
    pixels_a_metre = c[:, :1] * b[:, 2:] / 2
    return c[:, 1:] + (b[:, :2] - m) / pixels_a_metre, f / pixels_a_metre


MISTAKES = [
    Mistake(
        _answer(
            lambda c, b, m, f: (
                c[:, 1:] + (b[:, :2] - m) * 2 / (c[:, :1] * b[:, 2:]),
                f / (c[:, :1] * b[:, 2:]),
            )
        ),
        "half-crops",
        1 / 4,
        name="factor 2 forgotten",
    ),
    Mistake(
        _answer(lambda c, b, m, f: (c[:, 1:], 2 * f / (c[:, :1] * b[:, 2:]))),
        "offset from the picture's centre is missing",
        2 / 4,
        name="no offset",
    ),
    Mistake(
        _answer(
            lambda c, b, m, f: (
                c[:, 1:] - (b[:, :2] - m) * 2 / (c[:, :1] * b[:, 2:]),
                2 * f / (c[:, :1] * b[:, 2:]),
            )
        ),
        "the other way",
        2 / 4,
        name="offset the other way",
    ),
    Mistake(
        _answer(lambda c, b, m, f: (c[:, 1:] + b[:, :2] - m, 2 * f / (c[:, :1] * b[:, 2:]))),
        "offset is in pixels",
        2 / 4,
        name="offset in pixels",
    ),
    Mistake(
        _answer(
            lambda c, b, m, f: (
                c[:, 1:] + (b[:, :2] - m) * 2 / b[:, 2:],
                2 * f / (c[:, :1] * b[:, 2:]),
            )
        ),
        "half-crops now",
        2 / 4,
        name="offset in half-crops",
    ),
    Mistake(
        _answer(
            lambda c, b, m, f: (
                c[:, 1:] + (b[:, :2] - m - 0.5) * 2 / (c[:, :1] * b[:, 2:]),
                2 * f / (c[:, :1] * b[:, 2:]),
            )
        ),
        "half a pixel",
        1 / 4,
        name="half a pixel",
    ),
    Mistake(
        lambda c, b, p, f: _answer(_right)(c, b, (p[1], p[0]), f),
        "`picture` is (W, H)",
        2 / 4,
        name="(H, W) for (W, H)",
    ),
    Mistake(
        _answer(lambda c, b, m, f: _right(c * ONLY_S, b, m, f)),
        "own t is missing",
        1 / 4,
        name="t left out",
    ),
    Mistake(
        _answer(
            lambda c, b, m, f: (
                (c[:, 1:] + b[:, :2] - m) * 2 / (c[:, :1] * b[:, 2:]),
                2 * f / (c[:, :1] * b[:, 2:]),
            )
        ),
        "metres already",
        1 / 4,
        name="t divided too",
    ),
    Mistake(
        _answer(lambda c, b, m, f: _right(c, b, m, f)[::-1]),
        "the depth comes last",
        0.0,
        name="depth first",
    ),
    Mistake(
        _answer(
            lambda c, b, m, f: (
                c[:, 1:] + (b[:, :2] - m) * 2 / (c[:, :1] * b[:, 2:]),
                2 * f / (c[:, :1] * 224),
            )
        ),
        "224 belongs",
        1 / 4,
        name="224 for the box",
    ),
    Mistake(lambda *a: _answer(_right)(*a).squeeze(0), "keep every leading", 2 / 4),
    Mistake(lambda c, *a: _answer(_right)(c.detach(), *a), "is cut", 3 / 4),
    Mistake(lambda c, b, p, f: _answer(_right)(c.float(), b.float(), p, f), "", None),
]
