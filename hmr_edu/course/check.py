"""What a check says of a learner's function: named parts, the largest difference, a fitting hint.

A check never raises: a learner runs a notebook to its end with half the exercises open. It never
prints more digits than another machine would agree with, so that a lesson's outputs can be
compared.
"""

from __future__ import annotations

from collections.abc import Callable, Generator, Mapping, Sequence
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass, field
from types import FunctionType
from typing import Any

import torch
from torch import Tensor

from hmr_edu.course.differences import shape_hint, told_apart, words
from hmr_edu.course.learner import Here, Learner, Mismatch, Raised, source_of
from hmr_edu.course.questions import called
from hmr_edu.course.wire import decode, encode

# What a check is given: a function, or who answers for one that is somewhere else.
Asked = Callable[..., Any] | Learner
BROADCAST = "must match the size of tensor"
# The rule of all exercises, which their cards say: who changes an argument keeps this share.
KEEPS = 3 / 4
LEFT_ALONE = "it leaves its arguments alone"
_SALT: ContextVar[int] = ContextVar("salt", default=0)


def inputs(seed: int) -> torch.Generator:
    """Return the generator of a check's random inputs: the same each time, unless salted."""
    return torch.Generator().manual_seed(seed + _SALT.get())


@contextmanager
def salted(salt: int) -> Generator[None]:
    """Give the checks that run inside other random inputs."""
    token = _SALT.set(salt)
    try:
        yield
    finally:
        _SALT.reset(token)


@dataclass(frozen=True)
class Part:
    """One named question that a check asked, and its outcome."""

    name: str
    passed: bool
    detail: str = ""
    hint: str = ""
    where: str = ""  # the learner's own line that raised

    def __str__(self) -> str:
        lines = [f": {self.detail}" if self.detail else ""]
        lines += [f"       at {self.where}"] * bool(self.where)
        lines += [f"       hint: {self.hint}"] * bool(self.hint)
        return "\n".join(lines)


@dataclass(frozen=True)
class Report:
    """A check's answer; a notebook shows it as text."""

    name: str
    parts: tuple[Part, ...]
    changed: Part | None = None  # what is told of an argument that was changed

    @property
    def passed(self) -> bool:
        """True when every part did, and no argument was changed."""
        return self.changed is None and all(part.passed for part in self.parts)

    @property
    def score(self) -> float:
        """Share of the parts that passed, in [0, 1]; less where an argument was changed."""
        share = sum(part.passed for part in self.parts) / len(self.parts)
        return share if self.changed is None else share * KEEPS

    def __repr__(self) -> str:
        good = sum(part.passed for part in self.parts)
        praise = ", well done" * self.passed + ", less a quarter" * (self.changed is not None)
        lines = [f"{self.name}: {good} of {len(self.parts)}{praise}"]
        told = {str(part) for part in self.parts}
        if not good and len(told) == 1 and len(self.parts) > 1:
            return f"{lines[0]}\n  FAIL every part{told.pop()}"
        shown = self.parts if self.changed is None else (*self.parts, self.changed)
        lines += [f"  {'ok  ' if p.passed else 'FAIL'} {p.name}{p}" for p in shown]
        return "\n".join(lines)


@dataclass
class Check:
    """Collects the parts of one check.

    An example::

        check = Check("rodrigues", function)
        with check.part("the zero vector turns nothing"):
            compare(check.call(torch.zeros(3)), torch.eye(3), 1e-6)
        return check.report()

    Args:
        name: what the function is called in the exercise.
        function: the learner's function, or a `Learner` that has it somewhere else.
        parts: the parts so far.
        through: a question that wraps the function before it is asked anything.
    """

    name: str
    function: Asked
    parts: list[Part] = field(default_factory=list)
    through: FunctionType | None = None

    def __post_init__(self) -> None:
        there = isinstance(self.function, Learner)
        self.learner: Learner = self.function if there else Here(self.function)
        self._answered = ""
        self._changed: Part | None = None

    @contextmanager
    def part(self, name: str) -> Generator[None]:
        """Ask one question; whatever goes wrong inside is its answer."""
        self._forget()
        try:
            yield
        except Mismatch as mismatch:
            self.parts.append(Part(name, False, mismatch.what, mismatch.hint))
        except Raised as error:
            self.parts.append(_raised(name, error))
        except Exception:
            if not self._answered:  # nothing of the learner's was there to stumble over
                raise
            hint = "the first line of the function says what it is to return"
            self.parts.append(Part(name, False, f"it returned {self._answered}", hint))
        else:
            self.parts.append(Part(name, True))

    def _forget(self) -> None:
        self._answered = ""

    def ask(self, question: FunctionType, *arguments: Any) -> Any:
        """Ask a question about the learner's function; return the answer, plain values.

        The question, marked by `@question`, gets the function first and the arguments after it.
        """
        modules = dict.fromkeys((called.__module__, question.__module__))
        if self.through is not None:
            modules[self.through.__module__] = None
        source = "\n\n".join(source_of(module) for module in modules)
        through = self.through.__name__ if self.through is not None else ""
        answer = decode(self.learner.ask(source, question.__name__, encode(arguments), through))
        self._answered = described(answer)
        return answer

    def call(
        self,
        *arguments: Any,
        by: FunctionType = called,
        shape: Sequence[int] | None = None,
    ) -> Any:
        """Call the learner's function; fails on None, notes a changed argument.

        Args:
            arguments: what it is called with.
            by: the question that calls it: it makes of plain arguments what the function is to get.
            shape: fail unless a tensor of this shape comes back.
        """
        result, changed = self.ask(by, list(arguments))
        self._answered = described(result)
        self.note(changed)
        returned(result)
        return result if shape is None else shaped(result, shape)

    def note(self, changed: int) -> None:
        """Remember the number of an argument that the function changed, -1 for none.

        It costs the same in every exercise (`KEEPS`), however many parts ask for a call.
        """
        if changed >= 0 and self._changed is None:
            what = f"it changed its argument number {changed + 1} in place"
            hint = "clone or detach first; write `x = x + ...`, not `x += ...` or `x[...] = ...`"
            self._changed = Part(LEFT_ALONE, False, what, hint)

    def report(self) -> Report:
        """Return the answer."""
        return Report(self.name, tuple(self.parts), self._changed)


def returned(result: Any) -> Any:
    """Return what the learner's function returned, or fail on None."""
    if result is None:
        raise Mismatch("it returned None", "end the function with `return ...`")
    return result


def _raised(name: str, error: Raised) -> Part:
    if error.kind == "NotImplementedError":
        return Part(name, False, f"still open: {error.message}".removesuffix(": "))
    hint = "print the shapes: x[..., 2] drops an axis, x[..., 2:3] keeps it"
    hint = hint if BROADCAST in error.message else ""
    what = f"your function raised {error.kind}: {error.message}"
    return Part(name, False, what, hint, error.where)


def described(value: Any) -> str:
    """Say in words what a function returned: "a tensor of shape [3, 2]", "a list of 4"."""
    if isinstance(value, Tensor):
        return f"a tensor of shape {list(value.shape)}"
    if isinstance(value, list | tuple | dict):
        return f"a {type(value).__name__} of {len(value)}"
    if value is None or isinstance(value, bool):
        return str(value)
    return f"{'an' if type(value).__name__[0] in 'aeiou' else 'a'} {type(value).__name__}"


def compare(
    got: Any,
    want: Tensor,
    tolerance: float,
    mistakes: Mapping[str, Tensor] | None = None,
) -> None:
    """Fail unless `got` is `want` to `tolerance`, saying by how much and, if known, why.

    `mistakes` maps a hint to the values that the mistake behind it gives; the first that fits is
    told.
    """
    got, want = shaped(got, want.shape).detach(), want.detach()
    if not got.isfinite().all():
        raise Mismatch(
            f"{int((~got.isfinite()).sum())} of {got.numel()} values are NaN or infinite",
            "0 / 0, a root or logarithm of what is too small, or NaN in what came in",
        )
    off = (got.to(want.dtype) - want).abs()
    if not off.numel() or off.max() <= tolerance:
        return
    hint = told_apart(got, want, tolerance, mistakes or {})
    if got.dtype == torch.float32 and want.dtype == torch.float64 and off.max() < 1e-5:
        # Only a check that hands over float64 asks for more than float32 can give.
        hint = "that is float32: stay in the dtype of what comes in" if tolerance < 1e-7 else hint
    raise Mismatch(words(got, want, tolerance), hint)


def shaped(got: Any, shape: Sequence[int]) -> Tensor:
    """Return what the learner's function returned if it is a tensor of this shape, or fail."""
    if not isinstance(got, Tensor):
        hint = "torch.from_numpy(...) makes a tensor of it" * (type(got).__name__ == "ndarray")
        raise Mismatch(f"it returned {described(got)}, a torch.Tensor is wanted", hint)
    if got.is_complex():
        raise Mismatch("it returned complex numbers, real ones are wanted")
    if tuple(got.shape) != tuple(shape):
        what = f"shape {list(got.shape)}, wanted {list(shape)}"
        raise Mismatch(what, shape_hint(got.shape, shape))
    return got


def several(got: Any, names: str, lists: bool = False) -> tuple[Any, ...]:
    """Return what the learner's function returned if it is a tuple of as many values, or fail.

    Args:
        got: what it returned.
        names: what the values are called, as in "encoder, critics".
        lists: take a list, too.
    """
    number = names.count(",") + 1
    if not isinstance(got, (tuple, list) if lists else tuple) or len(got) != number:
        wanted = f"a tuple of {number} is wanted"
        raise Mismatch(f"it returned {described(got)}, {wanted}", f"return {names}: in this order")
    return tuple(got)


def number(got: Any) -> float:
    """Return the number that the learner's function returned, or fail."""
    if isinstance(got, Tensor) and got.shape == () and not got.is_complex():
        return float(got)
    if isinstance(got, bool) or not isinstance(got, int | float):
        raise Mismatch(f"it returned {described(got)}, a number is wanted")
    return float(got)


def require(condition: bool | Tensor, what: str, hint: str = "") -> None:
    """Fail with these words unless the condition holds."""
    if not bool(condition):
        raise Mismatch(what, hint)
