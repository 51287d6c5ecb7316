"""The mean of several networks that were trained from one start: a model soup.

Weights that fine-tuning has reached from one start lie in one valley of the loss, and so does their
mean. It is often better than each of them, most of all on pictures unlike those of the training
(Wortsman et al. 2022, "Model soups"). Networks from different starts have no such mean.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

import torch
from torch import Tensor

from hmr_edu.data.synthetic.people import SyntheticPeople
from hmr_edu.encoder.keypoints import KeypointEncoder
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_output
from hmr_edu.io.jsonfile import write_json
from hmr_edu.io.provenance import environment
from hmr_edu.training.averaging import NORM_PICTURES, recalibrate_batch_norm
from hmr_edu.training.origin import origin
from hmr_edu.training.presets import people_preset
from hmr_edu.training.setup import pose_source


def average_weights(
    weights: Sequence[str],
    shares: Sequence[float | int] | None = None,
    images: int = NORM_PICTURES,
    photos: str = "",
) -> HMR:
    """Return the network whose weights are the mean of those of several networks.

    The means and variances of batch norm belong to one network's maps, so they are measured again
    on people of the preset `people`. Raises DataError when there are fewer than two networks, when
    their options differ, and when the shares are not one positive number for each.

    Args:
        weights: shipped names or files.
        shares: of the networks, relative to each other; equal if None.
        images: pictures on which batch norm is measured.
        photos: folder of pictures for the backgrounds of these people.
    """
    shares = shares or [1.0] * len(weights)
    if len(weights) < 2 or len(shares) != len(weights) or min(shares) <= 0:
        raise DataError(
            f"a mean needs two networks or more, and a positive share for each; "
            f"there are {len(weights)} networks and the shares {shares}"
        )
    networks = [load_pretrained(name) for name in weights]
    first = networks[0]
    for name, network in zip(weights, networks, strict=True):
        for option in first.options | network.options:
            mine, theirs = first.options.get(option), network.options.get(option)
            if mine != theirs:
                raise DataError(f"{name}: {option} is {theirs}, in {weights[0]} it is {mine}")
    states = [network.state_dict() for network in networks]
    first.load_state_dict({key: _mean([s[key] for s in states], shares) for key in states[0]})
    if not isinstance(first.encoder, KeypointEncoder):
        config = people_preset()
        looks = replace(config.data.appearance, photos=photos or config.data.appearance.photos)
        data = replace(config.data, image_size=first.image_size, appearance=looks)
        people = SyntheticPeople(first.body, pose_source(*config.poses), data, config.seed)
        first.train()
        recalibrate_batch_norm(first, people, images, torch.device("cpu"))
    return first.eval()


def write_average(
    out: Path,
    weights: Sequence[str],
    shares: Sequence[float | int] | None = None,
    images: int = NORM_PICTURES,
    photos: str = "",
) -> Path:
    """Write `average_weights` to a file, and beside it (json) what it is the mean of.

    A training that starts from the file takes that record over. Raises as `average_weights`, and
    DataError when the file cannot be written.

    Args:
        out: the file of weights; the record has its name and ends in `.json`.
        weights: shipped names or files.
        shares: of the networks, relative to each other; equal if None.
        images: pictures on which batch norm is measured.
        photos: folder of pictures for their backgrounds.
    """
    if out.suffix != ".safetensors":
        raise DataError(f"{out}: weights are written as .safetensors")
    check_output(out)
    parts = [origin(name) for name in weights]
    average_weights(weights, shares, images, photos).save(out)
    shares = shares or [1.0] * len(weights)
    record = {
        "sha256": origin(str(out))["sha256"],
        "mean_of": [part | {"share": s} for part, s in zip(parts, shares, strict=True)],
        "batch_norm": {"images": images, "preset": "people", "photos": photos},
        "environment": environment(),
    }
    write_json(out.with_suffix(".json"), record)
    return out


def _mean(tensors: Sequence[Tensor], shares: Sequence[float | int]) -> Tensor:
    """Return the weighted mean in float64, rounded once; counters are those of the first."""
    if not tensors[0].is_floating_point():
        return tensors[0]
    total = sum(share * tensor.double() for share, tensor in zip(shares, tensors, strict=True))
    return torch.as_tensor(total / sum(shares), dtype=tensors[0].dtype)
