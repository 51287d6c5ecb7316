"""Start a network from the weights of another one."""

from __future__ import annotations

import math
import warnings
from collections.abc import Collection
from pathlib import Path

import torch
from torch import Tensor
from torch.nn.functional import interpolate

from hmr_edu.body import same_shapes
from hmr_edu.encoder.heads import SpatialHead
from hmr_edu.hmr import HMR, read_network, weights_path
from hmr_edu.io.errors import DataError, first_meaning
from hmr_edu.io.precision import at_least

# Options that may be larger than in the weights from which a network starts.
WIDTHS = ("width", "hidden")
# Options that may differ: they add layers, which begin at random.
ADDED = ("confidence",)
# Weights that fill a smaller share of the network are no start: biases alone often fit.
LEAST = 0.01
# The first layer of a regressor: it reads every cell of the last map by itself.
FIRST = ("regressor.perceptrons.", ".0.weight")


def transfer(model: HMR, name_or_path: str | Path) -> list[str]:
    """Copy the weights of another network into `model`; return the names of unchanged tensors.

    If `model` differs only by being wider (`width`, `hidden`), every tensor is copied: the wide
    network then gives the same output as the narrow one, and has units left to learn more (Chen et
    al. 2016, "Net2Net"). Otherwise the tensors of equal shape are copied. At another resolution the
    last map of a spatial head has more or fewer cells: `resized` fits the regressors to them.

    Raises as `load_pretrained`, and DataError when hardly anything fits or the activation differs.
    """
    path = weights_path(name_or_path)
    options, tensors = read_network(path)
    own = model.state_dict()
    same_size = options.get("image_size") == model.options["image_size"]
    head = getattr(model.encoder, "head", None)
    if isinstance(head, SpatialHead) and not same_size and _same_maps(options, model.options):
        cells = math.ceil(options["image_size"] / model.encoder.backbone.stride)
        tensors |= {
            name: resized(tensor, head, cells)
            for name, tensor in tensors.items()
            if name.startswith(FIRST[0]) and name.endswith(FIRST[1])
        }
        options["image_size"] = model.options["image_size"]
    wider = (
        # The features of an averaging head grow with the width, and the old ones do not come first.
        model.options["pooling"] == "spatial"
        and all(options.get(k) == v for k, v in model.options.items() if k not in (*WIDTHS, *ADDED))
        and all(options.get(k, math.inf) <= model.options[k] for k in WIDTHS)
    )
    try:
        fits = {
            name: widened(tensor, own[name]) if wider else tensor.to(own[name].dtype)
            for name, tensor in tensors.items()
            if name in own
            and (wider or own[name].shape == tensor.shape)
            and own[name].is_floating_point() == tensor.is_floating_point()
        }
    except (RuntimeError, IndexError) as error:
        reason = first_meaning(error)
        raise DataError(f"{path}: the weights do not fit its own options ({reason})") from None
    if copied_share(model, own.keys() - fits.keys()) < LEAST:
        raise DataError(
            f"{path}: hardly anything of these weights fits the network; "
            f"they were made with {_options_of(options, model.options)}"
        )
    activation = options.get("activation", "relu")
    if activation != model.options["activation"] and any("perceptrons" in name for name in fits):
        raise DataError(f"{path}: its regressor needs --model.activation {activation}")
    trained, body = str(options.get("body", "lite")), str(model.options["body"])
    if not same_shapes(trained, body):
        warnings.warn(
            f"{name_or_path} was trained with the body {trained}: the betas of "
            f"{body} mean another shape, and must be learnt anew",
            stacklevel=2,
        )
    model.load_state_dict(fits, strict=False)
    return sorted(own.keys() - fits.keys())


def copied_share(model: HMR, unchanged: Collection[str]) -> float:
    """Return the share of a network's numbers that `transfer` copied, counters left out."""
    sizes = {n: t.numel() for n, t in model.state_dict().items() if t.is_floating_point()}
    return sum(size for n, size in sizes.items() if n not in unchanged) / sum(sizes.values())


def _options_of(options: dict, own: dict) -> str:
    """Say which options of weights differ from those of a network, as they are typed."""
    differ = {name: options[name] for name in own if options.get(name, own[name]) != own[name]}
    room = {"image_size": "data"}
    typed = (
        f"--{room.get(name, 'model')}.{name.replace('_', '-')} {value}"
        for name, value in differ.items()
    )
    return " ".join(typed) or "the same options, but other tensors"


def _same_maps(options: dict, own: dict) -> bool:
    """Return whether two networks differ in the size of their maps, but not in what they mean."""
    return "image_size" in options and all(
        options.get(k) == own[k] for k in ("encoder", "stem", "pooling")
    )


def resized(weight: Tensor, head: SpatialHead, cells: int) -> Tensor:
    """Fit a regressor's first layer to the last map of a head.

    The weights of a channel are a map of the picture. It is interpolated, and divided by how many
    more cells there are: a map that shows the same then gives the same sum.

    Args:
        weight: [units, features and state] of a network whose last map has `cells` on a side.
        head: has the size of the new map.
        cells: along each side of the old map.
    """
    before, maps = head.of_keypoints, head.squeezed * cells**2
    if weight.ndim != 2 or weight.shape[1] < before + maps:
        return weight  # of other options than it says: `transfer` compares the shapes
    first, old, state = weight.split([before, maps, weight.shape[1] - before - maps], dim=1)
    old = old.unflatten(1, (head.squeezed, cells, cells))
    size = (head.last_map, head.last_map)
    new = interpolate(old.to(at_least(old.dtype)), size=size, mode="bilinear", align_corners=False)
    new = new.to(old.dtype) * (cells / head.last_map) ** 2
    return torch.cat([first, new.flatten(1), state], dim=1)


def widened(narrow: Tensor, wide: Tensor) -> Tensor:
    """Copy a narrow layer's tensor over the first rows and columns of a wide layer's.

    The weights from new units to old units become 0, so the old units compute what they computed
    before. The new units keep their own weights from all units.
    """
    result = wide.clone()
    if narrow.ndim > 1:
        result[: len(narrow), narrow.shape[1] :] = 0
    result[tuple(slice(n) for n in narrow.shape)] = narrow.to(wide.dtype)
    return result
