"""The scripts for a GPU: what can be tried without one."""

import re
import subprocess
from pathlib import Path

import pytest

FOLDER = Path(__file__).parents[2] / "scripts" / "gpu"
SCRIPTS = sorted(FOLDER.glob("[0-9]*.sh"))


@pytest.mark.parametrize("begun", [(), ("config.json",), ("checkpoint.pt",)])
def test_a_run_is_resumed_where_it_was_begun_and_nowhere_else(tmp_path, begun):
    for name in begun:
        (tmp_path / name).touch()
    said = subprocess.run(
        ["bash", "-c", f'source "{FOLDER / "common.sh"}"; resume_if_begun "{tmp_path}"'],
        env={"OUT": str(tmp_path / "out"), "PATH": "/usr/bin:/bin"},
        capture_output=True,
        text=True,
        check=True,
    )
    assert said.stdout.split() == (["--resume"] if begun else [])


@pytest.mark.parametrize("script", SCRIPTS, ids=lambda path: path.name)
def test_a_training_never_resumes_what_is_not_there(script):
    """`hmr-edu train --resume` refuses a folder that holds no run, so a first call would fail."""
    text = script.read_text().replace("\\\n", " ")
    trainings = re.findall(r" train (.*)", text)
    assert not [line for line in trainings if " --resume" in line.replace("$(resume", "")]
    subprocess.run(["bash", "-n", script], check=True)


def test_the_page_names_every_script():
    page = (FOLDER.parents[1] / "docs" / "development" / "gpu_runs.md").read_text()
    assert all(f"scripts/gpu/{script.name}" in page for script in SCRIPTS)
