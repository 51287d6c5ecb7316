"""A course folder and what is done with it: release, collect, grade, feedback, export.

The folder is nbgrader's: `source` (the instructor's notebooks), `release` (the learners'),
`submitted`, `autograded`, `feedback`, `gradebook.db`. nbgrader's own commands work in it.
"""

from __future__ import annotations

import errno
import shutil
import tempfile
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import suppress
from pathlib import Path

import nbformat
from nbgrader.converters import Autograde, GenerateAssignment, GenerateFeedback
from nbgrader.utils import parse_utc
from tqdm import tqdm

from hmr_edu.course.grading.assignment import Part, handed_out
from hmr_edu.course.grading.collect import collect
from hmr_edu.course.grading.converters import run
from hmr_edu.course.grading.gradebook import export, score, take_back
from hmr_edu.course.grading.names import Register, quoted, shown
from hmr_edu.course.grading.preprocessors import sandbox
from hmr_edu.course.grading.release import problem_sets, write_source, write_zip
from hmr_edu.course.grading.restore import POINTS, notes
from hmr_edu.course.grading.sandbox import says
from hmr_edu.course.grading.submissions import STAMP, Handed, look_through, students
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write

__all__ = ["collect", "export", "feedback", "grade", "release"]

CONFIG = '''\
"""nbgrader's configuration of this course; written by `hmr-edu course release`."""

from pathlib import Path

from hmr_edu.course.grading.preprocessors import course_config

c = get_config()  # noqa: F821 - nbgrader provides it
c.merge(course_config(str(Path(__file__).parent)))
'''


def release(folder: Path, lessons: Path, names: Sequence[str] = ()) -> list[Path]:
    """Make the named problem sets, or all: returns the zips to hand out."""
    sets = problem_sets(lessons)
    unknown = [name for name in names if name not in sets]
    if unknown:
        raise DataError(f"no problem set {unknown[0]!r}; there are {', '.join(sets)}")
    folder.mkdir(parents=True, exist_ok=True)
    config = folder / "nbgrader_config.py"
    if not config.exists():  # the instructor may have added to it
        with atomic_write(config) as temporary:
            temporary.write_text(CONFIG)
    zips = []
    for name in tqdm(names or sets, unit="set"):
        write_source(sets[name], folder / "source" / name)
        run(GenerateAssignment, folder, name, "*")
        zips.append(write_zip(folder / "release" / name, folder / "handout" / f"{name}.zip"))
    return zips


def grade(folder: Path, submissions: Path, say: Callable[[str], None] = print) -> list[str]:
    """Grade what lies in `submissions/STUDENT`; returns what could not be graded, and why.

    All that lies there is graded or named: by `say` where that is as it should be, and in the
    returned lines where it is not. What an earlier grading of the same folder gave to submissions
    that are no longer there is taken back.

    Raises DataError where there is nothing to grade, and on systems without Linux's limits; OSError
    where the disk is full.
    """
    return _Grading(folder, submissions, say).run()


class _Grading:
    def __init__(self, folder: Path, submissions: Path, say: Callable[[str], None]) -> None:
        if not (folder / "release").is_dir():
            raise DataError(f"{folder}: no course here; begin with `hmr-edu course release`")
        if not submissions.is_dir():
            raise DataError(f"{submissions}: no such folder")
        self.folder, self.submissions, self.say = folder, submissions, say
        self.sets = handed_out(folder / "release")
        self.register, self.origin = Register(folder), str(submissions.resolve())
        self.failed, self.seen, self.others = list[str](), set[str](), 0

    def run(self) -> list[str]:
        """Grade student after student; nothing about one of them stops the others."""
        found = list(students(self.submissions))
        folders = [name for name, why in found if not why]
        for name, why in found:
            if why:
                self.fail(f"{quoted(name)} {why}")
        if not folders:
            there = ", ".join(quoted(name) for name, _ in found[:5]) or "nothing"
            wanted = "nothing like STUDENT/ps1/NOTEBOOK.ipynb in it"
            raise DataError(f"{self.submissions}: {wanted}; it holds {there}")
        self.say(f"submissions run in {says(sandbox().kind)}")
        with self.staged() as stage:
            for number, name in enumerate(folders, 1):
                self.place = f"[{number}/{len(folders)}] "
                try:
                    self.student(name, stage)
                except Exception as error:  # a student's, and never the class's
                    _end_on_full_disk(error)
                    self.fail(f"{quoted(name)}: {_first(error)}")
                    self.keep_open(self.register.add(self.register.name(name)))
        self.withdraw()
        if self.others:
            self.say(f"left out: {self.others} files of the system's own, such as .DS_Store")
        self.register.save()
        return self.failed

    def staged(self):
        """Return a context with the folder that nbgrader grades from."""
        mine = self.folder / "submitted"
        if self.submissions.resolve() != mine.resolve():
            return _Kept(mine)
        return tempfile.TemporaryDirectory(prefix=".grading-", dir=self.folder)

    def fail(self, line: str) -> None:
        """Keep a line for the end, and say it now."""
        self.failed.append(line)
        self.say(getattr(self, "place", "") + line)

    def student(self, entry: str, stage: str) -> None:
        """Grade all that a student handed in."""
        student = self.register.name(entry)
        written, told = self.register.add(student), quoted(student)
        if written != student:
            self.say(f"{self.place}{told} is written down as {written}")
        with tempfile.TemporaryDirectory() as scratch:
            handed = look_through(student, self.submissions / entry, self.sets, Path(scratch))
            for name in sorted({*handed.taken, *handed.sets}):
                self.seen.add(f"{written}/{name}")
                try:
                    self.one(handed, name, written, Path(stage))
                except Exception as error:  # the other problem sets are graded all the same
                    _end_on_full_disk(error)
                    self.fail(f"{told} {name}: {_first(error)}")
        for line in handed.left:
            self.say(f"{self.place}{told}: not graded: {line}")
        for line in handed.unread:
            self.fail(f"{told} {line}")
        if handed.stopped("") and not handed.sets:
            self.fail(f"{told} {handed.stopped('')}")
            self.keep_open(written)
        elif not (handed.taken or handed.sets or handed.unread):
            self.fail(f"{told}: no notebook of the course; {self.wanted()}")
        self.others += handed.others

    def keep_open(self, written: str) -> None:
        """Take back what a student had who cannot be graded now, but for points given by hand."""
        for key in self.register.graded:
            if key.startswith(f"{written}/") and self.register.graded[key] == self.origin:
                self.seen.add(key)
                take_back(self.folder, key.rsplit("/", 1)[1], written)

    def one(self, handed: Handed, name: str, written: str, stage: Path) -> None:
        """Grade a student's problem set, from what is there now."""
        key = f"{written}/{name}"
        if name not in self.sets:
            raise DataError("no such problem set was released")
        stopped, taken = handed.stopped(name), handed.taken.get(name, {})
        gone = not stopped and not taken and not handed.unread and key in self.register.graded
        take_back(self.folder, name, written, withdrawn=gone)
        target = stage / written / name
        shutil.rmtree(target, ignore_errors=True)
        if gone:
            del self.register.graded[key]
        if stopped or not taken:
            if handed.unread and not stopped:  # which is said there
                return
            lost = "; the points of the earlier grading are gone" * gone
            raise DataError(stopped or f"no notebook of it{lost}; {self.wanted(name)}")
        target.mkdir(parents=True)
        for part, found in taken.items():
            with atomic_write(target / f"{part}.ipynb") as temporary:
                nbformat.write(found.notebook, temporary)
        _stamp(handed.stamps.get(name), target / STAMP)
        inside = stage.resolve().relative_to(self.folder.resolve())
        run(Autograde, self.folder, name, written, str(inside))
        self.register.graded[key] = self.origin
        more = [score(self.folder, name, written)]
        missing = sorted(set(self.sets[name]) - set(taken))
        more += [f"not handed in: {', '.join(missing)}"] * bool(missing)
        restored = dict.fromkeys(_restored(self.folder / "autograded" / written / name))
        more += [f"cells put right: {', '.join(restored)}"] * bool(restored)
        self.say(f"{self.place}{quoted(handed.student)} {name}: {'; '.join(more)}")

    def wanted(self, name: str = "") -> str:
        """Say which files are wanted."""
        sets: Mapping[str, Mapping[str, Part]] = {name: self.sets[name]} if name else self.sets
        files = [f"{s}/{part}.ipynb" for s, parts in sets.items() for part in parts]
        return f"wanted are {', '.join(files[:4])}{', ...' * (len(files) > 4)}"

    def withdraw(self) -> None:
        """Take back what this folder's earlier grading gave, and what is no longer in it."""
        for key, origin in sorted(self.register.graded.items()):
            if origin == self.origin and key not in self.seen:
                written, name = key.rsplit("/", 1)
                with suppress(OSError):
                    shutil.rmtree(self.folder / "submitted" / written / name, ignore_errors=True)
                take_back(self.folder, name, written, withdrawn=True)
                del self.register.graded[key]
                student = quoted(self.register.name(written))
                self.say(f"{student} {name}: withdrawn; the points of the earlier grading are gone")


class _Kept:
    """A folder that stays."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder

    def __enter__(self) -> str:
        self.folder.mkdir(parents=True, exist_ok=True)
        return str(self.folder)

    def __exit__(self, *_: object) -> None:
        pass


def _end_on_full_disk(error: Exception) -> None:
    """Raise the error again where the disk is full: every other submission would have it, too."""
    if isinstance(error, OSError) and error.errno in (errno.ENOSPC, errno.EDQUOT, errno.EROFS):
        raise error


def _first(error: Exception) -> str:
    """Return the first line of an error, with its kind where that says more."""
    line = str(error).strip().split("\n")[0]
    return line if isinstance(error, DataError) and line else f"{type(error).__name__}: {line}"


def _stamp(path: Path | None, target: Path) -> None:
    """Copy nbgrader's note of when a submission came, if it is one."""
    with suppress(Exception):
        if path is not None and path.stat().st_size < 100:
            text = path.read_text(encoding="utf-8")
            parse_utc(text.strip())
            with atomic_write(target) as temporary:
                temporary.write_text(text, encoding="utf-8")


def _restored(folder: Path) -> Iterator[str]:
    """Yield the exercises of a graded submission whose cells had to be put right."""
    for path in sorted(folder.glob("*.ipynb")):
        for name, _ in notes(nbformat.read(path, as_version=4)):
            yield name.removesuffix(POINTS)


def feedback(folder: Path, names: Sequence[str] = ()) -> Path:
    """Write a page for every graded notebook; returns their folder.

    Raises DataError where nothing was graded, in the whole course or of a set that is named; and
    in the end, when all others have their pages, of those that could not be written.
    """
    graded = sorted((folder / "autograded").glob("*/*"))
    missing = sorted(set(names) - {path.name for path in graded})
    if missing or not graded:
        what = f"no submission of {missing[0]!r}" if missing else "nothing"
        raise DataError(f"{folder}: {what} was graded; begin with `hmr-edu course grade`")
    failed = []
    for path in tqdm([p for p in graded if not names or p.name in names], unit="submission"):
        try:
            run(GenerateFeedback, folder, path.name, path.parent.name)
        except DataError as error:
            failed.append(f"{shown(path.parent.name)} {path.name}: {_first(error)}")
    if failed:
        raise DataError(f"{len(failed)} could not be written:\n" + "\n".join(failed))
    return folder / "feedback"
