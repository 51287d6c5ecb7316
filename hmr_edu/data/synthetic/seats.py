"""Something to sit on: a stool, chair, bench or block under people whose pose sits.

A seat is made of boxes, painted behind the person. What a person who sits hides of a chair, the
chair would hide of nobody but those who turn their back to the camera; they get no back rest.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hmr_edu.body import BodyOutput
from hmr_edu.data.batch import TensorDataclass
from hmr_edu.data.synthetic.draws import Draws, send
from hmr_edu.data.synthetic.framing import Framed
from hmr_edu.keypoints import SMPL_JOINTS

# Who sits: cosines of the largest angles of both thighs from level and of the trunk from upright,
# and the height of the seat over the ground in metres.
LEVEL_THIGH, UPRIGHT_TRUNK, HEIGHT = 0.64, 0.6, (0.22, 0.85)
# The seat is this far below the hips' joints, in metres; boxes this near the camera are left out.
BELOW_HIPS, NEAREST = 0.085, 0.25
# Of a seat: half of its width, how far it reaches behind and before the hips, thickness, in metres.
HALF_WIDTH, BEHIND, BEFORE, THICKNESS = (0.19, 0.7), (0.16, 0.3), (0.08, 0.4), (0.03, 0.12)
# Share of blocks without legs, of seats with a back rest; its height and thickness in metres.
BLOCK, BACK, BACK_HEIGHT, BACK_THICKNESS = 0.4, 0.5, (0.2, 0.6), (0.02, 0.12)
# Half of a leg's thickness in metres.
LEG = (0.012, 0.03)
# Light of a face: in the shade, and facing the lamp.
SHADE, LIT = 0.45, 1.1
# Corners of a face, going round.
ROUND = ((-1.0, -1.0), (-1.0, 1.0), (1.0, 1.0), (1.0, -1.0))


@dataclass
class Seats(TensorDataclass):
    """Where people of a batch sit, in the camera's frame, in metres.

    `rows` are the people. `origin` is the place under the hips at the seat's height, `height` that
    over the ground. `axes` has the seat's right, up and forward in its rows. `centre` and `focal`
    are those of the crop, as in `floors.ground_under`.
    """

    rows: Int64[Tensor, " people"]
    origin: Float[Tensor, "people 3"]
    axes: Float[Tensor, "people 3 3"]
    height: Float[Tensor, " people"]
    centre: Float[Tensor, "people 2"]
    focal: Float[Tensor, " people"]


def seats_of(
    world: Float[Tensor, "batch 3 3"], output: BodyOutput, framed: Framed, share: float, seed: int
) -> Seats:
    """Return where a share of the people who sit do so.

    Args:
        world: rotations from the world, Y up, to the camera.
        output: the bodies in the picture's frame, with vertices.
        framed: where they are, and their crops.
        share: of those who sit, how many get a seat.
        seed: decides who.
    """
    assert output.vertices is not None
    up = world[:, :, 1]
    pelvis, left, right, left_knee, right_knee, neck = (
        output.joints[:, SMPL_JOINTS.index(name)]
        for name in ("pelvis", "left_hip", "right_hip", "left_knee", "right_knee", "neck")
    )
    thighs = torch.nn.functional.normalize(
        torch.stack([left_knee - left, right_knee - right], 1), dim=2
    )
    trunk = torch.nn.functional.normalize(neck - pelvis, dim=1)
    hips = (left + right) / 2
    ground = (output.vertices * up[:, None]).sum(2).amin(1)
    height = (hips * up).sum(1) - BELOW_HIPS - ground
    forward = thighs.sum(1)
    forward = torch.nn.functional.normalize(
        forward - (forward * up).sum(1, keepdim=True) * up, dim=1
    )
    sits = ((thighs * up[:, None]).sum(2).abs() < LEVEL_THIGH).all(1)
    sits &= ((thighs * forward[:, None]).sum(2) > 0).all(1)
    sits &= (trunk * up).sum(1) > UPRIGHT_TRUNK
    sits &= (height > HEIGHT[0]) & (height < HEIGHT[1])
    sits &= torch.rand(len(up), generator=torch.Generator().manual_seed(seed)) < share
    rows = sits.nonzero()[:, 0]
    return Seats(
        rows=rows,
        origin=(hips + framed.position - BELOW_HIPS * up)[rows],
        axes=torch.stack([torch.linalg.cross(up, forward), up, forward], 1)[rows],
        height=height[rows],
        centre=(framed.ray[:, :2] / framed.ray[:, 2:])[rows],
        focal=framed.view.focal[rows],
    )


def paint(
    images: Float[Tensor, "batch 3 H W"],
    seats: Seats,
    textures: Float[Tensor, "people 3 H W"],
    draws: Draws,
) -> None:
    """Paint the seats into backgrounds, in place.

    Args:
        images: backgrounds.
        seats: where people sit.
        textures: what each seat's surface looks like, in part.
        draws: random numbers, one row for each seat.
    """
    faces, lights = _faces(seats, *_boxes(seats, draws), draws)
    size, tint = images.shape[-1], 1 + draws.uniform(-0.4, 0.4, 3)
    colour = (draws.uniform(0.1, 0.9, 1) * tint)[..., None, None].clamp(0, 1)
    surface = colour * torch.lerp(
        torch.ones_like(textures), 1.6 * textures, draws.uniform(0.0, 0.8, 1, 1, 1)
    )
    place = (torch.arange(size, device=images.device) + 0.5) * (2 / size) - 1
    picture = images[seats.rows]
    for corners, light in zip(faces.unbind(1), lights.unbind(1), strict=True):
        cover = _inside(corners, place) * (light > 0)[:, None, None]
        picture = torch.lerp(picture, surface * light[:, None, None, None], cover[:, None])
    images[seats.rows] = picture.clamp_(0, 1)


def _boxes(
    seats: Seats, draws: Draws
) -> tuple[Float[Tensor, "people boxes 3"], Float[Tensor, "people boxes 3"]]:
    """Draw the boxes of seats, those behind first; return middles and halves of their sides.

    They are in the seat's frame: right, up, forward. A box that a seat has not is flat.
    """
    height, none = seats.height, torch.zeros_like(seats.height)
    width, behind, before = (draws.uniform(*r) for r in (HALF_WIDTH, BEHIND, BEFORE))
    block = draws.chance(BLOCK)
    thick = torch.where(block, height, draws.uniform(*THICKNESS))
    leg = draws.uniform(*LEG) * ~block
    away = seats.axes[:, 2, 2] > 0  # those who turn their back to the camera
    rest = draws.uniform(*BACK_HEIGHT) / 2 * (draws.chance(BACK) & ~away)
    board = draws.uniform(*BACK_THICKNESS) / 2 * (rest > 0)
    middles = [torch.stack([none, rest, -behind - board], 1)]
    halves = [torch.stack([torch.where(rest > 0, width, 0.0), rest, board], 1)]
    for side in (-1, 1):
        for end in (-behind + leg, before - leg):
            middles.append(torch.stack([side * (width - leg), -(height + thick) / 2, end], 1))
            halves.append(torch.stack([leg, (height - thick) / 2 * ~block, leg], 1))
    middles.append(torch.stack([none, -thick / 2, (before - behind) / 2], 1))
    halves.append(torch.stack([width, thick / 2, (before + behind) / 2], 1))
    return torch.stack(middles, 1), torch.stack(halves, 1)


def _faces(
    seats: Seats,
    middles: Float[Tensor, "people boxes 3"],
    halves: Float[Tensor, "people boxes 3"],
    draws: Draws,
) -> tuple[Float[Tensor, "people faces 4 2"], Float[Tensor, "people faces"]]:
    """Return the faces that the camera sees, in the crop, and the light on each; 0 where none is.

    Of each two parallel faces of a box the camera sees one at most.
    """
    lamp = draws.normal(3) + draws.normal(3).new_tensor((0.0, 1.5, 0.0))  # in the seat's frame
    lamp = torch.nn.functional.normalize(lamp, dim=1)
    eye = -(seats.axes @ seats.origin[..., None])[:, :, 0]
    corners, lights = [], []
    solid = (halves > 0).all(2)
    for axis in range(3):
        # The side of the box on which the camera is; between both, it sees neither.
        along = eye[:, None, axis] - middles[..., axis]
        side = along.sign()
        seen = solid & (along.abs() > halves[..., axis])
        towards = (side * lamp[:, None, axis]).clamp_min(0)
        lights.append((SHADE + (LIT - SHADE) * towards) * seen)
        corner = middles[:, :, None].repeat(1, 1, 4, 1)
        corner[..., axis] += (side * halves[..., axis])[..., None]
        for number, other in enumerate(k for k in range(3) if k != axis):
            ends = send(torch.tensor([place[number] for place in ROUND]), corner.device)
            corner[..., other] += ends * halves[..., None, other]
        corners.append(corner)
    points = torch.stack(corners, 2).flatten(1, 2)  # box by box, the faces of each
    points = points @ seats.axes[:, None] + seats.origin[:, None, None]
    light = torch.stack(lights, 2).flatten(1)
    light = light * (points[..., 2].flatten(1).amin(1) > NEAREST)[:, None]
    rays = points[..., :2] / points[..., 2:].clamp_min(NEAREST)
    return (rays - seats.centre[:, None, None]) * seats.focal[:, None, None, None], light


def _inside(
    corners: Float[Tensor, "people 4 2"], place: Float[Tensor, " size"]
) -> Float[Tensor, "people size size"]:
    """Return how far pixels lie inside of convex four-sided figures: 1, 0, between at the edge."""
    edge = corners.roll(-1, 1) - corners
    normal = torch.stack([-edge[..., 1], edge[..., 0]], 2)
    normal = normal / edge.norm(dim=2, keepdim=True).clamp_min(1e-6)
    # Pixels are inside of all edges, whichever way the corners go round.
    around = corners - corners.mean(1, keepdim=True)
    area = around[..., 0] * edge[..., 1] - around[..., 1] * edge[..., 0]
    normal = normal * area.sum(1).sign()[:, None, None]
    offset = (normal * corners).sum(2)
    across, down = (normal[..., k, None] * place for k in (0, 1))
    within = down[..., None] + (across - offset[..., None])[..., None, :]
    return (within.amin(1) * (len(place) / 2) + 0.5).clamp_(0, 1)
