"""Run every lesson as a reader does.

Usage: python scripts/browser/lessons_in_browser.py FOLDER [lesson ...].
A real JupyterLab, a real browser, "Run all". Fails on an error output, on a line in stderr, on a
figure that stays empty and on an error of the page. Pictures of each lesson, one below the other,
go to FOLDER: look at them. Takes several minutes, so `make test` leaves it out.
"""

import shutil
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from helpers.lab import DRAWN, KEEP, ROOT, WATCH, Lab, chromium, listen, open_notebook
from playwright.sync_api import Page, TimeoutError, sync_playwright

HEIGHT = 1600  # pixels of a picture
MINUTES = 15  # for a lesson: machines may have much else to do
RUN = """async () => {
  await jupyterapp.commands.execute('notebook:clear-all-cell-outputs');
  await jupyterapp.commands.execute('notebook:run-all-cells');
}"""
# What went wrong, cell by cell: errors, warnings, cells that were not reached.
WRONG = """() => {
  const found = [];
  let number = 0;
  for (const cell of jupyterapp.shell.currentWidget.content.model.cells) {
    if (cell.type !== 'code') continue;
    number += 1;
    const source = cell.sharedModel.getSource();
    if (source.trim() && cell.executionCount !== number)
      found.push(`cell ${number} was run as number ${cell.executionCount}:\\n${source}`);
    for (const output of cell.sharedModel.getOutputs())
      if (output.output_type === 'error' || output.name === 'stderr')
        found.push(`cell ${number}: ${output.ename || 'stderr'} ${output.evalue || output.text}`);
  }
  return found;
}"""
# Every plotly figure holds something: a widget that came too late would be an empty frame.
FILLED = "() => [...document.querySelectorAll('.js-plotly-plot')].every(p => p._fullData?.length)"
SCROLL = """top => {
  const panel = document.querySelector('.jp-Notebook .jp-WindowedPanel-outer') ||
    document.querySelector('.jp-Notebook');
  panel.scrollTop = top;
  return [panel.scrollTop, panel.scrollHeight, panel.clientHeight];
}"""


def still(page: Page) -> list[str]:
    """Press a key on a slider of each explorer; return those whose figure is not told."""
    found = []
    for explorer in page.locator(".explorer").all():
        plot = explorer.locator(".js-plotly-plot").element_handle()
        page.evaluate("plot => { plot.on('plotly_afterplot', () => { plot.told = true; }); }", plot)
        explorer.get_by_role("slider").first.focus()
        page.keyboard.press("ArrowRight")  # which may be at its end
        page.keyboard.press("ArrowLeft")
        try:
            page.wait_for_function("plot => plot.told", arg=plot, timeout=30_000)
        except TimeoutError:
            found.append(f"{explorer.get_attribute('aria-label')} does not move")
    return found


def read(page: Page, address: str, pictures: Path) -> list[str]:
    """Run a lesson, take its pictures; return what went wrong."""
    wrong = listen(page)
    page.add_init_script(KEEP)
    open_notebook(page, address)
    page.evaluate(RUN)
    wrong += page.evaluate(WRONG)
    page.evaluate(WATCH)
    try:
        page.wait_for_function(FILLED, timeout=60_000)
        for scene in range(page.locator(".gl-container canvas").count()):
            page.wait_for_function(DRAWN, arg=scene, timeout=60_000)
    except TimeoutError:
        wrong.append("a figure stays empty")
    wrong += still(page)
    pictures.mkdir(parents=True, exist_ok=True)
    top, number = 0, 0
    while True:
        reached, whole, shown = page.evaluate(SCROLL, top)
        page.wait_for_timeout(700)
        page.screenshot(path=pictures / f"{number:02}.png")
        if reached + shown >= whole - 1:
            break
        top, number = reached + shown - 60, number + 1
    page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")
    return wrong


def main(folder: Path, names: list[str]) -> int:
    """Read the lessons named, or all; return how many have something wrong."""
    lessons = [
        p for p in sorted((ROOT / "notebooks").glob("*.ipynb")) if not names or p.stem in names
    ]
    failed = 0
    with (
        tempfile.TemporaryDirectory() as home,
        Lab(Path(home) / "home") as lab,
        sync_playwright() as playwright,
    ):
        browser = playwright.chromium.launch(executable_path=chromium(), args=["--no-sandbox"])
        for lesson in lessons:
            shutil.copy(lesson, lab.notebooks)
            page = browser.new_page(viewport={"width": 1280, "height": HEIGHT})
            page.set_default_timeout(MINUTES * 60_000)
            start = time.monotonic()
            wrong = read(page, lab.address(lesson.name), folder / lesson.stem)
            print(f"{lesson.stem}: {'; '.join(wrong) or 'well'}, {time.monotonic() - start:.0f} s")
            failed += bool(wrong)
            page.close()
        browser.close()
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
