"""Print how many of many students' random inputs cost a right answer its points.

`python scripts/course/salts.py --salts 2000`: every solution of the lessons and problem sets is
checked with as many draws of random inputs. It ends with 1 if any answer lost a part.
"""

import sys
from collections import Counter
from pathlib import Path

import tyro

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))
from helpers.lesson_code import solution_of, solved_exercises

from hmr_edu.course.check import salted
from hmr_edu.course.exercises.registry import find


def main(salts: int = 200, only: tuple[str, ...] = (), first: int = 0) -> None:
    """Print the number of salts that a right answer failed, and the parts that failed.

    Args:
        salts: how many draws a check.
        only: names of checks, check_skew; all when left out.
        first: the first salt; the others follow.
    """
    lost = 0
    for solved in solved_exercises():
        if only and solved.check not in only:
            continue
        function, failed, parts = solution_of(solved), 0, Counter[str]()
        for salt in range(first, first + salts):
            with salted(salt):
                report = find(solved.check).check(function)
            failed += not report.passed
            parts.update(part.name for part in report.parts if not part.passed)
        told = "; ".join(f"{name} ({count})" for name, count in parts.most_common())
        print(f"{solved.check}: {salts} salts, {failed} failed {told}".rstrip(), flush=True)
        lost += failed
    print(f"in all: {lost} failed")
    sys.exit(lost > 0)


if __name__ == "__main__":
    tyro.cli(main)
