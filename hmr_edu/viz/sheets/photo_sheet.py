"""A contact sheet of photographs: the annotated keypoints, and each network's body."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from hmr_edu.crop import crop_image
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.evaluation.photos import crops, predict_photos
from hmr_edu.fitting.refining import Refined
from hmr_edu.hmr import HMR
from hmr_edu.viz.pictures import Picture, contact_sheet, draw_keypoints, overlay, turntable
from hmr_edu.viz.shading import mesh_of

SIZE = 160  # pixels of a tile


def photo_sheet(models: Mapping[str, HMR | Refined], people: Sequence[AnnotatedPerson]) -> Picture:
    """Draw annotated people, two a row: keypoints, each network's body, the last from the side.

    Raises what `hmr_edu.evaluation.photos.crops` raises.
    """
    model = next(iter(models.values()))
    images, faces = crops(people, model.image_size), model.body.faces
    predictions = [
        predict_photos(network, images, vertices=True)[-1] for network in models.values()
    ]
    tiles = []
    for i, person in enumerate(people):
        picture = crop_image(read_photo(person.path), person.crop, SIZE)
        keypoints2d = person.crop.to_crop(person.keypoints2d)
        tiles.append(draw_keypoints(picture, keypoints2d, person.visible.numpy() > 0))
        tiles += [overlay(picture, mesh_of(p)[i], faces, p.camera[i]) for p in predictions]
        tiles += turntable(mesh_of(predictions[-1])[i], faces, SIZE, (90,))
    labels = ["annotated", *models, "from the side"]
    return contact_sheet(tiles, 2 * len(labels), labels * len(people))
