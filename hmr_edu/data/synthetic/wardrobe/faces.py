"""Heads, painted on a chart of their own: face in front, hair above and behind.

In a picture of 64 pixels a head is seven pixels high. The contrast of hair and face is then the
strongest sign of where a person looks, so nearly everyone has hair.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.wardrobe.chart import Chart
from hmr_edu.data.synthetic.wardrobe.regions import Region, Sheets, smooth_noise
from hmr_edu.data.synthetic.wardrobe.rest_landmarks import RestLandmarks

# Share of the heads with long hair; they come last among the sheets, as in clothing.py.
LONG_HAIRED = 0.3


def head_chart(landmarks: RestLandmarks) -> Chart:
    """Return the chart of the head and upper neck; a texel is 3 mm."""
    half_width = 0.08 * landmarks.stature
    return Chart(half_width, landmarks.crown, landmarks.chin - 0.1, pitch=0.003)


def paint_heads(landmarks: RestLandmarks, count: int, seed: int) -> UInt8[Tensor, "count texels"]:
    """Paint `count` heads on the head chart; the last share, LONG_HAIRED, has long hair."""
    barber = _Barber(landmarks, count, seed)
    barber.face()
    barber.beard()
    barber.hair(first_long=count - round(LONG_HAIRED * count))
    barber.things_worn()
    return barber.sheets.codes()


class _Barber:
    """All heads at once, in head units.

    u is 0 in the middle and 1 at the sides of the skull; v is 0 at the chin, 1 at the crown.
    """

    def __init__(self, landmarks: RestLandmarks, count: int, seed: int) -> None:
        chart = head_chart(landmarks)
        x, y, self.front = chart.grid()
        self.u = x / (0.05 * landmarks.stature)
        self.v = (y - landmarks.chin) / (landmarks.crown - landmarks.chin)
        self.away = self.u.abs()
        self.draws = Draws(count, seed)
        self.sheets = Sheets(count, 2, chart.rows, chart.columns)
        size = (chart.rows, chart.columns)
        self.ragged = smooth_noise(count, size, (9, 13), seed + 1)
        strands = smooth_noise(count, size, (8, chart.columns // 3), seed + 2)
        self.strands = (1.6 * strands).round().to(torch.int8)

    def _u(self, low: float, high: float) -> Float[Tensor, "count 1 1 1"]:
        return self.draws.uniform(low, high, 1, 1, 1)

    def _chance(self, probability: float) -> Bool[Tensor, "count 1 1 1"]:
        return self.draws.chance(probability, 1, 1, 1)

    def _spot(
        self, u: Tensor | float, v: Tensor | float, wide: Tensor | float, high: Tensor | float
    ) -> Bool[Tensor, "count_or_1 2 rows columns"]:
        """Return an ellipse on each half of the face, as a mask.

        Args:
            u: centre, across.
            v: centre, upwards.
            wide: half of the width.
            high: half of the height.
        """
        return self.front & (((self.away - u) / wide) ** 2 + ((self.v - v) / high) ** 2 < 1)

    def face(self) -> None:
        """Paint eyes, brows, nose, mouth and their shadows."""
        s, apart, level = self.sheets, self._u(0.34, 0.4), self._u(0.46, 0.5)
        s.darken(self._spot(apart, level + 0.01, 0.26, 0.07), 3)
        s.darken(self._spot(0.0, 0.36, 0.12, 0.14), -1)
        s.darken(self._spot(0.1, 0.28, 0.12, 0.025), 4)
        s.darken(self._spot(0.0, 0.09, 0.3, 0.03), 2)
        s.darken(self.front & (self.v < 0.0), 3)
        s.darken((self.v < 0.5) & (self.v > 0.25) & (self.away > 0.95), 2)
        s.paint(self._spot(apart, level, 0.16, 0.04), Region.EYE_WHITE)
        s.paint(self._spot(apart, level, 0.08, 0.045), Region.DARK)
        brow = self._spot(apart + 0.02, level + self._u(0.08, 0.1), 0.22, self._u(0.018, 0.032))
        s.paint(brow, Region.HAIR)
        mouth = self._u(0.16, 0.2)
        s.paint(self._spot(0.0, mouth, self._u(0.24, 0.34), self._u(0.025, 0.045)), Region.LIPS)
        s.paint(self._spot(0.0, mouth, 0.22, 0.008), Region.DARK)

    def beard(self) -> None:
        """Paint stubble, moustaches and full beards."""
        s = self.sheets
        kind = self.draws.choice((0.72, 0.13, 0.08, 0.07), 1, 1, 1)
        jaw = self.front & (self.v < 0.25 + 0.25 * (self.away > 0.75)) & (self.v > -0.12)
        around_mouth = self._spot(0.0, 0.17, 0.36, 0.06)
        s.darken((kind == 1) & jaw, 4)
        s.paint((kind == 2) & jaw & ~around_mouth, Region.HAIR)
        s.paint((kind >= 2) & self._spot(0.0, 0.235, 0.36, 0.03), Region.HAIR)

    def hair(self, first_long: int) -> None:
        """Paint hairline, sides and neck; bald heads have at most a dark fringe behind."""
        s = self.sheets
        hairline = self._u(0.68, 0.82) + 0.03 * self.ragged - self._u(0.0, 0.15) * self.away**2
        sides = (self.away > self._u(0.72, 0.9)) & (self.v > self._u(0.3, 0.5))
        fringe = self._chance(0.25) & (self.v > self._u(0.58, 0.66) + 0.03 * self.ragged)
        in_front = (self.v > hairline) | sides | fringe
        behind = self.v > self._u(0.1, 0.3) + 0.04 * self.ragged
        hair = torch.where(self.front, in_front, behind)
        bald = self._chance(0.09)
        bald[first_long:] = False
        rim = self._chance(0.5) & ~self.front & (self.v < 0.62) & (self.v > 0.2)
        hair = torch.where(bald, rim, hair)
        long = ~self.front | in_front | (self.away > self._u(0.62, 0.8))
        hair[first_long:] = long[first_long:]
        s.paint(hair, Region.HAIR)
        s.crumple(hair, self.strands)
        # Light from above leaves a band of gloss on most hair.
        s.darken(hair & ((self.v - 0.85).abs() < 0.06), -2)

    def things_worn(self) -> None:
        """Paint caps, beanies, hoods, glasses and masks on some heads."""
        s = self.sheets
        kind = self.draws.choice((0.8, 0.09, 0.07, 0.04), 1, 1, 1)
        cap = (kind == 1) & (self.v > self._u(0.68, 0.76))
        beanie = (kind == 2) & (self.v > torch.where(self.front, self._u(0.62, 0.7), 0.35))
        hood = (kind == 3) & (~self.front | (self.away > 0.75) | (self.v > 0.78))
        s.paint(cap | beanie | hood, Region.HEADWEAR)
        s.darken((kind == 1) & self.front & ((self.v - 0.68).abs() < 0.03), 6)
        rims = self._spot(0.37, 0.48, 0.3, 0.1) & ~self._spot(0.37, 0.48, 0.22, 0.07)
        bridge = self.front & ((self.v - 0.5).abs() < 0.02) & (self.away < 0.9)
        s.paint(self._chance(0.14) & (rims | (bridge & (self.away > 0.6))), Region.DARK)
        s.paint(self._chance(0.05) & (self._spot(0.37, 0.48, 0.3, 0.1) | bridge), Region.DARK)
        mask = self.front & (self.v < 0.33) & (self.v > -0.02) & (self.away < 0.85)
        s.paint(self._chance(0.03) & mask, Region.INNER)
