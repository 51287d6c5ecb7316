"""Where submissions run: a process for each graded cell, asked from outside.

The check and its answers stay in this process. The cell's process (child.py) gets questions and
gives plain values; this side compares them. A byte that was not asked for ends the cell.

Every such process gives up its rights (isolation.py): no network, no other processes, no change of
a file. bubblewrap around it, where it is installed, and the kernel's Landlock hide files, too.
`Sandbox.kind` says which of them is used.
"""

from __future__ import annotations

import json
import os
import secrets
import select
import shutil
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from hmr_edu.course.check import salted
from hmr_edu.course.exercises.registry import find
from hmr_edu.course.grading import isolation
from hmr_edu.course.grading.child import ANSWER, MARK, REFUSED, TROUBLE
from hmr_edu.course.grading.worker import END, MESSAGE, READY
from hmr_edu.course.learner import LONGEST, Mismatch, Raised
from hmr_edu.course.wire import LARGEST, decode, encode
from hmr_edu.io.errors import DataError

SECONDS, GIGABYTES = 20, 2.0  # of the processor; memory beyond what the process begins with
PATIENCE = 3  # times as long may pass on the clock: the machine may be busy
START_SECONDS = 600  # it imports PyTorch, and the machine may be busy with a class
WORKER = (sys.executable, "-m", "hmr_edu.course.grading.worker")
SCRATCH = "/dev/shm"  # a little memory: PyTorch asks for a temporary folder when it starts
BUBBLEWRAP = (
    *("bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
    *("--size", str(2**26), "--tmpfs", SCRATCH, "--remount-ro", "/dev"),
    *("--unshare-all", "--unshare-user", "--cap-drop", "ALL"),
    *("--die-with-parent", "--new-session", "--as-pid-1"),
)
KINDS = {"bubblewrap": BUBBLEWRAP, "Landlock": (), "plain process": ()}
NOTHING = "no network, no other processes, files cannot be changed"


def says(kind: str) -> str:
    """Say what an isolation keeps out."""
    if kind != "plain process" and isolation.landlock_version():
        return f"{kind}: {NOTHING}, and only those of Python can be read"
    more = "a kernel with Landlock (5.13 or newer) hides them"
    return f"{kind}: {NOTHING}, but your files can be read; {more}"


def works(kind: str) -> bool:
    """Whether this machine has, and allows, an isolation."""
    if not isolation.can_filter():
        return False
    if kind == "Landlock":
        return isolation.landlock_version() > 0
    wrapper = KINDS[kind]
    if wrapper and not shutil.which(wrapper[0]):
        return False
    return not wrapper or subprocess.run([*wrapper, "true"], capture_output=True).returncode == 0


@cache
def best_kind() -> str:
    """Return the strongest isolation that works on this machine. Raises DataError at none."""
    found = next((kind for kind in KINDS if works(kind)), None)
    if found is None:
        raise DataError(
            "grading runs learners' code and needs Linux with seccomp, on x86-64 or ARM64; "
            "grade in a container or on another machine"
        )
    return found


class Ended(BaseException):
    """The process of a cell is no longer there, or is no longer believed: what is told."""


class Sandbox:
    """Judges learners' functions that run elsewhere; starts its worker when first asked."""

    def __init__(self, kind: str | None = None, seconds: int = SECONDS) -> None:
        self.kind, self.seconds = kind or best_kind(), seconds
        self._worker: subprocess.Popen[bytes] | None = None
        self._channel: socket.socket | None = None

    def judge(
        self, cells: Sequence[str], check: str, function: str, salt: int
    ) -> tuple[str, float]:
        """Return what to tell the learner, and the share of parts that passed."""
        exercise = find(check)
        cell = _Cell(self._start(), self.seconds, self.kind != "plain process")
        try:
            cell.define(cells, function, exercise.uses)
            with salted(salt):
                report = exercise.check(cell)
            cell.expect_silence()
            text, score = repr(report), report.score
        except Mismatch as mismatch:
            text, score = f"{function}: {mismatch.what}", 0.0
        except Raised as error:
            text, score = f"{function}: {error.kind}: {error.message}", 0.0
        except Ended as ended:
            text, score = f"{function}: {self._after(cell, str(ended))}", 0.0
        finally:
            if cell.close() is None:  # the worker did not answer: another one for the next
                self.close()
        if not 0 <= score <= 1:
            raise RuntimeError(f"{check} gave {score} of its points")
        return text, score

    def _after(self, cell: _Cell, why: str) -> str:
        """Say why a cell ended: its own signal says more than the silence."""
        number = cell.close()
        if number == -signal.SIGXCPU:
            return f"stopped after {self.seconds} seconds: a loop without an end?"
        if why or number in (None, -signal.SIGKILL):
            return why or "the process ended without an answer: too much memory?"
        how = f"signal {signal.Signals(-number).name}" if number < 0 else f"exit code {number}"
        return f"the process ended without an answer ({how}): too much memory?"

    def close(self) -> None:
        """End the worker and all that it started."""
        if self._channel is not None:
            self._channel.close()
        if self._worker is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._worker.pid, signal.SIGKILL)
            self._worker.wait()
        self._worker = self._channel = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> socket.socket:
        """Return the channel of a worker that is alive."""
        if self._channel is not None and self._worker is not None and self._worker.poll() is None:
            return self._channel
        self.close()
        isolation.hide_memory()
        keep = ("PATH", "LANG", "VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH")
        environment = {name: os.environ[name] for name in keep if name in os.environ}
        environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        if KINDS[self.kind]:
            environment["TMPDIR"] = SCRATCH
        self._channel, theirs = socket.socketpair()
        number = str(theirs.fileno())
        self._worker = subprocess.Popen(
            [*KINDS[self.kind], *WORKER, number],
            stdin=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
            pass_fds=(theirs.fileno(),),
        )
        theirs.close()
        self._channel.settimeout(START_SECONDS)
        try:
            ready = self._channel.recv(MESSAGE)
        except TimeoutError:
            ready = b""
        if ready != READY:
            self.close()
            raise RuntimeError(f"the grading process did not start ({self.kind})")
        return self._channel


class _Cell:
    """The process of one graded cell, as a check sees it: a `Learner`."""

    def __init__(self, channel: socket.socket, seconds: int, hide: bool) -> None:
        self.channel, self.patience = channel, float(PATIENCE * seconds)
        reading, mine = os.pipe()
        self._reading, writing = os.pipe()
        self._writing = mine
        hide = hide and isolation.landlock_version() > 0
        limits: dict[str, Any] = {"seconds": seconds, "gigabytes": GIGABYTES, "hide": hide}
        socket.send_fds(channel, [json.dumps(limits).encode()], [reading, writing])
        os.close(reading)
        os.close(writing)
        os.set_blocking(self._writing, False)
        self._exit: int | None = None
        self._closed = False

    def define(self, cells: Sequence[str], function: str, uses: Sequence[str]) -> None:
        """Run what the function needs of the cells. Raises as `ask` does."""
        order = {"cells": list(cells), "function": function, "uses": list(uses)}
        try:
            encoded = encode(order)
        except ValueError as error:
            raise Mismatch(f"the notebook's code cannot be sent: {error}") from None
        self._exchange(encoded)

    def ask(self, source: str, name: str, arguments: bytes, through: str) -> bytes:
        """Return an answer, see `Learner`. Raises Ended when there is none to be had."""
        return self._exchange(encode([source, name, arguments.decode(), through]))

    def expect_silence(self) -> None:
        """Raise Ended if there is anything to read that nobody asked for."""
        if select.select([self._reading], [], [], 0)[0]:
            raise Ended("it wrote into the channel of its answers, or ended its process")

    def close(self) -> int | None:
        """End the process; return its exit code."""
        if not self._closed:
            self._closed = True
            os.close(self._reading)
            os.close(self._writing)
            with suppress(OSError, ValueError):
                self.channel.sendall(END)
                self._exit = json.loads(self.channel.recv(MESSAGE))["exit"]
        return self._exit

    def _exchange(self, value: bytes) -> bytes:
        self.expect_silence()
        mark = secrets.token_bytes(MARK)
        self._write(struct.pack("<I", MARK + len(value)) + mark + value)
        (length,) = struct.unpack("<I", self._read(4))
        if not MARK < length <= MARK + 1 + LARGEST:
            raise Ended("it wrote into the channel of its answers")
        message = self._read(length)
        kind, answer = message[MARK : MARK + 1], message[MARK + 1 :]
        if message[:MARK] != mark or kind not in (ANSWER, TROUBLE):
            raise Ended("it wrote into the channel of its answers")
        try:
            decoded = decode(answer)
        except ValueError:
            raise Ended("it wrote into the channel of its answers") from None
        if kind == TROUBLE:
            raise _trouble(decoded)
        return answer

    def _write(self, message: bytes) -> None:
        while message:
            self._wait([], [self._writing])
            try:
                message = message[os.write(self._writing, message) :]
            except OSError:
                raise Ended("") from None

    def _read(self, length: int) -> bytes:
        parts = bytearray()
        while len(parts) < length:
            self._wait([self._reading], [])
            part = os.read(self._reading, length - len(parts))
            if not part:
                raise Ended("")
            parts += part
        return bytes(parts)

    def _wait(self, reading: list[int], writing: list[int]) -> None:
        """Wait for one of the pipes, as long as there is patience left for this cell."""
        begun = time.monotonic()
        ready = select.select(reading, writing, [], max(self.patience, 0))
        self.patience -= time.monotonic() - begun
        if not any(ready):
            raise Ended("stopped on the clock: does it wait for something?")


def _trouble(told: Any) -> Exception:
    """Return the exception that the other side tells of."""
    whole = isinstance(told, list) and len(told) == 3 and all(isinstance(t, str) for t in told)
    if not whole:
        raise Ended("it wrote into the channel of its answers")
    kind, message, where = (text[:LONGEST] for text in told)
    return Mismatch(message, where) if kind == REFUSED else Raised(kind, message, where)
