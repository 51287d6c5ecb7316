"""Files in the layouts of SMPL's own, made of the free body: 6,890 vertices, up to 300 betas.

The small free body has 2,102 vertices. Each split edge adds one vertex and two faces, so 4,788
splits give SMPL's 6,890 vertices and 13,776 faces, and the surface stays what it was.
"""

import functools
import io
import json
import pickle
from typing import ClassVar

import numpy as np
from scipy import sparse

from hmr_edu.body import read_body
from hmr_edu.keypoints import COCOPLUS

VERTICES, FACES = 6890, 13776
# Public code's vertices of head top, nose, eyes and ears in SMPL's mesh.
PUBLISHED = {
    "head_top": 411, "nose": 333, "left_eye": 2801, "right_eye": 6261, "left_ear": 584,
    "right_ear": 4072,
}  # fmt: skip

NUMPY_1 = b"numpy._core", b"numpy.core"


class Ch:
    """Stands for chumpy's array: it is written under chumpy's name, and never read."""

    def __init__(self, x):
        self.x, self._dirty_vars, self._itr = np.asarray(x), set(), None


class Select:
    """Stands for chumpy's chosen numbers of another array."""

    def __init__(self, x):
        array = np.asarray(x)
        self.a, self.idxs = (
            Ch(np.concatenate([[np.nan], array.ravel()])),
            np.arange(1, array.size + 1),
        )
        self.preferred_shape = array.shape


class _Writer(pickle._Pickler):
    """Writes the stand-ins under chumpy's names, as Python 2 did."""

    def save_global(self, obj, name=None):
        names = {Ch: "chumpy.ch\nCh", Select: "chumpy.reordering\nSelect"}
        if obj in names:
            self.write(pickle.GLOBAL + names[obj].encode() + b"\n")
            self.memoize(obj)
        else:
            super().save_global(obj, name)

    dispatch: ClassVar = {**pickle._Pickler.dispatch, type: save_global}


def pickled(value, protocol=2):
    """Pickle as numpy 1 did, with chumpy's names for the stand-ins."""
    file = io.BytesIO()
    _Writer(file, protocol).dump(value)
    # From protocol 4 on a name's length stands before it.
    return file.getvalue().replace(*NUMPY_1) if protocol < 4 else file.getvalue()


def _split(faces, count, number):
    """Split edges of triangles, the first edges first; return faces and pairs of parents."""
    faces = [tuple(face) for face in faces.tolist()]
    at = {}
    for index, (a, b, c) in enumerate(faces):
        at[a, b], at[b, c], at[c, a] = index, index, index
    parents = []
    for a, b in sorted((a, b) for a, b in at if a < b)[:: len(at) // 2 // number][:number]:
        new = count + len(parents)
        parents.append((a, b))
        for u, v in ((a, b), (b, a)):
            index = at.pop((u, v))
            (w,) = set(faces[index]) - {u, v}
            faces[index] = u, new, w
            faces.append((new, v, w))
            at[u, new] = at[new, w] = index
            at[new, v] = at[v, w] = at[w, new] = len(faces) - 1
            at[w, u] = index
    return np.array(faces), np.array(parents)


@functools.lru_cache
def smpl_arrays(betas=300, published=True):
    """Return arrays with SMPL's names, types and sizes, float64.

    `published` numbers the vertices so that those of the face are where SMPL has them.
    """
    free = read_body("lite")
    faces, parents = _split(free.faces, len(free.v_template), VERTICES - len(free.v_template))

    def grown(array):
        array = array.astype(np.float64)
        return np.concatenate([array, array[parents].mean(1)])

    template, weights = grown(free.v_template), grown(free.weights)
    extra = np.random.default_rng(7).normal(0, 1e-3, (VERTICES, 3, 300 - 10))
    shapedirs = np.concatenate([grown(free.shapedirs), extra], axis=2)[:, :, :betas]
    J_regressor = np.zeros((24, VERTICES))
    J_regressor[:, : len(free.v_template)] = free.J_regressor
    J_regressor /= J_regressor.sum(1, keepdims=True)
    order = np.arange(VERTICES)
    if published:
        keypoints = free.keypoint_regressor @ free.v_template
        for name, place in PUBLISHED.items():
            near = np.linalg.norm(template[order] - keypoints[COCOPLUS.index(name)], axis=1)
            chosen = near.argmin()
            order[[place, chosen]] = order[[chosen, place]]
    back = np.argsort(order)
    roots = np.array([2**32 - 1], np.uint32)
    tree = np.stack([np.concatenate([roots, free.parents[1:]]), np.arange(24)]).astype(np.uint32)
    return {
        "v_template": template[order],
        "f": back[faces].astype(np.uint32),
        "shapedirs": shapedirs[order],
        "posedirs": grown(free.posedirs)[order],
        "J_regressor": J_regressor[:, order],
        "weights": (weights / weights.sum(1, keepdims=True))[order],
        "kintree_table": tree,
    }


def some_regressor(rows=19):
    """Return a regressor unlike any that would be fitted, whose rows sum to one."""
    regressor = np.zeros((rows, VERTICES))
    regressor[np.arange(rows), 100 * np.arange(rows) + 5] = 0.75
    regressor[np.arange(rows), 100 * np.arange(rows) + 6] = 0.25
    return regressor


def write_v1(path, arrays, protocol=2, chumpy=True, **more):
    """Write the layout of basicModel_*.pkl and SMPL_*.pkl: chumpy, a sparse regressor, the rest."""
    wrap, pick = (Ch, Select) if chumpy else (np.asarray, np.asarray)
    content = {
        "J_regressor_prior": sparse.csc_matrix(arrays["J_regressor"]),
        "f": arrays["f"],
        "J_regressor": sparse.csc_matrix(arrays["J_regressor"]),
        "kintree_table": arrays["kintree_table"],
        "J": wrap(arrays["J_regressor"] @ arrays["v_template"]),
        "weights_prior": arrays["weights"],
        "weights": wrap(arrays["weights"]),
        "vert_sym_idxs": np.arange(VERTICES),
        "posedirs": wrap(arrays["posedirs"]),
        "pose_training_info": {"Pose features": "vec(R - I)"},
        "bs_style": "lbs",
        "v_template": wrap(arrays["v_template"]),
        "shapedirs": pick(arrays["shapedirs"]),
        "bs_type": "lrotmin",
    }
    path.write_bytes(pickled(content | more, protocol))
    return path


def write_text(path, arrays, regressor):
    """Write the JSON of the PyTorch port: lists, both regressors transposed."""
    content = {name: np.asarray(value).tolist() for name, value in arrays.items()}
    content["J_regressor"] = arrays["J_regressor"].T.tolist()
    content["cocoplus_regressor"] = regressor.T.tolist()
    path.write_text(json.dumps(content))
    return path


def write_npz(path, arrays, **more):
    """Write an npz with SMPL's names."""
    np.savez(path, **(arrays | more))
    return path
