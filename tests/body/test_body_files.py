"""Body files: what is written is read back, and whatever is wrong with a file is named."""

import contextlib
import dataclasses
import zipfile

import numpy as np
import pytest
from helpers.toy_body import toy_body

from hmr_edu.body import BodyData, read_body, save_body
from hmr_edu.io.errors import DataError


def test_round_trip(tmp_path):
    body = toy_body()
    save_body(tmp_path / "b.npz", body)
    again = read_body(tmp_path / "b.npz")
    for field in dataclasses.fields(BodyData):
        np.testing.assert_array_equal(getattr(again, field.name), getattr(body, field.name))


def test_same_arrays_same_bytes(tmp_path):
    save_body(tmp_path / "a.npz", toy_body())
    save_body(tmp_path / "b.npz", toy_body())
    assert (tmp_path / "a.npz").read_bytes() == (tmp_path / "b.npz").read_bytes()
    assert sorted(p.name for p in tmp_path.iterdir()) == ["a.npz", "b.npz"]


def test_missing_file_names_the_shipped_ones(tmp_path):
    with pytest.raises(FileNotFoundError, match="lite, full"):
        read_body(tmp_path / "nobody.npz")
    with pytest.raises(FileNotFoundError, match="large"):
        read_body("large")


@pytest.mark.parametrize("keep", [0, 10, 1000, -200, -1])
def test_truncated_file(tmp_path, keep):
    path = tmp_path / "b.npz"
    save_body(path, toy_body())
    path.write_bytes(path.read_bytes()[:keep])
    with pytest.raises(DataError, match=r"b\.npz"):
        read_body(path)


def test_flipped_bytes_never_crash(tmp_path):
    path = tmp_path / "b.npz"
    save_body(path, toy_body(V=20))
    good = path.read_bytes()
    rng = np.random.default_rng(0)
    for _ in range(60):
        bad = bytearray(good)
        bad[rng.integers(len(bad))] ^= 1 << rng.integers(8)
        path.write_bytes(bad)
        # Most flips are caught by the archive's checksums; none may escape as another error.
        with contextlib.suppress(DataError):
            read_body(path)


def rewritten(path, **changes):
    with np.load(path) as archive:
        arrays = {**archive, **changes}
    np.savez(path, **{k: v for k, v in arrays.items() if v is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"weights": None}, "weights"),
        ({"weights": np.ones((60, 23), np.float32)}, r"\(60, 23\), expected \(60, 24\)"),
        ({"posedirs": np.full((60, 3, 207), np.nan, np.float32)}, "posedirs holds NaN"),
        ({"faces": np.full((9, 3), 60)}, "index the 60 vertices"),
        ({"faces": np.full((9, 3), 2**32 + 1)}, "index nothing"),
        ({"faces": np.full((9, 3), 1.5)}, "faces must hold whole numbers, not float64"),
        ({"faces": np.array(3)}, "faces"),
        ({"v_template": np.array(1.0)}, "v_template"),
        ({"v_template": np.zeros((60, 3), complex)}, "v_template must hold real numbers"),
        ({"parents": np.zeros(24, int)}, "24 joints"),
        ({"J_regressor": np.ones((24, 60), np.float32)}, "sum to 1"),
        ({"format": np.array("something else")}, "not a body file"),
    ],
)
def test_wrong_arrays_are_named(tmp_path, changes, message):
    path = tmp_path / "b.npz"
    save_body(path, toy_body())
    with pytest.raises(DataError, match=message) as caught:
        read_body(rewritten(path, **changes))
    assert "b.npz" in str(caught.value)


def test_nothing_in_a_file_is_executed(tmp_path):
    class Hostile:
        def __reduce__(self):
            return (exec, ("raise SystemExit('executed')",))

    path = tmp_path / "b.npz"
    save_body(path, toy_body())
    rewritten(path, weights=np.array([Hostile()], dtype=object))
    with pytest.raises(DataError, match=r"b\.npz"):
        read_body(path)


def test_other_formats_are_refused_by_name(tmp_path):
    path = tmp_path / "SMPL_NEUTRAL.pkl"
    path.write_bytes(b"whatever")
    with pytest.raises(DataError, match=r"SMPL_NEUTRAL\.pkl"):
        read_body(path)
    with zipfile.ZipFile(tmp_path / "empty.npz", "w"):
        pass
    with pytest.raises(DataError, match=r"empty\.npz"):
        read_body(tmp_path / "empty.npz")
