"""Checks of the problems beyond lessons 01 to 03: rotations, the skeleton, the camera.

The truth is SciPy's, NumPy's, or a body or a camera that is known beforehand.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from scipy.spatial.transform import Rotation
from torch import Tensor

from hmr_edu.course.check import Check, Mismatch, Report, compare, inputs, require

DOUBLE = torch.float64
TREE = (-1, 0, 0, 1, 2, 3, 3)
ARRAYS = ("regressor", "template", "shapedirs", "weights")


def check_mirror_pose(function: Callable[..., Any]) -> Report:
    """Check `mirror_pose(pose [B, K, 3], swap) -> [B, K, 3]`: the pose seen in a mirror."""
    check = Check("mirror_pose", function)
    pose = 0.8 * _randn(1, 3, 5, 3)
    swap = (0, 2, 1, 4, 3)
    M = np.diag([-1.0, 1.0, 1.0])
    R = Rotation.from_rotvec(pose[:, list(swap)].reshape(-1, 3).numpy()).as_matrix()
    want = torch.from_numpy(Rotation.from_matrix(M @ R @ M).as_rotvec()).view(3, 5, 3)
    signs = torch.tensor([1.0, -1.0, -1.0], dtype=DOUBLE)
    slips = {
        "left and right change places too: use `swap`": pose * signs,
        "the numbers of a joint change sign too": pose[:, list(swap)],
        "an axis is no arrow: in the mirror of x it keeps x, and y and z turn round": -want,
    }
    with check.part("a joint in the middle: M R M"):
        compare(check.call(pose[:, :1], (0,)), want[:, :1], 1e-9, {list(slips)[2]: -want[:, :1]})
    with check.part("all joints, left and right exchanged"):
        compare(check.call(pose, swap), want, 1e-9, slips)
    with check.part("the mirror image of the mirror image is the pose"):
        compare(check.call(check.call(pose, swap), swap), pose, 1e-12)
    return check.report()


def check_mean_rotation(function: Callable[..., Any]) -> Report:
    """Check `mean_rotation(R [N, 3, 3]) -> [3, 3]`: least sum of squared chordal distances."""
    check = Check("mean_rotation", function)
    near = _rotations(2, 9, 0.5)
    apart = _rotations(3, 4, 3.0)
    with check.part("many that are alike: SciPy's mean"):
        slips = {"a mean of matrices is no rotation: take the nearest one": near.mean(0)}
        compare(check.call(near), _scipy_mean(near), 1e-9, slips)
    with check.part("one rotation is its own mean"):
        compare(check.call(near[:1]), near[0], 1e-9)
    with check.part("it is a rotation, and never a reflection"):
        # Half turns about x, y and z: their mean has a negative determinant.
        turns = torch.diag_embed(
            torch.tensor([[1.0, -1, -1], [-1, 1, -1], [-1, -1, 1]], dtype=DOUBLE)
        )
        tilted = apart[0] @ turns.repeat_interleave(torch.tensor([2, 3, 4]), dim=0)
        got, one = check.call(tilted), torch.tensor(1.0, dtype=DOUBLE)
        slips = {"its determinant is -1: change the sign of the last singular vector": -one}
        eye = torch.eye(3, dtype=DOUBLE)
        compare(got @ got.mT, eye, 1e-9)
        compare(torch.linalg.det(got), one, 1e-9, slips)
        compare(got, _scipy_mean(tilted), 1e-6)
    with check.part("turning all turns the mean"):
        compare(check.call(apart[0] @ near), apart[0] @ check.call(near), 1e-9)
    return check.report()


def check_relative_rotations(function: Callable[..., Any]) -> Report:
    """Check `relative_rotations(G [B, K, 3, 3], parents) -> [B, K, 3, 3]`: the chain undone."""
    check = Check("relative_rotations", function)
    R = _rotations(4, 14, 2.0).view(2, 7, 3, 3)
    G = [R[:, 0]]
    for joint in range(1, 7):
        G.append(G[TREE[joint]] @ R[:, joint])
    whole = torch.stack(G, 1)
    above = whole[:, [max(p, 0) for p in TREE]]
    slips = {
        "the parent's inverse comes from the left: R = G_parent^T G": torch.cat(
            [R[:, :1], (whole @ above.mT)[:, 1:]], 1
        ),
        "the inverse of a rotation is its transpose": torch.cat(
            [R[:, :1], (above @ whole)[:, 1:]], 1
        ),
        "the root has no parent: it stays as it is": torch.cat(
            [torch.eye(3, dtype=DOUBLE).expand(2, 1, 3, 3), R[:, 1:]], 1
        ),
        "that leads from the joint to its parent": torch.cat([R[:, :1], R[:, 1:].mT], 1),
        "parents turn about their parents: undo them with G, not with R": torch.cat(
            [R[:, :1], (R[:, [max(p, 0) for p in TREE]].mT @ whole)[:, 1:]], 1
        ),
    }
    with check.part("the root stays"):
        compare(check.call(whole, TREE)[:, 0], R[:, 0], 1e-9)
    with check.part("every joint relative to its parent"):
        compare(check.call(whole, TREE), R, 1e-9, slips)
    with check.part("a chain"):
        chain = (-1, 0, 1, 2, 3, 4, 5)
        got = check.call(whole, chain)
        compare(got[:, 1:], whole[:, :-1].mT @ whole[:, 1:], 1e-9)
    return check.report()


def check_cut_body(function: Callable[..., Any]) -> Report:
    """Check `cut_body(regressor [K, V], template [V, 3], shapedirs [V, 3, S], weights [V, J])`.

    It returns the four with only those U vertices that some keypoint uses.
    """
    check = Check("cut_body", function)
    # Vertices 0 and 4 are used by nobody, 3 with a minus, 2 in amounts that add up to nothing.
    K = torch.tensor([[0, 0.5, 0.3, 0, 0, 0.2], [0, 0.6, -0.3, -0.1, 0, 0.8]], dtype=DOUBLE)
    few = (K, _randn(6, 6, 3), _randn(7, 6, 3, 10), _randn(8, 6, 4).softmax(1))
    with check.part("as many vertices as some keypoint uses"):
        slips = {
            6: "these are all: leave out those that no keypoint uses",
            3: "a vertex counts if any weight is not zero: minus counts too, and none outweighs it",
        }
        for name, part in zip(ARRAYS, _cut(check, *few), strict=True):
            got = part.shape[name == "regressor"]
            require(got == 4, f"{name}: {got} vertices, wanted 4", slips.get(got, ""))
    with check.part("a weight is as large as it was"):
        total = K[:, [1, 2, 3, 5]]
        shares = total / total.abs().sum(1, keepdim=True)
        slips = {"leave the weights as they are: do not divide by their sum": shares}
        compare(_cut(check, *few)[0], total, 1e-12, slips)
    many = _sparse_body()
    with check.part("the same keypoints of people at rest, whatever their shape"):
        betas = _randn(13, 5, 10)
        for beta in betas:
            compare(_keypoints(_cut(check, *many), beta), _keypoints(many, beta), 1e-9)
    with check.part("the same keypoints when joints move"):
        motion = _randn(14, 4, 3, 4)
        cut = _cut(check, *many)
        wanted = _keypoints(many, betas[0], motion)
        compare(_keypoints(cut, betas[0], motion), wanted, 1e-9)
    return check.report()


def check_translation_from_points(function: Callable[..., Any]) -> Report:
    """Check `translation_from_points(points [N, 3], keypoints2d [N, 2], visibility [N], focal)`."""
    check = Check("translation_from_points", function)
    points = 0.4 * _randn(9, 12, 3)
    true = torch.tensor([0.2, -0.3, 6.0], dtype=DOUBLE) + 0.1 * _randn(10, 3)
    seen = torch.ones(12, dtype=DOUBLE)
    moved = points + true
    exact = 4.0 * moved[:, :2] / moved[:, 2:]
    half = (torch.arange(12) % 2).to(DOUBLE)
    slips = {
        "the depth has the wrong sign": true * torch.tensor([1.0, 1, -1], dtype=DOUBLE),
        "this is where the body is minus where it should be": -true,
    }
    with check.part("exact keypoints: the translation they were made with"):
        compare(check.call(points, exact, seen, 4.0), true, 1e-7, slips)
    with check.part("another focal length"):
        compare(check.call(points, exact * 2.5, seen, 10.0), true, 1e-7, slips)
    with check.part("keypoints that nobody saw do not count"):
        junk = torch.where(half[:, None] > 0, exact, 50.0)
        everything = _solve(points, junk, seen, 4.0)
        slips |= {"leave out what is not visible: multiply both sides by it": everything}
        compare(check.call(points, junk, half, 4.0), true, 1e-7, slips)
    with check.part("noisy keypoints: NumPy's least squares"):
        noisy = exact + 0.05 * _randn(11, 12, 2)
        compare(check.call(points, noisy, seen, 4.0), _solve(points, noisy, seen, 4.0), 1e-6)
    return check.report()


def check_in_picture(function: Callable[..., Any]) -> Report:
    """Check `in_picture(points [B, N, 2], box [B, 3]) -> [B, N, 2]`: from crops to the picture."""
    check = Check("in_picture", function)
    box = torch.tensor([[99.5, 49.5, 40.0], [10.0, 300.0, 64.0]], dtype=DOUBLE)
    points = _randn(12, 2, 7, 2)
    middle = torch.zeros(2, 1, 2, dtype=DOUBLE)
    with check.part("the middle of the crop is the middle of the box"):
        wrong = {
            "the box is given by its middle, not by its corner": box[:, None, :2]
            + box[:, None, 2:] / 2
        }
        compare(check.call(middle, box), box[:, None, :2], 1e-9, wrong)
    with check.part("by hand: the corners of a box of 40 pixels"):
        corners = torch.tensor([[[-1.0, -1.0], [1.0, 1.0]]], dtype=DOUBLE)
        want = torch.tensor([[[79.5, 29.5], [119.5, 69.5]]], dtype=DOUBLE)
        wrong = {
            "from -1 to 1 there are 2: half the side for each": torch.tensor(
                [[[59.5, 9.5], [139.5, 89.5]]], dtype=DOUBLE
            ),
            "pixels are counted at their centres, and so is the box: no half pixel to add": want
            - 0.5,
        }
        compare(check.call(corners, box[:1]), want, 1e-9, wrong)
    with check.part("every person has a box of his own"):
        want = torch.stack([points[i] * box[i, 2] / 2 + box[i, :2] for i in range(2)])
        compare(check.call(points, box), want, 1e-9, {"x and y are exchanged": want.flip(-1)})
    return check.report()


def _cut(check: Check, *arrays: Tensor) -> tuple[Tensor, ...]:
    result = check.call(*arrays)
    if not isinstance(result, tuple | list) or len(result) != 4:
        raise Mismatch(f"it returned {type(result).__name__}", "return four tensors")
    left = {part.shape[number == 0] for number, part in enumerate(result)}
    require(len(left) == 1, f"vertices left: {sorted(left)}", "cut all four in the same way")
    return tuple(result)


def _sparse_body() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Forty vertices of which about half are used by some of five keypoints."""
    used = torch.rand(5, 40, generator=inputs(112), dtype=DOUBLE) < 0.12
    K = torch.where(used, _randn(9, 5, 40), 0.0)
    return K, _randn(10, 40, 3), _randn(11, 40, 3, 10), _randn(12, 40, 4).softmax(1)


def _keypoints(arrays: tuple[Tensor, ...], beta: Tensor, motion: Tensor | None = None) -> Tensor:
    """Shape, move by blended motions [J, 3, 4], regress; vertex after vertex, in NumPy."""
    K, template, shapedirs, weights = (array.numpy() for array in arrays)
    total = np.zeros((len(K), 3))
    for v in range(len(template)):
        x = template[v] + shapedirs[v] @ beta.numpy()
        if motion is not None:
            blend = sum(w * G for w, G in zip(weights[v], motion.numpy(), strict=True))
            x = blend[:, :3] @ x + blend[:, 3]
        total += K[:, v, None] * x
    return torch.from_numpy(total)


def _solve(points: Tensor, keypoints: Tensor, seen: Tensor, focal: float) -> Tensor:
    """F (X + tx) = x (Z + tz), and the same for y: NumPy's least squares."""
    A = np.zeros((24, 3))
    A[0::2, 0] = A[1::2, 1] = focal
    A[:, 2] = -keypoints.numpy().reshape(-1)
    b = (keypoints * points[:, 2:] - focal * points[:, :2]).numpy().reshape(-1)
    rows = seen.numpy().repeat(2)
    return torch.from_numpy(np.linalg.lstsq(A * rows[:, None], b * rows, rcond=None)[0])


def _randn(seed: int, *shape: int) -> Tensor:
    return torch.randn(shape, generator=inputs(100 + seed), dtype=DOUBLE)


def _rotations(seed: int, number: int, spread: float) -> Tensor:
    return torch.from_numpy(
        Rotation.from_rotvec(spread * _randn(seed, number, 3).numpy()).as_matrix()
    )


def _scipy_mean(R: Tensor) -> Tensor:
    return torch.from_numpy(Rotation.from_matrix(R.numpy()).mean().as_matrix())
