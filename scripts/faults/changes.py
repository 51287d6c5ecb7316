"""Files as values, the values a little changed, and the file of that: what `fuzz.py` tries.

A change of random bytes ends at the first checksum or bracket. So most inputs are made in another
way: the file is read, a value in it is replaced, and it is written again.
"""

from __future__ import annotations

import io
import json
import pickle
import random
import tempfile
import zipfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
from safetensors import safe_open
from safetensors.torch import save
from scipy.io import savemat

from hmr_edu.io.errors import DataError
from hmr_edu.io.matlab import read_matlab
from hmr_edu.io.pickles import read_pickle

# Values that readers forget. Whole numbers of 5,000 digits cannot be printed.
NUMBERS = [0, 1, -1, 2, 3, 255, 2**31, 2**63, -(2**63) - 1, 10**400, 0.5, -0.0, 1e39, 1e308, 1e-320]
NUMBERS += [float("nan"), float("inf"), -float("inf")]
TEXTS = ["", " ", "\0", "\ud800", "a" * 5000, "../../x", "/dev/zero", "nan", "1e999", "\u2028", "é"]
NOTHING: list[Any] = [None, True, False, [], {}, [[]], {"": {}}, [0] * 5, [[0, 0], [0, 0]]]
WORDS = ["0", "-1", "1e999", "nan", "inf", "9" * 5000, "", "{", "}", "XYZ", "zzz", "\0", "#", "é"]
DTYPES = ["f2", "f4", "f8", "i1", "i4", "i8", "u1", "u8", "?", "c8", "S3", "U3", "M8[s]", ">f4"]
KINDS_OF_TENSORS = [torch.float16, torch.bfloat16, torch.float64, torch.int8, torch.uint8]
KINDS_OF_TENSORS += [torch.int64, torch.bool, torch.complex64, torch.float8_e4m3fn]
LARGEST = 200_000  # bytes of an input


class Codec(NamedTuple):
    """How a kind of file becomes values, and values a file."""

    read: Callable[[bytes], Any]
    write: Callable[[Any], bytes]


def _read_npz(data: bytes) -> dict[str, Any]:
    return dict(np.load(io.BytesIO(data), allow_pickle=False))


def _write_npz(arrays: Any) -> bytes:
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, array in arrays.items():
            member = io.BytesIO()
            np.lib.format.write_array(member, np.asanyarray(array), allow_pickle=True)
            archive.writestr(f"{name}.npy", member.getvalue())
    return file.getvalue()


def _read_matlab(data: bytes) -> Any:
    """Read a MATLAB file with the package's own reader: scipy's alone may end the process."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        for names in (["joints"], ["RELEASE"], ["annot2", "annot3"]):
            with suppress(DataError):
                return {name: read_matlab(file.name, "file", names)[name] for name in names}
    raise ValueError("none of the variables")


def _write_matlab(content: Any) -> bytes:
    file = io.BytesIO()
    savemat(file, content)
    return file.getvalue()


def _write_torch(content: Any) -> bytes:
    file = io.BytesIO()
    torch.save(content, file)
    return file.getvalue()


def _read_pickle(data: bytes) -> Any:
    """Read a pickle with the package's own reader: Python's would run what is in it."""
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        return read_pickle(file.name, "pickle")


def _read_safetensors(data: bytes) -> Any:
    with tempfile.NamedTemporaryFile() as file:
        Path(file.name).write_bytes(data)
        with safe_open(file.name, "pt") as archive:
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
            about = archive.metadata() or {}
    return {"tensors": tensors, "about": {name: json.loads(text) for name, text in about.items()}}


def _write_safetensors(content: Any) -> bytes:
    about = {name: json.dumps(value) for name, value in content["about"].items()}
    tensors = {name: value.contiguous() for name, value in content["tensors"].items()}
    return save(tensors, about)


def _json(value: Any) -> bytes:
    return json.dumps(value).encode()


CODECS = {
    "json": Codec(json.loads, _json),
    "lines": Codec(
        lambda data: [json.loads(line) for line in data.splitlines()],
        lambda rows: b"".join(_json(row) + b"\n" for row in rows),
    ),
    "npz": Codec(_read_npz, _write_npz),
    "matlab": Codec(_read_matlab, _write_matlab),
    "pickle": Codec(_read_pickle, lambda value: pickle.dumps(value, protocol=2)),
    "torch": Codec(lambda data: torch.load(io.BytesIO(data), weights_only=True), _write_torch),
    "safetensors": Codec(_read_safetensors, _write_safetensors),
}


def changed(kind: str, data: bytes, rng: random.Random) -> bytes | None:
    """Return a file with one to four values changed, or None where that cannot be done."""
    if kind == "bytes" or not data:
        return None
    if kind == "text":
        return _changed_text(data, rng)
    codec = CODECS[kind]
    try:
        value = codec.read(data)
        for _ in range(rng.choice((1, 1, 1, 2, 4))):
            value = _somewhere(value, rng)
        written = codec.write(value)
    except Exception:  # what was changed before cannot be written any more, or not be read
        return None
    return written if len(written) <= LARGEST else None


def _somewhere(value: Any, rng: random.Random) -> Any:
    """Change a value, or go on into one of its parts."""
    if isinstance(value, dict | list | tuple) and len(value) and rng.random() < 0.85:
        key = rng.choice(list(value)) if isinstance(value, dict) else rng.randrange(len(value))
        parts = dict(value) if isinstance(value, dict) else list(value)
        parts[key] = _somewhere(parts[key], rng)
        return tuple(parts) if isinstance(value, tuple) else parts
    if isinstance(value, np.ndarray):
        return _changed_array(value, rng)
    if torch.is_tensor(value):
        return _changed_tensor(value, rng)
    if isinstance(value, dict) and value and rng.random() < 0.7:
        return _changed_dict(value, rng)
    if isinstance(value, list | tuple) and value and rng.random() < 0.7:
        first, second = rng.randrange(len(value)), rng.randrange(len(value))
        parts = list(value)
        return rng.choice(
            [
                parts[:first] + parts[first + 1 :],
                [*parts, parts[first]],
                parts[:first],
                [*parts, parts],
                parts * rng.choice((2, 10)),
                [*parts[:first], parts[second], *parts[first + 1 :]],
            ]
        )
    return _another(value, rng)


def _another(value: Any, rng: random.Random) -> Any:
    """Return a value in the place of another one."""
    if rng.random() < 0.25:
        return rng.choice(NOTHING)
    if isinstance(value, bool | int | float) and rng.random() < 0.7:
        near = [value + 1, value - 1, -value, value * 1000] if abs(value) < 1e9 else [0]
        return rng.choice([*near, *NUMBERS, str(value)])
    if isinstance(value, str) and rng.random() < 0.7:
        cut = rng.randrange(len(value) + 1)
        return rng.choice(
            [*TEXTS, value[:cut], value + value, value[:cut] + "\ud800" + value[cut:]]
        )
    return rng.choice([*NUMBERS, *TEXTS])


def _changed_dict(value: dict, rng: random.Random) -> dict:
    key, other = rng.choice(list(value)), rng.choice(list(value))
    without = {name: part for name, part in value.items() if name != key}
    renamed = rng.choice([*TEXTS, *(["7", f"{key}x"] if isinstance(key, str) else [7, 10**400])])
    return rng.choice(
        [
            without,
            without | {renamed: value[key]},
            value | {renamed: value[key]},
            value | {key: value[other], other: value[key]},
        ]
    )


def _changed_array(array: np.ndarray, rng: random.Random) -> Any:
    """Return an array of another type, shape or order, or with another number in it."""
    choice = rng.randrange(9)
    if choice == 0:
        return array.astype(rng.choice(DTYPES))
    if choice == 1 and array.ndim:
        return np.asfortranarray(array) if rng.random() < 0.5 else array.swapaxes(0, -1)
    if choice == 2 and array.ndim:
        axis = rng.randrange(array.ndim)
        return array.take(range(rng.randrange(array.shape[axis] + 1)), axis)
    if choice == 3 and array.ndim:
        return np.concatenate([array, array[: rng.choice((1, 7))]])
    if choice == 4:
        return rng.choice([array[None], array.ravel(), array.reshape(-1, 1), array[..., None]])
    if choice == 5:
        return np.array(_another(array.ravel()[0].item() if array.size else 0, rng))
    if choice == 6:
        return np.full_like(array, rng.choice([n for n in NUMBERS if abs(n) < 2**62 or n != n]))
    if choice == 7 and rng.random() < 0.3:
        return array.astype(object)
    if array.size and array.dtype.kind in "biufc":
        array = array.copy()
        places = rng.choice((1, 1, 5))
        for _ in range(places):
            array.flat[rng.randrange(array.size)] = rng.choice(NUMBERS)
        return array
    if array.size:
        array = array.astype(f"{array.dtype.kind}5001")
        array.flat[rng.randrange(array.size)] = rng.choice(["", "a" * 5000, "x/../y", "é"])
    return array


def _changed_tensor(tensor: torch.Tensor, rng: random.Random) -> Any:
    """Return a tensor of another type, shape or layout, or with another number in it."""
    choice = rng.randrange(6)
    if choice == 0:
        return tensor.to(rng.choice(KINDS_OF_TENSORS))
    if choice == 1:
        return rng.choice([tensor[None], tensor.flatten(), tensor[:0], tensor.flatten()[:1]])
    if choice == 2 and tensor.ndim:
        return tensor[: rng.randrange(len(tensor) + 1)]
    if choice == 3:
        return tensor.to_sparse()
    if choice == 4:
        return tensor.T if tensor.ndim == 2 else torch.nn.Parameter(tensor.float())
    tensor = tensor.clone()
    if tensor.numel():
        tensor.view(-1)[rng.randrange(tensor.numel())] = rng.choice(
            [0, 1, -1, 1e30, float("nan"), float("inf")]
        )
    return tensor


def _changed_text(data: bytes, rng: random.Random) -> bytes:
    """Change words and lines of a text."""
    lines = data.decode("latin1").split("\n")
    for _ in range(rng.choice((1, 1, 2, 5))):
        k, j = rng.randrange(len(lines)), rng.randrange(len(lines))
        choice, words = rng.randrange(6), lines[k].split(" ")
        if choice == 0:
            del lines[k]
            lines = lines or [""]
        elif choice == 1:
            lines.insert(j, lines[k])
        elif choice == 2:
            lines[k], lines[j] = lines[j], lines[k]
        elif choice == 3:
            del words[rng.randrange(len(words))]
            lines[k] = " ".join(words)
        else:
            others = [*WORDS, *lines[j].split(" ")]
            words[rng.randrange(len(words))] = rng.choice(others)
            lines[k] = " ".join(words)
    return "\n".join(lines).encode("latin1", "replace")[:LARGEST]
