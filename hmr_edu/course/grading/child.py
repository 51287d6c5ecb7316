"""The process of one graded cell: it has the learner's cells, and answers questions about them.

It knows no check and no answer, and has no channel but its two pipes. A message on them is its
length in four bytes, the sixteen bytes that mark a question and its answer, and an encoded value;
an answer has a letter in front of the value.
"""

from __future__ import annotations

import fcntl
import linecache
import os
import struct
from collections.abc import Mapping, Sequence
from functools import partial
from typing import Any

import torch

from hmr_edu.course.grading import isolation
from hmr_edu.course.grading.guard import watched
from hmr_edu.course.grading.slices import needed
from hmr_edu.course.learner import LONGEST, Here, Mismatch, Raised
from hmr_edu.course.wire import LARGEST, decode, encode

MARK = 16  # bytes
ANSWER, TROUBLE = b"A", b"T"
REFUSED = "Mismatch"
CELLS = "<your cells>"
READING, WRITING = 3, 4  # the two pipes


def run(reading: int, writing: int, limits: Mapping[str, Any]) -> None:
    """Become the process of a graded cell; does not return."""
    try:
        _only_two_channels(reading, writing)
        isolation.limit(limits["seconds"], limits["gigabytes"])
        isolation.hide_memory()
        folders = isolation.python_folders() if limits["hide"] else None
        isolation.give_up(folders)
        _answer_questions()
    finally:
        os._exit(0)


def _only_two_channels(reading: int, writing: int) -> None:
    """Close all but the pipes; input is empty, and what is printed goes nowhere."""
    reading, writing = (fcntl.fcntl(pipe, fcntl.F_DUPFD, 10) for pipe in (reading, writing))
    os.dup2(reading, READING)
    os.dup2(writing, WRITING)
    os.closerange(WRITING + 1, 2**16)
    nowhere = os.open(os.devnull, os.O_RDWR)
    for stream in (0, 1, 2):
        os.dup2(nowhere, stream)
    os.close(nowhere)


def _answer_questions() -> None:
    mark, order = receive(READING)
    try:
        learner = _defined(order["cells"], order["function"], order["uses"])
        send(WRITING, mark + ANSWER, encode(None))
    except BaseException as error:  # SystemExit too: it is the submission that raised it
        send(WRITING, mark + TROUBLE, encode(_told(error)))
        return
    while True:
        mark, question = receive(READING)
        source, name, arguments, through = question
        try:
            answer = learner.ask(source, name, arguments.encode(), through)
            send(WRITING, mark + ANSWER, answer)
        except BaseException as error:
            send(WRITING, mark + TROUBLE, encode(_told(error)))


def _defined(cells: Sequence[str], function: str, uses: Sequence[str]) -> Here:
    source = needed(cells, function)
    linecache.cache[CELLS] = (len(source), None, source.splitlines(keepends=True), CELLS)
    names: dict[str, Any] = {"__name__": "__main__"}
    code = compile(source, CELLS, "exec", dont_inherit=True)
    with watched(defining=True):
        exec(code, names)
    torch.set_default_dtype(torch.float32)
    return Here(names[function], partial(watched, tuple(uses)))


def _told(error: BaseException) -> list[str]:
    """Return what the other side is told of an exception: the kind, and what it says."""
    if isinstance(error, Mismatch):
        told = [REFUSED, error.what, error.hint]
    elif isinstance(error, Raised):
        told = [error.kind, error.message, error.where]
    else:
        told = [type(error).__name__, str(error), ""]
    return [text[:LONGEST] for text in told]


def send(pipe: int, mark: bytes, value: bytes) -> None:
    """Write a message."""
    message = struct.pack("<I", len(mark) + len(value)) + mark + value
    while message:
        message = message[os.write(pipe, message) :]


def receive(pipe: int) -> tuple[bytes, Any]:
    """Read a message: its mark and its value. Ends the process when there are no more."""
    (length,) = struct.unpack("<I", _read(pipe, 4))
    message = _read(pipe, min(length, 2 * LARGEST))
    return message[:MARK], decode(message[MARK:])


def _read(pipe: int, length: int) -> bytes:
    parts = b""
    while len(parts) < length:
        part = os.read(pipe, length - len(parts))
        if not part:
            os._exit(0)
        parts += part
    return parts
