"""Fresh environments, made as a user makes them, for the tests of what an install brings."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]


def tracked() -> list[Path]:
    """List the files of the checkout; skip the test where git knows of none."""
    try:
        out = subprocess.run(
            ["git", "ls-files", "-z"], cwd=ROOT, capture_output=True, text=True, check=True
        )
    except (OSError, subprocess.CalledProcessError):
        pytest.skip("not a git checkout")
    return [ROOT / name for name in out.stdout.split("\0") if name]


def make_environment(folder: Path) -> Path:
    """Make a virtual environment and return the path of its Python."""
    subprocess.run([sys.executable, "-m", "venv", folder], check=True)
    return folder / "bin" / "python"


def install(
    python: Path, arguments: Sequence[str | Path], folder: Path = ROOT, pinned: bool = True
) -> None:
    """Do what `pip install ARGUMENTS` does in `folder`, by uv, which takes seconds.

    `pinned` holds versions to constraints.txt: the newest PyTorch can bring gigabytes of CUDA.
    """
    links = subprocess.run(
        [sys.executable, "-m", "pip", "config", "get", "global.find-links"],
        capture_output=True,
        text=True,
    ).stdout.strip()
    environment = {**os.environ, **({"UV_FIND_LINKS": links} if links else {})}
    if pinned:
        environment["UV_CONSTRAINT"] = str(ROOT / "constraints.txt")
    done = subprocess.run(
        [sys.executable, "-m", "uv", "pip", "install", "--python", python, *arguments],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr


def run(command: Sequence[str | Path], folder: Path) -> str:
    """Run a command of a fresh environment in `folder`, without this tree on its path."""
    environment = {k: v for k, v in os.environ.items() if k not in ("PYTHONPATH", "VIRTUAL_ENV")}
    done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def code_blocks(markdown: str) -> str:
    """Return what stands in the fenced code blocks of a text."""
    return "".join(re.findall(r"^```\w*\n(.*?)^```$", markdown, re.DOTALL | re.MULTILINE))


def documented_installs() -> dict[str, list[str]]:
    """Read README's section Install: what `pip install` is given, for a clone and for a wheel.

    Lines that install something else, such as a PyTorch of one's own choice, are left out.
    """
    text = (ROOT / "README.md").read_text(encoding="utf-8")
    section = re.search(r"^## Install\n(.*?)(?=^## |\Z)", text, re.DOTALL | re.MULTILINE)
    assert section, "README has no section Install"
    found: dict[str, list[str]] = {}
    for line in code_blocks(section[1]).splitlines():
        words = shlex.split(line, comments=True)
        if words[:3] == ["python", "-m", "pip"]:
            words = words[2:]
        ours = [word for word in words if re.match(r"(\.|hmr_edu)[^\s]*\[[\w,]+\]$", word)]
        if words[:2] == ["pip", "install"] and ours:
            kind = "wheel" if ".whl[" in ours[0] else "clone"
            assert kind not in found, f"README installs from a {kind} in two ways"
            found[kind] = words[2:]
    return found
