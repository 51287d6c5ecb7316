"""Pickles of data sets and bodies: the right values, and nothing executed."""

import io
import os
import pickle
import resource
import struct
import sys
import types
from collections import OrderedDict

import numpy as np
import pytest
from scipy import sparse

from hmr_edu.io.errors import DataError
from hmr_edu.io.pickles import read_pickle


def _saved(tmp_path, value, protocol=2):
    path = tmp_path / "file.pkl"
    path.write_bytes(value if isinstance(value, bytes) else pickle.dumps(value, protocol))
    return path


@pytest.mark.parametrize("protocol", range(6))
def test_values_of_every_protocol(tmp_path, protocol):
    value = {
        "floats": np.arange(12.0).reshape(3, 4),
        "columns first": np.asfortranarray(np.arange(6, dtype=np.int32).reshape(2, 3)),
        "other end first": np.arange(5, dtype=">f4"),
        "scalar": np.float64(2.5),
        "text": "Zoë",
        "bytes": b"\xff\x00",
        "words": np.array(["a", "bcd"]),
        "mixed": [1, None, True, (2.5, {"x": np.ones(2)})],
        "arrays in an array": np.array([np.ones(2), np.zeros(3)], dtype=object),
        "empty": np.zeros((0, 3)),
        "set": {1, 2},
    }
    read = read_pickle(_saved(tmp_path, value, protocol), "test file")
    for key, wanted in value.items():
        if key == "mixed":
            assert read[key][:3] == wanted[:3]
            np.testing.assert_array_equal(read[key][3][1]["x"], [1, 1])
        elif key == "arrays in an array":
            assert [v.tolist() for v in read[key]] == [v.tolist() for v in wanted]
        elif isinstance(wanted, np.ndarray):
            assert read[key].dtype == wanted.dtype
            np.testing.assert_array_equal(read[key], wanted)
        else:
            assert read[key] == wanted


@pytest.mark.parametrize("protocol", [0, 1, 2, 4])
def test_sparse_matrices(tmp_path, protocol):
    dense = np.diag([1.0, 2.0, 3.0])
    dense[0, 2] = 5
    kinds = sparse.csc_matrix, sparse.csr_matrix
    for kind in kinds:
        read = read_pickle(_saved(tmp_path, {"J": kind(dense)}, protocol), "body")
        np.testing.assert_array_equal(read["J"].toarray(), dense)


@pytest.fixture
def chumpy(monkeypatch):
    """Give two classes with the names and the attributes of chumpy's, for writing only."""
    chumpy, ch, reordering = (
        types.ModuleType(n) for n in ("chumpy", "chumpy.ch", "chumpy.reordering")
    )
    for module, name in ((ch, "Ch"), (reordering, "Select")):
        setattr(module, name, type(name, (), {"__module__": module.__name__}))
    for module in (chumpy, ch, reordering):
        monkeypatch.setitem(sys.modules, module.__name__, module)
    return ch.Ch, reordering.Select


@pytest.mark.parametrize("protocol", [0, 2])
def test_arrays_of_chumpy(tmp_path, chumpy, protocol):
    Ch, Select = chumpy
    template, chosen = Ch(), Select()
    template.x, template.dirty_vars = np.arange(6.0).reshape(2, 3), set()
    chosen.a, chosen.idxs, chosen.preferred_shape = template, np.array([5, 0, 3, 1]), (2, 2)
    content = pickle.dumps({"v": template, "s": chosen}, protocol)
    read = read_pickle(_saved(tmp_path, content), "body")
    np.testing.assert_array_equal(read["v"], [[0, 1, 2], [3, 4, 5]])
    np.testing.assert_array_equal(read["s"], [[5, 0], [3, 1]])


class _Runs:
    def __init__(self, function, *args):
        self.call = function, args

    def __reduce__(self):
        return self.call


def _global(name, rest=b"."):
    module, attribute = name.rsplit(".", 1)
    return b"\x80\x02c" + f"{module}\n{attribute}\n".encode() + rest


def _shared_lists(depth=60):
    value = []
    for _ in range(depth):
        value = [value, value]
    return value


def _cycle():
    value = []
    value.append(value)
    return value


def _array_cycle():
    value = np.empty(1, object)
    value[0] = value
    return pickle.dumps(value, 2)


def _deep():
    value = []
    for _ in range(400):
        value = [value]
    return value


def _bad_sparse():
    matrix = sparse.csc_matrix(np.eye(3))
    matrix.indices = np.array([0, 1, 10**6], np.int32)
    return matrix


def _of_another_size(shape):
    # The array's state says `shape`; its bytes are those of three numbers.
    content = pickle.dumps(np.arange(3.0), 2)
    assert content.count(b"K\x03\x85") == 1
    return content.replace(b"K\x03\x85", shape)


HOSTILE = {
    "runs os.system": _Runs(os.system, "echo run > executed"),
    "runs eval": _Runs(eval, "open('executed', 'w')"),
    "runs exec": _Runs(exec, "open('executed', 'w')"),
    "imports": _global("importlib.import_module", b"X\x02\x00\x00\x00os\x85R."),
    "opens": _Runs(open, "executed", "w"),
    "getattr": _global("builtins.getattr"),
    "numpy's function that runs": _global("numpy.testing._private.utils.runstring"),
    "numpy's load": _global("numpy.load", b"X\x01\x00\x00\x00a\x85R."),
    "numpy's memory map": _global("numpy.memmap"),
    "a function of this package": _global("hmr_edu.io.files.remove_leftovers"),
    "scipy's io": _global("scipy.io.loadmat"),
    "an OrderedDict": OrderedDict(a=1),
    "defaults of a reader's function": _global(
        "_codecs.encode", b"N}X\x0c\x00\x00\x00__defaults__)s\x86b."
    ),
    "another file": b"\x80\x02X\x01\x00\x00\x00aQ.",
    "nothing": b"",
    "text": b"hello, world\n",
    "a picture": b"\x89PNG\r\n\x1a\n" + bytes(50),
    "zeros": bytes(1000),
    "half": pickle.dumps({"a": np.arange(1000.0)}, 2)[:4000],
    "last byte lost": pickle.dumps([1, 2], 2)[:-1],
    "a stack that is empty": b"\x80\x02a.",
    "unknown protocol": b"\x80\xff.",
    "unknown opcode": b"\x80\x02\xfe.",
    "a name of two gigabytes": b"\x80\x04\x8d" + struct.pack("<Q", 2**31) + b"x.",
    "bytes of an exabyte": b"\x80\x04\x8e" + struct.pack("<Q", 2**60) + b"x.",
    "a bytearray of an exabyte": b"\x80\x05\x96" + struct.pack("<Q", 2**60) + b"x.",
    "a frame of an exabyte": b"\x80\x04\x95" + struct.pack("<Q", 2**60) + b"N.",
    "a number of two gigabytes": b"\x80\x02\x8b" + struct.pack("<i", 2**31 - 1) + b"\x01.",
    "a negative length": b"\x80\x02\x8b" + struct.pack("<i", -1) + b"\x01.",
    "60 lists of twice the same list": _shared_lists(),
    "60 tuples of twice the same tuple as a key": b"\x80\x02})" + b"2\x86" * 60 + b"Ns.",
    "the same as a key among others": b"\x80\x02}()" + b"2\x86" * 60 + b"Nu.",
    "the same in a set": b"\x80\x04\x8f()" + b"2\x86" * 60 + b"\x90.",
    "the same in a frozen set": b"\x80\x04()" + b"2\x86" * 60 + b"\x91.",
    "the same in Python's set": _global("builtins.set", b"])" + b"2\x86" * 60 + b"a\x85R."),
    "the same as a type": _global("numpy.dtype", b")" + b"2\x86" * 60 + b"\x85R."),
    "four gigabytes of bytes": b"\x80\x05\x96" + struct.pack("<Q", 2**32) + b"x.",
    "a thousand times the same array": [np.zeros(20_000)] * 1000,
    "a list of itself": _cycle(),
    "an array of itself": _array_cycle(),
    "nested 400 deep": _deep(),
    "nested 100,000 deep": b"\x80\x02" + b"]" * 100_000 + b"a" * 99_999 + b".",
    "a sparse matrix that points outside": _bad_sparse(),
    "a sparse matrix of nothing": _global("scipy.sparse.csc.csc_matrix", b")\x81}b."),
    "chumpy without numbers": _global("chumpy.ch.Ch", b")\x81}b."),
    "chumpy's product": _global("chumpy.ch_ops.mul", b")\x81}X\x01\x00\x00\x00bK\x02sb."),
    "an array of another size": _of_another_size(b"K\x04\x85"),
    "an array of a negative size": _of_another_size(b"J\xff\xff\xff\xff\x85"),
    "an array of a terabyte": _of_another_size(b"\x8a\x05\x00\x00\x00\x00\x40\x85"),
    "a structured type": np.zeros(2, [("a", "f4")]),
    "dates": np.zeros(2, "M8[s]"),
    "complex numbers": np.zeros(2, complex),
    "a type by number": _global("numpy.dtype", b"K\x05\x85R."),
    "a huge type": _global("numpy.dtype", b"X\x0e\x00\x00\x00S9999999999999\x85R."),
}


@pytest.mark.parametrize("name", HOSTILE)
def test_hostile_pickles_are_one_error(tmp_path, monkeypatch, name):
    monkeypatch.chdir(tmp_path)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    path = _saved(tmp_path, HOSTILE[name])
    with pytest.raises(DataError, match=r"file\.pkl: "):
        read_pickle(path, "body file")
    assert [file.name for file in tmp_path.iterdir()] == ["file.pkl"]
    # In kilobytes. The memory of the process only grows where the file asked for much.
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 300_000
    # A hostile file leaves the reader as it was.
    good = tmp_path / "good.pkl"
    good.write_bytes(pickle.dumps({"bytes": b"\xff"}, 2))
    assert read_pickle(good, "body file") == {"bytes": b"\xff"}


def test_a_value_that_stands_often_is_read_once(tmp_path):
    read = read_pickle(_saved(tmp_path, _shared_lists(20)), "test file")
    assert read[0] is read[1]


def test_without_a_file(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"no body file .*nowhere\.pkl"):
        read_pickle(tmp_path / "nowhere.pkl", "body file")
    with pytest.raises(DataError, match="a folder, where a file should be"):
        read_pickle(tmp_path, "body file")
    os.mkfifo(tmp_path / "pipe")
    with pytest.raises(DataError, match="a named pipe"):
        read_pickle(tmp_path / "pipe", "body file")


def test_hostile_files_are_what_they_say():
    # Python's own reader would run them: the cases are real.
    for name in ("runs eval", "opens"):
        assert pickle.dumps(HOSTILE[name], 2).startswith(b"\x80\x02c")
    with pytest.raises(NameError):
        pickle.load(io.BytesIO(pickle.dumps(_Runs(eval, "no_such_name"))))
