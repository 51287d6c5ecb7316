"""The script that counts arms inside bodies, on arms that are put there."""

import torch
from helpers.scripts import load_script

from hmr_edu.body import load_body
from hmr_edu.data.poses.limbs import ARMS, FRONT, Figure
from hmr_edu.keypoints import SMPL_JOINTS


def test_a_hand_in_the_belly_is_inside_and_one_before_it_is_not():
    script, body = load_script("data/arms_inside.py"), load_body("lite")
    figure = Figure(torch.zeros(4, 72))
    spine = figure.joints[:, SMPL_JOINTS.index("spine1")]
    ahead = torch.tensor([0.0, 0.3, 0.0, 0.0])
    limb = ARMS["left"]
    figure.reach(limb, spine + ahead[:, None] * FRONT, torch.tensor([[1.0, 0.0, 0.0]] * 4))
    pose = figure.pose
    pose[2] = 0  # at rest
    pose[3, :3] = torch.tensor([0.0, 0.0, 2.0])  # upside down
    assert script.arms_inside(body, pose).tolist() == [True, False, False, True]


def test_the_table_has_a_row_a_source(monkeypatch, capsys):
    script = load_script("data/arms_inside.py")
    monkeypatch.setattr("sys.argv", ["", "prior", "standing", "--people", "2"])
    script.main()
    lines = capsys.readouterr().out.splitlines()
    assert [line.split(" | ")[0] for line in lines[2:]] == ["| `prior`", "| `standing`"]
