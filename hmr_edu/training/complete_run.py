"""A complete run: train, evaluate before and after, write the records for the report."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from hmr_edu.body import load_body
from hmr_edu.data.source import BatchSource
from hmr_edu.evaluation.held_out import evaluate, table
from hmr_edu.evaluation.keypoint_sets import sets_for
from hmr_edu.evaluation.test_sets import TestSet, find_test_sets
from hmr_edu.io.jsonfile import write_json
from hmr_edu.io.lock import lock
from hmr_edu.training.config import TrainConfig
from hmr_edu.training.loop import Trainer
from hmr_edu.training.resumable import check_resumable
from hmr_edu.training.setup import build_networks


def run(config: TrainConfig, source: BatchSource | None = None) -> dict[str, Any] | None:
    """Train, then evaluate before and after on the held-out sets; return the record.

    `source` replaces the synthetic people to train on. The record is empty when `test_images` is 0,
    and None on all processes but the first. Raises DataError as `check_resumable` and `Trainer` do,
    and when another process trains the same run.
    """
    check_resumable(config)
    trainer = Trainer(config, source)
    # First of all, before hours of training: a test set may be missing or too small.
    sets = None
    if config.test_images:
        # A body of their own: the network's may be on a GPU, and pictures are drawn on the CPU.
        body = load_body(config.model.body)
        sets = sets_for(
            config.model.encoder, find_test_sets(), body, trainer.config.data, config.test_images
        )
    if not trainer.accelerator.is_main_process:
        trainer.train()
        return None
    with lock(config.folder / ".lock", f"{config.folder}: another process trains this run"):
        trainer.train()
        return {} if sets is None else _measure(trainer, sets)


def _measure(trainer: Trainer, sets: Sequence[TestSet]) -> dict[str, Any]:
    """Evaluate the network before and after, and write the record."""
    untrained, _ = build_networks(trainer.config, trainer.source)
    record = evaluate(
        {"before": untrained.to(trainer.accelerator.device), "after": trainer.trained()}, sets
    )
    write_json(trainer.config.folder / "evaluation.json", record)
    print(table(record))
    return record
