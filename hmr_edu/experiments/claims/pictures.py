"""Claims that keypoints cannot settle: the whole network on pictures, from nothing."""

from __future__ import annotations

from hmr_edu.experiments.claims.adversary import FOUR_WAYS, HUMAN, ON_FOUR_WAYS
from hmr_edu.experiments.claims.regression import MESH, ON_MESH
from hmr_edu.experiments.design import Experiment, Forecast

EXPERIMENTS = (
    Experiment(
        "mesh-pictures",
        "The mesh goes unsupervised, a waste: on pictures, which show how stout somebody is.",
        "the source document",
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
        "Weights of their own, every step graded: on pictures.",
        "the source document",
        "pictures",
        {
            "shared, all graded": {"model.share_weights": True, "loss.steps": "all"},
            "shared, last graded": {"model.share_weights": True, "loss.steps": "last"},
            "own, all graded": {"loss.steps": "all"},
            "own, last graded": {"loss.steps": "last"},
            "own, 0.1 0.3 0.6": {},
            "one step": {"model.iterations": 1, "loss.steps": "all"},
        },
        (
            Forecast("Own weights help, all graded", "own, all graded", "shared, all graded"),
            Forecast("Own weights help, last graded", "own, last graded", "shared, last graded"),
            Forecast(
                "Grading all steps helps (the document)", "own, all graded", "own, last graded"
            ),
            Forecast("Three steps beat one", "own, 0.1 0.3 0.6", "one step"),
        ),
        ("pa_mpjpe", "mpjpe", "error2d", "facing_wrong"),
    ),
)
