"""Find people in a whole picture with the image network alone: no detector, no box drawn by hand.

The network was trained on crops with one person in each, so it has no output that says "nobody".
But its heat-maps rise high where it recognises a keypoint, and stay low elsewhere. The mean height
of the 19 peaks, in logits, is the evidence for a person in a crop.

1. Square windows of several sizes, which overlap by half, cover the picture. Each is a crop.
2. The box around the confident peaks and the body parts that a crop shows gives the next crop, and
   so on until the box stands still. The crop with the most evidence counts. Peaks alone would not
   do: where a crop ends at the knees, the ankles' peaks lie at the knees, and so would the next
   crop end there. Body parts in the crop's margin show that the person goes on.
3. Boxes of a person who has a better one are removed, after each round; at the end also those with
   little evidence.

`scripts/find_people/calibrate.py` measured the constants that turn logits into probabilities. They
belong to the shipped weights `resnet18`: a softmax ignores the level of its logits, so another
training may give another level. Measure them again for other weights.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from PIL import Image
from torch import Tensor
from tqdm import tqdm

from hmr_edu.camera import CropBox
from hmr_edu.crop import PADDING, crop_image
from hmr_edu.encoder.heads import soft_argmax
from hmr_edu.encoder.resnet import Encoder
from hmr_edu.fitting.refining import Refined
from hmr_edu.hmr import HMR
from hmr_edu.io.errors import DataError

# Scores below this are not reported.
THRESHOLD = 0.5
# The score is sigmoid((mean logit - LEVEL) / SPREAD); a keypoint's confidence is such a function of
# its own logit.
LEVEL, SPREAD = 1.72, 0.59
KEYPOINT_LEVEL, KEYPOINT_SPREAD = 1.75, 0.90
# Peaks with a logit above this make the box; fewer than so many make none.
SEEN, FEWEST = -1.0, 3
# Heads, hands and feet reach beyond their keypoints, by this share of the box's longer side.
MARGIN = 0.06
# The box leaves out this share of the body's cells on each of its sides: some are mistakes.
LEFT_OUT = 0.01
# Boxes in the first round, in longer sides of the picture, the smallest one in pixels, and the
# distance from one to the next in their sides.
SIDES, SMALLEST, STRIDE = (1.0, 0.7, 0.48, 0.32), 16, 0.6
# Pixels of the picture's longer side with which all this is done.
WORKING = 1024
# Rounds at most. A box stands still when no edge moves farther, in shares of its longer side. It
# may move on to where there is less evidence, by so much.
ROUNDS, STILL, SLACK = 8, 0.05, 1.0
# Candidates with less evidence after a round are given up.
HOPELESS = -1.0
# Boxes that move on after the first round for each person that may be reported; crops in a batch.
CANDIDATES, BATCH = 2, 16
# Boxes of one person: overlap (IoU), or distance of common keypoints in shares of the smaller box.
OVERLAP, NEAR = 0.45, 0.15


class FoundPerson(NamedTuple):
    """A person found in a picture; pixels of the upright picture.

    `box` (x0, y0, x1, y1) is tight around what is seen of the person, edges counted from 0, as in
    `--box` of the demo. `score` and `confidence` are in [0, 1]. `keypoints2d` are the peaks of the
    heat-maps, also where the confidence is low; pixels are counted at their centres. `still` says
    whether the box stood still, one round to the next.
    """

    box: tuple[float, float, float, float]
    score: float
    keypoints2d: Float[Tensor, "19 2"]
    confidence: Float[Tensor, " 19"]
    still: bool


class _Candidate(NamedTuple):
    """A crop that shows enough keypoints: their peaks, and the box around the confident ones.

    `points` are pixels, counted as edges; `evidence` is the mean logit, the largest so far.
    """

    logits: Float[Tensor, " 19"]
    points: Float[Tensor, "19 2"]
    evidence: float
    box: Float[Tensor, " 4"]
    still: bool = False


@torch.no_grad()
def find_people(
    model: HMR | Refined,
    photo: UInt8[np.ndarray, "height width 3"],
    *,
    most: int = 10,
    threshold: float = THRESHOLD,
) -> list[FoundPerson]:
    """Find the people in a picture, the best first; an empty list when nobody is found.

    The network looks at no more than a few hundred crops, whatever the picture. People smaller than
    a quarter of the picture's longer side, or upside down, are rarely found.

    Raises DataError on a network without heat-maps and on one whose answer is not finite,
    ValueError on one that is not in evaluation mode, and when `most` is less than one.

    Args:
        model: the network; of a `Refined` one, the network inside.
        photo: the picture, upright.
        most: the largest number of people.
        threshold: people with a lower score are left out.
    """
    model = model.model if isinstance(model, Refined) else model
    if model.options["pooling"] != "spatial" or not isinstance(model.encoder, Encoder):
        raise DataError(
            "this network has no heat-maps in which people could be looked for: give their boxes"
        )
    if model.training:
        raise ValueError("the network must be in evaluation mode: call model.eval() first")
    if most < 1:
        raise ValueError(f"at least one person must be allowed, got {most}")
    full_height, full_width = photo.shape[:2]
    reduced = _reduce(photo)
    height, width = reduced.shape[:2]
    scale = torch.tensor((full_width / width, full_height / height))

    found = []
    for seen in _settle(model.encoder, reduced, most)[:most]:
        score = float(_probability(torch.tensor(seen.evidence).double(), LEVEL, SPREAD))
        if score >= threshold:
            x0, y0, x1, y1 = (seen.box.view(2, 2) * scale).flatten().tolist()
            pixels = seen.points * scale - 0.5
            confidence = _probability(seen.logits, KEYPOINT_LEVEL, KEYPOINT_SPREAD)
            found.append(FoundPerson((x0, y0, x1, y1), score, pixels, confidence, seen.still))
    return found


def heat_score(heatmaps: Float[Tensor, "batch 19 h w"]) -> Float[Tensor, " batch"]:
    """Return how surely heat-maps (logits) show a person, in [0, 1]: by the height of the peaks."""
    return _probability(heatmaps.amax((2, 3)).double().mean(1), LEVEL, SPREAD)


def _probability(logits: Tensor, level: float, spread: float) -> Tensor:
    return torch.sigmoid((logits - level) / spread)


def _reduce(photo: UInt8[np.ndarray, "H W 3"]) -> UInt8[np.ndarray, "h w 3"]:
    """Reduce a large picture: no crop of the search needs more pixels."""
    height, width = photo.shape[:2]
    ratio = WORKING / max(height, width)
    if ratio >= 1:
        return photo
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    picture = Image.fromarray(photo)
    return np.array(picture.resize(size, Image.Resampling.BILINEAR, reducing_gap=3.0))


def _windows(width: int, height: int) -> list[Float[Tensor, " 4"]]:
    """Return the square boxes of the first round; their number is bounded for any picture."""
    longer, boxes = max(width, height), []
    for side in (share * longer for share in SIDES):
        if boxes and side < SMALLEST:
            break
        # Windows reach a little beyond the picture, so that people at its edges are in the middle.
        x, y = (_middles(length, side) for length in (width, height))
        boxes += [
            torch.tensor((a - side / 2, b - side / 2, a + side / 2, b + side / 2))
            for b in y
            for a in x
        ]
    return boxes


def _middles(length: int, side: float) -> list[float]:
    """Return the middles of windows along one axis of the picture, evenly spaced."""
    first = side / 3
    if length <= 2 * first:
        return [length / 2]
    steps = math.ceil((length - 2 * first) / (STRIDE * side))
    return np.linspace(first, length - first, steps + 1).tolist()


def _settle(encoder: Encoder, photo: UInt8[np.ndarray, "H W 3"], most: int) -> list[_Candidate]:
    """Move boxes until they stand still; return what is seen at each, the most evidence first."""
    boxes = dict(enumerate(_windows(photo.shape[1], photo.shape[0])))
    best: dict[int, _Candidate] = {}
    bar = tqdm(range(ROUNDS), "finding people", unit="round", leave=False, disable=None, delay=2)
    for _ in bar:
        moved = {}
        for k, seen in zip(boxes, _look(encoder, photo, list(boxes.values())), strict=True):
            if seen is None or seen.evidence < HOPELESS:
                continue
            before = best.get(k)
            # Half a person in a tight box has a little more evidence than the whole one: the box
            # moves on, and the evidence counts.
            if before is None:
                best[k] = seen
            elif seen.evidence > before.evidence - SLACK:
                best[k] = seen._replace(evidence=max(seen.evidence, before.evidence))
            still = _stands_still(boxes[k], seen.box)
            best[k] = best[k]._replace(still=still)
            if not still:
                moved[k] = seen.box
        best = dict(list(_distinct(best).items())[: CANDIDATES * most])
        boxes = {k: box for k, box in moved.items() if k in best}
        if not boxes:
            break
    bar.close()
    return list(best.values())


def _look(
    encoder: Encoder, photo: UInt8[np.ndarray, "H W 3"], boxes: list[Tensor]
) -> list[_Candidate | None]:
    """Cut boxes out of the picture and look at their heat-maps; None where too little is seen."""
    crops = [CropBox.around_box(*box.tolist(), padding=PADDING) for box in boxes]
    seen: list[_Candidate | None] = []
    for start in range(0, len(crops), BATCH):
        batch = crops[start : start + BATCH]
        cut = np.stack([crop_image(photo, crop, encoder.image_size) for crop in batch])
        images = torch.from_numpy(cut).permute(0, 3, 1, 2).to(encoder.mean) / 255
        features = encoder(images)
        maps, parts = features.heatmaps.float().cpu(), features.parts.float().cpu()
        if not maps.isfinite().all():
            raise DataError("the network's answer is not finite: its weights are damaged")
        body = parts.softmax(1)[:, 0] < 0.5
        for row, (crop, peaks) in enumerate(zip(batch, _peaks(maps), strict=True)):
            logits, points = maps[row].amax((1, 2)), crop.to_image(peaks) + 0.5
            corners = crop.to_image(_corners(body[row])) + 0.5
            height, width = photo.shape[:2]
            box = _box_around(points[logits > SEEN], corners, width, height)
            candidate = None
            if box is not None:
                candidate = _Candidate(logits, points, float(logits.mean()), box)
            seen.append(candidate)
    return seen


def _peaks(maps: Float[Tensor, "batch 19 h w"]) -> Float[Tensor, "batch 19 2"]:
    """Return the places of the highest cells in crop units, moved towards their neighbours."""
    cell, columns = maps.flatten(2).argmax(-1), maps.shape[-1]
    column, row = cell % columns, cell // columns
    x, y = (torch.arange(n) for n in (columns, maps.shape[-2]))
    near_x, near_y = (x - column[..., None]).abs() < 2, (y - row[..., None]).abs() < 2
    near = near_y[..., None] & near_x[..., None, :]
    return soft_argmax(maps.masked_fill(~near, -math.inf).flatten(2).softmax(-1).view_as(maps))


def _corners(body: Bool[Tensor, "h w"]) -> Float[Tensor, "corners 2"]:
    """Return two corners of the box around a body's cells, in crop units; none without cells."""
    corners = []
    for axis in (0, 1):  # x, then y
        share = body.sum(axis).cumsum(0) / body.sum().clamp_min(1)
        first, last = (share <= LEFT_OUT).sum(), (share < 1 - LEFT_OUT).sum() + 1
        corners.append(torch.stack((first, last)) * 2 / len(share) - 1)
    return torch.stack(corners, 1)[: 2 * int(body.any())]


def _box_around(
    points: Float[Tensor, "n 2"], corners: Float[Tensor, "corners 2"], width: int, height: int
) -> Tensor | None:
    """Return the box around confident peaks and the body's corners; None if peaks are too few."""
    if len(points) < FEWEST:
        return None
    margin = MARGIN * (points.amax(0) - points.amin(0)).max()
    ends = torch.cat((points - margin, points + margin, corners))
    low = ends.amin(0).clamp_min(0)
    high = torch.minimum(ends.amax(0), torch.tensor((width, height)))
    return torch.cat((low, high)) if (high - low).min() >= 1 else None


def _stands_still(before: Float[Tensor, " 4"], after: Float[Tensor, " 4"]) -> bool:
    longer = (after[2:] - after[:2]).max()
    return bool((after - before).abs().max() <= STILL * longer)


def _distinct(candidates: dict[int, _Candidate]) -> dict[int, _Candidate]:
    """Keep of each person the candidate with the most evidence, sorted by it."""
    kept: dict[int, _Candidate] = {}
    for k, candidate in sorted(candidates.items(), key=lambda item: -item[1].evidence):
        if not any(_same(candidate, other) for other in kept.values()):
            kept[k] = candidate
    return kept


def _same(one: _Candidate, other: _Candidate) -> bool:
    """Return whether two candidates are one person: boxes overlap, or common keypoints agree."""
    if overlap(one.box, other.box) > OVERLAP:
        return True
    both = (one.logits > SEEN) & (other.logits > SEEN)
    if both.sum() < FEWEST:
        return False
    size = min(float((each.box[2:] - each.box[:2]).max()) for each in (one, other))
    apart = (one.points - other.points)[both].norm(dim=-1).median()
    return float(apart) < NEAR * size


def overlap(one: Float[Tensor, " 4"], other: Float[Tensor, " 4"]) -> float:
    """Return the intersection over union of two boxes."""
    common = (torch.minimum(one, other)[2:] - torch.maximum(one, other)[:2]).clamp_min(0).prod()
    area, other_area = ((box[2:] - box[:2]).prod() for box in (one, other))
    return float(common / (area + other_area - common))
