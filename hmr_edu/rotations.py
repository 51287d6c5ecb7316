"""Rotations: axis-angle, matrices, the 6D form, and the angle between two rotations.

Symbols: v axis-angle, t = |v| its angle, K = [v]x the matrix of the cross product with v.
All functions are differentiable, take any batch shape, and return the dtype they are given. They
compute in float32 at least, also inside autocast (`hmr_edu.io.precision`).
"""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor
from torch.linalg import cross
from torch.nn.functional import normalize

from hmr_edu.io.precision import float32_inside

# Below this t^2 (0.6 degrees) the closed forms are replaced by their series: three terms are then
# exact in float64 up to the second derivative, where dividing by t would cancel the digits.
SMALL_SQUARED = 1e-4


@float32_inside
def axis_angle_to_matrix(axis_angle: Float[Tensor, "*batch 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Convert axis-angle vectors [..., 3] (radians) into rotation matrices: Rodrigues' formula.

    The formula::

        R = I + A K + B K^2,    A = sin(t) / t,    B = 2 sin(t/2)^2 / t^2

    Value, gradient and Hessian are right at every v, zero included. SMPL code usually divides by |v
    + 1e-8| instead, which is biased near zero and NaN at v = (-1e-8, -1e-8, -1e-8).

    Source: Rodrigues 1840; Loper et al., SMPL (2015), eq. 1.
    """
    squared = axis_angle.square().sum(-1, keepdim=True)
    small = squared < SMALL_SQUARED
    # `where` alone would not do: the gradient of the branch not taken is NaN * 0 = NaN. So that
    # branch gets a harmless t = 1.
    t = squared.masked_fill(small, 1.0).sqrt()
    A = torch.where(small, 1 - squared / 6 * (1 - squared / 20), t.sin() / t)
    B = torch.where(
        small,
        0.5 - squared / 24 * (1 - squared / 30),
        2 * ((0.5 * t).sin() / t).square(),
    )
    identity = torch.eye(3, dtype=axis_angle.dtype, device=axis_angle.device)
    # Column j of K is v x e_j.
    K = cross(axis_angle[..., None], identity.expand(*axis_angle.shape, 3), dim=-2)
    return identity + A[..., None] * K + B[..., None] * (K @ K)


@float32_inside
def matrix_to_axis_angle(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Convert rotation matrices [..., 3, 3] into axis-angle vectors [..., 3], angle in [0, pi].

    This is the inverse of `axis_angle_to_matrix`, up to whole turns. Value and gradient are right
    from zero to pi. At pi both v and -v are right, and rounding decides which one is returned. A
    matrix that is not quite a rotation (a float32 product) gives a nearby answer, never NaN.

    The computation uses the quaternion q = (w, x, y, z): 4 q q^T is linear in R, and its row with
    the largest diagonal entry is never near zero, so nothing cancels (Shepperd 1978). The length of
    the quaternion does not affect the result.
    """
    a, b, c, d, e, f, g, h, i = matrix.flatten(-2).unbind(-1)
    # fmt: off
    entries = (
        1 + a + e + i,  h - f,          c - g,          d - b,
        h - f,          1 + a - e - i,  b + d,          c + g,
        c - g,          b + d,          1 - a + e - i,  f + h,
        d - b,          c + g,          f + h,          1 - a - e + i,
    )
    # fmt: on
    four_qq = torch.stack(entries, dim=-1).unflatten(-1, (4, 4))
    best = four_qq.diagonal(dim1=-2, dim2=-1).argmax(-1)
    q = four_qq.take_along_dim(best[..., None, None], dim=-2).squeeze(-2)
    return quaternion_to_axis_angle(q)


@float32_inside
def quaternion_to_axis_angle(quaternion: Float[Tensor, "*batch 4"]) -> Float[Tensor, "*batch 3"]:
    """Convert quaternions (w, x, y, z) of any length but zero into axis-angle vectors [..., 3].

    A rotation by t about the axis a is the quaternion (cos(t/2), a sin(t/2)), so that

        v = (x, y, z) * 2 atan(s / w) / s,    s = |(x, y, z)|.

    Value, gradient and Hessian are right from zero to pi.
    """
    # q and -q are the same rotation; the one with w >= 0 turns by at most pi.
    q = torch.where(quaternion[..., :1] < 0, -quaternion, quaternion)
    w, xyz = q[..., :1], q[..., 1:]
    # By series in (s / w)^2 where s is small.
    s_squared = xyz.square().sum(-1, keepdim=True)
    small = s_squared < 0.25 * SMALL_SQUARED * w.square()
    s = s_squared.masked_fill(small, 1.0).sqrt()
    safe_w = w.masked_fill(~small, 1.0)
    u = s_squared / safe_w.square()
    series = 2 / safe_w * (1 - u / 3 + u**2 / 5 - u**3 / 7)
    return xyz * torch.where(small, series, 2 * torch.atan2(s, w) / s)


@float32_inside
def rotation_6d_to_matrix(rotation_6d: Float[Tensor, "*batch 6"]) -> Float[Tensor, "*batch 3 3"]:
    """Convert 6D rotations [..., 6] into matrices: Gram-Schmidt on the first two columns.

    The six numbers are [a1, a2], column by column. Any two vectors that span a plane give a
    rotation. Parallel vectors and zero vectors span no plane: they give finite numbers that are no
    rotation.

    Source: Zhou et al., "On the Continuity of Rotation Representations" (2019), eq. 15. SPIN stores
    the numbers row by row, `view(-1, 3, 2)`: reorder before loading its outputs here.
    """
    a1, a2 = rotation_6d[..., :3], rotation_6d[..., 3:]
    b1 = normalize(a1, dim=-1)
    b2 = normalize(a2 - (b1 * a2).sum(-1, keepdim=True) * b1, dim=-1)
    return torch.stack((b1, b2, cross(b1, b2)), dim=-1)


@float32_inside
def matrix_to_rotation_6d(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 6"]:
    """Convert rotation matrices [..., 3, 3] into 6D rotations: the first two columns, [a1, a2]."""
    return torch.cat((matrix[..., 0], matrix[..., 1]), dim=-1)


@float32_inside
def nearest_rotation(matrix: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3 3"]:
    """Return the rotation nearest to any 3x3 matrix (Frobenius norm).

    For a mean of rotation matrices this is the mean rotation. With M = U S V^T it is U diag(1, 1,
    det(U V^T)) V^T: if the nearest orthogonal matrix is a reflection, the direction that fits worst
    is reversed. Source: Hartley et al. 2013, "Rotation averaging", section 5.3.

    Value and derivatives are right at every matrix that has one nearest rotation. Those of rank 1
    or 0, and reflections whose two smallest singular values are equal, have many: one of them is
    returned, and the gradient there is zero.
    """
    U, _, Vt = torch.linalg.svd(matrix.detach())
    worst = torch.ones_like(matrix[..., 0])
    worst[..., 2] = torch.linalg.det(U @ Vt).sign()
    R = (U * worst[..., None, :]) @ Vt
    return _with_derivatives(R, matrix)


def _with_derivatives(
    R: Float[Tensor, "*batch 3 3"], matrix: Float[Tensor, "*batch 3 3"]
) -> Float[Tensor, "*batch 3 3"]:
    """Return R, the nearest rotation, as a differentiable function of the matrix.

    The derivative of U and V divides by the difference of singular values, which is zero at every
    rotation. But R alone changes smoothly. It is the rotation for which P = R^T M is symmetric. If
    P is not quite symmetric, turning R by the vector z makes it so, up to |z|^2, where

        (tr(P) I - P) z = vee(P - P^T):

    a step of Newton's method. At the solution it is zero, and its first and second derivatives are
    those of the solution, because R itself counts as a constant. The eigenvalues of tr(P) I - P are
    sums of two singular values of M, the last with its sign.
    """
    # The nearest rotation does not depend on the scale.
    size = matrix.detach().abs().amax((-2, -1), keepdim=True)
    M = matrix / torch.where(size == 0, 1.0, size)
    identity = torch.eye(3, dtype=R.dtype, device=R.device)
    P = R.mT @ M
    trace = P.diagonal(dim1=-2, dim2=-1).sum(-1, keepdim=True)
    a, b, c = (trace[..., None] * identity - (P + P.mT) / 2).unbind(-2)
    # Its inverse by Cramer's rule: rows b x c, c x a and a x b over the determinant.
    adjugate = torch.stack((cross(b, c), cross(c, a), cross(a, b)), -2)
    determinant = (a * cross(b, c)).sum(-1, keepdim=True)
    flat = determinant <= 8 * torch.finfo(R.dtype).eps * trace**3
    z = (adjugate @ (2 * _axial(P))[..., None])[..., 0] / determinant.masked_fill(flat, 1.0)
    turned = R @ axis_angle_to_matrix(z.masked_fill(flat, 0.0))
    return R + (turned - turned.detach())


def _axial(D: Float[Tensor, "*batch 3 3"]) -> Float[Tensor, "*batch 3"]:
    """Return the vector a for which [a]x is the antisymmetric part of a matrix."""
    return 0.5 * torch.stack(
        (
            D[..., 2, 1] - D[..., 1, 2],
            D[..., 0, 2] - D[..., 2, 0],
            D[..., 1, 0] - D[..., 0, 1],
        ),
        dim=-1,
    )


@float32_inside
def geodesic_angle(
    R1: Float[Tensor, "*#batch 3 3"], R2: Float[Tensor, "*#batch 3 3"]
) -> Float[Tensor, "*batch"]:
    """Return the angle in radians, 0 to pi, of the rotation R1^T R2 that leads from R1 to R2.

    atan2(sin, cos) keeps its digits near 0 and pi, where the usual acos((trace - 1) / 2) loses half
    of them and its gradient becomes infinite. Like any distance it is not differentiable where the
    rotations are equal (and where they are pi apart); the gradient there is zero.
    """
    D = R1.mT @ R2
    # The antisymmetric part of D is sin(angle) times the axis.
    squared = _axial(D).square().sum(-1)
    zero = squared == 0
    sin = torch.where(zero, 0.0, squared.masked_fill(zero, 1.0).sqrt())
    cos = 0.5 * (D.diagonal(dim1=-2, dim2=-1).sum(-1) - 1)
    return torch.atan2(sin, cos)
