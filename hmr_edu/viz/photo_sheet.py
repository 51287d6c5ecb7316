"""Real people, measured and drawn: what was marked, and the body that each network found."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from hmr_edu.crop import crop_image
from hmr_edu.data.annotations import AnnotatedPerson, read_annotations
from hmr_edu.data.photo import read_photo
from hmr_edu.errors import DataError
from hmr_edu.files import PICTURES, check_output
from hmr_edu.fitting import Refined
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.training.photo_evaluation import crops, evaluate_photos, photo_table, predict_photos
from hmr_edu.viz.export import write_json
from hmr_edu.viz.pictures import (
    Picture,
    contact_sheet,
    draw_keypoints,
    overlay,
    save_picture,
    turntable,
)


def photo_sheet(
    models: Mapping[str, HMR | Refined], people: Sequence[AnnotatedPerson], size: int = 160
) -> Picture:
    """Draw the marked people, two a row: keypoints, each network's body, the last from the side.

    Errors as in `hmr_edu.training.photo_evaluation.crops`.
    """
    model = next(iter(models.values()))
    images, faces = crops(people, model.image_size), model.body.faces
    found = [predict_photos(network, images, vertices=True)[-1] for network in models.values()]
    tiles = []
    for i, person in enumerate(people):
        picture = crop_image(read_photo(person.path), person.crop, size)
        marked = person.crop.to_crop(person.keypoints2d)
        tiles.append(draw_keypoints(picture, marked, person.visible.numpy() > 0))
        tiles += [overlay(picture, p.vertices[i], faces, p.camera[i]) for p in found]
        tiles += turntable(found[-1].vertices[i], faces, size, (90,))
    labels = ["marked", *models, "from the side"]
    return contact_sheet(tiles, 2 * len(labels), labels * len(people))


def evaluate_files(
    keypoints: Path,
    folder: Path | None = None,
    weights: str = "resnet18",
    refine: bool = False,
    out: Path | None = None,
    sheet: Path | None = None,
    people: int = 12,
) -> None:
    """Measure a network on photographs with marked keypoints, beside blind baselines.

    Args:
        keypoints: COCO's `person_keypoints_*.json`, or a JSON file of the form
            {"file.jpg": [{"box": [x0, y0, x1, y1], "keypoints": {"nose": [x, y], ...}}]}.
        folder: where the pictures are; without it, beside that file.
        weights: shipped weights by name, or a file written by a training run.
        refine: also look at the mirror image, and fit each body to the heat-maps.
        out: write the numbers here as JSON too.
        sheet: draw the first people here (PNG).
        people: how many people the sheet shows.
    """
    check_output(out)
    check_output(sheet, PICTURES)
    if people < 1:
        raise DataError(f"--people must be at least 1, not {people}")
    marked, model = read_annotations(keypoints, folder), load_pretrained(weights)
    models = {"network": model} | ({"refined": Refined(model)} if refine else {})
    record = evaluate_photos(models, marked)
    print(photo_table(record))
    if out is not None:
        write_json(out, record)
    if sheet is not None:
        save_picture(sheet, photo_sheet(models, marked[:people]))
