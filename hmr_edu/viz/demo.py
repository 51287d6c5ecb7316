"""The demo: the body in a picture, written as pictures, meshes, a 3D page and numbers."""

from __future__ import annotations

import math
from itertools import count
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8
from PIL import Image

from hmr_edu.camera import CropBox
from hmr_edu.crop import crop_image
from hmr_edu.data.photos.crops import Box, person_crop
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.fitting.smplify import Refined
from hmr_edu.hmr import HMR, Prediction
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_folder
from hmr_edu.io.jsonfile import read_json, write_json
from hmr_edu.io.provenance import sha256
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.viz.export import write_glb, write_obj
from hmr_edu.viz.orbit import write_html
from hmr_edu.viz.pictures import overlay, prediction_strip, save_picture
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


def run_demo(
    image_path: str | Path,
    out_dir: str | Path,
    model: HMR | Refined,
    box: Box | None = None,
    weights: str | None = None,
) -> dict[str, Path]:
    """Recover the body in a picture, write the results, and return their paths by kind.

    Results are named after the picture and the box. Only those of the same picture, box and network
    are replaced: where others have the name already, a number is added to it.

    Raises FileNotFoundError when there is no picture, DataError when it is unreadable or the box
    is not usable.

    Args:
        image_path: the picture, of any format that Pillow reads.
        out_dir: folder for the results.
        model: the network; the fit of a `Refined` one counts as the last step.
        box: the person as (x0, y0, x1, y1) in pixels of the upright picture, edges counted from
            0; it may reach beyond the picture. Without one the person fills the whole picture.
        weights: their name, for the record.
    """
    check_folder(Path(out_dir))
    photo = read_photo(image_path)
    crop = person_crop(photo, box)
    steps = _predict(model, crop_image(photo, crop, model.image_size))
    faces, last = model.body.faces, steps[-1]

    reduced, reduced_crop = _reduce(photo, crop)
    mesh = mesh_of(last)[0]
    drawn = overlay(reduced, mesh, faces, last.camera[0], box=reduced_crop)
    bodies = [(mesh_of(step)[0], step.camera[0]) for step in steps]
    strip = prediction_strip(
        crop_image(photo, crop, TILE), bodies, faces, TILE, refined=isinstance(model, Refined)
    )

    height, width = photo.shape[:2]
    record: dict[str, Any] = {"picture": Path(image_path).name, "size": [width, height]}
    record |= {"sha256": sha256(Path(image_path))}
    record |= {"box": None if box is None else [float(edge) for edge in box]}
    record |= {"weights": weights, "network": model.options}
    record |= {"refined": isinstance(model, Refined)}
    paths = _free_paths(Path(out_dir), record)
    save_picture(paths["overlay"], drawn)
    save_picture(paths["steps"], strip)
    write_obj(paths["obj"], mesh, faces)
    write_glb(paths["glb"], mesh, faces)
    write_html(paths["html"], mesh, faces, drawn, Path(image_path).name)
    write_json(paths["theta"], record | _numbers(steps, crop, width, height))
    return paths


def _free_paths(folder: Path, record: dict[str, Any]) -> dict[str, Path]:
    """Return the paths of the results, under the first name that is free, or the record's own."""
    name, box = Path(record["picture"]).stem, record["box"]
    if box is not None:
        name = "_".join([name, "box", *(f"{edge:.10g}" for edge in box)])
    for number in count(1):
        numbered = name if number == 1 else f"{name}-{number}"
        paths = {kind: folder / f"{numbered}{ending}" for kind, ending in ENDINGS.items()}
        if not any(path.exists() for path in paths.values()) or _is_of(paths["theta"], record):
            return paths
    raise AssertionError  # numbers do not end


def _is_of(path: Path, record: dict[str, Any]) -> bool:
    """Return whether a file holds the numbers of the same picture, box and network."""
    try:
        written = read_json(path, "record")
    except (FileNotFoundError, DataError):
        return False
    return isinstance(written, dict) and record.items() <= written.items()


def _predict(model: HMR | Refined, crop: UInt8[np.ndarray, "size size 3"]) -> list[Prediction]:
    """Run the network on one crop; predictions on the CPU. Raises DataError on NaN."""
    image = torch.from_numpy(crop).permute(2, 0, 1)[None].float() / 255
    with torch.no_grad():
        steps = model(image.to(model.body.faces.device))
    steps = [Prediction(*(tensor.cpu() for tensor in step)) for step in steps]
    if not all(torch.isfinite(step.theta).all() for step in steps):
        raise DataError("the network's answer is not finite: its weights are damaged")
    return steps


def _reduce(
    photo: UInt8[np.ndarray, "height width 3"], crop: CropBox
) -> tuple[UInt8[np.ndarray, "_ _ 3"], CropBox]:
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
