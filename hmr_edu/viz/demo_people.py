"""Who is in a picture, for the demo: a box, a file of keypoints, a detector, or the network itself.

Each function writes the results and returns, beside their paths, lines that say what was done and
how sure it is. Nobody found is a DataError: there is nothing to write.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

from hmr_edu.data.detections.detector import detect_people, installed_detectors
from hmr_edu.data.detections.files import read_detections
from hmr_edu.data.detections.formats import Detection
from hmr_edu.data.photos.crops import Box
from hmr_edu.data.photos.pictures import read_photo, upright_size
from hmr_edu.fitting.people_search import find_people
from hmr_edu.fitting.refining import Refined
from hmr_edu.fitting.tracks import box_of
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import check_folder
from hmr_edu.viz.demo import Paths, run_on_boxes, run_on_keypoints

# Distinct keypoints that a body can be recovered from.
FEWEST = 2
NOBODY = "give a box around the person, --box x0 y0 x1 y1, or keypoints, --keypoints FILE"

Written = tuple[list[str], list[Paths]]


class Networks(NamedTuple):
    """Weights of the networks that read pictures and keypoints, and whether bodies are fitted.

    `ply` says whether meshes are also written as PLY. A `body` of None is that of the weights.
    """

    weights: str
    lifter: str
    refine: bool
    ply: bool = False
    body: str | None = None

    def of_pictures(self) -> tuple[HMR, HMR | Refined]:
        """Load the network that reads pictures, and the same with its fit if that is wanted."""
        model = load_pretrained(self.weights, self.body)
        if model.options["encoder"] == "keypoints":
            raise DataError(f"--weights {self.weights}: it reads keypoints; that is --lifter")
        return model, Refined(model) if self.refine else model

    def of_keypoints(self) -> HMR:
        """Load the network that reads keypoints."""
        lifter = load_pretrained(self.lifter, self.body)
        if lifter.options["encoder"] != "keypoints":
            raise DataError(f"--lifter {self.lifter}: it reads pictures; that is --weights")
        return lifter


def in_box(image: Path, out: Path, networks: Networks, box: Box) -> Written:
    """Recover the person in a box."""
    check_folder(out)
    _, model = networks.of_pictures()
    return [], run_on_boxes(image, out, model, [box], networks.weights, ply=networks.ply)


def in_boxes_of_file(image: Path, out: Path, networks: Networks, file: Path) -> Written:
    """Recover everybody in a file of boxes or keypoints from their pictures.

    Where the file has no box, it is the one around the keypoints.
    """
    check_folder(out)
    people = read_detections(file, image)
    if not people:
        raise DataError(f"{file}: nobody in it has a keypoint in {image.name}")
    width, height = upright_size(image)
    boxes: list[Box] = []
    notes, said = [], []
    for number, person in enumerate(people, 1):
        box = person.box
        if box is None:
            points = person.keypoints2d[person.confidence > 0] + 0.5
            box = box_of(points, width, height)
        if box is None:
            said.append(f"left out: {person.where}, whose box has no extent in the picture")
            continue
        boxes.append(tuple(round(edge, 2) for edge in box))
        notes.append({"box_from": file.name, "person": number})
    if not boxes:
        raise DataError(f"{file}: nobody in it has a box with an extent in {image.name}")
    said.insert(0, f"{_count(boxes)} in {file}; bodies from their pictures")
    _, model = networks.of_pictures()
    written = run_on_boxes(image, out, model, boxes, networks.weights, notes, networks.ply)
    return said, written


def in_file(image: Path, out: Path, networks: Networks, keypoints: Path) -> Written:
    """Recover everybody in a file of keypoints who belongs to the picture."""
    check_folder(out)
    people = read_detections(keypoints, image)
    if not people:
        raise DataError(f"{keypoints}: nobody in it has a keypoint in {image.name}")
    said, people = _usable(people)
    if not people:
        raise DataError(f"{keypoints}: nobody in it has {FEWEST} different keypoints")
    said.insert(0, f"{_count(people)} in {keypoints}; bodies from these keypoints")
    return _lifted(image, out, networks, people, keypoints.name, said)


def chosen_detector(wanted: str) -> str | None:
    """Return the detector to use: the one that is wanted, or the best that is installed."""
    if wanted == "none":
        return None
    if wanted != "auto":
        return wanted
    return next(iter(installed_detectors()), None)


def by_detector(image: Path, out: Path, networks: Networks, name: str, everybody: bool) -> Written:
    """Recover whom a detector finds: everybody, or the surest one."""
    check_folder(out)
    photo = read_photo(image)
    said, people = _usable(detect_people(photo, name))
    if not people:
        raise DataError(f"nobody was found in {image} by {name}: {NOBODY}")
    said.insert(0, f"{_count(people)} found by {name}; bodies from their keypoints")
    people, said = _chosen(people, said, everybody)
    return _lifted(image, out, networks, people, name, said)


def by_network(image: Path, out: Path, networks: Networks, everybody: bool) -> Written:
    """Recover whom the image network finds in the whole picture: everybody, or the surest one."""
    check_folder(out)
    photo = read_photo(image)
    network, model = networks.of_pictures()
    people = find_people(network, photo)
    if not people:
        raise DataError(f"nobody was found in {image} by the network {networks.weights}: {NOBODY}")
    said = [
        f"{_count(people)} found by the network {networks.weights}, without a detector; bodies "
        "from their pictures"
    ]
    people, said = _chosen(people, said, everybody)
    # Whole pixels: the same box can be given again by hand.
    boxes = [
        (math.floor(x0), math.floor(y0), math.ceil(x1), math.ceil(y1))
        for x0, y0, x1, y1 in (person.box for person in people)
    ]
    notes: list[dict[str, Any]] = []
    for number, (person, box) in enumerate(zip(people, boxes, strict=True), 1):
        doubt = "" if person.still else " (unsettled: --box may do better)"
        edges = " ".join(map(str, box))
        said.append(f"person {number}: {person.score:.2f} sure, box {edges}{doubt}")
        notes.append({"found": {"score": person.score, "stood_still": person.still}})
    return said, run_on_boxes(image, out, model, boxes, networks.weights, notes, networks.ply)


def _lifted(
    image: Path,
    out: Path,
    networks: Networks,
    people: Sequence[Detection],
    found_by: str,
    said: list[str],
) -> Written:
    """Recover bodies from keypoints, and say how sure these are.

    Args:
        image: the picture.
        out: folder for the results.
        networks: their weights.
        people: their keypoints.
        found_by: the file or detector that they are from.
        said: the lines so far.
    """
    for number, person in enumerate(people, 1):
        known = person.confidence[person.confidence > 0]
        sure = float(known.mean())
        said.append(f"person {number}: {len(known)} of 19 keypoints, {sure:.2f} sure")
    lifter, options = networks.of_keypoints(), (networks.lifter, networks.refine, networks.ply)
    return said, run_on_keypoints(image, out, lifter, people, found_by, *options)


def _usable(people: Sequence[Detection]) -> tuple[list[str], list[Detection]]:
    """Leave out people of whom too little is known for a body; say whom."""
    good, said = [], []
    for person in people:
        places = person.keypoints2d[person.confidence > 0]
        if len(places.unique(dim=0)) >= FEWEST:
            good.append(person)
        else:
            said.append(f"left out: {person.where}, with fewer than {FEWEST} different keypoints")
    return said, good


def _chosen(people: list, said: list[str], everybody: bool) -> tuple[list, list[str]]:
    """Choose everybody or the first, and say so."""
    if everybody or len(people) == 1:
        return people, said
    return people[:1], [*said, "the surest one is shown; --all shows everybody"]


def _count(people: Sequence) -> str:
    return "1 person" if len(people) == 1 else f"{len(people)} people"
