"""The documentation: links lead somewhere, pages are reached, the site needs no network."""

import ast
import json
import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path

import pytest
from helpers.lab import new_page

ROOT = Path(__file__).resolve().parents[2]
DOCS = ROOT / "docs"
# `docs/lessons/` is written by the build.
PAGES = sorted(
    path
    for path in DOCS.rglob("*.md")
    if not {"_build", "lessons"} & set(path.relative_to(DOCS).parts[:-1])
)
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
FENCE = re.compile(r"^(`{3,}|~{3,}).*?^\1", re.DOTALL | re.MULTILINE)
LINK = re.compile(
    r"\]\(\s*<?([^)>\s]+)>?(?:\s+\"[^\"]*\")?\s*\)"  # [text](target)
    r"|<img[^>]*\bsrc=\"([^\"]+)\""
    r"|^\[[^\]]+\]: *(\S+)$",  # [name]: target
    re.MULTILINE,
)
TOCTREE = re.compile(r"^(`{3,}|:{3,})\{toctree\}(.*?)^\1", re.DOTALL | re.MULTILINE)


def prose(text: str) -> str:
    """Markdown without its code."""
    return re.sub(r"`[^`\n]+`", "", FENCE.sub("", text))


def markdown(path: Path) -> str:
    if path.suffix == ".md":
        return path.read_text(encoding="utf-8")
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    return "\n\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "markdown")


def anchors(path: Path) -> set[str]:
    """What can be linked to: headings, as GitHub and MyST name them, and targets."""
    text = markdown(path)
    found = set(re.findall(r"^\(([\w-]+)\)=$", text, re.MULTILINE))
    for heading in re.findall(r"^#{1,6} (.+)$", FENCE.sub("", text), re.MULTILINE):
        words = re.sub(r"[^\w\- ]", "", heading.strip().lower())
        found.add(words.replace(" ", "-"))
    return found


@pytest.mark.parametrize(
    "path", [*ROOT.glob("*.md"), *PAGES, *LESSONS], ids=lambda p: str(p.relative_to(ROOT))
)
def test_links_lead_somewhere(path):
    targets = set().union(*(anchors(page) for page in PAGES))
    text = prose(markdown(path))
    named = set(re.findall(r"^\[([^\]]+)\]: ", text, re.MULTILINE))
    assert set(re.findall(r"\]\[([^\]]+)\]", text)) == named, "links by name and their targets"
    for groups in LINK.findall(text):
        link = "".join(groups)
        if re.match(r"(https?|mailto|attachment|data):", link):
            continue
        file, _, anchor = link.partition("#")
        if not file:
            # MyST looks for a target of this name on every page.
            assert anchor in anchors(path) | targets, link
            continue
        there = (path.parent / file).resolve()
        if "lessons" in there.relative_to(ROOT).parts and path.parent == DOCS:
            there = ROOT / "notebooks" / there.name
        assert there.exists(), link
        if anchor and there.suffix in (".md", ".ipynb"):
            assert anchor in anchors(there), link


def test_every_page_is_reached():
    def below(page: Path) -> set[Path]:
        found = {page}
        for _, body in TOCTREE.findall(page.read_text(encoding="utf-8")):
            for line in body.splitlines():
                name = line.strip()
                if name and not name.startswith(":") and "*" not in name:
                    child = (page.parent / f"{name}.md").resolve()
                    assert child.exists(), f"{page.name}: no page {name}"
                    found |= below(child)
        return found

    assert below(DOCS / "index.md") == set(PAGES)
    assert "lessons/*" in (DOCS / "lessons.md").read_text()


def test_every_module_has_a_page():
    pages = {path: path.read_text(encoding="utf-8") for path in (DOCS / "api").glob("*.md")}
    named, whole = set(), set()
    for text in pages.values():
        for room, names in re.findall(r"\{modules\} (\S+)\n(.*?):::", text, re.DOTALL):
            if "*" in names.split():
                whole.add(room)
            modules = {f"{room}.{name}" for name in names.split() if name != "*"}
            modules = modules or ({room} if not names.split() else set())
            assert not named & modules, "documented twice"
            named |= modules
    for path in (ROOT / "hmr_edu").rglob("*.py"):
        if path.name == "__init__.py":
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        package = module.rpartition(".")[0]
        assert module in named or package in whole, f"{module} is on no page of docs/api"
    for module in named:
        path = ROOT.joinpath(*module.split("."))
        assert path.with_suffix(".py").exists() or path.is_dir(), module


def test_glossary_is_in_order():
    text = (DOCS / "glossary.md").read_text(encoding="utf-8")
    body = text.split(":::")[1]
    terms = [line for line in body.splitlines()[1:] if line and not line.startswith(" ")]
    assert terms == sorted(terms, key=lambda t: ("six" + t[1:] if t[0] == "6" else t).lower())
    assert len(terms) == len(set(terms))


def test_notation_names_what_exists():
    """Losses of the table are functions, the rest of its names are words of the code."""
    words = set()
    for path in (ROOT / "hmr_edu").rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            if isinstance(node, ast.Name | ast.arg | ast.FunctionDef | ast.ClassDef):
                words.add(getattr(node, "id", getattr(node, "arg", getattr(node, "name", ""))))
    text = (DOCS / "notation.md").read_text(encoding="utf-8")
    for row in re.findall(r"^\| \$.*$", text, re.MULTILINE):
        for name in re.findall(r"`(\w+)", row.rpartition(" | ")[2]):
            assert name in words, row


class Loaded(HTMLParser):
    """What a page loads: scripts, styles, pictures; and what it shows."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.pictures: list[dict[str, str | None]] = []

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        if tag == "script" and "src" in values:
            self.loaded.append(values["src"])
        if tag == "link" and values.get("rel") in (
            "stylesheet",
            "preload",
            "icon",
            "modulepreload",
        ):
            self.loaded.append(values["href"])
        if tag in ("img", "iframe"):
            self.loaded.append(values["src"])
            self.pictures.append(values)


@pytest.fixture(scope="module")
def site(tmp_path_factory) -> Path:
    pytest.importorskip("myst_nb")
    pytest.importorskip("sphinx_book_theme")
    out = tmp_path_factory.mktemp("site")
    build = subprocess.run(
        [
            sys.executable,
            "-m",
            "sphinx",
            "-q",
            "-W",
            "--keep-going",
            "-b",
            "html",
            "docs",
            str(out),
        ],
        cwd=ROOT,
        env=os.environ | {"OMP_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
    )
    assert build.returncode == 0, build.stderr
    return out


@pytest.mark.slow
def test_the_site_needs_no_network(site):
    pages = [page for page in site.rglob("*.html") if "_static" not in page.parts]
    assert {page.stem for page in pages} >= {page.stem for page in [*PAGES, *LESSONS]}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        parser = Loaded()
        parser.feed(text)
        for url in parser.loaded:
            assert not re.match(r"(https?:)?//", url), f"{page.name} loads {url}"
            if not url.startswith("data:"):
                file = url.partition("?")[0].partition("#")[0]
                assert (page.parent / file).exists(), f"{page.name}: no {url}"
        for picture in parser.pictures:
            assert picture.get("alt"), (
                f"{page.name}: a picture without words: {picture['src'][:80]}"
            )
        if "math notranslate" in text:
            assert any("mathjax.js" in url for url in parser.loaded), page.name
    for style in site.rglob("*.css"):
        loads = re.findall(
            r"(?:@import|url\()\s*[\"']?(https?://[^\"')]+)", style.read_text(encoding="utf-8")
        )
        assert not loads, style


@pytest.mark.slow
def test_shapes_and_links_of_the_api(site):
    text = (site / "api" / "rotations.html").read_text(encoding="utf-8")
    words = re.sub(r"<[^>]+>", "", text).replace("&quot;", '"').replace("&#39;", '"')
    assert re.search(r'Float\[Tensor, "\*batch 3"\]', words)
    assert 'href="#hmr_edu.rotations.axis_angle_to_matrix"' in text


@pytest.mark.slow
def test_solutions_are_folded_away(site):
    for lesson in LESSONS:
        if "### BEGIN SOLUTION" in lesson.read_text(encoding="utf-8"):
            page = (site / "lessons" / f"{lesson.stem}.html").read_text(encoding="utf-8")
            assert page.count("BEGIN SOLUTION") == page.count("Show a solution"), lesson.stem


@pytest.fixture
def offline(browser):
    """A page without a network."""
    page = new_page(browser, offline=True)
    yield page
    page.close()


@pytest.mark.slow
@pytest.mark.browser
def test_formulas_are_drawn_without_a_network(site, offline):
    for page in (site / "notation.html", site / "conventions.html"):
        wanted = page.read_text(encoding="utf-8").count('class="math notranslate')
        assert wanted > 20
        offline.goto(page.as_uri())
        drawn = "document.querySelectorAll('mjx-container').length"
        offline.wait_for_function(f"{drawn} >= {wanted}")
        assert offline.evaluate(drawn) == wanted
        assert not offline.locator("mjx-merror").count()


@pytest.mark.slow
def test_figures_say_what_they_show(site):
    for lesson in LESSONS:
        figures = lesson.read_text(encoding="utf-8").count('"application/vnd.plotly.v1+json"')
        page = (site / "lessons" / f"{lesson.stem}.html").read_text(encoding="utf-8")
        assert page.count('<div id="plotly-figure-') == figures, lesson.stem
        assert len(re.findall(r'<div role="figure" aria-label="[^"]{10,}"', page)) == figures
        assert page.count('src="../_static/plotly.js"') == min(figures, 1)


@pytest.mark.slow
def test_films_of_explorers(site):
    page = (site / "explorers.html").read_text(encoding="utf-8")
    films = (DOCS / "explorers.md").read_text(encoding="utf-8").count("```{film}")
    assert len(re.findall(r'<div role="figure" aria-label="[^"]{10,}"', page)) == films > 3
    assert page.count("Plotly.addFrames") == films
    assert page.count('src="_static/plotly.js"') == 1


@pytest.mark.slow
@pytest.mark.browser
def test_figures_are_drawn_without_a_network(site, offline):
    page = site / "lessons" / "00_start_here.html"
    wanted = page.read_text(encoding="utf-8").count('<div id="plotly-figure-')
    assert wanted > 0
    offline.goto(page.as_uri())
    drawn = "document.querySelectorAll('.gl-container').length"
    offline.wait_for_function(f"{drawn} >= {wanted}")
    assert offline.evaluate(drawn) == wanted
    assert offline.locator(".slider-group").count()
    assert not offline.get_by_text("WebGL is not supported").count()
