"""Every reader of files, every damage: one clear line that names the file, and nothing runs.

Each file is read in a process of its own, which is ended when it takes too long. There are more
than 800; `HMR_EDU_HOSTILE=all` tries them all, otherwise six of each kind are tried.
"""

import os
import sys

import pytest
from helpers.attempts import attempt
from helpers.hostile_cases import KINDS, cases, make_samples, undamaged

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(sys.platform != "linux", reason="forks, named pipes and /dev/zero"),
]


@pytest.fixture(scope="module")
def good(tmp_path_factory):
    folder = tmp_path_factory.mktemp("good")
    make_samples(folder)
    return folder


def test_files_without_damage_are_read(good, tmp_path):
    """Otherwise a reader that refuses everything would pass."""
    for number, case in enumerate(undamaged(good)):
        folder = tmp_path / str(number)
        folder.mkdir()
        assert attempt(case.prepare(folder)).fault(code=0) == "", case.kind


@pytest.mark.parametrize("kind", KINDS)
def test_every_damage_is_one_clear_line(good, tmp_path, kind):
    faults = {}
    tried = [case for case in cases(good) if case.kind == kind]
    assert len(tried) >= 20
    if os.environ.get("HMR_EDU_HOSTILE") != "all":
        tried = tried[:: len(tried) // 6]
    for number, case in enumerate(tried):
        folder = tmp_path / str(number)
        folder.mkdir()
        fault = attempt(case.prepare(folder)).fault(case.names, case.code)
        if fault:
            faults[case.name] = fault
    assert faults == {}, f"{len(faults)} of {len(tried)}"
    # Every pickle in these files would have written this file.
    assert not list(tmp_path.rglob("executed"))
