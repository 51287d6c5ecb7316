"""Training and testing as on a GPU, where there is none: nothing is left on the wrong device."""

import pytest
import torch
from accelerate.state import PartialState
from helpers.few_looks import few_looks
from helpers.pretended_gpu import GPU, PretendedGPU

from hmr_edu.training.complete_run import run
from hmr_edu.training.loop import Trainer
from hmr_edu.training.presets import cpu_preset


@pytest.mark.parametrize(
    "wrong",
    [
        lambda there: there + torch.ones(3),
        lambda there: there.numpy(),
        lambda there: torch.ones(3)[there.long()],
        lambda there: torch.stack([there.sum(), torch.tensor(1.0)]),
        lambda there: torch.nn.Linear(3, 2)(there),
        lambda there: there.new_empty(3).uniform_(generator=torch.Generator()),
    ],
)
def test_what_a_gpu_refuses_is_refused(wrong):
    with PretendedGPU():
        there = torch.zeros(3, device="cuda")
        assert there.device == (there + 1).device == GPU
        assert there.cpu().device.type == "cpu"
        with pytest.raises((RuntimeError, TypeError)):
            wrong(there)


def test_a_picture_is_the_same_on_every_device():
    def people():
        return few_looks(image_size=64, batch_size=8)

    expected = people()[0]
    scenes = people()
    with PretendedGPU():
        batch = scenes.finish(scenes.prepare(0), "cuda")
        for name, value in batch.named_tensors().items():
            assert value.device == GPU, name
            assert torch.equal(value.cpu(), expected.named_tensors()[name]), name


@pytest.mark.parametrize(
    ("does", "waits"),
    [
        (lambda there: there + 1, False),
        (lambda there: there.sum().item(), True),
        (lambda there: there.cpu(), True),
        (lambda there: there[there > 0], True),
        (lambda there: torch.nonzero(there), True),
        (lambda there: there.new_tensor([1.0]), True),
        (lambda there: torch.ones(3).to("cuda"), True),
        (lambda there: torch.ones(3).to("cuda", non_blocking=True), False),
        (lambda there: torch.ones(100_000).to("cuda", non_blocking=True), True),
        (lambda there: torch.ones(100_000).pin_memory().to("cuda", non_blocking=True), False),
        (lambda there: there.to("cpu", non_blocking=True), True),
    ],
)
def test_what_a_gpu_is_waited_for_is_listed(does, waits):
    with PretendedGPU() as gpu:
        there = torch.zeros(3, device="cuda")
        gpu.waits.clear()
        does(there)
        assert bool(gpu.waits) == waits


def test_nobody_waits_for_a_gpu_that_photographs():
    people = few_looks(image_size=64, batch_size=32, cut=0.5)
    with PretendedGPU() as gpu:
        people.finish(people.prepare(0), "cuda")  # brings clothes and places there
        gpu.waits.clear()
        for index in range(1, 4):
            people.finish(people.prepare(index).pin_memory(), "cuda")
        assert gpu.waits == []


def small_run(tmp_path, monkeypatch):
    monkeypatch.setattr(PartialState, "default_device", GPU)
    monkeypatch.setattr(torch.cuda, "is_bf16_supported", lambda: False)
    monkeypatch.setattr(PartialState, "_shared_state", {})
    config = cpu_preset()
    config.out, config.device, config.precision = tmp_path, "cuda", "no"
    config.images, config.minutes, config.test_images = 24, None, 8
    config.log_every, config.sample_every, config.checkpoint_every = 1, 8, 8
    config.data.batch_size, config.data.image_size, config.model.width = 8, 32, 8
    config.loss.mesh, config.optimizer.critic_every = 1.0, 1
    return config


def test_nobody_waits_for_a_gpu_that_trains(tmp_path, monkeypatch):
    config = small_run(tmp_path, monkeypatch)
    config.optimizer.clip = 0.0  # PyTorch sorts gradients by devices that C++ knows: no pretence
    with PretendedGPU() as gpu:
        trainer = Trainer(config)
        batch = trainer.source.finish(trainer.source.prepare(0), "cuda")
        trainer.train_step(batch)
        gpu.waits.clear()
        trainer.train_step(batch)
        assert gpu.waits == []


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore:.pin_memory.:UserWarning")
def test_a_run_and_its_evaluation(tmp_path, monkeypatch):
    config = small_run(tmp_path, monkeypatch)
    with PretendedGPU():
        record = run(config)
        config.images, config.resume = 32, True
        resumed = run(config)
    assert record["test-prior"]["after"]["mpjpe"] > 0
    assert resumed["test-prior"]["after"]["mpjpe"] > 0
