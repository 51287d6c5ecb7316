#!/usr/bin/env python3
"""Lift what a detector finds in the pictures of `prepare.py`, and measure it in 3D.

python scripts/real_views/detected.py views

The truth is triangulated from the annotations, as in `hmr-edu evaluate-views`. The detector is
`pip install 'hmr_edu[detect]'`. Where it finds several people, "nearest" takes the one nearest to
the annotated box's middle, "first" the surest one.
"""

from __future__ import annotations

import argparse
from pathlib import Path

import torch

from hmr_edu.data import read_annotations, read_cameras
from hmr_edu.data.detections.detector import detect_people
from hmr_edu.data.detections.formats import Detection
from hmr_edu.data.photos.annotations import AnnotatedPerson
from hmr_edu.data.photos.calibration import group_by_moment
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.evaluation.views import _score, triangulate_recording
from hmr_edu.fitting import lift
from hmr_edu.hmr import load_pretrained


def distance(detection: Detection, person: AnnotatedPerson) -> float:
    """Return the mean distance of the keypoints from the middle of the annotated box."""
    middle = torch.tensor([person.crop.x, person.crop.y])
    return float((detection.keypoints2d - middle).norm(dim=1)[detection.confidence > 0].mean())


@torch.no_grad()
def main() -> None:
    """Detect, lift, and print MPJPE, PA-MPJPE and how many face the other way."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("views", type=Path, help="folder that prepare.py has written")
    parser.add_argument("--lifter", default="keypoints", help="weights, by name or path")
    args = parser.parse_args()
    cameras = read_cameras(args.views / "cameras.json")
    people = read_annotations(args.views / "keypoints.json")
    measured, _ = triangulate_recording(group_by_moment(people, cameras), cameras)
    lifter = load_pretrained(args.lifter)
    found = [(m, detect_people(read_photo(m.person.path))) for m in measured]
    seen = [(m, detections) for m, detections in found if detections]
    print(f"somebody was found in {len(seen)} of {len(found)} pictures")
    chosen = {
        "nearest": [min(d, key=lambda x, m=m: distance(x, m.person)) for m, d in seen],
        "first": [detections[0] for _, detections in seen],
    }
    for name, detections in chosen.items():
        keypoints2d = torch.stack([d.keypoints2d for d in detections])
        confidence = torch.stack([d.confidence for d in detections])
        body = lift(lifter, keypoints2d, confidence, vertices=False)[-1]
        row = _score(body.keypoints3d, [m for m, _ in seen])
        print(f"{name:8s}", "  ".join(f"{key} {value:.3f}" for key, value in row.items()))


if __name__ == "__main__":
    main()
