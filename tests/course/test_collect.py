"""Downloads of Canvas and Moodle, named as their own sources name them."""

import zipfile

import nbformat
import pytest
from helpers.released import release

from hmr_edu.course.grading.collect import collect
from hmr_edu.course.grading.stub import STUB
from hmr_edu.io.errors import DataError


@pytest.fixture(scope="module")
def course(tmp_path_factory):
    return release(tmp_path_factory.mktemp("course"), "ps1", "ps2")


def notebook(course, name, word):
    """A released notebook in which something was written."""
    (path,) = (course / "release").rglob(name)
    found = nbformat.read(path, 4)
    for cell in found.cells:
        cell.source = cell.source.replace(STUB, f"return {word!r}")
    return nbformat.writes(found)


def sorted_into(course, tmp_path, members, **options):
    """Collect a zip of these members; return what lies where, what was said, what failed."""
    download, out, said = tmp_path / "submissions.zip", tmp_path / "submissions", []
    with zipfile.ZipFile(download, "w") as archive:
        for name, text in members:
            archive.writestr(name, text)
    failed = collect(download, course, out, say=said.append, **options)
    found = {str(p.relative_to(out)): p.read_text() for p in out.rglob("*") if p.is_file()}
    return found, "\n".join(said), failed


def test_a_download_of_canvas(course, tmp_path):
    lesson, again = (
        notebook(course, "01_rodrigues.ipynb", 1),
        notebook(course, "01_rodrigues.ipynb", 2),
    )
    problems, other = notebook(course, "01_problems.ipynb", 3), notebook(course, "02_smpl.ipynb", 4)
    blank = (course / "release/ps1/01_problems.ipynb").read_text()
    members = [
        ("lovelaceada_4242_67890_01_rodrigues.ipynb", lesson),
        ("lovelaceada_4242_67891_01_problems.ipynb", problems),
        ("turingalan_LATE_4243_67892_01_rodrigues-1.ipynb", again),
        ("turingalan_LATE_4243_67893_01_rodrigues.ipynb", lesson),
        ("turingalan_LATE_4243_67894_notes.pdf", "%PDF"),
        ("dela_cruz_4244_67895_homework of week 2.ipynb", other),
        ("anon_Xy3zA_67896_01_problems.ipynb", problems),
        ("LATE_anon_Qq1_67897_01_problems.ipynb", problems),
        ("noetheremmy_4245_text.html", "<p>I wrote it here</p>"),
        ("zusekonrad_4246_67899_01_problems.ipynb", problems),
        ("zusekonrad_4246_67900_01_problems-1.ipynb", blank),
        ("zusekonrad_4247_67901_01_problems.ipynb", problems),
        ("readme", "from the dean"),
        ("__MACOSX/._x.ipynb", ""),
    ]
    found, said, failed = sorted_into(course, tmp_path, members)
    assert found == {
        "lovelaceada_4242/ps1/01_rodrigues.ipynb": lesson,
        "lovelaceada_4242/ps1/01_problems.ipynb": problems,
        "turingalan_4243/ps1/01_rodrigues.ipynb": again,
        "dela_cruz_4244/ps2/02_smpl.ipynb": other,
        "anon_Xy3zA/ps1/01_problems.ipynb": problems,
        "anon_Qq1/ps1/01_problems.ipynb": problems,
        "zusekonrad_4246/ps1/01_problems.ipynb": problems,  # the later file is still open
        "zusekonrad_4247/ps1/01_problems.ipynb": problems,
    }
    for line in (
        "turingalan_4243: late",
        "anon_Qq1: late",
        "01_rodrigues.ipynb: 01_rodrigues-1.ipynb is graded in its place",
        "turingalan_4243: left out: notes.pdf: no notebook",
        "noetheremmy_4245: left out: text.html: no notebook",
    ):
        assert line in said
    assert {line.split(":")[0] for line in failed} == {"readme", "noetheremmy_4245"}


@pytest.mark.parametrize("flat", [False, True])
def test_a_download_of_moodle(course, tmp_path, flat):
    lesson, problems = (notebook(course, f"01_{n}.ipynb", 1) for n in ("rodrigues", "problems"))
    between = "_" if flat else "_/"
    members = [
        (f"Ada Lovelace_11_assignsubmission_file{between}01_rodrigues.ipynb", lesson),
        (f"Ada Lovelace_11_assignsubmission_file{between}01_problems.ipynb", problems),
        (f"José Ñandú (B)_12_assignsubmission_file{between}01_problems.ipynb", problems),
        (f"Jan Smith_13_assignsubmission_file{between}01_problems.ipynb", problems),
        (f"Jan Smith_14_assignsubmission_file{between}01_problems.ipynb", problems),
        (f"Jan Smith_14_assignsubmission_onlinetext{between}onlinetext.html", "<p>"),
    ]
    if not flat:
        members.append(("Bo Li_15_assignsubmission_file_/week 1/ps1/01_problems.ipynb", problems))
    found, _, failed = sorted_into(course, tmp_path, members)
    assert found == {
        "Ada Lovelace/ps1/01_rodrigues.ipynb": lesson,
        "Ada Lovelace/ps1/01_problems.ipynb": problems,
        "José Ñandú (B)/ps1/01_problems.ipynb": problems,
        "Jan Smith_13/ps1/01_problems.ipynb": problems,
        "Jan Smith_14/ps1/01_problems.ipynb": problems,
        **({} if flat else {"Bo Li/ps1/01_problems.ipynb": problems}),
    }
    assert failed == []


def test_nothing_is_written_over_in_silence(course, tmp_path):
    name = "lovelaceada_4242_67890_01_rodrigues.ipynb"
    one, two = (notebook(course, "01_rodrigues.ipynb", word) for word in (1, 2))
    sorted_into(course, tmp_path, [(name, one)])
    found, said, failed = sorted_into(course, tmp_path, [(name, one)])
    assert failed == []
    assert "which was there" in said
    found, _, failed = sorted_into(course, tmp_path, [(name, two)])
    assert list(found.values()) == [one]
    assert len(failed) == 1
    assert "another file is there, and stays" in failed[0]
    found, said, failed = sorted_into(course, tmp_path, [(name, two)], replace=True)
    assert (list(found.values()), failed) == ([two], [])
    assert "replaced" in said


def test_a_download_that_leads_out_is_refused(course, tmp_path):
    for name in ("../x_1_2_01_problems.ipynb", "/etc/x_1_2_01_problems.ipynb"):
        with pytest.raises(DataError, match="leads out"):
            sorted_into(course, tmp_path, [(name, "{}")])


def test_what_is_no_download_says_so(course, tmp_path):
    with pytest.raises(DataError, match="Canvas or Moodle"):
        sorted_into(course, tmp_path, [("ada/ps1/01_problems.ipynb", "{}")])
    with pytest.raises(DataError, match="no such file"):
        collect(tmp_path / "nothing.zip", course, tmp_path)
    (tmp_path / "no.zip").write_text("PK")
    with pytest.raises(DataError, match="cannot be unpacked"):
        collect(tmp_path / "no.zip", course, tmp_path)
    with pytest.raises(DataError, match="begin with"):
        collect(tmp_path, tmp_path, tmp_path)
