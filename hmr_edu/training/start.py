"""Start a network from the weights of another one."""

from __future__ import annotations

import math
import warnings
from pathlib import Path

from torch import Tensor

from hmr_edu.body import same_shapes
from hmr_edu.hmr import HMR, read_network, weights_path
from hmr_edu.io.errors import DataError, first_meaning

# Options that may be larger than in the weights from which a network starts.
WIDTHS = ("width", "hidden")
# Options that may differ: they add layers, which begin at random.
ADDED = ("confidence",)


def transfer(model: HMR, name_or_path: str | Path) -> list[str]:
    """Copy the weights of another network into `model`; return the names of unchanged tensors.

    If `model` differs only by being wider (`width`, `hidden`), every tensor is copied: the wide
    network then gives the same output as the narrow one, and has units left to learn more (Chen et
    al. 2016, "Net2Net"). Otherwise, for example at another resolution, the tensors of equal shape
    are copied.

    Raises as `load_pretrained`, and DataError when no tensor fits or the activation differs.
    """
    path = weights_path(name_or_path)
    options, tensors = read_network(path)
    own = model.state_dict()
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
    if not fits:
        raise DataError(f"{path}: no tensor of these weights fits the network")
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
