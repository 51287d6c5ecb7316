"""No wrong answer gets all points, whatever the student's random inputs; the solution does.

For every exercise of every lesson, and every problem.
"""

from typing import Any

import pytest
import torch
from helpers.lesson_code import code_of, solved_exercises

from hmr_edu.course.check import salted
from hmr_edu.course.exercises import registry
from hmr_edu.course.grading.guard import guarded
from hmr_edu.course.grading.points import salt_of
from hmr_edu.course.grading.slices import needed

EXERCISES = {exercise.name: exercise for exercise in registry.exercises()}
MUTANTS = [
    pytest.param(exercise, mistake, id=f"{exercise.name}-{number}")
    for exercise in EXERCISES.values()
    for number, mistake in enumerate([*exercise.mistakes, *registry.ANYWHERE])
]
# The random inputs of the lessons themselves, and those of three students.
SALTS = (0, *map(salt_of, ("ada", "emmy", "s1234567")))


@pytest.mark.parametrize("solved", solved_exercises(), ids=lambda solved: solved.check)
def test_the_solution_gets_all_points_and_is_its_own_work(solved):
    exercise = registry.find(solved.check)
    names: dict[str, Any] = {}
    # As grading runs a submission.
    exec(needed(code_of(solved.notebook), solved.function), names)
    torch.set_default_dtype(torch.float32)  # lesson 03 changes it
    function = guarded(names[solved.function], exercise.uses)
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


@pytest.mark.parametrize(("exercise", "mistake"), MUTANTS)
def test_no_mutant_survives(exercise, mistake):
    for salt in SALTS[:3]:
        with salted(salt):
            report = exercise.check(mistake.answer)
        assert report.score < 1, report
        assert mistake.hint in repr(report), f"{salt}\n{report}"
        assert mistake.share in (None, pytest.approx(report.score)), f"{salt}\n{report}"


@pytest.mark.parametrize("name", EXERCISES)
def test_every_exercise_has_four_mistakes_of_its_own(name):
    assert len(EXERCISES[name].mistakes) >= 4


@pytest.mark.parametrize("name", EXERCISES)
@pytest.mark.parametrize("mistake", registry.ANYWHERE, ids=lambda mistake: mistake.name)
def test_no_thought_at_all_gets_half_the_points_at_most(name, mistake):
    assert EXERCISES[name].check(mistake.answer).score <= 0.5


@pytest.mark.parametrize("name", EXERCISES)
def test_wrong_answers_cannot_be_handed_in(name):
    """Some are nearly right: a learner who imports one is told so, and gets nothing."""
    exercise = EXERCISES[name]
    for mistake in exercise.mistakes[:2]:
        report = exercise.check(guarded(mistake.answer, exercise.uses))
        assert report.score == 0, report
        assert "it calls hmr_edu." in repr(report)
