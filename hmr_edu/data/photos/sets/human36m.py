"""Human3.6M, as SPIN's npz files: `h36m_train.npz`, `h36m_valid_protocol{1,2}.npz`.

http://vision.imar.ro/human3.6m. Its own files (CDF, videos) are not read. SPIN's scripts turn them
into these npz files and the folder `images`; the joints are those of the data set's own 3D, in the
camera's frame.
"""

from __future__ import annotations

from pathlib import Path

from hmr_edu.data.photos.layout import Layout, first_layout
from hmr_edu.data.photos.sets import spin

read = spin.read
NAMES = {
    "train": ("h36m_train", "h36m_mosh_train"),
    "test": ("h36m_valid_protocol2", "h36m_valid_protocol1"),
}


def find(path: Path, split: str) -> Layout:
    """Return the npz of a split (for tests that of protocol 2), or the npz itself."""
    if path.is_file():
        return spin.of_npz(path)
    files = [f / f"{n}.npz" for n in NAMES[split] for f in (path, path / "dataset_extras")]
    (file,) = first_layout(path, [Layout((file,), path) for file in files]).annotations
    return spin.of_npz(file)
