"""What every check says, whatever the exercise: the learner's own line, integers, axes at fault."""

import pytest
import torch

from hmr_edu.course.check import Check, Mismatch, compare, number, several, shape_hint
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
