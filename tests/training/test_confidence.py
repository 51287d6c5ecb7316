"""The confidence of keypoints: its loss by hand, its labels, and what does not change beside it."""

import dataclasses
import math

import pytest
import torch
from helpers.small_run import small
from torch import nn

from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.losses import TERMS
from hmr_edu.training.checks import check_options
from hmr_edu.training.loop import Trainer
from hmr_edu.training.optimizers import build_optimizers
from hmr_edu.training.start import transfer
from hmr_edu.visibility import visibility_loss

OPTIONS = {"image_size": 32, "width": 8, "stem": "small", "pooling": "spatial", "hidden": 16}


def confident(out, weight=1.0, **changes):
    config = small(out, **changes)
    config.model.confidence, config.loss.visibility = True, weight
    return config


def test_the_loss_is_that_of_a_coin():
    logits = torch.tensor([[0.0, math.log(3.0)], [math.nan, 5.0]], dtype=torch.float64)
    visible = torch.tensor([[1.0, 0.0], [math.nan, 1.0]], dtype=torch.float64)
    labelled = torch.tensor([True, False])
    # p = 1/2 for what is there, p = 3/4 for what is not; the second person has no labels.
    expected = (math.log(2) + math.log(4)) / 2
    assert visibility_loss(logits, visible, labelled).item() == pytest.approx(expected)
    assert visibility_loss(logits, visible, torch.zeros(2, dtype=torch.bool)) == 0


def test_unannotated_keypoints_of_photographs_are_no_labels(tmp_path):
    trainer = Trainer(confident(tmp_path))
    batch = trainer.source[0]
    _, features = trainer.model(batch.images, vertices=False, return_features=True)
    loss = TERMS["visibility"].compute(features, batch, None)
    assert loss > 0
    photographs = batch.without_labels(theta=True, keypoints3d=True, parts=True)
    assert TERMS["visibility"].compute(features, photographs, None) == 0


def test_the_other_weights_begin_the_same():
    torch.manual_seed(5)
    plain = HMR("resnet18", **OPTIONS)
    torch.manual_seed(5)
    model = HMR("resnet18", **OPTIONS, confidence=True)
    own, known = model.state_dict(), plain.state_dict()
    assert all(torch.equal(own[name], tensor) for name, tensor in known.items())
    assert {name.split(".")[2] for name in own.keys() - known.keys()} == {"confidence"}
    # Files of networks without it are as they were.
    assert "confidence" not in plain.options


def test_the_network_hands_it_out_and_files_keep_it(tmp_path):
    model = HMR("resnet18", **OPTIONS, confidence=True).eval()
    images = torch.rand(3, 3, 32, 32)
    with torch.no_grad():
        _, features = model(images, return_features=True)
        model.save(tmp_path / "net.safetensors")
        _, again = load_pretrained(tmp_path / "net.safetensors")(images, return_features=True)
    expected = 1 / (1 + (-features.visibility).exp())
    torch.testing.assert_close(features.confidence, expected)
    assert torch.equal(again.confidence, features.confidence)
    _, plain = HMR("resnet18", **OPTIONS)(images, return_features=True)
    assert plain.confidence is None


def test_it_learns_what_is_in_the_picture():
    """A keypoint is visible where its colour is: half of the pictures have none of it."""
    torch.manual_seed(0)
    model = HMR("resnet18", **OPTIONS, confidence=True).train()
    optimizer = torch.optim.Adam(model.encoder.parameters(), 3e-3)
    g = torch.Generator().manual_seed(1)

    def people(n):
        images, there = (
            torch.rand(n, 3, 32, 32, generator=g) * 0.3,
            torch.rand(n, generator=g) < 0.5,
        )
        for image, shown in zip(images, there, strict=True):
            if shown:
                x, y = torch.randint(4, 24, (2,), generator=g).tolist()
                image[:, y : y + 5, x : x + 5] = torch.tensor([1.0, 0.2, 0.2])[:, None, None]
        return images, there[:, None].float().expand(-1, 19)

    for _ in range(40):
        images, visible = people(32)
        logits = model.encoder(images).visibility
        loss = visibility_loss(logits, visible, torch.ones(32, dtype=torch.bool))
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    images, visible = people(200)
    with torch.no_grad():
        found = model.encoder(images).visibility > 0
    assert (found == (visible > 0)).float().mean() > 0.9


def test_a_run_may_add_it_to_given_weights(tmp_path):
    plain = HMR("resnet18", **OPTIONS)
    plain.save(tmp_path / "plain.safetensors")
    wider = HMR("resnet18", **{**OPTIONS, "width": 16, "hidden": 32}, confidence=True).eval()
    # Even a wider network answers as the old one did.
    left = transfer(wider, tmp_path / "plain.safetensors")
    assert all(name.startswith("encoder.head.confidence") for name in left)
    images = torch.rand(2, 3, 32, 32)
    with torch.no_grad():
        ours, theirs = wider(images)[-1].theta, plain.eval()(images)[-1].theta
    torch.testing.assert_close(ours, theirs, atol=1e-5, rtol=1e-4)


def test_muon_leaves_its_last_layer_to_adam(tmp_path):
    config = confident(tmp_path)
    model = HMR("resnet18", **OPTIONS, confidence=True)
    muon, rest = build_optimizers(model, dataclasses.replace(config.optimizer, method="muon"))
    first, _, last = model.encoder.head.confidence
    assert isinstance(first, nn.Linear)
    assert any(p is first.weight for group in muon.param_groups for p in group["params"])
    assert any(p is last.weight for group in rest.param_groups for p in group["params"])


@pytest.mark.parametrize(
    ("model", "weight", "said"),
    [
        ({"confidence": True}, 0.0, "learns nothing"),
        ({"confidence": False}, 1.0, "--loss.visibility needs --model.confidence"),
        ({"confidence": True, "pooling": "average"}, 1.0, "--model.pooling spatial"),
        ({"confidence": True, "encoder": "keypoints"}, 1.0, "needs pictures"),
    ],
)
def test_options_that_cannot_work_are_named(tmp_path, model, weight, said):
    config = small(tmp_path)
    config.model = dataclasses.replace(config.model, **model)
    config.loss.visibility = weight
    with pytest.raises(DataError, match=said):
        check_options(config)
