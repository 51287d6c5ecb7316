"""How long it takes to grade a class: makes the submissions of thirty students, and grades them.

`python scripts/course/grading_minutes.py --set ps1`, on a machine that has nothing else to do.
Of thirty, ten solved everything, eighteen about half, one nothing, and one wrote a loop
without an end.
"""

import os
import random
import tempfile
import time
from pathlib import Path

import nbformat
import tyro

from hmr_edu.course.grading import classroom
from hmr_edu.course.grading.stub import STUB, has_solution, open_exercise

NOTEBOOKS = Path(__file__).parents[2] / "notebooks"
ENDLESS = "while True:\n        pass"


def submission(solved: nbformat.NotebookNode, number: int, chance: random.Random) -> None:
    """Open what student `number` did not solve, in place."""
    kind = ("blank", "endless")[number] if number < 2 else "solved" if number % 3 == 0 else "half"
    exercises = [cell for cell in solved.cells if has_solution(cell.source)]
    for cell in exercises:
        if kind == "blank" or (kind == "half" and chance.random() < 0.5):
            cell.source = open_exercise(cell.source, STUB)
    if kind == "endless":
        exercises[0].source = open_exercise(exercises[0].source, ENDLESS)


def main(set: str = "ps1", students: int = 30) -> None:
    """Print the minutes of grading and of writing the feedback.

    Args:
        set: the problem set.
        students: how many hand it in.
    """
    chance = random.Random(0)
    with tempfile.TemporaryDirectory() as name:
        course, submissions = Path(name) / "course", Path(name) / "submissions"
        classroom.release(course, NOTEBOOKS, [set])
        for number in range(students):
            for path in sorted((course / "source" / set).glob("*.ipynb")):
                notebook = nbformat.read(path, as_version=4)
                submission(notebook, number, chance)
                folder = submissions / f"student{number:02d}" / set
                folder.mkdir(parents=True, exist_ok=True)
                nbformat.write(notebook, folder / path.name)
        start = time.monotonic()
        failed = classroom.grade(course, submissions)
        graded = time.monotonic()
        classroom.feedback(course)
        done = time.monotonic()
    print(f"{students} submissions of {set}, {os.cpu_count()} cores, {len(failed)} failed")
    print(f"grading {(graded - start) / 60:.1f} min, feedback {(done - graded) / 60:.1f} min")


if __name__ == "__main__":
    tyro.cli(main)
