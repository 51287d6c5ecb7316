"""Motion capture: read it, mirror it, and remove the heading."""

from __future__ import annotations

import os
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from jaxtyping import Float, Float32, Int64
from torch import Tensor

from hmr_edu.data.poses.formats.amass import amass_poses
from hmr_edu.data.poses.formats.clip import POSE_SIZE, check_angles
from hmr_edu.io.errors import DataError
from hmr_edu.io.npz import Header, read_arrays
from hmr_edu.io.precision import float32_inside
from hmr_edu.keypoints import flip_pose
from hmr_edu.rotations import SMALL_SQUARED, quaternion_to_axis_angle


@dataclass(frozen=True)
class Mocap:
    """Poses of recorded clips.

    `poses` [N, 72] are axis-angle radians in SMPL's joint order, root first, in a world with Y up;
    `clips` [N] index `clip_names`; `fps` is the frame rate of a clip.
    """

    poses: Float32[Tensor, "N 72"]
    clips: Int64[Tensor, " N"]
    clip_names: tuple[str, ...]
    fps: float

    def __len__(self) -> int:
        return len(self.poses)

    def select(self, keep: Tensor) -> Mocap:
        """Return the chosen poses (a mask or indices); clip numbers and names stay."""
        return Mocap(self.poses[keep], self.clips[keep], self.clip_names, self.fps)

    def mirror(self) -> Mocap:
        """Return the same motion in a mirror: left and right swapped, root included."""
        return Mocap(flip_pose(self.poses), self.clips, self.clip_names, self.fps)

    def both_ways(self) -> Mocap:
        """Return the motion together with its mirror image: twice as many poses."""
        poses = torch.cat([self.poses, self.mirror().poses])
        return Mocap(poses, self.clips.repeat(2), self.clip_names, self.fps)

    def sample(self, n: int, generator: torch.Generator) -> Float32[Tensor, "n 72"]:
        """Draw `n` poses with replacement, every frame equally likely."""
        return self.poses[torch.randint(len(self), (n,), generator=generator)]


def load_mocap(path: str | Path) -> Mocap:
    """Read a mocap file: this project's format, or one AMASS clip.

    This project: `poses` int16 [N, 72] times `scale` (or float radians), `clip` [N], `clip_names`,
    `fps`. AMASS: `poses` float [N, >= 66] and `mocap_framerate`; fingers are left out, hands set to
    zero, and the world, which has Z up in AMASS, is rotated to Y up. Other formats, and many files
    at once, are read by `hmr-edu mocap import`.

    Raises FileNotFoundError when there is no file, DataError that says what is wrong with it.
    """
    path = Path(path)
    optional = ("scale", "clip", "clip_names", "fps", "mocap_framerate", "mocap_frame_rate")
    arrays = read_arrays(path, ("poses",), optional, _check_header)
    poses = arrays["poses"]
    rate_key = next((k for k in ("mocap_framerate", "mocap_frame_rate") if k in arrays), None)
    if rate_key is not None:
        pose, clips, names = amass_poses(path, poses), np.zeros(len(poses)), (path.stem,)
        fps = _number(path, rate_key, arrays[rate_key])
    else:
        pose, clips, names = _from_ours(path, arrays)
        fps = _number(path, "fps", arrays["fps"])
    if not np.isfinite(pose).all():
        frame = int(np.argmax(~np.isfinite(pose).all(1)))
        raise DataError(f"{path}: frame {frame} of `poses` holds NaN or infinite values")
    check_angles(path, pose)
    pose = np.ascontiguousarray(pose, dtype=np.float32)
    return Mocap(torch.from_numpy(pose), torch.from_numpy(clips.astype(np.int64)), names, fps)


def find_mocap(name: str) -> Path | None:
    """Find a mocap file such as "hdm05_poses.npz" in the folder $HMR_EDU_MOCAP, or return None."""
    folder = os.environ.get("HMR_EDU_MOCAP")
    path = Path(folder) / name if folder else None
    return path if path is not None and path.is_file() else None


@float32_inside
def split_root(
    root: Float[Tensor, "*batch 3"],
) -> tuple[Float[Tensor, "*batch"], Float[Tensor, "*batch 3"]]:
    """Split a root rotation into heading and lean: R(root) = Ry(yaw) R(tilt).

    This is the swing-twist decomposition about Y. `tilt` (axis-angle) is about a horizontal axis,
    so its middle number is zero. Turning the whole person about Y changes only `yaw`. Radians. When
    a person stands on the head (a tilt of exactly pi) the yaw is undefined; then it is zero.
    """
    # Half-angle quaternion w + (x, y, z). Near zero by series, so that all derivatives are right.
    squared = root.square().sum(-1, keepdim=True)
    small = squared < SMALL_SQUARED
    t = squared.masked_fill(small, 1.0).sqrt()
    cosine = torch.where(small, 1 - squared / 8 * (1 - squared / 48), (t / 2).cos())
    sine = torch.where(small, 0.5 - squared / 48 * (1 - squared / 80), (t / 2).sin() / t)
    w, (x, y, z) = cosine[..., 0], (root * sine).unbind(-1)
    # The twist is (w, 0, y, 0) / n; what remains after it is (n, swing_x, 0, swing_z).
    n = torch.hypot(w, y)
    safe = n.clamp_min(torch.finfo(root.dtype).tiny)
    swing = torch.stack([(w * x - y * z) / safe, torch.zeros_like(x), (w * z + x * y) / safe], -1)
    # At a tilt of pi there is no twist to remove.
    swing = torch.where((n > 0)[..., None], swing, torch.stack([x, torch.zeros_like(x), z], -1))
    yaw = 2 * torch.atan2(y, w)
    yaw = torch.remainder(yaw + torch.pi, 2 * torch.pi) - torch.pi
    return yaw, quaternion_to_axis_angle(torch.cat((n[..., None], swing), -1))


def _from_ours(
    path: Path, arrays: dict[str, np.ndarray]
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    """Return (poses, clips, clip names) of this project's format, checked."""
    poses = arrays["poses"]
    for key in ("clip", "clip_names", "fps"):
        if key not in arrays:
            raise DataError(f"{path}: the array {key!r} is missing")
    if poses.shape[1] != POSE_SIZE:
        raise DataError(f"{path}: `poses` has {poses.shape[1]} columns, expected {POSE_SIZE}")
    if poses.dtype.kind == "i":
        if "scale" not in arrays:
            raise DataError(f"{path}: the array 'scale' is missing (`poses` are integers)")
        poses = poses * _number(path, "scale", arrays["scale"])
    clips, names = arrays["clip"], arrays["clip_names"]
    if clips.shape != (len(poses),) or clips.dtype.kind not in "iu":
        raise DataError(f"{path}: `clip` is {clips.dtype} {clips.shape}, expected [{len(poses)}]")
    if names.ndim != 1 or names.dtype.kind != "U":
        raise DataError(f"{path}: `clip_names` must be a list of names")
    if clips.min() < 0 or clips.max() >= len(names):
        raise DataError(f"{path}: `clip` must index the {len(names)} `clip_names`")
    return poses, clips, tuple(names.tolist())


def _check_header(headers: Mapping[str, Header]) -> None:
    """Raise DataError where `poses` cannot be poses; nothing has been unpacked yet."""
    poses = headers["poses"]
    if poses.ndim != 2 or poses.shape[0] == 0 or poses.dtype.kind not in "fi":
        raise DataError(
            f"`poses` is {poses.dtype} {poses.shape}, expected numbers [N, 72] with N >= 1"
        )


def _number(path: Path, key: str, array: np.ndarray) -> float:
    """Return a positive scalar of the file."""
    words = " ".join(repr(array).split())
    if array.size != 1 or array.dtype.kind not in "fiu" or not 0 < float(array.ravel()[0]) < 1e6:
        raise DataError(f"{path}: `{key}` must be one positive number, found {words:.60}")
    return float(array.ravel()[0])
