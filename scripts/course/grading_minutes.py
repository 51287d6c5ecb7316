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
from hmr_edu.course.grading import sandbox as sandboxes
from hmr_edu.course.grading.preprocessors import sandbox
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


def now() -> tuple[float, float]:
    """Seconds on the clock, and of the processor: of this process and of those that ended."""
    times = os.times()
    used = times.user + times.system + times.children_user + times.children_system
    return time.monotonic(), used


def main(set: str = "ps1", students: int = 30, kind: str = "") -> None:
    """Print what grading and writing the feedback take, on the clock and of the processor.

    Args:
        set: the problem set.
        students: how many hand it in.
        kind: the isolation, Landlock or another; the strongest by default. Processes below
            bubblewrap cannot be counted from outside, so it says nothing of the processor.
    """
    if kind:
        sandboxes.best_kind = lambda: kind
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
        start = now()
        failed = classroom.grade(course, submissions)
        sandbox().close()  # what its processes took is known when they have ended
        graded = now()
        classroom.feedback(course)
        done = now()
    print(f"{students} submissions of {set}, {os.cpu_count()} cores, {len(failed)} failed")
    for what, begin, end in (("grading", start, graded), ("feedback", graded, done)):
        wall, processor = (b - a for a, b in zip(begin, end, strict=True))
        counted = f", {processor:.0f} s of the processor" * (sandboxes.best_kind() != "bubblewrap")
        print(f"{what}: {wall:.0f} s on the clock{counted}")


if __name__ == "__main__":
    tyro.cli(main)
