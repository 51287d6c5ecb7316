"""Measure the losses of masks: what the true body costs, what somebody else's, and their time.

    python scripts/data/mask_costs.py

prints, for silhouettes and for part silhouettes, the loss of the true body and of the body of the
next person in half-crops, and the milliseconds of a regression step, forward and backward. The time
in which the masks are read comes first.
"""

from __future__ import annotations

import argparse
import time
from collections.abc import Callable

import torch

from hmr_edu.body import load_body
from hmr_edu.body.surface import spread_vertices
from hmr_edu.camera import weak_perspective
from hmr_edu.data import APPEARANCES, SyntheticConfig, SyntheticPeople
from hmr_edu.io.tables import markdown_table
from hmr_edu.masks import MaskLabels
from hmr_edu.training.setup import pose_source
from hmr_edu.weak_mesh import VERTICES, silhouette_loss


def main() -> None:
    """Read the options, print the time of reading and the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=32)
    parser.add_argument("--size", type=int, default=64, help="pixels along each side of a picture")
    parser.add_argument("--repeats", type=int, default=5, help="the fastest counts")
    args = parser.parse_args()
    body = load_body("lite")
    config = SyntheticConfig(
        image_size=args.size, batch_size=args.people, appearance=APPEARANCES["plain"]
    )
    batch = SyntheticPeople(body, pose_source("prior"), config)[0]
    sample, parts = spread_vertices(body, VERTICES)
    vertices = body(batch.betas, batch.rotations).vertices
    assert vertices is not None
    projected = weak_perspective(vertices[:, sample], batch.camera)
    labelled = torch.ones(args.people, dtype=torch.bool)
    reading = milliseconds(lambda: MaskLabels.of(batch.parts), args.repeats)
    print(
        f"{args.people} people, {torch.get_num_threads()} thread(s): masks read in {reading:.0f} ms"
    )
    masks, rows = MaskLabels.of(batch.parts), []
    own_parts = parts.expand(args.people, -1)
    for name, vertex_parts in (("silhouette", None), ("parts", own_parts)):

        def loss(points: torch.Tensor, own: torch.Tensor | None = vertex_parts) -> torch.Tensor:
            return silhouette_loss(points, masks, labelled, own)

        def step(of: Callable[..., torch.Tensor] = loss) -> None:
            of(projected.clone().requires_grad_()).backward()

        costs = (f"{float(loss(points)):.3f}" for points in (projected, projected.roll(1, 0)))
        rows.append([name, *costs, f"{milliseconds(step, args.repeats):.0f}"])
    print(markdown_table(["", "true body", "somebody else's", "ms a step"], rows))


def milliseconds(action: Callable[[], object], repeats: int) -> float:
    """Return the least processor time of several tries."""
    times = []
    for _ in range(repeats):
        began = time.process_time()
        action()
        times.append(time.process_time() - began)
    return 1000 * min(times)


if __name__ == "__main__":
    main()
