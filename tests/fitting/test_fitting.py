"""The fit, on people whose truth is known: it finds them and never gets worse; SciPy agrees."""

import math

import numpy as np
import pytest
import torch
from scipy.stats import multivariate_normal, norm

from hmr_edu.body import load_body
from hmr_edu.camera import weak_perspective
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.fitting.smplify import (
    CLICK_OUTLIER,
    CLICK_SIGMA,
    DOUBT,
    MAP_SIGMA,
    Fit,
    FitOptions,
    fit,
    fit_to_keypoints,
    heatmap_evidence,
    keypoint_evidence,
)
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.metrics import pa_mpjpe
from hmr_edu.rotations import axis_angle_to_matrix, geodesic_angle, matrix_to_axis_angle
from hmr_edu.theta import join_theta, split_theta

N = 6


@pytest.fixture(scope="module")
def body():
    return load_body("lite")


def people(n: int = N, seed: int = 0) -> torch.Tensor:
    """Thetas of people in the camera's frame, facing anywhere."""
    g = torch.Generator().manual_seed(seed)
    pose = load_pose_prior().sample(n, g, recline=0.0)
    yaw = 2 * math.pi * torch.rand(n, generator=g)
    zero = torch.zeros(n)
    turn = axis_angle_to_matrix(torch.stack([zero, yaw, zero], 1))
    flip = axis_angle_to_matrix(torch.tensor([math.pi, 0.0, 0.0]))
    root = matrix_to_axis_angle(flip @ turn @ axis_angle_to_matrix(pose[:, :3]))
    camera = torch.tensor([0.9, 0.0, 0.0]) + 0.05 * torch.randn(n, 3, generator=g)
    betas = 0.5 * torch.randn(n, 10, generator=g)
    return join_theta(camera, torch.cat([root, pose[:, 3:]], 1), betas)


def perturbed(theta: torch.Tensor, seed: int = 1, angle: float = 0.25) -> torch.Tensor:
    """The same people with every number a little off."""
    g = torch.Generator().manual_seed(seed)
    scale = torch.cat([torch.full((3,), 0.05), torch.full((72,), angle), torch.full((10,), 0.5)])
    # The hands turn nothing that a keypoint shows.
    scale[3 + 66 : 75] = 0
    return theta + scale * torch.randn(theta.shape, generator=g)


def project(body, theta):
    camera, pose, betas = split_theta(theta)
    out = body(betas, pose, vertices=False)
    return weak_perspective(out.keypoints, camera), out.keypoints


@pytest.fixture(scope="module")
def fitted(body) -> tuple[torch.Tensor, torch.Tensor, Fit]:
    truth = people()
    start = perturbed(truth)
    marks = keypoint_evidence(project(body, truth)[0], torch.ones(N, 19))
    return truth, start, fit(body, start, marks)


def test_a_perturbed_body_comes_back(body, fitted):
    truth, start, result = fitted
    x, X = project(body, truth)
    x_start, X_start = project(body, start)
    x_fit, X_fit = project(body, result.theta)
    before, after = ((p - x).norm(dim=-1).mean(1) for p in (x_start, x_fit))
    assert (after < 0.25 * before).all()
    # Depth cannot be seen, so 3D gains less; no person loses.
    gain = pa_mpjpe(X_fit[:, :14], X[:, :14]) / pa_mpjpe(X_start[:, :14], X[:, :14])
    assert gain.mean() < 0.8
    assert (gain < 1.05).all()


def test_the_energy_falls_and_is_that_of_the_theta(body, fitted):
    truth, start, result = fitted
    assert (result.energy < result.start_energy).all()
    marks = keypoint_evidence(project(body, truth)[0], torch.ones(N, 19))
    none = FitOptions(steps=0)
    torch.testing.assert_close(fit(body, start, marks, none).energy, result.start_energy)
    # Asked again from its own result, all but the distance from the start is the same.
    R, R0 = (
        axis_angle_to_matrix(split_theta(t).pose.view(-1, 24, 3)) for t in (result.theta, start)
    )
    moved = geodesic_angle(R, R0)
    moved = (2 - 2 * moved.cos()).sum(1) / (2 * FitOptions().stay ** 2)
    again = fit(body, result.theta, marks, none).energy
    torch.testing.assert_close(again + moved, result.energy, rtol=1e-3, atol=1e-2)


def test_the_energy_is_the_log_posterior(body):
    """Term by term by SciPy; the start's distance from itself is 0."""
    theta = people(1)
    marked = project(body, theta)[0] + 0.01
    marked[0, 3] = torch.nan
    weight = torch.ones(1, 19)
    weight[0, 3], weight[0, 5] = 0.0, 0.5
    options = FitOptions(steps=0, pose=0.7, shape=0.3)
    found = fit(body, theta, keypoint_evidence(marked, weight), options).energy.item()

    squared = 2 * 0.01**2
    clicks = 17.5 * squared / (1 + squared / CLICK_OUTLIER**2) / (2 * CLICK_SIGMA**2)
    prior, pose = load_pose_prior(), split_theta(theta).pose[0, 3:].numpy()
    parts = [
        w * multivariate_normal.pdf(pose, m[:69], (f @ f.T)[:69, :69])
        for w, m, f in zip(
            prior.log_weights.exp().numpy().astype(float),
            prior.means.double().numpy(),
            prior.factor.double().numpy(),
            strict=True,
        )
    ]
    betas = 0.5 * float(split_theta(theta).betas.square().sum())
    want = clicks - 0.7 * math.log(sum(parts)) + 0.3 * betas
    assert math.isclose(found, want, rel_tol=1e-4)


def test_the_energy_of_the_defaults(body):
    """Weights 0.05 of the prior and 1 of the betas; no mark counts."""
    theta = people(2)
    nothing = keypoint_evidence(torch.zeros(2, 19, 2), torch.zeros(2, 19))
    found = fit(body, theta, nothing, FitOptions(steps=0)).energy
    pose, betas = split_theta(theta).pose[:, 3:], split_theta(theta).betas
    prior = load_pose_prior().log_prob(torch.cat((torch.zeros(2, 3), pose), 1))
    torch.testing.assert_close(found, betas.square().sum(1) / 2 - 0.05 * prior)


def test_marks_and_maps_by_hand():
    """Off by 0.03 is one sigma, by 0.3 half of the most; 0.12 is one sigma of a map's cell."""
    marks = keypoint_evidence(torch.zeros(1, 19, 2), torch.ones(1, 19))
    for off, each in ((0.03, 0.5 / 1.01), (0.3, 25.0)):
        found = marks(torch.tensor([0.0, off]).expand(1, 19, 2)).item()
        assert found == pytest.approx(19 * each, rel=1e-5)
    cell = torch.full((1, 19, 5, 5), -100.0)
    cell[:, :, 2, 2] = 100.0
    for off, likelihood in ((0.12, math.exp(-0.5) + 0.001), (9.0, 0.001)):
        found = heatmap_evidence(cell)(torch.tensor([off, 0.0]).expand(1, 19, 2)).item()
        assert found == pytest.approx(-19 * math.log(likelihood), rel=1e-5)


def test_the_rate_falls_to_zero_along_half_a_cosine(body, monkeypatch):
    rates = []

    class Noted(torch.optim.Adam):
        def step(self, closure=None):
            rates.append(self.param_groups[0]["lr"])
            return super().step(closure)

    monkeypatch.setattr(torch.optim, "Adam", Noted)
    marks = keypoint_evidence(torch.zeros(1, 19, 2), torch.ones(1, 19))
    fit(body, people(1), marks, FitOptions(steps=4, rate=2.0))
    assert rates == pytest.approx([2, 1 + math.sqrt(0.5), 1, 1 - math.sqrt(0.5), 0])
    assert (FitOptions().steps, FitOptions().rate) == (60, 0.04)


def test_each_person_is_fitted_alone(body, fitted):
    truth, start, result = fitted
    marks = keypoint_evidence(project(body, truth[2:3])[0], torch.ones(1, 19))
    alone = fit(body, start[2:3], marks)
    torch.testing.assert_close(alone.theta[0], result.theta[2], atol=2e-3, rtol=0)


@pytest.mark.parametrize("rate", [0.04, 30.0])
def test_the_fit_never_ends_worse_than_it_began(body, rate):
    """Not even at a rate that throws the body about, nor when nothing can be gained."""
    theta = people()
    marks = keypoint_evidence(project(body, theta)[0], torch.ones(N, 19))
    result = fit(body, theta, marks, FitOptions(steps=8, rate=rate))
    assert (result.energy <= result.start_energy).all()
    if rate > 1:
        # Adam's first step was worse for everyone: the start itself is what comes back.
        stays = matrix_to_axis_angle(axis_angle_to_matrix(theta[:, 3:6]))
        torch.testing.assert_close(result.theta[:, 6:], theta[:, 6:])
        torch.testing.assert_close(
            axis_angle_to_matrix(result.theta[:, 3:6]), axis_angle_to_matrix(stays)
        )


def test_one_wrong_click_does_not_twist_the_body(body):
    truth = people(3)
    x = project(body, truth)[0]
    wrong = x.clone()
    wrong[:, 6] += 1.5  # a wrist, somewhere in the next garden
    result = fit(body, truth, keypoint_evidence(wrong, torch.ones(3, 19)))
    error = (project(body, result.theta)[0] - x).norm(dim=-1)
    assert error.mean() < 0.05
    assert error[:, 6].max() < 0.15


def test_weights_of_zero_hide_anything(body):
    truth = people(2)
    x, weight = project(body, truth)[0], torch.ones(2, 19)
    junk = x.clone()
    weight[:, :6], junk[:, :6] = 0.0, torch.nan
    results = [fit(body, truth, keypoint_evidence(k, weight)).theta for k in (x, junk)]
    assert results[1].isfinite().all()
    torch.testing.assert_close(results[0], results[1])


def test_a_start_far_away_is_aimed_first(body):
    """The camera of a failed answer may be anywhere; the marks say where the person is."""
    truth = people(3)
    x, all_seen = project(body, truth)[0], torch.ones(3, 19)
    lost = perturbed(truth)
    lost[:, :3] = torch.tensor([0.1, 5.0, -4.0])
    plain = fit(body, lost, keypoint_evidence(x, all_seen)).theta
    aimed = fit_to_keypoints(body, [lost], x, all_seen).theta
    far, near = ((project(body, t)[0] - x).norm(dim=-1).mean() for t in (plain, aimed))
    assert far > 0.3
    assert near < 0.05


def test_the_better_of_two_starts_is_kept(body):
    truth = people(4)
    x, all_seen = project(body, truth)[0], torch.ones(4, 19)
    good, bad = perturbed(truth), people(4, seed=9)
    one, other = good.clone(), bad.clone()
    one[:2], other[:2] = bad[:2], good[:2]
    mixed = fit_to_keypoints(body, [one, other], x, all_seen)
    single = [fit_to_keypoints(body, [start], x, all_seen).energy for start in (one, other)]
    torch.testing.assert_close(mixed.energy, torch.minimum(*single), rtol=1e-3, atol=1e-2)
    assert (mixed.energy <= mixed.start_energy).all()
    assert (project(body, mixed.theta)[0] - x).norm(dim=-1).mean() < 0.05


def test_marks_that_no_camera_explains_leave_it_alone(body):
    theta = people(2)
    x = project(body, theta)[0] * torch.tensor([-1.0, -1.0])  # upside down
    seen = torch.ones(2, 19)
    seen[1, 1:] = 0  # a single mark
    result = fit_to_keypoints(body, [theta], x, seen, FitOptions(steps=0))
    torch.testing.assert_close(result.theta[:, :3], theta[:, :3])


def blob(places: list[tuple[float, float]], cells: int = 16) -> torch.Tensor:
    """Logits of a map with equal blobs of one cell's width at some places of the crop."""
    centre = (2 * torch.arange(cells) + 1) / cells - 1
    density = torch.zeros(cells, cells)
    for x, y in places:
        dx, dy = (torch.exp(-0.5 * ((centre - v) / 0.06) ** 2) for v in (x, y))
        density += dy[:, None] * dx
    return (density + 1e-9).log()


def test_heatmap_evidence_is_a_mixture():
    heat = torch.randn(2, 19, 5, 8, generator=torch.Generator().manual_seed(0))
    x = 0.4 * torch.randn(2, 19, 2, generator=torch.Generator().manual_seed(1))
    columns, rows = (2 * np.arange(8) + 1) / 8 - 1, (2 * np.arange(5) + 1) / 5 - 1
    peak = norm.pdf(0) ** 2
    want = np.zeros(2)
    for b in range(2):
        for k in range(19):
            p = np.exp(heat[b, k].double().numpy())
            g = np.outer(
                norm.pdf((x[b, k, 1].item() - rows) / MAP_SIGMA),
                norm.pdf((x[b, k, 0].item() - columns) / MAP_SIGMA),
            )
            want[b] -= np.log((p / p.sum() * g).sum() / peak + DOUBT)
    np.testing.assert_allclose(heatmap_evidence(heat)(x), want, rtol=1e-4)


def test_a_map_of_two_places_is_no_map_of_their_middle():
    maps = blob([(-0.5, 0.2), (0.5, 0.2)]).expand(1, 19, 16, 16)
    at = {
        x: float(heatmap_evidence(maps)(torch.tensor([x, 0.2]).expand(1, 19, 2)))
        for x in (-0.5, 0, 0.5)
    }
    assert math.isclose(at[-0.5], at[0.5], rel_tol=1e-4)
    assert at[0] > at[0.5] + 19


def test_a_body_finds_its_heatmaps(body):
    truth = people(3)
    start = perturbed(truth)
    x = project(body, truth)[0]
    maps = torch.stack([torch.stack([blob([tuple(p)]) for p in person]) for person in x.tolist()])
    result = fit(body, start, heatmap_evidence(maps))
    before, after = ((project(body, t)[0] - x).norm(dim=-1).mean() for t in (start, result.theta))
    assert after < 0.5 * before


def behind_the_hips(points: torch.Tensor) -> torch.Tensor:
    hips = [COCOPLUS.index("right_hip"), COCOPLUS.index("left_hip")]
    return points[..., 2] - points[:, hips, 2].mean(1, keepdim=True)


def test_depths_turn_limbs_that_a_picture_leaves_alone(body):
    """The same projections, and of the depths all but one are told."""
    truth = people()
    start = perturbed(truth)
    x, points = project(body, truth)
    told = behind_the_hips(points)
    wrist = COCOPLUS.index("left_wrist")
    lied = told.clone()
    lied[:, wrist] += 3.0
    marks = keypoint_evidence(x, torch.ones(N, 19))
    off = {}
    for name, depths in (("none", None), ("told", told), ("lied", lied)):
        z = behind_the_hips(project(body, fit(body, start, marks, depths=depths).theta)[1])
        off[name] = (z - told).abs()
    assert off["told"].mean() < 0.6 * off["none"].mean()
    # One depth that is metres off is taken for a mistake: it pulls nobody's arm out.
    assert off["lied"][:, wrist].mean() < 0.2
    others = [k for k in range(19) if k != wrist]
    assert off["lied"][:, others].mean() < 0.7 * off["none"][:, others].mean()


def test_a_depth_counts_as_the_formula_says(body):
    """Energy of the start, by hand: off by d, d^2 / (1 + d^2 / 0.6^2) / (2 * 0.2^2) each."""
    theta = people(2)
    _, points = project(body, theta)
    nothing = FitOptions(steps=0)
    marks = keypoint_evidence(torch.zeros(2, 19, 2), torch.zeros(2, 19))
    depths = behind_the_hips(points) + 0.3
    more = fit(body, theta, marks, nothing, depths=depths).energy
    less = fit(body, theta, marks, nothing).energy
    each = 0.09 / (1 + 0.25) / 0.08
    torch.testing.assert_close(more - less, torch.full((2,), 19 * each), rtol=1e-3, atol=1e-2)
    weights = torch.zeros(2, 19)
    weights[:, 3], weights[:, 4] = 1.0, 0.5
    some = fit(body, theta, marks, nothing, depths=depths, depth_confidence=weights).energy
    torch.testing.assert_close(some - less, torch.full((2,), 1.5 * each), rtol=1e-3, atol=1e-2)


def test_unusable_starts_and_options(body):
    theta = people(1)
    marks = keypoint_evidence(torch.zeros(1, 19, 2), torch.ones(1, 19))
    with pytest.raises(ValueError, match="NaN"):
        fit(body, theta * torch.nan, marks)
    with pytest.raises(ValueError, match="stay > 0"):
        FitOptions(stay=0)
    with pytest.raises(ValueError, match="depth > 0"):
        FitOptions(depth=-1)
    with pytest.raises(ValueError, match="depth > 0"):
        FitOptions(depth=0)
    with pytest.raises(ValueError, match="steps >= 0"):
        FitOptions(steps=-1)
