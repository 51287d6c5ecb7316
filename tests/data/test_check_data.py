"""`hmr-edu data check`: what it counts, what it finds, what it draws; data sets by their files."""

import json
import shutil

import numpy as np
import pytest
from helpers import data_layouts as layouts
from helpers.data_layouts import LAYOUTS, made_up
from PIL import Image

from hmr_edu.cli import main
from hmr_edu.data.photos import check
from hmr_edu.data.photos.check import check_people, twisted
from hmr_edu.data.photos.data_sets import DATA_SETS, open_data_set
from hmr_edu.data.photos.recognise import named_path, recognise
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.viz.palette import LEFT, RIGHT, rgb


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HMR_EDU_CACHE", str(tmp_path / "cache"))


def annotated(folder, change=lambda content: None):
    """Write four people, all keypoints known, standing upright in the middle of their boxes."""
    people = made_up()
    people.visible[:] = 1
    people.keypoints2d[:] = standing()
    people.center[:], people.side[:] = (160, 120), 200
    layouts.write_coco(folder, people)
    file = folder / "annotations" / "person_keypoints_train2017.json"
    content = json.loads(file.read_text())
    change(content)
    file.write_text(json.dumps(content))
    return folder


def standing():
    """Return a person who faces the camera: the left is on the right of the picture."""
    heights = {"ankle": 200, "knee": 170, "hip": 130, "wrist": 130, "elbow": 110, "shoulder": 80}
    heights |= {"eye": 55, "ear": 58, "nose": 60, "neck": 78, "head_top": 40}
    away = {"eye": 5, "ear": 8, "wrist": 45, "elbow": 35, "nose": 0, "neck": 0, "head_top": 0}
    points = []
    for name in COCOPLUS:
        side, _, part = name.partition("_")
        part = part if side in ("left", "right") else name
        sign = {"left": 1, "right": -1}.get(side, 0)
        points.append((160 + sign * away.get(part, 20), heights[part]))
    return np.array(points, float)


def kinds(folder, least=6, pictures=10):
    report = check_people(open_data_set("coco", folder), least, pictures)
    return report, sorted((p.kind, p.file) for p in report.problems)


def test_nothing_is_wrong(tmp_path):
    report, found = kinds(annotated(tmp_path))
    assert found == []
    assert (report.pictures, report.people, report.looked_at) == (3, 4, 3)
    assert report.usable.tolist() == [0, 1, 2, 3]
    assert report.left_out == {}
    assert (report.with_3d, report.with_pose, report.with_shape) == (0, 0, 0)


def test_missing_and_damaged_pictures(tmp_path):
    folder = annotated(tmp_path)
    (folder / "train2017" / "0001.jpg").unlink()
    (folder / "train2017" / "0003.jpg").write_bytes(b"nothing")  # two people's
    report, found = kinds(folder)
    assert found == [(check.DAMAGED, "0003.jpg"), (check.MISSING, "0001.jpg")]
    assert report.usable.tolist() == [1]
    assert report.left_out == {check.MISSING: 1, f"{check.DAMAGED} (of those opened)": 2}
    report, found = kinds(folder, pictures=0)
    assert found == [(check.MISSING, "0001.jpg")]
    assert report.usable.tolist() == [1, 2, 3]


def test_few_keypoints(tmp_path):
    def change(content):
        person = content["annotations"][1]
        person["keypoints"][15:] = [0] * 36
        person["num_keypoints"] = 5

    report, _ = kinds(annotated(tmp_path, change))
    assert report.usable.tolist() == [0, 2, 3]
    assert report.left_out == {"fewer than 6 keypoints": 1}
    assert kinds(tmp_path, least=5)[0].usable.tolist() == [0, 1, 2, 3]


def test_another_size_than_recorded(tmp_path):
    def change(content):
        content["images"][1].update(width=640, height=480)

    _, found = kinds(annotated(tmp_path, change))
    assert found == [(check.RESIZED, "0002.jpg")]


def test_keypoints_outside_and_boxes_elsewhere(tmp_path):
    def change(content):
        # A tenth of the longer side, 32 pixels, is allowed: 351 is as far as they may be.
        content["annotations"][0]["keypoints"][:2] = [353, 100]
        content["annotations"][1]["keypoints"][:2] = [350, 100]
        content["annotations"][2]["bbox"] = [0, 0, 30, 30]

    _, found = kinds(annotated(tmp_path, change))
    assert found == sorted([(check.OUTSIDE, "0001.jpg"), (check.EMPTY, "0003.jpg")])


@pytest.mark.parametrize(
    ("exchanged", "wrong"),
    [
        (("shoulder", "elbow", "wrist", "eye", "ear"), True),
        (("hip",), True),
        (("hip", "knee", "ankle"), True),
        (("eye", "ear"), True),  # a face on the back of the head
        (("knee", "ankle"), False),  # crossed legs
        (("wrist", "elbow"), False),  # crossed arms
        ((), False),
    ],
)
def test_exchanged_sides(tmp_path, exchanged, wrong):
    def change(content):
        values = np.array(content["annotations"][1]["keypoints"], float).reshape(17, 3)
        swapped = values.copy()
        for part in exchanged:
            left, right = (layouts.COCO_NAMES.index(f"{side}_{part}") for side in ("left", "right"))
            swapped[[left, right]] = values[[right, left]]
        content["annotations"][1]["keypoints"] = swapped.ravel().tolist()

    _, found = kinds(annotated(tmp_path, change))
    assert {kind for kind, _ in found} == ({check.SWAPPED} if wrong else set())


def test_a_side_view_is_not_exchanged():
    """Seen from the side, shoulders and hips are short lines that may point anywhere."""
    points = standing()
    points[:, 0] = 160 + 0.2 * (points[:, 0] - 160)
    hips = [COCOPLUS.index(f"{side}_hip") for side in ("left", "right")]
    points[hips] = points[hips[::-1]]
    known = np.ones((1, 19), bool)
    assert not twisted(points[None], known, "shoulder", "hip").any()


def test_the_first_problems_are_of_every_kind(tmp_path):
    problems = [check.Problem("a", f"{n:03d}", "") for n in range(50)]
    problems += [check.Problem("b", "900", ""), check.Problem("c", "800", "")]
    report = check.PeopleReport(0, 0, 0, 0, 0, problems=problems)
    first = report.first(10)
    assert [p.file for p in first] == [*(f"{n:03d}" for n in range(8)), "800", "900"]


def test_the_command_says_and_draws(tmp_path, capsys):
    folder = annotated(tmp_path / "coco")
    (folder / "train2017" / "0001.jpg").unlink()
    sheet = tmp_path / "sheet.png"
    assert main(["data", "check", f"coco={folder}", "--sheet", str(sheet)]) == 0
    said = capsys.readouterr().out
    for line in (
        r"  pictures           3",
        r"  usable             3  people with 6 keypoints and a picture",
        r"          1  picture is missing",
        r"  0001.jpg: picture is missing",
    ):
        assert line in said.splitlines()
    pixels = np.asarray(Image.open(sheet).convert("RGB")).reshape(-1, 3)
    for colour in (LEFT, RIGHT):
        wanted = np.round(255 * np.array(rgb(colour)))
        assert (np.abs(pixels - wanted).max(1) < 12).sum() > 500


def test_left_and_right_are_drawn_on_their_side(tmp_path):
    """The person faces us: the orange left arm is on the right half of the tile."""
    folder = annotated(tmp_path / "coco")
    for file in (folder / "train2017").iterdir():
        Image.new("RGB", (320, 240)).save(file)
    sheet = tmp_path / "sheet.png"
    assert main(["data", "check", str(folder), "--sheet", str(sheet), "--people", "1"]) == 0
    pixels = np.asarray(Image.open(sheet).convert("RGB")).astype(int)
    orange = np.argwhere(np.abs(pixels - 255 * np.array(rgb(LEFT))).max(2) < 30)
    blue = np.argwhere(np.abs(pixels - 255 * np.array(rgb(RIGHT))).max(2) < 30)
    assert blue[:, 1].mean() < 100 < 132 < orange[:, 1].mean()


def test_nobody_is_usable(tmp_path, capsys):
    folder = annotated(tmp_path / "coco")
    shutil.rmtree(folder / "train2017")
    assert main(["data", "check", f"coco={folder}"]) == 2
    said = capsys.readouterr()
    assert "nobody in it is usable" in said.err
    assert "          3  picture is missing" in said.out.splitlines()


@pytest.mark.parametrize("kind", LAYOUTS)
def test_every_data_set_is_recognised_and_drawn(tmp_path, kind, capsys):
    name, write, _ = LAYOUTS[kind]
    path = write(tmp_path / "set", made_up())
    assert recognise(path) == name
    sheet = tmp_path / "sheet.png"
    words = ["data", "check", str(path), "--least", "1", "--sheet", str(sheet)]
    assert main(words) == 0
    assert capsys.readouterr().out.startswith(f"{name}: ")
    assert sheet.stat().st_size > 5000


def test_files_are_recognised(tmp_path):
    for kind, file, name in (
        ("coco", "annotations/person_keypoints_train2017.json", "coco"),
        ("lsp", "joints.mat", "lsp"),
        ("lspet", "joints.mat", "lspet"),
        ("mpii", "annotations/mpii_human_pose_v1_u12_1.mat", "mpii"),
        ("mpii of HRNet", "annot/train.json", "mpii"),
        ("aic", "keypoint_train_annotations_20170909.json", "aic"),
        ("mpi-inf-3dhp", "S1/Seq1/annot.mat", "mpi-inf-3dhp"),
        ("3dpw", "sequenceFiles/train/walking_00.pkl", "3dpw"),
        ("spin", "mpi_inf_train.npz", "spin"),
        ("4dhumans", "anything_train.npz", "4dhumans"),
        ("openpose", "0001_keypoints.json", "openpose"),
        ("json", "annotations.json", "json"),
    ):
        folder = LAYOUTS[kind][1](tmp_path / kind, made_up())
        assert recognise(folder / file) == name
        table = open_data_set(name, folder / file)
        assert table.path(0).is_file(), kind  # the pictures are found too


def test_what_is_not_recognised(tmp_path):
    with pytest.raises(DataError, match=r"its files are those of no data set; write NAME=.*coco, "):
        recognise(tmp_path)
    with pytest.raises(FileNotFoundError, match=r"no data set .*nowhere"):
        named_path(str(tmp_path / "nowhere"))
    with pytest.raises(DataError, match="no data set is called 'koko'; coco, lsp, "):
        named_path("koko=/data")
    assert named_path(f"lsp={tmp_path}") == ("lsp", tmp_path)
    layouts.write_openpose(tmp_path, made_up())
    layouts.write_json(tmp_path, made_up())
    with pytest.raises(DataError, match="it may be openpose or json"):
        recognise(tmp_path)


def test_the_list_names_every_data_set(capsys):
    assert main(["data", "list"]) == 0
    said = capsys.readouterr().out
    for name, data_set in DATA_SETS.items():
        assert f"{name:14s} {data_set.help}" in said
        assert data_set.layout
        assert data_set.licence in said
        assert data_set.source in said
