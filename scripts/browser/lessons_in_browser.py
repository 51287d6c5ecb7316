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

from helpers.lab import DRAWN, KEEP, ROOT, WATCH, Lab, launch, new_page, open_notebook
from helpers.patience import PACE, act_until
from playwright.sync_api import Page, TimeoutError, sync_playwright

HEIGHT = 1600  # pixels of a picture
LESSON = 3  # a lesson may take so many times what a state may take
RUN = """() => {
  const {commands} = jupyterapp;
  window.ran = false;
  commands.execute('notebook:clear-all-cell-outputs')
    .then(() => commands.execute('notebook:run-all-cells'))
    .finally(() => { ran = true; });
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
        knob = explorer.get_by_role("slider").first

        def press(knob=knob) -> None:
            knob.press("ArrowRight")  # which may be at its end
            knob.press("ArrowLeft")

        def told(plot=plot) -> bool:
            return plot.evaluate("plot => plot.told")

        try:
            act_until(page, press, told, f"{explorer.get_attribute('aria-label')} moves")
        except AssertionError as error:
            found.append(str(error))
    return found


def picture(page: Page) -> bytes:
    """Take a picture of a page that has come to rest."""
    taken: list[bytes] = []
    act_until(
        page,
        lambda: taken.append(page.screenshot()),
        lambda: taken[-1:] == taken[-2:-1],
        "two pictures are the same",
        pause=0,
    )
    return taken[-1]


def read(page: Page, address: str, pictures: Path) -> list[str]:
    """Run a lesson, take its pictures; return what went wrong."""
    page.add_init_script(KEEP)
    open_notebook(page, address)
    page.evaluate(RUN)
    page.wait_for_function("ran", timeout=1000 * LESSON * PACE.limit)
    wrong = page.evaluate(WRONG)
    page.evaluate(WATCH)
    try:
        page.wait_for_function(FILLED)
        for scene in range(page.locator(".gl-container canvas").count()):
            page.wait_for_function(DRAWN, arg=scene)
    except TimeoutError:
        wrong.append("a figure stays empty")
    wrong += still(page)
    pictures.mkdir(parents=True, exist_ok=True)
    top, number = 0, 0
    while True:
        reached, whole, shown = page.evaluate(SCROLL, top)
        (pictures / f"{number:02}.png").write_bytes(picture(page))
        if reached + shown >= whole - 1:
            break
        top, number = reached + shown - 60, number + 1
    page.evaluate("jupyterapp.serviceManager.sessions.shutdownAll()")
    return wrong + page.wrong


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
        browser = launch(playwright)
        for lesson in lessons:
            shutil.copy(lesson, lab.notebooks)
            page = new_page(browser, HEIGHT)
            start = time.monotonic()
            wrong = read(page, lab.address(lesson.name), folder / lesson.stem)
            print(f"{lesson.stem}: {'; '.join(wrong) or 'well'}, {time.monotonic() - start:.0f} s")
            failed += bool(wrong)
            page.close()
        browser.close()
    return failed


if __name__ == "__main__":
    sys.exit(main(Path(sys.argv[1]), sys.argv[2:]))
