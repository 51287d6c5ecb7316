"""What every check says, whatever the exercise: the learner's own line, integers, axes at fault."""

import pytest
import torch

from hmr_edu.course.check import Check, compare, shape_hint
from hmr_edu.discriminator import Discriminator


def report(function, *arguments, want=None, tolerance=1e-9):
    check = Check("f", function)
    for number in range(2):
        with check.part(f"part {number}"):
            compare(check.call(*arguments), want, tolerance)
    return check.report()


def stub():
    raise NotImplementedError


def stub_with_text():
    raise NotImplementedError("write me")


def deep_inside():
    return Discriminator(2, 3)(torch.zeros(1, 23, 3, 3), torch.zeros(1, 9))


def of_two_shapes():
    return torch.zeros(3, 2) / torch.zeros(3)


def test_an_open_exercise_is_said_to_be_open():
    assert repr(report(stub)).endswith("FAIL every part: still open")
    assert repr(report(stub_with_text)).endswith("FAIL every part: still open: write me")


def test_the_learner_s_own_line_is_shown_and_is_no_hint():
    told = report(deep_inside)
    assert all(part.where.endswith("torch.zeros(1, 9))") for part in told.parts)
    assert "at line" in repr(told)
    assert "hint" not in repr(told)


def test_sizes_that_do_not_fit_get_a_hint():
    told = repr(report(of_two_shapes))
    assert "must match the size" in told
    assert "x[..., 2:3] keeps it" in told


def test_integers_are_shown_themselves():
    one = report(lambda: torch.tensor([18]), want=torch.tensor([17]), tolerance=0.0)
    assert "got 18, wanted 17" in repr(one)
    many = report(lambda: torch.tensor([1, 5, 6]), want=torch.tensor([1, 2, 3]), tolerance=0.0)
    assert "got 5, wanted 2 (number 1 of 3, and 1 more)" in repr(many)


def test_float32_is_named_where_it_is_too_coarse():
    want = torch.rand(9, generator=torch.Generator().manual_seed(0), dtype=torch.float64)
    assert "float32" in repr(report(lambda: want.float(), want=want))


def test_a_slip_that_gives_the_right_answer_is_not_told():
    want = torch.ones(2, dtype=torch.float64)
    check = Check("f", lambda: want + 1e-7)
    with check.part("one"):
        compare(check.call(), want, 1e-9, {"no slip here": want.clone()})
    assert not check.parts[0].passed
    assert check.parts[0].hint == ""


@pytest.mark.parametrize(
    ("got", "want", "hint"),
    [
        ((3, 5, 3), (3, 5, 2), "the last axis must have length 2, not 3"),
        ((2, 3), (4, 3), "axis 0 must have length 4, not 2"),
        ((3, 5, 2), (3, 2, 5), "axes 1 and 2 are exchanged"),
        ((5, 2), (3, 5, 2), "leading"),
        ((3, 5), (3, 5, 1), "axis 2, of length 1, is lost"),
        ((1, 4, 3), (4, 3), "axis 0 is one too many"),
        ((4,), (), "a single number"),
    ],
)
def test_the_axis_at_fault_is_named(got, want, hint):
    assert hint in shape_hint(got, want)
