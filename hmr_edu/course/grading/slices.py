"""What a function of a notebook needs: its own statements and those that they depend on.

Grading runs these and nothing else. A lesson's training runs and figures cost no time then, and
a cell that never ends harms only the functions that depend on it.
"""

from __future__ import annotations

import ast
import builtins
from bisect import bisect_right
from collections.abc import Iterator, Sequence
from contextlib import suppress
from dataclasses import replace
from itertools import accumulate

from hmr_edu.course.grading.effects import aliases, effects
from hmr_edu.course.grading.plain import STANDS_IN, plain
from hmr_edu.course.grading.statements import Statement, called, statements

FUTURE = "from __future__ import annotations"  # of all that Python knows, what may still matter
BUILT_IN = set(dir(builtins))
EVERYTHING = "*"  # what a star import sets


def needed(cells: Sequence[str], name: str) -> str:
    """Return the source that defines `name` and all it depends on.

    The last definition in the notebook counts. What it depends on is taken as it is where the
    function is graded, by a cell that calls `grade(check, name, ...)`, or else at the end of its
    own cell; what is not there yet, from further down. An exercise that is still open does not
    count where it is written in another cell.

    Cells that are no Python are left out. Raises NameError when nothing defines the name, saying
    which cell could not be read if that is why.
    """
    taken, broken = [list[Statement]()], ""
    for cell in cells:
        try:
            taken.append(statements(cell))
        except (SyntaxError, ValueError, RecursionError) as error:
            taken.append([])
            broken = _why(cell, name, error) or broken
    found = [statement for cell in taken for statement in cell]
    notebook = _Notebook(_without_open(found))
    ends = list(accumulate(len(cell) for cell in taken))
    defined = [number for number, s in enumerate(found) if notebook.gives(number, name)]
    if not defined:
        raise NameError(broken or _no_such(cells, name))
    graded = [number for number, s in enumerate(found) if _grades(s.node, name)]
    here = ends[bisect_right(ends, defined[-1])]
    chosen = notebook.chosen(name, max([here, *graded]))
    first = [number for number in chosen if number in notebook.first]
    order = [*sorted(first), *sorted(set(chosen) - set(first))]
    texts = [found[number].text for number in order]
    read = {name for number in chosen for name in found[number].now | found[number].later}
    known = {name for number in chosen for name in found[number].sets}
    texts = [STANDS_IN[name] for name in STANDS_IN if name in read - known] + texts
    return "\n".join([FUTURE] * _in_future(found) + texts) + "\n"


class _Notebook:
    """All statements of a notebook, and which of them made a name what it is."""

    def __init__(self, found: Sequence[Statement]) -> None:
        self.found, self.others = found, aliases(found)
        self.effects = effects(found)
        self.touches = [s.touches | more for s, more in zip(found, self.effects, strict=True)]
        self.first = set[int]()  # imports from further down, which have to be run first

    def gives(self, number: int, name: str) -> bool:
        """Whether a statement sets a name, or calls what sets it."""
        return name in self.found[number].sets or name in self.effects[number]

    def chosen(self, name: str, here: int) -> set[int]:
        """Return the numbers of the statements that a function needs, graded at `here`."""
        end, chosen = len(self.found), set[int]()
        # Nobody knows what a star import sets: all of them stay.
        asked, open_questions = set[tuple[str, int]](), [(name, end), (EVERYTHING, end)]
        while open_questions:
            question = open_questions.pop()
            if question in asked:
                continue
            asked.add(question)
            for number in self._setters(*question):
                chosen.add(number)
                statement = self.found[number]
                open_questions += [(read, number) for read in statement.now]
                open_questions += [(read, here) for read in statement.later]
        return chosen

    def _setters(self, name: str, before: int) -> list[int]:
        """Return the statements that made the name what it is before this one."""
        numbers = list(self._made(name, before))
        if not numbers and before < len(self.found) and name not in BUILT_IN:
            numbers = list(self._made(name, len(self.found)))
            self.first |= {number for number in numbers if self.found[number].is_import}
        return numbers

    def _made(self, name: str, before: int) -> Iterator[int]:
        others = self.others.get(name, frozenset[str]()) - {name}
        touching = list[int]()
        for number in reversed(range(before)):
            statement = self.found[number]
            if name in statement.sets:
                yield number
                if statement.is_fixed:
                    touching = []
                if statement.replaces:
                    break
            elif name in self.touches[number] or others & self._changed(number):
                touching.append(number)
        yield from touching

    def _changed(self, number: int) -> frozenset[str]:
        statement = self.found[number]
        sets = frozenset[str]() if statement.replaces else statement.sets
        return self.touches[number] | sets


def _without_open(found: Sequence[Statement]) -> list[Statement]:
    """Let exercises that are open set nothing where the same function is written elsewhere."""
    written = {
        name for s in found if not (s.is_open or s.is_import) and s.replaces for name in s.sets
    }
    return [replace(s, sets=frozenset()) if s.is_open and s.sets <= written else s for s in found]


def _grades(node: ast.stmt, name: str) -> bool:
    """Whether a statement is a graded cell's `grade(check, name, ...)`."""
    call = node.value if isinstance(node, ast.Expr) else None
    if not isinstance(call, ast.Call) or called(call) != "grade" or len(call.args) < 2:
        return False
    return getattr(call.args[1], "id", "") == name


def _in_future(found: Sequence[Statement]) -> bool:
    nodes = [s.node for s in found if isinstance(s.node, ast.ImportFrom)]
    return any(n.module == "__future__" and n.names[0].name == "annotations" for n in nodes)


def _why(cell: str, name: str, error: Exception) -> str:
    if f"def {name}" not in cell:
        return ""
    line = getattr(error, "lineno", None)
    return f"its cell is not Python: {error.args[0]}" + f" (line {line})" * bool(line)


def _no_such(cells: Sequence[str], name: str) -> str:
    """Say why there is no such function: a statement that does not run, or nothing at all."""
    for cell in cells:
        with suppress(SyntaxError, ValueError, RecursionError):
            for node in ast.parse(plain(cell)).body:
                if getattr(node, "name", "") == name:
                    try:
                        compile(ast.Module([node], []), "cell", "exec", dont_inherit=True)
                    except SyntaxError as error:
                        return _why(cell, name, error)
    return f"no function named {name}"
