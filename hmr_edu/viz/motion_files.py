"""A recovered motion as files for other programs: npz in AMASS's and in SPIN's layout.

The camera counts as level: nothing in a picture says how it was held.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.fitting.motion import BATCH, Motion
from hmr_edu.fitting.smoothing import Steady
from hmr_edu.io.files import atomic_write
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.rotations import matrix_to_axis_angle

# From the camera's frame (x right, y down, z away) to worlds in which it is level: AMASS's, with Z
# up, in which it looks along +Y; and the bodies' own, with Y up, in which it looks along -Z.
Z_UP = ((1.0, 0.0, 0.0), (0.0, 0.0, 1.0), (0.0, -1.0, 0.0))
Y_UP = ((1.0, 0.0, 0.0), (0.0, -1.0, 0.0), (0.0, 0.0, -1.0))
# AMASS: SMPL-H's 52 joints, of which the first 22 are SMPL's; 16 betas, 8 numbers of soft tissue.
AMASS_POSE, BODY_POSE, AMASS_BETAS, DMPLS = 156, 66, 16, 8
# SPIN's 24 joints: our 14 of LSP come first, the five of the face last; five are not ours.
SPIN_JOINTS = (*range(14), *range(19, 24))
SPIN_SCALE = 200.0  # pixels of a crop of scale 1
OPENPOSE = 25


def into_world(
    rotations: Float[Tensor, "T 24 3 3"],
    translations: Float[Tensor, "T 3"],
    pelvis: Float[Tensor, " 3"],
    world: Sequence[Sequence[float]],
) -> tuple[Float[Tensor, "T 24 3 3"], Float[Tensor, "T 3"]]:
    """Turn a motion out of the camera's frame into a world.

    The root turns about the pelvis, not about the origin: a point is R (X - J) + J + t. Turned by
    M, that is (M R) (X - J) + J + t' with t' = M (J + t) - J.

    Args:
        rotations: of the joints, the root first.
        translations: metres.
        pelvis: J, the pelvis of the rest pose.
        world: M.
    """
    M = torch.tensor(world, dtype=rotations.dtype)
    turned = rotations.clone()
    turned[:, 0] = M @ rotations[:, 0]
    return turned, (pelvis + translations) @ M.T - pelvis


def pelvis_of(body: SMPL, betas: Float[Tensor, " 10"]) -> Float[Tensor, " 3"]:
    """Return the pelvis of a shape in the rest pose."""
    directions = body.J_shapedirs[:, 0].cpu()
    return body.J_template[0].cpu() + betas.cpu() @ directions


def write_amass(path: str | Path, motion: Steady, betas: Float[Tensor, " 10"], body: SMPL) -> None:
    """Write a motion at a steady frame rate, given in the camera's frame, in AMASS's layout.

    The hands of SMPL (joints 22 and 23) are no joints of SMPL-H: they are left out, and the fingers
    are zero. Besides AMASS's arrays there is `seen` [T]: False marks frames that are interpolated.

    Args:
        path: of the npz.
        motion: rotations and places.
        betas: the shape. They are those of `body`, which is SMPL only if its file is.
        body: the body model.
    """
    rotations, trans = into_world(
        motion.rotations, motion.translations, pelvis_of(body, betas), Z_UP
    )
    poses = np.zeros((len(trans), AMASS_POSE), np.float32)
    poses[:, :BODY_POSE] = matrix_to_axis_angle(rotations[:, :22]).flatten(1).numpy()
    shape = np.zeros(AMASS_BETAS, np.float32)
    shape[: len(betas)] = betas.cpu().numpy()
    arrays = {
        "poses": poses,
        "trans": trans.numpy().astype(np.float32),
        "betas": shape,
        "dmpls": np.zeros((len(trans), DMPLS), np.float32),
        "gender": np.array("neutral"),
        "mocap_framerate": np.array(float(motion.fps)),
        "seen": motion.seen.numpy(),
    }
    _save(path, arrays)


def write_spin(path: str | Path, people: Mapping[int, Motion], body: SMPL, video: str) -> None:
    """Write everybody in every frame in SPIN's layout (`dataset_extras`), a row each.

    `imgname` is the name that FFmpeg gives the frame: `ffmpeg -i clip.mp4 -fps_mode passthrough
    -start_number 0 clip/frame_%06d.jpg` writes them. Poses and joints are in the camera's frame.
    Besides SPIN's arrays there are `person`, `frame` and `seconds`.

    Args:
        path: of the npz.
        people: by number.
        body: the body model.
        video: its name without the ending.
    """
    rows = [
        (frame, number, i)
        for number, motion in people.items()
        for i, frame in enumerate(motion.frames.tolist())
    ]
    rows.sort()
    of_person = {number: _spin_rows(motion, body) for number, motion in people.items()}
    arrays: dict[str, Any] = {
        key: np.stack([of_person[number][key][i] for _, number, i in rows])
        for key in ("center", "scale", "pose", "shape", "part", "S", "seconds")
    }
    arrays |= {
        "imgname": np.array([f"{video}/frame_{frame:06d}.jpg" for frame, _, _ in rows]),
        "frame": np.array([frame for frame, _, _ in rows]),
        "person": np.array([number for _, number, _ in rows]),
        "has_smpl": np.ones(len(rows), np.uint8),
        "openpose": np.zeros((len(rows), OPENPOSE, 3), np.float32),
        "gender": np.array(["n"] * len(rows)),
    }
    _save(path, arrays)


@torch.no_grad()
def _spin_rows(motion: Motion, body: SMPL) -> dict[str, np.ndarray]:
    """Return the arrays of one person, a row for each frame."""
    count = len(motion.frames)
    parts = []
    for start in range(0, count, BATCH):
        cut = slice(start, start + BATCH)
        betas, rotations = motion.betas[cut], motion.rotations[cut]
        device = body.J_template.device
        posed = body(betas.to(device), rotations.to(device), vertices=False)
        parts.append(posed.keypoints.cpu())
    keypoints = torch.cat(parts)
    # Pixels are counted at their centres.
    pixels = motion.scale[:, None, None] * keypoints[..., :2] + motion.place[:, None] - 0.5
    assert len(SPIN_JOINTS) == len(COCOPLUS)
    part, S = np.zeros((count, 24, 3), np.float32), np.zeros((count, 24, 4), np.float32)
    joints = list(SPIN_JOINTS)
    part[:, joints] = np.concatenate([pixels.numpy(), np.ones((count, 19, 1))], axis=2)
    S[:, joints] = np.concatenate([keypoints.numpy(), np.ones((count, 19, 1))], axis=2)
    return {
        "center": motion.crop[:, :2].numpy(),
        "scale": (motion.crop[:, 2] / SPIN_SCALE).numpy(),
        "pose": matrix_to_axis_angle(motion.rotations).flatten(1).numpy(),
        "shape": motion.betas.numpy(),
        "part": part,
        "S": S,
        "seconds": motion.seconds.numpy(),
    }


def _save(path: str | Path, arrays: Mapping[str, Any]) -> None:
    with atomic_write(path) as temporary, temporary.open("wb") as file:
        np.savez_compressed(file, **arrays)
