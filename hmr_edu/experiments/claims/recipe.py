"""Claims about the presets: what each part of the recipe is worth, and of its pictures."""

from __future__ import annotations

from hmr_edu.experiments.design import Experiment, Forecast

NO_DENSE_LABELS = {"loss.heatmaps": 0.0, "loss.depths": 0.0, "loss.parts": 0.0}
LEANING = "mocap_leaning_pa_mpjpe"
REAL = "views_pa_mpjpe"

EXPERIMENTS = (
    Experiment(
        "recipe-parts",
        "Every part of the preset `cpu` makes bodies more right.",
        "the preset; docs, Shipped weights",
        "cpu",
        {
            "complete": {},
            "AdamW instead of Muon": {
                "optimizer.method": "adamw",
                "optimizer.learning_rate": 1e-3,
            },
            "constant learning rate": {"optimizer.schedule": "constant"},
            "no dense labels": NO_DENSE_LABELS,
            "no dense labels, average pooling": {"model.pooling": "average", **NO_DENSE_LABELS},
            "axis-angle inside": {"model.representation": "axis_angle"},
            "shared weights": {"model.share_weights": True},
            "all steps alike": {"loss.steps": "all"},
            "no adversary": {"loss.adversary": 0.0},
        },
        (
            Forecast("Muon helps", "complete", "AdamW instead of Muon"),
            Forecast("A learning rate that falls helps", "complete", "constant learning rate"),
            Forecast("Dense labels help", "complete", "no dense labels"),
            Forecast(
                "Without dense labels, the spatial head helps",
                "no dense labels",
                "no dense labels, average pooling",
            ),
            Forecast("6D helps", "complete", "axis-angle inside"),
            Forecast("Own weights help", "complete", "shared weights"),
            Forecast("Weighing later steps more helps", "complete", "all steps alike"),
            Forecast("The adversary helps", "complete", "no adversary"),
        ),
        (
            "pa_mpjpe",
            "leaning_pa_mpjpe",
            "facing_wrong",
            "mocap_pa_mpjpe",
            "mocap_leaning_pa_mpjpe",
            "mocap_facing_wrong",
        ),
        {"images": 30_000, "minutes": None},
    ),
    Experiment(
        "recipe-pictures",
        "Everything that the training pictures of the shipped weights show makes bodies more "
        "right.",
        "the card of the weights; docs, Shipped weights",
        "cpu-long",
        {
            "complete": {},
            "no legs drawn up": {"poses": ("prior",)},
            "cameras that tilt less": {"data.pitch": 10.0, "data.roll": 5.0},
            "no clutter": {"data.appearance.clutter": 0.0},
            "nobody cut off": {"data.cut": 0.0},
        },
        (
            Forecast("Legs drawn up help people who lean", "complete", "no legs drawn up", LEANING),
            Forecast("Tilt helps on real views", "complete", "cameras that tilt less", REAL),
            Forecast("Clutter helps on real views", "complete", "no clutter", REAL),
            Forecast("People cut off help on real views", "complete", "nobody cut off", REAL),
        ),
        (
            "pa_mpjpe",
            "leaning_pa_mpjpe",
            "facing_wrong",
            "mocap_pa_mpjpe",
            "mocap_leaning_pa_mpjpe",
            "mocap_facing_wrong",
        ),
        {
            "images": 24_000,
            "optimizer.learning_rate": 4e-3,
            "poses": ("prior", "prior", "bent"),
            "data.pitch": 14.0,
            "data.roll": 10.0,
            "data.appearance.clutter": 0.5,
        },
    ),
)
