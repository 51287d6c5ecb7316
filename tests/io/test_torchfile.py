"""Files of tensors: read as they are, and refused where PyTorch's own reader would not end."""

import io
import pickle
import tarfile
import zipfile
from collections import OrderedDict

import pytest
import torch
from torch import nn

from hmr_edu.io.errors import DataError
from hmr_edu.io.torchfile import read_torch_file

DOUBLED = b")" + b"q\x01h\x01\x86" * 60  # sixty tuples of twice the same tuple
LISTS = b"]" + b"q\x01]h\x01ah\x01a" * 60
STORAGE = b"(X\x07\x00\x00\x00storagectorch\nFloatStorage\n"
HOSTILE = {
    "a key": b"}" + DOUBLED + b"Ns.",
    "a key among others": b"}(" + DOUBLED + b"Nu.",
    "a key of an OrderedDict": b"ccollections\nOrderedDict\n)R" + DOUBLED + b"Ns.",
    "what an OrderedDict is made of": b"ccollections\nOrderedDict\n](" + DOUBLED + b"Nta\x85R.",
    "attributes of an OrderedDict": b"ccollections\nOrderedDict\n)R](" + DOUBLED + b"Ntab.",
    "what is counted": b"ccollections\nCounter\n]" + DOUBLED + b"a\x85R.",
    "the name of a storage": STORAGE + DOUBLED + b"NNtQ.",
    "a name that is not kept": b"}N" + STORAGE + DOUBLED + b"NNtQsNNs.",
    "lists where a function should be": LISTS + b")R.",
    "lists where a type should be": LISTS + b")\x81.",
    "nested 400,000 deep": b"}" + b")" + b"\x85" * 400_000 + b"Ns.",
}


def _archive(content, name="x/data.pkl"):
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        archive.writestr(name, b"\x80\x02" + content)
        archive.writestr("x/version", "3\n")
    return file.getvalue()


def _older(content):
    """Return a file of PyTorch's older format: five pickles."""
    about = {"protocol_version": 1001, "little_endian": True, "type_sizes": {}}
    before = [pickle.dumps(value, 2) for value in (0x1950A86A20F9469CFC6C, 1001, about)]
    return b"".join([*before, b"\x80\x02", content, pickle.dumps([], 2)])


@pytest.mark.parametrize("kind", ["archive", "capitals", "older"])
@pytest.mark.parametrize("name", HOSTILE)
def test_files_without_an_end_are_refused(tmp_path, name, kind):
    content, path = HOSTILE[name], tmp_path / "x.pt"
    if kind == "older":
        path.write_bytes(_older(content))
    else:
        path.write_bytes(_archive(content, "X/DATA.PKL" if kind == "capitals" else "x/data.pkl"))
    with pytest.raises(DataError, match=r"x\.pt: no weights that can be read"):
        read_torch_file(path, "weights")


def test_the_oldest_format_is_refused(tmp_path):
    with tarfile.open(tmp_path / "x.pt", "w") as archive:
        archive.addfile(tarfile.TarInfo("storages"))
    with pytest.raises(DataError, match="a format that PyTorch left"):
        read_torch_file(tmp_path / "x.pt", "weights")


@pytest.mark.parametrize("archived", [True, False])
def test_honest_files_are_read(tmp_path, archived):
    network, path = nn.Linear(3, 2), tmp_path / "x.pt"
    optimizer = torch.optim.AdamW([{"params": [p]} for p in network.parameters()])
    network(torch.ones(1, 3)).sum().backward()
    optimizer.step()
    shared = (0.9, 0.999)
    state = {"model": network.state_dict(), "optimizer": optimizer.state_dict()}
    state |= {"more": OrderedDict(a=nn.Parameter(torch.ones(2))), "shared": [shared] * 100}
    state |= {"half": torch.ones(2, 2).bfloat16().T, "step": 2**70, "keys": {(1, "a"): None}}
    torch.save(state, path, _use_new_zipfile_serialization=archived)
    read = read_torch_file(path, "weights")
    torch.testing.assert_close(read["model"], state["model"], rtol=0, atol=0)
    torch.testing.assert_close(read["half"], state["half"], rtol=0, atol=0)
    assert read["optimizer"]["param_groups"] == state["optimizer"]["param_groups"]
    for key in ("step", "keys", "shared"):
        assert read[key] == state[key]
