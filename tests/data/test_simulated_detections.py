"""Simulated detections: each kind of error by itself, and the batch that is made of them."""

import dataclasses
import math

import pytest
import torch

from hmr_edu.body import load_body
from hmr_edu.camera import weak_perspective
from hmr_edu.crop import visible_box
from hmr_edu.data.detections.joint_sets import JOINT_SETS
from hmr_edu.data.detections.noise import DetectionConfig, disturb, redefine, seen
from hmr_edu.data.detections.people import HIDDEN, DetectedPeople
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.synthetic.people import SyntheticConfig
from hmr_edu.keypoints import COCOPLUS, flip_keypoints

K = {name: index for index, name in enumerate(COCOPLUS)}
# Nothing is wrong with these keypoints: noise cannot be 0, but it can be far below a pixel.
PERFECT = DetectionConfig(
    noise=(1e-6, 1e-6),
    definitions=0.0,
    outliers=0.0,
    swaps=0.0,
    sets=0.0,
    limbs=0.0,
    missing=0.0,
)


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


@pytest.fixture(scope="module")
def bodies() -> torch.Tensor:
    """Keypoints [500, 19, 3] of people who face the camera."""
    pose = load_pose_prior().sample(500, generator())
    pose[:, :3] = torch.tensor([math.pi, 0, 0])
    return load_body("lite")(torch.zeros(500, 10), pose, vertices=False).keypoints


def test_no_definitions_change_nothing(bodies):
    assert torch.equal(redefine(bodies, 0.0, generator()), bodies)


def test_definitions_move_both_sides_alike(bodies):
    """Of a body and its mirror image, moved by the same draws, each is the other's image."""
    body = flip_keypoints(bodies[:1]).expand(1, -1, -1) / 2 + bodies[:1] / 2
    moved = redefine(body.expand(200, -1, -1), 1.0, generator())
    faceless = [k for k in range(19) if COCOPLUS[k] in JOINT_SETS["lsp"]]
    mirrored = flip_keypoints(moved)
    torch.testing.assert_close(moved[:, faceless], mirrored[:, faceless], rtol=0, atol=1e-6)
    assert (moved - body).norm(dim=2).mean(0)[faceless].min() > 0.002


def test_definitions_move_along_the_bones_by_their_spread(bodies):
    moved = redefine(bodies, 1.0, generator())
    thigh = bodies[:, K["left_knee"]] - bodies[:, K["left_hip"]]
    shift = moved[:, K["left_knee"]] - bodies[:, K["left_knee"]]
    share = shift.norm(dim=1) / thigh.norm(dim=1)
    along = torch.nn.functional.cosine_similarity(shift, thigh, dim=1).abs()
    assert along.min() > 0.999
    assert 0.058 < share.max() <= 0.06 + 1e-6  # of 500 uniform draws
    middle = bodies[:, [K["left_hip"], K["right_hip"]]].mean(1)
    hip = bodies[:, K["left_hip"]] - middle
    sideways = ((moved[:, K["left_hip"]] - moved[:, K["right_hip"]]) / 2).norm(dim=1)
    ratio = sideways / hip.norm(dim=1)
    assert 0.5 <= ratio.min() < 0.52
    assert 1.48 < ratio.max() <= 1.5 + 1e-5


def test_noise_has_the_size_that_is_asked_for():
    g = generator()
    people = torch.rand(1, 19, 2, generator=g).expand(4000, -1, -1) * torch.tensor([0.4, 1.0])
    config = dataclasses.replace(PERFECT, noise=(0.03, 0.03))
    places, confidence = disturb(people, config, g)
    side = (people.amax(1) - people.amin(1)).amax(1)[:, None, None]
    # Each keypoint's own factor is exp(N(0, 1/2)): the mean of its square is exp(1/2).
    measured = ((places - people) / side).square().mean().sqrt()
    assert float(measured) == pytest.approx(0.03 * math.exp(0.25), rel=0.02)
    graded = (confidence < 1).any(1)
    assert 0.46 < graded.float().mean() < 0.54
    off = ((places - people) / side).norm(dim=2)[graded]
    sure = confidence[graded]
    assert off[sure > 0.6].mean() < 0.7 * off[sure < 0.4].mean()


def test_swaps_change_sides():
    """Arms, legs and all, one after the other: only the face is swapped once."""
    people = torch.rand(10, 19, 2, generator=generator())
    places, _ = disturb(people, dataclasses.replace(PERFECT, swaps=1.0), generator())
    swapped = [*range(14), K["nose"], K["right_eye"], K["left_eye"], K["right_ear"], K["left_ear"]]
    expected = people[:, swapped]
    torch.testing.assert_close(places, expected, rtol=0, atol=1e-4)


def test_outliers_are_anywhere_in_the_box():
    people = torch.rand(3000, 19, 2, generator=generator()) * 0.01
    people[:, 0], people[:, 1] = -1.0, 1.0
    places, _ = disturb(people, dataclasses.replace(PERFECT, outliers=0.2), generator())
    far = ((places - people).norm(dim=2) > 0.05)[:, 2:]
    assert far.float().mean() == pytest.approx(0.2, abs=0.02)
    assert places.abs().max() <= 1.2 + 1e-5


def test_only_the_keypoints_of_a_set_are_known(bodies):
    config = dataclasses.replace(PERFECT, sets=1.0)
    known = seen(bodies.repeat(8, 1, 1), config, generator())
    body = [k for k in range(19) if COCOPLUS[k] not in ("left_eye", "right_eye", "nose")]
    counts = {}
    for row in known[:, body].tolist():
        counts[tuple(row)] = counts.get(tuple(row), 0) + 1
    for name, share in (("cocoplus", 0.25), ("lsp", 0.3), ("coco17", 0.3), ("body25", 0.15)):
        row = tuple(COCOPLUS[k] in JOINT_SETS[name] for k in body)
        assert counts[row] / len(known) == pytest.approx(share, abs=0.06), name


def test_a_face_that_looks_away_is_hidden(bodies):
    assert seen(bodies, PERFECT, generator()).float().mean() > 0.98
    behind = bodies * torch.tensor([-1.0, 1.0, -1.0])
    known = seen(behind, PERFECT, generator())
    assert known[:, :14].all()
    assert known[:, K["nose"]].float().mean() == pytest.approx(0.2, abs=0.06)


def test_what_is_missing_is_missing_at_random(bodies):
    config = dataclasses.replace(PERFECT, missing=1.0)
    known = seen(bodies.repeat(4, 1, 1), config, generator())
    assert known[:, :14].float().mean() == pytest.approx(0.75, abs=0.01)
    assert torch.allclose(known[:, :14].float().mean(0), torch.tensor(0.75), atol=0.04)


def source(detections: DetectionConfig, **options) -> DetectedPeople:
    config = SyntheticConfig(image_size=64, batch_size=200, **options)
    return DetectedPeople(load_body("lite"), load_pose_prior(), config, detections, seed=3)


def test_perfect_detections_are_the_true_places():
    people = source(PERFECT, inverse_focal=(0.0, 0.0), fill=(0.7, 0.9), shift=0.0)
    batch = people.finish(people.prepare(0))
    known = batch.confidence > 0
    assert known[:, :14].all()
    torch.testing.assert_close(batch.detected[known], batch.keypoints2d[known], rtol=0, atol=1e-4)
    # Without perspective, the label's camera puts the body exactly there.
    projected = weak_perspective(batch.keypoints3d, batch.camera)
    torch.testing.assert_close(projected, batch.keypoints2d, rtol=0, atol=2e-3)
    body = people.body(batch.betas, batch.rotations, vertices=False).keypoints
    torch.testing.assert_close(batch.keypoints3d, body)
    assert batch.has_3d.all()
    assert not batch.has_parts.any()


def test_a_batch_is_in_the_box_of_what_is_known():
    people = source(DetectionConfig(), cut=0.5, inverse_focal=(0.0, 0.5))
    batch = people.finish(people.prepare(1))
    box = visible_box(batch.detected, batch.confidence)
    enough = (batch.confidence > 0).sum(1) > 1
    expected = torch.tensor([0.0, 0.0, 1.0]).expand(int(enough.sum()), 3)
    torch.testing.assert_close(box[enough], expected, rtol=0, atol=1e-4)
    hidden = batch.confidence == 0
    assert 0.2 < hidden.float().mean() < 0.6
    assert (batch.detected[hidden] == 0).all()
    assert (batch.visible[~hidden] == 1).all()
    assert ((batch.visible[hidden] > 0) & (batch.visible[hidden] <= HIDDEN)).all()
    assert batch.keypoints2d.abs().amax() > 2  # legs that the crop does not show


def test_a_batch_depends_on_its_number_and_the_seed_alone():
    people, again = source(DetectionConfig()), source(DetectionConfig())
    again.prepare(7)
    for name, value in vars(people.prepare(2)).items():
        assert torch.equal(value, getattr(again.prepare(2), name)), name
    assert not torch.equal(people.prepare(2).detected, people.prepare(3).detected)


def test_the_regression_starts_from_somebody_who_faces_us():
    theta = source(DetectionConfig()).mean_theta(batches=1)
    assert theta.isfinite().all()
    assert theta[3].item() == pytest.approx(math.pi, abs=1e-5)
    assert 0.3 < theta[0] < 1.5
