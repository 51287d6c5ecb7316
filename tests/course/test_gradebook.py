"""The gradebook is in the course's folder, whatever that is called."""

import pytest

pytest.importorskip("nbgrader")

from hmr_edu.course.grading.gradebook import opened
from hmr_edu.course.grading.preprocessors import course_config


@pytest.mark.parametrize("name", ["course", "100%", "a %20 b", "%2F", "a?b=c", "[1]", "größe #1"])
def test_a_course_in_a_folder_of_any_name(tmp_path, name):
    folder = tmp_path / name
    folder.mkdir()
    (folder / "gradebook.db").touch()
    course_config(str(folder))  # nbgrader then finds its programs
    with opened(folder) as gradebook:
        gradebook.add_student("ada")
    with opened(folder) as gradebook:
        assert [student.id for student in gradebook.students] == ["ada"]
    assert [path.name for path in tmp_path.rglob("*")] == [name, "gradebook.db"]
