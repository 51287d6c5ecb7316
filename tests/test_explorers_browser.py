"""Explorers as people meet them: a real JupyterLab, a real browser, keys on real sliders."""

import pytest
from lab import Lab, chromium, handle, open_explorer, settle

from hmr_edu.viz.explore.shape import explore_shape

pytestmark = [pytest.mark.browser, pytest.mark.slow]

# Explorer, the cell that shows it, the slider that is moved.
EXPLORERS = {
    "shape": ("from hmr_edu.viz.explore.shape import explore_shape\nexplore_shape()", "beta 0"),
}
CAMERA = "document.querySelector('.js-plotly-plot')._fullLayout.scene._scene.getCamera().eye"
VERTICES = "Array.from(document.querySelector('.js-plotly-plot')._fullData[0].{axis})"


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    if not chromium():
        pytest.skip("no chromium: `make test` installs Debian's where it may (needs root)")
    pytest.importorskip("playwright")
    with Lab(tmp_path_factory.mktemp("lab") / "home") as lab:
        yield lab


@pytest.fixture(scope="module")
def browser():
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(
            executable_path=chromium(), args=["--no-sandbox", "--disable-dev-shm-usage"]
        )
        yield browser
        browser.close()


@pytest.fixture
def page(lab, browser):
    page = browser.new_page(viewport={"width": 1280, "height": 900})
    page.set_default_timeout(60_000)
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda m: m.type == "error" and page.wrong.append(m.text))
    yield page
    page.close()


@pytest.mark.parametrize("name", EXPLORERS)
def test_draws_moves_and_keeps_the_camera(lab, page, name):
    cell, label = EXPLORERS[name]
    open_explorer(page, lab.notebook(name, cell))
    settle(page)
    # Turn the scene as a reader does, by dragging.
    box = page.locator(".gl-container canvas").first.bounding_box()
    x, y = box["x"] + box["width"] / 2, box["y"] + box["height"] / 2
    page.mouse.move(x, y)
    page.mouse.down()
    page.mouse.move(x + 70, y + 10, steps=4)
    page.mouse.up()
    settle(page)
    eye = page.evaluate(CAMERA)
    assert abs(eye["x"]) > 0.1, "the drag did not turn the scene"
    page.evaluate("window.before = look()")
    handle(page, label).focus()
    for _ in range(5):
        page.keyboard.press("ArrowRight")
    page.wait_for_function("() => !same(before, look())")
    settle(page)
    assert page.evaluate(CAMERA) == pytest.approx(eye)
    assert not page.wrong


def test_fifty_fast_moves_end_on_the_right_body(lab, page):
    open_explorer(page, lab.notebook("fast", EXPLORERS["shape"][0]))
    settle(page)
    handle(page, "beta 0").focus()
    for n in range(50):
        page.keyboard.press("ArrowRight" if n % 10 < 7 else "ArrowLeft")
    explorer = explore_shape()
    explorer.controls["beta 0"].value = 2.0  # 35 right, 15 left, a tenth each
    settle(page, 800)
    for axis in "xyz":
        shown = page.evaluate(VERTICES.format(axis=axis))
        assert shown == pytest.approx(explorer.figure.data[0][axis].tolist(), abs=1e-6)
    assert not page.wrong
