"""`hmr-edu demo`: recover the bodies in a picture or a video."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Literal

import tyro

from hmr_edu.io.ranges import Range, ranged


def command(args: Sequence[str]) -> None:
    """Recover the bodies in a picture or a video."""

    @ranged
    def run(
        image: Annotated[Path, tyro.conf.Positional],
        box: Annotated[tuple[float, float, float, float] | None, Range(-1e6, 1e6)] = None,
        keypoints: Path | None = None,
        boxes_from: Path | None = None,
        detect: Literal["auto", "mediapipe", "rtmlib", "none"] = "auto",
        all: bool = False,
        weights: str = "resnet18",
        lifter: str = "keypoints",
        refine: bool = False,
        ply: bool = False,
        every: Annotated[int, Range(1, 10**6)] = 1,
        start: Annotated[float, Range(0, 1e6)] = 0.0,
        end: Annotated[float | None, Range(0, 1e6, open_low=True)] = None,
        smooth: bool = False,
        betas: Literal["clip", "frame"] = "clip",
        focal: Annotated[float | None, Range(1, 1e6)] = None,
        body: str | None = None,
        out: Path = Path("demo"),
    ) -> None:
        """Recover the bodies in a picture: overlay PNG, OBJ, GLB, orbitable HTML, theta as JSON.

        Or in a video (.mp4, .mov, .avi, .webm, .mkv, a GIF that moves): overlay MP4, each person's
        motion as npz in AMASS's layout and as animated GLB, everybody in SPIN's layout. A run that
        was killed is continued by the same command.

        People are found by the first of these that there is: `--box`; `--keypoints`; an installed
        detector; the image network, which looks for them in the whole picture. From keypoints the
        bodies come from the network that reads keypoints, else from the one that reads pictures.

        Args:
            image: any picture or video file.
            box: box around the person, in pixels: x0 y0 x1 y1.
            keypoints: a file with the keypoints of the people in the picture, or a folder of such
                files: COCO's annotations or results, OpenPose's or MediaPipe's JSON. Of a video: a
                folder with a file for each frame, whose number ends the name.
            boxes_from: such a file, of which only the boxes are taken: COCO's `bbox`, or what the
                keypoints span. The network that reads pictures reads each box.
            detect: the detector; "auto" takes the best that is installed, "none" does without one.
            all: write everybody's results, not only those of the person who is found most surely.
                Everybody in `--keypoints` counts in any case.
            weights: of the network that reads pictures: shipped weights by name, or a file written
                by a training run.
            lifter: of the network that reads keypoints, likewise.
            refine: also fit each body, to the keypoints or, after a flip test, to the heat-maps.
            ply: also write the meshes of a picture as PLY.
            every: of a video, read every so many-th frame.
            start: of a video, seconds from its beginning.
            end: of a video, seconds from its beginning.
            smooth: of a video, smooth the motion by the one-euro filter.
            betas: of a video, one shape for the whole clip, the mean, or one for each frame.
            focal: of a video, focal length in pixels, to which the distances from the camera are
                proportional; the diagonal of the picture if it is not given.
            body: a body file in the place of that of the weights; see `hmr-edu body import`.
            out: folder for the results, which are named after the picture and the person. Nothing
                is overwritten but the results of the same picture, person and network.
        """
        from hmr_edu.data.photos.video import is_video
        from hmr_edu.io.errors import DataError
        from hmr_edu.viz.demo_people import (
            Networks,
            by_detector,
            by_network,
            chosen_detector,
            in_box,
            in_boxes_of_file,
            in_file,
        )

        given = {"--box": box, "--keypoints": keypoints, "--boxes-from": boxes_from}
        given = [name for name, value in given.items() if value is not None]
        if len(given) > 1:
            raise DataError(f"give {' or '.join(given)}, not both")
        networks = Networks(weights, lifter, refine, ply, body)
        if is_video(image):
            from hmr_edu.viz.demo_video import VideoOptions, run_video

            if boxes_from is not None or ply:
                raise DataError("--boxes-from and --ply are for pictures, not for videos")
            options = VideoOptions(every, start, end, all, smooth, betas == "clip", focal)
            said, paths = run_video(image, out, networks, options, box, keypoints)
            written = [paths]
        elif (every, start, end, smooth, betas, focal) != (1, 0.0, None, False, "clip", None):
            options = "--every, --start, --end, --smooth, --betas and --focal"
            raise DataError(f"{options} are for videos; {image.name} is none")
        elif box is not None:
            said, written = in_box(image, out, networks, box)
        elif boxes_from is not None:
            said, written = in_boxes_of_file(image, out, networks, boxes_from)
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
