"""Public checkpoints in and out, against networks written by their published structure."""

import pickle

import numpy as np
import pytest
import torch
from helpers.public_networks import (
    backbone,
    backbone_state,
    port_forward,
    port_state,
    spin_forward,
    spin_state,
)
from helpers.smpl_files import VERTICES, smpl_arrays, write_npz
from safetensors.torch import save_file

from hmr_edu.cli import main
from hmr_edu.encoder.resnet import ResNet
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.training.exchange import export_checkpoint, import_checkpoint
from hmr_edu.training.start import transfer


@pytest.fixture(scope="module")
def spin(tmp_path_factory):
    folder = tmp_path_factory.mktemp("spin")
    state = spin_state()
    more = {"smpl.betas": torch.zeros(1, 10), "fc.weight": torch.zeros(2, 2)}
    torch.save({"model": state | more, "epoch": 5, "optimizer": {"lr": [1e-4]}}, folder / "s.pt")
    said = import_checkpoint(folder / "s.pt", folder / "ours.safetensors", "lite")
    return state, folder, said


def test_spin_computes_what_it_computed(spin):
    """The plain forward in float64, and ours in float64: equal to rounding, at every step."""
    state, folder, _ = spin
    model = load_pretrained(folder / "ours.safetensors").double()
    pictures = torch.rand(2, 3, 224, 224, generator=torch.Generator().manual_seed(0)).double()
    theirs = spin_forward({k: v.double() for k, v in state.items()}, pictures)
    with torch.no_grad():
        ours = model(pictures, vertices=False)
    assert len(ours) == len(theirs) == 3
    for prediction, (rotations, betas, camera) in zip(ours, theirs, strict=True):
        # Colours are normalised by float32 constants, equal to 1e-8.
        torch.testing.assert_close(prediction.rotations, rotations, rtol=0, atol=1e-6)
        torch.testing.assert_close(prediction.betas, betas, rtol=1e-6, atol=1e-6)
        torch.testing.assert_close(prediction.camera, camera, rtol=1e-6, atol=1e-6)
    # Random weights must not make everybody the same.
    assert (theirs[-1][1][0] - theirs[-1][1][1]).abs().max() > 1e-3


def test_a_relu_would_change_it(spin):
    """What is accounted for: the same weights with a ReLU compute something else."""
    _, folder, _ = spin
    model = load_pretrained(folder / "ours.safetensors")
    other = HMR("resnet50", representation="6d", activation="relu").eval()
    other.load_state_dict(model.state_dict())
    features = torch.rand(2, 2048)
    with torch.no_grad():
        a, b = model.regressor(features)[-1], other.regressor(features)[-1]
    assert (a - b).abs().max() > 0.1


def test_report_of_spin(spin):
    state, _, said = spin
    text = "\n".join(said)
    assert "SPIN's network: ResNet-50, one regressor for 3 steps, 1024 hidden units" in text
    assert f"matched: {len(state)} of {len(state) + 2} tensors" in text
    assert "left out: fc.weight, smpl.betas" in text
    assert "no ReLU between fc1, fc2" in text
    assert "in the free body 'lite' they mean another shape" in text


def test_spin_round_trip_has_the_same_bits(spin, tmp_path):
    state, folder, _ = spin
    said = export_checkpoint(folder / "ours.safetensors", tmp_path / "again.pt")
    again = torch.load(tmp_path / "again.pt", weights_only=True)["model"]
    assert again.keys() == state.keys()
    for name, tensor in state.items():
        assert again[name].dtype == tensor.dtype
        assert torch.equal(again[name], tensor), name
    assert not any("not the same function" in line for line in said)


@pytest.mark.parametrize("wrapped", ["state_dict", "module", "mmhuman3d", "safetensors", "bare"])
def test_other_wrappings(spin, tmp_path, wrapped):
    state, folder, _ = spin
    heads = ("fc1", "fc2", "dec", "init")
    content = {
        "state_dict": {"state_dict": state},
        "module": {"model": {f"module.{k}": v for k, v in state.items()}},
        "mmhuman3d": {
            "state_dict": {
                ("head." if k.startswith(heads) else "backbone.") + k: v for k, v in state.items()
            }
        },
    }.get(wrapped, state)
    path = tmp_path / ("s.safetensors" if wrapped == "safetensors" else "s.pt")
    if wrapped == "safetensors":
        save_file(content, path)
    else:
        torch.save(content, path)
    import_checkpoint(path, tmp_path / "o.safetensors", "lite")
    one, other = (
        load_pretrained(p) for p in (tmp_path / "o.safetensors", folder / "ours.safetensors")
    )
    for name, tensor in other.state_dict().items():
        assert torch.equal(tensor, one.state_dict()[name])


def test_the_port_computes_what_it_computed(tmp_path):
    state = port_state()
    torch.save(state | {"regressor.mean_theta": state["regressor.mean_theta"].expand(4, 85)},
               tmp_path / "p.pth")  # fmt: skip
    said = import_checkpoint(tmp_path / "p.pth", tmp_path / "o.safetensors", "lite")
    assert "ReLU after the first two layers, as there" in said
    model = load_pretrained(tmp_path / "o.safetensors").double()
    double = {k: v.double() for k, v in state.items()}
    normal = torch.randn(1, 3, 224, 224, dtype=torch.float64)
    with torch.no_grad():
        features = model.encoder.head(model.encoder.backbone(normal)).vector
        assert (features - backbone(double, normal, "encoder.")).abs().max() < 1e-9
        for ours, theirs in zip(
            model.regressor(features), port_forward(double, features), strict=True
        ):
            torch.testing.assert_close(ours, theirs, rtol=1e-9, atol=1e-9)
    export_checkpoint(tmp_path / "o.safetensors", tmp_path / "again.pth")
    again = torch.load(tmp_path / "again.pth", weights_only=True)
    assert again.keys() == state.keys()
    assert all(torch.equal(again[name], tensor) for name, tensor in state.items())


def test_a_network_of_ours_with_relu_is_not_the_same_there(tmp_path):
    HMR("resnet50", representation="6d", hidden=8).save(tmp_path / "m.safetensors")
    said = export_checkpoint(tmp_path / "m.safetensors", tmp_path / "m.pt")
    assert any(line.startswith("not the same function: this network has a ReLU") for line in said)


def test_networks_that_public_code_does_not_have_are_refused(tmp_path):
    with pytest.raises(DataError, match="encoder is resnet18"):
        export_checkpoint("resnet18", tmp_path / "m.pt")
    HMR("resnet50", share_weights=False, hidden=4).save(tmp_path / "m.safetensors")
    with pytest.raises(DataError, match="share_weights is False"):
        export_checkpoint(tmp_path / "m.safetensors", tmp_path / "m.pt")


def test_command_line_with_a_body_of_smpl(spin, tmp_path, capsys):
    _, folder, _ = spin
    body = write_npz(tmp_path / "SMPL.npz", smpl_arrays(10))
    out = tmp_path / "o.safetensors"
    assert (
        main(["weights", "import", str(folder / "s.pt"), "--body", str(body), "-o", str(out)]) == 0
    )
    assert f"the body is {body}" in capsys.readouterr().out
    with torch.no_grad():
        (*_, last) = load_pretrained(out)(torch.rand(1, 3, 224, 224))
    assert last.vertices.shape == (1, VERTICES, 3)
    assert main(["weights", "export", str(out), "-o", str(tmp_path / "e.pt")]) == 0
    assert main(["weights", "import", str(folder / "s.pt"), "-o", str(out)]) == 2
    assert "give --body SMPL_NEUTRAL.pkl" in capsys.readouterr().err


def test_training_goes_on_from_an_import_only_with_its_activation(spin):
    _, folder, _ = spin
    weights = folder / "ours.safetensors"
    with pytest.raises(DataError, match=r"needs --model\.activation none"):
        transfer(HMR("resnet50", representation="6d"), weights)
    model = HMR("resnet50", representation="6d", activation="none")
    assert transfer(model, weights) == []


@pytest.mark.parametrize("ending", ["pth", "safetensors"])
def test_torchvisions_file_is_a_backbone(tmp_path, ending):
    """Its classifier is left out, whatever it is; the rest has the same bits."""
    state = backbone_state()
    path = tmp_path / f"resnet50.{ending}"
    more = state | {"fc.weight": torch.zeros(1000, 2048), "fc.bias": torch.zeros(1000)}
    (save_file if ending == "safetensors" else torch.save)(more, path)
    network = ResNet("resnet50")
    network.load(path)
    assert all(torch.equal(network.state_dict()[name], t) for name, t in state.items())
    with pytest.raises(DataError, match="a backbone alone: `hmr-edu train --backbone`"):
        import_checkpoint(path, tmp_path / "o.safetensors", "lite")


DAMAGES = {
    "no fc2": (lambda s: s.pop("fc2.weight"), "no fc2.weight"),
    "no decshape": (lambda s: s.pop("decshape.bias"), "no decshape.bias"),
    "no mean": (lambda s: s.pop("init_cam"), "no init_cam"),
    "no backbone": (lambda s: s.pop("layer3.2.conv1.weight"), r"no layer3\.2\.conv1\.weight"),
    "a flat mean": (lambda s: s.update(init_pose=torch.zeros(144)), "init_pose has the shape"),
    "axis-angle": (
        lambda s: s.update({"decpose.weight": torch.zeros(72, 8)}),
        "decpose.weight has",
    ),
    "a wide fc1": (lambda s: s.update({"fc1.weight": torch.zeros(8, 2206)}), "fc1.weight has"),
    "no dimension": (lambda s: s.update({"fc1.weight": torch.tensor(1.0)}), "fc1.weight has"),
    "another stem": (
        lambda s: s.update({"conv1.weight": torch.zeros(64, 3, 3, 3)}),
        "conv1.weight",
    ),
    "NaN": (lambda s: s["deccam.bias"].fill_(torch.nan), "deccam.bias is not finite"),
    "infinite": (lambda s: s["bn1.running_var"].fill_(torch.inf), "running_var is not finite"),
    "complex": (lambda s: s.update({"fc2.bias": torch.zeros(8) + 1j}), "fc2.bias is not finite"),
    "of eight bits": (
        lambda s: s.update({"fc2.bias": torch.zeros(8).to(torch.float8_e4m3fn)}),
        "fc2.bias is torch.float8_e4m3fn",
    ),
    "sparse": (lambda s: s.update({"fc2.bias": torch.zeros(8).to_sparse()}), "no plain tensor"),
    "without numbers": (
        lambda s: s.update({"fc2.bias": torch.zeros(8, device="meta")}),
        "no plain tensor",
    ),
    "whole numbers": (
        lambda s: s.update({"fc2.bias": torch.zeros(8, dtype=int)}),
        "is torch.int64",
    ),
    "all missing": (lambda s: s.clear(), "no network of SPIN's or HMR's"),
    "no tensors": (lambda s: [s.update({k: "word"}) for k in list(s)], "no network of SPIN"),
}


@pytest.fixture(scope="module")
def small():
    return spin_state(hidden=8)


@pytest.mark.parametrize("name", DAMAGES)
def test_damaged_checkpoints(tmp_path, small, name):
    change, message = DAMAGES[name]
    state = {k: v.clone() for k, v in small.items()}
    change(state)
    torch.save({"model": state}, tmp_path / "s.pt")
    with pytest.raises(DataError, match=message) as caught:
        import_checkpoint(tmp_path / "s.pt", tmp_path / "o.safetensors", "lite")
    assert "s.pt" in str(caught.value)
    assert not (tmp_path / "o.safetensors").exists()


class Runs:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


HOSTILE = {
    "empty": lambda p: p.write_bytes(b""),
    "text": lambda p: p.write_text("not a checkpoint\n" * 9),
    "random": lambda p: p.write_bytes(np.random.default_rng(0).bytes(5000)),
    "a pickle": lambda p: p.write_bytes(pickle.dumps(Runs(p.parent / "executed"))),
    "pickled by torch": lambda p: torch.save({"model": Runs(p.parent / "executed")}, p),
    "a list": lambda p: torch.save([1, 2], p),
    "a tensor": lambda p: torch.save(torch.zeros(3), p),
    "nested": lambda p: torch.save({"model": {"model": {"model": {}}}}, p),
    "numbers for names": lambda p: torch.save({"model": {1: torch.zeros(2)}}, p),
    "a module": lambda p: torch.save(torch.nn.Linear(2, 2), p),
    "a folder": lambda p: p.mkdir(),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_checkpoints(tmp_path, name):
    HOSTILE[name](tmp_path / "s.pt")
    with pytest.raises(DataError, match=r"s\.pt"):
        import_checkpoint(tmp_path / "s.pt", tmp_path / "o.safetensors", "lite")
    assert not (tmp_path / "executed").exists()


def test_a_missing_checkpoint(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"s\.pt"):
        import_checkpoint(tmp_path / "s.pt", tmp_path / "o.safetensors", "lite")
