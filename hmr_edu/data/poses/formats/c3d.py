"""C3D: markers, which are no poses."""

from __future__ import annotations

from pathlib import Path

from hmr_edu.data.poses.formats.clip import Clip, Reading
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_input


def refuse_c3d(path: Path, reading: Reading) -> list[Clip]:
    """Raise DataError that says what turns markers into poses."""
    check_input(path, "C3D file")
    raise DataError(
        f"{path}: C3D holds markers on the skin, no joint rotations. Fit a body to them first: "
        "MoSh++ (with SOMA where markers have no labels), whose npz is read here; or solve a "
        "skeleton in the recording software and export BVH or ASF/AMC"
    )
