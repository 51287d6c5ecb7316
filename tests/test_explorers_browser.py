"""Explorers as people meet them: a real JupyterLab, a real browser, keys on real sliders."""

import numpy as np
import pytest
from lab import Lab, chromium, handle, open_explorers, settle
from plotly.offline import get_plotlyjs

from hmr_edu.viz.explore import explore_shape
from hmr_edu.viz.explore.static import film, fragment

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
def browser():
    if not chromium():
        pytest.skip("no chromium: `make test` installs Debian's, where it may")
    api = pytest.importorskip("playwright.sync_api")
    with api.sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture(scope="module")
def page(browser):
    """A page that remembers what went wrong on it."""
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(120_000)  # for machines that have much else to do
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda m: m.type == "error" and page.wrong.append(m.text))
    yield page
    page.close()


@pytest.fixture(scope="module")
def notebook(page, tmp_path_factory):
    """All explorers in one notebook: one kernel, one start."""
    with Lab(tmp_path_factory.mktemp("lab") / "home") as lab:
        cells = [SETUP, *(cell for cell, _ in EXPLORERS.values())]
        open_explorers(page, lab.notebook("all", *cells), cells_before=1)
        yield page
        assert not page.wrong


def still_eye(page) -> dict[str, float]:
    """Where the scene's camera is, once it has come to rest: it follows the mouse softly."""
    eye = None
    while eye != (eye := page.evaluate(EYE)):
        settle(page, 600)
    return eye


@pytest.mark.parametrize("name", EXPLORERS)
def test_draws_moves_and_keeps_the_camera(notebook, name):
    page = notebook
    number = list(EXPLORERS).index(name)
    page.evaluate(f"which = {number}")
    output = page.locator(".jp-OutputArea-output:has(.js-plotly-plot)").nth(number)
    output.scroll_into_view_if_needed()
    assert page.evaluate(f"{FIGURE}._fullData.every(trace => trace.visible === true)")
    if name != "camera":  # whose pictures do not turn
        # Turn the scene as a reader does, by dragging.
        box = output.locator(".gl-container canvas").bounding_box()
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
    handle(output, EXPLORERS[name][1]).focus()
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
    page.evaluate("which = 0")
    knob = handle(page.locator(".jp-OutputArea-output:has(.js-plotly-plot)").first, "beta 0")
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
