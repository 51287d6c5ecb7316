"""Synthetic people: bodies from a pose source, seen by a camera, dressed and photographed.

`prepare` poses and rasterises on the CPU, in worker processes if there are any. `finish` dresses
and lights on the training device. Everything about batch `index` depends only on (seed, index), so
a run can be interrupted, resumed, or divided among workers and processes without changing a pixel.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass, field, replace
from typing import Annotated, Protocol, runtime_checkable

import numpy as np
import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hmr_edu.body import SMPL, BodyOutput
from hmr_edu.body.wardrobe import Wardrobe, load_wardrobe
from hmr_edu.data.batch import Batch, SurfacePoints, TensorDataclass
from hmr_edu.data.render.body_pixels import BodyPixels
from hmr_edu.data.render.renderer import GBuffer, Renderer
from hmr_edu.data.source import batch_seed
from hmr_edu.data.synthetic.appearance import Appearance
from hmr_edu.data.synthetic.dressed.dresser import Dresser
from hmr_edu.data.synthetic.framing import Framed, frame_people, is_framed, mesh_edges
from hmr_edu.data.synthetic.neighbours import Neighbours, draw_neighbours, step_behind
from hmr_edu.data.synthetic.options import LARGEST, AppearanceConfig
from hmr_edu.data.synthetic.picture_border import coverage, inside
from hmr_edu.data.synthetic.support import Support, support_of
from hmr_edu.data.synthetic.surface_points import draw_surface_points
from hmr_edu.data.synthetic.views import PinholeView, draw_turns, draw_view, draw_viewpoints
from hmr_edu.io.precision import float32_by_default
from hmr_edu.io.ranges import Probability, Range
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle, nearest_rotation

# Each of these has random numbers of its own, so that one changes nothing of the others.
TURNS, FRAMING, NEIGHBOURS, DRESSING, NEIGHBOURS_DRESSING, SUPPORT = range(1, 7)


@runtime_checkable
class PoseSource(Protocol):
    """Anything that can draw poses: the shipped prior, a mocap file, a fixed list."""

    def sample(self, n: int, generator: torch.Generator) -> Float[Tensor, "n 72"]:
        """Draw poses in axis-angle radians, Y up, root included."""
        ...


@dataclass
class SyntheticConfig:
    """How the synthetic people are photographed."""

    # Pixels along each side of a picture.
    image_size: Annotated[int, Range(1, LARGEST)] = 224
    # Pictures in a batch.
    batch_size: Annotated[int, Range(1, 65_536)] = 64
    # Smallest and largest share of the crop's side that the person fills.
    fill: Annotated[tuple[float, float], Range(0.01, 100, ordered=True)] = (0.7, 1.0)
    # Largest distance of the person's centre from the crop's, in half-crops.
    shift: Annotated[float, Range(0, 100)] = 0.1
    # Share of crops that show only the upper part of the person.
    cut: Probability = 0.0
    # Standard deviation of the camera's pitch (up and down), in degrees.
    pitch: Annotated[float, Range(0, 360)] = 10.0
    # Standard deviation of the camera's roll (sideways tilt), in degrees.
    roll: Annotated[float, Range(0, 360)] = 5.0
    # Smallest and largest 1 / focal length, in half-crops: 0 is weak perspective, 0.5 is a wide
    # angle close to the person.
    inverse_focal: Annotated[tuple[float, float], Range(0, 100, ordered=True)] = (0.02, 0.4)
    # Standard deviation of the shape coefficients (betas).
    betas: Annotated[float, Range(0, 100)] = 1.0
    # Points of each person's surface with known places (dense correspondences): what `--loss.dense`
    # learns from.
    dense: Annotated[int, Range(0, 10_000)] = 0
    # Share of people turned by any angle in the picture's plane, upside down too.
    turned: Probability = 0.0
    # Share of crops around boxes as detectors and annotators give them: tight, loose, shifted.
    boxes: Probability = 0.0
    # Share of people whom the border of their picture cuts off: at the knees or the waist, below
    # the shoulders, above the legs, at one side. Beyond the border the crop is black.
    cut_by_border: Probability = 0.0
    # Share of people, not cut off, who are near the border of their picture.
    near_border: Probability = 0.0
    # Share of crops that lie away from the optical axis of their picture.
    off_axis: Probability = 0.0
    # Share of pictures with one or two people of the same size beside, in front of or behind the
    # person, who is in the middle.
    neighbours: Probability = 0.0
    # Clothes, light, background, occlusion and camera effects.
    appearance: AppearanceConfig = field(default_factory=AppearanceConfig)


@dataclass
class Scene(TensorDataclass):
    """A posed, rasterised batch without its appearance. `focal` is in half-crops."""

    pixels: BodyPixels
    seed: int
    keypoints2d: Float[Tensor, "batch 19 2"]
    keypoints3d: Float[Tensor, "batch 19 3"]
    rotations: Float[Tensor, "batch 24 3 3"]
    betas: Float[Tensor, "batch 10"]
    camera: Float[Tensor, "batch 3"]
    focal: Float[Tensor, " batch"]
    dense: SurfacePoints | None = None
    window: Float[Tensor, "batch 4"] | None = None
    ray: Float[Tensor, "batch 3"] | None = None
    neighbours: Neighbours | None = None
    whole: Int64[Tensor, " people"] | None = None
    support: Support = field(default_factory=Support)


class SyntheticPeople:
    """An endless stream of labelled pictures; `people[index]` is batch number `index`.

    Args:
        body: the body model.
        poses: where poses come from.
        config: how the people are photographed.
        seed: random seed of the stream.
        wardrobe: what dressed people wear, instead of the shipped one.
    """

    @float32_by_default
    def __init__(
        self,
        body: SMPL,
        poses: PoseSource,
        config: SyntheticConfig,
        seed: int = 0,
        wardrobe: Wardrobe | None = None,
    ) -> None:
        if body.v_template.dtype != torch.float32:
            body = deepcopy(body).float()
        self.body, self.poses, self.config, self.seed = body, poses, config, seed
        self.renderer = Renderer(
            body.faces.numpy(),
            body.v_template.numpy(),
            body.weights.argmax(1).numpy().astype(np.uint8),
        )
        self.dresser: Dresser | None = None
        if config.appearance.dressed:
            wardrobe = wardrobe or load_wardrobe()
            look = config.appearance
            self.dresser = Dresser(body, wardrobe, look.dressed, self.renderer, look.dress)
        self.appearance = Appearance(body, config.appearance, wardrobe)
        self._edges = mesh_edges(body.faces)

    @property
    def batch_size(self) -> int:
        """Pictures in a batch."""
        return self.config.batch_size

    @property
    def image_size(self) -> int:
        """Pixels along each side of a picture."""
        return self.config.image_size

    def __getitem__(self, index: int) -> Batch:
        return self.finish(self.prepare(index))

    @torch.no_grad()
    @float32_by_default
    def prepare(self, index: int) -> Scene:
        """Draw, pose, place and rasterise batch number `index`, on the CPU."""
        c, n = self.config, self.config.batch_size
        seed = batch_seed(self.seed, index)
        g = torch.Generator().manual_seed(seed)
        betas = c.betas * torch.randn(n, 10, generator=g)
        rotations = axis_angle_to_matrix(self.poses.sample(n, g).view(n, 24, 3))
        pitch, roll = torch.full((n,), float(c.pitch)), torch.full((n,), float(c.roll))
        world = draw_viewpoints(pitch, roll, g)
        rotations[:, 0] = world @ rotations[:, 0]
        if c.turned:
            turn = draw_turns(n, c.turned, batch_seed(seed, TURNS))
            rotations[:, 0], world = turn @ rotations[:, 0], turn @ world
        output = self.body(betas, rotations)
        view = draw_view(output.keypoints, c, g)
        framed = Framed.of(output, view)
        if is_framed(c):
            framed = frame_people(output, view, self._edges, c, batch_seed(seed, FRAMING))
        view = framed.view
        dense = None
        if c.dense:
            # Numbers of their own, so that the people stay the same.
            own = torch.Generator().manual_seed(batch_seed(seed, 0))
            rest, faces, vertices = self.body.v_template, self.body.faces, framed.drawn.vertices
            assert vertices is not None
            bare = self._bare(framed.drawn, view)
            dense = draw_surface_points(vertices, rest, faces, view, bare, c.dense, own)
        keypoints = output.keypoints
        if is_framed(c):
            root = output.joints[:, :1]  # what a root rotation turns about
            keypoints = (keypoints - root) @ framed.turn.mT + root
            rotations = torch.cat([(framed.turn @ rotations[:, 0])[:, None], rotations[:, 1:]], 1)
        pixels = self._draw(framed.drawn, betas, view, batch_seed(seed, DRESSING))
        support = support_of(world, output, framed, c.appearance.places, batch_seed(seed, SUPPORT))
        return Scene(
            pixels=pixels,
            seed=seed,
            keypoints2d=view.keypoints2d,
            keypoints3d=keypoints,
            rotations=rotations,
            betas=betas,
            camera=view.weak_camera(keypoints),
            focal=view.focal,
            dense=dense,
            window=framed.window if is_framed(c) else None,
            ray=framed.ray if is_framed(c) else None,
            neighbours=self._neighbours(output, betas, framed, pixels, seed),
            whole=_whole(pixels) if is_framed(c) else None,
            support=support,
        )

    def _bare(self, body: BodyOutput, view: PinholeView) -> GBuffer:
        """Draw the bodies without anything on them."""
        assert body.vertices is not None
        size = self.config.image_size
        return self.renderer(body.vertices, size, translation=view.translation, focal=view.focal)

    def _draw(
        self, body: BodyOutput, betas: Float[Tensor, "n 10"], view: PinholeView, seed: int
    ) -> BodyPixels:
        """Draw the bodies; `seed` decides who is dressed, and how."""
        if self.dresser is None:
            return BodyPixels.of(self._bare(body, view))
        return BodyPixels.of(*self.dresser(body, betas, view, self.config.image_size, seed))

    def _neighbours(
        self,
        output: BodyOutput,
        betas: Float[Tensor, "n 10"],
        framed: Framed,
        person: BodyPixels,
        seed: int,
    ) -> Neighbours | None:
        share, own = self.config.neighbours, batch_seed(seed, NEIGHBOURS)
        beside = draw_neighbours(output, framed, share, own) if share else None
        if beside is None:
            return None
        clothes = batch_seed(seed, NEIGHBOURS_DRESSING)
        pixels = self._draw(beside.drawn, betas[beside.others], beside.view, clothes)
        return step_behind(Neighbours(pixels, beside.rows, beside.layer), person)

    @torch.no_grad()
    @float32_by_default
    def finish(self, scene: Scene, device: torch.device | str = "cpu") -> Batch:
        """Dress, light and photograph a scene on `device`."""
        # Random numbers come from the CPU on any device, so pictures are the same everywhere.
        generator = torch.Generator().manual_seed(scene.seed)
        scene = scene.to(device)
        shaded = self.appearance(
            scene.pixels, generator, scene.neighbours, scene.whole, scene.support
        )
        images, occluded = shaded.images, shaded.occluded
        parts = scene.pixels.plane(scene.pixels.part)
        shown = (scene.keypoints2d.abs() <= 1).all(-1)
        if scene.window is not None:
            in_picture = coverage(scene.window, scene.pixels.size)
            images = images * in_picture[:, None]
            beyond = in_picture < 0.5
            occluded, parts = occluded | beyond, parts * ~beyond
            shown &= inside(scene.keypoints2d, scene.window)
        everywhere = torch.ones(len(shown), dtype=torch.bool, device=shown.device)
        dense = scene.dense
        if dense is not None:
            seen = ~_at_pixels(occluded, dense.places)
            dense = replace(dense, confidence=dense.confidence * seen)
        return Batch(
            images=images,
            keypoints2d=scene.keypoints2d,
            visible=(shown & ~_at_pixels(occluded, scene.keypoints2d)).float(),
            keypoints3d=scene.keypoints3d,
            rotations=scene.rotations,
            betas=scene.betas,
            camera=scene.camera,
            parts=parts,
            has_3d=everywhere,
            has_theta=everywhere,
            has_parts=everywhere,
            dense=dense,
            ray=scene.ray,
        )

    @float32_by_default
    def mean_theta(self, batches: int = 16) -> Float[Tensor, "85"]:
        """Return the mean camera, pose and shape of the stream: the start of the regression.

        The pose is the mean rotation of each joint. The root faces the camera: a rotation of pi
        about x.
        """
        g = torch.Generator().manual_seed(batch_seed(self.seed, 2**31))
        pose = mean_pose(self.poses, batches * self.config.batch_size, g)
        camera = torch.cat([self.prepare(2**31 + k).camera for k in range(batches)]).mean(0)
        return torch.cat([camera, pose, torch.zeros(10)])


def mean_pose(poses: PoseSource, n: int, generator: torch.Generator) -> Float[Tensor, "72"]:
    """Return the mean rotation of each joint over `n` draws; the root faces the camera."""
    R = nearest_rotation(axis_angle_to_matrix(poses.sample(n, generator).view(n, 24, 3)).mean(0))
    R[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    return matrix_to_axis_angle(R).flatten()


def _whole(pixels: BodyPixels) -> Int64[Tensor, " people"]:
    """Return the pictures at whose border nobody is cut off."""
    row, column = pixels.index // pixels.size % pixels.size, pixels.index % pixels.size
    last = pixels.size - 1
    cut = (row == 0) | (row == last) | (column == 0) | (column == last)
    return (torch.bincount(pixels.sample[cut], minlength=pixels.batch) == 0).nonzero()[:, 0]


def _at_pixels(mask: Tensor, points: Float[Tensor, "batch N 2"]) -> Tensor:
    """Read a mask at points (crop coordinates); points outside get the value at the border."""
    size = mask.shape[-1]
    pixel = ((points + 1) * size / 2).long().clamp(0, size - 1)
    rows = torch.arange(len(mask), device=mask.device)[:, None]
    return mask[rows, pixel[..., 1], pixel[..., 0]]
