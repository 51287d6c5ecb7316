"""metrics.py by hand, and Procrustes against brute force over rotations."""

import math

import jaxtyping
import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation

from hmr_edu import metrics
from hmr_edu.keypoints import COCOPLUS, LSP, SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix

DOUBLE = torch.float64
METRICS_3D = [metrics.mpjpe, metrics.pa_mpjpe, metrics.pve, metrics.pck, metrics.auc]


def bodies(seed, batch=5, n=14):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, n, 3, generator=generator, dtype=DOUBLE)


def rotation(*axis_angle):
    return axis_angle_to_matrix(torch.tensor(axis_angle, dtype=DOUBLE))


@pytest.fixture
def as_users_run_it(monkeypatch):
    """Without the shape checks of the tests, which would speak first."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)


def test_hips_are_hips():
    assert metrics.HIPS == (2, 3)
    assert {LSP[i] for i in metrics.HIPS} == {"right_hip", "left_hip"}
    assert {SMPL_JOINTS[i] for i in (1, 2)} == {"right_hip", "left_hip"}  # as the docs say


@pytest.mark.usefixtures("as_users_run_it")
@pytest.mark.parametrize("metric", METRICS_3D)
def test_numpy_arrays_are_told_how_to_become_tensors(metric):
    points = bodies(0)
    told = r"must be a tensor, not numpy.ndarray: torch.from_numpy\("
    with pytest.raises(TypeError, match=f"pred {told}"):
        metric(points.numpy(), points.numpy())
    with pytest.raises(TypeError, match=f"target {told}"):
        metric(points, points.numpy())


def test_mpjpe_by_hand():
    target = torch.zeros(1, 14, 3)
    pred = target.clone()
    pred[0, 0] = torch.tensor([3.0, 4.0, 0.0])
    assert metrics.mpjpe(pred, target).item() == pytest.approx(5 / 14)
    assert metrics.per_joint_error(pred, target)[0, :2].tolist() == [5, 0]
    # One hip off by 2 moves the origin by 1: every joint is off by 1.
    pred = target.clone()
    pred[0, 2, 0] = 2.0
    assert metrics.mpjpe(pred, target).item() == pytest.approx(1.0)
    assert metrics.mpjpe(pred, target, hips=None).item() == pytest.approx(2 / 14)


def test_where_a_person_stands_does_not_matter():
    pred, target = bodies(0), bodies(1)
    moved = pred + torch.tensor([1.0, -2.0, 30.0], dtype=DOUBLE)
    for metric in (metrics.mpjpe, metrics.pa_mpjpe, metrics.pck, metrics.auc):
        torch.testing.assert_close(metric(moved, target), metric(pred, target))
    assert metrics.align_root(pred)[:, metrics.HIPS].mean(1).abs().max() < 1e-15


def test_similarity_undoes_a_similarity():
    target = bodies(2)
    pred = 0.3 * target @ rotation(1, 2, 3).mT + 5
    torch.testing.assert_close(metrics.procrustes_align(pred, target), target)
    assert metrics.pa_mpjpe(pred, target).max() < 1e-12


def brute_force(pred, target):
    """Least squared error over rotations, by search; scale and shift follow in closed form."""
    X, Y = (p.numpy() - p.numpy().mean(0) for p in (pred, target))

    def rest(vector):
        turned = X @ Rotation.from_rotvec(vector).as_matrix().T
        scale = max((turned * Y).sum() / (X**2).sum(), 0)
        return ((scale * turned - Y) ** 2).sum()

    starts = Rotation.random(20, rng=0).as_rotvec()
    return min(minimize(rest, start, tol=1e-12).fun for start in starts)


@pytest.mark.parametrize("seed", range(3))
@pytest.mark.parametrize("mirrored", [False, True])
def test_no_rotation_beats_similarity_align(seed, mirrored):
    target = bodies(seed, 1)
    noise = 0.3 * bodies(seed + 50, 1)
    pred = target * torch.tensor([-1.0 if mirrored else 1.0, 1, 1]) + noise
    ours = float((metrics.procrustes_align(pred, target) - target).square().sum())
    assert ours == pytest.approx(brute_force(pred[0], target[0]), rel=1e-6)


def test_a_mirror_image_is_not_the_original():
    target = bodies(7, 1)
    mirrored = target * torch.tensor([-1.0, 1, 1])
    # Whoever lets reflections in calls this pair perfect; scipy's procrustes does.
    assert procrustes(target[0].numpy(), mirrored[0].numpy())[2] < 1e-20
    ours = metrics.pa_mpjpe(mirrored, target).item()
    assert ours > 0.3
    aligned = metrics.procrustes_align(mirrored, target)
    assert float((aligned - target).square().sum()) == pytest.approx(
        brute_force(mirrored[0], target[0]), rel=1e-6
    )
    # Turning every axis instead of the last alone is an orthogonal map, but not the best rotation.
    turned_all = 2 * target.mean(1, keepdim=True) - target
    assert metrics.pa_mpjpe(turned_all, target).item() > 0.3


def test_align_agrees_with_scipy_without_reflection():
    target, pred = bodies(3), bodies(3) + 0.2 * bodies(4)
    aligned = metrics.procrustes_align(pred, target)
    for p, t, a in zip(pred, target, aligned, strict=True):
        standard, _, disparity = procrustes(t.numpy(), p.numpy())
        size = np.linalg.norm(t.numpy() - t.numpy().mean(0))
        assert float((a - t).square().sum()) == pytest.approx(disparity * size**2, rel=1e-9)
        assert np.allclose((t.numpy() - t.numpy().mean(0)) / size, standard)


@pytest.mark.parametrize("dtype", [torch.float32, torch.float64])
def test_collapsed_bodies_give_a_number(dtype):
    body = bodies(0, 1).to(dtype)
    spread = (body - body.mean(1, keepdim=True)).norm(dim=-1).mean().item()
    for place in (0.0, 0.1, 7.7):
        point = torch.full_like(body, place)
        # The best that a point can do is lie in the middle; the best onto a point is scale 0.
        assert metrics.pa_mpjpe(point, body).item() == pytest.approx(spread, rel=1e-5)
        assert metrics.pa_mpjpe(body, point).item() == pytest.approx(0, abs=1e-5)
        assert metrics.pa_mpjpe(point, point).item() == pytest.approx(0, abs=1e-5)
    for keep in ((1, 0, 0), (1, 1, 0)):  # all points on a line, in a plane
        flat = body * torch.tensor(keep, dtype=dtype)
        for pair in ((flat, body), (body, flat), (flat, flat)):
            assert metrics.pa_mpjpe(*pair).isfinite().all()
        assert metrics.pa_mpjpe(flat, flat).item() == pytest.approx(0, abs=1e-5)
    one = body[:, :1]
    assert metrics.pa_mpjpe(one, one + 1).item() == pytest.approx(0, abs=1e-6)


coordinate = st.floats(-3, 3)
vector = st.tuples(coordinate, coordinate, coordinate).map(lambda v: torch.tensor(v, dtype=DOUBLE))


@given(st.integers(0, 10**6), vector, vector, st.floats(0.1, 10))
def test_pa_mpjpe_ignores_rotation_scale_and_shift_of_the_prediction(seed, turn, shift, scale):
    pred, target = bodies(seed, 2), bodies(seed + 1, 2)
    moved = scale * pred @ axis_angle_to_matrix(turn).mT + shift
    torch.testing.assert_close(
        metrics.pa_mpjpe(moved, target), metrics.pa_mpjpe(pred, target), rtol=1e-8, atol=1e-8
    )
    best = (metrics.procrustes_align(pred, target) - target).square().sum((1, 2))
    middle = (target - target.mean(1, keepdim=True)).square().sum((1, 2))
    assert (best <= middle + 1e-9).all()  # never worse than giving up


def test_pve_is_the_plain_mean_distance():
    target = bodies(1, 2, 50)
    assert metrics.pve(target + 0.1, target).tolist() == pytest.approx([0.1 * math.sqrt(3)] * 2)


def test_pck_and_auc_by_hand():
    target = torch.zeros(1, 14, 3, dtype=DOUBLE)
    pred = target.clone()
    pred[0, 4:9, 0] = 0.1
    pred[0, 9:, 0] = 0.2
    assert metrics.pck(pred, target).item() == pytest.approx(9 / 14)
    assert metrics.pck(pred, target, threshold=0.05).item() == pytest.approx(4 / 14)
    assert metrics.pck(pred, target, threshold=0.2).item() == pytest.approx(1)
    # 4 joints count at all 31 thresholds, 5 from 100 mm on (the 11 from 100 to 150 mm), 5 never.
    pred[0, 4:9, 0] = 0.0999
    assert metrics.auc(pred, target).item() == pytest.approx((4 * 31 + 5 * 11) / (31 * 14))
    assert metrics.auc(target, target).item() == 1


def test_pck2d_by_hand():
    target = torch.zeros(2, 19, 2)
    head, neck, hip, shoulder = (
        COCOPLUS.index(n) for n in ("head_top", "neck", "right_hip", "left_shoulder")
    )
    target[:, neck, 1], target[:, hip, 1] = 2.0, 9.0
    target[:, shoulder] = torch.tensor([3.0, 5.0])
    assert metrics.head_size(target).tolist() == [2, 2]
    assert metrics.torso_size(target).tolist() == [5, 5]
    pred = target.clone()
    pred[0, :4, 0] += 0.9
    pred[1, :4, 0] += 1.1
    within = metrics.pck2d(pred, target, 0.5 * metrics.head_size(target))
    assert within.tolist() == pytest.approx([1, 15 / 19])
    assert metrics.pck2d(pred, target, 0.2).tolist() == pytest.approx([15 / 19] * 2)
    visibility = torch.zeros(2, 19)
    visibility[:, 3:6] = 1
    pred[:, head] = math.nan  # not visible, so not looked at
    for v in (visibility, visibility.bool()):
        assert metrics.pck2d(pred, target, 0.2, v).tolist() == pytest.approx([2 / 3] * 2)
    # A head of no size lets through only exact hits, and divides by nothing.
    assert metrics.pck2d(target, target, torch.zeros(2)).tolist() == [1, 1]


def upright(yaw):
    return rotation(math.pi, 0, 0) @ rotation(0, yaw, 0)


@given(st.floats(-6, 6), st.floats(-6, 6))
def test_facing_error_is_the_difference_of_yaws(a, b):
    expected = abs((a - b + math.pi) % (2 * math.pi) - math.pi)
    assert metrics.facing_error(upright(a), upright(b)).item() == pytest.approx(expected, abs=1e-12)


def test_leaning_is_not_turning():
    lean = rotation(0.8, 0, 0) @ upright(0)
    assert metrics.facing_error(lean, upright(0)).item() == pytest.approx(0, abs=1e-12)
    assert metrics.facing_error(lean, upright(math.pi)).item() == pytest.approx(math.pi)


def test_facing_of_people_who_lie():
    on_the_back = rotation(math.pi / 2, 0, 0) @ upright(0)
    on_the_belly = rotation(-math.pi / 2, 0, 0) @ upright(0)
    assert metrics.facing_error(on_the_back, on_the_belly).item() == pytest.approx(math.pi)
    assert metrics.facing_error(on_the_back, on_the_back).item() == pytest.approx(0, abs=1e-12)
    assert metrics.facing_error(on_the_back, upright(1.0)).item() == pytest.approx(math.pi / 2)


def test_batch_shapes():
    pred, target = bodies(0, 6).reshape(2, 3, 14, 3), bodies(1, 6).reshape(2, 3, 14, 3)
    for metric in METRICS_3D:
        assert metric(pred, target).shape == (2, 3)
        assert metric(pred[:0], target[:0]).shape == (0, 3)
        torch.testing.assert_close(metric(pred, target)[1], metric(pred[1], target[1]))
    assert metrics.per_joint_error(pred, target).shape == (2, 3, 14)


HUGE_AND_TINY = ((1e-25, 1.0, 1e25), (1.0, 1e25, 1e-25), (1e25, 1e-25, 1e25), (1e-25,) * 3)


@pytest.mark.parametrize("units", HUGE_AND_TINY)
def test_distances_of_huge_and_tiny_bodies(units):
    """In float32, where the squares of such numbers overflow or vanish; each body its own unit."""
    unit = torch.tensor(units)[:, None, None]
    pred, target = bodies(0, 3).float() * unit, bodies(1, 3).float() * unit
    difference = pred.double().numpy() - target.double().numpy()
    difference -= difference[:, 2:4].mean(1, keepdims=True)
    expected = torch.from_numpy(np.linalg.norm(difference, axis=-1)).float()
    torch.testing.assert_close(metrics.per_joint_error(pred, target), expected, rtol=1e-5, atol=0)
    torch.testing.assert_close(metrics.mpjpe(pred, target), expected.mean(-1), rtol=1e-5, atol=0)


def kabsch(pred, target):
    """PA-MPJPE of one body: scipy's rotation, then the scale of least squares."""
    X, Y = (p.double().numpy() - p.double().numpy().mean(0) for p in (pred, target))
    turned = Rotation.align_vectors(Y, X)[0].apply(X)
    scale = (turned * Y).sum() / (turned**2).sum()
    return np.linalg.norm(scale * turned - Y, axis=-1).mean()


@pytest.mark.parametrize("units", HUGE_AND_TINY)
def test_pa_mpjpe_has_the_unit_of_the_target(units):
    body, target = bodies(0, 3).float() + bodies(1, 3).float(), bodies(1, 3).float()
    expected = torch.tensor([kabsch(*pair) for pair in zip(body, target, strict=True)])
    expected = (expected * torch.tensor(units)).float()
    for pred_units in HUGE_AND_TINY:
        errors = metrics.pa_mpjpe(
            body * torch.tensor(pred_units)[:, None, None],
            target * torch.tensor(units)[:, None, None],
        )
        torch.testing.assert_close(errors, expected, rtol=1e-4, atol=0)


def test_ordinary_lengths_are_exact():
    """No unit is divided out where none is needed: the last bit is that of the plain length."""
    pred = bodies(0, 50)
    errors = metrics.per_joint_error(pred, torch.zeros_like(pred), None)
    torch.testing.assert_close(errors, pred.norm(dim=-1), rtol=0, atol=0)


def test_far_away_point_lands_on_the_centre():
    """Its rounding errors, almost a centimetre in float32 here, are no shape."""
    body = bodies(0, 2).float()
    point = torch.full_like(body, 123456.7)
    point[:, ::2] = point[:, ::2].nextafter(torch.tensor(torch.inf))
    assert (point[0, 0] - point[0, 1]).min() > 5e-3
    aligned = metrics.procrustes_align(point, body)
    torch.testing.assert_close(aligned, body.mean(1, keepdim=True).expand_as(body))


@pytest.mark.parametrize("place", [0.0, 0.1])
def test_gradient_of_a_point_is_a_number(place):
    point = torch.full((2, 14, 3), place, dtype=DOUBLE, requires_grad=True)
    metrics.pa_mpjpe(point, bodies(0, 2)).sum().backward()
    assert point.grad.isfinite().all()


@pytest.mark.parametrize("metric", METRICS_3D)
def test_one_body_without_a_batch(metric):
    pred, target = 0.1 * bodies(0, 3), 0.1 * bodies(1, 3)
    one = metric(pred[1], target[1])
    assert one.shape == ()
    torch.testing.assert_close(one, metric(pred, target)[1])


@pytest.mark.parametrize("batch", [(), (4,), (2, 3)])
def test_pck2d_counts_the_visible_of_each_row(batch):
    generator = np.random.default_rng(0)
    pred, target = generator.random((2, *batch, 19, 2))
    visible = generator.random((*batch, 19)) < 0.5
    visible[..., 0] = True
    threshold = generator.random(batch)
    expected = np.empty(batch)
    for row in np.ndindex(batch):
        seen = [i for i in range(19) if visible[row][i]]
        near = [i for i in seen if math.dist(pred[row][i], target[row][i]) <= threshold[row]]
        expected[row] = len(near) / len(seen)
    pred, target, visible, threshold, expected = (
        torch.as_tensor(x) for x in (pred, target, visible, threshold, expected)
    )
    torch.testing.assert_close(metrics.pck2d(pred, target, threshold, visible), expected)


@pytest.mark.parametrize("batch", [(), (4,), (2, 5)])
def test_facing_error_of_each_of_a_batch(batch):
    a, b = (Rotation.random(50, rng=seed).as_matrix() for seed in (0, 1))
    count = math.prod(batch)
    a, b = a[:count].reshape(*batch, 3, 3), b[:count].reshape(*batch, 3, 3)
    expected = np.empty(batch)
    for row in np.ndindex(batch):
        u, v = a[row][:, 2], b[row][:, 2]
        if min(math.hypot(u[0], u[2]), math.hypot(v[0], v[2])) >= math.sin(math.radians(15)):
            u, v = u[[0, 2]], v[[0, 2]]
        expected[row] = math.acos(u @ v / np.linalg.norm(u) / np.linalg.norm(v))
    errors = metrics.facing_error(torch.from_numpy(a), torch.from_numpy(b))
    torch.testing.assert_close(errors, torch.as_tensor(expected))


@pytest.mark.parametrize(("degrees", "steep"), [(14.5, True), (15.5, False)])
def test_directions_within_15_degrees_of_the_vertical_are_compared_whole(degrees, steep):
    # Faces up, but for these degrees towards +Z; the other one is level, 60 degrees from +Z.
    lies, stands = rotation(math.radians(degrees - 90), 0, 0), rotation(0, math.pi / 3, 0)
    whole = math.acos(math.sin(math.radians(degrees)) * 0.5)
    expected = whole if steep else math.pi / 3
    for pair in ((lies, stands), (stands, lies)):
        assert metrics.facing_error(*pair).item() == pytest.approx(expected)


def test_mpjpe_gradcheck():
    pred, target = bodies(0, 2).requires_grad_(), bodies(1, 2)
    assert torch.autograd.gradcheck(metrics.mpjpe, (pred, target))


@pytest.mark.usefixtures("as_users_run_it")
@pytest.mark.parametrize("metric", METRICS_3D)
def test_bad_input_is_refused(metric):
    good = torch.zeros(2, 14, 3)
    broken = good.clone()
    broken[1, 3, 2] = math.nan
    with pytest.raises(ValueError, match="1 of 84 predicted coordinates are NaN"):
        metric(broken, good)
    with pytest.raises(ValueError, match="1 of 84 target coordinates are NaN"):
        metric(good, broken)
    for wrong in (good[:, :13], good[..., :2], good[0]):
        with pytest.raises(ValueError, match=r"against .* must be \[batch, points, 3\]"):
            metric(wrong, good)
    with pytest.raises(ValueError, match="must be"):
        metric(good[..., :2], good[..., :2])
    with pytest.raises(ValueError, match="not a single point"):
        metric(good[:, :0], good[:, :0])


@pytest.mark.usefixtures("as_users_run_it")
def test_bad_2d_input_and_missing_hips_are_refused():
    points = torch.zeros(2, 19, 2)
    with pytest.raises(ValueError, match="without a visible keypoint"):
        metrics.pck2d(points, points, 0.1, torch.zeros(2, 19))
    with pytest.raises(ValueError, match="do not belong together"):
        metrics.pck2d(points, points, 0.1, torch.zeros(2, 14))
    with pytest.raises(ValueError, match="38 of 76 predicted coordinates are NaN"):
        metrics.pck2d(points * torch.tensor([1, math.nan]), points, 0.1)
    with pytest.raises(ValueError, match="no hips at"):
        metrics.align_root(points[:, :3])
