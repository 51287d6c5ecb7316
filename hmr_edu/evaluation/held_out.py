"""Evaluate a network and the baselines on held-out test sets: a record and a table."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, NamedTuple

import torch
from jaxtyping import Float
from torch import Tensor, nn
from tqdm import tqdm

from hmr_edu.data.poses.real_poses import RealPoses, load_real_poses
from hmr_edu.evaluation.baselines import score_baselines
from hmr_edu.evaluation.predict import predict_batches
from hmr_edu.evaluation.scores import Truth, score, score_joints
from hmr_edu.evaluation.test_sets import TestSet
from hmr_edu.fitting.flip_test import FlipTested
from hmr_edu.fitting.refining import Refined
from hmr_edu.hmr import HMR, Prediction
from hmr_edu.io.errors import DataError
from hmr_edu.io.precision import at_least
from hmr_edu.io.tables import number_cell, text_table

# The row to which the ratios in the table refer.
REFERENCE = "mean theta"
# (metric, title, unit, factor); "ratio" is PA-MPJPE over the reference's.
COLUMNS = (
    ("mpjpe", "MPJPE", "mm", 1.0),
    ("pa_mpjpe", "PA-MPJPE", "mm", 1.0),
    ("ratio", "PA ratio", "", 1.0),
    ("pve", "PVE", "mm", 1.0),
    ("facing_wrong", "facing wrong", "%", 100.0),
    ("distance_to_real_pose", "to a real pose", "deg", 1.0),
    ("pck2d", "PCK 2D", "%", 100.0),
)


class Predictions(NamedTuple):
    """A network's predictions for a whole test set, one `Prediction` for each step, no meshes."""

    steps: list[Prediction]
    truth: Truth


def predict(model: nn.Module, test_set: TestSet) -> Predictions:
    """Run a network over a test set, as at test time; results are on the CPU."""
    truths: list[Truth] = []

    def inputs() -> Iterator[tuple[Tensor, ...]]:
        # Progress bars on a terminal only, not in a log file.
        for batch in tqdm(test_set, desc=test_set.name, unit="batch", leave=False, disable=None):
            truths.append(Truth(*(getattr(batch, name) for name in Truth._fields)))
            yield batch.inputs

    steps = predict_batches(model, inputs())
    return Predictions(steps, Truth(*(torch.cat(parts) for parts in zip(*truths, strict=True))))


def evaluate(
    models: Mapping[str, HMR | Refined | FlipTested],
    test_sets: Iterable[TestSet],
    real_poses: RealPoses | None = None,
) -> dict[str, dict[str, Any]]:
    """Score networks and baselines on each test set: {set: {"baselines": ..., model: ...}}.

    `models` have names; in the records of a run these are "before" and "after" training. The start
    of the first network is the baseline `mean theta`. A row has the metrics of `score`; the row of
    a network also has `steps`, the joint errors of every regression step. `truth` is the distance
    of the true poses from the real poses, `about` describes the set. Numbers are plain floats, or
    None where a metric has no meaning.

    Raises DataError when pictures and network differ in size, on NaN predictions, when two sets
    have the same name, and when there is no set.
    """
    test_sets = list(test_sets)
    names = Counter(test_set.name for test_set in test_sets)
    if not names:
        raise DataError("no test set to measure on")
    if max(names.values()) > 1:
        name = names.most_common(1)[0][0]
        raise DataError(f"two test sets are called {name!r}: rename a file, or measure them apart")
    real_poses = real_poses or load_real_poses()
    return {test_set.name: _evaluate_on(test_set, models, real_poses) for test_set in test_sets}


def _evaluate_on(
    test_set: TestSet, models: Mapping[str, HMR | Refined | FlipTested], real_poses: RealPoses
) -> dict[str, Any]:
    rows = {}
    for name, model in models.items():
        if model.image_size != test_set.image_size:
            raise DataError(
                f"{test_set.name} has pictures of {test_set.image_size} pixels, the network takes "
                f"{model.image_size}"
            )
        steps, truth = predict(model, test_set)
        rows[name] = score(steps[-1], truth, test_set.body, real_poses)
        rows[name]["steps"] = [_joint_errors(step, truth) for step in steps]
    start = starting_theta(next(iter(models.values())))
    return {
        "about": {
            "images": test_set.images,
            "poses": test_set.source,
            "real_poses": real_poses.source,
        },
        "baselines": score_baselines(start, truth, test_set.body, real_poses),
        **rows,
        "truth": {"distance_to_real_pose": float(real_poses.distance(truth.rotations).mean())},
    }


@torch.no_grad()
def starting_theta(model: HMR | Refined | FlipTested) -> Float[Tensor, " 85"]:
    """Return the theta that the network's regression starts from, on the CPU."""
    regressor = model.regressor
    state = regressor.mean_state
    return regressor.read(state[None].to(at_least(state.dtype))).theta[0].cpu()


def table(record: Mapping[str, Mapping[str, Any]]) -> str:
    """Format an evaluation as text, one block for each test set."""
    return "\n\n".join(_block(name, rows) for name, rows in record.items())


def _block(name: str, record: Mapping[str, Any]) -> str:
    others = {key: row for key, row in record.items() if key not in ("about", "baselines")}
    rows = record["baselines"] | others
    reference = rows[REFERENCE]["pa_mpjpe"]
    lines = [
        ["", *(title for _, title, _, _ in COLUMNS)],
        ["", *(unit for _, _, unit, _ in COLUMNS)],
    ]
    for row, values in rows.items():
        if reference and values.get("pa_mpjpe") is not None:
            values = {**values, "ratio": values["pa_mpjpe"] / reference}
        cells = (
            number_cell(values.get(key), 2 if key == "ratio" else 1, factor)
            for key, _, _, factor in COLUMNS
        )
        lines.append([row, *cells])
    about = record["about"]
    head = f"{name}: {about['images']:,} pictures, poses: {about['poses']}"
    return "\n".join([head, text_table(lines), f"real poses: {about['real_poses']}"])


def _joint_errors(step: Prediction, truth: Truth) -> dict[str, float]:
    joints = score_joints(step.keypoints3d, truth)
    return {key: joints[key] for key in ("mpjpe", "pa_mpjpe")}
