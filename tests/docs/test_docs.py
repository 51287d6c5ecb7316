"""The documentation's sources: links lead somewhere, pages are reached, words exist."""

import ast
import json
import re
from pathlib import Path

import numpy as np
import pytest

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
    named, whole, deep = set(), set(), set()
    for text in pages.values():
        for room, names in re.findall(r"\{modules\} (\S+)\n(.*?):::", text, re.DOTALL):
            whole |= {room} if "*" in names.split() else set()
            deep |= {room} if "**" in names.split() else set()
            modules = {f"{room}.{name}" for name in names.split() if "*" not in name}
            modules = modules or ({room} if not names.split() else set())
            assert not named & modules, "documented twice"
            named |= modules
    for path in (ROOT / "hmr_edu").rglob("*.py"):
        if path.name in ("__init__.py", "__main__.py"):
            continue
        module = ".".join(path.relative_to(ROOT).with_suffix("").parts)
        package = module.rpartition(".")[0]
        below = any(module.startswith(f"{room}.") for room in deep)
        assert module in named or package in whole or below, f"{module} is on no page of docs/api"
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


def test_the_way_from_an_array_to_a_body_runs():
    page = (DOCS / "conventions.md").read_text(encoding="utf-8")
    (code,) = re.findall(r"^```python\n(import torch\n.*?)^```", page, re.DOTALL | re.MULTILINE)
    names: dict = {"picture": np.full((600, 400, 3), 127, np.uint8)}
    exec(code, names)
    assert names["last"].theta.shape == (1, 85)
    assert names["last"].vertices.shape[:1] == (1,)
    assert names["features"].heatmaps.shape == (1, 19, 32, 32)
    assert names["drawn"].shape == (600, 400, 3)
