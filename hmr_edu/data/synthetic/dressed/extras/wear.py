"""Who wears glasses, a beard, a bag, a coat; drawn apart from the outfits, which stay the same."""

from __future__ import annotations

from dataclasses import replace
from functools import lru_cache

import numpy as np
from jaxtyping import Float

from hmr_edu.body.wardrobe import Garment, Skin, Wardrobe
from hmr_edu.data.synthetic.dressed.dress_options import DressConfig
from hmr_edu.data.synthetic.dressed.extras.bags import bags
from hmr_edu.data.synthetic.dressed.extras.coats import coats
from hmr_edu.data.synthetic.dressed.extras.face_wear import beards, glasses
from hmr_edu.data.synthetic.dressed.outfits import Outfit, calm_thighs
from hmr_edu.data.synthetic.dressed.rack import Rack

# The largest angle of a thigh under coats of each length, in degrees.
COAT_THIGHS = {"thigh": 60.0, "knee": 45.0}
# Random numbers for each person.
NUMBERS = 8
_bags, _glasses, _beards = (lru_cache(maxsize=1)(make) for make in (bags, glasses, beards))


def with_extras(wardrobe: Wardrobe, options: DressConfig) -> Wardrobe:
    """Return a wardrobe that also holds what the options ask for, after its own garments."""
    more: list[Garment] = []
    if options.glasses:
        more += _glasses()
    if options.beards:
        more += _beards()
    if options.bags:
        more += _bags()
    if options.coats:
        more += coats(wardrobe.of_kind("top"))
    return replace(wardrobe, garments=(*wardrobe.garments, *more)) if more else wardrobe


class Extras:
    """Adds things to outfits.

    Args:
        rack: with the things.
        skins: of the wardrobe.
        options: how often each kind of thing is worn.
    """

    def __init__(self, rack: Rack, skins: tuple[Skin, ...], options: DressConfig) -> None:
        self._rack, self._skins, self._options = rack, skins, options
        self._kinds = {kind: rack.of_kind(kind) for kind in ("glasses", "beard", "bag", "coat")}

    def add(
        self,
        outfits: dict[int, Outfit],
        rotations: Float[np.ndarray, "n 24 3 3"],
        seed: int,
    ) -> dict[int, Outfit]:
        """Return outfits with things on them.

        Args:
            outfits: by place in the batch.
            rotations: of all joints of everybody in the batch.
            seed: of the random numbers.
        """
        numbers = np.random.default_rng(seed).random((len(rotations), NUMBERS))
        calm = {name: calm_thighs(rotations, most) for name, most in COAT_THIGHS.items()}
        return {
            person: outfit._replace(
                pieces=outfit.pieces
                + self._things(
                    outfit,
                    numbers[person].tolist(),
                    tuple(name for name, who in calm.items() if who[person]),
                )
            )
            for person, outfit in outfits.items()
        }

    def _things(self, outfit: Outfit, u: list[float], lengths: tuple[str, ...]) -> tuple[int, ...]:
        c, names = self._options, self._rack.pieces
        worn = {names[k].name for k in outfit.pieces}
        lengths = tuple(f"{top}/{length}" for top in worn for length in lengths)
        fitting = {
            "coat": [k for k in self._kinds["coat"] if names[k].name in lengths],
            "bag": self._kinds["bag"],
            "beard": self._kinds["beard"] if self._skins[outfit.skin].sex == "male" else [],
            "glasses": self._kinds["glasses"],
        }
        shares = {"coat": c.coats, "bag": c.bags, "beard": c.beards, "glasses": c.glasses}
        things = []
        for number, (kind, choice) in enumerate(fitting.items()):
            if choice and u[2 * number] < shares[kind]:
                things.append(choice[int(u[2 * number + 1] * len(choice))])
        return tuple(things)
