"""How people of a pose source hold themselves: knees, hips, elbows and trunk, in degrees.

Angles are those between bones of the average body in space, as a photographer would measure them,
and not numbers of the pose. Knees of the body at rest bend by 6 degrees.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from jaxtyping import Float
from torch import Tensor
from torch.nn.functional import cosine_similarity

from hmr_edu.data.poses.limbs import SIDES, UP, Figure
from hmr_edu.io.tables import markdown_table, number_cell
from hmr_edu.keypoints import SMPL_JOINTS

QUANTILES = (0.1, 0.5, 0.9)
STRAIGHT = 25  # degrees: a knee that bends less is called straight
BLOCK = 4096


def pose_angles(pose: Float[Tensor, "n 72"]) -> dict[str, Float[Tensor, "n sides"]]:
    """Return how far knees, hips and elbows bend, left and right, and how far the trunk leans.

    0 is straight or upright. A hip bends between trunk (pelvis to neck) and thigh.
    """
    parts = [_angles(block) for block in pose.split(BLOCK)] or [_angles(pose)]
    return {name: torch.cat([part[name] for part in parts]) for name in parts[0]}


def straight_legged(pose: Float[Tensor, "n 72"]) -> Tensor:
    """Return who stands on two straight legs [n]: both knees straight, the trunk not level."""
    angles = pose_angles(pose)
    return (angles["knee"] < STRAIGHT).all(1) & (angles["trunk"][:, 0] < 45)


def angle_table(sources: Mapping[str, Float[Tensor, "n 72"]]) -> str:
    """Format the angles of poses as a Markdown table: 10th, 50th and 90th percentile."""
    rows = []
    for name, pose in sources.items():
        angles = pose_angles(pose)
        cells = []
        for angle in angles.values():
            values = angle.flatten().quantile(torch.tensor(QUANTILES)).tolist()
            cells.append(" / ".join(number_cell(value, 0) for value in values))
        straight = (angles["knee"] < STRAIGHT).float().mean()
        rows.append([name, *cells, number_cell(float(straight), 0, 100)])
    titles = ["knee", "hip", "elbow", "trunk"]
    return markdown_table(["poses", *titles, f"knees < {STRAIGHT}°, %"], rows)


def _angles(pose: Float[Tensor, "n 72"]) -> dict[str, Float[Tensor, "n sides"]]:
    joints = dict(zip(SMPL_JOINTS, Figure(pose).joints.unbind(1), strict=True))
    trunk = joints["neck"] - joints["pelvis"]

    def bends(first: str, middle: str, last: str) -> Tensor:
        chains = [[joints[f"{side}_{name}"] for name in (first, middle, last)] for side in SIDES]
        return torch.stack([_between(b - a, c - b) for a, b, c in chains], 1)

    thighs = [joints[f"{side}_knee"] - joints[f"{side}_hip"] for side in SIDES]
    return {
        "knee": bends("hip", "knee", "ankle"),
        "hip": torch.stack([_between(-trunk, thigh) for thigh in thighs], 1),
        "elbow": bends("shoulder", "elbow", "wrist"),
        "trunk": _between(trunk, UP.expand_as(trunk))[:, None],
    }


def _between(a: Float[Tensor, "n 3"], b: Float[Tensor, "n 3"]) -> Float[Tensor, " n"]:
    """Return angles in degrees."""
    return cosine_similarity(a, b, dim=1).clamp(-1, 1).acos().rad2deg()
