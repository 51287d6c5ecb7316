"""The keypoint editor as people meet it: clicks, drags and keys in a real JupyterLab."""

import re

import numpy as np
import pytest
from helpers.lab import Lab, new_page, open_explorers, settle
from helpers.patience import act_until
from PIL import Image

from hmr_edu.cli import main
from hmr_edu.data.photos.annotations import read_annotations
from hmr_edu.hmr import HMR
from hmr_edu.keypoints import COCOPLUS

pytestmark = [pytest.mark.browser, pytest.mark.slow]

WIDTH, HEIGHT = 240, 320
SETUP = """
import torch
from hmr_edu.hmr import HMR
from hmr_edu.viz.explore import KeypointEditor

torch.manual_seed(0)
model = HMR(encoder="keypoints", width=8, hidden=16).eval()
"""
# A stick figure that faces us, so that its right is on our left: pixels.
FIGURE = np.array(
    [
        *([95, 300], [98, 240], [100, 180], [140, 180], [142, 240], [145, 300]),
        *([60, 170], [70, 130], [90, 80], [150, 80], [170, 130], [180, 170]),
        *([120, 75], [120, 20], [120, 45], [126, 40], [114, 40], [134, 44], [106, 44]),
    ]
)
BODY = """() => {
  const canvas = document.querySelector('.keypoint-picture canvas');
  const {data} = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let count = 0;
  for (let n = 3; n < data.length; n += 4) count += data[n] > 0;
  return count;
}"""


class Editor:
    """The editor on a page, as somebody sees it who knows no code."""

    def __init__(self, page) -> None:
        self.page = page
        self.svg = page.locator(".keypoint-picture svg")
        self.readout = page.locator(".explorer-readout")

    def at(self, x: float, y: float) -> tuple[float, float]:
        """Where on the page the centre of a pixel is."""
        box = self.svg.bounding_box()
        return box["x"] + (x + 0.5) * box["width"] / WIDTH, box["y"] + (y + 0.5) * box[
            "height"
        ] / HEIGHT

    def places(self) -> dict[int, list[float]]:
        """Which keypoints are drawn where."""
        return {
            int(number): [float(value) for value in re.findall(r"-?[\d.]+", where)]
            for number, where in self.page.evaluate(
                """[...document.querySelectorAll('[data-keypoint]')]
                  .filter(dot => dot.style.display !== 'none')
                  .map(dot => [dot.dataset.keypoint, dot.getAttribute('transform')])"""
            )
        }

    def wait(self, state, says: str) -> None:
        """Wait for what one act brings about; it is not repeated."""
        act_until(self.page, lambda: None, state, says)

    def wait_for(self, number: int, place, within: float = 0.6) -> None:
        """Wait until a keypoint is at a place, or nowhere."""

        def there() -> bool:
            found = self.places().get(number)
            if place is None or found is None:
                return found is place is None
            return bool(np.allclose(found, place, atol=within))

        self.wait(there, f"{COCOPLUS[number]} is at {place}, not {self.places().get(number)}")

    def press(self, *keys: str) -> None:
        for key in keys:
            self.page.keyboard.press(key)

    def focused(self) -> str:
        return self.page.evaluate("document.activeElement.getAttribute('aria-label') ?? ''")

    def begin(self) -> None:
        """Take all keypoints away."""
        clear = self.page.get_by_role("button", name="Clear")
        if clear.is_enabled():
            clear.click()
        self.wait(lambda: not self.places(), "all is clear")
        self.wait(lambda: self.readout.inner_text().startswith("0 of 19"), "none is left")

    def click_figure(self, count: int) -> None:
        for n, place in enumerate(FIGURE[:count]):
            self.page.mouse.click(*self.at(*place))
            self.wait_for(n, place)


@pytest.fixture(scope="module")
def lab(tmp_path_factory):
    with Lab(tmp_path_factory.mktemp("lab") / "home") as lab:
        Image.new("RGB", (WIDTH, HEIGHT), "#d0d7de").save(lab.notebooks / "me.png")
        yield lab


@pytest.fixture(scope="module")
def page(browser, lab):
    page = new_page(browser, height=1000)
    cell = "KeypointEditor('me.png', model, path='me.json')"
    open_explorers(page, lab.notebook("editor", SETUP, cell), cells_before=1)
    page.locator(".keypoint-picture svg").scroll_into_view_if_needed()
    yield page
    assert not page.wrong
    page.close()


@pytest.fixture
def editor(page):
    editor = Editor(page)
    editor.begin()
    return editor


def test_clicks_place_the_keypoints_by_name_and_a_body_comes(editor):
    page = editor.page
    page.evaluate("window.before = look()")
    for n, place in enumerate(FIGURE):
        name = COCOPLUS[n].replace("_", " ")
        editor.wait(lambda name=name: f"next: {name}" in editor.readout.inner_text(), name)
        page.mouse.click(*editor.at(*place))
        editor.wait_for(n, place)
    page.wait_for_function("() => !same(before, look())")
    editor.wait(lambda: page.evaluate(BODY), "the body's outline is over the picture")
    # One click more hits nothing.
    page.mouse.click(*editor.at(20, 20))
    settle(page)
    assert len(editor.places()) == 19


def test_a_drag_moves_one_and_the_body_follows(editor):
    page = editor.page
    editor.click_figure(14)
    settle(page)
    page.evaluate("window.before = look()")
    page.mouse.move(*editor.at(*FIGURE[6]))
    page.mouse.down()
    page.mouse.move(*editor.at(30, 40), steps=12)
    editor.wait_for(6, [30, 40])  # while the button is still down
    page.wait_for_function("() => !same(before, look())")
    page.mouse.up()
    editor.wait_for(6, [30, 40])
    for n in range(14):
        if n != 6:
            editor.wait_for(n, FIGURE[n])
    page.get_by_role("button", name="Undo").click()  # all of the drag
    editor.wait_for(6, FIGURE[6])


def test_a_drag_ends_where_the_mouse_is_released(editor):
    page = editor.page
    editor.click_figure(5)
    for n, end in enumerate([[10, 10], [200, 300], [33, 200]]):
        page.mouse.move(*editor.at(*editor.places()[n]))
        page.mouse.down()
        page.mouse.move(*editor.at(*end), steps=40)
        page.mouse.up()
        editor.wait_for(n, end)
    settle(page)
    assert np.allclose(editor.places()[2], [33, 200], atol=0.6)


def test_the_right_button_removes(editor):
    editor.click_figure(4)
    editor.page.mouse.click(*editor.at(*FIGURE[1]), button="right")
    editor.wait_for(1, None)
    assert editor.page.locator(".lm-Menu-content").count() == 0  # not JupyterLab's own menu
    editor.page.mouse.click(*editor.at(50, 60))
    editor.wait_for(1, [50, 60])


def test_all_of_it_by_keys(editor):
    page = editor.page
    editor.svg.focus()
    # Without a body the first ones begin in the middle.
    editor.press("Enter")
    middle = [WIDTH / 2, HEIGHT / 2]
    editor.wait_for(0, middle)
    editor.press("Enter")
    editor.wait_for(1, middle)
    # Tab goes through the placed ones.
    editor.wait(lambda: "The picture" in editor.focused(), "the picture has the focus")
    editor.press("Tab")
    editor.wait(lambda: editor.focused().startswith("right ankle"), "the first has the focus")
    editor.press("ArrowLeft", "ArrowLeft", "ArrowUp", "Shift+ArrowRight", "Shift+ArrowDown")
    moved = [middle[0] + 8, middle[1] + 9]
    editor.wait_for(0, moved, within=0.01)
    editor.press("u", "Control+z")
    editor.wait_for(0, [middle[0] - 2, middle[1] - 1], within=0.01)
    editor.press("r", "Control+y")
    editor.wait_for(0, moved, within=0.01)
    editor.press("Delete")
    editor.wait_for(0, None)
    editor.wait(lambda: "Next: right ankle" in editor.focused(), "it is the next again")
    editor.press("Control+z")
    editor.wait_for(0, moved, within=0.01)
    editor.wait(lambda: editor.focused().startswith("right ankle"), "keys go to it")
    editor.press("n")
    editor.wait(lambda: editor.focused().startswith("right knee"), "keys go to the next")
    editor.press("n", "s")
    editor.wait(lambda: "Next: left hip" in editor.focused(), "the right hip is left out")
    assert not page.locator(".jp-Notebook").evaluate("it => it.matches('.jp-mod-editMode')")
    assert page.locator(".jp-CodeCell").count() == 2  # no key reached JupyterLab


def test_the_menu_chooses_what_a_click_places(editor):
    menu = editor.page.get_by_role("combobox", name="keypoint")
    menu.select_option(label="○ head top")
    editor.wait(lambda: "next: head top" in editor.readout.inner_text(), "it is the next")
    editor.page.mouse.click(*editor.at(120, 20))
    editor.wait_for(13, [120, 20])
    editor.wait(lambda: "● head top" in menu.inner_text(), "the menu says that it is placed")


def test_everything_has_a_name(editor):
    editor.click_figure(3)
    tree = editor.page.locator(".explorer").aria_snapshot()
    assert "right hip (the person''s own right): 100, 180" in tree
    assert 'combobox "keypoint"' in tree
    assert "status" in tree
    nameless = r"- (button|checkbox|combobox|slider|textbox|application)(:| \"\"| \[|$).*"
    assert not re.search(nameless, tree, re.MULTILINE), tree


def test_the_saved_file_is_read_by_evaluate_photos(editor, lab, tmp_path, capsys):
    editor.click_figure(14)
    editor.page.get_by_role("button", name="Save").click()
    saved = lab.notebooks / "me.json"
    editor.wait(lambda: "Saved to me.json" in editor.readout.inner_text(), "it is saved")
    (person,) = read_annotations(saved)
    assert person.visible.tolist() == [1.0] * 14 + [0.0] * 5
    # Half a pixel of the page is a third of the picture's.
    np.testing.assert_allclose(person.keypoints2d[:14], FIGURE[:14], atol=0.6)
    HMR("resnet18", image_size=64, width=8, hidden=16).save(tmp_path / "network.safetensors")
    main(["evaluate-photos", "--weights", str(tmp_path / "network.safetensors"), str(saved)])
    assert "1 people in 1 pictures, 14 keypoints" in capsys.readouterr().out
