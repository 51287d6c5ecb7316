"""A prior over human poses: the joint rotations that bodies really have.

It is a Gaussian mixture fitted to motion capture, as in SMPLify (Bogo et al., ECCV 2016, Eq. 6).
Poses can be drawn from it. Its density scores how human a pose is, which keeps fits human.
"""

from __future__ import annotations

from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.poses.formats.clip import LARGEST_ANGLE
from hmr_edu.data.poses.mocap import split_root
from hmr_edu.io.errors import DataError
from hmr_edu.io.npz import read_arrays
from hmr_edu.io.precision import (
    PreciseModule,
    at_least_float32,
    float32_by_default,
    float32_inside,
)
from hmr_edu.keypoints import SMPL_JOINTS, flip_pose

FORMAT = "hmr_edu pose prior 1"
SHIPPED = Path(__file__).parents[2] / "assets" / "pose_prior.npz"
ARRAYS = ("weights", "means", "cholesky", "low", "high")
BODY = 69  # 23 joints besides the root
SIZE = BODY + 2  # and the lean of the root, whose rotation about Y is always zero
# A draw outside the joint limits is repeated this often; then it is clamped to the limits.
ROUNDS = 30
# Bytes of its arrays: a thousand components have 200 million.
LARGEST_FILE = 2**28
BLOCK = 2048
ALL = torch.arange(SIZE, device="cpu")
# The features of the left arm and of the right arm, from collar to hand.
ARM = ("collar", "shoulder", "elbow", "wrist", "hand")
ARMS = tuple(
    torch.cat(
        [
            ALL[3 * j - 3 : 3 * j]
            for j, name in enumerate(SMPL_JOINTS)
            if name.startswith(side) and name.endswith(ARM)
        ]
    )
    for side in "lr"
)
# A reclining root leans this far from upright, in radians; 90 degrees is lying.
LEAN = (np.pi / 4, 3 * np.pi / 4)


@float32_inside
def pose_to_features(pose: Float[Tensor, "*batch 72"]) -> Float[Tensor, "*batch 71"]:
    """Return the features of a pose: 23 joints, then the lean of the root (x and z), no yaw."""
    _, tilt = split_root(pose[..., :3])
    return torch.cat([pose[..., 3:], tilt[..., 0:1], tilt[..., 2:3]], -1)


@float32_inside
def features_to_pose(features: Float[Tensor, "*batch 71"]) -> Float[Tensor, "*batch 72"]:
    """Return the pose of features, with a yaw of zero."""
    tilt_x, tilt_z = features[..., BODY:].unbind(-1)
    root = torch.stack([tilt_x, torch.zeros_like(tilt_x), tilt_z], -1)
    return torch.cat([root, features[..., :BODY]], -1)


def mirror_features() -> tuple[Tensor, Tensor]:
    """Return (index [71], sign [71]): feature i of a mirrored pose is `sign[i] * f[index[i]]`."""
    # Numbering the features from 1 and mirroring them shows where each goes, and its sign.
    numbered = features_to_pose(torch.arange(1.0, SIZE + 1))
    mirrored = flip_pose(numbered[None])[0]
    features = torch.cat([mirrored[3:], mirrored[0:1], mirrored[2:3]])
    return features.abs().long() - 1, features.sign()


class PosePrior(PreciseModule):
    """A mixture of Gaussians over poses that treats left and right alike.

    Half of the components are given. The other half are their mirror images, so that a pose and its
    mirror image are equally likely. Raises DataError when the arrays do not fit together.

    Args:
        weights: [K], with sum 1.
        means: [K, 71], in the features of `pose_to_features`.
        cholesky: [K, 71, 71], lower triangles of the covariances' Cholesky factors.
        low: [69], lower joint limits in radians of axis-angle.
        high: [69], upper joint limits.
    """

    log_weights: Tensor
    means: Tensor
    factor: Tensor
    whitening: Tensor
    log_diagonal: Tensor
    low: Tensor
    high: Tensor

    def __init__(
        self,
        weights: Float[Tensor, " K"],
        means: Float[Tensor, "K 71"],
        cholesky: Float[Tensor, "K 71 71"],
        low: Float[Tensor, " 69"],
        high: Float[Tensor, " 69"],
    ) -> None:
        super().__init__()
        _check(weights, means, cholesky, low, high)
        index, sign = mirror_features()
        cholesky = cholesky.double()
        whitening = torch.linalg.solve_triangular(
            cholesky, torch.eye(SIZE, dtype=torch.float64), upper=False
        )
        # The mirror image of a covariance L L^T is (M L)(M L)^T, its whitening L^-1 M^T.
        means = torch.cat([means, means[:, index] * sign]).double()
        factor = torch.cat([cholesky, cholesky[:, index] * sign[:, None]])
        whitening = torch.cat([whitening, whitening[:, :, index] * sign])
        log_weights = torch.cat([weights, weights]).double().log() - np.log(2)
        log_diagonal = torch.diagonal(cholesky, dim1=-2, dim2=-1).log().repeat(2, 1)

        for name, value in (
            ("log_weights", log_weights),
            ("means", means),
            ("factor", factor),
            ("whitening", whitening),
            ("log_diagonal", log_diagonal),
            ("low", low),
            ("high", high),
        ):
            self.register_buffer(name, value.float(), persistent=False)

    @float32_by_default
    def sample(
        self,
        n: int,
        generator: torch.Generator,
        spread: float = 1.0,
        mix: float = 0.25,
        recline: float = 0.1,
    ) -> Float[Tensor, "n 72"]:
        """Draw `n` poses inside the joint limits, on the CPU; the root leans but has no yaw.

        `spread=1, mix=0, recline=0` draws from the density of `log_prob`, cut off at the limits.
        The draws depend on the generator alone and have the prior's dtype. Raises ValueError when
        an option is out of range.

        Args:
            n: how many poses.
            generator: random numbers.
            spread: widens (> 1) or narrows (< 1) every component about its mean.
            mix: probability that an arm comes from another draw, because people often move one arm
                without the other.
            recline: probability that the body leans far or lies, in any direction, which motion
                capture of standing people lacks.
        """
        if not (0 <= spread < float("inf") and 0 <= mix <= 1 and 0 <= recline <= 1):
            raise ValueError(
                "spread must be finite and >= 0, mix and recline from 0 to 1, not "
                f"spread={spread}, mix={mix}, recline={recline}"
            )
        kept: list[Tensor] = []
        missing = n
        for _ in range(ROUNDS):
            if missing <= 0:
                break
            # A few more than needed, so that one round is mostly enough.
            drawn = self._draw_mixed(missing + missing // 6 + 4, generator, spread, mix)
            body = drawn[:, :BODY]
            inside = ((body >= self.low) & (body <= self.high)).all(1)
            kept.append(drawn[inside][:missing])
            missing -= len(kept[-1])
        if missing > 0:
            drawn = self._draw_mixed(missing, generator, spread, mix)
            drawn[:, :BODY] = drawn[:, :BODY].clamp(self.low, self.high)
            kept.append(drawn)
        features = torch.cat(kept) if kept else self.means[:0].clone()
        laid = self._uniform(n, generator) < recline
        features[laid, BODY:] = _any_lean(self._uniform((2, int(laid.sum())), generator))
        return features_to_pose(features)

    def _draw_mixed(
        self, n: int, generator: torch.Generator, spread: float, mix: float
    ) -> Float[Tensor, "n 71"]:
        """Draw features, some arms from other draws; limits are not checked.

        Args:
            n: how many poses.
            generator: random numbers.
            spread: scale of every component about its mean.
            mix: probability that an arm comes from another draw.
        """
        features = self._draw(n, ALL, generator, spread)
        for arm in ARMS:
            rows = (self._uniform(n, generator) < mix).nonzero()
            features[rows, arm] = self._draw(len(rows), arm, generator, spread)
        return features

    def _uniform(
        self, shape: int | tuple[int, ...], generator: torch.Generator
    ) -> Float[Tensor, " *shape"]:
        return torch.rand(shape, generator=generator, dtype=self.means.dtype)

    def _draw(
        self, n: int, columns: Tensor, generator: torch.Generator, spread: float
    ) -> Float[Tensor, "n columns"]:
        """Draw some columns of the features from the mixture; limits are not checked.

        Args:
            n: how many poses.
            columns: which features.
            generator: random numbers.
            spread: scale of every component about its mean.
        """
        # By inverting the cumulative weights, because torch.multinomial cannot draw 0 samples.
        up_to = self.log_weights.exp().cumsum(0)
        component = torch.searchsorted(up_to, self._uniform(n, generator))
        component.clamp_(max=len(up_to) - 1)
        noise = torch.randn(n, SIZE, 1, generator=generator, dtype=self.means.dtype) * spread
        # In blocks, to save memory: every draw needs a copy of its component's factor.
        return torch.cat(
            [
                self.means[c[:, None], columns] + (self.factor[c[:, None], columns] @ z)[..., 0]
                for c, z in zip(component.split(BLOCK), noise.split(BLOCK), strict=True)
            ]
        )

    @at_least_float32
    def log_prob(self, pose: Float[Tensor, "n 72"], root: bool = False) -> Float[Tensor, " n"]:
        """Return the log density of the 23 joint rotations, or (`root`) of these and the lean.

        The yaw does not count. Differentiable; natural logarithm; density over radians; float32 at
        least.
        """
        size = SIZE if root else BODY
        features = pose_to_features(pose) if root else pose[:, 3:]
        # Joints come first, so their marginal has the leading block of every factor.
        whitening = self.whitening[:, :size, :size].to(pose)
        centre = (whitening @ self.means[:, :size, None].to(pose))[..., 0]
        distance = torch.einsum("kij,nj->nki", whitening, features) - centre
        log_density = -0.5 * distance.square().sum(-1) - 0.5 * size * np.log(2 * np.pi)
        log_scale = self.log_weights - self.log_diagonal[:, :size].sum(1)
        return torch.logsumexp(log_density + log_scale.to(pose), dim=1)


def load_pose_prior(path: str | Path | None = None) -> PosePrior:
    """Read a pose prior; without a path, the one shipped with the package.

    Raises FileNotFoundError when there is no such file, DataError when it is not a pose prior.
    """
    path = SHIPPED if path is None else Path(path)
    arrays = read_arrays(path, ("format", *ARRAYS), largest=LARGEST_FILE)
    if arrays["format"].ndim or str(arrays["format"]) != FORMAT:
        raise DataError(f"{path}: not a pose prior (its `format` is not {FORMAT!r})")
    if any(arrays[name].dtype.kind != "f" for name in ARRAYS):
        raise DataError(f"{path}: the arrays of a pose prior must be floating point")
    rows, columns = np.tril_indices(SIZE)
    packed = arrays["cholesky"]
    if packed.ndim != 2 or packed.shape[1] != len(rows):
        raise DataError(f"{path}: `cholesky` has shape {packed.shape}, expected (K, {len(rows)})")
    arrays["cholesky"] = np.zeros((len(packed), SIZE, SIZE), np.float32)
    try:
        with np.errstate(over="ignore"):  # infinite then, and named by the check
            arrays["cholesky"][:, rows, columns] = packed
            tensors = [torch.from_numpy(arrays[name].astype(np.float32)) for name in ARRAYS]
        _check(*tensors)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return PosePrior(*tensors)


def is_pose_prior(path: str | Path) -> bool:
    """Return whether a file says that it is a pose prior; it may be damaged all the same."""
    try:
        format_ = read_arrays(path, (), ("format",)).get("format")
    except (DataError, FileNotFoundError):
        return False
    return format_ is not None and format_.ndim == 0 and str(format_) == FORMAT


def _any_lean(chance: Float[Tensor, "2 n"]) -> Float[Tensor, "n 2"]:
    """Return tilts (x, z) of uniform direction, with angles in the range LEAN."""
    direction, angle = chance
    angle = LEAN[0] + (LEAN[1] - LEAN[0]) * angle
    direction = 2 * torch.pi * direction
    return torch.stack([angle * direction.cos(), angle * direction.sin()], 1)


def _check(weights: Tensor, means: Tensor, cholesky: Tensor, low: Tensor, high: Tensor) -> None:
    """Raise DataError that names the first array that does not fit into a mixture.

    Args:
        weights: of the components.
        means: of the components.
        cholesky: factors of the covariances.
        low: lower joint limits.
        high: upper joint limits.
    """
    K = len(weights) if weights.ndim == 1 else 0
    expected = {
        "weights": (weights, (K,)),
        "means": (means, (K, SIZE)),
        "cholesky": (cholesky, (K, SIZE, SIZE)),
        "low": (low, (BODY,)),
        "high": (high, (BODY,)),
    }
    for name, (value, shape) in expected.items():
        if K == 0 or tuple(value.shape) != shape:
            raise DataError(f"{name} has shape {tuple(value.shape)}, expected {shape}, K >= 1")
        if not torch.isfinite(value).all():
            raise DataError(f"{name} holds NaN or infinite values")
    if means.abs().max() > LARGEST_ANGLE:
        raise DataError(f"means reach {float(means.abs().max()):.6g}; radians are expected")
    if (weights <= 0).any() or abs(float(weights.sum()) - 1) > 1e-3:
        raise DataError("weights must be positive and sum to 1")
    if (torch.diagonal(cholesky, dim1=-2, dim2=-1) <= 0).any():
        raise DataError("the diagonals of cholesky must be positive")
    if (low > high).any():
        raise DataError("low must not exceed high")
