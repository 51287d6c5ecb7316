"""Students' names: as nbgrader writes them down, and as they are.

nbgrader takes names as patterns, strips them, and puts them into addresses. A name that could be
misread goes by another one there, `name~1a2b3c4d`; the course folder's `students.json` knows both.
"""

from __future__ import annotations

import hashlib
import re
import unicodedata
from collections.abc import Mapping
from pathlib import Path
from typing import TypedDict

from hmr_edu.io.jsonfile import read_json, write_json
from hmr_edu.io.schema import check_type

FILE = "students.json"
LONGEST = 60  # bytes
PLAIN = re.compile(r"[^\W_](?:[\w.@' -]*[\w@'-])?")  # no ~: that is how ours are told


def written_as(student: str) -> str:
    """Return the name that nbgrader gets: the student's own wherever that is safe."""
    plain = PLAIN.fullmatch(student) and unicodedata.is_normalized("NFC", student)
    if plain and len(student.encode()) <= LONGEST and ".." not in student:
        return student
    digest = hashlib.sha256(student.encode("utf-8", "surrogateescape")).hexdigest()[:8]
    safe = re.sub(r"[^A-Za-z0-9]+", "-", student).strip("-")[:40]
    return f"{safe or 'student'}~{digest}"


def shown(name: str) -> str:
    """Return a name that can be printed, on one line: the file system's may be any bytes."""
    text = name.encode("utf-8", "surrogateescape").decode("utf-8", "replace")
    return "".join(c if c.isprintable() else ascii(c)[1:-1] for c in text)


def quoted(name: str) -> str:
    """Show a name in quotes where spaces or signs could be overlooked."""
    return shown(name) if re.fullmatch(r"[\w.@-]+", name) else f'"{shown(name)}"'


class Kept(TypedDict, total=False):
    """students.json."""

    students: dict[str, str]
    graded: dict[str, str]


class Register:
    """Which names stand for which, and what was graded from which folder.

    Raises DataError where students.json is damaged.
    """

    def __init__(self, course: Path) -> None:
        self.path = course / FILE
        kept = read_json(self.path, "the course's list of students") if self.path.exists() else {}
        check_type(kept, Kept, str(self.path))
        self.students: dict[str, str] = dict(kept.get("students", {}))
        self.graded: dict[str, str] = dict(kept.get("graded", {}))

    def add(self, student: str) -> str:
        """Write a student down; returns the name that nbgrader gets."""
        name = written_as(student)
        self.students[name] = student
        return name

    def name(self, written: str) -> str:
        """Return the student's own name."""
        return self.students.get(written, written)

    def save(self) -> None:
        """Write the file."""
        kept: Mapping[str, object] = {"students": self.students, "graded": self.graded}
        write_json(self.path, kept)
