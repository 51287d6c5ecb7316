"""Explorers as people meet them: a real JupyterLab, a real browser, keys on real sliders."""

import itertools
import re

import pytest
from helpers.lab import (
    DRAWN,
    KEEP,
    PROMPT,
    STARTED,
    WATCH,
    Lab,
    handle,
    move,
    new_page,
    open_explorers,
    settle,
)
from helpers.patience import act_until, frames
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


def show_view(page, view: str, act) -> None:
    """Act on a view's button until its view is drawn."""
    near = f"{list(VIEWS[view])}.every((x, n) => Math.abs({EYE}['xyz'[n]] - x) < 1e-3)"
    act_until(page, act, near, f"the view {view}")
    still_eye(page)


@pytest.mark.parametrize("name", EXPLORERS)
def test_draws_moves_and_keeps_the_camera(notebook, name):
    page = notebook
    shown = output(page, name)
    assert page.evaluate(f"{FIGURE}._fullData.every(trace => trace.visible === true)")
    if name != "camera":  # whose pictures do not turn
        start = page.evaluate(EYE)

        def drag():
            """Turn the scene as a reader does."""
            box = shown.locator(".gl-container canvas").bounding_box()
            x, y = box["x"] + 0.7 * box["width"], box["y"] + box["height"] / 2
            page.mouse.move(x, y)
            frames(page)  # where joints can be clicked, it looks for one
            page.mouse.down()
            page.mouse.move(x + 70, y + 10, steps=10)
            frames(page)
            page.mouse.up()

        turned = f"Math.abs({EYE}.x - {start['x']}) > 0.1"
        act_until(page, drag, turned, "the drag turned the scene")
    eye = still_eye(page)
    page.evaluate("window.before = look()")
    key = "ArrowLeft" if name == "comparison" else "ArrowRight"
    move(page, handle(shown, EXPLORERS[name][1]), key, key, key)
    page.wait_for_function("() => !same(before, look())")
    # Where the drag left it, not where it began; what is left of the soft stop may follow.
    assert page.evaluate(EYE) == pytest.approx(eye, abs=0.02)
    assert page.evaluate(f"{FIGURE}._fullData.every(trace => trace.visible === true)")
    assert not page.wrong


# Whether these points are drawn.
POINTS = f"""points => Object.entries(points).every(([axis, values]) => {{
  const shown = {FIGURE}?._fullData[0][axis];
  return shown && values.every((value, n) => Math.abs(value - shown[n]) < 1e-5);
}})"""


def test_fifty_fast_moves_end_on_the_right_body(notebook):
    page = notebook
    knob = handle(output(page, "shape"), "beta 0")
    move(page, knob, "ArrowRight")  # it listens
    start = float(knob.get_attribute("aria-valuenow"))
    for n in range(50):
        page.keyboard.press("ArrowLeft" if n % 10 < 3 else "ArrowRight")
    # All of them arrive at the knob; what it shows last must be what is drawn last. No move before
    # the last one comes as far.
    value = float(knob.get_attribute("aria-valuenow"))
    assert value == pytest.approx(start + 2.0)  # 35 right, 15 left, a tenth each
    explorer = explore_shape()
    explorer.controls["beta 0"].value = value
    explorer.flush()
    expected = {axis: explorer.figure.data[0][axis].tolist() for axis in "xyz"}
    page.wait_for_function(POINTS, arg=expected)
    settle(page, 1000)
    assert page.evaluate(POINTS, expected)


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
    for before, control in itertools.pairwise(controls):
        act_until(
            page,
            lambda before=before: before.press("Tab"),
            lambda control=control: control.evaluate("it => it === document.activeElement"),
            f"Tab leads to {control}",
        )
    side = shown.get_by_role("button", name="view: side")
    show_view(page, "side", lambda: side.press("Enter"))


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
    show_view(page, "front", shown.get_by_role("button", name="view: front").click)
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
    # A reader moves the mouse until the label says "head".
    around = [(dx, dy) for dx in range(-18, 19, 6) for dy in range(-36, 37, 6)]
    places = itertools.cycle(sorted(around, key=lambda d: d[0] ** 2 + d[1] ** 2))

    def point():
        dx, dy = next(places)
        x, y = page.evaluate(PROJECT, head)
        page.mouse.move(x + dx - 1, y + dy)
        page.mouse.move(x + dx, y + dy)
        frames(page)

    def click():
        act_until(page, point, "hovered === 'head'", "the mouse is on the head", pause=0)
        page.mouse.down()
        frames(page)  # plotly sees a click only in a frame drawn while the button is down
        page.mouse.up()

    act_until(page, click, lambda: picker.input_value() == "head", "the head is picked")


def test_a_clip_plays(notebook):
    page = notebook
    shown = output(page, "pose")
    frame = handle(shown, "frame")
    before = float(frame.get_attribute("aria-valuenow"))
    page.evaluate("window.before = look()")
    play = shown.get_by_role("button", name="play or pause")
    paused = play.locator(".fa-play")
    act_until(page, play.click, lambda: not paused.count(), "it plays")
    page.wait_for_function("() => !same(before, look())")
    act_until(page, play.click, paused.count, "it pauses")
    assert float(frame.get_attribute("aria-valuenow")) > before


@pytest.mark.parametrize("front", ["voila/render", "notebooks"])
def test_voila_and_notebook_7_serve_an_explorer(browser, lab, front):
    lab.notebook("one", "from hmr_edu.viz.explore import explore_shape\nexplore_shape()")
    page = new_page(browser)
    page.add_init_script(KEEP)
    page.goto(f"{lab.url}{front}/one.ipynb")
    if front == "notebooks":
        page.locator(".jp-Notebook-ExecutionIndicator[data-status=idle]").wait_for()
        cell = page.locator(".jp-CodeCell").first
        act_until(
            page,
            lambda: cell.locator(".cm-content").press("Shift+Enter"),
            lambda: STARTED.search(cell.locator(PROMPT).inner_text()),
            "the cell is run",
        )
    page.evaluate(WATCH)
    page.wait_for_function(DRAWN, arg=0)
    page.evaluate("window.before = look()")
    move(page, handle(page, "beta 0"), "ArrowRight", "ArrowRight", "ArrowRight")
    # What else these pages complain of, off the network, is not ours.
    page.wait_for_function("() => !same(before, look())")
    page.close()


def test_a_film_moves_without_a_kernel(browser, tmp_path):
    figure = film(explore_shape(), "beta 0", [-3.0, 0.0, 3.0])
    (tmp_path / "plotly.js").write_text(get_plotlyjs(), encoding="utf-8")
    markup = fragment(figure, "film")
    (tmp_path / "film.html").write_text(f"<!doctype html><meta charset=utf-8>{markup}")
    page = new_page(browser)
    page.goto((tmp_path / "film.html").as_uri())
    page.evaluate("which = 0")
    page.wait_for_function(POINTS, arg={"z": figure.frames[0].data[0].z.tolist()})
    # Press the slider's rail at its right end, the last value.
    rail = page.locator(".slider-rail-touch-rect")

    def press():
        box = rail.bounding_box()
        page.mouse.click(box["x"] + box["width"] - 3, box["y"] + box["height"] / 2)

    label = "document.querySelector('.slider-label')?.textContent.includes('3')"
    act_until(page, press, label, "the slider says 3")
    page.wait_for_function(POINTS, arg={"z": figure.frames[2].data[0].z.tolist()})
    assert not page.wrong
    page.close()
