"""Lesson 08: its inline code against the package and against peers."""

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
