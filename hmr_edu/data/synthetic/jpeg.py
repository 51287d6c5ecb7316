"""Compression as JPEG does it (ITU T.81), without the coding, which loses nothing."""

from __future__ import annotations

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.data.synthetic.camera_effects import FROM_YCC, TO_YCC, quantise
from hmr_edu.data.synthetic.draws import send

# ITU T.81, tables K.1 and K.2: steps of brightness and of colour at quality 50, of 255.
BRIGHTNESS = torch.tensor(
    [
        [16, 11, 10, 16, 24, 40, 51, 61],
        [12, 12, 14, 19, 26, 58, 60, 55],
        [14, 13, 16, 24, 40, 57, 69, 56],
        [14, 17, 22, 29, 51, 87, 80, 62],
        [18, 22, 37, 56, 68, 109, 103, 77],
        [24, 35, 55, 64, 81, 104, 113, 92],
        [49, 64, 78, 87, 103, 121, 120, 101],
        [72, 92, 95, 98, 112, 100, 103, 99],
    ]
)
COLOUR = torch.full((8, 8), 99)
COLOUR[:4, :4] = torch.tensor(
    [[17, 18, 24, 47], [18, 21, 26, 66], [24, 26, 56, 99], [47, 66, 99, 99]]
)


def steps(table: Float[Tensor, "k k"], quality: Float[Tensor, " n"]) -> Float[Tensor, "n k k"]:
    """Return the quantisation steps of a quality from 0 to 1, as the IJG's library scales them."""
    percent = (100 * quality).clamp(1, 100)[:, None, None]
    scale = torch.where(percent < 50, 5000 / percent, 200 - 2 * percent)
    return ((table * scale + 50) / 100).floor().clamp(1, 255) / 255


def jpeg(
    images: Float[Tensor, "n 3 H W"], quality: Float[Tensor, " n"], reduced: bool = False
) -> Float[Tensor, "n 3 H W"]:
    """Compress pictures as JPEG does, colours at half the resolution (4:2:0), and decode them.

    With `reduced`, the picture that is compressed has twice the size, and is then reduced: a block
    is 4 pixels wide and has the 16 lowest frequencies, as in the IJG's decoder at half size.
    `quality` is the IJG's, divided by 100. Sides are extended at the border to whole blocks.
    """
    n, _, height, width = images.shape
    # Blocks of 16 pixels with colours, at the size that is compressed.
    whole = 8 if reduced else 16
    padded = torch.nn.functional.pad(
        images, (0, -width % whole, 0, -height % whole), mode="replicate"
    )
    side = padded.shape[-2:]
    ycc = (send(TO_YCC, images.device) @ padded.flatten(2)).view(n, 3, *side)
    ycc[:, 0] -= 128 / 255
    bright, colour = ycc[:, :1], ycc[:, 1:]
    table = send(BRIGHTNESS, images.device).float()
    if reduced:
        # An orthonormal transform of twice the size has coefficients twice as large.
        bright = quantise(bright, steps(table, quality)[:, None, :4, :4] / 2)
    else:
        bright = quantise(bright, steps(table, quality)[:, None])
        colour = torch.nn.functional.avg_pool2d(colour, 2)
    table = send(COLOUR, images.device).float()
    colour = quantise(colour, steps(table, quality)[:, None])
    if not reduced:
        colour = torch.nn.functional.interpolate(colour, scale_factor=2.0, mode="bilinear")
    ycc = torch.cat([bright + 128 / 255, colour], 1).flatten(2)
    rgb = (send(FROM_YCC, images.device) @ ycc).view(padded.shape)
    return rgb[..., :height, :width].clamp(0, 1)
