"""Claims about training for photographs: the synthetic people, and ImageNet weights."""

from __future__ import annotations

from hmr_edu.experiments.design import Experiment, Forecast

HARD_LIGHT = {
    f"data.appearance.light.{name}": 0.0
    for name in (
        *("penumbra", "ambient_occlusion", "environment", "scattering"),
        *("sun", "backlight", "contact_shadow", "highlights"),
    )
}
PERFECT_LENS = {
    f"data.appearance.lens.{name}": 0.0
    for name in ("depth_of_field", "vignette", "exposure", "highlights", "low_resolution")
} | {"data.appearance.lens.sharpness": 0.0, "data.appearance.lens.jpeg": False}
WHOLE_BOXES = {
    f"data.{name}": 0.0 for name in ("boxes", "cut_by_border", "near_border", "off_axis")
}
# The poses of before: those of the prior, a third with their legs drawn up.
EARLIER = ("prior", "prior", "bent")
EFFICIENTNET = {"model.encoder": "efficientnet_lite0", "model.stem": "imagenet"}
VIEWS, KNEES = "views_pa_mpjpe", "photos_knees"

EXPERIMENTS = (
    Experiment(
        "people-pictures",
        "Training people who look and stand like people make bodies more right in photographs.",
        "the card of the weights; docs, Shipped weights",
        "people",
        {
            "complete": {},
            "painted people": {"data.appearance.dressed": 0.0},
            "earlier poses": {"poses": EARLIER},
            "no neighbours": {"data.neighbours": 0.0},
            "boxes around whole people": WHOLE_BOXES,
            "hard light, perfect lens": HARD_LIGHT | PERFECT_LENS,
        },
        (
            Forecast("Real clothes help on real views", "complete", "painted people", VIEWS),
            Forecast("Standing people stretch knees", "complete", "earlier poses", KNEES),
            Forecast("Standing people help on real views", "complete", "earlier poses", VIEWS),
            Forecast("Neighbours help on real views", "complete", "no neighbours", VIEWS),
            Forecast(
                "Soft light and real lenses help on real views",
                "complete",
                "hard light, perfect lens",
                VIEWS,
            ),
            Forecast(
                "Cut boxes cost nothing on whole people",
                "complete",
                "boxes around whole people",
                VIEWS,
                "<=",
            ),
        ),
        (
            *("pa_mpjpe", "facing_wrong", "betas"),
            *("mocap_pa_mpjpe", "mocap_leaning_pa_mpjpe", "mocap_facing_wrong"),
        ),
        {"images": 24_000, "optimizer.learning_rate": 4e-3, "optimizer.ema": 0.0},
    ),
    Experiment(
        "backbone-pictures",
        "ImageNet weights make a network learn sooner what is right in photographs.",
        "the card of the weights; docs, Shipped weights",
        "people",
        {
            "ResNet-18 from nothing": {},
            "EfficientNet-lite0, ImageNet weights": EFFICIENTNET | {"backbone": "imagenet"},
        },
        tuple(
            Forecast(
                f"ImageNet weights help on {where}",
                "EfficientNet-lite0, ImageNet weights",
                "ResNet-18 from nothing",
                measure,
            )
            for where, measure in (("real views", VIEWS), ("painted people", "pa_mpjpe"))
        ),
        ("pa_mpjpe", "facing_wrong", "betas", "mocap_pa_mpjpe", "mocap_facing_wrong"),
        {"images": 40_000, "optimizer.learning_rate": 1e-2, "optimizer.ema": 0.0},
    ),
)
