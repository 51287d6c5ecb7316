"""From a recorded skeleton to SMPL's 24 rotations.

With G the rotation of a recorded joint against the world, counted from the skeleton's own rest
pose, SMPL's joint has the rotation

    S = W G A,

where A takes a bone of SMPL's T-pose to that bone of the recorded rest pose, and W takes the axes
of the file's world to ours. So SMPL's bones point wherever the recorded ones point, whatever
either skeleton does at rest: legs that splay, arms that hang, a world with Z up.
"""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache
from itertools import pairwise
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation

from hmr_edu.data.poses.formats.clip import Clip, Reading
from hmr_edu.data.poses.formats.joint_names import find_joints
from hmr_edu.data.poses.formats.recording import Matrix, Recording, Vector
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import SMPL_JOINTS, SMPL_PARENTS

Places = dict[str, Vector]
# Frames that are converted at once.
CHUNK = 8192
# A knee or elbow is straight at rest up to this angle; then the whole limb counts, hip to ankle.
STRAIGHT = np.radians(12)
# A rest pose this near to the axes of its file stands along them.
NEAR_AXES = np.radians(20)
# An elbow is a hinge where all its rotations have one axis, to this share of their squares. An axis
# that is rolled farther about the arm than `LARGEST_ROLL` is not taken for that of the elbow.
HINGE, BENT, LARGEST_ROLL = 0.9995, np.radians(5), np.radians(75)
SAMPLE = 1000  # frames in which hinges are looked for
NECK = (0.5, 0.5)
LYING = 0.8  # share of frames; more of them, and Z may be up


def retarget(recording: Recording, reading: Reading, path: Path) -> Clip:
    """Convert a recording into a clip of SMPL poses with the name of its file.

    Raises DataError that names the file where a part of the body is not named, or the rest pose has
    no left or up.
    """
    try:
        return _retarget(recording, reading, path.stem)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None


def _retarget(recording: Recording, reading: Reading, name: str) -> Clip:
    found = find_joints(recording.names)
    pelvis = recording.common(found["left_hip"], found["right_hip"])
    chest = recording.common(found["left_shoulder"], found["right_shoulder"])
    found |= {"pelvis": pelvis, "chest": chest}
    found.setdefault("head", chest)
    first = reading.rest == "first"
    rest, notes = _places(recording, found, first)
    body = _frame(rest)
    world = _world(body, reading.up)
    joints = sorted(set(found.values()))
    start = recording.turned(joints, slice(0, 1)) if first else {}
    if first:  # what the file says of its own rest pose holds for the first frame, turned
        recording = _turned_rest(recording, {part: start[j] for part, j in found.items()})
    else:
        recording = replace(recording, flexion=hinges(recording, found) | recording.flexion)
    corrections = rest_corrections(recording, rest, body)

    poses = np.zeros((recording.frames, 24, 3))
    for begin in range(0, recording.frames, CHUNK):
        frames = slice(begin, min(begin + CHUNK, recording.frames))
        turned = recording.turned(joints, frames)
        if first:
            turned = {j: turned[j] * start[j].inv() for j in joints}
        smpl = {
            part: Rotation.from_matrix(world) * turned[found[part]] * Rotation.from_matrix(A)
            for part, A in corrections.items()
            if part in found
        }
        poses[frames] = _local(smpl, recording.spine)
    if recording.missing is not None:
        poses[recording.missing] = np.nan
    whole = poses[np.isfinite(poses).all((1, 2))]
    if not len(whole):
        raise DataError("no frame has a number for every joint")
    upright = Rotation.from_rotvec(whole[:, 0]).apply([0, 1, 0])[:, 1]
    if reading.up == "auto" and np.mean(upright < 0.3) > LYING:
        notes.append("people lie in most frames; if another axis points up, give --up")
    return Clip(name, poses.reshape(-1, 72), recording.fps, tuple(notes))


@lru_cache(maxsize=1)
def smpl_places() -> Places:
    """Return the joints of the free body's T-pose by name, metres."""
    from hmr_edu.body import load_body

    joints = load_body("lite").J_template.double().numpy().reshape(24, 3)
    return dict(zip(SMPL_JOINTS, joints, strict=True))


def rest_corrections(recording: Recording, rest: Places, body: Matrix) -> dict[str, Matrix]:
    """Return A of each part: from SMPL's T-pose to the recorded rest pose, in the file's axes."""
    T = smpl_places()
    A = dict.fromkeys(("pelvis", "chest", "head", "left_collar", "right_collar"), body)
    for side, inward in (("left", -1.0), ("right", 1.0)):
        hip, knee = _limb(body, T, rest, [f"{side}_{p}" for p in ("hip", "knee", "ankle")])
        foot = _foot(body, knee, rest, T, side, recording.rolled_feet)
        A |= {f"{side}_hip": hip, f"{side}_knee": knee}
        A |= {f"{side}_ankle": foot, f"{side}_toe": foot}

        arm, forearm = _limb(body, T, rest, [f"{side}_{p}" for p in ("shoulder", "elbow", "wrist")])
        bends = recording.flexion.get(f"{side}_elbow")
        if bends is not None:  # in the T-pose, palms down, about Y: the forearm comes forward
            along = _unit(T[f"{side}_wrist"] - T[f"{side}_shoulder"])
            roll = _roll(along, np.array([0, inward, 0]), forearm.T @ bends)
            if roll.magnitude() < LARGEST_ROLL:
                arm, forearm = arm @ roll.as_matrix(), forearm @ roll.as_matrix()
        neutral = recording.neutral.get(f"{side}_wrist", np.eye(3))
        A |= {f"{side}_shoulder": arm, f"{side}_elbow": forearm}
        A |= {f"{side}_hand": neutral.T @ forearm}
    return A


def hinges(recording: Recording, found: dict[str, int]) -> dict[str, Vector]:
    """Return the axes, at rest, of elbows that are hinges, so far as the motion shows them."""
    axes = {}
    step = slice(0, recording.frames, max(1, recording.frames // SAMPLE))
    for side in ("left", "right"):
        pair = [found[f"{side}_shoulder"], found[f"{side}_elbow"]]
        upper, lower = recording.turned(pair, step).values()
        bends = (upper.inv() * lower).as_rotvec()
        values, vectors = np.linalg.eigh(bends.T @ bends)
        axis = vectors[:, -1] * np.sign(bends.sum(0) @ vectors[:, -1])
        if np.mean(bends @ axis) > BENT and values[-1] > HINGE * values.sum():
            axes[f"{side}_elbow"] = axis
    return axes


def _places(recording: Recording, found: dict[str, int], first: bool) -> tuple[Places, list[str]]:
    """Return where the parts are at rest, and what is odd about it."""
    places = recording.places(0 if first else None)
    rest = {part: places[joint] for part, joint in found.items()}
    for side in ("left", "right"):
        if f"{side}_wrist" not in rest:  # the forearm ends where the file says, or nowhere
            elbow = found[f"{side}_elbow"]
            ends = [i for i, parent in enumerate(recording.parents) if parent == elbow]
            upper = rest[f"{side}_elbow"] - rest[f"{side}_shoulder"]
            rest[f"{side}_wrist"] = places[ends[0]] if ends else rest[f"{side}_elbow"] + upper
        for chain in (("hip", "knee", "ankle"), ("shoulder", "elbow", "wrist")):
            parts = [f"{side}_{part}" for part in chain]
            for a, b in pairwise(parts):
                if np.linalg.norm(rest[a] - rest[b]) < 1e-9:
                    raise DataError(f"{a} and {b} are at one place: the bone has no length")
    notes = []
    forward = _frame(rest)[:, 2]
    feet = [rest[f"{s}_toe"] - rest[f"{s}_ankle"] for s in ("left", "right") if f"{s}_toe" in rest]
    if feet and all(foot @ forward < -0.5 * np.linalg.norm(foot) for foot in feet):
        notes.append("the feet point backwards at rest: left and right may be exchanged")
    return rest, notes


def _turned_rest(recording: Recording, start: dict[str, Rotation]) -> Recording:
    """Return the recording with hinges and neutral rotations of another rest pose."""
    flexion = {p: start[p].apply(axis)[0] for p, axis in recording.flexion.items()}
    neutral = {}
    for part, N in recording.neutral.items():
        G = start[part].as_matrix()[0]
        neutral[part] = G @ N @ G.T
    return replace(recording, flexion=flexion, neutral=neutral)


def _frame(rest: Places) -> Matrix:
    """Return the axes of the person at rest as columns: left, up, forward.

    They are the file's own axes where the person stands along these.
    """
    shoulders = rest["left_shoulder"] - rest["right_shoulder"]
    left = rest["left_hip"] - rest["right_hip"] + shoulders
    middle_of_shoulders = rest["left_shoulder"] + rest["right_shoulder"]
    up = middle_of_shoulders - rest["left_hip"] - rest["right_hip"]
    size = np.linalg.norm(up)
    up = up / size if size > 1e-9 else up
    left = left - (left @ up) * up
    if size <= 1e-9 or np.linalg.norm(left) < 1e-3 * size:
        raise DataError("the rest pose has no left and right, or no up: hips and shoulders meet")
    left = _unit(left)
    body = np.stack([left, up, np.cross(left, up)], 1)
    nearest = np.round(body)
    if abs(np.linalg.det(nearest) - 1) < 1e-9:
        turn = Rotation.from_matrix(body.T @ nearest).magnitude()
        if turn < NEAR_AXES:
            return nearest
    return body


def _world(body: Matrix, up: str) -> Matrix:
    """Return the rotation from the file's world into ours, where Y is up."""
    if up == "auto":
        return body.T
    axis = np.array({"y": [0.0, 1.0, 0.0], "z": [0.0, 0.0, 1.0]}[up])
    if axis @ body[:, 1] > np.cos(NEAR_AXES):
        return body.T
    return _align(axis, np.array([0.0, 1.0, 0.0]))


def _limb(body: Matrix, T: Places, rest: Places, parts: list[str]) -> tuple[Matrix, Matrix]:
    """Return A of a limb's two bones; where both skeletons are straight, of the whole limb."""
    a, b, c = parts
    upper, lower = rest[b] - rest[a], rest[c] - rest[b]
    if _angle(upper, lower) < STRAIGHT:
        whole = _align(body @ (T[c] - T[a]), rest[c] - rest[a]) @ body
        return whole, whole
    first = _align(body @ (T[b] - T[a]), upper) @ body
    return first, _align(first @ (T[c] - T[b]), lower) @ first


def _foot(body: Matrix, knee: Matrix, rest: Places, T: Places, side: str, rolled: bool) -> Matrix:
    """Return A of a foot: it stands flat at rest, or is rolled with a leg that splays.

    Args:
        body: the person's axes at rest.
        knee: A of the shin.
        rest: the recorded rest pose.
        T: SMPL's T-pose.
        side: "left" or "right".
        rolled: whether the foot is rolled with the leg.
    """
    if rolled:
        return knee
    if f"{side}_toe" not in rest:
        return body
    ankle = rest[f"{side}_ankle"]
    foot = body.T @ (rest[f"{side}_toe"] - ankle)
    own = T[f"{side}_foot"] - T[f"{side}_ankle"]
    heading = np.arctan2(foot[0], foot[2]) - np.arctan2(own[0], own[2])
    flat = np.hypot(foot[0], foot[2]) > 0.2 * np.linalg.norm(foot)
    if not flat or abs(heading) > np.radians(60):
        return body
    return body @ Rotation.from_rotvec([0, heading, 0]).as_matrix()


def _local(
    smpl: dict[str, Rotation], spine: tuple[float, float, float]
) -> Float[np.ndarray, "T 24 3"]:
    """Return each SMPL joint's rotation against its parent, axis-angle.

    The bend between pelvis and chest, and that between chest and head, is shared out.
    """
    pelvis, chest, head = smpl["pelvis"], smpl["chest"], smpl["head"]
    turned = {"pelvis": pelvis}
    bend = (pelvis.inv() * chest).as_rotvec()
    for name, share in zip(("spine1", "spine2", "spine3"), np.cumsum(spine), strict=True):
        turned[name] = pelvis * Rotation.from_rotvec(bend * share)
    nod = (chest.inv() * head).as_rotvec()
    turned["neck"] = chest * Rotation.from_rotvec(nod * NECK[0])
    turned["head"] = head
    for side in ("left", "right"):
        above = turned["spine3"]
        turned[f"{side}_collar"] = smpl.get(f"{side}_collar", above)
        above = pelvis
        for part, joint in (("hip", "hip"), ("knee", "knee"), ("ankle", "ankle"), ("toe", "foot")):
            above = turned[f"{side}_{joint}"] = smpl.get(f"{side}_{part}", above)
        for part, joint in (("shoulder", "shoulder"), ("elbow", "elbow"), ("hand", "wrist")):
            above = turned[f"{side}_{joint}"] = smpl.get(f"{side}_{part}", above)
        turned[f"{side}_hand"] = above
    parts = [turned[name] for name in SMPL_JOINTS]
    local = [
        (parts[parent].inv() * own if parent >= 0 else own).as_rotvec()
        for own, parent in zip(parts, SMPL_PARENTS, strict=True)
    ]
    return np.stack(local, 1)


def _unit(v: Vector) -> Vector:
    return v / np.linalg.norm(v)


def _angle(a: Vector, b: Vector) -> float:
    return float(np.arctan2(np.linalg.norm(np.cross(a, b)), a @ b))


def _align(a: Vector, b: Vector) -> Matrix:
    """Return the smallest rotation that turns the direction of `a` into that of `b`."""
    axis = np.cross(_unit(a), _unit(b))
    if np.linalg.norm(axis) < 1e-9:
        if a @ b > 0:
            return np.eye(3)
        axis = np.cross(a, np.eye(3)[np.argmin(np.abs(a))])
    return Rotation.from_rotvec(_unit(axis) * _angle(a, b)).as_matrix()


def _roll(along: Vector, a: Vector, b: Vector) -> Rotation:
    """Return the rotation about `along` that takes `a` nearest to `b`."""
    a, b = (v - (v @ along) * along for v in (a, b))
    angle = np.arctan2(np.cross(a, b) @ along, a @ b)
    return Rotation.from_rotvec(along * angle)
