"""Refine a network's answer: `--refine`. It is never worse than where it starts, by its energy.

1. The flip test gives a start, and heat-maps that say where the keypoints are.
2. Where the start explains its maps badly, the network also sees the crop turned by quarters. A
   turned crop that explains its own maps much better gives start and maps instead.
3. The body is fitted to the maps. Limbs keep their lengths; what the crop does not show is left to
   the start and the pose prior.
4. Where the start explains its maps badly, the fit is also tried from bodies that face the other
   way.
5. The answer of least energy is returned. The answers that the network gave are among them.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from typing import NamedTuple

import torch
from jaxtyping import Float, Int64
from torch import Tensor, nn

from hmr_edu.body import SMPL
from hmr_edu.crop import cell_centres
from hmr_edu.data.poses.prior import PosePrior, load_pose_prior
from hmr_edu.fitting.flip_test import FlipTest, run_flip_test
from hmr_edu.fitting.second_starts import face_about, look_turned, mirror_depth
from hmr_edu.fitting.smplify import DOUBT, MAP_SIGMA, Evidence, Fit, FitOptions, fit
from hmr_edu.hmr import HMR, Prediction
from hmr_edu.io.precision import at_least_float32

# A keypoint lies outside the crop with probability sigmoid(SLOPE (border - peak)): the share of its
# map near the border, and the share near its highest place. Both were measured on `test-prior`.
SLOPE, BORDER = 9.0, 0.125
# The likelihood that a keypoint outside the crop is projected inside, against outside: a crop's
# edge is not that certain. And the width of the edge, in crop units.
INSIDE_ANYWAY, EDGE = 0.3, 0.05
# A start with more energy explains its picture badly: others are tried.
EXPLAINED = 15.0
# A turned crop must explain its maps better by so many nats, and show so many keypoints: few are
# explained by any body.
CLEARLY, MOST = 7.0, 15.0
# So many nats better is an answer that faces the other way: few answers of a network do not.
RARE = 3.0
# Limbs keep their lengths.
KEEP_SHAPE = FitOptions(free_shape=False)
# Where an answer may come from.
FACINGS = ("as found", "turned by half a turn", "mirrored in depth")

# Looks at crops after some quarters of a turn: the number of quarters and the rows in, a flip test
# of these rows out, turned back.
Look = Callable[[int, Tensor], FlipTest]


class Refinement(NamedTuple):
    """The regression steps of the pictures as they are, and the refined thetas.

    `energy` is that of the returned thetas, `start_energy` that of the flip test of the upright
    crop, both without the distance from a start: they can be compared. `quarters` says by how many
    quarters the crop was turned, `facing` is an index into `FACINGS`.
    """

    steps: list[Prediction]
    theta: Float[Tensor, "batch 85"]
    energy: Float[Tensor, " batch"]
    start_energy: Float[Tensor, " batch"]
    quarters: Int64[Tensor, " batch"]
    facing: Int64[Tensor, " batch"]


@at_least_float32
def outside_probability(
    heatmaps: Float[Tensor, "batch 19 height width"],
) -> Float[Tensor, "batch 19"]:
    """Return how likely each keypoint is outside the crop, from the shape of its map (logits).

    A map is a distribution over the crop's cells, so it cannot say "not here". A network that knows
    that a keypoint is outside spreads its map along the nearest border. So the probability grows
    with the share of the map near the border, and falls with the share near the highest place.
    """
    border, peak = map_shares(heatmaps)
    return torch.sigmoid(SLOPE * (border - peak))


@at_least_float32
def map_shares(
    heatmaps: Float[Tensor, "batch 19 height width"],
) -> tuple[Float[Tensor, "batch 19"], Float[Tensor, "batch 19"]]:
    """Return the shares of each map (logits) near the crop's border, and near its highest place."""
    probability, x, y = _probability(heatmaps)
    far = torch.maximum(x.abs()[None, :], y.abs()[:, None])
    border = (probability * (far > 1 - BORDER)).sum((-2, -1))
    cell, columns = probability.flatten(2).argmax(-1), len(x)
    peak = torch.stack((x[cell % columns], y[cell // columns]), -1)
    return border, _closeness(probability, x, y, peak)


@at_least_float32
def crop_evidence(heatmaps: Float[Tensor, "batch 19 height width"]) -> Evidence:
    """Make evidence from heat-maps (logits) of crops that may cut people off.

    As `heatmap_evidence`, but with a probability that the keypoint is outside the crop: then its
    map says nothing, and the keypoint should be projected outside.
    """
    probability, x, y = _probability(heatmaps.detach())
    outside = outside_probability(heatmaps.detach())

    @at_least_float32
    def energy(keypoints2d: Tensor) -> Tensor:
        p, missing = probability.to(keypoints2d), outside.to(keypoints2d)
        seen = _closeness(p, x.to(p), y.to(p), keypoints2d)
        beyond = torch.sigmoid((keypoints2d.abs().amax(-1) - 1) / EDGE)
        unseen = INSIDE_ANYWAY + (1 - INSIDE_ANYWAY) * beyond
        return -((1 - missing) * seen + missing * unseen + DOUBT).log().sum(1)

    return energy


def _probability(heatmaps: Tensor) -> tuple[Tensor, Tensor, Tensor]:
    """Return maps that sum to 1, and the coordinates of their columns and rows."""
    probability = heatmaps.flatten(2).softmax(-1).view_as(heatmaps)
    y, x = (cell_centres(cells, probability) for cells in heatmaps.shape[-2:])
    return probability, x, y


def _closeness(
    probability: Float[Tensor, "batch n height width"],
    x: Float[Tensor, " width"],
    y: Float[Tensor, " height"],
    places: Float[Tensor, "batch n 2"],
) -> Float[Tensor, "batch n"]:
    """Return the share of each map near a place: cells count as a Gaussian of `MAP_SIGMA`.

    Args:
        probability: the maps.
        x, y: coordinates of columns and rows.
        places: in crop units.
    """
    near_x, near_y = (
        torch.exp(-0.5 * ((places[..., axis, None] - cells) / MAP_SIGMA).square())
        for axis, cells in ((0, x), (1, y))
    )
    return torch.einsum("bnhw,bnh,bnw->bn", probability, near_y, near_x)


class CropView(NamedTuple):
    """What a network says of crops: the maps and depths of the keypoints, in the upright crop."""

    heatmaps: Float[Tensor, "batch 19 height width"]
    depths: Float[Tensor, "batch 19"]

    def rows(self, rows: Tensor) -> CropView:
        """Return some of the crops."""
        return CropView(*(part[rows] for part in self))


@dataclass(frozen=True)
class Refiner:
    """Refine what a network says of crops; see the module's steps.

    Args:
        body: the body model.
        prior: the pose prior.
        options: of the fits.
    """

    body: SMPL
    prior: PosePrior
    options: FitOptions = KEEP_SHAPE

    @torch.no_grad()
    def refine(self, seen: FlipTest, look: Look) -> Refinement:
        """Refine flip tests of upright crops.

        Args:
            seen: the flip tests.
            look: looks at some of the crops, turned; see `look_turned`.
        """
        theta, view = seen.theta, CropView(seen.heatmaps, seen.depths)
        start_energy = energy = self.energy(theta, view)
        quarters, facing = torch.zeros(2, len(theta), dtype=torch.long, device=theta.device)

        hard = (energy > EXPLAINED).nonzero()[:, 0]
        for quarter in (1, 2, 3) if len(hard) else ():
            turned = look(quarter, hard)
            other = CropView(turned.heatmaps, turned.depths)
            found = self.energy(turned.theta, other)
            better = (found + CLEARLY < start_energy[hard]) & (found < energy[hard])
            better &= (1 - outside_probability(other.heatmaps)).sum(1) >= MOST
            rows = hard[better]
            theta = _put(theta, rows, turned.theta[better])
            energy = _put(energy, rows, found[better])
            view = CropView(*(_put(a, rows, b[better]) for a, b in zip(view, other, strict=True)))
            quarters = quarters.index_fill(0, rows, quarter)

        start, everybody = theta, torch.arange(len(theta), device=theta.device)
        hard = (energy > EXPLAINED).nonzero()[:, 0]
        rows = torch.cat((everybody, hard, hard))
        # One fit of all starts takes hardly longer than one of each person's first.
        starts = torch.cat((start, face_about(start[hard]), mirror_depth(start[hard])))
        fitted = self.fit(starts, view.rows(rows))
        answers = torch.cat((fitted, seen.steps[-1].theta))
        rows = torch.cat((rows, everybody))
        sizes = [len(everybody), len(hard), len(hard), len(everybody)]
        groups = (
            part.split(sizes) for part in (rows, answers, self.energy(answers, view.rows(rows)))
        )
        for number, (who, other, found) in zip(
            (0, 1, 2, 0), zip(*groups, strict=True), strict=True
        ):
            better = found + (RARE if number else 0.0) < energy[who]
            theta = _put(theta, who[better], other[better])
            energy = _put(energy, who[better], found[better])
            facing = facing.index_fill(0, who[better], number)
        return Refinement(seen.steps, theta, energy, start_energy, quarters, facing)

    def energy(self, theta: Float[Tensor, "batch 85"], view: CropView) -> Float[Tensor, " batch"]:
        """Return the energy of thetas, without a distance from any start."""
        return self._fit(theta, view, replace(self.options, steps=0)).energy

    def fit(self, theta: Float[Tensor, "batch 85"], view: CropView) -> Float[Tensor, "batch 85"]:
        """Fit bodies to a view, from and near some start."""
        return self._fit(theta, view, self.options).theta

    def _fit(self, theta: Tensor, view: CropView, options: FitOptions) -> Fit:
        evidence = crop_evidence(view.heatmaps)
        inside = 1 - outside_probability(view.heatmaps)
        return fit(self.body, theta, evidence, options, self.prior, view.depths, inside)


def _put(old: Tensor, rows: Tensor, new: Tensor) -> Tensor:
    """Return a copy in which some rows are new ones."""
    return old.index_copy(0, rows, new.to(old.dtype))


class Refined(nn.Module):
    """A network with one more step: a flip test, second starts, and fits to its heat-maps.

    It can replace an `HMR`. Raises DataError on a network without heat-maps.
    """

    def __init__(self, model: HMR, options: FitOptions | None = None) -> None:
        super().__init__()
        # A network that does not know a body's betas leaves them to the fit.
        known = KEEP_SHAPE if model.shape_known else FitOptions()
        self.model, self.fit_options = model, options or known
        self.body, self.prior = model.body, load_pose_prior()
        self.regressor = model.regressor
        self.image_size, self.options = model.image_size, model.options
        self.training = model.training

    def forward(
        self, images: Float[Tensor, "batch 3 H W"], vertices: bool = True
    ) -> list[Prediction]:
        """Return the bodies of every regression step, and after them the fitted ones."""
        # A fit needs gradients, even inside a caller's inference mode.
        with torch.inference_mode(False), torch.no_grad():
            refined = self.refine(images.clone(), vertices)
            last = self.model.detail(refined.theta)
        return [*refined.steps, last if vertices else last._replace(vertices=None)]

    @torch.no_grad()
    def refine(self, images: Float[Tensor, "batch 3 H W"], vertices: bool = False) -> Refinement:
        """Return the refined thetas, how well they explain the pictures, and their starts."""
        seen = run_flip_test(self.model, images, vertices)

        def look(quarters: int, rows: Tensor) -> FlipTest:
            return look_turned(self.model, images[rows], quarters)

        return Refiner(self.body, self.prior, self.fit_options).refine(seen, look)
