"""Glasses, beards, bags and coats: where they are on the body, who wears them, what stays."""

import dataclasses

import numpy as np
import pytest
import torch
import trimesh
from scipy.stats import binom

from hmr_edu.body import load_body, load_wardrobe
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.synthetic.dressed.dress_options import DressConfig
from hmr_edu.data.synthetic.dressed.extras import bags, coats, face_wear, shapes
from hmr_edu.data.synthetic.dressed.extras.wear import Extras, with_extras
from hmr_edu.data.synthetic.dressed.outfits import Outfit
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople

ALL = DressConfig(glasses=0.5, beards=0.5, bags=0.5, coats=0.5)


def people(options, **changes):
    look = dataclasses.replace(
        APPEARANCES["clear"], scenes=4, outfits=4, heads=4, dressed=0.8, dress=options
    )
    config = SyntheticConfig(image_size=96, batch_size=12, appearance=look, **changes)
    return SyntheticPeople(load_body("lite"), load_pose_prior(), config, 0)


@pytest.fixture(scope="module")
def full():
    body = shapes.figure().data
    return trimesh.Trimesh(body.v_template, body.faces, process=False)


def distance(mesh, points):
    """Distance to a mesh, negative inside, metres."""
    nearest, far, face = trimesh.proximity.closest_point_naive(mesh, points)
    return np.sign(((points - nearest) * mesh.face_normals[face]).sum(1)) * far


def made():
    return {
        "glasses": face_wear.glasses(),
        "beard": face_wear.beards(),
        "bag": bags.bags(),
        "coat": coats.coats(load_wardrobe().of_kind("top")),
    }


def test_things_are_garments_whose_weights_are_shares():
    for kind, garments in made().items():
        assert garments
        for g in garments:
            assert g.kind == kind
            np.testing.assert_allclose(g.weights.sum(1), 1, atol=1e-5)
            assert ((g.weights > 0).sum(1) <= 4).all()
            assert g.weights.min() >= 0
            assert g.faces.max() < len(g.template)
            assert not g.covers.any()
            assert np.abs(g.directions).max() < 0.1


def test_things_lie_on_the_body_and_not_in_it(full):
    for garments in made().values():
        for g in (garments[0], garments[-1]):
            far = distance(full, g.template[::3])
            assert far.min() > -0.01, g.name
            assert np.median(far) > 0.0005, g.name
            assert far.min() < 0.05, g.name


def test_glasses_are_before_the_eyes_and_reach_the_ears():
    points = face_wear._points()
    g = face_wear.glasses()[0]
    for side in ("left", "right"):
        eye, ear = points[f"{side}_eye"], points[f"{side}_ear"]
        before = g.template[np.linalg.norm(g.template[:, :2] - eye[:2], axis=1) < 0.035]
        assert (before[:, 2] > eye[2]).any()
        assert np.linalg.norm(g.template - ear, axis=1).min() < 0.02
    # Mirrored: the left half equals the right one.
    other = g.template * (-1, 1, 1)
    gap = np.linalg.norm(g.template[:, None] - other[None], axis=2).min(1)
    assert gap.max() < 1e-5


def test_beards_leave_eyes_and_nose_free():
    points = face_wear._points()
    for g in face_wear.beards():
        assert g.template[:, 1].max() < points["left_eye"][1]
        assert np.linalg.norm(g.template - points["nose"], axis=1).min() > 0.008
        assert g.texture.shape[2] == 4


def test_bags_are_behind_and_beside():
    by_name = {g.name.split("/")[0]: g.template for g in bags.bags()}
    torso = shapes.figure().data.v_template[shapes.figure().of(shapes.TORSO)]
    assert by_name["backpack"][:, 2].min() < torso[:, 2].min() - 0.08
    assert by_name["bag_left"][:, 0].max() > 0.2 > -by_name["bag_left"][:, 0].min()
    assert by_name["bag_right"][:, 0].min() < -0.2


def test_coats_are_in_the_colour_of_their_tops():
    tops = load_wardrobe().of_kind("top")
    long_enough = {t.name: t for t in tops if t.template[:, 1].min() < coats.SHORTEST}
    found = coats.coats(tops)
    assert len(found) == len(long_enough) * len(coats.LENGTHS)
    for g in found:
        name, length = g.name.rsplit("/", 1)
        mean = long_enough[name].texture[..., :3].reshape(-1, 3).mean(0)
        assert np.abs(g.texture.reshape(-1, 3).mean(0) - mean).max() < 12
        np.testing.assert_allclose(g.template[:, 1].min(), coats.LENGTHS[length][0], atol=1e-6)
        # Every ring is wider than the one above, on both sides.
        rings = g.template.reshape(-1, coats.AROUND, 3)
        assert (np.diff(np.ptp(rings[..., 0], axis=1)) > 0).all()


def test_shares_are_those_of_the_options():
    wardrobe = with_extras(load_wardrobe(), ALL)
    stream = people(ALL)
    dresser = stream.dresser
    n = 400
    rotations = np.tile(np.eye(3, dtype=np.float32), (n, 24, 1, 1))
    kinds = [p.kind for p in dresser.rack.pieces]
    male = next(k for k, s in enumerate(wardrobe.skins) if s.sex == "male")
    female = next(k for k, s in enumerate(wardrobe.skins) if s.sex == "female")
    shirt = next(k for k, p in enumerate(dresser.rack.pieces) if p.name == "male_casualsuit02/top")
    extras = Extras(dresser.rack, wardrobe.skins, ALL)
    for skin in (male, female):
        outfits = dict.fromkeys(range(n), Outfit((shirt,), skin))
        worn = extras.add(outfits, rotations, 1)
        low, high = binom.interval(0.9999, n, 0.5)
        for kind in ("glasses", "beard", "bag", "coat"):
            count = sum(kinds[k] == kind for o in worn.values() for k in o.pieces)
            if kind == "beard" and skin == female:
                assert count == 0
            else:
                assert low <= count <= high, kind
    # Nobody whose thigh is lifted wears a coat.
    rotations[:, 1] = np.diag([1.0, -1.0, -1.0])
    worn = extras.add(outfits, rotations, 1)
    assert not any(kinds[k] == "coat" for o in worn.values() for k in o.pieces)


def test_labels_and_other_people_stay_the_same():
    off, on = people(DressConfig()), people(ALL)
    a, b = off[1].named_tensors(), on[1].named_tensors()
    for name in a.keys() - {"images", "parts"}:
        assert torch.equal(a[name], b[name]), name
    assert torch.equal(b["images"], people(ALL)[1].images)
    same = (a["images"] == b["images"]).flatten(1).all(1)
    assert same[~off.prepare(1).pixels.dressed].all()
    assert 0 < (~same).sum() < len(same)


def test_one_thing_does_not_change_the_others():
    """With glasses alone, all pixels farther than a head from the glasses stay."""
    off, on = (people(DressConfig(glasses=share)) for share in (0.0, 1.0))
    first, second = off[0], on[0]
    eyes = first.keypoints2d[:, 15:17].mean(1)
    place = (torch.arange(96) + 0.5) / 48 - 1
    far = (place - eyes[:, :1]).abs()[:, None] > 0.45
    far = far | ((place - eyes[:, 1:]).abs()[..., None] > 0.45)
    moved = (first.images - second.images).abs().amax(1) > 0.02
    assert moved.any()
    assert (moved & far).float().mean() < 1e-3


def test_a_ribbon_is_as_wide_as_asked_for():
    path = np.stack([np.linspace(0, 1, 5), np.zeros(5), np.zeros(5)], 1)
    mesh = shapes.ribbon(path, np.tile([[0.0, 0, 1]], (5, 1)), 0.1)
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces, process=False)
    np.testing.assert_allclose(solid.area, 0.1, atol=1e-9)
    assert (solid.face_normals[:, 2] > 0.99).all()


def test_boxes_are_closed_and_as_large_as_asked_for():
    mesh = shapes.box((0.1, 0.2, 0.3), (0.05, 0.1, 0.2))
    solid = trimesh.Trimesh(mesh.vertices, mesh.faces)
    np.testing.assert_allclose(solid.extents, [0.1, 0.2, 0.4], atol=1e-9)
    assert solid.volume > 0.6 * 0.1 * 0.2 * 0.4


def test_outlines_are_distances_to_the_hull():
    square = np.array([[-1.0, -1], [1, -1], [1, 1], [-1, 1], [0, 0]])
    angles = np.array([0.0, np.pi / 4, np.pi / 2])
    found = shapes.outline(square, np.array([0.5, 0.0]), angles)
    np.testing.assert_allclose(found, [0.5, np.sqrt(0.5), 1.0], atol=1e-9)
