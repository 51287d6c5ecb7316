"""Muon against the decomposition it approximates, and who gets which weights."""

import copy

import pytest
import torch
from helpers.small_run import small
from hypothesis import given
from hypothesis import strategies as st
from torch import nn
from torch.utils._python_dispatch import TorchDispatchMode

from hmr_edu.encoder.build import ENCODERS
from hmr_edu.encoder.heads import Features
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.training.complete_run import run
from hmr_edu.training.config import OptimizerConfig
from hmr_edu.training.muon import Muon, orthogonalise
from hmr_edu.training.optimizers import build_optimizers, learning_rate
from hmr_edu.training.presets import cpu_preset

VIEWS = ("permute", "unbind", "view", "transpose", "diagonal", "select", "unsqueeze", "detach")
SHAPES = st.tuples(st.integers(1, 40), st.integers(1, 40), st.integers(0, 10**6))


@pytest.mark.parametrize(
    ("steps", "smallest", "dtype", "slack", "tilt"),
    [
        (3, 0.018, torch.float32, 0.0, 1e-3),
        (5, 0.0016, torch.float32, 0.0, 1e-2),
        (3, 0.1, torch.bfloat16, 0.06, 0.3),
    ],
)
@given(case=SHAPES)
def test_orthogonalise_evens_out_the_singular_values(case, steps, smallest, dtype, slack, tilt):
    rows, columns, seed = case
    g = torch.Generator().manual_seed(seed)
    U, S, Vt = torch.linalg.svd(torch.randn(rows, columns, generator=g), full_matrices=False)
    # Known singular values, of all sizes down to the smallest share of the norm that is promised.
    S = smallest ** torch.rand(len(S), generator=g)
    S = (S / S.norm()).clamp_min(1.01 * smallest)
    matrix = U @ torch.diag(S) @ Vt
    result = orthogonalise(1000 * matrix[None], steps=steps, dtype=dtype)[0]
    assert result.dtype == torch.float32
    values = torch.linalg.svdvals(result)
    assert values.min() > 0.65 - slack
    assert values.max() < 1.25 + slack
    # The same directions: U^T result V is diagonal.
    inner = U.T @ result @ Vt.T
    assert (inner - torch.diag(inner.diag())).abs().max() < tilt


def test_more_steps_than_bfloat16_is_good_for_are_refused():
    with pytest.raises(ValueError, match="3 steps"):
        orthogonalise(torch.eye(3)[None], 5, torch.bfloat16)


def test_orthogonalise_keeps_zero():
    assert torch.equal(orthogonalise(torch.zeros(1, 3, 5), 3), torch.zeros(1, 3, 5))


def test_matrices_in_a_batch_do_not_mix():
    batch = torch.randn(3, 7, 5, generator=torch.Generator().manual_seed(0))
    alone = torch.cat([orthogonalise(matrix, 3) for matrix in batch.split(1)])
    torch.testing.assert_close(orthogonalise(batch, 3), alone)


@pytest.mark.parametrize("layout", [torch.contiguous_format, torch.channels_last])
def test_weights_of_one_shape_move_as_if_alone(layout):
    g = torch.Generator().manual_seed(0)
    weights = [nn.Parameter(torch.randn(6, 4, 3, 3, generator=g)) for _ in range(2)]
    expected = []
    for weight in weights:
        gradient = torch.randn(6, 4, 3, 3, generator=g)
        # After one gradient the direction is the gradient's, as [out, in * height * width].
        move = orthogonalise(gradient.flatten(1)[None], 3).view_as(weight)
        expected.append(weight.detach() - 0.1 * 0.2 * 36**0.5 * move)
        weight.data = weight.data.contiguous(memory_format=layout)
        weight.grad = gradient.contiguous(memory_format=layout)
    Muon([*weights, nn.Parameter(torch.eye(3))], lr=0.1).step()
    for weight, moved in zip(weights, expected, strict=True):
        torch.testing.assert_close(weight.detach(), moved)


def test_many_weights_of_one_shape_take_no_more_operations_than_few():
    """A GPU waits for Python to start each of them."""

    class Operations(TorchDispatchMode):
        def __init__(self):
            super().__init__()
            self.count = 0

        def __torch_dispatch__(self, function, types, args=(), kwargs=None):
            # Views (movedim is `permute`, unbind, ...) start nothing on a GPU.
            self.count += function.overloadpacket._qualified_op_name.split("::")[1] not in VIEWS
            return function(*args, **(kwargs or {}))

    counts = []
    for weights in (2, 20):
        parameters = [nn.Parameter(torch.ones(4, 4, 3, 3)) for _ in range(weights)]
        muon = Muon(parameters, lr=0.1)
        for _ in range(2):  # the first step makes the momenta
            for parameter in parameters:
                parameter.grad = torch.ones(4, 4, 3, 3)
            with Operations() as operations:
                muon.step()
        counts.append(operations.count)
    assert counts[0] == counts[1] < 50


def test_a_step_has_adamws_size_whatever_the_gradient():
    steps = []
    for scale in (1e-6, 1e6):
        torch.manual_seed(0)
        weight = nn.Parameter(torch.randn(64, 32, 3, 3))
        before = weight.detach().clone()
        weight.grad = scale * torch.randn(64, 32, 3, 3)
        Muon([weight], lr=0.1).step()
        steps.append(weight.detach() - before)
    torch.testing.assert_close(steps[0], steps[1], rtol=1e-3, atol=1e-6)
    # AdamW's steps have a root mean square of 0.2 to 0.4 of the learning rate.
    assert 0.1 < steps[0].square().mean().sqrt() / 0.1 < 0.3


def test_the_step_points_against_the_gradient_and_decays():
    weight = nn.Parameter(torch.eye(4))
    weight.grad = torch.eye(4)
    Muon([weight], lr=0.01, weight_decay=0.5).step()
    values = weight.detach().diagonal()
    decayed = 1 - 0.01 * 0.5
    assert ((values < decayed) & (values > decayed - 0.01 * 0.2 * 2 * 1.25)).all()


@pytest.fixture(scope="module")
def model():
    config = cpu_preset().model
    return HMR(
        config.encoder,
        image_size=64,
        width=8,
        stem="small",
        pooling="spatial",
        representation="6d",
        hidden=32,
    )


@pytest.mark.parametrize("method", ["adamw", "muon"])
def test_every_weight_has_one_optimizer(model, method):
    optimizers = build_optimizers(model, OptimizerConfig(method=method))
    groups = [group for optimizer in optimizers for group in optimizer.param_groups]
    owned = [p for group in groups for p in group["params"]]
    assert len(owned) == len(set(owned))
    assert set(owned) == set(model.parameters())


def test_the_ends_and_the_vectors_stay_with_adamw(model):
    muon, adamw = build_optimizers(model, OptimizerConfig(method="muon"))
    mine = {p for group in muon.param_groups for p in group["params"]}
    theirs = {p for group in adamw.param_groups for p in group["params"]}
    assert all(p.ndim >= 2 for p in mine)
    assert model.encoder.backbone.conv1.weight in theirs
    assert model.encoder.head.maps.weight in theirs
    assert model.regressor.perceptrons[0][-1].weight in theirs
    assert model.regressor.perceptrons[0][0].weight in mine


SPATIAL = {"stem": "small", "pooling": "spatial", "confidence": True}
MAPS = ["encoder.head.maps", "encoder.head.confidence.2"]


@pytest.mark.parametrize(
    ("encoder", "options", "ends"),
    [
        ("resnet18", {"stem": "small"}, ["encoder.backbone.conv1"]),
        ("resnet50", SPATIAL, ["encoder.backbone.conv1", *MAPS]),
        (
            "efficientnet_lite0",
            SPATIAL | {"stem": "imagenet"},
            ["encoder.backbone.conv_stem", *MAPS],
        ),
        ("keypoints", {}, ["encoder.first"]),
    ],
)
def test_adamw_has_these_layers_of_each_shipped_encoder(encoder, options, ends):
    model = HMR(encoder, image_size=64, width=8, hidden=16, **options)
    layers = {
        f"{name}.weight": layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Conv2d | nn.Linear) and getattr(layer, "groups", 1) == 1
    }
    muon, _ = build_optimizers(model, OptimizerConfig(method="muon"))
    mine = {p for group in muon.param_groups for p in group["params"]}
    assert mine <= {layer.weight for layer in layers.values()}
    last = "regressor.perceptrons.0.6"
    left_out = {name for name, layer in layers.items() if layer.weight not in mine}
    assert left_out == {f"{name}.weight" for name in (last, *ends)}


class Flat(nn.Module):
    """An encoder of another kind: layers in a row, no backbone and no head."""

    def __init__(self, *layers: nn.Module, feature_dim: int = 8) -> None:
        super().__init__()
        self.image_size, self.feature_dim = 32, feature_dim
        self.layers = nn.Sequential(nn.Flatten(), *layers)

    def forward(self, images):
        return Features(self.layers(images))


def flat(monkeypatch, **options) -> HMR:
    monkeypatch.setitem(ENCODERS, "flat", lambda **_: Flat(*options.pop("layers"), **options))
    return HMR("flat", image_size=32, hidden=16)


def test_of_another_encoder_the_first_layer_stays_with_adamw(monkeypatch):
    model = flat(monkeypatch, layers=[nn.Linear(3 * 32**2, 8), nn.ReLU(), nn.Linear(8, 8)])
    muon, adamw = build_optimizers(model, OptimizerConfig(method="muon"))
    mine, theirs = (
        {p for group in each.param_groups for p in group["params"]} for each in (muon, adamw)
    )
    assert model.encoder.layers[1].weight in theirs
    assert model.encoder.layers[3].weight in mine
    assert mine | theirs == set(model.parameters())


def test_an_encoder_without_a_matrix_has_optimizers(monkeypatch):
    model = flat(monkeypatch, layers=[nn.LayerNorm(3 * 32**2)], feature_dim=3 * 32**2)
    optimizers = build_optimizers(model, OptimizerConfig(method="muon"))
    before = [p.detach().clone() for p in model.parameters()]
    model(torch.rand(2, 3, 32, 32))[-1].keypoints3d.square().sum().backward()
    for optimizer in optimizers:
        optimizer.step()
    assert all(len(optimizer.param_groups) == 2 for optimizer in optimizers)
    assert any(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))


def test_an_encoder_of_another_kind_trains_saves_and_loads(tmp_path, monkeypatch):
    layers = [nn.Linear(3 * 32**2, 8), nn.ReLU(), nn.Linear(8, 8)]
    monkeypatch.setitem(ENCODERS, "flat", lambda **_: Flat(*copy.deepcopy(layers)))
    config = small(tmp_path, images=8)
    assert config.optimizer.method == "muon"
    # An assignment: the choices of the constructor are the shipped encoders.
    config.model.encoder, config.model.pooling = "flat", "average"
    assert run(config) == {}
    loaded = load_pretrained(config.folder / "model.safetensors")
    assert isinstance(loaded.encoder, Flat)
    assert not torch.equal(loaded.encoder.layers[3].weight, layers[2].weight)


def test_the_regressor_has_its_scale(model):
    config = OptimizerConfig(method="muon", regressor_scale=0.25)
    regressor = set(model.regressor.parameters())
    for optimizer in build_optimizers(model, config):
        for group in optimizer.param_groups:
            assert group["scale"] == (0.25 if regressor & set(group["params"]) else 1.0)


def test_muon_state_survives_saving(model):
    def some_steps(network, optimizers, seeds):
        for seed in seeds:
            g = torch.Generator().manual_seed(seed)
            for p in network.parameters():
                p.grad = torch.randn(p.shape, generator=g)
            for optimizer in optimizers:
                optimizer.step()

    config = OptimizerConfig(method="muon")
    whole, cut = copy.deepcopy(model), copy.deepcopy(model)
    some_steps(whole, build_optimizers(whole, config), range(4))
    first = build_optimizers(cut, config)
    some_steps(cut, first, range(2))
    second = build_optimizers(cut, config)
    for old, new in zip(first, second, strict=True):
        new.load_state_dict(copy.deepcopy(old.state_dict()))
    some_steps(cut, second, range(2, 4))
    for a, b in zip(whole.parameters(), cut.parameters(), strict=True):
        assert torch.equal(a, b)


def test_learning_rate_warms_up_and_falls_to_zero():
    config = OptimizerConfig(learning_rate=1.0, warmup=10)
    assert learning_rate(config, 0, 0.0) == pytest.approx(0.1)
    assert learning_rate(config, 9, 0.0) == pytest.approx(1.0)
    assert learning_rate(config, 500, 0.5) == pytest.approx(0.5)
    assert learning_rate(config, 1000, 1.0) == pytest.approx(0.0)
    constant = OptimizerConfig(learning_rate=1.0, warmup=10, schedule="constant")
    assert learning_rate(constant, 1000, 1.0) == pytest.approx(1.0)
