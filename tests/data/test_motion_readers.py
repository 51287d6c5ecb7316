"""Readers of motion: files of SMPL poses, names of joints, folders, frames without numbers."""

import json
import pickle

import numpy as np
import pytest
from helpers.motion_files import known_motion, rest_pose, write_asf_amc, write_deepmimic
from scipy.spatial.transform import Rotation

from hmr_edu.data.poses.formats.clip import Reading
from hmr_edu.data.poses.formats.joint_names import find_joints, side_and_part
from hmr_edu.data.poses.formats.registry import find_files, read_clips
from hmr_edu.data.poses.formats.retarget import smpl_places
from hmr_edu.data.poses.mocap import load_mocap
from hmr_edu.io.errors import DataError


@pytest.mark.parametrize(
    ("columns", "extra"),
    [(66, {}), (72, {}), (156, {"betas": np.zeros(16)}), (165, {"surface_model_type": "smplx"})],
)
def test_amass(tmp_path, columns, extra):
    rng = np.random.default_rng(0)
    poses = rng.normal(0, 0.4, (5, columns))
    key = "mocap_frame_rate" if columns == 165 else "mocap_framerate"
    np.savez(tmp_path / "a_poses.npz", poses=poses, trans=np.zeros((5, 3)), **{key: 60.0}, **extra)
    (clip,) = read_clips(tmp_path / "a_poses.npz")
    np.testing.assert_array_equal(clip.poses[:, 3:66], poses[:, 3:66])
    assert (clip.poses[:, 66:] == 0).all()
    # Z up becomes Y up: the file's z is our y, its -y our z.
    world = Rotation.from_rotvec(poses[:, :3]).as_matrix()
    ours = Rotation.from_rotvec(clip.poses[:, :3]).as_matrix()
    np.testing.assert_allclose(ours[:, 1], world[:, 2], atol=1e-9)
    np.testing.assert_allclose(ours[:, 2], -world[:, 1], atol=1e-9)
    assert clip.fps == 60


def test_amass_of_parts(tmp_path):
    rng = np.random.default_rng(1)
    root, body = rng.normal(0, 0.4, (5, 3)), rng.normal(0, 0.4, (5, 63))
    path = tmp_path / "a.npz"
    np.savez(path, root_orient=root, pose_body=body, mocap_frame_rate=30)
    (clip,) = read_clips(path, Reading(up="y"))
    np.testing.assert_array_equal(clip.poses[:, :66], np.concatenate([root, body], 1))


@pytest.mark.parametrize("key", ["poses", "new_poses"])
@pytest.mark.parametrize("up", [[1.2, 0, 0], [0.1, 0, 0], [2.9, 0, 0]])
def test_mosh_pickle(tmp_path, key, up):
    rng = np.random.default_rng(2)
    stands = rng.normal(0, 0.1, (30, 72))
    axis = {1.2: np.pi / 2, 0.1: 0.0, 2.9: np.pi}[up[0]]
    world = Rotation.from_rotvec([axis, 0, 0])
    poses = stands.copy()
    poses[:, :3] = (world * Rotation.from_rotvec(stands[:, :3])).as_rotvec()
    path = tmp_path / "a.pkl"
    path.write_bytes(pickle.dumps({key: poses, "betas": np.zeros(10)}, protocol=2))
    (clip,) = read_clips(path, Reading(source_fps=50))
    np.testing.assert_allclose(clip.poses[:, :66], stands[:, :66], atol=1e-9)
    assert clip.fps == 50


def test_frames_without_numbers_are_no_poses(tmp_path):
    truth = known_motion()
    write_deepmimic(tmp_path / "a.txt", truth)
    content = json.loads((tmp_path / "a.txt").read_text())
    content["Frames"][3][20] = float("nan")
    content["Frames"][5][8:12] = [0, 0, 0, 0]
    (tmp_path / "a.txt").write_text(json.dumps(content))
    (clip,) = read_clips(tmp_path / "a.txt")
    assert np.flatnonzero(~np.isfinite(clip.poses).all(1)).tolist() == [3, 5]


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("LeftUpLeg", ("left", "upleg")),
        ("mixamorig1:RightToeBase", ("right", "toebase")),
        ("upper_arm.L", ("left", "upperarm")),
        ("Bip001 R Calf", ("right", "calf")),
        ("lfemur", ("left", "femur")),
        ("rightshin", ("right", "shin")),
        ("LHipJoint", ("left", "hipjoint")),
        ("lowerback", ("", "lowerback")),
        ("rShldr", ("right", "shldr")),
        ("Hips", ("", "hips")),
        ("DEF-forearm.R", ("right", "forearm")),
    ],
)
def test_names_of_joints(name, expected):
    assert side_and_part(name) == expected


def test_unknown_joints_are_listed():
    names = ["Hips", "Rodilla", "LeftUpLeg", "LeftLeg", "LeftFoot"]
    with pytest.raises(DataError, match=r"right_hip.*Rodilla"):
        find_joints(names)


def test_folders_are_searched(tmp_path):
    (tmp_path / "amass" / "one").mkdir(parents=True)
    np.savez(tmp_path / "amass" / "one" / "walk_poses.npz", poses=np.zeros((3, 156)))
    np.savez(tmp_path / "amass" / "one" / "shape.npz", betas=np.zeros(16))
    asf, amc = tmp_path / "07.asf", tmp_path / "07_01.amc"
    write_asf_amc(asf, amc, smpl_places(), rest_pose("splayed"), known_motion(3))
    (tmp_path / "notes.md").write_text("hello")
    found = [p.relative_to(tmp_path).as_posix() for p in find_files([tmp_path])]
    assert found == ["07_01.amc", "amass/one/walk_poses.npz"]
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="folder without"):
        find_files([tmp_path / "empty"])


@pytest.mark.parametrize("rate", ["10**400", "10**5000", "-(10**400)", "1e300", "'fast'", "True"])
def test_a_rate_of_mosh_that_no_camera_has(tmp_path, rate):
    poses = np.zeros((3, 72))
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({"poses": poses, "fps": eval(rate)}, protocol=2))
    with pytest.raises(DataError, match=r"a\.pkl: "):
        read_clips(tmp_path / "a.pkl")


def test_names_of_mosh_that_cannot_be_written(tmp_path):
    (tmp_path / "a.pkl").write_bytes(pickle.dumps({10**5000: 1}, protocol=2))
    with pytest.raises(DataError, match="a number without end"):
        read_clips(tmp_path / "a.pkl")


@pytest.mark.parametrize("kind", [np.int8, np.int64, np.float16])
def test_amass_of_whole_numbers_and_half_precision(tmp_path, kind):
    np.savez(tmp_path / "a.npz", poses=np.ones((3, 72), kind), mocap_framerate=60)
    (clip,) = read_clips(tmp_path / "a.npz")
    assert clip.poses.shape == load_mocap(tmp_path / "a.npz").poses.shape == (3, 72)


def test_a_huge_number_is_a_lost_frame_without_a_warning(tmp_path, recwarn):
    write_deepmimic(tmp_path / "a.txt", known_motion())
    content = json.loads((tmp_path / "a.txt").read_text())
    content["Frames"][3][9] = 1e308
    (tmp_path / "a.txt").write_text(json.dumps(content))
    (clip,) = read_clips(tmp_path / "a.txt")
    assert np.flatnonzero(~np.isfinite(clip.poses).all(1)).tolist() == [3]
    assert not recwarn.list
