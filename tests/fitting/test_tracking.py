"""Following people: a stand-in for the network sees red people, and knows nothing else."""

import json

import pytest
import torch
from helpers.seeing import Explaining, SeesColours, find_patches, picture
from helpers.toy_body import toy_body

from hmr_edu.body import SMPL
from hmr_edu.camera import CropBox
from hmr_edu.data.detections.formats import Detection
from hmr_edu.fitting import tracking
from hmr_edu.fitting.tracking import NEWCOMERS, KeypointTracker, PictureTracker
from hmr_edu.fitting.tracks import box_of, is_plausible
from hmr_edu.io.errors import DataError


@pytest.fixture
def searched(monkeypatch):
    """Count searches; they find every patch, the larger first."""
    calls = []

    def find(model, photo):
        calls.append(photo)
        return find_patches(model, photo)

    monkeypatch.setattr(tracking, "find_people", find)
    return calls


def middle(tracked):
    return tracked.crop.x, tracked.crop.y


def test_one_search_and_then_the_box_follows(searched):
    model = SeesColours()
    tracker = PictureTracker(model)
    for k in range(30):
        (person,) = tracker.step(picture((1, 40 + 4 * k, 60 + k % 3, 50)))
        assert person.number == 1
        assert abs(middle(person)[0] - (40 + 4 * k)) < 15  # it lags by a frame
        assert person.crop.size > 50
        assert person.score > 0.9
    assert len(searched) == 1


def test_who_leaves_is_lost_and_found_again(searched):
    tracker = PictureTracker(SeesColours())
    tracker.step(picture((1, 40, 60, 50)))
    assert tracker.step(picture()) == []
    assert len(searched) == 2
    for _ in range(20):
        assert tracker.step(picture()) == []
    # After a failure a pause, each twice as long: searches after 1, 2, 4, 8 frames, ...
    assert 3 <= len(searched) <= 7
    seen = [tracker.step(picture((1, 150, 60, 50))) for _ in range(20)]
    numbers = [person.number for people in seen for person in people]
    assert set(numbers) == {1}  # one person alone stays the same
    assert seen[-1]


def test_another_person_does_not_take_over(searched):
    tracker = PictureTracker(SeesColours())
    tracker.step(picture((1, 50, 60, 60)))
    for k in range(10):
        (person,) = tracker.step(picture((1, 50 + k, 60, 60), (2, 160, 60, 80)))
        assert middle(person)[0] < 80
    assert len(searched) == 1


def test_everybody_has_a_number(searched):
    tracker = PictureTracker(SeesColours(), everybody=True)
    first = tracker.step(picture((1, 50, 60, 80), (2, 160, 60, 50)))
    assert [person.number for person in first] == [1, 2]
    for k in range(10):
        people = tracker.step(picture((1, 50 + k, 60, 80), (2, 160 - k, 60, 50)))
        assert middle(people[0])[0] < 90 < middle(people[1])[0]
    # The second one is lost, and comes back at the same place.
    assert [p.number for p in tracker.step(picture((1, 60, 60, 80)))] == [1]
    back = [tracker.step(picture((1, 60, 60, 80), (2, 150, 60, 50))) for _ in range(4)]
    assert [p.number for p in back[-1]] == [1, 2]


def test_newcomers_are_looked_for_now_and_then(searched):
    tracker = PictureTracker(SeesColours(), everybody=True)
    tracker.step(picture((1, 50, 60, 80)))
    counts = [
        len(tracker.step(picture((1, 50, 60, 80), (2, 160, 60, 50)))) for _ in range(NEWCOMERS + 1)
    ]
    assert counts[0] == 1
    assert counts[-1] == 2
    assert len(searched) == 2


def test_a_given_box_needs_no_search(searched):
    tracker = PictureTracker(SeesColours(), box=(140, 30, 180, 90))
    (person,) = tracker.step(picture((1, 50, 60, 60), (2, 160, 60, 50)))
    assert not searched
    assert middle(person) == pytest.approx((159.5, 59.5))


def test_without_heat_maps_the_last_box_is_tried_again(searched):
    tracker = PictureTracker(SeesColours("average"), box=(30, 30, 70, 90))
    assert tracker.step(picture((1, 50, 60, 60)))
    assert tracker.step(picture()) == []
    (person,) = tracker.step(picture((1, 55, 60, 60)))
    assert person.score is None
    assert not searched


def test_a_restored_tracker_goes_on_as_if_nothing_had_happened(searched):
    frames = [picture((1, 30 + 3 * k, 60, 50)) for k in range(8)] + [picture()] * 5
    frames += [picture((1, 100, 60, 50))] * 8
    whole = PictureTracker(SeesColours())
    expected = [whole.step(frame) for frame in frames]
    for cut in (1, 5, 9, 12, 15):
        tracker = PictureTracker(SeesColours())
        for frame in frames[:cut]:
            tracker.step(frame)
        again = PictureTracker(SeesColours())
        again.restore(json.loads(json.dumps(tracker.state())))
        for k, frame in enumerate(frames[cut:], cut):
            people = again.step(frame)
            assert [p.crop for p in people] == [p.crop for p in expected[k]]
            assert [p.number for p in people] == [p.number for p in expected[k]]


def test_one_person_is_not_followed_twice(searched):
    tracker = PictureTracker(SeesColours(), everybody=True)
    tracker.step(picture((1, 50, 60, 60), (2, 120, 60, 60)))
    # The second one walks behind the first: both boxes see the same.
    for k in range(8):
        people = tracker.step(picture((2, 120 - 9 * k, 60, 60), (1, 50, 60, 60)))
    alone = [tracker.step(picture((1, 50, 60, 60))) for _ in range(4)]
    assert len(alone[-1]) == 1, people


def test_answers_that_are_not_finite(searched):
    model = SeesColours()
    model.detail = lambda theta, old=model.detail: old(theta * torch.nan)
    with pytest.raises(DataError, match="not finite"):
        PictureTracker(model, box=(1, 1, 50, 50)).step(picture((1, 30, 60, 60)))


def test_plausible_by_hand():
    grid = torch.stack([torch.linspace(-0.5, 0.5, 19), torch.linspace(-0.7, 0.7, 19)], 1)
    camera = torch.tensor([1.0, 0, 0])
    assert is_plausible(grid, camera, 0.9)
    assert is_plausible(grid, camera, None)
    assert not is_plausible(grid, camera, 0.1)  # nobody in the heat-maps
    assert not is_plausible(grid, -camera, 0.9)  # behind the camera
    assert not is_plausible(grid * 0.2, camera, 0.9)  # far too small
    assert not is_plausible(grid + 1.2, camera, 0.9)  # has left the crop


def test_box_by_hand():
    points = torch.tensor([[10.0, 20], [50, 120]])
    assert box_of(points, 200, 200) == pytest.approx((4, 14, 56, 126))
    assert box_of(points, 40, 100) == pytest.approx((4, 14, 40, 100))
    assert box_of(points - 200, 40, 100) is None


def detected(x, y, scale=50.0, known=19):
    points = SMPL(toy_body())(torch.zeros(1, 10), torch.zeros(1, 72)).keypoints[0, :, :2]
    confidence = torch.zeros(19)
    confidence[:known] = 0.8
    return Detection(scale * points + torch.tensor((x, y)), confidence, None, "here")


def test_keypoints_of_each_frame():
    tracker = KeypointTracker(Explaining())
    for k in range(10):
        near, far = detected(50.0 + 5 * k, 60.0, known=15), detected(300.0, 60.0)
        (person,) = tracker.step([far, near] if k else [near])
        assert person.number == 1
        assert person.score == pytest.approx(0.8)
        prediction = tracker.lifter.detail(person.theta[None])
        pixels = person.crop.to_image(prediction.keypoints2d[0])
        torch.testing.assert_close(pixels[:15], near.keypoints2d[:15], atol=1e-2, rtol=0)
    assert tracker.step([]) == []
    assert tracker.step([detected(100.0, 60.0, known=1)]) == []  # too little is known


def test_keypoints_of_everybody_keep_their_numbers():
    tracker = KeypointTracker(Explaining(), everybody=True)
    for k in range(10):
        people = [detected(50.0 + 5 * k, 60.0), detected(300.0 - 5 * k, 60.0, known=15)]
        seen = tracker.step(people[:: 1 if k % 2 else -1])
        assert [person.number for person in seen] == [1, 2]
        assert seen[0].crop.x < seen[1].crop.x
    assert isinstance(seen[0].crop, CropBox)
