"""Check the options of a run before any work begins."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

import torch

from hmr_edu import losses
from hmr_edu.body.files import SHIPPED
from hmr_edu.data.poses.mocap import find_mocap
from hmr_edu.encoder.resnet import build_backbone
from hmr_edu.hmr import weights_path
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_folder, check_input, check_name
from hmr_edu.io.ranges import check_ranges
from hmr_edu.training.checkpoint import load_checkpoint
from hmr_edu.training.config import TrainConfig, as_record
from hmr_edu.training.run_records import CONFIG, METRICS, Config, read_optional, read_whole_log
from hmr_edu.training.setup import backbone_file, parse_poses
from hmr_edu.training.sources import parse_sources

# Options that must stay the same when a run is resumed. One of them may change: the folder of
# photographs may have moved.
KEPT = ("seed", "mode", "poses", "model", "data", "sources", "augmentation", "augment")
KEPT_ALONE = ("optimizer.method",)
FREE = "data.appearance.photos"


def check_options(config: TrainConfig) -> None:
    """Raise DataError that names the first option outside its range, or without its file."""
    check_ranges(config, "--")
    try:
        losses.step_weights(config.loss.steps, config.model.iterations)
    except ValueError as error:
        raise DataError(f"--loss.steps: {error}") from None
    if not any(config.loss.weights.values()):
        raise DataError("every loss has the weight 0: there is nothing to learn")
    _check_weak_mesh(config)
    _check_confidence(config)
    check_name(config.name, "--name")
    check_folder(config.out)
    _check_files(config)
    for source in parse_sources(config.sources):
        if source.path and not Path(source.path).expanduser().exists():
            raise FileNotFoundError(f"--data {source.name}={source.path}: no such file or folder")


def _check_weak_mesh(config: TrainConfig) -> None:
    """Raise DataError when a loss of masks or dense points has no labels and would always be 0."""
    for name in ("silhouette", "part_silhouettes", "dense"):
        option = f"--loss.{name.replace('_', '-')}"
        if getattr(config.loss, name) and config.model.encoder == "keypoints":
            raise DataError(f"{option}: an encoder of keypoints is trained without pictures")
    if config.loss.part_silhouettes and config.mode != "paired":
        raise DataError(f"--loss.part-silhouettes: mode {config.mode} hides the parts")
    if config.loss.dense and not config.data.dense:
        raise DataError("--loss.dense has nothing to learn from: give --data.dense, such as 100")


def _check_confidence(config: TrainConfig) -> None:
    """Raise DataError where the confidence of keypoints has no layer, no map or no loss."""
    model = config.model
    if model.confidence and (model.pooling != "spatial" or model.encoder == "keypoints"):
        raise DataError("--model.confidence needs pictures and --model.pooling spatial")
    if model.confidence and not config.loss.visibility:
        raise DataError("--model.confidence learns nothing: give --loss.visibility, such as 1")
    if config.loss.visibility and not model.confidence:
        raise DataError("--loss.visibility needs --model.confidence")


def _check_files(config: TrainConfig) -> None:
    """Raise DataError or FileNotFoundError that names an option whose file cannot be used."""
    if config.backbone and config.model.encoder == "keypoints":
        raise DataError("--backbone: an encoder of keypoints has no backbone; give --start")
    poses = [name.path for name in parse_poses(config.poses)]
    files = {
        "--model.body": [b for b in (config.model.body,) if b not in SHIPPED],
        "--poses": [path for path in poses if path and not find_mocap(path)],
        "--start": [weights_path(config.start)] if config.start else [],
        "--backbone": [backbone_file(config)] if config.backbone else [],
    }
    for option, paths in files.items():
        for path in paths:
            try:
                check_input(path)
            except (DataError, FileNotFoundError) as error:
                raise type(error)(f"{option}: {error}") from None
    if config.backbone:
        # Shapes alone: no memory is taken, and nothing is drawn at random.
        with torch.device("meta"):
            backbone = build_backbone(config.model.encoder, config.model.width, config.model.stem)
        backbone.read(backbone_file(config))


def check_begun(config: TrainConfig) -> None:
    """Read the records of a run that will be resumed, before anything is set up.

    Raises DataError that names the file which is damaged, or the option which has changed.
    """
    folder = config.folder
    if load_checkpoint(folder) is None:
        return
    begun = read_optional(folder, CONFIG, Config)
    if begun is not None:
        check_same_run(begun, as_record(config), str(folder))
    if os.path.lexists(folder / METRICS):
        read_whole_log(folder, say=False)


def check_same_run(begun: dict[str, Any], now: dict[str, Any], folder: str) -> None:
    """Raise DataError when a resumed run would become another run.

    `begun` and `now` are records of the options. Losses and learning rates may change.
    """
    before, after = _flat(begun), _flat(now)
    for name in before.keys() & after.keys():
        kept = name in KEPT_ALONE or (name.split(".")[0] in KEPT and name != FREE)
        if kept and before[name] != after[name]:
            raise DataError(
                f"{folder}: the checkpoint does not fit these options: it was begun with "
                f"{name} = {before[name]}, not {after[name]}"
            )


def _flat(record: dict[str, Any], prefix: str = "") -> dict[str, Any]:
    """Flatten nested options: {"a": {"b": 1}} becomes {"a.b": 1}."""
    flat: dict[str, Any] = {}
    for name, value in record.items():
        if isinstance(value, dict):
            flat |= _flat(value, f"{prefix}{name}.")
        else:
            flat[prefix + name] = value
    return flat
