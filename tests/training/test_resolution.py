"""Weights that go on at another resolution: what a regressor reads keeps its place and its sum."""

import pytest
import torch

from hmr_edu.hmr import HMR
from hmr_edu.training.start import resized, transfer

OPTIONS = {"stem": "small", "pooling": "spatial", "width": 8, "hidden": 16}
OPTIONS |= {"representation": "6d", "share_weights": False}


def network(size, **options):
    return HMR("resnet18", image_size=size, **{**OPTIONS, **options})


def test_every_tensor_goes_on_and_only_the_first_layers_change(tmp_path):
    torch.manual_seed(0)
    old = network(64)
    old.save(tmp_path / "old.safetensors")
    new = network(80)
    assert transfer(new, tmp_path / "old.safetensors") == []
    known = old.state_dict()
    changed = {k for k, v in new.state_dict().items() if not torch.equal(v, known[k])}
    assert changed == {f"regressor.perceptrons.{step}.0.weight" for step in range(3)}
    wider = network(80, width=12, hidden=24)
    assert transfer(wider, tmp_path / "old.safetensors") == []


@pytest.mark.parametrize(("size", "other"), [(64, 128), (128, 64), (64, 64)])
def test_a_map_that_shows_the_same_gives_the_same_sum(size, other):
    head, new = network(size).encoder.head, network(other).encoder.head
    torch.manual_seed(1)
    state = 157
    weight = torch.randn(16, head.feature_dim + state, dtype=torch.float64)
    fitted = resized(weight, new, head.last_map)
    keypoints, rest = torch.randn(head.of_keypoints).double(), torch.randn(state).double()
    # Each channel has the same value everywhere: at any resolution it shows the same.
    levels = torch.randn(head.squeezed).double()[:, None]
    seen = torch.cat([keypoints, levels.expand(-1, head.last_map**2).flatten(), rest])
    finer = torch.cat([keypoints, levels.expand(-1, new.last_map**2).flatten(), rest])
    torch.testing.assert_close(fitted @ finer, weight @ seen, atol=1e-5, rtol=1e-5)
    if size == other:
        assert torch.equal(fitted, weight)


def test_a_cell_keeps_its_place():
    """A weight for the upper left cell becomes weights for the upper left of the finer map."""
    head, new = network(64).encoder.head, network(128).encoder.head
    weight = torch.zeros(1, head.feature_dim)
    weight[0, head.of_keypoints + 3 * head.last_map**2] = 4.0  # channel 3, cell (0, 0) of 4 x 4
    fitted = resized(weight, new, head.last_map)[0, head.of_keypoints :]
    channels = fitted.view(new.squeezed, new.last_map, new.last_map)
    assert channels[:3].eq(0).all()
    assert channels[4:].eq(0).all()
    # Bilinear, cells as areas: 1, 3/4, 1/4, 0 along each axis, a quarter of it for four times more.
    axis = torch.tensor([1.0, 0.75, 0.25, 0, 0, 0, 0, 0])
    torch.testing.assert_close(channels[3], torch.outer(axis, axis))


def test_another_stem_is_another_map(tmp_path):
    network(64).save(tmp_path / "old.safetensors")
    left = transfer(network(64, stem="imagenet"), tmp_path / "old.safetensors")
    assert "regressor.perceptrons.0.0.weight" in left
