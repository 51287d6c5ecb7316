"""The joint sets of data sets and detectors, and the way from each to COCO+.

A name that two sets share is one keypoint of COCO+, up to the conventions of each data set (see
`hmr_edu.keypoints`). OpenPose's neck is the middle of the shoulders, Human3.6M's is its thorax, and
COCO+'s is annotated at the base of the neck: all three are `neck`. COCO and MediaPipe have no neck
and no head top, and get none.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.keypoints import COCO17, COCOPLUS, LSP, mapping

# OpenPose's order of its COCO model, `POSE_COCO_BODY_PARTS`, and of its BODY_25 model:
# https://github.com/CMU-Perceptual-Computing-Lab/openpose/blob/master/doc/02_output.md
OPENPOSE18 = (
    "nose",
    "neck",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_eye",
    "left_eye",
    "right_ear",
    "left_ear",
)
BODY25 = (
    *OPENPOSE18[:8],
    "mid_hip",
    *OPENPOSE18[8:],
    "left_big_toe",
    "left_small_toe",
    "left_heel",
    "right_big_toe",
    "right_small_toe",
    "right_heel",
)
# The 17 of Human3.6M's 32 joints that papers lift, with the right leg first: those that
# https://github.com/facebookresearch/VideoPose3D/blob/main/common/h36m_dataset.py leaves. LSP's
# neck and head top are their numbers 8 and 10, as in `H36M_TO_J14` of
# https://github.com/nkolot/SPIN/blob/master/constants.py, whose numbers have the left leg first.
HUMAN36M = (
    "pelvis",
    "right_hip",
    "right_knee",
    "right_ankle",
    "left_hip",
    "left_knee",
    "left_ankle",
    "spine",
    "neck",
    "jaw",
    "head_top",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "right_shoulder",
    "right_elbow",
    "right_wrist",
)
# https://ai.google.dev/edge/mediapipe/solutions/vision/pose_landmarker
MEDIAPIPE33 = (
    "nose",
    "left_eye_inner",
    "left_eye",
    "left_eye_outer",
    "right_eye_inner",
    "right_eye",
    "right_eye_outer",
    "left_ear",
    "right_ear",
    "left_mouth",
    "right_mouth",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_pinky",
    "right_pinky",
    "left_index",
    "right_index",
    "left_thumb",
    "right_thumb",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
    "left_heel",
    "right_heel",
    "left_foot_index",
    "right_foot_index",
)

# http://human-pose.mpi-inf.mpg.de/#download, in the order of its ids. The upper neck is `neck`.
MPII16 = (
    *("right_ankle", "right_knee", "right_hip", "left_hip", "left_knee", "left_ankle"),
    *("pelvis", "thorax", "neck", "head_top"),
    *("right_wrist", "right_elbow", "right_shoulder"),
    *("left_shoulder", "left_elbow", "left_wrist"),
)
# https://github.com/AIChallenger/AI_Challenger_2017
AIC14 = (
    *("right_shoulder", "right_elbow", "right_wrist"),
    *("left_shoulder", "left_elbow", "left_wrist"),
    *("right_hip", "right_knee", "right_ankle", "left_hip", "left_knee", "left_ankle"),
    *("head_top", "neck"),
)
# All joints of the files `annot.mat` of https://vcai.mpi-inf.mpg.de/3dhp-dataset/.
MPI_INF_3DHP28 = (
    *("spine3", "spine4", "spine2", "spine", "pelvis", "neck", "head", "head_top"),
    *("left_clavicle", "left_shoulder", "left_elbow", "left_wrist", "left_hand"),
    *("right_clavicle", "right_shoulder", "right_elbow", "right_wrist", "right_hand"),
    *("left_hip", "left_knee", "left_ankle", "left_foot", "left_toe"),
    *("right_hip", "right_knee", "right_ankle", "right_foot", "right_toe"),
)
# The joints of `part` and `S` in the npz files of https://github.com/nkolot/SPIN. The head of
# Human3.6M and the head top of MPI-INF-3DHP stand at `human36m_head`, LSP's at `head_top`.
SPIN24 = (
    *LSP,
    *("pelvis", "thorax", "spine", "jaw", "human36m_head"),
    *("nose", "left_eye", "right_eye", "left_ear", "right_ear"),
)
# Those of `extra_keypoints_2d` in the npz files of https://github.com/shubham-goel/4D-Humans.
SPIN19 = SPIN24[:19]

# The names of each joint set, in the order in which its numbers are written.
JOINT_SETS: Mapping[str, tuple[str, ...]] = {
    "cocoplus": COCOPLUS,
    "lsp": LSP,
    "coco17": COCO17,
    "body25": BODY25,
    "openpose18": OPENPOSE18,
    "human36m": HUMAN36M,
    "mediapipe33": MEDIAPIPE33,
    "mpii16": MPII16,
    "aic14": AIC14,
    "mpi_inf_3dhp28": MPI_INF_3DHP28,
    "spin24": SPIN24,
    "spin19": SPIN19,
}


def to_cocoplus(
    points: Float[Tensor, "*batch N 2"],
    confidence: Float[Tensor, "*batch N"],
    names: Sequence[str],
) -> tuple[Float[Tensor, "*batch 19 2"], Float[Tensor, "*batch 19"]]:
    """Return keypoints and confidences in COCO+ order, by name.

    Keypoints that the set lacks have confidence 0: none is invented. Where the confidence is 0 the
    coordinates are 0, whatever they were. Raises ValueError when the numbers of points,
    confidences and names differ, when a name stands twice, or when the set shares no keypoint with
    COCO+.
    """
    if not points.shape[-2] == confidence.shape[-1] == len(names):
        raise ValueError(
            f"{points.shape[-2]} points and {confidence.shape[-1]} confidences given for a set of "
            f"{len(names)} joints"
        )
    joints = mapping(names, COCOPLUS)
    if not joints.target:
        raise ValueError(f"no joint of the set is a keypoint of COCO+: {', '.join(names)}")
    target, source = list(joints.target), list(joints.source)
    mapped = confidence.new_zeros(*confidence.shape[:-1], len(COCOPLUS))
    mapped[..., target] = confidence[..., source]
    places = points.new_zeros(*points.shape[:-2], len(COCOPLUS), 2)
    places[..., target, :] = points[..., source, :]
    return torch.where(mapped[..., None] > 0, places, 0), mapped
