"""No wrong answer gets all points, whatever the student's random inputs; the solution does.

For every exercise of every lesson, and every problem.
"""

from collections import Counter

import pytest
from helpers import mutants

from hmr_edu.course.check import salted
from hmr_edu.course.grading.grade import USES
from hmr_edu.course.grading.guard import guarded
from hmr_edu.course.grading.points import salt_of

EXERCISES = mutants.exercises()
BANK = mutants.bank()
# The random inputs of the lessons themselves, and those of three students.
SALTS = (0, *map(salt_of, ("ada", "emmy", "s1234567")))


@pytest.mark.parametrize("name", EXERCISES)
def test_the_solution_gets_all_points_and_is_its_own_work(name):
    exercise = EXERCISES[name]
    function = guarded(mutants.solution(exercise), USES.get(exercise.check.__name__, ()))
    for salt in SALTS:
        with salted(salt):
            report = exercise.check(function)
        assert report.passed, f"{salt}\n{report}"
        assert "well done" in repr(report)


@pytest.mark.parametrize("name", EXERCISES)
def test_a_stub_is_told_to_return(name):
    report = EXERCISES[name].check(lambda *arguments, **options: None)
    assert report.score < 0.2
    assert "returned None" in repr(report)


@pytest.mark.parametrize(
    "mutant", BANK, ids=[f"{m.exercise}-{number}" for number, m in enumerate(BANK)]
)
def test_no_mutant_survives(mutant):
    for salt in SALTS[:3]:
        with salted(salt):
            report = EXERCISES[mutant.exercise].check(mutant.wrong)
        assert report.score < 1, report
        assert mutant.hint in repr(report), f"{salt}\n{report}"


def test_every_exercise_has_four_mutants():
    known = Counter(mutant.exercise for mutant in BANK)
    few = {name: known[name] for name in EXERCISES if known[name] < 4}
    assert not few


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("wrong", [mutants.nothing_right, mutants.given_back])
def test_no_thought_at_all_gets_half_the_points_at_most(name, wrong):
    assert EXERCISES[name].check(wrong).score <= 0.5
