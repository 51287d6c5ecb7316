"""Stances, measured on the joints of the body in space: bends, leans, heights, and limits."""

import math

import pytest
import torch

from hmr_edu.body import load_body
from hmr_edu.data.poses.gestures import BOTH, ONE
from hmr_edu.data.poses.limbs import ARMS, LEGS, Figure, bend_of, stretch
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.poses.stance import Stance, choose, collides
from hmr_edu.data.poses.standing import Standing
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.training.setup import MADE, pose_source

N = 1500
STANCES = tuple(name for name, kind in MADE.items() if issubclass(kind, Stance))
SIDES = ("left", "right")


def generator(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def joints_of(pose: torch.Tensor) -> dict[str, torch.Tensor]:
    """Return the joints of poses in the world, by name: [n, 3]."""
    joints = load_body("lite")(torch.zeros(len(pose), 10), pose, vertices=False).joints
    return dict(zip(SMPL_JOINTS, joints.unbind(1), strict=True))


@pytest.fixture(scope="module")
def drawn() -> dict[str, torch.Tensor]:
    """Return samples of every stance, [N, 72]."""
    return {name: pose_source(name).sample(N, generator()) for name in STANCES}


@pytest.fixture(scope="module")
def places(drawn) -> dict[str, dict[str, torch.Tensor]]:
    return {name: joints_of(pose) for name, pose in drawn.items()}


def degrees(a: torch.Tensor, b: torch.Tensor) -> torch.Tensor:
    """Return the angles between vectors."""
    return torch.nn.functional.cosine_similarity(a, b, dim=1).clamp(-1, 1).acos().rad2deg()


def knees(joints: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return how far left and right knees bend, [2, n]; 0 where thigh and shin go on straight."""
    bends = []
    for side in SIDES:
        hip, knee, ankle = (joints[f"{side}_{name}"] for name in ("hip", "knee", "ankle"))
        bends.append(degrees(knee - hip, ankle - knee))
    return torch.stack(bends)


def thighs(joints: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the angles of the thighs from straight down, [2, n]."""
    down = torch.tensor([[0.0, -1.0, 0.0]])
    return torch.stack([degrees(joints[f"{s}_knee"] - joints[f"{s}_hip"], down) for s in SIDES])


def lean(joints: dict[str, torch.Tensor]) -> torch.Tensor:
    """Return the angle of the torso, from pelvis to neck, from upright."""
    return degrees(joints["neck"] - joints["pelvis"], torch.tensor([[0.0, 1.0, 0.0]]))


def kind(stance: str, name: str, n: int = 300) -> dict[str, torch.Tensor]:
    """Return the joints of people of one kind who can stand so."""
    source = MADE[stance](load_pose_prior())
    return joints_of(source._kept(source.kinds()[name][1], n, generator()))


@pytest.mark.parametrize("name", STANCES)
def test_joints_keep_their_limits_and_draws_follow_from_the_generator(name, drawn):
    prior, source = load_pose_prior(), pose_source(name)
    low, high = prior.low.view(23, 3).clone(), prior.high.view(23, 3).clone()
    if name == "seated":  # documented: hips of crossed legs
        low[:2] -= math.radians(30)
        high[:2] += math.radians(30)
    body = drawn[name].view(N, 24, 3)[:, 1:]
    assert ((body >= low - 1e-4) & (body <= high + 1e-4)).all()
    assert drawn[name].isfinite().all()
    few = [source.sample(9, generator(seed)) for seed in (5, 5, 6)]
    assert torch.equal(few[0], few[1])
    assert not torch.equal(few[0], few[2])
    assert source.sample(0, generator()).shape == (0, 72)


@pytest.mark.parametrize("name", STANCES)
def test_both_sides_are_treated_alike(name, places):
    mirror = torch.tensor([-1.0, 1.0, 1.0])
    for joint in ("knee", "wrist", "ankle"):
        left, right = places[name][f"left_{joint}"], places[name][f"right_{joint}"]
        assert torch.allclose(left.mean(0), right.mean(0) * mirror, atol=0.04)


def test_a_pool_is_the_same_whenever_it_is_drawn(monkeypatch):
    monkeypatch.setattr(Standing, "size", 50)
    pools = [Standing(load_pose_prior(), *seed).pool for seed in ((), (), (7,))]
    assert torch.equal(pools[0], pools[1])
    assert not torch.equal(pools[0], pools[2])
    # Half of the samples are mirror images of the pool's.
    source = Standing(load_pose_prior())
    taken = source.sample(400, generator())
    as_drawn = (taken[:, None] == source.pool).all(2).any(1)
    assert 0.4 < as_drawn.float().mean() < 0.6


def test_standing_people_have_straight_knees_level_feet_and_upright_torsos(places):
    joints = places["standing"]
    bends = knees(joints)
    assert 0.75 < (bends < 25).float().mean() < 0.95
    assert bends.median() < 15
    assert bends.max() < 90
    assert lean(joints).median() < 12
    assert lean(joints).max() < 50
    for side in SIDES:
        assert (joints["head"][:, 1] > joints[f"{side}_ankle"][:, 1] + 1).all()
    ankles = torch.stack([joints[f"{side}_ankle"][:, 1] for side in SIDES])
    assert ((ankles[0] - ankles[1]).abs() < 0.03).float().mean() > 0.7
    # The toes of the body at rest are 5 cm below its ankle, too.
    drop = torch.stack([(joints[f"{s}_ankle"] - joints[f"{s}_foot"])[:, 1] for s in SIDES])
    assert ((drop - 0.05).abs() < 0.015).float().mean() > 0.7


def test_seated_people_have_level_thighs():
    for name, bend in (("on a chair", (55, 135)), ("legs stretched", (0, 80))):
        joints = kind("seated", name)
        assert ((thighs(joints) > 60) & (thighs(joints) < 110)).all()
        bends = knees(joints)
        assert (bends > bend[0]).float().mean() > 0.97
        assert (bends < bend[1]).float().mean() > 0.97
        assert lean(joints).quantile(0.95) < 60
    tailor = kind("seated", "tailor's seat")
    # Knees outside the hips, ankles in front of the pelvis near the middle.
    assert (tailor["left_knee"][:, 0] > tailor["left_hip"][:, 0] + 0.1).all()
    assert (tailor["left_ankle"][:, 0].abs() < 0.25).all()
    over = kind("seated", "one leg over the other")
    apart = (over["left_knee"][:, 1] - over["right_knee"][:, 1]).abs()
    assert apart.median() > 0.08


def test_inverted_people_are_turned():
    head_down = kind("inverted", "handstand")
    assert (head_down["neck"][:, 1] < head_down["pelvis"][:, 1] - 0.25).all()
    for side in SIDES:
        assert (head_down[f"{side}_wrist"][:, 1] < head_down["neck"][:, 1]).all()
    # Hands lie on the ground, palms level: the joint of the hand is as high as the wrist.
    hand = (head_down["left_hand"] - head_down["left_wrist"])[:, 1]
    assert (hand.abs() < 0.03).all()
    for name in ("all fours", "plank"):
        joints = kind("inverted", name)
        assert lean(joints).quantile(0.05) > 50
        low = torch.stack([joints[f"{s}_{j}"][:, 1] for s in SIDES for j in ("knee", "ankle")])
        wrists = torch.stack([joints[f"{s}_wrist"][:, 1] for s in SIDES])
        assert ((wrists - low.amin(0)).abs() < 0.15).float().mean() > 0.8
    bridge = kind("inverted", "bridge")
    belly = torch.linalg.cross(
        bridge["left_hip"] - bridge["right_hip"], bridge["neck"] - bridge["pelvis"]
    )
    assert (belly[:, 1] > 0).all()
    assert (bridge["left_wrist"][:, 1] < bridge["spine3"][:, 1]).float().mean() > 0.9
    lying = kind("inverted", "lying")
    assert ((lean(lying) > 60) & (lean(lying) < 120)).float().mean() > 0.95
    falling = lean(kind("inverted", "falling"))
    assert falling.quantile(0.1) < 50
    assert falling.quantile(0.9) > 130


def test_strides_open_the_legs(places):
    joints = places["strides"]
    ways = [joints[f"{s}_knee"] - joints[f"{s}_hip"] for s in SIDES]
    assert degrees(*ways).median() > 45
    lunge = kind("strides", "lunge")
    feet = (lunge["left_ankle"] - lunge["right_ankle"])[:, 2].abs()
    assert feet.quantile(0.1) > 0.5
    # Both feet touch one ground: the one behind is on its toes.
    apart = (lunge["left_ankle"] - lunge["right_ankle"])[:, 1].abs()
    assert (apart < 0.2).float().mean() > 0.9
    kneeling = kind("strides", "one knee down")
    bends = knees(kneeling)
    assert ((bends > 60) & (bends < 125)).float().mean() > 0.95
    height = torch.stack([kneeling[f"{s}_knee"][:, 1] for s in SIDES])
    ground = torch.stack([kneeling[f"{s}_ankle"][:, 1] for s in SIDES]).amin(0)
    assert (height.amin(0) - ground < 0.12).all()
    assert (height.amax(0) - ground > 0.25).all()
    kick = kind("strides", "kick")
    assert (thighs(kick).amax(0) > 40).all()
    assert (thighs(kick).amin(0) < 35).all()


@pytest.mark.parametrize("side", SIDES)
def test_hands_reach_where_they_are_sent_with_elbows_on_their_side(side):
    """Check against positions of the body layer, which knows nothing of the inverse kinematics."""
    n, limb = 200, ARMS[side]
    pose = load_pose_prior().sample(n, generator())
    figure = Figure(pose)
    shoulder = figure.joints[:, limb.root]
    away = torch.nn.functional.normalize(torch.randn(n, 3, generator=generator()), dim=1)
    target = shoulder + away * torch.linspace(0.15, 0.48, n)[:, None]
    pole = torch.randn(n, 3, generator=generator(1))
    figure.reach(limb, target, pole)
    joints = joints_of(figure.pose)
    assert torch.allclose(joints[f"{side}_wrist"], target, atol=2e-4)
    elbow = joints[f"{side}_elbow"] - shoulder
    across = pole - (pole * away).sum(1, keepdim=True) * away
    sideways = elbow - (elbow * away).sum(1, keepdim=True) * away
    assert (degrees(across, sideways) < 1).all()
    # The elbow is a hinge: it turns about one axis.
    turned = figure.pose.view(n, 24, 3)[:, limb.middle]
    assert turned[:, [0, 2]].abs().max() < 1e-4


def test_the_bend_of_a_limb_follows_from_its_length():
    angles = torch.linspace(0.2, 2.4, 12)
    for limb in (*ARMS.values(), *LEGS.values()):
        assert torch.allclose(bend_of(limb, stretch(limb, angles)), angles, atol=1e-3)


def test_a_hand_in_the_torso_collides_and_one_beside_it_does_not():
    figure = Figure(torch.zeros(3, 72))
    chest, limb = figure.joints[:, SMPL_JOINTS.index("spine3")], ARMS["left"]
    target = chest.clone()
    target[1] += torch.tensor([0.1, -0.1, 0.35])  # in front
    target[2] += torch.tensor([0.45, -0.2, 0.1])  # at the side
    figure.reach(limb, target, torch.tensor([[1.0, -1.0, 0.0]]).expand(3, 3))
    assert collides(figure).tolist() == [True, False, False]


def test_arms_stay_out_of_the_body(drawn):
    """Count wrists inside the skin, by the winding number of the mesh (trimesh)."""
    trimesh = pytest.importorskip("trimesh")
    body = load_body("lite")
    for name in ("standing", "strides"):
        output = body(torch.zeros(60, 10), axis_angle_to_matrix(drawn[name][:60].view(60, 24, 3)))
        arms = body.weights[:, [SMPL_JOINTS.index(f"{s}_{j}") for s in SIDES for j in ARM_PARTS]]
        torso = (arms.sum(1) < 0.05).numpy()
        faces = body.faces.numpy()
        kept = faces[torso[faces].all(1)]
        inside = 0
        for vertices, joints in zip(output.vertices, output.joints, strict=True):
            mesh = trimesh.Trimesh(vertices.detach().numpy(), kept, process=False)
            trimesh.repair.fill_holes(mesh)
            wrists = joints[[SMPL_JOINTS.index(f"{s}_wrist") for s in SIDES]].detach().numpy()
            inside += int((winding(mesh, wrists) > 0.5).sum())
        assert inside <= 2, name


ARM_PARTS = ("shoulder", "elbow", "wrist", "hand")


def winding(mesh, points):
    """Return the winding number of a mesh about points: 1 inside, 0 outside (solid angles)."""
    import numpy as np

    a, b, c = (mesh.triangles[None, :, k] - points[:, None] for k in range(3))
    lengths = [np.linalg.norm(x, axis=2) for x in (a, b, c)]
    volume = np.einsum("pfi,pfi->pf", a, np.cross(b, c))
    below = (
        lengths[0] * lengths[1] * lengths[2]
        + (a * b).sum(2) * lengths[2]
        + (b * c).sum(2) * lengths[0]
        + (c * a).sum(2) * lengths[1]
    )
    return 2 * np.arctan2(volume, below).sum(1) / (4 * np.pi)


def test_shares_of_gestures_add_up_and_numbers_are_chosen_by_them():
    assert sum(share for share, _ in ONE.values()) == pytest.approx(1, abs=0.06)
    assert sum(share for share, _, _ in BOTH.values()) == pytest.approx(1, abs=0.06)
    chosen = choose(20_000, generator(), [1.0, 3.0])
    assert (chosen == 1).float().mean().item() == pytest.approx(0.75, abs=0.02)
