"""Watching a learner's function while it runs: the work has to be its own.

Calls of the package, of its peers, and of what could tamper with the grading are refused, however
the function came by them. The watch is Python's profiling hook; it sees every call.
"""

from __future__ import annotations

import inspect
import os
import sys
from collections.abc import Callable, Collection, Generator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import torch

import hmr_edu
from hmr_edu.course import learner
from hmr_edu.course.learner import ASKED, Here, Mismatch

PACKAGE = Path(hmr_edu.__file__).parent
# What calls on behalf of the course: a question, and the file that asks it.
OURS = (ASKED, learner.__file__)
# It stands around functions of the package: what it calls is what counts.
WRAPPER = "io/precision.py"
# The frame behind which the learner's function is.
THEIRS = inspect.unwrap(learner.theirs(print)).__code__
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
    ("traceback.py", "format_stack"),  # of `torch.manual_seed`: it gives text
}
HINT = "write it with PyTorch's own operations"


def guarded(function: Callable[..., Any], uses: Collection[str] = ()) -> Here:
    """Return the function as a check asks it, watched; `uses`: files that it may call."""
    return Here(function, partial(watched, uses))


@contextmanager
def watched(uses: Collection[str] = (), defining: bool = False) -> Generator[None]:
    """Refuse what a learner's code calls inside, unless it is of these files of the package.

    While cells are run that define a function, `defining`, they may call the package, as lessons
    do; not its `course`. A refused call raises Mismatch, at the latest at the end.
    """
    verdicts: dict[CodeType, str] = {}
    refused: list[str] = []

    def hook(frame: FrameType, event: str, argument: Any) -> None:
        if event == "call":
            code = frame.f_code
            if code not in verdicts:
                verdicts[code] = _python_call(code, uses, defining)
            what, caller = verdicts[code], frame.f_back
        elif event == "c_call":
            what, caller = "" if frame.f_code is own else _c_call(frame, argument), frame
        else:
            return
        if what and not _by_the_course(caller, defining):
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


def _python_call(code: CodeType, uses: Collection[str], defining: bool) -> str:
    path = Path(code.co_filename)
    if path.is_relative_to(PACKAGE):
        inside = path.relative_to(PACKAGE).as_posix()
        if inside in uses or inside in (WRAPPER, "course/grading/guard.py"):
            return ""
        if defining and not inside.startswith("course/"):
            return ""
        module = inside.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return f"hmr_edu.{module}.{code.co_qualname}"
    for peer in PEERS:
        if f"/{peer}/" in path.as_posix():
            return f"{peer.replace('/', '.')}.{code.co_qualname}"
    return ""


def _by_the_course(caller: FrameType | None, defining: bool) -> bool:
    """Whether the course's code calls: between it and the call is nothing of the learner's.

    While cells define something, any code of the package counts as the course's.
    """
    package = f"{PACKAGE.as_posix()}/"
    while caller is not None:
        file = caller.f_code.co_filename
        if caller.f_code is THEIRS:
            return False
        if file in OURS or (defining and file.startswith(package)):
            return True
        if not _in_library(caller.f_code) and not file.startswith(package):
            return False
        if caller.f_code.co_name == "<module>" and file.startswith(package):
            return True  # it is being loaded
        caller = caller.f_back
    return False


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
    while frame is not None and (file := _in_library(frame.f_code)):
        if (file, frame.f_code.co_name) in TRUSTED:
            return True
        importing = file.startswith("<frozen importlib")
        if importing or (frame.f_code.co_name == "<module>" and not file.startswith("<frozen")):
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
