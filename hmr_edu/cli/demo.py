"""`hmr-edu demo`: recover the bodies in a picture."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hmr_edu.io.ranges import Range, ranged


def command(args: Sequence[str]) -> None:
    """Recover the bodies in a picture."""

    @ranged
    def run(
        image: Annotated[Path, tyro.conf.Positional],
        box: Annotated[tuple[float, float, float, float] | None, Range(-1e6, 1e6)] = None,
        keypoints: Path | None = None,
        detect: Literal["auto", "mediapipe", "rtmlib", "none"] = "auto",
        all: bool = False,
        weights: str = "resnet18",
        lifter: str = "keypoints",
        refine: bool = False,
        body: str | None = None,
        out: Path = Path("demo"),
    ) -> None:
        """Recover the bodies in a picture: overlay PNG, OBJ, GLB, orbitable HTML, theta as JSON.

        People are found by the first of these that there is: `--box`; `--keypoints`; an installed
        detector; the image network, which looks for them in the whole picture. From keypoints the
        bodies come from the network that reads keypoints, else from the one that reads pictures.

        Args:
            image: any picture file.
            box: box around the person, in pixels: x0 y0 x1 y1.
            keypoints: a file with the keypoints of the people in the picture, or a folder of such
                files: COCO's annotations or results, OpenPose's or MediaPipe's JSON.
            detect: the detector; "auto" takes the best that is installed, "none" does without one.
            all: write everybody's results, not only those of the person who is found most surely.
                Everybody in `--keypoints` counts in any case.
            weights: of the network that reads pictures: shipped weights by name, or a file written
                by a training run.
            lifter: of the network that reads keypoints, likewise.
            refine: also fit each body, to the keypoints or, after a flip test, to the heat-maps.
            body: a body file in the place of that of the weights; see `hmr-edu body import`.
            out: folder for the results, which are named after the picture and the person. Nothing
                is overwritten but the results of the same picture, person and network.
        """
        from hmr_edu.io.errors import DataError
        from hmr_edu.viz.demo_people import (
            Networks,
            by_detector,
            by_network,
            chosen_detector,
            in_box,
            in_file,
        )

        if box is not None and keypoints is not None:
            raise DataError("give --box or --keypoints, not both")
        networks = Networks(weights, lifter, refine, body)
        if box is not None:
            said, written = in_box(image, out, networks, box)
        elif keypoints is not None:
            said, written = in_file(image, out, networks, keypoints)
        elif name := chosen_detector(detect):
            said, written = by_detector(image, out, networks, name, all)
        else:
            said, written = by_network(image, out, networks, all)
        for line in said:
            print(line)
        for paths in written:
            for kind, path in paths.items():
                print(f"{kind:9s} {path}")

    tyro.cli(run, prog="hmr-edu demo", args=args)
