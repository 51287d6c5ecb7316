"""Skirts that give way: cloth outside the legs, measured with trimesh and by hand."""

import dataclasses

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation

from hmr_edu.body import load_body, load_wardrobe
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.synthetic.dressed import kernels, skirts
from hmr_edu.data.synthetic.dressed.dress_options import DressConfig
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople
from hmr_edu.data.synthetic.views import PinholeView
from hmr_edu.keypoints import SMPL_JOINTS


def people(skirts_on, level="clear", **changes):
    look = dataclasses.replace(
        APPEARANCES[level],
        scenes=4,
        outfits=4,
        heads=4,
        dressed=1.0,
        dress=DressConfig(skirts=skirts_on),
    )
    config = SyntheticConfig(image_size=64, batch_size=8, appearance=look, **changes)
    return SyntheticPeople(load_body("lite"), load_pose_prior(), config, 0)


@pytest.fixture(scope="module")
def draped():
    return people(True)


def lifted(degrees):
    """Poses: the left thigh forward, then both, then both sideways."""
    rotations = np.tile(np.eye(3), (3, 24, 1, 1))
    left, right = (SMPL_JOINTS.index(f"{side}_hip") for side in ("left", "right"))
    knees = [SMPL_JOINTS.index(f"{side}_knee") for side in ("left", "right")]
    forward = Rotation.from_euler("x", -degrees, degrees=True).as_matrix()
    rotations[0, left] = rotations[1, left] = rotations[1, right] = forward
    rotations[1, knees] = Rotation.from_euler("x", degrees, degrees=True).as_matrix()
    for joint, sign in ((left, 1), (right, -1)):
        turn = Rotation.from_euler("z", sign * degrees / 2, degrees=True)
        rotations[2, joint] = turn.as_matrix()
    return torch.from_numpy(rotations).float()


def hung(stream, degrees, push=True):
    """The skirt and the body's mesh in each pose."""
    dresser, rack = stream.dresser, stream.dresser.rack
    number = next(k for k, p in enumerate(rack.pieces) if p.skirt)
    span, betas = rack.pieces[number].vertices, torch.zeros(3, 10)
    output = stream.body(betas, lifted(degrees))
    view = PinholeView(torch.zeros(3, 3), torch.ones(3), torch.zeros(3, 19, 2))
    for person in dresser._people(output, betas, view, torch.arange(3)):
        cloth = np.empty((span.stop - span.start, 3), np.float32)
        kernels.pose_piece(
            *(rack.template[span], rack.directions[span], rack.corners[span], rack.shares[span]),
            *(rack.joints[span], rack.weights[span], person.betas, person.offsets),
            *(person.transforms, cloth),
        )
        if push:
            dresser.drape.hang(number, person.vertices, cloth, np.empty_like(cloth))
        mesh = trimesh.Trimesh(person.vertices, stream.body.faces.numpy(), process=False)
        yield rack.template[span], cloth, mesh


def depths(mesh, points):
    """How deep points are inside a mesh, metres; negative outside."""
    nearest, distance, face = trimesh.proximity.closest_point_naive(mesh, points)
    side = np.sign(((points - nearest) * mesh.face_normals[face]).sum(1))
    return -side * distance


@pytest.mark.parametrize("degrees", [30, 60, 90])
def test_skirts_are_outside_the_legs(draped, degrees):
    for rest, cloth, mesh in hung(draped, degrees):
        low = rest[:, 1] < -0.48  # over the thighs
        inside = depths(mesh, cloth[low])
        assert (inside > 0.004).mean() < 0.02
        # And close to the body: the cloth between the legs spans the gap, no more.
        assert np.abs(inside).max() < 0.25


def test_without_the_push_they_are_not(draped):
    poses = hung(draped, 90, False)
    worst = [depths(mesh, cloth[rest[:, 1] < -0.48]) for rest, cloth, mesh in poses]
    assert max((inside > 0.004).mean() for inside in worst) > 0.04


def test_cloth_leaves_a_sphere_along_its_normal():
    """Closed form: from (0, 0, h) along z, a sphere of radius r at the origin ends at r."""
    spheres = np.array([[0, 0, 0, 0.1]], np.float32)
    cloth = np.array([[0, 0, 0.02], [0, 0.06, 0], [0, 0, 0.2], [0, 0, 0.05]], np.float32)
    normals = np.tile(np.array([[0, 0, 1]], np.float32), (4, 1))
    movable = np.array([1, 1, 1, 0], np.float32)
    skirts.push_out(cloth, normals, movable, spheres, 0.01, 1.0)
    expected = [0.11, np.sqrt(0.11**2 - 0.06**2), 0.2, 0.05]
    np.testing.assert_allclose(cloth[:, 2], expected, atol=1e-6)
    cloth = np.array([[0, 0, -0.1]], np.float32)
    skirts.push_out(cloth, normals[:1], movable[:1], spheres, 0.01, 0.05)
    np.testing.assert_allclose(cloth[0, 2], -0.05, atol=1e-6)


def test_spheres_fill_the_thighs(draped):
    body = draped.body
    rings = skirts.LegRings.of(body)
    spheres = rings.spheres(body.v_template.numpy())
    joints = body.J_template.numpy()
    left = spheres[spheres[:, 0] > 0]
    assert len(left) == len(spheres) / 2
    # In the middle of the thigh: the half-width of the mesh there is the radius.
    y = (joints[1, 1] + joints[4, 1]) / 2
    near = left[np.abs(left[:, 1] - y).argmin()]
    section = trimesh.Trimesh(body.v_template.numpy(), body.faces.numpy(), process=False).section(
        [0, 1, 0], [0, float(near[1]), 0]
    )
    x = section.vertices[section.vertices[:, 0] > 0.01, 0]
    x = x[x < 0.3]
    assert abs((x.max() - x.min()) / 2 - near[3]) < 0.012
    assert abs((x.max() + x.min()) / 2 - near[0]) < 0.012


def test_weights_pass_from_leg_to_leg():
    template = np.array(
        [[-0.2, -0.5, 0], [0, -0.5, 0], [0.2, -0.5, 0], [0.05, -0.5, 0]], np.float32
    )
    joints = np.tile(np.array([[1, 4, 0, 3]], np.uint8), (4, 1))
    weights = np.tile(np.array([[0.5, 0.25, 0.25, 0]], np.float32), (4, 1))
    joints, weights = skirts.draped_weights(template, joints, weights)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-6)
    of_left = (weights * (joints == 1)).sum(1)
    np.testing.assert_allclose(of_left, [0, 0.375, 0.75, 0.75 * 0.75], atol=1e-6)
    np.testing.assert_allclose((weights * (joints == 0)).sum(1), 0.25, atol=1e-6)


def test_labels_do_not_know_of_skirts(draped):
    plain = people(False)
    first, second = plain[0].named_tensors(), draped[0].named_tensors()
    for name in first.keys() - {"images", "parts"}:
        assert torch.equal(first[name], second[name]), name
    again = people(True)[0]
    assert torch.equal(again.images, second["images"])


def test_only_some_outfits_change():
    """Those who wore trousers wear them still, unless they can wear a skirt now."""
    wardrobe = load_wardrobe()
    off, on = people(False), people(True)
    assert len(off.dresser.rack.pieces) == len(wardrobe.garments)
    assert not off.dresser.drape.pieces
    assert len(on.dresser.drape.pieces) == 1
