"""`hmr-edu evaluate`, `evaluate-photos`, `evaluate-views`: compare a network with baselines."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hmr_edu.io.ranges import Many, Range, Threads, ranged


def held_out(args: Sequence[str]) -> None:
    """Measure a network on the held-out test sets, and compare it with baselines."""

    @ranged
    def run(
        weights: Annotated[str, tyro.conf.Positional] = "resnet18",
        images: Many = 1000,
        appearance: Literal["dressed", "full", "clear", "plain"] = "full",
        sets: tuple[str, ...] = ("test-prior", "test-mocap"),
        out: Path | None = None,
        sheet: Path | None = None,
        threads: Threads = 0,
        refine: bool = False,
        body: str | None = None,
    ) -> None:
        """Measure a network on the held-out test sets, and compare it with baselines.

        Args:
            weights: shipped weights by name, or a file written by a training run.
            images: pictures in each test set.
            appearance: how the people look: "dressed" in real clothes, under soft light, "full"
                painted, "clear" without anything in the way, "plain" in a studio.
            sets: `test-prior` (shipped prior, other seed), `test-mocap` (HDM05, if found), or a
                mocap file of your own.
            out: also write the numbers here, as JSON.
            sheet: also draw the first people of the first set here (PNG).
            threads: CPU threads; 0 leaves the number to PyTorch.
            refine: also run the flip test, and fit each body to the heat-maps.
            body: a body file in the place of that of the weights; see `hmr-edu body import`.
        """
        from hmr_edu.io import check_output, write_json
        from hmr_edu.io.files import PICTURES

        check_output(out)
        check_output(sheet, PICTURES)

        import torch

        from hmr_edu.data import APPEARANCES, SyntheticConfig
        from hmr_edu.evaluation import evaluate, sets_for, table

        if threads:
            torch.set_num_threads(threads)
        models = _models("after", weights, refine, body)
        model = models["after"]
        data = SyntheticConfig(image_size=model.image_size, appearance=APPEARANCES[appearance])
        encoder = model.options["encoder"]
        test_sets = sets_for(encoder, sets, model.body, data, images)
        record = evaluate(models, test_sets)
        print(table(record))
        if out is not None:
            write_json(out, record)
        if sheet is not None:
            from hmr_edu.viz.sheets.result_sheet import save_result_sheet

            save_result_sheet(sheet, list(models.values())[-1], test_sets[0])

    tyro.cli(run, prog="hmr-edu evaluate", args=args)


def photos(args: Sequence[str]) -> None:
    """Measure a network on annotated photographs, and compare it with baselines."""

    @ranged
    def run(
        keypoints: str,
        folder: Path | None = None,
        weights: str = "resnet18",
        refine: bool = False,
        body: str | None = None,
        out: Path | None = None,
        sheet: Path | None = None,
        people: Annotated[int, Range(1, 1000)] = 12,
        most: Annotated[int, Range(1, 100_000)] = 1000,
        least_keypoints: Annotated[int, Range(1, 19)] = 6,
    ) -> None:
        """Measure a network on annotated photographs, and compare it with baselines.

        Args:
            keypoints: COCO's `person_keypoints_*.json`, or a JSON file of the form {"file.jpg":
                [{"box": [x0, y0, x1, y1], "keypoints": {"nose": [x, y], ...}}]}; or the test split
                of a data set, NAME=PATH: `hmr-edu data list` names those that can be read.
            folder: folder of the pictures; by default, that of the JSON file.
            weights: shipped weights by name, or a file written by a training run.
            refine: also run the flip test, and fit each body to the heat-maps.
            body: a body file in the place of that of the weights; see `hmr-edu body import`.
            out: also write the numbers here, as JSON.
            sheet: also draw the first people here (PNG).
            people: how many people the sheet shows.
            most: of a data set with more people, so many are measured, evenly taken.
            least_keypoints: keypoints that a person of a data set must have.
        """
        from hmr_edu.io import check_output, write_json
        from hmr_edu.io.files import PICTURES

        check_output(out)
        check_output(sheet, PICTURES)

        from hmr_edu.data import read_annotations
        from hmr_edu.data.photos.data_sets import read_test_split
        from hmr_edu.evaluation import evaluate_photos, photo_table

        if "=" in keypoints and not Path(keypoints).exists():
            annotated = read_test_split(keypoints, most, least_keypoints)
        else:
            annotated = read_annotations(keypoints, folder)
        models = _readers_of_pictures(weights, refine, body)
        record = evaluate_photos(models, annotated)
        print(photo_table(record))
        if out is not None:
            write_json(out, record)
        if sheet is not None:
            from hmr_edu.viz.pictures import save_picture
            from hmr_edu.viz.sheets.photo_sheet import photo_sheet

            save_picture(sheet, photo_sheet(models, annotated[:people]))

    config = (tyro.conf.PositionalRequiredArgs,)
    tyro.cli(run, prog="hmr-edu evaluate-photos", args=args, config=config)


def views(args: Sequence[str]) -> None:
    """Measure a network in 3D, on one person in several calibrated views."""

    def run(
        keypoints: Path,
        cameras: Path,
        folder: Path | None = None,
        weights: str = "resnet18",
        lifter: str = "",
        refine: bool = False,
        body: str | None = None,
        out: Path | None = None,
    ) -> None:
        """Measure a network in 3D, on one person in several calibrated views.

        Args:
            keypoints: annotated keypoints, as for `evaluate-photos`. Pictures are called
                CAMERA/MOMENT.jpg; pictures with the same MOMENT were taken at the same time.
            cameras: JSON, {"CAMERA": {"K": 3 x 3, "R": 3 x 3, "t": [x, y, z]}}, in metres; a point
                X of the world lands on the pixel K (R X + t). A camera may also have "distortion",
                OpenCV's [k1, k2, p1, p2, k3], and "size", the [width, height] of its pictures.
            folder: folder of the pictures; by default, that of the keypoints' file.
            weights: shipped weights by name, or a file written by a training run.
            lifter: also measure these weights, of a network that reads keypoints, on the annotated
                keypoints: "keypoints" is shipped.
            refine: also run the flip test, and fit each body to the heat-maps.
            body: a body file in the place of that of the weights; see `hmr-edu body import`.
            out: also write the numbers here, as JSON.
        """
        from hmr_edu.io import check_output, write_json

        check_output(out)

        from hmr_edu.data import read_annotations, read_cameras
        from hmr_edu.data.photos.calibration import group_by_moment
        from hmr_edu.evaluation import evaluate_views, view_table
        from hmr_edu.hmr import load_pretrained

        calibrated = read_cameras(cameras)
        people = group_by_moment(read_annotations(keypoints, folder), calibrated)
        networks = _readers_of_pictures(weights, refine, body)
        second = load_pretrained(lifter, body) if lifter else None
        record = evaluate_views(networks, people, calibrated, second)
        print(view_table(record))
        if out is not None:
            write_json(out, record)

    config = (tyro.conf.PositionalRequiredArgs,)
    tyro.cli(run, prog="hmr-edu evaluate-views", args=args, config=config)


def _models(name: str, weights: str, refine: bool, body: str | None = None) -> dict:
    """Load a network under the name of its row and, if asked for, its refined form.

    Args:
        name: of its row.
        weights: shipped ones by name, or a file.
        refine: whether to add the refined form.
        body: in the place of the body of the weights.
    """
    from hmr_edu.fitting import FlipTested, Refined
    from hmr_edu.hmr import load_pretrained

    model = load_pretrained(weights, body)
    if not refine:
        return {name: model}
    reads_keypoints = model.options["encoder"] == "keypoints"
    return {name: model, "refined": (FlipTested if reads_keypoints else Refined)(model)}


def _readers_of_pictures(weights: str, refine: bool, body: str | None) -> dict:
    """Load a network as `_models`; raise DataError on one that reads no pictures."""
    from hmr_edu.io import DataError

    models = _models("network", weights, refine, body)
    if models["network"].options["encoder"] == "keypoints":
        raise DataError(f"--weights {weights}: reads keypoints, not pictures")
    return models
