"""Watching a learner's function while it runs: the work has to be its own.

Calls of the package, of its peers, and of what could tamper with the grading are refused, however
the function came by them. The watch is Python's profiling hook; it sees every call.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import CodeType, FrameType
from typing import Any

import hmr_edu
from hmr_edu.course.check import Mismatch

PACKAGE = Path(hmr_edu.__file__).parent
CHECKS = "course/checks/"
PEERS = ("roma", "smplx", "pytorch3d", "kornia", "theseus", "scipy/spatial/transform")
# Functions in C, by name or by module, that no exercise needs.
RANKS = {"linalg_matrix_exp": "torch.linalg.matrix_exp", "matrix_exp": "torch.matrix_exp"}
TOOLS = {"open", "setprofile", "settrace", "_getframe", "_current_frames", "exec", "eval"}
MODULES = {"posix", "nt", "gc", "_ctypes", "_socket", "_posixsubprocess"}
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
def watched(uses: Collection[str] = ()) -> Iterator[None]:
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
        # What a check hands over is a method or was defined inside a function.
        handed = inside.startswith(CHECKS) and "." in code.co_qualname
        if inside in uses or handed or path == Path(__file__):
            return ""
        module = inside.removesuffix(".py").removesuffix("/__init__").replace("/", ".")
        return f"hmr_edu.{module}.{code.co_qualname}"
    for peer in PEERS:
        if f"/{peer}/" in path.as_posix():
            return f"{peer.replace('/', '.')}.{code.co_qualname}"
    return ""


def _c_call(frame: FrameType, function: Any) -> str:
    if frame.f_code.co_filename.startswith("<frozen importlib"):
        return ""
    name = getattr(function, "__name__", "")
    if name in RANKS:
        return RANKS[name]
    module = getattr(function, "__module__", None) or ""
    if module in MODULES or (name in TOOLS and module in ("io", "_io", "sys", "builtins")):
        return f"{module}.{name}"
    return ""
