"""Camera effects on a picture: exposure and colour, blur, noise, compression."""

from __future__ import annotations

import functools

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.synthetic.draws import Draws, send

BLOCK = 8
# Length of the strip of noise from which every picture takes a piece.
NOISE_REEL = 1 << 20
LUMA = (0.299, 0.587, 0.114)
# RGB to brightness and two colour differences, blue and red (ITU-R BT.601).
TO_YCC = torch.tensor(
    [LUMA, (-0.168736, -0.331264, 0.5), (0.5, -0.418688, -0.081312)], dtype=torch.float32
)
FROM_YCC = torch.linalg.inv(TO_YCC)


def colour(
    images: Float[Tensor, "batch 3 H W"], draws: Draws, strength: float, grey: float
) -> Float[Tensor, "batch 3 H W"]:
    """Vary exposure, contrast, white balance, saturation, evenness; some pictures become grey.

    Args:
        images: pictures.
        draws: random numbers.
        strength: of all variations; 0 for none.
        grey: share of pictures that become grey.
    """
    size = images.shape[-1]
    contrast = 1 + strength * draws.uniform(-0.25, 0.35, 1)
    gain = contrast * (1 + strength * draws.uniform(-0.15, 0.15, 3))
    offset = 0.5 + strength * draws.uniform(-0.12, 0.12, 1) - 0.5 * gain
    saturation = 1 + strength * draws.uniform(-0.6, 0.4)
    saturation = torch.where(draws.chance(grey), 0.0, saturation)[:, None, None]
    # All of this is linear in RGB: a 3 x 3 matrix and an offset for each picture.
    mix = torch.lerp(
        send(torch.tensor(LUMA), images.device).expand(3, 3),
        torch.eye(3, device=images.device),
        saturation,
    )
    shift, matrix = mix @ offset[:, :, None], mix * gain[:, None]
    images = torch.baddbmm(shift, matrix, images.flatten(2)).view(images.shape)
    across = torch.linspace(-1, 1, size, device=images.device)
    slope = strength * draws.uniform(-0.2, 0.2, 2)
    fall = slope[:, :1, None] * across + slope[:, 1:, None] * across[:, None]
    return images.mul_(1 + fall[:, None])


def blur_kernels(
    draws: Draws, size: int, strength: float, motion: float = 0.4
) -> Float[Tensor, "batch k k"]:
    """Draw a Gaussian for each picture: round for bad focus, long and thin for motion.

    `motion` is the share of the latter.
    """
    reach = max(2, size // 40)
    # The blur grows more slowly than the size of the picture.
    widest = strength * (size / 64) ** 0.7
    along = draws.uniform(0.25, 0.75, 1, 1) * widest
    moved = draws.chance(motion, 1, 1)
    across = torch.where(moved, 0.3, along)
    along = torch.where(moved, along * 2.0, along)
    # No blur at all is one bright pixel, not 0 / 0.
    along, across = along.clamp_min(1e-3), across.clamp_min(1e-3)
    angle = draws.uniform(0.0, torch.pi, 1, 1)
    x = torch.arange(-reach, reach + 1, device=draws.device, dtype=torch.float32)
    u = angle.cos() * x + angle.sin() * x[:, None]
    v = angle.cos() * x[:, None] - angle.sin() * x
    kernels = torch.exp(-0.5 * ((u / along) ** 2 + (v / across) ** 2))
    return kernels / kernels.sum((1, 2), keepdim=True)


def blur(
    images: Float[Tensor, "n 3 H W"], kernels: Float[Tensor, "n k k"]
) -> Float[Tensor, "n 3 H W"]:
    """Convolve each picture with its own kernel; the border is repeated outwards."""
    n, _, height, width = images.shape
    reach = kernels.shape[-1] // 2
    padded = torch.nn.functional.pad(images, (reach,) * 4, mode="replicate")
    weight = kernels.repeat_interleave(3, dim=0)[:, None]
    padded = padded.view(1, n * 3, *padded.shape[-2:])
    return torch.nn.functional.conv2d(padded, weight, groups=n * 3).view(n, 3, height, width)


def binomial(images: Float[Tensor, "*n H W"]) -> Float[Tensor, "*n H W"]:
    """Filter by (1 2 1) / 4 in both directions, the smallest smoothing; the border is repeated."""
    for axis in (-1, -2):
        length = images.shape[axis]
        pairs = images.narrow(axis, 1, length - 1) + images.narrow(axis, 0, length - 1)
        out = torch.empty_like(images)
        inner = out.narrow(axis, 1, length - 2)
        torch.add(pairs.narrow(axis, 1, length - 2), pairs.narrow(axis, 0, length - 2), out=inner)
        for end, pair in ((0, 0), (length - 1, length - 2)):
            border = pairs.select(axis, pair) + 2 * images.select(axis, end)
            out.select(axis, end).copy_(border)
        images = out
    return images.mul_(1 / 16)


def noise_reel(seed: int) -> Float[Tensor, " reel"]:
    """Draw a long strip of white normal noise."""
    return torch.randn(NOISE_REEL, generator=torch.Generator().manual_seed(seed))


def add_noise(
    images: Float[Tensor, "batch 3 H W"],
    draws: Draws,
    reel: Float[Tensor, " reel"],
    share: float,
    strength: float,
) -> None:
    """Add sensor noise in place: each picture gets its own piece of the strip of noise.

    Args:
        images: pictures.
        draws: random numbers.
        reel: the strip of noise.
        share: share of pictures with noise.
        strength: of the noise.
    """
    b, _, height, width = images.shape
    # Squared, because most cameras are good. The three colours share one noise pattern.
    sigma = (
        0.045
        * strength
        * draws.uniform(0.0, 1.0, 1, 1, 1).square()
        * draws.uniform(0.6, 1.0, 3, 1, 1)
    )
    sigma *= draws.chance(share, 1, 1, 1)
    start = draws.integers(len(reel) - height * width + 1, 1)
    index = start + torch.arange(height * width, device=images.device)
    grain = reel.index_select(0, index.view(-1)).view(b, 1, height, width)
    images.addcmul_(grain, sigma)


def compress(
    images: Float[Tensor, "n 3 H W"], quality: Float[Tensor, " n"]
) -> Float[Tensor, "n 3 H W"]:
    """Quantise 8 x 8 blocks in the frequency domain, as JPEG does (ITU T.81, without the coding).

    `quality` is in [0, 1]: at 1 the loss is hardly visible, at 0 blocks show. Colour differences
    lose more than brightness. A picture whose side is not a multiple of 8 is extended at the
    border.
    """
    n, _, height, width = images.shape
    padded = torch.nn.functional.pad(
        images, (0, -width % BLOCK, 0, -height % BLOCK), mode="replicate"
    )
    ycc = (send(TO_YCC, images.device) @ padded.flatten(2)).view(padded.shape)
    order = torch.arange(BLOCK, device=images.device)
    step = 0.02 + 0.024 * (order + order[:, None])
    step = step * (0.3 + 5 * (1 - quality).square()).view(n, 1, 1, 1)
    step = step * send(torch.tensor([1.0, 1.8, 1.8]), images.device).view(3, 1, 1)
    ycc = quantise(ycc, step).flatten(2)
    rgb = (send(FROM_YCC, images.device) @ ycc).view(padded.shape)
    return rgb[..., :height, :width]


def quantise(
    planes: Float[Tensor, "n C H W"], step: Float[Tensor, "n #C k k"]
) -> Float[Tensor, "n C H W"]:
    """Round the DCT coefficients of each k x k block to multiples of its steps."""
    n, channels, height, width = planes.shape
    k = step.shape[-1]
    rows, columns = height // k, width // k
    # Both directions at once: a block of 64 numbers times a 64 x 64 matrix.
    dct = send(_dct_of_blocks(k), planes.device)
    blocks = planes.reshape(n, channels, rows, k, columns, k).transpose(3, 4)
    blocks = blocks.reshape(n, channels, -1, k * k)
    step = step.flatten(2)[:, :, None]
    blocks = (blocks @ dct.T).div_(step).round_().mul_(step) @ dct
    return blocks.view(n, channels, rows, columns, k, k).transpose(3, 4).reshape(planes.shape)


@functools.cache
def _dct_of_blocks(size: int) -> Float[Tensor, "area area"]:
    return torch.kron(_dct(size), _dct(size))


def _dct(size: int = BLOCK) -> Float[Tensor, "size size"]:
    """Return the orthonormal DCT-II matrix."""
    k = torch.arange(size, dtype=torch.float32)
    matrix = torch.cos(torch.pi / size * (k + 0.5) * k[:, None]) * (2 / size) ** 0.5
    matrix[0] /= 2**0.5
    return matrix
