"""The one-euro filter by hand, on rotations against scipy; the steady clock against slerp."""

import math

import jaxtyping
import numpy as np
import pytest
import torch
from scipy.spatial.transform import Rotation, Slerp

from hmr_edu.fitting.smoothing import (
    OneEuro,
    smooth,
    smooth_both_ways,
    smooth_rotations,
    smooth_rotations_both_ways,
    steady,
    trembling,
)
from hmr_edu.rotations import geodesic_angle

F64 = torch.float64


def listing(xs, ts, min_cutoff, beta, d_cutoff):
    """The paper's listing, one number after the other."""

    def alpha(cutoff, dt):
        tau = 1 / (2 * math.pi * cutoff)
        return 1 / (1 + tau / dt)

    out, dx_hat = [xs[0]], 0.0
    for k in range(1, len(xs)):
        dt = ts[k] - ts[k - 1]
        dx = (xs[k] - xs[k - 1]) / dt
        dx_hat = alpha(d_cutoff, dt) * dx + (1 - alpha(d_cutoff, dt)) * dx_hat
        a = alpha(min_cutoff + beta * abs(dx_hat), dt)
        out.append(a * xs[k] + (1 - a) * out[-1])
    return out


def test_by_hand():
    """dt = 0.1, cutoff 1 Hz: tau = 0.159155, alpha = 1 / (1 + 1.59155) = 0.385870."""
    filter = OneEuro(min_cutoff=1.0, speed=0.0)
    out = smooth(
        torch.tensor([0.0, 1.0, 1.0], dtype=F64), torch.tensor([0, 0.1, 0.2], dtype=F64), filter
    )
    np.testing.assert_allclose(out, [0, 0.385870, 0.622844], atol=1e-6)
    # With speed: dx = 10, smoothed 3.85870; cutoff 1 + 0.5 * 3.85870 = 2.92935; alpha 0.647957.
    out = smooth(
        torch.tensor([0.0, 1.0], dtype=F64), torch.tensor([0, 0.1], dtype=F64), OneEuro(speed=0.5)
    )
    np.testing.assert_allclose(out, [0, 0.647957], atol=1e-6)


def uneven(frames, columns, seed):
    """Draw a motion and its times, whose steps differ."""
    g = torch.Generator().manual_seed(seed)
    x = torch.randn(frames, columns, generator=g, dtype=F64).cumsum(0)
    return x, (0.01 + 0.1 * torch.rand(frames, generator=g, dtype=F64)).cumsum(0)


def test_against_the_papers_listing_with_uneven_times():
    x, t = uneven(50, 3, seed=1)
    out = smooth(x, t, OneEuro(0.7, 0.3, 1.2))
    for column in range(3):
        truth = listing(x[:, column].tolist(), t.tolist(), 0.7, 0.3, 1.2)
        np.testing.assert_allclose(out[:, column], truth, atol=1e-12)


def test_numbers_have_the_filter_of_cameras_and_rotations_their_own():
    """The numbers that are chosen when nothing is said, and those of the class itself."""
    g = torch.Generator().manual_seed(5)
    x, t = 0.3 * torch.randn(20, generator=g, dtype=F64), torch.arange(20, dtype=F64) / 25
    R = torch.from_numpy(Rotation.from_euler("y", x[:, None].numpy()).as_matrix())
    for out, speed in ((smooth(x, t), 5.0), (smooth(x, t, OneEuro()), 0.5)):
        np.testing.assert_allclose(out, listing(x.tolist(), t.tolist(), 1, speed, 1), atol=1e-12)
    angle = Rotation.from_matrix(smooth_rotations(R, t).numpy()).as_euler("yxz")[:, 0]
    np.testing.assert_allclose(angle, listing(x.tolist(), t.tolist(), 1, 3, 1), atol=1e-9)


def test_both_ways_is_the_mean_of_the_listing_and_of_the_listing_backwards():
    x, t = uneven(15, 2, seed=6)
    out = smooth_both_ways(x, t, OneEuro(0.7, 0.3, 1.2))
    for column in range(2):
        xs, ts = x[:, column].tolist(), t.tolist()
        ahead = listing(xs, ts, 0.7, 0.3, 1.2)
        back = listing(xs[::-1], [-s for s in ts[::-1]], 0.7, 0.3, 1.2)[::-1]
        np.testing.assert_allclose(out[:, column], np.add(ahead, back) / 2, atol=1e-12)
    R = torch.from_numpy(Rotation.from_euler("y", x[:, :1].numpy()).as_matrix())
    both = smooth_rotations_both_ways(R, t, OneEuro(0.7, 0.3, 1.2))
    ahead, back = (
        np.array(listing(a, b, 0.7, 0.3, 1.2))
        for a, b in ((x[:, 0].tolist(), t.tolist()), (x[:, 0].tolist()[::-1], (-t).tolist()[::-1]))
    )
    truth = Rotation.from_euler("y", ((ahead + back[::-1]) / 2)[:, None])
    assert (Rotation.from_matrix(both.numpy()) * truth.inv()).magnitude().max() < 1e-9


def test_trembling_is_the_mean_change_of_the_steps():
    """Steps of 0.1, 0.3, 0.3 and -0.1 about one axis change by 0.2, 0 and 0.4."""
    angles = np.cumsum([0.5, 0.1, 0.3, 0.3, -0.1])
    R = torch.from_numpy(Rotation.from_euler("z", angles[:, None]).as_matrix())
    assert trembling(R[:, None]).item() == pytest.approx(0.2, abs=1e-7)
    assert trembling(torch.stack([R, R[:1].expand(5, 3, 3)], 1)).item() == pytest.approx(0.1)


def test_rotations_about_one_axis_are_filtered_as_their_angle():
    g = torch.Generator().manual_seed(2)
    angle = 0.5 * torch.randn(40, generator=g, dtype=F64).cumsum(0)  # turns beyond pi
    t = torch.arange(40, dtype=F64) / 25
    axis = np.array([1.0, 2, -2]) / 3
    R = torch.from_numpy(Rotation.from_rotvec(angle[:, None].numpy() * axis).as_matrix())
    out = smooth_rotations(R[:, None], t, OneEuro(1.0, 0.2))[:, 0]
    truth = np.array(listing(angle.tolist(), t.tolist(), 1.0, 0.2, 1.0))
    truth = Rotation.from_rotvec(truth[:, None] * axis)
    assert (Rotation.from_matrix(out.numpy()) * truth.inv()).magnitude().max() < 1e-9


def test_the_result_does_not_depend_on_the_frame_of_reference():
    g = torch.Generator().manual_seed(3)
    steps = Rotation.from_rotvec(0.2 * torch.randn(30, 3, generator=g).numpy())
    R = [np.eye(3)]
    for step in steps:
        R.append(R[-1] @ step.as_matrix())
    R, t = torch.from_numpy(np.stack(R)), torch.arange(31, dtype=F64) / 30
    turn = torch.from_numpy(Rotation.from_rotvec([0.4, 2.0, -1]).as_matrix())
    torch.testing.assert_close(turn @ smooth_rotations(R, t), smooth_rotations(turn @ R, t))
    out = smooth_rotations(R, t)
    torch.testing.assert_close(out.mT @ out, torch.eye(3, dtype=F64).expand(31, 3, 3))


def test_noise_shrinks_and_fast_motion_hardly_lags():
    g = torch.Generator().manual_seed(4)
    t = torch.arange(120, dtype=F64) / 30
    angle = torch.where(t < 2, 0.0, 3.0 * (t - 2))
    noisy = angle + 0.05 * torch.randn(120, generator=g, dtype=F64)
    R = torch.from_numpy(Rotation.from_euler("x", noisy.numpy()[:, None]).as_matrix())
    out = smooth_rotations(R, t)
    assert trembling(out[:60]) < 0.4 * trembling(R[:60])
    lag = Rotation.from_matrix(out[-30:].numpy()) * Rotation.from_euler(
        "x", -angle[-30:, None].numpy()
    )
    assert lag.magnitude().mean() < 0.25


def test_both_ways_do_not_lag():
    """A steady walk to the right: one way lags behind it, both ways do not."""
    t = torch.arange(100, dtype=F64) / 25
    one, both = smooth(2 * t, t, OneEuro(1.0, 0.0)), smooth_both_ways(2 * t, t, OneEuro(1.0, 0.0))
    middle = slice(40, 60)
    assert (2 * t - one)[middle].min() > 0.2
    assert (2 * t - both)[middle].abs().max() < 1e-3
    R = torch.from_numpy(Rotation.from_euler("x", 2 * t.numpy()[:, None]).as_matrix())
    one = smooth_rotations(R, t, OneEuro(1.0, 0.0))
    both = smooth_rotations_both_ways(R, t, OneEuro(1.0, 0.0))
    assert geodesic_angle(one, R)[middle].min() > 0.2
    assert geodesic_angle(both, R)[middle].max() < 1e-3


def test_it_starts_again_after_a_pause():
    t = torch.tensor([0.0, 0.1, 5.0, 5.1], dtype=F64)
    out = smooth(torch.tensor([0.0, 0, 9, 9], dtype=F64), t)
    assert out.tolist() == [0, 0, 9, 9]
    # It starts at rest, too; half a second is no pause yet.
    steps, at_rest = torch.tensor([0.0, 1.0, 1.0, 2.0], dtype=F64), OneEuro(speed=0.5)
    out = smooth(steps, torch.tensor([0.0, 0.1, 0.75, 0.85], dtype=F64), at_rest)
    np.testing.assert_allclose(out, [0, 0.647957, 1, 1.647957], atol=1e-6)
    out = smooth(steps, torch.tensor([0.0, 0.25, 0.75, 1.25], dtype=F64), at_rest)
    truth = listing([0, 1, 1, 2], [0, 0.25, 0.75, 1.25], 1, 0.5, 1)
    np.testing.assert_allclose(out, truth, atol=1e-12)


@pytest.mark.parametrize(
    ("times", "filter", "message"),
    [
        ([0.0, 0.0], OneEuro(), "increase"),
        ([1.0, 0.0], OneEuro(), "increase"),
        ([0.0, math.nan], OneEuro(), "increase"),
        ([0.0, 1.0], OneEuro(min_cutoff=0), "positive cutoffs"),
        ([0.0, 1.0], OneEuro(speed=-1), "positive cutoffs"),
        ([0.0, 1.0], OneEuro(speed_cutoff=math.nan), "positive cutoffs"),
        ([0.0, 1.0], OneEuro(speed_cutoff=0), "positive cutoffs"),
        ([0.0, 1.0, 2.0], OneEuro(), "2 frames, 3 times"),
    ],
)
def test_no_filter(times, filter, message, monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside the tests
    with pytest.raises(ValueError, match=message):
        smooth(torch.zeros(2, dtype=F64), torch.tensor(times, dtype=F64), filter)


def motion(times):
    angles = np.stack([0.3 * times, 1.1 * times, -0.5 * times], -1)
    R = Rotation.from_rotvec(angles).as_matrix()
    R = np.tile(R[:, None], (1, 24, 1, 1))
    return torch.from_numpy(R), torch.from_numpy(np.stack([times, times**2, 0 * times], 1))


def test_a_steady_motion_stays_as_it_is():
    times = 0.7 + np.arange(40) / 29.97
    rotations, places = motion(times)
    jitter = times + 0.1 / 29.97 * np.random.default_rng(0).uniform(
        -1, 1, 40
    )  # milliseconds of webm
    out = steady(rotations, places, torch.from_numpy(jitter), 29.97)
    assert out.seen.all()
    assert torch.equal(out.rotations, rotations)
    assert torch.equal(out.translations, places)


def test_a_frame_within_a_quarter_of_a_tick_is_its_own():
    for times, seen in (([0.0, 1.25, 2.0], True), ([0.0, 1.375, 2.0], False)):
        rotations, places = motion(np.array(times))
        out = steady(rotations, places, torch.tensor(times, dtype=F64), 1.0)
        assert out.seen.tolist() == [True, seen, True]
        truth = times[1] if seen else 1.0
        assert out.translations[:, 0].tolist() == pytest.approx([0, truth, 2.0])


def test_gaps_are_filled_along_the_shortest_way():
    times = np.array([0, 0.1, 0.2, 0.6, 0.7])
    rotations, places = motion(times)
    out = steady(rotations, places, torch.from_numpy(times), 10.0)
    assert out.seen.tolist() == [True, True, True, False, False, False, True, True]
    truth = Slerp(times, Rotation.from_matrix(rotations[:, 3].numpy()))(np.arange(8) / 10)
    got = Rotation.from_matrix(out.rotations[:, 3].numpy())
    assert (got * truth.inv()).magnitude().max() < 1e-9
    for column in range(3):
        line = np.interp(np.arange(8) / 10, times, places[:, column])
        np.testing.assert_allclose(out.translations[:, column], line, atol=1e-12)


def test_one_frame():
    rotations, places = motion(np.array([3.0]))
    out = steady(rotations, places, torch.tensor([3.0], dtype=F64), 30.0)
    assert torch.equal(out.rotations, rotations)
    assert out.seen.tolist() == [True]
