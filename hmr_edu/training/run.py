"""A complete run: train, measure before and after, leave the records for the report."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import torch

from hmr_edu.data.appearance import LEVELS
from hmr_edu.data.synthetic import SyntheticConfig
from hmr_edu.data.testsets import TestSet, find_test_sets, test_set
from hmr_edu.errors import DataError
from hmr_edu.fitting import Refined
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.training.config import TrainConfig
from hmr_edu.training.evaluation import evaluate, table
from hmr_edu.training.loop import Trainer
from hmr_edu.training.records import write_json
from hmr_edu.training.setup import build_networks


def run(config: TrainConfig) -> dict[str, Any] | None:
    """Train, then evaluate before and after on the held-out sets; returns the record.

    None on all processes but the first, and when `test_images` is 0.
    """
    trainer = Trainer(config)
    # Before hours of training: what it would be tested on may be missing or too small.
    sets = None
    if config.test_images:
        sets = find_test_sets(trainer.people.body, config.data, config.test_images)
    trainer.train()
    if not trainer.accelerator.is_main_process:
        return None
    if sets is None:
        return {}
    untrained, _ = build_networks(config, trainer.people)
    record = evaluate(
        {"before": untrained.to(trainer.accelerator.device), "after": trainer.network()}, sets
    )
    write_json(config.folder / "evaluation.json", record)
    print(table(record))
    return record


def evaluate_weights(
    weights: str,
    sets: Sequence[str],
    images: int,
    appearance: str,
    out: Path | None,
    threads: int,
    refine: bool,
) -> tuple[HMR | Refined, list[TestSet]]:
    """Measure shipped or trained weights on the named sets, print the table, write the record.

    With `refine` also its bodies fitted to its heat-maps, as a row of their own. Returns the last
    row's network, and the sets.
    """
    if threads < 0:
        raise DataError(f"--threads must be 0 or more, not {threads}")
    if threads:
        torch.set_num_threads(threads)
    model = load_pretrained(weights)
    data = SyntheticConfig(image_size=model.image_size, appearance=LEVELS[appearance])
    test_sets = [test_set(name, model.body, data, images) for name in sets]
    models = {"after": model} | ({"refined": Refined(model)} if refine else {})
    record = evaluate(models, test_sets)
    print(table(record))
    if out is not None:
        write_json(out, record)
    return list(models.values())[-1], test_sets
