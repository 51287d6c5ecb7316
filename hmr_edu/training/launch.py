"""Start several training processes with one command, by PyTorch's own launcher."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import NoReturn


def launched() -> bool:
    """Return whether a launcher (torchrun, accelerate launch) has started this process."""
    return "LOCAL_RANK" in os.environ


def launch(arguments: Sequence[str], processes: int) -> NoReturn:
    """Replace this process by torchrun, which starts `processes` pythons with these arguments.

    They all run on this machine. For several machines call `torchrun` or `accelerate launch`.
    """
    environment = dict(os.environ)
    cores = os.cpu_count() or processes
    environment.setdefault("OMP_NUM_THREADS", str(max(1, cores // processes)))
    options = ["--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, "-m", "torch.distributed.run", *options, *arguments]
    sys.stdout.flush()
    os.execve(sys.executable, command, environment)


def end_with_launcher() -> None:
    """End this process when its launcher has ended.

    A launcher that is killed leaves its processes running. They would go on writing into a folder
    that another run may use by then.
    """
    if not launched():
        return
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
