"""A call in a process of its own: what it says, how it ends, what it takes."""

from __future__ import annotations

import os
import re
import resource
import signal
import sys
import tempfile
import time
import traceback
import warnings
from collections.abc import Callable
from dataclasses import dataclass

# What a refusal may cost: seconds of processor, and MiB more than the process had before.
SECONDS, MEMORY = 20, 700
ADDRESSES = 12 * 2**30  # no machine is brought down


@dataclass
class Outcome:
    """What a call did in a process of its own."""

    code: int | None
    said: str
    seconds: float
    grown: float
    ended: str = "in time"

    def fault(self, names: str = "", code: int = 2) -> str:
        """Say in a word what is wrong with it; "" where one clear line was given."""
        lines = self.said.strip().splitlines()
        if self.ended != "in time":
            return self.ended
        if "Traceback (most recent" in self.said:
            return f"traceback: {lines[-1][:150]}"
        if self.code != code:
            return f"status {self.code}: {self.said[-200:]!r}"
        if self.grown > MEMORY:
            return f"memory: {self.grown:.0f} MiB"
        if code and (len(lines) != 1 or len(lines[0]) > 600):
            return f"{len(lines)} lines, {len(self.said)} characters: {self.said[:200]!r}"
        if code and names not in self.said:
            return f"does not name {names!r}: {self.said[:200]!r}"
        return ""


def attempt(call: Callable[[], int], seconds: int = SECONDS) -> Outcome:
    """Call in a forked process with one thread: what it says, how it ends, what it takes."""
    import torch

    sys.stdout.flush()
    sys.stderr.flush()
    with tempfile.TemporaryFile() as errors:
        began = time.monotonic()
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # forks of processes with threads
            child = os.fork()
        if child == 0:
            code = 99
            try:
                null = os.open(os.devnull, os.O_RDWR)
                os.dup2(null, 0)
                os.dup2(null, 1)
                os.dup2(errors.fileno(), 2)
                sys.stdout, sys.stderr = open(1, "w", closefd=False), open(2, "w", closefd=False)  # noqa: SIM115
                sys.__stderr__ = sys.stderr
                torch.set_num_threads(1)
                resource.setrlimit(resource.RLIMIT_CPU, (seconds + 5, seconds + 5))
                resource.setrlimit(resource.RLIMIT_AS, (ADDRESSES, ADDRESSES))
                before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                try:
                    code = call()
                except SystemExit as exit:
                    code = exit.code if isinstance(exit.code, int) else 1
                except BaseException:
                    traceback.print_exc(file=sys.stderr)
                    code = 98
                sys.stderr.flush()
                after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
                os.write(2, f"\n@{(after - before) / 1024}".encode())
            finally:
                os._exit(code)
        ended = "in time"
        while True:
            pid, status = os.waitpid(child, os.WNOHANG)
            if pid:
                break
            if time.monotonic() - began > 3 * seconds:
                os.kill(child, signal.SIGKILL)
                os.waitpid(child, 0)
                ended, status = f"no end in {3 * seconds} s", 0
                break
            time.sleep(0.005)
        took = time.monotonic() - began
        errors.seek(0)
        said, *grown = re.split(r"\n@(-?[\d.]+)", errors.read().decode(errors="replace"))
    if ended == "in time" and os.WIFSIGNALED(status):
        ended = f"killed by signal {os.WTERMSIG(status)}"
    code = os.waitstatus_to_exitcode(status) if ended == "in time" else None
    return Outcome(code, _without_bars(said), took, float(grown[0]) if grown else 0.0, ended)


def _without_bars(said: str) -> str:
    """Leave out progress bars, which overwrite themselves."""
    lines = [line.rpartition("\r")[2] for line in said.split("\n")]
    return "\n".join(line for line in lines if line.strip() and not re.search(r"\d%\|", line))
