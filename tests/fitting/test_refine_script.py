"""The script that measures the refining fit: keypoints counted by hand, crops of a photograph."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.scripts import load_script
from PIL import Image

from hmr_edu.camera import CropBox
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.keypoints import COCOPLUS


@pytest.fixture(scope="module")
def script():
    return load_script("refine/measure.py")


def test_keypoints_inside_the_crop_and_all_are_counted(script):
    places = torch.zeros(1, 19, 2)
    places[0, 0] = torch.tensor([1.5, 0.0])  # outside, and missed
    places[0, 4:] = torch.nan  # not annotated
    found = SimpleNamespace(keypoints2d=torch.zeros(1, 19, 2))
    found.keypoints2d[0, 1] = torch.tensor([0.0, 0.5])  # missed
    inside, everything = script.right(found, places, 0.2)
    assert inside.item() == pytest.approx(100 * 2 / 3)
    assert everything.item() == pytest.approx(50)
    table = script.photo_table({"same": lambda images: found}, torch.zeros(1, 3, 4, 4), places)
    assert table.splitlines()[0] == "1 people"
    assert table.splitlines()[-1].split() == ["same", "66.7", "50.0"]


def test_a_photograph_upright_turned_and_cut_off(script, tmp_path):
    """The picture is bright at the left only; turned by half a turn it is so at the right."""
    pixels = np.zeros((80, 80, 3), np.uint8)
    pixels[:, :40] = 255
    Image.fromarray(pixels).save(tmp_path / "half.png")
    height = torch.linspace(70, 10, 19).tolist()
    keypoints = torch.tensor([[20.0, y] for y in height])
    keypoints[[0, 5], 1] = 79.0  # the ankles
    person = AnnotatedPerson(
        tmp_path / "half.png", CropBox(39.5, 39.5, 80), keypoints, torch.ones(19)
    )
    shown = script.photographs(SimpleNamespace(image_size=8), [person])
    images, places = shown["upright"]
    turned, turned_places = shown["turned by half a turn"]
    assert images[0, :, :, 0].min() > 0.7
    assert turned[0, :, :, 0].max() == 0
    assert turned[0, :, :, -1].min() > 0.7
    torch.testing.assert_close(turned_places, -places)
    assert len(shown["cut off"][0]) == 3
    above_knees = shown["cut off"][1][0]
    ankle = COCOPLUS.index("right_ankle")
    assert above_knees[ankle].abs().max() > 1  # outside its crop
    inside = [k for k in range(19) if above_knees[k].abs().max() <= 1]
    assert {"left_hip", "nose", "left_wrist"} <= {COCOPLUS[k] for k in inside}
