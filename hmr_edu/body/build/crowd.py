"""The sampled adults of a build: what they are mixed from, and each one's bones in T-pose."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from tqdm import tqdm

from hmr_edu.body.build.clean import ClosedSkin, close_skin
from hmr_edu.body.build.joints import PELVIS, joints_from_bones
from hmr_edu.body.build.phenotypes import adult_targets, coefficients, sample_adults
from hmr_edu.body.build.rest_pose import Straightener
from hmr_edu.body.build.skinning import dual_quaternion_skinning
from hmr_edu.body.build.source import Archive, Source, load_source, parse_target


@dataclass(frozen=True)
class Crowd:
    """P adults, each a mix of the T shape targets of one source. Metres.

    `offsets` are the targets on all N vertices of the source.
    """

    source: Source
    skin: ClosedSkin
    straightener: Straightener
    offsets: list[Float[np.ndarray, "N 3"]]
    mixes: Float[np.ndarray, "P T"]

    def bones(
        self, mix: Float[np.ndarray, " T"]
    ) -> tuple[Float[np.ndarray, "B 8"], Float[np.ndarray, "24 3"], Float[np.ndarray, " 3"]]:
        """Straighten the bones of one adult.

        Returns their dual quaternions, the joints with the pelvis at its place, and the shift that
        brings it there.
        """
        motions, heads = self.straightener.bones(mix)
        places = joints_from_bones(self.straightener.rig.names, heads)
        shift = np.array(PELVIS) - places[0]
        return motions, places + shift, shift

    def straight(
        self, mix: Float[np.ndarray, " T"]
    ) -> tuple[Float[np.ndarray, "H 3"], Float[np.ndarray, "24 3"]]:
        """Put one adult into T-pose, the pelvis at its place: the half skin and the joints."""
        motions, joints, shift = self.bones(mix)
        weights = self.straightener.rig.soft_weights
        return dual_quaternion_skinning(
            self.straightener.bent(mix), weights, motions
        ) + shift, joints


def gather_crowd(archive: Archive, seed: int, count: int) -> Crowd:
    """Sample `count` adults from the source; raise DataError where it is none."""
    source = load_source(archive)
    skin = close_skin(source)
    targets = adult_targets(archive)
    offsets = [
        parse_target(archive.read(name).decode(), len(source.vertices), name)
        for name in tqdm(targets, desc="reading shape targets", unit="file")
    ]
    straightener = Straightener.prepare(source, skin, offsets)
    adults = sample_adults(archive, count, np.random.default_rng(seed))
    return Crowd(source, skin, straightener, offsets, coefficients(adults, list(targets.values())))
