"""Data sets of photographs of which one file is damaged, looked through by `hmr-edu data check`."""

from __future__ import annotations

import pickle
import zlib
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import numpy as np
from helpers.damages import (
    ANY_FILE,
    Bomb,
    Damage,
    copied,
    json_damages,
    npz_damages,
    some,
    zeros_without_end,
)
from helpers.data_layouts import LAYOUTS, made_up
from helpers.hostile import Call, Case, command
from scipy.io import loadmat, savemat

DATA_SETS = ("sets in npz", "sets in JSON", "sets in MATLAB", "sets in pickles")
# Of each layout, the file that is damaged.
FILES = {
    "coco": "annotations/person_keypoints_train2017.json",
    "lsp": "joints.mat",
    "lspet": "joints.mat",
    "mpii": "annotations/mpii_human_pose_v1_u12_1.mat",
    "mpii of HRNet": "annot/train.json",
    "aic": "keypoint_train_annotations_20170909.json",
    "mpi-inf-3dhp": "S1/Seq1/annot.mat",
    "3dpw": "sequenceFiles/train/walking_00.pkl",
    "spin": "mpi_inf_train.npz",
    "4dhumans": "anything_train.npz",
    "openpose": "0001_keypoints.json",
}


def write_data_sets(folder: Path) -> None:
    """Write a good data set of each layout."""
    for kind in FILES:
        LAYOUTS[kind][1](folder / kind.replace(" ", "_"), made_up())


def data_sets(good: Path) -> Iterator[Case]:
    """Yield all cases; `good` is a folder in which `write_data_sets` wrote."""
    for kind, name, damage in _damages():
        yield Case(kind[0], f"{kind[1]}: {name}", _prepare(good, kind[1], damage), _said(kind[1]))


def _said(kind: str) -> str:
    return Path(FILES[kind]).name


def _prepare(good: Path, kind: str, damage: Damage) -> Callable[[Path], Call]:
    def prepare(folder: Path) -> Call:
        path = copied(good / "sets" / kind.replace(" ", "_"), folder)
        damage(path / FILES[kind])
        # A file that is no file is found by its name only.
        whole = kind not in ("openpose", "3dpw", "mpi-inf-3dhp", "mpii", "4dhumans", "spin")
        place = path if whole else path / FILES[kind]
        return command("data", "check", f"{LAYOUTS[kind][0]}={place}", "--pictures", 2)

    return prepare


def _damages() -> Iterator[tuple[tuple[str, str], str, Damage]]:
    """Yield (kind, layout), the name of a damage, and the damage."""
    fine = {
        # What these may be: far away, unknown.
        *(("center", "huge halves"), ("pose", "NaN"), ("pose", "huge halves")),
        *((name, "array missing") for name in ("S", "pose", "body_pose", "extra_keypoints_2d")),
    }
    for layout, arrays in (
        ("spin", ("part", "imgname", "center", "S", "pose")),
        ("4dhumans", ("extra_keypoints_2d", "body_pose")),
    ):
        damages = ANY_FILE | zeros_without_end(arrays[0])
        for number, array in enumerate(arrays):
            found = npz_damages(array)
            found = found if (layout, number) == ("spin", 0) else some(found)
            damages |= {f"{array}: {k}": d for k, d in found.items() if (array, k) not in fine}
        for name, damage in damages.items():
            yield (DATA_SETS[0], layout), name, damage
    for layout, keys in (
        ("coco", ("annotations", 1, "keypoints")),
        ("aic", (0, "keypoint_annotations", "human1")),
        ("mpii of HRNet", (0, "joints")),
        ("openpose", ("people", 0, "pose_keypoints_2d")),
    ):
        every = ANY_FILE | json_damages(*keys)  # ty: ignore
        if layout == "aic":
            every.pop("key missing")  # a person of whom only the box is known
        for name, damage in every.items():
            yield (DATA_SETS[1], layout), name, damage
    for layout in ("lsp", "lspet", "mpii", "mpi-inf-3dhp"):
        damages = ANY_FILE | _matlab()
        if layout.startswith("lsp"):
            damages |= _joints()
        for name, damage in damages.items():
            yield (DATA_SETS[2], layout), name, damage
    for name, damage in (ANY_FILE | _sequences()).items():
        yield (DATA_SETS[3], "3dpw"), name, damage


def _matlab() -> dict[str, Damage]:
    """List what can be wrong with any MATLAB file."""

    def element(kind: int, content: bytes) -> bytes:
        return kind.to_bytes(4, "little") + len(content).to_bytes(4, "little") + content

    def whole(*elements: bytes) -> Damage:
        header = b"MATLAB 5.0 MAT-file".ljust(124) + b"\x00\x01IM"

        def damage(path: Path) -> None:
            path.write_bytes(header + b"".join(elements))

        return damage

    def matrix(kind: int, name: bytes, size: bytes, content: bytes) -> bytes:
        flags = element(6, kind.to_bytes(4, "little") + bytes(4))
        padded = name.ljust(8, b"\0")
        tag = (1).to_bytes(4, "little") + len(name).to_bytes(4, "little")
        return element(14, flags + element(5, size) + tag + padded + content)

    one = (1).to_bytes(4, "little") * 2

    def nested(depth: int) -> bytes:
        inner = matrix(6, b"joints", one, element(9, bytes(8)))
        for _ in range(depth):
            inner = matrix(1, b"joints", one, inner)
        return inner

    def zeros(path: Path) -> None:
        """Write three gigabytes of zeros as a compressed variable."""
        pack = zlib.compressobj(1)
        size = (3 * 2**30).to_bytes(4, "little")
        parts = [pack.compress((14).to_bytes(4, "little") + size)]
        flags = element(6, (6).to_bytes(4, "little") + bytes(4))
        sizes = element(5, (3).to_bytes(4, "little") + (2**27).to_bytes(4, "little"))
        name = (1).to_bytes(4, "little") + (6).to_bytes(4, "little") + b"joints\0\0"
        length = (9).to_bytes(4, "little") + (3 * 2**30 - 100).to_bytes(4, "little")
        parts.append(pack.compress(flags + sizes + name + length))
        parts += [pack.compress(bytes(2**24)) for _ in range(192)]
        whole(element(15, b"".join(parts) + pack.flush()))(path)

    def saved(**variables: Any) -> Damage:
        return lambda path: savemat(path, variables)

    def hdf5(path: Path) -> None:
        path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(500))

    return {
        "HDF5": hdf5,
        "3 GB of zeros": zeros,
        "nested 60": whole(nested(60)),
        "nested 100,000": whole(nested(1000) * 3),
        "another variable": saved(other=np.zeros(3)),
        "no variable": whole(),
        "a part that is none": whole(element(99, bytes(16))),
        "a size that is none": whole(b"\x0e\0\0\0\xff\xff\xff\x7f" + bytes(64)),
        "words": saved(joints="words", RELEASE="words", annot2="words", annot3="words"),
        "numbers": saved(joints=3.0, RELEASE=3.0, annot2=3.0, annot3=3.0),
        "compressed nonsense": whole(element(15, b"nonsense" * 9)),
    }


def _joints() -> dict[str, Damage]:
    """List what can be wrong with LSP's joints."""

    def changed(change: Callable[[np.ndarray], np.ndarray]) -> Damage:
        def damage(path: Path) -> None:
            savemat(path, {"joints": change(loadmat(path)["joints"])})

        return damage

    def put(value: float) -> Damage:
        def change(joints: np.ndarray) -> np.ndarray:
            joints = joints.copy()
            joints.reshape(-1)[:] = value
            return joints

        return changed(change)

    return {
        "axes exchanged": changed(lambda joints: joints.transpose(2, 1, 0)),
        "15 joints": changed(lambda joints: np.concatenate([joints, joints], 0)),
        "nobody": changed(lambda joints: joints[..., :0]),
        "NaN": put(np.nan),
        "infinite": put(np.inf),
        "flags of 7": put(7),
        "complex": changed(lambda joints: joints * 1j),
    }


def _sequences() -> dict[str, Damage]:
    """List what can be wrong with a sequence of 3DPW."""

    def changed(change: Callable[[dict[str, Any]], Any]) -> Damage:
        def damage(path: Path) -> None:
            content = pickle.loads(path.read_bytes())
            content = change(content) or content
            path.write_bytes(pickle.dumps(content, protocol=2))

        return damage

    def put(name: str, value: Any) -> Damage:
        return changed(lambda content: content.update({name: value}))

    def _drop(content: dict[str, Any], name: str) -> None:
        del content[name]

    def filled(name: str, value: float, person: bool = True) -> Damage:
        def change(content: dict[str, Any]) -> None:
            array = content[name][0] if person else content[name]
            array[:] = value

        return changed(change)

    def bomb(path: Path) -> None:
        content = pickle.loads(path.read_bytes())
        content["betas"] = Bomb(path.parent / "executed")
        path.write_bytes(pickle.dumps(content))

    def cyclic(content: dict[str, Any]) -> None:
        content["poses"] = [content]

    missing = ("poses", "poses2d", "cam_poses", "campose_valid", "sequence")
    return {
        "a pickle within": bomb,
        "it holds itself": changed(cyclic),
        "a list": changed(lambda content: [1, 2, 3]),
        **{f"no {name}": changed(lambda c, name=name: _drop(c, name)) for name in missing},
        "no poses in it": put("poses", []),
        "poses are words": put("poses", ["a", "b"]),
        "17 joints": put("poses2d", [np.zeros((3, 3, 17))] * 2),
        "one person's keypoints": changed(lambda c: c["poses2d"].__delitem__(0)),
        "fewer frames": changed(lambda c: c.update(cam_poses=c["cam_poses"][:1])),
        "a camera that scales": filled("cam_poses", 2, person=False),
        "NaN in the camera": filled("cam_poses", np.nan, person=False),
        "NaN in a pose": changed(lambda c: c["poses"][0].__setitem__((0, 5), np.nan)),
        "infinite poses": filled("poses", np.inf),
        "NaN in keypoints": filled("poses2d", np.nan),
        "keypoints far away": filled("poses2d", 1e30),
        "no picture is valid": changed(
            lambda c: c.update(campose_valid=[np.zeros(3, int), np.zeros(3, int)])
        ),
        "ragged": put("poses", [[[1, 2], [3]], [[1]]]),
        "text for a name": put("sequence", 7),
    }
