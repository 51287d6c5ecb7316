"""What every backbone has: maps of several resolutions, and weights that a public file may give."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from pathlib import Path

import torch
from torch import Tensor, nn

from hmr_edu.io.errors import DataError
from hmr_edu.io.torchfile import check_plain, read_tensors

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)
STEMS = ("imagenet", "small")


class Backbone(nn.Module):
    """A network without its classifier: normalised images in, a list of maps out, finest first.

    `stage_channels` are the channels of the maps, `stride` is the pixels of an image for each cell
    of the last one, `first` is the layer that reads colours. `mean` and `std` of the colours
    belong to the public weights. The pooling "average" reads the last map, "spatial" the last
    three: a spatial head needs a backbone of at least three.
    """

    mean = IMAGENET_MEAN
    std = IMAGENET_STD
    # Tensors of public files that belong to the classifier.
    classifier = "fc."
    stage_channels: list[int]
    stride: int

    @property
    def first(self) -> nn.Conv2d:
        """The layer that reads colours."""
        raise NotImplementedError

    def own_name(self, public: str) -> str:
        """Return what a tensor of a public file is called here."""
        return public

    def load(self, path: str | Path) -> None:
        """Load public weights of this backbone; see `read`."""
        self.load_state_dict(self.read(path))

    def read(self, path: str | Path) -> dict[str, Tensor]:
        """Read public weights of this backbone (.safetensors, or .pth, read without pickle).

        The classifier is left out. Raises FileNotFoundError, or DataError that names the first key
        that is missing, unknown, of another shape or type, or not finite.
        """
        path = Path(path)
        public = {self.own_name(k): v for k, v in _read_weights(path).items()}
        weights = {k: v for k, v in public.items() if not k.startswith(self.classifier)}
        expected = self.state_dict()
        for key in expected.keys() - weights.keys():
            # The oldest files have no such counters; nothing here depends on them.
            if key.endswith("num_batches_tracked"):
                weights[key] = torch.zeros_like(expected[key], device="cpu")
        for key, tensor in expected.items():
            if key not in weights:
                raise DataError(f"{path}: no {key}; the file holds another network")
            if weights[key].shape != tensor.shape:
                raise DataError(
                    f"{path}: {key} has shape {list(weights[key].shape)}, this backbone's has "
                    f"{list(tensor.shape)}; name, width and stem must be those of the file"
                )
            if weights[key].is_floating_point() != tensor.is_floating_point():
                raise DataError(f"{path}: {key} is {weights[key].dtype}, not {tensor.dtype}")
            if not weights[key].isfinite().all():
                raise DataError(f"{path}: {key} is not finite; the file is damaged")
        unknown = sorted(weights.keys() - expected.keys())
        if unknown:
            raise DataError(f"{path}: {unknown[0]} is no part of this backbone; another network?")
        return weights


def check_choice(option: str, value: str, choices: Iterable[str]) -> None:
    """Raise ValueError that lists the choices of an option."""
    if value not in choices:
        raise ValueError(f"{option} must be one of {', '.join(choices)}, got {value!r}")


def _read_weights(path: Path) -> Mapping[str, Tensor]:
    weights = read_tensors(path, "file of backbone weights")
    plain = isinstance(weights, Mapping) and all(
        isinstance(name, str) and torch.is_tensor(value) for name, value in weights.items()
    )
    if not plain:
        raise DataError(f"{path}: holds no plain state dict (names to tensors)")
    for name, value in weights.items():
        check_plain(value, f"{path}: {name}")
    return weights
