"""All that lies in a student's folder is taken or named; names are names."""

import io
import json
import os
import stat
import time
import zipfile
from contextlib import suppress

import nbformat
import pytest
from helpers.odd_class import packed
from helpers.released import release

pytest.importorskip("nbgrader")

from hmr_edu.course.grading import classroom, submissions
from hmr_edu.course.grading.assignment import copy_number, handed_out
from hmr_edu.course.grading.names import LONGEST, Register, written_as
from hmr_edu.course.grading.notebook_file import read_notebook
from hmr_edu.course.grading.stub import STUB
from hmr_edu.course.grading.submissions import look_through
from hmr_edu.course.grading.unpack import unpack
from hmr_edu.io.errors import DataError


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return release(tmp_path_factory.mktemp("course"), "ps1", "ps2")


@pytest.fixture(scope="module")
def files(course):
    """Blank and written notebooks by their names."""
    found = {}
    for path in (course / "release").rglob("*.ipynb"):
        text = path.read_text()
        found[path.stem] = text.replace(json.dumps(STUB)[1:-1], "return 1").encode()
        found[path.stem + " blank"] = text.encode()
    return found


@pytest.fixture
def looked(course, tmp_path):
    """Write files, look through them; return what was taken (set/notebook: where), and the rest."""

    def look(content):
        for name, member in content.items():
            path = tmp_path / "student" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_bytes(member)
        (tmp_path / "scratch").mkdir()
        sets = handed_out(course / "release")
        handed = look_through("student", tmp_path / "student", sets, tmp_path / "scratch")
        taken = {
            f"{name}/{part}": found.where
            for name, parts in handed.taken.items()
            for part, found in parts.items()
        }
        return taken, handed

    return look


# A file's path; where it must be found to belong.
PLACES = {
    "ps1/01_rodrigues.ipynb": "ps1/01_rodrigues",
    "01_rodrigues.ipynb": "ps1/01_rodrigues",
    "PS 01/homework/mine/01_rodrigues.ipynb": "ps1/01_rodrigues",
    "ps1/01_rodrigues (1).ipynb": "ps1/01_rodrigues",
    "ps1/01_rodrigues-Copy1.ipynb": "ps1/01_rodrigues",
    "ps1/Final FINAL.ipynb": "ps1/01_rodrigues",
    "ps1/01_rodrigues.ipynb.txt": "ps1/01_rodrigues",
    "ps1/01_rodrigues.IPYNB": "ps1/01_rodrigues",
    "ps1/01_rodrigues.json": "ps1/01_rodrigues",
    "ps1/01_rodrigues": "ps1/01_rodrigues",
    "ps2/01_rodrigues.ipynb": "ps1/01_rodrigues",
    "ps1/02_smpl.ipynb": "ps1/01_rodrigues",  # by what it holds
    "ps1/[a-z]*?.ipynb": "ps1/01_rodrigues",
    "[ps1]/  /01_rodrigues.ipynb": "ps1/01_rodrigues",
}


@pytest.mark.parametrize("path", PLACES)
def test_a_notebook_is_found_wherever_it_lies(path, looked, files):
    taken, handed = looked({path: files["01_rodrigues"]})
    assert taken == {PLACES[path]: path}
    assert handed.unread == handed.stops == []


@pytest.mark.parametrize("inside", ["", "ps1/", "a/b/c/"])
def test_a_zip_is_looked_through(inside, looked, files):
    members = {f"{inside}{n}.ipynb": files[n] for n in ("01_rodrigues", "01_problems")}
    members["__MACOSX/._01_problems.ipynb"] = b"x"
    taken, handed = looked({"mine.zip": packed({"inner.zip": packed(members)})})
    assert set(taken) == {"ps1/01_rodrigues", "ps1/01_problems"}
    assert (handed.left, handed.unread, handed.others) == ([], [], 1)


def test_of_two_the_later_copy_counts_unless_it_is_blank(looked, files):
    taken, handed = looked(
        {
            "ps1/01_problems (2).ipynb": files["01_problems blank"],
            "ps1/01_problems (1).ipynb": files["01_problems"],
            "ps1/01_problems.ipynb": files["01_problems"],
        }
    )
    assert taken == {"ps1/01_problems": "ps1/01_problems (1).ipynb"}
    assert len(handed.left) == 2
    assert all("ps1/01_problems (1).ipynb is graded" in line for line in handed.left)


def test_copies_are_counted():
    names = (
        "a.ipynb",
        "a (3).ipynb",
        "01_a-2.ipynb",
        "a-Copy1.ipynb",
        "a_v4.ipynb",
        "a copy.ipynb",
    )
    assert [copy_number(name) for name in names] == [0, 3, 2, 1, 4, 1]


def test_what_is_no_notebook_is_named(looked, files):
    content = {
        "ps1/skew.py": b"def skew(v): pass",
        "ps1/notes.txt": b"hello",
        "ps1/page.html": b"<html>",
        "ps1/other.ipynb": nbformat.writes(nbformat.v4.new_notebook()).encode(),
        "ps1/all.rar": b"Rar!",
        "ps1/broken.zip": b"PK",
        "ps1/cut.ipynb": files["01_problems"][:1000],
        "ps1/empty.ipynb": b"",
        "ps1/page.ipynb": b"<!DOCTYPE html>",
        "ps1/.DS_Store": b"",
        "ps1/.ipynb_checkpoints/01_problems-checkpoint.ipynb": files["01_problems"],
    }
    taken, handed = looked(content)
    assert taken == {}
    named = "\n".join(handed.left + handed.unread)
    for path in list(content)[:9]:
        assert named.count(path) == 1
    assert "hand in the notebook" in named
    assert "is empty" in named
    assert "a web page" in named
    assert handed.others == 2
    assert handed.sets == {"ps1"}


def test_one_unreadable_notebook_does_not_cost_the_others(looked, files):
    taken, handed = looked(
        {"ps1/01_rodrigues.ipynb": files["01_rodrigues"], "ps1/01_problems.ipynb": b"{"}
    )
    assert set(taken) == {"ps1/01_rodrigues"}
    assert len(handed.unread) == 1


def test_a_student_has_so_many_files(looked, monkeypatch):
    monkeypatch.setattr(submissions, "FILES", 5)
    _, handed = looked({f"{n}.txt": b"" for n in range(6)})
    assert "more than 5 files" in handed.stopped("ps1")


def test_a_student_has_so_many_bytes(looked, files, monkeypatch):
    content = {f"{n}.zip": packed({"x.bin": bytes(2**20)}) for n in range(4)}
    content |= {f"{n}.ipynb": files["01_problems"] for n in range(2)}
    monkeypatch.setattr(submissions, "TOTAL_BYTES", 2 * 2**20 + 2 * len(files["01_problems"]))
    _, handed = looked(content)
    assert len(handed.unread) == 2
    assert all("too much" in line for line in handed.unread)


def test_links_and_pipes_stop_their_own_set_only(looked, files, tmp_path):
    (tmp_path / "student" / "ps2").mkdir(parents=True)
    (tmp_path / "student" / "ps2" / "notes").symlink_to(tmp_path)
    os.mkfifo(tmp_path / "student" / "ps2" / "endless.ipynb")
    taken, handed = looked({"ps1/01_rodrigues.ipynb": files["01_rodrigues"]})
    assert set(taken) == {"ps1/01_rodrigues"}
    assert handed.stopped("ps1") == ""
    assert "ps2/notes is a link" in handed.stopped("ps2")
    assert "ps2/endless.ipynb is no regular file" in handed.stopped("ps2")


@pytest.mark.parametrize("name", ["Ada", "Ada Lovelace", "Zoë", "o'neil@uni.edu", "a.b-c_d"])
def test_plain_names_stay(name):
    assert written_as(name) == name


def test_odd_names_become_safe_ones_that_differ():
    odd = ["a[b]", "a*", "a?", "a ", " a", "a.", "..", "a/b", "a\nb", "-a", "a~b", "Zoe\u0308"]
    odd += [
        "x" * 200,
        "é" * 40,
        "\udcff",
        "a..b",
        "{student_id}",
        "~",
        "*",
        "CON:",
        "<b>",
        "#1",
        "%2F",
    ]
    written = [written_as(name) for name in odd]
    assert len(set(written)) == len(odd)
    for name in written:
        assert name.isascii()
        assert set(name) <= set("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-~")
        assert len(name) <= LONGEST


def zip_of(tmp_path, *members):
    path = tmp_path / "some.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data, mode in members:
            info = zipfile.ZipInfo(name)
            info.external_attr, info.compress_type = mode << 16, zipfile.ZIP_DEFLATED
            archive.writestr(info, data)
    return path


REFUSED_ZIPS = {
    "up": (("a/../../b", b"", 0), "leads out"),
    "absolute": (("/etc/passwd", b"", 0), "leads out"),
    "of Windows": (("..\\b", b"", 0), "leads out"),
    "a drive": (("C:/b", b"", 0), "leads out"),
    "a link": (("b", b"/etc/passwd", stat.S_IFLNK | 0o777), "is a link"),
    "a device": (("b", b"", stat.S_IFCHR | 0o777), "is a link, or no regular file"),
    "large": (("b", bytes(101 * 2**20), 0), "too much"),
    "a long name": (("b" * 300, b"", 0), "too long"),
}


@pytest.mark.parametrize("kind", REFUSED_ZIPS)
def test_a_zip_that_harms_is_refused_whole(kind, tmp_path):
    member, why = REFUSED_ZIPS[kind]
    path = zip_of(tmp_path, ("fine.txt", b"x", 0), member)
    with pytest.raises(DataError, match=why):
        unpack(path, tmp_path / "out")
    assert {p.name for p in tmp_path.iterdir()} <= {"some.zip"}


def test_zips_with_limits_and_the_time_of_a_member(tmp_path):
    path = zip_of(tmp_path, *((f"{n}.txt", b"x", 0) for n in range(11)))
    with pytest.raises(DataError, match="11 files"):
        unpack(path, tmp_path / "out", members=10)
    with pytest.raises(DataError, match="too much"):
        unpack(path, tmp_path / "out", total=10)
    unpack(path, tmp_path / "out")
    made = time.localtime((tmp_path / "out" / "0.txt").stat().st_mtime)
    assert made.tm_year == 1980  # zipfile's own default
    twice = io.BytesIO()
    with zipfile.ZipFile(twice, "w") as archive:
        archive.writestr("a", b"1")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("a", b"2")
    path.write_bytes(twice.getvalue())
    with pytest.raises(DataError, match="twice"):
        unpack(path, tmp_path / "twice")


def cell(**changes):
    return {"cell_type": "code", "source": "x = 1", "metadata": {}, "outputs": []} | changes


ODD_CELLS = {
    "a list of lines": (cell(source=["a = 1\n", "b = 2"]), "a = 1\nb = 2"),
    "no metadata": ({"cell_type": "code", "source": "x"}, "x"),
    "no source": ({"cell_type": "code"}, ""),
    "half a character": (cell(source="'\ud800'"), "'???'"),
    "odd metadata": (cell(metadata=[1]), "x = 1"),
    "odd marks": (cell(metadata={"nbgrader": {"grade_id": ["x"], "schema_version": 99}}), "x = 1"),
    "odd kind": (cell(cell_type=["code"]), "x = 1"),
    "no text": (cell(source={"a": 1}), ""),
}


@pytest.mark.parametrize("kind", ODD_CELLS)
@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "utf-16"])
def test_a_damaged_cell_costs_itself_only(kind, encoding, tmp_path):
    damaged, wanted = ODD_CELLS[kind]
    path = tmp_path / "a.ipynb"
    content = {"cells": [damaged, "no cell", cell(source="fine")], "metadata": {}, "nbformat": 4}
    path.write_bytes(json.dumps(content).encode(encoding))
    first, second = read_notebook(path).cells
    assert (first.source.replace("\ufffd", "?"), second.source) == (wanted, "fine")
    nbformat.validate(read_notebook(path))


def test_an_old_notebook_is_read(tmp_path):
    old = {"metadata": {"name": ""}, "nbformat": 3, "nbformat_minor": 0}
    old["worksheets"] = [{"cells": [{"cell_type": "code", "input": "x = 1", "outputs": []}]}]
    old["worksheets"][0]["cells"][0] |= {"language": "python", "collapsed": False, "metadata": {}}
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(old))
    (first,) = read_notebook(path).cells
    assert (first.cell_type, first.source) == ("code", "x = 1")


@pytest.mark.parametrize("text", ["[" * 10**5, "[]", '{"cells"', "null", "\x00", '{"a": 1}'])
def test_what_is_no_notebook_says_so(text, tmp_path):
    path = tmp_path / "a.ipynb"
    path.write_text(text)
    with pytest.raises(DataError, match="no notebook"):
        read_notebook(path)


def test_one_students_exception_never_stops_the_class(course, files, tmp_path, monkeypatch):
    for name in ("ann", "bob", "cid"):
        path = tmp_path / "in" / name / "ps1" / "01_rodrigues.ipynb"
        path.parent.mkdir(parents=True)
        path.write_bytes(files["01_rodrigues"])
    ran = []

    def run(converter, folder, name, student, submitted):
        ran.append(student)
        if student == "bob":
            raise RecursionError("so deep")

    monkeypatch.setattr(classroom, "run", run)
    monkeypatch.setattr(classroom, "take_back", lambda *_, **__: None)
    monkeypatch.setattr(classroom, "score", lambda *_: "1 of 22")
    failed = classroom.grade(course, tmp_path / "in", lambda line: None)
    assert ran == ["ann", "bob", "cid"]
    assert failed == ["bob ps1: RecursionError: so deep"]


def test_an_empty_folder_says_what_is_wanted(course, tmp_path):
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "all.zip").write_bytes(b"PK")
    with pytest.raises(DataError, match=r"STUDENT/ps1/NOTEBOOK.ipynb in it; it holds all.zip"):
        classroom.grade(course, tmp_path / "in")
    with pytest.raises(DataError, match="no such folder"):
        classroom.grade(course, tmp_path / "nowhere")


@pytest.mark.parametrize(
    "content",
    [
        {"worksheets": [], "nbformat": 4},
        {"worksheets": 7, "nbformat": 3},
        {"worksheets": [{"cells": 7}], "nbformat": 3, "nbformat_minor": 0, "metadata": {}},
        {"worksheets": [{"cells": [7]}], "nbformat": 3, "nbformat_minor": 0, "metadata": {}},
        {"worksheets": [], "nbformat": 10**30},
        {"worksheets": {}, "nbformat": "3"},
    ],
)
def test_notebooks_of_an_old_kind_that_are_damaged(tmp_path, content, recwarn):
    path = tmp_path / "a.ipynb"
    path.write_text(json.dumps(content))
    with suppress(DataError):
        assert not read_notebook(path).cells
    assert not recwarn.list


@pytest.mark.parametrize("content", [[], 7, {"students": []}, {"graded": {"ada": 7}}])
def test_a_damaged_list_of_students_is_named(tmp_path, content):
    (tmp_path / "students.json").write_text(json.dumps(content))
    with pytest.raises(DataError, match=r"students\.json"):
        Register(tmp_path)


def test_tags_that_no_notebook_may_have_are_left_out(tmp_path):
    tags = ["exercise", "exercise", "", "a,b", "\ud800", 7]
    content = {"cells": [{"cell_type": "code", "source": "x", "metadata": {"tags": tags}}]}
    (tmp_path / "a.ipynb").write_text(json.dumps(content))
    (cell,) = read_notebook(tmp_path / "a.ipynb").cells
    assert cell.metadata.tags[0] == "exercise"
    assert len(cell.metadata.tags) == 2
