"""A class in JupyterLab, by nbgrader's own buttons: hand out, fetch, validate, submit, grade.

One problem set goes round once: the tests follow it, in order.
"""

import re

import pytest
from helpers.lab import ROOT, Lab, new_page
from helpers.patience import START, act_until

pytest.importorskip("nbgrader")

from hmr_edu.course.grading import classroom

pytestmark = [pytest.mark.browser, pytest.mark.slow]

SET, NOTEBOOK = "ps2", "02_problems"
# What docs/instructor.md tells those to write who run a server for a class.
CONFIG = """
c = get_config()
load_subconfig("{home}/notebooks/course/nbgrader_config.py")
c.Exchange.root = "{home}/exchange"
"""
# Notebooks take as long as they take.
CONFIG += f"""
c.Execute.timeout = c.NotebookClient.startup_timeout = c.NotebookClient.iopub_timeout = {START}
"""
# Writes a function's body, below its docstring, in the notebook that is open.
TYPE = """([name, body]) => {
  for (const {sharedModel: cell} of jupyterapp.shell.currentWidget.content.model.cells) {
    const source = cell.getSource();
    if (source.startsWith(`def ${name}(`))
      cell.setSource(source.slice(0, source.lastIndexOf('"' + '""') + 3) + "\\n    " + body);
  }
}"""
WRONG_SIDE = "return torch.cat([G[:, :1], G[:, 1:] @ G[:, list(parents)[1:]].mT], 1)"
RIGHT = "return torch.cat([G[:, :1], G[:, list(parents)[1:]].mT @ G[:, 1:]], 1)"
CUT = """used = (regressor != 0).any(0)
    return regressor[:, used], template[used], shapedirs[used], weights[used]"""


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A home with a course in it, and an exchange beside it."""
    home = tmp_path_factory.mktemp("class")
    classroom.release(home / "notebooks/course", (ROOT / "notebooks"), [SET])
    (home / "exchange").mkdir()
    (home / "exchange").chmod(0o777)
    return home


@pytest.fixture(scope="module")
def jupyterlab(browser, home):
    page = new_page(browser)
    with Lab(home, CONFIG.format(home=home)) as lab:
        page.goto(f"{lab.url}lab")
        page.wait_for_function("window.jupyterapp?.commands.hasCommand('nbgrader:open-formgrader')")
        yield page
        assert not page.wrong


def formgrader(page, path):
    """Show one of formgrader's pages."""
    page.evaluate("jupyterapp.commands.execute('nbgrader:open-formgrader')")
    frame = page.frame_locator("iframe[src*=formgrader]")
    frame.locator("tbody tr").first.wait_for()
    to = f"/formgrader/{path}"
    act_until(
        page,
        lambda: frame.locator("body").evaluate("(_, to) => location.assign(to)", to),
        lambda: any(frame.url.endswith(to) for frame in page.frames),
        f"formgrader shows {path}",
    )
    frame.locator("td.name, td.student-name").first.wait_for()
    return frame


def press(frame, column, message):
    """Press a button of the only row, wait for this message, and close it."""
    frame.locator(f"td.{column} a").click()
    frame.get_by_text(message).wait_for()
    # A message that is still appearing cannot be closed.
    ok = frame.locator(".modal:visible button:has-text('OK')")
    modals = frame.locator(".modal")
    act_until(frame.owner.page, ok.click, lambda: not modals.count(), "the message is closed")


def assignments(page, which):
    """The list of what is released, fetched or submitted, as it is now."""
    page.evaluate("jupyterapp.commands.execute('nbgrader:open-assignment-list')")
    # Disabled while the lists are loaded: then a button that is pressed may be replaced.
    loaded = page.locator("#course_list_dropdown:not([disabled])")
    row = page.locator(f"#{which}_assignments_list .list_item:has-text('{SET}')").first

    def refresh():
        loaded.wait_for()
        page.locator("#refresh_assignments_list").click()
        loaded.wait_for()

    act_until(page, refresh, row.is_visible, f"{SET} is {which}")
    return row


def validate(page):
    """Save the notebook that is open, press "Validate", and return what the dialog says."""
    page.evaluate("jupyterapp.commands.execute('docmanager:save')")
    button = page.locator(".jp-NotebookPanel-toolbar .validate-button")
    dialog = page.locator(".jp-Dialog:has-text('Validation Results')")
    act_until(
        page,
        button.get_by_text("Validate", exact=True).click,
        lambda: "Validate" not in button.inner_text() or dialog.is_visible(),
        "the notebook is being validated",
    )
    dialog.wait_for()
    said = dialog.inner_text()
    act_until(page, dialog.locator("button").last.click, dialog.is_hidden, "the dialog is closed")
    return said


def test_formgrader_lists_the_problem_set_and_hands_it_out(jupyterlab, home):
    frame = formgrader(jupyterlab, "manage_assignments")
    assert frame.locator("td.name").inner_text() == SET
    assert frame.locator("td.status").inner_text() == "draft"
    press(frame, "release", "Successfully released")
    frame.locator("td.status", has_text="released").wait_for()
    assert (home / f"exchange/hmr_edu/outbound/{SET}/{NOTEBOOK}.ipynb").is_file()


def test_the_assignment_list_fetches_it(jupyterlab, home):
    assignments(jupyterlab, "released").get_by_text("Fetch").click()
    assignments(jupyterlab, "fetched")
    released = home / f"notebooks/course/release/{SET}/{NOTEBOOK}.ipynb"
    assert (home / f"notebooks/{SET}/{NOTEBOOK}.ipynb").read_bytes() == released.read_bytes()


def test_validate_says_of_each_exercise_what_is_wrong(jupyterlab):
    path = f"{SET}/{NOTEBOOK}.ipynb"
    jupyterlab.evaluate("path => jupyterapp.commands.execute('docmanager:open', {path})", path)
    jupyterlab.locator(".jp-NotebookPanel .jp-CodeCell").first.wait_for()
    said = validate(jupyterlab)
    assert said.count("The following cell failed") == 2
    assert said.count("still open: write me") == 2
    jupyterlab.evaluate(TYPE, ["relative_rotations", WRONG_SIDE])
    jupyterlab.evaluate(TYPE, ["cut_body", CUT])
    said = validate(jupyterlab)
    assert said.count("The following cell failed") == 1
    assert "relative_rotations: 1 of 3" in said
    assert "the parent's inverse comes from the left" in said


def test_validate_likes_what_is_solved(jupyterlab):
    jupyterlab.evaluate(TYPE, ["relative_rotations", RIGHT])
    assert "Success! Your notebook passes all the tests." in validate(jupyterlab)


def test_a_submission_is_collected_and_graded(jupyterlab):
    assignments(jupyterlab, "fetched").get_by_text("Submit").click()
    assignments(jupyterlab, "submitted")
    frame = formgrader(jupyterlab, "manage_assignments")
    press(frame, "collect", "Successfully collected")
    frame = formgrader(jupyterlab, f"manage_submissions/{SET}")
    press(frame, "autograde", "Successfully autograded")
    # The problems are solved, the lesson is not.
    frame.locator("td.status", has_text="graded").wait_for()
    assert frame.locator("td.score").inner_text() == "8 / 30"


def test_feedback_comes_back(jupyterlab, home):
    frame = formgrader(jupyterlab, f"manage_submissions/{SET}")
    press(frame, "generate-feedback", "Successfully generated feedback")
    press(frame, "release-feedback", "Successfully released feedback")
    submitted = assignments(jupyterlab, "submitted")
    submitted.get_by_text("Fetch Feedback").click()
    jupyterlab.get_by_text("view feedback").wait_for()
    (page,) = (home / f"notebooks/{SET}/feedback").glob(f"*/{NOTEBOOK}.html")
    assert re.search(r"02_problems: 8 of 8 points", page.read_text())
