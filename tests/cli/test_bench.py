"""The bench's arithmetic, and that it times a step of a preset."""

import sys

import numpy as np
import pytest
import torch

from hmr_edu.body import load_body
from hmr_edu.cli import bench, bench_keypoints, bench_layer, main
from hmr_edu.cli.bench import Row, peer_table
from hmr_edu.cli.bench_keypoints import Speed, keypoint_speeds
from hmr_edu.cli.bench_step import OPTIMISERS, StepShares, step_shares


def test_a_row_says_how_many_times_faster():
    assert Row("layer", ours=2.0, peer=5.0).ratio == 2.5
    assert Row("layer", ours=2.0).ratio is None
    rows = peer_table([Row("layer", ours=2.0, peer=5.0), Row("no peer", ours=2.0)]).splitlines()
    assert [row.split()[-4:] for row in rows[2:]] == [
        ["layer", "2.000", "5.000", "2.5"],
        ["peer", "2.000", "-", "-"],
    ]


def test_the_share_beside_the_backbone():
    shares = StepShares(8, {"backbone": 60.0, "optimisers": 30.0, "pictures": 10.0})
    assert shares.beside_backbone == pytest.approx(0.4)
    assert "backbone    60.00  60.0" in str(shares)
    assert "everything but the backbone: 40.0 %" in str(shares)


def test_the_optimisers_do_not_grow_with_the_batch():
    shares = StepShares(8, {"backbone": 60.0, OPTIMISERS: 30.0, "pictures": 10.0}).at(32)
    assert shares.batch == 32
    assert shares.milliseconds == {"backbone": 240.0, OPTIMISERS: 30.0, "pictures": 40.0}


def test_a_step_is_timed_in_its_parts():
    shares = step_shares("cpu", seconds=0.01, batch=2)
    assert shares.batch == 2
    # The parts of the design's table, in the order of the step.
    assert list(shares.milliseconds) == [
        *("backbone", "head", "regressor and body", "losses", "critics", OPTIMISERS),
        *("pose and rasterise", "dress and photograph"),
    ]
    assert all(shares.milliseconds[name] > 0 for name in ("backbone", OPTIMISERS))
    assert sum(shares.milliseconds.values()) > 0
    assert 0 < shares.beside_backbone < 1


@pytest.mark.parametrize("missing", [("smplx",), ("embreex",), ("smplx", "embreex")])
def test_without_a_peer_it_says_so_and_ends(missing, monkeypatch, capsys):
    for peer in missing:
        monkeypatch.setitem(sys.modules, peer, None)  # Python's own way to make an import fail
    monkeypatch.setattr(bench, "milliseconds", lambda *_: pytest.fail("it timed something"))
    assert main(["bench"]) == 2
    out, err = capsys.readouterr()
    assert not out
    (line,) = err.splitlines()
    assert all(f"{peer} (pip install" in line for peer in missing)
    assert "--no-peers" in line


def test_our_own_parts_without_peers(monkeypatch, capsys):
    for peer in ("smplx", "embreex"):
        monkeypatch.setitem(sys.modules, peer, None)
    monkeypatch.setattr(bench, "milliseconds", lambda call, seconds: [call(), 1.0][1])
    monkeypatch.setattr(bench, "step_shares", lambda *_: StepShares(8, {"backbone": 1.0}))
    monkeypatch.setattr(bench, "keypoint_speeds", lambda *_: [Speed("lifting", 256, 20.0)])
    arguments = [
        "--no-peers",
        "--body",
        "lite",
        "--layers",
        "lite",
        "--batches",
        "1",
        "--seconds",
        "0.001",
    ]
    assert main(["bench", *arguments]) == 0
    table = capsys.readouterr().out
    assert "lite, keypoints only, forward + backward" in table
    assert "lifting  20.00    12,800" in table


def test_networks_of_keypoints_are_timed_in_training_and_prediction(monkeypatch):
    calls = []

    def timed(call, seconds):
        calls.append(call())
        return 4.0

    monkeypatch.setattr(bench_keypoints, "milliseconds", timed)
    monkeypatch.setattr(bench_keypoints, "KEYPOINT_PRESETS", ("keypoints-quick",))
    speeds = keypoint_speeds(0.001)
    assert [speed.people for speed in speeds] == [512, 1, 256]
    assert [speed.per_second for speed in speeds] == [128_000, 250, 64_000]
    assert calls[0] is None  # a training step answers nothing
    assert [len(steps[-1].theta) for steps in calls[1:]] == [1, 256]


def test_layers_are_timed_in_turn():
    called = []
    calls = {name: lambda name=name: called.append(name) for name in ("first", "second")}
    times = bench_layer.in_turn(calls, seconds=0.0)
    assert called == ["first", "second"] * (1 + len(times["first"]))  # once before the clock
    assert len(times["first"]) == len(times["second"]) == 5
    assert bench_layer.ratio([2.0, 9.0, 8.0], [1.0, 3.0, 2.0]) == 3


def test_rows_of_the_layers_and_their_table():
    pytest.importorskip("smplx")
    rows = bench_layer.layer_speeds(["lite"], [1, 70], seconds=0.0)
    assert len(rows) == 8
    for row in rows:
        assert list(row.milliseconds) == ["readable", "fast", "smplx", "limit"]
        assert min(row.milliseconds.values()) > 0
        assert set(row.ratios) == {
            "smplx / readable",
            "smplx / fast",
            "readable / fast",
            "limit / fast",
        }
    table = bench_layer.layer_table(rows).splitlines()
    assert len(table) == 10
    assert table[2].startswith("lite, vertices, forward")


def test_the_limit_counts_every_product_once(monkeypatch):
    counted = 0

    def product(left, right, out=None, mm=torch.mm):
        nonlocal counted
        counted += left.shape[0] * left.shape[1] * right.shape[1]
        return mm(left, right, out=out)

    layer = load_body("lite")
    V = len(layer.v_template)
    monkeypatch.setattr(torch, "mm", product)
    for n in (1, 3, 100):
        for vertices, columns in ((True, V), (False, len(layer._touched))):
            for times, backward in ((1, False), (2, True)):
                counted = 0
                bench_layer.limit(layer, n, vertices, backward)()
                assert counted == times * n * columns * (3 * 217 + 12 * 24)


def test_the_dense_body_is_as_large_as_smpls():
    body = bench_layer.bench_body("dense")
    assert body.v_template.shape == (6890, 3)
    assert (body.posedirs != 0).all()
    for rows in (body.weights, body.J_regressor, body.keypoint_regressor):
        np.testing.assert_allclose(rows.sum(1, dtype=np.float64), 1, atol=1e-3)
