"""Reading motion capture, mirroring it, and the split of the root, against scipy."""

from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hmr_edu.data.poses.mocap import Mocap, find_mocap, load_mocap, split_root
from hmr_edu.io.errors import DataError


def ours(**changes):
    rng = np.random.default_rng(0)
    arrays = {
        "poses": rng.integers(-9000, 9000, (6, 72)).astype(np.int16),
        "scale": np.array(1e-4),
        "clip": np.array([0, 0, 0, 1, 1, 1], np.int16),
        "clip_names": np.array(["walk", "run"]),
        "fps": np.array(12),
    }
    arrays.update(changes)
    return {name: value for name, value in arrays.items() if value is not None}


def written(tmp_path, **changes):
    path = tmp_path / "some.npz"
    np.savez_compressed(path, **ours(**changes))
    return path


@pytest.fixture
def mocap(tmp_path):
    return load_mocap(written(tmp_path))


def test_reads_our_format(tmp_path):
    mocap = load_mocap(written(tmp_path))
    assert torch.allclose(mocap.poses, torch.tensor(ours()["poses"] * 1e-4).float())
    assert mocap.clips.tolist() == [0, 0, 0, 1, 1, 1]
    assert mocap.clip_names == ("walk", "run")
    assert mocap.fps == 12


def test_reads_amass_with_z_up_turned_to_y_up(tmp_path):
    poses = np.random.default_rng(1).normal(0, 0.5, (4, 156))
    poses[0, :3] = Rotation.from_euler("x", 90, degrees=True).as_rotvec()  # stands in a Z-up world
    path = tmp_path / "walk_poses.npz"
    np.savez(path, poses=poses, mocap_framerate=120.0, betas=np.zeros(16))
    mocap = load_mocap(path)
    assert mocap.poses.shape == (4, 72)
    assert torch.allclose(mocap.poses[:, 3:66], torch.tensor(poses[:, 3:66]).float())
    assert (mocap.poses[:, 66:] == 0).all()
    assert mocap.poses[0, :3].abs().max() < 1e-6
    assert mocap.fps == 120
    assert mocap.clip_names == ("walk_poses",)


NAN = np.full((6, 72), np.nan, np.float32)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"poses": None}, "'poses' is missing"),
        ({"clip": None}, "'clip' is missing"),
        ({"scale": None}, "'scale' is missing"),
        ({"poses": np.zeros((6, 71), np.int16)}, "71 columns"),
        ({"poses": np.zeros((0, 72), np.int16)}, "N >= 1"),
        ({"poses": np.zeros(72, np.int16)}, "expected numbers"),
        ({"poses": np.full((6, 72), "a")}, "expected numbers"),
        ({"poses": np.zeros((6, 72)), "clip": np.zeros(5, int)}, "clip"),
        ({"poses": NAN}, "frame 0"),
        ({"poses": np.full((6, 72), 90.0)}, "radians"),
        ({"clip": np.full(6, 2)}, "must index the 2"),
        ({"fps": np.array(-1)}, "fps"),
        ({"fps": np.array("fast")}, "fps"),
        ({"scale": np.array(np.nan)}, "scale"),
        ({"poses": np.array([{}], dtype=object)}, "no pickle"),
    ],
)
def test_names_what_is_wrong(tmp_path, changes, message):
    with pytest.raises(DataError, match=message) as caught:
        load_mocap(written(tmp_path, **changes))
    assert "some.npz" in str(caught.value)


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        load_mocap(tmp_path / "none.npz")


@settings(max_examples=60)
@given(cut=st.integers(0, 10**6), at=st.integers(0, 10**6), byte=st.integers(0, 255))
def test_damaged_files_are_refused_or_read(tmp_path_factory, cut, at, byte):
    folder = tmp_path_factory.mktemp("damaged")
    whole = written(folder).read_bytes()
    path = folder / "some.npz"
    path.write_bytes(whole[: cut % len(whole)])
    with pytest.raises(DataError):
        load_mocap(path)
    changed = bytearray(whole)
    changed[at % len(whole)] = byte
    path.write_bytes(changed)
    # A changed byte may hit padding; anything else than a reading is a DataError.
    with suppress(DataError):
        load_mocap(path)


def test_a_bare_array_is_not_mocap(tmp_path):
    path = tmp_path / "array.npz"
    with path.open("wb") as file:
        np.save(file, np.zeros((3, 72)))
    with pytest.raises(DataError, match="not an npz"):
        load_mocap(path)


def test_mirroring_twice_changes_nothing(mocap):
    assert torch.equal(mocap.mirror().mirror().poses, mocap.poses)
    assert not torch.equal(mocap.mirror().poses, mocap.poses)


def test_sampling_follows_the_generator_and_draws_frames(mocap):
    first = mocap.sample(50, torch.Generator().manual_seed(3))
    again = mocap.sample(50, torch.Generator().manual_seed(3))
    assert torch.equal(first, again)
    assert set(map(tuple, first.tolist())) == set(map(tuple, mocap.poses.tolist()))


def test_select_keeps_the_chosen_frames(mocap):
    run = mocap.select(mocap.clips == 1)
    assert len(run) == 3
    assert torch.equal(run.poses, mocap.poses[3:])


def roots(n):
    return torch.tensor(Rotation.random(n, rng=np.random.default_rng(5)).as_rotvec())


def test_yaw_then_tilt_is_the_root():
    root = torch.cat([roots(500), torch.tensor([[0.0, 0, 0], [0, 3, 0], [1e-9, 2e-9, 0]])])
    yaw, tilt = split_root(root)
    turned = Rotation.from_euler("y", yaw.numpy()[:, None]) * Rotation.from_rotvec(tilt.numpy())
    assert (turned * Rotation.from_rotvec(root.numpy()).inv()).magnitude().max() < 1e-7
    assert tilt[:, 1].abs().max() == 0
    assert yaw.abs().max() <= np.pi


@pytest.mark.parametrize("angle", [-3.0, 0.4, 1.7])
def test_turning_the_person_changes_yaw_alone(angle):
    root = roots(200)
    turned = Rotation.from_euler("y", angle) * Rotation.from_rotvec(root.numpy())
    yaw, tilt = split_root(root)
    new_yaw, new_tilt = split_root(torch.tensor(turned.as_rotvec()))
    difference = torch.remainder(new_yaw - yaw - angle + 1, 2 * np.pi) - 1
    assert difference.abs().max() < 1e-9
    assert (new_tilt - tilt).abs().max() < 1e-7


def test_a_root_on_its_head_splits_without_nan():
    root = torch.tensor([[np.pi, 0, 0], [0, 0, np.pi], [-np.pi, 0, 0]])
    yaw, tilt = split_root(root)
    turned = Rotation.from_euler("y", yaw.numpy()[:, None]) * Rotation.from_rotvec(tilt.numpy())
    assert (turned * Rotation.from_rotvec(root.numpy()).inv()).magnitude().max() < 1e-6


def test_split_root_has_right_gradients():
    points = torch.cat([roots(5), torch.full((1, 3), 1e-3, dtype=torch.float64)])
    assert torch.autograd.gradcheck(split_root, points.requires_grad_())


def test_split_root_has_finite_gradients_at_zero():
    root = torch.zeros(3, requires_grad=True)
    yaw, tilt = split_root(root)
    (yaw + tilt.sum()).backward()
    assert torch.allclose(root.grad, torch.ones(3))


def test_finds_mocap_in_the_named_folder(tmp_path, monkeypatch):
    monkeypatch.setenv("HMR_EDU_MOCAP", str(tmp_path))
    (tmp_path / "mine.npz").touch()
    assert find_mocap("mine.npz") == tmp_path / "mine.npz"
    assert find_mocap("nobody_has_this.npz") is None


@pytest.mark.parametrize(("name", "poses", "clips"), [("cmu", 10995, 80), ("hdm05", 6853, 281)])
def test_real_motion_capture(name, poses, clips):
    path = find_mocap(f"{name}_poses.npz")
    if path is None:
        pytest.skip(f"{name}_poses.npz is neither in $HMR_EDU_MOCAP nor in ../shared/mocap")
    mocap = load_mocap(path)
    assert isinstance(mocap, Mocap)
    assert len(mocap) == poses
    assert len(mocap.clip_names) == clips
    # Knees bend backwards (about +x) and hardly any other way.
    knees = mocap.poses.view(-1, 24, 3)[:, [4, 5], 0]
    assert (knees > -0.1).float().mean() > 0.99
