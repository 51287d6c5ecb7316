"""The paper's own experiment: photographs with 2D keypoints, and bodies that belong to none."""

from __future__ import annotations

from hmr_edu.experiments.claims.adversary import HUMAN
from hmr_edu.experiments.claims.lifter import LOUD
from hmr_edu.experiments.design import Experiment, Forecast

# The word that stands for the folder of the pictures, which each process writes for itself.
FOLDER = "{set}"
DISTANCE = "distance_to_real_pose"

EXPERIMENTS = (
    Experiment(
        "photographs",
        "Photographs with 2D keypoints, and bodies that belong to none of them, are enough.",
        "the paper, sections 1 and 4.3",
        "photographs",
        {
            "2D only": {"mode": "2d-only"},
            "unpaired": {"mode": "unpaired"},
            "paired": {"sources": (f"coco={FOLDER}:0.5", "synthetic:0.5")},
            "paired, no adversary": {
                "sources": (f"coco={FOLDER}:0.5", "synthetic:0.5"),
                "loss.adversary": 0.0,
            },
        },
        (
            Forecast("Without the adversary bodies are not human", "unpaired", "2D only", DISTANCE),
            Forecast("Unpaired bodies are more right", "unpaired", "2D only"),
            Forecast("3D labels make them more right still", "paired", "unpaired"),
            Forecast("The adversary costs no 2D accuracy", "unpaired", "2D only", "error2d", "<="),
            Forecast("With 3D labels, too, it helps", "paired", "paired, no adversary"),
        ),
        ("facing_wrong", *HUMAN),
        {"images": 16_000, **LOUD},
    ),
)
