"""Stored weights: how far whole numbers are off, and what a damaged file is told."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from safetensors.torch import load_file, save_file

from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.io.quantisation import pack, quantise, unpack
from hmr_edu.training.start import transfer


def tiny():
    torch.manual_seed(0)
    return HMR("resnet18", image_size=32, width=8, stem="small", pooling="spatial", hidden=16)


def test_by_hand():
    whole, scale = quantise(torch.tensor([[127.0, -63.6, 0.4], [0.0, 0.0, 0.0]]))
    assert whole.tolist() == [[127, -64, 0], [0, 0, 0]]
    assert scale.tolist() == [1.0, 0.0]
    again = unpack({"w": whole, "w.scale": scale})
    assert again["w"].tolist() == [[127, -64, 0], [0, 0, 0]]


@given(st.integers(0, 2**31), st.floats(1e-6, 1e4), st.sampled_from([(3, 5), (4, 2, 3, 3)]))
def test_no_weight_is_off_by_more_than_half_a_step_of_its_row(seed, size, shape):
    generator = torch.Generator().manual_seed(seed)
    # Rows of very different sizes: each has steps of its own.
    rows = 10.0 ** torch.randint(-3, 3, (shape[0], *[1] * (len(shape) - 1)), generator=generator)
    weight = size * rows * torch.randn(shape, generator=generator)
    again = unpack(pack({"w": weight}, {"w"}, "int8"))["w"]
    step = weight.abs().flatten(1).amax(1) / 127
    off = (again - weight).abs().flatten(1).amax(1)
    assert (off <= 0.5001 * step).all()


def test_only_named_matrices_become_whole_numbers():
    state = {"w": torch.randn(2, 3), "bias": torch.randn(3), "running": torch.full((2,), 1e5)}
    packed = pack(state, {"w", "bias"}, "int8")
    assert packed["w"].dtype == torch.int8
    assert packed["bias"].dtype == torch.float16
    assert torch.equal(packed["running"], state["running"])
    assert set(unpack(packed)) == set(state)
    with pytest.raises(ValueError, match="int4"):
        pack(state, {"w"}, "int4")


@pytest.mark.parametrize("damage", ["gone", "short"])
def test_whole_numbers_without_their_multipliers_are_named(tmp_path, damage):
    path = tmp_path / "m.safetensors"
    tiny().save(path, "int8")
    tensors = load_file(path)
    name = "encoder.backbone.conv1.weight"
    if damage == "gone":
        del tensors[name + ".scale"]
    else:
        tensors[name + ".scale"] = tensors[name + ".scale"][:-1]
    save_file(tensors, path, metadata={"hmr_edu": "{}"})
    with pytest.raises(DataError, match=rf"m\.safetensors: {name}: int8 weights need"):
        load_pretrained(path)


def test_stored_weights_are_weights_to_go_on_from(tmp_path):
    path = tmp_path / "m.safetensors"
    model = tiny()
    model.save(path, "int8")
    torch.manual_seed(1)
    other = HMR("resnet18", image_size=32, width=8, stem="small", pooling="spatial", hidden=16)
    assert transfer(other, path) == []
    weight = model.encoder.backbone.conv1.weight
    off = (other.encoder.backbone.conv1.weight - weight).abs()
    assert 0 < off.max() <= weight.abs().max() / 127
