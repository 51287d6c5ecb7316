"""The repository itself: what it promises about its environment, assets and layers."""

import hashlib
import json
import re
import tomllib
from pathlib import Path

import jaxtyping
import pytest
import torch
from helpers.fresh_environment import ROOT, install, make_environment, run, tracked

from hmr_edu.rotations import axis_angle_to_matrix

PYPROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text())


def test_conda_only_brings_python_and_delegates():
    lines = [
        line.strip()
        for line in (ROOT / "environment.yml").read_text().splitlines()
        if line.strip() and not line.strip().startswith("#")
    ]
    bounds = PYPROJECT["project"]["requires-python"]
    assert lines == [
        "name: hmr_edu",
        "dependencies:",
        f"- python{bounds}",
        "- pip",
        "- pip:",
        "- -c constraints.txt",
        "- -e .[all]",
    ]


@pytest.mark.slow
def test_what_conda_hands_to_pip_installs(tmp_path):
    pip_lines = re.findall(r"^      - (-.*)$", (ROOT / "environment.yml").read_text(), re.MULTILINE)
    assert len(pip_lines) == 2
    requirements = tmp_path / "requirements.txt"
    # As conda does it: the lines in a file, read in the folder of environment.yml.
    absolute = [re.sub(r"(-c |-e )", rf"\1{ROOT}/", line) for line in pip_lines]
    requirements.write_text("\n".join(absolute))
    python = make_environment(tmp_path / "venv")
    install(python, ["-r", requirements], pinned=False)
    check = "import hmr_edu, torch, smplx, jupyterlab, plotly, nbval; print(torch.__version__)"
    version = run([python, "-c", check], tmp_path)
    pinned = re.search(r"^torch==(.*)$", (ROOT / "constraints.txt").read_text(), re.MULTILINE)
    assert version.startswith(pinned[1])


def test_constraints_pin_every_direct_dependency():
    lines = (ROOT / "constraints.txt").read_text().splitlines()
    pins = dict(line.split("==") for line in lines if line and not line.startswith("#"))
    project = PYPROJECT["project"]
    wanted = [*project["dependencies"]]
    for extra in project["optional-dependencies"].values():
        wanted += [line for line in extra if not line.startswith("hmr_edu")]
    names = {re.split(r"[<>=;\s]", line)[0] for line in wanted}
    assert names <= set(pins), names - set(pins)
    assert re.fullmatch(r"\d+\.\d+\.\d+", pins["torch"])


def test_imports_only_point_down():
    """The contract of `pyproject.toml`, by import-linter."""
    from importlinter.cli import lint_imports

    assert lint_imports(config_filename=str(ROOT / "pyproject.toml"), no_cache=True) == 0


def test_shapes_are_checked_while_the_tests_run():
    with pytest.raises(jaxtyping.TypeCheckError):
        axis_angle_to_matrix(torch.zeros(4))


def test_no_file_grows_beyond_one_concept():
    lengths = {
        p.relative_to(ROOT): len(p.read_text().splitlines())
        for p in (ROOT / "hmr_edu").rglob("*.py")
    }
    assert not {str(path): n for path, n in lengths.items() if n > 320}


def test_no_machine_paths_and_no_poses():
    mine = Path(__file__)
    pattern = re.compile(r"/(?:work|farm|root|home)/[A-Za-z]")
    for path in tracked():
        assert not path.name.endswith(("cmu_poses.npz", "hdm05_poses.npz"))
        if path.suffix in (".py", ".md", ".toml", ".yml", ".txt", ".json", "") and path != mine:
            assert not pattern.search(path.read_text(errors="ignore")), path


def test_shipped_files_are_small():
    sizes = {p: p.stat().st_size for p in tracked()}
    assets = {p: n for p, n in sizes.items() if p.parent.name == "assets" and "body" in p.parts}
    wardrobe = sum(n for p, n in assets.items() if p.stem == "wardrobe")
    weights = sum(n for p, n in sizes.items() if p.suffix == ".safetensors")
    assert sum(assets.values()) - wardrobe < 4e6
    assert wardrobe < 3e6
    assert weights < 30e6
    assert sum(sizes.values()) < 60e6


def test_every_shipped_weight_has_its_provenance():
    shipped = list((ROOT / "hmr_edu" / "assets" / "weights").glob("*.safetensors"))
    assert shipped
    for path in shipped:
        record = json.loads(path.with_suffix(".json").read_text())
        assert record["sha256"] == hashlib.sha256(path.read_bytes()).hexdigest()
        assert record["metrics"]
        # A mean has the provenance of each part instead of its own.
        parts = [part["provenance"] for part in record.get("mean_of", [])] or [record]
        for part in parts:
            for key in ("command", "commit", "seed", "minutes", "hardware", "versions"):
                assert part[key] not in (None, ""), (path.name, key)


def test_notice_speaks_of_every_asset():
    notice = (ROOT / "NOTICE").read_text()
    for folder in ("hmr_edu/body/assets", "hmr_edu/assets/pose_prior", "hmr_edu/assets/weights"):
        assert folder in notice
    for photo in (ROOT / "hmr_edu" / "assets" / "photos").glob("*.jpg"):
        assert photo.name in notice
    assert "mocap.cs.cmu.edu" in notice
    assert "NSF EIA-0196217" in notice
