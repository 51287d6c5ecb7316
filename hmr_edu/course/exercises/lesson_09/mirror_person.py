"""Exercise of lesson 09, `mirror_person`: a labelled person in the mirror, every label with it."""

from __future__ import annotations

from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, inputs, require, several, shaped
from hmr_edu.course.exercises._common import DOUBLE, draw, uniform
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4
NAMES = "image, keypoints2d, visible, keypoints3d, pose"
PICTURE, PLACES, SEEN, POINTS3D, POSE = range(5)
TIGHT = 1e-9
# Left and right of six keypoints and of five joints.
SWAP, SWAP_POSE = (1, 0, 2, 5, 4, 3), (0, 2, 1, 4, 3)
HEIGHT, WIDTH = 6, 9


def check_mirror_person(function: Asked) -> Report:
    """Check `mirror_person(image, keypoints2d, visible, keypoints3d, pose, swap, swap_pose)`."""
    check = Check("mirror_person", function)
    g = inputs(0)
    person = (
        uniform(g, 3, HEIGHT, WIDTH),
        uniform(g, 6, 2) * 5,
        torch.tensor([1.0, 0.0, 1.0, 0.0, 0.0, 1.0], dtype=DOUBLE),
        draw(g, 6, 3),
        0.8 * draw(g, 5, 3),
    )

    def answer(*labels: Tensor) -> tuple[Any, ...]:
        return several(check.call(*labels, SWAP, SWAP_POSE), NAMES)

    def ask(which: int) -> None:
        got, want = answer(*person)[which], _by_numpy(*person)[which]
        slips = {h: slip(*person, SWAP, SWAP_POSE)[which] for h, slip in HINTS.items()}
        if which == POSE:
            got, want = _matrices(shaped(got, want.shape)), _matrices(want)
            slips = {hint: _matrices(slip) for hint, slip in slips.items()}
        compare(got, want, TIGHT, slips)

    with check.part("the picture: what was left is right"):
        ask(PICTURE)
    with check.part("2D keypoints: in pixels, left and right with other names"):
        ask(PLACES)
    with check.part("visibility goes with its keypoint"):
        ask(SEEN)
    with check.part("3D keypoints: x points the other way"):
        ask(POINTS3D)
    with check.part("the pose: M R M, left and right exchanged"):
        ask(POSE)
    with check.part("the mirror image of the mirror image is the person"):
        once = [x.detach() if isinstance(x, Tensor) else x for x in answer(*person)]
        twice = answer(*once)
        for which in range(4):
            compare(twice[which], person[which], TIGHT)
        again = _matrices(shaped(twice[POSE], person[POSE].shape))
        compare(again, _matrices(person[POSE]), TIGHT)
    return check.report()


def _matrices(pose: Tensor) -> Tensor:
    """Return the rotations: a vector and the one that turns the other way round are the same."""
    vectors = pose.detach().double()
    require(vectors.isfinite().all(), "there are NaN or infinite numbers in it")
    return torch.from_numpy(Rotation.from_rotvec(vectors.numpy()).as_matrix())


def _by_numpy(image: Tensor, places: Tensor, seen: Tensor, points: Tensor, pose: Tensor) -> tuple:
    """Mirror one pixel, one keypoint and one joint after the other."""
    picture = np.zeros(image.shape)
    for x in range(WIDTH):
        picture[..., WIDTH - 1 - x] = image[..., x].numpy()
    M = np.diag([-1.0, 1.0, 1.0])
    flat, flags, solid = np.zeros((6, 2)), np.zeros(6), np.zeros((6, 3))
    for k, old in enumerate(SWAP):
        flat[k] = WIDTH - 1 - float(places[old, 0]), float(places[old, 1])
        flags[k] = float(seen[old])
        solid[k] = M @ points[old].numpy()
    R = [M @ Rotation.from_rotvec(pose[old].numpy()).as_matrix() @ M for old in SWAP_POSE]
    vectors = Rotation.from_matrix(np.stack(R)).as_rotvec()
    return tuple(map(torch.from_numpy, (picture, flat, flags, solid, vectors)))


# Wrong answers that people give.


def _answer(*, axis=2, edge=-1, unswapped=(), signs=(1, -1, -1), minus=-1, order=1, height=False):
    """Make a mirror_person, wrong in one way.

    Args:
        axis: of the picture that is turned round; None: none.
        edge: what is added to the width.
        unswapped: outputs in which left and right keep their names.
        signs: of the numbers of an axis-angle.
        minus: sign of x in 3D.
        order: sign of x in the picture.
        height: the height in the place of the width.
    """

    def function(image, keypoints2d, visible, keypoints3d, pose, swap, swap_pose):
        def swapped(which, values, permutation):
            return values if which in unswapped else values[list(permutation)]

        side = image.shape[1 if height else 2] + edge
        places = swapped(PLACES, keypoints2d, swap)
        solid = swapped(POINTS3D, keypoints3d, swap)
        return (
            image if axis is None else image.flip(axis),
            torch.stack([side * (order > 0) - order * places[:, 0], places[:, 1]], 1),
            swapped(SEEN, visible, swap),
            solid * solid.new_tensor([minus, 1, 1]),
            swapped(POSE, pose, swap_pose) * pose.new_tensor(signs),
        )

    return function


_wrong = {
    "picture kept": _answer(axis=None),
    "upside down": _answer(axis=1),
    "channels": _answer(axis=0),
    "W - x": _answer(edge=0),
    "height": _answer(height=True),
    "x kept": _answer(order=-1),
    "minus x": lambda i, x, v, k, p, s, q: _replaced(
        _answer()(i, x, v, k, p, s, q), PLACES, x[list(s)] * x.new_tensor([-1, 1])
    ),
    "names": _answer(unswapped=(PLACES,)),
    "flags": _answer(unswapped=(SEEN,)),
    "names in 3D": _answer(unswapped=(POINTS3D,)),
    "x in 3D": _answer(minus=1),
    "joints": _answer(unswapped=(POSE,)),
    "no signs": _answer(signs=(1, 1, 1)),
    "arrow": _answer(signs=(-1, 1, 1)),
}


def _replaced(answer, which, value):
    return (*answer[:which], value, *answer[which + 1 :])


HINTS = {
    "the picture is as it was: image.flip(2) turns its rows round": _wrong["picture kept"],
    "that is upside down: the last axis is x": _wrong["upside down"],
    "the first axis holds the colours": _wrong["channels"],
    "one pixel off: pixel 0 becomes W - 1": _wrong["W - x"],
    "that is the picture's height: x has to do with its width": _wrong["height"],
    "x is as it was: W - 1 - x": _wrong["x kept"],
    "these are pixels, with 0 at the left edge: W - 1 - x, not -x": _wrong["minus x"],
    "the left knee's place belongs to the right knee now: use `swap`": _wrong["names"],
    "a flag belongs to its keypoint: `swap` them, too": _wrong["flags"],
    "in 3D, too, left and right change their names: use `swap`": _wrong["names in 3D"],
    "in 3D x changes its sign": _wrong["x in 3D"],
    "the left knee's rotation belongs to the right knee now: use `swap_pose`": _wrong["joints"],
    "the numbers of a rotation change sign, too: (x, -y, -z)": _wrong["no signs"],
    "an axis is no arrow: it keeps x, and y and z change sign": _wrong["arrow"],
}
MISTAKES = [
    Mistake(_wrong["picture kept"], "turns its rows round", 5 / 6),
    Mistake(_wrong["upside down"], "the last axis is x", 5 / 6),
    Mistake(_wrong["channels"], "holds the colours", 5 / 6),
    Mistake(_wrong["W - x"], "one pixel off", 5 / 6),
    Mistake(_wrong["height"], "the picture's height", 5 / 6),
    Mistake(_wrong["x kept"], "x is as it was", 5 / 6),
    Mistake(_wrong["minus x"], "not -x", 5 / 6),
    Mistake(_wrong["names"], "use `swap`", 5 / 6),
    Mistake(_wrong["flags"], "`swap` them, too", 5 / 6),
    Mistake(_wrong["names in 3D"], "in 3D, too", 5 / 6),
    Mistake(_wrong["x in 3D"], "in 3D x changes its sign", 5 / 6),
    Mistake(_wrong["joints"], "use `swap_pose`", 5 / 6),
    Mistake(_wrong["no signs"], "change sign, too", 5 / 6),
    Mistake(_wrong["arrow"], "an axis is no arrow", 5 / 6),
    Mistake(_answer(edge=0, unswapped=(SEEN, POSE)), "one pixel off", 3 / 6, name="three slips"),
    Mistake(lambda *a: _answer()(*a)[:4], "in this order", 0.0, name="no pose"),
]
