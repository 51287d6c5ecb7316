"""The walks of docs/how_to_add.md: a toy loss and a toy data set, through the one trainer."""

import dataclasses
import json

import numpy as np
import pytest
import torch
from helpers.small_run import small
from PIL import Image

from hmr_edu.body import load_body
from hmr_edu.camera import CropBox
from hmr_edu.data import AnnotatedPerson, AnnotatedPhotos, Mixture, SyntheticPeople, load_pose_prior
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.losses import TERMS, LossTerm
from hmr_edu.training import LossConfig, Trainer
from hmr_edu.training.complete_run import run
from hmr_edu.training.config import make_loss_config
from hmr_edu.training.objective import active_terms
from hmr_edu.training.presets import PRESETS
from hmr_edu.viz.report.page import write_report
from hmr_edu.viz.report.records import read_samples


def test_options_and_registry_have_the_same_terms():
    names = [field.name for field in dataclasses.fields(LossConfig)]
    assert names == ["adversary", "steps", "norm", *TERMS]
    assert all(getattr(LossConfig(), name) == term.weight for name, term in TERMS.items())


def test_every_term_explains_itself(capsys):
    from hmr_edu.cli import main

    with pytest.raises(SystemExit):
        main(["train", "cpu", "--help"])
    shown = " ".join(capsys.readouterr().out.replace("│", " ").split())
    for name, term in TERMS.items():
        assert f"--loss.{name.replace('_', '-')}" in shown
        assert term.help.split(",")[0].rstrip(".") in shown, name


# --------------------------------------------------------------- a toy loss: one entry, one file


def test_a_toy_loss_is_one_entry(tmp_path, monkeypatch):
    """Punish large cameras: the function and its entry are all that training needs."""

    def camera_size(prediction, batch, config):
        return prediction.camera[:, 0].square().mean()

    monkeypatch.setitem(TERMS, "camera_size", LossTerm(camera_size, 0.0, "Squared scale."))
    Extended = make_loss_config()
    assert Extended().camera_size == 0.0
    config = small(tmp_path)
    config.loss = Extended(**dataclasses.asdict(config.loss), camera_size=0.5)
    trainer = Trainer(config)
    batch = trainer.source[0]
    with torch.no_grad():
        steps = trainer.network()(batch.images, vertices=False)
    values = [float(step.camera[:, 0].square().mean()) for step in steps]
    wanted = sum(w * v for w, v in zip((0.1, 0.3, 0.6), values, strict=True))
    measured = trainer.train_step(batch)
    assert float(measured["camera_size"]) == pytest.approx(wanted, rel=0.02)


def camera_shift(prediction, batch, config):
    """Return the squared shift of the cameras."""
    return prediction.camera[:, 1:].square().mean()


def test_a_term_entered_after_the_options_changes_nothing(tmp_path, monkeypatch):
    def weights_of(name):
        config = small(tmp_path, name=name, images=8)
        assert run(config) == {}
        return (config.folder / "model.safetensors").read_bytes()

    before = weights_of("before")
    monkeypatch.setitem(TERMS, "camera_shift", LossTerm(camera_shift, 2.0, "Squared shift."))
    assert LossConfig().weights["camera_shift"] == 0
    assert "camera_shift" not in active_terms(LossConfig())
    assert weights_of("after") == before
    with pytest.raises(TypeError, match=r"'camera_shift' was entered after .*make_loss_config"):
        LossConfig(camera_shift=1.0)


def test_options_that_are_made_again_have_the_late_term(tmp_path, monkeypatch):
    monkeypatch.setitem(TERMS, "camera_shift", LossTerm(camera_shift, 2.0, "Squared shift."))
    config = small(tmp_path, images=8)
    config.loss = make_loss_config()(**dataclasses.asdict(config.loss))
    assert run(config) == {}
    last = json.loads((config.folder / "metrics.jsonl").read_text().splitlines()[-1])
    assert last["losses"]["camera_shift"] > 0
    record = json.loads((config.folder / "config.json").read_text())
    assert '"camera_shift": 2.0' in json.dumps(record)


def test_a_term_without_its_input_is_left_out(tmp_path):
    """The averaging head has no heat-maps; their weight then asks for nothing."""
    config = small(tmp_path)
    model = dataclasses.replace(config.model, pooling="average")
    trainer = Trainer(dataclasses.replace(config, model=model))
    named = trainer.train_step(trainer.source[0])
    assert config.loss.heatmaps > 0
    assert not {"heatmaps", "depths", "parts"} & named.keys()


# --------------------------------------------------- a toy data set: one reader that yields people


def write_toy(folder):
    """A data set in a layout of its own: NAME.png beside NAME.txt with "joint x y" lines."""
    rng = np.random.default_rng(0)
    for number in range(6):
        Image.fromarray(rng.integers(0, 255, (60, 50, 3), np.uint8)).save(folder / f"{number}.png")
        lines = [f"{name} {10 + 2 * k} {15 + k}" for k, name in enumerate(COCOPLUS[:14])]
        (folder / f"{number}.txt").write_text("\n".join(lines))


def read_toy(folder):
    """Yield the toy data set's people: this function is all that a new data set needs."""
    for path in sorted(folder.glob("*.txt")):
        keypoints2d, visible = torch.zeros(19, 2), torch.zeros(19)
        for line in path.read_text().splitlines():
            name, x, y = line.split()
            keypoints2d[COCOPLUS.index(name)] = torch.tensor([float(x), float(y)])
            visible[COCOPLUS.index(name)] = 1
        crop = CropBox.around_keypoints(keypoints2d, visible)
        yield AnnotatedPerson(path.with_suffix(".png"), crop, keypoints2d, visible)


def test_a_toy_data_set_trains(tmp_path):
    write_toy(tmp_path)
    config = small(tmp_path / "runs", mode="unpaired")
    people = list(read_toy(tmp_path))
    source = AnnotatedPhotos(people, batch_size=4, image_size=32)
    record = run(config, source)
    assert record == {}
    lines = (config.folder / "metrics.jsonl").read_text().splitlines()
    last = json.loads(lines[-1])
    assert last["images"] == 32
    assert last["losses"]["keypoints2d"] > 0
    # Nothing else is known of photographs: every 3D term is exactly 0.
    assert {last["losses"][k] for k in ("keypoints3d", "pose", "betas")} == {0.0}
    # The report shows the people, without a truth that nobody knows.
    samples = read_samples(sorted((config.folder / "samples").glob("*.npz"))[-1])
    assert samples.true_theta is None
    assert samples.visible.sum(1).tolist() == [14] * 4
    page = write_report(config.folder).read_text()
    assert "step 3" in page
    assert "truth, side view" not in page


def test_a_mixture_trains_and_resumes_to_the_bit(tmp_path):
    write_toy(tmp_path)
    people, body, poses = list(read_toy(tmp_path)), load_body("lite"), load_pose_prior()

    def mixture(config):
        def synthetic(n):
            return SyntheticPeople(body, poses, dataclasses.replace(config.data, batch_size=n))

        return Mixture.of_shares(4, [(1, lambda n: AnnotatedPhotos(people, n, 32)), (3, synthetic)])

    def train(name, *lengths):
        for images in lengths:
            resume = (tmp_path / name).exists()
            config = small(tmp_path, name=name, images=images, resume=resume)
            optimizer = dataclasses.replace(config.optimizer, schedule="constant")
            config = dataclasses.replace(config, optimizer=optimizer)
            run(config, mixture(config))
        return (config.folder / "model.safetensors").read_bytes()

    assert train("straight", 16) == train("in two parts", 8, 16)


# ----------------------------------------------------------------------------- the paper's preset


def test_the_paper_preset_is_the_paper():
    """Kanazawa et al. 2018, section 4, and akanazawa/hmr's defaults."""
    config = PRESETS["paper"]()
    optimizer, loss = config.optimizer, config.loss
    assert (optimizer.method, optimizer.learning_rate) == ("adam", 1e-5)
    assert (optimizer.critic_learning_rate, optimizer.critic_every) == (1e-4, 1)
    assert (optimizer.schedule, optimizer.weight_decay, optimizer.clip) == ("constant", 0.0, 0.0)
    assert (loss.steps, loss.norm, loss.adversary) == ("last", "mse", 1.0)
    assert loss.keypoints2d == 60
    # 60 * 0.5 * mean over 226 numbers = pose * mean over 216 + betas * mean over 10.
    assert loss.pose / 216 == pytest.approx(60 * 0.5 / 226)
    assert loss.betas / 10 == pytest.approx(60 * 0.5 / 226)
    assert config.data.batch_size == 64
    model = config.model
    assert (model.encoder, model.pooling, model.representation) == (
        "resnet50",
        "average",
        "axis_angle",
    )
    assert (model.iterations, model.share_weights) == (3, True)


def test_mse_is_reachable_by_an_option(tmp_path):
    config = small(tmp_path)
    squared = dataclasses.replace(config.loss, norm="mse")
    values = {}
    for name, loss in (("l1", config.loss), ("mse", squared)):
        trainer = Trainer(dataclasses.replace(config, loss=loss))
        values[name] = float(trainer.train_step(trainer.source[0])["keypoints3d"])
    assert values["mse"] != values["l1"]
