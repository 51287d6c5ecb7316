"""Angles of poses, on a body whose joints are turned by hand; weights of frames by hand."""

import pytest
import torch

from hmr_edu.data.poses.fit_prior import clip_weights
from hmr_edu.data.poses.mocap import Mocap
from hmr_edu.data.poses.pose_angles import angle_table, pose_angles, straight_legged
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import SMPL_JOINTS


def turned(**degrees: tuple[float, float, float]) -> torch.Tensor:
    """Return the pose [1, 72] in which joints are turned about x, y, z."""
    pose = torch.zeros(24, 3)
    for joint, angles in degrees.items():
        pose[SMPL_JOINTS.index(joint)] = torch.tensor(angles).deg2rad()
    return pose.view(1, 72)


def test_angles_of_joints_that_are_turned_by_hand():
    rest = {name: angle[0] for name, angle in pose_angles(torch.zeros(1, 72)).items()}
    assert (rest["knee"] < 8).all()
    assert (rest["elbow"] < 1).all()
    bent = pose_angles(turned(left_knee=(70, 0, 0), right_elbow=(0, 90, 0)))
    assert bent["knee"][0, 0].item() == pytest.approx(70 + rest["knee"][0].item(), abs=1)
    assert bent["knee"][0, 1] == rest["knee"][1]
    assert bent["elbow"][0].tolist() == pytest.approx([0, 90], abs=1)
    # The hip bends by what the thigh is raised, and the torso leans by what the root is turned.
    sits = pose_angles(turned(left_hip=(-90, 0, 0)))
    assert sits["hip"][0, 0].item() == pytest.approx(90, abs=12)
    leans = pose_angles(turned(pelvis=(30, 0, 0)))
    assert (leans["torso"][0, 0] - rest["torso"][0]).item() == pytest.approx(30, abs=12)
    assert leans["hip"][0].tolist() == pytest.approx(rest["hip"].tolist(), abs=1e-2)
    heading = pose_angles(turned(pelvis=(0, 120, 0)))
    assert heading["torso"][0].item() == pytest.approx(rest["torso"].item(), abs=1e-2)


def test_the_table_has_a_row_a_source():
    half = torch.cat([torch.zeros(1, 72), turned(left_knee=(60, 0, 0), right_knee=(60, 0, 0))])
    table = angle_table({"one": torch.zeros(3, 72), "half": half})
    assert table.splitlines()[-1].endswith("| 50 |")
    assert table.splitlines()[-2].startswith("| one |")
    assert table.splitlines()[-2].endswith("| 100 |")


def recorded() -> Mocap:
    """Return a clip of 9 bent people and one of 1 straight person."""
    bent = turned(left_knee=(50, 0, 0), right_knee=(5, 0, 0))
    poses = torch.cat([bent.expand(9, 72), torch.zeros(1, 72)])
    clips = torch.tensor([0] * 9 + [1])
    return Mocap(poses, clips, ("bent", "straight"), 12.0)


def test_people_lie_or_stand_on_straight_legs():
    assert straight_legged(recorded().poses).tolist() == [False] * 9 + [True]
    assert not straight_legged(turned(pelvis=(-90, 0, 0))).item()


def test_clips_weigh_by_the_root_of_their_frames_or_the_same():
    root = clip_weights(recorded())
    assert root[:9].sum().item() == pytest.approx(3 / 4)
    same = clip_weights(recorded(), "clips")
    assert same[:9].sum().item() == pytest.approx(1 / 2)
    wanted = clip_weights(recorded(), "clips", 0.7)
    assert wanted[9].item() == pytest.approx(0.7)
    assert wanted.sum().item() == pytest.approx(1)
    assert torch.allclose(wanted[:9], torch.full((9,), 0.3 / 9).double())
    with pytest.raises(DataError, match="--straight-legs: 0 of 9 poses"):
        clip_weights(recorded().select(torch.arange(9)), "root", 0.5)


def test_the_command_prints_the_table_and_draws_the_sheets(tmp_path, capsys):
    from hmr_edu.cli import main

    assert main(["mocap", "angles", "upright", "prior:0.5", "--draws", "30"]) == 0
    lines = capsys.readouterr().out.splitlines()
    assert lines[0].startswith("| poses | knee | hip | elbow | torso |")
    assert [line.split(" | ")[0] for line in lines[2:4]] == ["| upright", "| prior:0.5"]
    assert lines[2].endswith("| 100 |")
    sheets = tmp_path / "sheets"
    assert main(["mocap", "angles", "upright", "--draws", "3", "--sheets", str(sheets)]) == 0
    assert (sheets / "upright.png").is_file()
