"""Measure how soon a body follows a dragged keypoint: python scripts/browser/keypoint_latency.py.

An argument is the number of moves. The network is the shipped one of keypoints, or the file that a
second argument names.
"""

import statistics
import sys
import tempfile
import time
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from helpers.lab import Lab, launch, new_page, open_explorers, settle
from playwright.sync_api import sync_playwright

from hmr_edu import load_pretrained
from hmr_edu.data import EXAMPLES, read_annotations
from hmr_edu.viz import KeypointEditor

SETUP = """from hmr_edu import load_pretrained
from hmr_edu.data import EXAMPLES, read_annotations
from hmr_edu.viz import KeypointEditor
_, person = read_annotations(EXAMPLES / "keypoints.json")
model = load_pretrained({weights!r})"""
SHOW = "KeypointEditor(person.path, model, person.keypoints2d, person.visible)"
ELBOW = 7  # in COCO+
# From a move of the mouse to the first frame with another body, in space or over the picture.
LATENCY = """() => {
  const canvas = document.querySelector('.keypoint-picture canvas');
  const {width, height} = canvas;
  const outline = () => canvas.getContext('2d').getImageData(0, 0, width, height).data;
  const before = look(), flat = outline();
  window.took = {};
  addEventListener('pointermove', () => {
    const moved = performance.now();
    const frame = () => {
      if (!took.picture && !same(flat, outline())) took.picture = performance.now() - moved;
      if (!took.space && !same(before, look())) took.space = performance.now() - moved;
      if (!took.picture || !took.space) requestAnimationFrame(frame);
    };
    requestAnimationFrame(frame);
  }, {capture: true, once: true});
}"""


def summary(name: str, values: list[float]) -> None:
    """Print a row of milliseconds."""
    print(
        f"{name}: median {statistics.median(values):.1f} ms, least {min(values):.1f}, "
        f"worst {max(values):.1f}"
    )


def in_python(weights: str, moves: int) -> None:
    """Print how long the parts take without a browser, by the clock and of the CPU."""
    _, person = read_annotations(EXAMPLES / "keypoints.json")
    model = load_pretrained(weights)
    editor = KeypointEditor(person.path, model, person.keypoints2d, person.visible)
    for clock in (time.perf_counter, time.process_time):
        lifted, acted = [], []
        for n in range(moves):
            editor.keypoints.nudge(ELBOW, 1 - 2 * (n % 2), 0)
            start = clock()
            assert editor.prediction is not None
            lifted.append(1000 * (clock() - start))
            start = clock()
            editor.act({"do": "nudge", "index": ELBOW, "x": 0, "y": 1 - 2 * (n % 2)})
            acted.append(1000 * (clock() - start))
        summary(f"{clock.__name__}, keypoints to body", lifted)
        summary(f"{clock.__name__}, a drag's message to all that is sent back", acted)


def in_browser(weights: str, moves: int) -> None:
    """Print how long it takes from a move of the mouse to the picture of the body."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Lab(Path(folder) / "home") as lab,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        page = new_page(browser)
        open_explorers(
            page, lab.notebook("latency", SETUP.format(weights=weights), SHOW), cells_before=1
        )
        dot = page.locator(f"[data-keypoint='{ELBOW}']")
        dot.scroll_into_view_if_needed()
        box = dot.bounding_box()
        x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
        page.mouse.move(x, y)
        page.mouse.down()
        page.mouse.move(x + 20, y)
        picture, space = [], []
        for n in range(moves):
            settle(page, 200)
            page.evaluate(LATENCY)
            page.mouse.move(x + 20 * (n % 2), y + 3)
            took = page.wait_for_function("took.picture && took.space && took").json_value()
            picture.append(took["picture"])
            space.append(took["space"])
        page.mouse.up()
        summary(f"browser, {moves} moves, to the outline over the picture", picture)
        summary(f"browser, {moves} moves, to the body in 3D", space)
        browser.close()


if __name__ == "__main__":
    count = int(sys.argv[1]) if len(sys.argv) > 1 else 30
    name = sys.argv[2] if len(sys.argv) > 2 else "keypoints"
    in_python(name, count)
    in_browser(name, count)
