"""Options of what dressed people wear beyond the shipped garments as they are."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class DressConfig:
    """Skirts and things beyond the shipped garments; the defaults change nothing."""

    # Skirts give way to the legs: they are also worn with thighs lifted or spread far.
    skirts: bool = False
