"""The walks of `docs/how_to_add.md`: the page's own code, run."""

import re
import subprocess
import sys
import textwrap
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.small_run import small
from PIL import Image

from hmr_edu.data import AnnotatedPhotos, BatchSource
from hmr_edu.data.photos import data_sets
from hmr_edu.data.photos.data_sets import DATA_SETS, DataSet
from hmr_edu.io.errors import DataError

PAGE = (Path(__file__).parents[2] / "docs" / "how_to_add.md").read_text(encoding="utf-8")


def blocks(section: str) -> list[str]:
    """The Python of a section, block by block."""
    text = PAGE.split(f"\n## {section}\n")[1].split("\n## ")[0]
    return re.findall(r"^```python\n(.*?)^```", text, re.DOTALL | re.MULTILINE)


def test_a_loss():
    """The term computes what it says, is an option, and reaches the training objective."""
    function, entry = blocks("A loss")
    # In a process of its own: the options are made from the registry when they are imported.
    use = """
        import types
        import torch
        from hmr_edu.training.config import LossConfig
        from hmr_edu.training.objective import active_terms

        assert LossConfig().limbs == 0
        assert "limbs" in active_terms(LossConfig(limbs=2.0))
        config = LossConfig(**{name: 0.0 for name in losses.TERMS} | {"limbs": 2.0})
        truth = torch.rand(3, 19, 3, generator=torch.Generator().manual_seed(0))
        answer = types.SimpleNamespace(keypoints3d=1.5 * truth)  # limbs half as long again
        flags = torch.tensor([True, True, False])
        lengths = (truth[:2, [1, 4, 7, 10]] - truth[:2, [0, 5, 6, 11]]).norm(dim=-1)
        truth[2] = float("nan")  # not labelled
        known = flags[:, None].repeat(1, 19)
        batch = types.SimpleNamespace(keypoints3d=truth, known3d=known)
        value = losses.TERMS["limbs"].compute(answer, batch, config)
        torch.testing.assert_close(value, 0.5 * lengths.mean())
        truth[0, 11] = float("nan")  # one wrist is unknown: the forearm does not count
        known[0, 11] = False
        value = losses.TERMS["limbs"].compute(answer, batch, config)
        rest = torch.cat((lengths[0, :3], lengths[1]))
        torch.testing.assert_close(value, 0.5 * rest.mean())
    """
    code = "import hmr_edu.losses as losses\n"
    code += f"exec({function!r}, vars(losses))\nexec({entry!r}, vars(losses))\n"
    code += textwrap.dedent(use)
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True)
    assert done.returncode == 0, done.stderr


def test_a_data_set(tmp_path, monkeypatch):
    folder = tmp_path / "train"
    folder.mkdir()
    pixels = np.zeros((60, 80, 3), np.uint8)
    pixels[20:40, 30:50] = 255
    Image.fromarray(pixels).save(folder / "one.jpg")
    (folder / "one.txt").write_text("left_knee 30 20\nnose 50\n")
    reader, entry, use = blocks("A data set")
    monkeypatch.setattr(data_sets, "DATA_SETS", dict(DATA_SETS))
    names: dict = {"DataSet": DataSet, "DATA_SETS": data_sets.DATA_SETS}
    exec(reader, names)
    exec(entry, names)
    with pytest.raises(DataError, match=r"one\.txt: a line is a keypoint's name, x and y"):
        data_sets.open_data_set("plain-text", tmp_path)
    (folder / "one.txt").write_text("left_knee 30 20\n\nnose 50 40\n")
    (person,) = data_sets.open_data_set("plain-text", tmp_path)
    assert person.path == folder / "one.jpg"
    assert person.visible.nonzero().flatten().tolist() == [4, 14]  # COCO+: left knee, nose
    assert person.keypoints2d[[4, 14]].tolist() == [[30, 20], [50, 40]]
    with pytest.raises(FileNotFoundError, match=r"test: in it should be NAME\.txt"):
        data_sets.open_data_set("plain-text", tmp_path, "test")

    exec(use.replace('"mine"', repr(str(tmp_path))), names)
    photos = names["photos"]
    assert isinstance(photos, AnnotatedPhotos)
    batch = photos.finish(photos.prepare(0))
    assert batch.images.shape == (16, 3, 64, 64)
    # Opposite corners of a square box, 1.2 times which is the crop.
    torch.testing.assert_close(batch.keypoints2d[0, 4], torch.tensor([-1.0, -1.0]) / 1.2)
    for flag in (batch.has_3d, batch.has_theta, batch.has_parts):
        assert not flag.any()


@pytest.mark.slow
def test_a_source_of_training_batches(tmp_path):
    """The source is one, a mixture has both kinds of sample, and a run trains on it."""
    source, mixed, train = blocks("A source of training batches")
    names: dict = {}
    exec(source, names)
    assert isinstance(names["GreyPictures"](4, 32), BatchSource)
    exec(mixed, names)
    mixture = names["mixture"]
    batch = mixture.finish(mixture.prepare(0))
    assert batch.has_theta.tolist() == [True] * 12 + [False] * 4
    assert batch.visible[12:].sum(1).tolist() == [1.0] * 4

    config = small(tmp_path, images=32)
    as_script = names | locals() | {"__name__": "__main__"}
    exec(train.replace("run(cpu_preset(), mixture)", "run(config, mixture)"), as_script)
    assert (config.folder / "model.safetensors").exists()
