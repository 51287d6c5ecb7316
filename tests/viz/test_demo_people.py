"""Whole pictures: people from a file of keypoints, from a detector, from the network itself.

A stand-in for the network of keypoints answers with a body whose pose it is given and whose camera
explains the keypoints; a stand-in for detectors knows beforehand who is in the picture.
"""

import json
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.toy_body import toy_body
from PIL import Image
from torch import nn

from hmr_edu.body import SMPL
from hmr_edu.camera import CropBox, fit_weak_perspective
from hmr_edu.cli import main
from hmr_edu.data.detections.formats import Detection
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.hmr import HMR, Prediction, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.viz import demo_people
from hmr_edu.viz.demo import run_on_boxes, run_on_keypoints
from hmr_edu.viz.demo_files import COLOURS, Recovered, draw_everybody
from hmr_edu.viz.palette import rgb

WIDTH, HEIGHT = 400, 300


class Explaining(HMR):
    """A network of keypoints: the mean body, seen by the camera that explains the keypoints."""

    def __init__(self, body=None):
        nn.Module.__init__(self)
        self.body, self.options = body or SMPL(toy_body()), {"encoder": "keypoints"}

    def forward(self, keypoints2d, confidence, *, vertices=True):
        self.shown = keypoints2d, confidence
        theta = torch.zeros(len(keypoints2d), 85)
        points = self.detail(theta).keypoints3d
        theta[:, :3] = fit_weak_perspective(points, keypoints2d, confidence)
        return [self.detail(torch.zeros_like(theta)), self.detail(theta)]


def seen(scale, x, y, missing=(), where="somewhere"):
    """Return the keypoints of the toy body: `scale` pixels a metre, its origin at pixel (x, y)."""
    points = SMPL(toy_body())(torch.zeros(1, 10), torch.zeros(1, 72)).keypoints[0, :, :2]
    confidence = torch.full((19,), 0.8)
    confidence[[COCOPLUS.index(name) for name in missing]] = 0
    return Detection(scale * points + torch.tensor((x, y)), confidence, None, where)


@pytest.fixture
def png(tmp_path):
    path = tmp_path / "street.png"
    Image.new("RGB", (WIDTH, HEIGHT), "#204020").save(path)
    return path


TWO = (seen(60.0, 120.0, 150.0, ("nose", "neck")), seen(30.0, 300.0, 120.0))


def test_each_body_lands_on_its_keypoints(png, tmp_path):
    *people, everybody = run_on_keypoints(png, tmp_path / "out", Explaining(), TWO, "found.json")
    assert [paths["theta"].name for paths in people] == [
        "street_person_1_theta.json",
        "street_person_2_theta.json",
    ]
    for paths, given, scale in zip(people, TWO, (60, 30), strict=True):
        assert sorted(paths) == ["glb", "html", "obj", "overlay", "steps", "theta"]
        record = json.loads(paths["theta"].read_text())
        for name, (x, y) in record["keypoints2d_pixels"].items():
            i = COCOPLUS.index(name)
            if given.confidence[i]:  # also where it was missing the body says where it is
                np.testing.assert_allclose((x, y), given.keypoints2d[i], atol=0.01)
        # Pixels a metre: half a picture's width for each unit of the picture's camera.
        assert record["camera_in_picture"]["sx"] * WIDTH / 2 == pytest.approx(scale, rel=1e-4)
        assert record["keypoints_from"] == "found.json"
        assert len(record["keypoints_given"]) == int((given.confidence > 0).sum())
        assert record["keypoints_given"]["left_ear"][2] == 0.8
    assert sorted(everybody) == ["everybody", "people"]
    listed = json.loads(everybody["people"].read_text())["people"]
    assert [files["obj"] for files in listed] == ["street_person_1.obj", "street_person_2.obj"]
    drawn = read_photo(everybody["everybody"])
    assert drawn.shape == (HEIGHT, WIDTH, 3)
    changed = (drawn != read_photo(png)).any(2)
    assert changed[100:200, 70:170].mean() > 0.1
    assert changed[90:150, 270:330].mean() > 0.1


def test_one_person_needs_no_picture_of_everybody(png, tmp_path):
    (paths,) = run_on_keypoints(png, tmp_path, Explaining(), TWO[:1], "found.json")
    assert paths["theta"].exists()
    assert not list(tmp_path.glob("*everybody*"))


def test_the_network_sees_missing_keypoints_as_missing(png, tmp_path):
    lifter = Explaining()
    run_on_keypoints(png, tmp_path, lifter, TWO[:1], "found.json")
    points, confidence = lifter.shown
    assert int((confidence == 0).sum()) == 2
    assert points[confidence > 0].abs().max() == pytest.approx(1 / 1.2, rel=1e-5)


def test_nobody_elses_results_are_overwritten(png, tmp_path):
    out = tmp_path / "out"

    def run(people, found_by, **options):
        return run_on_keypoints(png, out, Explaining(), people, found_by, **options)

    first = run(TWO, "a.json")
    kept = {path: path.read_bytes() for files in first for path in files.values()}
    assert run(TWO, "a.json") == first  # its own are replaced
    others = [
        run(TWO[::-1], "a.json"),
        run(TWO, "b.json"),
        run(TWO, "a.json", weights="mine"),
        run(TWO[:1], "c.json"),
    ]
    run_on_boxes(png, out, ImageNetwork(), [None])
    paths = [path for run in (first, *others) for files in run for path in files.values()]
    assert len(set(paths)) == len(paths)
    assert {path: path.read_bytes() for path in kept} == kept
    assert others[0][0]["obj"].name == "street_person_1-2.obj"


class ImageNetwork(HMR):
    """A network of pictures that always sees the same body."""

    def __init__(self):
        nn.Module.__init__(self)
        self.body, self.image_size, self.options = SMPL(toy_body()), 32, {"encoder": "resnet18"}

    def forward(self, images, *, vertices=True):
        theta = torch.zeros(1, 85)
        theta[0, 0] = 0.8
        return [self.detail(theta)]


def test_several_boxes(png, tmp_path):
    boxes = [(10, 20, 110, 220), (200, 50, 260, 250)]
    notes = [{"found": {"score": 0.9}}, {"found": {"score": 0.5}}]
    *people, everybody = run_on_boxes(png, tmp_path, ImageNetwork(), boxes, notes=notes)
    names = [paths["obj"].name for paths in people]
    assert names == ["street_box_10_20_110_220.obj", "street_box_200_50_260_250.obj"]
    records = [json.loads(paths["theta"].read_text()) for paths in people]
    assert [record["found"]["score"] for record in records] == [0.9, 0.5]
    assert everybody["everybody"].exists()
    # The same box by hand is the same person: its results are replaced, not doubled.
    (again,) = run_on_boxes(png, tmp_path, ImageNetwork(), boxes[:1])
    assert again == people[0]


@pytest.mark.parametrize("order", [(0, 1), (1, 0)])
def test_who_is_nearer_covers_who_is_farther(order):
    """A large triangle and a small one over it, each in its colour."""

    def triangle(scale):
        theta = torch.zeros(1, 85)
        theta[0, 0] = scale
        corners = torch.tensor([[[-1.0, -1.0, 0.0], [0.0, 1.0, 0.0], [1.0, -1.0, 0.0]]])
        points = torch.full((1, 19, 2), 5.0)
        step = Prediction(theta, corners, points, torch.zeros(1, 19, 3), torch.zeros(1, 24, 3, 3))
        return Recovered([step], CropBox(50, 50, 100), "", {}, {}, False)

    both = [triangle((0.2, 0.8)[i]) for i in order]
    faces = torch.tensor([[0, 1, 2], [0, 2, 1]])
    drawn = draw_everybody(np.zeros((101, 101, 3), np.uint8), both, faces)
    middle = drawn[47, 50].astype(float)
    expected = np.array(rgb(COLOURS[order.index(1)]))
    other = np.array(rgb(COLOURS[order.index(0)]))

    def unlike(colour):
        """Return the angle to a colour: light changes the length."""
        return np.arccos(middle @ colour / np.linalg.norm(middle) / np.linalg.norm(colour))

    assert unlike(expected) < unlike(other) / 2


@pytest.fixture(scope="module")
def lifter(tmp_path_factory):
    """Weights of a small network of keypoints that is not trained."""
    torch.manual_seed(0)
    path = tmp_path_factory.mktemp("weights") / "lifter.safetensors"
    HMR("keypoints", width=2, hidden=16).save(path)
    return path


@pytest.fixture(scope="module")
def image_weights(tmp_path_factory):
    path = tmp_path_factory.mktemp("weights") / "tiny.safetensors"
    HMR("resnet18", image_size=32, width=8, stem="small", pooling="spatial", hidden=16).save(path)
    return path


def test_a_fit_to_the_keypoints_comes_nearer_to_them(png, tmp_path, lifter):
    body = load_pretrained(lifter)
    standing = body.detail(torch.zeros(1, 85)).keypoints3d[0, :, :2] * torch.tensor((1.0, -1.0))
    person = Detection(80 * standing + 150, torch.ones(19), None, "somewhere")
    errors = []
    for refine in (False, True):
        (paths,) = run_on_keypoints(png, tmp_path, body, [person], "a.json", refine=refine)
        record = json.loads(paths["theta"].read_text())
        found = torch.tensor(list(record["keypoints2d_pixels"].values()))
        errors.append(float((found - person.keypoints2d).norm(dim=1).mean()))
        assert len(record["theta_of_each_step"]) == 3 + refine
        assert record["refined"] == refine
    assert errors[1] < errors[0] / 2


def test_one_keypoint_is_no_person(png, tmp_path):
    person = seen(50.0, 100.0, 100.0, COCOPLUS[1:], "found.json: person 7")
    with pytest.raises(DataError, match=r"found\.json: person 7: fewer than two keypoints"):
        run_on_keypoints(png, tmp_path, Explaining(), [person], "found.json")
    assert not list(tmp_path.glob("*.obj"))


def openpose(tmp_path, *people):
    """Write a file of OpenPose's with some people, each {place in BODY_25: (x, y, confidence)}."""
    rows = []
    for person in people:
        values = np.zeros((25, 3))
        for joint, triple in person.items():
            values[joint] = triple
        rows.append({"pose_keypoints_2d": values.flatten().tolist()})
    path = tmp_path / "found.json"
    path.write_text(json.dumps({"version": 1.3, "people": rows}))
    return path


SOMEBODY = {0: (100, 50, 0.9), 2: (80, 90, 0.9), 5: (120, 90, 0.6), 9: (90, 150, 0.8)}
HER = {joint: (x + 150, y + 20, 0.5) for joint, (x, y, _) in SOMEBODY.items()}


def demo(capsys, *words):
    code = main(["demo", *map(str, words)])
    captured = capsys.readouterr()
    return code, captured.out.splitlines(), captured.err


def test_everybody_in_a_file(png, tmp_path, lifter, capsys):
    found = openpose(tmp_path, SOMEBODY, {0: (1, 1, 0.5)}, HER)
    options = ("--keypoints", found, "--lifter", lifter, "--out", tmp_path / "out")
    code, lines, err = demo(capsys, png, *options)
    assert (code, err) == (0, "")
    assert lines[:4] == [
        f"2 people in {found}; bodies from these keypoints",
        f"left out: {found}: person 1, with fewer than 2 different keypoints",
        "person 1: 4 of 19 keypoints, 0.80 sure",
        "person 2: 4 of 19 keypoints, 0.50 sure",
    ]
    written = [line.split()[0] for line in lines[4:]]
    assert written == [
        *["overlay", "steps", "obj", "glb", "html", "theta"] * 2,
        "everybody",
        "people",
    ]
    assert len(list((tmp_path / "out").iterdir())) == 14


def detections(*people):
    return [
        Detection(torch.rand(19, 2) * 100 + 100, torch.full((19,), sure), None, f"person {i}")
        for i, sure in enumerate(people)
    ]


@pytest.fixture
def found(monkeypatch):
    """Put a detector and a finder in place that know who is in the picture."""

    def put(by_detector=None, by_network=()):
        installed = [] if by_detector is None else ["mediapipe"]
        monkeypatch.setattr(demo_people, "installed_detectors", lambda: installed)
        monkeypatch.setattr(demo_people, "detect_people", lambda photo, name: by_detector)
        monkeypatch.setattr(demo_people, "find_people", lambda model, photo: list(by_network))

    return put


@pytest.mark.parametrize(("all", "files"), [((), 6), (("--all",), 14)])
def test_a_detector_that_is_installed(png, tmp_path, lifter, capsys, found, all, files):
    found(detections(0.9, 0.7))
    code, lines, err = demo(capsys, png, "--lifter", lifter, "--out", tmp_path / "out", *all)
    assert (code, err) == (0, "")
    said = [line for line in lines if "out/" not in line]
    shown = ["the surest one is shown; --all shows everybody"] if not all else []
    people = ["person 1: 19 of 19 keypoints, 0.90 sure", "person 2: 19 of 19 keypoints, 0.70 sure"]
    assert said == [
        "2 people found by mediapipe; bodies from their keypoints",
        *shown,
        *(people if all else people[:1]),
    ]
    assert len(list((tmp_path / "out").iterdir())) == files


def found_person(box, score, still):
    return SimpleNamespace(box=box, score=score, still=still)


@pytest.mark.parametrize("detect", ["auto", "none"])
def test_the_network_itself_where_there_is_no_detector(
    png, tmp_path, image_weights, capsys, found, detect
):
    people = [
        found_person((10.4, 20.0, 109.7, 219.2), 0.83, True),
        found_person((200, 50, 260, 250), 0.4, False),
    ]
    # "none" does without a detector that is there.
    found(detections(0.9) if detect == "none" else None, people)
    options = ("--weights", image_weights, "--detect", detect, "--out", tmp_path / "out")
    code, lines, err = demo(capsys, png, *options, "--all")
    assert (code, err) == (0, "")
    assert lines[:3] == [
        f"2 people found by the network {image_weights}, without a detector; bodies from their "
        "pictures",
        "person 1: 0.83 sure, box 10 20 110 220",
        "person 2: 0.40 sure, box 200 50 260 250 (unsettled: --box may do better)",
    ]
    code, lines, err = demo(capsys, png, *options[:-1], tmp_path / "one")
    assert len(list((tmp_path / "one").iterdir())) == 6
    assert (tmp_path / "one" / "street_box_10_20_110_220.obj").exists()


def test_nobody_found_is_said_plainly(png, tmp_path, lifter, image_weights, capsys, found):
    out, options = tmp_path / "out", ("--lifter", lifter, "--weights", image_weights)
    found([])
    code, lines, err = demo(capsys, png, *options, "--out", out)
    assert (code, lines) == (2, [])
    assert f"nobody was found in {png} by mediapipe: give a box around" in err
    code, lines, err = demo(capsys, png, *options, "--detect", "none", "--out", out)
    assert (code, lines) == (2, [])
    assert f"nobody was found in {png} by the network" in err
    for people in ((), ({},), ({0: (5, 5, 0.9)},)):
        nobody = openpose(tmp_path, *people)
        code, lines, err = demo(capsys, png, *options, "--keypoints", nobody, "--out", out)
        assert (code, lines) == (2, [])
        assert f"{nobody}: nobody in it has " in err
        assert len(err.splitlines()) == 1
    assert not out.exists()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("--lifter {pictures} --keypoints {found}", "it reads pictures; that is --weights"),
        ("--weights {keypoints} --box 0 0 9 9", "it reads keypoints; that is --lifter"),
        ("--box 0 0 9 9 --keypoints {found}", "give --box or --keypoints, not both"),
        ("--keypoints {found} --lifter nothing", "no weights"),
        ("--keypoints nothing.json", "no keypoints nothing.json"),
        ("--detect rtmlib", "rtmlib is not installed"),
    ],
)
def test_what_does_not_go_together(png, tmp_path, lifter, image_weights, capsys, words, said):
    found = openpose(tmp_path, SOMEBODY)
    words = words.format(found=found, keypoints=lifter, pictures=image_weights).split()
    code, lines, err = demo(capsys, png, *words, "--out", tmp_path / "out")
    assert (code, lines) == (2, [])
    assert said in err
    assert len(err.splitlines()) == 1


class Boxes(HMR):
    """A network of pictures that notes nothing but is asked for a crop: the mean body."""

    def __init__(self):
        nn.Module.__init__(self)
        self.body, self.image_size = SMPL(toy_body()), 32
        self.options = {"encoder": "resnet18", "body": "toy", "pooling": "spatial"}

    def forward(self, images, vertices=True):
        theta = torch.zeros(len(images), 85)
        theta[:, 0] = 0.8
        return [self.detail(theta)]


def openpose_of(*boxes):
    """Return OpenPose's JSON of people whose keypoints span boxes."""
    people = []
    for x0, y0, x1, y1 in boxes:
        points = np.zeros((25, 3))
        points[0], points[11], points[14] = (x0, y0, 0.9), (x1, y1, 0.8), (x0, y1, 0.7)
        people.append({"pose_keypoints_2d": points.flatten().tolist()})
    return {"version": 1.3, "people": people}


def results_of(*boxes):
    """Return COCO's results with boxes of their own."""
    places = [100.0, 100.0, 0.5, 120.0, 120.0, 0.5] + 15 * [0.0, 0.0, 0.0]
    return [
        {"image_id": "street", "category_id": 1, "keypoints": places, "score": 0.5}
        | {"bbox": [x0, y0, x1 - x0, y1 - y0]}
        for x0, y0, x1, y1 in boxes
    ]


@pytest.mark.parametrize("layout", ["openpose", "coco", "ours"])
def test_boxes_of_a_file_are_read_by_the_network_of_pictures(png, tmp_path, monkeypatch, layout):
    monkeypatch.setattr(demo_people, "load_pretrained", lambda name, body=None: Boxes().eval())
    boxes = [(40.0, 50.0, 90.0, 150.0), (200.0, 60.0, 260.0, 180.0)]
    named = {"nose": [100, 100], "neck": [100, 120]}
    content = {
        "openpose": lambda: openpose_of(*boxes),
        "coco": lambda: results_of(*boxes),
        "ours": lambda: {"street.png": [{"box": list(b), "keypoints": named} for b in boxes]},
    }[layout]()
    path = tmp_path / "people.json"
    path.write_text(json.dumps(content))
    out = tmp_path / "out"
    assert main(["demo", str(png), "--boxes-from", str(path), "--out", str(out), "--ply"]) == 0
    records = [json.loads(each.read_text()) for each in sorted(out.glob("*_theta.json"))]
    got = sorted(record["box"] for record in records)
    if layout == "openpose":  # keypoints, and 6 % of the longer side around them
        boxes = [(34.5, 44.5, 96.5, 156.5), (193.3, 53.3, 267.7, 187.7)]
    np.testing.assert_allclose(got, boxes, atol=0.01)
    assert {record["box_from"] for record in records} == {"people.json"}
    assert len(list(out.glob("*.ply"))) == 2
    assert len(list(out.glob("*everybody_overlay.png"))) == 1


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (results_of((500, 500, 600, 600)), "outside the picture"),
        (results_of((9, 9, 9, 50)), "x0 < x1"),
        ([{**results_of((9, 9, 20, 50))[0], "bbox": [1, 2, 3]}], "`bbox` must be 4 finite numbers"),
        ([{**results_of((9, 9, 20, 50))[0], "bbox": [1, 2, 3, float("nan")]}], "`bbox` must be 4"),
        ([{**results_of((9, 9, 20, 50))[0], "bbox": [1, 2, 3, 1e300]}], "`bbox` must be 4"),
        ([], "nobody in it"),
    ],
)
def test_boxes_that_cannot_be_used(png, tmp_path, monkeypatch, capsys, content, message):
    monkeypatch.setattr(demo_people, "load_pretrained", lambda name, body=None: Boxes().eval())
    path = tmp_path / "people.json"
    path.write_text(json.dumps(content))
    assert main(["demo", str(png), "--boxes-from", str(path), "--out", str(tmp_path / "o")]) == 2
    assert message in capsys.readouterr().err
