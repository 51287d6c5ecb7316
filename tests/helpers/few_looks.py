"""Synthetic people with few looks: their places, clothes and heads are made in no time."""

from dataclasses import replace
from typing import Any

from hmr_edu.body import load_body
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.synthetic.options import AppearanceConfig
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople


def few(appearance: AppearanceConfig) -> AppearanceConfig:
    """Return the options of pictures with four places, outfits and heads to choose from."""
    return replace(appearance, scenes=4, outfits=4, heads=4)


def few_looks(seed: int = 0, **options: Any) -> SyntheticPeople:
    """Draw people of the shipped body and prior; `options` are those of `SyntheticConfig`."""
    config = SyntheticConfig(**options)
    config = replace(config, appearance=few(config.appearance))
    return SyntheticPeople(load_body("lite"), load_pose_prior(), config, seed)
