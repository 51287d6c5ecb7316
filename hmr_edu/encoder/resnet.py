"""From an image to a feature vector (paper, section 3): a ResNet backbone and a head.

The backbone is He et al. 2016 in torchvision's layout ("v1.5": the stride is in the 3x3 convolution
of a bottleneck). Its state-dict keys and shapes are torchvision's, so public ImageNet weights can
be loaded.
"""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from jaxtyping import Float
from torch import Tensor, nn

from hmr_edu.encoder.backbone import STEMS, Backbone, check_choice
from hmr_edu.encoder.efficientnet_lite import EfficientNetLite
from hmr_edu.encoder.heads import AverageHead, BatchNorm, Features, SpatialHead
from hmr_edu.io.precision import holds


class BasicBlock(nn.Module):
    """Two 3x3 convolutions beside a shortcut (ResNet-18)."""

    expansion = 1

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        self.conv1 = nn.Conv2d(channels, width, 3, stride, padding=1, bias=False)
        self.bn1 = BatchNorm(width)
        self.conv2 = nn.Conv2d(width, width, 3, padding=1, bias=False)
        self.bn2 = BatchNorm(width)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(channels, width, stride)

    @property
    def last_norm(self) -> BatchNorm:
        """The normalisation that ends the residual branch."""
        return self.bn2

    def forward(self, x: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch _ _ _"]:
        """Add the residual to the shortcut."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.bn2(self.conv2(residual))
        return self.relu(residual + self.downsample(x))


class Bottleneck(nn.Module):
    """1x1, 3x3, 1x1 convolutions beside a shortcut, four times wider outside (ResNet-50)."""

    expansion = 4

    def __init__(self, channels: int, width: int, stride: int):
        super().__init__()
        out = width * self.expansion
        self.conv1 = nn.Conv2d(channels, width, 1, bias=False)
        self.bn1 = BatchNorm(width)
        self.conv2 = nn.Conv2d(width, width, 3, stride, padding=1, bias=False)
        self.bn2 = BatchNorm(width)
        self.conv3 = nn.Conv2d(width, out, 1, bias=False)
        self.bn3 = BatchNorm(out)
        self.relu = nn.ReLU(inplace=True)
        self.downsample = _projection(channels, out, stride)

    @property
    def last_norm(self) -> BatchNorm:
        """The normalisation that ends the residual branch."""
        return self.bn3

    def forward(self, x: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch _ _ _"]:
        """Add the residual to the shortcut."""
        residual = self.relu(self.bn1(self.conv1(x)))
        residual = self.relu(self.bn2(self.conv2(residual)))
        residual = self.bn3(self.conv3(residual))
        return self.relu(residual + self.downsample(x))


# The ResNets: the block, and how many of them each of the four stages has.
NETWORKS: dict[str, tuple[type[BasicBlock | Bottleneck], tuple[int, ...]]] = {
    "resnet18": (BasicBlock, (2, 2, 2, 2)),
    "resnet50": (Bottleneck, (3, 4, 6, 3)),
}
POOLINGS = ("average", "spatial")


class ResNet(Backbone):
    """ResNet-18 or -50 without its classifier; returns the maps of its stages.

    The networks have 11,176,512 and 23,508,032 parameters at width 64. Raises ValueError on other
    names and stems.

    Args:
        name: "resnet18" or "resnet50".
        width: channels of the first stage; 64 in torchvision.
        stem: "imagenet": a 7x7 convolution and a max-pool, then four stages, strides 4, 8, 16, 32.
            "small", for 64-pixel images: a 5x5 and a 3x3 convolution, which keep a face of six
            pixels better than a max-pool does, then three stages, strides 4, 8, 16. A fourth stage
            would see 2x2 cells and cost a third of the time.
        zero_init: start each residual block as its shortcut (Goyal et al. 2017).
    """

    def __init__(
        self,
        name: str = "resnet50",
        width: int = 64,
        stem: str = "imagenet",
        zero_init: bool = True,
    ):
        super().__init__()
        check_choice("encoder", name, NETWORKS)
        check_choice("stem", stem, STEMS)
        block, blocks = NETWORKS[name]
        kernel = 7 if stem == "imagenet" else 5
        self.conv1 = nn.Conv2d(3, width, kernel, 2, padding=kernel // 2, bias=False)
        self.bn1 = BatchNorm(width)
        self.relu = nn.ReLU(inplace=True)
        if stem == "imagenet":
            self.shrink = nn.MaxPool2d(3, 2, padding=1)
            stages = 4
        else:
            self.shrink = nn.Sequential(
                nn.Conv2d(width, width, 3, 2, padding=1, bias=False),
                BatchNorm(width),
                self.relu,
            )
            stages = 3
        self.stride = 2 ** (stages + 1)
        self.stage_channels = [width * 2**stage * block.expansion for stage in range(stages)]
        channels = width
        for stage, out in enumerate(self.stage_channels):
            layer = nn.Sequential()
            for index in range(blocks[stage]):
                stride = 2 if stage > 0 and index == 0 else 1
                layer.append(block(channels, width * 2**stage, stride))
                channels = out
            self.add_module(f"layer{stage + 1}", layer)
        self.stages = stages
        self._initialise(zero_init)

    def _initialise(self, zero_init: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.kaiming_normal_(module.weight, mode="fan_out", nonlinearity="relu")
            elif zero_init and isinstance(module, BasicBlock | Bottleneck):
                nn.init.zeros_(module.last_norm.weight)

    @property
    def first(self) -> nn.Conv2d:
        """The layer that reads colours."""
        return self.conv1

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        """Return the maps after layer1, layer2, ..., finest first; images already normalised."""
        x = self.shrink(self.relu(self.bn1(self.conv1(images))))
        maps = []
        for stage in range(1, self.stages + 1):
            x = self.get_submodule(f"layer{stage}")(x)
            maps.append(x)
        return maps


# The backbones beside the ResNets of `NETWORKS`; each takes the options width, stem, zero_init.
# A new backbone is a file, and an entry here; or an entry from outside, at any time.
BACKBONES: dict[str, Callable[..., Backbone]] = {
    # Its widths are those of the public weights.
    "efficientnet_lite0": lambda width, stem, zero_init: EfficientNetLite(stem, zero_init),
}


def backbone_names() -> list[str]:
    """Return the names of all backbones that are registered by now."""
    return list(dict.fromkeys([*NETWORKS, *BACKBONES]))


def build_backbone(name: str, width: int, stem: str, zero_init: bool = True) -> Backbone:
    """Build the backbone of a name; raise ValueError on an unknown name or option."""
    check_choice("encoder", name, backbone_names())
    if name in BACKBONES:
        return BACKBONES[name](width, stem, zero_init)
    return ResNet(name, width, stem, zero_init)


class Encoder(nn.Module):
    """The encoder: RGB images in [0, 1] in, `Features` out, whose vector has `feature_dim` numbers.

    Colours are normalised here and nowhere else, because mean and deviation belong to the weights:
    MandyMo/pytorch_HMR feeds BGR to RGB weights, and many reports of "wrong output" are wrong
    preprocessing. Load public weights with `encoder.backbone.load(path)`.

    Args:
        name: the backbone, "resnet18", "resnet50" or "efficientnet_lite0".
        width: channels of a ResNet's first stage; the spatial head grows with it, too.
        stem: the backbone's first layers; see `ResNet` and `EfficientNetLite`.
        pooling: "average" as in the paper (2048 features with ResNet-50, 512 with ResNet-18), or
            "spatial" (see `SpatialHead`), which also learns from scratch.
        image_size: pixels along each side of an image.
        zero_init: start each residual block as its shortcut.
        confidence: whether the spatial head says of each keypoint whether it is visible.
    """

    mean: Tensor
    std: Tensor

    def __init__(
        self,
        name: str = "resnet50",
        *,
        width: int = 64,
        stem: str = "imagenet",
        pooling: str = "average",
        image_size: int = 224,
        zero_init: bool = True,
        confidence: bool = False,
    ):
        super().__init__()
        check_choice("pooling", pooling, POOLINGS)
        if confidence and pooling != "spatial":
            raise ValueError('confidence of keypoints needs pooling "spatial"')
        self.image_size = image_size
        self.backbone = build_backbone(name, width, stem, zero_init)
        mean, std = self.backbone.mean, self.backbone.std
        # Constants, not weights: not in the state dict.
        self.register_buffer("mean", torch.tensor(mean)[:, None, None], persistent=False)
        self.register_buffer("std", torch.tensor(std)[:, None, None], persistent=False)
        if pooling == "average":
            self.head = AverageHead(self.backbone.stage_channels)
        else:
            last_map = math.ceil(image_size / self.backbone.stride)
            # 7 % of the small backbone's time; twice as many channels would be 15 %.
            self.head = SpatialHead(
                self.backbone.stage_channels,
                last_map,
                hidden=3 * width // 2,
                confidence=confidence,
            )
        self.feature_dim = self.head.feature_dim
        # Convolutions in bf16 are fast when the channels of a pixel are neighbours in memory.
        self.to(memory_format=torch.channels_last)  # ty: ignore[no-matching-overload]

    def forward(self, images: Float[Tensor, "batch 3 height width"]) -> Features:
        """Encode RGB images in [0, 1], in any floating dtype: they get the network's.

        Raises ValueError when `images` is not a floating [B, 3, image_size, image_size]. On the
        CPU, where the check costs almost nothing, also when a value is NaN or outside [0, 1].
        """
        _check_images(images, self.image_size)
        # Channels last in memory; inside `torch.vmap`, `contiguous` knows no `memory_format`.
        images = images.to(self.mean.dtype).movedim(1, -1).contiguous().movedim(-1, 1)
        return self.head(self.backbone((images - self.mean) / self.std))


def _projection(channels: int, out: int, stride: int) -> nn.Module:
    """Return the shortcut of a block: a convolution where the block changes the shape."""
    if stride == 1 and channels == out:
        return nn.Identity()
    return nn.Sequential(nn.Conv2d(channels, out, 1, stride, bias=False), BatchNorm(out))


def _check_images(images: Tensor, size: int) -> None:
    if images.ndim != 4 or images.shape[1:] != (3, size, size):
        raise ValueError(f"images must be [B, 3, {size}, {size}], got {list(images.shape)}")
    if not images.is_floating_point():
        raise ValueError(f"images must be floating, RGB in [0, 1], got {images.dtype}")
    # On a GPU, reading a value back would make the program wait for all work queued so far. The
    # margin is for the rounding of resampling.
    if images.device.type == "cpu" and images.numel():
        low, high = images.detach().aminmax()
        if not holds((low >= -0.01) & (high <= 1.01)):  # also of NaN
            low, high = low.item(), high.item()
            raise ValueError(f"images must be in [0, 1], got values from {low:.4g} to {high:.4g}")
