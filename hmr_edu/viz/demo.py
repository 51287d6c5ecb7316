"""The demo: bodies in a picture, written as pictures, meshes, 3D pages and numbers.

The image network reads the crop around each box; the network of keypoints reads what a person or a
detector marked. Their answers are written in the same way (`demo_files.py`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
import torch
from jaxtyping import UInt8

from hmr_edu.camera import CropBox
from hmr_edu.crop import PADDING, crop_image
from hmr_edu.data.detections.formats import Detection
from hmr_edu.data.photos.crops import Box, person_crop
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.fitting.refining import Refined
from hmr_edu.fitting.smplify import fit_to_keypoints
from hmr_edu.hmr import HMR, Prediction
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_folder
from hmr_edu.io.provenance import sha256
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.viz.demo_files import Photo, Recovered, write_everybody, write_person

# The paths of one person's results, by kind.
Paths = dict[str, Path]


def run_demo(
    image_path: str | Path,
    out_dir: str | Path,
    model: HMR | Refined,
    box: Box | None = None,
    weights: str | None = None,
) -> Paths:
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
    return run_on_boxes(image_path, out_dir, model, [box], weights)[0]


def run_on_boxes(
    image_path: str | Path,
    out_dir: str | Path,
    model: HMR | Refined,
    boxes: Sequence[Box | None],
    weights: str | None = None,
    notes: Sequence[Mapping[str, Any]] | None = None,
    ply: bool = False,
) -> list[Paths]:
    """Recover the body in each box of a picture, as `run_demo` does.

    Of several people there is one more picture, with everybody in it; its paths come last.

    Args:
        image_path: the picture.
        out_dir: folder for the results.
        model: the network, or a `Refined` one.
        boxes: the people; None is the whole picture.
        weights: their name, for the record.
        notes: what else is written down of each person.
        ply: also write the meshes as PLY.
    """
    check_folder(Path(out_dir))
    if model.options["encoder"] == "keypoints":
        raise DataError("this network reads keypoints, not pictures: it is for --lifter")
    photo = read_photo(image_path)
    refined = isinstance(model, Refined)
    people = []
    for box, note in zip(boxes, notes or [{}] * len(boxes), strict=True):
        crop = person_crop(photo, box)
        image = torch.from_numpy(crop_image(photo, crop, model.image_size))
        with torch.no_grad():
            images = image.permute(2, 0, 1)[None].float() / 255
            steps = model(images.to(model.body.faces.device))
        edges = None if box is None else [float(edge) for edge in box]
        name = Path(image_path).stem
        if edges is not None:
            name = "_".join([name, "box", *(f"{edge:.10g}" for edge in edges)])
        record = _record(image_path, photo, model, weights) | {"box": edges, "refined": refined}
        people.append(Recovered(_on_cpu(steps), crop, name, record, note, refined))
    return _write(photo, people, Path(out_dir), model, ply)


def run_on_keypoints(
    image_path: str | Path,
    out_dir: str | Path,
    lifter: HMR,
    people: Sequence[Detection],
    found_by: str,
    weights: str | None = None,
    refine: bool = False,
    ply: bool = False,
) -> list[Paths]:
    """Recover the body of each person of whom keypoints are known, and write the results.

    Results are named after the picture and the person's number. Nobody else's are replaced; of
    several people there is one more picture, as with `run_on_boxes`.

    Raises DataError that says where a person was read who has fewer than two keypoints.

    Args:
        image_path: the picture.
        out_dir: folder for the results.
        lifter: a network that reads keypoints.
        people: their keypoints, in pixels.
        found_by: the file or detector that they are from, for the record.
        weights: their name, for the record.
        refine: also fit each body to the keypoints, from the network's answer.
        ply: also write the meshes as PLY.
    """
    check_folder(Path(out_dir))
    if lifter.options["encoder"] != "keypoints":
        raise DataError("this network reads pictures, not keypoints: it is for --weights")
    photo = read_photo(image_path)
    recovered = []
    for number, person in enumerate(people, 1):
        crop, steps = _lift(lifter, person, refine)
        given = {
            name: [round(value, 2) for value in (*point, sure)]
            for name, point, sure in zip(
                COCOPLUS, person.keypoints2d.tolist(), person.confidence.tolist(), strict=True
            )
            if sure > 0
        }
        record = _record(image_path, photo, lifter, weights) | {"refined": refine}
        record |= {"keypoints_from": found_by, "keypoints_given": given}
        name = f"{Path(image_path).stem}_person_{number}"
        recovered.append(Recovered(_on_cpu(steps), crop, name, record, {}, refine))
    return _write(photo, recovered, Path(out_dir), lifter, ply)


def _lift(lifter: HMR, person: Detection, refine: bool) -> tuple[CropBox, list[Prediction]]:
    """Run the network of keypoints on one person, in units of the crop around the keypoints."""
    try:
        crop = CropBox.around_keypoints(person.keypoints2d, person.confidence, padding=PADDING)
    except ValueError:
        raise DataError(f"{person.where}: fewer than two keypoints are known") from None
    device = lifter.body.faces.device
    points = crop.to_crop(person.keypoints2d)[None].to(device)
    confidence = person.confidence[None].to(device)
    with torch.no_grad():
        steps = lifter(points, confidence)
    if refine:
        fit = fit_to_keypoints(lifter.body, [steps[-1].theta], points, confidence)
        steps = [*steps, lifter.detail(fit.theta)]
    return crop, steps


def _record(
    image_path: str | Path, photo: Photo, model: HMR | Refined, weights: str | None
) -> dict[str, Any]:
    """Return what results must have in common to be those of the same picture and network."""
    height, width = photo.shape[:2]
    record: dict[str, Any] = {"picture": Path(image_path).name, "size": [width, height]}
    record |= {"sha256": sha256(Path(image_path))}
    return record | {"weights": weights, "network": model.options}


def _on_cpu(steps: Sequence[Prediction]) -> list[Prediction]:
    """Return predictions on the CPU. Raises DataError on NaN."""
    steps = [step.map(lambda tensor: tensor.cpu()) for step in steps]
    if not all(torch.isfinite(step.theta).all() for step in steps):
        raise DataError("the network's answer is not finite: its weights are damaged")
    return steps


def _write(
    photo: UInt8[np.ndarray, "height width 3"],
    people: Sequence[Recovered],
    folder: Path,
    model: HMR | Refined,
    ply: bool,
) -> list[Paths]:
    """Write everybody's results; nothing is written before all of them are known."""
    faces = model.body.faces.cpu()
    written = [write_person(photo, person, folder, faces, ply) for person in people]
    if len(people) > 1:
        written.append(write_everybody(photo, people, written, folder, faces))
    return written
