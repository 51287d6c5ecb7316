"""The network of keypoints: what it may depend on, and in which unit it answers."""

import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from hmr_edu.camera import weak_perspective
from hmr_edu.crop import camera_out_of_box, into_box, visible_box
from hmr_edu.encoder import KeypointEncoder
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.training.start import transfer

SMALL = {"width": 4, "hidden": 16, "representation": "6d", "dropout": 0.0}


def network(**changes) -> HMR:
    torch.manual_seed(0)
    model = HMR("keypoints", **{**SMALL, **changes}).eval()
    # The last layers of a new network hardly answer at all.
    for layer in model.regressor.output_layers:
        torch.nn.init.normal_(layer.weight, std=0.05)
    return model


def people(n: int = 3, seed: int = 0) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(seed)
    keypoints2d = torch.rand(n, 19, 2, generator=g) * 200 + 50
    return keypoints2d, 0.05 + 0.95 * torch.rand(n, 19, generator=g)


def test_the_box_by_hand():
    keypoints2d = torch.full((3, 19, 2), torch.nan)
    confidence = torch.zeros(3, 19)
    keypoints2d[0, 3], keypoints2d[0, 7] = torch.tensor([10.0, 40.0]), torch.tensor([30.0, 140.0])
    confidence[0, [3, 7]] = torch.tensor([0.2, 1.0])
    keypoints2d[1, 5], confidence[1, 5] = torch.tensor([7.0, 8.0]), 0.5
    expected = [[20.0, 90.0, 50.0], [7.0, 8.0, 1.0], [0.0, 0.0, 1.0]]
    box = visible_box(keypoints2d, confidence)
    assert box.tolist() == expected
    inside = into_box(keypoints2d, box)
    torch.testing.assert_close(inside[0, [3, 7]], torch.tensor([[-0.2, -1.0], [0.2, 1.0]]))


@settings(max_examples=50, deadline=None)
@given(
    st.floats(0.05, 3),
    st.floats(-2, 2),
    st.floats(-500, 500),
    st.floats(1, 900),
)
def test_a_camera_out_of_its_box_projects_onto_the_same_place(scale, t, middle, half):
    points = torch.randn(1, 19, 3, generator=torch.Generator().manual_seed(1)).double()
    camera = torch.tensor([[scale, t, -t / 2]], dtype=torch.float64)
    box = torch.tensor([[middle, 2 * middle, half]], dtype=torch.float64)
    in_box = weak_perspective(points, camera)
    outside = weak_perspective(points, camera_out_of_box(camera, box))
    torch.testing.assert_close(outside, in_box * half + box[:, None, :2], rtol=1e-9, atol=1e-7)


@settings(max_examples=20, deadline=None)
@given(st.floats(0.01, 100), st.floats(-1e3, 1e3), st.floats(-1e3, 1e3))
def test_place_and_size_in_the_picture_change_the_camera_alone(factor, x, y):
    model = network()
    keypoints2d, confidence = (t.double() for t in people())
    model.double()
    moved = keypoints2d * factor + torch.tensor([x, y])
    for before, after in zip(model(keypoints2d, confidence), model(moved, confidence), strict=True):
        torch.testing.assert_close(after.rotations, before.rotations, rtol=0, atol=1e-7)
        torch.testing.assert_close(after.betas, before.betas, rtol=0, atol=1e-7)
        expected = before.keypoints2d * factor + torch.tensor([x, y])
        torch.testing.assert_close(after.keypoints2d, expected, rtol=1e-6, atol=1e-6 * factor)


@pytest.mark.parametrize("hidden_place", [0.0, 1e6, math.nan, math.inf])
def test_what_is_missing_may_be_anywhere(hidden_place):
    model = network()
    keypoints2d, confidence = people()
    confidence[:, [0, 5, 18]] = 0
    expected = model(keypoints2d, confidence)[-1].theta
    keypoints2d[:, [0, 5, 18]] = hidden_place
    assert torch.equal(model(keypoints2d, confidence)[-1].theta, expected)


def test_every_keypoint_and_every_confidence_is_read():
    model = network()
    keypoints2d, confidence = (t[:1].clone().requires_grad_() for t in people())
    model(keypoints2d, confidence, vertices=False)[-1].rotations.square().sum().backward()
    # A half of the sum of squares of rotations is constant; their entries are not.
    model(keypoints2d, confidence, vertices=False)[-1].keypoints3d.sum().backward()
    assert (keypoints2d.grad.abs().sum(2) > 0).all()
    assert (confidence.grad.abs() > 0).all()


def test_nobody_and_one_keypoint_give_a_finite_body():
    model = network()
    keypoints2d, confidence = people(2)
    confidence[0], confidence[1, 1:] = 0, 0
    assert all(part.isfinite().all() for part in model(keypoints2d, confidence)[-1])


@pytest.mark.parametrize(
    ("change", "says"),
    [
        (lambda k, c: (k[:, :17], c), r"keypoints2d must be \[B, 19, 2\]"),
        (lambda k, c: (k, c[:2]), r"got \[3, 19, 2\] and \[2, 19\]"),
        (lambda k, c: (k.long(), c), "must be floating"),
        (lambda k, c: (k, c * 3), "in \\[0, 1\\]"),
        (lambda k, c: (k, c * torch.nan), "in \\[0, 1\\]"),
        (lambda k, c: (k * torch.nan, c), "NaN or infinite"),
    ],
)
def test_wrong_input_is_refused(change, says):
    with pytest.raises(ValueError, match=says):
        network()(*change(*people()))


def test_saved_and_loaded_it_answers_the_same(tmp_path):
    model, path = network(), tmp_path / "lifter.safetensors"
    model.save(path)
    loaded = load_pretrained(path)
    assert loaded.options == model.options
    assert isinstance(loaded.encoder, KeypointEncoder)
    assert torch.equal(loaded(*people())[-1].theta, model(*people())[-1].theta)
    model.save(path, "float16")
    half = load_pretrained(path)(*people())[-1]
    assert (half.rotations - model(*people())[-1].rotations).abs().max() < 0.02


def test_options_that_its_tensors_do_not_have_are_refused(tmp_path):
    model, path = network(), tmp_path / "lifter.safetensors"
    model.options["width"] = 1024
    model.save(path)
    with pytest.raises(DataError, match="the options say width 1024, the tensors 4"):
        load_pretrained(path)


def test_a_network_of_pictures_gives_it_no_encoder(tmp_path):
    pictures = HMR("resnet18", image_size=32, width=4, stem="small", hidden=16)
    pictures.save(tmp_path / "pictures.safetensors")
    model = network(hidden=16)
    own = model.encoder.first.weight.clone()
    left = transfer(model, tmp_path / "pictures.safetensors")
    assert "encoder.first.weight" in left
    assert torch.equal(model.encoder.first.weight, own)


def test_an_unknown_encoder_names_those_there_are():
    there = "resnet18, resnet50, efficientnet_lite0, keypoints, got 'vit'"
    with pytest.raises(ValueError, match=there):
        HMR("vit")


@pytest.mark.parametrize("dtype", [torch.float16, torch.bfloat16, torch.float64])
def test_it_answers_in_every_dtype(dtype):
    model = network()
    expected = model(*people())[-1]
    answer = model.to(dtype)(*(t.to(torch.float32) for t in people()))[-1]
    assert answer.keypoints2d.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
    assert (answer.rotations.double() - expected.rotations.double()).abs().max() < 0.15
