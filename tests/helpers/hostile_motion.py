"""Damaged files of motion, all read by `hmr-edu mocap import`."""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from helpers.damages import ANY_FILE, Bomb, Damage, copied, json_damages, npz_damages, some
from helpers.hostile import Call, Case, command, files_of
from helpers.motion_files import (
    AXES,
    known_motion,
    rest_pose,
    rig_of,
    write_asf_amc,
    write_bvh,
    write_deepmimic,
)

PARTS = {"hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "Toe", "collar": "Shoulder"}
PARTS |= {"shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand"}
RIG = {"pelvis": "Hips", "spine1": "Spine", "spine2": "Spine1", "spine3": "Spine2"} | {
    f"{side.lower()}_{part}": side + name
    for side in ("Left", "Right")
    for part, name in PARTS.items()
}


def make_motion(folder: Path) -> None:
    """Write one good file of each format."""
    from hmr_edu.data.poses.formats.retarget import smpl_places

    truth, T = known_motion(12), smpl_places()
    offsets, local = rig_of(truth, T, rest_pose("T"), AXES["y up, facing z"])
    write_bvh(folder / "walk.bvh", offsets, local, RIG)
    write_asf_amc(folder / "07.asf", folder / "07_01.amc", T, rest_pose("splayed"), truth)
    write_deepmimic(folder / "run.txt", truth)
    content = {"poses": truth, "betas": np.zeros(10)}
    (folder / "mosh.pkl").write_bytes(pickle.dumps(content, protocol=2))
    (folder / "markers.c3d").write_bytes(b"\x02\x50" + bytes(700))


def importing(path: Path) -> Call:
    """Import a file."""
    return command("mocap", "import", path, "-o", path.parent / "out.npz")


def motions(good: Path) -> Iterator[Case]:
    """Yield all cases; `good` is a folder of `make_motion`."""
    yield from files_of("motion", good / "walk.bvh", ANY_FILE | _bvh(), importing)
    yield from files_of("motion", good / "run.txt", ANY_FILE | _deepmimic(), importing)
    yield from files_of("motion", good / "mosh.pkl", ANY_FILE | _mosh(), importing)
    yield from files_of("motion", good / "markers.c3d", {"whole": lambda path: None}, importing)
    # NaN in a file of AMASS is found in its frames, which are left out: then none is left.
    damages = {f"poses: {name}": damage for name, damage in npz_damages("poses").items()}
    yield from files_of("motion", good / "amass.npz", damages, importing)
    rate = {f"rate: {n}": d for n, d in some(npz_damages("mocap_framerate")).items()}
    yield from files_of("motion", good / "amass.npz", rate, importing, ("rate: array missing",))
    for name, damage in (ANY_FILE | _amc()).items():
        yield _pair(good, "07_01.amc", name, damage)
    for name, damage in (ANY_FILE | _asf()).items():
        yield _pair(good, "07.asf", name, damage)


def _pair(good: Path, damaged: str, name: str, damage: Damage) -> Case:
    """Damage one of the two files that belong together; the motion is imported."""

    def prepare(folder: Path) -> Call:
        for file in ("07.asf", "07_01.amc"):
            copied(good / file, folder)
        damage(folder / damaged)
        return importing(folder / "07_01.amc")

    # A skeleton that can be read, and fits no motion, is a fault of the motion.
    named = "07_01.amc" if "skeleton" in name else damaged
    return Case("motion", f"{damaged}: {name}", prepare, named)


def _text(change: Callable[[str], str]) -> Damage:
    def damage(path: Path) -> None:
        before = path.read_text()
        after = change(before)
        assert after != before
        path.write_text(after)

    return damage


def _swap(old: str, new: str, count: int = 1) -> Damage:
    return _text(lambda text: text.replace(old, new, count))


def _numbers(value: str) -> Damage:
    """Replace every number of the motion."""

    def change(text: str) -> str:
        head, motion = text.split("Frame Time:")
        first, *rows = motion.splitlines()
        rows = [" ".join([value] * len(row.split())) for row in rows]
        return "\n".join([f"{head}Frame Time:{first}", *rows])

    return _text(change)


def _bvh() -> dict[str, Damage]:
    head = "HIERARCHY\nROOT Hips\n{\n"
    nested = "".join(f"JOINT j{n}\n{{\nOFFSET 0 1 0\nCHANNELS 0\n" for n in range(50_000))
    motion = "MOTION\nFrames: 1\nFrame Time: 0.1\n"
    return {
        "1e9 frames": _swap("Frames: 12", "Frames: 1000000000"),
        "fewer frames": _swap("Frames: 12", "Frames: 11"),
        "-1 frames": _swap("Frames: 12", "Frames: -1"),
        "NaN frames": _swap("Frames: 12", "Frames: nan"),
        "half a frame": _swap("Frames: 12", "Frames: 1.5"),
        "no time": _swap("Frame Time: 0.03333333", "Frame Time: 0"),
        "negative time": _swap("Frame Time: 0.03333333", "Frame Time: -1"),
        "1e-300 seconds": _swap("Frame Time: 0.03333333", "Frame Time: 1e-300"),
        "words for time": _swap("Frame Time: 0.03333333", "Frame Time: often"),
        "channels: one more": _swap("CHANNELS 3", "CHANNELS 4"),
        "channels: two names less": _swap("Zrotation Xrotation Yrotation", "Zrotation"),
        "channels: unknown": _swap("Zrotation", "Wrotation"),
        "channels: one twice": _swap("Zrotation Xrotation", "Zrotation Zrotation"),
        "channels: 10^9": _swap("CHANNELS 3", "CHANNELS 1000000000"),
        "a brace less": _swap("}", ""),
        "a brace more": _swap("}", "}\n}"),
        "two roots": _swap("MOTION", "ROOT Two\n{\nOFFSET 0 0 0\n}\nMOTION"),
        "a joint in itself": _swap("JOINT LeftLeg", "JOINT LeftUpLeg"),
        "no motion": _swap("MOTION", ""),
        "motion first": _swap("HIERARCHY", "MOTION"),
        "no left knee": _swap("LeftLeg", "Rodilla"),
        "offset of NaN": _swap("OFFSET 0.000000", "OFFSET nan"),
        "offset of words": _swap("OFFSET 0.000000", "OFFSET here"),
        "offset of two": _swap("OFFSET 0.000000 0.000000 0.000000", "OFFSET 0 0"),
        "bones of no length": _text(_flat),
        "only NaN": _numbers("nan"),
        "only infinity": _numbers("1e999"),
        "only huge": _numbers("1e300"),
        "only words": _numbers("zero"),
        "50,000 joints": lambda p: _write(p, head + nested + "}" * 50_000 + "\n}\n" + motion),
        "no channels": lambda p: _write(p, head + "OFFSET 0 0 0\n}\n" + motion + "1 2 3\n"),
        "a line of 9 MB": lambda p: _write(p, "HIERARCHY" + " " * 9_000_000 + "\n"),
        "a name of 300,000 letters": _swap("ROOT Hips", "ROOT " + "H" * 300_000),
        "2 GB of zeros": _sparse,
        "NUL among numbers": _swap("0.", "\x00.", 400),
    }


def _flat(text: str) -> str:
    lines = [
        line.split("OFFSET")[0] + "OFFSET 0 0 0" if "OFFSET" in line else line
        for line in text.splitlines()
    ]
    return "\n".join(lines)


def _write(path: Path, text: str) -> None:
    path.write_text(text)


def _sparse(path: Path) -> None:
    with path.open("wb") as file:
        file.truncate(2**31)


def _amc() -> dict[str, Damage]:
    return {
        "an unknown bone": _swap("lfemur", "tail"),
        "a bone twice": _swap("ltibia", "lfemur"),
        "a bone less": _text(lambda t: "\n".join(x for x in t.splitlines() if "ltibia" not in x)),
        "a number less": _text(lambda t: t.replace("ltibia ", "ltibia 1 ", 1)),
        "words": _swap("ltibia ", "ltibia straight "),
        "only NaN": _text(lambda t: _each_number(t, "nan")),
        "only huge": _text(lambda t: _each_number(t, "1e308")),
        "no frames": _text(lambda t: "\n".join(t.splitlines()[:3])),
        "values before a frame": _swap("\n1\n", "\n"),
        "cut in a frame": _text(lambda t: t[: t.rindex("rradius")]),
        "no skeleton": lambda p: (p.parent / "07.asf").unlink(),
        "two other skeletons": _two_skeletons,
        "a line of 9 MB": lambda p: _write(p, "1 " * 4_500_000),
    }


def _two_skeletons(path: Path) -> None:
    for name in ("a.asf", "b.asf"):
        (path.parent / name).write_bytes((path.parent / "07.asf").read_bytes())
    (path.parent / "07.asf").unlink()


def _each_number(text: str, value: str) -> str:
    lines = []
    for line in text.splitlines():
        word, *rest = line.split()
        lines.append(" ".join([word, *[value] * len(rest)]) if word[0].isalpha() else line)
    return "\n".join(lines)


def _asf() -> dict[str, Damage]:
    many = "".join(f"  begin\n name b{n}\n  end\n" for n in range(30_000))
    return {
        "a circle": _text(_circle),
        "a bone below itself": _swap("lfemur ltibia", "lfemur lfemur"),
        "a bone below two": _swap("rfemur rtibia", "rfemur rtibia ltibia"),
        "the root below a bone": _swap("rfemur rtibia", "rfemur rtibia root"),
        "a bone of no name": _swap("name lfemur", "name"),
        "a bone that is no bone": _swap("rfemur rtibia", "rfemur rtibia tail"),
        "two of one name": _swap("name lfemur", "name rfemur"),
        "no hierarchy": _text(lambda t: t.split(":hierarchy")[0]),
        "no bones": _text(lambda t: t.split(":bonedata")[0] + ":hierarchy\nroot lfemur\n"),
        "an axis of words": _swap("axis 0.0", "axis east"),
        "an axis of NaN": _swap("axis 0.0", "axis nan"),
        "an order of two": _swap("  XYZ", "  XXY"),
        "freedom unknown": _swap("dof rx ry rz", "dof rx ry rw"),
        "a freedom twice": _swap("dof rx ry rz", "dof rx ry rx"),
        "a length of infinity": _swap("     length ", "     length 1e999\n     nothing "),
        "a skeleton without lengths": _text(lambda t: "\n".join(
            "     length 0" if x.strip().startswith("length") and "0.45" not in x else x
            for x in t.splitlines())),
        "limits of words": _swap("limits (", "limits (much "),
        "30,000 bones": _swap(":hierarchy", many + ":hierarchy"),
        "a bone without begin": _swap("  begin", ""),
    }  # fmt: skip


def _circle(text: str) -> str:
    """Cut a bone off from the root, and hang what it hung from below it."""
    text = text.replace("root lhipjoint rhipjoint to_spine1", "root lhipjoint rhipjoint")
    return text.replace("to_spine1 lowerback", "to_spine1 lowerback\n    lowerback to_spine1")


def _deepmimic() -> dict[str, Damage]:
    def rows(change: Callable[[list], Any]) -> Damage:
        def damage(path: Path) -> None:
            content = json.loads(path.read_text())
            content["Frames"] = change(content["Frames"])
            path.write_text(json.dumps(content))

        return damage

    return json_damages("Frames") | {
        "no frame": rows(lambda f: []),
        "43 numbers": rows(lambda f: [r[:43] for r in f]),
        "one frame of 43": rows(lambda f: [*f[:-1], f[-1][:43]]),
        "a frame of a number": rows(lambda f: [*f, 7]),
        "only NaN": rows(lambda f: [[float("nan")] * 44 for _ in f]),
        "only huge": rows(lambda f: [[1e300] * 44 for _ in f]),
        "only zeros": rows(lambda f: [[0.0] * 44 for _ in f]),
        "only null": rows(lambda f: [[None] * 44 for _ in f]),
        "words in it": rows(lambda f: [["word"] * 44 for _ in f]),
        "lists in it": rows(lambda f: [[[1]] * 44 for _ in f]),
        "long numbers": rows(lambda f: [[10**400] * 44 for _ in f]),
        "negative time": rows(lambda f: [[-1, *r[1:]] for r in f]),
        "1e-9 seconds": rows(lambda f: [[1e-9, *r[1:]] for r in f]),
        "2 GB of zeros": _sparse,
    }


def _mosh() -> dict[str, Damage]:
    def put(content: Callable[[Path], Any]) -> Damage:
        return lambda path: path.write_bytes(pickle.dumps(content(path), protocol=2)) and None

    poses = known_motion(4)

    def itself(_: Path) -> dict:
        content: dict = {"poses": poses}
        content["again"] = content
        return content

    return {
        "poses that run": put(lambda p: {"poses": Bomb(p.parent / "executed")}),
        "another key that runs": put(lambda p: {"poses": poses, "x": Bomb(p.parent / "executed")}),
        "objects that run": put(
            lambda p: {"poses": np.array([[Bomb(p.parent / "executed")] * 72], dtype=object)}
        ),
        "a list": put(lambda p: [1, 2]),
        "no poses": put(lambda p: {"betas": np.zeros(10)}),
        "poses of words": put(lambda p: {"poses": np.array([["a"] * 72])}),
        "poses are a list": put(lambda p: {"poses": [[0.0] * 72]}),
        "71 columns": put(lambda p: {"poses": poses[:, :71]}),
        "no frame": put(lambda p: {"poses": poses[:0]}),
        "three dimensions": put(lambda p: {"poses": poses[None]}),
        "degrees": put(lambda p: {"poses": poses * 57.3}),
        "only NaN": put(lambda p: {"poses": poses * np.nan}),
        "only infinity": put(lambda p: {"poses": poses + np.inf}),
        "a rate of words": put(lambda p: {"poses": poses, "fps": "fast"}),
        "a rate of NaN": put(lambda p: {"poses": poses, "fps": float("nan")}),
        "itself in it": put(itself),
    }
