"""2D keypoints of a video: a folder with one JSON file for each frame, numbered in its name."""

from __future__ import annotations

import re
from pathlib import Path

from hmr_edu.data.detections.files import OPENPOSE_ENDING, read_frame
from hmr_edu.data.detections.formats import Detection
from hmr_edu.io.errors import DataError

# The number at the end of a name. Videos have fewer frames than such a number has digits.
_NUMBER = re.compile(r"(?:^|\D)(\d{1,15})$")


class FrameKeypoints:
    """The people of each frame, read when the frame comes.

    OpenPose writes `clip_000000000000_keypoints.json` and so on with `--video clip.mp4 --write_json
    FOLDER`; the number counts the frames from 0. Other formats of `read_detections` will do, named
    in the same way. A frame without a file has nobody.

    Raises FileNotFoundError without a folder, DataError where a file has no number of its own.

    Args:
        folder: of the files.
    """

    def __init__(self, folder: Path) -> None:
        if not folder.exists():
            raise FileNotFoundError(f"no keypoints {folder}")
        if not folder.is_dir():
            raise DataError(f"{folder}: keypoints of a video are a folder, one JSON file a frame")
        self.folder = folder
        self.files: dict[int, Path] = {}
        for path in sorted(folder.glob("*.json")):
            number = _NUMBER.search(path.stem.removesuffix(OPENPOSE_ENDING))
            if number is None:
                raise DataError(f"{path}: no number of a frame at the end of its name")
            frame = int(number[1])
            if frame in self.files:
                both = f"{self.files[frame].name} and {path.name}"
                raise DataError(f"{folder}: {both} are both of frame {frame}")
            self.files[frame] = path
        if not self.files:
            raise DataError(f"{folder}: a folder without JSON files")

    def people(self, frame: int, size: tuple[int, int]) -> list[Detection]:
        """Return everybody in a frame, whose size is (width, height).

        Raises DataError that names the file where something in it cannot be used.
        """
        path = self.files.get(frame)
        return [] if path is None else read_frame(path, size)
