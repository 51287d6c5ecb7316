"""The calibration of a public recording, read as our cameras; no recording is needed here."""

import json
import sys
import zipfile

import pytest
import torch
from helpers.scripts import SCRIPTS, load_script

from hmr_edu.data.photos.annotations import read_annotations
from hmr_edu.data.photos.calibration import group_by_moment, read_cameras
from hmr_edu.evaluation.triangulation import View
from hmr_edu.keypoints import LSP

FOLDER = SCRIPTS / "real_views"
# Four metres before the origin, one metre high, looking along the world's y: its axes are the
# world's x, z (up) and -y (backwards).
QCA = """<?xml version='1.0'?><calibration><cameras><camera serial="{name}">
<transform x="{x}" y="{y}" z="1000" r11="{r}" r12="0" r13="0" r21="0" r22="0" r23="1"
 r31="0" r32="-{r}" r33="0"/>
<intrinsic focalLengthU="51200" focalLengthV="51200" centerPointU="32000" centerPointV="38400"/>
</camera></cameras></calibration>"""


@pytest.fixture(scope="module")
def script():
    return load_script("real_views/prepare.py")


def test_a_camera_by_hand(script, tmp_path):
    (tmp_path / "c.txt").write_text(QCA.format(name="front", x=0, y=-4000, r=1))
    camera = script.read_qca(tmp_path / "c.txt")["front"]
    other = {"K": camera["K"], "R": torch.eye(3).tolist(), "t": [0, 0, 0]}
    (tmp_path / "cameras.json").write_text(json.dumps({"front": camera, "other": other}))
    view = read_cameras(tmp_path / "cameras.json")["front"]

    def pixel(x, y, z):
        point = view.to_camera(torch.tensor([[x, y, z]]))[0]
        return (view.K @ (point / point[2]))[:2].tolist(), float(point[2])

    # 800 pixels of focal length; the middle is (500, 600); a metre up is a metre to smaller y.
    assert pixel(0.0, 0.0, 1.0) == ([500.0, 600.0], 4.0)
    assert pixel(1.0, 0.0, 1.0) == ([700.0, 600.0], 4.0)
    assert pixel(0.0, 0.0, 2.0) == ([500.0, 400.0], 4.0)
    assert pixel(0.0, 4.0, 1.0) == ([500.0, 600.0], 8.0)


def test_the_marks_are_in_three_cameras_a_moment_and_inside_their_boxes(tmp_path):
    marks = json.loads((FOLDER / "keypoints.json").read_text())
    assert len(marks) == 15
    for name, (person,) in marks.items():
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).touch()
        assert len(person["keypoints"]) >= 11
        assert set(person["keypoints"]) <= set(LSP)
        x0, y0, x1, y1 = person["box"]
        assert all(x0 < x < x1 and y0 < y < y1 for x, y in person["keypoints"].values())
    people = read_annotations(FOLDER / "keypoints.json", tmp_path)
    nowhere = View(torch.eye(3), torch.eye(3), torch.zeros(3))
    cameras = {f"cam0{k}": nowhere for k in (1, 2, 3, 4)}
    assert [len(views) for views in group_by_moment(people, cameras).values()] == [3] * 5


def test_a_wheel_that_cannot_be_used_is_named(script, tmp_path, monkeypatch):
    monkeypatch.setattr("shutil.which", lambda name: "/usr/bin/ffmpeg")
    wheel = tmp_path / "pose2sim.whl"
    monkeypatch.setattr(sys, "argv", ["prepare.py", str(wheel), str(tmp_path / "views")])
    wheel.write_text("no archive")
    with pytest.raises(SystemExit, match=r"pose2sim\.whl: no wheel"):
        script.main()
    with zipfile.ZipFile(wheel, "w") as archive:
        archive.writestr("Pose2Sim/readme.txt", "another version")
    with pytest.raises(SystemExit, match=r"holds no Pose2Sim/Demo_SinglePerson.*0\.10\.49"):
        script.main()
    monkeypatch.setattr("shutil.which", lambda name: None)
    with pytest.raises(SystemExit, match="no ffmpeg"):
        script.main()
