"""Checks of lesson 01: rotations.

The truth comes from elsewhere than the functions taught: scipy, the matrix exponential, QR.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from scipy.spatial.transform import Rotation
from torch import Tensor
from torch.autograd.functional import hessian, jacobian
from torch.nn.functional import normalize

from hmr_edu.course.check import Check, Report, compare, inputs, require, shaped
from hmr_edu.rotations import axis_angle_to_matrix, geodesic_angle, rotation_6d_to_matrix

# The shift of public HMR code, |v + 1e-8|, is zero here.
AWKWARD = torch.full((3,), -1e-8, dtype=torch.float64)
# [e_x]x, [e_y]x, [e_z]x
GENERATORS = torch.tensor(
    [
        [[0, 0, 0], [0, 0, -1], [0, 1, 0]],
        [[0, 0, 1], [0, 0, 0], [-1, 0, 0]],
        [[0, -1, 0], [1, 0, 0], [0, 0, 0]],
    ],
    dtype=torch.float64,
)
CROSSED = "it is w x v: every sign is the other way round (or transposed)"
OTHER_WAY = "it turns the other way round: a sign in K, or the matrix is transposed"
IN_DEGREES = "angles are radians here: cos and sin take no degrees"


def check_rotate_point(function: Callable[..., Tensor]) -> Report:
    """Check `rotate_point(axis [3], angle [], point [3]) -> [3]`, axis of length 1, radians."""
    check = Check("rotate_point", function)
    x, y, z = torch.eye(3, dtype=torch.float64)
    quarter = torch.tensor(math.pi / 2, dtype=torch.float64)
    with check.part("a quarter turn about z takes x to y"):
        compare(
            check.call(z, quarter, x),
            y,
            1e-12,
            {
                "it turns the other way round: is it n x p, and not p x n?": -y,
                IN_DEGREES: _turn(z, torch.deg2rad(quarter), x),
                "the part across the axis is missing: + sin(t) (n x p)": torch.zeros(3),
            },
        )
    with check.part("a point on the axis stays where it is"):
        across = x - x * quarter.cos()
        compare(
            check.call(x, quarter, 2 * x),
            2 * x,
            1e-12,
            {"the part along the axis does not turn: keep all of it": 2 * x - 2 * across},
        )
    with check.part("any axis, angle and point: scipy's rotation"):
        for n, t, p in zip(_axes(6, seed=1), _angles(6, seed=2), 3 * _axes(6, seed=3), strict=True):
            turned = torch.from_numpy(Rotation.from_rotvec((t * n).numpy()).apply(p.numpy()))
            along, cross = (n @ p) * n, torch.linalg.cross(n, p)
            compare(
                check.call(n, t, p),
                turned,
                1e-12,
                {
                    "it turns the other way round: is it n x p, and not p x n?": _turn(n, -t, p),
                    "split p first: only the part across the axis is turned": t.cos() * p
                    + t.sin() * cross,
                    "cos(t) belongs to the part across the axis, p - (n . p) n": t.cos() * p
                    + t.sin() * cross
                    + along,
                    "sine and cosine are exchanged": along
                    + t.sin() * (p - along)
                    + t.cos() * cross,
                    IN_DEGREES: _turn(n, torch.deg2rad(t), p),
                },
            )
    with check.part("lengths stay"):
        n, t, p = _axes(1, seed=4)[0], _angles(1, seed=5)[0], 5 * _axes(1, seed=6)[0]
        got = check.call(n, t, p)
        compare(got.norm(), p.norm(), 1e-12)
    return check.report()


def check_skew(function: Callable[..., Tensor]) -> Report:
    """Check `skew(v [..., 3]) -> [..., 3, 3]`, the matrix of the cross product with v."""
    check = Check("skew", function)
    v, w = _axes(5, seed=7) * 2, _axes(5, seed=8)
    with check.part("skew(v) times w is v x w"):
        got = check.call(v[0])
        require(getattr(got, "shape", None) == (3, 3), "skew of one vector must be a [3, 3] tensor")
        want = torch.linalg.cross(v[0], w[0])
        compare(
            got @ w[0],
            want,
            1e-12,
            {CROSSED: -want},
        )
    with check.part("transposed, it changes its sign"):
        got = check.call(v[0])
        require(
            torch.equal(got.mT, -got),
            "skew(v).T is not -skew(v)",
            "three entries and their negatives across a diagonal of zeros",
        )
    # A slip costs once: what has the other sign is turned round for the questions that follow.
    if check.parts[0].hint == CROSSED:
        check.function = lambda u: -function(u)
    with check.part("it takes batches, [2, 24, 3] to [2, 24, 3, 3]"):
        many = torch.randn(2, 24, 3, generator=inputs(9))
        want = torch.einsum("...i,ijk->...jk", many, GENERATORS.float())
        compare(check.call(many), want, 1e-6)
    with check.part("gradients flow through it"):
        compare(_jacobian(check, v[0]), GENERATORS.permute(1, 2, 0), 1e-12)
    return check.report()


def check_rodrigues(function: Callable[..., Tensor]) -> Report:
    """Check `rodrigues(axis_angle [..., 3]) -> [..., 3, 3]`: value, gradient, Hessian, float32."""
    check = Check("rodrigues", function)
    v = _axes(24, seed=10) * _angles(24, seed=11)[:, None]
    t = v.norm(dim=-1)[:, None, None]
    eye, K, R = torch.eye(3, dtype=torch.float64), _hat(v), _exponential(v)
    mistakes = {
        OTHER_WAY: R.mT,
        IN_DEGREES: _exponential(torch.deg2rad(v)),
        "the sine is missing: I + sin(t)/t K + ...": eye + (1 - t.cos()) / t**2 * (K @ K),
        "the term with K K is missing": eye + t.sin() / t * K,
        "K is made of v, whose length is t: divide K by t and K K by t^2": eye
        + t.sin() * K
        + (1 - t.cos()) * (K @ K),
        "K K goes with (1 - cos t) / t^2, not / t": eye
        + t.sin() / t * K
        + (1 - t.cos()) / t * (K @ K),
    }
    with check.part("any axis and angle: the matrix exponential"):
        compare(check.call(v), R, 1e-9, mistakes)
    # A slip costs once: what is transposed is turned round for the questions that follow.
    if check.parts[-1].hint == OTHER_WAY:
        check.function = lambda u: function(u).mT
    with check.part("one vector, and batches of any shape"):
        compare(check.call(v[0]), R[0], 1e-9)
        compare(check.call(v.reshape(2, 3, 4, 3)), R.reshape(2, 3, 4, 3, 3), 1e-9)
    with check.part("no rotation: the identity"):
        compare(check.call(torch.zeros(4, 3)), torch.eye(3).expand(4, 3, 3), 1e-7)
    with check.part("the gradient at zero"):
        gradient = _jacobian(check, torch.zeros(3, dtype=torch.float64))
        require(
            gradient.isfinite().all(),
            "it is NaN",
            "`where` drops the value of the branch not taken but multiplies its gradient by 0, "
            "and 0 * inf = NaN: put a harmless t = 1 in before dividing",
        )
        compare(gradient, GENERATORS.permute(1, 2, 0), 1e-7)
    with check.part("the vector (-1e-8, -1e-8, -1e-8)"):
        got = check.call(AWKWARD)
        require(
            isinstance(got, Tensor) and got.isfinite().all(),
            "NaN",
            "|v + 1e-8| is zero just here: ask whether t^2 is small instead of shifting v",
        )
        compare(got, _exponential(AWKWARD), 1e-12)
        compare(_jacobian(check, AWKWARD), _exact_gradient(AWKWARD), 1e-6)
    with check.part("float64: right to 11 digits, no shift left in it"):
        compare(
            check.call(v),
            R,
            1e-11,
            {"there is still a 1e-8 in the norm": _shifted(v)},
        )
    with check.part("float32: the gradient at small angles"):
        for angle in (1e-6, 1e-5, 1e-4, 1e-3, 1e-2):
            small = (_axes(4, seed=12) * angle).float()
            for one in small:
                require(
                    (_jacobian(check, one).double() - _exact_gradient(one.double())).abs().max()
                    < 3e-6,
                    f"wrong by more than 3e-06 at an angle of {angle:.0e}",
                    "1 - cos(t) loses its digits: it is 2 sin(t / 2)^2",
                )
    with check.part("the second derivative at zero"):
        weights = torch.linspace(-1, 1, 9, dtype=torch.float64).reshape(3, 3)
        zero = torch.zeros(3, dtype=torch.float64)
        compare(
            hessian(lambda u: (check.function(u) * weights).sum(), zero),
            hessian(lambda u: (_exponential(u) * weights).sum(), zero),
            1e-3,
            {
                "B must be 1/2 at zero, and it must depend on v: (1 - t^2/12 + ...) / 2": hessian(
                    lambda u: ((torch.eye(3) + _hat(u)) * weights).sum(), zero
                )
            },
        )
    check.function = function
    with check.part("the same as hmr_edu.rotations.axis_angle_to_matrix"):
        compare(check.call(v.float()), axis_angle_to_matrix(v.float()), 2e-6)
    return check.report()


def check_half_turn_axis(function: Callable[..., Tensor]) -> Report:
    """Check `half_turn_axis(R [..., 3, 3]) -> [..., 3]`: the axis, of length 1, of half turns."""
    check = Check("half_turn_axis", function)
    base = torch.eye(3, dtype=torch.float64)
    for name, n in zip("xyz", base, strict=True):
        with check.part(f"half a turn about {name}"):
            got = check.call(_half_turn(n))
            require(
                isinstance(got, Tensor) and got.isfinite().all(),
                "NaN or infinite",
                "the column you divide by is zero here: take the one with the largest diagonal",
            )
            _compare_axes(got, n)
    with check.part("any axis"):
        n = _axes(12, seed=13)
        for one in n:
            _compare_axes(check.call(_half_turn(one)), one)
    with check.part("a batch whose axes need different columns"):
        n = torch.cat([base, _axes(5, seed=14)])
        _compare_axes(check.call(_half_turn(n)), n)
    with check.part("float32, an axis close to y"):
        n = normalize(torch.tensor([1e-4, 1.0, -2e-4], dtype=torch.float64), dim=-1)
        got = check.call(_half_turn(n).float())
        require(isinstance(got, Tensor) and got.shape == (3,), "one matrix gives [3]")
        got = got.double()
        require(
            torch.minimum((got - n).norm(), (got + n).norm()) < 1e-6,
            "its small components are off",
            "a small column carries few digits: take the one with the largest diagonal",
        )
    return check.report()


def check_geodesic_angle(function: Callable[..., Tensor]) -> Report:
    """Check `angle_between(R1 [..., 3, 3], R2 [..., 3, 3]) -> [...]`, radians from 0 to pi."""
    check = Check("angle_between", function)
    v, w = (_axes(16, seed=s) * _angles(16, seed=s + 1)[:, None] for s in (15, 17))
    R, S = _exponential(v), _exponential(w)
    eye = torch.eye(3, dtype=torch.float64).expand(16, 3, 3)
    want = torch.from_numpy(
        (Rotation.from_rotvec(v.numpy()).inv() * Rotation.from_rotvec(w.numpy())).magnitude()
    )
    with check.part("random pairs: scipy's magnitude"):
        compare(
            check.call(R, S),
            want,
            1e-7,
            {
                "one of them must be transposed: R1^T R2 leads from R1 to R2": geodesic_angle(
                    eye, R @ S
                ),
                "radians are wanted, these are degrees": torch.rad2deg(want),
                "this is the cosine of the angle": want.cos(),
                "the trace is 1 + 2 cos(t): halve what is left": _acos_of(2 * want.cos()),
                "this is the length of R1 - R2": (R - S).square().sum((1, 2)).sqrt(),
            },
        )
    with check.part("the way back is as long"):
        compare(check.call(S, R), want, 1e-7)
    with check.part("turning both changes nothing"):
        compare(check.call(S @ R, S @ S), want, 1e-7)
    for name, angle in (("tiny", 1e-9), ("nearly half a turn", math.pi - 1e-9)):
        with check.part(f"{name}: all digits"):
            got = check.call(eye, _exponential(_axes(16, seed=19) * angle))
            require(isinstance(got, Tensor) and got.isfinite().all(), "NaN or infinite")
            require(
                got.shape == (16,) and (got.double() - angle).abs().max() < 1e-12,
                "it is off by more than 1e-12",
                "acos is flat there and loses half the digits: give atan2 the sine and the cosine",
            )
    with check.part("a single pair, and one against many"):
        compare(check.call(R[0], S[0]), want[0], 1e-7)
        compare(check.call(R[:1], R), geodesic_angle(R[:1], R), 1e-7)
    return check.report()


def check_rotation_6d(function: Callable[..., Tensor]) -> Report:
    """Check `six_to_matrix(six [..., 6]) -> [..., 3, 3]`; six = first column, second column."""
    check = Check("six_to_matrix", function)
    six = torch.randn(16, 6, generator=inputs(20), dtype=torch.float64)
    want = _by_qr(six)
    a1, a2 = six.split(3, dim=-1)
    b1, b2 = normalize(a1, dim=-1), want[..., 1]
    mistakes = {
        "b1 and b2 are the columns of R, not its rows": want.mT,
        "the six numbers are two columns, a1 = six[..., :3]; you read them row by row, as SPIN "
        "stores them": _by_qr(six.unflatten(-1, (3, 2)).mT.flatten(-2)),
        "the third column is b1 x b2, not b2 x b1": torch.stack((b1, b2, -want[..., 2]), -1),
        "take b1's share out of a2 before you normalise it": torch.stack(
            (b1, normalize(a2, dim=-1), torch.linalg.cross(b1, normalize(a2, dim=-1))), -1
        ),
        "b2 must have length 1 too": torch.stack(
            (b1, a2 - (b1 * a2).sum(-1, keepdim=True) * b1, want[..., 2]), -1
        ),
    }
    with check.part("any six numbers: a QR decomposition agrees"):
        compare(check.call(six), want, 1e-9, mistakes)
    with check.part("what comes out is a rotation"):
        R = check.call(six)
        eye = torch.eye(3, dtype=torch.float64).expand(16, 3, 3)
        compare(R.mT @ R, eye, 1e-9)
        require(
            (torch.linalg.det(R) - 1).abs().max() < 1e-9,
            "its determinant is not +1: a mirror image",
            "the third column is b1 x b2",
        )
    with check.part("the first two columns of a rotation give it back"):
        R = _exponential(_axes(8, seed=21) * 2)
        compare(check.call(torch.cat((R[..., 0], R[..., 1]), -1)), R, 1e-9)
    with check.part("stretching the arrows, or leaning the second, changes nothing"):
        compare(check.call(torch.cat((3 * a1, 0.5 * a2 - 2 * a1), -1)), want, 1e-9)
    with check.part("one vector, and batches of any shape"):
        compare(check.call(six[0]), want[0], 1e-9)
        compare(check.call(six.reshape(2, 8, 6)), want.reshape(2, 8, 3, 3), 1e-9)
    with check.part("gradients flow through it"):
        compare(_jacobian(check, six[0]), jacobian(rotation_6d_to_matrix, six[0]), 1e-7)
    return check.report()


def _axes(n: int, seed: int) -> Tensor:
    """Random unit vectors, float64 [n, 3]."""
    generator = inputs(seed)
    return normalize(torch.randn(n, 3, generator=generator, dtype=torch.float64), dim=-1)


def _angles(n: int, seed: int) -> Tensor:
    """Random angles from 0.3 to 2.8 rad, far from what is awkward, float64 [n]."""
    generator = inputs(seed)
    return 0.3 + 2.5 * torch.rand(n, generator=generator, dtype=torch.float64)


def _hat(v: Tensor) -> Tensor:
    return torch.einsum("...i,ijk->...jk", v, GENERATORS.to(v))


def _exponential(v: Tensor) -> Tensor:
    """Rotation by its definition, smooth everywhere: exp([v]x)."""
    return torch.linalg.matrix_exp(_hat(v))


def _exact_gradient(v: Tensor) -> Tensor:
    return jacobian(_exponential, v)


def _turn(axis: Tensor, angle: Tensor, point: Tensor) -> Tensor:
    return _exponential(angle * axis) @ point


def _half_turn(axis: Tensor) -> Tensor:
    return 2 * axis[..., :, None] * axis[..., None, :] - torch.eye(3, dtype=axis.dtype)


def _acos_of(cosine: Tensor) -> Tensor:
    return cosine.clamp(-1, 1).acos()


def _shifted(v: Tensor) -> Tensor:
    """What the norm with 1e-8 in it gives."""
    t = (v + 1e-8).norm(dim=-1)[..., None, None]
    K = _hat(v) / t
    n = v / t[..., 0]
    outer = n[..., :, None] * n[..., None, :]
    return t.cos() * torch.eye(3, dtype=v.dtype) + (1 - t.cos()) * outer + t.sin() * K


def _by_qr(six: Tensor) -> Tensor:
    """Gram-Schmidt by QR: its columns up to sign, the diagonal of its R telling which."""
    Q, upper = torch.linalg.qr(six.unflatten(-1, (2, 3)).mT)
    Q = Q * upper.diagonal(dim1=-2, dim2=-1).sign()[..., None, :]
    return torch.cat((Q, torch.linalg.cross(Q[..., 0], Q[..., 1])[..., None]), dim=-1)


def _compare_axes(got: object, want: Tensor) -> None:
    """Compare up to sign: n and -n are the same half turn."""
    got = shaped(got, want.shape)
    outer = want[..., :, None] * want[..., None, :]
    mine = got[..., :, None] * got[..., None, :]
    plain = want.abs()
    length = want.abs().amax(-1, keepdim=True)
    compare(
        mine,
        outer,
        1e-9,
        {
            "the axis must have length 1: normalise the column": outer * length[..., None] ** 2,
            "roots of the diagonal lose the signs: a whole column has them": plain[..., :, None]
            * plain[..., None, :],
        },
    )


def _jacobian(check: Check, at: Tensor) -> Tensor:
    """Gradient of the learner's function; says so when it returns None."""
    check.call(at)
    return jacobian(check.function, at)
