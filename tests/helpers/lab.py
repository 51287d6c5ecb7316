"""A real JupyterLab and a real browser, for the tests of what people see and for measuring it."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import sys
import time
from pathlib import Path

import nbformat
from helpers.patience import PACE, START, act_until, be_patient

ROOT = Path(__file__).parents[2]
# What the page is asked: which colours does the drawing hold? Read from a small copy, so that
# asking costs little; the browser's own scaling makes every part count.
WATCH = """() => {
  window.which = 0;  // of several explorers on a page
  window.look = (size = 96) => {
    const canvas = document.querySelectorAll('.gl-container canvas')[which];
    if (!canvas) return null;
    window.small = window.small || document.createElement('canvas');
    small.width = small.height = size;
    const context = small.getContext('2d', {willReadFrequently: true});
    context.clearRect(0, 0, size, size);
    context.drawImage(canvas, 0, 0, size, size);
    return context.getImageData(0, 0, size, size).data;
  };
  window.same = (a, b) => a.every((value, n) => value === b[n]);
}"""
# Whether the drawing has more than one colour.
DRAWN = """n => {
  which = n;
  return look()?.some((value, n, all) => value !== all[n % 4]);
}"""
# A WebGL canvas is empty between frames unless it is told to keep its picture.
KEEP = """
  const original = HTMLCanvasElement.prototype.getContext;
  HTMLCanvasElement.prototype.getContext = function (kind, options) {
    const more = kind.startsWith('webgl') ? {...options, preserveDrawingBuffer: true} : options;
    return original.call(this, kind, more);
  };
"""
# From a key to the first frame with another picture; then one more frame, when it is on screen.
LATENCY = """() => {
  const before = look();
  window.took = null;
  addEventListener('keydown', () => {
    const pressed = performance.now();
    const frame = () => requestAnimationFrame(
      same(before, look()) ? frame : () => { took = performance.now() - pressed; }
    );
    requestAnimationFrame(frame);
  }, {capture: true, once: true});
}"""
# Run one cell, and select it; whether its execution count, or the star before it, is shown.
RUN_CELL = """n => {
  jupyterapp.shell.currentWidget.content.activeCellIndex = n;
  jupyterapp.commands.execute('notebook:run-cell');
}"""
PROMPT = ".jp-InputArea-prompt"
STARTED, DONE = re.compile(r"\[[*\d]+\]"), re.compile(r"\[\d+\]")
COMMAND_MODE = "document.querySelector('.jp-Notebook').classList.contains('jp-mod-commandMode')"


def chromium() -> str | None:
    """Where the system's chromium is; Playwright's own would have to be downloaded."""
    return shutil.which("chromium") or shutil.which("chromium-browser")


def launch(playwright):
    """Start the browser."""
    with PACE.measured():
        return playwright.chromium.launch(
            executable_path=chromium(),
            args=["--no-sandbox", "--disable-dev-shm-usage"],
            timeout=1000 * START,
        )


class Lab:
    """A JupyterLab server on the loopback, in a folder of its own. Use it with `with`.

    `nbgrader` is the text of nbgrader's configuration.
    """

    def __init__(self, folder: Path, nbgrader: str = "") -> None:
        self.folder, self.nbgrader = folder, nbgrader

    def __enter__(self) -> Lab:
        own = {
            f"JUPYTER_{kind}_DIR": str(self.folder / f".{kind.lower()}")
            for kind in ("CONFIG", "DATA", "RUNTIME")
        }
        own |= {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(ROOT), "IPYTHONDIR": str(self.folder)}
        self.notebooks = self.folder / "notebooks"
        self.notebooks.mkdir(parents=True, exist_ok=True)
        (self.folder / ".config").mkdir()
        (self.folder / ".config/nbgrader_config.py").write_text(self.nbgrader)
        # No questions about news: they cover the page, and would go to the network.
        quiet = self.folder / "settings/@jupyterlab/apputils-extension"
        quiet.mkdir(parents=True)
        (quiet / "notification.jupyterlab-settings").write_text(
            '{"fetchNews": "false", "checkForUpdates": false}'
        )
        # Off the screen, JupyterLab would draw nothing: a page may hold several explorers.
        whole = self.folder / "settings/@jupyterlab/notebook-extension"
        whole.mkdir(parents=True)
        (whole / "tracker.jupyterlab-settings").write_text('{"windowingMode": "none"}')
        self.log = (self.folder / "log").open("w+")
        self.server = subprocess.Popen(
            [
                *(sys.executable, "-m", "jupyter", "lab", "--no-browser", "--allow-root"),
                *("--ip=127.0.0.1", "--port=0", "--ServerApp.port_retries=0"),
                *("--IdentityProvider.token=", "--ServerApp.disable_check_xsrf=True"),
                # Kernels take as long as they take.
                f"--MappingKernelManager.kernel_info_timeout={START}",
                f"--VoilaExecutor.startup_timeout={START}",
                *("--expose-app-in-browser", f"--ServerApp.root_dir={self.notebooks}"),
                f"--LabApp.user_settings_dir={self.folder / 'settings'}",
                f"--LabApp.workspaces_dir={self.folder / 'workspaces'}",
            ],
            env=os.environ | own,
            cwd=self.notebooks,
            stdout=self.log,
            stderr=subprocess.STDOUT,
        )
        with PACE.measured():
            self.url = self._address()
        return self

    def __exit__(self, *_) -> None:
        self.server.terminate()
        try:
            self.server.wait(15)
        except subprocess.TimeoutExpired:
            self.server.kill()
            self.server.wait()
        self.log.close()

    def _address(self) -> str:
        """The server's address: port 0 means any free one, and its record says which."""
        stop = time.monotonic() + START
        while self.server.poll() is None and time.monotonic() < stop:
            records = list((self.folder / ".runtime").glob("jpserver-*.json"))
            if records:
                try:
                    return json.loads(records[0].read_text())["url"]
                except (ValueError, KeyError):
                    pass
            time.sleep(0.1)
        raise RuntimeError(f"JupyterLab did not start:\n{(self.folder / 'log').read_text()}")

    def notebook(self, name: str, *cells: str) -> str:
        """Write a notebook of code cells; return the address that shows it."""
        book = nbformat.v4.new_notebook(cells=[nbformat.v4.new_code_cell(c) for c in cells])
        book.metadata["kernelspec"] = {"name": "python3", "display_name": "Python 3"}
        nbformat.write(book, self.notebooks / f"{name}.ipynb")
        return self.address(f"{name}.ipynb")

    def address(self, file: str) -> str:
        """Where a notebook is shown by itself."""
        return f"{self.url}doc/tree/{file}"


def new_page(browser, height: int = 900, offline: bool = False):
    """A page that remembers what went wrong on it."""
    page = browser.new_page(viewport={"width": 1280, "height": height}, offline=offline)
    be_patient(page)
    page.wrong = listen(page)
    return page


def listen(page) -> list[str]:
    """Collect what goes wrong on a page, from now on."""
    wrong: list[str] = []

    def note(text: str) -> None:
        # Said of every widget that takes longer than two seconds. One that does not come will not
        # move, which is looked for.
        if "[anywidget] Failed to initialize model" not in text:
            wrong.append(text)

    page.on("pageerror", lambda error: note(str(error)))
    page.on("console", lambda message: message.type == "error" and note(message.text))
    return wrong


def open_notebook(page, address: str) -> None:
    """Show a notebook in JupyterLab, and wait until it can be run."""
    with PACE.measured():
        page.goto(address)
        page.wait_for_function("window.jupyterapp !== undefined")
        # Run before the kernel is there, JupyterLab would ask which one to take.
        page.wait_for_function(
            "jupyterapp.shell.currentWidget?.sessionContext?.session?.kernel?.status === 'idle'"
        )
    be_patient(page)


def open_explorers(page, address: str, cells_before: int = 0) -> list[float]:
    """Show a notebook and run it; every cell but the first few shows an explorer. Wait for each.

    Returns the seconds that each took to be drawn.
    """
    page.add_init_script(KEEP)
    open_notebook(page, address)
    page.evaluate(WATCH)
    seconds: list[float] = []
    cells = page.locator(".jp-Notebook .jp-CodeCell")
    for n in range(cells.count()):
        prompt, start = cells.nth(n).locator(PROMPT), time.monotonic()
        act_until(
            page,
            lambda n=n: page.evaluate(RUN_CELL, n),
            lambda prompt=prompt: STARTED.search(prompt.inner_text()),
            f"cell {n} is run",
        )
        if n >= cells_before:
            page.wait_for_function(DRAWN, arg=len(seconds))
            seconds.append(time.monotonic() - start)
        else:
            prompt.filter(has_text=DONE).wait_for()
    # As after Shift+Enter: keys are for the notebook, unless something else asks for them.
    act_until(
        page,
        lambda: page.evaluate("jupyterapp.commands.execute('notebook:enter-command-mode')"),
        COMMAND_MODE,
        "the notebook is in command mode",
    )
    return seconds


def settle(page, still: int = 400) -> None:
    """Wait until the picture has not changed for `still` milliseconds, and ten looks at it."""
    page.evaluate(
        """([still, longest]) => new Promise((done, failed) => {
          let last = look(), since = performance.now(), looks = 0;
          const stop = since + longest;
          const frame = () => {
            const now = look();
            if (!same(last, now)) { last = now; since = performance.now(); looks = 0; }
            if (++looks > 10 && performance.now() - since > still) done();
            else if (performance.now() > stop) failed(Error('the picture does not come to rest'));
            else setTimeout(() => requestAnimationFrame(frame), still / 10);
          };
          frame();
        })""",
        [still, 1000 * PACE.limit],
    )


def handle(output, label: str):
    """The knob of a slider in an output, by the name that a screen reader says."""
    return output.get_by_role("slider", name=label, exact=True)


def move(page, knob, *keys: str) -> None:
    """Press keys on a slider's knob until its value is another one."""
    before = knob.get_attribute("aria-valuenow")

    def press():
        knob.focus()
        for key in keys:
            page.keyboard.press(key)

    act_until(
        page,
        press,
        lambda: knob.get_attribute("aria-valuenow") != before,
        f"{', '.join(keys)} on the slider {knob} gives another value than {before}",
    )


def latencies(page, knob, presses: int) -> list[float]:
    """Milliseconds from a key on a knob to its painted picture, one for each press."""
    found = []
    for n in range(presses):
        settle(page, 200)
        page.evaluate(LATENCY)
        move(page, knob, "ArrowRight" if n % 10 < 5 else "ArrowLeft")
        found.append(page.wait_for_function("took").json_value())
    return found
