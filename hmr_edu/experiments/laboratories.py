"""One training, measured: the same question put to either laboratory."""

from __future__ import annotations

import time
from typing import Any

import torch

from hmr_edu.body import SMPL
from hmr_edu.evaluation.scores import Truth
from hmr_edu.experiments.design import Experiment, changed
from hmr_edu.experiments.image_lab import picture_config, test_pictures, train_pictures
from hmr_edu.experiments.keypoint_lab import LiftConfig, train_lifter
from hmr_edu.experiments.measures import measure
from hmr_edu.experiments.people import draw_people
from hmr_edu.hmr import Prediction
from hmr_edu.training.config import TrainConfig

TEST_SEED, TEST_PEOPLE = 7_000_001, 1000
# Steps to which a regressor is let run on where its weights are shared.
RUN_ON = 8

_measured: dict[str, dict[str, Any]] = {}


def base_config(experiment: Experiment, images: int | None, seed: int) -> LiftConfig | TrainConfig:
    """Return the experiment's configuration before a variant changes it."""
    config = LiftConfig() if experiment.lab == "keypoints" else picture_config()
    config = changed(config, experiment.shared | {"seed": seed})
    return changed(config, {"images": images}) if images is not None else config


def run_variant(
    experiment: Experiment, variant: str, seed: int, images: int | None, people: int = TEST_PEOPLE
) -> dict[str, Any]:
    """Train one variant from one seed and measure it: {"final", "steps", "minutes", ...}.

    Experiments have variants in common. One process does the same training once.
    """
    config = changed(base_config(experiment, images, seed), experiment.variants[variant])
    key = f"{config} {people}"
    if key not in _measured:
        began, cpu = time.perf_counter(), time.process_time()
        is_lifter = isinstance(config, LiftConfig)
        measured = _lift(config, people) if is_lifter else _photograph(config, people)
        _measured[key] = measured | {
            "images": config.images,
            "minutes": round((time.perf_counter() - began) / 60, 2),
            "cpu_minutes": round((time.process_time() - cpu) / 60, 2),
        }
    return {"variant": variant, "seed": seed, **_measured[key]}


def _lift(config: LiftConfig, people: int) -> dict[str, Any]:
    lifter = train_lifter(config)
    test = draw_people(people, TEST_SEED, config.inverse_focal, config.noise)
    with torch.no_grad():
        steps = lifter(test, _steps(config.iterations, config.share_weights))
    truth = Truth(*(getattr(test.labels, name) for name in Truth._fields))
    return _measure(steps, config.iterations, truth, lifter.body)


def _photograph(config: TrainConfig, people: int) -> dict[str, Any]:
    model, options = train_pictures(config), config.model
    iterations = _steps(options.iterations, options.share_weights)
    steps, truth = test_pictures(model, config, people, iterations)
    return _measure(steps, options.iterations, truth, model.body)


def _measure(steps: list[Prediction], trained: int, truth: Truth, body: SMPL) -> dict[str, Any]:
    return {"trained_steps": trained, **measure(steps, trained, truth, body)}


def _steps(trained: int, share_weights: bool) -> int:
    return max(trained, RUN_ON) if share_weights else trained
