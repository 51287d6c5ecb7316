"""The data sets of photographs that can be read: by name, from a path on the user's disk.

A data set is one file in `sets/` with two functions, and one entry here.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from hmr_edu.data.photos.index import indexed
from hmr_edu.data.photos.layout import Layout, check_path
from hmr_edu.data.photos.sets import (
    aic,
    by_name,
    coco,
    human36m,
    humans4d,
    lsp,
    mpi_inf_3dhp,
    mpii,
    openpose,
    pw3d,
    spin,
)
from hmr_edu.data.photos.table import PeopleTable, check_table
from hmr_edu.io.errors import DataError, naming

SPLITS = ("train", "test")


@dataclass(frozen=True)
class DataSet:
    """How a data set is found and read.

    Args:
        find: function of the user's path and a split, "train" or "test"; returns the `Layout`.
            Raises FileNotFoundError that says what should be there.
        read: function of the layout that returns everybody. Raises DataError that names the file.
        help: what it is and in which layout; one line.
        layout: the files in its folder, one line each.
        licence: what its makers allow.
        source: where to get it.
    """

    find: Callable[[Path, str], Layout]
    read: Callable[[Layout], PeopleTable]
    help: str
    layout: tuple[str, ...] = ()
    licence: str = ""
    source: str = ""


OWN = "of the data set that it was made from"
DATA_SETS: dict[str, DataSet] = {
    "coco": DataSet(
        coco.find,
        coco.read,
        "COCO's person keypoints, or COCO-WholeBody's: their folder or a JSON",
        ("annotations/person_keypoints_{train,val}2017.json", "{train,val}2017/*.jpg"),
        "annotations CC BY 4.0; the pictures are their authors'",
        "https://cocodataset.org/#download",
    ),
    "lsp": DataSet(
        lsp.find,
        lsp.read,
        "Leeds Sports Pose: 1,000 pictures for training, 1,000 for tests",
        ("joints.mat", "images/im0001.jpg"),
        "research; the pictures are their authors'",
        "https://sam.johnson.io/research/lsp.html",
    ),
    "lspet": DataSet(
        lsp.find_extended,
        lsp.read_extended,
        "Leeds Sports Pose Extended: 10,000 pictures for training",
        ("joints.mat", "images/im00001.jpg"),
        "research; the pictures are their authors'",
        "https://sam.johnson.io/research/lspet.html",
    ),
    "mpii": DataSet(
        mpii.find,
        mpii.read,
        "MPII Human Pose: its MATLAB file, or HRNet's or the hourglass's JSON",
        (f"annotations/{mpii.MATLAB}, or annot/{{train,valid}}.json", "images/*.jpg"),
        "BSD for the annotations; the pictures are for research",
        "http://human-pose.mpi-inf.mpg.de",
    ),
    "aic": DataSet(
        aic.find,
        aic.read,
        "AI Challenger's human keypoints",
        tuple(f"{aic.NAMES[s][0]}.json, {aic.NAMES[s][1]}/*.jpg" for s in SPLITS),
        "research, by its makers' terms",
        "https://github.com/AIChallenger/AI_Challenger_2017",
    ),
    "mpi-inf-3dhp": DataSet(
        mpi_inf_3dhp.find,
        mpi_inf_3dhp.read,
        "MPI-INF-3DHP, with 3D: its annot.mat and frames, or SPIN's npz",
        ("S1/Seq1/annot.mat", "S1/Seq1/imageFrames/video_0/frame_000001.jpg"),
        "non-commercial research, by its makers' terms",
        "https://vcai.mpi-inf.mpg.de/3dhp-dataset",
    ),
    "h36m": DataSet(
        human36m.find,
        human36m.read,
        "Human3.6M, with 3D: SPIN's npz",
        ("h36m_train.npz, h36m_valid_protocol2.npz", "images/*.jpg"),
        "academic use, by its makers' terms, after registration",
        "http://vision.imar.ro/human3.6m",
    ),
    "3dpw": DataSet(
        pw3d.find,
        pw3d.read,
        "3DPW, with poses of SMPL: its own pickles, or SPIN's npz",
        ("sequenceFiles/{train,test}/*.pkl", "imageFiles/SEQUENCE/image_00000.jpg"),
        "non-commercial research, by its makers' terms",
        "https://virtualhumans.mpi-inf.mpg.de/3DPW",
    ),
    "spin": DataSet(
        spin.find,
        spin.read,
        "an npz of SPIN's dataset_extras, of any data set",
        ("*train*.npz, *test*.npz", "images/*.jpg"),
        OWN,
        "https://github.com/nkolot/SPIN",
    ),
    "4dhumans": DataSet(
        humans4d.find,
        humans4d.read,
        "an npz in the form of 4D-Humans, of any data set",
        ("*train*.npz, *test*.npz", "images/*.jpg"),
        OWN,
        "https://github.com/shubham-goel/4D-Humans",
    ),
    "openpose": DataSet(
        openpose.find,
        openpose.read,
        "pictures with OpenPose's JSON, one file a picture",
        ("NAME_keypoints.json", "NAME.jpg"),
        "yours",
        "openpose --image_dir PICTURES --write_json PICTURES",
    ),
    "json": DataSet(
        by_name.find,
        by_name.read,
        "pictures beside a JSON of keypoints by name, or in COCO's form",
        ("train.json, test.json, or annotations.json", "NAME.jpg"),
        "yours",
        "your own annotations",
    ),
}


def open_data_set(name: str, path: str | Path, split: str = "train") -> PeopleTable:
    """Return the people of a data set; the first reading writes an index, later ones use it.

    Raises FileNotFoundError that says which file is missing, DataError that names the file and what
    is wrong with it, or lists the known names.
    """
    if name not in DATA_SETS:
        raise DataError(f"no data set is called {name!r:.60}; {', '.join(DATA_SETS)} are")
    if split not in SPLITS:
        raise DataError(f"a split is {' or '.join(SPLITS)}, not {split!r:.60}")
    data_set = DATA_SETS[name]
    path = Path(path).expanduser()
    check_path(path)
    layout = data_set.find(path, split)

    def read() -> PeopleTable:
        table = data_set.read(layout)
        with naming(layout.annotations[0]):
            check_table(table)
        return table

    return indexed(name, layout, read, data_set.read)


def read_test_split(words: str, most: int, least_keypoints: int) -> PeopleTable:
    """Return people of a test split, evenly taken; `words` are NAME=PATH.

    Raises as `open_data_set`, and DataError where nobody has so many keypoints.
    """
    name, _, path = words.partition("=")
    people = open_data_set(name, path, "test").usable(least_keypoints)
    if not len(people):
        raise DataError(f"{words}: nobody in it has {least_keypoints} keypoints")
    step = max(1, len(people) / most)
    return people.select((np.arange(min(most, len(people))) * step).astype(int))
