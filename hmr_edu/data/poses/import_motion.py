"""Import motion: files of any known format become one mocap file of this package."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Annotated

import numpy as np
from jaxtyping import Float
from scipy.spatial.transform import Rotation
from tqdm import tqdm

from hmr_edu.data.poses.cleaning import clean, not_double
from hmr_edu.data.poses.formats.clip import Reading, Rest, Up
from hmr_edu.data.poses.formats.registry import find_files, read_clips
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write, printable
from hmr_edu.io.ranges import NotNegative, Positive, Range
from hmr_edu.io.tables import text_table
from hmr_edu.keypoints import SMPL_JOINTS

# The step of the stored numbers, in radians: 16 bits reach 3.27, and no joint turns more than pi.
SCALE = 1e-4
PERCENTILES = (5, 50, 95)
SHOWN = 10  # problems that are printed


@dataclass
class ImportOptions:
    """What is read, and what is left out.

    A comment before an option is its line in the help.
    """

    # Frames a second of the result.
    fps: Annotated[float, Range(0.5, 1000)] = 12.0
    # The fastest that a joint may turn, degrees a second; frames that jump farther are left out.
    speed: Positive = 2000.0
    # Poses are doubles where no joint differs by more degrees; 0 keeps all.
    tolerance: NotNegative = 2.0
    # The axis that points up in the files' world; "auto" finds it from the skeleton at rest.
    up: Up = "auto"
    # The skeleton's rest pose: all rotations zero, or the first frame (often a T-pose).
    rest: Rest = "zero"
    # Frames a second of files that do not say it: AMC, pickles of MoSh.
    source_fps: Annotated[float, Range(0.5, 10_000)] = 120.0
    # The skeleton of AMC files; found beside them where it is not given.
    asf: Path | None = None


@dataclass
class ImportReport:
    """What was found: numbers of files, frames and poses, and what is wrong, by file."""

    files: int = 0
    clips: int = 0
    seconds: float = 0.0
    frames: int = 0
    missing: int = 0
    jumped: int = 0
    resampled: int = 0
    doubles: int = 0
    kept: int = 0
    fps: float = 0.0
    angles: dict[str, list[float]] = field(default_factory=dict)
    problems: list[str] = field(default_factory=list)
    formats: dict[str, int] = field(default_factory=dict)

    def text(self) -> str:
        """Return the report for a terminal."""
        formats = ", ".join(f"{count} {name}" for name, count in sorted(self.formats.items()))
        rows = [
            ["files read", f"{self.files:,}"],
            ["clips", f"{self.clips:,}"],
            ["seconds", f"{self.seconds:,.1f}"],
            ["frames", f"{self.frames:,}"],
            ["  without numbers", f"{self.missing:,}"],
            ["  jumps, left out", f"{self.jumped:,}"],
            [f"poses at {self.fps:g} a second", f"{self.resampled:,}"],
            ["  doubles, left out", f"{self.doubles:,}"],
            ["poses kept", f"{self.kept:,}"],
        ]
        angles = [["degrees", *(f"p{p}" for p in PERCENTILES)]]
        angles += [[n, *(f"{v:.0f}" for v in values)] for n, values in self.angles.items()]
        lines = [text_table(rows), f"formats: {formats}", "", text_table(angles)]
        if self.problems:
            lines += ["", f"problems: {len(self.problems)}", *self.problems[:SHOWN]]
            if len(self.problems) > SHOWN:
                lines.append(f"... and {len(self.problems) - SHOWN} more")
        return printable("\n".join(lines))

    def record(self) -> dict:
        """Return the report for JSON."""
        record = asdict(self)
        record["problems"] = [printable(problem) for problem in self.problems]
        return record


@dataclass(frozen=True)
class Imported:
    """The poses that are kept, with the clip of each, and the report."""

    poses: Float[np.ndarray, "N 72"]
    clips: np.ndarray
    names: tuple[str, ...]
    report: ImportReport


def import_motion(
    paths: Iterable[Path], options: ImportOptions | None = None, progress: bool = False
) -> Imported:
    """Read files and folders of motion; leave out jumps and doubles.

    A file that cannot be used is a problem of the report. Raises DataError or FileNotFoundError
    when no file can be.

    Args:
        paths: files, or folders, in which all files of motion are read.
        options: what is read, and what is left out.
        progress: show a progress bar.
    """
    options = options or ImportOptions()
    reading = Reading(options.up, options.rest, options.source_fps, options.asf)
    report = ImportReport(fps=options.fps)
    files = find_files(paths)
    poses, clips = [], []
    names: dict[str, None] = {}  # in order, each once
    first_error: DataError | FileNotFoundError | None = None
    for path in tqdm(files, desc="import", unit="file", disable=not progress):
        try:
            read = read_clips(path, reading)
        except (DataError, FileNotFoundError) as error:
            first_error = first_error or error
            report.problems.append(str(error))
            continue
        report.files += 1
        ending = path.suffix.lower().removeprefix(".")
        report.formats[ending] = report.formats.get(ending, 0) + 1
        for clip in read:
            report.problems += [f"{path}: {note}" for note in clip.notes]
            cleaned = clean(clip.poses, clip.fps, options.speed, options.fps)
            report.frames += len(clip.poses)
            report.seconds += len(clip.poses) / clip.fps
            report.missing += cleaned.missing
            report.jumped += cleaned.jumped
            if not len(cleaned.poses):
                error = DataError(f"{path}: no frame of {printable(clip.name)!r:.60} has a pose")
                first_error = first_error or error
                report.problems.append(str(error))
            else:
                clips.append(np.full(len(cleaned.poses), len(names)))
                poses.append(cleaned.poses.astype(np.float32))
                name = printable(clip.name)
                names[name if name not in names else f"{name} ({len(names)})"] = None
    if not poses:
        assert first_error is not None  # a file without poses has one
        more = f" (and {len(files) - 1:,} more files)" if len(files) > 1 else ""
        raise type(first_error)(f"{first_error}{more}")
    report.clips = len(names)
    return _without_doubles(
        np.concatenate(poses), np.concatenate(clips), list(names), options, report
    )


def save_motion(path: Path, imported: Imported) -> None:
    """Write poses in the layout that `load_mocap` reads: 16 bits times a scale."""
    with atomic_write(path) as temporary:
        np.savez_compressed(
            temporary,
            poses=np.round(imported.poses / SCALE).astype(np.int16),
            scale=np.array(SCALE),
            clip=imported.clips.astype(np.int32),
            clip_names=np.array(imported.names),
            fps=np.array(imported.report.fps),
        )


def _without_doubles(
    poses: np.ndarray,
    clips: np.ndarray,
    names: Sequence[str],
    options: ImportOptions,
    report: ImportReport,
) -> Imported:
    """Leave out doubles; complete the report.

    Args:
        poses: of all clips.
        clips: the clip of each pose.
        names: of the clips.
        options: what is left out.
        report: gets its last numbers.
    """
    keep = not_double(poses, clips, options.tolerance)
    report.resampled, report.kept = len(poses), int(keep.sum())
    report.doubles = report.resampled - report.kept
    # Angles up to pi, so that they fit into 16 bits.
    joints = Rotation.from_rotvec(poses[keep].reshape(-1, 3)).as_rotvec().reshape(-1, 24, 3)
    angles = np.degrees(np.linalg.norm(joints, axis=2))
    for joint, name in enumerate(SMPL_JOINTS):
        report.angles[name] = np.percentile(angles[:, joint], PERCENTILES).round(1).tolist()
    return Imported(joints.reshape(-1, 72), clips[keep], tuple(names), report)
