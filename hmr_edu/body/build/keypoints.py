"""Regressors of the 19 COCO+ keypoints from posed vertices, and of the 24 joints from resting ones.

A keypoint at a joint is a mean of the ring of vertices around it, chosen so that the mean stays at
the joint when it bends. Keypoints of the face are landmarks of the surface.
"""

from __future__ import annotations

import numpy as np
from jaxtyping import Float

from hmr_edu.body.build.joints import MIDDLE, fit_symmetric
from hmr_edu.body.build.mirror import JOINT_MIRROR, Half

# Largest distance, in metres, from a joint to the vertices of its regressor.
REACH = {
    0: 0.24, 1: 0.20, 3: 0.20, 4: 0.09, 6: 0.20, 7: 0.08, 9: 0.20, 10: 0.07,
    12: 0.14, 13: 0.12, 15: 0.13, 16: 0.12, 18: 0.11, 20: 0.06, 22: 0.06,
}  # fmt: skip

# COCO+ keypoints that are joints: left keypoint -> (right keypoint, left SMPL joint).
JOINT_KEYPOINTS = {5: (0, 7), 4: (1, 4), 3: (2, 1), 11: (6, 20), 10: (7, 18), 9: (8, 16)}
NECK, HEAD_TOP, NOSE = 12, 13, 14
EYES, EARS = (15, 16), (17, 18)


def whole_rows(half: Half, row: Float[np.ndarray, " H"], middle: bool) -> np.ndarray:
    """Extend a row to the whole body. On the middle line each pair shares its weight."""
    full = np.zeros(half.size)
    full[: len(row)] = row
    return (full + full[half.partner]) / 2 if middle else full


def near(points: Float[np.ndarray, "H 3"], place: np.ndarray, reach: float) -> np.ndarray:
    """Return which vertices lie within `reach` of a place; at least twelve do."""
    distance = np.linalg.norm(points - place, axis=1)
    return distance <= max(reach, np.sort(distance)[11])


def joint_regressor(
    half: Half, shapes: Float[np.ndarray, "S H 3"], joints: Float[np.ndarray, "S 24 3"]
) -> Float[np.ndarray, "24 V"]:
    """Fit J_regressor to the joints of sampled shapes."""
    regressor = np.zeros((24, half.size))
    mean, centre = shapes.mean(0), joints.mean(0)
    for joint, reach in REACH.items():
        middle = joint in MIDDLE
        candidates = near(mean, centre[joint], reach)
        row = fit_symmetric(shapes, half.mid, joints[:, joint], candidates, middle)
        regressor[joint] = whole_rows(half, row, middle)
        if not middle:
            regressor[JOINT_MIRROR[joint]] = regressor[joint][half.partner]
    return regressor


def face_landmarks(
    points: Float[np.ndarray, "H 3"], head: np.ndarray, eye: np.ndarray
) -> dict[int, np.ndarray]:
    """Return left or middle face keypoints of the full body: {keypoint: vertices to average}.

    `head` is a mask of the vertices that move with the head, `eye` lists those of the left eye.
    """
    head = np.flatnonzero(head)
    at = points[head]
    front = head[at[:, 2] > np.quantile(at[:, 2], 0.5)]
    ear = head[np.argsort(-at[:, 0])[:40]]
    return {
        HEAD_TOP: head[at[:, 1].argmax()][None],
        NOSE: front[points[front, 2].argmax()][None],
        EYES[0]: eye,
        EARS[0]: ear,
    }


def keypoint_regressor(
    half: Half,
    samples: Float[np.ndarray, "S H 3"],
    joints: Float[np.ndarray, "S 24 3"],
    landmarks: dict[int, Float[np.ndarray, "S 3"]],
) -> Float[np.ndarray, "19 V"]:
    """Fit keypoints to shapes and poses, the first of which is the mean shape at rest.

    Args:
        half: the left half of the mesh.
        samples: posed vertices.
        joints: joints of these samples.
        landmarks: face keypoints of these samples.
    """
    regressor = np.zeros((19, half.size))

    def fit(keypoint: int, target: np.ndarray, reach: float, middle: bool) -> None:
        """Fit one keypoint.

        Args:
            keypoint: its row.
            target: its position in each sample.
            reach: largest distance to the vertices used, in metres.
            middle: whether it is on the middle plane.
        """
        candidates = near(samples[0], target[0], reach)
        row = fit_symmetric(samples, half.mid, target, candidates, middle)
        regressor[keypoint] = whole_rows(half, row, middle)

    for left, (right, joint) in JOINT_KEYPOINTS.items():
        fit(left, joints[:, joint], REACH[joint], middle=False)
        regressor[right] = regressor[left][half.partner]
    fit(NECK, joints[:, 12], REACH[12], middle=True)
    for keypoint, target in landmarks.items():
        middle = keypoint in (HEAD_TOP, NOSE)
        fit(keypoint, target, 0.015, middle)
        if not middle:
            regressor[keypoint + 1] = regressor[keypoint][half.partner]
    return regressor
