"""Dense correspondences of synthetic people: points of the visible surface, and their places."""

from __future__ import annotations

import torch
from jaxtyping import Float, Int64
from torch import Tensor

from hmr_edu.camera import perspective
from hmr_edu.data.batch import SurfacePoints
from hmr_edu.data.render.renderer import GBuffer
from hmr_edu.data.synthetic.views import PinholeView

# Points drawn for each one that is wanted. Less than half of a body is visible.
DRAWN = 6
# How far the surface that a pixel shows may be from a point that is in this pixel, in pixels.
NEAR = 1.5


def draw_surface_points(
    vertices: Float[Tensor, "batch V 3"],
    rest: Float[Tensor, "V 3"],
    faces: Int64[Tensor, "F 3"],
    view: PinholeView,
    gbuffer: GBuffer,
    count: int,
    g: torch.Generator,
) -> SurfacePoints:
    """Draw points evenly from the surface and keep those that the picture shows.

    A point is visible when its face looks at the camera, and when its pixel shows the same place of
    the body: another part in front of it is elsewhere on the rest body. People with too few visible
    points get points of confidence 0.

    Args:
        vertices: the posed bodies, metres.
        rest: the rest body, metres.
        faces: triangles, counter-clockwise seen from outside.
        view: the cameras.
        gbuffer: what the pixels show.
        count: points for each person.
        g: random numbers.
    """
    batch, drawn = len(vertices), DRAWN * count
    a, b, c = rest[faces].unbind(1)
    area = torch.linalg.cross(b - a, c - a).norm(dim=1)
    corners = faces[torch.multinomial(area, batch * drawn, True, generator=g).view(batch, drawn)]
    # Evenly in a triangle: fold the other half of the parallelogram back.
    uv = torch.rand(batch, drawn, 2, generator=g)
    uv = torch.where(uv.sum(2, keepdim=True) > 1, 1 - uv, uv)
    weights = torch.cat((1 - uv.sum(2, keepdim=True), uv), dim=2)

    people = torch.arange(batch)[:, None]
    triangle = vertices[people[..., None], corners]
    points = (triangle * weights[..., None]).sum(2)
    places = perspective(points, view.translation, view.focal)
    p, q, r = (perspective(triangle[:, :, k], view.translation, view.focal) for k in range(3))
    # y points down, so what is counter-clockwise from outside has a negative area here.
    looks_here = ((q - p)[..., 0] * (r - p)[..., 1] - (q - p)[..., 1] * (r - p)[..., 0]) < 0

    size = gbuffer.part.shape[1]
    pixel = ((places + 1) * size / 2).long().clamp(0, size - 1)
    x, y = pixel.unbind(2)
    shown = torch.from_numpy(gbuffer.surface)[people, :, y, x]
    depth = points[..., 2] + view.translation[:, 2:]
    metres = 2 / size * depth / view.focal[:, None]
    there = (rest[corners] * weights[..., None]).sum(2)
    same = (shown - there).norm(dim=2) < NEAR * metres
    somebody = torch.from_numpy(gbuffer.part)[people, y, x] > 0
    visible = looks_here & same & somebody & (places.abs() <= 1).all(2)

    chosen = visible.float().argsort(dim=1, descending=True, stable=True)[:, :count]
    return SurfacePoints(
        vertices=corners[people, chosen],
        weights=weights[people, chosen],
        places=places[people, chosen],
        confidence=visible[people, chosen].float(),
    )
