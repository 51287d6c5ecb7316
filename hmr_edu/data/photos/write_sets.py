"""Write small data sets of synthetic people in the true layouts of COCO and of LSP.

Lessons and experiments train on these where the originals are not at hand. They hold pictures,
2D keypoints and, as COCO does, outlines: nothing that photographs would not have.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import numpy as np
import scipy.io
from jaxtyping import Float, UInt8
from PIL import Image
from tqdm import tqdm

from hmr_edu.data.batch import Batch
from hmr_edu.data.photos.outlines import trace
from hmr_edu.data.photos.sets.coco import SPLITS
from hmr_edu.data.source import BatchSource
from hmr_edu.io.errors import DataError
from hmr_edu.io.files import atomic_write
from hmr_edu.io.jsonfile import write_json
from hmr_edu.keypoints import COCO17, COCOPLUS, LSP

QUALITY = 92
# COCO's v: not annotated, hidden, visible.
MISSING, HIDDEN, SEEN = 0, 1, 2


def write_set(
    kind: str, folder: str | Path, source: BatchSource, pictures: int, split: str = "train"
) -> Path:
    """Write a data set of the source's first pictures, one person in each; return its folder.

    The same source gives the same files. Raises DataError on an unknown kind or split, and where
    the folder holds this set already.

    Args:
        kind: "coco", or "lsp", whose file holds both splits: the first 1,000 are for training.
        folder: for annotations and pictures; it is made.
        source: synthetic people.
        pictures: how many.
        split: "train" or "test".
    """
    folder = Path(folder)
    if kind not in WRITERS:
        raise DataError(f"no layout is called {kind!r:.60}; {', '.join(WRITERS)} are")
    if split not in SPLITS:
        raise DataError(f"a split is {' or '.join(SPLITS)}, not {split!r:.60}")
    WRITERS[kind](folder, source, pictures, split)
    return folder


def _check_new(path: Path) -> None:
    if path.exists():
        raise DataError(f"{path} is there already: name another folder")


def _people(
    source: BatchSource, pictures: int
) -> Iterator[tuple[int, UInt8[np.ndarray, "H W 3"], Float[np.ndarray, "19 2"], np.ndarray, Batch]]:
    """Yield number, picture, keypoints in its pixels, what is visible, and a batch of one."""
    with tqdm(total=pictures, unit="picture", disable=pictures < 500) as bar:
        for number in range(pictures):
            index, row = divmod(number, source.batch_size)
            if row == 0:
                batch = source.finish(source.prepare(index))
                images = (batch.images.permute(0, 2, 3, 1) * 255).round().byte().numpy()
                places = ((batch.keypoints2d + 1) / 2 * source.image_size - 0.5).numpy()
                visible = batch.visible.numpy() > 0
            yield number, images[row], places[row], visible[row], batch.rows(slice(row, row + 1))
            bar.update()


def _save(path: Path, pixels: UInt8[np.ndarray, "H W 3"]) -> None:
    with atomic_write(path) as temporary:
        Image.fromarray(pixels).save(temporary, quality=QUALITY)


def _write_coco(folder: Path, source: BatchSource, pictures: int, split: str) -> None:
    """Write `annotations/person_keypoints_train2017.json` and `train2017/`, or those of val."""
    name, part = SPLITS[split][0]
    path = folder / "annotations" / f"{name}.json"
    _check_new(path)
    images, annotations = [], []
    for number, pixels, places, visible, batch in _people(source, pictures):
        height, width = pixels.shape[:2]
        file = f"{number + 1:012d}.jpg"
        _save(folder / part / file, pixels)
        images.append({"id": number + 1, "file_name": file, "width": width, "height": height})
        keypoints: list[float] = []
        for joint in COCO17:
            k = COCOPLUS.index(joint)
            x, y = (round(float(v), 2) for v in places[k])
            inside = 0 <= x < width and 0 <= y < height
            keypoints += [x, y, SEEN if visible[k] else HIDDEN] if inside else [0, 0, MISSING]
        mask = batch.parts[0].numpy()
        rows, columns = np.nonzero(mask)
        x0, y0 = int(columns.min(initial=width - 1)), int(rows.min(initial=height - 1))
        box = [x0, y0, int(columns.max(initial=0)) + 1 - x0, int(rows.max(initial=0)) + 1 - y0]
        annotations.append(
            {
                "id": number + 1,
                "image_id": number + 1,
                "category_id": 1,
                "keypoints": keypoints,
                "num_keypoints": sum(v > 0 for v in keypoints[2::3]),
                "bbox": [float(v) for v in box],
                "area": float(len(rows)),
                "segmentation": trace(mask),
                "iscrowd": 0,
            }
        )
    category = {"id": 1, "name": "person", "supercategory": "person", "keypoints": list(COCO17)}
    content = {"images": images, "annotations": annotations, "categories": [category]}
    write_json(path, content)


def _write_lsp(folder: Path, source: BatchSource, pictures: int, split: str) -> None:
    """Write `joints.mat`, 3 x 14 x N, and `images/im0001.jpg`; pixels count from 1, as MATLAB's.

    The third row is 1 where a joint is hidden: the opposite of what one expects.
    """
    _check_new(folder / "joints.mat")
    joints = np.zeros((3, len(LSP), pictures))
    for number, pixels, places, visible, _ in _people(source, pictures):
        _save(folder / "images" / f"im{number + 1:04d}.jpg", pixels)
        joints[:2, :, number] = places[: len(LSP)].T + 1
        joints[2, :, number] = ~visible[: len(LSP)]
    with atomic_write(folder / "joints.mat") as temporary:
        scipy.io.savemat(temporary, {"joints": joints})


WRITERS: dict[str, Callable[[Path, BatchSource, int, str], None]] = {
    "coco": _write_coco,
    "lsp": _write_lsp,
}
