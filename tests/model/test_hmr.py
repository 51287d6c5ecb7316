"""HMR as a whole: what follows from a theta, what is saved, and that images reach the body."""

import math

import pytest
import torch

from hmr_edu.body import load_body
from hmr_edu.camera import weak_perspective
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.theta import mean_theta
from hmr_edu.training.start import transfer

TINY = {"image_size": 32, "width": 8, "hidden": 16}


def tiny(**changes) -> HMR:
    return HMR("resnet18", **{**TINY, "stem": "small", **changes})


def images(n: int = 2, size: int = 32) -> torch.Tensor:
    return torch.rand(n, 3, size, size, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("representation", ["axis_angle", "6d"])
@pytest.mark.parametrize("pooling", ["average", "spatial"])
def test_one_prediction_per_step_and_all_parts_agree(representation, pooling):
    model = tiny(representation=representation, pooling=pooling).eval()
    predictions = model(images())
    assert len(predictions) == 3
    for p in predictions:
        camera, pose, betas = p.theta.split((3, 72, 10), dim=1)
        body = model.body(betas, pose)
        torch.testing.assert_close(p.vertices, body.vertices, rtol=0, atol=2e-5)
        torch.testing.assert_close(p.keypoints3d, body.keypoints, rtol=0, atol=2e-5)
        projected = weak_perspective(body.keypoints, camera)
        torch.testing.assert_close(p.keypoints2d, projected, rtol=0, atol=2e-5)
        assert p.camera.tolist() == camera.tolist()
        assert p.betas.tolist() == betas.tolist()


def test_keypoints_do_not_depend_on_whether_the_mesh_is_wanted():
    model = tiny().eval()
    for whole, part in zip(model(images()), model(images(), vertices=False), strict=True):
        assert part.vertices is None
        torch.testing.assert_close(part.keypoints3d, whole.keypoints3d, rtol=0, atol=2e-6)


def test_detail_is_theta_body_and_camera():
    model = tiny()
    theta = mean_theta()[None].clone()
    theta[0, :3] = torch.tensor([0.5, 0.1, -0.2])
    detail = model.detail(theta)
    torch.testing.assert_close(detail.theta, theta)
    # Facing the camera: pi about x puts the head above the feet in a picture whose y points down.
    assert detail.keypoints2d[0, 13, 1] < detail.keypoints2d[0, 0, 1]
    rest = load_body("lite")(torch.zeros(1, 10), torch.zeros(1, 72))
    pelvis = rest.joints[:, :1]
    half_turn = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    expected = (rest.vertices - pelvis) @ half_turn + pelvis
    torch.testing.assert_close(detail.vertices, expected, rtol=0, atol=2e-6)
    torch.testing.assert_close(detail.rotations[0, 0], half_turn, rtol=0, atol=2e-7)
    by_hand = 0.5 * (detail.keypoints3d[0, 5, :2] + torch.tensor([0.1, -0.2]))
    torch.testing.assert_close(detail.keypoints2d[0, 5], by_hand)


def test_the_papers_network_has_the_papers_size():
    model = HMR()
    assert sum(p.numel() for p in model.regressor.parameters()) == 3_321_941
    assert sum(p.numel() for p in model.encoder.parameters()) == 23_508_032


def test_a_gradient_reaches_every_weight():
    model = tiny(pooling="spatial", representation="6d", dropout=0.0)
    # The last layer starts near zero: give the feedback something to carry.
    torch.manual_seed(0)
    for p in model.regressor.parameters():
        torch.nn.init.normal_(p, std=0.05)
    # Each block starts as its shortcut, deaf in its residual: let it hear.
    for module in model.modules():
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.ones_(module.weight)
    predictions, features = model(images(4), vertices=False, return_features=True)
    loss = sum(p.keypoints3d.square().sum() + p.keypoints2d.square().sum() for p in predictions)
    (loss + features.parts.mean()).backward()
    silent = [n for n, p in model.named_parameters() if p.grad is None or not p.grad.abs().sum()]
    assert not silent


def test_a_mean_theta_is_where_an_untrained_network_stays():
    mean = mean_theta()
    mean[6:75] = 0.2
    model = tiny(mean_theta=mean, representation="6d").eval()
    for p in model(images(), vertices=False):
        expected = axis_angle_to_matrix(mean[3:75].view(24, 3))
        assert (p.rotations - expected).abs().max() < 0.05


@pytest.mark.parametrize(("precision", "off"), [("float32", 0), ("float16", 5e-3), ("int8", 0.05)])
def test_saved_and_loaded(tmp_path, precision, off):
    model = tiny(pooling="spatial", representation="6d", share_weights=False).eval()
    model.save(tmp_path / "m.safetensors", precision)
    again = load_pretrained(tmp_path / "m.safetensors")
    assert again.options == model.options
    assert not again.training
    torch.testing.assert_close(
        again(images())[-1].theta, model(images())[-1].theta, rtol=0, atol=off
    )


def test_weights_of_another_network_are_refused(tmp_path):
    from safetensors import safe_open
    from safetensors.torch import load_file, save_file

    path = tmp_path / "m.safetensors"
    tiny().save(path)
    with safe_open(path, framework="pt") as archive:
        metadata = archive.metadata()
    tensors = load_file(path)
    tensors.pop("encoder.backbone.conv1.weight")
    save_file(tensors, path, metadata=metadata)
    with pytest.raises(DataError, match="do not fit"):
        load_pretrained(path)


def test_missing_weights_name_what_there_is():
    with pytest.raises(FileNotFoundError, match="shipped: "):
        load_pretrained("resnet101")


def test_nan_images_are_named():
    with pytest.raises(ValueError, match="images"):
        tiny()(torch.full((1, 3, 32, 32), math.nan))


def test_half_precision_does_not_overflow_in_the_norms(tmp_path):
    model = HMR("resnet18", image_size=64, width=8, stem="small", pooling="spatial", hidden=16)
    model.encoder.backbone.bn1.running_var.fill_(1e5)
    model.save(tmp_path / "half.safetensors", "float16")
    loaded = load_pretrained(tmp_path / "half.safetensors")
    assert (loaded.encoder.backbone.bn1.running_var == 1e5).all()
    weight = model.encoder.backbone.conv1.weight
    assert torch.equal(loaded.encoder.backbone.conv1.weight, weight.half().float())


def test_a_wider_network_answers_as_the_narrow_one(tmp_path):
    options = {"pooling": "spatial", "representation": "6d", "share_weights": False}
    narrow = HMR("resnet18", image_size=32, width=8, stem="small", hidden=16, **options)
    for module in narrow.modules():  # as after training: nothing is at its first value
        if isinstance(module, torch.nn.BatchNorm2d):
            torch.nn.init.uniform_(module.weight, 0.5, 1.5)
            torch.nn.init.uniform_(module.running_mean, -0.5, 0.5)
    narrow.save(tmp_path / "narrow.safetensors")
    wide = HMR("resnet18", image_size=32, width=12, stem="small", hidden=40, **options)
    assert transfer(wide, tmp_path / "narrow.safetensors") == []
    with torch.no_grad():
        (*_, a), seen = narrow.eval()(images(), return_features=True)
        (*_, b), also = wide.eval()(images(), return_features=True)
    torch.testing.assert_close(also.heatmaps, seen.heatmaps, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(b.rotations, a.rotations, rtol=1e-4, atol=1e-4)
    torch.testing.assert_close(b.keypoints2d, a.keypoints2d, rtol=1e-4, atol=1e-4)
    # The new units are not idle: they listen, and can be heard as soon as that is learnt.
    loss = wide.train()(images())[-1].keypoints3d.square().sum()
    loss.backward()
    assert wide.encoder.backbone.conv1.weight[8:].abs().amin((1, 2, 3)).min() > 0
    assert wide.regressor.perceptrons[-1][-1].weight.grad[:, 16:].abs().sum() > 0
    assert wide.encoder.backbone.layer2[0].conv1.weight.grad[:16, 8:].abs().sum() > 0


def test_other_differences_are_no_matter_of_width(tmp_path):
    tiny().save(tmp_path / "m.safetensors")
    # With an averaging head a wider backbone has features of another number, in other places.
    other = tiny(width=12)
    assert any(name.startswith("regressor") for name in transfer(other, tmp_path / "m.safetensors"))


@pytest.mark.parametrize("options", ["not JSON", "[1]", '{"new_option": 1}', '{"encoder": "vit"}'])
def test_options_that_mean_nothing_are_one_clear_error(tmp_path, options):
    from safetensors.torch import save_file

    path = tmp_path / "m.safetensors"
    save_file({"a": torch.zeros(1)}, path, metadata={"hmr_edu": options})
    with pytest.raises(DataError, match=r"m\.safetensors: .*options"):
        load_pretrained(path)
