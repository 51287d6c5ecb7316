"""The running record of a training run: metrics.jsonl and TensorBoard."""

from __future__ import annotations

import json
from pathlib import Path

from torch.utils.tensorboard import SummaryWriter

from hmr_edu.io.files import atomic_write


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
