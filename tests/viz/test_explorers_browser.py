"""Explorers as people meet them: a real JupyterLab, a real browser, keys on real sliders."""

import re

import numpy as np
import pytest
from helpers.lab import DRAWN, KEEP, WATCH, Lab, handle, new_page, open_explorers, settle
from plotly.offline import get_plotlyjs

from hmr_edu.viz.explore import explore_shape
from hmr_edu.viz.explore.static import film, fragment
from hmr_edu.viz.orbit import VIEWS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SETUP = """
import numpy as np
import torch
from hmr_edu.discriminator import Discriminator
from hmr_edu.theta import mean_theta
from hmr_edu.viz.explore import *

torch.manual_seed(0)
picture = np.full((64, 64, 3), 190, np.uint8)
thetas = mean_theta() + 0.2 * torch.linspace(0, 1, 4)[:, None] * torch.randn(85)
"""
# In the order of the notebook: the cell, and the slider that is moved.
EXPLORERS = {
    "shape": ("explore_shape()", "beta 0"),
    "pose": ("explore_pose()", "frame"),
    "skinning": ("explore_skinning()", "about x, °"),
    "rotation": ("explore_rotation()", "angle t, °"),
    "camera": ("explore_camera()", "distance, m"),
    "iterations": ("explore_iterations(picture, thetas, thetas[-1])", "step"),
    "prior": ("explore_prior(Discriminator(hidden=64))", "about x, °"),
    "comparison": ("compare_bodies(thetas[-1], thetas[1])", "blend"),
}
FIGURE = "document.querySelectorAll('.js-plotly-plot')[which]"
EYE = f"{FIGURE}._fullLayout.scene._scene.getCamera().eye"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab") / "home") as lab:
        yield lab


@pytest.fixture(scope="module")
def notebook(browser, lab):
    """All explorers in one notebook: one kernel, one start."""
    page = new_page(browser)
    cells = [SETUP, *(cell for cell, _ in EXPLORERS.values())]
    open_explorers(page, lab.notebook("all", *cells), cells_before=1)
    yield page
    assert not page.wrong
    page.close()


def output(page, name: str):
    """Where an explorer is; what is asked of the page's drawings is asked of this one."""
    number = list(EXPLORERS).index(name)
    page.evaluate(f"which = {number}")
    found = page.locator(".jp-OutputArea-output:has(.js-plotly-plot)").nth(number)
    found.scroll_into_view_if_needed()
    return found


def still_eye(page) -> dict[str, float]:
    """Where the scene's camera is, once it has come to rest: it follows the mouse softly."""
    eye = None
    while eye != (eye := page.evaluate(EYE)):
        settle(page, 600)
    return eye


def wait_for_view(page, view: str) -> None:
    """Wait until a button's view is drawn: on a busy machine it comes long after the click."""
    near = f"{list(VIEWS[view])}.every((x, n) => Math.abs({EYE}['xyz'[n]] - x) < 1e-3)"
    page.wait_for_function(f"() => {near}")
    still_eye(page)


@pytest.mark.parametrize("name", EXPLORERS)
def test_draws_moves_and_keeps_the_camera(notebook, name):
    page = notebook
    shown = output(page, name)
    assert page.evaluate(f"{FIGURE}._fullData.every(trace => trace.visible === true)")
    if name != "camera":  # whose pictures do not turn
        # Turn the scene as a reader does, by dragging.
        box = shown.locator(".gl-container canvas").bounding_box()
        x, y = box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2
        start = page.evaluate(EYE)
        for _ in range(4):  # on a busy machine the scene may not listen yet
            page.mouse.move(x, y)
            page.wait_for_timeout(200)  # where joints can be clicked, it looks for one
            page.mouse.down()
            page.mouse.move(x + 70, y + 10, steps=10)
            page.wait_for_timeout(200)
            page.mouse.up()
            eye = still_eye(page)
            if abs(eye["x"] - start["x"]) > 0.1:
                break
        assert abs(eye["x"] - start["x"]) > 0.1, "the drag did not turn the scene"
    eye = still_eye(page)
    page.evaluate("window.before = look()")
    handle(shown, EXPLORERS[name][1]).focus()
    key = "ArrowLeft" if name == "comparison" else "ArrowRight"
    for _ in range(3):
        page.keyboard.press(key)
    page.wait_for_function("() => !same(before, look())")
    # Where the drag left it, not where it began; what is left of the soft stop may follow.
    assert page.evaluate(EYE) == pytest.approx(eye, abs=0.02)
    assert page.evaluate(f"{FIGURE}._fullData.every(trace => trace.visible === true)")
    assert not page.wrong


def test_fifty_fast_moves_end_on_the_right_body(notebook):
    page = notebook
    knob = handle(output(page, "shape"), "beta 0")
    knob.focus()
    start = float(knob.get_attribute("aria-valuenow"))
    for n in range(50):
        page.keyboard.press("ArrowRight" if n % 10 < 7 else "ArrowLeft")
    # All of them arrive at the knob; what it shows last must be what is drawn last.
    page.wait_for_timeout(3000)
    settle(page, 1000)
    value = float(knob.get_attribute("aria-valuenow"))
    assert value == pytest.approx(start + 2.0)  # 35 right, 15 left, a tenth each
    explorer = explore_shape()
    explorer.controls["beta 0"].value = value
    explorer.flush()
    expected = [explorer.figure.data[0][axis] for axis in "xyz"]
    shown = page.evaluate(f"[...'xyz'].map(axis => Array.from({FIGURE}._fullData[0][axis]))")
    np.testing.assert_allclose(shown, expected, atol=1e-5)


@pytest.mark.parametrize("name", EXPLORERS)
def test_everything_that_can_be_moved_has_a_name(notebook, name):
    tree = output(notebook, name).aria_snapshot()
    assert re.match(r'- group "\w', tree)
    assert re.search(r'- slider "\w', tree)
    assert 'img "' in tree
    nameless = r"- (button|checkbox|combobox|slider|textbox)(:| \"\"| \[|$).*"
    assert not re.search(nameless, tree, re.MULTILINE), tree


def test_the_keyboard_reaches_everything(notebook):
    page = notebook
    shown = output(page, "pose")
    controls = shown.locator(
        "[role=button], select, [role=slider], .widget-readout, button:not(:disabled)"
    ).all()
    controls[0].focus()
    for control in controls[1:]:
        page.keyboard.press("Tab")
        assert control.evaluate("element => element === document.activeElement"), control
    shown.get_by_role("button", name="view: side").focus()
    page.keyboard.press("Enter")
    wait_for_view(page, "side")


# Where in the page a point of the scene is drawn: through the scene's own matrices.
PROJECT = f"""point => {{
  const scene = {FIGURE}._fullLayout.scene._scene;
  const {{model, view, projection}} = scene.glplot.cameraParams;
  let v = [...point.map((x, n) => x * scene.dataScale[n]), 1];
  for (const m of [model, view, projection])
    v = [0, 1, 2, 3].map(r => m[r] * v[0] + m[4 + r] * v[1] + m[8 + r] * v[2] + m[12 + r] * v[3]);
  const box = scene.glplot.canvas.getBoundingClientRect();
  const [x, y] = [v[0] / v[3], v[1] / v[3]];
  return [box.x + box.width * (1 + x) / 2, box.y + box.height * (1 - y) / 2];
}}"""


def test_a_click_on_the_skeleton_picks_the_joint(notebook):
    page = notebook
    shown = output(page, "pose")
    shown.get_by_role("button", name="view: front").click()
    wait_for_view(page, "front")
    head = page.evaluate(f"[...'xyz'].map(axis => {FIGURE}._fullData[3][axis][15])")
    picker = shown.get_by_role("combobox", name="joint")
    assert picker.input_value() != "head"
    page.evaluate(
        f"""() => {{
          window.hovered = null;
          {FIGURE}.on('plotly_hover', event => {{ hovered = event.points[0].text; }});
          {FIGURE}.on('plotly_unhover', () => {{ hovered = null; }});
        }}"""
    )
    # A reader moves the mouse until the label says "head". Where the scene looks for what lies
    # under the mouse, a busy machine's picture may be a late one.
    around = [(dx, dy) for dx in range(-18, 19, 6) for dy in range(-36, 37, 6)]
    for dx, dy in sorted(around, key=lambda d: d[0] ** 2 + d[1] ** 2) * 2:
        x, y = page.evaluate(PROJECT, head)
        page.mouse.move(x + dx - 1, y + dy)
        page.mouse.move(x + dx, y + dy)
        page.wait_for_timeout(150)
        if page.evaluate("hovered") != "head":
            continue
        page.mouse.down()
        page.mouse.up()
        page.wait_for_timeout(1000)
        if picker.input_value() == "head":
            break
    assert picker.input_value() == "head"


def test_a_clip_plays(notebook):
    page = notebook
    shown = output(page, "pose")
    frame = handle(shown, "frame")
    before = float(frame.get_attribute("aria-valuenow"))
    page.evaluate("window.before = look()")
    play = shown.get_by_role("button", name="play or pause")
    play.click()
    page.wait_for_function("() => !same(before, look())")
    page.wait_for_timeout(500)
    play.click()
    assert float(frame.get_attribute("aria-valuenow")) > before


@pytest.mark.parametrize("front", ["voila/render", "notebooks"])
def test_voila_and_notebook_7_serve_an_explorer(browser, lab, front):
    lab.notebook("one", "from hmr_edu.viz.explore import explore_shape\nexplore_shape()")
    page = new_page(browser)
    page.add_init_script(KEEP)
    page.goto(f"{lab.url}{front}/one.ipynb")
    if front == "notebooks":
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        page.locator(".jp-CodeCell").click()
        page.keyboard.press("Shift+Enter")
    page.evaluate(WATCH)
    page.wait_for_function(DRAWN, arg=0)
    page.evaluate("window.before = look()")
    handle(page, "beta 0").focus()
    for _ in range(3):
        page.keyboard.press("ArrowRight")
    # What else these pages complain of, off the network, is not ours.
    page.wait_for_function("() => !same(before, look())")
    page.close()


def test_a_film_moves_without_a_kernel(browser, tmp_path):
    figure = film(explore_shape(), "beta 0", [-3.0, 0.0, 3.0])
    (tmp_path / "plotly.js").write_text(get_plotlyjs(), encoding="utf-8")
    markup = fragment(figure, "film")
    (tmp_path / "film.html").write_text(f"<!doctype html><meta charset=utf-8>{markup}")
    page = browser.new_page()
    wrong: list[str] = []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    page.goto((tmp_path / "film.html").as_uri())
    page.wait_for_selector(".gl-container canvas", state="attached")
    shown = "Array.from(document.querySelector('.js-plotly-plot')._fullData[0].z)"
    assert page.evaluate(shown) == pytest.approx(figure.frames[0].data[0].z.tolist(), abs=1e-6)
    # Press the slider's rail at its right end, the last value.
    rail = page.locator(".slider-rail-touch-rect").bounding_box()
    page.mouse.click(rail["x"] + rail["width"] - 3, rail["y"] + rail["height"] / 2)
    page.wait_for_function("document.querySelector('.slider-label')?.textContent.includes('3')")
    page.wait_for_timeout(500)
    assert page.evaluate(shown) == pytest.approx(figure.frames[2].data[0].z.tolist(), abs=1e-6)
    assert not wrong
    page.close()
