"""Marked photographs: reading them, and scores that are known beforehand."""

import json
import re

import numpy as np
import pytest
import torch
from helpers.toy_body import toy_body
from PIL import Image
from torch import nn

from hmr_edu.body import SMPL
from hmr_edu.camera import CropBox
from hmr_edu.cli import main
from hmr_edu.data.photos.annotations import read_annotations
from hmr_edu.evaluation.photos import crops, evaluate_photos, photo_table, predict_photos
from hmr_edu.fitting.refining import Refined
from hmr_edu.fitting.smplify import FitOptions
from hmr_edu.hmr import HMR, Prediction
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCO17, COCOPLUS
from hmr_edu.viz.sheets.photo_sheet import photo_sheet


def write(tmp_path, content, name="marked.json"):
    for file in ("a.png", "b.png"):
        image = np.zeros((100, 200, 3), np.uint8)
        image[:, :100, 0], image[:, 100:, 1] = 200, 200
        Image.fromarray(image).save(tmp_path / file)
    path = tmp_path / name
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def coco(*people, **more):
    images = [{"id": 7, "file_name": "a.png"}, {"id": 9, "file_name": "b.png"}]
    return {"images": images, "annotations": list(people), **more}


def coco_person(places: dict, image=7, v=2, **more):
    keypoints = [0] * 51
    for name, (x, y) in places.items():
        i = 3 * COCO17.index(name)
        keypoints[i : i + 3] = [x, y, v]
    return {"image_id": image, "keypoints": keypoints, **more}


PLACES = {"nose": [30, 10], "left_knee": [40, 70], "right_ankle": [20, 90.5]}


def test_coco(tmp_path):
    people = (
        coco_person(PLACES, bbox=[10, 5, 40, 90]),
        coco_person({}, bbox=[0, 0, 5, 5]),  # nobody marked a keypoint
        coco_person(PLACES, image=9, v=1),  # hidden, but marked
        coco_person(PLACES, iscrowd=1),
    )
    category = {"id": 1, "name": "person", "keypoints": list(COCO17)}
    read = read_annotations(write(tmp_path, coco(*people, categories=[category])))
    assert [person.path.name for person in read] == ["a.png", "b.png"]
    for person in read:
        assert person.visible.sum() == 3
        for name, place in PLACES.items():
            assert person.visible[COCOPLUS.index(name)] == 1
            assert person.keypoints2d[COCOPLUS.index(name)].tolist() == place
    # The square around the box, 1.2 times its longer side; x0 + w / 2 in pixel centres.
    assert read[0].crop == CropBox(29.5, 49.5, 108.0)
    # Without a box, around the keypoints.
    assert (read[1].crop.x, read[1].crop.y) == (30.0, 50.25)
    assert read[1].crop.size == pytest.approx(1.2 * 80.5)


def test_by_name(tmp_path):
    content = {"a.png": [{"box": [10, 5, 50, 95], "keypoints": {**PLACES, "head_top": [30, 6]}}]}
    (person,) = read_annotations(write(tmp_path, content), folder=tmp_path)
    assert person.crop == CropBox(29.5, 49.5, 108.0)
    assert person.visible.sum() == 4
    assert person.keypoints2d[COCOPLUS.index("head_top")].tolist() == [30, 6]


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("", "not JSON"),
        ('{"images": [', "not JSON"),
        ("[1, 2]", "neither COCO"),
        ({}, "nobody in it has a keypoint"),
        ({"a.png": []}, "nobody in it has a keypoint"),
        (coco(), "nobody in it has a keypoint"),
        ({"a.png": {"keypoints": {}}}, "list of people"),
        ({"a.png": [{"box": [0, 0, 1, 1]}]}, "nobody in it has a keypoint"),
        ({"a.png": ["Ann"]}, "person 0 of 'a.png' has no `keypoints`"),
        ({"a.png": [{"keypoints": [1, 2]}]}, "person 0 of 'a.png' has no `keypoints`"),
        ({"a.png": [{"keypoints": {"knee": [1, 2]}}]}, "no keypoint is called 'knee'"),
        ({"a.png": [{"keypoints": {"nose": [1]}}]}, "nose must be 2 finite numbers"),
        ({"a.png": [{"keypoints": {"nose": [1, None]}}]}, "nose must be 2 finite numbers"),
        ({"a.png": [{"keypoints": {"nose": [1, True]}}]}, "nose must be 2 finite numbers"),
        ('{"a.png": [{"keypoints": {"nose": [1, NaN]}}]}', "nose must be 2 finite numbers"),
        ({"a.png": [{"box": [5, 5, 1, 9], "keypoints": {"nose": [1, 2]}}]}, "x0 < x1"),
        ({"a.png": [{"box": [5, 5], "keypoints": {"nose": [1, 2]}}]}, "`box` must be 4 finite"),
        ({"a.png": [{"keypoints": {"nose": [1, 2]}}]}, "person 0 of 'a.png': not a box"),
        (coco({"image_id": 8, "keypoints": [0] * 51}), "annotation 0 belongs to no image"),
        (coco({"image_id": 7, "keypoints": [0] * 17}), "annotation 0: `keypoints` must be 51"),
        (coco({"image_id": 7}), "nobody in it has a keypoint"),
        (coco("nobody"), "`annotations`: entry 0 is not an object"),
        (coco(coco_person(PLACES, bbox=[1, 2, 3])), "annotation 0: `bbox` must be 4"),
        (coco(coco_person(PLACES, bbox=[1, 2, 0, 3])), "annotation 0: a box needs x0 < x1"),
        ({**coco(), "images": [{"id": 1}]}, "image without `id` or `file_name`"),
        (coco(categories=[{"keypoints": ["nose", "tail"]}]), "not COCO's 17 but ['nose', 'tail']"),
        ({**coco(), "annotations": None}, "`annotations` must be a list"),
        (coco(categories=["person"]), "`categories`: entry 0 is not an object"),
        (coco(categories=[{"keypoints": None}]), "not COCO's 17 but None"),
        ({**coco(), "images": [{"id": 1, "file_name": 5}]}, "image without `id` or `file_name`"),
        (coco({"image_id": [7], "keypoints": [0] * 51}), "annotation 0 belongs to no image"),
        ({"a.png": [{"keypoints": {"nose": [1, 10**400]}}]}, "nose must be 2 finite numbers"),
        ({"a.png": [{"keypoints": {"nose": [1, 1e39]}}]}, "nose must be 2 finite numbers"),
        ("[" * 100_000, "not JSON"),
    ],
)
def test_unusable_annotations(tmp_path, content, words):
    with pytest.raises(DataError, match=r"marked\.json") as error:
        read_annotations(write(tmp_path, content))
    assert words in str(error.value)


def test_missing_files(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.json"):
        read_annotations(tmp_path / "none.json")
    path = write(tmp_path, {"absent.png": [{"keypoints": PLACES}]})
    with pytest.raises(FileNotFoundError, match=r"absent\.png"):
        read_annotations(path)


@pytest.mark.parametrize("name", ["a" * 5000, "a/" * 5000, "a\0b", "\ud800.png"])
def test_pictures_whose_names_no_disk_can_hold_are_missing(tmp_path, name):
    path = write(tmp_path, {name: [{"keypoints": PLACES}]})
    with pytest.raises(FileNotFoundError, match="no picture"):
        read_annotations(path)


# --------------------------------------------------------------------- scores


class Known(HMR):
    """Answers with keypoints that are known beforehand, person by person, in turn."""

    def __init__(self, keypoints2d):
        nn.Module.__init__(self)
        self.body, self.image_size = SMPL(toy_body()), 16
        self.answers = keypoints2d
        self.weight = nn.Parameter(torch.zeros(1))
        self.regressor = HMR("resnet18", image_size=32, width=8, stem="small").regressor

    def forward(self, images, vertices=True):
        theta = torch.zeros(len(images), 85)
        theta[:, 0] = 0.5
        step = self.detail(theta)
        n, self.answers = len(images), self.answers.roll(-len(images), 0)
        return [step._replace(keypoints2d=self.answers.roll(n, 0)[:n])]


@pytest.fixture
def people(tmp_path):
    """Forty people whose keypoints all lie at one place, each at another."""
    content = {"a.png": []}
    for i in range(40):
        named = {name: [20 + 3 * i, 50] for name in COCOPLUS}
        content["a.png"].append({"box": [0, 0, 100, 100], "keypoints": named})
    return read_annotations(write(tmp_path, content))


def truth(people):
    return torch.stack([p.crop.to_crop(p.keypoints2d) for p in people])


def test_the_right_answers_score_one(people):
    record = evaluate_photos({"network": Known(truth(people))}, people)
    assert record["about"] == {"people": 40, "pictures": 1, "keypoints": 40 * 19}
    assert record["network"] == {"pck": 1.0, "distance": pytest.approx(0, abs=1e-6)}


def test_scores_in_shares_of_the_box(people):
    """The box is 100 pixels: 19 pixels off is within a fifth of it, 21 is not."""
    for pixels, pck in ((19, 1.0), (21, 0.0)):
        answers = truth(people) + torch.tensor([0.0, pixels * 2 / 120])
        record = evaluate_photos({"network": Known(answers)}, people)
        assert record["network"]["pck"] == pck
        assert record["network"]["distance"] == pytest.approx(pixels / 100, abs=1e-5)


def test_shuffled_is_the_mean_over_all_the_others(people):
    found = evaluate_photos({"network": Known(truth(people))}, people)["network, shuffled"]
    place = 3 * np.arange(40)
    apart = np.abs(place[:, None] - place)
    others = ~np.eye(40, dtype=bool)
    assert found["distance"] == pytest.approx(apart[others].mean() / 100, abs=1e-5)
    assert found["pck"] == pytest.approx((apart[others] <= 20).mean(), abs=1e-5)


def test_the_constant_is_the_median_of_what_is_marked(tmp_path):
    names = list(COCOPLUS)
    marked = [(10, 50), (20, 50), (90, 50)]
    content = {
        "a.png": [
            {"box": [0, 0, 100, 100], "keypoints": {name: place for name in names[: 19 - i]}}
            for i, place in enumerate(marked)
        ]
    }
    people = read_annotations(write(tmp_path, content))
    record = evaluate_photos({"network": Known(truth(people))}, people)
    # The median (the lower one of two) is (20, 50) where all three have the keypoint, else
    # (10, 50): of 19, 18, 17 marked keypoints.
    want = [(17 * 10) / 19, (0 + 10) / 18, 70]
    assert record["median baseline"]["distance"] == pytest.approx(np.mean(want) / 100, abs=1e-4)


def test_one_person_cannot_be_shuffled(people):
    record = evaluate_photos({"network": Known(truth(people)[:1])}, people[:1])
    assert record["network, shuffled"] == {"pck": None, "distance": None}
    assert re.search("network, shuffled +- +-", photo_table(record))


def test_crops_are_what_the_network_wants(people):
    images = crops(people[:2], 12)
    assert images.shape == (2, 3, 12, 12)
    assert images.min() >= 0
    assert images.max() <= 1
    # Box 0 ... 100 is red; the crop reaches 10 pixels beyond it, to the right into green.
    assert images[0, 0, 6, 5] == pytest.approx(200 / 255, abs=1e-2)
    assert images[0, 1, 6, 11] > 0.5
    assert images[0, :, 6, 0].max() < 0.2


def test_a_box_beside_the_picture_is_named(tmp_path):
    content = {"a.png": [{"box": [500, 500, 600, 600], "keypoints": PLACES}]}
    with pytest.raises(DataError, match=r"a\.png: .* does not touch a picture of 200 x 100"):
        crops(read_annotations(write(tmp_path, content)), 8)


def test_people_keep_their_order_whatever_picture_they_are_in(tmp_path):
    box = {"box": [0, 0, 50, 50], "keypoints": {"nose": [25, 25]}}
    there = {"box": [150, 0, 200, 50], "keypoints": {"nose": [175, 25]}}
    (tmp_path / "marked.json").touch()
    people = read_annotations(write(tmp_path, {"a.png": [box, there], "b.png": [there]}))
    people = [people[1], people[2], people[0]]
    red, green = crops(people, 8)[:, :2, 4, 4].T.tolist()
    assert red == pytest.approx([0, 0, 200 / 255])
    assert green == pytest.approx([200 / 255, 200 / 255, 0])


def test_predicting_leaves_every_part_in_its_mode(people):
    model = HMR("resnet18", image_size=32, width=8, stem="small", pooling="spatial", hidden=16)
    model.encoder.eval()
    refined = Refined(model, FitOptions(steps=1))
    before = [module.training for module in model.modules()]
    assert len(set(before)) == 2
    images = crops(people[:3], 32)
    first = predict_photos(refined, images)[-1].theta
    second = predict_photos(refined, images)[-1].theta
    assert torch.equal(first, second)
    assert [module.training for module in model.modules()] == before


def test_damaged_weights_are_named(people):
    model = HMR("resnet18", image_size=32, width=8, stem="small", pooling="spatial", hidden=16)
    with torch.no_grad():
        model.regressor.perceptrons[0][-1].bias.fill_(torch.nan)
    for network in (model, Refined(model)):
        with pytest.raises(DataError, match="not finite"):
            predict_photos(network, crops(people[:2], 32))


def test_refined_may_be_the_only_network(people):
    model = HMR("resnet18", image_size=32, width=8, stem="small", pooling="spatial", hidden=16)
    record = evaluate_photos({"refined": Refined(model, FitOptions(steps=1))}, people[:3])
    alone = evaluate_photos({"network": model}, people[:3])
    assert record["mean theta"] == alone["mean theta"]


def test_a_tile_for_each_network_and_person(people):
    models = {"network": Known(truth(people)), "other": Known(truth(people))}
    sheet = photo_sheet(models, people[:3])
    columns = round((sheet.shape[1] - 4) / 164)
    assert columns == 8  # two people: marked, network, other, from the side
    (step,) = predict_photos(models["network"], crops(people[:2], 16), vertices=True)
    assert isinstance(step, Prediction)
    assert step.vertices.shape[0] == 2


def test_the_command(tmp_path, capsys):
    marked = write(tmp_path, {"a.png": [{"keypoints": PLACES}], "b.png": [{"keypoints": PLACES}]})
    weights = tmp_path / "tiny.safetensors"
    HMR("resnet18", image_size=32, width=8, stem="small", pooling="spatial", hidden=16).save(
        weights
    )
    options = ["--weights", str(weights), "--refine"]
    options += ["--out", str(tmp_path / "r.json"), "--sheet", str(tmp_path / "s.png")]
    assert main(["evaluate-photos", str(marked), *options]) == 0
    printed = capsys.readouterr().out
    assert printed.startswith("2 people in 2 pictures, 6 keypoints")
    record = json.loads((tmp_path / "r.json").read_text())
    assert list(record) == [
        "about", "mean theta", "median baseline", "network, shuffled", "network",
        "refined, shuffled", "refined",
    ]  # fmt: skip
    assert (tmp_path / "s.png").stat().st_size > 1000
    marked.write_text("{")
    assert main(["evaluate-photos", str(marked), *options]) == 2
    assert "not JSON" in capsys.readouterr().err
    for wrong, words in (
        (["--people", "0"], "--people must be between 1 and 1000"),
        (["--sheet", str(tmp_path / "s.xyz")], "must end in .png"),
        (["--out", str(tmp_path)], "is a folder"),
    ):
        assert main(["evaluate-photos", str(marked), "--weights", str(weights), *wrong]) == 2
        assert words in capsys.readouterr().err
