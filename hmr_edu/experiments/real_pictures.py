"""Annotated pictures of real people, which a network of an experiment is also measured on."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from hmr_edu.data.photos.annotations import AnnotatedPerson, read_annotations
from hmr_edu.data.photos.calibration import View, group_by_moment, read_cameras
from hmr_edu.evaluation.photos import evaluate_photos
from hmr_edu.evaluation.views import evaluate_views
from hmr_edu.hmr import HMR


@dataclass(frozen=True)
class RealPictures:
    """What `read_real_pictures` has read; `paths` says from where, for the record."""

    paths: Mapping[str, str]
    photos: Sequence[AnnotatedPerson]
    views: Sequence[AnnotatedPerson]
    cameras: dict[str, View]


def read_real_pictures(photos: Path | None, views: Path | None) -> RealPictures | None:
    """Read annotations and cameras before hours of training; None where none are given.

    `photos` is a file as for `hmr-edu evaluate-photos`; `views` a folder of `keypoints.json` and
    `cameras.json` as for `hmr-edu evaluate-views`. Raises FileNotFoundError or DataError.
    """
    paths = {"photos": photos, "views": views}
    given = {name: str(path) for name, path in paths.items() if path is not None}
    if not given:
        return None
    return RealPictures(
        given,
        read_annotations(photos) if photos is not None else [],
        read_annotations(views / "keypoints.json") if views is not None else [],
        read_cameras(views / "cameras.json") if views is not None else {},
    )


def measure_on_real_pictures(model: HMR, real: RealPictures) -> dict[str, float]:
    """Measure a network on real pictures, in 2D and, on calibrated views, in 3D.

    `photos_pck`, `views_pck`: share of keypoints within a fifth of the person's box; `_cut_off`:
    of people who show no ankle. `_knees`: degrees, of legs that look straight.
    `views_pa_mpjpe`: millimetres. `views_facing_flipped`: share of bodies whose hips are
    left where right is.
    """
    values = {}
    for name, people in (("photos", real.photos), ("views", real.views)):
        if people:
            scores = evaluate_photos({"network": model}, people)["network"]
            known = [key for key in ("pck", "pck_cut_off", "knees") if key in scores]
            values |= {f"{name}_{key}": scores[key] for key in known}
    if real.views:
        recording = group_by_moment(real.views, real.cameras)
        scores = evaluate_views({"network": model}, recording, real.cameras)["network"]
        values["views_pa_mpjpe"] = scores["pa_mpjpe"]
        values["views_facing_flipped"] = scores["facing_flipped"]
    return values
