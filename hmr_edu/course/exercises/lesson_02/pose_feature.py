"""Exercise of lesson 02, `pose_feature`: the coefficients of the pose blend shapes."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hmr_edu.course.check import Asked, Check, Report, compare, require, shaped
from hmr_edu.course.exercises._common import slopes_of
from hmr_edu.course.exercises.lesson_02._common import TOLERANCE, any_rotations
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4


def check_pose_feature(pose_feature: Asked) -> Report:
    """Check `pose_feature(rotations [B, 24, 3, 3]) -> [B, 207]`."""
    check = Check("pose_feature", pose_feature)
    rotations = any_rotations(3, 24, seed=4)

    def call(R: Tensor) -> Any:
        got = check.call(R)
        require(
            not isinstance(got, Tensor) or got.shape != (len(R), 216),
            "216 numbers a body, wanted 207",
            "the root is left out: turning the whole body bends no joint",
        )
        require(
            not isinstance(got, Tensor) or got.shape != (len(R), 23, 3, 3),
            "23 matrices a body, wanted 207 numbers",
            "flatten all but the batch dimension",
        )
        return got

    with check.part("a body at rest has a feature of zeros"):
        rest = torch.eye(3).expand(2, 24, 3, 3).clone()
        mistakes = {
            "subtract the identity: at rest nothing is to be corrected": rest[:, 1:].flatten(1)
        }
        compare(call(rest), torch.zeros(2, 207), TOLERANCE, mistakes)
    with check.part("any pose: R - I of the 23 joints, row after row"):
        eye = torch.eye(3)
        truth = torch.stack(
            [
                R[joint, row, column] - float(row == column)
                for R in rotations
                for joint in range(1, 24)
                for row in range(3)
                for column in range(3)
            ]
        ).view(3, 207)
        mistakes = {
            "subtract the identity: at rest nothing is to be corrected": rotations[:, 1:].flatten(
                1
            ),
            "row after row: yours runs down the columns (R is transposed)": (
                rotations[:, 1:].mT - eye
            ).flatten(1),
            "leave out the FIRST joint, the root, not the last": (rotations[:, :-1] - eye).flatten(
                1
            ),
            "the sign is turned round: R - I, not I - R": -truth,
        }
        compare(call(rotations), truth, TOLERANCE, mistakes)
    with check.part("turning the whole body changes nothing"):
        turned = rotations.clone()
        turned[:, 0] = turned[:, 0] @ any_rotations(3, 1, seed=5)[:, 0]
        here = shaped(call(rotations), (3, 207)).detach()
        compare(call(turned), here, TOLERANCE)
        compare(call(rotations[:1]), here[:1], TOLERANCE)
        slopes_of(check, [rotations], [0], here, TOLERANCE)
    return check.report()


MISTAKES = [
    Mistake(lambda R: R[:, 1:].flatten(1), "subtract the identity", 1 / 3),
    Mistake(lambda R: (R - torch.eye(3)).flatten(1), "the root is left out", 0.0),
    Mistake(lambda R: (R[:, :-1] - torch.eye(3)).flatten(1), "FIRST joint", 1 / 3),
    Mistake(lambda R: (R[:, 1:].mT - torch.eye(3)).flatten(1), "row after row", 2 / 3),
    Mistake(lambda R: (torch.eye(3) - R[:, 1:]).flatten(1), "sign", 2 / 3),
    Mistake(lambda R: R[:, 1:] - torch.eye(3), "flatten", 0.0),
    Mistake(lambda R: (R[:, 1:] - torch.eye(3)).flatten(1).squeeze(0), "", 2 / 3),
    Mistake(lambda R: (R[:, 1:].detach() - torch.eye(3)).flatten(1), "is cut", 2 / 3),
    Mistake(lambda R: (R[:, 1:] - R[:, :1]).flatten(1), "", 1 / 3, name="relative to the root"),
]
