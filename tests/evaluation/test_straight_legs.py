"""Knees by hand: legs of known angles, and people of whom only a part is annotated."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hmr_edu.evaluation.straight_legs import cut_off, knee_bends, look_straight
from hmr_edu.keypoints import COCOPLUS

LEFT = [COCOPLUS.index(f"left_{joint}") for joint in ("hip", "knee", "ankle")]
RIGHT = [COCOPLUS.index(f"right_{joint}") for joint in ("hip", "knee", "ankle")]


def person(left: float, right: float, length: float = 1.0) -> torch.Tensor:
    """Return keypoints of two legs in the picture's plane: bends in degrees, thigh + shin long."""
    points = torch.zeros(1, 19, 2)
    for side, bend, x in ((LEFT, left, 0.2), (RIGHT, right, -0.2)):
        angle = math.radians(bend)
        shin = torch.tensor([math.sin(angle), math.cos(angle)])
        points[0, side[0]] = torch.tensor([x, 0.0])
        points[0, side[1]] = torch.tensor([x, length / 2])
        points[0, side[2]] = points[0, side[1]] + length / 2 * shin
    return points


@given(st.floats(0.5, 179), st.floats(0.5, 179), st.floats(0.1, 3))
def test_the_bend_is_the_angle_that_the_leg_was_made_with(left, right, length):
    bends = knee_bends(person(left, right, length))
    assert bends[0].tolist() == pytest.approx([left, right], abs=0.1)


def test_a_stretched_leg_bends_by_nothing_and_a_folded_one_by_half_a_turn():
    assert knee_bends(person(0, 180))[0].tolist() == pytest.approx([0, 180], abs=0.1)


def test_only_long_straight_legs_with_all_joints_look_straight():
    visible = torch.ones(1, 19)
    assert look_straight(person(5, 20), visible, 1.0).tolist() == [[True, False]]
    # The same legs, seen along the thigh: too short for what they are in the box.
    assert look_straight(person(5, 5, 0.3), visible, 1.0).tolist() == [[False, False]]
    hidden = visible.clone()
    hidden[0, LEFT[1]] = 0
    assert look_straight(person(5, 5), hidden, 1.0).tolist() == [[False, True]]


def test_who_shows_no_ankle_is_cut_off():
    visible = torch.ones(3, 19)
    visible[1, LEFT[2]] = 0  # one ankle is enough
    visible[2, [LEFT[2], RIGHT[2]]] = 0
    assert cut_off(visible).tolist() == [False, False, True]
