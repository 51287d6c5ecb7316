"""keypoints.py: names against the published orders, and mirrors against an articulated body."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from hmr_edu import keypoints as kp
from hmr_edu.body import load_body
from hmr_edu.body.smpl import forward_kinematics
from hmr_edu.camera import weak_perspective
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.theta import split_theta

SETS = {"SMPL": kp.SMPL_JOINTS, "COCO+": kp.COCOPLUS, "LSP": kp.LSP, "COCO": kp.COCO17}
FLIPS = {
    "SMPL": kp.SMPL_FLIP,
    "COCO+": kp.COCOPLUS_FLIP,
    "LSP": kp.LSP_FLIP,
    "COCO": kp.COCO17_FLIP,
}
EDGES = {
    "SMPL": kp.SMPL_EDGES,
    "COCO+": kp.COCOPLUS_EDGES,
    "LSP": kp.LSP_EDGES,
    "COCO": kp.COCO17_EDGES,
}
MIRROR = torch.diag(torch.tensor([-1.0, 1.0, 1.0]))


def symmetric_skeleton(generator):
    """Rest joints that are their own mirror image, roughly human, metres."""
    joints = torch.randn(24, 3, generator=generator) * 0.3
    mirrored = joints[list(kp.SMPL_FLIP)] @ MIRROR
    return (joints + mirrored) / 2


def random_theta(generator, batch):
    theta = torch.randn(batch, 85, generator=generator)
    theta[:, 0] = theta[:, 0].exp()
    theta[0, 3:6] = torch.tensor([math.pi, 0, 0])  # upright and facing the camera
    return theta


def project(theta, rest):
    """A stick figure with SMPL's tree, seen by theta's camera."""
    rotations = axis_angle_to_matrix(theta[:, 3:75].unflatten(1, (24, 3)))
    _, joints = forward_kinematics(rotations, rest.expand(len(theta), 24, 3))
    return weak_perspective(joints, theta[:, :3]), joints


def test_published_orders():
    assert [len(names) for names in SETS.values()] == [24, 19, 14, 17]
    assert kp.COCOPLUS[:14] == kp.LSP
    # Spot checks against SMPL's, LSP's and COCO's own documents.
    assert [kp.SMPL_JOINTS.index(n) for n in ("left_hip", "spine3", "head", "right_hand")] == [
        *(1, 9, 15, 23)
    ]
    assert kp.LSP.index("right_ankle") == 0
    assert kp.LSP.index("head_top") == 13
    assert kp.COCO17.index("left_shoulder") == 5
    assert kp.COCO17.index("right_ankle") == 16


def test_flips_are_those_of_the_original_code():
    swap = (5, 4, 3, 2, 1, 0, 11, 10, 9, 8, 7, 6, 12, 13, 14, 16, 15, 18, 17)
    assert swap == kp.COCOPLUS_FLIP
    assert swap[:14] == kp.LSP_FLIP
    assert kp.COCO17_FLIP == (0, 2, 1, 4, 3, 6, 5, 8, 7, 10, 9, 12, 11, 14, 13, 16, 15)


@pytest.mark.parametrize("name", SETS)
def test_flipping_twice_is_nothing(name):
    flip, names = FLIPS[name], SETS[name]
    assert [flip[i] for i in flip] == list(range(len(names)))
    assert len(set(names)) == len(names)
    sides = {"left_": "right_", "right_": "left_"}
    for name, other in zip(names, (names[i] for i in flip), strict=True):
        side = next((s for s in sides if name.startswith(s)), "")
        assert other == sides.get(side, "") + name.removeprefix(side)


def test_parents_make_a_mirror_symmetric_tree():
    assert kp.SMPL_PARENTS[0] == -1
    assert all(0 <= parent < joint for joint, parent in enumerate(kp.SMPL_PARENTS[1:], start=1))
    for joint, parent in enumerate(kp.SMPL_PARENTS[1:], start=1):
        assert kp.SMPL_PARENTS[kp.SMPL_FLIP[joint]] == kp.SMPL_FLIP[parent]
    chain, joint = [], kp.SMPL_JOINTS.index("left_hand")
    while joint >= 0:
        chain.append(kp.SMPL_JOINTS[joint])
        joint = kp.SMPL_PARENTS[joint]
    arm = ["left_hand", "left_wrist", "left_elbow", "left_shoulder", "left_collar"]
    assert chain == [*arm, "spine3", "spine2", "spine1", "pelvis"]


@pytest.mark.parametrize("name", SETS)
def test_edges_are_mirror_symmetric_and_touch_every_joint(name):
    edges = {frozenset(edge) for edge in EDGES[name]}
    assert len(edges) == len(EDGES[name])
    assert {frozenset(FLIPS[name][i] for i in edge) for edge in edges} == edges
    assert set().union(*edges) == set(range(len(SETS[name])))


@pytest.mark.parametrize("name", ["SMPL", "COCO+", "LSP"])
def test_edges_join_all_joints(name):
    reached = {0}
    for _ in EDGES[name]:
        reached |= {j for edge in EDGES[name] if set(edge) & reached for j in edge}
    assert len(reached) == len(SETS[name])


@pytest.mark.parametrize("source", SETS)
@pytest.mark.parametrize("target", SETS)
def test_mapping_there_and_back(source, target):
    there = kp.mapping(SETS[source], SETS[target])
    assert [SETS[source][i] for i in there.source] == [SETS[target][i] for i in there.target]
    assert len(there.target) + len(there.missing) == len(SETS[target])
    back = kp.mapping(SETS[target], SETS[source])
    points = torch.randn(2, len(SETS[source]), 3)
    moved = torch.full((2, len(SETS[target]), 3), torch.nan)
    moved[:, there.target] = points[:, there.source]
    returned = points.clone()
    returned[:, back.target] = moved[:, back.source]
    assert torch.equal(returned, points)


def test_mapping_by_hand():
    there = kp.mapping(("nose", "left_eye", "neck"), ("neck", "right_eye", "nose"))
    assert there == ((2, 0), (0, 2), ("right_eye",))
    assert kp.mapping(kp.COCOPLUS, kp.LSP) == (tuple(range(14)), tuple(range(14)), ())
    assert set(kp.mapping(kp.COCO17, kp.COCOPLUS).missing) == {"neck", "head_top"}


def test_bad_sets_are_refused():
    with pytest.raises(ValueError, match="nose more than once"):
        kp.mapping(("nose", "neck", "nose"), kp.LSP)
    with pytest.raises(ValueError, match="left_eye"):
        kp.flip_permutation(("nose", "left_eye"))
    with pytest.raises(ValueError, match="14 points given for a set of 19"):
        kp.flip_keypoints(torch.zeros(1, 14, 2))


def test_flipped_picture_with_flipped_labels_is_the_same_example():
    generator = torch.Generator().manual_seed(0)
    rest, theta = symmetric_skeleton(generator), random_theta(generator, 50)
    points2d, points3d = project(theta, rest)
    flipped2d, flipped3d = project(kp.flip_theta(theta), rest)
    # A picture turned left for right shows the left wrist where x -> -x puts the right one.
    torch.testing.assert_close(
        flipped2d, kp.flip_keypoints(points2d, kp.SMPL_JOINTS), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(
        flipped3d, kp.flip_keypoints(points3d, kp.SMPL_JOINTS), rtol=1e-4, atol=1e-5
    )


def test_the_shipped_body_in_the_mirror_is_itself():
    body, theta = load_body("lite"), random_theta(torch.Generator().manual_seed(1), 6)

    def project(theta):
        camera, pose, betas = split_theta(theta)
        output = body(betas, pose, vertices=False)
        return weak_perspective(output.keypoints, camera), output.keypoints

    (points2d, points3d), (flipped2d, flipped3d) = project(theta), project(kp.flip_theta(theta))
    torch.testing.assert_close(flipped3d, kp.flip_keypoints(points3d), rtol=0, atol=1e-4)
    scale = theta[:, :1].max()
    torch.testing.assert_close(flipped2d, kp.flip_keypoints(points2d), rtol=0, atol=1e-4 * scale)


def test_flipping_pose_and_matrices_agree():
    pose = torch.randn(6, 72, dtype=torch.float64)
    R = axis_angle_to_matrix(pose.unflatten(-1, (24, 3)))
    flipped = axis_angle_to_matrix(kp.flip_pose(pose).unflatten(-1, (24, 3)))
    torch.testing.assert_close(flipped, kp.flip_rotations(R))
    M = MIRROR.double()
    torch.testing.assert_close(kp.flip_rotations(R), (M @ R @ M)[:, list(kp.SMPL_FLIP)])


def test_flipping_a_raised_left_arm_raises_the_right_arm():
    pose = torch.zeros(24, 3)
    pose[0] = torch.tensor([math.pi, 0, 0])
    pose[kp.SMPL_JOINTS.index("left_shoulder")] = torch.tensor([0, 0, math.pi / 2])  # +X to +Y
    flipped = kp.flip_pose(pose.flatten()).unflatten(0, (24, 3))
    torch.testing.assert_close(flipped[0], pose[0])
    assert flipped[kp.SMPL_JOINTS.index("left_shoulder")].abs().max() == 0
    right = axis_angle_to_matrix(flipped[kp.SMPL_JOINTS.index("right_shoulder")])
    # The right arm points to -X at rest; raised, it points up as well.
    torch.testing.assert_close(right @ torch.tensor([-1.0, 0, 0]), torch.tensor([0.0, 1, 0]))


def test_root_that_faces_left_faces_right_after_the_flip():
    yaw = torch.tensor([0.0, 0.7, 0.0])
    upright = axis_angle_to_matrix(torch.tensor([math.pi, 0, 0]))
    R = torch.eye(3).repeat(24, 1, 1)
    R[0] = upright @ axis_angle_to_matrix(yaw)
    facing, flipped = R[0, :, 2], kp.flip_rotations(R)[0, :, 2]
    torch.testing.assert_close(flipped, facing * torch.tensor([-1.0, 1, 1]))
    torch.testing.assert_close(kp.flip_rotations(R)[0], upright @ axis_angle_to_matrix(-yaw))


def test_keypoints_carry_their_visibility():
    points = torch.tensor([[[0.1, 0.2, 1.0], [0.3, 0.4, 0.0]]])
    flipped = kp.flip_keypoints(points, ("left_eye", "right_eye"))
    expected = torch.tensor([[[-0.3, 0.4, 0.0], [-0.1, 0.2, 1.0]]])
    assert torch.equal(flipped, expected)


@given(st.integers(0, 2**31), st.sampled_from([(), (3,), (2, 3)]))
def test_flips_are_involutions(seed, batch):
    generator = torch.Generator().manual_seed(seed)
    theta = torch.randn(*batch, 85, generator=generator)
    assert torch.equal(kp.flip_theta(kp.flip_theta(theta)), theta)
    assert not torch.equal(kp.flip_theta(theta), theta)
    rotations = torch.randn(*batch, 24, 3, 3, generator=generator)
    assert torch.equal(kp.flip_rotations(kp.flip_rotations(rotations)), rotations)
    for names in SETS.values():
        points = torch.randn(*batch, len(names), 2, generator=generator)
        assert torch.equal(kp.flip_keypoints(kp.flip_keypoints(points, names), names), points)


def test_flipping_theta_by_hand():
    theta = torch.zeros(2, 3, 85)
    theta[..., :3] = torch.tensor([0.9, 0.25, -0.5])
    theta[1, ..., 75:] = torch.arange(10.0)
    expected = theta.clone()
    expected[..., 1] = -0.25
    assert torch.equal(kp.flip_theta(theta), expected)


@pytest.mark.parametrize("batch", [(), (1,), (2,), (2, 2)])
def test_mirrored_parts_by_name(batch):
    def part(name):
        return 1 + kp.SMPL_JOINTS.index(name)

    unknown_person = 255
    assert unknown_person == kp.PERSON
    picture = [
        [0, part("left_hand"), unknown_person],
        [part("pelvis"), 0, part("right_hand")],
        [part("left_hip"), 25, 254],
        [part("head"), part("right_foot"), part("left_knee")],
    ]
    mirrored = [
        [unknown_person, part("right_hand"), 0],
        [part("left_hand"), 0, part("pelvis")],
        [254, 25, part("right_hip")],
        [part("right_knee"), part("left_foot"), part("head")],
    ]
    dtype = torch.uint8
    parts = torch.tensor(picture, dtype=dtype).expand(*batch, 4, 3)
    flipped = kp.flip_parts(parts)
    assert flipped.dtype == dtype
    assert torch.equal(flipped, torch.tensor(mirrored, dtype=dtype).expand(*batch, 4, 3))


def test_align_root_by_hand():
    points = torch.tensor([[0.0, 0, 0], [9, 9, 9], [1, 2, 3], [3, 6, -3]])
    aligned = torch.tensor([[-2.0, -4, 0], [7, 5, 9], [-1, -2, 3], [1, 2, -3]])
    assert torch.equal(kp.align_root(points), aligned)
    # The second of the batch is twice as large and stands elsewhere.
    batch = torch.stack((points, 2 * points + 5))
    assert torch.equal(kp.align_root(batch), torch.stack((aligned, 2 * aligned)))


@pytest.mark.parametrize("shape", [(5, 3), (2, 5, 3), (3, 5, 2), (2, 3, 5, 3), (5, 5, 5, 3)])
def test_align_root_moves_each_body_by_its_own_hips(shape):
    points = torch.randn(shape, dtype=torch.float64)
    expected = points.numpy().copy()
    for body in expected.reshape(-1, *shape[-2:]):  # views of it
        body -= (body[4] + body[1]) / 2
    torch.testing.assert_close(kp.align_root(points, (4, 1)), torch.from_numpy(expected))


def test_too_few_points_for_the_hips_are_counted():
    with pytest.raises(ValueError, match=r"^3 points have no hips at \(2, 3\)"):
        kp.align_root(torch.zeros(7, 3, 2))
    with pytest.raises(ValueError, match=r"^4 points have no hips at \(4, 1\)"):
        kp.align_root(torch.zeros(4, 3), (4, 1))
