"""Data sets on the user's disk: found, read once, indexed, and opened again."""

import importlib
import json
import linecache
import pickle
import re
import shutil
import sys
import types
from dataclasses import replace
from functools import partial, wraps
from pathlib import Path

import jaxtyping
import numpy as np
import pytest
import torch

from hmr_edu.data.photos import index as index_module
from hmr_edu.data.photos.annotations import read_annotations
from hmr_edu.data.photos.data_sets import DATA_SETS, DataSet, open_data_set
from hmr_edu.data.photos.described import Described
from hmr_edu.data.photos.index import open_index, source_of, write_index
from hmr_edu.data.photos.layout import Layout
from hmr_edu.data.photos.pictures import EXAMPLES
from hmr_edu.data.photos.sets import coco as coco_set
from hmr_edu.data.photos.table import PeopleTable, TableBuilder, check_table
from hmr_edu.io.big_json import read_big_json
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCO17, COCOPLUS


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HMR_EDU_CACHE", str(tmp_path / "cache"))
    return tmp_path / "cache"


def coco(folder, people, part="train2017"):
    """Write COCO's layout: person n has all keypoints at (n, 2 n), v = 2, but no right ankle."""
    annotations = [
        {
            "id": n,
            "image_id": n // 2,
            "category_id": 1,
            "iscrowd": 0,
            "num_keypoints": 16,
            "keypoints": [
                number
                for name in COCO17
                for number in ((0, 0, 0) if name == "right_ankle" else (n + 1, 2 * n + 1, 2))
            ],
            "bbox": [10, 20, 30, 50],
            "segmentation": [[0.0] * 60],
        }
        for n in range(people)
    ]
    annotations[0]["iscrowd"] = 1
    images = [
        {"id": k, "file_name": f"{k:012d}.jpg", "width": 640, "height": 480}
        for k in range((people + 1) // 2)
    ]
    (folder / "annotations").mkdir(parents=True)
    path = folder / "annotations" / f"person_keypoints_{part}.json"
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO17)}]
    path.write_text(
        json.dumps({"images": images, "annotations": annotations, "categories": categories})
    )
    return path


def test_coco_by_hand(tmp_path):
    coco(tmp_path / "coco", 5)
    table = open_data_set("coco", tmp_path / "coco")
    assert len(table) == 4
    assert table.left_out == {"crowds, and people without keypoints": 1}
    person = table[2]  # n = 3, in the second picture
    assert person.path == tmp_path / "coco" / "train2017" / "000000000001.jpg"
    # The box [10, 40) x [20, 70): its middle counts from the centre of pixel 0; 1.2 * 50 wide.
    assert tuple(vars(person.crop).values()) == pytest.approx((24.5, 44.5, 60))
    assert person.keypoints2d[COCOPLUS.index("nose")].tolist() == [4, 7]
    missing = [COCOPLUS[k] for k in range(19) if not person.visible[k]]
    assert missing == ["right_ankle", "neck", "head_top"]
    assert table.size(2) == (640, 480)
    numbers = table.tensors([2, 0])
    assert numbers["keypoints2d"][1, COCOPLUS.index("nose")].tolist() == [2, 3]
    assert numbers["keypoints3d"].isnan().all()


def test_a_table_agrees_with_the_people_read_one_by_one():
    people = read_annotations(EXAMPLES / "keypoints.json")
    table = PeopleTable.of(people)
    assert len(table) == len(people) > 1
    for ours, theirs in zip(table, people, strict=True):
        assert ours.path == theirs.path
        assert vars(ours.crop) == pytest.approx(vars(theirs.crop), rel=1e-6)
        torch.testing.assert_close(ours.keypoints2d, theirs.keypoints2d)
        torch.testing.assert_close(ours.visible, theirs.visible)
    assert [p.path for p in table[1:]] == [p.path for p in people[1:]]


def test_the_index_is_used_and_made_again(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(index_module, "SMALLEST", 1)
    path = coco(tmp_path / "coco", 5)
    first = open_data_set("coco", tmp_path / "coco")
    assert isinstance(first.keypoints2d, np.memmap)
    (folder,) = (cache / "people").iterdir()

    reads = []
    whole = DATA_SETS["coco"].read

    @wraps(whole)  # the reader's code is part of the index's name
    def count(layout):
        reads.append(1)
        return whole(layout)

    counted = DataSet(DATA_SETS["coco"].find, count, "counted")
    monkeypatch.setitem(DATA_SETS, "coco", counted)
    again = open_data_set("coco", tmp_path / "coco")
    assert not reads
    assert again.left_out == first.left_out
    for name, array in first.arrays().items():
        np.testing.assert_array_equal(again.arrays()[name], array)

    # A damaged index is made again, and so is that of a file that changed.
    crops = np.array(first.crops)
    (folder / "crops.npy").write_bytes(b"\x93NUMPY cut")
    np.testing.assert_array_equal(open_data_set("coco", tmp_path / "coco").crops, crops)
    assert len(reads) == 1
    text = path.read_text().replace('"bbox": [10, 20, 30, 50]', '"bbox": [10, 20, 30, 60]')
    path.write_text(text)
    assert open_data_set("coco", tmp_path / "coco").crops[0, 2] == pytest.approx(72)
    assert len(reads) == 2


OWN = """
from hmr_edu.data.photos.table import TableBuilder

SIDE = 10


def read(layout):
    builder = TableBuilder(layout.pictures)
    builder.add("a.jpg", None, (0, 0, SIDE), [[1, 2]] * 19, [1] * 19)
    return builder.table()
"""


def test_the_index_is_made_again_when_the_reader_changes(tmp_path, cache, monkeypatch):
    monkeypatch.setattr(index_module, "SMALLEST", 1)
    monkeypatch.syspath_prepend(tmp_path)
    marks = tmp_path / "marks.txt"
    marks.write_text("")

    def side(text):
        """Open the data set as a new process would, in which the reader has this text."""
        (tmp_path / "own_marks_reader.py").write_text(text)
        monkeypatch.delitem(sys.modules, "own_marks_reader", raising=False)
        importlib.invalidate_caches()
        shutil.rmtree(tmp_path / "__pycache__", ignore_errors=True)  # written in the same second
        module = importlib.import_module("own_marks_reader")
        own = DataSet(lambda path, split: Layout((marks,), path), module.read, "own")
        monkeypatch.setitem(DATA_SETS, "own", own)
        return open_data_set("own", tmp_path).crops[0, 2]

    assert side(OWN) == side(OWN) == 10
    assert len(list((cache / "people").iterdir())) == 1
    assert side(OWN.replace("SIDE = 10", "SIDE = 20")) == 20  # not in the function itself
    assert side(OWN) == 10
    assert len(list((cache / "people").iterdir())) == 2


def test_the_source_of_any_reader():
    whole = DATA_SETS["coco"].read
    text = Path(coco_set.__file__).read_text()
    wrapped = wraps(whole)(lambda layout: whole(layout))
    assert source_of(whole) == source_of(partial(whole)) == source_of(wrapped) == text
    typed = {}
    exec("def read(layout): ...", typed)
    for without in (typed["read"], len, partial(len)):
        assert source_of(without) == ""
    # A notebook's module has no file, but its cells have lines.
    cell = "def read(layout):\n    return 7\n"
    notebook = types.ModuleType("__notebook__")
    exec(compile(cell, "<cell 7>", "exec"), vars(notebook))
    linecache.cache["<cell 7>"] = (len(cell), None, cell.splitlines(True), "<cell 7>")
    assert source_of(notebook.read) == cell


def test_without_a_cache_that_can_be_written(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "SMALLEST", 1)
    (tmp_path / "file").write_text("")
    monkeypatch.setenv("HMR_EDU_CACHE", str(tmp_path / "file"))
    coco(tmp_path / "coco", 5)
    assert len(open_data_set("coco", tmp_path / "coco")) == 4


DAMAGED = [
    "",
    "[]",
    "{",
    '{"images": []}',
    '{"images": 3, "annotations": []}',
    '{"images": [], "annotations": [3]}',
    '{"images": [], "annotations": 5}',
]


@pytest.mark.parametrize("damage", DAMAGED)
def test_a_damaged_file_is_one_error(tmp_path, damage):
    path = coco(tmp_path / "coco", 3)
    path.write_text(damage)
    with pytest.raises(DataError, match=r"person_keypoints_train2017\.json: "):
        open_data_set("coco", tmp_path / "coco")


def test_what_is_not_there(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no data set .*nowhere"):
        open_data_set("coco", tmp_path / "nowhere")
    with pytest.raises(FileNotFoundError, match=r"annotations/person_keypoints_train2017\.json"):
        open_data_set("coco", tmp_path)
    with pytest.raises(DataError, match="no data set is called 'koko'; coco, "):
        open_data_set("koko", tmp_path)
    with pytest.raises(DataError, match="a split is train or test, not 'val'"):
        open_data_set("coco", tmp_path, "val")


def test_people_with_few_keypoints_are_counted():
    builder = TableBuilder(Path("folder"))
    for known in (3, 6, 19):
        visible = [1.0] * known + [0.0] * (19 - known)
        builder.add("a.jpg", (4, 3), (0, 0, 1), np.zeros((19, 2)), visible)
    table = builder.table().usable(6)
    assert len(table) == 2
    assert table.left_out == {"fewer than 6 keypoints": 1}


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("crops", np.nan, "person 0 has no box"),
        ("crops", 0, "person 0 has no box"),
        ("visible", 2, "confidences"),
        ("keypoints2d", np.inf, "right_ankle lies nowhere"),
        ("picture", 7, "not listed"),
    ],
)
def test_a_table_is_checked(name, value, message):
    builder = TableBuilder(Path("folder"))
    builder.add("a.jpg", None, (0, 0, 1), np.zeros((19, 2)), np.ones(19))
    table = builder.table()
    check_table(table)
    getattr(table, name)[...] = value
    with pytest.raises(DataError, match=message):
        check_table(table)


def add(builder, file="a.jpg", **changes):
    builder.add(
        **{"file": file, "size": None, "crop": (0, 0, 1), "keypoints2d": np.zeros((19, 2))}
        | {"visible": np.ones(19)}
        | changes
    )


SHAPES = [
    ("keypoints3d", (24, 3), "not [19, 3]: give the 19 keypoints of COCO+ in its order"),
    ("keypoints3d", (1, 19, 3), "not [19, 3], without an axis before it: give the 19"),
    ("pose", (24, 3), "not [72]: give the axis-angle of SMPL's 24 joints, flattened to 72 numbers"),
    ("betas", (300,), "not [10]: give the first 10"),
    ("keypoints2d", (17, 2), "not [19, 2]: give the 19 keypoints"),
    ("visible", (19, 1), "not [19]: give the 19 keypoints"),
]


@pytest.mark.parametrize(("name", "shape", "words"), SHAPES)
def test_shapes_that_cannot_be_are_named_when_a_person_is_added(name, shape, words):
    builder = TableBuilder(Path("folder"))
    expected = re.escape(f"a.jpg: `{name}` has shape {list(shape)}, {words}")
    with pytest.raises(DataError, match=f"^{expected}"):
        add(builder, **{name: np.zeros(shape)})
    assert not builder.numbers  # nothing of the person stays


def test_labels_that_are_none_are_named():
    builder = TableBuilder(Path("folder"))
    with pytest.raises(
        DataError, match=r"a\.jpg: no label is called 'poses'; keypoints3d, pose, b"
    ):
        add(builder, poses=np.zeros(72))
    with pytest.raises(DataError, match=r"a\.jpg: `pose` is no array of numbers: "):
        add(builder, pose=[[1, 2], [3]])
    with pytest.raises(
        DataError, match=r"a\.jpg: `crops` has shape \[2\], not \[3\]: give the centre"
    ):
        add(builder, crop=(1, 2))


def test_labels_of_described_people_are_named_by_their_place():
    builder = TableBuilder(Path("folder"))
    person = Described("a.jpg", None, (0, 0, 9, 9), {"nose": (2, 3)}, "marks.txt: line 3")
    with pytest.raises(DataError, match=r"^marks\.txt: line 3: a\.jpg: `pose` has shape \[24, 3\]"):
        builder.describe(person, pose=np.zeros((24, 3)))


def test_tables_of_other_builders_are_checked_too(monkeypatch):
    """A reader may make its own arrays, as SPIN's does."""
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside the tests
    builder = TableBuilder(Path("folder"))
    add(builder)
    add(builder, "b.jpg")
    for name, shape, words in SHAPES[:3:2]:
        table = replace(builder.table(), **{name: np.zeros((2, *shape), np.float32)})
        words = words.replace("not [", "not [2, ")
        expected = re.escape(f"`{name}` has shape {[2, *shape]}, {words}")
        with pytest.raises(DataError, match=f"^{expected}"):
            check_table(table)
    with pytest.raises(DataError, match="1 rows of betas for 2 people"):
        check_table(replace(builder.table(), betas=np.zeros((1, 10), np.float32)))


@pytest.mark.parametrize("part", [1, 2, 10])
@pytest.mark.parametrize("having", [(2,), (0,), (0, 1)])
def test_a_label_of_some_people_goes_to_nobody_else(monkeypatch, part, having):
    """Rows are joined in parts: the label may lack in the first, in the last, or within one."""
    monkeypatch.setattr("hmr_edu.data.photos.table.PART", part)
    builder = TableBuilder(Path("folder"))
    for number in range(3):
        labels = {"keypoints3d": np.full((19, 3), number)} if number in having else {}
        add(builder, f"{number}.jpg", **labels)
    words = f"`keypoints3d` was given for {len(having)} of 3 people: give it for every person, NaN"
    with pytest.raises(DataError, match=words):
        builder.table()


def test_entries_are_read_one_by_one(tmp_path):
    path = tmp_path / "big.json"
    path.write_text('{"a": [{"x": 1}, {"x": 2}], "b": {"c": [1]}}')
    content = read_big_json(path, "test file", ("a", "b"))
    assert list(content["a"]) == [{"x": 1}, {"x": 2}]
    assert content["a"][1] == {"x": 2}
    assert content["b"] == {"c": [1]}


def test_workers_share_an_index(tmp_path, monkeypatch):
    monkeypatch.setattr(index_module, "SMALLEST", 1)
    coco(tmp_path / "coco", 300)
    table = open_data_set("coco", tmp_path / "coco")
    sent = pickle.dumps(table)
    # The numbers stay in the files: a person alone would be 240 bytes.
    assert len(sent) < 40 * len(table)
    there = pickle.loads(sent)
    assert isinstance(there.keypoints2d, np.memmap)
    for name, array in table.arrays().items():
        np.testing.assert_array_equal(there.arrays()[name], array)
    some = table[5:20]
    np.testing.assert_array_equal(pickle.loads(pickle.dumps(some)).crops, some.crops)


@pytest.mark.parametrize(
    ("name", "words"), [("\ud800.jpg", "is no text"), ("a" * 5000, "has 5,000 bytes")]
)
@pytest.mark.parametrize("kind", ["coco", "json"])
def test_names_that_no_disk_can_hold_are_named(tmp_path, kind, name, words):
    people = {name: [{"keypoints": {"nose": [1, 2], "left_eye": [9, 9]}}]}
    path = tmp_path / "a.json"
    if kind == "coco":
        path = coco(tmp_path, 3)
        content = json.loads(path.read_text())
        content["images"][0]["file_name"] = name
        people = content
    path.write_text(json.dumps(people))
    # COCO's reader knows the first before it is a name.
    with pytest.raises(DataError, match=f"name.* {words}|not a JSON object"):
        open_data_set(kind, path)


def test_an_index_of_damaged_arrays_is_made_again(tmp_path):
    table = open_data_set("coco", coco(tmp_path, 3))
    write_index(tmp_path / "index", table)
    assert open_index(tmp_path / "index") is not None
    header = b"\x93NUMPY\x01\x00\x06\x00{'a':("
    for damage in (b"", b"\x93NUMPY", header, b"no array"):
        (tmp_path / "index" / "crops.npy").write_bytes(damage)
        assert open_index(tmp_path / "index") is None
