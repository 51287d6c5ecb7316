"""The files of the demo: what is written of a body in a picture, and under which name."""

from __future__ import annotations

import math
from collections.abc import Mapping, Sequence
from itertools import count
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from jaxtyping import Integer, UInt8
from PIL import Image, ImageDraw, ImageFont
from torch import Tensor

from hmr_edu.camera import CropBox
from hmr_edu.crop import crop_image
from hmr_edu.hmr import Prediction
from hmr_edu.io.errors import DataError
from hmr_edu.io.jsonfile import read_json, write_json
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.viz.export import write_glb, write_obj, write_ply
from hmr_edu.viz.orbit import write_html
from hmr_edu.viz.palette import BLACK, GREEN, ORANGE, PREDICTION, PURPLE, VERMILLION
from hmr_edu.viz.pictures import Picture, overlay, prediction_strip, save_picture
from hmr_edu.viz.shading import mesh_of

LARGEST = 1600  # pixels of an overlay's longer side
TILE = 256  # pixels of a tile in the steps
# What the name of each kind of result ends in.
ENDINGS = {
    "overlay": "_overlay.png",
    "steps": "_steps.png",
    "obj": ".obj",
    "glb": ".glb",
    "html": ".html",
    "theta": "_theta.json",
}
PLY = {"ply": ".ply"}  # only where it is asked for
# The same of everybody in one picture.
ENDINGS_OF_ALL = {"everybody": "_overlay.png", "people": ".json"}
COLOURS = (PREDICTION, ORANGE, GREEN, PURPLE, VERMILLION)

Photo = UInt8[np.ndarray, "height width 3"]


class Recovered(NamedTuple):
    """A person in a picture: the bodies of every step, in units of the crop, on the CPU.

    `name` is what the files are called, `record` what must be the same for them to be replaced,
    `also` what else is written down; `refined` says whether the last step is a fit.
    """

    steps: list[Prediction]
    crop: CropBox
    name: str
    record: Mapping[str, Any]
    also: Mapping[str, Any]
    refined: bool


def write_person(
    photo: Photo,
    person: Recovered,
    folder: Path,
    faces: Integer[Tensor, "F 3"],
    ply: bool = False,
) -> dict[str, Path]:
    """Write all results of a person, and return their paths by kind.

    Only the results of the same record are replaced: where others have the name already, a number
    is added to it.

    Args:
        photo: the whole picture.
        person: whose results are written.
        folder: where.
        faces: triangles of the body.
        ply: also write the mesh as PLY.
    """
    mesh, picture = mesh_of(person.steps[-1])[0], person.record["picture"]
    reduced, crop = _reduce(photo, person.crop)
    drawn = overlay(reduced, mesh, faces, person.steps[-1].camera[0], box=crop)
    bodies = [(mesh_of(step)[0], step.camera[0]) for step in person.steps]
    tile = crop_image(photo, person.crop, TILE)
    strip = prediction_strip(tile, bodies, faces, TILE, refined=person.refined)

    paths = free_paths(folder, person.name, person.record, ENDINGS | (PLY if ply else {}), "theta")
    height, width = photo.shape[:2]
    numbers = _numbers(person.steps, person.crop, width, height)
    # First the record: when the rest fails, the same command finds its own files again.
    write_json(paths["theta"], {**person.record, **person.also, **numbers})
    save_picture(paths["overlay"], drawn)
    save_picture(paths["steps"], strip)
    write_obj(paths["obj"], mesh, faces)
    write_glb(paths["glb"], mesh, faces)
    if ply:
        write_ply(paths["ply"], mesh, faces)
    write_html(paths["html"], mesh, faces, drawn, picture)
    return paths


def write_everybody(
    photo: Photo,
    people: Sequence[Recovered],
    written: Sequence[Mapping[str, Path]],
    folder: Path,
    faces: Integer[Tensor, "F 3"],
) -> dict[str, Path]:
    """Write one picture with everybody in it, and the list of their files.

    Args:
        photo: the whole picture.
        people: who is drawn.
        written: the files of each of them.
        folder: where.
        faces: triangles of the body.
    """
    first = people[0].record
    record = {key: first[key] for key in ("picture", "size", "sha256", "weights", "refined")}
    record["people"] = [
        {kind: path.name for kind, path in sorted(files.items())} for files in written
    ]
    name = f"{Path(record['picture']).stem}_everybody"
    paths = free_paths(folder, name, record, ENDINGS_OF_ALL, "people")
    write_json(paths["people"], record)
    save_picture(paths["everybody"], draw_everybody(photo, people, faces))
    return paths


def draw_everybody(
    photo: Photo, people: Sequence[Recovered], faces: Integer[Tensor, "F 3"]
) -> Picture:
    """Draw all bodies over a picture, the far ones first, each with its number.

    Who is farther away is smaller: the scale of a body in pixels is its focal length by its
    distance.
    """
    drawn, _ = _reduce(photo, people[0].crop)
    scales = [float(person.steps[-1].camera[0, 0]) * person.crop.size for person in people]
    for i in sorted(range(len(people)), key=lambda i: scales[i]):
        person, last = people[i], people[i].steps[-1]
        _, crop = _reduce(photo, person.crop)
        colour = COLOURS[i % len(COLOURS)]
        drawn = overlay(drawn, mesh_of(last)[0], faces, last.camera[0], colour=colour, box=crop)
    labels = []
    for i, person in enumerate(people):
        _, crop = _reduce(photo, person.crop)
        nose = crop.to_image(person.steps[-1].keypoints2d[0])[COCOPLUS.index("nose")].tolist()
        labels.append((i + 1, nose))
    return write_numbers(drawn, labels)


def write_numbers(picture: Picture, labels: Sequence[tuple[int, Sequence[float | int]]]) -> Picture:
    """Write people's numbers on a picture, each at a place (x, y) in pixels."""
    sheet = Image.fromarray(picture)
    pen, font = ImageDraw.Draw(sheet), ImageFont.load_default(max(12, min(sheet.size) // 24))
    width, height = sheet.size
    for number, (x, y) in labels:
        place = min(max(x, 8), width - 8), min(max(y, 8), height - 8)
        pen.text(
            place,
            str(number),
            fill=BLACK,
            font=font,
            anchor="mm",
            stroke_width=2,
            stroke_fill="#ffffff",
        )
    return np.asarray(sheet)


def free_paths(
    folder: Path, name: str, record: Mapping[str, Any], endings: Mapping[str, str], numbers: str
) -> dict[str, Path]:
    """Return the paths of the results, under the first name that is free, or the record's own.

    Args:
        folder: of the results.
        name: which has a number added where others have it.
        record: what the results must be of.
        endings: of the name, by kind.
        numbers: the kind that holds the record.
    """
    for number in count(1):
        numbered = name if number == 1 else f"{name}-{number}"
        paths = {kind: folder / f"{numbered}{ending}" for kind, ending in endings.items()}
        if not any(path.exists() for path in paths.values()) or _is_of(paths[numbers], record):
            return paths
    raise AssertionError  # numbers do not end


def _is_of(path: Path, record: Mapping[str, Any]) -> bool:
    """Return whether a file holds the numbers of the same picture, person and network."""
    try:
        written = read_json(path, "record")
    except (FileNotFoundError, DataError):
        return False
    return isinstance(written, dict) and record.items() <= written.items()


def _reduce(photo: Photo, crop: CropBox) -> tuple[UInt8[np.ndarray, "_ _ 3"], CropBox]:
    """Reduce a large picture, and the box with it, to a size that is quick to draw on."""
    height, width = photo.shape[:2]
    ratio = min(1.0, LARGEST / max(height, width))
    size = (max(1, round(width * ratio)), max(1, round(height * ratio)))
    reduced = np.array(Image.fromarray(photo).resize(size, Image.Resampling.LANCZOS))
    # Pixel centres: the left edge is at -0.5 in both.
    x, y = (crop.x + 0.5) * ratio - 0.5, (crop.y + 0.5) * ratio - 0.5
    return reduced, CropBox(x, y, crop.size * ratio)


def _numbers(steps: list[Prediction], crop: CropBox, width: int, height: int) -> dict[str, Any]:
    """Name everything predicted, in units that need no source code to be understood."""
    last = steps[-1]
    points = crop.to_image(last.keypoints2d[0]).tolist()
    joints = last.keypoints3d[0].tolist()
    camera = pinhole = None
    if last.camera[0, 0] > 0:  # a body in front of the camera, with some extent
        values = crop.full_camera(last.camera[0], width, height).tolist()
        camera = dict(zip(("sx", "sy", "tx", "ty"), values, strict=True))
        # A photograph's own focal length is rarely known; its diagonal is the usual guess.
        focal = math.hypot(width, height)
        translation = crop.full_translation(last.camera[0], width, height, focal)
        pinhole = {"focal_pixels": focal, "translation_metres": translation.tolist()}
    return {
        "crop": {"centre_x": crop.x, "centre_y": crop.y, "side": crop.size},
        "theta_of_each_step": [step.theta[0].tolist() for step in steps],
        "theta_order": "camera (s, tx, ty), 72 axis-angle numbers of 24 joints, 10 betas",
        "camera_in_crop": dict(zip(("s", "tx", "ty"), last.camera[0].tolist(), strict=True)),
        "camera_in_picture": camera,
        "pinhole_in_picture": pinhole,
        "keypoints2d_pixels": dict(zip(COCOPLUS, points, strict=True)),
        "keypoints3d_metres": dict(zip(COCOPLUS, joints, strict=True)),
        "frames": "keypoints3d and pinhole: x right, y down, z away; OBJ and GLB: y up; "
        "pixels: centres, from 0",
    }
