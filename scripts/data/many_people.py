"""Measure the first and the second opening of large data sets: seconds and peak memory.

    python scripts/data/many_people.py --people 500000 --folder /tmp/many

writes a JSON in COCO's layout and an npz in SPIN's, of so many people (0.6 and 1.5 GB for half a
million), and opens each of them twice in a new process. The goals are 10 seconds and 1 GB.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import zipfile
from pathlib import Path

import numpy as np

from hmr_edu.keypoints import COCO17

ROWS = 10_000
OPEN = """
import resource, sys, time
began = time.perf_counter()
from hmr_edu.data.photos.data_sets import open_data_set
imported = time.perf_counter() - began
alone = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
began, worked = time.perf_counter(), time.process_time()
table = open_data_set(sys.argv[1], sys.argv[2])
opened, worked = time.perf_counter() - began, time.process_time() - worked
person = table[len(table) // 2]
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
print(f"{len(table)} people, {opened:.2f} s ({worked:.2f} s of one core; imports {imported:.2f}), "
      f"peak {peak / 1024:.0f} MiB (imports {alone / 1024:.0f})")
"""


def write_coco(folder: Path, people: int) -> None:
    """Write people, two a picture, with a polygon as COCO has one."""
    g = np.random.default_rng(0)
    (folder / "annotations").mkdir(parents=True)
    categories = [{"id": 1, "name": "person", "keypoints": list(COCO17)}]
    path = folder / "annotations" / "person_keypoints_train2017.json"
    with path.open("w") as file:
        file.write(f'{{"categories": {json.dumps(categories)}, "images": [')
        for k in range((people + 1) // 2):
            name = f"{k:012d}.jpg"
            image = {
                "license": 4,
                "file_name": name,
                "coco_url": f"http://images.cocodataset.org/train2017/{name}",
                "height": 480,
                "width": 640,
                "date_captured": "2013-11-14 17:02:52",
                "id": k,
            }
            file.write((", " if k else "") + json.dumps(image))
        file.write('], "annotations": [')
        for start in range(0, people, ROWS):
            n = min(ROWS, people - start)
            points = g.integers(1, 480, (n, 17, 3))
            points[..., 2] = g.integers(0, 3, (n, 17))
            points[points[..., 2] == 0] = 0
            polygons = g.uniform(0, 480, (n, 60)).round(2)
            for row in range(n):
                person = {
                    "segmentation": [polygons[row].tolist()],
                    "num_keypoints": int((points[row, :, 2] > 0).sum()),
                    "area": 12345.678,
                    "iscrowd": 0,
                    "keypoints": points[row].ravel().tolist(),
                    "image_id": (start + row) // 2,
                    "bbox": [10.5, 20.25, 100.75, 200.5],
                    "category_id": 1,
                    "id": start + row,
                }
                file.write((", " if start + row else "") + json.dumps(person))
        file.write("]}")


def write_spin(folder: Path, people: int) -> None:
    """Write all arrays of SPIN, a few rows at a time."""
    g = np.random.default_rng(0)
    folder.mkdir(parents=True)
    shapes = {
        "imgname": ("<U40", ()),
        "center": ("<f8", (2,)),
        "scale": ("<f8", ()),
        "part": ("<f8", (24, 3)),
        "pose": ("<f8", (72,)),
        "shape": ("<f8", (10,)),
        "has_smpl": ("<f8", ()),
        "S": ("<f8", (24, 4)),
        "openpose": ("<f8", (25, 3)),
    }
    with zipfile.ZipFile(folder / "h36m_train.npz", "w") as archive:
        for name, (kind, shape) in shapes.items():
            header = {"descr": kind, "fortran_order": False, "shape": (people, *shape)}
            with archive.open(f"{name}.npy", "w", force_zip64=True) as member:
                np.lib.format.write_array_header_1_0(member, header)
                for start in range(0, people, ROWS):
                    n = min(ROWS, people - start)
                    if name == "imgname":
                        rows = np.array([f"images/S1_{start + r:012d}.jpg" for r in range(n)], kind)
                    else:
                        rows = g.random((n, *shape)).astype(kind)
                    member.write(rows.tobytes())


def main() -> None:
    """Write the files where they are missing, and open each twice."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--people", type=int, default=500_000)
    parser.add_argument("--folder", type=Path, required=True, help="where the files are written")
    options = parser.parse_args()
    cache = options.folder / "cache"
    shutil.rmtree(cache, ignore_errors=True)
    environment = os.environ | {"HMR_EDU_CACHE": str(cache)}
    for name, write in (("coco", write_coco), ("h36m", write_spin)):
        folder = options.folder / name
        if not folder.exists():
            write(folder, options.people)
        size = sum(file.stat().st_size for file in folder.rglob("*") if file.is_file())
        print(f"{name}, {size / 1e6:.0f} MB of annotations", flush=True)
        for which in ("first ", "second"):
            done = subprocess.run(
                [sys.executable, "-c", OPEN, name, str(folder)],
                env=environment,
                check=True,
                capture_output=True,
                text=True,
            )
            print(f"  {which} {done.stdout.strip()}", flush=True)


if __name__ == "__main__":
    main()
