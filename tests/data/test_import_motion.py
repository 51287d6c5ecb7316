"""Cleaning and importing motion: jumps, doubles, another frame rate, the report, the file."""

import json

import numpy as np
import pytest
from helpers.motion_files import known_motion, rest_pose, write_asf_amc, write_deepmimic
from scipy.spatial.transform import Rotation

from hmr_edu.body import load_body
from hmr_edu.cli import main
from hmr_edu.data.poses.cleaning import clean, not_double, resample, within_speed
from hmr_edu.data.poses.import_motion import ImportOptions, import_motion, save_motion
from hmr_edu.data.poses.mocap import find_mocap, load_mocap
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import SMPL_JOINTS


def turning(frames, fps, degrees_a_second, joint=4):
    """One joint that turns steadily about x."""
    poses = np.zeros((frames, 24, 3))
    poses[:, joint, 0] = np.radians(degrees_a_second) * np.arange(frames) / fps
    return poses.reshape(frames, 72)


def test_steady_turns_are_kept_up_to_the_limit():
    times = np.arange(20) / 60
    assert within_speed(turning(20, 60, 590), times, 600).all()
    assert within_speed(turning(20, 60, 610), times, 600)[1:3].tolist() == [False, False]


def test_a_lost_marker_costs_its_frames_alone():
    poses = turning(30, 100, 100)
    poses[10:12, 3 * 16] = 2.0  # 115 degrees off, for two frames
    keep = within_speed(poses, np.arange(30) / 100, 2000)
    assert np.flatnonzero(~keep).tolist() == [10, 11]


def test_a_cut_is_left_as_soon_as_it_could_be_reached():
    poses = np.zeros((60, 72))
    poses[20:, 3] = np.radians(99.5)  # at 1000 degrees a second it takes 0.1 s
    keep = within_speed(poses, np.arange(60) / 100, 1000)
    assert np.flatnonzero(~keep).tolist() == list(range(20, 29))


def test_resampling_is_slerp():
    rng = np.random.default_rng(0)
    poses = np.cumsum(rng.normal(0, 0.05, (30, 72)), 0)
    times = np.arange(30) / 30
    half = resample(poses, times, 30, 15)
    np.testing.assert_allclose(half, poses[::2], atol=1e-9)
    twice = resample(poses, times, 30, 60)
    assert len(twice) == 59
    a, b, middle = (Rotation.from_rotvec(x.reshape(-1, 3)) for x in (poses[4], poses[5], twice[9]))
    expected = a * Rotation.from_rotvec(0.5 * (a.inv() * b).as_rotvec())
    assert (expected.inv() * middle).magnitude().max() < 1e-9


def test_nothing_is_made_up_inside_a_gap():
    poses = turning(60, 60, 60)
    times = np.arange(60) / 60
    seen = np.r_[:20, 40:60]
    angles = np.degrees(resample(poses[seen], times[seen], 60, 30)[:, 12])
    assert not ((angles > 19.1) & (angles < 39.9)).any()
    assert len(angles) == 20


def test_frames_with_nan_are_counted_apart():
    poses = turning(40, 40, 50)
    poses[7] = np.nan
    poses[20, 9] = 3.0
    cleaned = clean(poses, 40, 2000, 40)
    assert (cleaned.missing, cleaned.jumped) == (1, 1)
    assert np.isfinite(cleaned.poses).all()
    assert len(cleaned.poses) == 40  # the gaps of one frame are interpolated


def test_doubles_against_every_pair():
    """The slow truth: each pose that is kept differs from all kept ones, each other does not."""
    rng = np.random.default_rng(1)
    centres = rng.normal(0, 0.3, (40, 72))
    poses = centres[rng.integers(0, 40, 300)] + rng.normal(0, 0.012, (300, 72))
    clips = np.sort(rng.integers(0, 4, 300))
    keep = not_double(poses, clips, 3.0)
    matrices = Rotation.from_rotvec(poses.reshape(-1, 3)).as_matrix().reshape(300, 24, 3, 3)

    def differ(i, j):
        relative = np.swapaxes(matrices[i], 1, 2) @ matrices[j]
        angles = Rotation.from_matrix(relative[1:]).magnitude()
        lean = np.linalg.norm(matrices[i, 0].T[:, 1] - matrices[j, 0].T[:, 1])
        return max(angles.max(), lean) > np.radians(3.0)

    kept = np.flatnonzero(keep)
    assert 40 < len(kept) < 300
    for i in range(300):
        earlier = [j for j in kept if j < i]
        assert keep[i] == all(differ(i, j) for j in earlier)


def test_heading_makes_no_other_pose():
    pose = np.random.default_rng(2).normal(0, 0.3, 72)
    turned = pose.copy()
    heading = Rotation.from_euler("y", 130, degrees=True)
    turned[:3] = (heading * Rotation.from_rotvec(pose[:3])).as_rotvec()
    leaning = pose.copy()
    leaning[:3] = (
        Rotation.from_euler("x", 20, degrees=True) * Rotation.from_rotvec(pose[:3])
    ).as_rotvec()
    keep = not_double(np.stack([pose, turned, leaning]), np.arange(3), 2.0)
    assert keep.tolist() == [True, False, True]


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    """A CMU-like subject, a DeepMimic clip, and two files that cannot be used."""
    folder = tmp_path_factory.mktemp("motion")
    T = dict(
        zip(SMPL_JOINTS, load_body("lite").J_template.double().numpy().reshape(24, 3), strict=True)
    )
    truth = known_motion(60, seed=20)
    write_asf_amc(folder / "07.asf", folder / "07_01.amc", T, rest_pose("splayed"), truth)
    write_deepmimic(folder / "run.txt", known_motion(60, seed=21))
    (folder / "broken.bvh").write_text("HIERARCHY\nROOT hips\n")
    (folder / "markers.c3d").write_bytes(b"\x02\x50" + bytes(600))
    return folder


def test_import_writes_what_load_mocap_reads(folder, tmp_path):
    options = ImportOptions(fps=30.0, speed=20_000.0, tolerance=0.0)
    imported = import_motion([folder], options)
    report = imported.report
    assert (report.files, report.clips, report.frames) == (2, 2, 120)
    assert report.formats == {"amc": 1, "txt": 1}
    assert [p.split(": ")[0].rsplit("/", 1)[1] for p in report.problems] == [
        "broken.bvh",
        "markers.c3d",
    ]
    assert "MoSh" in report.problems[1]
    assert report.resampled == report.kept == 15 + 60  # half a second at 120, two seconds at 30
    save_motion(tmp_path / "poses.npz", imported)
    mocap = load_mocap(tmp_path / "poses.npz")
    assert mocap.clip_names == ("07_01", "run")
    assert mocap.fps == 30
    np.testing.assert_allclose(mocap.poses.numpy(), imported.poses, atol=0.6e-4)
    angles = np.degrees(np.linalg.norm(imported.poses.reshape(-1, 24, 3)[:, 4], axis=1))
    expected = np.percentile(angles, (5, 50, 95))
    np.testing.assert_allclose(report.angles["left_knee"], expected, atol=0.06)


def test_command_writes_file_report_and_sheet(folder, tmp_path, capsys):
    from PIL import Image

    out = tmp_path / "new" / "mine.npz"
    assert main(["mocap", "import", str(folder), "-o", str(out), "--speed", "20000"]) == 0
    said = capsys.readouterr().out
    assert "broken.bvh" in said
    assert "left_knee" in said
    report = json.loads(out.with_suffix(".json").read_text())
    assert report["kept"] == len(load_mocap(out))
    with Image.open(out.with_suffix(".png")) as sheet:
        assert np.asarray(sheet.convert("L")).std() > 10


def test_our_own_file_can_be_imported_again(folder, tmp_path):
    options = ImportOptions(tolerance=0.0, speed=20_000.0)
    first = import_motion([folder], options)
    save_motion(tmp_path / "a.npz", first)
    again = import_motion([tmp_path / "a.npz"], options)
    np.testing.assert_allclose(again.poses, first.poses, atol=0.6e-4)
    assert again.names == first.names


def test_clips_of_one_name_stay_apart(folder):
    imported = import_motion([folder / "run.txt", folder / "run.txt", folder / "07_01.amc"])
    assert imported.names == ("run", "07_01")  # a file that is named twice is read once
    copy = folder.parent / "other"
    copy.mkdir(exist_ok=True)
    (copy / "run.txt").write_bytes((folder / "run.txt").read_bytes())
    imported = import_motion([folder / "run.txt", copy / "run.txt"])
    assert imported.names == ("run", "run (1)")
    assert imported.report.doubles >= imported.report.kept  # and all of it is double


def test_nothing_to_import_is_an_error_that_names_the_first_file(folder):
    with pytest.raises(DataError, match=r"broken\.bvh.*1 more"):
        import_motion([folder / "broken.bvh", folder / "markers.c3d"])
    with pytest.raises(FileNotFoundError, match=r"nobody\.bvh"):
        import_motion([folder / "nobody.bvh"])


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--fps", "0"], "--fps"),
        (["--fps", "nan"], "--fps"),
        (["--speed", "-1"], "--speed"),
        (["--tolerance", "-1"], "--tolerance"),
        (["--source-fps", "1e9"], "--source-fps"),
        (["-o", "poses.txt"], "poses.txt"),
    ],
)
def test_options_out_of_range(folder, options, message, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert main(["mocap", "import", str(folder / "run.txt"), *options]) == 2
    assert message in capsys.readouterr().err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize("name", ["cmu_poses_knees.npz", "hdm05_poses_knees.npz"])
def test_files_with_mended_knees_are_read_as_they_are(name):
    path = find_mocap(name)
    if path is None:
        pytest.skip(f"{name} is not in $HMR_EDU_MOCAP")
    old = load_mocap(path.with_name(name.replace("_knees", "")))
    mocap = load_mocap(path)
    assert mocap.clip_names == old.clip_names
    assert len(mocap) == len(old)
