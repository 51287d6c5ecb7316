"""What is placed, moved and taken away; that undo brings back what was; which keypoint is next."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hmr_edu.keypoints import COCOPLUS
from hmr_edu.viz.explore.keypoint_state import KeypointState

WIDTH, HEIGHT = 60, 40
places = st.tuples(st.floats(-100, 100), st.floats(-100, 100))
indices = st.integers(0, 18)
actions = st.one_of(
    st.tuples(st.just("place"), places),
    st.tuples(st.just("move"), st.tuples(indices, st.floats(-9, 99), st.floats(-9, 99))),
    st.tuples(st.just("nudge"), st.tuples(indices, st.integers(-9, 9), st.integers(-9, 9))),
    st.tuples(st.just("remove"), st.tuples(indices)),
    st.tuples(st.just("choose"), st.tuples(indices)),
    st.tuples(st.just("step"), st.tuples(st.integers(-30, 30))),
    st.tuples(st.sampled_from(["clear", "skip"]), st.just(())),
)


def new() -> KeypointState:
    return KeypointState(WIDTH, HEIGHT)


def do(state: KeypointState, action) -> None:
    name, arguments = action
    getattr(state, name)(*arguments)


@given(st.lists(actions, max_size=40))
def test_undo_goes_back_through_everything_and_redo_forth_again(sequence):
    state = new()
    changes = []  # before and after every action that changed a place
    for action in sequence:
        before = state.snapshot
        do(state, action)
        if state.snapshot.places != before.places:
            changes.append((before, state.snapshot))
    for before, _ in reversed(changes):
        state.undo()
        assert state.snapshot == before
    assert not state.can_undo
    for _, after in changes:
        state.redo()
        assert state.snapshot[:2] == after[:2]
    assert not state.can_redo


@given(st.lists(st.one_of(actions, st.sampled_from(["undo", "redo"]).map(lambda n: (n, ())))))
def test_whatever_is_done_it_stays_a_set_of_keypoints(sequence):
    state = new()
    for action in sequence:
        do(state, action)
        points, confidence = state.keypoints2d, state.confidence
        known = confidence > 0
        assert torch.equal(known, points.isfinite().all(1))
        assert confidence[known].eq(1).all()
        assert (points[known] >= -0.5).all()
        assert (points[known] <= torch.tensor([WIDTH, HEIGHT]) - 0.5).all()
        assert state.placed == int(known.sum())
        assert (state.next is None) == bool(known.all())
        assert state.next is None or not known[state.next]


@given(st.lists(places, min_size=1, max_size=9), indices)
def test_a_drag_is_one_step_back(path, index):
    state = new()
    state.place(1.0, 1.0)
    before = state.snapshot
    state.move(index, 30.0, 20.0, gesture="a")
    for x, y in path:
        state.move(index, x, y, gesture="a")
    after = state.snapshot
    state.move(index, 3.0, 3.0, gesture="b")
    state.undo()
    assert state.snapshot == after
    if state.snapshot.places != before.places:
        state.undo()
    assert state.snapshot.places == before.places


def test_clicks_go_through_all_names_in_order():
    state = new()
    for n in range(19):
        assert state.next == n
        assert state.place(n, n / 2) == n
    assert state.next is None
    assert state.place(5, 5) is None
    np.testing.assert_array_equal(state.keypoints2d, [[n, n / 2] for n in range(19)])


def test_a_click_and_the_drag_that_follows_are_one_step():
    state = new()
    placed = state.place(1, 1, gesture=7)
    state.move(placed, 9, 9, gesture=7)
    assert state.next == 1
    state.undo()
    assert state.placed == 0
    assert not state.can_undo


def test_what_is_left_out_comes_last_again():
    state = new()
    state.place(1, 1)  # right ankle
    state.skip()  # right knee
    state.place(2, 2)  # right hip
    assert COCOPLUS[state.next] == "left_hip"
    for _ in range(16):
        state.place(3, 3)
    assert COCOPLUS[state.next] == "right_knee"
    state.skip()
    assert COCOPLUS[state.next] == "right_knee"
    assert math.isnan(state.keypoints2d[1, 0])


def test_removing_one_makes_it_the_next():
    state = new()
    for _ in range(5):
        state.place(3, 3)
    state.remove(2)
    assert state.next == state.chosen == 2
    state.step(-3)
    assert state.chosen == 18


def test_nothing_happens_to_what_is_not_there():
    state = new()
    state.remove(3)
    state.nudge(4, 1, 1)
    state.clear()
    state.undo()
    state.redo()
    assert not state.can_undo
    assert state.placed == 0


def test_starting_keypoints_keep_their_confidence_until_a_person_moves_them():
    points = torch.full((19, 2), 10.0)
    points[0], points[1], points[2] = torch.nan, torch.tensor([60.0, 3]), torch.tensor([0, 39.4])
    confidence = torch.full((19,), 0.25)
    confidence[0] = 0.0
    state = KeypointState(WIDTH, HEIGHT, points, confidence)
    # One is nowhere, one is outside of the picture.
    assert state.confidence[:4].tolist() == [0, 0, 0.25, 0.25]
    assert state.keypoints2d[1].isnan().all()
    assert state.next == 0
    state.nudge(2, 1, 0)
    assert state.confidence[2] == 1
    assert state.keypoints2d[2].tolist() == [1, pytest.approx(39.4)]
    assert KeypointState(WIDTH, HEIGHT, points).confidence[3] == 1


@pytest.mark.parametrize(
    ("points", "confidence", "words"),
    [
        (torch.zeros(17, 2), None, r"\[19, 2\]"),
        (torch.zeros(19, 2), torch.ones(17), r"\[19, 2\] and confidence \[19\]"),
        (torch.zeros(19, 2), torch.full((19,), 1.5), r"in \[0, 1\]"),
        (torch.zeros(19, 2), torch.full((19,), torch.nan), r"in \[0, 1\]"),
        (torch.full((19, 2), torch.nan), torch.ones(19), "NaN"),
        (None, torch.ones(19), "needs keypoints2d"),
    ],
)
def test_starting_keypoints_that_make_no_sense(points, confidence, words):
    with pytest.raises(ValueError, match=words):
        KeypointState(WIDTH, HEIGHT, points, confidence)


@pytest.mark.parametrize("index", [-1, 19, True])
def test_no_such_keypoint(index):
    for act in (
        lambda s: s.move(index, 1, 1),
        lambda s: s.remove(index),
        lambda s: s.choose(index),
    ):
        with pytest.raises(ValueError, match="no keypoint"):
            act(new())


def test_a_place_is_finite():
    with pytest.raises(ValueError, match="finite"):
        new().place(math.nan, 1.0)
