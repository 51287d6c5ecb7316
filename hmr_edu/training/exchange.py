"""Weights in the names of public code: checkpoints of SPIN's and HMR's networks, in and out.

Both have a ResNet-50 with torchvision's names, and a regressor of three linear layers that all
steps share. Only names and the order of numbers differ, so an imported network computes what it
computed there, to rounding; exported and imported again, every tensor has its old bits.

| | SPIN (also mmhuman3d's HMR) | the PyTorch port of HMR |
|---|---|---|
| state | pose 144, shape 10, camera 3 | theta 85, as here |
| rotations | 6D, row by row: `view(-1, 3, 2)` | axis-angle |
| after fc1 and fc2 | nothing | ReLU |
"""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hmr_edu.body.files import SHIPPED
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write, check_output
from hmr_edu.io.torchfile import check_plain, read_tensors
from hmr_edu.theta import THETA_SIZE

# Where public code keeps a network in its file, and what it puts before every name.
WRAPPERS = ("model", "state_dict", "model_state_dict", "generator")
PREFIXES = ("module.", "generator.")
FEATURES, JOINTS = 2048, 24
PERCEPTRON = "regressor.perceptrons.0."
BACKBONE = "encoder.backbone."
LAYERS = (0, 3, 6)  # of a perceptron, the linear ones
# A joint's six numbers here, (a1, a2), in SPIN's order, which has the matrix row by row.
SIX = (0, 2, 4, 1, 3, 5)
POSE, SHAPE, CAMERA = 6 * JOINTS, 10, 3
# Where each number of our state, camera, pose, betas, is in SPIN's.
ORDER = torch.tensor(
    [
        *range(POSE + SHAPE, POSE + SHAPE + CAMERA),
        *(6 * joint + k for joint in range(JOINTS) for k in SIX),
        *range(POSE, POSE + SHAPE),
    ]
)
COLUMNS = torch.cat([torch.arange(FEATURES), FEATURES + ORDER])
SPIN_HEADS = {"decpose": POSE, "decshape": SHAPE, "deccam": CAMERA}
SPIN_MEANS = ("init_pose", "init_shape", "init_cam")
PORT = "regressor.fc_blocks.regressor_fc_"

Tensors = Mapping[str, Tensor]


class Layout(NamedTuple):
    """How public code names a network, and what of ours it is."""

    about: str
    backbone: str
    options: dict[str, Any]
    differences: tuple[str, ...]


LAYOUTS = {
    "spin": Layout(
        "SPIN's network",
        "",
        {"representation": "6d", "activation": "none"},
        (
            "input: RGB crops of 224 pixels with ImageNet's mean and deviation, as there",
            "camera: (s, tx, ty), as there; SPIN then makes a perspective one of it (focal 5000)",
            "keypoints: this body's COCO+, not SPIN's 49 joints",
        ),
    ),
    "port": Layout(
        "HMR's network in PyTorch",
        "encoder.",
        {"representation": "axis_angle", "activation": "relu"},
        (
            "input: the port feeds blue for red (cv2's order): swap the colours to compare",
            "root: the port's body turns half a turn about x again; here theta's root is used",
        ),
    ),
}


def read_checkpoint(path: Path) -> tuple[str, dict[str, Tensor]]:
    """Read a public checkpoint; return its layout and its tensors, by name.

    Raises FileNotFoundError, or DataError on a damaged file, on one that holds no network of a
    known layout, and on a tensor that is not finite.
    """
    content = read_tensors(path, "checkpoint")
    for _ in WRAPPERS:
        inner = next((name for name in WRAPPERS if _is_dict(content, name)), None)
        content = content[inner] if inner else content
    if not isinstance(content, Mapping):
        raise DataError(f"{path}: no checkpoint: {type(content).__name__}, not tensors by name")
    tensors = {name: t for name, t in content.items() if isinstance(name, str)}
    tensors = {_bare(name): t for name, t in tensors.items() if torch.is_tensor(t)}
    for name, tensor in tensors.items():
        check_plain(tensor, f"{path}: {name}")
        if tensor.is_complex() or not tensor.isfinite().all():
            raise DataError(f"{path}: {name} is not finite: the file is damaged")
    if "fc1.weight" in tensors:
        return "spin", tensors
    if f"{PORT}0.weight" in tensors:
        return "port", tensors
    if "layer1.0.conv1.weight" in tensors:
        raise DataError(f"{path}: a backbone alone: `hmr-edu train --backbone` takes it")
    held = ", ".join(list(tensors)[:4]) or "no tensor"
    raise DataError(f"{path}: no network of SPIN's or HMR's (found: {held:.200})")


def import_checkpoint(path: Path, out: Path, body: str | None) -> list[str]:
    """Turn a public checkpoint into a file of weights; return what matched, one line each.

    Raises as `read_checkpoint`, and DataError without a body or when a tensor is missing or has
    another shape.

    Args:
        path: the checkpoint.
        out: the file of weights.
        body: the body that its betas are of.
    """
    check_output(out, (".safetensors",))
    kind, tensors = read_checkpoint(path)
    layout = LAYOUTS[kind]
    if body is None:
        raise DataError(
            f"{path}: its betas are those of SMPL: give --body SMPL_NEUTRAL.pkl, or --body lite "
            "for poses alone"
        )
    hidden = len(_take(path, tensors, f"{'fc1' if kind == 'spin' else PORT + '0'}.weight"))
    model = HMR("resnet50", body, hidden=hidden, **layout.options)
    own = model.state_dict()
    used, state = {}, {}
    for name, tensor in own.items():
        if name.startswith(BACKBONE):
            theirs = layout.backbone + name.removeprefix(BACKBONE)
            if theirs not in tensors and theirs.endswith("num_batches_tracked"):
                state[name] = torch.zeros_like(tensor)  # the oldest files have no such counters
                continue
            used[theirs] = state[name] = _take(path, tensors, theirs, tensor.shape)
    state |= (_from_spin if kind == "spin" else _from_port)(path, tensors, used, hidden)
    for name, tensor in state.items():
        if tensor.is_floating_point() != own[name].is_floating_point():
            raise DataError(f"{path}: the tensor of {name} is {tensor.dtype}")
    model.load_state_dict(state)
    model.save(out)
    left = sorted(tensors.keys() - used.keys())
    return [
        f"{layout.about}: ResNet-50, one regressor for 3 steps, {hidden} hidden units",
        f"matched: {len(used)} of {len(tensors)} tensors, all that the network here needs",
        f"left out: {', '.join(left[:6]) or 'nothing'}{' ...' if len(left) > 6 else ''}",
        _about_activation(layout.options["activation"]),
        *layout.differences,
        f"betas: SMPL's; {_about_body(body)}",
    ]


def export_checkpoint(weights: str | Path, out: Path) -> list[str]:
    """Write a network's weights under the names of public code; return what it is, line by line.

    A state of 6D rotations gets SPIN's names, one of axis-angle those of the PyTorch port. Raises
    as `load_pretrained`, and DataError on a network that public code does not have.
    """
    check_output(out, (".pt", ".pth"))
    model = load_pretrained(weights)
    wanted = {"encoder": "resnet50", "width": 64, "stem": "imagenet", "pooling": "average"}
    wanted |= {"share_weights": True}
    for option, value in wanted.items():
        if model.options[option] != value:
            raise DataError(
                f"{weights}: {option} is {model.options[option]}, that of public code {value}: "
                "there is no such network there"
            )
    kind = "spin" if model.options["representation"] == "6d" else "port"
    layout, state = LAYOUTS[kind], model.state_dict()
    tensors = {
        layout.backbone + name.removeprefix(BACKBONE): tensor
        for name, tensor in state.items()
        if name.startswith(BACKBONE)
    }
    tensors |= (_to_spin if kind == "spin" else _to_port)(state)
    with atomic_write(out) as temporary:
        torch.save({"model": tensors} if kind == "spin" else tensors, temporary)
    lines = [f"{layout.about}: {len(tensors)} tensors under its names"]
    if model.options["activation"] != layout.options["activation"]:
        here, there = ("a ReLU", "none") if kind == "spin" else ("no ReLU", "one")
        lines.append(
            f"not the same function: this network has {here} after each of its first two layers, "
            f"that code {there}; change its forward before you use these weights"
        )
    return [*lines, f"betas: those of the body {model.options['body']}"]


def _from_spin(path: Path, tensors: Tensors, used: dict, hidden: int) -> dict[str, Tensor]:
    """Return our regressor's tensors of SPIN's; enter what was used."""
    state_size = POSE + SHAPE + CAMERA
    shapes = {"fc1": (hidden, FEATURES + state_size), "fc2": (hidden, hidden)}
    shapes |= {name: (size, hidden) for name, size in SPIN_HEADS.items()}
    for name, shape in shapes.items():
        used[f"{name}.weight"] = _take(path, tensors, f"{name}.weight", shape)
        used[f"{name}.bias"] = _take(path, tensors, f"{name}.bias", shape[:1])
    for name, size in zip(SPIN_MEANS, SPIN_HEADS.values(), strict=True):
        used[name] = _take(path, tensors, name, (1, size))
    mean = torch.cat([used[name][0] for name in SPIN_MEANS])
    ours = {
        "0.weight": used["fc1.weight"][:, COLUMNS],
        "0.bias": used["fc1.bias"],
        "3.weight": used["fc2.weight"],
        "3.bias": used["fc2.bias"],
        "6.weight": torch.cat([used[f"{name}.weight"] for name in SPIN_HEADS])[ORDER],
        "6.bias": torch.cat([used[f"{name}.bias"] for name in SPIN_HEADS])[ORDER],
    }
    return {PERCEPTRON + k: v for k, v in ours.items()} | {"regressor.mean_state": mean[ORDER]}


def _to_spin(state: Tensors) -> dict[str, Tensor]:
    """Return SPIN's tensors of our regressor; the inverse of `_from_spin`."""
    back = ORDER.argsort()
    sizes = list(SPIN_HEADS.values())
    tensors = {
        "fc1.weight": state[f"{PERCEPTRON}0.weight"][:, COLUMNS.argsort()],
        "fc1.bias": state[f"{PERCEPTRON}0.bias"],
        "fc2.weight": state[f"{PERCEPTRON}3.weight"],
        "fc2.bias": state[f"{PERCEPTRON}3.bias"],
    }
    for part in ("weight", "bias"):
        rows = state[f"{PERCEPTRON}6.{part}"][back].split(sizes)
        tensors |= {f"{name}.{part}": r.clone() for name, r in zip(SPIN_HEADS, rows, strict=True)}
    means = state["regressor.mean_state"][back].split(sizes)
    return tensors | {n: m[None].clone() for n, m in zip(SPIN_MEANS, means, strict=True)}


def _from_port(path: Path, tensors: Tensors, used: dict, hidden: int) -> dict[str, Tensor]:
    """Return our regressor's tensors of the PyTorch port's; enter what was used."""
    sizes = FEATURES + THETA_SIZE, hidden, hidden, THETA_SIZE
    ours = {}
    for number, layer in enumerate(LAYERS):
        shape = sizes[number + 1], sizes[number]
        for part, wanted in (("weight", shape), ("bias", shape[:1])):
            name = f"{PORT}{number}.{part}"
            used[name] = ours[f"{PERCEPTRON}{layer}.{part}"] = _take(path, tensors, name, wanted)
    name = "regressor.mean_theta"
    mean = used[name] = _take(path, tensors, name)
    # The port repeats it for each person of a batch.
    if mean.ndim == 0 or mean.shape[-1] != THETA_SIZE or not len(mean):
        raise DataError(f"{path}: {name} has the shape {list(mean.shape)}, not [{THETA_SIZE}]")
    return ours | {"regressor.mean_state": mean.reshape(-1, THETA_SIZE)[0].clone()}


def _to_port(state: Tensors) -> dict[str, Tensor]:
    """Return the PyTorch port's tensors of our regressor."""
    return {
        f"{PORT}{number}.{part}": state[f"{PERCEPTRON}{layer}.{part}"]
        for number, layer in enumerate(LAYERS)
        for part in ("weight", "bias")
    } | {"regressor.mean_theta": state["regressor.mean_state"]}


def _take(path: Path, tensors: Tensors, name: str, shape: Any = None) -> Tensor:
    """Return a tensor of a file; raise DataError where it is missing or has another shape."""
    if name not in tensors:
        raise DataError(f"{path}: no {name} in it")
    tensor = tensors[name]
    if (shape is not None and tensor.shape != torch.Size(shape)) or not tensor.ndim + (shape == ()):
        raise DataError(f"{path}: {name} has the shape {list(tensor.shape)}, not {shape}")
    return tensor


def _is_dict(content: Any, name: str) -> bool:
    return isinstance(content, Mapping) and isinstance(content.get(name), Mapping)


def _bare(name: str) -> str:
    """Return a name without what parallel training and mmhuman3d put before it."""
    for prefix in PREFIXES:
        name = name.removeprefix(prefix)
    return name.removeprefix("backbone.").removeprefix("head.")


def _about_activation(activation: str) -> str:
    if activation == "none":
        return "no ReLU between fc1, fc2 and the last layers, as there: activation is none"
    return "ReLU after the first two layers, as there"


def _about_body(body: str) -> str:
    if body in SHIPPED:
        return f"in the free body {body!r} they mean another shape, only poses are right"
    return f"the body is {body}"
