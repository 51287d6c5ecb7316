"""`hmr-edu demo` on videos: what is written, and that a killed run continues."""

import importlib.metadata
import json
import os
import signal
import subprocess
import sys
import time
import tomllib
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.clips import write_clip
from helpers.seeing import HEIGHT, WIDTH, Explaining, SeesColours, find_patches, picture

from hmr_edu.body import load_body
from hmr_edu.camera import CropBox
from hmr_edu.cli import main
from hmr_edu.data import load_mocap
from hmr_edu.data.detections.frames import FrameKeypoints
from hmr_edu.data.photos.video import Video
from hmr_edu.data.synthetic.clips import SyntheticClip
from hmr_edu.fitting import tracking
from hmr_edu.fitting.motion import Motion, Seen, recover_motion
from hmr_edu.fitting.smoothing import Steady, trembling
from hmr_edu.fitting.tracks import Tracked
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS, SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.viz import demo_people
from hmr_edu.viz.demo_people import Networks
from hmr_edu.viz.demo_video import VideoOptions, run_video
from hmr_edu.viz.motion_files import write_amass, write_spin
from hmr_edu.viz.video_file import video_writer
from hmr_edu.viz.video_journal import Journal

pytest.importorskip("av")
NETWORKS = Networks("seeing", "explaining", refine=False)
COUNT = 12
PYPROJECT = Path(__file__).parents[2] / "pyproject.toml"


@pytest.fixture
def seeing(monkeypatch):
    """Put the stand-ins in the place of the shipped networks; return the one that sees."""
    model = SeesColours().eval()
    shipped = {"seeing": model, "explaining": Explaining().eval()}
    monkeypatch.setattr(demo_people, "load_pretrained", lambda name, body=None: shipped[name])
    monkeypatch.setattr(tracking, "find_people", find_patches)
    return model


def moving(k):
    return picture((1, 50 + 5 * k, 60, 60))


@pytest.fixture
def clip(tmp_path):
    return write_clip(tmp_path / "clip.mp4", [moving(k) for k in range(COUNT)])


def arrays(path):
    with np.load(path, allow_pickle=False) as file:
        return dict(file)


def test_everything_is_written(seeing, clip, tmp_path):
    said, paths = run_video(clip, tmp_path / "out", NETWORKS)
    assert said == ["12 frames; person 1 in 12"]
    assert {kind: path.name for kind, path in paths.items()} == {
        "overlay": "clip_overlay.mp4",
        "spin": "clip_spin.npz",
        "record": "clip_video.json",
        "amass 1": "clip_person_1_amass.npz",
        "glb 1": "clip_person_1.glb",
    }
    assert sorted(path.name for path in (tmp_path / "out").iterdir()) == sorted(
        path.name for path in paths.values()
    )  # no journal is left
    record = json.loads(paths["record"].read_text())
    assert record["frames_read"] == 12
    assert record["frames_per_second"] == pytest.approx(10)
    assert record["damage"] is None
    assert record["people"][0]["frames_seen"] == 12

    drawn = list(Video(paths["overlay"]).frames())
    np.testing.assert_allclose([f.seconds for f in drawn], np.arange(12) / 10, atol=1e-3)
    assert drawn[0].picture.shape == (HEIGHT, WIDTH, 3)
    spin = arrays(paths["spin"])
    assert spin["imgname"][3] == "clip/frame_000003.jpg"
    # The body covers the patch: 60 pixels high, in the middle of it.
    face = [i for i in range(24) if spin["part"][0, i, 2]]
    places = spin["part"][:, face, :2]
    np.testing.assert_allclose(np.ptp(places[..., 1], axis=1), 60, atol=6)
    middle = (places.min(1) + places.max(1)) / 2
    np.testing.assert_allclose(middle[:, 0], 50 + 5 * np.arange(12), atol=4)


def test_odd_sizes_become_even_and_turned_videos_upright(seeing, tmp_path):
    pictures = [np.ascontiguousarray(np.rot90(moving(k), -1))[:, :118] for k in range(4)]
    path = write_clip(tmp_path / "phone.mp4", pictures, rotation=90)
    _, paths = run_video(path, tmp_path / "out", NETWORKS)
    assert Video(paths["overlay"]).info[:2] == (WIDTH, 118)

    with video_writer(tmp_path / "odd.mp4", 33, 21, 10) as write:
        for k in range(3):
            write(np.full((21, 33, 3), 40 * k, np.uint8), k / 10)
    frames = list(Video(tmp_path / "odd.mp4").frames())
    assert [frame.picture.shape for frame in frames] == 3 * [(22, 34, 3)]
    means = [frame.picture.mean() for frame in frames]
    np.testing.assert_allclose(means, (0, 40, 80), atol=4)


def test_two_people(seeing, tmp_path):
    pictures = [picture((1, 50 + k, 60, 80), (2, 160 - k, 60, 50)) for k in range(6)]
    path = write_clip(tmp_path / "two.mp4", pictures)
    said, paths = run_video(path, tmp_path / "out", NETWORKS, VideoOptions(everybody=True))
    assert said == ["6 frames; person 1 in 6, person 2 in 6"]
    assert {"amass 1", "amass 2", "glb 1", "glb 2"} <= paths.keys()
    spin = arrays(paths["spin"])
    assert spin["person"].tolist() == [1, 2] * 6
    assert spin["frame"].tolist() == [k for k in range(6) for _ in (1, 2)]


def test_chosen_frames_and_their_rate(seeing, clip, tmp_path):
    options = VideoOptions(every=3, start=0.15)
    _, paths = run_video(clip, tmp_path / "out", NETWORKS, options)
    assert arrays(paths["spin"])["frame"].tolist() == [2, 5, 8, 11]
    amass = arrays(paths["amass 1"])
    assert amass["mocap_framerate"] == pytest.approx(10 / 3)
    assert len(amass["poses"]) == 4
    assert [round(f.seconds, 2) for f in Video(paths["overlay"]).frames()] == [0, 0.3, 0.6, 0.9]


def test_gaps_are_filled_and_marked(seeing, tmp_path):
    pictures = [moving(k) if k not in (4, 5) else picture() for k in range(12)]
    path = write_clip(tmp_path / "gap.mp4", pictures)
    said, paths = run_video(path, tmp_path / "out", NETWORKS)
    seen = arrays(paths["amass 1"])["seen"]
    assert len(seen) == 12
    assert not seen[4:6].any()
    assert seen[[0, 1, 2, 3, 11]].all()
    assert len(arrays(paths["spin"])["frame"]) == seen.sum()
    assert said[-1] == f"12 frames; person 1 in {seen.sum()}"


@pytest.mark.parametrize("last", ["write_spin", "write_animated_glb", "video_writer"])
def test_a_run_that_failed_finds_its_own_files_again(seeing, clip, tmp_path, monkeypatch, last):
    whole, out = tmp_path / "whole", tmp_path / "out"
    run_video(clip, whole, NETWORKS)

    def full(*_):
        raise OSError("the disk is full")

    with monkeypatch.context() as patch:
        patch.setattr(f"hmr_edu.viz.video_results.{last}", full)
        with pytest.raises(OSError, match="the disk is full"):
            run_video(clip, out, NETWORKS)
    run_video(clip, out, NETWORKS)
    assert {path.name for path in out.iterdir()} == {path.name for path in whole.iterdir()}


def test_other_results_are_not_overwritten(seeing, clip, tmp_path):
    out = tmp_path / "out"
    _, first = run_video(clip, out, NETWORKS)
    before = {path: path.read_bytes() for path in first.values()}
    _, again = run_video(clip, out, NETWORKS)
    assert again == first
    _, other = run_video(clip, out, NETWORKS, VideoOptions(every=2))
    assert not set(other.values()) & set(first.values())
    assert before[first["spin"]] == first["spin"].read_bytes()


def test_nobody(seeing, tmp_path):
    path = write_clip(tmp_path / "empty.mp4", [picture()] * 4)
    with pytest.raises(DataError, match=r"nobody was found in .*empty.mp4: give a box"):
        run_video(path, tmp_path / "out", NETWORKS)
    assert not list((tmp_path / "out").iterdir())


def test_no_frame_in_the_chosen_time(seeing, clip, tmp_path):
    with pytest.raises(DataError, match="no frame lies between --start and --end"):
        run_video(clip, tmp_path / "out", NETWORKS, VideoOptions(start=7))


def test_a_box_outside_the_picture(seeing, clip, tmp_path):
    with pytest.raises(DataError, match="outside the picture"):
        run_video(clip, tmp_path / "out", NETWORKS, box=(900, 0, 950, 50))


def test_a_given_box(seeing, tmp_path):
    pictures = [picture((1, 50, 60, 60), (2, 150, 60, 80)) for k in range(3)]
    path = write_clip(tmp_path / "two.mp4", pictures)
    _, paths = run_video(path, tmp_path / "out", NETWORKS, box=(35, 30, 65, 90))
    assert (arrays(paths["spin"])["center"][:, 0] < 60).all()


def test_frames_before_the_damage_are_kept_and_said(seeing, clip, tmp_path, monkeypatch):
    def breaks(self, *options, **more):
        for frame in good(self, *options, **more):
            if frame.number == 7:
                self.damage = "damaged after 7 frames, which are kept (noise)"
                return
            yield frame

    good = Video.frames
    monkeypatch.setattr(Video, "frames", breaks)
    said, paths = run_video(clip, tmp_path / "out", NETWORKS)
    assert said[0] == f"{clip}: damaged after 7 frames, which are kept (noise)"
    assert json.loads(paths["record"].read_text())["frames_read"] == 7
    monkeypatch.undo()
    assert len(list(Video(paths["overlay"]).frames())) == 7


class Killed(BaseException):
    """As sudden as a signal: nothing of ours catches it."""


@pytest.mark.parametrize("at", [1, 5, 10])
def test_a_run_that_stopped_goes_on_and_ends_the_same(seeing, clip, tmp_path, monkeypatch, at):
    _, whole = run_video(clip, tmp_path / "whole", NETWORKS, VideoOptions(smooth=True))
    forward, calls = SeesColours.forward, []

    def stops(self, *images, **options):
        calls.append(1)
        if len(calls) == at + 2:  # the search looks once more
            raise Killed
        return forward(self, *images, **options)

    monkeypatch.setattr(SeesColours, "forward", stops)
    with pytest.raises(Killed):
        run_video(clip, tmp_path / "out", NETWORKS, VideoOptions(smooth=True))
    (journal,) = (tmp_path / "out").iterdir()
    lines = journal.read_bytes().splitlines(keepends=True)
    assert len(lines) == 1 + at + 1
    journal.write_bytes(b"".join(lines[:-1]) + lines[-1][:30])  # half of a line
    calls.append(1)
    said, again = run_video(clip, tmp_path / "out", NETWORKS, VideoOptions(smooth=True))
    assert said[0] == f"continued after frame {at - 1}"
    for kind in ("spin", "amass 1"):
        expected, got = arrays(whole[kind]), arrays(again[kind])
        assert all(np.array_equal(expected[key], got[key]) for key in expected)
    assert whole["glb 1"].read_bytes() == again["glb 1"].read_bytes()
    # The encoder's threads do not always agree on the last bit.
    films = [[f.picture for f in Video(each["overlay"]).frames()] for each in (whole, again)]
    assert np.abs(np.subtract(*films, dtype=np.float32)).mean() < 0.5


def tracked(number=1, theta=0.5):
    return Tracked(number, torch.full((85,), theta), CropBox(3, 4, 5), 0.5)


def test_journals_that_are_damaged_begin_again(tmp_path):
    path, header = tmp_path / "journal.jsonl", {"video": "a"}
    journal = Journal(path, header)
    for k in range(4):
        journal.add(k, k / 10, [tracked()], {"tracks": [], "newest": 1})
    with pytest.raises(DataError, match="another run"):
        Journal(path, header)
    journal.close()
    good = path.read_bytes().splitlines(keepends=True)
    wrong = json.loads(good[2])
    damaged = [
        b"",
        b"\n",
        b"[1, 2]\n",
        b"nonsense\n",
        b"\xff\xfe\x00\n",
        b"[" * 100_000 + b"\n",
        b"x" * (1 << 23) + b"\n",
        good[2][:-1],  # the end of the line is missing
        json.dumps(wrong | {"frame": 0}).encode() + b"\n",  # not later
        json.dumps(wrong | {"seconds": "nan"}).encode() + b"\n",
        json.dumps(wrong | {"seconds": 10**400}).encode() + b"\n",
        json.dumps(wrong | {"frame": float("inf")}).encode() + b"\n",
        good[2].replace(b'"theta": [0.5, ', b'"theta": [1' + b"0" * 400 + b", "),
        json.dumps(wrong | {"people": [{"number": 1}]}).encode() + b"\n",
        json.dumps(wrong | {"state": 3}).encode() + b"\n",
        good[2].replace(b'"theta": [0.5, ', b'"theta": [NaN, '),
        good[2].replace(b'"theta": [0.5, ', b'"theta": ['),
        good[2].replace(b'"crop": [3.0, 4.0, 5.0]', b'"crop": [3.0, 4.0, -5.0]'),
    ]
    for line in damaged:
        path.write_bytes(good[0] + good[1] + line + (good[3] if line else b""))
        journal = Journal(path, header)
        assert journal.last == 0 if line else 3, line[:40]
        journal.close()
    path.write_bytes(b"".join(good))
    journal = Journal(path, {"video": "another"})
    assert journal.last == -1
    journal.close(remove=True)
    assert not path.exists()
    path.mkdir()
    with pytest.raises(DataError, match="something else"):
        Journal(path, header)


def test_journals_keep_every_number(tmp_path):
    path = tmp_path / "journal.jsonl"
    theta = torch.randn(85, generator=torch.Generator().manual_seed(0))
    journal = Journal(path, {})
    journal.add(5, 0.1 + 0.2, [Tracked(2, theta, CropBox(1 / 3, 2, 1e-9), None)], {"a": 0.1})
    journal.close()
    journal = Journal(path, {})
    ((frame, seconds, (person,)),) = journal.frames
    assert (frame, seconds, journal.state) == (5, 0.1 + 0.2, {"a": 0.1})
    assert torch.equal(person.theta, theta)
    assert person.crop == CropBox(1 / 3, 2, 1e-9)
    journal.close()


def test_keypoints_of_each_frame_replace_the_pictures(seeing, clip, tmp_path):
    folder = tmp_path / "keypoints"
    folder.mkdir()
    truth = []
    for k in range(COUNT):
        posed = seeing.detail(torch.zeros(1, 85)).keypoints3d[0, :, :2]
        points = 20 * posed + torch.tensor((60.0 + k, 60.0))
        truth.append(points)
        named = {name: points[i].tolist() for i, name in enumerate(COCOPLUS)}
        path = folder / f"clip_{k:012d}_keypoints.json"
        path.write_text(json.dumps({"clip.mp4": [{"keypoints": named}]}))
    (folder / f"clip_{4:012d}_keypoints.json").unlink()
    said, paths = run_video(clip, tmp_path / "out", NETWORKS, keypoints=folder)
    assert said == ["12 frames; person 1 in 11"]
    spin = arrays(paths["spin"])
    assert 4 not in spin["frame"]
    for row, frame in enumerate(spin["frame"]):
        np.testing.assert_allclose(spin["part"][row, :14, :2], truth[frame][:14], atol=0.05)
        np.testing.assert_allclose(spin["part"][row, 19:, :2], truth[frame][14:], atol=0.05)
    assert not spin["part"][:, 14:19].any()  # SPIN's joints that are not ours


@pytest.mark.parametrize(
    ("files", "message"),
    [
        ({}, "a folder without JSON files"),
        ({"readme.json": "{}"}, "no number of a frame"),
        ({"a_1.json": "{}", "b_01_keypoints.json": "{}"}, "are both of frame 1"),
        ({"a_0.json": "nonsense"}, "a_0.json: not JSON"),
        ({"a_0.json": '{"people": [{"pose_keypoints_2d": [1, 2]}]}'}, "BODY_25"),
        (
            {"a_0.json": '{"a": [{"keypoints": {"nose": [9e5, 3]}}]}'},
            "a_0.json.*finite|far outside",
        ),
        ({"a_0.json": '{"a": [{"keypoints": {"nose": [NaN, 3]}}]}'}, "a_0.json"),
        ({"a_0.json": '{"a": [{"keypoints": {"beak": [1, 3]}}]}'}, "beak"),
        ({"a_0.json": "[" * 10_000}, "a_0.json: not JSON"),
    ],
)
def test_folders_of_keypoints_that_cannot_be_used(seeing, clip, tmp_path, files, message):
    folder = tmp_path / "keypoints"
    folder.mkdir()
    for name, text in files.items():
        (folder / name).write_text(text)
    with pytest.raises(DataError, match=message):
        run_video(clip, tmp_path / "out", NETWORKS, keypoints=folder)


def test_keypoints_that_are_no_folder(seeing, clip, tmp_path):
    with pytest.raises(FileNotFoundError, match="no keypoints"):
        FrameKeypoints(tmp_path / "absent")
    (tmp_path / "one.json").write_text("{}")
    with pytest.raises(DataError, match="a folder, one JSON file a frame"):
        run_video(clip, tmp_path / "out", NETWORKS, keypoints=tmp_path / "one.json")


def some_motion(frames=6, seed=0):
    g = torch.Generator().manual_seed(seed)
    rotations = axis_angle_to_matrix(0.5 * torch.randn(frames, 24, 3, generator=g))
    return Motion(
        frames=torch.arange(frames),
        seconds=torch.arange(frames, dtype=torch.float64) / 30,
        rotations=rotations,
        betas=torch.randn(10, generator=g).expand(frames, 10),
        scale=100 + 20 * torch.rand(frames, generator=g),
        place=300 * torch.rand(frames, 2, generator=g),
        crop=torch.tensor([[100.0, 90, 240]]).expand(frames, 3),
    )


def test_amass_holds_the_same_body_in_a_world_with_z_up(tmp_path):
    motion, body = some_motion(), load_body("lite")
    motion.rotations[:, 22:] = torch.eye(3)  # SMPL-H has no such joints
    places = motion.translations(640, 480, 700.0)
    still = Steady(motion.rotations, places, torch.ones(6, dtype=torch.bool), 30.0)
    write_amass(tmp_path / "a.npz", still, motion.betas[0], body)
    amass = arrays(tmp_path / "a.npz")
    assert amass["poses"].shape == (6, 156)
    assert amass["betas"].shape == (16,)
    pose = torch.from_numpy(amass["poses"][:, :72].copy())
    pose[:, 66:] = 0
    betas = torch.from_numpy(amass["betas"][:10]).expand(6, 10)
    world = body(betas, pose).vertices + torch.from_numpy(amass["trans"])[:, None]
    camera = body(motion.betas, motion.rotations).vertices + places[:, None]
    # x right; y forward is the camera's z; z up is the camera's -y.
    expected = torch.stack([camera[..., 0], camera[..., 2], -camera[..., 1]], -1)
    torch.testing.assert_close(world, expected, atol=1e-4, rtol=0)
    # Our own reader of AMASS turns it to Y up.
    mocap = load_mocap(tmp_path / "a.npz")
    assert mocap.fps == 30
    turned = body(betas, mocap.poses).joints
    flipped = body(motion.betas, motion.rotations).joints * torch.tensor((1.0, -1, -1))
    torch.testing.assert_close(turned - turned[:, :1], flipped - flipped[:, :1], atol=1e-4, rtol=0)


def test_places_by_hand():
    """200 pixels a metre, 100 to the right of the middle, focal 800: half a metre right, 4 away."""
    motion = some_motion(1)._replace(
        scale=torch.tensor([200.0]), place=torch.tensor([[420.0, 240]])
    )
    moved = motion.translations(640, 480, 800.0)
    torch.testing.assert_close(moved, torch.tensor([[0.5, 0.0, 4.0]]))


def test_spin_rows_say_where_the_joints_are(tmp_path):
    motion, body = some_motion(), load_body("lite")
    write_spin(tmp_path / "s.npz", {3: motion}, body, "film")
    spin = arrays(tmp_path / "s.npz")
    points = body(motion.betas, motion.rotations).keypoints
    nose = points[2, COCOPLUS.index("nose")]
    np.testing.assert_allclose(spin["S"][2, 19], [*nose.tolist(), 1], atol=1e-5)
    pixel = motion.scale[2] * nose[:2] + motion.place[2] - 0.5
    np.testing.assert_allclose(spin["part"][2, 19], [*pixel.tolist(), 1], atol=1e-3)
    np.testing.assert_allclose(spin["center"][0], (100, 90))
    np.testing.assert_allclose(spin["scale"], 240 / 200)
    assert spin["imgname"][5] == "film/frame_000005.jpg"
    again = axis_angle_to_matrix(torch.from_numpy(spin["pose"]).view(6, 24, 3))
    torch.testing.assert_close(again, motion.rotations, atol=1e-5, rtol=0)
    assert spin["gender"].tolist() == ["n"] * 6


def seen(thetas):
    crop = CropBox(100, 80, 200)
    return [Seen(k, k / 25, Tracked(1, theta, crop, 0.9)) for k, theta in enumerate(thetas)]


def test_one_shape_keeps_the_pixels():
    g = torch.Generator().manual_seed(0)
    thetas = 0.3 * torch.randn(40, 85, generator=g)
    thetas[:, :3] = torch.tensor([0.9, 0.1, -0.2])
    body = load_body("lite")
    each = recover_motion(seen(thetas), body, one_shape=False)
    one = recover_motion(seen(thetas), body)
    torch.testing.assert_close(one.betas, thetas[:, 75:].mean(0).expand(40, 10))
    torch.testing.assert_close(each.betas, thetas[:, 75:])
    # By hand: 200 / 2 * 0.9 pixels a metre; the middle at 100.5, 80.5.
    torch.testing.assert_close(each.scale, torch.full((40,), 90.0))
    torch.testing.assert_close(each.place[0], torch.tensor((100.5 + 9, 80.5 - 18)))

    def pixels(motion):
        points = body(motion.betas, motion.rotations).keypoints[..., :2]
        return motion.scale[:, None, None] * points + motion.place[:, None]

    refitted = (pixels(one) - pixels(each)).norm(dim=-1).mean()
    kept = one._replace(scale=each.scale, place=each.place)
    assert refitted < 0.6 * (pixels(kept) - pixels(each)).norm(dim=-1).mean()


def test_smoothed_motion_trembles_less_and_hardly_moves():
    g = torch.Generator().manual_seed(1)
    thetas = torch.zeros(60, 85)
    thetas[:, 3:75] = 0.05 * torch.randn(60, 72, generator=g)
    thetas[:, 0] = 0.9 + 0.02 * torch.randn(60, generator=g)
    body = load_body("lite")
    rough, fine = (recover_motion(seen(thetas), body, smoothed=s) for s in (False, True))
    assert trembling(fine.rotations) < 0.5 * trembling(rough.rotations)
    assert fine.scale.diff().abs().mean() < 0.5 * rough.scale.diff().abs().mean()
    torch.testing.assert_close(fine.scale.mean(), rough.scale.mean(), rtol=0.02, atol=0)


def test_bodies_behind_the_camera_are_left_out():
    thetas = torch.zeros(3, 85)
    thetas[:, 0] = torch.tensor([0.9, -0.5, 0.9])
    assert recover_motion(seen(thetas), load_body("lite")).frames.tolist() == [0, 2]
    thetas[:, 0] = -1
    assert recover_motion(seen(thetas), load_body("lite")) is None


@pytest.mark.parametrize(
    ("words", "message"),
    [
        ("{picture} --every 2", "are for videos; photo.png is none"),
        ("{picture} --smooth", "are for videos"),
        ("{clip} --ply", "are for pictures, not for videos"),
        ("{clip} --boxes-from {clip}", "are for pictures, not for videos"),
        ("{clip} --box 0 0 9 9 --keypoints {clip}", "give --box or --keypoints, not both"),
        ("{clip} --every 0", "every"),
        ("{clip} --start nan", "start"),
        ("{clip} --end -3", "end"),
        ("{clip} --focal 0", "focal"),
        ("{clip} --out {clip}", "is a file, where a folder should be"),
        ("{clip} --out {clip}/x", "is a file, where a folder should be"),
        ("absent.mp4", "no video absent.mp4"),
        ("{clip} --keypoints absent", "no keypoints absent"),
    ],
)
def test_options_that_cannot_be(seeing, clip, tmp_path, capsys, words, message):
    from PIL import Image

    photo = tmp_path / "photo.png"
    Image.fromarray(moving(0)).save(photo)
    given = words.format(clip=clip, picture=photo).split()
    assert main(["demo", *given, "--weights", "seeing", "--detect", "none"]) == 2
    assert message in capsys.readouterr().err


def test_without_pyav_it_says_what_to_install(seeing, clip, tmp_path, capsys, monkeypatch):
    extras = tomllib.loads(PYPROJECT.read_text())["project"]["optional-dependencies"]
    needed = [f"{package}; extra == 'video'" for package in extras["video"]]
    monkeypatch.setattr(importlib.metadata, "requires", lambda name: needed)
    monkeypatch.setitem(sys.modules, "av", None)
    assert main(["demo", str(clip), "--weights", "seeing"]) == 2
    assert "pip install 'hmr_edu[video]'" in capsys.readouterr().err


@pytest.fixture(scope="module")
def walking(tmp_path_factory):
    """Return a film of somebody who walks, and its truth."""
    film = SyntheticClip(load_body("lite"), 14, fps=10, size=(320, 240))
    path = tmp_path_factory.mktemp("film") / "walk.mp4"
    return write_clip(path, list(film), fps=10), film


@pytest.mark.slow
def test_the_shipped_network_follows_somebody_who_walks(walking, tmp_path, capsys):
    path, film = walking
    assert main(["demo", str(path), "--smooth", "--out", str(tmp_path)]) == 0
    assert "14 frames; person 1 in 14" in capsys.readouterr().out
    spin = arrays(tmp_path / "walk_spin.npz")
    errors = []
    for frame in range(14):
        (truth,) = film.truth(frame)
        errors.append(np.abs(spin["part"][frame, :14, :2] + 0.5 - truth.keypoints2d[:14].numpy()))
    assert np.mean(errors) < 8  # pixels; the person is 190 high
    # Upright in AMASS's world, where Z is up; the walker goes to the right.
    amass = arrays(tmp_path / "walk_person_1_amass.npz")
    pose = torch.from_numpy(amass["poses"][:, :72].copy())
    joints = load_body("lite")(torch.zeros(14, 10), pose).joints
    up = joints[:, SMPL_JOINTS.index("head")] - joints[:, 0]
    assert (up[:, 2] > 0.9 * up.norm(dim=1)).all()
    assert np.diff(amass["trans"][:, 0]).mean() > 0


@pytest.mark.slow
@pytest.mark.skipif(sys.platform == "win32", reason="signals")
def test_a_killed_process_is_continued_by_the_same_command(walking, tmp_path):
    path, _ = walking
    whole, out = tmp_path / "whole", tmp_path / "out"
    command = [sys.executable, "-m", "hmr_edu.cli", "demo", str(path), "--box", "60", "20"]
    command += ["160", "235", "--out"]
    subprocess.run([*command, str(whole)], check=True, capture_output=True)
    process = subprocess.Popen([*command, str(out)], stderr=subprocess.DEVNULL)
    while process.poll() is None:
        lines = sum(p.read_bytes().count(b"\n") for p in out.glob("*_unfinished_*.jsonl"))
        if lines >= 4:
            os.kill(process.pid, signal.SIGKILL)
            break
        time.sleep(0.01)
    assert process.wait() == -signal.SIGKILL
    assert not (out / "walk_spin.npz").exists()
    again = subprocess.run([*command, str(out)], check=True, capture_output=True, text=True)
    assert "continued after frame" in again.stdout
    expected, got = arrays(whole / "walk_spin.npz"), arrays(out / "walk_spin.npz")
    assert all(np.array_equal(expected[key], got[key]) for key in expected)
    assert sorted(p.name for p in out.iterdir()) == sorted(p.name for p in whole.iterdir())
