"""Tell which data set lies at a path: by its files' names, and by what is in them."""

from __future__ import annotations

from pathlib import Path

from scipy.io import whosmat

from hmr_edu.data.detections.formats import is_openpose
from hmr_edu.data.photos.coco import is_coco
from hmr_edu.data.photos.data_sets import DATA_SETS, SPLITS
from hmr_edu.data.photos.layout import check_path
from hmr_edu.io.big_json import read_big_json, read_big_list
from hmr_edu.io.errors import DataError
from hmr_edu.io.npz_rows import array_names

# Data sets of which SPIN has made npz files too.
SPIN_TOO = ("mpi-inf-3dhp", "h36m", "3dpw")


def named_path(text: str) -> tuple[str, Path]:
    """Return name and path of `NAME=PATH`, or of a path whose data set is recognised.

    Raises FileNotFoundError where there is nothing, DataError that lists the known names.
    """
    name, equals, path = text.partition("=")
    if name in DATA_SETS and equals:
        return name, Path(path).expanduser()
    whole = Path(text).expanduser()
    check_path(whole)
    if whole.exists():
        return recognise(whole), whole
    if equals and "/" not in name:
        raise DataError(f"no data set is called {name!r:.60}; {', '.join(DATA_SETS)} are")
    raise FileNotFoundError(f"no data set {whole}")


def recognise(path: Path) -> str:
    """Return the name of the data set in a file or a folder.

    Raises DataError that lists the known names where it is none of them, or may be several.
    """
    names = [name for name in DATA_SETS if _fits(name, path)]
    if len(names) > 1 and "spin" in names:
        names.remove("spin")
    if len(names) == 1:
        return names[0]
    may = f"it may be {' or '.join(names)}" if names else "its files are those of no data set"
    raise DataError(f"{path}: {may}; write NAME={path}, with one of {', '.join(DATA_SETS)}")


def _fits(name: str, path: Path) -> bool:
    for split in SPLITS:
        try:
            if path.is_file():
                return _of_file(path) == name
            own = _of_file(DATA_SETS[name].find(path, split).annotations[0])
        except (OSError, DataError):
            continue
        if own == name or (own, name) == ("coco", "json") or (own == "spin" and name in SPIN_TOO):
            return True
    return False


def _of_file(path: Path) -> str | None:
    """Return the data set that a file is of."""
    if path.suffix == ".npz":
        names = set(array_names(path))
        if any("_keypoints_2d" in name or "_keypoints_3d" in name for name in names):
            return "4dhumans"
        return "spin" if {"imgname", "center", "scale"} <= names else None
    if path.suffix == ".pkl":
        return "3dpw"
    if path.suffix == ".mat":
        return _of_matlab(path)
    return _of_json(path) if path.suffix == ".json" else None


def _of_matlab(path: Path) -> str | None:
    try:
        shapes = {name: shape for name, shape, _ in whosmat(str(path))}
    except Exception:  # a damaged file fails anywhere in scipy, and HDF5 is not known to it
        return None
    if "RELEASE" in shapes:
        return "mpii"
    if "annot3" in shapes:
        return "mpi-inf-3dhp"
    return {(3, 14): "lsp", (14, 3): "lspet"}.get(shapes.get("joints", ())[:2])


def _of_json(path: Path) -> str | None:
    with path.open("rb") as file:
        start = file.read(4096).lstrip(b"\xef\xbb\xbf \t\r\n")
    if start[:1] != b"[":
        content = read_big_json(path, "annotations", ("annotations", "images"))
        return "coco" if is_coco(content) else "openpose" if is_openpose(content) else "json"
    entries = read_big_list(path, "annotations")
    first = entries[0] if len(entries) else None
    if not isinstance(first, dict):
        return None
    if "keypoint_annotations" in first:
        return "aic"
    return "mpii" if {"joints", "joint_self"} & first.keys() else None
