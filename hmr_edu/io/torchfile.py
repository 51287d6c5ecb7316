"""Read files of tensors, of `torch.save` and safetensors: nothing in them is executed."""

from __future__ import annotations

import io
import pickle
import warnings
import zipfile
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file

from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.files import check_input


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


def read_torch(file: Any, complaint: str) -> Any:
    """Read tensors from an open file; raise DataError, which begins with a complaint."""
    try:
        _check_sizes(file)
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


def _check_sizes(file: Any) -> None:
    """Raise DataError on an archive that grows when it is unpacked: PyTorch compresses nothing."""
    size = file.seek(0, io.SEEK_END)
    file.seek(0)
    if zipfile.is_zipfile(file):
        file.seek(0)
        with zipfile.ZipFile(file) as archive:
            unpacked = sum(member.file_size for member in archive.infolist())
        if unpacked > size:
            raise DataError(f"{size:,} bytes that unpack to {unpacked:,}")
    file.seek(0)
