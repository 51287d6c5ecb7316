"""The report of the pose prior: its measures on cases known by hand."""

import numpy as np
import pytest
import torch

from hmr_edu.body import load_body
from hmr_edu.data.poses import prior_report
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.viz.sheets.pose_sheet import pose_sheet, save_pose_sheet


@pytest.fixture(scope="module")
def body():
    return load_body("lite")


def test_the_nearest_of_a_set_that_holds_the_pose_is_the_pose(body):
    poses = load_pose_prior().sample(20, torch.Generator().manual_seed(0))
    turned = poses.clone()
    turned[:, :3] = torch.tensor([0.3, 1.0, 0.2])  # the root does not count
    bank, target = prior_report.lsp_joints(body, poses), prior_report.lsp_joints(body, turned[:5])
    for value in prior_report._nearest(target, bank).values():
        assert value < 0.01
    without = prior_report._nearest(target, bank[5:])
    assert 10 < without["pa"] < without["mpjpe"]


def test_joints_that_leave_their_limits():
    prior = load_pose_prior()
    pose = torch.zeros(50, 72)
    knee = SMPL_JOINTS.index("left_knee")
    pose[:10, 3 * knee] = prior.high[3 * (knee - 1)] + torch.tensor(20.0).deg2rad()
    pose[0, 3 * SMPL_JOINTS.index("right_hip")] = -3.0
    found = prior_report.joints_outside(prior, pose, least=0.05)
    assert list(found) == ["left_knee"]
    assert found["left_knee"] == pytest.approx((0.2, 20.0), abs=1e-3)


def test_auc_counts_the_pairs_in_order():
    assert prior_report._auc(torch.tensor([1.0, 3.0]), torch.tensor([0.0, 2.0])) == 0.75


@pytest.mark.slow
def test_report_on_made_up_people(tmp_path, monkeypatch):
    monkeypatch.setattr(prior_report, "DRAWS", 50)
    monkeypatch.setattr(prior_report, "OTHERS", 4)
    path = tmp_path / "people.npz"
    np.savez(
        path,
        poses=np.random.default_rng(0).normal(0, 0.1, (200, 72)).astype(np.float32),
        clip=np.repeat(np.arange(10), 20),
        clip_names=np.array([f"clip {i}" for i in range(10)]),
        fps=np.array(12),
    )
    result = prior_report.report(path, path)
    assert all(np.isfinite(row["mean"]) for row in result["log_prob"].values())
    assert result["nearest"]["the CMU poses themselves"]["mpjpe"] < 0.01
    assert result["limits"]["draws"] == 0
    table = prior_report.as_markdown(result)
    assert "| HDM05, other people |" in table
    assert "nearest" not in prior_report.report(path)


def test_pose_sheet_has_a_tile_a_pose(tmp_path, body):
    poses = load_pose_prior().sample(3, torch.Generator().manual_seed(0))
    sheet = pose_sheet(body, poses)
    assert sheet.shape[:2] == (4 + 116, 4 + 12 * 116)
    inked = (sheet != 255).any((0, 2))[4:]
    assert [bool(inked[116 * i : 116 * (i + 1)].any()) for i in range(4)] == [True] * 3 + [False]
    assert poses[:, 1].abs().max() == 0  # the caller's poses are left alone
    save_pose_sheet(tmp_path / "sheet.png", body, poses)
    assert (tmp_path / "sheet.png").stat().st_size > 1000
