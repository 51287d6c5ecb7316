"""The built site: it needs no network, its links and anchors lead somewhere, nothing is cut off."""

import os
import re
import subprocess
import sys
from html.parser import HTMLParser
from pathlib import Path
from urllib.parse import unquote

import pytest
from helpers.lab import new_page
from helpers.patience import be_patient

ROOT = Path(__file__).parents[2]
DOCS = ROOT / "docs"
PAGES = sorted(
    path
    for path in DOCS.rglob("*.md")
    if not {"_build", "lessons"} & set(path.relative_to(DOCS).parts[:-1])
)
LESSONS = sorted((ROOT / "notebooks").glob("*.ipynb"))
DESKTOP, PHONE = (1280, 900), (390, 844)


class Loaded(HTMLParser):
    """What a page loads, which pictures it shows, where it links to, what can be linked to."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.pictures: list[dict[str, str | None]] = []
        self.links: list[str] = []
        self.ids: set[str] = set()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.ids |= {values[key] for key in ("id", "name") if values.get(key)}
        if tag == "a" and values.get("href"):
            self.links.append(values["href"])
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


def read(page: Path) -> Loaded:
    parser = Loaded()
    parser.feed(page.read_text(encoding="utf-8"))
    return parser


def pages_of(site: Path) -> list[Path]:
    return sorted(page for page in site.rglob("*.html") if "_static" not in page.parts)


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


@pytest.fixture
def offline(browser):
    """A page without a network."""
    page = new_page(browser, offline=True)
    yield page
    page.close()


@pytest.mark.slow
def test_the_site_needs_no_network(site):
    pages = pages_of(site)
    assert {page.stem for page in pages} >= {page.stem for page in [*PAGES, *LESSONS]}
    for page in pages:
        text = page.read_text(encoding="utf-8")
        parser = read(page)
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


@pytest.mark.slow
def test_links_and_anchors_lead_somewhere(site):
    pages = {page: read(page) for page in pages_of(site)}
    broken = []
    for page, parser in pages.items():
        for link in parser.links:
            if re.match(r"(https?:|mailto:|data:)", link):
                continue
            path, _, anchor = link.partition("#")
            target = (page.parent / unquote(path.partition("?")[0])).resolve() if path else page
            known = pages[target].ids if target in pages else set()
            if not target.exists() or (anchor and target in pages and unquote(anchor) not in known):
                broken.append(f"{page.relative_to(site)}: {link}")
    assert not broken, "\n".join(broken)


@pytest.mark.slow
def test_api_and_lessons_name_each_other(site):
    api = (site / "api" / "regressor.html").read_text(encoding="utf-8")
    lesson = (site / "lessons" / "04_iterative_regression.html").read_text(encoding="utf-8")
    assert re.search(r'Built in lesson <a [^>]*href="../lessons/04_iterative_regression', api)
    assert re.search(r'In the package: .*href="../api/regressor.html#hmr_edu.regressor', lesson)


@pytest.mark.slow
def test_mentions_of_papers_lead_to_the_bibliography(site):
    ids = read(site / "references.html").ids
    for name in ("index", "notation", "api/rotations", "lessons/01_rodrigues"):
        links = [link for link in read(site / f"{name}.html").links if "references.html#" in link]
        assert links, name
        assert {link.partition("#")[2] for link in links} <= ids


@pytest.mark.slow
@pytest.mark.browser
def test_every_page_in_a_browser_without_a_network(site, browser):
    """A light desktop, a dark phone: no request fails, no error, nothing wider than the screen."""
    faults = []
    context = browser.new_context(viewport={"width": DESKTOP[0], "height": DESKTOP[1]})
    be_patient(context)

    def only_local(route):
        if route.request.url.startswith(("file:", "data:", "blob:")):
            route.continue_()
        else:
            faults.append(f"wants {route.request.url}")
            route.abort()

    context.route("**/*", only_local)
    for page in pages_of(site):
        tab, name = context.new_page(), page.relative_to(site)
        tab.on("requestfailed", lambda r, name=name: faults.append(f"{name}: no {r.url}"))
        tab.on("pageerror", lambda e, name=name: faults.append(f"{name}: {e}"))
        tab.on(
            "console",
            lambda m, name=name: m.type == "error" and faults.append(f"{name}: {m.text}"),
        )
        tab.goto(page.as_uri(), wait_until="load")
        # Colours do not depend on the width, nor does the layout on the colours.
        for (width, height), scheme in ((DESKTOP, "light"), (PHONE, "dark")):
            tab.set_viewport_size({"width": width, "height": height})
            tab.emulate_media(color_scheme=scheme)
            tab.wait_for_function(
                "scheme => document.documentElement.dataset.theme === scheme", arg=scheme
            )
            wide = tab.evaluate("document.documentElement.scrollWidth - innerWidth")
            if wide > 0:
                faults.append(f"{name}: {wide} pixels wider than {width}, {scheme}")
            ink = tab.evaluate("getComputedStyle(document.body).backgroundColor")
            bright = sum(map(int, re.findall(r"\d+", ink)[:3])) / (3 * 255)
            if (bright > 0.5) != (scheme == "light"):
                faults.append(f"{name}: {ink} is not {scheme}")
        tab.close()
    context.close()
    assert not faults, "\n".join(faults)
