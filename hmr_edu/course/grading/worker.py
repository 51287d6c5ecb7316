"""The process that runs submissions: it waits for requests and forks a child for each.

`python -m hmr_edu.course.grading.worker`: a request is a line of JSON on standard input, the
answer a line of JSON on standard output. The child has limits of memory, time and file size,
its output goes nowhere, and it answers through a pipe. What it started or wrote ends with it:
the next student finds nothing of it. sandbox.py starts this process and ends it when it is late.
"""

from __future__ import annotations

import ctypes
import json
import os
import shutil
import signal
import struct
import sys
from contextlib import suppress
from pathlib import Path
from typing import Any

LARGEST_ANSWER = 64 * 1024  # bytes
READ_ONLY = "--read-only"
ALONE = "--alone"  # in a process table of its own, with SCRATCH to itself
SCRATCH = "/dev/shm"  # a little memory for what wants to write
PROCESSES = 64  # of a submission; root knows no such limit
# Of Linux: `prctl`'s "orphans below me become mine, to wait for".
SUBREAPER = 36
# Of Linux: the call `mount_setattr`, "here", "and all below", "may not be written".
MOUNT_SETATTR, AT_FDCWD, AT_RECURSIVE, MOUNT_ATTR_RDONLY = 442, -100, 0x8000, 1


def read_only() -> None:
    """In a mount namespace of our own: no file can be changed any more. Raises OSError."""
    libc = ctypes.CDLL(None, use_errno=True)
    attributes = struct.pack("QQQQ", MOUNT_ATTR_RDONLY, 0, 0, 0)
    failed = libc.syscall(MOUNT_SETATTR, AT_FDCWD, b"/", AT_RECURSIVE, attributes, len(attributes))
    failed = failed or libc.mount(b"tmpfs", SCRATCH.encode(), b"tmpfs", 0, b"size=64m")
    if failed:
        raise OSError(ctypes.get_errno(), "the file system cannot be made read-only")


def serve(alone: bool) -> None:
    """Answer requests until standard input ends."""
    if alone:
        if os.getpid() > 2:  # 1, or 2 below bubblewrap
            raise RuntimeError("this process table is not ours: its processes would be ended")
        ctypes.CDLL(None).prctl(SUBREAPER, 1, 0, 0, 0)
    import torch

    # Once, before the forks: the children need not load them.
    from hmr_edu.course.exercises.registry import exercises
    from hmr_edu.course.grading import grade as grading

    torch.set_num_threads(1)
    _warm_up(torch)
    list(exercises())
    answers = os.fdopen(os.dup(1), "w")
    answers.write("ready\n")
    answers.flush()
    for line in sys.stdin:
        answers.write(json.dumps(_in_child(json.loads(line), grading, alone)) + "\n")
        answers.flush()


def _warm_up(torch: Any) -> None:
    """Let PyTorch import what it imports when first used, before the forks."""
    weights = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.Adam([weights])
    torch.optim.lr_scheduler.LambdaLR(optimizer, lambda step: 1.0)
    repr(weights)
    torch.vmap(torch.sin)(weights)
    torch.func.jacrev(torch.sin)(weights)


def _in_child(request: dict[str, Any], grading: Any, alone: bool) -> dict[str, Any]:
    reading, writing = os.pipe()
    child = os.fork()
    if child == 0:
        os.close(reading)
        _answer(request, grading, alone, writing)
    os.close(writing)
    answer = b""
    with os.fdopen(reading, "rb") as pipe:
        answer = pipe.read(LARGEST_ANSWER)
    _, status = os.waitpid(child, 0)
    _leave_nothing(child, alone)
    try:
        text, score = json.loads(answer)
        return {"text": str(text), "score": min(max(float(score), 0.0), 1.0)}
    except (ValueError, TypeError):
        return {"text": _ended(request, status), "score": 0.0}


def _leave_nothing(child: int, alone: bool) -> None:
    """End what the child started and take away what it wrote, as far as this can be done."""
    with suppress(ProcessLookupError):
        if alone:
            os.kill(-1, signal.SIGKILL)  # everything but this process
        else:
            os.killpg(child, signal.SIGKILL)
    with suppress(ChildProcessError):
        while True:
            os.wait()
    for left in Path(SCRATCH).iterdir() if alone else ():
        if left.is_dir() and not left.is_symlink():
            shutil.rmtree(left, ignore_errors=True)
        else:
            left.unlink()


def _ended(request: dict[str, Any], status: int) -> str:
    name, number = request["function"], os.waitstatus_to_exitcode(status)
    if number == -signal.SIGXCPU:
        return f"{name}: stopped after {request['seconds']} seconds: a loop without an end?"
    why = f"signal {signal.Signals(-number).name}" if number < 0 else f"exit code {number}"
    return f"{name}: the process ended without an answer ({why}): too much memory?"


def _answer(request: dict[str, Any], grading: Any, alone: bool, pipe: int) -> None:
    """In the child: grade and answer, whatever happens."""
    try:
        os.setpgid(0, 0)
        _limit(request["seconds"], request["gigabytes"], alone)
        nowhere = os.open(os.devnull, os.O_RDWR)
        for stream in (0, 1, 2):
            os.dup2(nowhere, stream)
        os.closerange(3, pipe)  # not the answers of others
        os.closerange(pipe + 1, pipe + 64)
        answer = grading.judge(
            request["cells"], request["check"], request["function"], request["salt"]
        )
        os.write(pipe, json.dumps(answer).encode()[:LARGEST_ANSWER])
    finally:
        os._exit(0)


def _limit(seconds: int, gigabytes: float, alone: bool) -> None:
    import resource  # not on Windows, where releases are made all the same

    with open("/proc/self/statm") as file:  # noqa: PTH123 - a file of the kernel's
        now = int(file.read().split()[0]) * resource.getpagesize()
    memory = now + int(gigabytes * 2**30)
    resource.setrlimit(resource.RLIMIT_AS, (memory, memory))
    resource.setrlimit(resource.RLIMIT_CPU, (seconds, seconds + 5))
    resource.setrlimit(resource.RLIMIT_FSIZE, (2**20, 2**20))
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    if alone:  # elsewhere the processes of others count too
        resource.setrlimit(resource.RLIMIT_NPROC, (PROCESSES, PROCESSES))


if __name__ == "__main__":
    if READ_ONLY in sys.argv:
        read_only()
    serve(ALONE in sys.argv)
