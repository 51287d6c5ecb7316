"""An exercise without its solution: what a learner gets, in the docs and in the released copy."""

from __future__ import annotations

import ast
import re

SOLUTION = re.compile(r"^( *)### BEGIN SOLUTION.*?### END SOLUTION$", re.DOTALL | re.MULTILINE)
STUB = 'raise NotImplementedError("write me")'  # what stands in a released copy
CHECK_LINE = re.compile(r"\s*^(check_\w+)\((\w+)\)\s*\Z", re.MULTILINE)


def has_solution(source: str) -> bool:
    """Whether a cell's source has a marked solution."""
    return SOLUTION.search(source) is not None


def open_exercise(source: str, stub: str = "...  # your code") -> str:
    """Put a stub where the solution is marked, indented like it; the rest stays."""
    return SOLUTION.sub(lambda found: found[1] + stub, source)


def without_check(source: str) -> tuple[str, str, str]:
    """Take the last line `check_x(function)` off: what is left, `check_x` and `function`.

    Raises ValueError when the source does not end with such a line.
    """
    found = CHECK_LINE.search(source)
    if found is None:
        raise ValueError(f"an exercise must end with check_...(function):\n{source}")
    return source[: found.start()], found[1], found[2]


def is_open(function: ast.FunctionDef | ast.AsyncFunctionDef) -> bool:
    """Whether a function is a released stub that nobody has filled in."""
    for statement in function.body:
        if isinstance(statement, ast.Return):
            return False
        if ast.unparse(statement) == ast.unparse(ast.parse(STUB)):
            return True
    return False
