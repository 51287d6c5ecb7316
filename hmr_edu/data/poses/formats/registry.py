"""The formats of motion: which ending is read by what. A new format is one file and one entry."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import NamedTuple

from hmr_edu.data.poses.formats.amass import read_amass
from hmr_edu.data.poses.formats.asf_amc import read_amc, refuse_asf
from hmr_edu.data.poses.formats.bvh import read_bvh
from hmr_edu.data.poses.formats.c3d import refuse_c3d
from hmr_edu.data.poses.formats.clip import Clip, Reading
from hmr_edu.data.poses.formats.deepmimic import read_deepmimic
from hmr_edu.data.poses.formats.mosh import read_mosh
from hmr_edu.io.errors import DataError

Reader = Callable[[Path, Reading], list[Clip]]


class Format(NamedTuple):
    """A format of motion: its name in words, what reads it, whether a folder is searched for it."""

    name: str
    read: Reader
    searched: bool = True


FORMATS: dict[str, Format] = {
    ".npz": Format("AMASS, or this package's own", read_amass),
    ".bvh": Format("BVH", read_bvh),
    ".amc": Format("ASF/AMC of CMU and HDM05", read_amc),
    ".asf": Format("the skeleton of AMC files", refuse_asf, searched=False),
    ".pkl": Format("MoSh", read_mosh),
    ".txt": Format("DeepMimic", read_deepmimic),
    ".json": Format("DeepMimic", read_deepmimic, searched=False),
    ".c3d": Format("markers, which are refused", refuse_c3d),
}
# Files that lie among those of AMASS and hold one body's shape.
NO_MOTION = ("shape.npz", "neutral_stagei.npz", "male_stagei.npz", "female_stagei.npz")


def read_clips(path: Path, reading: Reading | None = None) -> list[Clip]:
    """Read a file of motion in the format of its ending.

    Raises FileNotFoundError when there is no file, DataError that says what is wrong with it.
    """
    known = FORMATS.get(path.suffix.lower())
    if known is None:
        raise DataError(f"{path}: the name must end in {', '.join(FORMATS)}")
    return known.read(path, reading or Reading())


def find_files(paths: Iterable[Path]) -> list[Path]:
    """Return the files of motion among `paths`; folders are searched, with all that is in them.

    A skeleton beside its AMC files is no file of motion. Raises FileNotFoundError where a path
    does not exist, DataError where a folder has nothing that is read here.
    """
    files: list[Path] = []
    given = list(paths)
    for path in given:
        if not path.is_dir():
            files.append(path)
            continue
        searched = {suffix for suffix, known in FORMATS.items() if known.searched}
        found = [
            p
            for p in sorted(path.rglob("*"))
            if p.suffix.lower() in searched and p.name not in NO_MOTION and p.is_file()
        ]
        if not found:
            raise DataError(f"{path}: a folder without any file of {', '.join(sorted(searched))}")
        files += found
    if any(path.suffix.lower() == ".amc" for path in files):
        files = [path for path in files if path.suffix.lower() != ".asf"]
    return list(dict.fromkeys(files))
