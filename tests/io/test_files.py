"""Files: what is no file is said, what a kill leaves is removed, a full disk is named."""

import os
import resource
import socket
import stat
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest
import torch
from helpers.attempts import attempt
from safetensors.torch import save_file

from hmr_edu.io import DataError, atomic_write, check_input, check_name, first_meaning, write_json
from hmr_edu.io.files import printable
from hmr_edu.training.checkpoint import load_checkpoint, save_checkpoint

posix = pytest.mark.skipif(sys.platform == "win32", reason="pipes and locks as POSIX has them")


@posix
def test_what_is_no_file_is_named(tmp_path):
    (tmp_path / "file").write_text("x")
    assert check_input(tmp_path / "file") == tmp_path / "file"
    (tmp_path / "link").symlink_to("file")
    check_input(tmp_path / "link")
    os.mkfifo(tmp_path / "pipe")
    (tmp_path / "loop").symlink_to("loop")
    (tmp_path / "zeros").symlink_to("/dev/zero")
    # The path of a socket has at most 108 bytes.
    with socket.socket(socket.AF_UNIX) as listener:
        here = Path.cwd()
        os.chdir(tmp_path)
        listener.bind("socket")
        os.chdir(here)
    for name, words in (
        ("pipe", "a named pipe, where a file should be"),
        ("zeros", "a device, where a file should be"),
        ("socket", "a socket, where a file should be"),
        (".", "a folder, where a file should be"),
        ("loop", "cannot be read"),
        ("x" * 300, "cannot be read"),
        ("zero\0byte", "cannot be read"),
    ):
        with pytest.raises(DataError, match=words):
            check_input(tmp_path / name)
    for name in ("nothing", "file/inside"):
        with pytest.raises(FileNotFoundError, match="no weights "):
            check_input(tmp_path / name, "weights")


@pytest.mark.parametrize("name", ["cpu", "tiny.v2", "my run", "gr\u00fcn", "..."])
def test_names_that_a_folder_may_have(name):
    check_name(name, "--name")


@pytest.mark.parametrize(
    "name",
    ["", " ", ".", "..", "a/b", "../a", "/a", "a/", "a\\b", "C:\\a", "C:", "a\nb", "x" * 201],
)
def test_names_that_leave_the_folder_are_refused(name):
    with pytest.raises(DataError, match="--name must"):
        check_name(name, "--name")


@posix
def test_only_what_a_kill_left_is_removed(tmp_path):
    old = time.time() - 3600
    left = tmp_path / ".writing-abcd_123.json"
    others = [tmp_path / name for name in (".writing-mine", ".writing-abcd1234.d", "writing.json")]
    for path in (left, others[0], others[2]):
        path.write_text("half")
        os.utime(path, (old, old))
    others[1].mkdir()
    fresh = tmp_path / ".writing-efgh5678.json"
    fresh.write_text("half")
    with atomic_write(tmp_path / "a.json") as temporary:
        temporary.write_text("whole")
        os.utime(temporary, (old, old))
        write_json(tmp_path / "b.json", [])  # another writer leaves the first one's file alone
        assert temporary.exists()
    assert not left.exists()
    assert all(path.exists() for path in (*others, fresh))
    assert (tmp_path / "a.json").read_text() == "whole"
    umask = os.umask(0)
    os.umask(umask)
    assert stat.S_IMODE((tmp_path / "a.json").stat().st_mode) == 0o666 & ~umask


@posix
@pytest.mark.parametrize("hours", [-1, 1])  # afterwards, or the clock was set back
def test_a_killed_writer_leaves_nothing_for_ever(tmp_path, hours):
    code = (
        "import os, signal, sys; from hmr_edu.io import atomic_write\n"
        "with atomic_write(sys.argv[1]) as path:\n"
        "    path.write_text('half'); os.kill(os.getpid(), signal.SIGKILL)\n"
    )
    done = subprocess.run([sys.executable, "-c", code, tmp_path / "a.txt"], check=False)
    assert done.returncode == -9
    (left,) = tmp_path.iterdir()
    then = time.time() + hours * 3600
    os.utime(left, (then, then))
    write_json(tmp_path / "b.json", [])
    assert [path.name for path in tmp_path.iterdir()] == ["b.json"]


@posix
@pytest.mark.parametrize("writer", ["checkpoint", "safetensors", "npz", "text", "bytes"])
def test_a_full_disk_is_one_line_and_leaves_the_old_file(tmp_path, writer):
    """The limit on a file's size stands for a full disk: both refuse the next byte."""
    big = {"a": torch.arange(2_000_000.0)}
    save_checkpoint(tmp_path, {"step": 1, "seconds": 1.0})
    (tmp_path / "file.npz").write_text("old")

    def write() -> int:
        import signal

        from hmr_edu.cli import main

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (1_000_000, 1_000_000))

        def command(arguments):
            if writer == "checkpoint":
                save_checkpoint(tmp_path, {"step": 2, "seconds": 2.0, "model": big})
            with atomic_write(tmp_path / "file.npz") as temporary:
                if writer == "safetensors":
                    save_file(big, temporary)
                elif writer == "npz":
                    np.savez(temporary, **{k: v.numpy() for k, v in big.items()})
                elif writer == "text":
                    temporary.write_text("x" * 9_000_000)
                else:
                    temporary.write_bytes(bytes(9_000_000))

        import hmr_edu.cli.ship

        hmr_edu.cli.ship.command = command
        return main(["ship"])

    outcome = attempt(write)
    file = "checkpoint.pt" if writer == "checkpoint" else "file.npz"
    assert outcome.fault(file) == ""
    assert "File too large" in outcome.said
    assert load_checkpoint(tmp_path)["step"] == 1
    assert (tmp_path / "file.npz").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["checkpoint.pt", "file.npz"]


def test_the_first_meaning_of_long_messages():
    network = torch.nn.Sequential(*(torch.nn.Linear(3, 3) for _ in range(50)))
    with pytest.raises(RuntimeError) as caught:
        network.load_state_dict({})
    assert len(str(caught.value).splitlines()) > 1
    said = first_meaning(caught.value)
    assert said.startswith('Missing key(s) in state_dict: "0.weight"')
    assert len(said) < 210
    assert first_meaning("[enforce fail at inline_container.cc:626] . unexpected pos 64") == (
        "unexpected pos 64"
    )
    assert first_meaning("\n  two   words \nmore") == "two words"
    assert first_meaning(KeyError()) == "KeyError"


def test_text_that_no_file_can_hold():
    name = os.fsdecode(b"gr\xfcn")
    assert printable(f"{name} \ud800 gr\u00fcn") == "gr\ufffdn \ufffd gr\u00fcn"
