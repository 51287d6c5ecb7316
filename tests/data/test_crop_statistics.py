"""The scripts that look at crops: borders, sizes and rays computed by hand."""

import json

import numpy as np
import pytest
import torch
from helpers.scripts import load_script
from PIL import Image
from scipy.spatial.transform import Rotation

from hmr_edu.data.photos.data_sets import open_data_set


@pytest.fixture(scope="module")
def script():
    return load_script("data/crop_statistics.py")


@pytest.fixture(scope="module")
def off_axis():
    return load_script("data/off_axis.py")


def test_the_share_beyond_the_border_and_the_joints_there(script):
    """The picture of the first ends in the middle of the crop; that of the second nowhere."""
    inf = torch.inf
    window = torch.tensor([[-inf, -inf, 0.0, inf], [-inf] * 2 + [inf] * 2])
    places = torch.zeros(2, 19, 2)
    places[:, 0] = torch.tensor([-0.5, 0.3])  # an extent of 0.5 half-crops across
    places[0, 1:4, 0] = 0.2  # three joints beyond the border
    places[1, 1] = torch.tensor([0.0, 1.2])  # a joint outside the crop
    known = torch.ones(2, 19, dtype=torch.bool)
    known[1, 2] = False
    cells = script.statistics(script.Crops(window, places, known))
    assert cells[:4] == ["2", "25.0 %", "50.0 %", "50.0 %"]
    assert cells[4] == "0.25"
    assert cells[5] == f"{100 * 5 / 28:.1f} %"
    assert cells[6] == "50.0 %"


def test_people_of_photographs_and_of_presets_in_one_table(script, tmp_path, monkeypatch, capsys):
    """A box in a corner of a picture: the crop, 1.2 times as wide, leaves a strip on two sides."""
    Image.fromarray(np.full((100, 100, 3), 200, np.uint8)).save(tmp_path / "corner.png")
    names = ("nose", "neck", "left_hip", "right_hip", "left_wrist", "right_wrist")
    keypoints = {name: [10.0 + 5 * k, 20.0] for k, name in enumerate(names)}
    person = {"box": [0, 0, 50, 50], "keypoints": keypoints}
    few = {"box": [0, 0, 50, 50], "keypoints": {"nose": [20, 20]}}
    people = {"gone.png": [person], "corner.png": [person, few]}
    (tmp_path / "train.json").write_text(json.dumps(people))
    table = open_data_set("json", tmp_path / "train.json")
    assert len(table) == 3
    found = script.photographed(table.usable(script.LEAST).on_disk())
    assert len(found.window) == 1
    assert found.window[0, :2].tolist() == pytest.approx([-1 + 1 / 6] * 2)
    beyond = 1 - (1 - 1 / 12) ** 2
    data = f"json={tmp_path / 'train.json'}"
    monkeypatch.setattr("sys.argv", ["", data, "--presets", "people", "--people", "8"])
    script.main()
    table = [line.split(" | ") for line in capsys.readouterr().out.splitlines()]
    assert [cell.strip("| ") for cell in table[0]] == ["", "json", "`people`"]
    assert table[2][1:] == ["1", "8 |"]
    assert float(table[3][1].removesuffix(" %")) == pytest.approx(100 * beyond, abs=0.5)


def test_a_perfect_answer_is_only_wrong_in_the_frame_of_the_picture(off_axis):
    points = torch.randn(40, 14, 3, generator=torch.Generator().manual_seed(0))
    points -= points[:, 2:4].mean(1, keepdim=True)
    rays = torch.tensor([[1.0, 0.0]]).expand(40, 2)
    assert off_axis.mean_angle(rays) == pytest.approx(45)
    answers = off_axis.Answers(points, points, rays)
    errors = [float(cell) for _, cell in off_axis.rows(answers, answers)]
    assert errors[:2] == [0, 0]
    turned = Rotation.from_euler("y", 45, degrees=True).apply(points.reshape(-1, 3))
    distance = np.linalg.norm(turned - points.reshape(-1, 3).numpy(), axis=1).mean()
    assert errors[2] == pytest.approx(1000 * distance, rel=1e-3)
