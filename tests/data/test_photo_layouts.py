"""Every data set in its true layout: written by the test, read, compared with what was written."""

import json

import numpy as np
import pytest
from helpers import data_layouts as layouts
from helpers.data_layouts import LAYOUTS, has, made_up
from scipy.io import loadmat, savemat
from scipy.spatial.transform import Rotation

from hmr_edu.data.photos.data_sets import DATA_SETS, open_data_set
from hmr_edu.data.photos.sets import coco
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS

# Data sets whose crop is the square around the keypoints, 1.2 times as wide.
AROUND_KEYPOINTS = {"lsp", "lspet", "mpi-inf-3dhp", "3dpw", "openpose"}
# Those that know of every joint where it is.
ALL_KNOWN = {"mpi-inf-3dhp"}
# Those without the wrong half of the people: the hourglass's second person is of the other split.
CHOSEN = {"mpii of the hourglass": [0, 2, 3]}
# In 3D only.
IN_3D = {
    "mpi-inf-3dhp": has(layouts.IN_3DHP),
    "3dpw": has(layouts.IN_SMPL),
    "h36m": has(layouts.IN_SPIN),
    "spin": has(layouts.IN_SPIN),
    # Of OpenPose's joints only those of the head.
    "4dhumans": has(layouts.IN_LSP) | np.isin(np.arange(19), (14, 15, 16, 17, 18)),
}
BETAS = {"h36m", "spin", "4dhumans"}


@pytest.fixture(autouse=True)
def cache(tmp_path, monkeypatch):
    monkeypatch.setenv("HMR_EDU_CACHE", str(tmp_path / "cache"))


def test_every_data_set_is_written():
    assert {name for name, _, _ in LAYOUTS.values()} == set(DATA_SETS)


@pytest.mark.parametrize("kind", LAYOUTS)
def test_what_was_written_is_read(tmp_path, kind):
    name, write, order = LAYOUTS[kind]
    people = made_up()
    path = write(tmp_path / "set", people)
    table = open_data_set(name, path)
    rows = sorted_rows(table, people, CHOSEN.get(kind, range(len(people))), kind)

    known = people.visible.astype(bool) & has(order)
    if name in ALL_KNOWN:
        known = np.broadcast_to(has(order), known.shape)
    if kind == "4dhumans":
        known = people.visible.astype(bool)  # the head top is one of the other joints
    for row, n in rows:
        assert table.visible[row].tolist() == known[n].tolist()
        at = known[n]
        np.testing.assert_allclose(table.keypoints2d[row, at], people.keypoints2d[n, at], atol=1e-4)
        assert (table.keypoints2d[row, ~at] == 0).all()
        crop = (*people.center[n], people.side[n])
        if name in AROUND_KEYPOINTS:
            low, high = people.keypoints2d[n, at].min(0), people.keypoints2d[n, at].max(0)
            crop = (*(low + high) / 2, 1.2 * (high - low).max())
        np.testing.assert_allclose(table.crops[row], crop, atol=2e-4)
        assert table.path(row).is_file()


@pytest.mark.parametrize("kind", [kind for kind in LAYOUTS if LAYOUTS[kind][0] in IN_3D])
def test_what_was_written_is_read_in_3d(tmp_path, kind):
    name, write, _ = LAYOUTS[kind]
    people = made_up()
    table = open_data_set(name, write(tmp_path / "set", people))
    for row, n in sorted_rows(table, people, range(len(people)), kind):
        known = IN_3D[name].copy()
        if name not in ALL_KNOWN | {"3dpw"}:
            known &= people.visible[n].astype(bool)
        np.testing.assert_allclose(
            table.keypoints3d[row, known], people.keypoints3d[n, known], atol=1e-5
        )
        assert np.isnan(table.keypoints3d[row, ~known]).all()
        if name == "mpi-inf-3dhp":
            assert table.pose is None
            assert table.betas is None
            continue
        if name == "3dpw" or n % 2 == 0:
            ours = Rotation.from_rotvec(table.pose[row].reshape(24, 3))
            truth = Rotation.from_rotvec(people.pose[n].reshape(24, 3))
            assert (ours.inv() * truth).magnitude().max() < 1e-5
        else:
            assert np.isnan(table.pose[row]).all()
        if name in BETAS and n % 2 == 0:
            np.testing.assert_allclose(table.betas[row], people.betas[n], atol=1e-6)
        else:
            assert np.isnan(table.betas[row]).all()


@pytest.mark.parametrize("kind", [kind for kind in LAYOUTS if LAYOUTS[kind][0] not in IN_3D])
def test_2d_data_sets_know_nothing_else(tmp_path, kind):
    name, write, _ = LAYOUTS[kind]
    table = open_data_set(name, write(tmp_path / "set", made_up()))
    assert table.keypoints3d is None
    assert table.pose is None
    assert table.betas is None


def sorted_rows(table, people, chosen, kind):
    """Pair rows of the table with people: MPII and MPI-INF-3DHP have an order of their own."""
    chosen = list(chosen)
    assert len(table) == len(chosen)
    if kind == "mpi-inf-3dhp":
        chosen = sorted(chosen, key=lambda n: (n % 2, n))
    return list(enumerate(chosen))


# By hand: one number of each convention, written out.


def test_lsp_by_hand(tmp_path):
    joints = np.zeros((3, 14, 2000))
    joints[:, :, 1999] = 5  # not a person of the training split
    joints[2] = 1
    joints[:, 0, 0] = 11, 21, 0  # the right ankle: pixel (10, 20) from 0, not hidden
    joints[:, 13, 0] = 31, 61, 0  # the head top
    joints[:, 5, 0] = 99, 99, 1  # hidden
    joints[:, :, 1000] = np.array([[1.0], [1], [0]]) + np.arange(14) * np.array([[2], [3], [0]])
    savemat(tmp_path / "joints.mat", {"joints": joints})
    train, test = open_data_set("lsp", tmp_path), open_data_set("lsp", tmp_path, "test")
    assert len(train) == 1
    assert len(test) == 1
    assert train.left_out == {"nothing of them is known": 999}
    person = train[0]
    assert person.path.name == "im0001.jpg"
    assert person.keypoints2d[[0, 13]].tolist() == [[10, 20], [30, 60]]
    assert person.visible.nonzero().flatten().tolist() == [0, 13]
    assert vars(person.crop) == pytest.approx({"x": 20, "y": 40, "size": 48})
    assert test[0].path.name == "im1001.jpg"
    assert test[0].keypoints2d[2].tolist() == [4, 6]
    with pytest.raises(DataError, match="LSP-extended has no pictures for tests"):
        open_data_set("lspet", tmp_path, "test")


def test_mpii_by_hand(tmp_path):
    """Scale 2: 500 pixels, 30 pixels below the middle; HRNet's own crop has these numbers."""
    entry = {
        "image": "a.jpg",
        "scale": 2.0,
        "center": [101.0, 201.0],
        "joints_vis": [1] + [0] * 15,
        "joints": [[51.0, 61.0]] + [[-1, -1]] * 15,
    }
    (tmp_path / "train.json").write_text(json.dumps([entry]))
    (person,) = open_data_set("mpii", tmp_path)
    assert vars(person.crop) == {"x": 100, "y": 230, "size": 500}
    assert person.keypoints2d[0].tolist() == [50, 60]
    assert person.visible.sum() == 1


def test_spin_by_hand(tmp_path):
    """OpenPose fills what the annotators left; Human3.6M's head fills the head top."""
    n = 2
    part, openpose, S = np.zeros((n, 24, 3)), np.zeros((n, 25, 3)), np.zeros((n, 24, 4))
    part[0, 0] = 7, 8, 1  # right ankle
    part[0, 18] = 1, 2, 1  # the other head
    openpose[0, 11] = 70, 80, 0.5  # right ankle again
    openpose[0, 0] = 3, 4, 0.25  # nose
    openpose[1, 4] = 5, 6, 1.1  # right wrist
    S[1, 13], S[1, 18] = (0.1, 0.2, 0.3, 1), (9, 9, 9, 1)
    np.savez(
        tmp_path / "x.npz",
        imgname=np.array(["a.jpg", "b.jpg"]),
        center=np.array([[10.0, 20], [30, 40]]),
        scale=np.array([1.5, 0.5]),
        part=part,
        openpose=openpose,
        S=S,
        pose=np.ones((n, 72)),
        shape=np.ones((n, 10)),
        gender=np.array(["m", "n"]),
    )
    table = open_data_set("spin", tmp_path / "x.npz")
    assert table.crops.tolist() == [[10, 20, 300], [30, 40, 100]]
    names = [COCOPLUS[k] for k in np.flatnonzero(table.visible[0])]
    assert names == ["right_ankle", "head_top", "nose"]
    assert table.keypoints2d[0, [0, 13, 14]].tolist() == [[7, 8], [1, 2], [3, 4]]
    assert table.visible[0, [0, 13, 14]].tolist() == [1, 1, 0.25]
    assert table.visible[1, 6] == 1  # a confidence of 1.1
    np.testing.assert_allclose(table.keypoints3d[1, 13], [0.1, 0.2, 0.3])
    assert np.isfinite(table.pose).all()
    # The betas of a man are not those of the neutral body.
    assert np.isnan(table.betas[0]).all()
    assert (table.betas[1] == 1).all()


def test_4dhumans_by_hand(tmp_path):
    """The crop is 300 pixels wide; in 3D OpenPose's wrist does not count, its nose does."""
    body2, body3 = np.zeros((1, 25, 3)), np.zeros((1, 25, 4))
    body2[0, 4] = 5, 6, 1  # right wrist
    body3[0, 4], body3[0, 0] = (1, 2, 3, 1), (4, 5, 6, 1)
    np.savez(
        tmp_path / "x.npz",
        imgname=np.array([b"a.jpg"]),
        center=np.array([[[10.0, 20]]]),
        scale=np.array([[300.0]]),
        body_keypoints_2d=body2,
        body_keypoints_3d=body3,
        body_pose=np.arange(72.0)[None],
    )
    table = open_data_set("4dhumans", tmp_path / "x.npz")
    assert table.crops.tolist() == [[10, 20, 300]]
    assert np.flatnonzero(table.visible[0]).tolist() == [6]
    assert np.flatnonzero(np.isfinite(table.keypoints3d[0, :, 0])).tolist() == [14]
    assert table.keypoints3d[0, 14].tolist() == [4, 5, 6]
    assert table.pose[0].tolist() == list(range(72))
    assert table.betas is None


def test_names_as_pythons_objects_are_read(tmp_path):
    """numpy pickles such names; they are read without running anything."""
    people = made_up()
    names = np.array([f"images/{name}.jpg" for name in people.files], object)
    path = layouts.write_spin(tmp_path, people, imgname=names)
    assert len(open_data_set("spin", path)) == len(people)


def test_pictures_of_an_npz_are_found(tmp_path):
    """SPIN keeps its npz files in `dataset_extras`, beside the data set's folders."""
    people = made_up()
    layouts.write_spin(tmp_path, people)
    (tmp_path / "dataset_extras").mkdir()
    (tmp_path / "mpi_inf_train.npz").rename(tmp_path / "dataset_extras" / "mpi_inf_train.npz")
    table = open_data_set("spin", tmp_path)
    assert table.folder == tmp_path
    assert table.path(0).is_file()


def test_3dpw_turns_the_root(tmp_path):
    """A person who faces along the world's x, in a camera that looks along it, has root identity.

    By hand: the extrinsics turn x onto z, so a root that turns z onto x becomes the identity.
    """
    people = made_up()
    path = layouts.write_3dpw(tmp_path / "set", people)
    file = path / "sequenceFiles" / "train" / "walking_00.pkl"
    import pickle

    sequence = pickle.loads(file.read_bytes())
    turn = np.array([[0, 0, -1], [0, 1, 0], [1, 0, 0]])  # x -> z, z -> -x
    sequence["cam_poses"][:, :3, :3] = turn
    sequence["cam_poses"][:, :3, 3] = 0, 0, 5
    for pose in sequence["poses"]:
        pose[:, :3] = 0, np.pi / 2, 0  # z -> x
    sequence["jointPositions"][0][0, 3 * 8 : 3 * 8 + 3] = 2, 1, 0  # right ankle
    file.write_bytes(pickle.dumps(sequence))
    table = open_data_set("3dpw", path)
    np.testing.assert_allclose(table.pose[:, :3], 0, atol=1e-6)
    np.testing.assert_allclose(table.keypoints3d[0, 0], [0, 1, 7], atol=1e-6)
    assert table.left_out == {"in pictures whose camera is not known": 2}
    assert table.path(0) == path / "imageFiles" / "walking_00" / "image_00000.jpg"


def test_mpi_inf_3dhp_by_hand(tmp_path):
    """Frame 3 is row 2; millimetres; frames that are not on the disk are not read."""
    people = made_up()
    path = layouts.write_3dhp(tmp_path / "set", people)
    file = path / "S1" / "Seq1" / "annot.mat"
    content = loadmat(file)
    content["annot2"][0, 0][2, 2 * 25 : 2 * 25 + 2] = 123, 456  # right ankle
    content["annot3"][0, 0][2, 3 * 25 : 3 * 25 + 3] = 1000, -500, 4000
    savemat(file, {name: content[name] for name in ("annot2", "annot3")})
    table = open_data_set("mpi-inf-3dhp", path)
    (row,) = [n for n in range(len(table)) if table.path(n).name == "frame_000003.jpg"]
    assert table.path(row).parent.name == "video_0"
    assert table.keypoints2d[row, 0].tolist() == [123, 456]
    np.testing.assert_allclose(table.keypoints3d[row, 0], [1, -0.5, 4])
    assert len(table) == len(people)  # of 14 cameras with 4 frames each


def test_the_test_set_of_3dhp_is_named(tmp_path):
    path = tmp_path / "annot_data.mat"
    path.write_bytes(b"\x89HDF\r\n\x1a\n" + bytes(600))
    (tmp_path / "S1" / "Seq1").mkdir(parents=True)
    path = path.rename(tmp_path / "S1" / "Seq1" / "annot.mat")
    frames = tmp_path / "S1" / "Seq1" / "imageFrames" / "video_0"
    frames.mkdir(parents=True)
    (frames / "frame_000001.jpg").write_bytes(b"")
    with pytest.raises(DataError, match=r"annot\.mat: a MATLAB file of version 7\.3 \(HDF5\)"):
        open_data_set("mpi-inf-3dhp", tmp_path)


def test_whole_body_annotations(tmp_path):
    """COCO-WholeBody: the same 17, and other fields beside them."""
    people = made_up()
    extra = {"foot_kpts": [0.0] * 18, "face_kpts": [0.0] * 204, "lefthand_valid": False}
    layouts.write_coco(tmp_path, people, extra)
    usual = open_data_set("coco", tmp_path)
    file = tmp_path / "annotations" / "person_keypoints_train2017.json"
    file.rename(file.with_name("coco_wholebody_train_v1.0.json"))
    whole = open_data_set("coco", tmp_path)
    np.testing.assert_array_equal(usual.keypoints2d, whole.keypoints2d)
    assert whole.path(0).parent.name == "train2017"


def test_the_fast_reader_of_coco_agrees_with_the_exact_one(tmp_path, monkeypatch):
    people = made_up(60)
    folder = layouts.write_coco(tmp_path / "set", people)
    layout = coco.find(folder, "train")
    file = layout.annotations[0]
    content = json.loads(file.read_text())
    content["annotations"][3]["iscrowd"] = 1
    content["annotations"][5].update(keypoints=[0] * 51, num_keypoints=0)
    file.write_text(json.dumps(content))
    monkeypatch.setattr(coco, "BLOCK", 7)
    fast = coco.read(layout)
    monkeypatch.setattr(coco, "_read_usual", lambda *_: None)
    exact = coco.read(layout)
    assert len(fast) == len(exact) == 58
    assert fast.left_out == exact.left_out == {coco.OTHERS: 2}
    for name, array in exact.arrays().items():
        np.testing.assert_array_equal(fast.arrays()[name], array, err_msg=name)
    assert [fast.path(n) for n in range(58)] == [exact.path(n) for n in range(58)]
    assert [fast.size(n) for n in range(58)] == [exact.size(n) for n in range(58)]


def test_the_index_notices_new_frames(tmp_path, monkeypatch):
    from hmr_edu.data.photos import index

    monkeypatch.setattr(index, "SMALLEST", 1)
    people = made_up()
    path = layouts.write_3dhp(tmp_path / "set", people)
    assert len(open_data_set("mpi-inf-3dhp", path)) == 4
    frames = path / "S1" / "Seq1" / "imageFrames" / "video_0"
    (frames / "frame_000002.jpg").write_bytes((frames / "frame_000001.jpg").read_bytes())
    assert len(open_data_set("mpi-inf-3dhp", path)) == 5


@pytest.mark.parametrize(
    "rectangle",
    [
        {"annopoints": {"nothing": 1.0}},
        {"annopoints": {"point": {"x": "left", "y": 1.0, "id": 0}}},
        {"annopoints": {"point": {"x": 1.0, "y": 1.0, "id": ["a" * 1000, "b"]}}},
        {"annopoints": {"point": "word"}},
    ],
)
def test_people_of_mpii_that_are_damaged(tmp_path, rectangle):
    picture = {"image": {"name": "a.jpg"}, "annorect": rectangle | {"scale": 1.0}}
    path = tmp_path / "mpii_human_pose_v1_u12_1.mat"
    savemat(path, {"RELEASE": {"annolist": picture}})
    with pytest.raises(DataError, match=r"u12_1\.mat: "):
        open_data_set("mpii", path)
