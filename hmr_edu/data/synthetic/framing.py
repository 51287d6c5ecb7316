"""Crops as detectors and annotators give them, and the border of the picture they are cut from.

`draw_view` puts every whole person on the axis of a picture without an end. Real crops differ: the
box is tight, loose or shifted; the picture ends at the waist or the knees, and what the crop shows
beyond the picture is black, as `hmr_edu.crop` leaves it; the crop lies off the picture's axis.

Three frames. *Rays*: x = (X + tx) / (Z + tz), the picture with focal length 1; borders and boxes
are drawn here. *Crop*: [-1, 1] over the crop. *Camera*: metres. The labels are in the frame of a
camera that looks along the crop's ray (its centre), because a network that sees only the crop
cannot know where the picture's axis is (CLIFF, Li et al. 2022, section 3).
"""

from __future__ import annotations

from typing import NamedTuple, Protocol, runtime_checkable

import torch
from jaxtyping import Bool, Float, Int64
from torch import Tensor

from hmr_edu.body import BodyOutput
from hmr_edu.camera import axis_to_ray, perspective
from hmr_edu.crop import PADDING
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.picture_border import (
    LARGEST_MARGIN,
    NO_BORDER,
    around_box,
    box_inside,
    cutting_window,
    draw_kept,
    draw_margins,
)
from hmr_edu.data.synthetic.views import FARTHEST, NEAREST, PinholeView, ViewOptions

# How boxes are wrong: the share of each kind, and the range of the factor of their side.
BOXES = ((0.5, (0.95, 1.06)), (0.3, (1.06, 1.5)), (0.2, (0.75, 0.95)))
# Standard deviation of a box's centre, and its largest distance, in sides of the box.
SHIFT, FARTHEST_SHIFT = 0.05, 0.15
# Share of boxes around the keypoints; the others are around all that is seen of the body.
AROUND_KEYPOINTS = 0.35
# Share of crops without a box: all of the picture is the crop, as `hmr-edu demo` takes it.
NO_BOX = 0.05
# Share of people cut off by a box of which the picture goes on.
GOES_ON = 0.25
# Largest distance of a crop from the picture's axis, across and down, in focal lengths.
OFF_AXIS = (0.5, 0.3)
# Rounds in which the camera is moved until the crop has the place and focal length drawn for it.
ROUNDS = 3


@runtime_checkable
class FramingOptions(ViewOptions, Protocol):
    """The options of `SyntheticConfig` that say what boxes and pictures crops are cut from."""

    boxes: float
    cut_by_border: float
    near_border: float
    off_axis: float


class Framed(NamedTuple):
    """What the renderer draws and the labels say of people whose crops have been chosen.

    `drawn` are the bodies sheared along the ray, so that the pinhole of `view`, which looks along
    z, sees what the picture shows off its axis. `turn` takes points from the picture's frame into
    the frame of the labels. `window` are the picture's borders in the crop: left, top, right,
    bottom; infinite where the picture does not end. `ray` is the crop's direction in the picture's
    frame, of length 1. `position` takes points of the body into that frame, in metres.
    """

    drawn: BodyOutput
    view: PinholeView
    turn: Float[Tensor, "batch 3 3"]
    window: Float[Tensor, "batch 4"]
    ray: Float[Tensor, "batch 3"]
    position: Float[Tensor, "batch 3"]

    @classmethod
    def of(cls, output: BodyOutput, view: PinholeView) -> Framed:
        """Return people as `draw_view` sees them: on the axis of a picture without an end."""
        n = len(view.focal)
        return cls(
            output,
            view,
            torch.eye(3).repeat(n, 1, 1),
            view.focal.new_tensor(NO_BORDER).repeat(n, 1),
            view.focal.new_tensor((0.0, 0.0, 1.0)).repeat(n, 1),
            view.translation,
        )


def is_framed(options: FramingOptions) -> bool:
    """Return whether any option asks for other crops than those of `draw_view`."""
    return any((options.boxes, options.cut_by_border, options.near_border, options.off_axis))


def mesh_edges(faces: Int64[Tensor, "F 3"]) -> Int64[Tensor, "E 2"]:
    """Return the edges of a mesh, each once."""
    edges = torch.cat([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    return edges.sort(1).values.unique(dim=0)


def frame_people(
    output: BodyOutput,
    view: PinholeView,
    edges: Int64[Tensor, "E 2"],
    options: FramingOptions,
    seed: int,
) -> Framed:
    """Draw which people are framed anew, and how; the others keep their view.

    Args:
        output: the posed bodies, with vertices.
        view: from `draw_view`.
        edges: of the mesh, to find where a border cuts it.
        options: how often each kind of framing happens.
        seed: of the random numbers, which are the same whatever the options.
    """
    draws = Draws(len(view.focal), seed)
    boxed, cut = draws.chance(options.boxes), draws.chance(options.cut_by_border)
    near, off_axis = draws.chance(options.near_border), draws.chance(options.off_axis)
    plan = _Plan.draw(draws, (boxed, cut, near, off_axis), options)
    framed = Framed.of(output, view)
    rows = (boxed | cut | near | off_axis).nonzero()[:, 0]
    if not len(rows):
        return framed
    plan = _Plan(*(values[rows] for values in plan))
    again = _frame(rows_of(output, rows), view.translation[rows], edges, plan)

    def replaced(old: Tensor, new: Tensor) -> Tensor:
        return old.index_copy(0, rows, new)

    assert output.vertices is not None
    assert again.drawn.vertices is not None
    return Framed(
        BodyOutput(
            replaced(output.vertices, again.drawn.vertices),
            *(replaced(*pair) for pair in zip(output[1:], again.drawn[1:], strict=True)),
        ),
        PinholeView(*(replaced(*pair) for pair in zip(view, again.view, strict=True))),
        *(replaced(*pair) for pair in zip(framed[2:], again[2:], strict=True)),
    )


def rows_of(output: BodyOutput, rows: Int64[Tensor, " rows"]) -> BodyOutput:
    """Return the chosen bodies."""
    vertices = None if output.vertices is None else output.vertices[rows]
    return BodyOutput(vertices, *(values[rows] for values in output[1:]))


def sheared(
    output: BodyOutput, position: Float[Tensor, "batch 3"], centre: Float[Tensor, "batch 2"]
) -> tuple[BodyOutput, Float[Tensor, "batch 3"]]:
    """Shear bodies along a ray; return them and the translation for a pinhole that looks along z.

    That pinhole sees f ((X + x) / (Z + z) - centre): what a picture shows around its point
    `centre`, which is off its axis. The shear is about the root joint and part of its rotation, so
    that clothes, which follow the joints, are sheared as well.

    Args:
        output: the bodies.
        position: of the bodies before the picture's camera, metres.
        centre: place in the picture, in focal lengths.
    """
    shear = torch.eye(3).repeat(len(centre), 1, 1)
    shear[:, :2, 2] = -centre
    root = output.joints[:, :1]
    rotations = torch.cat([(shear @ output.rotations[:, 0])[:, None], output.rotations[:, 1:]], 1)

    def shear_points(points: Float[Tensor, "batch N 3"]) -> Float[Tensor, "batch N 3"]:
        return (points - root) @ shear.mT + root

    assert output.vertices is not None
    drawn = BodyOutput(
        *map(shear_points, (output.vertices, output.joints, output.keypoints)), rotations
    )
    middle = root[:, 0] + position
    return drawn, (shear @ middle[..., None])[..., 0] - root[:, 0]


class _Plan(NamedTuple):
    """What has been drawn for each person."""

    cut: Bool[Tensor, " batch"]
    ends: Bool[Tensor, " batch"]
    around_keypoints: Bool[Tensor, " batch"]
    no_box: Bool[Tensor, " batch"]
    kept: Float[Tensor, "batch 4"]
    margin: Float[Tensor, "batch 4"]
    side: Float[Tensor, " batch"]
    shift: Float[Tensor, "batch 2"]
    focal: Float[Tensor, " batch"]
    centre: Float[Tensor, "batch 2"]

    @classmethod
    def draw(
        cls,
        draws: Draws,
        kinds: tuple[Bool[Tensor, " batch"], ...],
        options: FramingOptions,
    ) -> _Plan:
        boxed, cut, near, off_axis = kinds
        goes_on, around_keypoints = draws.chance(GOES_ON), draws.chance(AROUND_KEYPOINTS)
        kept, margin = draw_kept(draws), draw_margins(draws)
        ranges = torch.tensor([limits for _, limits in BOXES])
        low, high = ranges[draws.choice([share for share, _ in BOXES])].unbind(1)
        side = PADDING * (low + (high - low) * draws.uniform(0.0, 1.0))
        shift = (SHIFT * draws.normal(2)).clamp(-FARTHEST_SHIFT, FARTHEST_SHIFT)
        # Without a box of a detector: the size and place that `draw_view` would draw.
        small, large = options.fill
        own_side = 1 / (small + (large - small) * draws.uniform(0.0, 1.0))
        own_shift = options.shift / 2 * own_side[:, None] * draws.uniform(-1.0, 1.0, 2)
        low_inverse, high_inverse = options.inverse_focal
        inverse = low_inverse + (high_inverse - low_inverse) * draws.uniform(0.0, 1.0)
        centre = draws.uniform(-1.0, 1.0, 2) * torch.tensor(OFF_AXIS)
        no_box = draws.chance(NO_BOX) & boxed
        margin = torch.where(no_box[:, None], margin.clamp_max(LARGEST_MARGIN), margin)
        return cls(
            cut=cut,
            ends=torch.where(cut, ~goes_on, near) | no_box,
            around_keypoints=around_keypoints & boxed,
            no_box=no_box,
            kept=kept,
            margin=margin,
            side=torch.where(boxed, side, own_side),
            shift=torch.where(boxed[:, None], shift, own_shift),
            focal=1 / inverse.clamp_min(FARTHEST),
            centre=torch.where(off_axis[:, None], centre, 0.0),
        )


class _Crop(NamedTuple):
    """A crop in the frame of rays, and the picture's borders there."""

    centre: Float[Tensor, "batch 2"]
    half: Float[Tensor, " batch"]
    window: Float[Tensor, "batch 4"]


def _crop(
    rays: Float[Tensor, "batch V 2"],
    key_rays: Float[Tensor, "batch 19 2"],
    edges: Int64[Tensor, "E 2"],
    plan: _Plan,
) -> _Crop:
    everything = rays.new_tensor(NO_BORDER)
    window = torch.where(plan.cut[:, None], cutting_window(key_rays, plan.kept), everything)
    of_keypoints = box_inside(key_rays, edges[:0], window)
    box = box_inside(rays, edges, window)
    box = torch.where(plan.around_keypoints[:, None], of_keypoints, box)
    longer = (box[:, 2:] - box[:, :2]).amax(1)
    centre = (box[:, :2] + box[:, 2:]) / 2 + plan.shift * longer[:, None]
    window = around_box(window, box, plan.margin)
    window = torch.where(plan.ends[:, None], window, everything)
    half = plan.side * longer / 2
    whole = plan.no_box & window.isfinite().all(1)
    low, high = window.split(2, dim=1)
    centre = torch.where(whole[:, None], (low + high) / 2, centre)
    return _Crop(centre, torch.where(whole, (high - low).amax(1) / 2, half), window)


def _frame(
    output: BodyOutput,
    position: Float[Tensor, "batch 3"],
    edges: Int64[Tensor, "E 2"],
    plan: _Plan,
) -> Framed:
    vertices, keypoints, one = output.vertices, output.keypoints, torch.ones(len(position))
    assert vertices is not None
    nearest = NEAREST - keypoints[..., 2].amin(1)
    for _ in range(ROUNDS):
        rays, key_rays = (perspective(p, position, one) for p in (vertices, keypoints))
        # Without edges: nearly the same, in a fraction of the time.
        centre, half, _ = _crop(rays, key_rays, edges[:0], plan)
        # As large as now, in metres, through the focal length that was drawn.
        distance = torch.maximum(plan.focal * half * position[:, 2], nearest)[:, None]
        middle = centre * position[:, 2:] - position[:, :2]
        position = torch.cat([plan.centre * distance - middle, distance], 1)
    rays, key_rays = (perspective(p, position, one) for p in (vertices, keypoints))
    centre, half, window = _crop(rays, key_rays, edges, plan)
    drawn, translation = sheared(output, position, centre)
    keypoints2d = (key_rays - centre[:, None]) / half[:, None, None]
    ray = torch.nn.functional.normalize(torch.cat([centre, one[:, None]], 1), dim=1)
    return Framed(
        drawn,
        PinholeView(translation, 1 / half, keypoints2d),
        axis_to_ray(centre).mT,
        (window - centre.repeat(1, 2)) / half[:, None],
        ray,
        position,
    )
