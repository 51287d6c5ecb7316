"""Exercise of lesson 04, `settled_loop`: a loop that stops by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, require, shaped
from hmr_edu.course.exercises._common import normal, tensor, two_values
from hmr_edu.course.exercises.registry import Mistake
from hmr_edu.course.learner import question
from hmr_edu.course.questions import called

POINTS = 6


def check_settled_loop(function: Asked) -> Report:
    """Check `settled_loop(correct, state [B, S], tolerance, most) -> (state, steps [B])`."""
    check = Check("settled_loop", function)
    target, zero = normal(20, 3, 2), tensor([0.0, 0.0])
    far = tensor([[8.0, 0.0], [1.0, 0.0], [0.0, 0.0]])

    # Corrections are 4, 2, 1, ...: the first that is not longer than 0.6 is number 4; 1; 1.
    want = torch.tensor([4, 1, 1])
    left = far / 2.0 ** want[:, None]
    with check.part("each person stops after the first correction not longer than the tolerance"):
        _, steps = _settled(check, target, target + far, 0.6, 10)
        slips = {
            "people stop one by one: a length for each row": torch.tensor([4, 4, 4]),
            "the last correction is made too, and counted": want - 1,
            "the length of a correction, not of what is left": torch.tensor([5, 2, 1]),
        }
        compare(_counted(steps, 3), want, 0.0, slips)
        # Powers of 2 halve without rounding: corrections of exactly 4, 2, 1.
        _, steps = _settled(check, zero, far, 1.0, 10)
        strict = {"as long as the tolerance is not longer: stop there": torch.tensor([4, 1, 1])}
        compare(_counted(steps, 3), torch.tensor([3, 1, 1]), 0.0, strict)
        # Corrections (3, 4), (1.5, 2), ...: 5 and 2.5 long.
        slant = tensor([[6.0, 8.0]])
        _, steps = _settled(check, zero, slant, 4.5, 10)
        other = {"the length is Euclid's: correction.norm(dim=1)": torch.tensor([1])}
        compare(_counted(steps, 1), torch.tensor([2]), 0.0, other)
    with check.part("who has stopped stays"):
        state, _ = _settled(check, target, target + far, 0.6, 10)
        every = {
            "who has settled must not be moved any more": target + far / 2.0**10,
            "who has settled must not be moved while others go on": target + far / 2.0**4,
        }
        compare(shaped(state, (3, 2)), target + left, 1e-9, every)
        # One person, and one who needs no step that is long.
        alone, _ = _settled(check, target[:1], target[:1] + far[:1], 0.6, 10)
        compare(alone, (target + left)[:1], 1e-9)
    with check.part("never more than `most` steps"):
        state, steps = _settled(check, target, target + far, 1e-9, 3)
        slips = {
            "not one more than `most`": torch.tensor([4, 4]),
            "`most` steps, not one fewer": torch.tensor([2, 2]),
        }
        compare(_counted(steps, 3)[:2], torch.tensor([3, 3]), 0.0, slips)
        compare(shaped(state, (3, 2))[:2], target[:2] + far[:2] / 8, 1e-9)
        _, steps = _settled(check, target, target + far, 1e-9, 7)
        compare(_counted(steps, 3)[:2], torch.tensor([7, 7]), 0.0)
    return check.report()


def _counted(steps: Any, people: int) -> Tensor:
    """Return the numbers of steps as a tensor; a list of whole numbers may pass."""
    if isinstance(steps, list) and all(type(step) is int for step in steps):
        steps = torch.tensor(steps)
    return shaped(steps, (people,))


def _settled(check: Check, target: Tensor, *others: Any) -> tuple[Any, Any]:
    state, steps = two_values(check, target, *others, names="state, steps", by=_halfway)
    shapes = [getattr(value, "shape", None) for value in (state, steps)]
    exchanged = shapes == [target.shape[:1], target.shape] and target.ndim == 2
    require(not exchanged, "the two are exchanged", "return state, steps: in this order")
    return state, steps


@question
def _halfway(function: Callable[..., Any], arguments: list[Any]) -> Any:
    """Call the function with a correction by half the way to a target that is left."""
    target, *others = arguments
    return called(function, [lambda state: (target - state) / 2, *others])


# Wrong answers that people give.


def _norms(c):
    return c.norm(dim=1)


def _loop(whole=False, keep_moving=False, late=False, length=None, stop=torch.le):
    def settled(correct, state, tolerance, most):
        going = torch.ones(len(state), dtype=torch.bool)
        steps = torch.zeros(len(state), dtype=torch.long)
        for _ in range(most):
            c = correct(state)
            short = stop((length or _norms)(c), torch.tensor(tolerance))
            going = going & ~short if late else going
            state = torch.where((going | keep_moving)[:, None], state + c, state)
            steps = steps + going
            going = going & ~(short.all() if whole else short)
        return state, steps

    return settled


MISTAKES = [
    Mistake(_loop(whole=True), "one by one", 1 / 3),
    Mistake(_loop(late=True), "made too, and counted", 1 / 3),
    Mistake(_loop(keep_moving=True), "not be moved", 2 / 3),
    Mistake(_loop(stop=torch.lt), "not longer: stop there", 2 / 3),
    Mistake(_loop(length=lambda c: c.abs().amax(1)), "Euclid", 2 / 3),
    Mistake(lambda f, s, t, most: _loop()(f, s, t, most + 1), "one more than", 2 / 3),
    Mistake(lambda *a: _loop()(*a)[::-1], "in this order", 0.0),
    Mistake(lambda *a: (_loop()(*a)[0].squeeze(0), _loop()(*a)[1]), "keep every leading", 2 / 3),
    Mistake(lambda f, s, t, most: _loop()(f, s, t, min(most, 4)), "", 2 / 3, name="never over 4"),
]
