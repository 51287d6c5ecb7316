"""Claims about the adversary: what it is worth, what it needs, how it is built."""

from __future__ import annotations

from hmr_edu.experiments.design import Experiment, Forecast

ALONE = {"loss.adversary": 0.0}
LIMITS, REAL = "beyond_limits", "distance_to_real_pose"
HUMAN = ("pa_mpjpe", "error2d", LIMITS, REAL, "log_prior")
UNPAIRED = {"mode": "unpaired"}
# The four ways to learn, on keypoints and on pictures alike.
FOUR_WAYS = {
    "2D only": {"mode": "2d-only"},
    "2D + adversary": UNPAIRED,
    "3D": ALONE,
    "3D + adversary": {},
}
ON_FOUR_WAYS = (
    Forecast("From 2D, it keeps joints in their limits", "2D + adversary", "2D only", LIMITS),
    Forecast("From 2D, it lowers the 3D error", "2D + adversary", "2D only"),
    Forecast("It replaces 3D labels", "2D + adversary", "3D", relation="<="),
    Forecast("Beside 3D labels, it keeps joints in their limits", "3D + adversary", "3D", LIMITS),
    Forecast("Beside 3D labels, it costs nothing", "3D + adversary", "3D", relation="<="),
)

EXPERIMENTS = (
    Experiment(
        "adversary",
        "The adversary makes up for missing 3D labels; without it bodies become monsters.",
        "the paper, sections 3.3 and 4.3",
        "keypoints",
        FOUR_WAYS,
        ON_FOUR_WAYS,
        HUMAN,
    ),
    Experiment(
        "real-bodies",
        "With little data the adversary is not robust and may even hurt.",
        "a common description of HMR",
        "keypoints",
        {
            "none": ALONE,
            **{f"{count:,}": {"real_bodies": count} for count in (10, 100, 1000, 10_000)},
        },
        (
            Forecast("Ten bodies hurt: more 3D error than without", "none", "10"),
            Forecast("Ten bodies keep joints in their limits", "10", "none", LIMITS),
            Forecast("10,000 bodies beat ten: joints in their limits", "10,000", "10", LIMITS),
            Forecast("10,000 bodies beat ten: 3D error", "10,000", "10"),
            Forecast("10,000 bodies beat 1,000: 3D error", "10,000", "1,000"),
        ),
        HUMAN,
        UNPAIRED,
    ),
    Experiment(
        "factorized",
        "A critic for each joint, one for the pose and one for the shape beat one big one.",
        "the paper, section 3.3",
        "keypoints",
        {
            "25 critics": {},
            "joints and shape": {"critics": "joints"},
            "full pose and shape": {"critics": "full pose"},
            "one big": {"critics": "one big"},
            # Alone it gets the weight of 19; this one gets that of a single critic.
            "one big, quieter": {"critics": "one big", "loss.adversary": 0.01},
        },
        (
            Forecast("25 critics beat one: 3D error", "25 critics", "one big"),
            Forecast(
                "25 critics beat one: joints in their limits", "25 critics", "one big", LIMITS
            ),
            Forecast("25 critics beat a quieter one: 3D error", "25 critics", "one big, quieter"),
            Forecast("The full pose's critic is needed", "25 critics", "joints and shape", REAL),
            Forecast("The joints' critics are needed", "25 critics", "full pose and shape", LIMITS),
        ),
        HUMAN,
        UNPAIRED,
    ),
    Experiment(
        "critic-relu",
        "The missing ReLUs of the joint critics are a defect that matters.",
        "MandyMo/pytorch_HMR and mmhuman3d, against akanazawa/hmr",
        "keypoints",
        {
            "25 critics": {},
            "25 critics, no ReLU": {"critic_relu": False},
            "joints and shape": {"critics": "joints"},
            "joints and shape, no ReLU": {"critics": "joints", "critic_relu": False},
        },
        (
            Forecast("It hurts all 25", "25 critics", "25 critics, no ReLU", REAL),
            Forecast(
                "It hurts the joints' critics by themselves",
                "joints and shape",
                "joints and shape, no ReLU",
                REAL,
            ),
        ),
        HUMAN,
        UNPAIRED,
    ),
)
