"""What was recovered so far of a video, on disk: a run that was killed continues from there.

One line of JSON for each frame, after a first line that says of what. A line that is cut short or
damaged, and all after it, are forgotten.
"""

from __future__ import annotations

import json
import math
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

import torch

from hmr_edu.camera import CropBox
from hmr_edu.fitting.motion import Seen
from hmr_edu.fitting.tracks import Tracked
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_folder, fcntl

# Bytes of the longest line: a frame with more people than anybody can follow.
LONGEST = 2**22
THETA = 85


class Journal:
    """The results of the frames of one video, in order.

    Raises DataError where another run writes the same journal.

    Args:
        path: of the file, which is made if there is none.
        header: what the results are of. A journal of something else is begun again.
    """

    def __init__(self, path: Path, header: Mapping[str, Any]) -> None:
        check_folder(path.parent)
        path.parent.mkdir(parents=True, exist_ok=True)
        if path.exists() and not path.is_file():
            raise DataError(f"{path}: there is something else where a journal is to be written")
        self.path = path
        self.frames: list[tuple[int, float, list[Tracked]]] = []
        self.state: dict[str, Any] | None = None
        self._file = path.open("a+b")
        if fcntl:
            try:
                fcntl.flock(self._file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                self._file.close()
                raise DataError(f"{path}: another run recovers the same video") from None
            except OSError:  # some network file systems know no locks
                pass
        self._file.seek(0)
        first = json.dumps(header, sort_keys=True)
        good = 0
        if self._line() == first.encode() + b"\n":
            good = self._file.tell()
            while (line := self._line()) is not None and self._read(line):
                good = self._file.tell()
        self._file.truncate(good)
        self._file.seek(good)
        if not good:
            self._write(first)

    @property
    def last(self) -> int:
        """The number of the last frame; -1 before the first."""
        return self.frames[-1][0] if self.frames else -1

    def add(
        self, frame: int, seconds: float, people: Sequence[Tracked], state: dict[str, Any]
    ) -> None:
        """Add a frame. It survives the death of the process.

        Args:
            frame: its number.
            seconds: its time.
            people: who is in it.
            state: of the tracker, after it.
        """
        self.frames.append((frame, seconds, list(people)))
        rows = [
            {
                "number": person.number,
                "theta": person.theta.tolist(),
                "crop": [person.crop.x, person.crop.y, person.crop.size],
                "score": person.score,
            }
            for person in people
        ]
        self._write(
            json.dumps({"frame": frame, "seconds": seconds, "people": rows, "state": state})
        )

    def people(self) -> dict[int, list[Seen]]:
        """Return the frames of each person, by number."""
        found: dict[int, list[Seen]] = {}
        for frame, seconds, people in self.frames:
            for person in people:
                found.setdefault(person.number, []).append(Seen(frame, seconds, person))
        return dict(sorted(found.items()))

    def close(self, remove: bool = False) -> None:
        """Close the file, and remove it when nobody needs it any more."""
        if remove:
            with suppress(OSError):
                self.path.unlink()
        self._file.close()

    def _line(self) -> bytes | None:
        """Return the next line, or None at the end and where a line has no end."""
        line = self._file.readline(LONGEST)
        return line if line.endswith(b"\n") else None

    def _write(self, line: str) -> None:
        self._file.write(line.encode() + b"\n")
        self._file.flush()

    def _read(self, line: bytes) -> bool:
        """Take over the line of a frame; return whether it is one."""
        try:
            row = json.loads(line)
            frame, seconds = int(row["frame"]), float(row["seconds"])
            people = [
                Tracked(
                    int(person["number"]),
                    _theta(person["theta"]),
                    CropBox(*person["crop"]),
                    None if person["score"] is None else float(person["score"]),
                )
                for person in row["people"]
            ]
            state = dict(row["state"])
        # Infinity is no whole number, and 1e999 written out is no float: OverflowError.
        except (ValueError, TypeError, KeyError, OverflowError, RecursionError):
            return False
        later = not self.frames or (frame > self.last and seconds > self.frames[-1][1])
        if not later or frame < 0 or not math.isfinite(seconds):
            return False
        self.frames.append((frame, seconds, people))
        self.state = state
        return True


def _theta(values: Sequence[float]) -> torch.Tensor:
    theta = torch.tensor(values, dtype=torch.float32)
    if theta.shape != (THETA,) or not torch.isfinite(theta).all():
        raise ValueError("not a theta")
    return theta
