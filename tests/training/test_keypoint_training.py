"""Training on keypoints through the one trainer: it learns, resumes, and keeps labels away."""

import dataclasses
import json
from pathlib import Path

import pytest
import torch
from helpers.small_run import interrupt_after

from hmr_edu.data.batch import KeypointBatch, MeshBatch
from hmr_edu.data.source import Mixture
from hmr_edu.hmr import load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.training.complete_run import run
from hmr_edu.training.config import TrainConfig
from hmr_edu.training.loop import Trainer
from hmr_edu.training.optimizers import build_optimizers
from hmr_edu.training.presets import PRESETS, keypoints_quick_preset
from hmr_edu.training.ship import ship
from hmr_edu.viz.report.page import write_report


def small(out: Path, **changes: object) -> TrainConfig:
    preset = keypoints_quick_preset()
    config = dataclasses.replace(
        preset,
        out=out,
        name="small",
        images=128,
        device="cpu",
        threads=1,
        precision="no",
        log_every=1,
        checkpoint_every=32,
        sample_every=64,
        test_images=0,
        model=dataclasses.replace(preset.model, width=4, hidden=16),
        data=dataclasses.replace(preset.data, batch_size=16),
        optimizer=dataclasses.replace(preset.optimizer, warmup=2),
    )
    return dataclasses.replace(config, **changes)


def test_it_learns_a_batch_by_heart(tmp_path):
    config = small(tmp_path)
    config.model.width, config.model.hidden = 16, 64
    trainer = Trainer(config)
    batch = trainer.source.finish(trainer.source.prepare(0))
    losses = []
    for _ in range(60):
        losses.append(float(trainer.train_step(batch)["keypoints3d"]))
        trainer.step = 3  # past the warm-up
    assert losses[-1] < 0.6 * losses[0]


def test_a_run_resumes_to_the_bit_and_can_be_shipped(tmp_path, monkeypatch):
    config = small(tmp_path / "whole", test_images=50)
    monkeypatch.delenv("HMR_EDU_MOCAP", raising=False)
    record = run(config)
    assert set(record) == {"test-prior", "test-prior, 3 % noise", "test-prior, 30 % missing"}
    begun = dataclasses.replace(small(tmp_path / "parts"), images=128)
    interrupt_after(begun, 5)
    run(dataclasses.replace(begun, resume=True))
    one, other = (load_pretrained(c.folder / "model.safetensors") for c in (config, begun))
    for name, tensor in one.state_dict().items():
        assert torch.equal(tensor, other.state_dict()[name]), name
    path = ship(config.folder, "small", tmp_path / "shipped")
    provenance = json.loads(path.with_suffix(".json").read_text())
    assert provenance["stored"]["pa_mpjpe"] == pytest.approx(
        provenance["stored"]["pa_mpjpe_before"], abs=1.0
    )
    assert load_pretrained(path).options["encoder"] == "keypoints"
    assert "after, step 3" in write_report(config.folder).read_text()


@pytest.mark.parametrize("mode", ["unpaired", "2d-only"])
def test_without_3d_labels_no_3d_truth_is_read(tmp_path, mode):
    config = small(tmp_path, mode=mode)
    config.loss = dataclasses.replace(config.loss, adversary=0.1)
    trainer = Trainer(config)
    batch = trainer.source.finish(trainer.source.prepare(0))
    spoiled = dataclasses.replace(
        batch,
        keypoints3d=batch.keypoints3d * torch.nan,
        rotations=batch.rotations * torch.nan,
        betas=batch.betas * torch.nan,
    )
    losses = trainer.train_step(spoiled)
    assert all(loss.isfinite() for loss in losses.values())
    assert losses["keypoints3d"] == losses["pose"] == losses["betas"] == 0
    assert losses["keypoints2d"] > 0
    assert ("critics" in losses) == (mode == "unpaired")


def test_a_mesh_loss_takes_keypoints_too(tmp_path):
    config = small(tmp_path)
    config.loss = dataclasses.replace(config.loss, mesh=1.0)
    trainer = Trainer(config)
    batch = trainer.source.finish(trainer.source.prepare(0))
    assert float(trainer.train_step(batch)["mesh"]) > 0
    none = torch.zeros(0, dtype=torch.int64)
    assert len(MeshBatch.of(batch, torch.zeros(16, 5, 3), none, none).vertices) == 16


def test_muon_has_the_hidden_matrices_alone(tmp_path):
    trainer = Trainer(small(tmp_path))
    model = trainer.network()
    muon, rest = build_optimizers(model, trainer.config.optimizer)
    hidden = {id(p) for group in muon.param_groups for p in group["params"]}
    names = {n for n, p in model.named_parameters() if id(p) in hidden}
    blocks = {f"encoder.blocks.{b}.layers.{k}.weight" for b in (0, 1) for k in (1, 3)}
    perceptrons = {f"regressor.perceptrons.{t}.{k}.weight" for t in (0, 1, 2) for k in (0, 3)}
    assert names == blocks | perceptrons
    assert sum(len(g["params"]) for g in (*muon.param_groups, *rest.param_groups)) == len(
        list(model.parameters())
    )


def test_two_sources_of_keypoints_make_one_batch(tmp_path):
    source = Trainer(small(tmp_path)).source
    mixture = Mixture([source, source])
    batch = mixture.finish(mixture.prepare(0))
    assert isinstance(batch, KeypointBatch)
    assert len(batch) == len(batch.detected) == 32


def test_a_backbone_has_no_place_in_it(tmp_path):
    with pytest.raises(DataError, match="--backbone: an encoder of keypoints has no backbone"):
        Trainer(small(tmp_path, backbone="weights.pth"))


def test_the_presets_have_weights_of_at_most_6_mb(tmp_path):
    for name in ("keypoints", "keypoints-quick"):
        config = PRESETS[name]()
        config.out, config.device = tmp_path, "cpu"
        config.data.batch_size = 4
        Trainer(config).network().save(tmp_path / "weights.safetensors", "float16")
        assert (tmp_path / "weights.safetensors").stat().st_size < 6_000_000
