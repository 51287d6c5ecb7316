"""Lesson 00: its figures, and its inline code against the package."""

import json
from pathlib import Path

import nbformat
import numpy as np
import pytest
import torch
from helpers.lesson_code import definitions

from hmr_edu import metrics, theta
from hmr_edu.camera import CropBox
from hmr_edu.course.exercises.lesson_00.noticed import CHANGES
from hmr_edu.keypoints import COCOPLUS
from hmr_edu.viz.diagrams.course_map import BOXES, course_map
from hmr_edu.viz.diagrams.steps_figure import steps_figure
from hmr_edu.viz.lesson import PLOTLY, show

LESSON = Path(__file__).parents[2] / "notebooks" / "00_start_here.ipynb"
EXERCISES = ("take_apart", "to_pixels", "noticed")


@pytest.fixture(scope="module")
def lesson():
    return definitions(LESSON, "by_hand", *EXERCISES)


def people(n=4, seed=0):
    return torch.randn(n, 14, 3, generator=torch.Generator().manual_seed(seed))


# What the lesson builds, against the package.


def test_theta_is_taken_apart_as_the_package_does(lesson):
    numbers = torch.randn(3, 85)
    for mine, theirs in zip(lesson["take_apart"](numbers), theta.split_theta(numbers), strict=True):
        assert torch.equal(mine.flatten(1), theirs)


def test_pixels_are_the_package_s(lesson):
    points = torch.rand(5, 2) * 2 - 1
    crop = CropBox.around_box(0, 0, 64, 64)
    torch.testing.assert_close(lesson["to_pixels"](points, 64), crop.to_image(points))


def test_errors_by_hand(lesson):
    a, b = people(), people(seed=1)
    a[0] = b[0] * torch.tensor([1.0, 1.0, -1.0])  # a mirror image: the case with a sign
    for i in range(4):
        plain, aligned = lesson["by_hand"](a[i].numpy(), b[i].numpy())
        assert plain == pytest.approx(metrics.mpjpe(a, b)[i].item(), abs=1e-5)
        assert aligned == pytest.approx(metrics.pa_mpjpe(a, b)[i].item(), abs=1e-5)


def test_what_is_noticed_is_measured():
    truth = people(8).double()
    bent = truth.clone()
    bent[:, COCOPLUS.index("left_wrist")] += 0.3
    measured = {
        "moved": truth + 1,
        "turned": truth * torch.tensor([-1.0, 1.0, -1.0]).double(),
        "larger": 1.2 * truth,
        "mirrored": truth * torch.tensor([-1.0, 1.0, 1.0]).double(),
        "arm bent": bent,
    }
    assert measured.keys() == CHANGES.keys()
    for name, body in measured.items():
        for error, want in zip((metrics.mpjpe, metrics.pa_mpjpe), CHANGES[name][:2], strict=True):
            assert ((error(body, truth) > 1e-6) == want).all(), (name, error.__name__)


# Figures that need no kernel.

FACES = np.array([[0, 1, 2], [0, 2, 3]])


def square(shift=0.0, z=1.0):
    corners = np.array([[0, 0, z], [0, 1, z], [1, 1, z], [1, 0, z]])
    return corners + np.array([shift, 0.0, 0.0])


def test_slider_moves_the_body_and_not_the_camera():
    bodies = [square(), square(2.0), square(0.5, z=3.0)]
    figure = steps_figure(bodies, FACES, ["a", "b", "c"], ["#111111", "#222222", "#333333"])
    assert [frame.name for frame in figure.frames] == ["a", "b", "c"]
    for frame, body in zip(figure.frames, bodies, strict=True):
        assert list(frame.traces) == [0]  # the body, not the floor
        assert "layout" not in frame.to_plotly_json()  # where the camera is
        np.testing.assert_allclose(frame.data[0].x, body[:, 0])
        np.testing.assert_allclose(frame.data[0].y, body[:, 2])  # away from the viewer
        np.testing.assert_allclose(frame.data[0].z, -body[:, 1])  # up
    assert figure.frames[2].data[0].color == "#333333"
    np.testing.assert_array_equal(figure.data[0].x, figure.frames[0].data[0].x)
    (slider,) = figure.layout.sliders
    assert [(step.label, list(step.args[0])) for step in slider.steps] == [
        ("a", ["a"]),
        ("b", ["b"]),
        ("c", ["c"]),
    ]
    scene = figure.layout.scene
    for axis in "xyz":  # there is room for all of them
        low, high = scene[f"{axis}axis"].range
        points = np.concatenate([frame.data[0][axis] for frame in figure.frames])
        assert low < points.min() <= points.max() < high


def test_slider_needs_a_label_a_body():
    for labels in (["a"], ["a", "a"], ["a", "b", "c"]):
        with pytest.raises(ValueError, match="different labels"):
            steps_figure([square(), square(1.0)], FACES, labels)
    with pytest.raises(ValueError, match="different labels"):
        steps_figure([], FACES, [])


def test_a_plotly_figure_is_shown_as_data_with_words(monkeypatch):
    shown = {}
    monkeypatch.setattr("hmr_edu.viz.lesson.display", lambda data, raw: shown.update(data))
    show(steps_figure([square()], FACES, ["a"]), "A square.")
    assert shown["text/plain"] == "A square."
    assert set(shown[PLOTLY]) >= {"data", "layout", "frames"}
    json.dumps(shown)  # numbers only, no arrays
    with pytest.raises(ValueError, match="cannot see it"):
        show(steps_figure([square()], FACES, ["a"]), " ")


def test_committed_figures_are_data():
    cells = nbformat.read(LESSON, as_version=4).cells
    outputs = [o.get("data", {}) for c in cells for o in c.get("outputs", [])]
    figures = [data for data in outputs if PLOTLY in data]
    assert len(figures) == 2
    assert all("text/html" not in data and data["text/plain"] for data in figures)


def test_map_names_lessons_that_exist():
    numbers = {n for box in BOXES.values() for n in box.lesson.split()}
    committed = {path.name[:2] for path in LESSON.parent.glob("*.ipynb")}
    assert numbers <= committed
    texts = [text.get_text() for text in course_map().axes[0].texts]
    assert {box.title for box in BOXES.values()} <= set(texts)
