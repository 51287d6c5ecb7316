"""Lesson 08: its inline code against the package and against peers; its checks against mistakes."""

import math
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.lesson_code import definitions
from scipy.special import logsumexp

from hmr_edu.body import load_body
from hmr_edu.encoder.heads import cell_centres
from hmr_edu.fitting.smplify import (
    CLICK_OUTLIER,
    CLICK_SIGMA,
    DOUBT,
    MAP_SIGMA,
    FitOptions,
    heatmap_evidence,
    keypoint_evidence,
)
from hmr_edu.fitting.smplify import fit as package_fit
from hmr_edu.metrics import pck2d

LESSON = Path(__file__).parents[2] / "notebooks" / "08_your_own_photo.ipynb"
EXERCISES = ("pck_of_box", "shuffled_baseline", "map_energy", "robust")


@pytest.fixture(scope="module")
def lesson():
    names = ("rotations_of", "energy", "fit", "cut_off", "crowd", "dusk", "fog", *EXERCISES)
    found = definitions(LESSON, *names)
    model = type("Model", (), {"body": load_body("lite")})
    found.update(model=model, prior=found["load_pose_prior"](), options=FitOptions(steps=6))
    return found


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


# What the lesson builds, against the package and peers.


def test_pck_of_box_is_the_package_s(lesson):
    found, marked = randn(5, 19, 2), randn(5, 19, 2, seed=1)
    visible = (randn(5, 19, seed=2) > 0).double()
    corner = randn(5, 2, seed=3)
    boxes = torch.cat([corner, corner + 1 + randn(5, 2, seed=4).abs()], 1)
    limit = 0.3 * (boxes[:, 2:] - boxes[:, :2]).amax(1)
    theirs = pck2d(found, marked, limit, visible).mean()
    torch.testing.assert_close(lesson["pck_of_box"](found, marked, visible, boxes, 0.3), theirs)


def test_map_energy_is_the_package_s_and_scipy_s(lesson):
    logits, points = 3 * randn(2, 19, 6, 9).float(), 0.4 * randn(2, 19, 2, seed=1).float()
    p = logits.flatten(2).softmax(-1).view_as(logits)
    columns, rows = cell_centres(9, p), cell_centres(6, p)
    ours = lesson["map_energy"](p, columns, rows, points, MAP_SIGMA, DOUBT)
    torch.testing.assert_close(ours, heatmap_evidence(logits)(points))
    grid = torch.stack(torch.meshgrid(columns, rows, indexing="xy"), -1).flatten(0, 1).double()
    squared = (points.double()[:, :, None] - grid).square().sum(-1).numpy()
    terms = np.log(p.flatten(2).double().numpy()) - squared / (2 * MAP_SIGMA**2)
    doubt = np.full((2, 19, 1), math.log(DOUBT))
    want = -logsumexp(np.concatenate([terms, doubt], 2), axis=2).sum(1)
    np.testing.assert_allclose(ours, want, rtol=1e-5)


def test_robust_is_the_package_s(lesson):
    squared = randn(4, 19).square()
    away = squared.sqrt()[..., None] * torch.tensor([0.6, 0.8], dtype=torch.float64)
    theirs = keypoint_evidence(torch.zeros_like(away), torch.ones_like(squared))(away)
    ours = lesson["robust"](squared, CLICK_SIGMA, CLICK_OUTLIER).sum(1)
    torch.testing.assert_close(ours, theirs)


def test_the_fit_is_the_package_s(lesson):
    g = torch.Generator().manual_seed(3)
    theta = torch.cat([torch.tensor([[0.9, 0, 0]] * 3), 0.2 * torch.randn(3, 82, generator=g)], 1)
    marks = keypoint_evidence(0.5 * torch.randn(3, 19, 2, generator=g), torch.ones(3, 19))
    ours, energies = lesson["fit"](theta, marks)
    theirs = package_fit(lesson["model"].body, theta, marks, lesson["options"])
    torch.testing.assert_close(ours, theirs.theta, atol=1e-4, rtol=0)
    torch.testing.assert_close(energies.amin(0), theirs.energy)
    torch.testing.assert_close(energies[0], theirs.start_energy)


def test_spoiling_by_nothing_changes_nothing(lesson):
    images = torch.rand(3, 3, 8, 8, generator=torch.Generator().manual_seed(0))
    for name in ("cut_off", "crowd", "dusk"):
        torch.testing.assert_close(lesson[name](images, 0.0), images)
        assert not torch.equal(lesson[name](images, 0.5), images)
    assert (lesson["cut_off"](images, 0.5)[:, :, 4:] == 0).all()
    assert torch.equal(lesson["crowd"](images, 0.5)[1, ..., :4], images[0, ..., 4:])
    assert lesson["fog"](images).min() >= 0.8


# Wrong answers that people give, and words of what they are told; test_mutants tries them.


def pck(found, marked, visible, boxes, share=0.2, side=torch.amax, near=None, pool=False):
    limit = share * side(boxes[:, 2:] - boxes[:, :2], 1)[:, None]
    near = ((found - marked).norm(dim=-1) <= limit) if near is None else near(found, marked, limit)
    if pool:
        return (near * visible).sum() / visible.sum()
    return ((near * visible).sum(1) / visible.sum(1)).mean()


def blind_pck(found, marked, visible, boxes, share=0.2):
    return pck(found, marked, torch.ones_like(visible), boxes, share)


def divided_by_all(found, marked, visible, boxes, share=0.2):
    limit = share * (boxes[:, 2:] - boxes[:, :2]).amax(1)[:, None]
    return (((found - marked).norm(dim=-1) <= limit) * visible).mean()


def mixture(p, columns, rows, points, sigma, doubt, half=0.5, swap=False, reduce=torch.sum):
    points = points.flip(-1) if swap else points
    gx = torch.exp(-half * ((points[..., :1] - columns) / sigma) ** 2)
    gy = torch.exp(-half * ((points[..., 1:] - rows) / sigma) ** 2)
    likelihood = torch.einsum("bkhw,bkh,bkw->bk", p, gy, gx)
    return -reduce((likelihood + doubt).log(), 1)


def mean_place(p, columns, rows, points, sigma, doubt):
    x, y = (p.sum(2) * columns).sum(-1), (p.sum(3) * rows).sum(-1)
    squared = (points - torch.stack([x, y], -1)).square().sum(-1)
    return -(torch.exp(-squared / (2 * sigma**2)) + doubt).log().sum(1)


def mean_distance(p, columns, rows, points, sigma, doubt):
    dx, dy = points[..., :1] - columns, points[..., 1:] - rows
    squared = dx.square()[..., None, :] + dy.square()[..., None]
    return (p * squared).sum((1, 2, 3)) / (2 * sigma**2)


def doubt_outside(p, columns, rows, points, sigma, doubt):
    return mixture(p, columns, rows, points, sigma, 0.0) + doubt


MISTAKES = [
    ("pck_of_box", lambda *a: pck(*a, side=torch.amin), "LONGER side"),
    ("pck_of_box", lambda *a: pck(*a, side=lambda b, d: b.norm(dim=d)), "not its diagonal"),
    (
        "pck_of_box",
        lambda *a: pck(*a, near=lambda f, m, limit: (f - m).abs().amax(-1) <= limit),
        "length of the difference",
    ),
    ("pck_of_box", lambda *a: pck(*a, pool=True), "a share for each person first"),
    ("pck_of_box", blind_pck, "did not use `visible`"),
    ("pck_of_box", divided_by_all, "MARKED keypoints"),
    ("pck_of_box", lambda f, m, v, b, share=0.2: pck(f, m, v, b), "use the argument `share`"),
    (
        "shuffled_baseline",
        lambda score, x: sum(score(x.roll(k, 0)) for k in range(len(x))) / len(x),
        "leave out the shift by 0",
    ),
    ("shuffled_baseline", lambda score, x: score(x.roll(1, 0)), "not one of them"),
    (
        "shuffled_baseline",
        lambda score, x: sum(score(x.roll(k, 0)) for k in range(1, len(x))),
        "not their sum",
    ),
    (
        "shuffled_baseline",
        lambda score, x: sum(score(x.roll(k, 1)) for k in range(1, len(x))) / (len(x) - 1),
        "shift people",
    ),
    ("map_energy", lambda *a: mixture(*a, half=1.0), "factor 1/2"),
    ("map_energy", lambda *a: mixture(*a, swap=True), ""),
    ("map_energy", lambda *a: mixture(*a, reduce=torch.mean), "not the mean"),
    ("map_energy", mean_place, "get away from"),
    ("map_energy", mean_distance, "then take the logarithm"),
    ("map_energy", doubt_outside, "inside of the logarithm"),
    ("map_energy", lambda *a: -mixture(*a), "MINUS"),
    ("robust", lambda q, s, o: q / (1 + q / o**2) / s**2, "1/2"),
    ("robust", lambda q, s, o: q / (1 + q / o**2) / (2 * s), "sigma squared"),
    ("robust", lambda q, s, o: q / (2 * s**2), "level off"),
    ("robust", lambda q, s, o: q / (1 + q / o) / (2 * s**2), "outlier SQUARED"),
    ("robust", lambda q, s, o: q**2 / (1 + q**2 / o**2) / (2 * s**2), "squared already"),
]
