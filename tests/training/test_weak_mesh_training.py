"""Masks and dense points reach the network through the one trainer, in every mode."""

import dataclasses

import pytest
from helpers.small_run import small

from hmr_edu.training import Trainer

TERMS = ("silhouette", "part_silhouettes", "dense")


@pytest.mark.parametrize("mode", ["paired", "unpaired"])
def test_the_terms_are_in_the_loss(tmp_path, mode):
    config = small(tmp_path, mode=mode)
    weights = dict.fromkeys(TERMS, 1.0) if mode == "paired" else {"silhouette": 1.0, "dense": 1.0}
    config = dataclasses.replace(
        config,
        loss=dataclasses.replace(config.loss, **weights),
        data=dataclasses.replace(config.data, dense=20),
    )
    trainer = Trainer(config)
    batch = trainer.source[0]
    measured = trainer.train_step(batch)
    assert set(measured) >= set(weights)
    assert all(0 < float(measured[name]) < 5 for name in weights)
    # Without 3D labels: a mask and points are 2D labels, and stay.
    assert (float(measured["keypoints3d"]) == 0) == (mode == "unpaired")


def test_terms_of_weight_0_are_not_even_computed(tmp_path):
    trainer = Trainer(small(tmp_path))
    assert not set(TERMS) & trainer.train_step(trainer.source[0]).keys()
