"""The backbone against torchvision's layout written out by hand, loading, and both heads."""

import os

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from safetensors.torch import save_file
from torch.nn import functional as F  # noqa: N812

from hmr_edu.encoder.heads import SpatialHead, cell_centres, soft_argmax
from hmr_edu.encoder.resnet import Encoder, ResNet
from hmr_edu.io.errors import DataError
from hmr_edu.losses import heatmap_loss

PARAMETERS = {"resnet18": 11_176_512, "resnet50": 23_508_032}


def norm_keys(name, channels):
    tensors = ("weight", "bias", "running_mean", "running_var")
    return {f"{name}.{t}": (channels,) for t in tensors} | {f"{name}.num_batches_tracked": ()}


def torchvision_keys(name):
    """The keys and shapes of torchvision.models.resnet18/50, fc left out."""
    keys = {"conv1.weight": (64, 3, 7, 7)} | norm_keys("bn1", 64)
    channels = 64
    for stage, width in enumerate((64, 128, 256, 512), start=1):
        blocks = 2 if name == "resnet18" else (3, 4, 6, 3)[stage - 1]
        for block in range(blocks):
            if name == "resnet18":
                out = width
                convs = [(width, channels, 3, 3), (width, width, 3, 3)]
            else:
                out = 4 * width
                convs = [(width, channels, 1, 1), (width, width, 3, 3), (out, width, 1, 1)]
            prefix = f"layer{stage}.{block}"
            for i, shape in enumerate(convs, start=1):
                keys[f"{prefix}.conv{i}.weight"] = shape
                keys |= norm_keys(f"{prefix}.bn{i}", shape[0])
            if block == 0 and (stage > 1 or name == "resnet50"):
                keys[f"{prefix}.downsample.0.weight"] = (out, channels, 1, 1)
                keys |= norm_keys(f"{prefix}.downsample.1", out)
            channels = out
    return keys


@pytest.mark.parametrize("name", PARAMETERS)
def test_state_dict_is_torchvisions(name):
    backbone = ResNet(name)
    shapes = {key: tuple(tensor.shape) for key, tensor in backbone.state_dict().items()}
    assert shapes == torchvision_keys(name)
    assert sum(p.numel() for p in backbone.parameters()) == PARAMETERS[name]


def reference_forward(weights, x, name):
    """The same network spelled out with functions, in evaluation mode."""

    def norm(x, key):
        mean, var = weights[f"{key}.running_mean"], weights[f"{key}.running_var"]
        return F.batch_norm(x, mean, var, weights[f"{key}.weight"], weights[f"{key}.bias"])

    def conv(x, key, stride=1):
        kernel = weights[f"{key}.weight"]
        return F.conv2d(x, kernel, stride=stride, padding=kernel.shape[-1] // 2)

    x = F.max_pool2d(norm(conv(x, "conv1", 2), "bn1").relu(), 3, 2, 1)
    maps = []
    for stage, blocks in enumerate((2, 2, 2, 2) if name == "resnet18" else (3, 4, 6, 3), start=1):
        for block in range(blocks):
            key = f"layer{stage}.{block}"
            # torchvision puts a stage's stride into its first 3x3 convolution.
            stride = 2 if stage > 1 and block == 0 else 1
            strides = (stride, 1) if name == "resnet18" else (1, stride, 1)
            y = x
            for i, s in enumerate(strides, start=1):
                y = norm(conv(y, f"{key}.conv{i}", s), f"{key}.bn{i}")
                y = y.relu() if i < len(strides) else y
            if f"{key}.downsample.0.weight" in weights:
                x = norm(conv(x, f"{key}.downsample.0", stride), f"{key}.downsample.1")
            x = (x + y).relu()
        maps.append(x)
    return maps


@pytest.mark.parametrize("name", PARAMETERS)
def test_forward_is_the_one_spelled_out(name):
    torch.manual_seed(0)
    backbone = ResNet(name, width=8, zero_init=False).double().eval()
    for key, tensor in backbone.state_dict().items():
        if key.endswith("running_mean"):
            tensor.normal_()
        elif key.endswith("running_var"):
            tensor.uniform_(0.5, 2)
    images = torch.randn(2, 3, 96, 64, dtype=torch.float64)
    for ours, theirs in zip(
        backbone(images), reference_forward(backbone.state_dict(), images, name), strict=True
    ):
        torch.testing.assert_close(ours, theirs, rtol=1e-10, atol=1e-10)


@pytest.mark.parametrize(("stem", "sizes"), [("imagenet", (16, 8, 4, 2)), ("small", (16, 8, 4))])
def test_strides_of_both_stems(stem, sizes):
    backbone = ResNet("resnet18", width=8, stem=stem)
    maps = backbone(torch.zeros(1, 3, 64, 64))
    assert [m.shape for m in maps] == [
        (1, c, s, s) for c, s in zip((8, 16, 32, 64), sizes, strict=False)
    ]
    assert 64 // backbone.stride == sizes[-1]


def test_zero_init_starts_blocks_as_their_shortcut():
    x = torch.rand(2, 8, 8, 8)
    for name in PARAMETERS:
        block = ResNet(name, width=8).layer1[1]
        channels = 8 if name == "resnet18" else 32
        x = torch.rand(2, channels, 8, 8)
        torch.testing.assert_close(block(x), x)
        other = ResNet(name, width=8, zero_init=False).layer1[1]
        assert (other(x) - x).abs().max() > 0.1


@pytest.fixture
def weights():
    return {
        key: torch.rand(shape) if shape else torch.tensor(5)
        for key, shape in torchvision_keys("resnet18").items()
    } | {"fc.weight": torch.rand(1000, 512), "fc.bias": torch.rand(1000)}


def write(weights, path):
    save_file(weights, path) if path.suffix == ".safetensors" else torch.save(weights, path)
    return path


@pytest.mark.parametrize("name", ["w.safetensors", "w.pth", "w.pt"])
@pytest.mark.parametrize("counters", [True, False])
def test_load_public_weights(weights, tmp_path, name, counters):
    if not counters:  # as in torchvision's first files
        weights = {k: v for k, v in weights.items() if "num_batches" not in k}
    backbone = ResNet("resnet18")
    backbone.load(write(weights, tmp_path / name))
    for key, tensor in backbone.state_dict().items():
        if key in weights:
            assert torch.equal(tensor, weights[key]), key


def remove(weights):
    del weights["layer3.1.bn2.weight"]


def reshape(weights):
    weights["layer1.0.conv1.weight"] = torch.zeros(32, 64, 3, 3)


def add(weights):
    weights["layer3.2.conv1.weight"] = torch.zeros(1)


def poison(weights):
    weights["layer4.0.bn1.bias"][3] = torch.nan


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (remove, r"no layer3\.1\.bn2\.weight"),
        (reshape, r"layer1\.0\.conv1\.weight has shape \[32, 64, 3, 3\].*\[64, 64, 3, 3\]"),
        (add, r"layer3\.2\.conv1\.weight is no part"),
        (poison, r"layer4\.0\.bn1\.bias is not finite"),
    ],
)
def test_load_names_the_wrong_key_and_changes_nothing(weights, tmp_path, damage, message):
    damage(weights)
    backbone = ResNet("resnet18")
    before = {k: v.clone() for k, v in backbone.state_dict().items()}
    with pytest.raises(DataError, match=message):
        backbone.load(write(weights, tmp_path / "w.safetensors"))
    assert all(torch.equal(v, before[k]) for k, v in backbone.state_dict().items())


@pytest.mark.parametrize(
    ("options", "message"),
    [({"name": "resnet50"}, "no layer1.0.conv3"), ({"stem": "small"}, "conv1.weight has shape")],
)
def test_load_into_another_network(weights, tmp_path, options, message):
    path = write(weights, tmp_path / "w.safetensors")
    # Between ResNet-18 and -50 the first difference is a shape or a missing key.
    with pytest.raises(DataError, match=f"{message}|layer1.0.conv1.weight has shape"):
        ResNet(**{"name": "resnet18", **options}).load(path)


class Hostile:
    def __reduce__(self):
        return (os.mkdir, ("owned",))


@pytest.mark.parametrize("suffix", [".pth", ".safetensors"])
def test_unreadable_files(weights, tmp_path, suffix, monkeypatch):
    monkeypatch.chdir(tmp_path)
    backbone = ResNet("resnet18")
    with pytest.raises(FileNotFoundError, match="missing"):
        backbone.load(tmp_path / f"missing{suffix}")
    path = write(weights, tmp_path / f"w{suffix}")
    whole = path.read_bytes()
    for content in (b"", b"garbage", whole[:1000], whole[:-10]):
        path.write_bytes(content)
        with pytest.raises(DataError, match=f"w{suffix}"):
            backbone.load(path)
    torch.save({"conv1.weight": Hostile()}, path)
    with pytest.raises(DataError):
        backbone.load(path)
    assert not (tmp_path / "owned").exists()
    for content in ({"state_dict": weights, "epoch": 3}, torch.zeros(3)):
        torch.save(content, tmp_path / "nested.pth")
        with pytest.raises(DataError, match="no plain state dict"):
            backbone.load(tmp_path / "nested.pth")


@pytest.mark.parametrize(
    "options", [{"name": "resnet34"}, {"stem": "tiny"}, {"pooling": "max"}], ids=str
)
def test_unknown_options_are_named(options):
    with pytest.raises(ValueError, match=next(iter(options.values()))):
        Encoder(**options)


@pytest.mark.parametrize(("name", "size"), [("resnet18", 512), ("resnet50", 2048)])
def test_average_pooling_as_in_the_paper(name, size):
    encoder = Encoder(name, image_size=64).eval()
    images = torch.rand(2, 3, 64, 64)
    seen = []
    encoder.backbone.register_forward_hook(lambda m, args, out: seen.extend((args[0], out[-1])))
    features = encoder(images)
    assert encoder.feature_dim == size == features.vector.shape[1]
    assert features.heatmaps is features.coordinates is features.depths is features.parts is None
    normalised, last = seen
    # torchvision's transform: the three channels, one by one.
    for c, (mean, std) in enumerate(((0.485, 0.229), (0.456, 0.224), (0.406, 0.225))):
        torch.testing.assert_close(normalised[:, c], (images[:, c] - mean) / std)
    torch.testing.assert_close(features.vector, last.flatten(2).mean(2))
    assert all(key.startswith("backbone.") for key in encoder.state_dict())


@pytest.mark.parametrize(
    ("stem", "size", "cells", "last"),
    [("small", 64, 16, 4), ("imagenet", 128, 16, 4), ("imagenet", 100, 13, 4)],
)
def test_spatial_pooling(stem, size, cells, last):
    encoder = Encoder("resnet18", width=16, stem=stem, pooling="spatial", image_size=size)
    features = encoder(torch.rand(2, 3, size, size))
    assert features.vector.shape == (2, encoder.feature_dim)
    assert encoder.feature_dim == (4 + 16) * 19 + 32 * last * last
    assert features.heatmaps.shape == (2, 19, cells, cells)
    assert features.parts.shape == (2, 25, cells, cells)
    assert features.depths.shape == (2, 19)
    assert features.coordinates.shape == (2, 19, 2)
    torch.testing.assert_close(features.vector[:, :38], features.coordinates.flatten(1))
    torch.testing.assert_close(features.vector[:, 38:57], features.depths)
    confidence = features.heatmaps.flatten(2).softmax(2).max(2).values
    torch.testing.assert_close(features.vector[:, 57:76], confidence)
    (features.vector.sum() + features.parts.sum()).backward()
    assert all(p.grad is not None and p.grad.isfinite().all() for p in encoder.parameters())


def test_soft_argmax_reads_the_middle_of_a_cell():
    probability = torch.zeros(4, 8)
    probability[1, 5] = 1
    # Column 5 of 8 spans [0.25, 0.5] of [-1, 1], row 1 of 4 spans [-0.5, 0].
    torch.testing.assert_close(soft_argmax(probability), torch.tensor([0.375, -0.25]))
    torch.testing.assert_close(soft_argmax(torch.full((4, 8), 1 / 32)), torch.zeros(2))


@settings(max_examples=30)
@given(st.integers(1, 12), st.integers(1, 12), st.integers(0, 2**31))
def test_soft_argmax_is_the_mean_place(height, width, seed):
    p = np.random.default_rng(seed).dirichlet(np.ones(height * width)).reshape(height, width)
    # Pixel centres, 0-based: 2 (p + 0.5) / size - 1.
    x = sum(p[i, j] * (2 * (j + 0.5) / width - 1) for i in range(height) for j in range(width))
    y = sum(p[i, j] * (2 * (i + 0.5) / height - 1) for i in range(height) for j in range(width))
    ours = soft_argmax(torch.from_numpy(p))
    np.testing.assert_allclose(ours.numpy(), (x, y), atol=1e-12)
    mirrored = soft_argmax(torch.from_numpy(p).flip(1))
    np.testing.assert_allclose(mirrored.numpy(), (-x, y), atol=1e-12)


def test_cell_centres_are_pixel_centres():
    torch.testing.assert_close(cell_centres(4, torch.zeros(())), torch.tensor([-3, -1, 1, 3]) / 4)


def test_depth_and_local_features_are_read_where_the_keypoint_is():
    head = SpatialHead([8, 8, 8, 8], last_map=2, hidden=4)
    with torch.no_grad():
        head.maps.weight.zero_()
        head.maps.bias.zero_()
        # All heat-maps and depth maps see the pyramid's channel 0, where one cell is bright.
        head.maps.weight[:19, 0] = 100.0
        head.maps.weight[19:38, 0] = 3.0
    head.local = torch.nn.Conv2d(4, 16, 1, bias=False)
    torch.nn.init.zeros_(head.local.weight)
    with torch.no_grad():
        head.local.weight[:, 0] = 5.0
    bright = torch.zeros(1, 4, 8, 8)
    bright[:, 0, 2, 6] = 1
    head.mix = torch.nn.Identity()
    head.lateral = torch.nn.ModuleList([torch.nn.Identity(), *[torch.nn.Conv2d(8, 4, 1)] * 2])
    for conv in head.lateral[1:]:
        torch.nn.init.zeros_(conv.weight)
        torch.nn.init.zeros_(conv.bias)
    features = head([bright, bright, torch.zeros(1, 8, 4, 4), torch.zeros(1, 8, 2, 2)])
    torch.testing.assert_close(features.depths, torch.full((1, 19), 3.0))
    local = features.vector[:, 4 * 19 : 4 * 19 + 16 * 19]
    torch.testing.assert_close(local, torch.full((1, 16 * 19), 5.0))
    expected = torch.tensor([2 * 6.5 / 8 - 1, 2 * 2.5 / 8 - 1]).expand(1, 19, 2)
    torch.testing.assert_close(features.coordinates, expected)


def test_heatmaps_learn_where_a_dot_is():
    torch.manual_seed(0)
    encoder = Encoder("resnet18", width=8, stem="small", pooling="spatial", image_size=64)
    optimiser = torch.optim.Adam(encoder.parameters(), 1e-2)
    errors = []
    for _ in range(60):
        pixel = torch.randint(8, 56, (16, 2))
        images = torch.rand(16, 3, 64, 64) * 0.2
        for image, (x, y) in zip(images, pixel, strict=True):
            image[:, y - 2 : y + 3, x - 2 : x + 3] = 1
        target = (2 * (pixel + 0.5) / 64 - 1)[:, None].expand(16, 19, 2)
        features = encoder(images)
        loss = heatmap_loss(features.heatmaps, target, torch.ones(16, 19))
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        errors.append((features.coordinates - target).abs().mean().item())
    assert errors[0] > 0.3
    assert sum(errors[-5:]) / 5 < 0.06  # half a cell of 16


def test_places_keep_their_precision_under_autocast():
    torch.manual_seed(1)
    encoder = Encoder("resnet18", width=8, stem="small", pooling="spatial", image_size=64)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        features = encoder(torch.rand(2, 3, 64, 64))
    outputs = [value for value in vars(features).values() if value is not None]
    assert len(outputs) == 5
    assert all(output.dtype == torch.float32 for output in outputs)
    probability = features.heatmaps.double().flatten(2).softmax(2).view_as(features.heatmaps)
    torch.testing.assert_close(
        features.coordinates.double(), soft_argmax(probability), rtol=0, atol=1e-6
    )


def test_wrong_images_are_named(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside the tests
    encoder = Encoder("resnet18", width=8, image_size=64).eval()
    good = torch.rand(2, 3, 64, 64)
    poisoned = good.clone()
    poisoned[1, 2, 3, 4] = torch.nan
    for images, message in (
        (good[0], r"got \[3, 64, 64\]"),
        (good.permute(0, 2, 3, 1), r"\[B, 3, 64, 64\], got \[2, 64, 64, 3\]"),
        (good[..., :32], r"got \[2, 3, 64, 32\]"),
        ((good * 255).byte(), "uint8"),
        (good * 255, "from .* to 25"),
        (good * 2 - 1, "from -"),
        (poisoned, "nan"),
    ):
        with pytest.raises(ValueError, match=message):
            encoder(images)
    assert encoder(good[:0]).vector.shape == (0, 64)


@pytest.mark.parametrize("pooling", ["average", "spatial"])
def test_channels_last_and_float64_agree(pooling):
    torch.manual_seed(1)
    options = {"width": 8, "stem": "small", "pooling": pooling, "image_size": 64}
    encoder = Encoder("resnet18", zero_init=False, **options).eval()
    images = torch.rand(2, 3, 64, 64)
    plain = encoder(images).vector
    encoder = encoder.to(memory_format=torch.channels_last)
    torch.testing.assert_close(encoder(images).vector, plain, rtol=1e-4, atol=1e-5)
    encoder = encoder.double()
    double = encoder(images.double()).vector
    assert double.dtype == torch.float64
    torch.testing.assert_close(double.float(), plain, rtol=1e-4, atol=1e-5)
