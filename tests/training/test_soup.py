"""Means of weights against sums written out, and what stands beside them."""

import dataclasses
import json

import pytest
import torch

from hmr_edu.cli import main
from hmr_edu.data.source import HELD_OUT
from hmr_edu.data.synthetic.people import SyntheticPeople
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.io.provenance import sha256
from hmr_edu.training.origin import origin
from hmr_edu.training.presets import people_preset
from hmr_edu.training.setup import pose_source
from hmr_edu.training.soup import average_weights, write_average


def network(path, seed: int, width: int = 4) -> str:
    """Write a small network with random weights; return its file's name."""
    torch.manual_seed(seed)
    model = HMR("resnet18", image_size=32, width=width, stem="small", pooling="spatial", hidden=8)
    for value in model.state_dict().values():
        if value.is_floating_point():
            value.normal_()
            value.abs_()  # variances are positive
    model.save(path)
    return str(path)


@pytest.fixture(scope="module")
def files(tmp_path_factory):
    folder = tmp_path_factory.mktemp("networks")
    return [network(folder / f"{seed}.safetensors", seed) for seed in range(3)]


def test_weights_are_the_mean_with_the_shares(files):
    mean = average_weights(files, [1, 2, 5], images=64)
    states = [dict(load_pretrained(file).named_parameters()) for file in files]
    for name, value in mean.named_parameters():
        a, b, c = (state[name].double() for state in states)
        torch.testing.assert_close(value.double(), (a + 2 * b + 5 * c) / 8, rtol=1e-6, atol=1e-7)
    assert not mean.training


def test_batch_norm_is_measured_anew(files):
    """The first layer's means are those of its maps on one batch of people, which is all of 64."""
    mean = average_weights(files[:2], images=64)
    config = people_preset()
    data = dataclasses.replace(config.data, image_size=32)
    people = SyntheticPeople(mean.body, pose_source(*config.poses), data, config.seed)
    encoder = mean.encoder
    images = (people.finish(people.prepare(HELD_OUT + 1)).images - encoder.mean) / encoder.std
    with torch.no_grad():
        maps = encoder.backbone.conv1(images).double()
    measured = encoder.backbone.bn1
    torch.testing.assert_close(
        measured.running_mean.double(), maps.mean((0, 2, 3)), rtol=1e-4, atol=1e-4
    )
    torch.testing.assert_close(
        measured.running_var.double(), maps.var((0, 2, 3)), rtol=1e-3, atol=1e-4
    )


def test_the_record_beside_it_goes_into_a_training_that_starts_there(files, tmp_path):
    out = write_average(tmp_path / "soup.safetensors", files[:2], [1, 3], images=64)
    record = json.loads(out.with_suffix(".json").read_text())
    assert [part["share"] for part in record["mean_of"]] == [1, 3]
    assert [part["sha256"] for part in record["mean_of"]] == [sha256(file) for file in files[:2]]
    assert record["sha256"] == sha256(out)
    assert origin(str(out)) == {"sha256": sha256(out), "provenance": record}


@pytest.mark.parametrize("shares", [None, [1.0]])
def test_one_network_has_no_mean(files, shares):
    with pytest.raises(DataError, match="two networks or more"):
        average_weights(files[:1], shares)


def test_shares_are_one_for_each(files):
    for shares in ([1.0], [1.0, 0.0], [1.0, -2.0]):
        with pytest.raises(DataError, match="a positive share for each"):
            average_weights(files[:2], shares)


def test_networks_are_of_one_kind(files, tmp_path):
    wide = network(tmp_path / "wide.safetensors", 0, width=8)
    with pytest.raises(DataError, match=r"wide\.safetensors: width is 8, in .* it is 4"):
        average_weights([files[0], wide])


def test_the_command(files, tmp_path, capsys):
    out = tmp_path / "mean.safetensors"
    main(["weights", "average", *files[:2], "--shares", "1", "1", "--images", "64", "-o", str(out)])
    assert str(out) in capsys.readouterr().out
    assert main(["weights", "average", *files[:2], "-o", str(tmp_path / "mean.bin")]) != 0
    assert "weights are written as .safetensors" in capsys.readouterr().err
