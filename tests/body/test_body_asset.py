"""The shipped bodies are sound: closed, symmetric, local, placed like a person, accounted for."""

import hashlib
import json

import numpy as np
import pytest

from hmr_edu.body.files import ASSETS, read_body
from hmr_edu.keypoints import COCOPLUS, SMPL_JOINTS

FLIP = np.array([-1, 1, 1], dtype=np.float32)
SWAP = [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]
KEYPOINT_SWAP = [5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13, 14, 16, 15, 18, 17]


@pytest.fixture(scope="module", params=["lite", "full"])
def body(request):
    return read_body(request.param)


@pytest.fixture(scope="module")
def partner(body):
    """Each vertex's mirror image, found by looking for its mirrored coordinates."""
    place = {tuple(v): k for k, v in enumerate(body.v_template.tolist())}
    return np.array([place[tuple(v)] for v in (body.v_template * FLIP + 0).tolist()])


def test_mirror_symmetric_to_the_last_bit(body, partner):
    assert (partner[partner] == np.arange(len(partner))).all()
    assert (body.v_template[partner] * FLIP == body.v_template).all()
    assert (body.shapedirs[partner] * FLIP[:, None] == body.shapedirs).all()
    assert (body.weights[partner][:, SWAP] == body.weights).all()
    assert (body.J_regressor[SWAP][:, partner] == body.J_regressor).all()
    assert (body.keypoint_regressor[KEYPOINT_SWAP][:, partner] == body.keypoint_regressor).all()


def test_posedirs_mirror(body, partner):
    """Mirroring a pose, R -> S R S, mirrors what it does to the body."""
    generator = np.random.default_rng(0)
    feature = generator.normal(size=(23, 3, 3)).astype(np.float32)
    mirrored = (np.diag(FLIP) @ feature @ np.diag(FLIP))[[j - 1 for j in SWAP[1:]]]
    offset = body.posedirs @ feature.ravel()
    image = body.posedirs @ mirrored.ravel()
    np.testing.assert_allclose(image[partner] * FLIP, offset, atol=1e-6)


def test_faces_mirror(body, partner):
    def turned(faces):
        return {tuple(np.roll(f, -f.argmin()).tolist()) for f in faces}

    assert turned(partner[body.faces][:, ::-1]) == turned(body.faces)


def test_closed_and_consistently_turned(body):
    edges = np.concatenate([body.faces[:, [a, b]] for a, b in ((0, 1), (1, 2), (2, 0))])
    there, count = np.unique(edges, axis=0, return_counts=True)
    assert (count == 1).all()
    back = np.unique(edges[:, ::-1], axis=0)
    assert (there == back).all()


def test_one_piece_without_loose_vertices(body):
    label = np.arange(len(body.v_template))
    while True:
        lowest = label.copy()
        np.minimum.at(lowest, body.faces.ravel(), np.repeat(label[body.faces].min(1), 3))
        if (lowest == label).all():
            break
        label = lowest
    assert (label == 0).all()


def test_topology_is_a_sphere(body):
    V, F = len(body.v_template), len(body.faces)
    assert V - F * 3 // 2 + F == 2


def test_volume_of_an_adult_and_no_degenerate_face(body):
    a, b, c = (body.v_template[body.faces[:, k]].astype(np.float64) for k in range(3))
    litres = (a * np.cross(b, c)).sum() / 6 * 1e3
    assert 60 < litres < 80
    area = np.linalg.norm(np.cross(b - a, c - a), axis=1) / 2
    assert area.min() > 1e-9


def test_weights_and_regressors_are_means(body):
    for rows in (body.weights, body.J_regressor, body.keypoint_regressor):
        assert (rows >= 0).all()
        np.testing.assert_allclose(rows.sum(1), 1, atol=1e-5)
    assert ((body.weights > 0).sum(1) <= 4).all()


def test_regressors_are_sparse_and_local(body):
    joints = body.J_regressor @ body.v_template
    for joint, row in zip(joints, body.J_regressor, strict=True):
        used = body.v_template[row > 0]
        assert len(used) <= 40
        assert np.linalg.norm(used - joint, axis=1).max() < 0.3
    assert ((body.keypoint_regressor > 0).sum(1) <= 40).all()


def test_no_corrective_at_a_joint_far_away(body):
    """Fingers do not stir the feet: zeros are exact."""
    blocks = body.posedirs.reshape(len(body.v_template), 3, 23, 9)
    foot, hand = SMPL_JOINTS.index("left_foot"), SMPL_JOINTS.index("left_hand")
    feet = body.weights[:, foot] > 0.5
    assert (blocks[feet][:, :, hand - 1] == 0).all()
    assert (blocks != 0).mean() < 0.1


def test_stands_like_smpl(body):
    x, y, z = body.v_template.T
    assert -1.3 < y.min() < -1.1
    assert 0.4 < y.max() < 0.6
    assert 0.75 < x.max() < 0.95
    assert abs(z).max() < 0.35
    joints = dict(zip(SMPL_JOINTS, body.J_regressor @ body.v_template, strict=True))
    assert joints["left_hip"][0] > 0.05
    assert joints["left_wrist"][0] > joints["left_elbow"][0] > joints["left_shoulder"][0]
    hip, knee, ankle = (joints[f"left_{name}"] for name in ("hip", "knee", "ankle"))
    assert abs(ankle[0] - hip[0]) < 0.03
    thigh, shank = hip[1] - knee[1], knee[1] - ankle[1]
    assert 0.9 < thigh / shank < 1.1
    assert 0.07 < joints["pelvis"][1] - hip[1] < 0.13
    arm = [joints[f"left_{name}"] for name in ("shoulder", "elbow", "wrist")]
    assert np.ptp([p[1] for p in arm]) < 0.02


def test_keypoints_sit_where_a_stranger_would_point(body):
    places = dict(zip(COCOPLUS, body.keypoint_regressor @ body.v_template, strict=True))
    names = {name.lower().replace(" ", "_"): p for name, p in places.items()}
    nose, top, neck = names["nose"], names["head_top"], names["neck"]
    for side, sign in (("left", 1), ("right", -1)):
        ear, eye = names[f"{side}_ear"], names[f"{side}_eye"]
        assert sign * ear[0] > sign * eye[0] > 0
        assert nose[2] > eye[2] > ear[2]
        assert eye[1] > nose[1] > neck[1]
    assert top[1] == max(p[1] for p in places.values())
    assert body.v_template[:, 1].max() - top[1] < 0.01
    joints = dict(zip(SMPL_JOINTS, body.J_regressor @ body.v_template, strict=True))
    for part in ("ankle", "knee", "hip", "wrist", "elbow", "shoulder"):
        gap = np.linalg.norm(names[f"left_{part}"] - joints[f"left_{part}"])
        assert gap < 0.015, part


def test_beta_zero_is_stature(body):
    height = [np.ptp(body.v_template[:, 1] + b * body.shapedirs[:, 1, 0]) for b in (-2, 0, 2)]
    assert 1.4 < height[0] < 1.55
    assert 1.65 < height[1] < 1.75
    assert 1.85 < height[2] < 2.0


def test_lite_and_full_are_the_same_person():
    lite, full = read_body("lite"), read_body("full")
    for name in ("J_regressor", "keypoint_regressor"):
        a, b = (getattr(x, name) @ x.v_template for x in (lite, full))
        assert np.linalg.norm(a - b, axis=1).max() < 0.01
    assert 2000 < len(lite.v_template) < 2300
    assert 12000 < len(full.v_template) < 13000


def test_files_are_small_and_accounted_for():
    record = json.loads((ASSETS / "provenance.json").read_text())
    assert sum(entry["bytes"] for entry in record["outputs"].values()) < 4e6
    for name, entry in record["outputs"].items():
        data = (ASSETS / name).read_bytes()
        assert len(data) == entry["bytes"]
        assert hashlib.sha256(data).hexdigest() == entry["sha256"]
    assert set(record["outputs"]) == {"lite.npz", "full.npz"}
    assert record["measurements"]["full"]["held_out_shape_error_mm"] < 2
    assert {"seed", "versions", "hardware", "processor_minutes", "inputs"} <= set(record)
