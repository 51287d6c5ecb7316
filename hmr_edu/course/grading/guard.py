"""Watching a learner's function while it runs: the work has to be its own.

Calls of the package, of its peers, and of what could tamper with the grading are refused, however
the function came by them. The watch is Python's profiling hook; it sees every call.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch

import hmr_edu
from hmr_edu.course.check import Mismatch
from hmr_edu.course.exercises.registry import CHECK

PACKAGE = Path(hmr_edu.__file__).parent
EXERCISES = "course/exercises/"
PEERS = ("roma", "smplx", "pytorch3d", "kornia", "theseus", "scipy/spatial/transform")
# Functions in C, by name or by module, that no exercise needs.
RANKS = {"linalg_matrix_exp": "torch.linalg.matrix_exp", "matrix_exp": "torch.matrix_exp"}
TOOLS = {"open", "setprofile", "settrace", "_getframe", "_current_frames", "exec", "eval"}
MODULES = {"posix", "nt", "gc", "_ctypes", "_socket", "_posixsubprocess"}
# Python's own library, and where PyTorch is installed.
LIBRARIES = tuple(
    f"{folder.as_posix()}/"
    for folder in (Path(os.__file__).parent, Path(torch.__file__).parents[1])
)
# Functions of theirs that use a tool and hand out neither it nor what it gives: they make a class
# from names that they have checked, or ask for their caller's name.
TRUSTED = {
    ("collections/__init__.py", "namedtuple"),
    ("dataclasses.py", "_create_fn"),
    ("dataclasses.py", "add_fns_to_class"),  # from Python 3.13
    ("enum.py", "_create_"),
    ("typing.py", "_caller"),
    ("typing_extensions.py", "_caller"),
    ("typing_extensions.py", "_has_generic_or_protocol_as_origin"),
    ("torch/library.py", "__init__"),
}
HINT = "write it with PyTorch's own operations"


def guarded(function: Callable[..., Any], uses: Collection[str] = ()) -> Callable[..., Any]:
    """Return the function, watched; `uses`: files of the package that it may call.

    A refused call raises Mismatch, at the latest when the function returns.
    """

    def call(*arguments: Any, **options: Any) -> Any:
        with watched(uses):
            return function(*arguments, **options)

    return call


@contextmanager
def watched(uses: Collection[str] = ()) -> Generator[None]:
    """Refuse, inside, what `guarded` refuses."""
    verdicts: dict[CodeType, str] = {}
    refused: list[str] = []

    def hook(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            code = frame.f_code
            if code not in verdicts:
                verdicts[code] = _python_call(code, uses)
            what = verdicts[code]
        elif event == "c_call":
            what = "" if frame.f_code is own else _c_call(frame, argument)
        else:
            return
        if what:
            refused.append(what)
            raise Mismatch(f"it calls {what}", HINT)

    own = sys._getframe().f_code
    sys.setprofile(hook)
    try:
        yield
    finally:
        sys.setprofile(None)
        if refused:  # even if the function caught the exception
            raise Mismatch(f"it calls {refused[0]}", HINT)


def _python_call(code: CodeType, uses: Collection[str]) -> str:
    path = Path(code.co_filename)
    if path.is_relative_to(PACKAGE):
        inside = path.relative_to(PACKAGE).as_posix()
        if inside in uses or _handed_over(inside, code) or path == Path(__file__):
            return ""
        module = inside.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return f"hmr_edu.{module}.{code.co_qualname}"
    for peer in PEERS:
        if f"/{peer}/" in path.as_posix():
            return f"{peer.replace('/', '.')}.{code.co_qualname}"
    return ""


def _handed_over(inside: str, code: CodeType) -> bool:
    """Whether a check hands this function to the learner's: a method, or defined in the check.

    The wrong answers in the same files, some of which are nearly right, are neither.
    """
    if not inside.startswith(EXERCISES):
        return False
    outer, dot, _ = code.co_qualname.partition(".")
    return bool(dot) and (outer.startswith(CHECK) or "<locals>" not in code.co_qualname)


def _c_call(frame: FrameType, function: Any) -> str:
    name = getattr(function, "__name__", "")
    if name in RANKS:
        return RANKS[name]
    module = getattr(function, "__module__", None) or ""
    if name == "compile" and module == "builtins" and not _in_library(frame.f_code):
        return "builtins.compile"  # it gives code any file name, a library's too
    if module in MODULES or (name in TOOLS and module in ("io", "_io", "sys", "builtins")):
        return "" if _of_a_library(frame) else f"{module}.{name}"
    return ""


def _of_a_library(frame: FrameType | None) -> bool:
    """Whether a library uses a tool for itself: in `TRUSTED`, or while one of its files is loaded.

    `print(tensor)` loads some, the first time. What the learner makes a library do does not count:
    between the tool and the learner's function is no file that is being loaded.
    """
    if frame is not None and frame.f_code.co_filename.startswith("<frozen importlib"):
        return True
    if frame is not None and (_in_library(frame.f_code), frame.f_code.co_name) in TRUSTED:
        return True
    while frame is not None and (file := _in_library(frame.f_code)):
        if frame.f_code.co_name == "<module>" and not file.startswith("<frozen"):
            return True
        frame = frame.f_back
    return False


def _in_library(code: CodeType) -> str:
    """Return the file in the library that the code is of, or nothing."""
    path = Path(code.co_filename).as_posix()
    if path.startswith("<frozen "):
        return path
    if path.startswith(f"{PACKAGE.as_posix()}/"):
        return ""
    inside = [path.removeprefix(folder) for folder in LIBRARIES if path.startswith(folder)]
    return min(inside, key=len, default="")
