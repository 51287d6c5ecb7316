#!/usr/bin/env python3
"""Prepare a real person in four calibrated videos for `hmr-edu evaluate-views`.

The recording is the single-person demonstration in the wheel of Pose2Sim 0.10.49 (BSD-3-Clause; D.
Pagnon and others). It is not part of this repository: fetch it (`pip download --no-deps
pose2sim==0.10.49`) and run

    python scripts/real_views/prepare.py pose2sim-0.10.49-py3-none-any.whl views
    hmr-edu evaluate-views views/keypoints.json views/cameras.json --refine

`keypoints.json`, beside this file, is ours: 14 joints at 5 moments, annotated by eye in three of
the four cameras each. ffmpeg extracts the pictures.
"""

from __future__ import annotations

import argparse
import json
import shutil
import subprocess
import sys
import tempfile
import xml.etree.ElementTree as ElementTree
import zipfile
from pathlib import Path

import numpy as np

DEMO = "Pose2Sim/Demo_SinglePerson"
CAMERAS = ("cam01", "cam02", "cam03", "cam04")
# The annotated frames: 5, 27, 49, 71, 93.
FRAMES = "select='not(mod(n-5,22))'"
# Calibration files give intrinsics in 64ths of a pixel, and positions in millimetres.
SUBPIXELS, MILLIMETRES = 64, 1000


def main() -> None:
    """Read the command line, unpack the wheel, extract the pictures, write the files."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("wheel", type=Path, help="pose2sim-0.10.49-py3-none-any.whl")
    parser.add_argument("out", type=Path, help="folder to write")
    args = parser.parse_args()
    if shutil.which("ffmpeg") is None:
        sys.exit("no ffmpeg on the PATH: install it (apt install ffmpeg, brew install ffmpeg)")
    if not zipfile.is_zipfile(args.wheel):
        sys.exit(f"{args.wheel}: no wheel of Pose2Sim")
    with tempfile.TemporaryDirectory() as folder, zipfile.ZipFile(args.wheel) as wheel:
        wanted = [f"{DEMO}/calibration/Calib.qca.txt"]
        wanted += [f"{DEMO}/videos/{camera}.mp4" for camera in CAMERAS]
        missing = sorted(set(wanted) - set(wheel.namelist()))
        if missing:
            sys.exit(f"{args.wheel}: holds no {missing[0]}; version 0.10.49 does")
        for name in wanted:
            wheel.extract(name, folder)
        demo = Path(folder) / DEMO
        for camera in CAMERAS:
            cut(demo / "videos" / f"{camera}.mp4", args.out / camera)
        cameras = read_qca(demo / "calibration" / "Calib.qca.txt")
    (args.out / "cameras.json").write_text(json.dumps(cameras, indent=1))
    shutil.copy(Path(__file__).with_name("keypoints.json"), args.out)
    print(f"{args.out}: {len(CAMERAS)} cameras, pictures, keypoints.json and cameras.json")


def cut(video: Path, folder: Path) -> None:
    """Write the annotated frames of a video, 001.jpg and so on."""
    folder.mkdir(parents=True, exist_ok=True)
    command = ["ffmpeg", "-loglevel", "error", "-i", str(video), "-vf", FRAMES]
    command += ["-fps_mode", "passthrough", "-q:v", "2", "-y", str(folder / "%03d.jpg")]
    subprocess.run(command, check=True)


def read_qca(path: Path) -> dict[str, dict[str, list]]:
    """Read Qualisys' calibration as {camera: {K, R, t}}.

    The lens distortion is left out. At the annotations it is 0.7 pixels on average and 2.7 at most,
    while annotations of one joint differ by ten.
    """
    cameras = {}
    # A Qualisys camera looks along -z with y up, ours along +z with y down. Qualisys gives the
    # position of the camera.
    turned = np.diag([1.0, -1.0, -1.0])
    for camera in ElementTree.parse(path).getroot().iter("camera"):
        place, lens = camera.find("transform").attrib, camera.find("intrinsic").attrib
        R = np.array([[float(place[f"r{i}{j}"]) for j in (1, 2, 3)] for i in (1, 2, 3)])
        centre = np.array([float(place[axis]) for axis in "xyz"]) / MILLIMETRES
        focal, middle = (
            [float(lens[f"{name}{axis}"]) / SUBPIXELS for axis in "UV"]
            for name in ("focalLength", "centerPoint")
        )
        cameras[camera.attrib["serial"]] = {
            "K": [[focal[0], 0, middle[0]], [0, focal[1], middle[1]], [0, 0, 1]],
            "R": (turned @ R).tolist(),
            "t": (-turned @ R @ centre).tolist(),
        }
    return cameras


if __name__ == "__main__":
    main()
