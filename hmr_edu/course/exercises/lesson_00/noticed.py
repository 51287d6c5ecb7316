"""Exercise of lesson 00, `noticed`: which error notices which change."""

from __future__ import annotations

from hmr_edu.course.check import Asked, Check, Mismatch, Report, described, require
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4
# What becomes of MPJPE and PA-MPJPE (do they notice it?) when a perfect answer is changed; why.
CHANGES: dict[str, tuple[bool, bool, str]] = {
    "moved": (False, False, "both put the hips, or the middle, of the two bodies together first"),
    "turned": (True, False, "only PA-MPJPE may turn the answer before it measures"),
    "larger": (True, False, "only PA-MPJPE may scale the answer before it measures"),
    "mirrored": (True, True, "no rotation makes a left hand a right one"),
    "arm bent": (True, True, "no turn and no scale of the whole body unbends one arm"),
}


def check_noticed(function: Asked) -> Report:
    """Check `noticed(change) -> (by MPJPE, by PA-MPJPE)`, two bools for each of `CHANGES`."""
    check = Check("noticed", function)
    for change, (*want, why) in CHANGES.items():
        with check.part(change):
            got = check.call(change)
            if not isinstance(got, tuple) or list(map(type, got)) != [bool, bool]:
                what = f"it returned {described(got)}, a tuple of two bools is wanted"
                raise Mismatch(what, "return two bools: MPJPE's, PA-MPJPE's")
            wrong = [
                name
                for name, mine, true in zip(("MPJPE", "PA-MPJPE"), got, want, strict=True)
                if mine != true
            ]
            require(not wrong, f"think again about {' and '.join(wrong)}", why)
    return check.report()


MISTAKES = [
    Mistake(lambda change: (True, True), "both put the hips", 2 / 5),
    Mistake(lambda change: (True, False), "left hand", 2 / 5),
    Mistake(lambda change: (False, False), "unbends", 1 / 5),
    Mistake(lambda change: True, "two bools", 0.0),
    Mistake(lambda change: (change == "mirrored", True), "only PA-MPJPE may", 1 / 5),
    Mistake(lambda change: (change != "moved", change == "arm bent"), "left hand", 4 / 5),
]
