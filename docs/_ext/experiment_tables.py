"""The directive `{experiment} NAME`: the record of an experiment on a preset, and its verdicts."""

from typing import Any

from docutils import nodes
from docutils.statemachine import StringList
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

from hmr_edu.experiments import PRESET_RECORDS, WORDS, find, read_record, result, verdict
from hmr_edu.experiments.results_table import REAL_MEASURES, markdown
from hmr_edu.io.tables import markdown_table


def page_text(name: str) -> str:
    """Return the record's tables and its forecasts with their verdicts, as Markdown.

    Where there is no record, the forecasts stand alone.
    """
    path = PRESET_RECORDS / f"{name}.json"
    if not path.exists():
        rows = [(forecast.says, "no record yet") for forecast in find(name).predicts]
        return markdown_table(("forecast", "verdict"), rows)
    record = read_record(path)
    rows = [
        (forecast.says, result(record, forecast), WORDS[verdict(record, forecast)])
        for forecast in find(name).predicts
    ]
    forecasts = markdown_table(("forecast", "result", "verdict"), rows)
    tables = [markdown(record, find(name).measures)]
    if any(measure in record["runs"][0]["final"] for measure in REAL_MEASURES):
        # A table of its own: one of all columns is wider than a page.
        tables.append(markdown(record, REAL_MEASURES))
    return "\n\n".join((*tables, forecasts))


class ExperimentTables(SphinxDirective):
    """Both tables of the experiment that the argument names."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the tables."""
        name = self.arguments[0]
        self.env.note_dependency(str(PRESET_RECORDS / f"{name}.json"))
        text = page_text(name).splitlines()
        box = nodes.container()
        self.state.nested_parse(StringList(text, source=name), self.content_offset, box)
        return box.children


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("experiment", ExperimentTables)
    return {"parallel_read_safe": True}
