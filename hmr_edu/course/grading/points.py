"""What a score is worth, and what makes a student's random inputs his own. Needs no PyTorch."""

from __future__ import annotations

import hashlib
import math


def credit(score: float, points: float | int) -> float:
    """Points for a share of the parts, to two digits; never more than all, never less than none."""
    return round(min(max(score, 0.0), 1.0) * points, 2) if math.isfinite(score) else 0.0


def salt_of(student: str) -> int:
    """Return a number of the student's own, for the random inputs of the checks."""
    return int.from_bytes(hashlib.sha256(student.encode()).digest()[:4], "big")
