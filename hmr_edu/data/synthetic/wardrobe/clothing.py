"""Clothes, painted on the chart of the rest body: one sheet for each outfit.

Fronts differ from backs on purpose (necklines, buttons, logos, rucksacks, long hair): a network
that cannot tell front from back predicts people with their facing flipped.
"""

from __future__ import annotations

import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.wardrobe.chart import Chart
from hmr_edu.data.synthetic.wardrobe.regions import Region, Sheets, smooth_noise
from hmr_edu.data.synthetic.wardrobe.rest_landmarks import RestLandmarks

# Share of the outfits with hair falling over the shoulders; they come last among the sheets.
LONG_HAIRED = 0.25
# How many different patterns of folds there are.
RELIEFS = 8
# Tops: short sleeves, long sleeves, none, bare chest, open jacket, dress.
TOPS = (0.32, 0.26, 0.1, 0.06, 0.16, 0.1)
# Bottoms: long, shorts, skirt, briefs.
BOTTOMS = (0.62, 0.22, 0.1, 0.06)
# Patterns: plain, rings, stripes along the body, checks, yoke, other sleeves, blotches.
PATTERNS = (0.5, 0.12, 0.06, 0.09, 0.08, 0.1, 0.05)


def body_chart(landmarks: RestLandmarks) -> Chart:
    """Return the chart of the whole body; a texel is 7 mm, about a pixel at 224 pixels."""
    return Chart(landmarks.reach_x + 0.01, landmarks.crown, landmarks.sole - 0.01, pitch=0.007)


def paint_outfits(landmarks: RestLandmarks, count: int, seed: int) -> UInt8[Tensor, "count texels"]:
    """Paint `count` outfits on the body chart; the last share, LONG_HAIRED, has long hair."""
    tailor = _Tailor(landmarks, count, seed)
    tailor.bare_body()
    tailor.bottom()
    tailor.top()
    tailor.feet()
    tailor.extras()
    tailor.long_hair(first=count - round(LONG_HAIRED * count))
    return tailor.sheets.codes()


class _Tailor:
    """All outfits at once: parameters are [count, 1, 1, 1], the chart [1, 2, rows, columns]."""

    def __init__(self, landmarks: RestLandmarks, count: int, seed: int) -> None:
        chart = body_chart(landmarks)
        self.landmarks = landmarks
        self.x, self.y, self.front = chart.grid()
        self.away = self.x.abs()
        self.draws = Draws(count, seed)
        self.sheets = Sheets(count, 2, chart.rows, chart.columns)
        # All outfits share a few patterns of folds: folds look alike, and noise is slow to draw.
        size, which = (chart.rows, chart.columns), torch.arange(count) % RELIEFS
        folds = smooth_noise(RELIEFS, size, (chart.rows // 20, chart.columns // 9), seed + 1)
        weave = torch.randn(folds.shape, generator=torch.Generator().manual_seed(seed + 2))
        self.folds = (1.3 * folds + 0.5 * weave).round().to(torch.int8)[which]
        blots = smooth_noise(RELIEFS, size, (chart.rows // 13, chart.columns // 13), seed + 3)
        self.blotches = (blots > 0.4)[which]
        # Along the arm on the arms, down the body elsewhere, so that rings go round both.
        self.along = torch.where(self.away > landmarks.shoulder_x, self.away, self.y)

    def _u(self, low: float, high: float) -> Float[Tensor, "count 1 1 1"]:
        return self.draws.uniform(low, high, 1, 1, 1)

    def _chance(self, probability: float) -> Bool[Tensor, "count 1 1 1"]:
        return self.draws.chance(probability, 1, 1, 1)

    def _kind(self, weights: tuple[float, ...]) -> Tensor:
        return self.draws.choice(weights, 1, 1, 1)

    def bare_body(self) -> None:
        """Darken the skin slightly at spine, chest, navel, knees and elbows."""
        m, s = self.landmarks, self.sheets
        torso = (self.y < m.neck) & (self.y > m.hip)
        s.darken(torso & ~self.front & (self.away < 0.012), 3)
        s.darken(self.front & ((self.y - m.chest + 0.03).abs() < 0.01) & (self.away < 0.13), 2)
        s.darken(self.front & ((self.y - m.waist).abs() < 0.015) & (self.away < 0.012), 4)
        s.darken(self.front & ((self.y - m.knee).abs() < 0.03), 1)
        s.darken(~self.front & ((self.away - m.elbow_x).abs() < 0.02), 2)

    def bottom(self) -> None:
        """Paint trousers, shorts, skirts and briefs, with belts and patterns."""
        m, s = self.landmarks, self.sheets
        kind = self._kind(BOTTOMS)
        ends = torch.stack(
            [
                self._u(m.ankle - 0.03, m.ankle + 0.05),
                self._u(m.knee - 0.03, m.knee + 0.16),
                self._u(m.knee - 0.15, m.knee + 0.22),
                self._u(m.hip - 0.1, m.hip - 0.02),
            ]
        )
        self.leg_end = ends.gather(0, kind[None])[0]
        self.waist = self._u(m.waist - 0.05, m.waist + 0.03)
        legs = (self.y < self.waist) & (self.y > self.leg_end)
        s.paint(legs, Region.BOTTOM)
        s.crumple(legs, self.folds)
        s.darken(legs & (self.away < 0.035) & (self.y < m.hip), 3)
        pattern = self._kind((0.76, 0.14, 0.06, 0.04))
        seam = (pattern == 1) & (self.away > m.hip_x + 0.07)
        checks = self._rings(self.y, 0.06, 0.12) ^ self._rings(self.x, 0.06, 0.12)
        patterned = seam | ((pattern == 2) & checks) | ((pattern == 3) & self.blotches)
        s.paint(legs & patterned, Region.BOTTOM_PATTERN)
        # Back pockets and the fly.
        pocket = ((self.y - m.hip + 0.01).abs() < 0.05) & ((self.away - 0.08).abs() < 0.045)
        s.darken(legs & ~self.front & pocket & (kind == 0), 2)
        s.darken(legs & self.front & (self.away < 0.012) & (self.y > m.hip), 3)
        belted = self._chance(0.35) & ((self.y - self.waist + 0.02).abs() < 0.02)
        s.paint(belted, Region.BELT)

    def top(self) -> None:
        """Paint shirts, jackets, dresses: hem, sleeves and neckline first, then the pattern."""
        m, s = self.landmarks, self.sheets
        kind = self._kind(TOPS)
        short = m.shoulder_x + self._u(0.35, 0.85) * (m.elbow_x - m.shoulder_x)
        long = self._u(m.wrist_x - 0.1, m.wrist_x + 0.01)
        strap = self._u(0.75, 1.0) * m.shoulder_x
        nothing = torch.zeros_like(short)
        sleeve = torch.stack([short, long, strap, nothing - 1, long, torch.max(strap, short - 0.1)])
        hem = self._u(m.hip - 0.06, m.waist - 0.02)
        jacket_hem = self._u(m.hip - 0.12, m.hip + 0.05)
        skirt_hem = self._u(m.knee - 0.2, m.hip - 0.1)
        hems = torch.stack([hem, hem, hem, hem, jacket_hem, skirt_hem])
        sleeve, hem = sleeve.gather(0, kind[None])[0], hems.gather(0, kind[None])[0]

        collar = self._u(m.neck - 0.03, m.neck + 0.04)
        depth = torch.where(self.front, self._u(0.03, 0.12), self._u(0.0, 0.03))
        width = self._u(0.05, 0.1)
        scoop = (self.x / width) ** 2 + ((self.y - collar) / depth) ** 2 < 1
        bottom_of_v = self._u(m.chest - 0.08, m.chest + 0.06)
        vee = self.front & (self.away < (self.y - bottom_of_v) * 0.45) & self._chance(0.3)
        # The neck is a part of its own above the collar; the shoulders rise beside it.
        cloth = (self.y > hem) & (self.away < sleeve) & ((self.y < collar) | (self.away > 0.09))
        cloth = cloth & ~scoop & ~(vee & (kind != 4))
        s.paint(cloth, Region.TOP)
        s.crumple(cloth, self.folds)
        s.darken(cloth & ((self.y - hem).abs() < 0.012), 2)
        s.darken(cloth & ((self.away - m.shoulder_x).abs() < 0.03) & (self.y < m.chest), 2)
        s.darken(cloth & (self.away > sleeve - 0.015), 2)
        s.paint(cloth & self._pattern(), Region.TOP_PATTERN)
        self._badges(cloth)

        gap = self._u(0.02, 0.06) + (self.y - m.waist).clamp_min(0) * self._u(0.0, 0.25)
        inner = (kind == 4) & self.front & (self.away < gap) & (self.y > hem) & (self.y < collar)
        s.paint(inner, Region.INNER)
        tie = inner & self._chance(0.4) & (self.away < 0.024) & (self.y > m.waist - 0.03)
        s.paint(tie, Region.ACCENT)
        buttons = self._chance(0.4) & self.front & (self.away < 0.012) & cloth
        s.darken(buttons, 5)

    def _rings(self, along: Tensor, low: float, high: float) -> Bool[Tensor, "count 1 ..."]:
        return torch.frac(along / self._u(low, high) + 64) < self._u(0.3, 0.6)

    def _pattern(self) -> Bool[Tensor, "count 2 rows columns"]:
        """Return where the second colour of the top goes."""
        m, kind = self.landmarks, self._kind(PATTERNS)
        rings = self._rings(self.along, 0.05, 0.16)
        bars = self._rings(self.x, 0.05, 0.12)
        yoke = self.y > self._u(m.waist, m.chest + 0.05)
        sleeves = self.away > m.shoulder_x - 0.02
        pattern = (kind == 1) & rings
        pattern |= (kind == 2) & bars
        pattern |= (kind == 3) & (self._rings(self.y, 0.05, 0.1) ^ self._rings(self.x, 0.05, 0.1))
        pattern |= (kind == 4) & yoke
        pattern |= (kind == 5) & sleeves
        return pattern | ((kind == 6) & self.blotches)

    def _badges(self, cloth: Tensor) -> None:
        """Print a few letters on the chest, something else on the back."""
        m, s = self.landmarks, self.sheets
        for side, likely, height in ((self.front, 0.45, 0.05), (~self.front, 0.3, 0.14)):
            half_w, half_h = self._u(0.06, 0.13), self._u(0.02, height)
            middle = self._u(m.chest - 0.06, m.chest + 0.02)
            across = (self.x / half_w + 1) / 2
            down = (middle + half_h - self.y) / (2 * half_h)
            inside = (across > 0) & (across < 1) & (down > 0) & (down < 1)
            # Letters seen from a distance: cells of a 3 x 6 grid, two in three of them inked.
            ink = self.draws.chance(0.66, 18)
            cell = (down.clamp(0, 0.99) * 3).long() * 6 + (across.clamp(0, 0.99) * 6).long()
            inked = ink.gather(1, cell.flatten(1)).view(cell.shape)
            s.paint(cloth & side & inside & inked & self._chance(likely), Region.ACCENT)

    def feet(self) -> None:
        """Paint socks, shoes, boots; some go barefoot."""
        m, s = self.landmarks, self.sheets
        shod = self._chance(0.9)
        height = torch.where(self._chance(0.15), self._u(0.1, 0.3), self._u(-0.03, 0.03))
        top = m.ankle + height
        sock = self.y < top + self._u(-0.02, 0.12) * self._chance(0.6)
        # Trousers fall over socks and low shoes.
        s.paint(shod & sock & (self.y < self.leg_end), Region.SOCK)
        s.paint(shod & (self.y < top), Region.SHOE)
        s.paint(shod & (self.y < m.sole + self._u(0.015, 0.035)), Region.SOLE)

    def extras(self) -> None:
        """Paint gloves, a watch, and rucksacks: two straps in front, the bag behind."""
        m, s = self.landmarks, self.sheets
        s.paint(self._chance(0.04) & (self.away > m.wrist_x), Region.HEADWEAR)
        watch = (self.x - m.wrist_x + 0.03).abs() < 0.018
        s.paint(self._chance(0.2) & watch, Region.BELT)
        chest = (self.y > m.waist) & (self.y < m.neck)
        straps = self.front & ((self.away - 0.105).abs() < 0.025) & chest
        bag = ~self.front & (self.away < 0.15) & (self.y > m.waist) & (self.y < m.neck - 0.03)
        s.paint(self._chance(0.08) & (straps | bag), Region.BELT)

    def long_hair(self, first: int) -> None:
        """Paint hair over neck, shoulders and back for the sheets from `first` on."""
        m, s = self.landmarks, self.sheets
        length = self._u(m.chest - 0.1, m.neck)
        ragged = length + 0.03 * self.blotches
        strands = ~self.front & (self.away < self._u(0.06, 0.11)) & (self.y > ragged)
        locks = self.front & (self.away > 0.045) & (self.away < 0.1) & (self.y > ragged + 0.06)
        hair = strands | (locks & self._chance(0.5))
        hair[:first] = False
        s.paint(hair, Region.HAIR)
        s.crumple(hair, self.folds)
