"""Exercise of lesson 06, `labelled_l1`: a loss of labelled samples."""

from __future__ import annotations

import torch
from torch import Tensor

from hmr_edu.course import questions
from hmr_edu.course.check import Asked, Check, Report, compare, require, returned
from hmr_edu.course.exercises._common import tensor
from hmr_edu.course.exercises.registry import Mistake

POINTS = 2


def check_labelled_l1(function: Asked) -> Report:
    """Check `labelled_l1(pred [B, N], target [B, N], labelled [B]) -> []`."""
    check = Check("labelled_l1", function)
    pred = tensor([[1.0, 5.0], [2.0, 2.0], [0.0, 1.0]])
    target = tensor([[0.0, 4.0], [9.0, 9.0], [3.0, 1.0]])
    some = torch.tensor([True, False, True])
    want = tensor((1 + 1 + 3 + 0) / 4)
    slips = {
        "divide by the number of labelled entries, not by the whole batch": want * 4 / 6,
        "take the mean, not the sum": want * 4,
        "each sample has N entries: divide by all of the labelled ones": want * 2,
        "the flag says which samples have a label; yours counts all of them": (pred - target)
        .abs()
        .mean(),
    }
    with check.part("two samples of three have a label"):
        compare(check.call(pred, target, some), want, 1e-12, slips)
    junk = torch.where(some[:, None], target, torch.nan)
    with check.part("what stands in the place of a missing label is junk, NaN perhaps"):
        compare(check.call(pred, junk, some), want, 1e-12, slips)
    with check.part("and junk does not reach the gradient either"):
        slope = _slope(check, pred, junk, some)
        compare(slope, tensor([[1, 1], [0, 0], [-1, 0]]) / 4, 1e-12)
    with check.part("no label in the whole batch: 0, and a gradient of 0"):
        none = torch.zeros(3, dtype=torch.bool)
        nothing = tensor(0.0)
        compare(check.call(pred, torch.full_like(pred, torch.nan), none), nothing, 0.0)
        compare(_slope(check, pred, target, none), torch.zeros_like(pred), 0.0)
    return check.report()


def _slope(check: Check, pred: Tensor, target: Tensor, labelled: Tensor) -> Tensor:
    arguments = [pred, target, labelled]
    depends, loss, slopes = check.ask(questions.gradients, arguments, [0], -1)
    returned(loss)
    require(depends, "the loss has no gradient", "keep the graph: no .item()")
    (slope,) = slopes
    require(slope is not None, "no gradient reaches the predictions")
    require(
        slope.isfinite().all(),
        "the gradient holds NaN",
        "replace the missing targets (torch.where) before you subtract: 0 times NaN is NaN",
    )
    return slope


# Wrong answers that people give.


def _masked_late(pred, target, labelled):
    off = torch.where(labelled[:, None], (pred - target).square().sqrt(), 0.0)
    return off.sum() / (labelled.sum() * pred.shape[1]).clamp(min=1)


def _zero_by_zero(pred, target, labelled):
    return (pred - torch.where(labelled[:, None], target, 0.0)).abs()[labelled].mean()


def _masked_by_product(pred, target, labelled):
    off = (pred - target).abs() * labelled[:, None]
    return off.sum() / (labelled.sum() * pred.shape[1]).clamp(min=1)


def _whole_batch(pred, target, labelled):
    known = labelled[:, None]
    target = torch.where(known, target, 0.0)
    return torch.where(known, (pred - target).abs(), 0.0).mean()


MISTAKES = [
    Mistake(_masked_late, "before you subtract", 2 / 4),
    Mistake(_masked_by_product, "0 / 0", 2 / 4),
    Mistake(_zero_by_zero, "0 / 0", 3 / 4),
    Mistake(_whole_batch, "not by the whole batch", 1 / 4),
    Mistake(lambda p, t, m: (p - t).abs().mean(), "counts all of them", 0.0),
]
