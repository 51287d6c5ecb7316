"""Count people of pose sources who have an arm inside their body.

    python scripts/data/arms_inside.py prior standing seated

prints a table with a row a source (as for `hmr-edu train --poses`; by default all that the package
makes, and the recordings of $HMR_EDU_MOCAP). An arm is inside when the middle of the forearm, the
wrist or the joint of the hand is: there the winding number of the skin without the arms is above a
half. All people have the average shape.
"""

from __future__ import annotations

import argparse

import numpy as np
import torch
from jaxtyping import Bool, Float
from torch import Tensor

from hmr_edu.body import SMPL, load_body
from hmr_edu.body.build.measure import winding_numbers
from hmr_edu.cli.mocap import RECORDED
from hmr_edu.data.poses.mocap import find_mocap
from hmr_edu.io.tables import markdown_table
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.training.setup import POSES, pose_source

ARMS = [
    [SMPL_JOINTS.index(f"{side}_{name}") for name in ("shoulder", "elbow", "wrist", "hand")]
    for side in ("left", "right")
]


def main() -> None:
    """Read the options, print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("sources", nargs="*")
    parser.add_argument("--people", type=int, default=300, help="people of each source")
    parser.add_argument("--body", default="lite")
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    body = load_body(args.body)
    rows = []
    for name in args.sources or (*POSES, *filter(find_mocap, RECORDED)):
        g = torch.Generator().manual_seed(args.seed)
        inside = arms_inside(body, pose_source(name).sample(args.people, g))
        rows.append([f"`{name}`", f"{100 * float(inside.float().mean()):.1f}"])
    print(markdown_table(["poses", "people with an arm inside, %"], rows))


@torch.no_grad()
def arms_inside(body: SMPL, pose: Float[Tensor, "n 72"]) -> Bool[Tensor, " n"]:
    """Return who has a forearm, wrist or hand inside the skin of torso, head and legs."""
    posed = body(torch.zeros(len(pose), 10), pose)
    assert posed.vertices is not None
    arms = torch.tensor(ARMS).flatten()
    of_arms = torch.isin(body.weights.argmax(1), arms)
    faces = body.faces[~of_arms[body.faces].all(1)].numpy()
    inside = []
    for vertices, joints in zip(posed.vertices.numpy(), posed.joints.numpy(), strict=True):
        points = np.concatenate([_places(joints[arm]) for arm in ARMS])
        inside.append(bool((winding_numbers(points, vertices, faces) > 0.5).any()))
    return torch.tensor(inside)


def _places(arm: Float[np.ndarray, "4 3"]) -> Float[np.ndarray, "3 3"]:
    """Return the middle of the forearm, the wrist and the joint of the hand."""
    _, elbow, wrist, hand = arm
    return np.stack([(elbow + wrist) / 2, wrist, hand])


if __name__ == "__main__":
    main()
