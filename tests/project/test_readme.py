"""What the README promises: its Python runs, its links lead somewhere, its commands exist."""

import re
from pathlib import Path

import trimesh

from hmr_edu.cli import COMMANDS

ROOT = Path(__file__).parents[2]
README = (ROOT / "README.md").read_text(encoding="utf-8")


def test_the_six_lines_write_a_body(tmp_path, monkeypatch):
    (code,) = re.findall(r"```python\n(.*?)```", README, re.DOTALL)
    monkeypatch.chdir(tmp_path)
    exec(compile(code, "README.md", "exec"), {})
    mesh = trimesh.load(tmp_path / "body.glb", force="mesh")
    # A body of a human size, higher than it is wide or deep.
    width, height, depth = mesh.extents
    assert 1.2 < height < 2.2
    assert height > 2 * max(width, depth)


def test_its_links_lead_somewhere():
    for link in re.findall(r"\]\(([^)#]+)(?:#[^)]*)?\)", README):
        assert link.startswith("http") or (ROOT / link).exists(), link


def test_its_commands_exist():
    named = set(re.findall(r"`hmr-edu ([a-z-]+)", README))
    assert named <= COMMANDS.keys()
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    assert set(re.findall(r"`make ([a-z]+)`", README)) <= targets
