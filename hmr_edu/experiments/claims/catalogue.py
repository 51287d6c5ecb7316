"""The claims on trial, by the name of the experiment that tests them."""

from __future__ import annotations

from hmr_edu.experiments.claims import adversary as on_adversary
from hmr_edu.experiments.claims import lifter as on_lifter
from hmr_edu.experiments.claims import people as on_people
from hmr_edu.experiments.claims import photographs as on_photographs
from hmr_edu.experiments.claims import pictures as on_pictures
from hmr_edu.experiments.claims import recipe as on_recipe
from hmr_edu.experiments.claims import regression as on_regression
from hmr_edu.experiments.claims import weak_mesh as on_weak_mesh
from hmr_edu.experiments.design import Experiment
from hmr_edu.io.errors import DataError

EXPERIMENTS = {
    experiment.name: experiment
    for claims in (
        on_regression,
        on_adversary,
        on_pictures,
        on_recipe,
        on_people,
        on_lifter,
        on_photographs,
        on_weak_mesh,
    )
    for experiment in claims.EXPERIMENTS
}


def find(name: str) -> Experiment:
    """Return the experiment of this name. Raises DataError naming those there are."""
    if name not in EXPERIMENTS:
        raise DataError(f"no experiment {name!r}; there are {', '.join(EXPERIMENTS)}")
    return EXPERIMENTS[name]
