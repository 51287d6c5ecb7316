"""Print the wrong answers that people give, as a table in Markdown.

`python scripts/course/mutants.py 1 > mistakes.md`: those of lesson 01 and its problem set. For
each: the exercise, the wrong answer, its share of the points, the hint that it gets.
"""

import ast
from collections.abc import Iterator
from typing import Annotated

import tyro

from hmr_edu.course.exercises.registry import ANYWHERE, Exercise, exercises

LONGEST = 110  # characters of a column


def written(exercise: Exercise) -> list[str]:
    """Return the wrong answers as the exercise's file has them."""
    for node in ast.parse(exercise.path.read_text(encoding="utf-8")).body:
        if isinstance(node, ast.Assign) and ast.unparse(node.targets[0]) == "MISTAKES":
            assert isinstance(node.value, ast.List)
            return [ast.unparse(mistake.args[0]) for mistake in node.value.elts]
    raise LookupError(f"{exercise.path} has no list MISTAKES")


def rows(exercise: Exercise) -> Iterator[str]:
    """Yield a row for each wrong answer to an exercise."""
    texts = [*written(exercise), *("" for _ in ANYWHERE)]
    for mistake, text in zip([*exercise.mistakes, *ANYWHERE], texts, strict=True):
        report = exercise.check(mistake.answer)
        hints = [part.hint or part.detail for part in report.parts if not part.passed]
        hint = next((h for h in hints if mistake.hint and mistake.hint in h), (hints or ["-"])[0])
        wrong = (mistake.name or text).replace("|", "\\|")[:LONGEST]
        yield f"| {report.name} | `{wrong}` | {report.score:.0%} | {hint[:LONGEST]} |"


def counts() -> Iterator[str]:
    """Yield a row for each exercise: how many wrong answers it knows of its own."""
    total = 0
    yield "| lesson | exercise | wrong answers |\n|---|---|---|"
    for exercise in exercises():
        total += len(exercise.mistakes)
        yield f"| {exercise.lesson[-2:]} | {exercise.name} | {len(exercise.mistakes)} |"
    yield f"| | in all | {total} |"


def main(
    lessons: Annotated[tuple[int, ...], tyro.conf.Positional] = (), count: bool = False
) -> None:
    """Print the table.

    Args:
        lessons: their numbers; all when left out.
        count: only count them, exercise by exercise.
    """
    if count:
        print(*counts(), sep="\n")
        return
    print("| exercise | wrong answer | points | hint |\n|---|---|---|---|")
    for exercise in exercises():
        if not lessons or int(exercise.lesson[-2:]) in lessons:
            print(*rows(exercise), sep="\n")


if __name__ == "__main__":
    tyro.cli(main)
