"""Synthetic people: the same picture for the same seed, and labels that are true of it."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers.few_looks import few_looks

from hmr_edu.body import load_body
from hmr_edu.camera import weak_perspective
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.source import batch_seed
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople
from hmr_edu.data.synthetic.views import NEAREST
from hmr_edu.rotations import matrix_to_axis_angle

BANKS = {"scenes": 4, "outfits": 4, "heads": 4}


def stream(level: str = "plain", seed: int = 0, **changes) -> SyntheticPeople:
    appearance = dataclasses.replace(APPEARANCES[level], **BANKS)
    config = SyntheticConfig(image_size=64, batch_size=6, appearance=appearance)
    config = dataclasses.replace(config, **changes)
    return SyntheticPeople(load_body("lite"), load_pose_prior(), config, seed)


def tensors(batch) -> dict[str, torch.Tensor]:
    return batch.named_tensors()


@pytest.mark.parametrize("level", ["plain", "full"])
def test_same_seed_same_bits_whatever_was_drawn_before(level):
    first, second = stream(level), stream(level)
    second[0], second[7]
    torch.manual_seed(5)
    for name, value in tensors(first[3]).items():
        assert torch.equal(value, tensors(second[3])[name]), name


def test_other_batches_and_seeds_are_other_people():
    people = stream()
    assert not torch.equal(people[0].images, people[1].images)
    assert not torch.equal(people[0].images, stream(seed=1)[0].images)
    assert len({batch_seed(s, i) for s in range(50) for i in range(50)}) == 2500


def test_labels_are_the_body_that_is_seen():
    people = stream()
    batch = people[0]
    pose = matrix_to_axis_angle(batch.rotations).flatten(1)
    body = people.body(batch.betas, pose)
    torch.testing.assert_close(body.keypoints, batch.keypoints3d, rtol=0, atol=2e-5)


def test_keypoints_lie_on_the_person():
    batch = stream(fill=(0.6, 0.8), shift=0.0)[0]
    on_body = 0
    # Knees, hips, elbows, shoulders are deep inside the silhouette.
    inner = [1, 2, 3, 4, 7, 8, 9, 10]
    pixel = ((batch.keypoints2d[:, inner] + 1) * 32).long().clamp(0, 63)
    rows = torch.arange(len(batch))[:, None]
    on_body = (batch.parts[rows, pixel[..., 1], pixel[..., 0]] > 0).float().mean()
    assert on_body > 0.95


def test_without_perspective_the_camera_explains_the_keypoints_exactly():
    flat = stream(inverse_focal=(1e-5, 1e-5))[0]
    projected = weak_perspective(flat.keypoints3d, flat.camera)
    assert (projected - flat.keypoints2d).abs().max() < 2e-4
    near = stream(inverse_focal=(0.4, 0.4))[0]
    projected = weak_perspective(near.keypoints3d, near.camera)
    assert (projected - near.keypoints2d).abs().max() > 0.01


def test_the_person_fills_what_was_asked():
    batch = stream(fill=(0.7, 0.7), shift=0.0, inverse_focal=(1e-5, 1e-5))[0]
    extent = (batch.keypoints2d.amax(1) - batch.keypoints2d.amin(1)).amax(1)
    # 10 cm are left for what goes beyond the keypoints.
    assert ((extent > 1.1) & (extent < 1.4)).all()
    assert batch.keypoints2d.abs().max() < 0.71


def test_visible_means_inside_and_uncovered():
    batch = stream("full", fill=(1.2, 1.4))[0]
    outside = (batch.keypoints2d.abs() > 1).any(-1)
    assert outside.any()
    assert not batch.visible[outside].any()
    clear = stream("plain", fill=(0.6, 0.7), shift=0.0)[0]
    assert clear.visible.all()


def test_nobody_sticks_a_foot_into_the_lens():
    people = stream(inverse_focal=(0.5, 3.0), fill=(1.0, 1.0))
    for index in range(5):
        scene = people.prepare(index)
        # Skin may be a little nearer than the nearest keypoint.
        assert scene.pixels.depth.min() > NEAREST - 0.35
        assert scene.keypoints2d.isfinite().all()


def test_every_yaw_is_seen_equally():
    people = stream(batch_size=64, pitch=0.0, roll=0.0)
    forward = torch.cat([people.prepare(i).rotations[:, 0, :, 2] for i in range(8)]).numpy()
    yaw = np.degrees(np.arctan2(forward[:, 0], -forward[:, 2]))
    counts, _ = np.histogram(yaw, bins=8, range=(-180, 180))
    assert counts.min() > 0.6 * 64
    assert counts.max() < 1.5 * 64


def test_mean_theta_faces_us_upright_in_the_middle():
    theta = stream().mean_theta(2)
    assert theta.shape == (85,)
    assert theta[3:6].abs().tolist() == pytest.approx([np.pi, 0, 0], abs=1e-3)
    assert 0.3 < theta[0] < 2
    assert not theta[75:].any()
    assert theta[6:75].abs().max() < 1.6


def test_withheld_labels_keep_the_pictures():
    batch = stream()[0]
    bare = batch.without_labels(theta=True, keypoints3d=True, parts=True)
    assert torch.equal(bare.images, batch.images)
    for flag in (bare.has_theta, bare.has_3d, bare.has_parts):
        assert not flag.any()
    assert batch.has_theta.all()


def test_some_people_are_cut_off_and_the_labels_stay_true():
    whole, cut = stream()[0], stream(cut=1.0)[0]
    head, ankles = [12, 13], [0, 5]
    assert (whole.keypoints2d.abs() < 1.2).all()
    # Heads stay in the crop. Hardly anybody's ankles do (people lie and kick, too), and what is
    # outside is not visible.
    assert (cut.keypoints2d[:, head].abs() < 1.2).all()
    assert (cut.keypoints2d[:, ankles].abs().amax((1, 2)) > 1).float().mean() > 0.8
    assert (cut.visible[cut.keypoints2d.abs().amax(-1) > 1] == 0).all()
    projected = weak_perspective(cut.keypoints3d, cut.camera)
    assert (projected - cut.keypoints2d).abs().mean() < 0.2
    # Only as many as asked for.
    people = stream(cut=0.3, shift=0.0)
    batches = [people.prepare(k).keypoints2d for k in range(40)]
    lost = torch.cat([b[:, ankles].abs().amax((1, 2)) > 1.05 for b in batches]).float().mean()
    assert 0.2 < lost < 0.4
    # Of those, 40 % keep their knees (and some whose knees are up do, too).
    people = stream(cut=1.0, shift=0.0)
    knees = torch.cat([people.prepare(k).keypoints2d[:, [1, 4]] for k in range(40)])
    assert 0.35 < (knees.abs().amax((1, 2)) < 1.05).float().mean() < 0.65


def test_no_focal_length_is_weak_perspective():
    batch = few_looks(image_size=32, batch_size=4, inverse_focal=(0.0, 0.0))[0]
    weak = weak_perspective(batch.keypoints3d, batch.camera)
    torch.testing.assert_close(batch.keypoints2d, weak, atol=1e-3, rtol=0)
