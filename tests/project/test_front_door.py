"""What a newcomer meets: install lines, CONTRIBUTING, citation, forms, workflow, images."""

import ast
import importlib
import importlib.metadata
import json
import re
import shlex
import sys
import tomllib
from functools import cache
from importlib.util import find_spec
from pathlib import Path

import pytest
import yaml
from helpers.fresh_environment import ROOT, code_blocks, documented_installs
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]
EXTRAS = ("notebooks", "course")
NOTEBOOKS = sorted((ROOT / "notebooks").rglob("*.ipynb"))
FORMS = sorted((ROOT / ".github" / "ISSUE_TEMPLATE").glob("*.yml"))
# Where a notebook or a package may come from on a machine without the project's address.
PLACEHOLDER = "https://github.com/OWNER/hmr_edu"


def read(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def make_recipes() -> dict[str, str]:
    """Targets of the Makefile and their commands."""
    found = re.findall(r"^([a-z]+):.*\n((?:\t.*\n)*)", read("Makefile"), re.MULTILINE)
    return dict(found)


# ---------------------------------------------------------------- what an install brings


def test_readme_installs_what_the_lessons_need():
    version = PROJECT["version"]
    assert documented_installs() == {
        "clone": [".[notebooks,course]"],
        # pip knows no wildcards, so the whole name stands there.
        "wheel": [f"hmr_edu-{version}-py3-none-any.whl[notebooks,course]"],
    }


@cache
def brought(extras: tuple[str, ...]) -> set[str]:
    """Distributions that `pip install '.[EXTRAS]'` brings, followed through all requirements."""
    own = {None: PROJECT["dependencies"], **PROJECT["optional-dependencies"]}
    open_ = [line for extra in (None, *extras) for line in own[extra]]
    seen: set[tuple[str, str]] = set()
    while open_:
        requirement = Requirement(open_.pop())
        name = canonicalize_name(requirement.name)
        for extra in ("", *requirement.extras):
            if (name, extra) in seen:
                continue
            seen.add((name, extra))
            if name == canonicalize_name(PROJECT["name"]):
                open_ += own[extra or None]
                continue
            for line in importlib.metadata.requires(name) or ():
                marker = Requirement(line).marker
                # What a requirement brings without an extra is there for every extra.
                if marker is None or marker.evaluate({"extra": extra}):
                    open_.append(line)
    return {name for name, _ in seen}


@cache
def distributions() -> dict[str, list[str]]:
    return importlib.metadata.packages_distributions()


def missing(source: str, extras: tuple[str, ...]) -> set[str]:
    """Imports of some code, at whatever depth, which an install with `extras` does not bring."""
    names = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        if isinstance(node, ast.ImportFrom) and node.module and not node.level:
            names.add(node.module.split(".")[0])
    names -= sys.stdlib_module_names | {"hmr_edu"}
    known = brought(extras)
    return {
        name
        for name in names
        if not {canonicalize_name(d) for d in distributions().get(name, ())} & known
    }


def source_of(path: Path) -> str:
    """The code of a notebook, without IPython's own commands."""
    cells = json.loads(path.read_text(encoding="utf-8"))["cells"]
    code = "\n".join("".join(c["source"]) for c in cells if c["cell_type"] == "code")
    return re.sub(r"^(\s*)[%!].*$", r"\1pass", code, flags=re.MULTILINE)


def test_a_missing_import_is_found():
    assert missing("import roma, torch, json", EXTRAS) == set()
    assert missing("import roma, torch, json", ()) == {"roma"}
    assert missing("def f():\n    from sphinx.ext import todo", EXTRAS) == {"sphinx"}


@pytest.mark.parametrize("path", NOTEBOOKS, ids=lambda path: path.stem)
def test_the_documented_extras_bring_what_a_notebook_imports(path):
    """Its own imports, and those of the modules where the functions that it imports are written."""
    source = source_of(path)
    assert not missing(source, EXTRAS)
    modules = set()
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.ImportFrom) and (node.module or "").startswith("hmr_edu"):
            room = importlib.import_module(node.module)
            for alias in node.names:
                thing = getattr(room, alias.name)
                modules.add(getattr(thing, "__module__", None) or node.module)
    for module in sorted(m for m in modules if m.startswith("hmr_edu")):
        file = sys.modules[module].__file__
        assert file
        assert not missing(Path(file).read_text(encoding="utf-8"), EXTRAS), module


def test_some_extra_brings_what_the_package_imports():
    for path in sorted((ROOT / "hmr_edu").rglob("*.py")):
        assert not missing(path.read_text(encoding="utf-8"), ("all",)), path


# ---------------------------------------------------------------- CONTRIBUTING


def test_contributing_names_what_exists():
    text = read("CONTRIBUTING.md")
    for module in set(re.findall(r"`(hmr_edu(?:\.\w+)+)`", text)):
        assert find_spec(module), module
    for file in set(re.findall(r"\b((?:docs|notebooks|tests|hmr_edu)/[\w/]+\.\w+)", text)):
        assert (ROOT / file).is_file(), file
    for target in set(re.findall(r"\bmake ([a-z]+)\b(?! the)", code_blocks(text))):
        assert target in make_recipes(), target
    for target in set(re.findall(r"`make ([a-z]+)`", text)):
        assert target in make_recipes(), target


def test_the_only_address_of_the_project_is_a_placeholder():
    """It stands where it is to be replaced, and CONTRIBUTING says so."""
    assert PLACEHOLDER in read("CONTRIBUTING.md").split("## Set-up")[0]
    pages = [*ROOT.glob("*.md"), *ROOT.glob("*.cff"), *(ROOT / ".github").rglob("*.*")]
    for page in pages:
        for owner in re.findall(r"https?://github\.com/([\w-]+)/hmr_edu", page.read_text("utf-8")):
            assert owner == "OWNER", page


def test_the_changelog_has_an_open_section():
    sections = re.findall(r"^## \[(.+?)\]", read("CHANGELOG.md"), re.MULTILINE)
    assert sections[0] == "Unreleased"


# ---------------------------------------------------------------- citation


def test_the_citation_has_the_keys_of_its_format():
    """Citation File Format 1.2.0: what it requires, and what an entry of a paper needs."""
    citation = yaml.safe_load(read("CITATION.cff"))
    assert citation["cff-version"] == "1.2.0"
    assert {"message", "title", "authors"} <= citation.keys()
    assert citation["type"] == "software"
    assert citation["authors"] == [{"name": "The hmr_edu authors"}]
    assert citation["version"] == PROJECT["version"]
    assert citation["license"] == PROJECT["license"]
    paper = citation["preferred-citation"]
    assert {"type", "title", "authors"} <= paper.keys()
    assert paper["type"] == "conference-paper"
    assert paper["year"] == 2018
    # As the bibliography of the documentation has it.
    entry = read("docs/references.bib").split("@inproceedings{kanazawa2018,")[1].split("\n}")[0]
    known = dict(re.findall(r"(\w+) = \{(.*?)\}", entry))
    people = [f"{a['family-names']}, {a['given-names']}" for a in paper["authors"]]
    assert known["author"].split(" and ") == people
    assert known["title"] == paper["title"]
    assert known["year"] == str(paper["year"])
    assert paper["identifiers"][0]["value"] == f"arXiv:{known['eprint']}"
    assert re.fullmatch(r"10\.\d{4}/[\w.]+", paper["doi"])


# ---------------------------------------------------------------- forms and workflow


@pytest.mark.parametrize("path", FORMS, ids=lambda path: path.stem)
def test_issue_forms_have_what_github_asks_for(path):
    form = yaml.safe_load(path.read_text(encoding="utf-8"))
    if path.stem == "config":
        assert set(form) <= {"blank_issues_enabled", "contact_links"}
        return
    assert {"name", "description", "body"} <= form.keys()
    labels, ids = [], []
    for field in form["body"]:
        assert field["type"] in ("input", "textarea", "dropdown", "checkboxes", "markdown")
        labels.append(field["attributes"]["label"])
        ids.append(field["id"])
        options = field["attributes"].get("options")
        assert (options is not None) == (field["type"] in ("dropdown", "checkboxes"))
    assert len(labels) == len(set(labels))
    assert len(ids) == len(set(ids))


def workflow_commands() -> dict[str, list[str]]:
    """Shell commands of each job of the workflow."""
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]
    return {
        name: [step["run"] for step in job["steps"] if "run" in step] for name, job in jobs.items()
    }


def test_the_workflow_runs_what_exists():
    jobs = workflow_commands()
    for commands in jobs.values():
        for command in commands:
            words = shlex.split(command)
            if words[0] == "make":
                assert words[1] in make_recipes(), command
    assert "bash .ci/run" in jobs["linux"]
    assert "make test" in read(".ci/run").splitlines()
    assert jobs["macos"] == ["make quick"]
    assert jobs["docs"] == ["make docs"]
    assert jobs["wheel"] == ["make wheel"]


def test_windows_runs_the_quick_tests_as_the_makefile_does():
    *setup, tests = workflow_commands()["windows"]
    quick = make_recipes()["quick"].strip()
    assert quick == f"OMP_NUM_THREADS=1 $(BIN)/{tests}"
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]
    assert jobs["windows"]["env"]["OMP_NUM_THREADS"] == "1"
    assert any("-c constraints.txt" in line and ".[all]" in line for line in setup)


def test_python_of_the_workflow_is_one_that_the_package_allows():
    jobs = yaml.safe_load(read(".github/workflows/ci.yml"))["jobs"]
    versions = {
        step["with"]["python-version"]
        for job in jobs.values()
        for step in job["steps"]
        if "setup-python" in step.get("uses", "")
    }
    assert versions == {"3.11", "3.12"}
    lowest = PROJECT["requires-python"].removeprefix(">=").split(".")
    assert all(tuple(map(int, v.split("."))) >= tuple(map(int, lowest[:2])) for v in versions)


def test_one_call_of_pytest_runs_tests_lessons_and_doctests():
    recipe = make_recipes()["test"]
    words = shlex.split(next(line for line in recipe.splitlines() if "pytest" in line))
    assert {"--doctest-modules", "--nbval"} <= set(words)
    assert words[-3:] == ["tests", "notebooks", "hmr_edu"]


def test_pre_commit_runs_tools_of_this_environment():
    """Nothing is fetched, so that ruff's version stands in constraints.txt alone."""
    config = yaml.safe_load(read(".pre-commit-config.yaml"))
    assert [repository["repo"] for repository in config["repos"]] == ["local"]
    hooks = {hook["id"]: hook for hook in config["repos"][0]["hooks"]}
    assert hooks.keys() == {"ruff-check", "ruff-format", "types", "lessons"}
    for hook in hooks.values():
        assert hook["language"] == "system"
        for word in shlex.split(hook["entry"]):
            if "/" in word:
                assert (ROOT / word).is_file(), word
    assert re.search(hooks["lessons"]["files"], "notebooks/01_rodrigues.ipynb")


# ---------------------------------------------------------------- images


def dockerfile() -> dict[str, str]:
    """The stages of the Dockerfile and their instructions, each on one line."""
    text = re.sub(r"\\\n\s*", "", read("Dockerfile"))
    parts = re.split(r"^FROM \S+ AS (\w+)$", text, flags=re.MULTILINE)
    return dict(zip(parts[1::2], parts[2::2], strict=True))


def test_the_image_installs_the_documented_extras():
    stages = dockerfile()
    assert list(stages)[-1] == "grader"  # what a build without a target makes
    (command,) = (line for line in stages["course"].splitlines() if line.startswith("RUN pip"))
    (folder,) = (line for line in stages["course"].splitlines() if line.startswith("COPY"))
    target = folder.split()[-1]
    (clone,) = documented_installs()["clone"]
    assert shlex.split(command)[-1] == target + clone.removeprefix(".")
    assert f"-c {target}/constraints.txt" in command
    for stage in ("hub", "grader"):
        assert re.search(r"^USER (?!root)\w+$", stages[stage], re.MULTILINE)


def test_what_the_image_copies_is_what_the_build_reads():
    rules = [line for line in read(".dockerignore").splitlines() if line and line[0] != "#"]
    assert rules[0] == "*"
    allowed = {rule[1:] for rule in rules if rule[0] == "!"}
    assert all((ROOT / name).exists() for name in allowed)
    needed = {"pyproject.toml", "constraints.txt", "hmr_edu", PROJECT["readme"]}
    assert needed | set(PROJECT["license-files"]) <= allowed


def test_docker_commands_of_the_manual_agree_with_the_dockerfile():
    blocks = re.sub(r"\\\n\s*", "", code_blocks(read("docs/instructor.md")))
    commands = [shlex.split(line) for line in blocks.splitlines() if line.startswith("docker ")]
    builds = [words for words in commands if words[1] == "build"]
    stages = dockerfile()
    tags = {}
    for words in builds:
        stage = words[words.index("--target") + 1] if "--target" in words else list(stages)[-1]
        assert stage in stages
        tags[words[words.index("-t") + 1]] = stage
        for word in words:
            if re.match(r"[A-Z]+=", word):
                assert f"ARG {word.partition('=')[0]}=" in read("Dockerfile"), word
    assert tags == {"hmr-edu": "grader", "hmr-edu-hub": "hub"}
    # Comments of the Dockerfile and the workflow build the same images.
    for text in (read("Dockerfile"), " ".join(workflow_commands()["images"])):
        assert "docker build -t hmr-edu ." in text
        assert "docker build --target hub -t hmr-edu-hub ." in text
    (run,) = (words for words in commands if words[1] == "run")
    image = run.index("hmr-edu")
    assert run[image + 1 :][:3] == ["hmr-edu", "course", "grade"]
    mounted = {word.split(":")[1] for word in run if ":/" in word}
    assert mounted == {"/course", "/submissions"}
    assert {word for word in run[image:] if word.startswith("/")} == mounted
