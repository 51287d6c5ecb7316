"""The scripts that compare pose priors, on made-up people."""

import numpy as np
import pytest
import torch
from helpers.scripts import load_script

from hmr_edu.data.poses.prior import load_pose_prior


@pytest.fixture
def recorded(tmp_path, monkeypatch):
    """A mocap file of ten clips, in the folder where recordings are looked for."""
    clips = [f"hdm_bd_kickLFront1Reps_00{k}" for k in range(5)]
    clips += [f"cmu_05_0{k}" for k in range(5)]
    np.savez(
        tmp_path / "people.npz",
        poses=load_pose_prior().sample(200, torch.Generator().manual_seed(0)).numpy(),
        clip=np.repeat(np.arange(10), 20),
        clip_names=np.array(clips),
        fps=np.array(12),
    )
    monkeypatch.setenv("HMR_EDU_MOCAP", str(tmp_path))


def test_a_row_a_prior_and_the_motions_at_both_ends(recorded, monkeypatch, capsys):
    script = load_script("data/compare_priors.py")
    assert script.motion("hdm_bd_kickLFront1Reps_003") == "kickLFront"
    assert script.motion("hdm_mm_sneak2StepsLStart_010") == "sneak"
    ends = script.ranked(["near"] * 5 + ["far"] * 6 + ["few"], torch.tensor([1.0] * 5 + [9.0] * 7))
    assert ends == [["far", "6", "9"], ["near", "5", "1"]]
    monkeypatch.setattr("sys.argv", ["", "--others", "people.npz", "--draws", "30"])
    script.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:3]] == ["| shipped"]
    assert "| kickLFront | 100 |" in "\n".join(lines)


def test_choices_are_measured_on_clips_held_out(recorded, monkeypatch, capsys):
    script = load_script("data/prior_choices.py")
    monkeypatch.setattr(script, "CHOICES", ((2, 50), (2, 1e9)))
    monkeypatch.setattr(script, "fit", lambda mocap, k, s, seed: _fit(mocap, min(k, 2), s))
    monkeypatch.setattr("sys.argv", ["", "--poses", "people.npz", "--draws", "20"])
    script.main()
    lines = [line.strip("| ").split(" | ") for line in capsys.readouterr().out.splitlines()]
    few, all_alike = (float(line[2]) for line in lines[2:4])
    assert few != all_alike
    assert [line[0] for line in lines[7:]] == ["0.0", "0.25", "0.5"]


def _fit(mocap, components, shrinkage):
    return load_script("data/prior_choices.py").fit(mocap, components, shrinkage, 0)
