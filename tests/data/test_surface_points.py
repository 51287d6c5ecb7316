"""Dense correspondences of synthetic people: right, visible, and nothing else changed."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers.commands import failing

from hmr_edu.body import load_body
from hmr_edu.camera import fit_weak_perspective, weak_perspective
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople

PLAIN = dataclasses.replace(APPEARANCES["plain"], clutter=0.0)


def people(dense, inverse_focal=(0.0, 0.0), **appearance):
    config = SyntheticConfig(
        image_size=96,
        batch_size=3,
        inverse_focal=inverse_focal,
        dense=dense,
        appearance=dataclasses.replace(PLAIN, **appearance),
    )
    return SyntheticPeople(load_body("lite"), load_pose_prior(), config, seed=3)


@pytest.fixture(scope="module")
def seen():
    source = people(60)
    scene = source.prepare(0)
    vertices = source.body(scene.betas, scene.rotations).vertices
    rows = torch.arange(3)[:, None, None]
    surface = (vertices[rows, scene.dense.vertices] * scene.dense.weights[..., None]).sum(2)
    return source, scene, vertices, surface


def test_places_are_the_projected_points(seen):
    """From very far away a weak-perspective camera, fitted to the keypoints, sees them there."""
    _, scene, _, surface = seen
    known = scene.dense.confidence > 0
    assert known.float().mean() > 0.95
    camera = fit_weak_perspective(scene.keypoints3d, scene.keypoints2d)
    off = (weak_perspective(surface, camera) - scene.dense.places).abs()[known]
    assert off.max() < 1e-3
    assert (scene.dense.places.abs() <= 1).all(2)[known].all()


def test_nothing_is_in_front_of_them(seen):
    """Rays along z (the camera is very far away) against all triangles: an independent truth."""
    source, scene, vertices, surface = seen
    hidden = total = 0
    for person in range(3):
        triangles = vertices[person][source.body.faces].double().numpy()
        a, u, v = (
            triangles[:, 0],
            triangles[:, 1] - triangles[:, 0],
            triangles[:, 2] - triangles[:, 0],
        )
        area = u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0]
        for point in surface[person][scene.dense.confidence[person] > 0].double().numpy():
            p = point[:2] - a[:, :2]
            with np.errstate(divide="ignore", invalid="ignore"):
                second = (p[:, 0] * v[:, 1] - p[:, 1] * v[:, 0]) / area
                third = (u[:, 0] * p[:, 1] - u[:, 1] * p[:, 0]) / area
            hit = (second >= 0) & (third >= 0) & (second + third <= 1)
            depth = a[:, 2] + second * u[:, 2] + third * v[:, 2]
            hidden += bool((depth[hit] < point[2] - 0.02).any())
            total += 1
    assert total > 150
    # A pixel is 2 cm: at an outline a point may just have disappeared.
    assert hidden / total < 0.03


def test_people_and_pictures_stay_the_same():
    with_points, without = people(60), people(0)
    for index in (0, 1):
        named = without[index].named_tensors()
        more = with_points[index].named_tensors()
        assert all(torch.equal(more[name], value) for name, value in named.items())
        assert {name.split(".")[0] for name in more.keys() - named.keys()} == {"dense"}
    assert torch.equal(with_points[0].dense.places, people(60)[0].dense.places)
    assert without[0].dense is None


def test_points_behind_an_occluder_are_unknown():
    covered = people(200, occluder=1.0)
    scene = covered.prepare(0)
    before = scene.dense.confidence.clone()
    after = covered.finish(scene).dense.confidence
    assert torch.equal(scene.dense.confidence, before)
    assert 0.1 < after.sum() / before.sum() < 0.98
    assert (after <= before).all()


@pytest.mark.parametrize(
    ("preset", "options", "says"),
    [
        ("cpu", ["--loss.dense", "10"], "--data.dense"),
        ("keypoints-quick", ["--loss.silhouette", "3"], "--loss.silhouette: an encoder of key"),
        ("keypoints-quick", ["--loss.dense", "3", "--data.dense", "9"], "--loss.dense: an encod"),
        ("cpu", ["--loss.part-silhouettes", "3", "--mode", "unpaired"], "mode unpaired hides"),
    ],
)
def test_training_on_labels_that_nobody_has_is_refused(capsys, tmp_path, preset, options, says):
    message = failing(capsys, "train", preset, *options, "--out", str(tmp_path))
    assert says in message
    assert not list(tmp_path.iterdir())
