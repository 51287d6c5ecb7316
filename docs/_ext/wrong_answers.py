"""The role `{wrong-answers}`: how many wrong answers the exercises know."""

from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxRole

from hmr_edu.course.exercises.registry import ANYWHERE, exercises


def count() -> int:
    """Count the rows of the table that `scripts/course/mutants.py` writes."""
    return sum(len(exercise.mistakes) + len(ANYWHERE) for exercise in exercises())


class WrongAnswers(SphinxRole):
    """Put the number behind the word."""

    def run(self) -> tuple[list[nodes.Node], list[nodes.system_message]]:
        """Return the text."""
        return [nodes.Text(f"{self.text} {count()}")], []


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the role known."""
    app.add_role("wrong-answers", WrongAnswers())
    return {"parallel_read_safe": True}
