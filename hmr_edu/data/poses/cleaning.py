"""What is left out of recordings: jumps, doubles, frames without numbers. Other frame rates."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Float32, Int
from scipy.spatial import KDTree
from scipy.spatial.transform import Rotation, Slerp

Poses = Float[np.ndarray, "T 72"]
# Frames between which nothing is interpolated: a gap of more seconds, or of more frames.
GAP, GAP_FRAMES = 0.1, 1.5
# Directions by which doubles are looked for, and poses that are looked up at once.
PROBES, CHUNK = 16, 2048


@dataclass(frozen=True)
class Cleaned:
    """A clip at its new frame rate, and the frames that were left out."""

    poses: Poses
    missing: int
    jumped: int


def clean(poses: Poses, fps: float | int, speed: float | int, new_fps: float | int) -> Cleaned:
    """Leave out frames with NaN and frames that jump; then resample.

    Args:
        poses: axis-angle, radians.
        fps: frames a second of these poses.
        speed: the fastest that a joint may turn, degrees a second.
        new_fps: frames a second of the result.
    """
    whole = np.isfinite(poses).all(1)
    times = np.arange(len(poses)) / fps
    kept = np.flatnonzero(whole)
    kept = kept[within_speed(poses[kept], times[kept], speed)]
    resampled = resample(poses[kept], times[kept], fps, new_fps)
    missing = len(poses) - int(whole.sum())
    return Cleaned(resampled, missing, len(poses) - missing - len(kept))


def within_speed(
    poses: Poses, times: Float[np.ndarray, " T"], speed: float | int
) -> Bool[np.ndarray, " T"]:
    """Return which frames can be reached from the last good one without a joint turning faster.

    `speed` is in degrees a second. After a jump the time that may have passed grows with every
    frame, so a cut costs a few frames and a lost marker those in which it is lost.
    """
    q = quaternions(poses)
    keep = np.ones(len(poses), bool)
    limit = np.radians(speed)
    fast = (_angles(q[1:], q[:-1]) > limit * np.diff(times)[:, None]).any(1)
    jumps = np.flatnonzero(fast) + 1
    last, frame = 0, 1
    while frame < len(poses):
        if last == frame - 1:  # all is well up to the next jump
            next_jump = np.searchsorted(jumps, frame)
            if next_jump == len(jumps):
                break
            frame = int(jumps[next_jump])
            last = frame - 1
        if (_angles(q[frame], q[last]) > limit * (times[frame] - times[last])).any():
            keep[frame] = False
        else:
            last = frame
        frame += 1
    return keep


def resample(
    poses: Poses, times: Float[np.ndarray, " T"], fps: float | int, new_fps: float | int
) -> Float[np.ndarray, "N 72"]:
    """Interpolate rotations (slerp) at a new frame rate; nothing is made up inside gaps.

    Args:
        poses: axis-angle, radians.
        times: of the poses, seconds.
        fps: frames a second of the recording.
        new_fps: frames a second of the result.
    """
    if len(poses) < 2:
        return poses
    # A little tolerance, because times are sums of binary fractions.
    wanted = times[0] + np.arange(int((times[-1] - times[0]) * new_fps + 1e-6) + 1) / new_fps
    wanted = np.minimum(wanted, times[-1])
    after = np.searchsorted(times, wanted - 1e-9).clip(1, len(times) - 1)
    gap = times[after] - times[after - 1]
    near = np.minimum(np.abs(times[after] - wanted), np.abs(wanted - times[after - 1])) < 1e-6
    wanted = wanted[near | (gap <= max(GAP, GAP_FRAMES / fps))]
    joints = poses.reshape(len(poses), 24, 3)
    turned = [
        Slerp(times, Rotation.from_rotvec(joints[:, j]))(wanted).as_rotvec() for j in range(24)
    ]
    return np.stack(turned, 1).reshape(-1, 72)


def not_double(
    poses: Poses, clips: Int[np.ndarray, " T"], tolerance: float | int
) -> Bool[np.ndarray, " T"]:
    """Return which poses to keep so that each differs from every other in some joint.

    A pose is a double of an earlier one that is kept where no joint differs by more than
    `tolerance` degrees. Of the root only the lean counts, not the heading.
    """
    if tolerance <= 0 or not len(poses):
        return np.ones(len(poses), bool)
    limit = np.radians(tolerance)
    lean = Rotation.from_rotvec(poses[:, :3]).inv().apply([0, 1, 0])
    q = quaternions(poses)[:, 1:]

    def same(i: int, others: np.ndarray) -> bool:
        close = (_angles(q[others], q[i]) <= limit).all(1)
        return bool((close & (np.linalg.norm(lean[others] - lean[i], axis=1) <= limit)).any())

    keep = np.zeros(len(poses), bool)
    last = -1
    for i in range(len(poses)):  # standing still is most of what is double
        if last < 0 or clips[i] != clips[last] or not same(i, np.array([last])):
            keep[i], last = True, i
    rows = np.flatnonzero(keep)
    # A direction turns by no more than its joint, so doubles lie in a small cube of `probes`.
    probes = _probes(poses[rows])
    tree = KDTree(probes)
    for begin in range(0, len(rows), CHUNK):
        near = tree.query_ball_point(probes[begin : begin + CHUNK], limit + 1e-5, p=np.inf)
        for number, found in enumerate(near, begin):
            earlier = rows[[n for n in found if n < number]]
            earlier = earlier[keep[earlier]]
            if len(earlier) and same(int(rows[number]), earlier):
                keep[rows[number]] = False
    return keep


def quaternions(poses: Poses) -> Float[np.ndarray, "T 24 4"]:
    """Return the rotations of poses as quaternions (x, y, z, w)."""
    return Rotation.from_rotvec(poses.reshape(-1, 3)).as_quat().reshape(-1, 24, 4)


def _angles(a: Float[np.ndarray, "*n 4"], b: Float[np.ndarray, "*m 4"]) -> Float[np.ndarray, "*k"]:
    """Return the angles between rotations, exact near zero."""
    sign = np.where((a * b).sum(-1, keepdims=True) < 0, -1.0, 1.0)
    return 4 * np.arctan2(
        np.linalg.norm(a - sign * b, axis=-1), np.linalg.norm(a + sign * b, axis=-1)
    )


def _probes(poses: Poses) -> Float32[np.ndarray, "T P"]:
    """Return the coordinates of turned axes that vary most: a few numbers that tell poses apart."""
    matrices = Rotation.from_rotvec(poses[:, 3:].reshape(-1, 3)).as_matrix()
    numbers = matrices.reshape(len(poses), -1).astype(np.float32)
    chosen = np.argsort(-numbers.var(0))[:PROBES]
    return numbers[:, chosen]
