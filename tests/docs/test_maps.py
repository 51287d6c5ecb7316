"""The maps of the docs: papers to code, lessons to code, rooms to imports, mentions to papers."""

import ast
import importlib
import json
import re
import sys
from functools import cache
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
pytest.importorskip("pybtex")
ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

import citations  # noqa: E402 - docs/_ext is no package
import docstrings  # noqa: E402
import lesson_links  # noqa: E402
import paper_map  # noqa: E402
import rooms  # noqa: E402

SECTIONS = lesson_links.sections(ROOT / "notebooks")
BUILT = lesson_links.built(DOCS)
ENTRIES = [
    pytest.param(entry, id=f"{paper}: {entry['where']}")
    for paper, entries in paper_map.entries(DOCS).items()
    for entry in entries
]
BIBLIOGRAPHY = DOCS / "references.bib"


def resolve(name: str) -> object:
    """What a full name stands for."""
    parts = name.split(".")
    for n in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:n]))
        except ModuleNotFoundError:
            continue
        for part in parts[n:]:
            found = getattr(found, part)
        return found
    raise ModuleNotFoundError(name)


def code_of(lesson: str) -> dict[str, str]:
    """A lesson's code by section."""
    (path,) = (ROOT / "notebooks").glob(f"{lesson}_*.ipynb")
    code, section = {"": ""}, ""
    for cell in json.loads(path.read_text(encoding="utf-8"))["cells"]:
        text = "".join(cell["source"])
        if cell["cell_type"] == "code":
            code[section] += text + "\n"
        else:
            for number in re.findall(r"^## (\d*)", text, re.MULTILINE):
                section = number
                code.setdefault(section, "")
    return code


@pytest.mark.parametrize("entry", ENTRIES)
def test_what_the_paper_map_names_exists(entry):
    for name in entry.get("code", []):
        assert resolve(name) is not None
    for place in entry.get("lesson", []):
        assert place in SECTIONS, place
    for test in entry.get("test", []):
        file, _, function = test.partition("::")
        tree = ast.parse((ROOT / "tests" / file).read_text(encoding="utf-8"))
        assert function in {n.name for n in tree.body if isinstance(n, ast.FunctionDef)}, test
    if not entry.get("code"):
        assert re.search(r"\bNot\b|\bNothing\b", entry["what"]), "says nothing of what is missing"


def test_the_paper_map_leaves_nothing_out():
    where = {
        paper: " ".join(f"{entry['where']};" for entry in entries)
        for paper, entries in paper_map.entries(DOCS).items()
    }
    for kind, count in (("equation", 8), ("figure", 5), ("table", 4)):
        found = re.findall(rf"{kind}s? ([\d, and]+)", where["hmr"])
        assert set(re.findall(r"\d", " ".join(found))) == set(map(str, range(1, count + 1))), kind
    found = re.findall(r"equations? ([\d, and]+)", where["smpl"])
    assert set(re.findall(r"\d+", " ".join(found))) == set(map(str, range(1, 16)))
    for section in ("1,", "2;", "3,", "3.1", "3.2", "3.3", "3.4", "4,", "4.1", "4.2", "4.3", "5;"):
        assert section in where["hmr"], section


@pytest.mark.parametrize("lesson", ["01", "03", "04", "05", "06"])
def test_lessons_and_paper_map_number_the_equations_alike(lesson):
    """Lesson 02 has the equations of SMPL, 01 also its first."""
    places = {}
    for entry in paper_map.entries(DOCS)["hmr"]:
        for number in re.findall(r"equation (\d)", entry["where"]):
            places.setdefault(number, set()).update(p[:2] for p in entry["lesson"])
    (path,) = (ROOT / "notebooks").glob(f"{lesson}_*.ipynb")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    words = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown")
    words = words.replace("*SMPL*, 2015, eq. 1", "")
    for first, last in re.findall(r"\b(?:eq\.|equation) (\d)(?: to (\d))?", words):
        for number in range(int(first), int(last or first) + 1):
            assert lesson in places[str(number)], f"equation {number}"


@pytest.mark.parametrize("code", BUILT)
def test_lessons_build_what_the_table_says(code):
    place, own = BUILT[code]
    assert resolve(code) is not None
    assert place in SECTIONS, place
    lesson, _, section = place.partition(".")
    cells = code_of(lesson)
    assert re.search(rf"^(def|class) {own}\b", cells[section], re.MULTILINE), f"no {own} in {place}"
    # The lesson, its tests or its check hold it against the package's own.
    short = code.removeprefix("hmr_edu.").rpartition(".")[2]
    compared = "".join(cells.values())
    compared += (ROOT / "tests" / "lessons" / f"test_lesson_{lesson}.py").read_text("utf-8")
    for path in (ROOT / "hmr_edu" / "course").rglob("*.py"):
        compared += path.read_text("utf-8")
    assert re.search(rf"\b{short}\b", compared), f"nobody compares {own} with {code}"


def test_the_drawing_shows_the_real_imports():
    """Against another reading of the files: their import statements, without grimp."""
    expected: dict[str, set[str]] = {}
    for path in (ROOT / "hmr_edu").rglob("*.py"):
        parts = path.relative_to(ROOT).with_suffix("").parts
        if len(parts) == 2 and parts[1] == "__init__":
            continue
        room = parts[1]
        expected.setdefault(room, set())
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            elif isinstance(node, ast.ImportFrom):
                base = parts[: len(parts) - node.level]
                names = [".".join([*base, node.module or "", ""])]
            rooms_named = {n.split(".")[1] for n in names if n.startswith("hmr_edu.")}
            expected[room] |= {r for r in rooms_named if (ROOT / "hmr_edu" / r).exists()} - {room}
            expected[room] |= {
                r for r in rooms_named if (ROOT / "hmr_edu" / f"{r}.py").exists()
            } - {room}
    imports, files = rooms.room_imports()
    assert imports == expected
    rows = rooms.rows_of(rooms.contract_floors(ROOT / "pyproject.toml"), imports)
    assert sorted(room for row in rows for room in row) == sorted(imports)
    drawn = rooms.drawing(rows, imports, files, "{}.html")
    for room, others in imports.items():
        lines = re.findall(rf'from-{room}" d="M\d+,(\d+)C.*?,(\d+)"', drawn)
        assert len(lines) == len(others)
        assert all(int(top) < int(bottom) for top, bottom in lines), "a line points up"
        assert (DOCS / "api" / f"{room}.md").exists()


def test_lines_that_are_left_out_follow_from_others():
    imports = {"a": {"b", "c", "d"}, "b": {"c"}, "c": {"d"}, "d": set()}
    assert rooms.essential(imports) == {("a", "b"), ("b", "c"), ("c", "d")}
    rows = rooms.rows_of([["a"], ["b", "c", "d"]], imports)
    assert rows == [["a"], ["b"], ["c"], ["d"]]
    with pytest.raises(ValueError, match="circle"):
        rooms.rows_of([["a", "b"]], {"a": {"b"}, "b": {"a"}})


@cache
def sources() -> dict[str, str]:
    """Prose of the docs, the lessons, and the docstrings."""
    found = {}
    for path in [ROOT / "README.md", *DOCS.rglob("*.md"), DOCS / "paper_map.toml"]:
        found[path.name] = path.read_text(encoding="utf-8")
    for path in (ROOT / "notebooks").rglob("*.ipynb"):
        cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
        prose = ["".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"]
        found[path.name] = "\n\n".join(prose)
    for path in (ROOT / "hmr_edu").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Module | ast.FunctionDef | ast.ClassDef):
                name = f"{path.relative_to(ROOT)}: {getattr(node, 'name', '')}"
                found[name] = ast.get_docstring(node) or ""
    return found


def test_who_is_cited_is_in_the_bibliography():
    venues = r"CVPR|ICCV|ECCV|ICLR|NIPS|NeurIPS|JMLR|TPAMI|Asia|[A-Z]{2,}"
    author_year = re.compile(
        rf"\b(?!{venues})[A-Z]\w+(?: et al\.| (?:and|&) [A-Z]\w+),? \(?(?:1[89]|20)\d\d\b"
        rf"|\b(?!{venues})[A-Z][a-zé]+ (?:1[89]|20)\d\d\b(?= *[,.;)]|$)"
        r'|"[A-Z][^"]{12,}",? \(?(?:1[89]|20)\d\d\b'
    )
    missing = []
    for name, text in sources().items():
        text = text.partition("## References")[0]  # the next test's
        known = [(start, end) for start, end, _ in citations.find(text, BIBLIOGRAPHY)]
        for match in author_year.finditer(text):
            if not any(start < match.end() and match.start() < end for start, end in known):
                missing.append(f"{name}: {match[0]}")
    assert not missing


def test_references_of_the_lessons_are_in_the_bibliography():
    def plain(title: str) -> str:
        return re.sub(r"\W+", " ", title).strip().casefold()

    known = {plain(citations.title(e)) for e in citations.entries(BIBLIOGRAPHY).values()}
    for path in sorted((ROOT / "notebooks").glob("*.ipynb")):
        text = sources()[path.name].partition("## References")[2]
        for item in re.findall(r"^- (.*(?:\n  .*)*)", text, re.MULTILINE):
            title = re.search(r'\*([^*]+)\*|"([^"]+)"', item)
            if title and re.search(r"\d{4}", item):
                assert plain(title[1] or title[2]) in known, f"{path.name}: {item}"


def test_every_entry_of_the_bibliography_is_used():
    text = "\n".join(sources().values())
    used = {key for _, _, key in citations.find(text, BIBLIOGRAPHY)}
    for key, entry in citations.entries(BIBLIOGRAPHY).items():
        short = re.escape(entry.fields["shorthand"])
        assert key in used or re.search(rf"(?i)\b{short}\b", text), key


def test_ways_to_name_a_paper():
    for text, key in (
        ("Zhou et al. 2019", "zhou2019"),
        ("Zhou et al.,\nCVPR 2019", "zhou2019"),
        ("Loper et al., SMPL (2015), eq. 1", "loper2015"),
        ("(Shepperd 1978)", "shepperd1978"),
        ("Hartley and Zisserman 2004", "hartley2004"),
        ("Hartley et al. 2013", "hartley2013"),
        ("quaternion from rotation\nmatrix", "shepperd1978"),
    ):
        assert [found for *_, found in citations.find(text, BIBLIOGRAPHY)] == [key], text
    for text in ("Zhou et al. 2018", "Hartley et al. 2004", "in 2019", "Adam"):
        assert not list(citations.find(text, BIBLIOGRAPHY)), text


def test_docstrings_may_hold_bars_and_stars():
    lines = ["A norm |x| of `|y|` and *args::", "", "    |code|", "", "Again |z|."]
    docstrings.escape(None, "", "", None, None, lines)
    assert lines == [r"A norm \|x\| of `|y|` and \*args::", "", "    |code|", "", r"Again \|z\|."]
