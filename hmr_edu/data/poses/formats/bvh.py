"""BVH: a hierarchy of joints with offsets, then a row of channels for each frame.

Channels stand in any order, and a joint's rotation is their product in the order of the file:
"Zrotation Xrotation Yrotation" means R = Rz Rx Ry. All angles are degrees.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import numpy as np
from jaxtyping import Float64
from scipy.spatial.transform import Rotation

from hmr_edu.data.poses.formats.clip import Clip, Reading, check_rate, usable
from hmr_edu.data.poses.formats.joint_names import side_and_part
from hmr_edu.data.poses.formats.recording import MOST_JOINTS, Recording, check_tree
from hmr_edu.data.poses.formats.retarget import retarget
from hmr_edu.data.poses.formats.text import Lines, read_table
from hmr_edu.io.errors import DataError

CHANNELS = {f"{axis}{kind}" for axis in "XYZ" for kind in ("position", "rotation")}


class Hierarchy:
    """The joints of a BVH file, in its order; `channels` names the columns of each joint."""

    def __init__(self) -> None:
        self.names: list[str] = []
        self.parents: list[int] = []
        self.offsets: list[list[float]] = []
        self.channels: list[list[str]] = []

    def add(self, name: str, parent: int) -> int:
        """Add a joint below another; return its index."""
        self.names.append(name)
        self.parents.append(parent)
        self.offsets.append([0.0, 0.0, 0.0])
        self.channels.append([])
        return len(self.names) - 1


def read_bvh(path: Path, reading: Reading) -> list[Clip]:
    """Read a BVH file: one clip.

    Raises FileNotFoundError, or DataError that names the line, or the joints that no rig known
    here has.
    """
    lines = Lines(path, "BVH file")
    words = iter(lines)
    joints = _read_hierarchy(lines, words)
    frames, seconds = _read_head(lines, words)
    columns = sum(map(len, joints.channels))
    table = read_table(lines, words, columns)
    if len(table) != frames:
        raise DataError(f"{path}: it declares {frames:,} frames and holds {len(table):,}")
    fps = check_rate(path, 1 / seconds)
    return [retarget(_recording(joints, table, fps), reading, path)]


def _read_hierarchy(lines: Lines, words: Iterator[str]) -> Hierarchy:
    """Read up to the line MOTION."""
    if next(words, "").upper() != "HIERARCHY":
        raise lines.error("a BVH file begins with HIERARCHY")
    joints, stack, waiting = Hierarchy(), [], None
    for line in words:
        # Some writers put the brace behind the name.
        opens = line.endswith("{") and line != "{"
        word, *rest = line.removesuffix("{").split() or [""]
        word = "{" if line == "{" else word.upper()
        if word == "MOTION":
            if stack or waiting is not None or not joints.names:
                raise lines.error("MOTION comes before the hierarchy is complete")
            try:
                check_tree(joints.names)
            except DataError as error:
                raise lines.error(str(error)) from None
            return joints
        if word in ("ROOT", "JOINT", "END"):
            if (word == "ROOT") == bool(stack) or (word == "ROOT" and joints.names):
                raise lines.error(f"{word} is not expected here; one person a file is read")
            if waiting is not None or len(joints.names) > MOST_JOINTS:
                raise lines.error("braces are missing, or there are too many joints")
            parent = stack[-1] if stack else -1
            name = f"{joints.names[parent]}'s end" if word == "END" else " ".join(rest)
            waiting = joints.add(name, parent)
        elif word == "OFFSET" and stack:
            joints.offsets[stack[-1]] = lines.numbers(rest, 3, "OFFSET")
        elif word == "CHANNELS" and stack:
            joints.channels[stack[-1]] = _channels(lines, rest)
        elif word == "}" and stack:
            stack.pop()
        elif word != "{":
            raise lines.error(f"{line!r:.60} is not expected in the hierarchy")
        if word == "{" or opens:
            if waiting is None:
                raise lines.error("a brace without a joint")
            stack.append(waiting)
            waiting = None
    raise lines.error("there is no MOTION")


def _channels(lines: Lines, words: list[str]) -> list[str]:
    """Return the channels of a joint; their number is given, and each is named once."""
    names = [word[:1].upper() + word[1:].lower() for word in words[1:]]
    if words[:1] != [str(len(names))] or not set(names) <= CHANNELS or len(set(names)) < len(names):
        raise lines.error(f"CHANNELS needs a number and as many channels: {' '.join(words)!r:.80}")
    return names


def _read_head(lines: Lines, words: Iterator[str]) -> tuple[int, float]:
    """Return the number of frames, and the seconds of one."""
    values = []
    for name in ("Frames:", "Frame Time:"):
        line = next(words, "")
        if not line.lower().startswith(name.lower()):
            raise lines.error(f"{name!r} was expected, found {line!r:.60}")
        values += lines.numbers(line[len(name) :].split(), 1, name)
    frames, seconds = values
    if frames < 1 or frames != int(frames) or seconds <= 0:
        raise lines.error(f"{frames:g} frames of {seconds:g} seconds are no motion")
    return int(frames), seconds


def _recording(joints: Hierarchy, table: Float64[np.ndarray, "T C"], fps: float) -> Recording:
    """Return the skeleton with its motion."""
    ends = np.cumsum([len(channels) for channels in joints.channels])
    starts = ends - [len(channels) for channels in joints.channels]

    # Frames with NaN are left out later; scipy has no rotation for them.
    turns = [name.endswith("rotation") for channels in joints.channels for name in channels]
    whole = usable(table[:, turns])
    table = table if whole.all() else np.where(whole[:, None], table, 0.0)

    def rotation(joint: int, frames: slice) -> Rotation:
        channels = joints.channels[joint]
        chosen = [n for n, name in enumerate(channels) if name.endswith("rotation")]
        rows = table[frames]
        if not chosen:
            return Rotation.identity(len(rows))
        order = "".join(channels[n][0] for n in chosen)
        return Rotation.from_euler(order, rows[:, starts[joint] + np.array(chosen)], degrees=True)

    return Recording(
        joints.names,
        joints.parents,
        np.array(joints.offsets),
        rotation,
        len(table),
        fps,
        # CMU's skeleton, whose shins splay and roll the feet, is known by these joints.
        rolled_feet=any(side_and_part(name)[1] == "hipjoint" for name in joints.names),
        missing=~whole,
    )
