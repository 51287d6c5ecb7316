"""From a download of Canvas or Moodle to STUDENT/ps1/NOTEBOOK.ipynb.

Canvas packs all files of an assignment into one flat zip. It names them
`lovelaceada_LATE_4242_67890_01_rodrigues-1.ipynb`: the name in small letters without signs, LATE
if it was, the user's number, the file's number, and the file's own name, with `-1` when it was
handed in again. Without names it is `anon_Xy3zA_67890_...`. An answer typed into the page ends in
`_text.html` (canvas-lms, `lib/content_zipper.rb`).

Moodle packs a folder for each student, `Ada Lovelace_4242_assignsubmission_file_`. The number
belongs to the assignment, not to the student. Moodle can also write one flat zip, where the
folder's name stands in front of the file's (moodle, `mod/assign/classes/downloader.php`).
"""

from __future__ import annotations

import filecmp
import re
import shutil
import tempfile
from collections import defaultdict
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from hmr_edu.course.grading.assignment import handed_out
from hmr_edu.course.grading.names import quoted, shown
from hmr_edu.course.grading.submissions import Sets, look_through
from hmr_edu.course.grading.unpack import unpack
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write

CANVAS = re.compile(
    r"(?:(?P<late1>LATE)_)?(?P<name>anon|[^_].*?)(?:_(?P<late2>LATE))?"
    r"_(?P<user>\d+|(?<=anon_)[A-Za-z0-9]+)_(?P<file>\d+)_(?P<own>.+)",
    re.DOTALL,
)
CANVAS_TYPED = re.compile(r"(?P<name>[^_].*?)(?:_LATE)?_(?P<user>\d+)_(?:text|link)\.html")
MOODLE = re.compile(
    r"(?P<name>.+)_(?P<number>\d+)_assignsubmission_(?P<kind>[a-z]+)(?:_(?P<own>.*))?", re.DOTALL
)
LARGEST = 4 * 2**30  # bytes of a whole class, unpacked


@dataclass(frozen=True)
class Entry:
    """A file of a download: whose it is, and what its student called it."""

    path: Path
    name: str
    number: str  # the platform's, of the student
    own: str  # the file's own path
    file: int = 0  # Canvas counts files: a later one has a larger number
    late: bool = False
    everywhere: bool = True  # whether the number is the same in all assignments


def collect(
    download: Path,
    course: Path,
    out: Path,
    replace: bool = False,
    say: Callable[[str], None] = print,
) -> list[str]:
    """Sort a download into `out`; say what was decided, and return what could not be sorted.

    A file that is there already and differs stays, unless `replace`.
    """
    if not (course / "release").is_dir():
        raise DataError(f"{course}: no course here; begin with `hmr-edu course release`")
    sets = handed_out(course / "release")
    with tempfile.TemporaryDirectory() as scratch:
        folder = download
        if download.is_file():
            folder = Path(scratch) / "download"
            try:
                unpack(download, folder, LARGEST, members=100_000)
            except DataError as error:
                raise DataError(f"{download} {error}") from None
        elif not download.is_dir():
            raise DataError(f"{download}: no such file or folder")
        entries, failed = _entries(folder)
        if not entries:
            raise DataError(
                f"{download}: nothing in it is named as Canvas or Moodle names submissions; "
                "folders STUDENT/ps1/ need no sorting"
            )
        for line in failed:
            say(line)
        for student, mine in sorted(_by_student(entries).items()):
            try:
                failed += _student(student, mine, sets, Path(scratch), out, replace, say)
            except Exception as error:  # a student's, and never the class's
                failed.append(f"{quoted(student)}: {str(error).split(chr(10))[0]}")
                say(failed[-1])
    return failed


def _entries(folder: Path) -> tuple[list[Entry], list[str]]:
    """Return the files that are somebody's, and a line for each that is nobody's."""
    found, others = [], []
    for path in sorted(folder.rglob("*")):
        inside = path.relative_to(folder)
        hidden = any(p.startswith(".") or p == "__MACOSX" for p in inside.parts)
        if path.is_symlink():
            others.append(f"{shown(str(inside))} is a link: left out")
        elif path.is_file() and not hidden:
            entry = entry_of(path, inside)
            if entry is None:
                others.append(f"{shown(str(inside))}: named neither as Canvas nor as Moodle does")
            else:
                found.append(entry)
    return found, others


def entry_of(path: Path, inside: Path) -> Entry | None:
    """Read the student and the file's own name out of its path in the download."""
    for place, part in enumerate(inside.parts):
        moodle = MOODLE.fullmatch(part)
        if moodle:
            below = inside.parts[place + 1 :]
            own = "/".join([*([moodle["own"]] if moodle["own"] else []), *below])
            entry = Entry(path, moodle["name"], moodle["number"], own, everywhere=False)
            return entry if own else None
    part = inside.name
    canvas = CANVAS.fullmatch(part)
    if canvas:
        late = bool(canvas["late1"] or canvas["late2"])
        return Entry(path, canvas["name"], canvas["user"], canvas["own"], int(canvas["file"]), late)
    typed = CANVAS_TYPED.fullmatch(part)
    if typed:
        return Entry(path, typed["name"], typed["user"], part[typed.end("user") + 1 :])
    return None


def _by_student(entries: list[Entry]) -> dict[str, list[Entry]]:
    """Give each student a folder's name: Canvas's with its number, Moodle's only if two are alike.

    Canvas's number is the user's own, and the table of grades needs it. Moodle's is another in each
    assignment.
    """
    numbers: dict[str, set[str]] = defaultdict(set)
    for entry in entries:
        numbers[entry.name].add(entry.number)
    students: dict[str, list[Entry]] = defaultdict(list)
    for entry in entries:
        alone = not entry.everywhere and len(numbers[entry.name]) == 1
        students[entry.name if alone else f"{entry.name}_{entry.number}"].append(entry)
    return students


def _student(
    student: str,
    entries: list[Entry],
    sets: Sets,
    scratch: Path,
    out: Path,
    replace: bool,
    say: Callable[[str], None],
) -> list[str]:
    """Put a student's notebooks into place; return what could not be."""
    mine, told = Path(tempfile.mkdtemp(dir=scratch)), quoted(student)
    for entry in sorted(entries, key=lambda entry: entry.file):
        # Files of one name come apart; the later number is the later file.
        target = mine / f"{entry.file:015d}" / entry.own
        target.parent.mkdir(parents=True, exist_ok=True)
        shutil.copy2(entry.path, target)
    if any(entry.late for entry in entries):
        say(f"{told}: late")
    handed = look_through(student, mine, sets, Path(tempfile.mkdtemp(dir=scratch)))
    failed = [f"{told}: {_own(line)}" for line in handed.unread]
    failed += [f"{told}: {_own(why)}" for _, why in handed.stops]
    for line in handed.left:
        say(f"{told}: left out: {_own(line)}")
    for name, parts in sorted(handed.taken.items()):
        for part, found in sorted(parts.items()):
            target = out / _folder(student) / name / f"{part}.ipynb"
            where, source = f"{told}: {_own(found.where)} -> {shown(str(target))}", found.path
            if target.is_symlink() or (target.exists() and not filecmp.cmp(source, target, False)):
                if not replace:
                    failed.append(f"{where}: another file is there, and stays; see --replace")
                    continue
                where += ", replaced"
            elif target.exists():
                where += ", which was there"
            if "was there" not in where:
                with atomic_write(target) as temporary:
                    shutil.copyfile(source, temporary)
            say(where)
    if not handed.taken and not failed:
        failed.append(f"{told}: no notebook of the course")
    for line in failed:
        say(line)
    return failed


def _own(text: str) -> str:
    """Take the folder that keeps files of one name apart out of what is told."""
    return re.sub(r"\b\d{15}/", "", text)


def _folder(student: str) -> str:
    """Return a folder's name: a name that leads elsewhere is none."""
    safe = student.replace("/", "-").replace("\0", "")
    return safe if safe.strip(".") else f"student {safe}"
