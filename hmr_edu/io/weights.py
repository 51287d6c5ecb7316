"""A network's file of weights: its tensors, and the options that the network was built with."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Annotated, Any, TypedDict

from safetensors import safe_open
from torch import Tensor

from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.files import check_input
from hmr_edu.io.quantisation import unpack
from hmr_edu.io.ranges import Range
from hmr_edu.io.schema import check_type, shown
from hmr_edu.io.torchfile import check_plain

# Options of every network: of a training run, and in a file of weights.
Width = Annotated[int, Range(1, 1024)]
Hidden = Annotated[int, Range(1, 16_384)]
Iterations = Annotated[int, Range(1, 100)]
Dropout = Annotated[float, Range(0, 1, open_high=True)]
ImageSize = Annotated[int, Range(1, 4096)]
# Key of the options in the file's metadata.
OPTIONS = "hmr_edu"
_PERCEPTRONS = "regressor.perceptrons."
# Encoders whose width a tensor tells: its name, and its rows for each unit of width. Any other
# encoder may use the width as it likes, or not at all.
_WIDTHS = {
    "resnet18": ("encoder.backbone.conv1.weight", 1),
    "resnet50": ("encoder.backbone.conv1.weight", 1),
    "keypoints": ("encoder.first.weight", 8),
}


class NetworkOptions(TypedDict, total=False):
    """Options of `hmr_edu.hmr.HMR`, as a file keeps them; older files lack some."""

    encoder: str
    body: str
    image_size: ImageSize
    width: Width
    stem: str
    pooling: str
    iterations: Iterations
    share_weights: bool
    representation: str
    hidden: Hidden
    dropout: Dropout
    learn_mean: bool
    activation: str
    confidence: bool


def read_weights(path: Path) -> tuple[dict[str, Any], dict[str, Tensor]]:
    """Return the options and the tensors of a file that `HMR.save` has written.

    Raises FileNotFoundError, or DataError when the file is damaged or foreign, when an option is
    outside its range or unlike its tensors, and when a weight is NaN or infinite.
    """
    try:
        with safe_open(check_input(path, "weights"), framework="pt") as archive:
            metadata = archive.metadata() or {}
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
    except (FileNotFoundError, DataError):
        raise
    except Exception as error:  # safetensors' own, and PyTorch's on types that it does not know
        reason = first_meaning(error)
        raise DataError(f"{path}: damaged or not a safetensors file ({reason})") from None
    if OPTIONS not in metadata:
        raise DataError(f"{path}: not written by hmr_edu (no options in its metadata)")
    try:
        options = json.loads(metadata[OPTIONS])
    except (ValueError, RecursionError):
        raise DataError(f"{path}: its options are not JSON") from None
    try:
        check_type(options, NetworkOptions, "the options")
        if unknown := sorted(options.keys() - NetworkOptions.__annotations__.keys()):
            raise DataError(f"its options hold {shown(unknown[0])}, unknown to this version")
        for name, tensor in tensors.items():
            check_plain(tensor, name)
        tensors = unpack(tensors)
        for name, tensor in tensors.items():
            if tensor.is_complex() or not tensor.isfinite().all():
                raise DataError(f"{name} is not finite: the training diverged, or it is damaged")
        check_sizes(options, tensors)
    except DataError as error:
        raise DataError(f"{path}: {error}") from None
    return options, tensors


def check_sizes(options: Mapping[str, Any], tensors: Mapping[str, Tensor]) -> None:
    """Raise DataError where options ask for more than the tensors hold.

    They are believed no further: a network is built from them before its tensors are compared.
    """
    steps = 1 if options.get("share_weights", True) else options.get("iterations")
    perceptrons = {name.split(".")[2] for name in tensors if name.startswith(_PERCEPTRONS)}
    sizes = {
        "width": _width(options.get("encoder", "resnet50"), tensors),
        "hidden": _rows(tensors, f"{_PERCEPTRONS}0.0.weight"),
    }
    for option, size in sizes.items():
        if size is not None and option in options and size != options[option]:
            raise DataError(f"the options say {option} {options[option]}, the tensors {size}")
    if perceptrons and "share_weights" in options and len(perceptrons) != steps:
        raise DataError(
            f"the options ask for {steps} regressor(s), the tensors hold {len(perceptrons)}"
        )


def _width(encoder: str, tensors: Mapping[str, Tensor]) -> int | None:
    """Return the width that the encoder's tensors have; None where they do not tell it."""
    if encoder not in _WIDTHS:
        return None
    name, rows_of_unit = _WIDTHS[encoder]
    rows = _rows(tensors, name)
    return None if rows is None else rows // rows_of_unit


def _rows(tensors: Mapping[str, Tensor], name: str) -> int | None:
    tensor = tensors.get(name)
    return len(tensor) if tensor is not None and tensor.ndim else None


def check_state(
    saved: Mapping[str, Any], own: Mapping[str, Tensor], where: str, same_type: bool = True
) -> None:
    """Compare a state dict with that of a network.

    Raises DataError that names the first tensor that is missing, unknown, of another shape or type.

    Args:
        saved: what has been read.
        own: what the network has.
        where: begins the message.
        same_type: whether float16 for float32 is a fault; whole numbers for others always are.
    """
    for key in [*own, *saved]:
        if key not in saved or key not in own:
            raise DataError(f"{where}{key!s:.80} is {'unknown' if key in saved else 'missing'}")
        check_tensor(saved[key], own[key], f"{where}{key}", same_type)


def check_tensor(saved: Any, own: Tensor, where: str, same_type: bool = True) -> None:
    """Raise DataError, which begins with `where`, where a tensor does not fit; see `check_state`.

    Args:
        saved: what has been read.
        own: what the network has.
        where: begins the message.
        same_type: whether float16 for float32 is a fault.
    """
    if not isinstance(saved, Tensor):
        raise DataError(f"{where} must be a tensor, not {shown(saved)}")
    if saved.shape != own.shape:
        raise DataError(f"{where} has the shape {list(saved.shape)}, not {list(own.shape)}")
    kinds = saved.is_floating_point(), own.is_floating_point()
    if (same_type and saved.dtype != own.dtype) or kinds[0] != kinds[1] or saved.is_sparse:
        raise DataError(f"{where} is {saved.dtype}, not {own.dtype}")
