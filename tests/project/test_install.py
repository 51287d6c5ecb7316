"""The documented installs, in fresh environments outside the checkout: lesson 01 runs in them."""

import json
import shutil
import subprocess
import sys
import tomllib
import zipfile
from pathlib import Path

import nbformat
import numpy as np
import pytest
from helpers.fresh_environment import (
    ROOT,
    documented_installs,
    install,
    make_environment,
    run,
    tracked,
)

from hmr_edu.hmr import load_pretrained
from hmr_edu.viz.demo import run_demo

pytestmark = pytest.mark.slow
LESSON = ROOT / "notebooks" / "01_rodrigues.ipynb"
PHOTO = ROOT / "hmr_edu" / "assets" / "photos" / "astronaut.jpg"


@pytest.fixture(scope="module")
def clone(tmp_path_factory) -> Path:
    """Copy what git tracks: what is left of earlier builds must not reach a wheel."""
    folder = tmp_path_factory.mktemp("clone")
    for path in tracked():
        copy = folder / path.relative_to(ROOT)
        copy.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy(path, copy)
    return folder


@pytest.fixture(scope="module")
def wheel(clone, tmp_path_factory) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--wheel-dir", folder]
    subprocess.run([*build, clone], check=True)
    (path,) = folder.glob("*.whl")
    return path


@pytest.fixture(scope="module", params=["clone", "wheel"])
def commands(request, tmp_path_factory) -> Path:
    """Install as README says, and return the folder of the environment's commands."""
    source = request.getfixturevalue(request.param)
    python = make_environment(tmp_path_factory.mktemp("environment") / "venv")
    folder = source.parent if request.param == "wheel" else source
    install(python, documented_installs()[request.param], folder)
    return python.parent


def test_the_wheel_carries_what_the_repository_has(wheel):
    """Every file of the package, whatever its kind, and nothing else."""
    names = {name for name in zipfile.ZipFile(wheel).namelist() if ".dist-info/" not in name}
    package = {path.relative_to(ROOT).as_posix() for path in tracked()}
    assert names == {name for name in package if name.startswith("hmr_edu/")}
    assert {"hmr_edu/py.typed", "hmr_edu/body/assets/lite.npz"} <= names


def test_what_is_imported_is_what_was_installed(commands, tmp_path):
    # Lesson 02 asks for smplx through the package, which does without it elsewhere.
    code = "import hmr_edu, roma, smplx; print(hmr_edu.__file__, hmr_edu.__version__)"
    file, version = run([commands / "python", "-c", code], tmp_path).split()
    assert Path(file).is_relative_to(commands.parent)
    assert version == tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["version"]


# In a clone nbval runs all lessons.
@pytest.mark.parametrize("commands", ["wheel"], indirect=True)
def test_lesson_01_runs_from_top_to_bottom(commands, tmp_path):
    lesson = Path(shutil.copy(LESSON, tmp_path))
    run([commands / "hmr-edu", "course", "execute", lesson.name], tmp_path)
    cells = [c for c in nbformat.read(lesson, as_version=4).cells if c.cell_type == "code"]
    assert [cell.execution_count for cell in cells] == list(range(1, len(cells) + 1))
    checked = 0
    for cell in cells:
        assert all(output.output_type != "error" for output in cell.outputs), cell.source
        if "exercise" in cell.metadata.get("tags", []):
            assert "well done" in str(cell.outputs), cell.source
            checked += 1
    assert checked >= 3


@pytest.mark.parametrize("commands", ["wheel"], indirect=True)
def test_demo_works_on_a_shipped_photograph(commands, tmp_path):
    installed = next(commands.parent.rglob("assets/photos/astronaut.jpg"))
    assert installed.read_bytes() == PHOTO.read_bytes()
    demo = [commands / "hmr-edu", "demo", installed, "--box", "15", "5", "512", "512"]
    lines = run([*demo, "--out", "there"], tmp_path).splitlines()
    written = {kind: tmp_path / path for kind, path in map(str.split, lines)}
    expected = run_demo(PHOTO, tmp_path / "here", load_pretrained("resnet18"), (15, 5, 512, 512))
    assert written.keys() == expected.keys()
    assert all(path.stat().st_size > 0 for path in written.values())
    mine, theirs = (json.loads(paths["theta"].read_text()) for paths in (expected, written))
    steps = "theta_of_each_step"
    np.testing.assert_allclose(theirs[steps], mine[steps], atol=1e-3)
