"""The instructor's page counts the wrong answers itself."""

import ast
import sys
from pathlib import Path

ROOT = Path(__file__).parents[2]
ANYWHERE = 2  # zeros, and the first argument: of every exercise


def test_the_page_says_how_many_wrong_answers_there_are(monkeypatch):
    monkeypatch.syspath_prepend(str(ROOT / "docs" / "_ext"))
    import wrong_answers

    rows = 0
    for path in (ROOT / "hmr_edu/course/exercises").glob("lesson_*/[a-z]*.py"):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MISTAKES":
                rows += len(node.value.elts) + ANYWHERE
    assert wrong_answers.count() == rows > 300
    assert "{wrong-answers}`all` of them" in (ROOT / "docs/instructor.md").read_text()
    sys.modules.pop("wrong_answers")
