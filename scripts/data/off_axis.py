"""Measure a network on crops away from the optical axis of their picture.

    python scripts/data/off_axis.py --people 200

The network answers in the frame of a camera that looks along the crop's ray, because that is what
the crop shows. The table has its error on the axis, off the axis, and off the axis when nobody
rotates its answer into the frame of the picture (`hmr_edu.camera.axis_to_ray`).
"""

from __future__ import annotations

import argparse
from typing import NamedTuple

import torch
from torch import Tensor

from hmr_edu import metrics
from hmr_edu.camera import axis_to_ray
from hmr_edu.data import APPEARANCES, SyntheticConfig, SyntheticPeople
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.tables import markdown_table
from hmr_edu.keypoints import LSP
from hmr_edu.training.setup import pose_source


class Answers(NamedTuple):
    """What a network says of crops, and what is true; joints of LSP, metres; rays [n, 2]."""

    predicted: Tensor
    truth: Tensor
    rays: Tensor


def main() -> None:
    """Read the options, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--people", type=int, default=200)
    parser.add_argument("--weights", default="resnet18")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    model = load_pretrained(args.weights)
    on, off = (ask(model, share, args.people, args.seed) for share in (0.0, 1.0))
    print(f"{args.people} people; rays {mean_angle(off.rays):.0f}° off the axis on average")
    print(markdown_table(["", "MPJPE, mm"], rows(on, off)))


@torch.no_grad()
def ask(model: HMR, off_axis: float, people: int, seed: int) -> Answers:
    """Return the network's answers for a share of crops off the axis; the people are the same."""
    data = SyntheticConfig(
        image_size=model.image_size,
        batch_size=people,
        appearance=APPEARANCES["full"],
        off_axis=off_axis,
    )
    batch = SyntheticPeople(model.body, pose_source("prior"), data, seed)[0]
    parts = [model(images, vertices=False)[-1].keypoints3d for images in batch.images.split(50)]
    ray = torch.tensor([[0.0, 0.0, 1.0]]).expand(people, 3) if batch.ray is None else batch.ray
    joints = (points[:, : len(LSP)] for points in (torch.cat(parts), batch.keypoints3d))
    return Answers(*joints, ray[:, :2] / ray[:, 2:])


def mean_angle(rays: Tensor) -> float:
    """Return the mean angle between rays and the axis, degrees."""
    return float(rays.norm(dim=1).atan().rad2deg().mean())


def rows(on: Answers, off: Answers) -> list[list[str]]:
    """Return the rows of the table."""
    in_picture = off.truth @ axis_to_ray(off.rays).mT
    errors = {
        "on the axis": metrics.mpjpe(on.predicted, on.truth),
        "off the axis, in the frame of the ray": metrics.mpjpe(off.predicted, off.truth),
        "off the axis, not rotated into that of the picture": metrics.mpjpe(
            off.predicted, in_picture
        ),
    }
    return [[name, f"{1000 * float(error.mean()):.1f}"] for name, error in errors.items()]


if __name__ == "__main__":
    main()
