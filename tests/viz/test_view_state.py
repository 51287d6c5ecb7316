"""What the explorers show, against other programs and numbers worked out by hand."""

import dataclasses

import numpy as np
import pytest
import torch
import trimesh

from hmr_edu.body import SMPL, load_body, read_body
from hmr_edu.keypoints import SMPL_EDGES, SMPL_JOINTS
from hmr_edu.viz.explore import view_state
from hmr_edu.viz.explore.view_state import MeshViewState, skeleton_lines, to_scene


@pytest.fixture(scope="module")
def lite():
    return load_body("lite")


@pytest.fixture
def state(lite):
    g = torch.Generator().manual_seed(0)
    pose = view_state.neutral_pose()
    pose[3:] = 0.4 * torch.randn(69, generator=g)
    return MeshViewState(lite, torch.randn(10, generator=g), pose)


def test_a_person_stands_upright_in_the_scene_and_faces_the_viewer(lite):
    x, _, z = MeshViewState(lite).joints()[:, SMPL_JOINTS.index("head")]
    assert abs(x) < 0.05
    assert z > 0.3  # the head is up
    joints = dict(zip(SMPL_JOINTS, MeshViewState(lite).joints().T, strict=True))
    assert joints["left_wrist"][0] > 0.5  # facing us: their left is on our right
    assert joints["left_foot"][1] < joints["left_ankle"][1] - 0.05  # toes point to us: y is away


def test_scene_axes():
    # Camera frame: right, down, away. Scene: right, away, up.
    scene = to_scene(torch.tensor([[1.0, 2.0, 3.0]]))
    np.testing.assert_array_equal(scene, [[1.0], [3.0], [-2.0]])
    assert scene.dtype == np.float32


def test_vertices_are_those_of_the_layer(state, lite):
    expected = lite(state.betas[None], state.pose[None]).vertices[0]
    np.testing.assert_allclose(state.vertices(), to_scene(expected), atol=1e-6)
    assert state.vertices().dtype == np.float32
    assert state.faces().shape == (3, len(lite.faces))


def test_blend_shapes_off_is_a_body_that_has_none(state):
    data = read_body("lite")
    bare = SMPL(dataclasses.replace(data, posedirs=np.zeros_like(data.posedirs)))
    expected = bare(state.betas[None], state.pose[None])
    state.pose_blend = False
    found = state.output()
    torch.testing.assert_close(found.vertices, expected.vertices, atol=1e-5, rtol=0)
    torch.testing.assert_close(found.keypoints, expected.keypoints, atol=1e-5, rtol=0)
    state.pose_blend, state.shape_blend = True, False
    mean = bare(torch.zeros(1, 10), state.pose[None])
    torch.testing.assert_close(state.output().joints, mean.joints)


def test_volume_and_weight_against_trimesh(state, lite):
    rest = lite.v_template + torch.einsum("vcb,b->vc", lite.shapedirs, state.betas)
    mesh = trimesh.Trimesh(rest.numpy(), lite.faces.numpy(), process=False)
    assert mesh.is_watertight
    assert state.weight() == pytest.approx(985 * mesh.volume, rel=1e-4)
    assert 40 < state.weight() < 130


def test_volume_of_a_box():
    box = trimesh.creation.box((1.0, 2.0, 3.0))
    vertices = torch.tensor(box.vertices) + 5  # wherever it is
    assert view_state.volume(vertices, torch.tensor(box.faces)) == pytest.approx(6)


def test_height_is_from_sole_to_crown(lite):
    state = MeshViewState(lite)
    template = read_body("lite").v_template
    assert state.height() == pytest.approx(template[:, 1].max() - template[:, 1].min(), abs=1e-5)
    state.pose = torch.zeros(72)  # standing or not, tall is tall
    assert state.height() == pytest.approx(1.70, abs=0.02)


def test_skeleton_has_a_line_for_every_bone(state):
    joints = state.joints()
    lines = skeleton_lines(joints)
    assert lines.shape == (3, 3 * 23)
    for n, (parent, child) in enumerate(SMPL_EDGES):
        np.testing.assert_array_equal(lines[:, 3 * n], joints[:, parent])
        np.testing.assert_array_equal(lines[:, 3 * n + 1], joints[:, child])
        assert np.isnan(lines[:, 3 * n + 2]).all()


def test_turning_a_joint_leaves_the_others(state):
    before = state.pose.clone()
    state.turn("left_knee", torch.tensor([1.0, 2.0, 3.0]))
    assert state.pose[12:15].tolist() == [1.0, 2.0, 3.0]
    assert torch.equal(
        torch.cat([state.pose[:12], state.pose[15:]]), before[[*range(12), *range(15, 72)]]
    )
    assert state.rotation(4).tolist() == [1.0, 2.0, 3.0]


def test_skin_and_correctives(state, lite):
    np.testing.assert_allclose(sum(state.skinning_weights(j) for j in range(24)), 1, atol=1e-5)
    # The left hand's skin is where the left hand is.
    heaviest = lite.v_template[state.skinning_weights("left_hand").argmax()]
    assert (heaviest - lite.J_template[22]).norm() < 0.15
    assert MeshViewState(lite).correctives().max() == 0  # none at rest
    assert state.correctives().max() > 0.003


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"betas": torch.zeros(11)}, r"betas must be \[10\]"),
        ({"pose": torch.full((72,), torch.nan)}, "finite"),
    ],
)
def test_bad_states(lite, change, message):
    state = MeshViewState(lite)
    for name, value in change.items():
        setattr(state, name, value)
    with pytest.raises(ValueError, match=message):
        state.output()


@pytest.mark.parametrize("joint", ["left_tail", 24, -1])
def test_unknown_joints(joint):
    with pytest.raises(ValueError, match="no joint"):
        view_state.joint_number(joint)
