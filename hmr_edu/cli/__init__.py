"""The command line: `hmr-edu train | evaluate | demo | experiment | body | mocap | ...`.

One file holds one command. A command imports what it needs when it is called, so that
`hmr-edu --help` answers at once.
"""

from __future__ import annotations

import io
import os
import re
import sys
from collections.abc import Sequence
from importlib import import_module
from traceback import clear_frames

# This must happen before PyTorch starts its threads. An idle thread then spins for a moment and
# sleeps. If it spun for ever, a run would get five times slower while another program needs a core.
os.environ.setdefault("GOMP_SPINCOUNT", "200000")

# Each command: the module and function that run it, and one line for `hmr-edu --help`.
COMMANDS = {
    "train": ("train:command", "Train HMR: a preset (cpu, gpu, paper, ...), then any option."),
    "evaluate": ("evaluate:held_out", "Measure a network on the held-out test sets."),
    "evaluate-photos": ("evaluate:photos", "Measure a network on annotated photographs."),
    "evaluate-views": ("evaluate:views", "Measure a network in 3D, on calibrated views."),
    "demo": ("demo:command", "Recover the bodies in a picture or a video."),
    "experiment": ("experiment:command", "Test claims about HMR by small trainings."),
    "data": ("data:command", "Look through a data set of photographs, or list the known ones."),
    "body": ("body:command", "Build the free body, import SMPL's files, or measure one."),
    "mocap": ("mocap:command", "Import motion capture, look at it, fit the pose prior to it."),
    "bench": ("bench:command", "Time the layer, the renderer and a training step."),
    "course": ("course:command", "Run lessons, add exercises; release and grade problem sets."),
    "weights": ("weights:command", "Import SPIN's or HMR's checkpoints, or export one."),
    "ship": ("ship:command", "Turn a finished run or a mean into shipped weights."),
}


# Modules that other packages bring along.
BROUGHT_BY = {"nbformat": "jupyterlab", "nbclient": "jupyterlab", "nbconvert": "jupyterlab"}


def usage() -> str:
    """Return the list of commands."""
    lines = [f"  {name:15s} {summary}" for name, (_, summary) in COMMANDS.items()]
    return "\n".join(["usage: hmr-edu COMMAND [OPTIONS]; `hmr-edu COMMAND --help`", "", *lines])


def main(argv: Sequence[str] | None = None) -> int:
    """Run a command; return 0 on success, 2 when the user's input cannot be used."""
    for stream in (sys.stdout, sys.stderr):
        if isinstance(stream, io.TextIOWrapper):
            # A file's name may hold bytes that are no text, or letters that the terminal lacks.
            stream.reconfigure(errors="backslashreplace")
    try:
        return _run(list(sys.argv[1:] if argv is None else argv) or ["--help"])
    except BrokenPipeError:  # the reader of our output has gone: `hmr-edu ... | head`
        return 0
    finally:
        # Now, not when Python ends, which would complain.
        try:
            sys.stdout.flush()
        except BrokenPipeError:
            os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())


def _how_to_install(module: str) -> str:
    """Say which extra brings a module; "" where none does."""
    from importlib.metadata import PackageNotFoundError, requires

    package = module.partition(".")[0].replace("_", "-")
    package = BROUGHT_BY.get(package, package)
    try:
        needed = requires("hmr_edu") or []
    except PackageNotFoundError:
        return ""
    for line in needed:
        extra = re.fullmatch(rf"{re.escape(package)}\b.*extra == ['\"](\w+)['\"].*", line)
        if extra:
            return f"this needs {package}: pip install 'hmr_edu[{extra[1]}]'"
        if re.match(rf"{re.escape(package)}\b(?!-)", line) and "extra ==" not in line:
            return f"{package} is missing, which comes with hmr_edu: install it again"
    return ""


def _run(argv: Sequence[str]) -> int:
    name, *rest = argv
    if name in ("-h", "--help"):
        print(usage())
        return 0
    if name not in COMMANDS:
        print(f"hmr-edu: no command {name!r}; there are {', '.join(COMMANDS)}", file=sys.stderr)
        return 2
    import warnings

    from hmr_edu.io.errors import DataError

    # One line, without the place in the code.
    setattr(warnings, "formatwarning", lambda message, *_: f"hmr-edu {name}: {message}\n")  # noqa: B010
    module, function = COMMANDS[name][0].split(":")
    try:
        getattr(import_module(f"hmr_edu.cli.{module}"), function)(rest)
    except BrokenPipeError:
        raise
    # OSError: a full disk, a folder where a file should be.
    except (DataError, OSError) as error:
        _say(error, f"hmr-edu {name}: {error}")
        return 2
    except ModuleNotFoundError as error:
        hint = _how_to_install(error.name or "")
        if not hint:  # a fault of ours
            raise
        _say(error, f"hmr-edu {name}: {hint}")
        return 2
    except KeyboardInterrupt as interrupt:
        saved = "".join(f"; {words}" for words in interrupt.args)
        _say(interrupt, f"\nhmr-edu {name}: interrupted{saved}")
        return 130
    return 0


def _say(error: BaseException, line: str) -> None:
    """Print the line that says why a command has ended, on a line of its own and as the last."""
    # A bar of progress ends with the function that draws it, whose frame an error holds.
    cause: BaseException | None = error
    while cause is not None:
        clear_frames(cause.__traceback__)
        cause = cause.__context__
    print(line, file=sys.stderr)
