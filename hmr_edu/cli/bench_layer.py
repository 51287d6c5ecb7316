"""Time the SMPL layers: readable, fast, smplx, and the matrix products that none can do without.

All are timed in turn, call after call, and ratios are medians over the turns: what disturbs the
machine disturbs all of them.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from statistics import median

import numpy as np
import torch
from torch import Tensor

from hmr_edu.body import SMPL, BodyData, read_body
from hmr_edu.body.fast import FastSMPL
from hmr_edu.body.peer import smplx_layer
from hmr_edu.body.tiles import BODIES, IN_CACHE, NARROWEST
from hmr_edu.io.tables import number_cell, text_table

SMPL_VERTICES = 6890
# What is timed.
READABLE, FAST, PEER, LIMIT = "readable", "fast", "smplx", "limit"


@dataclass
class LayerSpeed:
    """One row: the milliseconds of each layer, and ratios, each a median over the turns."""

    body: str
    vertices: int
    what: str
    batch: int
    milliseconds: dict[str, float]
    ratios: dict[str, float]


def bench_body(kind: str) -> BodyData:
    """Return the arrays of a shipped body or of a file, or "dense": one as large as SMPL's.

    That one has 6,890 of `full`'s vertices, and random correctives that are zero nowhere.
    """
    if kind != "dense":
        return read_body(kind)
    body = read_body("full")
    touched = np.flatnonzero(body.keypoint_regressor.any(0))
    others = np.setdiff1d(np.arange(len(body.v_template)), touched)
    spread = np.linspace(0, len(others) - 1, SMPL_VERTICES - len(touched)).round().astype(int)
    kept = np.sort(np.concatenate([touched, others[spread]]))
    random = np.random.default_rng(0).normal(scale=1e-3, size=(SMPL_VERTICES, 3, 207))
    J_regressor = body.J_regressor[:, kept].astype(np.float64) + 1e-6
    return BodyData(
        v_template=body.v_template[kept],
        faces=np.zeros((0, 3), np.int32),  # a layer does without
        shapedirs=body.shapedirs[kept],
        posedirs=random.astype(np.float32),
        J_regressor=(J_regressor / J_regressor.sum(1, keepdims=True)).astype(np.float32),
        weights=body.weights[kept],
        parents=body.parents,
        keypoint_regressor=body.keypoint_regressor[:, kept],
    )


def layer_speeds(
    kinds: Iterable[str],
    batches: Iterable[int],
    seconds: float,
    peers: bool = True,
    device: str = "cpu",
) -> list[LayerSpeed]:
    """Time the layers: vertices and keypoints only, forward and forward + backward.

    Args:
        kinds: the bodies, see `bench_body`.
        batches: batch sizes.
        seconds: time spent on each row.
        peers: whether to time smplx too, where it is installed.
        device: where it is computed.
    """
    rows = []
    for kind in kinds:
        body = bench_body(kind)
        layers = SMPL(body).to(device), FastSMPL(body).to(device)
        for n in batches:
            for vertices in (True, False):
                for backward in (False, True):
                    calls = _calls(body, layers, n, vertices, backward, peers)
                    times = in_turn(calls, seconds, device)
                    what = ("vertices" if vertices else "keypoints only") + (
                        ", forward + backward" if backward else ", forward"
                    )
                    milliseconds = {name: 1e3 * median(of) for name, of in times.items()}
                    pairs = [(p, o) for o in (READABLE, FAST) for p in (PEER, READABLE) if p != o]
                    ratios = {
                        f"{other} / {ours}": ratio(times[other], times[ours])
                        for other, ours in [*pairs, (LIMIT, FAST)]
                        if other in times
                    }
                    V = len(body.v_template)
                    rows.append(LayerSpeed(kind, V, what, n, milliseconds, ratios))
    return rows


def ratio(first: Sequence[float], second: Sequence[float]) -> float:
    """Return the median ratio of times that were taken in turn."""
    return median(a / b for a, b in zip(first, second, strict=True))


def in_turn(
    calls: dict[str, Callable[[], object]], seconds: float, device: str = "cpu"
) -> dict[str, list[float]]:
    """Call each in turn until `seconds` are over, five times at least; return their seconds.

    One CPU thread is timed by the time that it computes, whatever else the machine does meanwhile.
    """
    own = device == "cpu" and torch.get_num_threads() == 1
    clock = time.thread_time if own else time.perf_counter
    times: dict[str, list[float]] = {name: [] for name in calls}
    for call in calls.values():  # compiles, cuts tiles, fills caches
        call()
    end, turns = time.perf_counter() + seconds, 0
    while time.perf_counter() < end or turns < 5:
        turns += 1
        for name, call in calls.items():
            _finish(device)
            start = clock()
            call()
            _finish(device)
            times[name].append(clock() - start)
    return times


def _finish(device: str) -> None:
    if device == "cuda":
        torch.cuda.synchronize()


def _calls(
    body: BodyData, layers: tuple[SMPL, SMPL], n: int, vertices: bool, backward: bool, peers: bool
) -> dict[str, Callable[[], object]]:
    """Return the calls of one row, by name."""
    g, like = torch.Generator().manual_seed(0), layers[0].J_template
    betas = torch.randn(n, 10, generator=g).to(like)
    pose = (0.3 * torch.randn(n, 72, generator=g)).to(like)

    def ours(layer: SMPL) -> Callable[[Tensor, Tensor], Tensor]:
        def call(b: Tensor, p: Tensor) -> Tensor:
            output = layer(b, p, vertices)
            return output.keypoints if output.vertices is None else output.vertices

        return call

    functions = {READABLE: ours(layers[0]), FAST: ours(layers[1])}
    peer = smplx_layer(body, n) if peers else None
    if peer is not None:
        peer = peer.to(like.device)
        functions[PEER] = lambda b, p: (
            peer(betas=b, global_orient=p[:, :3], body_pose=p[:, 3:]).vertices
        )

    def timed(function: Callable[[Tensor, Tensor], Tensor]) -> Callable[[], object]:
        def forward() -> object:
            with torch.no_grad():
                return function(betas, pose)

        def both() -> object:
            leaves = betas.clone().requires_grad_(), pose.clone().requires_grad_()
            result = function(*leaves)
            return torch.autograd.grad(result, leaves, torch.ones_like(result))

        return both if backward else forward

    calls = {name: timed(function) for name, function in functions.items()}
    return calls | {LIMIT: limit(layers[0], n, vertices, backward)}


def limit(layer: SMPL, n: int, vertices: bool, backward: bool) -> Callable[[], None]:
    """Return a call that does the dense matrix products of the skin alone, the fastest way.

    Forward: coefficients times blend shapes, transforms times weights. Backward: each of them
    again, for the gradient of its left side. On a CPU they are done in pieces that stay in the
    cache, and nothing is written to memory; a single body is one piece.
    """
    _, blend, weights = layer._skin_constants(vertices)
    V, group = weights.shape[1], n
    width = V
    if vertices and n > 1 and weights.device.type == "cpu":
        group = min(n, BODIES)
        width = max(NARROWEST, IN_CACHE // group)
    tiles = [
        (blend[:, :, i : i + width].flatten(1).contiguous(), weights[:, i : i + width].contiguous())
        for i in range(0, V, width)
    ]
    groups = [
        (weights.new_ones(m, 217), weights.new_ones(12 * m, 24))
        for m in (min(group, n - i) for i in range(0, n, group))
    ]
    room = weights.new_empty(15 * group * min(width, V))

    def products() -> None:
        for shapes, bones in tiles:
            k = bones.shape[1]
            for coefficients, transforms in groups:
                m = len(coefficients)
                T_P, R_t = room[: 3 * m * k].view(m, -1), room[3 * m * k : 15 * m * k].view(-1, k)
                torch.mm(coefficients, shapes, out=T_P)
                torch.mm(transforms, bones, out=R_t)
                if backward:
                    torch.mm(T_P, shapes.t())
                    torch.mm(R_t, bones.t())

    return products


def layer_table(rows: Sequence[LayerSpeed]) -> str:
    """Format the rows as text: milliseconds, how many times faster, and the share of the limit."""
    names = (READABLE, FAST, PEER, LIMIT)
    ratios = (f"{READABLE} / {FAST}", f"{PEER} / {READABLE}", f"{PEER} / {FAST}")
    lines = [
        ["", "batch", *names, "fast is", "readable is", "fast is", "fast reaches"],
        ["", "", *["ms"] * 4, "x readable", "x smplx", "x smplx", "% of the limit"],
    ]
    for row in rows:
        times = (number_cell(row.milliseconds.get(name), 3) for name in names)
        shown = (number_cell(row.ratios.get(name)) for name in ratios)
        share = number_cell(row.ratios[f"{LIMIT} / {FAST}"], 0, 100)
        lines.append([f"{row.body}, {row.what}", str(row.batch), *times, *shown, share])
    return text_table(lines)
