"""Data augmentation of photographs: other crops of the same people, turned, mirrored, repainted.

The geometry is drawn first and the person is then cut out of the photograph once, so that no pixel
is resampled twice without need, and nothing that the photograph shows is lost at the crop's edge.
The labels follow exactly. What changes only the colours is done later, on the training device.

Every person of every batch has random numbers of its own, so a batch can be shared among processes
without a change.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Annotated, NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, UInt8
from torch import Tensor

from hmr_edu.camera import CropBox
from hmr_edu.crop import PADDING, crop_image
from hmr_edu.data.synthetic.camera_effects import blur, blur_kernels, colour
from hmr_edu.data.synthetic.draws import Draws, send
from hmr_edu.data.synthetic.occlusion import occluders
from hmr_edu.io.ranges import NotNegative, Probability, Range
from hmr_edu.keypoints import COCOPLUS, COCOPLUS_FLIP, flip_keypoints, flip_pose
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle

# A normal draw is cut off at this many standard deviations, as SPIN's are.
SPREADS = 2.0
# Parts of the body of which a crop may show no more: down to the hips, or head and shoulders.
HIPS_UP = tuple(k for k, name in enumerate(COCOPLUS) if "knee" not in name and "ankle" not in name)
HEAD = tuple(
    COCOPLUS.index(name)
    for name in ("right_shoulder", "left_shoulder", "neck", "head_top", *COCOPLUS[14:])
)
# Keypoints that must be known of a part that a crop is cut to, and its smallest share of the crop.
LEAST, SMALLEST = 4, 0.2


@dataclass
class AugmentConfig:
    """How crops of photographs vary; the defaults change nothing."""

    # Smallest and largest size of a person, relative to the data set's own box.
    scale: Annotated[tuple[float, float], Range(0.05, 20, ordered=True)] = (1.0, 1.0)
    # Standard deviation of the size around 1, cut off at `scale`; 0 draws it evenly.
    scale_spread: Annotated[float, Range(0, 20)] = 0.0
    # Largest shift of the crop to each side, in half-crops.
    shift: Annotated[float, Range(0, 1)] = 0.0
    # Standard deviation of the turn in the picture's plane, in degrees; at most twice as much.
    rotation: Annotated[float, Range(0, 180)] = 0.0
    # Share of people who are turned.
    rotated: Probability = 1.0
    # Share of people who are mirrored.
    flip: Probability = 0.0
    # Share of crops that show a person only down to the hips, or head and shoulders.
    cut: Probability = 0.0
    # Largest change of each colour channel: factors in [1 - channels, 1 + channels].
    channels: Annotated[float, Range(0, 1)] = 0.0
    # Strength of changes of exposure, contrast, white balance and saturation; 0 for none.
    colour: NotNegative = 0.0
    # Share of pictures that become grey.
    grey: Probability = 0.0
    # Share of pictures with an object in front of the person. Its keypoints stay labelled.
    occlusion: Probability = 0.0
    # Share of pictures that are blurred by a motion.
    motion_blur: Probability = 0.0


# Settings of public training code, and one with everything.
AUGMENTATIONS: dict[str, AugmentConfig] = {
    "none": AugmentConfig(),
    # akanazawa/hmr, src/data_loader.py and src/config.py: 20 of 224 pixels are 0.179 half-crops.
    "hmr": AugmentConfig(scale=(0.8, 1.23), shift=20 / 112, flip=0.5),
    # nkolot/SPIN, utils/train_options.py and datasets/base_dataset.py. It draws the crop's side,
    # 0.75 to 1.25, where the person's size is drawn here.
    "spin": AugmentConfig(
        scale=(1 / 1.25, 1 / 0.75),
        scale_spread=0.25,
        rotation=30.0,
        rotated=0.4,
        flip=0.5,
        channels=0.4,
    ),
    "strong": AugmentConfig(
        scale=(0.7, 1.3),
        shift=0.15,
        rotation=20.0,
        rotated=0.5,
        flip=0.5,
        cut=0.15,
        colour=1.0,
        grey=0.05,
        occlusion=0.3,
        motion_blur=0.15,
    ),
}


class Placement(NamedTuple):
    """How a person is cut out: the box, then a turn (radians, clockwise), then a mirror."""

    box: CropBox
    angle: float = 0.0
    mirrored: bool = False


def draw_placement(
    crop: CropBox,
    keypoints2d: Float[Tensor, "19 2"],
    visible: Float[Tensor, " 19"],
    config: AugmentConfig,
    generator: torch.Generator,
) -> Placement:
    """Draw how one person is cut out.

    Args:
        crop: the data set's own crop, in pixels.
        keypoints2d: in pixels.
        visible: positive where a keypoint is known.
        config: how crops vary.
        generator: random numbers; the same number of them is used for everybody.
    """
    u = torch.rand(8, generator=generator).tolist()
    z_scale, z_turn = torch.randn(2, generator=generator).clamp(-SPREADS, SPREADS).tolist()
    if u[0] < config.cut:
        crop = _part(crop, keypoints2d, visible, HEAD if u[1] < 0.3 else HIPS_UP)
    low, high = config.scale
    if config.scale_spread:
        scale = min(high, max(low, 1 + config.scale_spread * z_scale))
    else:
        scale = low + (high - low) * u[2]
    side = crop.size / scale
    x = crop.x - config.shift * (2 * u[3] - 1) * side / 2
    y = crop.y - config.shift * (2 * u[4] - 1) * side / 2
    angle = math.radians(config.rotation * z_turn) if u[5] < config.rotated else 0.0
    return Placement(CropBox(x, y, side), angle, u[6] < config.flip)


def _part(crop: CropBox, keypoints2d: Tensor, visible: Tensor, part: Sequence[int]) -> CropBox:
    """Return the crop around a part of the body; the whole one where too little is known of it."""
    known = [k for k in part if visible[k] > 0]
    if len(known) < LEAST:
        return crop
    points = keypoints2d[known]
    low, high = points.amin(0), points.amax(0)
    x, y = ((low + high) / 2).tolist()
    side = PADDING * float((high - low).max())
    return CropBox(x, y, side) if SMALLEST * crop.size < side < crop.size else crop


def cut_out(
    photo: UInt8[np.ndarray, "height width 3"], placement: Placement, size: int
) -> UInt8[Tensor, "3 size size"]:
    """Cut a person out of a photograph. Raises ValueError when the box does not touch it."""
    box, angle, mirrored = placement
    if angle:
        # A larger crop holds the corners of the turned one.
        reach = abs(math.cos(angle)) + abs(math.sin(angle))
        wide = math.ceil(size * reach)
        around = CropBox(box.x, box.y, box.size * wide / size)
        pixels = torch.from_numpy(crop_image(photo, around, wide)).permute(2, 0, 1)
        cos, sin = math.cos(angle) * size / wide, math.sin(angle) * size / wide
        # A place of the result lies, before the turn, at its place turned back.
        turn = torch.tensor([[[cos, sin, 0.0], [-sin, cos, 0.0]]])
        places = torch.nn.functional.affine_grid(turn, [1, 3, size, size], align_corners=False)
        turned = torch.nn.functional.grid_sample(
            pixels[None].float(), places, padding_mode="border", align_corners=False
        )
        pixels = turned[0].round().clamp(0, 255).byte()
    else:
        pixels = torch.from_numpy(crop_image(photo, box, size)).permute(2, 0, 1)
    return pixels.flip(2) if mirrored else pixels


def place_points(
    points: Float[Tensor, "points 2"], placement: Placement
) -> Float[Tensor, "points 2"]:
    """Convert points of the photograph, in pixels, into the coordinates of a person's crop."""
    box, angle, mirrored = placement
    cos, sin = math.cos(angle), math.sin(angle)
    turned = box.to_crop(points) @ points.new_tensor([[cos, sin], [-sin, cos]])
    return turned * turned.new_tensor((-1.0 if mirrored else 1.0, 1.0))


class Labels(NamedTuple):
    """The labels of placed people: crop coordinates, and the frame of a camera that looks at it."""

    keypoints2d: Float[Tensor, "batch 19 2"]
    visible: Float[Tensor, "batch 19"]
    keypoints3d: Float[Tensor, "batch 19 3"]
    pose: Float[Tensor, "batch 72"]


def place_labels(labels: Labels, placements: Sequence[Placement]) -> Labels:
    """Turn and mirror labels as the pictures: keypoints from pixels, the rest in the camera frame.

    NaN, which marks what is unknown, stays NaN. Betas do not change: a mirrored person has the same
    build, because bodies are symmetric.
    """
    keypoints2d, visible, keypoints3d, pose = labels
    keypoints2d = torch.stack(
        [place_points(points, place) for place, points in zip(placements, keypoints2d, strict=True)]
    )
    angle = keypoints2d.new_tensor([place.angle for place in placements])
    about_z = torch.stack([torch.zeros_like(angle), torch.zeros_like(angle), angle], 1)
    turn = axis_angle_to_matrix(about_z)
    keypoints3d = torch.einsum("bij,bkj->bki", turn, keypoints3d)
    turned = (angle != 0) & pose[:, :3].isfinite().all(1)
    if turned.any():
        root = turn[turned] @ axis_angle_to_matrix(pose[turned, :3])
        pose = pose.clone()
        pose[turned, :3] = matrix_to_axis_angle(root)
    mirrored = torch.tensor([place.mirrored for place in placements])
    return Labels(
        _where(mirrored, keypoints2d[:, COCOPLUS_FLIP], keypoints2d),
        _where(mirrored, visible[:, COCOPLUS_FLIP], visible),
        _where(mirrored, flip_keypoints(keypoints3d), keypoints3d),
        _where(mirrored, flip_pose(pose), pose),
    )


def _where(rows: Bool[Tensor, " batch"], yes: Tensor, no: Tensor) -> Tensor:
    return torch.where(rows.view(-1, *[1] * (no.ndim - 1)), yes, no)


class OwnDraws(Draws):
    """Draws of which every sample has its own seed, whoever else is in the batch."""

    def __init__(self, seeds: Sequence[int], device: torch.device | str = "cpu") -> None:
        self.batch, self.device = len(seeds), torch.device(device)
        self._generators = [torch.Generator().manual_seed(seed) for seed in seeds]

    def uniform(self, low: float, high: float, *shape: int) -> Float[Tensor, "batch ..."]:
        """Draw numbers in [low, high), of shape [batch, *shape]."""
        rows = [torch.rand(shape, generator=g) for g in self._generators]
        drawn = torch.stack(rows) if rows else torch.empty(0, *shape)
        return send(low + (high - low) * drawn, self.device)

    def some(self, probability: float) -> tuple[Tensor, OwnDraws]:
        """Choose the samples that get an ingredient; return their rows, and draws for these."""
        rows = (self.uniform(0.0, 1.0) < probability).nonzero()[:, 0]
        chosen = OwnDraws([], self.device)
        chosen.batch = len(rows)
        chosen._generators = [self._generators[row] for row in rows.tolist()]
        return rows, chosen


def repaint(
    images: Float[Tensor, "batch 3 H W"], config: AugmentConfig, draws: Draws
) -> Float[Tensor, "batch 3 H W"]:
    """Change colours, put objects in front, and blur; pictures in [0, 1] on any device."""
    size = images.shape[-1]
    if config.occlusion:
        rows, some = draws.some(config.occlusion)
        if len(rows):
            opacity = occluders(some, size, 1.0)[:, None]
            paint = some.uniform(0.0, 1.0, 3, 1, 1)
            images = images.index_copy(0, rows, torch.lerp(images[rows], paint, opacity))
    if config.motion_blur:
        rows, some = draws.some(config.motion_blur)
        if len(rows):
            kernels = blur_kernels(some, size, 1.0, motion=1.0)
            images = images.index_copy(0, rows, blur(images[rows], kernels))
    if config.channels:
        images = images * draws.uniform(1 - config.channels, 1 + config.channels, 3, 1, 1)
    if config.colour or config.grey:
        images = colour(images, draws, config.colour, config.grey)
    return images.clamp(0, 1)
