"""What every check says, whatever the exercise: the learner's own line, integers, axes at fault."""

from dataclasses import FrozenInstanceError

import numpy as np
import pytest
import torch

from hmr_edu.course.check import (
    Check,
    Mismatch,
    compare,
    inputs,
    number,
    require,
    salted,
    several,
    shape_hint,
)
from hmr_edu.discriminator import Discriminator


def report(function, *arguments, want=None, tolerance=1e-9):
    check = Check("f", function)
    for part in range(2):
        with check.part(f"part {part}"):
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


def test_a_report_of_one_part_names_it():
    check = Check("f", stub)
    with check.part("the zero vector"):
        compare(check.call(), torch.zeros(3), 0.0)
    assert repr(check.report()) == "f: 0 of 1\n  FAIL the zero vector: still open"


def test_a_changed_argument_costs_a_quarter_and_is_told_once():
    def changing(x, y):
        y += 1
        return x

    told = report(changing, torch.zeros(2), torch.zeros(2), want=torch.zeros(2), tolerance=0.0)
    assert told.score == 0.75
    assert not told.passed
    lines = repr(told).splitlines()
    assert lines[:3] == ["f: 2 of 2, less a quarter", "  ok   part 0", "  ok   part 1"]
    changed = "  FAIL it leaves its arguments alone: it changed its argument number 2 in place"
    assert lines[3] == changed
    assert lines[4].startswith("       hint: clone or detach first")
    assert len(lines) == 5
    kept = report(lambda x: x, torch.zeros(2), want=torch.zeros(2), tolerance=0.0)
    assert (kept.score, kept.passed) == (1.0, True)
    assert repr(kept) == "f: 2 of 2, well done\n  ok   part 0\n  ok   part 1"
    first = report(lambda x: x.add_(1), torch.zeros(2), want=torch.ones(2), tolerance=0.0)
    assert "it changed its argument number 1 in place" in repr(first)
    for fixed, name in ((told, "changed"), (told.parts[0], "passed")):
        with pytest.raises(FrozenInstanceError):
            setattr(fixed, name, None)


def test_a_salt_is_added_to_a_seed():
    with salted(2):
        numbers = torch.rand(3, generator=inputs(3))
    truth = [torch.rand(3, generator=torch.Generator().manual_seed(seed)) for seed in (5, 3)]
    assert torch.equal(numbers, truth[0])
    assert torch.equal(torch.rand(3, generator=inputs(3)), truth[1])


def test_as_far_off_as_is_allowed_is_right():
    told = report(lambda: torch.tensor([0.75]), want=torch.tensor([0.5]), tolerance=0.25)
    assert told.passed
    assert not report(lambda: torch.tensor([0.75]), want=torch.tensor([0.5]), tolerance=0.2).passed


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
    # Not where float32 is off by more than its rounding, nor where its rounding is allowed.
    assert "float32" not in repr(report(lambda: want.float() + 0.01, want=want))
    assert "float32" not in repr(report(lambda: want.float() + 2e-6, want=want, tolerance=1e-6))
    assert "float32" not in repr(report(lambda: want + 1e-7, want=want))


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


WANT = torch.tensor([[0.5, -1.0, 2.0], [4.0, 0.25, -3.0], [1.0, 7.0, 0.125]])


@pytest.mark.parametrize(
    ("change", "words"),
    [
        (lambda x: -x, "every value has the other sign"),
        (lambda x: 2.5 * x, "every value is 2.5 times what is wanted"),
        (lambda x: x.mT, "it is transposed"),
        (lambda x: x + 0.75, "every value is 0.75 too large"),
        (lambda x: x - 0.5, "every value is 0.5 too small"),
        (lambda x: x.flip(0), "axis 0 is in the opposite order"),
        (lambda x: 0 * x, "all of your values are 0"),
        (lambda x: 0 * x + 3, "all of your values are the same"),
        (lambda x: torch.cat([x[:1], x[1:].square()]), "1 of 3 along axis 0 are right"),
        (lambda x: x + torch.eye(3), "6 of 9 values are right"),
        (lambda x: x.clamp(max=4), "largest difference 3 at [2, 1] (got 4, wanted 7)"),
        (lambda x: x.sin(), "largest difference 6.3 at [2, 1] (got 0.657, wanted 7)"),
    ],
)
def test_what_differs_is_said_in_words(change, words):
    assert words in repr(report(lambda: change(WANT), want=WANT, tolerance=1e-6))


def test_a_sign_of_most_values_is_no_sign_of_all():
    mostly = -WANT
    mostly[0, 0] *= -1
    told = repr(report(lambda: mostly, want=WANT, tolerance=1e-6))
    assert "sign" not in told
    assert "1 of 9 values are right" in told


def test_no_digits_are_shown_that_rounding_made():
    want = torch.linspace(1, 2, 9, dtype=torch.float64)
    told = repr(report(lambda: want + 1e-8 * want.sin(), want=want, tolerance=1e-9))
    assert "largest difference 1e-08, allowed 1e-09" in told
    almost = want.clone()
    almost[4] = 3e-17
    assert "(got 0, wanted 1.5)" in repr(report(lambda: almost, want=want))


def test_a_hint_needs_values_nearer_to_its_slip_than_to_the_truth():
    want = torch.ones(3, dtype=torch.float64)
    check = Check("f", lambda: want + 1e-7 * torch.tensor([1.0, -1.0, 2.0]))
    with check.part("one"):
        compare(check.call(), want, 1e-9, {"a shift": want + 1e-8})
    assert check.parts[0].hint == ""


@pytest.mark.parametrize(
    ("got", "told"),
    [
        (1.0, "it returned a float, a tuple of 2 is wanted"),
        ([1, 2], "it returned a list of 2, a tuple of 2 is wanted"),
        ((1, 2, 3), "it returned a tuple of 3, a tuple of 2 is wanted"),
    ],
)
def test_several_values_are_named(got, told):
    with pytest.raises(Mismatch, match=told) as caught:
        several(got, "E, D")
    assert caught.value.hint == "return E, D: in this order"
    assert several([1, 2], "E, D", lists=True) == (1, 2)


def test_a_number_is_a_number():
    assert number(3) == number(torch.tensor(3.0)) == number(3.0) == 3.0
    for odd in (True, "3", [3.0], torch.zeros(1), None):
        with pytest.raises(Mismatch, match="a number is wanted"):
            number(odd)


@pytest.mark.parametrize(
    ("got", "told", "hint"),
    [
        (None, "it returned None, a torch.Tensor is wanted", ""),
        (True, "it returned True, a torch.Tensor is wanted", ""),
        (7, "it returned an int, a torch.Tensor is wanted", ""),
        ("x", "it returned a str, a torch.Tensor is wanted", ""),
        ({"a": 1}, "it returned a dict of 1, a torch.Tensor is wanted", ""),
        ((1, 2), "it returned a tuple of 2, a torch.Tensor is wanted", ""),
        (np.zeros(3), "ndarray, a torch.Tensor is wanted", "torch.from_numpy(...)"),
        (torch.zeros(3) * 1j, "it returned complex numbers, real ones are wanted", ""),
        (torch.tensor([1, torch.nan, -torch.inf]), "2 of 3 values are NaN or infinite", "0 / 0"),
        (torch.zeros(2), "shape [2], wanted [3]", "length 3, not 2"),
    ],
)
def test_what_is_no_answer_is_told_in_words(got, told, hint):
    with pytest.raises(Mismatch) as caught:
        compare(got, torch.zeros(3), 1e-6)
    assert caught.value.what.endswith(told)
    assert hint in caught.value.hint
    assert bool(caught.value.hint) == bool(hint)


def test_nothing_is_compared_with_nothing():
    compare(torch.zeros(0, 3), torch.zeros(0, 3), 0.0)


def test_a_check_that_stumbles_says_over_what():
    check = Check("f", lambda: {"a": 1})
    with check.part("a part"):
        check.call()["b"]
    assert check.parts[0].detail == "it returned a dict of 1"
    assert check.parts[0].hint == "the first line of the function says what it is to return"
    assert not check.parts[0].passed
    # Before there was an answer it is the check's own fault.
    with pytest.raises(ZeroDivisionError), check.part("another part"):
        raise ZeroDivisionError


def test_an_answer_of_none_and_one_of_another_shape():
    check = Check("f", lambda x: x if len(x) else None)
    for name, length in (("none", 0), ("another", 2), ("right", 3)):
        with check.part(name):
            assert check.call(torch.zeros(length), shape=[3]).shape == (3,)
    told = [(part.passed, part.detail) for part in check.parts]
    assert told == [(False, "it returned None"), (False, "shape [2], wanted [3]"), (True, "")]
    assert check.report().score == pytest.approx(1 / 3)


def test_a_condition_may_be_a_tensor():
    require(torch.tensor(True), "unused")
    for condition in (False, torch.tensor(False)):
        with pytest.raises(Mismatch, match="too small") as caught:
            require(condition, "too small", "larger")
        assert caught.value.hint == "larger"
