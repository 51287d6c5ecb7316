"""A recorded clip as files to look at: a moving body, and a contact sheet."""

from __future__ import annotations

import re
from pathlib import Path

import numpy as np
import torch

from hmr_edu.body import load_body
from hmr_edu.data.poses.formats.clip import Clip
from hmr_edu.data.poses.formats.registry import read_clips
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_folder
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.viz.sheets.motion_sheet import save_motion_sheet


def show_clip(file: Path, name: str, out: Path) -> list[Path]:
    """Write a clip as GLB and as a contact sheet into a folder; return the files.

    Raises DataError when the file cannot be read or has no clip of that name.

    Args:
        file: any file of motion.
        name: of the clip; "" for the first.
        out: the folder.
    """
    from hmr_edu.viz.animation import write_animated_glb

    check_folder(out)
    clip = find_clip(read_clips(file), name, file)
    poses = clip.poses[np.isfinite(clip.poses).all(1)]
    stem = re.sub(r"[^\w.-]+", "_", clip.name).strip("._")[:100] or "clip"
    glb, sheet = out / f"{stem}.glb", out / f"{stem}.png"
    rotations = axis_angle_to_matrix(torch.from_numpy(poses).float().view(-1, 24, 3))
    write_animated_glb(glb, load_body("lite"), rotations, None, torch.zeros(10), clip.fps)
    save_motion_sheet(sheet, poses)
    return [glb, sheet]


def find_clip(clips: list[Clip], name: str, file: Path) -> Clip:
    """Return the clip of a name, or the first; raise DataError that lists the names."""
    for clip in clips:
        if not name or clip.name == name:
            return clip
    names = ", ".join(clip.name for clip in clips)
    raise DataError(f"{file}: no clip {name!r:.60}; there are {names:.300}")
