"""Claims about the regressor: its steps, their weights and supervision, its camera."""

from __future__ import annotations

from hmr_edu.experiments.design import Experiment, Forecast

LAST = {"loss.steps": "last"}
OWN = {"share_weights": False}
ALONE = {"loss.adversary": 0.0}
JOINTS = ("pa_mpjpe", "mpjpe", "error2d")
# What else is known of a body, without and with its mesh.
MESH = {
    "all labels": {},
    "all labels and mesh": {"loss.mesh": 10.0},
    "keypoints": {"loss.pose": 0.0, "loss.betas": 0.0},
    "keypoints and mesh": {"loss.pose": 0.0, "loss.betas": 0.0, "loss.mesh": 10.0},
}
ON_MESH = (
    Forecast("Beside keypoints it helps", "keypoints and mesh", "keypoints", "pve"),
    Forecast("Beside all labels it helps", "all labels and mesh", "all labels", "pve"),
    Forecast("It teaches the shape", "all labels and mesh", "all labels", "betas"),
    Forecast("It replaces rotations and betas", "keypoints and mesh", "all labels", "pve", "<="),
)

EXPERIMENTS = (
    Experiment(
        "shared-weights",
        "The iterations do not share their weights.",
        "a common description of HMR; its own listing, the paper and all public code share them",
        "keypoints",
        {
            "shared, all steps": {},
            "own, all steps": OWN,
            "shared, last step": LAST,
            "own, last step": OWN | LAST,
            "shared, last step, as many parameters": LAST | {"hidden": 520},
        },
        (
            Forecast(
                "Own weights help, all steps supervised", "own, all steps", "shared, all steps"
            ),
            Forecast(
                "Own weights help, last step supervised", "own, last step", "shared, last step"
            ),
            Forecast(
                "They help beyond their number",
                "own, last step",
                "shared, last step, as many parameters",
            ),
        ),
        JOINTS,
        ALONE,
    ),
    Experiment(
        "supervised-steps",
        "Every iteration enters the loss, not only the last.",
        "a common description of HMR; the paper (section 3.2) supervises the last step alone",
        "keypoints",
        {
            "all": {},
            "last": LAST,
            "0.1 0.3 0.6": {"loss.steps": (0.1, 0.3, 0.6)},
        },
        (
            Forecast("Supervising all steps helps (the description)", "all", "last"),
            Forecast("Supervising the last alone helps (the paper)", "last", "all"),
            Forecast("The later, the more: better than all alike", "0.1 0.3 0.6", "all"),
            Forecast("With all steps supervised, steps go on helping", "all @ 3", "all @ 1"),
        ),
        JOINTS,
        ALONE,
    ),
    Experiment(
        "number-of-steps",
        "Three iterations; the forward pass at test time iterates, too.",
        "the paper, section 3.2, and a common description of HMR",
        "keypoints",
        {str(count): {"iterations": count} for count in (1, 2, 3, 4, 6)},
        (
            Forecast("Three steps beat one", "3", "1"),
            Forecast("Six steps beat three", "6", "3"),
            Forecast("At test time three steps beat one", "3 @ 3", "3 @ 1"),
            Forecast("Running on beyond training helps", "3 @ 6", "3 @ 3"),
        ),
        JOINTS,
        ALONE | LAST,
    ),
    Experiment(
        "regressor-relu",
        "The missing ReLU between the regressor's layers is a defect that matters.",
        "SPIN, VIBE, CLIFF and mmhuman3d, against akanazawa/hmr",
        "keypoints",
        {"ReLU": {}, "no ReLU": {"relu": False}},
        (Forecast("ReLU lowers the 3D error", "ReLU", "no ReLU"),),
        JOINTS,
        ALONE | LAST,
    ),
    Experiment(
        "mesh-loss",
        "The mesh goes unsupervised, a waste.",
        "a common description of HMR",
        "keypoints",
        MESH,
        ON_MESH,
        ("pve", "pa_mpjpe", "betas", "beyond_limits"),
        ALONE,
    ),
    Experiment(
        "camera",
        "Regressing the camera directly is hard.",
        "a common description of HMR",
        "keypoints",
        {"regressed": {}, "from the box": {"camera": "box"}},
        (
            Forecast(
                "A camera from the box is nearer: scale", "from the box", "regressed", "scale"
            ),
            Forecast("A camera from the box is nearer: 2D", "from the box", "regressed", "error2d"),
            Forecast("And the 3D error is lower", "from the box", "regressed"),
        ),
        ("error2d", "scale", "pa_mpjpe", "mpjpe"),
        ALONE,
    ),
    Experiment(
        "perspective",
        "Weak perspective needs no focal length, at the price of an unavoidable error.",
        "the paper, section 3.1, and a common description of HMR",
        "keypoints",
        {
            f"{where}, {camera}": {
                "inverse_focal": (inverse, inverse),
                "camera": "perspective" if camera == "pinhole" else "direct",
            }
            for where, inverse in (("from afar", 0.05), ("close", 0.8))
            for camera in ("weak", "pinhole")
        },
        (
            Forecast(
                "Close by, weak perspective costs 2D",
                "close, pinhole",
                "close, weak",
                "error2d",
            ),
            Forecast("Close by, it costs 3D", "close, pinhole", "close, weak"),
            Forecast(
                "From afar, it costs no 3D",
                "from afar, weak",
                "from afar, pinhole",
                relation="<=",
            ),
        ),
        JOINTS,
        ALONE,
    ),
)
