"""Pictures of people: bodies over images, skeletons, contact sheets, views from the side.

A picture is an RGB array, uint8 [height, width, 3]; `save_picture` writes one. Where a picture goes
in, it may have any number type and channels that `hmr_edu.io.pixels.rgb_bytes` allows.
"""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from jaxtyping import Bool, Float, Shaped, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from hmr_edu.camera import CropBox
from hmr_edu.io.files import atomic_write
from hmr_edu.io.pixels import check_unit, rgb_bytes
from hmr_edu.keypoints import COCOPLUS, COCOPLUS_EDGES
from hmr_edu.viz.palette import BLACK, LEFT, MIDDLE, PREDICTION, RIGHT
from hmr_edu.viz.shading import Camera, Faces, Vertices, as_array, composite, shade

Picture = UInt8[np.ndarray, "_ _ 3"]  # any height, any width
AnyPicture = Shaped[np.ndarray, "_ _ *_"]  # what `rgb_bytes` makes a picture of
PAPER = 246  # the grey level behind bodies that stand alone
Point = Sequence[float | int] | Float[np.ndarray, " 3"] | Float[Tensor, " 3"]
LABEL = 13 / 160  # height of a label's letters, as a share of a tile's width
LETTERS = 10, 16  # pixels of that height, at least and at most; figures' headings have 14
GAP = 4  # pixels between tiles
SMOOTH = 4_000_000  # pixels of the largest picture on which lines are drawn smooth


def overlay(
    image: AnyPicture,
    vertices: Vertices,
    faces: Faces,
    camera: Camera,
    alpha: float = 0.9,
    colour: str = PREDICTION,
    box: CropBox | None = None,
    supersample: int = 2,
) -> Picture:
    """Draw a body over an image.

    Raises ValueError when an image without a box is not square, and on numbers that are not
    finite.

    Args:
        image: any picture.
        vertices: camera frame, metres.
        faces: triangles, as vertex numbers.
        camera: (s, tx, ty) of the crop `box`.
        alpha: opacity of the body, in [0, 1].
        colour: "#rrggbb".
        box: the crop; the body is drawn beyond it too. Without one the image itself is the crop,
            and must be square.
        supersample: each pixel is shaded so many times, squared: 1 is quick.
    """
    image = rgb_bytes(image)
    height, width = image.shape[:2]
    if box is None:
        if height != width:
            raise ValueError(f"an image of {width} x {height} pixels needs the box of its camera")
        box = CropBox.around_box(0, 0, width, height)
    # In pixels from the picture's edge; a CropBox counts from the first pixel's centre.
    centre = np.array([box.x, box.y]) + 0.5
    s, tx, ty = np.asarray(as_array(camera), np.float64)
    if s == 0:  # a body without extent
        return image.copy()

    # Render only the square around what is visible of the body: pictures may be large.
    corner = centre - box.size / 2
    pixels = (s * (as_array(vertices)[:, :2] + (tx, ty)) + 1) * (box.size / 2) + corner
    if not np.isfinite(pixels).all():
        raise ValueError("vertices and camera must be finite")
    low = np.clip(np.floor(pixels.min(0)) - 1, 0, (width, height)).astype(int)
    high = np.clip(np.ceil(pixels.max(0)) + 1, 0, (width, height)).astype(int)
    size = int((high - low).max())
    if size <= 0 or (high <= low).any():
        return image.copy()
    # The same camera, in the tile's own [-1, 1] square.
    zoom = box.size / size
    shift = (centre - low) * 2 / size - 1
    tile_camera = (s * zoom, tx + shift[0] / (s * zoom), ty + shift[1] / (s * zoom))
    layer = shade(vertices, faces, tile_camera, size, colour, supersample)

    drawn = image.copy()
    window = (slice(low[1], high[1]), slice(low[0], high[0]))
    drawn[window] = composite(image[window], layer[: high[1] - low[1], : high[0] - low[0]], alpha)
    return drawn


def draw_keypoints(
    image: AnyPicture,
    keypoints2d: Float[np.ndarray, "19 2"] | Float[Tensor, "19 2"],
    visible: Bool[np.ndarray, " 19"] | None = None,
    width: float | int | None = None,
) -> Picture:
    """Draw the COCO+ skeleton: the person's left orange, right blue, the middle green.

    Args:
        image: any picture.
        keypoints2d: crop coordinates, [-1, 1] over the image's width and height.
        visible: which keypoints are drawn; those that are not finite never are. A bone is drawn
            when both its ends are.
        width: pixels of a bone; by default it goes with the picture's width.
    """
    image = rgb_bytes(image)
    height, breadth = image.shape[:2]
    width = width or max(1.5, breadth / 90)
    # Drawn larger, then reduced, for smooth lines; on a large picture that would take gigabytes.
    zoom = 4 if height * breadth <= SMOOTH else 1
    size = np.array([breadth, height])
    points = (as_array(keypoints2d) + 1) / 2 * size * zoom
    shown = np.isfinite(points).all(1) & (np.abs(points) < 100 * zoom * size.max()).all(1)
    if visible is not None:
        shown &= visible
    layer = Image.new("RGBA", (breadth * zoom, height * zoom))
    pen = ImageDraw.Draw(layer)
    # White below colour: visible on any background.
    for casing in (True, False):
        thickness = 1.8 if casing else 1.0
        for a, b in COCOPLUS_EDGES:
            if shown[a] and shown[b]:
                ink = "#ffffff" if casing else side_colour(COCOPLUS[a], COCOPLUS[b])
                ends = [tuple(points[a]), tuple(points[b])]
                pen.line(ends, fill=ink, width=round(width * thickness * zoom))
        for i, (x, y) in enumerate(points):
            if shown[i]:
                ink = "#ffffff" if casing else side_colour(COCOPLUS[i], COCOPLUS[i])
                r = width * zoom * (1.3 if casing else 0.95)
                pen.ellipse((x - r, y - r, x + r, y + r), fill=ink)
    reduced = layer.resize((breadth, height), Image.Resampling.BOX)
    return composite(image, np.asarray(reduced))


def turntable(
    vertices: Vertices,
    faces: Faces,
    size: int,
    yaws: Sequence[float | int] = (0, 90, 180),
    colour: str = PREDICTION,
) -> list[Picture]:
    """Draw a body from several sides, all at one scale.

    Args:
        vertices: camera frame, metres.
        faces: triangles, as vertex numbers.
        size: width and height of each picture, pixels.
        yaws: degrees by which the body turns about the vertical; 90 turns somebody who faces the
            camera towards the picture's right edge.
        colour: "#rrggbb".
    """
    points = as_array(vertices).astype(np.float64)
    points = points - (points.max(0) + points.min(0)) / 2
    reach = max(np.hypot(points[:, 0], points[:, 2]).max(), np.abs(points[:, 1]).max())
    zoom, centre = 0.92 / reach, (0.0, 0.0, 0.0)
    return [
        draw_body(points, faces, colour, size, yaw=yaw, centre=centre, zoom=zoom) for yaw in yaws
    ]


def draw_body(
    vertices: Vertices,
    faces: Faces,
    colour: str | Float[np.ndarray, "V 3"] = PREDICTION,
    size: int = 150,
    *,
    yaw: float | int = 0.0,
    centre: Point | None = None,
    zoom: float | int = 1.0,
) -> Picture:
    """Draw one body alone, in a square picture of `size` pixels.

    Args:
        vertices: camera frame (x right, y down, z away), metres.
        faces: triangles, as vertex numbers.
        colour: "#rrggbb", or RGB in [0, 1] for each vertex.
        size: width and height of the picture, pixels.
        yaw: degrees by which the body turns about the vertical through `centre`; 90 turns
            somebody who faces the camera towards the picture's right edge.
        centre: the point in the middle of the picture; without one, the middle of the vertices'
            bounding box.
        zoom: half-pictures per metre; at 1 the picture shows 2 metres.
    """
    points = as_array(vertices).astype(np.float64)
    middle = (points.max(0) + points.min(0)) / 2 if centre is None else as_array(centre)
    cos, sin = np.cos(np.deg2rad(yaw)), np.sin(np.deg2rad(yaw))
    turn = np.array([[cos, 0, -sin], [0, 1, 0], [sin, 0, cos]])
    layer = shade((points - middle) @ turn.T, faces, (zoom, 0.0, 0.0), size, colour)
    return composite(blank_picture(size), layer)


def blank_picture(size: int) -> Picture:
    """Make an empty square picture, pale grey: what bodies that stand alone are drawn on."""
    return np.full((size, size, 3), PAPER, np.uint8)


def to_picture(image: Float[Tensor, "3 height width"], width: int | None = None) -> Picture:
    """Turn a network's picture, values in [0, 1], into one to look at, `width` pixels wide.

    Raises ValueError as `hmr_edu.io.pixels.check_unit`.
    """
    image = image.detach().cpu()
    check_unit(image)
    pixels = (image.clamp(0, 1) * 255).round().byte()
    picture = np.ascontiguousarray(pixels.permute(1, 2, 0).numpy())
    return picture if width is None else resize(picture, width)


def prediction_strip(
    image: AnyPicture,
    steps: Sequence[tuple[Vertices, Camera]],
    faces: Faces,
    size: int,
    refined: bool = False,
) -> Picture:
    """Draw a row: the square image, each step's body over it, the last body from the side.

    Args:
        image: the crop that the network was shown.
        steps: (vertices, camera (s, tx, ty)) of every regression step.
        faces: triangles, as vertex numbers.
        size: width and height of a tile, pixels.
        refined: whether the last step is a fit to the picture.
    """
    image = resize(image, size)
    bodies = [overlay(image, vertices, faces, camera) for vertices, camera in steps]
    side = turntable(steps[-1][0], faces, size, (90,))
    names = [f"step {i + 1}" for i in range(len(steps))]
    if refined:
        names[-1] = "refined"
    labels = ["image", *names, "from the side"]
    return contact_sheet([image, *bodies, *side], len(labels), labels)


def contact_sheet(
    images: Sequence[AnyPicture], columns: int, labels: Sequence[str] = ()
) -> Picture:
    """Lay images of one size out in rows, each with its label below.

    Raises ValueError for no images, images of different sizes, or too few labels.
    """
    images = [rgb_bytes(image) for image in images]
    sizes = {image.shape for image in images}
    if len(sizes) != 1 or columns < 1:
        raise ValueError(f"a sheet needs images of one size, got {sorted(sizes)}")
    if labels and len(labels) != len(images):
        raise ValueError(f"{len(images)} images need as many labels, got {len(labels)}")
    height, width = images[0].shape[:2]
    letters = min(max(round(LABEL * width), LETTERS[0]), LETTERS[1])
    foot = round(1.6 * letters) if labels else 0
    rows = -(-len(images) // columns)
    pitch_x, pitch_y = width + GAP, height + foot + GAP
    sheet = Image.new("RGB", (columns * pitch_x + GAP, rows * pitch_y + GAP), "white")
    pen = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(letters)
    for i, image in enumerate(images):
        x, y = GAP + i % columns * pitch_x, GAP + i // columns * pitch_y
        sheet.paste(Image.fromarray(image), (x, y))
        if labels:
            middle = (x + width / 2, y + height + foot / 2)
            pen.text(middle, labels[i], fill=BLACK, font=font, anchor="mm")
    return np.asarray(sheet)


def resize(image: AnyPicture, size: int) -> Picture:
    """Scale a picture to `size` pixels of width, keeping its shape."""
    image = rgb_bytes(image)
    height = max(1, round(image.shape[0] * size / image.shape[1]))
    return np.asarray(Image.fromarray(image).resize((size, height), Image.Resampling.BICUBIC))


def save_picture(path: str | Path, image: AnyPicture) -> None:
    """Write a picture; the name's ending chooses the format (png, jpg, ...)."""
    image = rgb_bytes(image)
    with atomic_write(path) as temporary:
        Image.fromarray(image).save(temporary)


def side_colour(*names: str) -> str:
    """Return the colour of the side that keypoints are on: left, right, or neither."""
    sides = {name.split("_")[0] for name in names} & {"left", "right"}
    return {"left": LEFT, "right": RIGHT}[sides.pop()] if len(sides) == 1 else MIDDLE
