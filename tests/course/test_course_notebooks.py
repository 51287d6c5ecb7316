"""The committed form of a lesson: what is taken out of an executed notebook, and what stays."""

import nbformat
from nbformat.v4 import new_code_cell, new_notebook, new_output

from hmr_edu.course.notebooks import execute, settle

VIEW = {"model_id": "0123", "version_major": 2, "version_minor": 0}
MIME = "application/vnd.jupyter.widget-view+json"


def settled(*outputs):
    notebook = new_notebook(cells=[new_code_cell("1", outputs=list(outputs))])
    settle(notebook)
    nbformat.validate(notebook)
    return notebook.cells[0].outputs


def shown(**data):
    return new_output("display_data", data)


def test_a_widget_leaves_nothing():
    widget = shown(**{MIME: VIEW, "text/plain": "Explorer(children=(...))"})
    result = new_output("execute_result", {MIME: VIEW, "text/plain": "VBox()"}, execution_count=1)
    assert settled(widget, result) == []


def test_what_a_widget_shows_beside_itself_stays():
    (kept,) = settled(shown(**{MIME: VIEW, "text/plain": "VBox()", "text/html": "<b>body</b>"}))
    assert set(kept.data) == {"text/plain", "text/html"}


def test_other_outputs_stay():
    text, picture = shown(**{"text/plain": "7"}), shown(**{"image/png": "", "text/plain": "alt"})
    assert settled(text, picture) == [text, picture]


def test_printed_pieces_around_a_widget_become_one():
    before, after = (new_output("stream", name="stdout", text=text) for text in ("a\n", "b\n"))
    (joined,) = settled(before, shown(**{MIME: VIEW, "text/plain": "VBox()"}), after)
    assert joined.text == "a\nb\n"


def test_an_executed_widget_is_not_committed(tmp_path):
    path = tmp_path / "lesson.ipynb"
    cell = new_code_cell("import ipywidgets\nprint('moved')\nipywidgets.IntSlider()")
    nbformat.write(new_notebook(cells=[cell]), path)
    execute(path, 120)
    notebook = nbformat.read(path, as_version=4)
    assert [output.output_type for output in notebook.cells[0].outputs] == ["stream"]
    assert "widgets" not in notebook.metadata
