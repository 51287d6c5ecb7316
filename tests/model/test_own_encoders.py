"""Backbones, ResNets and encoders that a script of its own adds, from outside the package."""

import pytest
import torch
from torch import nn

from hmr_edu.encoder.backbone import Backbone
from hmr_edu.encoder.build import ENCODERS
from hmr_edu.encoder.resnet import BACKBONES, NETWORKS, BasicBlock, Encoder, ResNet
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.errors import DataError

SMALL = {"image_size": 32, "hidden": 16}


class Tiny(Backbone):
    """One map of 16 channels, whatever the width; its first layer has the ResNets' name."""

    stride = 4

    def __init__(self, *stage_channels: int) -> None:
        super().__init__()
        self.conv1 = nn.Conv2d(3, 16, 3, 4, padding=1)
        self.stage_channels = [*stage_channels] or [16]

    @property
    def first(self) -> nn.Conv2d:
        return self.conv1

    def forward(self, images):
        return [self.conv1(images)[:, :channels] for channels in self.stage_channels]


def test_a_backbone_of_a_width_of_its_own_is_loaded_again(tmp_path, monkeypatch):
    monkeypatch.setitem(BACKBONES, "tiny", lambda width, stem, zero_init: Tiny())
    model, path = HMR("tiny", width=40, **SMALL).eval(), tmp_path / "tiny.safetensors"
    model.save(path)
    images = torch.rand(2, 3, 32, 32)
    loaded = load_pretrained(path)
    assert loaded.options == model.options
    assert torch.equal(loaded(images)[-1].theta, model(images)[-1].theta)


@pytest.mark.parametrize("encoder", ["resnet18", "resnet50"])
def test_a_wide_resnet_is_refused_before_it_is_built(tmp_path, monkeypatch, encoder):
    model, path = HMR(encoder, width=4, stem="small", **SMALL), tmp_path / "m.safetensors"
    model.options["width"] = 1024
    model.save(path)
    monkeypatch.setattr("hmr_edu.hmr.HMR", None)
    with pytest.raises(DataError, match="the options say width 1024, the tensors 4"):
        load_pretrained(path)


@pytest.mark.parametrize("channels", [(), (8, 16)])
def test_a_spatial_head_asks_for_three_maps(monkeypatch, channels):
    monkeypatch.setitem(BACKBONES, "tiny", lambda width, stem, zero_init: Tiny(*channels))
    named = r"reads three maps, .* stage_channels are \[(8, )?16\]"
    with pytest.raises(ValueError, match=named):
        HMR("tiny", pooling="spatial", **SMALL)


def test_three_maps_are_enough_for_a_spatial_head(monkeypatch):
    monkeypatch.setitem(BACKBONES, "tiny", lambda width, stem, zero_init: Tiny(4, 8, 16))
    _, features = HMR("tiny", pooling="spatial", **SMALL)(
        torch.rand(2, 3, 32, 32), return_features=True
    )
    assert features.heatmaps.shape == (2, 19, 8, 8)


def test_names_are_looked_up_when_a_network_is_built(monkeypatch):
    """`hmr_edu.hmr` is imported above, before every one of these entries."""
    monkeypatch.setitem(BACKBONES, "tiny", lambda width, stem, zero_init: Tiny())
    monkeypatch.setitem(NETWORKS, "resnet34", (BasicBlock, (3, 4, 6, 3)))
    monkeypatch.setitem(ENCODERS, "own", lambda **options: Encoder("tiny", image_size=32))
    assert isinstance(HMR("tiny", **SMALL).encoder.backbone, Tiny)
    backbone = HMR("resnet34", **SMALL).encoder.backbone
    assert isinstance(backbone, ResNet)
    # The number of torchvision.models.resnet34, its classifier left out.
    assert sum(p.numel() for p in backbone.parameters()) == 21_284_672
    assert isinstance(HMR("own", **SMALL).encoder.backbone, Tiny)
    names = "resnet18, resnet50, resnet34, efficientnet_lite0, tiny, keypoints, own"
    with pytest.raises(ValueError, match=f"encoder must be one of {names}, got 'vit'"):
        HMR("vit")


def test_an_entry_takes_the_place_of_a_shipped_one(monkeypatch):
    monkeypatch.setitem(BACKBONES, "resnet18", lambda width, stem, zero_init: Tiny())
    assert isinstance(HMR("resnet18", **SMALL).encoder.backbone, Tiny)
