"""A learner's function, as a check sees it: it is asked questions and gives plain values.

A check never calls the function. It sends a *question*, a small function of its own that works
where the learner's function is: in this process in a notebook, in another one while it is graded.
A question knows what is asked and not what is right; what it is given and what it returns are
plain values (wire.py). So the learner's function never meets the check, nor what it compares with.
"""

from __future__ import annotations

import ast
import inspect
import linecache
import re
import textwrap
import traceback
from collections.abc import Callable
from contextlib import AbstractContextManager, nullcontext
from functools import cache
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import torch
from torch import Tensor, nn

from hmr_edu.course.wire import decode, encode

F = TypeVar("F", bound=Callable[..., Any])
ASKED = "<question>"  # the file name of a question's code
LONGEST = 300  # characters of a learner's exception that are told
PACKAGE = Path(__file__).parents[1].as_posix()
LIBRARY = re.compile(rf"/site-packages/|^{re.escape(PACKAGE)}/|/lib/python3|^<frozen|^{ASKED}")
_QUESTIONS: dict[str, list[Callable[..., Any]]] = {}


def question(function: F) -> F:
    """Mark a function (or a class) of a check that works where the learner's function is.

    The marked definitions of a file travel together, as source. They may use each other, `torch`,
    `nn` and `Tensor`, and what they import inside; nothing else of their file.
    """
    _QUESTIONS.setdefault(function.__module__, []).append(function)
    return function


@cache
def source_of(module: str) -> str:
    """Return the source of a module's questions, without their marks."""
    definitions = []
    for marked in _QUESTIONS.get(module, ()):
        tree = ast.parse(textwrap.dedent(inspect.getsource(marked)))
        for node in tree.body:
            if isinstance(node, ast.FunctionDef | ast.ClassDef):
                node.decorator_list = []
                # Annotations are the file's own affair: their names do not travel.
                definitions.append(ast.unparse(_without_annotations(node)))
    return "\n\n".join(definitions)


def _without_annotations(node: ast.AST) -> ast.AST:
    for inner in ast.walk(node):
        if isinstance(inner, ast.FunctionDef):
            inner.returns = None
            arguments = inner.args
            for argument in [*arguments.posonlyargs, *arguments.args, *arguments.kwonlyargs]:
                argument.annotation = None
            for argument in (arguments.vararg, arguments.kwarg):
                if argument is not None:
                    argument.annotation = None
    return node


@cache
def compiled(source: str) -> dict[str, Any]:
    """Return the questions of a source by name."""
    linecache.cache[ASKED] = (len(source), None, source.splitlines(keepends=True), ASKED)
    names: dict[str, Any] = {"torch": torch, "nn": nn, "Tensor": Tensor, "__name__": ASKED}
    exec(compile(source, ASKED, "exec"), names)
    return names


class Raised(Exception):  # noqa: N818 - it tells of an error
    """The learner's function raised: the kind of exception, its message, the learner's line."""

    def __init__(self, kind: str, message: str, where: str = "") -> None:
        super().__init__(message)
        self.kind, self.message, self.where = kind, message, where


class Mismatch(Exception):  # noqa: N818 - an outcome, not a fault
    """A part that failed: what is wrong, and perhaps how to mend it."""

    def __init__(self, what: str, hint: str = "") -> None:
        super().__init__(what)
        self.what, self.hint = what, hint


@runtime_checkable
class Learner(Protocol):
    """Who answers a check's questions."""

    def ask(self, source: str, name: str, arguments: bytes, through: str) -> bytes:
        """Return the answer to the question `name` of `source`, both sides encoded.

        `through` names a question that wraps the function, or is empty.
        Raises Raised when the learner's function raises, Mismatch when it does what is refused.
        """
        ...


class Here:
    """A learner's function in this process, perhaps watched while it runs."""

    def __init__(
        self,
        function: Callable[..., Any],
        watch: Callable[[], AbstractContextManager[None]] = nullcontext,
    ) -> None:
        self.function, self.watch = function, watch

    def ask(self, source: str, name: str, arguments: bytes, through: str) -> bytes:
        """Answer, see `Learner`."""
        names, given = compiled(source), decode(arguments)
        function = theirs(self.function)
        function = names[through](function) if through else function
        try:
            with self.watch():
                return encode(names[name](function, *given))
        except Mismatch:
            raise
        except Exception as error:
            kind, message = type(error).__name__, str(error)[:LONGEST]
            raise Raised(kind, message, _where(error)) from error


def theirs(function: Callable[..., Any]) -> Callable[..., Any]:
    """Return the function behind a frame that says: what is called from here is the learner's."""

    def answer(*arguments: Any, **options: Any) -> Any:
        return function(*arguments, **options)

    return answer


def _where(error: BaseException) -> str:
    """Return the learner's own line that was running last; never one of a library."""
    for frame in reversed(traceback.extract_tb(error.__traceback__)):
        if frame.line and not LIBRARY.search(frame.filename.replace("\\", "/")):
            return f"line {frame.lineno}: {frame.line}"
    return ""
