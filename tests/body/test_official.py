"""SMPL's own files: every layout gives the same body, and smplx agrees with it."""

import contextlib
import io
import pickle
import warnings

import numpy as np
import pytest
import torch
from helpers import smpl_files
from helpers.smpl_files import smpl_arrays, some_regressor, write_npz, write_text, write_v1
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hmr_edu.body import SMPL, load_body, read_body, save_body
from hmr_edu.body.build.poses import random_poses
from hmr_edu.body.build.skinning import forward_kinematics
from hmr_edu.body.official import read_official
from hmr_edu.cli import main
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS, SMPL_JOINTS, SMPL_PARENTS

REGRESSOR = some_regressor()
LAYOUTS = {
    "basicModel_neutral_lbs_10_207_0_v1.0.0.pkl": lambda p: write_v1(p, smpl_arrays(10), 0),
    "SMPL_NEUTRAL.pkl": lambda p: write_v1(p, smpl_arrays(300)),
    "SMPL_MALE.pkl": lambda p: write_v1(p, smpl_arrays(300), 4, chumpy=False),
    "neutral_smpl_with_cocoplus_reg.pkl": lambda p: write_v1(
        p, smpl_arrays(10), cocoplus_regressor=sparse.csc_matrix(REGRESSOR)
    ),
    "neutral_smpl_with_cocoplus_reg.txt": lambda p: write_text(p, smpl_arrays(10), REGRESSOR),
    "SMPL_FEMALE.npz": lambda p: write_npz(p, smpl_arrays(300)),
}


def joints_of(names):
    return [SMPL_JOINTS.index(name) for name in names]


@pytest.fixture(scope="module")
def smpl_npz(tmp_path_factory):
    return write_npz(tmp_path_factory.mktemp("smpl") / "SMPL.npz", smpl_arrays(300))


@pytest.mark.parametrize("name", LAYOUTS)
def test_every_layout_gives_its_arrays(tmp_path, name):
    path = LAYOUTS[name](tmp_path / name)
    body, facts = read_official(path)
    wanted = smpl_arrays(300)
    for ours, theirs in (("faces", "f"), *((n, n) for n in ("v_template", "posedirs", "weights"))):
        np.testing.assert_array_equal(
            getattr(body, ours), wanted[theirs].astype(getattr(body, ours).dtype)
        )
    np.testing.assert_array_equal(body.shapedirs, wanted["shapedirs"][:, :, :10].astype("f4"))
    np.testing.assert_array_equal(body.J_regressor, wanted["J_regressor"].astype("f4"))
    assert body.parents.tolist() == list(SMPL_PARENTS)
    assert facts[0] == "SMPL, 6,890 vertices, 13,776 faces"
    three_hundred = name in ("SMPL_NEUTRAL.pkl", "SMPL_MALE.pkl", "SMPL_FEMALE.npz")
    assert facts[1] == ("10 betas, the first of 300" if three_hundred else "10 betas")
    if "cocoplus" in name:
        np.testing.assert_array_equal(body.keypoint_regressor, REGRESSOR.astype("f4"))
        assert facts[-1] == "keypoints: the file's cocoplus_regressor"
    assert np.array_equal(read_body(path).v_template, body.v_template)


@pytest.fixture(scope="module")
def peer():
    """Give smplx.SMPL of the arrays as they were before they were written, in float64."""
    smplx = pytest.importorskip("smplx")
    data = smplx.body_models.Struct(**smpl_arrays(300))
    with warnings.catch_warnings(), contextlib.redirect_stdout(io.StringIO()):
        warnings.simplefilter("ignore")
        return smplx.SMPL("", data_struct=data, batch_size=1, dtype=torch.float64)


@pytest.fixture(scope="module")
def layer(tmp_path_factory):
    path = tmp_path_factory.mktemp("smpl") / "SMPL_NEUTRAL.pkl"
    return load_body(write_v1(path, smpl_arrays(300))).double()


@given(st.integers(0, 2**31), st.floats(0, 3), st.floats(0, 3))
@settings(max_examples=25)
def test_agrees_with_smplx(peer, layer, seed, shape, bend):
    generator = torch.Generator().manual_seed(seed)
    betas = shape * torch.randn(1, 10, generator=generator, dtype=torch.float64)
    pose = bend * torch.randn(1, 72, generator=generator, dtype=torch.float64)
    theirs = peer(betas=betas, body_pose=pose[:, 3:], global_orient=pose[:, :3])
    ours = layer(betas, pose)
    assert (ours.vertices - theirs.vertices).abs().max() < 1e-6
    assert (ours.joints - theirs.joints[:, :24]).abs().max() < 1e-6


def test_keypoints_stay_at_the_joints_of_a_bent_body(smpl_npz):
    """Against forward kinematics in numpy, in poses that nothing was fitted to."""
    body = read_body(smpl_npz)
    layer = SMPL(body).double()
    rotations = random_poses(40, np.random.default_rng(99))
    output = layer(torch.zeros(40, 10).double(), torch.from_numpy(rotations))
    rest = smpl_arrays(300)["J_regressor"] @ smpl_arrays(300)["v_template"]
    joints = np.empty((40, 24, 3))
    for i, R in enumerate(rotations):
        turns, shifts = forward_kinematics(R, rest, SMPL_PARENTS)
        joints[i] = np.einsum("jab,jb->ja", turns, rest) + shifts
    limbs = [n for n in COCOPLUS if n.split("_")[-1] in ("ankle", "knee", "hip", "wrist", "elbow")]
    for names, most in ((limbs, 0.004), (["left_shoulder", "right_shoulder", "neck"], 0.02)):
        found = output.keypoints[:, [COCOPLUS.index(name) for name in names]].numpy()
        off = np.linalg.norm(found - joints[:, joints_of(names)], axis=2).mean(0)
        assert off.max() < most, dict(zip(names, off, strict=True))
    # What the joints' own rows would give: why they are not taken.
    rows = np.einsum("jv,pvc->pjc", body.J_regressor, output.vertices.numpy())
    hip = SMPL_JOINTS.index("left_hip")
    assert np.linalg.norm(rows - joints, axis=2)[:, hip].mean() > 0.03


def test_published_vertices_are_the_face(smpl_npz):
    body, facts = read_official(smpl_npz)
    assert "published vertices" in facts[-1]
    for name, vertex in smpl_files.PUBLISHED.items():
        row = body.keypoint_regressor[COCOPLUS.index(name)]
        assert row[vertex] == 1
        assert np.count_nonzero(row) == 1


def test_another_mesh_of_6890_vertices_finds_its_face_by_place(tmp_path):
    """Such a body's vertex 333 may be a toe; then the free body tells where eyes are."""
    body, facts = read_official(write_npz(tmp_path / "a.npz", smpl_arrays(10, published=False)))
    assert "the mesh is not SMPL's" in facts[-1]
    free = read_body("lite")
    found = body.keypoint_regressor @ body.v_template
    wanted = free.keypoint_regressor @ free.v_template
    face = slice(COCOPLUS.index("head_top"), None)
    # The free body's ear is the mean of many vertices, here that of the widest ones.
    assert np.linalg.norm(found - wanted, axis=1)[face].max() < 0.02
    assert (body.weights[body.keypoint_regressor[face].any(0)].argmax(1) == 15).all()


def test_a_mesh_of_another_size(tmp_path):
    free = read_body("lite")
    arrays = {name: getattr(free, name) for name in ("v_template", "shapedirs", "posedirs")}
    arrays |= {"J_regressor": free.J_regressor, "weights": free.weights, "f": free.faces}
    arrays["kintree_table"] = np.stack([free.parents, np.arange(24)])
    body, facts = read_official(write_npz(tmp_path / "a.npz", arrays))
    assert facts[0] == "SMPL, 2,102 vertices, 4,200 faces"
    found = body.keypoint_regressor @ body.v_template
    wanted = free.keypoint_regressor @ free.v_template
    assert np.linalg.norm(found - wanted, axis=1).max() < 0.02


@pytest.mark.parametrize(("factor", "unit"), [(100, "centimetres"), (1000, "millimetres")])
def test_other_units_become_metres(tmp_path, factor, unit):
    arrays = dict(smpl_arrays(10))
    for name in ("v_template", "shapedirs", "posedirs"):
        arrays[name] = factor * arrays[name]
    body, facts = read_official(write_npz(tmp_path / "a.npz", arrays))
    assert facts[2] == f"1.70 m high at rest, in the file in {unit}"
    for name in ("v_template", "shapedirs", "posedirs"):
        wanted = smpl_arrays(10)[name]
        np.testing.assert_allclose(getattr(body, name), wanted, rtol=3e-7, atol=1e-9)


@pytest.mark.parametrize("root", [-1, 2**32 - 1])
@pytest.mark.parametrize("dtype", [np.int64, np.float64, np.uint32])
def test_roots_of_every_kind(tmp_path, root, dtype):
    if (root, dtype) == (-1, np.uint32):
        pytest.skip("no such number")
    table = smpl_arrays(10)["kintree_table"].astype(np.int64)
    table[0, 0] = root
    arrays = smpl_arrays(10) | {"kintree_table": table.astype(dtype)}
    assert read_body(write_npz(tmp_path / "a.npz", arrays)).parents.tolist() == list(SMPL_PARENTS)


def test_rows_that_nearly_sum_to_one_are_divided(tmp_path):
    given_rows = REGRESSOR * np.linspace(0.97, 1.03, 19)[:, None]
    path = write_npz(tmp_path / "a.npz", smpl_arrays(10), cocoplus_regressor=given_rows)
    body, facts = read_official(path)
    np.testing.assert_allclose(body.keypoint_regressor, REGRESSOR, atol=1e-7)
    assert facts[-1].endswith("divided by their sums (0.970 to 1.030)")


def test_import_writes_the_same_body(tmp_path, capsys, smpl_npz):
    out = tmp_path / "new" / "body.npz"
    assert main(["body", "import", str(smpl_npz), "-o", str(out)]) == 0
    said = capsys.readouterr().out
    for part in ("6,890 vertices", "the first of 300", "1.70 m", "keypoints:", "mesh: closed"):
        assert part in said
    assert "licence: SMPL's licence lets you use the body, not pass it on" in said
    assert said.splitlines()[-1] == str(out)
    first, second = read_body(smpl_npz), read_body(out)
    for name in vars(first):
        np.testing.assert_array_equal(getattr(first, name), getattr(second, name))
    assert main(["body", "measure", str(out)]) == 0
    assert '"vertices": 6890' in capsys.readouterr().out


def test_import_does_not_write_over_what_it_reads(tmp_path, capsys):
    path = write_npz(tmp_path / "body.npz", smpl_arrays(10))
    before = path.read_bytes()
    assert main(["body", "import", str(path), "-o", str(path)]) == 2
    assert "name another file" in capsys.readouterr().err
    assert path.read_bytes() == before


def test_an_own_body_is_no_file_of_smpl(tmp_path):
    path = tmp_path / "own.npz"
    save_body(path, read_body("lite"))
    with pytest.raises(DataError, match=r"own\.npz: .*missing"):
        read_official(path)


OTHERS = {
    "SMPLH_MALE": ({"kintree_table": np.zeros((2, 52), np.uint32)}, "SMPL-H, with 52 joints"),
    "SMPLX_NEUTRAL": ({"kintree_table": np.zeros((2, 55), np.uint32)}, "SMPL-X, with 55 joints"),
    "MANO_RIGHT": ({"kintree_table": np.zeros((2, 16), np.uint32)}, "MANO, which is a hand"),
    "generic_model": ({"kintree_table": np.zeros((2, 5), np.uint32)}, "FLAME, which is a head"),
    "model": ({"posedirs": np.zeros((6890, 3, 93))}, "STAR"),
    "quadruped": ({"kintree_table": np.zeros((2, 33), np.uint32)}, "a tree of 33 joints"),
}


@pytest.mark.parametrize("ending", ["npz", "pkl"])
@pytest.mark.parametrize("name", OTHERS)
def test_other_models_are_named_with_what_to_do(tmp_path, name, ending):
    changes, message = OTHERS[name]
    arrays = smpl_arrays(10) | changes
    path = tmp_path / f"{name}.{ending}"
    if ending == "npz":
        write_npz(path, arrays)
    else:
        path.write_bytes(pickle.dumps(arrays))
    with pytest.raises(DataError, match=message) as caught:
        load_body(path)
    assert path.name in str(caught.value)
    assert "smpl.is.tue.mpg.de" in str(caught.value)


def turned(axis):
    R = np.roll(np.eye(3), 1, 0) if axis == "z" else np.diag([-1, 1, -1])
    return {"v_template": smpl_arrays(10)["v_template"] @ R}


WRONG = {
    "NaN": ({"posedirs": np.full((6890, 3, 207), np.nan)}, "posedirs holds NaN"),
    "infinite": ({"shapedirs": np.full((6890, 3, 10), np.inf)}, "shapedirs holds NaN or infinite"),
    "a missing array": ({"weights": None}, "'weights' is missing"),
    "no faces": ({"f": None}, "'f' is missing"),
    "too few betas": ({"shapedirs": np.zeros((6890, 3, 6))}, "shapedirs has 6 betas"),
    "flat shapedirs": ({"shapedirs": np.zeros((20670, 10))}, "shapedirs has shape"),
    "fewer correctives": ({"posedirs": np.zeros((6890, 3, 206))}, "posedirs has shape"),
    "other vertices": ({"weights": np.ones((6889, 24)) / 24}, "weights has shape"),
    "weights of two": ({"weights": np.ones((6890, 24)) / 12}, "each row of weights must sum"),
    "a zero regressor": ({"J_regressor": np.zeros((24, 6890))}, "each row of J_regressor"),
    "a square regressor": ({"J_regressor": np.zeros((24, 24))}, "J_regressor has shape"),
    "faces elsewhere": ({"f": np.full((9, 3), 6890)}, "faces must index the 6890"),
    "half faces": ({"f": np.full((9, 3), 0.5)}, "faces must hold whole numbers"),
    "another tree": ({"kintree_table": np.zeros((2, 24), int)}, "kintree_table numbers"),
    "a flat tree": ({"kintree_table": np.zeros(24, int)}, "kintree_table has shape"),
    "far parents": (
        {"kintree_table": np.stack([np.full(24, 99), np.arange(24)])},
        "parents that are no joints",
    ),
    "a star": ({"kintree_table": np.stack([np.full(24, -1), np.arange(24)])}, "SMPL's tree"),
    "words": ({"v_template": np.array([["a"] * 3] * 6890)}, "v_template must hold real numbers"),
    "one number": ({"v_template": np.float64(1)}, "v_template has shape"),
    "nobody": ({"v_template": np.zeros((0, 3))}, "expected"),
    "a point": ({"v_template": np.zeros((6890, 3))}, "in no unit is that a body"),
    "a giant": ({"v_template": 4e3 * smpl_arrays(10)["v_template"]}, "in no unit|at most"),
    "lying down": (turned("z"), "Y points up"),
    "facing away": (turned("y"), r"faces \+Z"),
    "other keypoints": ({"cocoplus_regressor": np.ones((14, 6890))}, "keypoint_regressor has"),
    "keypoints of two": ({"cocoplus_regressor": 2 * REGRESSOR}, "each row of keypoint_regressor"),
    "complex": ({"weights": np.zeros((6890, 24), complex)}, "weights must hold real numbers"),
}


@pytest.mark.parametrize("name", WRONG)
def test_what_is_wrong_is_named(tmp_path, name):
    changes, message = WRONG[name]
    arrays = {k: v for k, v in (smpl_arrays(10) | changes).items() if v is not None}
    with pytest.raises(DataError, match=message) as caught:
        load_body(write_npz(tmp_path / "SMPL.npz", arrays))
    assert "SMPL.npz" in str(caught.value)


class Runs:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return open, (str(self.marker), "w")


HOSTILE = {
    "runs a command": lambda marker: {"v_template": Runs(marker)},
    "no arrays": lambda marker: [1, 2, 3],
    "words for arrays": lambda marker: smpl_arrays(10) | {"weights": "many"},
    "a number for a tree": lambda marker: smpl_arrays(10) | {"kintree_table": 24},
    "rows of many lengths": lambda marker: smpl_arrays(10) | {"f": [[1, 2, 3], [1]]},
    "an enormous sparse matrix": lambda marker: (
        smpl_arrays(10) | {"J_regressor": sparse.csc_matrix((2**30, 2**20))}
    ),
    "objects": lambda marker: smpl_arrays(10) | {"weights": np.array([{}, None])},
    # As an array each would take four times as many bytes as the longest.
    "a long text among many": lambda marker: (
        smpl_arrays(10) | {"f": ["a" * 50_000] + [""] * 50_000}
    ),
    "keys that are no text": lambda marker: {3: 4, (1, 2): 5},
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles(tmp_path, name):
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(HOSTILE[name](tmp_path / "executed")))
    with pytest.raises(DataError, match=r"SMPL_NEUTRAL\.pkl"):
        load_body(path)
    assert not (tmp_path / "executed").exists()


def test_a_pickle_that_holds_itself(tmp_path):
    content = dict(smpl_arrays(10))
    content["again"] = content
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(pickle.dumps(content))
    with pytest.raises(DataError, match="holds itself"):
        load_body(path)


@pytest.mark.parametrize("text", ["[1, 2]", "7", '"SMPL"', "{}", "not JSON", '{"f": [[1, 2], 3]}'])
def test_hostile_text(tmp_path, text):
    path = tmp_path / "neutral_smpl_with_cocoplus_reg.txt"
    path.write_text(text)
    with pytest.raises(DataError, match=r"cocoplus_reg\.txt"):
        load_body(path)


def test_other_endings_are_refused(tmp_path):
    path = tmp_path / "SMPL_NEUTRAL.mat"
    path.write_bytes(b"MATLAB")
    with pytest.raises(DataError, match=r"SMPL_NEUTRAL\.mat: .* ends in \.pkl"):
        load_body(path)
