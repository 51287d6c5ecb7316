"""Readers of motion: files in the true layouts, on skeletons whose rest pose is another.

The truth is forward kinematics by scipy in `helpers.motion_files`.
"""

from itertools import pairwise

import numpy as np
import pytest
from helpers.motion_files import (
    ARM,
    AXES,
    globals_of,
    known_motion,
    rest_pose,
    rig_of,
    turn,
    write_asf_amc,
    write_bvh,
    write_deepmimic,
)
from scipy.spatial.transform import Rotation

from hmr_edu.body import load_body
from hmr_edu.data.poses.formats.clip import Reading
from hmr_edu.data.poses.formats.registry import read_clips
from hmr_edu.data.poses.mocap import find_mocap, load_mocap
from hmr_edu.keypoints import SMPL_JOINTS

SIDES = ("left", "right")
LIMBS = (("hip", "knee", "ankle", "foot"), ("shoulder", "elbow", "wrist", "hand"))
BONES = [
    (f"{side}_{a}", f"{side}_{b}") for side in SIDES for limb in LIMBS for a, b in pairwise(limb)
]


@pytest.fixture(scope="module")
def T():
    joints = load_body("lite").J_template.double().numpy().reshape(24, 3)
    return dict(zip(SMPL_JOINTS, joints, strict=True))


def rig(form, collar="Shoulder", **parts):
    """Names of a rig: `form` has {side} and {part}."""
    left_right = parts.pop("sides", ("Left", "Right"))
    names = {}
    for side, said in zip(SIDES, left_right, strict=True):
        for part, name in ({"collar": collar} | parts).items():
            if part in ("hip", "knee", "ankle", "foot", "collar", "shoulder", "elbow", "wrist"):
                names[f"{side}_{part}"] = form.format(side=said, part=name)
    return names


def trunk(*names):
    return dict(zip(("pelvis", "spine1", "spine2", "spine3", "neck", "head"), names, strict=True))


USUAL = {"hip": "UpLeg", "knee": "Leg", "ankle": "Foot", "foot": "ToeBase"}
USUAL |= {"shoulder": "Arm", "elbow": "ForeArm", "wrist": "Hand"}
RIGS = {
    "motionbuilder": rig("{side}{part}", **USUAL)
    | trunk("Hips", "LowerBack", "Spine", "Spine1", "Neck", "Head"),
    "mixamo": rig("mixamorig:{side}{part}", **USUAL)
    | trunk(*(f"mixamorig:{n}" for n in ("Hips", "Spine", "Spine1", "Spine2", "Neck", "Head"))),
    "rokoko": rig(
        "{side}{part}", hip="Thigh", knee="Shin", ankle="Foot", foot="Toe",
        shoulder="Arm", elbow="ForeArm", wrist="Hand",
    ) | trunk("Hips", "Spine1", "Spine2", "Spine3", "Neck", "Head"),
    "blender": rig(
        "{part}.{side}", collar="shoulder", hip="thigh", knee="shin", ankle="foot", foot="toe",
        shoulder="upper_arm", elbow="forearm", wrist="hand", sides=("L", "R"),
    ) | trunk("hips", "spine", "spine.001", "spine.002", "neck", "head"),
    "unreal": rig(
        "{part}_{side}", collar="clavicle", hip="thigh", knee="calf", ankle="foot", foot="ball",
        shoulder="upperarm", elbow="lowerarm", wrist="hand", sides=("l", "r"),
    ) | trunk("pelvis", "spine_01", "spine_02", "spine_03", "neck_01", "head"),
    "biovision": rig(
        "{side}{part}", collar="Collar", hip="Hip", knee="Knee", ankle="Ankle", foot="Toe",
        shoulder="Shoulder", elbow="Elbow", wrist="Wrist",
    ) | trunk("Hips", "Chest", "Chest2", "Chest3", "Neck", "Head"),
    "biped": rig(
        "Bip01 {side} {part}", collar="Clavicle", hip="Thigh", knee="Calf", ankle="Foot",
        foot="Toe0", shoulder="UpperArm", elbow="Forearm", wrist="Hand", sides=("L", "R"),
    ) | trunk(*(f"Bip01 {n}" for n in ("Pelvis", "Spine", "Spine1", "Spine2", "Neck", "Head"))),
}  # fmt: skip


def directions(poses, T):
    """Unit vectors along limbs in the world, by name."""
    turned = globals_of(poses)
    found = {}
    for a, b in BONES:
        v = turned[a].apply(T[b] - T[a])
        found[f"{a} to {b}"] = v / np.linalg.norm(v, axis=1, keepdims=True)
    return found


def angle(a, b):
    return np.degrees(2 * np.arcsin(np.clip(np.linalg.norm(a - b, axis=-1) / 2, 0, 1)))


def check_same(poses, truth, T, degrees=0.05):
    """Limbs point where they point in the truth, chest and head are turned alike."""
    assert poses.shape == truth.shape
    for name, true in directions(truth, T).items():
        off = angle(directions(poses, T)[name], true)
        assert off.max() < degrees, f"{name}: {off.max():.2f} degrees"
    ours, true = globals_of(poses), globals_of(truth)
    for name in ("pelvis", "spine3", "head"):
        off = np.degrees((ours[name].inv() * true[name]).magnitude().max())
        assert off < degrees, f"{name}: {off:.2f} degrees"
    # About their own length too: knees and elbows are hinges in the truth.
    joints = poses.reshape(-1, 24, 3)
    for side, inward in (("left", -1), ("right", 1)):
        knee = joints[:, SMPL_JOINTS.index(f"{side}_knee")]
        elbow = joints[:, SMPL_JOINTS.index(f"{side}_elbow")]
        assert (knee[:, 0] > 0.2).all(), "knees bend backwards"
        assert (inward * elbow[:, 1] > 0.2).all(), "elbows bend forward"
        assert np.degrees(np.abs(knee[:, 1:])).max() < degrees
        assert np.degrees(np.abs(elbow[:, ::2])).max() < degrees


@pytest.mark.parametrize("names", RIGS)
def test_bvh_of_every_rig(tmp_path, T, names):
    truth = known_motion()
    offsets, local = rig_of(truth, T, rest_pose("hanging"), AXES["y up, facing z"])
    write_bvh(tmp_path / "walk.bvh", offsets, local, RIGS[names])
    (clip,) = read_clips(tmp_path / "walk.bvh")
    check_same(clip.poses, truth, T)
    assert (clip.name, round(clip.fps, 3), clip.notes) == ("walk", 30.0, ())


@pytest.mark.parametrize("axes", AXES)
@pytest.mark.parametrize("rest", ["T", "hanging", "A-pose", "splayed, feet flat"])
def test_bvh_of_every_rest_pose_and_world(tmp_path, T, rest, axes):
    truth = known_motion(seed=1)
    offsets, local = rig_of(truth, T, rest_pose(rest), AXES[axes])
    write_bvh(tmp_path / "a.bvh", offsets, local, RIGS["motionbuilder"])
    (clip,) = read_clips(tmp_path / "a.bvh")
    check_same(clip.poses, truth, T)


@pytest.mark.parametrize("order", ["XYZ", "XZY", "YXZ", "YZX", "ZXY", "ZYX"])
def test_bvh_with_channels_in_any_order(tmp_path, T, order):
    truth = known_motion(seed=2)
    offsets, local = rig_of(truth, T, rest_pose("T"), np.eye(3))
    write_bvh(tmp_path / "a.bvh", offsets, local, RIGS["mixamo"], order, position=order != "XYZ")
    check_same(read_clips(tmp_path / "a.bvh")[0].poses, truth, T)


def test_bvh_of_cmu_whose_feet_are_rolled_with_splayed_legs(tmp_path, T):
    truth = known_motion(seed=3)
    offsets, local = rig_of(truth, T, rest_pose("splayed"), np.eye(3))
    names = dict(RIGS["motionbuilder"])
    write_bvh(tmp_path / "a.bvh", offsets, local, names)
    text = (tmp_path / "a.bvh").read_text()
    hip = "JOINT LHipJoint\n{\nOFFSET 0 0 0\nCHANNELS 3 Zrotation Yrotation Xrotation\n"
    head, tail = text.split("\tJOINT LeftUpLeg", 1)
    end = tail.index("\n\tJOINT RightUpLeg")
    text = f"{head}{hip}\tJOINT LeftUpLeg{tail[:end]}\n}}{tail[end:]}"
    before, motion = text.split("Frame Time: ")
    rows = motion.splitlines()
    widened = [" ".join([*r.split()[:6], "0 0 0", *r.split()[6:]]) for r in rows[1:]]
    (tmp_path / "a.bvh").write_text("\n".join([f"{before}Frame Time: {rows[0]}", *widened]))
    check_same(read_clips(tmp_path / "a.bvh")[0].poses, truth, T)


def test_bvh_whose_elbows_are_rolled_hinges(tmp_path, T):
    """CMU's arms at rest: the hinge is 30 degrees off; the motion itself shows it."""
    truth = known_motion(seed=4)
    rest = rest_pose("A-pose")
    for side, sign in (("left", 1), ("right", -1)):
        for part in ARM:
            rest[f"{side}_{part}"] = rest[f"{side}_{part}"] * turn("x", sign * 30)
    offsets, local = rig_of(truth, T, rest, np.eye(3))
    write_bvh(tmp_path / "a.bvh", offsets, local, RIGS["motionbuilder"])
    check_same(read_clips(tmp_path / "a.bvh")[0].poses, truth, T)


def test_bvh_whose_first_frame_is_the_rest_pose(tmp_path, T):
    """Zero rotations are a skeleton with its arms stretched up; frame 0 is a T-pose."""
    truth = np.concatenate([np.zeros((1, 72)), known_motion(seed=5)])
    rest = rest_pose("T")
    for side, sign in (("left", 1), ("right", -1)):
        for part in ARM:
            rest[f"{side}_{part}"] = turn("y", sign * 20) * turn("z", sign * 70)
    offsets, local = rig_of(truth, T, rest, np.eye(3))
    write_bvh(tmp_path / "a.bvh", offsets, local, RIGS["mixamo"])
    (clip,) = read_clips(tmp_path / "a.bvh", Reading(rest="first"))
    assert np.abs(clip.poses[0]).max() < 1e-6
    check_same(clip.poses[1:], truth[1:], T)


def test_bvh_with_y_up_at_rest_in_a_world_with_z_up(tmp_path, T):
    """The root alone stands the person up: the file does not show it, `--up z` says it."""
    truth = known_motion(seed=6)
    offsets, local = rig_of(truth, T, rest_pose("T"), np.eye(3))
    local["pelvis"] = turn("x", 90) * local["pelvis"]
    write_bvh(tmp_path / "a.bvh", offsets, local, RIGS["mixamo"])
    (clip,) = read_clips(tmp_path / "a.bvh")
    assert "--up" in clip.notes[0]
    (clip,) = read_clips(tmp_path / "a.bvh", Reading(up="z"))
    check_same(clip.poses, truth, T)


@pytest.mark.parametrize("degrees", [True, False])
@pytest.mark.parametrize("roll", [0.0, 30.0])
def test_asf_and_amc(tmp_path, T, degrees, roll):
    truth = known_motion(seed=7)
    asf, amc = tmp_path / "07.asf", tmp_path / "07_01.amc"
    write_asf_amc(asf, amc, T, rest_pose("splayed"), truth, roll, degrees)
    (clip,) = read_clips(amc)
    check_same(clip.poses, truth, T)
    assert clip.fps == 120


def test_the_wrists_roll_is_counted_from_the_middle_of_its_range(tmp_path, T):
    """CMU's wrist rolls from 0 to -180 degrees; -90 is a palm that points down."""
    truth = known_motion(seed=8)
    asf, amc = tmp_path / "07.asf", tmp_path / "07_01.amc"
    write_asf_amc(asf, amc, T, rest_pose("splayed"), truth)
    forearm = T["left_wrist"] - T["left_elbow"]
    wrist = (
        "  begin\n id 99\n name lwrist\n direction 1 0 0\n length 1\n axis 0 90 90 XYZ\n"
        " dof ry\n limits (-180.0 0.0)\n  end\n:hierarchy"
    )
    text = asf.read_text().replace(":hierarchy", wrist)
    asf.write_text(text.replace("lradius lhand", "lradius lwrist\n    lwrist lhand"))
    amc.write_text(amc.read_text().replace("\nlhand", "\nlwrist -90\nlhand"))
    (clip,) = read_clips(amc)
    assert forearm[0] > 0
    local = clip.poses.reshape(-1, 24, 3)[:, SMPL_JOINTS.index("left_wrist")]
    true = truth.reshape(-1, 24, 3)[:, SMPL_JOINTS.index("left_wrist")]
    turned = Rotation.from_rotvec(local).magnitude()
    # lwrist and lhand together are what they were: the roll of -90 counts as none.
    np.testing.assert_allclose(turned, Rotation.from_rotvec(true).magnitude(), atol=1e-4)


def test_deepmimic(tmp_path, T):
    truth = known_motion(seed=9)
    joints = truth.reshape(-1, 24, 3)
    for name in ("left_collar", "right_collar", "left_wrist", "right_wrist"):
        joints[:, SMPL_JOINTS.index(name)] = 0  # the humanoid has no such joints
    write_deepmimic(tmp_path / "run.txt", truth)
    (clip,) = read_clips(tmp_path / "run.txt")
    check_same(clip.poses, truth, T, degrees=1.5)  # its limbs are straight, ours not quite
    spine = clip.poses.reshape(-1, 24, 3)[:, [3, 6, 9]]
    np.testing.assert_allclose(spine[:, 0], spine[:, 2], atol=1e-9)
    assert round(clip.fps, 3) == 30


def test_the_bend_of_the_back_is_shared_out(tmp_path, T):
    truth = known_motion(seed=10)
    truth.reshape(-1, 24, 3)[:, [6, 9]] = 0
    truth.reshape(-1, 24, 3)[:, 3] = [0.8, 0, 0]  # all of it in the lower back
    offsets, local = rig_of(truth, T, rest_pose("T"), np.eye(3))
    write_bvh(tmp_path / "a.bvh", offsets, local, RIGS["motionbuilder"])
    joints = read_clips(tmp_path / "a.bvh")[0].poses.reshape(-1, 24, 3)
    for joint, share in ((3, 0.4), (6, 0.3), (9, 0.3)):
        np.testing.assert_allclose(joints[:, joint], [[0.8 * share, 0, 0]] * 40, atol=1e-6)
    np.testing.assert_allclose(joints[:, 12], joints[:, 15], atol=1e-6)  # neck and head


def test_a_mirrored_rig_is_noticed(tmp_path, T):
    truth = known_motion(seed=11)
    offsets, local = rig_of(truth, T, rest_pose("T"), np.eye(3))
    swapped = {
        n: s.replace("Left", "?").replace("Right", "Left").replace("?", "Right")
        for n, s in RIGS["motionbuilder"].items()
    }
    write_bvh(tmp_path / "a.bvh", offsets, local, swapped)
    assert any("left and right" in note for note in read_clips(tmp_path / "a.bvh")[0].notes)


@pytest.mark.parametrize("rest", ["hanging", "splayed, feet flat"])
def test_real_motion_goes_through_bvh_unchanged(tmp_path, T, rest):
    """CMU's walking, climbing and swinging, written as BVH on another skeleton."""
    path = find_mocap("cmu_poses_knees.npz")
    if path is None:
        pytest.skip("cmu_poses_knees.npz is not in $HMR_EDU_MOCAP")
    truth = load_mocap(path).poses[::20].double().numpy()
    offsets, local = rig_of(truth, T, rest_pose(rest), AXES["z up, facing -y"])
    write_bvh(tmp_path / "a.bvh", offsets, local, RIGS["mixamo"], fps=12.0)
    (clip,) = read_clips(tmp_path / "a.bvh")
    for name, true in directions(truth, T).items():
        assert angle(directions(clip.poses, T)[name], true).max() < 0.05, name
    # No elbow was taken for a rolled hinge.
    found = Rotation.from_rotvec(clip.poses.reshape(-1, 24, 3)[:, [18, 19]].reshape(-1, 3))
    true = Rotation.from_rotvec(truth.reshape(-1, 24, 3)[:, [18, 19]].reshape(-1, 3))
    assert np.degrees((found.inv() * true).magnitude().max()) < 4
