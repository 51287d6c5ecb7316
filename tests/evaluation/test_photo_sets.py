"""Evaluation on data sets: the test split by name, and joint errors where 3D is known."""

import dataclasses

import numpy as np
import pytest
import torch
from helpers.few_looks import few_looks

from hmr_edu.cli import main
from hmr_edu.data.photos.data_sets import open_data_set, read_test_split
from hmr_edu.data.photos.write_sets import write_set
from hmr_edu.evaluation.held_out import starting_theta
from hmr_edu.evaluation.photos import evaluate_photos, photo_table
from hmr_edu.hmr import HMR, body_of_theta
from hmr_edu.io.errors import DataError


@pytest.fixture(scope="module")
def people():
    return few_looks(seed=3, image_size=40, batch_size=8, fill=(0.6, 0.7))


@pytest.fixture(scope="module")
def coco(people, tmp_path_factory):
    return write_set("coco", tmp_path_factory.mktemp("sets"), people, 8, "test")


def test_people_of_a_test_split_are_taken_evenly(coco):
    table = open_data_set("coco", coco, "test")
    chosen = read_test_split(f"coco={coco}", 3, 6)
    assert [person.path for person in chosen] == [table[k].path for k in (0, 2, 5)]
    assert len(read_test_split(f"coco={coco}", 99, 6)) == 8
    with pytest.raises(DataError, match="nobody in it has 19 keypoints"):
        read_test_split(f"coco={coco}", 3, 19)


def test_a_set_is_made_and_looked_through(tmp_path, capsys):
    folder = str(tmp_path / "lsp")
    assert main(["data", "make", "lsp", folder, "--pictures", "4", "--size", "32"]) == 0
    assert main(["data", "check", f"lsp={folder}"]) == 0
    assert "usable             4  people" in capsys.readouterr().out
    assert main(["data", "make", "lsp", folder]) == 2
    assert "is there already" in capsys.readouterr().err


def test_the_command_measures_a_test_split(coco, capsys):
    assert main(["evaluate-photos", f"coco={coco}", "--most", "3"]) == 0
    assert "3 people in 3 pictures" in capsys.readouterr().out
    assert main(["evaluate-photos", "koko=/nowhere"]) == 2
    assert "no data set is called 'koko'" in capsys.readouterr().err


def test_joint_errors_of_those_who_are_known_in_3d(coco, people):
    truth = people[0].keypoints3d.numpy()
    truth[0, 3] = np.nan
    table = dataclasses.replace(open_data_set("coco", coco, "test"), keypoints3d=truth)
    torch.manual_seed(0)
    model = HMR("resnet18", width=4, hidden=8, image_size=32)
    record = evaluate_photos({"network": model}, table)
    mean = body_of_theta(starting_theta(model)[None], model.body).keypoints3d[0].detach().numpy()

    def centred(joints):
        return joints[..., :14, :] - joints[..., 2:4, :].mean(-2, keepdims=True)

    errors = np.linalg.norm(centred(truth)[1:] - centred(mean), axis=-1).mean()
    assert record["mean theta"]["mpjpe"] == pytest.approx(1000 * errors, rel=1e-5)
    assert record["network"]["pa_mpjpe"] < record["network"]["mpjpe"]
    text = photo_table(record)
    assert "PA-MPJPE" in text
    assert f"{1000 * errors:.1f}" in text
