"""One training, measured: the same question put to each laboratory."""

from __future__ import annotations

import time
from typing import Any

import torch

from hmr_edu.evaluation.scores import Truth
from hmr_edu.experiments.design import Experiment, changed
from hmr_edu.experiments.image_lab import picture_config, test_pictures, train_pictures
from hmr_edu.experiments.keypoint_lab import LiftConfig, train_lifter
from hmr_edu.experiments.keypoint_tests import measure_on_keypoints
from hmr_edu.experiments.measures import measure_bodies, rounded
from hmr_edu.experiments.people import draw_people
from hmr_edu.experiments.photo_lab import photo_config, with_folder
from hmr_edu.experiments.preset_lab import measure_on_mocap, preset_config, preset_test_data
from hmr_edu.experiments.real_pictures import RealPictures, measure_on_real_pictures
from hmr_edu.training.config import TrainConfig

TEST_SEED, TEST_PEOPLE = 7_000_001, 1000
# Steps to which a regressor is let run on where its weights are shared.
RUN_ON = 8

_measured: dict[str, dict[str, Any]] = {}


def base_config(experiment: Experiment, images: int | None, seed: int) -> LiftConfig | TrainConfig:
    """Return the experiment's configuration before a variant changes it."""
    config: LiftConfig | TrainConfig
    if experiment.lab == "keypoints":
        config = LiftConfig()
    elif experiment.lab == "pictures":
        config = picture_config()
    elif experiment.lab == "photographs":
        config = photo_config()
    else:
        config = preset_config(experiment.lab)
    config = changed(config, experiment.shared | {"seed": seed})
    return changed(config, {"images": images}) if images is not None else config


def reads_pictures(experiment: Experiment) -> bool:
    """Return whether the experiment's networks read pictures, real ones too."""
    config = base_config(experiment, None, 0)
    return isinstance(config, TrainConfig) and config.model.encoder != "keypoints"


def run_variant(
    experiment: Experiment,
    variant: str,
    seed: int,
    images: int | None,
    real: RealPictures | None = None,
    people: int = TEST_PEOPLE,
) -> dict[str, Any]:
    """Train one variant from one seed and measure it: {"final", "steps", "minutes", ...}.

    Experiments have variants in common. One process does the same training once.

    Args:
        experiment: what the variant is of.
        variant: its name.
        seed: of the first weights and of the order of the samples.
        images: samples to learn from; the laboratory's own number without it.
        real: annotated pictures that networks are also measured on.
        people: how many held-out people they are measured on.
    """
    config = changed(base_config(experiment, images, seed), experiment.variants[variant])
    key = f"{experiment.lab} {config} {people} {real and real.paths}"
    if key not in _measured:
        began, cpu = time.perf_counter(), time.process_time()
        if isinstance(config, LiftConfig):
            measured = _measure_lifter(config, people)
        else:
            measured = _measure_network(experiment.lab, config, people, real)
        _measured[key] = measured | {
            "images": config.images,
            "minutes": round((time.perf_counter() - began) / 60, 2),
            "cpu_minutes": round((time.process_time() - cpu) / 60, 2),
        }
    return {"variant": variant, "seed": seed, **_measured[key]}


def _measure_lifter(config: LiftConfig, people: int) -> dict[str, Any]:
    lifter = train_lifter(config)
    test = draw_people(people, TEST_SEED, config.inverse_focal, config.noise)
    with torch.no_grad():
        steps = lifter(test, _steps(config.iterations, config.share_weights))
    truth = Truth(*(getattr(test.labels, name) for name in Truth._fields))
    trained = config.iterations
    return {"trained_steps": trained, **measure_bodies(steps, trained, truth, lifter.body)}


def _measure_network(
    lab: str, config: TrainConfig, people: int, real: RealPictures | None
) -> dict[str, Any]:
    model, trained = train_pictures(with_folder(config)), config.model.iterations
    measured_steps = _steps(trained, config.model.share_weights)
    if config.model.encoder == "keypoints":
        on_keypoints = measure_on_keypoints(
            model, config.model.body, people, trained, measured_steps
        )
        return {"trained_steps": trained, **on_keypoints}
    preset = lab not in ("pictures", "photographs")
    data = preset_test_data(lab, config.data.image_size) if preset else config.data
    steps, truth = test_pictures(model, data, people, measured_steps)
    measured = measure_bodies(steps, trained, truth, model.body)
    model.regressor.iterations = trained
    if preset:
        measured["final"] |= rounded(measure_on_mocap(model, data, people))
    if real is not None:
        measured["final"] |= rounded(measure_on_real_pictures(model, real))
    return {"trained_steps": trained, **measured}


def _steps(trained: int, share_weights: bool) -> int:
    return max(trained, RUN_ON) if share_weights else trained
