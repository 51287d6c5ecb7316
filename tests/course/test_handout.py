"""What is handed out carries help: glossary, notation, questions, and what to do when stuck."""

import re
import zipfile
from pathlib import Path

import nbformat
import pytest

from hmr_edu.course.grading.handout import PAGES, README, plain, readme
from hmr_edu.course.grading.release import problem_sets, write_source, write_zip

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
NAME = "ps1"


@pytest.fixture(scope="module")
def archive(tmp_path_factory):
    folder = tmp_path_factory.mktemp("course")
    write_source(problem_sets(ROOT / "notebooks")[NAME], folder / NAME)
    return write_zip(folder / NAME, folder / f"{NAME}.zip")


@pytest.fixture(scope="module")
def text(archive):
    with zipfile.ZipFile(archive) as packed:
        return packed.read(f"{NAME}/{README}").decode("utf-8")


def test_a_zip_holds_its_notebooks_and_a_readme(archive):
    with zipfile.ZipFile(archive) as packed:
        names = packed.namelist()
    assert names == [f"{NAME}/{n}" for n in ("01_problems.ipynb", "01_rodrigues.ipynb", README)]


def test_it_is_the_same_each_time(archive, tmp_path):
    write_source(problem_sets(ROOT / "notebooks")[NAME], tmp_path / NAME)
    again = write_zip(tmp_path / NAME, tmp_path / "again.zip")
    assert again.read_bytes() == archive.read_bytes()


def full(*arguments, **options):
    """Write as a full disk does: half of it."""
    (file,) = (a for a in arguments if isinstance(a, Path | zipfile.ZipFile))
    Path(file if isinstance(file, Path) else str(file.filename)).write_bytes(b"half")
    raise OSError("no space left on device")


FULL = [
    (nbformat, "write", False),
    (Path, "write_text", False),
    (zipfile.ZipFile, "writestr", True),
]


@pytest.mark.parametrize(("owner", "name", "packs"), FULL)
def test_a_full_disk_leaves_what_was_there(tmp_path, monkeypatch, owner, name, packs):
    folder, sources = tmp_path / NAME, problem_sets(ROOT / "notebooks")[NAME]
    write_source(sources, folder)
    write_zip(folder, tmp_path / "x.zip")
    before = {path: path.read_bytes() for path in tmp_path.rglob("*.*")}
    monkeypatch.setattr(owner, name, full)
    with pytest.raises(OSError, match="no space left"):
        write_zip(folder, tmp_path / "x.zip") if packs else write_source(sources, folder)
    assert {path: path.read_bytes() for path in tmp_path.rglob("*.*")} == before


def words(text: str) -> list[str]:
    """Words of prose, without what Markdown and Sphinx write between them."""
    return re.findall(
        r"[a-zA-Z]{3,}", re.sub(r"\{[\w:-]+\}|<[^>]*>|\]\([^)]*\)|\]\[[^\]]*\]", " ", text)
    )


@pytest.mark.parametrize("page", PAGES)
def test_no_sentence_of_a_page_is_lost(text, page):
    source = (DOCS / f"{page}.md").read_text(encoding="utf-8")
    source = re.sub(r"^\[[^\]]+\]: \S+$|^:::.*$", "", source, flags=re.MULTILINE)
    there = " ".join(words(text))
    for paragraph in source.split("\n\n"):
        assert " ".join(words(paragraph)) in there


def test_it_reads_without_the_site(text):
    assert text.startswith(f"# {NAME}: read me first\n")
    assert len(re.findall(r"^# ", text, re.MULTILINE)) == 1
    assert not re.search(r"\{\w+\}`|:::|\]\(|\]\[|^\[[^\]]+\]: ", text, re.MULTILINE)
    for title in ("When you are stuck", "Glossary", "Notation", "Questions people ask"):
        assert f"\n## {title}\n" in text
        assert f"\n- {title}\n" in text


def test_terms_stand_out():
    page = "# G\n\n:::{glossary}\nbeta\nbetas\n  Ten of a {term}`body <SMPL body>`.\n\n"
    page += "  Also: x.\n:::\n"
    assert plain(page) == "# G\n\n**beta**\\\n**betas**\\\nTen of a body.\n\nAlso: x.\n"


def test_links_become_words_and_code_stays():
    page = "# G\n\nSee [a page](other.md), [02, section 1][02.1] and [the net](https://a.org).\n\n"
    page += "```\n# no heading\n```\n\n[02.1]: lessons/x.ipynb#y\n"
    assert "See a page, 02, section 1 and [the net](https://a.org).\n" in plain(page)
    assert "02.1" not in plain(page)


def test_lessons_without_documentation_have_a_short_one(tmp_path):
    short = readme(tmp_path, "ps9", ["09_other.ipynb"])
    assert "`09_other.ipynb`" in short
    assert "Glossary" not in short
