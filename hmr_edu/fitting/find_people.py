"""Find people in a whole picture with the image network alone: no detector, no box drawn by hand.

The network was trained on crops with one person in each, so it has no output that says "nobody".
But its heat-maps rise high where it recognises a keypoint, and stay low elsewhere. The mean height
of the 19 peaks, in logits, is the evidence for a person in a crop.

1. The whole picture, reduced to several sizes, goes through the convolutions. Each square of it, as
   large as a crop, gets the mean of the highest logits inside. The best squares are candidates.
2. Each candidate becomes a real crop. The box around its confident peaks gives the next crop, and
   so on until the box stands still. The crop with the most evidence counts.
3. Boxes of a person who has a better one are removed, and so are boxes with little evidence.

`scripts/find_people/calibrate.py` measured the constants that turn logits into probabilities. They
belong to the shipped weights `resnet18`: a softmax ignores the level of its logits, so another
training may give another level. Measure them again for other weights.
"""

from __future__ import annotations

import math
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Float, UInt8
from PIL import Image
from torch import Tensor
from torch.nn.functional import max_pool2d
from tqdm import tqdm

from hmr_edu.camera import CropBox
from hmr_edu.crop import PADDING, crop_image
from hmr_edu.encoder.resnet import Encoder
from hmr_edu.fitting.smplify import Refined
from hmr_edu.hmr import HMR
from hmr_edu.io.errors import DataError

# Scores below this are not reported.
THRESHOLD = 0.5
# The score is sigmoid((mean logit - LEVEL) / SPREAD); a keypoint's confidence is the same function
# of its own logit.
LEVEL, SPREAD = 0.3, 0.5
KEYPOINT_LEVEL, KEYPOINT_SPREAD = 0.0, 1.5
# Peaks with a logit above this make the box.
SEEN = -1.0
# Heads, hands and feet reach beyond their keypoints, by this share of the box's longer side.
MARGIN = 0.06
# The side of the largest crop in longer sides of the picture, the ratio to the next, and how many.
LARGEST, RATIO, LEVELS = PADDING, math.sqrt(0.5), 6
# Pixels of the picture's longer side with which all this is done, and of the smallest crop.
WORKING, SMALLEST = 1024, 24
# Rounds of moving boxes, and the overlap (IoU) of two boxes one after the other that are the same.
ROUNDS, STILL = 5, 0.9
# Candidates for each person that may be reported, and crops in a batch.
CANDIDATES, BATCH = 2, 16
# Boxes of one person: overlap, or distance of common keypoints in shares of the smaller box.
OVERLAP, NEAR = 0.45, 0.15
# Cells between two windows of the search.
STEP = 2
# All sizes of the picture are multiples of this, so that cells of all maps are aligned.
GRID = 64


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


class _Seen(NamedTuple):
    """What one crop shows: logits [19] and places [19, 2] of the peaks (edges), and their mean."""

    logits: Float[Tensor, " 19"]
    points: Float[Tensor, "19 2"]
    evidence: float


@torch.no_grad()
def find_people(
    model: HMR | Refined,
    photo: UInt8[np.ndarray, "height width 3"],
    *,
    most: int = 10,
    threshold: float = THRESHOLD,
) -> list[FoundPerson]:
    """Find the people in a picture, the best first; an empty list when nobody is found.

    The time is bounded for any picture: a few hundred crops' worth of convolutions. People smaller
    than a fifth of the picture's longer side, or not upright, are rarely found.

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
        raise DataError("this network has no heat-maps in which people could be looked for")
    if model.training:
        raise ValueError("the network must be in evaluation mode: call model.eval() first")
    if most < 1:
        raise ValueError(f"at least one person must be allowed, got {most}")
    full_height, full_width = photo.shape[:2]
    reduced = _reduce(photo)
    height, width = reduced.shape[:2]
    scale = torch.tensor((full_width / width, full_height / height))

    with tqdm(desc="finding people", leave=False, disable=None, delay=2, unit="pass") as bar:
        windows = _search(model.encoder, reduced, CANDIDATES * most, bar)
        people = _settle(model.encoder, reduced, windows, bar)
    found = []
    for box, seen, still in people[:most]:
        score = float(_probability(torch.tensor(seen.evidence), LEVEL, SPREAD))
        if score >= threshold:
            edges = (box.view(2, 2) * scale).flatten().tolist()
            confidence = _probability(seen.logits, KEYPOINT_LEVEL, KEYPOINT_SPREAD)
            pixels = seen.points * scale - 0.5
            found.append(FoundPerson(tuple(edges), score, pixels, confidence, still))
    return found


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


def _maps(
    encoder: Encoder, pictures: UInt8[Tensor, "batch H W 3"]
) -> Float[Tensor, "batch 19 h w"]:
    """Return the heat-maps of pictures of any size, in logits."""
    images = pictures.permute(0, 3, 1, 2).to(encoder.mean) / 255
    heatmaps = encoder.head(encoder.backbone((images - encoder.mean) / encoder.std)).heatmaps
    if not heatmaps.isfinite().all():
        raise DataError("the network's answer is not finite: its weights are damaged")
    return heatmaps.float().cpu()


def _search(
    encoder: Encoder, photo: UInt8[np.ndarray, "H W 3"], most: int, bar: tqdm
) -> list[Tensor]:
    """Return the squares with the most evidence, none of them close to a better one.

    The squares are boxes of people: smaller than the crops by `PADDING`.
    """
    height, width = photo.shape[:2]
    longer, size = max(height, width), encoder.image_size
    boxes, evidence = [], []
    for k in range(LEVELS):
        side = LARGEST * RATIO**k * longer
        if k and side < SMALLEST:
            break
        # The picture with half a crop of black on all sides, at `zoom` pixels for one.
        zoom = size / side
        across, down = (GRID * math.ceil((n * zoom + size) / GRID) for n in (width, height))
        canvas = max(across, down)
        box = CropBox.around_box(0, 0, width, height)
        square = crop_image(photo, CropBox(box.x, box.y, canvas / zoom), canvas)
        top, left = (canvas - down) // 2, (canvas - across) // 2
        level = square[top : top + down, left : left + across]
        maps = _maps(encoder, torch.from_numpy(level)[None])
        cells = size * maps.shape[-1] // across  # along a crop's side
        heights = max_pool2d(maps, cells, STEP).mean(1)[0]
        rows, columns = heights.shape
        y, x = torch.meshgrid(torch.arange(rows), torch.arange(columns), indexing="ij")
        pixel = size / cells  # of the level, for one cell
        centres = torch.stack((x, y), -1) * STEP * pixel + size / 2
        middle = torch.tensor((across, down)) / 2
        centres = (centres - middle) / zoom + torch.tensor((width, height)) / 2
        half = side / PADDING / 2
        boxes.append(torch.cat((centres - half, centres + half), -1).flatten(0, 1))
        evidence.append(heights.flatten())
        bar.update()
    every, heights = torch.cat(boxes), torch.cat(evidence)
    best = []
    while len(best) < most and heights.max() > -math.inf:
        box = every[heights.argmax()]
        best.append(box)
        heights[_overlap(every, box) > OVERLAP] = -math.inf
    return best


def _settle(
    encoder: Encoder, photo: UInt8[np.ndarray, "H W 3"], windows: list[Tensor], bar: tqdm
) -> list[tuple[Tensor, _Seen, bool]]:
    """Move boxes until they stand still; return them with what is seen there, the best first."""
    moving, best = dict(enumerate(windows)), {}
    for _ in range(ROUNDS):
        for k, seen in zip(moving, _look(encoder, photo, list(moving.values())), strict=True):
            after = _box_around(seen, photo.shape[1], photo.shape[0])
            still = after is not None and float(_overlap(after, moving[k])) > STILL
            if k not in best or seen.evidence > best[k][1].evidence:
                best[k] = (moving[k] if after is None else after, seen, still)
            elif still:
                best[k] = (*best[k][:2], still)
            moving[k] = None if still else after
        moving = {k: box for k, box in moving.items() if box is not None}
        best = _distinct(best)
        moving = {k: box for k, box in moving.items() if k in best}
        bar.update()
        if not moving:
            break
    return list(best.values())


def _look(encoder: Encoder, photo: UInt8[np.ndarray, "H W 3"], boxes: list[Tensor]) -> list[_Seen]:
    """Cut boxes out of the picture and find the peaks of their heat-maps."""
    crops = [CropBox.around_box(*box.tolist(), padding=PADDING) for box in boxes]
    seen = []
    for start in range(0, len(crops), BATCH):
        batch = crops[start : start + BATCH]
        cut = [torch.from_numpy(crop_image(photo, crop, encoder.image_size)) for crop in batch]
        maps = _maps(encoder, torch.stack(cut))
        logits, cell = maps.flatten(2).max(-1)
        rows, columns = maps.shape[-2:]
        places = torch.stack((cell % columns, cell // columns), -1) + 0.5
        places = places * 2 / torch.tensor((columns, rows)) - 1
        seen += [
            _Seen(logits[i], crop.to_image(places[i]) + 0.5, float(logits[i].mean()))
            for i, crop in enumerate(batch)
        ]
    return seen


def _box_around(seen: _Seen, width: int, height: int) -> Tensor | None:
    """Return the box of a person around the confident peaks; None if there are too few."""
    points = seen.points[seen.logits > SEEN]
    if len(points) < 3:
        return None
    low, high = points.amin(0), points.amax(0)
    margin = MARGIN * (high - low).max()
    picture = torch.tensor((width, height))
    low, high = (low - margin).clamp_min(0), torch.minimum(high + margin, picture)
    return torch.cat((low, high)) if (high - low).min() >= 1 else None


def _distinct(
    people: dict[int, tuple[Tensor, _Seen, bool]],
) -> dict[int, tuple[Tensor, _Seen, bool]]:
    """Keep of each person the box with the most evidence; the best person first."""
    kept: dict[int, tuple[Tensor, _Seen, bool]] = {}
    for k, person in sorted(people.items(), key=lambda item: -item[1][1].evidence):
        if not any(_same(person, other) for other in kept.values()):
            kept[k] = person
    return kept


def _same(one: tuple[Tensor, _Seen, bool], other: tuple[Tensor, _Seen, bool]) -> bool:
    """Return whether two boxes show the same person: they overlap, or their keypoints agree."""
    if float(_overlap(one[0], other[0])) > OVERLAP:
        return True
    both = (one[1].logits > SEEN) & (other[1].logits > SEEN)
    if both.sum() < 3:
        return False
    size = min(float((box[2:] - box[:2]).max()) for box in (one[0], other[0]))
    apart = (one[1].points - other[1].points)[both].norm(dim=-1).median()
    return float(apart) < NEAR * size


def _overlap(boxes: Float[Tensor, "*n 4"], box: Float[Tensor, " 4"]) -> Float[Tensor, " *n"]:
    """Return the intersection over union of boxes with one box."""
    low, high = torch.maximum(boxes[..., :2], box[:2]), torch.minimum(boxes[..., 2:], box[2:])
    common = (high - low).clamp_min(0).prod(-1)
    area, own = (boxes[..., 2:] - boxes[..., :2]).prod(-1), (box[2:] - box[:2]).prod()
    return common / (area + own - common)
