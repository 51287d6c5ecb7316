"""What each person wears: pieces that go together, sleeves and legs cut to length.

Nobody is undressed, whatever is drawn: everyone has a whole outfit, or a top and a bottom, and
shoes.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
from jaxtyping import Bool, Float, Float32

from hmr_edu.body.wardrobe import Skin
from hmr_edu.data.synthetic.dressed.rack import Rack
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import SMPL_JOINTS

# Share of people in one whole outfit, with a hat, with hair of their own (the others have the hair
# that is painted on their skin), and of those whose clothes fit the sex of their face.
WHOLE, HAT, HAIR, ALIKE = 0.15, 0.08, 0.85, 0.75
# Share of outfits with cut sleeves and cut legs.
CUT_SLEEVES, CUT_LEGS = 0.45, 0.35
# The largest angle of a thigh under a skirt, in degrees.
THIGHS = 35.0
# Trousers that reach lower than this, in metres, have no room for socks.
LOW = -1.05
# Hair reaches this far under a hat, in metres.
UNDER_BRIM = 0.015
# Hair of one sex only, by name; elegant clothes are not cut.
LONG_HAIR = ("bob", "braid", "long", "ponytail")
ELEGANT = "elegant"


class Outfit(NamedTuple):
    """What one person wears.

    Clothes end where |x| exceeds `sleeve` and where y falls below `leg`, hair where y exceeds
    `brim`, all in metres on the T-pose.
    """

    pieces: tuple[int, ...]
    skin: int
    sleeve: float = math.inf
    leg: float = -math.inf
    brim: float = math.inf

    def room(self, kind: str, rest: Float32[np.ndarray, "V 3"]) -> Float32[np.ndarray, " V"]:
        """Return how far points of the T-pose are from where a piece ends; negative is beyond."""
        if kind == "hair":
            return self.brim - rest[:, 1]
        if kind in ("top", "bottom", "whole"):
            return np.minimum(self.sleeve - np.abs(rest[:, 0]), rest[:, 1] - self.leg)
        return np.full(len(rest), np.inf, np.float32)


def calm_thighs(
    rotations: Float[np.ndarray, "n 24 3 3"], degrees: float = THIGHS
) -> Bool[np.ndarray, " n"]:
    """Say who can wear a skirt: both thighs hang down within so many degrees of the pelvis."""
    # The cosine of the angle between the down of the pelvis and the down of the thigh.
    left, right = (
        rotations[:, SMPL_JOINTS.index(f"{side}_hip"), 1, 1] for side in ("left", "right")
    )
    return np.minimum(left, right) > math.cos(math.radians(degrees))


class Closet:
    """Chooses outfits from a rack.

    Raises DataError when the rack cannot dress everybody: trousers, tops and shoes are needed.
    """

    def __init__(self, rack: Rack, skins: tuple[Skin, ...]) -> None:
        self.rack, self.skins = rack, skins
        self._kinds = {
            kind: rack.of_kind(kind)
            for kind in ("top", "bottom", "whole", "shoes", "socks", "hat", "hair")
        }
        self._calm = [k for k in self._kinds["bottom"] if not rack.pieces[k].skirt]
        needed = {
            "tops": len(self._kinds["top"]),
            "bottoms that are no skirts": len(self._calm),
            "shoes": len(self._kinds["shoes"]),
            "skins": len(skins),
        }
        for name, count in needed.items():
            if not count:
                raise DataError(f"a wardrobe without {name} cannot dress people")

    def choose(
        self, dressed: Bool[np.ndarray, " n"], skirts: Bool[np.ndarray, " n"], seed: int
    ) -> dict[int, Outfit]:
        """Return the outfits of those who are dressed, by their place in the batch.

        Args:
            dressed: who gets an outfit.
            skirts: who can wear a skirt.
            seed: of the random numbers.
        """
        rng = np.random.default_rng(seed)
        chosen = {}
        for person in range(len(dressed)):
            outfit = self._outfit(rng, bool(skirts[person]))
            if dressed[person]:
                chosen[person] = outfit
        return chosen

    def _outfit(self, rng: np.random.Generator, skirts: bool) -> Outfit:
        """Draw an outfit; always the same number of random numbers, so that people are apart."""
        u = rng.random(18).tolist()
        skin = int(u[0] * len(self.skins))
        sex = self.skins[skin].sex

        def pick(numbers: list[int], place: float, chance: float = 0.0) -> int:
            """Pick a piece; those of the person's own sex are preferred with some chance."""
            own = [k for k in numbers if self._sex(k) in (sex, "")]
            numbers = own if own and chance < ALIKE else numbers
            return numbers[int(place * len(numbers))]

        whole = [k for k in self._kinds["whole"] if skirts or not self.rack.pieces[k].skirt]
        if whole and u[1] < WHOLE:
            clothes = [pick(whole, u[2], u[3])]
        else:
            bottoms = self._kinds["bottom"] if skirts else self._calm
            clothes = [pick(self._kinds["top"], u[2], u[3]), pick(bottoms, u[4], u[5])]
        cuttable = not any(ELEGANT in self.rack.pieces[k].name for k in clothes)
        sleeve, leg = math.inf, -math.inf
        if cuttable and u[6] < CUT_SLEEVES:
            sleeve = 0.29 + 0.14 * u[7] if u[8] < 0.7 else 0.45 + 0.18 * u[7]
        if cuttable and u[9] < CUT_LEGS:
            leg = -0.76 + 0.24 * u[10] if u[11] < 0.7 else -1.05 + 0.22 * u[10]
        shoes = pick(self._kinds["shoes"], u[12], u[13])
        pieces = [*clothes, shoes]
        lowest = max(self._lowest(clothes), leg)
        family = self.rack.pieces[shoes].name.split("/")[0]
        if lowest > LOW:
            names = self.rack.pieces
            pieces += [k for k in self._kinds["socks"] if names[k].name.split("/")[0] == family]
        brim = math.inf
        if self._kinds["hair"] and u[14] < HAIR:
            pieces.append(pick(self._kinds["hair"], u[15]))
        if self._kinds["hat"] and u[16] < HAT:
            hat = pick(self._kinds["hat"], u[17])
            pieces.append(hat)
            brim = self._lowest([hat]) + UNDER_BRIM
        return Outfit(tuple(pieces), skin, sleeve, leg, brim)

    def _sex(self, piece: int) -> str:
        """Return the sex that a piece was made for; empty where it is anybody's."""
        kind, name = self.rack.pieces[piece].kind, self.rack.pieces[piece].name
        if kind == "hair":
            return "female" if name.split("/")[-1].startswith(LONG_HAIR) else ""
        return next((sex for sex in ("female", "male") if name.startswith(sex)), "")

    def _lowest(self, clothes: list[int]) -> float:
        return min(
            float(self.rack.template[self.rack.pieces[k].vertices, 1].min()) for k in clothes
        )
