"""Every term by hand, its gradient in float64, and nothing from what is not labelled."""

import math
from types import SimpleNamespace

import numpy as np
import pytest
import torch
from scipy.special import rel_entr
from scipy.stats import multivariate_normal

from hmr_edu import discriminator, losses
from hmr_edu.losses import per_step, step_weights

B, N = 4, 19
NAN = float("nan")


def randn(*shape, seed=0):
    generator = torch.Generator().manual_seed(seed + sum(shape))
    return torch.randn(*shape, dtype=torch.float64, generator=generator)


def ones(*shape):
    return torch.ones(*shape, dtype=torch.bool)


def case(name):
    """A term's prediction, its label and its flags, all labelled; flags are the last entry."""
    points2d = randn(B, N, 2, seed=1).clamp(-0.9, 0.9)
    R, betas = randn(B, 2, 3, 3), randn(B, 10)
    return {
        "keypoints2d": (losses.keypoints2d_loss, randn(B, N, 2), points2d, ones(B, N)),
        "keypoints3d l1": (
            losses.keypoints3d_loss,
            randn(B, N, 3),
            randn(B, N, 3, seed=1),
            ones(B),
        ),
        "keypoints3d mse": (
            lambda *a: losses.keypoints3d_loss(*a, norm="mse"),
            randn(B, N, 3),
            randn(B, N, 3, seed=1),
            ones(B),
        ),
        "pose": (
            lambda p, t, f: losses.theta_loss(p, betas[: len(p)], t, betas[: len(p)], f)[0],
            randn(B, 24, 3, 3),
            randn(B, 24, 3, 3, seed=1),
            ones(B),
        ),
        "betas": (
            lambda p, t, f: losses.theta_loss(R[: len(p)], p, R[: len(p)], t, f)[1],
            randn(B, 10),
            randn(B, 10, seed=1),
            ones(B),
        ),
        "mesh": (losses.mesh_loss, randn(B, 6, 3), randn(B, 6, 3, seed=1), ones(B)),
        "mesh, roots": (
            lambda p, t, f: losses.mesh_loss(p, t, f, (p[:, 0], t[:, 0])),
            randn(B, 6, 3),
            randn(B, 6, 3, seed=1),
            ones(B),
        ),
        "heatmap": (losses.heatmap_loss, randn(B, N, 5, 7), points2d, ones(B, N)),
        "depth": (losses.depth_loss, randn(B, N), randn(B, N, 3, seed=1), ones(B)),
    }[name]


TERMS = [
    "keypoints2d",
    "keypoints3d l1",
    "keypoints3d mse",
    "pose",
    "betas",
    "mesh",
    "mesh, roots",
    "heatmap",
    "depth",
]


@pytest.mark.parametrize("name", TERMS)
def test_gradient(name):
    term, pred, target, flags = case(name)
    pred, target, flags = pred[:2].requires_grad_(), target[:2], flags[:2].clone()
    flags[1] = False
    assert torch.autograd.gradcheck(lambda p: term(p, target, flags), (pred,), fast_mode=True)


@pytest.mark.parametrize("name", TERMS)
def test_unlabelled_samples_do_not_exist(name):
    """Half labelled, NaN in the rest: value and gradient are those of the labelled half."""
    term, pred, target, flags = case(name)
    pred.requires_grad_()
    full = term(pred, target, flags)
    assert full > 0
    flags[::2] = False
    poisoned = target.clone()
    poisoned[::2] = NAN
    value = term(pred, poisoned, flags)
    (gradient,) = torch.autograd.grad(value, pred)
    assert gradient[::2].abs().sum() == 0
    assert gradient.isfinite().all()
    # The labelled half alone, doubled to fill the batch, has the same mean.
    half = torch.arange(1, B, 2).repeat_interleave(2)
    doubled = term(pred[half], target[half], torch.ones_like(flags))
    torch.testing.assert_close(value, doubled)


@pytest.mark.parametrize("name", TERMS)
def test_nothing_labelled_is_zero_with_a_graph(name):
    term, pred, target, flags = case(name)
    pred.requires_grad_()
    value = term(pred, torch.full_like(target, NAN), torch.zeros_like(flags))
    assert value.item() == 0
    (gradient,) = torch.autograd.grad(value, pred)
    assert gradient.eq(0).all()


@pytest.mark.parametrize("name", sorted(set(TERMS) - {"heatmap", "depth"}))
def test_perfect_predictions_cost_nothing(name):
    term, _, target, flags = case(name)
    assert term(target, target, flags).item() == 0


def test_keypoints2d_by_hand():
    pred = torch.tensor([[[0.0, 0.0], [1.0, 1.0]], [[0.5, 0.0], [0.0, 0.0]]])
    target = torch.tensor([[[0.1, -0.2], [9.0, 9.0]], [[0.0, 0.0], [0.0, 1.0]]])
    # Seen: |dx| sums of 0.3, 0.5 and 1; 3 points times 2.
    visibility = torch.tensor([[True, False], [True, True]])
    assert losses.keypoints2d_loss(pred, target, visibility).item() == pytest.approx(1.8 / 6)
    weight = torch.tensor([[0.2, 0.0], [1.0, 0.5]])
    expected = (0.2 * 0.3 + 0.5 + 0.5 * 1) / (2 * 1.7)
    assert losses.keypoints2d_loss(pred, target, weight).item() == pytest.approx(expected)


def test_keypoints3d_by_hand():
    target = randn(1, 14, 3)
    pred = target.clone()
    pred[0, 12, 1] += 0.3  # the neck, 30 cm too low
    labelled = ones(1)
    assert losses.keypoints3d_loss(pred, target, labelled).item() == pytest.approx(0.3 / 42)
    mse = losses.keypoints3d_loss(pred, target, labelled, norm="mse").item()
    assert mse == pytest.approx(0.09 / 42)
    # Where the body stands does not matter, the hips in between do.
    assert losses.keypoints3d_loss(pred + 5, target, labelled).item() == pytest.approx(0.3 / 42)
    pred = target.clone()
    pred[0, 2, 0] += 0.28  # right hip 28 cm out: mid-hip 14 cm, all 14 points 14 cm off
    assert losses.keypoints3d_loss(pred, target, labelled).item() == pytest.approx(14 * 0.14 / 42)
    with pytest.raises(ValueError, match="l2"):
        losses.keypoints3d_loss(pred, target, labelled, norm="l2")


def test_keypoints3d_visibility():
    pred, target = randn(2, 14, 3), randn(2, 14, 3, seed=1)
    visibility = ones(2, 14)
    visibility[0, 7] = False
    visibility[1, 3] = False  # no left hip, no alignment, no sample
    target[0, 7] = target[1, 3] = NAN
    value = losses.keypoints3d_loss(pred, target, ones(2), visibility)
    aligned = [x[0] - (x[0, 2] + x[0, 3]) / 2 for x in (pred, target)]
    error = (aligned[0] - aligned[1]).abs()
    expected = error[visibility[0]].sum() / (13 * 3)
    torch.testing.assert_close(value, expected)


def test_theta_by_hand():
    R, betas = torch.eye(3).expand(2, 24, 3, 3), torch.zeros(2, 10)
    quarter_turn = R.clone()
    quarter_turn[:, 5] = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    labelled = torch.tensor([True, False])
    pose, shape = losses.theta_loss(R, betas, quarter_turn, betas + 2, labelled)
    assert pose.item() == pytest.approx(4 / 216)
    assert shape.item() == pytest.approx(4)


def test_mesh_by_hand():
    target = randn(2, 6, 3)
    pred = target + torch.tensor([0.1, 0, -0.2])
    assert losses.mesh_loss(pred, target, ones(2)).item() == pytest.approx(0.1)
    aligned = losses.mesh_loss(pred, target, ones(2), (pred[:, 0], target[:, 0]))
    assert aligned.item() == pytest.approx(0)


def test_heatmap_is_the_divergence_from_a_gaussian():
    """Against scipy's normal density and relative entropy on an oblong map."""
    height, width, sigma = 6, 10, 1.3
    logits = randn(1, 1, height, width)
    point = torch.tensor([[[0.3, -0.55]]], dtype=torch.float64)
    # In cells: cell j spans j - 0.5 to j + 0.5.
    centre = [(0.3 + 1) / 2 * width - 0.5, (-0.55 + 1) / 2 * height - 0.5]
    x, y = np.meshgrid(np.arange(width), np.arange(height))
    density = multivariate_normal(centre, sigma**2).pdf(np.stack((x, y), -1))
    density /= density.sum()
    probability = logits[0, 0].flatten().softmax(0).reshape(height, width).numpy()
    value = losses.heatmap_loss(logits, point, ones(1, 1), sigma)
    assert value.item() == pytest.approx(rel_entr(density, probability).sum(), rel=1e-9)
    best = losses.heatmap_loss(
        torch.from_numpy(np.log(density))[None, None], point, ones(1, 1), sigma
    )
    assert abs(best.item()) < 1e-12


def test_heatmap_leaves_out_what_is_outside_the_crop():
    logits, target = randn(1, 3, 5, 5), torch.zeros(1, 3, 2, dtype=torch.float64)
    one = losses.heatmap_loss(logits[:, :1], target[:, :1], ones(1, 1))
    target[0, 1, 0] = 1.2
    target[0, 2] = NAN
    torch.testing.assert_close(losses.heatmap_loss(logits, target, ones(1, 3)), one)
    weights = torch.tensor([[0.25, 1.0, 1.0]], dtype=torch.float64)
    torch.testing.assert_close(losses.heatmap_loss(logits, target, weights), one)


def test_depth_by_hand():
    target = randn(2, N, 3)
    behind = target[..., 2] - (target[:, 2, 2] + target[:, 3, 2])[:, None] / 2
    assert losses.depth_loss(behind, target, ones(2)).item() == pytest.approx(0, abs=1e-15)
    nearer = losses.depth_loss(behind - 0.1, target, ones(2))
    assert nearer.item() == pytest.approx(0.1)
    assert losses.depth_loss(behind, target + 7, ones(2)).item() == pytest.approx(0, abs=1e-14)


@pytest.mark.parametrize("dtype", [torch.int64, torch.uint8])
def test_parts_by_hand(dtype):
    logits = randn(2, 25, 2, 2).requires_grad_()
    image = torch.zeros(2, 8, 8, dtype=dtype)
    # The centres of the 4 cells of 8 x 8 pixels are pixels 2 and 6.
    image[0, 2, 2], image[0, 2, 6], image[0, 6, 2], image[0, 6, 6] = 3, 0, 5, 24
    image[0, 0, 0] = 9  # falls between
    labelled = torch.tensor([True, False])
    value = losses.parts_loss(logits, image, labelled)
    expected = 0
    for (i, j), part in {(0, 0): 3, (0, 1): 0, (1, 0): 5, (1, 1): 24}.items():
        expected -= logits[0, :, i, j].log_softmax(0)[part] / 4
    torch.testing.assert_close(value, expected)
    assert torch.autograd.grad(value, logits)[0][1].abs().sum() == 0
    assert losses.parts_loss(logits, image, ~ones(2)).item() == 0


def test_terms_of_the_encoder_are_not_of_the_steps():
    """A regression step has no heat-maps: these terms are computed once."""
    encoder = {"heatmaps", "depths", "parts", "visibility"}
    assert {name for name, term in losses.TERMS.items() if not term.per_step} == encoder


def test_default_weights():
    """Keypoints and pose count 60 times, betas 0.06 times; every other term is off."""
    on = {"keypoints2d": 60, "keypoints3d": 60, "pose": 60, "betas": 0.06}
    off = ("mesh", "silhouette", "part_silhouettes", "dense")
    off += ("heatmaps", "depths", "parts", "visibility")
    assert {name: term.weight for name, term in losses.TERMS.items()} == on | dict.fromkeys(off, 0)


def test_terms_of_pose_and_betas_take_their_own_error_and_flag():
    R = torch.eye(3).expand(2, 24, 3, 3)
    turned = R.clone()
    turned[1, 5] = torch.tensor([[0.0, -1, 0], [1, 0, 0], [0, 0, 1]])
    betas = torch.zeros(2, 10)
    labels = torch.stack((torch.full((10,), 3.0), torch.full((10,), NAN)))
    answer = SimpleNamespace(rotations=R, betas=betas)
    batch = SimpleNamespace(
        rotations=turned,
        betas=labels,
        has_theta=torch.tensor([True, True]),
        has_betas=torch.tensor([True, False]),
    )
    pose, shape = (losses.TERMS[n].compute(answer, batch, None).item() for n in ("pose", "betas"))
    assert pose == pytest.approx(4 / (2 * 216))
    assert shape == pytest.approx(9)


@pytest.mark.parametrize("name", TERMS)
def test_half_precision_is_computed_in_float32(name):
    term, pred, target, flags = case(name)
    pred, target = (pred * 50).bfloat16(), target.bfloat16()
    value = term(pred, target, flags)
    if name not in ("pose", "betas"):  # the case's other half is float64
        assert value.dtype == torch.float32
    torch.testing.assert_close(value.float(), term(pred.float(), target.float(), flags).float())


def test_parts_and_steps_in_half_precision():
    logits = randn(1, 25, 2, 2).bfloat16()
    image, labelled = torch.ones(1, 2, 2, dtype=torch.uint8), ones(1)
    value = losses.parts_loss(logits, image, labelled)
    assert value.dtype == torch.float32
    torch.testing.assert_close(value, losses.parts_loss(logits.float(), image, labelled))
    large = [torch.tensor(60000.0, dtype=torch.float16)] * 2
    assert per_step(large, [1, 1]).item() == 120000
    pose, betas = torch.zeros(1, 2, 3, 3).half(), torch.zeros(1, 10).half()
    for value in losses.theta_loss(pose + 300, betas + 300, pose, betas, labelled):
        assert value.dtype == torch.float32
        assert value.item() == pytest.approx(90000)


def test_background_pixels_count():
    logits = randn(1, 25, 2, 2)
    image = torch.tensor([[[0, 7], [255, -1]]])
    chance = logits[0, :, 0].log_softmax(0)
    expected = -(chance[0, 0] + chance[7, 1]) / 2
    torch.testing.assert_close(losses.parts_loss(logits, image, ones(1)), expected)


def test_parts_unknown_pixels():
    logits = randn(1, 25, 2, 2)
    image = torch.full((1, 2, 2), -1)
    image[0, 1, 0] = 7
    expected = -logits[0, :, 1, 0].log_softmax(0)[7]
    torch.testing.assert_close(losses.parts_loss(logits, image, ones(1)), expected)


def test_parts_of_sizes_that_do_not_divide():
    """Each cell takes the pixel under its centre, exactly."""
    image = torch.arange(100).reshape(1, 10, 10)
    logits = torch.full((1, 100, 3, 3), -50.0)
    for i in range(3):
        for j in range(3):
            # Cell centres at (i + 0.5) / 3 of 10 pixels: 1.67, 5 and 8.33.
            logits[0, 10 * (1, 5, 8)[i] + (1, 5, 8)[j], i, j] = 50
    assert losses.parts_loss(logits, image, ones(1)).item() == pytest.approx(0, abs=1e-6)


def test_lsgan_by_hand():
    chance = torch.full((6, 25), 0.5)
    assert discriminator.lsgan_encoder_loss(chance).item() == pytest.approx(6.25)
    assert discriminator.lsgan_discriminator_loss(chance[:2], chance).item() == pytest.approx(12.5)
    assert discriminator.lsgan_encoder_loss(torch.ones(3, 25)).item() == 0
    assert discriminator.lsgan_discriminator_loss(torch.ones(3, 25), torch.zeros(9, 25)).item() == 0
    outputs = torch.tensor([[1.0, 3.0], [0.0, 2.0]])
    assert discriminator.lsgan_encoder_loss(outputs).item() == pytest.approx((0 + 4 + 1 + 1) / 2)
    loss = discriminator.lsgan_discriminator_loss(outputs, outputs[:1])
    assert loss.item() == pytest.approx(3 + (1 + 9) / 1)
    assert discriminator.lsgan_encoder_loss(outputs[:0]).item() == 0


def test_lsgan_muted_critics():
    weights = torch.ones(25)
    weights[[10, 11, 13, 14, 22, 23]] = 0
    chance = torch.full((2, 25), 0.5)
    assert discriminator.lsgan_encoder_loss(chance, weights).item() == pytest.approx(19 / 4)
    outputs = chance.clone().requires_grad_()
    discriminator.lsgan_discriminator_loss(outputs, outputs * 2, weights).backward()
    assert torch.equal(outputs.grad[0].ne(0), weights.bool())


def test_lsgan_gradients():
    fake, real = randn(3, 5).requires_grad_(), randn(2, 5, seed=1).requires_grad_()
    assert torch.autograd.gradcheck(discriminator.lsgan_encoder_loss, (fake,))
    assert torch.autograd.gradcheck(discriminator.lsgan_discriminator_loss, (real, fake))


def test_step_weights():
    assert step_weights("all", 4) == [0.25] * 4
    assert sum(step_weights("all", 3)) == pytest.approx(1)
    assert step_weights("last", 3) == [0, 0, 1]
    assert step_weights("all", 1) == step_weights("last", 1) == [1]
    assert step_weights([0, 0.5, 2], 3) == [0, 0.5, 2]


@pytest.mark.parametrize(
    ("steps", "message"),
    [
        ("first", "'first'"),
        ([1, 1], "3 steps need 3 weights, got 2"),
        ([1, -1, 1], "-1"),
        ([1, NAN, 1], "nan"),
        ([0, math.inf, 1], "inf"),
        ([0, 0, 0], "not all 0"),
    ],
)
def test_wrong_step_weights_are_named(steps, message):
    with pytest.raises(ValueError, match=message):
        step_weights(steps, 3)


def test_per_step():
    terms = [torch.tensor(x, requires_grad=True) for x in (1.0, 10.0, 100.0)]
    assert per_step(terms, step_weights("all", 3)).item() == pytest.approx(37)
    value = per_step(terms, [0, 1, 0.5])
    assert value.item() == pytest.approx(60)
    value.backward()
    assert [term.grad if term.grad is None else term.grad.item() for term in terms] == [
        None,
        1,
        0.5,
    ]
    exploded = [torch.tensor(math.inf), torch.tensor(NAN), torch.tensor(2.0)]
    assert per_step(exploded, step_weights("last", 3)).item() == 2
    with pytest.raises(ValueError, match="3 losses need 3 weights, got 2"):
        per_step(terms, [1, 1])
