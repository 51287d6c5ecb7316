"""The atlas: each place of the surface has one (I, U, V), and the way back; bad charts."""

import numpy as np
import pytest
import torch
from helpers.toy_body import toy_body

from hmr_edu.body import SMPL, load_body
from hmr_edu.body.atlas import Atlas, _disc, build_atlas


def random_places(atlas, count=3000, seed=0):
    g = torch.Generator().manual_seed(seed)
    face = torch.randint(len(atlas.faces), (count,), generator=g)
    weights = torch.rand(count, 3, generator=g)
    return face, weights / weights.sum(1, keepdim=True)


def metres(body, atlas, face, weights):
    return (body.v_template[atlas.faces[face]] * weights[..., None]).sum(1)


@pytest.mark.parametrize("name", ["lite", "full"])
def test_there_and_back(name):
    body = load_body(name)
    atlas = build_atlas(body)
    face, weights = random_places(atlas)
    chart, uv = atlas.to_iuv(face, weights)
    assert (uv >= 0).all()
    assert (uv <= 1).all()
    face_back, weights_back = atlas.to_surface(chart, uv)
    off = metres(body, atlas, face, weights) - metres(body, atlas, face_back, weights_back)
    assert off.norm(dim=1).max() < 1e-4  # a tenth of a millimetre
    # And from (I, U, V) to the surface and back.
    chart_back, uv_back = atlas.to_iuv(face_back, weights_back)
    assert torch.equal(chart_back, chart)
    torch.testing.assert_close(uv_back, uv, atol=1e-5, rtol=0)


@pytest.mark.parametrize("name", ["lite", "full"])
def test_charts_cover_the_body_and_no_triangles_overlap(name):
    body = load_body(name)
    atlas = build_atlas(body)
    assert atlas.chart.unique().tolist() == list(range(1, 49))
    a, b, c = atlas.uv.double().unbind(1)
    area = ((b - a)[:, 0] * (c - a)[:, 1] - (b - a)[:, 1] * (c - a)[:, 0]) / 2
    assert (area > 0).all()
    # The areas of a chart add up to its outline's: positive triangles that fill it leave no room
    # for one to lie on another. The outline is a polygon in a circle of radius 1/2.
    for chart in range(1, 49):
        whole = float(area[atlas.chart == chart].sum())
        assert whole <= np.pi / 4 + 1e-6
        assert whole > 0.3


def test_charts_are_sides_of_parts():
    """Most faces of a chart belong to its part; its two sides lie apart."""
    body = load_body("lite")
    atlas = build_atlas(body)
    part = body.weights[body.faces].sum(1).argmax(1)
    right = ((atlas.chart - 1) // 2 == part).float().mean()
    assert right > 0.95
    centres = body.v_template[body.faces].mean(1)
    for chart in range(1, 49, 2):
        one, other = (centres[atlas.chart == chart + side].mean(0) for side in (0, 1))
        assert (one - other).norm() > 0.01
    # The sole of the left foot (joint 10) lies below its top.
    sole, top = (centres[atlas.chart == 1 + 2 * 10 + side, 1].mean() for side in (0, 1))
    assert top - sole > 0.01


def test_the_same_body_gives_the_same_atlas():
    first, second = (build_atlas(load_body("lite")) for _ in range(2))
    assert torch.equal(first.chart, second.chart)
    assert torch.equal(first.uv, second.uv)


def square():
    """Two faces of one chart that fill the unit square, in the layout of anybody's table."""
    uv = torch.tensor([[0.0, 0], [1, 0], [1, 1], [0, 1]])
    faces = torch.tensor([[0, 1, 2], [0, 2, 3]])
    return Atlas(faces, torch.ones(2, dtype=torch.int64), uv[faces])


def test_places_by_hand():
    atlas = square()
    chart = torch.tensor([1, 1])
    face, weights = atlas.to_surface(chart, torch.tensor([[0.75, 0.25], [0.2, 0.6]]))
    assert face.tolist() == [0, 1]
    # (0.75, 0.25) = 0.25 (0, 0) + 0.5 (1, 0) + 0.25 (1, 1).
    torch.testing.assert_close(weights[0], torch.tensor([0.25, 0.5, 0.25]))
    # (0.2, 0.6) = 0.4 (0, 0) + 0.2 (1, 1) + 0.4 (0, 1).
    torch.testing.assert_close(weights[1], torch.tensor([0.4, 0.2, 0.4]))


def test_places_beside_a_chart_get_its_nearest_face():
    face, weights = square().to_surface(torch.tensor([1]), torch.tensor([[1.5, 0.5]]))
    assert face.tolist() == [0]
    assert (weights >= 0).all()
    assert weights.sum().item() == pytest.approx(1)


@pytest.mark.parametrize(
    ("chart", "uv", "says"),
    [
        (2, (0.5, 0.5), "no chart 2"),
        (0, (0.5, 0.5), "no chart 0"),
        (-1, (0.5, 0.5), "no chart -1"),
        (1, (float("nan"), 0.5), "finite"),
        (1, (0.5, float("inf")), "finite"),
    ],
)
def test_bad_places(chart, uv, says):
    with pytest.raises(ValueError, match=says):
        square().to_surface(torch.tensor([chart]), torch.tensor([uv]))


def test_faces_without_an_area_hold_nothing():
    atlas = square()
    flat = Atlas(atlas.faces, atlas.chart, atlas.uv.clone())
    flat.uv[0] = 0.5
    face, weights = flat.to_surface(torch.tensor([1]), torch.tensor([[0.5, 0.5]]))
    assert face.tolist() == [1]
    assert weights.isfinite().all()


def test_a_closed_surface_cannot_be_laid_out():
    tetrahedron = np.array([[0, 1, 2], [0, 2, 3], [0, 3, 1], [1, 3, 2]])
    with pytest.raises(ValueError, match="chart 7 has no border"):
        _disc(tetrahedron, "chart 7")


def test_a_tube_has_its_hole_filled_and_a_pinch_gets_two_vertices():
    # A ring of 4 squares around a hole, and two triangles that touch in vertex 0 only by a point.
    ring = [(k, (k + 1) % 4, 4 + k) for k in range(4)]
    ring += [((k + 1) % 4, 4 + (k + 1) % 4, 4 + k) for k in range(4)]
    uv = _disc(np.array(ring), "a tube")
    u, v = uv[:, 1] - uv[:, 0], uv[:, 2] - uv[:, 0]
    assert (u[:, 0] * v[:, 1] - u[:, 1] * v[:, 0] > 0).all()
    assert np.abs(uv).max() <= 1 + 1e-12
    fan = np.array([[0, 1, 2], [1, 3, 2], [3, 4, 2], [4, 0, 2]])  # 0 is met twice around 2
    assert _disc(fan, "a fan").shape == (4, 3, 2)


def test_a_body_that_is_no_surface_is_refused():
    with pytest.raises(ValueError, match="no surface"):
        build_atlas(SMPL(toy_body()))
