"""Networks in every dtype, on the meta device, in vmap and compiled, against float64."""

import subprocess
import sys

import jaxtyping
import pytest
import torch
from helpers.few_looks import few, few_looks
from helpers.toy_body import toy_body
from torch.func import functional_call, grad, jacrev, stack_module_state, vmap

from hmr_edu import camera, metrics
from hmr_edu.body import SMPL, load_body
from hmr_edu.data.photos.annotations import read_annotations
from hmr_edu.data.poses.bent_legs import BentLegs
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.poses.real_poses import RealPoses
from hmr_edu.data.source import Mixture
from hmr_edu.data.synthetic.options import AppearanceConfig
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople
from hmr_edu.discriminator import Discriminator
from hmr_edu.encoder import ResNet
from hmr_edu.evaluation import evaluate, evaluate_photos, test_set
from hmr_edu.fitting import FitOptions, Refined
from hmr_edu.hmr import HMR, WEIGHTS, load_pretrained
from hmr_edu.io.precision import float32_by_default, holds
from hmr_edu.regressor import ThetaRegressor

LOW = (torch.float16, torch.bfloat16)
KINDS = (
    {"pooling": "average", "representation": "axis_angle"},
    {"pooling": "spatial", "representation": "6d", "share_weights": False},
)
PHOTOS = WEIGHTS.parent / "photos" / "keypoints.json"


def tiny(**options) -> HMR:
    torch.manual_seed(0)
    size = {"image_size": 32, "width": 8, "hidden": 16, "stem": "small"}
    model = HMR("resnet18", **size, **options).eval()
    # The last layers start near zero: give the steps something to add up.
    for layer in model.regressor.output_layers:
        torch.nn.init.normal_(layer.weight, std=0.02)
    return model


def images(*shape: int) -> torch.Tensor:
    return torch.rand(*shape, 3, 32, 32, generator=torch.Generator().manual_seed(0))


def deviation(predictions, truth) -> float:
    return max(
        (part.double() - true.double()).abs().max().item()
        for step, right in zip(predictions, truth, strict=True)
        for part, true in zip(step, right, strict=True)
    )


@pytest.fixture(params=[torch.float64, torch.bfloat16])
def default_dtype(request):
    """PyTorch's default dtype, changed while a test runs."""
    torch.set_default_dtype(request.param)
    yield request.param
    torch.set_default_dtype(torch.float32)


@pytest.mark.parametrize("options", KINDS)
def test_hmr_in_every_dtype(options):
    truth = tiny(**options).double()(images(2).double())
    # Half precision is only as good as its convolutions: a unit in the last place per layer.
    for dtype, off in (
        (torch.float64, 0),
        (torch.float32, 1e-5),
        (torch.float16, 1e-2),
        (torch.bfloat16, 1e-1),
    ):
        model = tiny(**options).to(dtype)
        for pictures in (images(2), images(2).to(dtype)):
            found = model(pictures)
            kinds = {part.dtype for step in found for part in step}
            assert kinds == {torch.float64 if dtype == torch.float64 else torch.float32}
            # Pictures in half precision are themselves rounded.
            assert deviation(found, truth) <= off + (pictures.dtype in LOW) * off
        back = model.float()(images(2))[-1]
        assert back.theta.dtype == torch.float32


@pytest.mark.parametrize("options", KINDS)
@pytest.mark.parametrize("dtype", LOW)
def test_in_autocast_bodies_follow_from_theta(options, dtype):
    """Whatever theta a half-precision network predicts, its body and projection are exact."""
    model = tiny(**options)
    body = load_body("lite").double()
    with torch.autocast("cpu", dtype):
        predictions = model(images(2))
    for found in (*predictions, *tiny(**options).to(dtype)(images(2))):
        R = found.rotations.double()
        assert (R @ R.mT - torch.eye(3).double()).abs().max() < 2e-6
        truth = body(found.betas.double(), found.theta[:, 3:75].double())
        assert (found.vertices - truth.vertices).abs().max() < 2e-6
        projected = camera.weak_perspective(truth.keypoints, found.camera.double())
        assert (found.keypoints2d - projected).abs().max() < 4e-6


@pytest.mark.parametrize("convert", ["half", "bfloat16", "double", "float"])
def test_the_body_stays_in_float32_at_least(convert):
    layer, truth = SMPL(toy_body()), SMPL(toy_body()).double()
    g = torch.Generator().manual_seed(0)
    betas, pose = torch.randn(4, 10, generator=g), 0.4 * torch.randn(4, 72, generator=g)
    getattr(layer, convert)()
    kept = torch.float64 if convert == "double" else torch.float32
    assert {b.dtype for b in layer.buffers() if b.is_floating_point()} == {kept}
    found = layer(betas, pose)
    right = truth(betas.double(), pose.double())
    assert (found.vertices - right.vertices).abs().max() < 2e-6


def test_float64_reaches_the_body():
    """A body in float64 has the digits of float64, not those of a rounded copy."""
    layer = SMPL(toy_body())
    betas = torch.zeros(1, 10, dtype=torch.float64)
    tilt = torch.full((1, 72), 1e-9, dtype=torch.float64)
    moved = layer(betas, tilt).joints - layer(betas, 0 * tilt).joints
    assert moved.dtype == torch.float64
    assert 1e-11 < moved.abs().max() < 1e-7


def test_networks_take_any_dtype():
    g = torch.Generator().manual_seed(0)
    features, R, betas = torch.randn(2, 6, generator=g), torch.eye(3).expand(2, 23, 3, 3), g
    betas = torch.randn(2, 10, generator=g)
    theta = torch.randn(2, 85, generator=g)
    for dtype in (torch.float32, torch.float64, *LOW):
        torch.manual_seed(0)
        regressor = ThetaRegressor(6, hidden=16).to(dtype)
        critics = Discriminator().to(dtype)
        backbone = ResNet("resnet18", 8, "small").eval().to(dtype)
        for given in (torch.float32, torch.float64, *LOW):
            (*_, last) = regressor(features.to(given))
            assert last.dtype == (torch.float64 if dtype == torch.float64 else torch.float32)
            assert critics(R.to(given), betas.to(given)).dtype == dtype
            assert critics.from_theta(theta.to(given)).dtype == dtype
        assert all(m.dtype == dtype for m in backbone(torch.rand(1, 3, 32, 32).to(dtype)))


def test_shipped_weights_in_every_dtype():
    """The batch norm of the shipped network has a variance that float16 cannot hold."""
    people = read_annotations(PHOTOS)
    truth = evaluate_photos({"network": load_pretrained()}, people)["network"]
    for dtype, off in ((torch.float64, 1e-6), (torch.float16, 1e-3), (torch.bfloat16, 5e-3)):
        model = load_pretrained().to(dtype)
        norms = [m for m in model.modules() if isinstance(m, torch.nn.BatchNorm2d)]
        assert max(m.running_var.max() for m in norms) > torch.finfo(torch.float16).max
        found = evaluate_photos({"network": model}, people)["network"]
        assert found["distance"] == pytest.approx(truth["distance"], abs=off)
        assert found["pck"] == pytest.approx(truth["pck"], abs=0.03)


@pytest.mark.slow
def test_evaluation_of_a_float64_network():
    prior, body = load_pose_prior(), load_body("lite")
    bank = RealPoses(prior.sample(3, torch.Generator().manual_seed(0)), "three draws")
    tests = [
        test_set(
            "test-prior",
            body,
            SyntheticConfig(image_size=128, appearance=few(AppearanceConfig())),
            2,
        )
    ]
    rows = [
        evaluate({"network": model}, tests, bank)["test-prior"]["network"]
        for model in (load_pretrained(), load_pretrained().double())
    ]
    for name in ("mpjpe", "pa_mpjpe", "pve", "facing_median", "distance_to_real_pose"):
        assert rows[1][name] == pytest.approx(rows[0][name], rel=1e-5)
    refined = Refined(load_pretrained().double(), FitOptions(steps=2))
    assert refined(torch.rand(1, 3, 128, 128))[-1].theta.dtype == torch.float64


def people(n: int = 2) -> SyntheticPeople:
    return few_looks(batch_size=n)


@pytest.mark.slow
def test_under_another_default_dtype(default_dtype):
    model = tiny(**KINDS[1])
    found = model(torch.rand(2, 3, 32, 32))[-1]
    full = torch.float64 if default_dtype == torch.float64 else torch.float32
    assert {part.dtype for part in found} == {full}
    assert model.body.v_template.dtype == full
    body = load_body("lite")
    assert body(torch.zeros(1, 10), torch.zeros(1, 72)).vertices.dtype == default_dtype
    record = evaluate_photos({"network": load_pretrained()}, read_annotations(PHOTOS))
    assert record["network"]["pck"] > 0.9
    # The same seed draws the same people, whatever the default is.
    prior, g = load_pose_prior(), torch.Generator()
    drawn, bent = prior.sample(3, g.manual_seed(0)), BentLegs(prior).sample(3, g.manual_seed(0))
    batch, mean = people()[0], people().mean_theta(1)
    mixed = Mixture([people(), people(1)]).mean_theta()
    torch.set_default_dtype(torch.float32)
    assert torch.equal(drawn, load_pose_prior().sample(3, g.manual_seed(0)))
    assert torch.equal(bent, BentLegs(load_pose_prior()).sample(3, g.manual_seed(0)))
    assert torch.equal(mean, people().mean_theta(1))
    assert torch.equal(mixed, Mixture([people(), people(1)]).mean_theta())
    there = batch.named_tensors()
    for name, value in people()[0].named_tensors().items():
        assert torch.equal(there[name], value), name


@pytest.mark.slow
def test_the_same_people_in_autocast():
    g = torch.Generator()
    prior, stream = load_pose_prior(), people()
    drawn, batch = prior.sample(5, g.manual_seed(0)), stream[0]
    with torch.autocast("cpu", torch.bfloat16):
        again, batch_again = prior.sample(5, g.manual_seed(0)), people()[0]
    assert torch.equal(again, drawn)
    there = batch_again.named_tensors()
    for name, value in batch.named_tensors().items():
        assert torch.equal(there[name], value), name


def test_the_default_dtype_comes_back_after_an_error():
    @float32_by_default
    def fail():
        assert torch.get_default_dtype() == torch.float32
        raise KeyError

    torch.set_default_dtype(torch.float64)
    try:
        with pytest.raises(KeyError):
            fail()
        assert torch.get_default_dtype() == torch.float64
    finally:
        torch.set_default_dtype(torch.float32)


def test_a_mean_theta_gets_the_dtype_of_the_network():
    mean = torch.zeros(85, dtype=torch.float64)
    regressor = ThetaRegressor(4, hidden=8, mean_theta=mean, learn_mean=True)
    assert regressor.mean_state.dtype == torch.float32
    assert regressor(torch.zeros(1, 4))[-1].dtype == torch.float32


@pytest.mark.parametrize("options", KINDS)
def test_on_the_meta_device(options):
    moved = tiny(**options).to("meta")(images(2).to("meta"))
    with torch.device("meta"):
        built = HMR("resnet18", image_size=32, width=8, hidden=16, stem="small", **options)
        found = built(torch.rand(2, 3, 32, 32))
    for step in (*moved, *found):
        assert step.vertices.is_meta
        assert step.vertices.shape[0] == 2
    points = torch.rand(2, 19, 3, device="meta")
    for metric in (metrics.mpjpe, metrics.pa_mpjpe, metrics.pck, metrics.auc):
        assert metric(points, points).shape == (2,)
    assert metrics.pck2d(points[..., :2], points[..., :2], 0.1).is_meta
    assert camera.fit_weak_perspective(points, points[..., :2]).is_meta


@pytest.mark.parametrize("options", KINDS)
def test_hmr_in_vmap(options):
    nets = [tiny(**options), tiny(**options)]
    torch.nn.init.normal_(nets[1].encoder.backbone.conv1.weight)
    many = images(3, 2)
    together = vmap(lambda pictures: nets[0](pictures)[-1])(many)
    ensemble = vmap(lambda p, b: functional_call(nets[0], (p, b), (many[0],))[-1])
    of_both = ensemble(*stack_module_state(nets))
    for k in range(3):
        assert deviation([[part[k] for part in together]], [nets[0](many[k])[-1]]) < 2e-6
    for k, net in enumerate(nets):
        assert deviation([[part[k] for part in of_both]], [net(many[0])[-1]]) < 2e-5
    gradients = vmap(grad(lambda pictures: nets[0](pictures)[-1].keypoints2d.sum()))(many)
    assert gradients.shape == many.shape
    assert jacrev(lambda pictures: nets[0](pictures)[-1].camera)(many[0]).isfinite().all()


def test_checks_of_values_in_vmap(monkeypatch):
    g = torch.Generator().manual_seed(0)
    pred, target = torch.randn(2, 4, 19, 3, generator=g)
    flat, seen = target[..., :2], torch.ones(4, 19)
    translation, focal = torch.tensor([0, 0, 9.0]), torch.tensor(5.0)
    for function, arguments in (
        (metrics.mpjpe, (pred, target)),
        (metrics.pa_mpjpe, (pred, target)),
        (metrics.pve, (pred, target)),
        (metrics.pck, (pred, target)),
        (metrics.auc, (pred, target)),
        (lambda p, t, v: metrics.pck2d(p, t, 0.5, v), (pred[..., :2], flat, seen)),
        (camera.fit_weak_perspective, (target, 0.5 * flat)),
        (lambda p: camera.perspective(p, translation, focal), (target,)),
        (lambda c: camera.translation_from_weak(c, focal), (target[:, 0].abs(),)),
        (lambda t: camera.weak_from_perspective(t, focal), (target[:, 0].abs(),)),
    ):
        torch.testing.assert_close(vmap(function)(*arguments), function(*arguments))
    # Elsewhere they speak as before.
    monkeypatch.setattr(jaxtyping.config, "jaxtyping_disable", True)  # as outside the tests
    with pytest.raises(ValueError, match="NaN or infinite"):
        metrics.mpjpe(pred / 0, target)
    with pytest.raises(ValueError, match="behind the camera"):
        camera.perspective(target, -translation, focal)
    with pytest.raises(ValueError, match="positive scale"):
        camera.translation_from_weak(torch.zeros(1, 3), focal)


def test_holds():
    assert holds(torch.tensor([True, True]))
    assert not holds(torch.tensor([True, False]))
    assert holds(torch.tensor([], dtype=torch.bool))
    assert holds(torch.zeros(2, dtype=torch.bool, device="meta"))


COMPILED = """
import torch
from hmr_edu.hmr import HMR
from hmr_edu.metrics import pa_mpjpe
from hmr_edu.regressor import ThetaRegressor
from hmr_edu.rotations import nearest_rotation

def check(function, *inputs):
    torch.compiler.reset()
    found = torch.compile(function, fullgraph=True, backend="eager")(*inputs)
    return (found - function(*inputs)).abs().max().item()

def numbers(predictions):
    return torch.cat([part.flatten(1) for part in predictions[-1]], 1)

images, off = torch.rand(2, 3, 32, 32), []
for pooling, representation in (("average", "axis_angle"), ("spatial", "6d")):
    model = HMR("resnet18", image_size=32, width=8, hidden=16, stem="small",
                pooling=pooling, representation=representation).eval()
    off.append(check(lambda x: numbers(model(x)), images))
with torch.autocast("cpu", torch.bfloat16):
    off.append(check(lambda x: numbers(model(x)), images))
exported = torch.export.export(model, (images,)).module()
off.append((numbers(exported(images)) - numbers(model(images))).abs().max().item())
regressor = ThetaRegressor(5, hidden=8).eval()
off.append(check(lambda x: regressor(x)[-1], torch.rand(2, 5)))
points = torch.rand(2, 4, 14, 3)
off.append(check(pa_mpjpe, *points))
off.append(check(nearest_rotation, torch.randn(4, 3, 3)))
print(max(off))
"""


@pytest.mark.slow
def test_compiled_in_one_graph():
    # In a process without the shape checks of the tests, which no compiler can follow.
    run = subprocess.run(
        [sys.executable, "-c", COMPILED], capture_output=True, text=True, timeout=600
    )
    assert run.returncode == 0, run.stderr[-2000:]
    assert float(run.stdout) < 1e-5


def test_a_prior_in_every_dtype():
    g = torch.Generator()
    single = load_pose_prior().sample(4, g.manual_seed(0))
    assert single.dtype == torch.float32
    # It stays in float32 among networks of half precision, and draws the same poses.
    for dtype in LOW:
        assert torch.equal(load_pose_prior().to(dtype).sample(4, g.manual_seed(0)), single)
    double = load_pose_prior().double().sample(4, g.manual_seed(0))
    assert double.dtype == torch.float64
    assert load_pose_prior().double().log_prob(double).isfinite().all()
