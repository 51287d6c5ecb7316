"""The registry: what it finds, what it says of a name that it does not know, what is worth what."""

import sys
from collections import Counter
from subprocess import run

import pytest
from helpers.lesson_code import solved_exercises

from hmr_edu.course import exercises
from hmr_edu.course.card import rules
from hmr_edu.course.exercises import registry
from hmr_edu.course.grading.guard import guarded
from hmr_edu.course.new_exercise import POINTS_A_STAR
from hmr_edu.io.errors import DataError

# Grades of classes hang on these: they stay as they are. A new exercise need not be here.
POINTS = {
    "lesson_00": {"take_apart": 2, "to_pixels": 2, "noticed": 4},
    "lesson_01": {
        "rotate_point": 2,
        "skew": 2,
        "rodrigues": 6,
        "geodesic_angle": 4,
        "half_turn_axis": 4,
        "rotation_6d": 4,
        "mirror_pose": 4,
        "mean_rotation": 6,
    },
    "lesson_02": {
        "shape_blend": 2,
        "pose_feature": 4,
        "global_transforms": 6,
        "skinning": 6,
        "turn_the_world": 4,
        "relative_rotations": 4,
        "cut_body": 4,
    },
    "lesson_03": {
        "weak_perspective": 2,
        "perspective": 4,
        "fit_camera": 4,
        "crop_to_full": 4,
        "fit_energy": 4,
        "in_picture": 2,
        "translation_from_points": 6,
    },
    "lesson_04": {
        "regressor_parameters": 2,
        "feedback_loop": 4,
        "steps_loss": 2,
        "correction_cosines": 4,
        "collapse": 6,
        "growing_loss": 2,
        "settled_loop": 6,
    },
    "lesson_05": {
        "parameter_count": 2,
        "lsgan": 4,
        "best_critic": 4,
        "worst_joint": 4,
        "affine_residual": 6,
        "repair_step": 6,
        "gradient_penalty": 6,
        "hinge": 4,
    },
    "lesson_06": {
        "labelled_l1": 2,
        "fakes_of": 4,
        "schedule": 2,
        "take_turns": 6,
        "moving_average": 4,
        "clip_by_norm": 4,
    },
    "lesson_08": {"pck_of_box": 2, "shuffled_baseline": 4, "map_energy": 6, "robust": 2},
    "lesson_09": {"reorder": 2, "read_lsp": 4, "mirror_person": 4},
    "lesson_10": {"into_the_box": 4, "out_of_box": 4, "pretend": 4},
}
LOADED = """
import sys
from hmr_edu.course.exercises import check_skew
print(*sorted(m for m in sys.modules if m.startswith("hmr_edu.course.exercises.lesson_")))
"""


def test_points_are_what_they_were():
    now = {(e.lesson, e.name): e.points for e in registry.exercises()}
    known = {(lesson, name): p for lesson, names in POINTS.items() for name, p in names.items()}
    assert {key: now.get(key) for key in known} == known


@pytest.mark.parametrize("solved", solved_exercises(), ids=lambda solved: solved.check)
def test_the_card_has_a_star_for_two_points(solved):
    assert solved.stars * POINTS_A_STAR == registry.find(solved.check).points


@pytest.mark.parametrize("solved", solved_exercises(), ids=lambda solved: solved.check)
def test_the_card_says_how_it_is_called_and_what_it_may_call(solved):
    exercise = registry.find(solved.check)
    wanted = rules(solved.source, exercise.lesson, exercise.uses, exercise.trains)
    assert f"\n\n{wanted}\n\n" in solved.card, wanted
    assert max(map(len, wanted.splitlines())) <= 120


def test_rules_follow_from_the_function():
    source = "def helper(): ...\ndef f(x: Tensor, size: int, share: float = 0.2): ...\ncheck_f(f)"
    assert rules(source, "lesson_05", ["rotations.py"]).splitlines() == [
        "*Call:* `f(x, size, share=0.2)`, in this order.",
        "*Arguments:* leave them as they are; a change in place costs a quarter of the points.",
        "*Allowed:* NumPy, PyTorch, what this notebook defines; of `hmr_edu` only `rotations`.",
    ]
    assert "leave `size` and `share` as" in rules(source, "lesson_05", (), ["x"])
    plain = rules("def f(n: int) -> int: ...", "lesson_01")
    assert "*Call:* `f(n)`." in plain
    assert "*Arguments:*" not in plain
    assert "(not `matrix_exp`), what this notebook defines; of `hmr_edu` nothing." in plain


def test_every_exercise_stands_in_one_notebook_of_its_lesson():
    where = {solved.check: f"lesson_{solved.notebook.stem[:2]}" for solved in solved_exercises()}
    assert max(Counter(solved.check for solved in solved_exercises()).values()) == 1
    assert where == {registry.CHECK + e.name: e.lesson for e in registry.exercises()}


def test_all_names_are_there_and_sorted():
    names = exercises.__all__
    assert names == sorted(names)
    assert set(names) <= set(dir(exercises))
    for name in names:
        assert getattr(exercises, name).__name__ == name


def test_one_check_loads_one_lesson():
    told = run([sys.executable, "-c", LOADED], capture_output=True, text=True, check=True).stdout
    lesson = "hmr_edu.course.exercises.lesson_01"
    assert told.split() == [lesson, f"{lesson}._common", f"{lesson}.skew"]


def test_a_typo_is_told_what_was_meant():
    with pytest.raises(ImportError, match=r"no check_rodrigez .*did you mean check_rodrigues\?"):
        from hmr_edu.course.exercises import check_rodrigez  # noqa: F401
    with pytest.raises(ImportError, match="no check_qqqqqq "):
        exercises.check_qqqqqq  # noqa: B018
    assert not hasattr(exercises, "rodrigues")


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """An empty folder in the place of the exercises."""
    (tmp_path / "toys").mkdir()
    monkeypatch.setattr(registry, "FOLDER", tmp_path / "toys")
    monkeypatch.setattr(registry, "PACKAGE", "toys")
    monkeypatch.syspath_prepend(tmp_path)
    for cached in (registry.modules, registry._load):
        cached.cache_clear()
    yield tmp_path / "toys"
    for cached in (registry.modules, registry._load):
        cached.cache_clear()
    for name in [name for name in sys.modules if name.split(".")[0] == "toys"]:
        del sys.modules[name]


def write(folder, lesson, name, text):
    (folder / lesson).mkdir(exist_ok=True)
    (folder / "__init__.py").touch()
    (folder / lesson / "__init__.py").touch()
    (folder / lesson / f"{name}.py").write_text(text)


TOY = "def check_{0}(function): pass\nPOINTS = 2\nMISTAKES = []\n"


def test_a_file_is_all_that_it_takes(folder):
    for lesson, name in (("lesson_02", "a"), ("lesson_01", "z"), ("lesson_01", "b")):
        write(folder, lesson, name, TOY.format(name))
    write(folder, "lesson_01", "_common", "")
    assert list(registry.modules()) == ["b", "z", "a"]
    assert [e.check.__name__ for e in registry.exercises()] == ["check_b", "check_z", "check_a"]


def test_the_same_name_twice_is_refused(folder):
    for lesson in ("lesson_01", "lesson_02"):
        write(folder, lesson, "a", TOY.format("a"))
    with pytest.raises(DataError, match=r"toys\.lesson_01\.a and toys\.lesson_02\.a"):
        registry.modules()


def test_what_a_file_lacks_is_named(folder):
    write(folder, "lesson_01", "a", "def check_b(function): pass\nPOINTS = 2\n")
    with pytest.raises(DataError, match=r"a\.py does not define check_a, MISTAKES"):
        registry.find("check_a")


def test_makers_of_wrong_answers_are_refused_too():
    """`_gram_schmidt()` makes the right answer; what a check defines inside itself may be called.

    The learner's function of `settled_loop` calls what its check defines; that its solution gets
    all points is tried elsewhere.
    """
    from hmr_edu.course.exercises.lesson_01 import rotation_6d

    report = exercises.check_rotation_6d(rotation_6d._gram_schmidt())
    assert report.passed
    report = exercises.check_rotation_6d(guarded(rotation_6d._gram_schmidt()))
    assert report.score == 0
    assert "it calls hmr_edu.course.exercises.lesson_01.rotation_6d" in repr(report)
