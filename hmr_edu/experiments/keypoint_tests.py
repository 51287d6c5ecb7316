"""Held-out people for networks that read 2D keypoints: perfect, with noise, with some missing."""

from __future__ import annotations

from functools import lru_cache
from typing import Any, NamedTuple

import torch
from torch import Tensor

from hmr_edu.body import load_body
from hmr_edu.data.synthetic.people import SyntheticConfig
from hmr_edu.evaluation.keypoint_sets import GIVEN, sets_for
from hmr_edu.evaluation.predict import predict_batches
from hmr_edu.evaluation.scores import Truth, score_joints
from hmr_edu.evaluation.test_sets import TEST_SETS, find_test_sets
from hmr_edu.experiments.measures import measure_bodies, rounded
from hmr_edu.hmr import HMR

# What the measures of a set, and of what is given of its keypoints, begin with.
OF_SET = dict(zip(TEST_SETS, ("", "mocap_"), strict=True))
OF_GIVEN = dict(zip(GIVEN, ("", "noisy_", "missing_"), strict=True))


class Asked(NamedTuple):
    """What a network is asked about the people of a set, and the truth."""

    inputs: list[tuple[Tensor, ...]]
    truth: Truth


@lru_cache(maxsize=2)
def held_out_people(names: tuple[str, ...], body: str, people: int) -> dict[str, Asked]:
    """Draw the people of held-out sets, once in a process for all its trainings.

    The keys are the beginnings of the measures' names: "" is `test-prior` with perfect keypoints.

    Args:
        names: of the sets, out of `TEST_SETS`.
        body: name of the body.
        people: how many each set has.
    """
    sets = sets_for("keypoints", names, load_body(body), SyntheticConfig(), people)
    beginnings = [OF_SET[name] + given for name in names for given in OF_GIVEN.values()]
    asked = {}
    for beginning, people_of_set in zip(beginnings, sets, strict=True):
        batches = list(people_of_set)
        truth = (torch.cat([getattr(b, field) for b in batches]) for field in Truth._fields)
        asked[beginning] = Asked([batch.inputs for batch in batches], Truth(*truth))
    return asked


def measure_on_keypoints(
    model: HMR, body: str, people: int, trained: int, steps: int
) -> dict[str, Any]:
    """Measure a network as `measure_bodies` does, and its joint errors on the other sets.

    `noisy_pa_mpjpe` and `missing_pa_mpjpe` are those of keypoints with noise and with some missing;
    `mocap_` and each of the three are those of recorded poses, where they are found.

    Args:
        model: the network.
        body: name of the body of the people, and of the network's.
        people: how many there are in each set.
        trained: the step that is the answer, from 1.
        steps: how many are measured.
    """
    asked = held_out_people(find_test_sets(), body, people)
    model.regressor.iterations = steps
    first = asked[""]
    measured = measure_bodies(
        predict_batches(model, first.inputs), trained, first.truth, model.body
    )
    model.regressor.iterations = trained
    for name, (inputs, truth) in asked.items():
        if name:
            scores = score_joints(predict_batches(model, inputs)[-1].keypoints3d, truth)
            errors = {f"{name}{error}": scores[error] for error in ("pa_mpjpe", "mpjpe")}
            measured["final"] |= rounded(errors)
    return measured
