"""Training: exact resumption, whole checkpoints after SIGKILL, named failures, honest records."""

import dataclasses
import json
import os
import random
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import psutil
import pytest
import torch
from helpers.small_run import interrupt_after, small, train_in_a_process

from hmr_edu.data.synthetic.people import SyntheticConfig
from hmr_edu.hmr import load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.training.adversarial import UNMEASURED_JOINTS, critic_weights
from hmr_edu.training.complete_run import run
from hmr_edu.training.config import LossConfig, ModelConfig, TrainConfig
from hmr_edu.training.divergence import NonFiniteLossError
from hmr_edu.training.loop import Trainer
from hmr_edu.training.objective import supervised_losses
from hmr_edu.training.presets import cpu_preset, gpu_preset, paper_preset, people_preset
from hmr_edu.training.setup import pose_source

# Small in every way: a step takes hundredths of a second.


def weights(config: TrainConfig) -> dict[str, torch.Tensor]:
    return load_pretrained(config.folder / "model.safetensors").state_dict()


def assert_same_bits(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> None:
    assert a.keys() == b.keys()
    for name in a:
        assert torch.equal(a[name], b[name]), name


@pytest.fixture(scope="module")
def uninterrupted(tmp_path_factory):
    config = small(tmp_path_factory.mktemp("straight"))
    run(config)
    return config


@pytest.mark.parametrize("steps", [2, 5])
def test_resume_continues_to_the_bit(tmp_path, uninterrupted, steps):
    config = small(tmp_path)
    interrupt_after(config, steps)
    assert not (config.folder / "model.safetensors").exists()
    run(dataclasses.replace(config, resume=True))
    assert_same_bits(weights(config), weights(uninterrupted))
    lines = (config.folder / "metrics.jsonl").read_text().splitlines()
    assert [json.loads(line)["step"] for line in lines] == list(range(1, 9))


def test_same_seed_same_weights_other_seed_others(tmp_path, uninterrupted):
    again = small(tmp_path / "a")
    run(again)
    assert_same_bits(weights(again), weights(uninterrupted))
    other = small(tmp_path / "b", seed=1)
    run(other)
    assert any(not torch.equal(weights(other)[k], w) for k, w in weights(again).items())


def test_workers_do_not_change_the_result(tmp_path, uninterrupted):
    config = small(tmp_path, workers=1)
    run(config)
    assert_same_bits(weights(config), weights(uninterrupted))


def test_the_clock_ends_a_run_that_is_not_done(tmp_path):
    config = small(tmp_path, images=1_000_000, minutes=0.05)
    config.data.batch_size = 16  # batch norm is measured on 2,048 pictures
    run(config)
    lines = (config.folder / "metrics.jsonl").read_text().splitlines()
    *before, last = map(json.loads, lines)
    assert last["images"] < config.images
    # The first step that ends after these 3 seconds is the last one.
    assert last["seconds"] >= 3 >= max((record["seconds"] for record in before), default=0)
    # The schedule has come to its end, too.
    assert last["learning_rate"] < 0.1 * config.optimizer.learning_rate


def test_a_finished_run_resumes_to_itself(tmp_path):
    config = small(tmp_path, images=8)
    run(config)
    before = weights(config)
    run(dataclasses.replace(config, resume=True))
    assert_same_bits(weights(config), before)


def test_a_second_run_never_overwrites_the_first(tmp_path):
    config = small(tmp_path, images=8)
    run(config)
    with pytest.raises(DataError, match="--resume"):
        run(config)


def test_resume_of_a_run_that_is_not_there_names_those_that_are(tmp_path):
    for name in ("cpu", "hands-2", "first"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "checkpoint.pt").touch()
    config = small(tmp_path, name="hand-2", resume=True)
    with pytest.raises(
        DataError, match=r"hand-2 holds no run .* has hands-2, .*leave --resume out"
    ):
        run(config)
    assert not config.folder.exists()
    alone = small(tmp_path / "elsewhere", resume=True)
    with pytest.raises(DataError, match="elsewhere has no run"):
        run(alone)


def test_a_run_that_was_stopped_before_its_first_checkpoint_is_begun(tmp_path):
    config = small(tmp_path, images=8)
    config.folder.mkdir(parents=True)
    (config.folder / "config.json").write_text("{}")
    run(dataclasses.replace(config, resume=True))
    assert (config.folder / "model.safetensors").exists()


def test_resume_with_other_options_is_named(tmp_path):
    config = small(tmp_path, images=8)
    run(config)
    wider = dataclasses.replace(config.model, width=16)
    with pytest.raises(DataError, match="does not fit these options"):
        run(dataclasses.replace(config, model=wider, resume=True))


def test_a_damaged_checkpoint_is_named(tmp_path):
    config = small(tmp_path, images=8)
    run(config)
    path = config.folder / "checkpoint.pt"
    path.write_bytes(path.read_bytes()[:1000])
    with pytest.raises(DataError, match=r"checkpoint\.pt"):
        run(dataclasses.replace(config, resume=True))


def test_a_non_finite_loss_stops_with_step_term_and_checkpoint(tmp_path):
    trainer = Trainer(small(tmp_path))
    photograph = trainer.source.finish

    def spoiled(scene, device="cpu"):
        batch = photograph(scene, device)
        if trainer.step == 3:
            batch.keypoints3d = batch.keypoints3d * float("inf")
        return batch

    trainer.source.finish = spoiled
    with pytest.raises(NonFiniteLossError, match=r"'keypoints3d' .* step 3.*checkpoint\.pt"):
        trainer.train()
    state = torch.load(trainer.config.folder / "checkpoint.pt", weights_only=True)
    assert state["step"] == 2
    assert all(t.isfinite().all() for t in state["model"].values() if t.is_floating_point())


def test_critics_ignore_what_mocap_does_not_measure():
    weights = critic_weights()
    assert [j + 1 for j in range(23) if weights[j] == 0] == list(UNMEASURED_JOINTS)
    assert weights[23:].tolist() == [1, 1]


@pytest.mark.parametrize("mode", ["paired", "unpaired", "2d-only"])
def test_a_mode_uses_only_what_it_knows(tmp_path, mode):
    trainer = Trainer(small(tmp_path, mode=mode))
    batch = trainer.source[0]
    for name in ("keypoints3d", "rotations", "betas"):
        if mode != "paired":
            getattr(batch, name).fill_(float("nan"))
    losses = trainer.train_step(batch)
    assert ("adversary" in losses) == (mode != "2d-only")
    assert all(loss.isfinite() for loss in losses.values())
    supervised = {name for name, loss in losses.items() if loss != 0} - {"adversary", "critics"}
    everything = {"keypoints2d", "keypoints3d", "pose", "betas", "heatmaps", "depths", "parts"}
    assert supervised == (everything if mode == "paired" else {"keypoints2d", "heatmaps"})
    assert all(p.isfinite().all() for p in trainer.model.parameters())


def test_the_discriminator_learns_on_its_turn_only(tmp_path):
    config = small(tmp_path)
    config.optimizer.critic_every = 2
    trainer = Trainer(config)
    for turn in (True, False, True):
        before = [p.clone() for p in trainer.adversary.discriminator.parameters()]
        losses = trainer.train_step(trainer.source[trainer.step])
        changed = any(
            not torch.equal(a, b)
            for a, b in zip(before, trainer.adversary.discriminator.parameters(), strict=True)
        )
        assert changed == turn == ("critics" in losses)
        trainer.step += 1


def test_step_weights_reach_the_losses(tmp_path):
    trainer = Trainer(small(tmp_path))
    batch = trainer.source[0]
    predictions, features = trainer.model(batch.images, vertices=False, return_features=True)

    def total(steps: str | tuple[float, ...]) -> dict[str, torch.Tensor]:
        config = LossConfig(steps=steps)
        return supervised_losses(predictions, features, batch, config, trainer.network().body)

    alone = [total(tuple(float(i == k) for i in range(3))) for k in range(3)]
    torch.testing.assert_close(total("last"), alone[2])
    mean = {k: sum(step[k] for step in alone) / 3 for k in alone[0]}
    torch.testing.assert_close(total("all"), mean)


def test_the_backbone_may_start_from_given_weights(tmp_path):
    backbone = Trainer(small(tmp_path / "a")).network().encoder.backbone
    weights = {k: torch.full_like(v, 0.5) for k, v in backbone.state_dict().items()}
    torch.save(weights, tmp_path / "resnet.pth")
    config = dataclasses.replace(small(tmp_path / "b"), backbone=str(tmp_path / "resnet.pth"))
    started = Trainer(config).network().encoder.backbone.state_dict()
    assert all((v == weights[k]).all() for k, v in started.items())
    with pytest.raises(FileNotFoundError, match=r"none\.pth"):
        Trainer(dataclasses.replace(config, backbone=str(tmp_path / "none.pth")))


def test_one_process_may_train_in_two_precisions(tmp_path):
    for name in ("no", "bf16", "no"):
        config = dataclasses.replace(small(tmp_path / name), precision=name)
        assert Trainer(config).accelerator.mixed_precision == name


def test_gpu_preset_learns_from_nothing_as_the_cpu_preset_does():
    gpu, cpu = gpu_preset(), cpu_preset()
    assert (gpu.model.encoder, gpu.data.image_size) == ("resnet50", 224)
    assert (gpu.model.pooling, gpu.optimizer.method) == ("spatial", "muon")
    # Bodies are exact here: their shape may count for more than SPIN's fits allow.
    assert gpu.loss == people_preset().loss == dataclasses.replace(cpu.loss, betas=3.0)


def test_paper_preset_is_the_papers_network():
    config = paper_preset()
    assert config.model == ModelConfig()
    assert (config.model.encoder, config.data.image_size) == ("resnet50", 224)
    assert config.data == SyntheticConfig()


@pytest.mark.slow
def test_sigkill_at_random_moments_costs_nothing(tmp_path):
    kills = int(os.environ.get("HMR_EDU_KILLS", "3"))
    images, rng, killed = 160, random.Random(0), 0
    straight = small(tmp_path / "straight", images=images)
    began = time.monotonic()
    process = train_in_a_process(tmp_path / "straight", images)
    process.join()
    whole = time.monotonic() - began
    assert process.exitcode == 0
    config = small(tmp_path / "killed", images=images)
    while killed < kills:
        process = train_in_a_process(tmp_path / "killed", images)
        process.join(rng.uniform(0.1 * whole, whole))
        if process.exitcode is None:
            process.kill()
            process.join()
            killed += 1
        else:
            assert process.exitcode == 0
            # It finished before the moment came: start the next one afresh.
            assert_same_bits(weights(config), weights(straight))
            for path in sorted(config.folder.rglob("*"), reverse=True):
                path.unlink() if path.is_file() else path.rmdir()
        if (config.folder / "checkpoint.pt").exists():
            torch.load(config.folder / "checkpoint.pt", weights_only=True)
    process = train_in_a_process(tmp_path / "killed", images)
    process.join()
    assert process.exitcode == 0
    assert_same_bits(weights(config), weights(straight))


def wait_for_a_checkpoint(process: subprocess.Popen, folder: Path) -> None:
    while not (folder / "checkpoint.pt").exists() and process.poll() is None:
        time.sleep(0.01)


def train_in_two_processes(out: Path) -> subprocess.Popen:
    options = "train cpu --processes 2 --images 96 --minutes None --test-images 0"
    options += " --resume" if (out / "cpu").exists() else ""
    options += " --checkpoint-every 8"
    options += " --sample-every 1000 --log-every 1 --data.image-size 32 --data.batch-size 4"
    options += " --model.width 8 --model.hidden 16 --data.appearance.scenes 4"
    options += " --data.appearance.outfits 4 --data.appearance.heads 4"
    return subprocess.Popen(
        [sys.executable, "-m", "hmr_edu.cli", *options.split(), "--out", str(out)],
        env={**os.environ, "OMP_NUM_THREADS": "1"},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def still_training(out: Path) -> list[int]:
    found = []
    for process in psutil.process_iter(["cmdline"]):
        if str(out) in (process.info["cmdline"] or []):
            found.append(process.pid)
    return found


@pytest.mark.slow
def test_two_processes_share_a_run_and_end_together(tmp_path):
    process = train_in_two_processes(tmp_path / "straight")
    text, _ = process.communicate()
    assert process.returncode == 0, text
    assert "report" in text
    lines = (tmp_path / "straight/cpu/metrics.jsonl").read_text().splitlines()
    assert json.loads(lines[-1])["step"] == 96 // 4

    out = tmp_path / "killed"
    process = train_in_two_processes(out)
    wait_for_a_checkpoint(process, out / "cpu")
    # As a cluster does before it takes the machine away: both end after the same step.
    process.send_signal(signal.SIGTERM)
    text, _ = process.communicate()
    assert re.search(r"interrupted; \S+/cpu is saved after \d+ pictures", text), text
    assert not still_training(out)
    process = train_in_two_processes(out)
    while process.poll() is None and not still_training(out):
        time.sleep(0.01)
    # The launcher alone: its two processes must notice by themselves.
    process.send_signal(signal.SIGKILL)
    process.communicate()
    while still_training(out):
        time.sleep(0.1)
    assert not (out / "cpu/model.safetensors").exists()  # they did not train to the end
    process = train_in_two_processes(out)
    text, _ = process.communicate()
    assert process.returncode == 0, text
    assert_same_bits(
        *(
            load_pretrained(p / "cpu/model.safetensors").state_dict()
            for p in (tmp_path / "straight", out)
        )
    )


def test_a_batch_that_cannot_be_shared_is_named(tmp_path, monkeypatch):
    config = small(tmp_path)
    config.data.batch_size = 5
    monkeypatch.setattr("accelerate.Accelerator.num_processes", 2)
    with pytest.raises(DataError, match="batch-size 5 cannot be shared evenly by 2"):
        Trainer(config)


def test_poses_come_from_several_sources_in_equal_parts(tmp_path):
    path = tmp_path / "poses.npz"
    recorded = np.zeros((4, 72), np.float32)
    recorded[:, 5] = 0.5  # the left hip, about its third axis
    np.savez(path, poses=recorded, clip=np.zeros(4, int), clip_names=["a"], fps=12)
    source = pose_source("prior", str(path))
    drawn = source.sample(2000, torch.Generator().manual_seed(0))
    hips = drawn[:, [5, 8]].abs().sort(1).values
    one = (drawn.count_nonzero(1) == 1) & torch.isclose(hips[:, 1], torch.tensor(0.5))
    assert 0.45 < one.float().mean() < 0.55
    # Recorded poses are seen in the mirror as often as not.
    assert 0.4 < (drawn[one, 5] > 0).float().mean() < 0.6
    assert torch.equal(drawn, source.sample(2000, torch.Generator().manual_seed(0)))
    with pytest.raises(DataError, match="no poses"):
        pose_source()
    with pytest.raises(FileNotFoundError, match="nowhere"):
        pose_source("nowhere.npz")


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"images": 0}, "--images must be between 1 and"),
        ({"minutes": 0.0}, "--minutes must be above 0 and at most 5,000,000, not 0.0"),
        ({"log_every": 0}, "--log-every must be 1 or more"),
        ({"seed": -1}, "--seed must be between 0 and 4,294,967,295, not -1"),
        ({"workers": -1}, "--workers must be between 0 and 1024, not -1"),
        ({"test_images": -3}, "--test-images must be between 0 and 10,000,000, not -3"),
        ({"model.dropout": 2.0}, "--model.dropout must be at least 0 and below 1"),
        ({"model.iterations": 2}, r"--loss.steps: 2 steps need 2 weights, got 3"),
        ({"optimizer.critic_every": 0}, "--optimizer.critic-every must be 1 or more"),
        ({"optimizer.learning_rate": float("nan")}, "--optimizer.learning-rate must be more than"),
        ({"loss.pose": -1.0}, "--loss.pose must be 0 or more, not -1.0"),
        ({"data.image_size": 2000}, "--data.image-size must be between 1 and 1024, not 2000"),
        (
            {"data.fill": (0.0, 0.0)},
            "--data.fill must be two numbers, each between 0.01 and 100.*not 0.0 0.0",
        ),
        ({"data.inverse_focal": (0.4, 0.1)}, "--data.inverse-focal must be two numbers"),
        ({"data.batch_size": 0}, "--data.batch-size must be between 1 and 65,536"),
    ],
)
def test_options_that_no_run_can_have_are_named_before_any_work(tmp_path, change, words):
    config = small(tmp_path)
    config.loss.steps = (0.1, 0.3, 0.6)
    for name, value in change.items():
        *parents, last = name.split(".")
        setattr(getattr(config, parents[0]) if parents else config, last, value)
    with pytest.raises(DataError, match=words):
        Trainer(config)
    assert not list(tmp_path.iterdir())


@pytest.mark.skipif("HMR_EDU_MOCAP" not in os.environ, reason="recorded poses: HMR_EDU_MOCAP")
def test_tests_that_cannot_be_made_are_named_before_the_training(tmp_path):
    with pytest.raises(DataError, match="ask for at most as many"):
        run(small(tmp_path, test_images=1_000_000))
    assert not list(tmp_path.iterdir())


def test_a_finished_run_keeps_its_record_whatever_the_options_say(tmp_path):
    config = small(tmp_path, images=8)
    run(config)
    before = (config.folder / "config.json").read_text()
    config.loss.pose *= 2
    run(dataclasses.replace(config, resume=True))
    assert (config.folder / "config.json").read_text() == before
    with pytest.raises(DataError, match="begun with seed = 0, not 77"):
        run(dataclasses.replace(config, resume=True, images=16, seed=77))


def test_weights_without_end_are_not_kept(tmp_path):
    trainer = Trainer(small(tmp_path, images=4))
    step = trainer.train_step

    def spoil(batch):
        result = step(batch)
        # The loss was still good; nothing but the weights says what comes.
        trainer.network().regressor.perceptrons[0][-1].bias.data.fill_(torch.inf)
        return result

    trainer.train_step = spoil
    with pytest.raises(NonFiniteLossError, match=r"weights became infinite.*begin again"):
        trainer.train()
    assert not list(trainer.config.folder.glob("*.pt"))
    assert not list(trainer.config.folder.glob("*.safetensors"))
