"""Averaged weights against their sum, and as the weights that a run leaves behind."""

import dataclasses

import pytest
import torch
from helpers.small_run import interrupt_after, small
from torch import nn

from hmr_edu.data.source import HELD_OUT
from hmr_edu.hmr import load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.training.averaging import AveragedNetwork
from hmr_edu.training.config import TrainConfig
from hmr_edu.training.loop import Trainer

DECAY = 0.7


def averaging(out, ema: float = DECAY, **changes) -> TrainConfig:
    config = small(out, **changes)
    config.optimizer.ema = ema
    return config


def decays(steps: int) -> list[float]:
    return [min(DECAY, (1 + k) / (10 + k)) for k in range(steps)]


def test_the_average_is_the_sum_of_all_weights_each_with_its_share():
    network = nn.Linear(3, 2).double()
    average = AveragedNetwork(network, DECAY)
    seen = [network.weight.detach().clone()]
    for step in range(40):
        network.weight.data.normal_(generator=torch.Generator().manual_seed(step))
        average.update(network, step)
        seen.append(network.weight.detach().clone())
    # Written out: weight k counts (1 - d_k) times all later decays.
    shares = torch.tensor([0.0, *decays(40)]).double()
    later = shares.flip(0).cumprod(0).flip(0)
    share = (1 - shares) * torch.cat([later[1:], torch.ones(1).double()])
    assert share.sum() == pytest.approx(1)
    expected = sum(s * w for s, w in zip(share, seen, strict=True))
    torch.testing.assert_close(average.network.weight, expected, check_dtype=False)
    assert not average.network.weight.requires_grad


def test_a_run_keeps_the_average_of_its_weights(tmp_path):
    config = averaging(tmp_path)
    trainer = Trainer(config)
    seen = [[p.detach().clone() for p in trainer.network().parameters()]]
    step = trainer.train_step

    def remembered(batch):
        losses = step(batch)
        seen.append([p.detach().clone() for p in trainer.network().parameters()])
        return losses

    trainer.train_step = remembered
    trainer.train()
    expected = seen[0]
    for decay, weights in zip(decays(8), seen[1:], strict=True):
        expected = [decay * a + (1 - decay) * w for a, w in zip(expected, weights, strict=True)]
    kept = load_pretrained(config.folder / "model.safetensors")
    for (name, mine), theirs in zip(kept.named_parameters(), expected, strict=True):
        torch.testing.assert_close(mine, theirs, msg=name)
    # Its batch norm was measured on the average itself, on pictures that it was not trained on.
    batches = [trainer.source[HELD_OUT + 1 + k].images for k in range(8)]
    encoder = kept.encoder
    with torch.no_grad():
        maps = [encoder.backbone.conv1((b - encoder.mean) / encoder.std) for b in batches]
    mean = torch.stack(maps).mean(dim=(0, 1, 3, 4))
    torch.testing.assert_close(encoder.backbone.bn1.running_mean, mean)


@pytest.mark.parametrize("ema", [0.0, DECAY])
def test_the_training_itself_does_not_notice(tmp_path, ema):
    config = averaging(tmp_path / "with", ema)
    Trainer(config).train()
    state = torch.load(config.folder / "checkpoint.pt", weights_only=True)
    plain = small(tmp_path / "without")
    Trainer(plain).train()
    other = torch.load(plain.folder / "checkpoint.pt", weights_only=True)
    assert ("average" in state) == bool(ema)
    parameters = dict(Trainer(small(tmp_path / "new")).network().named_parameters())
    for name in parameters:
        assert torch.equal(state["model"][name], other["model"][name]), name


def test_an_averaged_run_resumes_to_the_bit(tmp_path):
    straight, broken = averaging(tmp_path / "straight"), averaging(tmp_path / "broken")
    Trainer(straight).train()
    interrupt_after(broken, 5)
    Trainer(dataclasses.replace(broken, resume=True)).train()
    a, b = (
        load_pretrained(c.folder / "model.safetensors").state_dict() for c in (straight, broken)
    )
    for name in a:
        assert torch.equal(a[name], b[name]), name


def test_a_run_may_begin_to_average_when_it_is_resumed(tmp_path):
    config = small(tmp_path, images=16)
    Trainer(config).train()
    trained = torch.load(config.folder / "checkpoint.pt", weights_only=True)["model"]
    resumed = averaging(tmp_path, resume=True, images=16)
    trainer = Trainer(resumed)
    trainer.train()
    for name, tensor in trainer.trained().state_dict().items():
        assert torch.equal(tensor, trained[name]), name


def test_the_average_begins_at_given_weights(tmp_path):
    first = small(tmp_path / "first", images=8)
    Trainer(first).train()
    weights = first.folder / "model.safetensors"
    trainer = Trainer(averaging(tmp_path / "second", start=str(weights)))
    given = load_pretrained(weights).state_dict()
    for name, tensor in trainer.trained().state_dict().items():
        assert torch.equal(tensor, given[name]), name


def test_a_damaged_average_is_named(tmp_path):
    config = averaging(tmp_path, images=16)
    Trainer(config).train()
    path = config.folder / "checkpoint.pt"
    state = torch.load(path, weights_only=True)
    del state["average"]["encoder.backbone.conv1.weight"]
    torch.save(state, path)
    with pytest.raises(DataError, match=r"average\.encoder\.backbone\.conv1\.weight is missing"):
        Trainer(averaging(tmp_path, images=16, resume=True)).train()
