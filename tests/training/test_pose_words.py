"""The words of `--poses`: names, files of priors, shares."""

import numpy as np
import pytest
import torch

from hmr_edu.data.poses.prior import SHIPPED, load_pose_prior
from hmr_edu.data.poses.varied import Upright
from hmr_edu.io.errors import DataError
from hmr_edu.training.checks import check_options
from hmr_edu.training.config import TrainConfig
from hmr_edu.training.setup import MADE, Mixed, parse_poses, pose_source


def generator() -> torch.Generator:
    return torch.Generator().manual_seed(0)


def test_words_have_names_files_and_shares(tmp_path):
    words = ["prior", "standing:0.4", "seated=mine.npz:2", "a=b.npz", "C:/poses.npz", "x.npz:.5"]
    assert parse_poses(words) == [
        ("prior", "", 1.0),
        ("standing", "", 0.4),
        ("seated", "mine.npz", 2.0),
        ("", "a=b.npz", 1.0),
        ("", "C:/poses.npz", 1.0),
        ("", "x.npz", 0.5),
    ]


@pytest.mark.parametrize(
    ("word", "said"),
    [
        ("prior:0", "--poses prior:0: a share is a positive number, not 0"),
        ("bent:-1", "a share is a positive number"),
        ("x.npz:nan", "a share is a positive number"),
        ("standing=", "--poses standing=: write standing"),
        ("prior=x.npz", "--poses prior=x.npz: write prior, the file of a prior"),
    ],
)
def test_words_that_cannot_be_read_are_named(word, said):
    with pytest.raises(DataError, match=said.replace("(", r"\(")):
        pose_source(word)
    with pytest.raises(DataError, match=said):
        check_options(TrainConfig(poses=("prior", word)))


def test_a_missing_file_is_named_before_the_run():
    with pytest.raises(FileNotFoundError, match=r"--poses: .*nowhere\.npz"):
        check_options(TrainConfig(poses=("standing=nowhere.npz:0.5",)))


def test_shares_are_those_that_were_asked_for(tmp_path):
    path = tmp_path / "still.npz"
    np.savez(path, poses=np.zeros((2, 72), np.float32), clip=[0, 0], clip_names=["a"], fps=12)
    drawn = pose_source(f"{path}:3", "prior:1").sample(4000, generator())
    assert (drawn == 0).all(1).float().mean().item() == pytest.approx(0.75, abs=0.03)


def test_equal_shares_are_the_mixture_without_shares():
    """Runs of old must stay the same to the last bit."""
    sources = [load_pose_prior(), Upright(load_pose_prior())]
    g = generator()
    which = torch.randint(2, (300,), generator=g)
    expected = torch.empty(300, 72)
    for k, source in enumerate(sources):
        expected[which == k] = source.sample(int((which == k).sum()), g)
    for words in (("prior", "upright"), ("prior:0.5", "upright:0.5")):
        assert torch.equal(pose_source(*words).sample(300, generator()), expected)
    assert torch.equal(Mixed(sources).sample(300, generator()), expected)


def test_sources_build_upon_the_prior_of_a_file(tmp_path):
    path = tmp_path / "mine.npz"
    path.write_bytes(SHIPPED.read_bytes())
    for name in ("bent", "upright", "unusual"):
        shipped, mine = (
            pose_source(word).sample(9, generator()) for word in (name, f"{name}={path}")
        )
        assert torch.equal(shipped, mine)
        assert isinstance(pose_source(f"{name}={path}"), MADE[name])  # ty: ignore
