"""DensePose's tables and annotations, made up in their true layouts; and damaged ones."""

import numpy as np
import pytest
import torch

from hmr_edu.camera import CropBox
from hmr_edu.data.photos.densepose import densepose_atlas, densepose_points
from hmr_edu.io import DataError

CROP = CropBox(100.0, 50.0, 80.0)


def tables(**changes):
    """Two charts, a unit square of two faces each; vertex 2 of the body is on the seam of both."""
    given = {
        # As loadmat returns them: everything two-dimensional, small unsigned types, from 1.
        "All_Faces": np.array([[1, 2, 3], [1, 3, 4], [5, 6, 7], [5, 7, 8]], np.uint16),
        "All_FaceIndices": np.array([[1], [1], [2], [2]], np.uint8),
        "All_vertices": np.array([[1, 2, 3, 4, 5, 2, 6, 7]], np.uint32),
        "All_U_norm": np.array([[0.0, 1, 1, 0, 0, 1, 1, 0]]).T,
        "All_V_norm": np.array([[0.0, 0, 1, 1, 0, 0, 1, 1]]).T,
    }
    return given | changes


def annotation(**changes):
    given = {
        "bbox": [60.0, 10.0, 51.0, 102.0],
        "dp_x": [0.0, 255.0],
        "dp_y": [255, 127.5],
        "dp_I": [1.0, 2.0],
        "dp_U": [0.75, 1.0],
        "dp_V": [0.25, 0.0],
        "dp_masks": [],
    }
    return given | changes


def test_by_hand():
    points = densepose_points(annotation(), densepose_atlas(tables(), 7), CROP, 3)
    assert points.confidence.tolist() == [[1, 1, 0]]
    # 0.25 (0, 0) + 0.5 (1, 0) + 0.25 (1, 1) in the first chart.
    assert points.vertices[0, 0].tolist() == [0, 1, 2]
    torch.testing.assert_close(points.weights[0, 0], torch.tensor([0.25, 0.5, 0.25]))
    # The corner (1, 0) of the second chart is vertex 1, counted from 0, on the seam.
    corner = points.weights[0, 1].argmax()
    assert points.vertices[0, 1, corner].item() == 1
    assert points.weights[0, 1, corner].item() == pytest.approx(1)
    # (60, 112) and (111, 61) in a crop around (100, 50) with half a side of 40.
    expected = torch.tensor([[-1.0, 1.55], [0.275, 0.275]])
    torch.testing.assert_close(points.places[0, :2], expected)


def test_many_points_are_thinned_and_none_is_none():
    many = {name: [0.5] * 10 for name in ("dp_y", "dp_U", "dp_V")}
    many |= {"dp_x": [25.5 * k for k in range(10)], "dp_I": [1] * 10}
    points = densepose_points(annotation(**many), densepose_atlas(tables(), 7), CROP, 5)
    x = 60 + 51 / 10 * torch.arange(0, 10, 2)
    torch.testing.assert_close(points.places[0, :, 0], (x - 100) / 40)
    nothing = {name: [] for name in ("dp_x", "dp_y", "dp_I", "dp_U", "dp_V")}
    points = densepose_points(annotation(**nothing), densepose_atlas(tables(), 7), CROP, 5)
    assert points.confidence.sum() == 0


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"All_Faces": None}, "All_Faces"),
        ({"All_Faces": np.array(["a"])}, "All_Faces"),
        ({"All_Faces": np.zeros((4, 3))}, "from 1 to 8, got 0"),
        ({"All_Faces": np.full((4, 3), 9)}, "from 1 to 8, got 9"),
        ({"All_Faces": np.ones((4, 4))}, "does not fit"),
        ({"All_Faces": np.ones((5, 3))}, "does not fit"),
        ({"All_FaceIndices": np.full((4, 1), 25)}, "from 1 to 24, got 25"),
        ({"All_FaceIndices": np.full((4, 1), 1.5)}, "whole numbers"),
        ({"All_vertices": np.full((1, 8), 8)}, "from 1 to 7, got 8"),
        ({"All_vertices": np.ones((1, 9))}, "differ: 9, 8, 8"),
        ({"All_U_norm": np.full((8, 1), np.nan)}, "All_U_norm .* got nan"),
        ({"All_V_norm": np.full((8, 1), 1.5)}, "All_V_norm .* got 1.5"),
        ({"All_V_norm": np.empty((0, 1))}, "All_V_norm"),
        ({"All_U_norm": np.array([object()])}, "All_U_norm"),
    ],
)
def test_damaged_tables(changes, says):
    with pytest.raises(DataError, match=says):
        densepose_atlas(tables(**changes), 7)


def test_a_file_of_something_else():
    with pytest.raises(DataError, match=r"UV_Processed\.mat"):
        densepose_atlas({"joints": np.zeros((3, 14, 5))})


@pytest.mark.parametrize(
    ("changes", "says"),
    [
        ({"dp_x": [1.0]}, "as many"),
        ({"bbox": [0.0, 0.0, 5.0]}, "as many|bbox"),
        ({"bbox": "0 0 5 5"}, "bbox"),
        ({"bbox": [0.0, 0.0, 1e308, 1e308]}, "no picture has"),
        ({"bbox": [0.0, 0.0, float("nan"), 5.0]}, "bbox"),
        ({"dp_U": [float("nan"), 0.5]}, "dp_U"),
        ({"dp_U": [2.0, 0.5]}, "dp_U must be numbers from 0 to 1, got 2"),
        ({"dp_I": [0.0, 1.0]}, "dp_I must be whole numbers from 1 to 2, got 0"),
        ({"dp_I": [3.0, 1.0]}, "got 3"),
        ({"dp_I": [1e300, 1.0]}, "got 1e"),
        ({"dp_y": [True, "1"]}, "dp_y"),
        ({"dp_y": None}, "dp_y"),
    ],
)
def test_damaged_annotations(changes, says):
    atlas = densepose_atlas(tables(), 7)
    with pytest.raises(DataError, match=says):
        densepose_points(annotation(**changes), atlas, CROP, 5)


@pytest.mark.parametrize("nothing", [None, 5, [], "dp_x", {"bbox": [0, 0, 1, 1]}])
def test_what_is_no_annotation(nothing):
    with pytest.raises(DataError, match="DensePose annotation"):
        densepose_points(nothing, densepose_atlas(tables(), 7), CROP, 5)
