"""Give every reader of files inputs that reach new lines of code, and see how it fails.

    pip install atheris
    python scripts/faults/fuzz.py --seconds 60 --out fuzz.json

A reader must take a file, or refuse it with one DataError or FileNotFoundError (or what its
docstring says): no other error, no warning, nothing that is executed, at most `SLOWEST` seconds and
`LARGEST` bytes. Each reader runs in a process of its own, with the package's types checked. Inputs
are good files with a few values or bytes changed; those that reach new code are kept in the folder
beside the record, and changed further. Each kind of fault is kept once, with its input.
"""

from __future__ import annotations

import contextlib
import faulthandler
import gc
import hashlib
import importlib
import json
import os
import pkgutil
import random
import re
import resource
import shutil
import signal
import sys
import tempfile
import time
import traceback
import types
import warnings
from pathlib import Path
from typing import Annotated, Any

import tyro

ROOT = Path(__file__).parents[2]
# Of one input: seconds, bytes beyond what the process had, and when a reader is stopped.
SLOWEST, LARGEST, ENDLESS = 2.0, 500e6, 20
# What the process may take, and seconds that a reader in C may take to come back.
MEMORY, PATIENCE = 3 * 2**30, 120
LONGEST_INPUT = 100_000
# Share of the inputs in which values are changed; in the others, bytes are.
BY_VALUE = 0.8
# Python's own events that no reader of data may cause.
EXECUTION = ("os.system", "os.exec", "os.posix_spawn", "subprocess.Popen", "pickle.find_class")
# Parts of the package that read no files of strangers, or take long to load.
LEFT_OUT = ("hmr_edu.course.exercises", "hmr_edu.cli", "hmr_edu.viz.explore", "hmr_edu.data.render")
EXECUTION += ("socket.connect", "ctypes.dlopen")
NOTHING_YET: dict[str, Any] = {"tried": 0, "seconds": 0, "faults": []}


class TooLong(BaseException):
    """A reader was stopped. No reader takes it for a fault of the file."""


class Attack:
    """One reader in this process: it gets inputs, and its faults are written down.

    Args:
        name: of the reader.
        folder: of its inputs, its state and its faults.
        work: an empty folder, for the files that are read.
    """

    def __init__(self, name: str, folder: Path, work: Path) -> None:
        from changes import changed
        from readers import BODIES, PHOTOS
        from records import RECORDS

        self.reader = (PHOTOS | BODIES | RECORDS)[name]
        self.folder, self.changed = folder, changed
        self.tried, self.faults, self.said, self.ran = 0, {}, list[str](), list[str]()
        good = self.reader.good(work)
        self.path = good[0]
        (folder / "corpus").mkdir(parents=True, exist_ok=True)
        for path in good:
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:16]
            (folder / "corpus" / digest).write_bytes(content)
        self.good = [path.read_bytes() for path in good]
        self.began = time.monotonic()
        self.peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss

    def refused_good_files(self) -> list[str]:
        """Read the good files, which also loads all modules; return why some are refused."""
        refused = []
        for content in self.good:
            self.path.write_bytes(content)
            try:
                self.reader.read(self.path)
            except Exception as error:
                refused.append(f"{type(error).__name__}: {error}"[:300])
        return refused

    def one(self, data: bytes) -> None:
        """Let the reader have an input."""
        if len(data) > 2 * LONGEST_INPUT:
            return
        self.path.write_bytes(data)
        self.said.clear()
        self.ran.clear()
        self.tried += 1
        began = time.process_time()
        signal.setitimer(signal.ITIMER_REAL, ENDLESS)
        try:
            self.reader.read(self.path)
        except (FileNotFoundError, *self.reader.also):
            pass
        except BaseException as error:
            if type(error).__name__ != "DataError":
                self.fault(data, type(error).__name__, error)
        finally:
            signal.setitimer(signal.ITIMER_REAL, 0)
        seconds = time.process_time() - began
        if seconds > SLOWEST:
            self.fault(data, "slow", None, f"{seconds:.1f} seconds")
        peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
        if (peak - self.peak) * 1024 > LARGEST:
            self.fault(data, "large", None, f"{(peak - self.peak) / 1024:.0f} MiB")
        self.peak = max(peak, self.peak) if self.tried > 100 else peak
        for words in self.said:
            self.fault(data, "warning", None, words)
        for words in self.ran:
            self.fault(data, "executed", None, words)
        if self.tried % 50 == 0:
            self.save()

    def fault(self, data: bytes, kind: str, error: BaseException | None, words: str = "") -> None:
        """Write a fault down, unless one of its kind and place is known."""
        place = ""
        if error is not None:
            words = str(error)
            steps = traceback.extract_tb(error.__traceback__)
            own = [step for step in steps if "/hmr_edu/" in step.filename and step.line]
            place = f"{Path(own[-1].filename).name}:{own[-1].lineno}: {own[-1].line}" if own else ""
        key = f"{kind} {place or re.sub(r'[0-9.]+', '#', words)[:80]}"
        if key in self.faults:
            return
        name = hashlib.sha256(key.encode()).hexdigest()[:12]
        (self.folder / name).write_bytes(data)
        words = words.encode("utf-8", "replace").decode()[:300]
        self.faults[key] = {"kind": kind, "place": place, "message": words, "input": name}
        self.save()

    def save(self) -> None:
        """Write the state, which is left when the process is killed."""
        seconds = round(time.monotonic() - self.began, 1)
        state = {"tried": self.tried, "seconds": seconds, "faults": list(self.faults.values())}
        (self.folder / "state.json").write_text(json.dumps(state))

    def mutate(self, data: bytes, most: int, seed: int) -> bytes:
        """Change an input: libFuzzer calls this for each that it tries."""
        import atheris

        rng = random.Random(seed)
        new = self.changed(self.reader.kind, data, rng) if rng.random() < BY_VALUE else None
        return new if new and len(new) <= most else atheris.Mutate(data, most)


def load() -> None:
    """Load the package with its types checked, once: the processes of the readers are forks."""
    from jaxtyping import install_import_hook

    install_import_hook("hmr_edu", "beartype.beartype")
    import hmr_edu

    for module in pkgutil.walk_packages(hmr_edu.__path__, "hmr_edu."):
        if not module.name.startswith(LEFT_OUT):
            importlib.import_module(module.name)


def attack(name: str, seconds: int, folder: Path) -> None:
    """Attack one reader in this process, which ends with it."""
    import atheris

    (Path.cwd() / "files").mkdir()
    one = Attack(name, folder, Path.cwd() / "files")
    (folder / "refused.json").write_text(json.dumps(one.refused_good_files()))
    for thing in gc.get_objects():
        if type(thing) is types.FunctionType and "/hmr_edu/" in thing.__code__.co_filename:
            with contextlib.suppress(RuntimeError, ValueError):
                atheris.instrument_func(thing)

    def stop(*_: Any) -> None:
        raise TooLong(f"more than {ENDLESS} seconds")

    signal.signal(signal.SIGALRM, stop)
    warnings.simplefilter("always")
    # Where a reader silences a warning, this is not called.
    warnings.showwarning = lambda message, *_: one.said.append(str(message))
    sys.addaudithook(lambda event, _: one.ran.append(event) if event in EXECUTION else None)
    taken = int(Path("/proc/self/statm").read_text().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (taken + MEMORY, taken + MEMORY))
    options = [f"-max_total_time={seconds}", f"-max_len={LONGEST_INPUT}", "-timeout=0"]
    # Where a library in C ends the process, Python says in which line of ours.
    options += ["-handle_segv=0", "-handle_bus=0", "-handle_fpe=0", "-handle_abrt=0"]
    faulthandler.enable()
    options += ["-rss_limit_mb=0", "-print_final_stats=1", "-len_control=0"]
    one.began = time.monotonic()
    corpus = str(folder / "corpus")
    atheris.Setup([sys.argv[0], *options, corpus], one.one, custom_mutator=one.mutate)
    atheris.Fuzz()


def run(name: str, seconds: int, folder: Path) -> dict[str, Any]:
    """Attack one reader in another process; return its row of the record."""
    for old in ("state.json", "refused.json"):
        (folder / old).unlink(missing_ok=True)
    fast = "/dev/shm" if Path("/dev/shm").is_dir() else None
    with tempfile.TemporaryDirectory(dir=fast) as place:
        child = os.fork()
        if child == 0:
            said = os.open(folder / "said", os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
            os.dup2(said, 1)
            os.dup2(said, 2)
            os.chdir(place)
            os.environ["HMR_EDU_CACHE"] = str(Path(place) / "cache")
            try:
                attack(name, seconds, folder)
            except BaseException:
                traceback.print_exc()
            os._exit(1)
        end = _end_of(child, seconds + PATIENCE)
        if end:
            shutil.copytree(Path(place) / "files", folder / "files", dirs_exist_ok=True)
    text = (folder / "said").read_text(errors="replace")
    state, refused = folder / "state.json", folder / "refused.json"
    row = json.loads(state.read_text()) if state.exists() else NOTHING_YET | {"faults": []}
    for key, pattern in (("edges", r"cov: (\d+)"), ("tried", r"executed_units: (\d+)")):
        found = re.findall(pattern, text)
        row |= {key: int(found[-1])} if found else {}
    row["refused"] = json.loads(refused.read_text()) if refused.exists() else []
    if end:
        row["faults"].append({"kind": "ended", "place": "", "message": f"{end}: {text[-300:]}"})
    return row


def _end_of(child: int, seconds: float) -> str:
    """Wait for a process; return how it ended, where that was not by itself."""
    began = time.monotonic()
    while time.monotonic() - began < seconds:
        pid, status = os.waitpid(child, os.WNOHANG)
        if pid:
            return f"the process ended with {status}" if status else ""
        time.sleep(0.2)
    os.kill(child, signal.SIGKILL)
    os.waitpid(child, 0)
    return "endless"


def main(
    seconds: int = 60,
    out: Path = Path("fuzz.json"),
    readers: Annotated[tuple[str, ...], tyro.conf.Positional] = (),
) -> None:
    """Attack readers and write a record after each.

    Args:
        seconds: for each reader. A second call goes on with those that had fewer so far.
        out: the record; inputs are kept in the folder of the same name.
        readers: some of the readers only.
    """
    sys.path[:0] = [str(ROOT), str(ROOT / "tests")]
    load()
    from readers import BODIES, PHOTOS
    from records import RECORDS

    from hmr_edu.io.jsonfile import write_json
    from hmr_edu.io.provenance import environment

    known_readers = PHOTOS | BODIES | RECORDS
    if unknown := [name for name in readers if name not in known_readers]:
        sys.exit(f"no reader is called {unknown[0]!r}: there are {', '.join(known_readers)}")
    record = json.loads(out.read_text()) if out.exists() else {}
    record |= {"environment": environment()}
    rows = record.setdefault("readers", {})
    for name in readers or known_readers:
        before = rows.get(name, NOTHING_YET)
        if before["seconds"] >= 0.9 * seconds:
            continue
        folder = out.resolve().with_suffix("") / re.sub(r"\W", "_", name)
        folder.mkdir(parents=True, exist_ok=True)
        row = run(name, round(seconds - before["seconds"]), folder)
        for key in ("tried", "seconds"):
            row[key] += before[key]
        known = {(f["kind"], f["place"]) for f in row["faults"]}
        row["faults"] += [f for f in before["faults"] if (f["kind"], f["place"]) not in known]
        rows[name] = row
        write_json(out, record)
        print(f"{name}: {row['tried']:,} inputs, {row.get('edges')} edges", flush=True)
        for words in row["refused"]:
            print("  a good file is refused:", words, flush=True)
        for fault in row["faults"]:
            print(" ", fault["kind"], "|", fault["place"], "|", fault["message"][:150], flush=True)
    print("| reader | inputs tried | minutes | edges | kinds of faults |\n|---|---|---|---|---|")
    for name, row in rows.items():
        numbers = [f"{row['tried']:,}", f"{row['seconds'] / 60:.1f}", row.get("edges")]
        print("|", " | ".join([name, *map(str, numbers), str(len(row["faults"]))]), "|")


if __name__ == "__main__":
    tyro.cli(main)
