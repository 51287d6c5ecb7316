"""A body of 6,890 vertices and 300 betas, in a file of SMPL's, through everything that takes one.

The file is made of the free body; its vertices are numbered as in SMPL's mesh.
"""

import dataclasses
import json

import numpy as np
import pytest
import torch
from helpers.small_run import small
from helpers.smpl_files import VERTICES, smpl_arrays, write_npz, write_v1
from PIL import Image

from hmr_edu.body import load_body, read_body, save_body
from hmr_edu.camera import weak_perspective
from hmr_edu.cli import main
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.fitting import fit_to_keypoints
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.theta import join_theta, mean_theta, split_theta
from hmr_edu.training.complete_run import run
from hmr_edu.training.start import transfer

pytestmark = pytest.mark.slow


@pytest.fixture(scope="module")
def smpl_pkl(tmp_path_factory):
    return write_v1(tmp_path_factory.mktemp("smpl") / "SMPL_NEUTRAL.pkl", smpl_arrays(300))


@pytest.fixture(scope="module")
def trained(tmp_path_factory, smpl_pkl):
    """Train for two steps with `--model.body FILE`, and evaluate."""
    folder = tmp_path_factory.mktemp("run")
    config = small(folder, images=8, test_images=2)
    config = dataclasses.replace(
        config, model=dataclasses.replace(config.model, body=str(smpl_pkl))
    )
    record = run(config)
    assert record
    return config.folder / "model.safetensors"


@pytest.fixture
def picture(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 255, (60, 50, 3), np.uint8)
    Image.fromarray(pixels).save(tmp_path / "someone.png")
    return tmp_path / "someone.png"


def vertices_of(obj):
    return sum(line.startswith("v ") for line in obj.read_text().splitlines())


def test_training_and_evaluation(trained, capsys):
    model = load_pretrained(trained)
    assert model.body.v_template.shape == (VERTICES, 3)
    with torch.no_grad():
        (*_, last) = model(torch.rand(2, 3, 32, 32))
    assert last.vertices.shape == (2, VERTICES, 3)
    assert main(["evaluate", str(trained), "--images", "2", "--sets", "test-prior"]) == 0
    assert "PA-MPJPE" in capsys.readouterr().out


def test_demo(trained, picture, tmp_path):
    box = ("--box", "2", "2", "48", "58")
    out = tmp_path / "out"
    assert main(["demo", str(picture), *box, "--weights", str(trained), "--out", str(out)]) == 0
    (obj,) = out.glob("*.obj")
    assert vertices_of(obj) == VERTICES


def test_demo_of_shipped_weights_says_that_betas_mean_something_else(picture, tmp_path, smpl_pkl):
    """Pose and camera are the network's; the shape is the mean."""
    box = ("--box", "2", "2", "48", "58")
    for name, body in (("own", "lite"), ("other", smpl_pkl)):
        out = ("--out", tmp_path / name, "--body", body)
        words = [str(word) for word in ("demo", picture, *box, *out)]
        if name == "own":
            assert main(words) == 0
        else:
            with pytest.warns(UserWarning, match="betas mean another shape"):
                assert main(words) == 0
    thetas = []
    for name in ("own", "other"):
        (path,) = (tmp_path / name).glob("*theta.json")
        thetas.append(torch.tensor(json.loads(path.read_text())["theta_of_each_step"][-1]))
    own, other = thetas
    assert own[75:].abs().max() > 0.01
    assert other[75:].abs().max() == 0
    torch.testing.assert_close(own[:75], other[:75])
    (obj,) = (tmp_path / "other").glob("*.obj")
    assert vertices_of(obj) == VERTICES


def test_a_moved_file_takes_the_place_of_the_old_one(trained, smpl_pkl, tmp_path):
    """No warning: pytest makes it an error. A copy by `body import` has the same betas."""
    save_body(tmp_path / "body.npz", read_body(smpl_pkl), exact=True)
    moved = load_pretrained(trained, tmp_path / "body.npz")
    pictures = torch.rand(1, 3, 32, 32)
    with torch.no_grad():
        for a, b in zip(moved(pictures)[-1], load_pretrained(trained)(pictures)[-1], strict=True):
            torch.testing.assert_close(a, b, rtol=0, atol=0)
    assert load_pretrained("keypoints", "full").shape_known


def test_what_would_be_wrong_is_refused(smpl_pkl, tmp_path):
    with pytest.warns(UserWarning, match=r"keypoints was trained with the body lite"):
        model = load_pretrained("keypoints", smpl_pkl)
    with pytest.raises(DataError, match="do not know the betas"):
        model.save(tmp_path / "m.safetensors")


def test_a_start_from_another_body_is_said(smpl_pkl, tmp_path):
    HMR("keypoints", width=2, hidden=16).save(tmp_path / "m.safetensors")
    other = HMR("keypoints", str(smpl_pkl), width=2, hidden=16)
    with pytest.warns(UserWarning, match="must be learnt anew"):
        transfer(other, tmp_path / "m.safetensors")
    HMR("keypoints", "full", width=2, hidden=16)
    transfer(HMR("keypoints", "full", width=2, hidden=16), tmp_path / "m.safetensors")  # no warning


def test_fit_to_keypoints_of_this_body(smpl_pkl):
    """The fit finds keypoints that this body has made."""
    body = load_body(smpl_pkl)
    generator = torch.Generator().manual_seed(1)
    poses = load_pose_prior().sample(4, generator)
    camera, pose, _ = split_theta(mean_theta().expand(4, 85))
    poses[:, :3] = pose[:, :3]
    betas = torch.randn(4, 10, generator=generator)
    truth = body(betas, poses, vertices=False).keypoints
    seen = weak_perspective(truth, camera)
    start = join_theta(camera, poses + 0.15 * torch.randn(4, 72, generator=generator), 0 * betas)
    found = fit_to_keypoints(body, [start], seen, torch.ones(4, 19))
    errors = []
    for theta in (start, found.theta):
        camera, pose, betas = split_theta(theta)
        keypoints = body(betas, pose, vertices=False).keypoints
        errors.append((weak_perspective(keypoints, camera) - seen).norm(dim=2).mean())
    assert errors[1] < 0.25 * errors[0]


def test_explorers(smpl_pkl):
    pytest.importorskip("ipywidgets")
    from hmr_edu.viz.explore import explore_pose, explore_shape, explore_skinning

    body = load_body(smpl_pkl)
    for explore in (explore_shape, explore_pose, explore_skinning):
        explorer = explore(body)
        assert len(explorer.figure.data[0].x) == VERTICES
        assert len(explorer.figure.data[0].i) == 13776
    explorer = explore_shape(body)
    assert abs(explorer.state.height() - 1.70) < 0.01
    explorer.controls["beta 0"].value = 2.0
    rest = np.array(smpl_arrays(300)["v_template"] + 2 * smpl_arrays(300)["shapedirs"][:, :, 0])
    assert abs(explorer.state.height() - np.ptp(rest[:, 1])) < 1e-4


def test_the_functions_of_lessons(smpl_pkl, tmp_path):
    """What lesson 02 does to a body: its layer by hand, cut, saved and read again."""
    from hmr_edu.viz.explore.view_state import MeshViewState, volume

    body = load_body(smpl_pkl)
    shaped = body.v_template + body.shapedirs @ torch.ones(10)
    output = body(torch.ones(1, 10), torch.zeros(1, 72))
    torch.testing.assert_close(output.vertices[0], shaped, rtol=0, atol=1e-6)
    assert 0.05 < volume(body.v_template, body.faces) < 0.09
    assert MeshViewState(body).skinning_weights("head").max() > 0.9
    again = load_body(write_npz(tmp_path / "SMPL.npz", smpl_arrays(10)))
    torch.testing.assert_close(again.v_template, body.v_template)
