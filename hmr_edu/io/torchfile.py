"""Read files of tensors, of `torch.save` and safetensors: nothing in them is executed."""

from __future__ import annotations

import io
import pickle
import tarfile
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file
from torch import Tensor

from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.files import check_input
from hmr_edu.io.pickles import check_pickle

# Types of numbers that every function knows.
PLAIN = {
    *(torch.bool, torch.uint8, torch.int8, torch.int16, torch.int32, torch.int64),
    *(torch.float16, torch.bfloat16, torch.float32, torch.float64),
    *(torch.complex64, torch.complex128),
}
# How an archive begins, and how many pickles a file has that is none: PyTorch's older format.
ZIP, PICKLES = b"PK\3\4", 5


def read_torch_file(path: str | Path, what: str) -> Any:
    """Read a file of tensors onto the CPU.

    Raises FileNotFoundError when there is no such file, DataError when it is damaged or holds more
    than tensors and plain values; both say `what` was expected.
    """
    path = check_input(path, what)
    with path.open("rb") as file:
        return read_torch(file, f"{path}: no {what} that can be read")


def read_tensors(path: str | Path, what: str) -> Any:
    """Read a file of tensors: safetensors by its ending, else what `torch.save` wrote.

    Raises as `read_torch_file`.
    """
    path = check_input(path, what)
    if path.suffix != ".safetensors":
        return read_torch_file(path, what)
    try:
        return load_file(path)
    except Exception as error:  # safetensors' own, and PyTorch's on types that it does not know
        reason = first_meaning(error)
        raise DataError(f"{path}: no {what} that can be read ({reason})") from None


def check_plain(tensor: Tensor, where: str) -> None:
    """Raise DataError, which begins with `where`, on a tensor that PyTorch cannot compute with.

    A file may hold sparse, quantised and nested ones, some without numbers, and types of eight bits
    that few functions know: they fail anywhere, each in its own way.
    """
    strided = tensor.layout == torch.strided and not tensor.is_nested
    if not strided or tensor.is_quantized or tensor.is_meta:
        raise DataError(f"{where} is no plain tensor: {tensor.layout}, {tensor.device}")
    if tensor.dtype not in PLAIN:
        raise DataError(f"{where} is {tensor.dtype}, which is not read")


def read_torch(file: Any, complaint: str) -> Any:
    """Read tensors from an open file; raise DataError, which begins with a complaint."""
    try:
        _check(file)
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # of old formats
            return torch.load(file, map_location="cpu", weights_only=True)
    except pickle.UnpicklingError as error:
        # Its message advises to execute what is in the file.
        more = "Unsupported" in str(error) or "WeightsUnpickler" in str(error)
        reason = "more than tensors and plain values is in it" if more else first_meaning(error)
        raise DataError(f"{complaint} ({reason})") from None
    # Damaged files fail inside PyTorch in a dozen ways.
    except Exception as error:
        raise DataError(f"{complaint} ({first_meaning(error)})") from None


def _check(file: Any) -> None:
    """Raise DataError on a file that PyTorch would read without an end, or that grows by it."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    archived = file.read(len(ZIP)) == ZIP
    file.seek(0)
    if archived:
        with zipfile.ZipFile(file) as archive:
            members = archive.infolist()
            # PyTorch compresses nothing.
            unpacked = sum(member.file_size for member in members)
            if unpacked > size:
                raise DataError(f"{size:,} bytes that unpack to {unpacked:,}")
            # Names may stand twice, and PyTorch takes capital letters for small ones.
            for member in members:
                if member.filename.lower().endswith("data.pkl"):
                    with archive.open(member) as content:
                        check_pickle(content)
    elif tarfile.is_tarfile(file):
        raise DataError("a format that PyTorch left in 2016")
    else:
        file.seek(0)
        for _ in range(PICKLES):
            check_pickle(file)
    file.seek(0)
