"""`hmr-edu bench`: time the parts beside their peers, in one process, as ratios.

Absolute times depend on the machine, the ratios less so. The peers (smplx, trimesh with embreex)
are optional packages. With `--no-peers` our own parts are timed alone, and the rows have dashes.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import torch
import tyro

from hmr_edu.body import SMPL, BodyData, read_body
from hmr_edu.cli.bench_keypoints import keypoint_speeds, speed_table
from hmr_edu.cli.bench_layer import layer_speeds, layer_table
from hmr_edu.cli.bench_step import step_shares
from hmr_edu.cli.bench_timing import milliseconds
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.render.renderer import Renderer
from hmr_edu.io.errors import DataError
from hmr_edu.io.jsonfile import write_json
from hmr_edu.io.provenance import environment
from hmr_edu.io.ranges import Range, ranged
from hmr_edu.io.tables import number_cell, text_table
from hmr_edu.training.presets import PRESETS


@dataclass
class Row:
    """One comparison: our time and the peer's, in milliseconds."""

    what: str
    ours: float
    peer: float | None = None

    @property
    def ratio(self) -> float | None:
        """How many times faster than the peer."""
        return None if self.peer is None else self.peer / self.ours


# The packages that are compared with, and how to install them.
PEERS = {"smplx": 'pip install "hmr_edu[peers]"', "embreex": "pip install embreex"}


@ranged
def run_bench(
    body: str = "full",
    layers: tuple[str, ...] = ("lite", "full", "dense"),
    batches: Annotated[tuple[int, ...], Range(1, 65_536)] = (1, 32, 256),
    seconds: Annotated[float, Range(0.001, 3600)] = 2.0,
    threads: Annotated[int, Range(1, 1024)] = 1,
    gpu_batch: Annotated[int, Range(1, 65_536)] = 4,
    device: Literal["cpu", "cuda"] = "cpu",
    peers: bool = True,
    out: Path | None = None,
) -> None:
    """Time the SMPL layer, the renderer and training steps beside their peers.

    Raises DataError when a peer is not installed.

    Args:
        body: which body the renderer is timed on.
        layers: bodies of the layers: "lite", "full", files, or "dense", a made one as large as
            SMPL's (6,890 vertices) whose correctives are zero nowhere.
        batches: batch sizes of the layers.
        seconds: time spent on each row.
        threads: CPU threads.
        gpu_batch: pictures in the `gpu` preset's step; its own batch would take minutes on a CPU.
        device: where layers and networks are timed; all else is timed on the CPU.
        peers: compare with smplx and with trimesh + embreex; otherwise time our parts alone.
        out: write the numbers here as JSON too.
    """
    if peers:
        check_peers()
    torch.set_num_threads(threads)
    print(f"{environment()['cpu']}, {threads} thread(s), body {body}\n")
    layer = layer_speeds(layers, batches, seconds, peers, device)
    print(f"the SMPL layer on {device}:\n{layer_table(layer)}\n", flush=True)
    rows = renderer_rows(read_body(body), seconds, peers)
    print(peer_table(rows), flush=True)
    steps = {}
    for preset, batch in (("cpu", None), ("gpu", gpu_batch)):
        steps[preset] = step = step_shares(preset, seconds, batch, device)
        print(f"\none training step of the {preset} preset on {device}, batch {step.batch}:")
        print(step, flush=True)
        own = PRESETS[preset]().data.batch_size
        if step.batch != own:
            share = 100 * step.at(own).beside_backbone
            print(f"by proportion, at the preset's own batch of {own}: {share:.1f} %")
    speeds = keypoint_speeds(seconds, device)
    print(f"\nthe networks of 2D keypoints on {device}:\n{speed_table(speeds)}")
    if out is not None:
        record = [{"what": r.what, "ours_ms": r.ours, "peer_ms": r.peer} for r in rows]
        step_record = {preset: dataclasses.asdict(step) for preset, step in steps.items()}
        about = {"environment": environment(), "rows": record, "steps": step_record}
        about["layer"] = [dataclasses.asdict(row) for row in layer]
        write_json(out, about | {"keypoints": [dataclasses.asdict(speed) for speed in speeds]})


def check_peers() -> None:
    """Raise DataError that names the peers that are not installed."""
    missing = []
    for peer, install in PEERS.items():
        try:
            import_module(peer)
        except ImportError:
            missing.append(f"{peer} ({install})")
    if missing:
        raise DataError(
            f"not installed: {', '.join(missing)}; or time our own parts alone, with --no-peers"
        )


def peer_table(rows: Sequence[Row]) -> str:
    """Format comparisons as text: our time, the peer's, and how many times faster we are."""
    lines = [["", "ours", "peer", "faster"], ["", "ms", "ms", "times"]]
    for row in rows:
        times = (number_cell(time, 3) for time in (row.ours, row.peer))
        lines.append([row.what, *times, number_cell(row.ratio)])
    return text_table(lines)


def renderer_rows(body: BodyData, seconds: float, peers: bool = True) -> list[Row]:
    """Time the rasteriser and trimesh + embreex, whose scene is rebuilt for every picture."""
    layer = SMPL(body)
    g = torch.Generator().manual_seed(0)
    pose = load_pose_prior().sample(8, g)
    pose[:, 0] += np.pi
    vertices = layer(torch.zeros(8, 10), pose).vertices.detach().numpy()
    parts = body.weights.argmax(1).astype(np.uint8)
    render = Renderer(body.faces, body.v_template, parts, samples=1)
    camera = np.tile(np.array([0.9, 0, 0], np.float32), (8, 1))
    rows = []
    for size in (64, 128, 224):
        ours = milliseconds(lambda s=size: render(vertices, s, camera=camera), seconds) / 8
        cast = ray_caster(body.faces, size) if peers else None
        peer = None
        if cast is not None:
            peer = milliseconds(lambda c=cast: [c(v) for v in vertices], seconds) / 8
        rows.append(Row(f"renderer, {size} pixels", ours, peer))
    return rows


def ray_caster(faces: np.ndarray, size: int) -> Callable[[np.ndarray], object] | None:
    """Return a function that renders with trimesh + embreex; None if they are not installed."""
    try:
        import embreex  # noqa: F401
        import trimesh
    except ImportError:
        return None
    centres = (2 * np.arange(size) + 1) / size - 1
    x, y = np.meshgrid(centres / 0.9, centres / 0.9)
    origins = np.stack([x, y, np.full_like(x, -10)], -1).reshape(-1, 3)
    directions = np.tile([0.0, 0.0, 1.0], (size * size, 1))

    def cast(vertices: np.ndarray) -> object:
        mesh = trimesh.Trimesh(vertices, faces, process=False)
        intersector = trimesh.ray.ray_pyembree.RayMeshIntersector(mesh)
        return mesh.face_normals[intersector.intersects_first(origins, directions)]

    return cast


def command(args: Sequence[str]) -> None:
    """Time the layer, the renderer and a training step beside their peers."""
    tyro.cli(run_bench, prog="hmr-edu bench", args=args)
