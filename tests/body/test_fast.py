"""The fast layer against the readable one in float64: values, gradients, and who may call it."""

import copy
import dataclasses
import pickle
import subprocess
import sys

import jaxtyping
import numpy as np
import pytest
import torch
from helpers.toy_body import toy_body
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from torch.func import functional_call, jacrev, vmap

from hmr_edu.body import SMPL, fast, load_body, read_body
from hmr_edu.body.fast import FastSMPL
from hmr_edu.body.peer import smplx_layer
from hmr_edu.body.tiles import BODIES, cut_tiles

# Of the largest value or gradient; a float32 has 1.2e-7.
TOLERANCE = 2e-6
# A gradient sums thousands of terms, many of which cancel.
GRADIENT = 3e-5


def sparse_body(V=700):
    """A toy whose vertices hang on two bones each, and whose correctives are as local."""
    body, rng = toy_body(V), np.random.default_rng(1)
    first = np.sort(rng.integers(0, 23, V))
    near = np.zeros((V, 24), bool)
    near[np.arange(V), first] = near[np.arange(V), first + 1] = True
    weights = np.where(near, rng.random((V, 24)) + 0.1, 0)
    posedirs = body.posedirs.reshape(V, 3, 23, 9) * near[:, None, 1:, None]
    return dataclasses.replace(
        body,
        weights=(weights / weights.sum(1, keepdims=True)).astype(np.float32),
        posedirs=posedirs.reshape(V, 3, 207),
    )


BODIES_TRIED = {
    "toy": toy_body(60),
    "sparse": sparse_body(),
    "lite": read_body("lite"),
    "6890": toy_body(6890),
}
FAST = {name: FastSMPL(body) for name, body in BODIES_TRIED.items()}
TRUTH = {name: SMPL(body).double() for name, body in BODIES_TRIED.items()}


def draw(batch, seed, matrices=False):
    g = torch.Generator().manual_seed(seed)
    betas = torch.randn(batch, 10, generator=g) * 2
    pose = torch.randn(batch, 72, generator=g) * 0.6
    pose[:, 3 * (seed % 24)] *= 1e-3  # small angles have a formula of their own
    pose[:, 3 * (seed % 23) :][:, :3] *= seed % 3
    if matrices:  # not rotations either: the layer takes what it is given
        pose = torch.eye(3) + 0.3 * torch.randn(batch, 24, 3, 3, generator=g)
    return betas, pose


def run(layer, betas, pose, vertices, seed, dtype=torch.float32):
    """Return the outputs and the gradients of a random weighted sum of all of them."""
    betas = betas.to(dtype, copy=True).requires_grad_()
    pose = pose.to(dtype, copy=True).requires_grad_()
    output = layer(betas, pose, vertices)
    values = [output.joints, output.keypoints, *([output.vertices] if vertices else [])]
    g = torch.Generator().manual_seed(seed)
    loss = sum((v * torch.randn(v.shape, generator=g)).sum() for v in values)
    return [*values, *torch.autograd.grad(loss, (betas, pose))]


def assert_equal(ours, truth, tolerance=TOLERANCE):
    assert len(ours) == len(truth)
    for i, (mine, right) in enumerate(zip(ours, truth, strict=True)):
        if i >= len(ours) - 2:  # the gradients of betas and pose come last
            tolerance = GRADIENT
        assert mine.shape == right.shape
        assert (mine - right).abs().max() <= tolerance * right.abs().max().clamp(min=1)


@pytest.mark.parametrize("name", [*BODIES_TRIED])
@given(
    batch=st.sampled_from([1, 2, 9, BODIES, BODIES + 1]),
    seed=st.integers(0, 10_000),
    vertices=st.booleans(),
    matrices=st.booleans(),
)
@settings(max_examples=8)
def test_equal_to_the_readable_layer(name, batch, seed, vertices, matrices):
    if name == "6890":
        batch = min(batch, 9)
    betas, pose = draw(batch, seed, matrices)
    ours = run(FAST[name], betas, pose, vertices, seed)
    assert ours[0].dtype == torch.float32
    assert_equal(ours, run(TRUTH[name], betas, pose, vertices, seed, torch.float64))


@pytest.mark.parametrize("name", ["toy", "sparse"])
def test_agrees_with_smplx(name):
    pytest.importorskip("smplx")
    betas, pose = (x.double() for x in draw(3, seed=4))
    peer = smplx_layer(BODIES_TRIED[name], 3, torch.float64)
    theirs = peer(betas=betas, body_pose=pose[:, 3:], global_orient=pose[:, :3])
    ours = FastSMPL(BODIES_TRIED[name]).double()(betas, pose)
    # smplx's Rodrigues adds 1e-8 to the axis: equal to 1e-7, never exactly.
    assert (ours.vertices - theirs.vertices).abs().max() < 1e-6
    assert (ours.joints - theirs.joints[:, :24]).abs().max() < 1e-6


@pytest.mark.parametrize("vertices", [True, False])
@pytest.mark.parametrize("matrices", [True, False])
def test_gradcheck(vertices, matrices):
    layer = FastSMPL(toy_body(V=12)).double()
    inputs = [x.double().requires_grad_() for x in draw(2, 7, matrices)]

    def everything(betas, pose):
        output = layer(betas, pose, vertices)
        return output.keypoints, output.joints, *([output.vertices] if vertices else [])

    assert torch.autograd.gradcheck(everything, inputs, atol=1e-6)


@pytest.mark.parametrize("wanted", ["both", "betas", "pose"])
def test_gradients_of_gradients(wanted):
    layer, readable = FastSMPL(toy_body(V=5)).double(), SMPL(toy_body(V=5)).double()
    betas, pose = (x.double() for x in draw(2, 5, matrices=True))
    pose = pose.transpose(2, 3)  # not contiguous
    betas.requires_grad_(wanted != "pose")
    pose.requires_grad_(wanted != "betas")
    leaves = [x for x in (betas, pose) if x.requires_grad]
    results = []
    for body in (layer, readable):
        loss = body(betas, pose).vertices.square().sum()
        first = torch.autograd.grad(loss, leaves, create_graph=True)
        results.append(torch.autograd.grad(sum(d.square().sum() for d in first), leaves))
    for ours, right in zip(*results, strict=True):
        torch.testing.assert_close(ours, right, rtol=1e-9, atol=1e-9)


def test_gradients_of_gradients_of_angles():
    layer = FastSMPL(toy_body(V=5)).double()
    inputs = [x.double().requires_grad_() for x in draw(1, 5)]
    loss = lambda betas, pose: layer(betas, pose).keypoints.square().sum()  # noqa: E731
    assert torch.autograd.gradgradcheck(loss, inputs, atol=1e-5)


@pytest.mark.parametrize("angle", [0.0, 1e-9, 1e-4, 0.00999, 0.01001, 1.0, 3.14159, 6.0, 40.0])
def test_rodrigues_at_every_angle(angle):
    layer = FastSMPL(toy_body(V=12)).double()
    axis = torch.tensor([0.48, -0.6, 0.64], dtype=torch.float64)
    pose = (angle * axis).repeat(1, 24, 1).requires_grad_()
    R = layer._rotate(pose)
    right = torch.from_numpy(Rotation.from_rotvec(angle * axis.numpy()).as_matrix())
    torch.testing.assert_close(R[0, 3], right, rtol=0, atol=1e-14 * max(1, angle))
    towards = torch.randn(R.shape, generator=torch.Generator().manual_seed(0), dtype=R.dtype)
    (ours,) = torch.autograd.grad((R * towards).sum(), pose)
    (truth,) = torch.autograd.grad((load_body("lite")._rotate(pose) * towards).sum(), pose)
    torch.testing.assert_close(ours, truth, rtol=0, atol=1e-9)


@pytest.mark.parametrize("wanted", ["betas", "pose"])
@pytest.mark.parametrize("vertices", [True, False])
def test_gradient_of_one_input_alone(wanted, vertices):
    results = []
    for layer, dtype in ((FAST["sparse"], torch.float32), (TRUTH["sparse"], torch.float64)):
        inputs = dict(zip(("betas", "pose"), (x.to(dtype) for x in draw(3, 2)), strict=True))
        inputs[wanted].requires_grad_()
        layer(**inputs, vertices=vertices).keypoints.square().sum().backward()
        results.append([inputs[wanted].grad])
    assert_equal(*results)


@pytest.mark.parametrize("used", ["joints", "keypoints", "vertices", "rotations"])
def test_gradient_of_one_output_alone(used):
    results = []
    for layer, dtype in ((FAST["sparse"], torch.float32), (TRUTH["sparse"], torch.float64)):
        betas, pose = (x.to(dtype).requires_grad_() for x in draw(3, 2))
        getattr(layer(betas, pose), used).square().sum().backward()
        results.append([pose.grad, *([] if used == "rotations" else [betas.grad])])
    assert_equal(*results)


def test_without_gradients_the_numbers_are_the_same():
    betas, pose = draw(BODIES + 3, 1)
    with torch.no_grad():
        alone = FAST["sparse"](betas, pose)
    with_graph = FAST["sparse"](betas.clone().requires_grad_(), pose)
    for first, second in zip(alone, with_graph, strict=True):
        torch.testing.assert_close(first, second, rtol=0, atol=1e-6)
    assert with_graph.vertices.requires_grad
    assert not alone.vertices.requires_grad


def test_inputs_of_any_layout_and_an_empty_batch():
    betas, pose = draw(4, 3)
    wide = torch.stack([betas, betas], dim=2)[..., 0], torch.stack([pose, pose], dim=2)[..., 0]
    same = FAST["sparse"](*wide), FAST["sparse"](betas, pose)
    torch.testing.assert_close(same[0].vertices, same[1].vertices, rtol=0, atol=0)
    assert FAST["sparse"](betas[:0], pose[:0]).vertices.shape == (0, 700, 3)


def test_autocast_changes_nothing():
    betas, pose = draw(3, 6)
    results = []
    for cast in (False, True):
        inputs = betas.clone().requires_grad_(), pose.clone().requires_grad_()
        with torch.autocast("cpu", torch.bfloat16, enabled=cast):
            output = FAST["sparse"](*inputs)
        loss = output.vertices.square().sum() + output.keypoints.square().sum()
        results.append([*output, *torch.autograd.grad(loss, inputs)])
    for plain, cast in zip(*results, strict=True):
        torch.testing.assert_close(plain, cast, rtol=0, atol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16, torch.float64])
def test_dtypes_as_the_readable_layer(dtype):
    betas, pose = (x.to(dtype) for x in draw(3, 6))
    ours, readable = FAST["toy"](betas, pose), SMPL(toy_body(60))(betas, pose)
    for first, second in zip(ours, readable, strict=True):
        assert first.dtype == second.dtype == dtype
        torch.testing.assert_close(first, second)


def test_in_vmap_and_on_the_meta_device():
    layer, readable = FastSMPL(toy_body(60)), SMPL(toy_body(60))
    betas, pose = draw(6, 8)
    many = betas.view(3, 2, 10), pose.view(3, 2, 72)
    together = vmap(lambda b, p: layer(b, p).vertices)(*many).flatten(0, 1)
    torch.testing.assert_close(together, readable(betas, pose).vertices)
    slopes = jacrev(lambda p: layer(betas[:1], p, vertices=False).joints)(pose[:1])
    truth = jacrev(lambda p: readable(betas[:1], p, vertices=False).joints)(pose[:1])
    torch.testing.assert_close(slopes, truth)
    meta = FastSMPL(toy_body(60)).to("meta")
    assert meta(betas.to("meta"), pose.to("meta")).vertices.shape == (6, 60, 3)


COMPILED = """
import torch
from hmr_edu.body import load_body

layer, inputs = load_body("lite", fast=True), (torch.randn(2, 10), 0.5 * torch.randn(2, 72))
graph = torch.compile(layer, backend="eager", fullgraph=True)
print((graph(*inputs).vertices - layer(*inputs).vertices).abs().max().item())
"""


@pytest.mark.slow
def test_compiled_in_one_graph():
    # In a process without the shape checks of the tests, which no compiler can follow.
    command = [sys.executable, "-c", COMPILED]
    run = subprocess.run(command, capture_output=True, text=True, timeout=600)
    assert run.returncode == 0, run.stderr[-2000:]
    assert float(run.stdout) < 5e-6


def test_plain_operations_give_the_same():
    """What a GPU does: joints by PyTorch's operations, one tile."""
    betas, pose = draw(5, 9)
    wanted = run(FAST["sparse"], betas, pose, True, 9)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(fast, "on_cpu", lambda tensor: False)
        layer = FastSMPL(BODIES_TRIED["sparse"])
        assert len(layer.tiles(betas, True)) == 1
        assert_equal(run(layer, betas, pose, True, 9), wanted)


def test_constants_that_change_are_noticed():
    layer, other = FastSMPL(toy_body(60)), FastSMPL(toy_body(60, seed=1))
    betas, pose = draw(2, 3)
    before = layer(betas, pose).vertices
    replaced = functional_call(layer, dict(other.named_buffers()), (betas, pose))
    torch.testing.assert_close(replaced.vertices, other(betas, pose).vertices)
    torch.testing.assert_close(layer(betas, pose).vertices, before, rtol=0, atol=0)
    layer.double()
    assert layer(betas.double(), pose.double()).vertices.dtype == torch.float64


@pytest.mark.parametrize("name", ["_template", "_blend", "_weights"])
def test_constants_that_are_written_to_are_noticed(name):
    layer, readable = FastSMPL(BODIES_TRIED["sparse"]), SMPL(BODIES_TRIED["sparse"])
    betas, pose = draw(BODIES + 1, 3)  # several tiles, which are copies
    assert len(layer.tiles(betas, True)) > 3
    layer(betas, pose)
    for body in (layer, readable):
        getattr(body, name).mul_(0.5)
    ours, right = layer(betas, pose).vertices, readable(betas, pose).vertices
    torch.testing.assert_close(ours, right, rtol=0, atol=5e-6)


def test_copies_and_files_of_it_work():
    betas, pose = draw(2, 3)
    right = FAST["sparse"](betas, pose).vertices
    for again in (copy.deepcopy(FAST["sparse"]), pickle.loads(pickle.dumps(FAST["sparse"]))):
        assert not again._tiles
        torch.testing.assert_close(again(betas, pose).vertices, right, rtol=0, atol=0)


@pytest.mark.parametrize("width", [1, 7, 100, 350, 699, 700, 5000])
def test_tiles_cover_the_body_once(width):
    layer = FAST["sparse"]
    template, blend, weights = layer._skin_constants(True)
    tiles = cut_tiles(template, blend, weights, width)
    spans = [range(700)[tile.span] for tile in tiles]
    assert [v for span in spans for v in span] == list(range(700))
    assert max(map(len, spans)) == len(spans[0]) <= max(width * 1.5, 1)
    kept = sum(tile.blend.count_nonzero() for tile in tiles)
    assert kept == blend.count_nonzero()
    # Vertices in the order of their bones: a small tile needs a few of them.
    if width <= 100:
        assert max(len(tile.joints) for tile in tiles) < 8


def test_load_body_chooses():
    assert type(load_body("lite")) is SMPL
    assert type(load_body("lite", fast=True)) is FastSMPL


def test_wrong_shapes_are_named(monkeypatch):
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside the tests
    with pytest.raises(ValueError, match=r"must be \["):
        FAST["toy"](torch.zeros(2, 10), torch.zeros(3, 72))
