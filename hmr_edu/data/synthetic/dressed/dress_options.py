"""Options of what dressed people wear beyond the shipped garments as they are."""

from __future__ import annotations

from dataclasses import dataclass

from hmr_edu.io.ranges import Probability


@dataclass(frozen=True)
class DressConfig:
    """Skirts and things beyond the shipped garments; the defaults change nothing."""

    # Skirts give way to the legs: they are also worn with thighs lifted or spread far.
    skirts: bool = False
    # Share of dressed people with glasses or sunglasses.
    glasses: Probability = 0.0
    # Share of dressed men with a full beard.
    beards: Probability = 0.0
    # Share of dressed people with a backpack, or with a bag on a strap across the chest.
    bags: Probability = 0.0
    # Share of dressed people whose top goes on as a coat or a dress, where the thighs allow it.
    coats: Probability = 0.0

    @property
    def extras(self) -> bool:
        """Whether anything is worn that the wardrobe does not hold."""
        return any((self.glasses, self.beards, self.bags, self.coats))


AS_SHIPPED = DressConfig()
