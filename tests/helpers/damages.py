"""What can be wrong with a file: with any file, with arrays in an npz, with JSON."""

from __future__ import annotations

import json
import os
import pickle
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np


class Bomb:
    """Unpickled by Python's own pickle, it writes a file; nothing may ever do that."""

    def __init__(self, marker: Path) -> None:
        self.marker = str(marker)

    def __reduce__(self) -> tuple:
        return open, (self.marker, "w")


Damage = Callable[[Path], None]


def _replaced(content: bytes) -> Damage:
    def damage(path: Path) -> None:
        path.write_bytes(content)

    return damage


def _cut(share: float) -> Damage:
    def damage(path: Path) -> None:
        content = path.read_bytes()
        path.write_bytes(content[: int(share * len(content))])

    return damage


def _linked(target: str) -> Damage:
    def damage(path: Path) -> None:
        path.unlink(missing_ok=True)
        path.symlink_to(path.name if target == "itself" else target)

    return damage


def _folder(path: Path) -> None:
    path.unlink(missing_ok=True)
    path.mkdir()


def _pipe(path: Path) -> None:
    path.unlink(missing_ok=True)
    os.mkfifo(path)


def _bomb(path: Path) -> None:
    path.write_bytes(pickle.dumps(Bomb(path.parent / "executed")))


ANY_FILE: dict[str, Damage] = {
    "empty": _replaced(b""),
    "text": _replaced(b"not what was expected\n" * 9),
    "random": _replaced(np.random.default_rng(0).bytes(5000)),
    "zeros": _replaced(bytes(5000)),
    "cut": _cut(0.5),
    "cut by a little": _cut(0.98),
    "a folder": _folder,
    "a named pipe": _pipe,
    "a device": _linked("/dev/zero"),
    "a link to itself": _linked("itself"),
    "a link to nowhere": _linked("nowhere-at-all"),
    "a pickle": _bomb,
}


def rewrite_npz(path: Path, change: Callable[[dict[str, Any]], None]) -> None:
    """Change the arrays of an npz, in place; an array may become the bytes of a member."""
    with np.load(path) as archive:
        arrays: dict[str, Any] = {name: archive[name] for name in archive.files}
    change(arrays)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                if isinstance(array, bytes):
                    member.write(array)
                else:
                    np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=True)


def header(dtype: str, shape: str, data: bytes = b"", order: str = "False") -> bytes:
    """Return an npy file with any header."""
    text = f"{{'descr': {dtype}, 'fortran_order': {order}, 'shape': {shape}, }}"
    text = text.ljust(118 - 10) + "\n"
    return b"\x93NUMPY\x01\x00" + len(text).to_bytes(2, "little") + text.encode() + data


def _zeros_without_end(path: Path, name: str) -> None:
    """Three gigabytes of zeros in three megabytes."""
    with zipfile.ZipFile(path) as archive:
        members = {n: archive.read(n) for n in archive.namelist()}
    rows = 3 * 2**30 // (4 * 72)
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for n, content in members.items():
            if n != f"{name}.npy":
                archive.writestr(n, content)
        with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
            member.write(header("'<f4'", f"({rows}, 72)"))
            for _ in range(3 * 1024 // 16):
                member.write(bytes(16 * 2**20))


def npz_damages(name: str) -> dict[str, Damage]:
    """List what can be wrong with one array of an npz."""

    def put(value: Any) -> Damage:
        def damage(path: Path) -> None:
            found = value(path) if callable(value) else value
            rewrite_npz(path, lambda arrays: arrays.update({name: found}))

        return damage

    def scaled(factor: float, dtype: str = "f8") -> Damage:
        def damage(path: Path) -> None:
            def change(arrays: dict[str, Any]) -> None:
                arrays[name] = np.full(arrays[name].shape, factor, dtype)

            rewrite_npz(path, change)

        return damage

    def drop(path: Path) -> None:
        rewrite_npz(path, lambda arrays: arrays.pop(name))

    def bombed(path: Path) -> np.ndarray:
        return np.array([Bomb(path.parent / "executed")], dtype=object)

    def single(path: Path) -> None:
        with path.open("wb") as file:
            np.save(file, np.zeros((3, 72)))

    def flipped(path: Path) -> None:
        content = bytearray(path.read_bytes())
        for i in range(len(content) // 3, len(content) // 3 + 40):
            content[i] ^= 0x55
        path.write_bytes(content)

    return {
        "array missing": drop,
        "a single array": single,
        "bits flipped": flipped,
        "objects": put(bombed),
        "raw bytes": put(b"\x80\x04not an array at all" * 50),
        "an empty member": put(b""),
        "a cut header": put(header("'<f4'", "(3, 72)")[:40]),
        "a shape without data": put(header("'<f4'", "(1000000000000, 72)")),
        "an endless shape": put(header("'<f4'", "(" + "9" * 30 + ", 72)")),
        "a negative shape": put(header("'<f4'", "(-1, 72)", bytes(288))),
        "a nested header": put(header("[" * 30 + "]" * 30, "(3,)")),
        "a header that is code": put(header("__import__('os').system('true')", "(3,)")),
        "fields": put(np.zeros(3, [("a", "f4"), ("b", "S9")])),
        "words": put(np.array([["a"] * 72] * 3)),
        "no number": put(np.zeros((0, 72), "f4")),
        "one number": put(np.float32(1)),
        "many dimensions": put(np.zeros((1,) * 30, "f4")),
        "complex": put(np.zeros((3, 72), "c16")),
        "NaN": scaled(np.nan),
        "infinite": scaled(np.inf),
        "1e160": scaled(1e160),
        "huge halves": scaled(60000, "f2"),
    }


def zeros_without_end(name: str) -> dict[str, Damage]:
    """Three gigabytes of zeros for an array, in three megabytes."""
    return {f"{name}: 3 GB of zeros": lambda path: _zeros_without_end(path, name)}


def some(damages: dict[str, Damage]) -> dict[str, Damage]:
    """Keep every fourth: where files of a kind have been tried in full already."""
    return dict(list(damages.items())[::4])


def json_damages(*keys: str) -> dict[str, Damage]:
    """List what can be wrong with a JSON file; `keys` leads to the value that is exchanged."""

    def put(value: Any) -> Damage:
        def damage(path: Path) -> None:
            content = json.loads(path.read_text())
            inner = content
            for key in keys[:-1]:
                inner = inner[key]
            if value is None:
                del inner[keys[-1]]
            else:
                inner[keys[-1]] = value
            path.write_text(json.dumps(content))

        return damage

    whole = {
        "null": _replaced(b"null"),
        "a number": _replaced(b"7"),
        "a list": _replaced(b"[1, 2]"),
        "a word": _replaced(b'"word"'),
        "an empty object": _replaced(b"{}"),
        "nested": _replaced(b'{"a":' * 100_000 + b"1" + b"}" * 100_000),
        "nested lists": _replaced(b"[" * 100_000),
        "not UTF-8": _replaced(b'{"a": "\xff\xfe"}'),
        "a long number": _replaced(b'{"a": ' + b"9" * 5000 + b"}"),
    }
    if not keys:
        return whole
    return whole | {
        "key missing": put(None),
        "list for value": put([1]),
        "object for value": put({"a": {"b": 1}}),
        "word for value": put("\u2028<b>many</b>"),
        "NaN for value": put(float("nan")),
        "1e999 for value": put(float("inf")),
        "long number for value": put(10**400),
    }


def copied(source: Path, folder: Path) -> Path:
    """Copy a file or folder into a folder."""
    target = folder / source.name
    if source.is_dir():
        shutil.copytree(source, target)
    else:
        shutil.copyfile(source, target)
    return target
