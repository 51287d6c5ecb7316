"""Lesson 09: its inline code against the package, SciPy, and files in the true layouts."""

from pathlib import Path

import numpy as np
import pytest
import scipy.io
import torch
from helpers.lesson_code import definitions
from PIL import Image
from scipy.spatial.transform import Rotation

from hmr_edu.data import open_data_set, to_cocoplus
from hmr_edu.evaluation import starting_theta
from hmr_edu.hmr import load_pretrained
from hmr_edu.keypoints import COCO17, COCOPLUS, COCOPLUS_FLIP, LSP, SMPL_FLIP, flip_pose

LESSON = Path(__file__).parents[2] / "notebooks" / "09_real_data.ipynb"
NAMES = ("reorder", "read_lsp", "mirror_person", "misfit", "smooth")


@pytest.fixture(scope="module")
def lesson():
    return definitions(LESSON, *NAMES)


def randn(*shape, seed=0):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed))


def test_by_name_is_the_package_s(lesson):
    known = (randn(5, 17, seed=1) > 0).float()
    places = randn(5, 17, 2) * known[..., None]
    mine = lesson["reorder"](places, known, COCO17, COCOPLUS)
    for ours, theirs in zip(mine, to_cocoplus(places, known, COCO17), strict=True):
        torch.testing.assert_close(ours, theirs)


def test_lsp_is_read_as_the_package_reads_it(lesson, tmp_path):
    rng = np.random.default_rng(0)
    joints = np.concatenate([rng.uniform(1, 60, (2, 14, 6)), rng.integers(0, 2, (1, 14, 6))])
    joints[2, :8] = 0  # eight joints of everybody are visible
    scipy.io.savemat(tmp_path / "joints.mat", {"joints": joints})
    (tmp_path / "images").mkdir()
    for number in range(1, 7):
        Image.new("RGB", (64, 64)).save(tmp_path / "images" / f"im{number:04d}.jpg")
    places, visible = lesson["read_lsp"](torch.from_numpy(joints).float())
    table = open_data_set("lsp", tmp_path)
    np.testing.assert_array_equal(visible.numpy(), table.visible)
    seen = table.visible > 0
    np.testing.assert_allclose(places.numpy()[seen], table.keypoints2d[seen], atol=1e-4)
    # By hand, from the layout's own description: the third ankle, counted by MATLAB from 1.
    ankle = joints[:2, LSP.index("left_ankle"), 2]
    np.testing.assert_allclose(places[2, LSP.index("left_ankle")].numpy(), ankle - 1, atol=1e-4)


def test_the_mirror_is_scipy_s_and_keeps_the_pixel_below_a_keypoint(lesson):
    image = torch.zeros(3, 20, 30)
    image[:, 7, 11] = 1.0  # the right knee
    knee, other = COCOPLUS.index("right_knee"), COCOPLUS.index("left_knee")
    flat = 5 + randn(19, 2)
    flat[knee] = torch.tensor([11.0, 7.0])
    seen, solid, pose = torch.zeros(19), randn(19, 3, seed=1), randn(24, 3, seed=2)
    seen[knee] = 1.0
    person = (image, flat, seen, solid, pose)
    mirrored = lesson["mirror_person"](*person, COCOPLUS_FLIP, SMPL_FLIP)
    x, y = mirrored[1][other].int().tolist()
    assert mirrored[0][0, y, x] == 1.0
    assert mirrored[2].nonzero().tolist() == [[other]]
    torch.testing.assert_close(mirrored[4].flatten(), flip_pose(pose.flatten()))
    M = np.diag([-1.0, 1.0, 1.0])
    R = Rotation.from_rotvec(pose.numpy()).as_matrix()[list(SMPL_FLIP)]
    torch.testing.assert_close(
        torch.from_numpy(Rotation.from_rotvec(mirrored[4].numpy()).as_matrix()),
        torch.from_numpy(M @ R @ M),
        atol=1e-5,
        rtol=0,
    )
    twice = lesson["mirror_person"](*mirrored, COCOPLUS_FLIP, SMPL_FLIP)
    for once, again in zip(person, twice, strict=True):
        torch.testing.assert_close(once, again)


def test_a_body_does_not_fit_what_is_no_body(lesson):
    """The measure of section 5 tells a skeleton from its shuffled points, and ignores the unit."""
    lesson["lifter"] = lifter = load_pretrained("keypoints")
    theta = starting_theta(lifter).view(1, -1)
    people = 40 * lifter.detail(theta).keypoints2d.detach() + 50
    sure = torch.ones(1, 19)
    fits = lesson["misfit"](people, sure)
    assert fits < 5
    assert lesson["misfit"](people.flip(1), sure) > 3 * fits
    assert lesson["misfit"](3 * people + 7, sure) == pytest.approx(fits, rel=1e-2)
    assert np.isnan(lesson["misfit"](people, torch.zeros(1, 19)))


def test_a_mean_of_n_in_a_row(lesson):
    assert lesson["smooth"]([1.0, 2.0, 6.0], 2) == [1.5, 4.0]
