"""What lies in a folder of submissions: all of it, each file taken or named.

Names are names here, never patterns. Links are not followed.
"""

from __future__ import annotations

import os
import re
import tempfile
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

from nbformat import NotebookNode

from hmr_edu.course.grading.assignment import Part, copy_number, recognise
from hmr_edu.course.grading.names import shown
from hmr_edu.course.grading.notebook_file import read_notebook
from hmr_edu.course.grading.unpack import TOTAL_BYTES, unpack
from hmr_edu.io.errors import DataError

FILES, DEPTH, ZIPS = 5000, 30, 3  # of one student; how deep folders lie, and zips in zips
SYSTEM = {"__MACOSX", "__pycache__", "Thumbs.db", "desktop.ini", "feedback"}
STAMP = "timestamp.txt"  # nbgrader's own, of when it was handed in
SET = re.compile(r"ps[ _-]?0*(\d+)", re.IGNORECASE)
ARCHIVES = (".7z", ".bz2", ".gz", ".rar", ".tar", ".tgz", ".xz")
Sets = Mapping[str, Mapping[str, Part]]


@dataclass
class Found:
    """A notebook that was handed in."""

    part: Part
    notebook: NotebookNode
    path: Path
    where: str  # what to call it: its path in the student's folder

    def rank(self) -> tuple[object, ...]:
        """Of several for the same part, the largest counts: written, a later copy, newer."""
        blank = self.part.is_blank(self.notebook)
        return not blank, copy_number(self.where), self.path.stat().st_mtime_ns, self.where


@dataclass
class Handed:
    """All that one student handed in."""

    student: str
    taken: dict[str, dict[str, Found]] = field(default_factory=dict)  # by set, by notebook
    stamps: dict[str, Path] = field(default_factory=dict)  # by set
    left: list[str] = field(default_factory=list)  # what needs no grading, and why
    unread: list[str] = field(default_factory=list)  # what should be graded and cannot be read
    stops: list[tuple[str, str]] = field(default_factory=list)  # a set or "", and why not
    sets: set[str] = field(default_factory=set)  # those that there is a folder for
    others: int = 0  # files of the system's

    def stopped(self, name: str) -> str:
        """Return why a set cannot be graded, or nothing."""
        return "; ".join(why for where, why in self.stops if where in ("", name))

    def offer(self, found: Found) -> None:
        """Take a notebook, unless a better one for the same part is there."""
        mine = self.taken.setdefault(found.part.set, {})
        other = mine.get(found.part.name)
        if other is not None:
            found, other = sorted((found, other), key=Found.rank, reverse=True)
            self.left.append(f"{other.where}: {found.where} is graded in its place")
        mine[found.part.name] = found


def students(folder: Path) -> Iterator[tuple[str, str]]:
    """Yield the names of the students' folders; and what lies there and is none, with the reason.

    A pair is (name, "") for a student and (name, reason) for what is left out.
    """
    for entry in sorted(os.scandir(folder), key=lambda entry: entry.name):
        if entry.is_symlink():
            yield entry.name, "is a link; hand in files and folders only"
        elif not entry.is_dir():
            if not entry.name.startswith(".") and entry.name not in SYSTEM:
                yield entry.name, "is in no student's folder; `hmr-edu course collect` sorts those"
        elif entry.name.startswith(".") or entry.name == "__MACOSX":
            yield entry.name, "is hidden, no student's"
        elif "_assignsubmission_" in entry.name:
            yield entry.name, "is Moodle's folder; `hmr-edu course collect` sorts those"
        else:
            yield entry.name, ""


def look_through(student: str, folder: Path, sets: Sets, scratch: Path) -> Handed:
    """Find a student's notebooks, however deep and in zips too; whatever else there is, is named.

    Args:
        student: the name, for what is told.
        folder: the student's own.
        sets: what was handed out.
        scratch: an empty folder to unpack into.
    """
    handed = Handed(student)
    walk = _Walk(handed, sets, scratch)
    try:
        walk.folder(folder, (), "", 0)
    except DataError as error:
        handed.stops.append(("", str(error)))
    except (OSError, RecursionError) as error:
        handed.stops.append(("", f"cannot be read: {error}"))
    return handed


class _Walk:
    def __init__(self, handed: Handed, sets: Sets, scratch: Path) -> None:
        self.handed, self.sets, self.scratch = handed, sets, scratch
        self.seen, self.left = 0, TOTAL_BYTES  # files; bytes that may still be unpacked or read

    def folder(self, path: Path, inside: tuple[str, ...], name: str, zips: int) -> None:
        """Look through a folder; `name` is the problem set that it belongs to, or ""."""
        if len(inside) > DEPTH:
            raise DataError(f"folders lie more than {DEPTH} deep")
        for entry in sorted(os.scandir(path), key=lambda entry: entry.name):
            self.seen += 1
            if self.seen > FILES:
                raise DataError(f"more than {FILES:,} files")
            where = "/".join(map(shown, (*inside, entry.name)))
            regular = entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)
            if entry.is_symlink() or not regular:
                what = "a link" if entry.is_symlink() else "no regular file"
                why = f"{where} is {what}; hand in files and folders only"
                self.handed.stops.append((name or self.set_of(entry.name), why))
            elif entry.name in SYSTEM or entry.name.startswith("."):
                self.handed.others += 1
            elif entry.is_dir():
                mine = name or self.set_of(entry.name)
                if mine:
                    self.handed.sets.add(mine)
                self.folder(Path(entry.path), (*inside, entry.name), mine, zips)
            else:
                self.file(Path(entry.path), (*inside, entry.name), name, zips)

    def set_of(self, folder: str) -> str:
        """Return the problem set that a folder is named after, or ""."""
        number = SET.fullmatch(folder)
        return f"ps{int(number[1])}" if number else folder if folder in self.sets else ""

    def file(self, path: Path, inside: tuple[str, ...], name: str, zips: int) -> None:
        """Take a file, or name it."""
        where, lower = "/".join(map(shown, inside)), path.name.lower()
        if path.name == STAMP and name and len(inside) == 2:
            self.handed.stamps[name] = path
        elif lower.endswith(".zip"):
            self.zip(path, inside, name, zips)
        elif lower.endswith(ARCHIVES):
            self.handed.unread.append(f"{where}: no archive but .zip is unpacked")
        elif ".ipynb" in lower or lower.endswith((".json", ".txt")) or "." not in lower:
            self.notebook(path, where, name, certain=".ipynb" in lower)
        else:
            kind = "a program; hand in the notebook, .ipynb" * lower.endswith(".py")
            self.handed.left.append(f"{where}: {kind or 'no notebook'}")

    def zip(self, path: Path, inside: tuple[str, ...], name: str, zips: int) -> None:
        """Unpack a zip and look through it, as if it were a folder."""
        where = "/".join(map(shown, inside))
        if zips >= ZIPS:
            self.handed.unread.append(f"{where}: zips lie in zips, more than {ZIPS} deep")
            return
        folder = Path(tempfile.mkdtemp(dir=self.scratch))
        mine = name or self.set_of(path.name[: -len(".zip")])
        try:
            self.left -= unpack(path, folder, self.left)
        except DataError as error:
            self.handed.unread.append(f"{where} {error}")
            return
        if mine:
            self.handed.sets.add(mine)
        self.folder(folder, inside, mine, zips + 1)

    def notebook(self, path: Path, where: str, name: str, certain: bool) -> None:
        """Take a notebook; `certain`: its name says that it is one."""
        self.left -= path.stat().st_size
        if self.left < 0:
            raise DataError(f"more than {TOTAL_BYTES // 2**20} MiB")
        try:
            notebook = read_notebook(path)
        except DataError as error:
            if certain:
                self.handed.unread.append(f"{where} {error}")
            else:
                self.handed.left.append(f"{where}: no notebook")
            return
        part = recognise(path.name, notebook, name, self.sets)
        if part is None:
            self.handed.left.append(f"{where}: a notebook that was not handed out")
        elif name and name not in self.sets:
            self.handed.left.append(f"{where}: {name} was not released")
        else:
            if name and part.set != name:
                self.handed.left.append(f"{where}: it belongs to {part.set}, and counts there")
            self.handed.offer(Found(part, notebook, path, where))
