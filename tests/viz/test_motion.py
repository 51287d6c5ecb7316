"""`hmr-edu mocap show`: a clip as a moving body and as a contact sheet."""

import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.motion_files import known_motion, write_deepmimic
from PIL import Image

from hmr_edu.cli import main
from hmr_edu.data.poses.import_motion import ImportOptions, import_motion, save_motion


@pytest.fixture
def drawn(monkeypatch):
    """Take the place of the writer of moving bodies; return what it is given."""
    given = []

    def write(path, body, rotations, translations, betas, fps):
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_bytes(b"glTF")
        given.append((path.name, rotations, translations, betas, fps))

    module = SimpleNamespace(write_animated_glb=write)
    monkeypatch.setitem(sys.modules, "hmr_edu.viz.animation", module)
    return given


@pytest.fixture
def file(tmp_path):
    for seed, name in ((1, "walk"), (2, "a run: fast")):
        write_deepmimic(tmp_path / f"{name}.txt", known_motion(30, seed=seed))
    imported = import_motion([tmp_path], ImportOptions(fps=30.0, tolerance=0.0))
    save_motion(tmp_path / "poses.npz", imported)
    return tmp_path / "poses.npz"


def test_a_clip_is_written_in_its_frames(file, tmp_path, drawn, capsys):
    out = tmp_path / "out"
    assert main(["mocap", "show", str(file), "--clip", "walk", "--out", str(out)]) == 0
    assert capsys.readouterr().out.split() == [str(out / "walk.glb"), str(out / "walk.png")]
    name, rotations, translations, betas, fps = drawn[0]
    assert (name, rotations.shape, translations, fps) == ("walk.glb", (30, 24, 3, 3), None, 30.0)
    torch.testing.assert_close(rotations.det(), torch.ones(30, 24))
    assert (betas == 0).all()
    with Image.open(out / "walk.png") as sheet:
        assert np.asarray(sheet.convert("L")).std() > 10


def test_the_moving_body_has_the_frames_of_the_clip(file, tmp_path):
    """The real writer; read as the format says: a header of 12 bytes, one of 8, then JSON."""
    assert main(["mocap", "show", str(file), "--clip", "walk", "--out", str(tmp_path)]) == 0
    content = (tmp_path / "walk.glb").read_bytes()
    size = int.from_bytes(content[12:16], "little")
    scene = json.loads(content[20 : 20 + size])
    times = {s["input"] for s in scene["animations"][0]["samplers"]}
    last = [scene["accessors"][i]["max"][0] for i in times]
    assert max(last) == pytest.approx(29 / 30)
    assert len(scene["skins"][0]["joints"]) >= 24


def test_the_first_clip_and_a_safe_name(file, tmp_path, drawn):
    assert main(["mocap", "show", str(file), "--out", str(tmp_path / "out")]) == 0
    assert drawn[0][0] == "a_run_fast.glb"


def test_an_unknown_clip_is_named_with_those_there_are(file, tmp_path, drawn, capsys):
    assert main(["mocap", "show", str(file), "--clip", "swim", "--out", str(tmp_path / "o")]) == 2
    said = capsys.readouterr().err
    assert "'swim'" in said
    assert "walk" in said
    assert not drawn
