"""The option `fast_body`: the same training within rounding, and nothing else changes."""

import pytest
import torch
from torch.testing import assert_close

from hmr_edu.body import SMPL
from hmr_edu.body.fast import FastSMPL
from hmr_edu.hmr import load_pretrained
from hmr_edu.training.loop import Trainer
from hmr_edu.training.presets import PRESETS


@pytest.mark.parametrize("mesh", [0.0, 1.0])
def test_a_step_is_the_same_within_rounding(tmp_path, mesh):
    trainers = []
    for fast in (False, True):
        config = PRESETS["keypoints-quick"]()
        config.out, config.device, config.precision = tmp_path / str(fast), "cpu", "no"
        config.data.batch_size, config.model.width, config.model.hidden = 16, 8, 32
        config.loss.mesh, config.fast_body = mesh, fast
        trainers.append(Trainer(config))
    readable, fast = (trainer.network() for trainer in trainers)
    assert type(readable.body) is SMPL
    assert type(fast.body) is FastSMPL
    assert type(trainers[1].source.body) is SMPL  # pictures stay the same to the last bit
    assert readable.options == fast.options
    for trainer in trainers:
        for weight, start in zip(
            trainer.network().parameters(), readable.parameters(), strict=True
        ):
            assert_close(weight, start, rtol=0, atol=0)
    for trainer in trainers:
        batch = trainer.source.finish(trainer.source.prepare(0), "cpu")
        torch.manual_seed(1)
        trainer.train_step(batch)
    gradients = [[p.grad for p in trainer.network().parameters()] for trainer in trainers]
    for ours, right in zip(*gradients, strict=True):
        assert (ours - right).abs().max() <= 1e-4 * right.abs().max()
    fast.save(tmp_path / "model.safetensors")
    assert type(load_pretrained(tmp_path / "model.safetensors").body) is SMPL
