"""The log of a training run: metrics.jsonl and TensorBoard."""

from __future__ import annotations

import json
import os
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from hmr_edu.io.files import atomic_write
from hmr_edu.training.run_records import METRICS, read_whole_log


class Log:
    """The log of a run, metrics.jsonl and TensorBoard; a resumed run first cuts both back."""

    def __init__(self, folder: Path, step: int) -> None:
        self.path = folder / METRICS
        self._keep_until(step)
        self.board = SummaryWriter(str(folder / "tensorboard"), purge_step=step)

    def _keep_until(self, step: int) -> None:
        """Drop the lines after the checkpoint: these steps will be logged again."""
        kept = []
        if step and os.path.lexists(self.path):
            lines = read_whole_log(self.path.parent)
            kept = [text for text, line in lines if line["step"] <= step]
        with atomic_write(self.path) as temporary:
            temporary.write_text("".join(f"{line}\n" for line in kept), encoding="utf-8")

    def write(self, step: int, losses: dict[str, float], **values: float | int) -> None:
        """Write one line for one step: its losses, and other numbers by name."""
        with self.path.open("a", encoding="utf-8") as file:
            file.write(json.dumps({"step": step, **values, "losses": losses}) + "\n")
        for name, value in {**{f"loss/{k}": v for k, v in losses.items()}, **values}.items():
            self.board.add_scalar(name, value, step)

    def close(self) -> None:
        """Write what is still in memory to disk."""
        self.board.close()
