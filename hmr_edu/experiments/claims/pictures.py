"""Claims that keypoints cannot settle: the whole network on pictures, from nothing."""

from __future__ import annotations

from hmr_edu.experiments.claims.adversary import FOUR_WAYS, HUMAN, ON_FOUR_WAYS
from hmr_edu.experiments.claims.regression import MESH, ON_MESH
from hmr_edu.experiments.design import Experiment, Forecast

EXPERIMENTS = (
    Experiment(
        "mesh-pictures",
        "The mesh goes unsupervised, a waste: on pictures, which show how stout somebody is.",
        "a common description of HMR",
        "pictures",
        MESH,
        ON_MESH,
        ("pa_mpjpe", "mpjpe", "pve", "betas"),
    ),
    Experiment(
        "adversary-pictures",
        "The adversary makes up for missing 3D labels, on pictures and from scratch.",
        "the paper, section 4.3 (with ImageNet weights, in days)",
        "pictures",
        FOUR_WAYS,
        ON_FOUR_WAYS,
        ("facing_wrong", *HUMAN),
        {"loss.adversary": 0.2},
    ),
    Experiment(
        "steps-pictures",
        "Weights of their own, every step supervised: on pictures.",
        "a common description of HMR",
        "pictures",
        {
            "shared, all steps": {"model.share_weights": True, "loss.steps": "all"},
            "shared, last step": {"model.share_weights": True, "loss.steps": "last"},
            "own, all steps": {"loss.steps": "all"},
            "own, last step": {"loss.steps": "last"},
            "own, 0.1 0.3 0.6": {},
            "one step": {"model.iterations": 1, "loss.steps": "all"},
        },
        (
            Forecast(
                "Own weights help, all steps supervised", "own, all steps", "shared, all steps"
            ),
            Forecast(
                "Own weights help, last step supervised", "own, last step", "shared, last step"
            ),
            Forecast(
                "Supervising all steps helps (the description)", "own, all steps", "own, last step"
            ),
            Forecast("Three steps beat one", "own, 0.1 0.3 0.6", "one step"),
        ),
        ("pa_mpjpe", "mpjpe", "error2d", "facing_wrong"),
    ),
)
