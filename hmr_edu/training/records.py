"""What a run leaves behind for the report: plain JSON and npz, nothing drawn."""

from __future__ import annotations

import hashlib
import json
import os
import platform
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch.utils.tensorboard import SummaryWriter

import hmr_edu
from hmr_edu.files import atomic_write
from hmr_edu.hmr import weights_path


def write_json(path: Path, value: Any) -> None:
    """Write JSON, whole or not at all."""
    with atomic_write(path) as temporary:
        temporary.write_text(json.dumps(value, indent=2) + "\n")


def environment() -> dict[str, Any]:
    """How, where and with what a run was made: command, hardware, versions, commit."""
    import accelerate
    import numba

    return {
        "command": shlex.join([Path(sys.argv[0]).name, *sys.argv[1:]]),
        "hmr_edu": hmr_edu.__version__,
        "commit": _commit(),
        "python": platform.python_version(),
        "torch": torch.__version__,
        "numpy": np.__version__,
        "numba": numba.__version__,
        "accelerate": accelerate.__version__,
        "system": f"{platform.system()} {platform.machine()}",
        "cpu": _cpu(),
        "cores": os.cpu_count(),
        "threads": torch.get_num_threads(),
        "gpu": torch.cuda.get_device_name() if torch.cuda.is_available() else None,
    }


def origin(weights: str) -> dict[str, Any]:
    """Which weights a run went on from, and what is written down of them."""
    path = weights_path(weights)
    provenance = path.with_suffix(".json")
    return {
        "sha256": hashlib.sha256(path.read_bytes()).hexdigest(),
        "provenance": json.loads(provenance.read_text()) if provenance.is_file() else None,
    }


def _commit() -> str | None:
    """The checkout's commit, with a + when files differ from it; None outside a checkout."""
    git = ["git", "-C", str(Path(hmr_edu.__file__).parent)]
    try:
        head = subprocess.run([*git, "rev-parse", "--short=12", "HEAD"], **_QUIET)
        changed = subprocess.run([*git, "status", "--porcelain", "-uno"], **_QUIET)
    except (OSError, subprocess.SubprocessError):
        return None
    return head.stdout.strip() + ("+" if changed.stdout.strip() else "")


_QUIET: dict[str, Any] = {"capture_output": True, "text": True, "check": True, "timeout": 10}


def _cpu() -> str:
    """The processor's name."""
    try:
        lines = Path("/proc/cpuinfo").read_text().splitlines()
    except OSError:
        return platform.processor()
    names = [line.split(":")[1].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.processor()


class Log:
    """The run's running record: metrics.jsonl and TensorBoard, both cut back on resume."""

    def __init__(self, folder: Path, step: int) -> None:
        self.path = folder / "metrics.jsonl"
        self._keep_until(step)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def _keep_until(self, step: int) -> None:
        """Drop what was logged after the checkpoint: it will be logged again."""
        kept = []
        if step and self.path.is_file():
            for line in self.path.read_text().splitlines():
                try:
                    if json.loads(line)["step"] <= step:
                        kept.append(line)
                except ValueError:  # the line being written when the run was killed
                    continue
        with atomic_write(self.path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept))

    def write(self, step: int, losses: dict[str, float], **values: float | int) -> None:
        """One line for one step."""
        with self.path.open("a") as file:
            file.write(json.dumps({"step": step, **values, "losses": losses}) + "\n")
        for name, value in {**{f"loss/{k}": v for k, v in losses.items()}, **values}.items():
            self.board.add_scalar(name, value, step)

    def close(self) -> None:
        """Flush to disk."""
        self.board.close()
