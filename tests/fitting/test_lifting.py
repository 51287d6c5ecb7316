"""Lifting with the mirror image, and bodies of keypoints as labels of photographs."""

import json

import pytest
import torch
from PIL import Image

from hmr_edu.body import load_body
from hmr_edu.camera import weak_perspective
from hmr_edu.data.photos.annotations import read_annotations
from hmr_edu.data.photos.source import AnnotatedPhotos
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.source import BatchSource, Mixture
from hmr_edu.evaluation import evaluate_views
from hmr_edu.evaluation.triangulation import View
from hmr_edu.fitting import lift
from hmr_edu.fitting.flip_test import FlipTested
from hmr_edu.fitting.labelled_photos import LabelledPhotos, label_people
from hmr_edu.hmr import HMR
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS, COCOPLUS_FLIP, flip_keypoints, flip_rotations


@pytest.fixture(scope="module")
def lifter() -> HMR:
    torch.manual_seed(0)
    model = HMR("keypoints", width=4, hidden=16, representation="6d", dropout=0.0).eval()
    for layer in model.regressor.output_layers:
        torch.nn.init.normal_(layer.weight, std=0.05)
    return model


def people(n: int = 4) -> tuple[torch.Tensor, torch.Tensor]:
    g = torch.Generator().manual_seed(2)
    return 300 * torch.rand(n, 19, 2, generator=g), (torch.rand(n, 19, generator=g) > 0.2).float()


def test_a_mirrored_person_gets_the_mirrored_body(lifter):
    keypoints2d, confidence = people()
    body = lift(lifter, keypoints2d, confidence)[-1]
    mirrored = lift(lifter, flip_keypoints(keypoints2d), confidence[:, COCOPLUS_FLIP])[-1]
    torch.testing.assert_close(
        mirrored.rotations, flip_rotations(body.rotations), rtol=0, atol=1e-4
    )
    torch.testing.assert_close(
        mirrored.keypoints2d, flip_keypoints(body.keypoints2d), rtol=1e-3, atol=0.1
    )
    # The network alone does not know mirrors.
    alone = lifter(flip_keypoints(keypoints2d), confidence[:, COCOPLUS_FLIP])[-1].rotations
    step = lift(lifter, keypoints2d, confidence)[-2].rotations
    assert (alone - flip_rotations(step)).abs().max() > 0.01


def test_what_is_missing_may_be_nan(lifter):
    keypoints2d, confidence = people()
    expected = lift(lifter, keypoints2d, confidence)[-1].theta
    keypoints2d[confidence == 0] = torch.nan
    assert torch.equal(lift(lifter, keypoints2d, confidence)[-1].theta, expected)


@torch.no_grad()
def test_the_last_step_is_the_middle_of_both_last_steps(lifter):
    """Camera and betas are means; the steps before are the network's own."""
    keypoints2d, confidence = people()
    steps = lifter(keypoints2d, confidence)
    mirrored = lifter(flip_keypoints(keypoints2d), confidence[:, COCOPLUS_FLIP])
    found = lift(lifter, keypoints2d, confidence)
    for ours, theirs in zip(found[:-1], steps, strict=True):
        torch.testing.assert_close(ours.theta, theirs.theta)
    a, b = steps[-1].theta, mirrored[-1].theta
    sign = torch.tensor([1.0, -1.0, 1.0])
    torch.testing.assert_close(found[-1].theta[:, :3], (a[:, :3] + b[:, :3] * sign) / 2)
    torch.testing.assert_close(found[-1].theta[:, 75:], (a[:, 75:] + b[:, 75:]) / 2)


@torch.no_grad()
def test_a_network_with_the_flip_test_can_replace_one(lifter):
    tested = FlipTested(lifter)
    for steps in (tested(*people()), tested(*people(), vertices=False)):
        for ours, theirs in zip(steps, lift(lifter, *people()), strict=True):
            torch.testing.assert_close(ours.theta, theirs.theta)
        assert (steps[0].vertices is None) == (steps[-1].vertices is None)
    assert steps[-1].vertices is None
    assert tested(*people())[-1].vertices is not None
    assert lift(lifter, *people())[-1].vertices is not None
    assert tested.body is lifter.body
    assert not tested.training


def test_a_network_of_pictures_is_refused():
    pictures = HMR("resnet18", image_size=32, width=4, stem="small", hidden=16)
    with pytest.raises(DataError, match="this network reads pictures"):
        lift(pictures, *people())
    with pytest.raises(DataError, match="this network reads pictures"):
        FlipTested(pictures)


@pytest.fixture
def photographs(tmp_path):
    """Three people whose keypoints are those of bodies; the third has been annotated badly."""
    body, prior = load_body("lite"), load_pose_prior()
    pose = prior.sample(3, torch.Generator().manual_seed(1))
    pose[:, :3] = torch.tensor([torch.pi, 0, 0])
    points = body(torch.zeros(3, 10), pose, vertices=False).keypoints
    places = 64 + weak_perspective(points, torch.tensor([[30.0, 0, 0]]).expand(3, 3))
    places[2, ::2] += 40.0
    content = {}
    for row in range(3):
        Image.new("RGB", (200, 200)).save(tmp_path / f"{row}.png")
        named = dict(zip(COCOPLUS, places[row].tolist(), strict=True))
        content[f"{row}.png"] = [{"keypoints": named}]
    content["1.png"][0]["keypoints"] = dict(list(content["1.png"][0]["keypoints"].items())[:7])
    (tmp_path / "keypoints.json").write_text(json.dumps(content))
    return read_annotations(tmp_path / "keypoints.json"), pose


def test_bodies_are_trusted_where_they_explain_enough_keypoints(photographs, lifter, monkeypatch):
    annotated, pose = photographs

    def knows(model, keypoints2d, confidence, vertices):
        theta = torch.cat([torch.zeros(3, 3), pose, torch.zeros(3, 10)], 1)
        half = torch.tensor([person.crop.size for person in annotated]) / 2
        middle = torch.tensor([[p.crop.x, p.crop.y] for p in annotated])
        theta[:, 0] = 30 / half
        theta[:, 1:3] = (64 - middle) / 30
        return [lifter.detail(theta)]

    monkeypatch.setattr("hmr_edu.fitting.labelled_photos.lift", knows)
    labels = label_people(lifter, annotated)
    assert labels.error[:2].max() < 1e-3
    assert labels.error[2] > 0.1
    # The second has seven keypoints, which are too few; the third's body does not explain them.
    assert labels.trusted.tolist() == [True, False, False]
    assert label_people(lifter, annotated, least=7).trusted.tolist() == [True, True, False]
    assert label_people(lifter, annotated, most_error=9.0).trusted.tolist() == [True, False, True]


def test_labelled_photographs_are_a_source(photographs, lifter):
    annotated, _ = photographs
    photos = AnnotatedPhotos(annotated, batch_size=6, image_size=32, seed=4)
    labelled = LabelledPhotos(photos, lifter, most_error=9.0)
    assert isinstance(labelled, BatchSource)
    assert labelled.trusted == pytest.approx(2 / 3)
    batch = labelled.finish(labelled.prepare(3))
    plain = photos.finish(photos.prepare(3))
    assert torch.equal(batch.images, plain.images)
    assert torch.equal(batch.keypoints2d, plain.keypoints2d)
    whose = photos.rows(3)
    assert batch.has_theta.tolist() == [row != 1 for row in whose]
    assert batch.has_3d.tolist() == batch.has_theta.tolist()
    body = lift(lifter, batch.keypoints2d, batch.visible)[-1]
    known = batch.has_theta
    torch.testing.assert_close(batch.rotations[known], body.rotations[known], rtol=0, atol=1e-5)
    assert batch.betas[~known].isnan().all()
    both = Mixture([labelled, photos])
    assert both.finish(both.prepare(0)).has_theta[6:].any().item() is False


def test_views_have_rows_for_lifted_keypoints(tmp_path, lifter):
    """Two cameras at a right angle see a body; the lifter's rows are beside the network's."""
    body = load_body("lite")
    pose = load_pose_prior().sample(2, torch.Generator().manual_seed(1))
    pose[:, :3] = 0
    world = body(torch.zeros(2, 10), pose, vertices=False).keypoints
    K = torch.tensor([[300.0, 0, 100], [0, 300, 100], [0, 0, 1]])
    turn = torch.tensor([[1.0, 0, 0], [0, -1, 0], [0, 0, -1]])
    aside = torch.tensor([[0.0, 0, -1], [0, -1, 0], [-1, 0, 0]])
    cameras = {
        "front": View(K, turn, torch.tensor([0.0, 0.0, 4.0])),
        "side": View(K, aside, torch.tensor([0.0, 0.0, 4.0])),
    }
    recording = {}
    for moment in range(2):
        recording[str(moment)] = {}
        content = {}
        for name, view in cameras.items():
            Image.new("RGB", (200, 200)).save(tmp_path / f"{name}{moment}.png")
            pixels = view.to_camera(world[moment]) @ K.T
            places = (pixels[:, :2] / pixels[:, 2:]).tolist()
            named = dict(zip(COCOPLUS, places, strict=True))
            content[f"{name}{moment}.png"] = [{"keypoints": named}]
        (tmp_path / "k.json").write_text(json.dumps(content))
        for name, person in zip(cameras, read_annotations(tmp_path / "k.json"), strict=True):
            path = tmp_path / name / f"{moment}.png"
            path.parent.mkdir(exist_ok=True)
            Image.new("RGB", (200, 200)).save(path)
            recording[str(moment)][name] = person._replace(path=path)
    pictures = HMR("resnet18", image_size=32, width=4, stem="small", hidden=16)
    record = evaluate_views({"network": pictures}, recording, cameras, lifter)
    rows = ["network", "annotated 2D, lifted", "annotated 2D, lifted, fitted"]
    assert [name for name in record if name in rows] == rows
    lifted, fitted = (record[name]["pa_mpjpe"] for name in rows[1:])
    assert fitted < lifted  # an untrained lifter knows nothing; the fit follows the keypoints
