"""Several training processes from one command, by PyTorch's own launcher."""

from __future__ import annotations

import os
import sys
import threading
import time
from collections.abc import Sequence
from typing import NoReturn


def launched() -> bool:
    """True in a process that a launcher (torchrun, accelerate launch) has started."""
    return "LOCAL_RANK" in os.environ


def launch(arguments: Sequence[str], processes: int) -> NoReturn:
    """Become torchrun, which starts `processes` pythons with these arguments on this machine.

    For several machines call `torchrun` or `accelerate launch` directly.
    """
    environment = dict(os.environ)
    cores = os.cpu_count() or processes
    environment.setdefault("OMP_NUM_THREADS", str(max(1, cores // processes)))
    options = ["--standalone", "--nproc-per-node", str(processes)]
    command = [sys.executable, "-m", "torch.distributed.run", *options, *arguments]
    sys.stdout.flush()
    os.execve(sys.executable, command, environment)


def end_with_launcher() -> None:
    """End this process when its launcher is gone.

    A launcher that is killed outright leaves its processes behind, and they would go on writing
    into a folder that another run may have taken over.
    """
    if not launched():
        return
    launcher = os.getppid()

    def watch() -> None:
        while os.getppid() == launcher:
            time.sleep(0.2)
        os._exit(1)

    threading.Thread(target=watch, daemon=True).start()
