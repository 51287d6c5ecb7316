"""Claims about the network that reads 2D keypoints, on its preset `keypoints-quick`.

Not to be mistaken for the claims on the laboratory "keypoints", which has no encoder.
"""

from __future__ import annotations

from hmr_edu.experiments.claims.adversary import FOUR_WAYS, ON_FOUR_WAYS
from hmr_edu.experiments.design import Experiment, Forecast

# The steps of the preset, with a quarter of the people in each: rates and warm-up mean the same.
QUARTER = {"images": 30_000, "data.batch_size": 128}
TINY = (1e-6, 1e-6)
# The critics learn on every fourth step, as in the preset `cpu`.
RARELY = {"optimizer.critic_every": 4}
# Where the adversary has to replace labels: chosen by a few trainings from one seed.
LOUD = {
    "loss.adversary": 0.1,
    "optimizer.critic_every": 1,
    "optimizer.critic_learning_rate": 1e-3,
}
NOISY, MISSING, MOCAP = "noisy_pa_mpjpe", "missing_pa_mpjpe", "mocap_pa_mpjpe"

EXPERIMENTS = (
    Experiment(
        "lifter-parts",
        "Every part of the preset `keypoints-quick` makes bodies more right.",
        "the preset; docs, Shipped weights",
        "keypoints-quick",
        {
            "complete": {},
            "no noise": {"detections.noise": TINY},
            "no definitions": {"detections.definitions": 0.0},
            "no drop-outs": {
                "detections.sets": 0.0,
                "detections.limbs": 0.0,
                "detections.missing": 0.0,
                "data.cut": 0.0,
            },
            "no swaps, no outliers": {"detections.swaps": 0.0, "detections.outliers": 0.0},
            "no legs drawn up": {"poses": ("prior", "prior", "upright")},
            "no upright legs": {"poses": ("prior", "prior", "bent")},
            "unusual poses, too": {"poses": ("prior", "prior", "bent", "upright", "unusual")},
            "shared weights": {"model.share_weights": True},
            "one step": {"model.iterations": 1, "loss.steps": "all"},
            "all steps alike": {"loss.steps": "all"},
            "last step only": {"loss.steps": "last"},
            "adversary 0.01": {"loss.adversary": 0.01, **RARELY},
            "adversary 0.05": {"loss.adversary": 0.05, **RARELY},
        },
        (
            Forecast("Noise helps with noisy keypoints", "complete", "no noise", NOISY),
            Forecast(
                "Other data sets' definitions cost nothing on our own keypoints",
                "complete",
                "no definitions",
                relation="<=",
            ),
            Forecast("Drop-outs help where keypoints miss", "complete", "no drop-outs", MISSING),
            Forecast("Drop-outs cost where none does", "no drop-outs", "complete"),
            Forecast(
                "Swaps and outliers cost nothing",
                "complete",
                "no swaps, no outliers",
                relation="<=",
            ),
            Forecast("Legs drawn up help on recorded poses", "complete", "no legs drawn up", MOCAP),
            Forecast(
                "Upright legs cost nothing on recorded poses",
                "complete",
                "no upright legs",
                MOCAP,
                "<=",
            ),
            Forecast(
                "Unusual poses help on recorded poses", "unusual poses, too", "complete", MOCAP
            ),
            Forecast("Own weights help", "complete", "shared weights"),
            Forecast("Three steps beat one", "complete", "one step"),
            Forecast("Weighing later steps more helps", "complete", "all steps alike"),
            Forecast("Supervising all steps helps", "complete", "last step only"),
            Forecast(
                "A quiet adversary costs nothing", "adversary 0.01", "complete", relation="<="
            ),
            Forecast(
                "A louder one keeps joints in their limits",
                "adversary 0.05",
                "complete",
                "beyond_limits",
            ),
        ),
        (
            "pa_mpjpe",
            NOISY,
            MISSING,
            MOCAP,
            "mocap_noisy_pa_mpjpe",
            "mocap_missing_pa_mpjpe",
            "beyond_limits",
        ),
        QUARTER,
    ),
    Experiment(
        "lifter-labels",
        "The adversary makes up for missing 3D labels: with an encoder of 2D keypoints.",
        "the paper, sections 3.3 and 4.3",
        "keypoints-quick",
        FOUR_WAYS,
        ON_FOUR_WAYS,
        ("pa_mpjpe", MOCAP, "facing_wrong", "error2d", "beyond_limits", "distance_to_real_pose"),
        QUARTER | LOUD,
    ),
)
