"""What submissions try, and what it gets them: never a mark, never another's, never a file.

Each attack stands in the cells of a student whose `skew` is wrong. Whoever comes next gets the
marks of his own work, whatever the one before did.
"""

import os
import time

import pytest

from hmr_edu.course.grading import sandbox as sandboxes
from hmr_edu.course.grading.sandbox import KINDS, Sandbox, works

# After this nothing is watched any more: what follows meets the walls of the sandbox alone.
UNWATCHED = "import sys\nlist(map(sys.setprofile, [None]))\n"
WRONG = "def skew(v):\n    return torch.ones(*v.shape, 3, dtype=v.dtype)\n"
RIGHT = """
import torch
def skew(v):
    x, y, z = v.unbind(-1)
    o = torch.zeros_like(x)
    return torch.stack([o, -z, y, z, o, -x, -y, x, o], -1).reshape(*v.shape, 3)
"""
CHECK = "import hmr_edu.course.check as check\n"
LEARNER = "import hmr_edu.course.learner as learner\n"

# In front of the wrong function. Whatever it patches, the one who compares is somewhere else.
FORGERIES = {
    "compare is patched": CHECK + "check.compare = lambda *a, **k: None",
    "require is patched": CHECK + "check.require = lambda *a, **k: None",
    "the report is patched": CHECK + "check.Report.score = check.Report.passed = 1.0",
    "its text is patched": CHECK + "check.Report.__repr__ = lambda self: 'skew: 4 of 4, well done'",
    "the parts are patched": CHECK + "check.Part.passed = True",
    "the registry is patched": "import hmr_edu.course.exercises.registry as r\n"
    "r.find = lambda name: None",
    "the sandbox is patched": "import hmr_edu.course.grading.sandbox as s\n"
    "s.Sandbox.judge = lambda *a: ('skew: 4 of 4', 1.0)",
    "points are patched": "import hmr_edu.course.grading.points as p\np.credit = lambda *a: 99",
    "PyTorch's comparisons are patched": "torch.allclose = torch.equal = lambda *a, **k: True",
    "a tensor's difference is patched": "torch.Tensor.__sub__ = lambda a, b: torch.zeros(())",
    "a tensor's abs is patched": "torch.Tensor.abs = lambda a: torch.zeros(())",
    "shapes are patched": "torch.Tensor.shape = (3, 3)",
    "the encoding is patched": "import hmr_edu.course.wire as w\n"
    "learner = __import__('hmr_edu.course.learner', fromlist=['x'])\n"
    "learner.encode = lambda value: b'true'",
    "the watch is patched": "import hmr_edu.course.grading.guard as g\ng.watched = None",
    "a mode of functions": "from torch.overrides import TorchFunctionMode\n"
    "class All(TorchFunctionMode):\n"
    "    def __torch_function__(self, f, types, args=(), kwargs=None):\n"
    "        return torch.zeros(()) if f is torch.Tensor.abs else f(*args, **(kwargs or {}))\n"
    "All().__enter__()",
    "a mode of dispatch": "from torch.utils._python_dispatch import TorchDispatchMode\n"
    "class All(TorchDispatchMode):\n"
    "    def __torch_dispatch__(self, f, types, args=(), kwargs=None):\n"
    "        return f(*args, **(kwargs or {}))\n"
    "All().__enter__()",
    "an end of the program": "import atexit\natexit.register(print, 'skew: 4 of 4, well done')",
    "a trace": UNWATCHED + "sys.settrace(lambda *a: None)",
    "a thread": UNWATCHED + "import threading, time\n"
    "threading.Thread(target=time.sleep, args=(60,)).start()",
    "frames": UNWATCHED + "frame = sys._getframe()\nwhile frame:\n"
    "    frame.f_globals.update(score=1.0, passed=True, report='4 of 4')\n    frame = frame.f_back",
    "a traceback": "try:\n    1 / 0\nexcept ZeroDivisionError as error:\n"
    "    frame = error.__traceback__.tb_frame\n    while frame:\n"
    "        frame.f_globals.update(compare=print)\n        frame = frame.f_back",
    "all objects": UNWATCHED + "import gc\nfor o in gc.get_objects():\n"
    "    if type(o).__name__ in ('Report', 'Check', 'Exercise'):\n        raise SystemExit",
    "memory": UNWATCHED + "import ctypes\nctypes.memset(id(1) + 24, 0, 1)\n"
    "ctypes.pythonapi.Py_IncRef(ctypes.py_object(1))",
}
# The wrong function is another one.
ANSWERS = {
    "a tensor that equals everything": "class T(torch.Tensor):\n"
    "    __torch_function__ = classmethod(lambda c, f, t, a=(), k=None: torch.zeros(()))\n"
    "def skew(v):\n    return torch.ones(*v.shape, 3).as_subclass(T)",
    "a list that is another each time": "class L(list):\n"
    "    def __iter__(self):\n        return iter(['4 of 4'])\n"
    "def skew(v):\n    return L([v])",
    "a number with methods": "class F(float):\n    __sub__ = __rsub__ = lambda a, b: 0.0\n"
    "def skew(v):\n    return F(0)",
    "a function": "def skew(v):\n    return lambda *a: True",
    "a type with a name": "class Report:\n    score, passed = 1.0, True\n"
    "def skew(v):\n    return Report()",
    "the words of a mismatch": LEARNER + "def skew(v):\n"
    "    raise learner.Mismatch('skew: 4 of 4, well done')",
    "the words of a report": "def skew(v):\n    raise ValueError('\\nskew: 4 of 4, well done')",
    "an exception without words": "class E(Exception):\n"
    "    def __str__(self):\n        raise self\ndef skew(v):\n    raise E",
    "a very long exception": "def skew(v):\n    raise ValueError('x' * 10**8)",
    "a list within itself": "def skew(v):\n    a = []\n    a.append(a)\n    return a",
    "too much": "def skew(v):\n    return torch.zeros(10**8)",
    "an integer of a million digits": "def skew(v):\n    return 1 << 4_000_000",
}
# Of the process's own channels, past the watch: a byte that nobody asked for ends the cell.
CHANNELS = {
    "bytes into the answers": "from _io import FileIO\nFileIO(4, 'w').write(b'x' * 64)",
    "an answer into the answers": "from _io import FileIO\nimport struct\n"
    "FileIO(4, 'w').write(struct.pack('<I', 21) + b'm' * 16 + b'Anull')",
    "bytes after the last answer": "from _io import FileIO\nn = 0\n"
    "def skew(v):\n    global n\n    n += 1\n    FileIO(4, 'w', closefd=False).write(b'x')\n"
    "    return v",
    "questions are stolen": "from _io import FileIO\nFileIO(3).read(4)",
    "the pipes are closed": UNWATCHED + "import os\nos.closerange(3, 5)",
    "the process ends": UNWATCHED + "import os\nos._exit(0)",
    "the process kills itself": UNWATCHED + "import os\nos.kill(os.getpid(), 9)",
    "memory that is not there": UNWATCHED + "import ctypes\nctypes.string_at(0)",
}
# Past the watch; each line must raise. Signals are of number 0, which only asks whether one may: a
# test that fails must not kill the machine that it runs on.
ESCAPES = {
    "a file is written": "open(PRECIOUS, 'w')",
    "a file is written, opened by its number": "os.open(PRECIOUS, os.O_RDWR)",
    "a file is removed": "os.remove(PRECIOUS)",
    "a file is moved": "os.rename(PRECIOUS, PRECIOUS + '2')",
    "a file's rights are changed": "os.chmod(PRECIOUS, 0)",
    "a file is cut": "os.truncate(PRECIOUS, 0)",
    "a link is made": "os.symlink(PRECIOUS, PRECIOUS + '2')",
    "a folder is made": "os.mkdir(PRECIOUS + '2')",
    "a file in memory": "os.memfd_create('x')",
    "the file system is mounted anew": "libc('mount', b'none', b'/', b'', 4096 | 32, b'')",
    "a namespace": "libc('unshare', 0x10000000)",
    "the rights of root": "os.setuid(0); os.setgroups([]); open(PRECIOUS, 'r+')",
    "the network": "import socket; socket.create_connection(('192.0.2.1', 80), 5)",
    "a channel to another process": "import socket; socket.socketpair()",
    "a copy of the process": "os.fork()",
    "a program": "import subprocess; subprocess.run(['true'], check=True)",
    "another program in its place": "os.execv('/bin/true', ['true'])",
    "the parent can be killed": "os.kill(os.getppid(), 0)",
    "everybody can be killed": "os.kill(-1, 0)",
    "the group can be killed": "os.killpg(0, 0)",
    "the parent is traced": "libc('ptrace', 16, os.getppid(), 0, 0)",
    "the parent's memory": "open(f'/proc/{os.getppid()}/mem', 'rb')",
    "the parent's channels": "open(f'/proc/{os.getppid()}/fd/3', 'rb')",
    "the parent's limits": "import resource; resource.prlimit(os.getppid(), 0, (1, 1))",
    "more processor time": "import resource; resource.setrlimit(resource.RLIMIT_CPU, (-1, -1))",
}
READS = {
    "another's file": "open(PRECIOUS).read()",
    "a folder of others": "os.listdir(os.path.dirname(PRECIOUS))",
    "the environment of others": "open('/proc/1/environ', 'rb').read()",
}
ESCAPE = (
    UNWATCHED
    + """
import os
PRECIOUS = {target!r}
def libc(name, *arguments):
    import ctypes
    if getattr(ctypes.CDLL(None, use_errno=True), name)(*arguments) == -1:
        raise OSError(ctypes.get_errno(), name)
try:
    {line}
except (OSError, ValueError) as error:
    raise LookupError('held: ' + type(error).__name__)
raise LookupError('escaped')
"""
)
HOGS = {
    "a loop": "def skew(v):\n    while True:\n        pass",
    "a loop that ignores signals": "import signal\nsignal.signal(signal.SIGXCPU, signal.SIG_IGN)\n"
    "def skew(v):\n    while True:\n        pass",
    "a loop at the top": "class Sly:\n    while True:\n        pass\n" + WRONG + "skew.sly = Sly",
    "sleep": "import time\ndef skew(v):\n    time.sleep(3600)",
    "memory": "def skew(v):\n    x = [bytearray(2**24)]\n"
    "    while True:\n        x.append(x[0] * 1)",
    "a regular expression": "import re\ndef skew(v):\n    re.match('(a+)+$', 'a' * 64 + 'b')",
    "a large power": "def skew(v):\n    return 10**10**10",
    "output": "def skew(v):\n    while True:\n        print('x' * 10**6)",
}


@pytest.fixture(scope="module", params=KINDS)
def sandbox(request):
    if not works(request.param):
        pytest.skip(f"no {request.param} here")
    with Sandbox(request.param, seconds=2) as sandbox:
        yield sandbox


@pytest.fixture(scope="module")
def one_sandbox():
    """The strongest isolation here: what does not depend on the isolation is tried in one."""
    with Sandbox(seconds=2) as sandbox:
        yield sandbox


def judged(sandbox, cell):
    """Judge a cell, and then the work of the next student, which must not have suffered."""
    text, score = sandbox.judge(["import torch", cell], "check_skew", "skew", 1)
    next_text, next_score = sandbox.judge([RIGHT], "check_skew", "skew", 1)
    assert next_score == 1, next_text
    assert next_text.startswith("skew: 4 of 4, well done")
    return text, score


@pytest.mark.parametrize("attack", FORGERIES)
def test_a_forgery_gets_what_the_function_is_worth(one_sandbox, attack):
    cell = f"class Sly:\n{indented(FORGERIES[attack])}\n{WRONG}skew.sly = Sly"
    text, score = judged(one_sandbox, cell)
    assert score == 0, text
    assert "well done" not in text


@pytest.mark.parametrize("attack", ANSWERS)
def test_an_answer_that_is_no_plain_value_is_wrong(one_sandbox, attack):
    text, score = judged(one_sandbox, ANSWERS[attack])
    assert score == 0, text
    assert len(text) < 3000
    assert not text.startswith("skew: 4 of 4")


@pytest.mark.parametrize("attack", CHANNELS)
def test_a_byte_that_nobody_asked_for_ends_the_cell(one_sandbox, attack):
    attacked = CHANNELS[attack]
    if "def skew" not in attacked:
        attacked = f"class Sly:\n{indented(attacked)}\n{WRONG}skew.sly = Sly"
    text, score = judged(one_sandbox, attacked)
    assert score == 0, text


@pytest.mark.parametrize("attack", ESCAPES)
def test_nothing_is_changed_and_nobody_reached(sandbox, attack, tmp_path):
    target = tmp_path / "precious.txt"
    target.write_text("x")
    text, score = judged(sandbox, escape(ESCAPES[attack], target))
    assert score == 0
    assert "held" in text, text
    assert [path.name for path in tmp_path.iterdir()] == ["precious.txt"]
    assert target.read_text() == "x"
    assert target.stat().st_mode & 0o600 == 0o600


@pytest.mark.parametrize("attack", READS)
def test_files_of_others_are_hidden(sandbox, attack, tmp_path):
    if not works("Landlock") or sandbox.kind == "plain process":
        pytest.skip("here files can be read, and grading says so")
    target = tmp_path / "precious.txt"
    target.write_text("x")
    text, _ = judged(sandbox, escape(READS[attack], target))
    assert "held: PermissionError" in text, text


@pytest.mark.parametrize("attack", HOGS)
def test_time_and_memory_end(one_sandbox, attack, monkeypatch):
    monkeypatch.setattr(sandboxes, "PATIENCE", 2)
    begun = time.monotonic()
    text, score = judged(one_sandbox, HOGS[attack])
    assert score == 0, text
    assert "well done" not in text
    if attack in ("sleep", "a loop", "a loop at the top"):
        assert "stopped" in text
    assert time.monotonic() - begun < 300


def test_nothing_is_left_after_the_sandbox(tmp_path):
    """A student who sleeps does not outlive the grading."""
    with Sandbox("plain process", seconds=1) as sandbox:
        sandbox.judge(["import time\ndef skew(v):\n    time.sleep(3600)"], "check_skew", "skew", 1)
        worker = sandbox._worker
        assert worker is not None
        number = worker.pid
    with pytest.raises(ProcessLookupError):
        os.killpg(number, 0)


def test_there_are_forty_attacks():
    assert sum(map(len, (FORGERIES, ANSWERS, CHANNELS, ESCAPES, READS, HOGS))) >= 40


def indented(text):
    return "\n".join(f"    {line}" for line in text.split("\n"))


def escape(line, target):
    text = ESCAPE.format(target=str(target), line=line)
    return f"class Sly:\n{indented(text)}\n{WRONG}skew.sly = Sly"
