"""The complete laboratory: a preset, trained as `hmr-edu train` trains it."""

from __future__ import annotations

from typing import Any, Literal

from hmr_edu.data.poses.mocap import find_mocap
from hmr_edu.data.poses.real_poses import prior_poses
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig
from hmr_edu.evaluation.held_out import predict
from hmr_edu.evaluation.scores import score
from hmr_edu.evaluation.test_sets import MOCAP, test_set
from hmr_edu.experiments.measures import leaning_error
from hmr_edu.hmr import HMR
from hmr_edu.training.config import TrainConfig
from hmr_edu.training.presets import PRESETS

PresetLab = Literal["cpu", "cpu-long", "people", "keypoints-quick"]
# How people look in the tests: `cpu` has seen a studio only. Pictures matter to `keypoints-quick`
# only if an option gives it another encoder.
TEST_LEVELS: dict[str, str] = {
    "cpu": "plain",
    "cpu-long": "full",
    "people": "full",
    "keypoints-quick": "plain",
}


def preset_config(preset: str) -> TrainConfig:
    """Return a preset that leaves no pictures of progress and no checkpoints."""
    config = PRESETS[preset]()
    config.sample_every = config.checkpoint_every = 2**31
    return config


def preset_test_data(preset: str, image_size: int) -> SyntheticConfig:
    """Return the options of the test pictures, which are those of `hmr-edu evaluate`."""
    return SyntheticConfig(image_size=image_size, appearance=APPEARANCES[TEST_LEVELS[preset]])


def measure_on_mocap(model: HMR, data: SyntheticConfig, people: int) -> dict[str, Any]:
    """Measure a network on `test-mocap`; nothing where the recordings are not found."""
    if not find_mocap(MOCAP["test-mocap"]):
        return {}
    predictions = predict(model, test_set("test-mocap", model.body, data, people))
    scores = score(predictions.steps[-1], predictions.truth, model.body, prior_poses())
    values = {name: scores[name] for name in ("pa_mpjpe", "facing_wrong")}
    return {f"mocap_{name}": value for name, value in (values | leaning_error(scores)).items()}
