"""Where submissions run: a process without network that sees the files and cannot change them.

bubblewrap is used where it is installed, otherwise Linux namespaces (`unshare`), otherwise a plain
process without these protections; `Sandbox.kind` says which. Time, memory and output are limited
in all three.
"""

from __future__ import annotations

import json
import os
import select
import shutil
import signal
import subprocess
import sys
from collections.abc import Sequence
from contextlib import suppress
from functools import cache
from typing import Any

from hmr_edu.course.grading.worker import ALONE, READ_ONLY, SCRATCH

SECONDS, GIGABYTES = 20, 2.0  # of the processor; memory beyond what the process begins with
PATIENCE = 3  # times as long may pass on the clock: the machine may be busy
START_SECONDS = 600  # it imports PyTorch, and the machine may be busy with a class
WORKER = (sys.executable, "-m", "hmr_edu.course.grading.worker")
BUBBLEWRAP = (
    *("bwrap", "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc"),
    *("--size", str(2**26), "--tmpfs", SCRATCH, "--remount-ro", "/dev"),
    *("--unshare-all", "--die-with-parent", "--new-session"),
)
# A new network has no device but the loopback; a new process table ends with its first process.
UNSHARE = (
    *("unshare", "--map-root-user", "--net", "--mount", "--pid", "--ipc"),
    *("--fork", "--kill-child", "--mount-proc"),
)
OPTIONS = {"bubblewrap": (ALONE,), "namespaces": (ALONE, READ_ONLY), "plain process": ()}
KINDS = {"bubblewrap": BUBBLEWRAP, "namespaces": UNSHARE, "plain process": ()}
SAYS = {
    "bubblewrap": "bubblewrap: no network, no other processes, files cannot be changed",
    "namespaces": "Linux namespaces: no network, no other processes, files cannot be changed",
    "plain process": "a plain process: network and files are open to submissions; "
    "install bubblewrap or grade in a container",
}


def works(kind: str) -> bool:
    """Whether this machine has, and allows, an isolation."""
    wrapper = KINDS[kind]
    if wrapper and not shutil.which(wrapper[0]):
        return False
    trial = "read_only()" if kind == "namespaces" else "pass"
    trial = f"from hmr_edu.course.grading.worker import read_only; {trial}"
    tried = subprocess.run([*wrapper, sys.executable, "-c", trial], capture_output=True)
    return tried.returncode == 0


@cache
def best_kind() -> str:
    """Return the strongest isolation that works on this machine."""
    return next(kind for kind in KINDS if works(kind))


class Sandbox:
    """Runs `grading.judge` elsewhere; starts its process when first asked."""

    def __init__(self, kind: str | None = None, seconds: int = SECONDS) -> None:
        self.kind, self.seconds = kind or best_kind(), seconds
        self._process: subprocess.Popen[bytes] | None = None

    def judge(
        self, cells: Sequence[str], check: str, function: str, salt: int
    ) -> tuple[str, float]:
        """Return what to tell the learner, and the share of parts that passed."""
        process = self._process or self._start()
        request: dict[str, Any] = {"cells": list(cells), "check": check, "function": function}
        request |= {"salt": salt, "seconds": self.seconds, "gigabytes": GIGABYTES}
        assert process.stdin is not None
        try:
            process.stdin.write(json.dumps(request).encode() + b"\n")
            process.stdin.flush()
            answer = json.loads(self._line(PATIENCE * self.seconds))
        except TimeoutError:
            self.close()
            late = f"stopped after {PATIENCE * self.seconds} seconds: it waits for something?"
            return f"{function}: {late}", 0.0
        except (OSError, ValueError):
            self.close()
            return f"{function}: it ended the process that was to grade it", 0.0
        return answer["text"], answer["score"]

    def close(self) -> None:
        """End the process and all that it started."""
        if self._process is not None:
            with suppress(ProcessLookupError):
                os.killpg(self._process.pid, signal.SIGKILL)
            for stream in (self._process.stdin, self._process.stdout):
                assert stream is not None
                stream.close()
            self._process.wait()
            self._process = None

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _start(self) -> subprocess.Popen[bytes]:
        keep = ("PATH", "LANG", "VIRTUAL_ENV", "PYTHONPATH", "LD_LIBRARY_PATH")
        environment = {name: os.environ[name] for name in keep if name in os.environ}
        environment |= {"OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"}
        if ALONE in OPTIONS[self.kind]:
            environment["TMPDIR"] = SCRATCH
        self._process = subprocess.Popen(
            [*KINDS[self.kind], *WORKER, *OPTIONS[self.kind]],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
            env=environment,
            cwd="/",
            start_new_session=True,
            bufsize=0,
        )
        try:
            ready = self._line(START_SECONDS)
        except TimeoutError:
            ready = b""
        if ready != b"ready\n":
            self.close()
            raise RuntimeError(f"the grading process did not start ({self.kind})")
        return self._process

    def _line(self, seconds: int) -> bytes:
        """Read a line, or raise TimeoutError."""
        assert self._process is not None
        assert self._process.stdout is not None
        if not select.select([self._process.stdout], [], [], seconds)[0]:
            raise TimeoutError
        return self._process.stdout.readline(1 << 20)
