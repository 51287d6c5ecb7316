"""ASF and AMC of CMU and HDM05: the skeleton in one file, its motion in many others.

A bone has axes C of its own (`axis`), in which the AMC's angles M turn it: L = C M C^T against its
parent. The bones' directions are those of the rest pose, in the axes of the world.
"""

from __future__ import annotations

from array import array
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_edu.data.poses.formats.clip import Clip, Reading, check_rate, usable
from hmr_edu.data.poses.formats.recording import MOST_JOINTS, Matrix, Recording, check_tree
from hmr_edu.data.poses.formats.retarget import retarget
from hmr_edu.data.poses.formats.text import Lines
from hmr_edu.io.errors import DataError

DEGREES_OF_FREEDOM = ("tx", "ty", "tz", "rx", "ry", "rz", "l")
ORDERS = ("xyz", "xzy", "yxz", "yzx", "zxy", "zyx")


@dataclass
class Bone:
    """A bone of an ASF file; `axes` is C, `limits` are those of its degrees of freedom."""

    name: str = ""
    direction: np.ndarray = field(default_factory=lambda: np.zeros(3))
    length: float = 0.0
    axes: Matrix = field(default_factory=lambda: np.eye(3))
    freedom: tuple[str, ...] = ()
    limits: list[tuple[float, float]] = field(default_factory=list)

    @property
    def turns(self) -> str:
        """The axes about which it turns, in the order of the file."""
        return "".join(name[1] for name in self.freedom if name.startswith("r"))


@dataclass
class Skeleton:
    """The bones of an ASF file: parents first, the root as the first."""

    bones: list[Bone]
    parents: list[int]
    degrees: bool


def read_amc(path: Path, reading: Reading) -> list[Clip]:
    """Read an AMC file, and the ASF file that belongs to it: one clip.

    Raises FileNotFoundError, or DataError that names the file and the line.
    """
    asf = reading.skeleton or find_skeleton(path)
    skeleton = read_asf(asf)
    recording = _recording(path, skeleton, check_rate(path, reading.source_fps))
    return [retarget(recording, reading, path)]


def refuse_asf(path: Path, reading: Reading) -> list[Clip]:
    """Raise DataError: an ASF file alone has no motion."""
    read_asf(path)
    raise DataError(f"{path}: a skeleton without motion; give the .amc files beside it")


def find_skeleton(path: Path) -> Path:
    """Return the ASF file of an AMC file: in its folder, with the longest common beginning.

    Raises FileNotFoundError where there is none, DataError where several fit.
    """
    found = [p for p in path.parent.iterdir() if p.suffix.lower() == ".asf"]
    fitting = [p for p in found if path.stem.lower().startswith(p.stem.lower())]
    if fitting:
        return max(fitting, key=lambda p: len(p.stem))
    if len(found) == 1:
        return found[0]
    if found:
        names = ", ".join(sorted(p.name for p in found))
        raise DataError(f"{path}: which skeleton is it? {names:.200}; give --asf")
    raise FileNotFoundError(f"{path}: no .asf file in its folder; give --asf")


def read_asf(path: Path) -> Skeleton:
    """Read a skeleton. Raises FileNotFoundError, or DataError that names the line."""
    lines = Lines(path, "ASF file")
    degrees, children = True, {}
    bones = {"root": Bone("root", freedom=DEGREES_OF_FREEDOM[:6])}
    section, bone, order = "", None, "xyz"
    turn = [0.0, 0.0, 0.0]
    for line in lines:
        word, *rest = line.split()
        word = word.lower()
        if word.startswith(":"):
            section = word
        elif section == ":units" and word == "angle":
            degrees = "".join(rest).lower().startswith("deg")
        elif section == ":root" and word == "axis":
            order = _order(lines, rest)
        elif section == ":root" and word == "order":
            bones["root"].freedom = _freedom(lines, rest)
        elif section == ":root" and word == "orientation":
            turn = lines.numbers(rest, 3, word)
        elif section == ":bonedata":
            bone = _bone_line(lines, word, rest, bone, bones, degrees)
        elif section == ":hierarchy" and word not in ("begin", "end"):
            for child in rest:
                if child in children or child == "root":
                    raise lines.error(f"{child!r:.40} hangs from two bones, or from itself")
                children[child] = line.split()[0]
    if len(bones) < 2 or not children:
        raise DataError(f"{path}: no :bonedata, or no :hierarchy; not an ASF file, or cut")
    bones["root"].axes = Rotation.from_euler(order, turn, degrees=degrees).as_matrix()
    names = _sorted(path, bones, children)
    parents = [names.index(children[name]) if name in children else -1 for name in names]
    try:
        check_tree(names)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return Skeleton([bones[name] for name in names], parents, degrees)


def _bone_line(
    lines: Lines, word: str, rest: list[str], bone: Bone | None, bones: dict[str, Bone], deg: bool
) -> Bone | None:
    """Read a line of :bonedata; return the bone that it belongs to, None after its end.

    Args:
        lines: the file, for messages.
        word: the first word, small letters.
        rest: the other words.
        bone: the bone that is being read.
        bones: those that are complete, by name.
        deg: whether angles are degrees.
    """
    if word == "begin":
        return Bone()
    if bone is None:
        raise lines.error("a bone without `begin`")
    if word == "end":
        if not bone.name or bone.name in bones or len(bones) > MOST_JOINTS:
            raise lines.error(f"the bone {bone.name!r:.40} has no name, or one that is taken")
        bones[bone.name] = bone
        return None
    if word == "name" and rest:
        bone.name = rest[0]
    elif word == "direction":
        bone.direction = np.array(lines.numbers(rest, 3, word))
    elif word == "length":
        (bone.length,) = lines.numbers(rest, 1, word)
    elif word == "axis":
        angles = lines.numbers(rest[:3], 3, word)
        # "XYZ" turns about the world's x first: lower case is scipy's name for that.
        axes = Rotation.from_euler(_order(lines, rest[3:]), angles, degrees=deg)
        bone.axes = axes.as_matrix()
    elif word == "dof":
        bone.freedom = _freedom(lines, rest)
    elif word == "limits" or word.startswith("("):
        words = " ".join([word.removeprefix("limits"), *rest]).replace("(", " ").replace(")", " ")
        low, high = _values(lines, "limits", words.split(), 2)
        bone.limits.append((low, high))
    return bone


def _freedom(lines: Lines, words: list[str]) -> tuple[str, ...]:
    names = tuple(word.lower() for word in words)
    if not set(names) <= set(DEGREES_OF_FREEDOM) or len(set(names)) < len(names):
        raise lines.error(f"{' '.join(words)!r:.60} are no degrees of freedom")
    return names


def _order(lines: Lines, words: list[str]) -> str:
    order = "".join(words).lower() or "xyz"
    if order not in ORDERS:
        raise lines.error(f"{order!r:.40} is no order of axes")
    return order


def _sorted(path: Path, bones: dict[str, Bone], children: dict[str, str]) -> list[str]:
    """Return the names of all bones that hang from the root, parents first."""
    unknown = (set(children) | set(children.values())) - set(bones)
    if unknown:
        raise DataError(f"{path}: the hierarchy names {min(unknown)!r:.40}, which is no bone")
    below: dict[str, list[str]] = {}
    for child, parent in children.items():
        below.setdefault(parent, []).append(child)
    names = ["root"]
    for name in names:  # grows meanwhile
        names += below.get(name, [])
    if len(names) < len(bones):
        lost = min(set(bones) - set(names))
        raise DataError(f"{path}: {lost!r:.40} does not hang from the root (a bone in a circle?)")
    return names


def _recording(path: Path, skeleton: Skeleton, fps: float) -> Recording:
    """Read the AMC file; return the skeleton with its motion."""
    bones, parents = skeleton.bones, skeleton.parents
    values, degrees = _read_motion(path, skeleton)
    frames = len(values[0])
    whole = usable(np.concatenate(values, 1))
    offsets = np.zeros((len(bones), 3))
    for joint, parent in enumerate(parents):
        if parent >= 0:
            offsets[joint] = bones[parent].direction * bones[parent].length

    def rotation(joint: int, chosen: slice) -> Rotation:
        return _turn(bones[joint], np.where(whole[:, None], values[joint], 0)[chosen], degrees)

    names = [bone.name for bone in bones]
    flexion, neutral = {}, {}
    for side, letter in (("left", "l"), ("right", "r")):
        for bone in bones:
            if bone.name.lower() == f"{letter}radius" and len(bone.turns) == 1:
                flexion[f"{side}_elbow"] = _hinge(bone)
            # The forearm's roll is that of the wrist's bone. The middle of its range counts as
            # none: palms then point down in the T-pose.
            if bone.name.lower() == f"{letter}wrist" and len(bone.limits) == len(bone.freedom) == 1:
                middle = np.array([[np.mean(bone.limits[0])]])
                if np.isfinite(middle).all():
                    neutral[f"{side}_wrist"] = _turn(bone, middle, skeleton.degrees).as_matrix()[0]
    # Where the shins splay, the feet are rolled with them.
    return Recording(
        names, parents, offsets, rotation, frames, fps, flexion, neutral, True, missing=~whole
    )


def _turn(bone: Bone, values: np.ndarray, degrees: bool) -> Rotation:
    """Return L = C M C^T for rows of a bone's values."""
    if not bone.turns:
        return Rotation.identity(len(values))
    columns = [n for n, name in enumerate(bone.freedom) if name.startswith("r")]
    C = Rotation.from_matrix(bone.axes)
    M = Rotation.from_euler(bone.turns, values[:, columns], degrees=degrees)
    return C * M * C.inv()


def _hinge(bone: Bone) -> np.ndarray:
    """Return the axis about which a hinge bends: the way in which its limits reach farther."""
    axis = bone.axes[:, "xyz".index(bone.turns)]
    low, high = bone.limits[0] if bone.limits else (0.0, 1.0)
    return axis if high >= -low else -axis


def _read_motion(path: Path, skeleton: Skeleton) -> tuple[list[np.ndarray], bool]:
    """Return for each bone its values [T, n] in the order of its degrees of freedom.

    Also whether the angles are degrees.
    """
    lines = Lines(path, "AMC file")
    degrees, frames = skeleton.degrees, 0
    index = {bone.name: n for n, bone in enumerate(skeleton.bones)}
    columns = [array("d") for _ in skeleton.bones]
    expected = {n for n, bone in enumerate(skeleton.bones) if bone.freedom}
    seen: set[int] = set()
    for line in lines:
        word, *rest = line.split()
        if word.startswith(":"):
            degrees = {":degrees": True, ":radians": False}.get(word.lower(), degrees)
        elif not rest and word.isdecimal():
            _complete(lines, skeleton, expected, seen, frames)
            frames, seen = frames + 1, set()
        elif word not in index or not frames or index[word] in seen:
            raise lines.error(f"{word!r:.40} is no bone of the skeleton, or stands here twice")
        else:
            bone = index[word]
            seen.add(bone)
            count = len(skeleton.bones[bone].freedom)
            columns[bone].extend(_values(lines, word, rest, count))
    if not frames:
        raise DataError(f"{path}: no frames; not an AMC file, or cut")
    _complete(lines, skeleton, expected, seen, frames)
    return [
        np.frombuffer(c, np.float64).reshape(frames, -1) if c else np.zeros((frames, 0))
        for c in columns
    ], degrees


def _values(lines: Lines, name: str, words: list[str], count: int) -> list[float]:
    """Return the values of a bone; NaN passes, because its frame is left out later."""
    try:
        values = [float(word) for word in words]
    except ValueError:
        values = []
    if len(values) != count:
        raise lines.error(f"{name} needs {count} numbers, found {' '.join(words)!r:.60}")
    return values


def _complete(
    lines: Lines, skeleton: Skeleton, expected: set[int], seen: set[int], frames: int
) -> None:
    """Raise DataError where a frame ends and bones are missing in it."""
    if frames and expected - seen:
        name = skeleton.bones[min(expected - seen)].name
        raise lines.error(f"frame {frames} ends without {name!r:.40}; the file is cut?")
