"""Exercise of lesson 06, `labelled_l1`: a loss of labelled samples."""

from __future__ import annotations

import torch
from torch import Tensor

from hmr_edu.course import questions
from hmr_edu.course.check import Asked, Check, Report, compare, require, returned, shaped
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
        "only the target is cleaned: what is predicted without a label must not count either": (
            (pred - torch.where(some[:, None], target, 0.0)).abs().sum() / 4
        ),
        "only the target is cleaned: without a label, neither prediction nor entry counts": (
            (pred - torch.where(some[:, None], target, 0.0)).abs().mean()
        ),
        "that is the squared distance": (pred - target).square()[some].mean(),
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
        slope = _slope(check, pred, junk, some, want)
        compare(slope, tensor([[1, 1], [0, 0], [-1, 0]]) / 4, 1e-12)
    with check.part("no label in the whole batch: 0, and a gradient of 0"):
        none = torch.zeros(3, dtype=torch.bool)
        nothing = tensor(0.0)
        compare(check.call(pred, torch.full_like(pred, torch.nan), none), nothing, 0.0)
        compare(_slope(check, pred, target, none, nothing), torch.zeros_like(pred), 0.0)
    return check.report()


def _slope(check: Check, pred: Tensor, target: Tensor, labelled: Tensor, want: Tensor) -> Tensor:
    arguments = [pred, target, labelled]
    depends, loss, slopes = check.ask(questions.gradients, arguments, [0], -1)
    right = bool(torch.isclose(shaped(returned(loss), ()).detach().double(), want))
    kept = (
        "keep the graph: no .item(), no .detach()" if labelled.any() else "0 * pred.sum() is 0, too"
    )
    kept *= right  # only then is it a cut that is missing a gradient
    require(depends, "the loss has no gradient", kept)
    (slope,) = slopes
    require(slope is not None, "no gradient reaches the predictions", kept)
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


def _right(pred, target, labelled):
    known = labelled[:, None].expand_as(pred)
    off = torch.where(known, (pred - torch.where(known, target, 0.0)).abs(), 0.0)
    return off.sum() / known.sum().clamp(min=1)


def _only_target(pred, target, labelled):
    target = torch.where(labelled[:, None], target, 0.0)
    return (pred - target).abs().sum() / (labelled.sum() * pred.shape[1]).clamp(min=1)


MISTAKES = [
    Mistake(_masked_late, "before you subtract", 2 / 4),
    Mistake(_masked_by_product, "0 / 0", 2 / 4),
    Mistake(_zero_by_zero, "0 / 0", 3 / 4),
    Mistake(_whole_batch, "not by the whole batch", 1 / 4),
    Mistake(lambda p, t, m: (p - t).abs().mean(), "counts all of them", 0.0),
    Mistake(_only_target, "only the target is cleaned", 0.0),
    Mistake(lambda p, t, m: _right(p.detach(), t, m), "no .detach()", 2 / 4),
    Mistake(
        lambda p, t, m: _right(p, t, m) if m.any() else torch.zeros(()).to(p), "0 * pred", 3 / 4
    ),
    Mistake(lambda p, t, m: _right(p, t.nan_to_num(), m | ~t.isnan().any(1)), "", 2 / 4),
    Mistake(
        lambda p, t, m: _right(p, t, m) * max(1, int(m.sum())), "", 1 / 4, name="sum over samples"
    ),
]
