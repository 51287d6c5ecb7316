"""The animated GLB against skinning recomputed from the file alone, and its faults by name."""

import json
import struct
from dataclasses import replace

import numpy as np
import pytest
import torch
from helpers.toy_body import toy_body
from scipy.spatial.transform import Rotation, Slerp

from hmr_edu.body import SMPL, load_body
from hmr_edu.data import load_pose_prior
from hmr_edu.keypoints import SMPL_JOINTS, SMPL_PARENTS
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.viz.animation import quaternions, strongest, write_animated_glb

DTYPES = {5121: np.uint8, 5125: np.uint32, 5126: np.float32}
WIDTHS = {"SCALAR": 1, "VEC3": 3, "VEC4": 4, "MAT4": 16}


class Glb:
    """A reader written from the specification, which knows nothing of the writer."""

    def __init__(self, path):
        data = path.read_bytes()
        magic, version, total, length, kind = struct.unpack("<4sIII4s", data[:20])
        assert (magic, version, total, kind) == (b"glTF", 2, len(data), b"JSON")
        self.json = json.loads(data[20 : 20 + length])
        binary, kind = struct.unpack("<I4s", data[20 + length : 28 + length])
        assert kind == b"BIN\0"
        self.data = data[28 + length :]
        assert len(self.data) == binary == self.json["buffers"][0]["byteLength"]

    def array(self, number):
        accessor = self.json["accessors"][number]
        view = self.json["bufferViews"][accessor["bufferView"]]
        assert view["byteOffset"] % 4 == 0
        dtype, width = DTYPES[accessor["componentType"]], WIDTHS[accessor["type"]]
        values = np.frombuffer(self.data, dtype, accessor["count"] * width, view["byteOffset"])
        assert values.nbytes == view["byteLength"]
        return values.reshape(-1, width)

    def vertices_at(self, seconds):
        """Play the animation: interpolate, walk down the tree of nodes, skin."""
        nodes, skin = self.json["nodes"], self.json["skins"][0]
        animation = self.json["animations"][0]
        local = [np.eye(4) for _ in nodes]
        for matrix, node in zip(local, nodes, strict=True):
            matrix[:3, 3] = node.get("translation", (0, 0, 0))
        for channel in animation["channels"]:
            sampler = animation["samplers"][channel["sampler"]]
            times, values = self.array(sampler["input"])[:, 0], self.array(sampler["output"])
            matrix = local[channel["target"]["node"]]
            if channel["target"]["path"] == "rotation":
                turns = Rotation.from_quat(values)
                at = np.clip(seconds, times[0], times[-1])
                turn = Slerp(times, turns)(at) if len(times) > 1 else turns[0]
                matrix[:3, :3] = turn.as_matrix()
            else:
                matrix[:3, 3] = [np.interp(seconds, times, column) for column in values.T]
        globally = {}

        def walk(number, above):
            globally[number] = above @ local[number]
            for child in nodes[number].get("children", ()):
                walk(child, globally[number])

        for root in self.json["scenes"][0]["nodes"]:
            walk(root, np.eye(4))
        # The format stores matrices column by column.
        bind = self.array(skin["inverseBindMatrices"]).reshape(-1, 4, 4).transpose(0, 2, 1)
        moves = np.stack([globally[j] @ b for j, b in zip(skin["joints"], bind, strict=True)])
        attributes = self.json["meshes"][0]["primitives"][0]["attributes"]
        rest = self.array(attributes["POSITION"])
        joints, weights = self.array(attributes["JOINTS_0"]), self.array(attributes["WEIGHTS_0"])
        per_vertex = (weights[:, :, None, None] * moves[joints]).sum(1)
        return (per_vertex[:, :3, :3] @ rest[..., None])[..., 0] + per_vertex[:, :3, 3]


def motion(frames=7, seed=0):
    """Return poses of real people, turned, places and a shape."""
    generator = torch.Generator().manual_seed(seed)
    pose = load_pose_prior().sample(frames, generator=generator)
    rotations = axis_angle_to_matrix(pose.view(-1, 24, 3))
    places = torch.randn(frames, 3, generator=generator)
    return rotations, places, torch.randn(10, generator=generator)


def without_correctives(body):
    body._blend[10:] = 0
    return body


def test_the_skin_of_the_file_is_smpls(tmp_path):
    rotations, places, betas = motion()
    write_animated_glb(tmp_path / "a.glb", load_body("lite"), rotations, places, betas, 25)
    glb = Glb(tmp_path / "a.glb")
    body = without_correctives(load_body("lite"))
    truth = body(betas.expand(7, 10), rotations).vertices + places[:, None]
    for frame in (0, 1, 3, 6):
        np.testing.assert_allclose(glb.vertices_at(frame / 25), truth[frame], atol=1e-4)


def test_a_body_of_many_influences_keeps_the_four_largest(tmp_path):
    rotations, places, betas = motion()
    data = toy_body(V=50)
    write_animated_glb(tmp_path / "a.glb", SMPL(data), rotations, places, betas, 30)
    kept = np.sort(data.weights, 1)[:, -4:].min(1, keepdims=True)
    weights = np.where(data.weights >= kept, data.weights, 0)
    weights /= weights.sum(1, keepdims=True)
    body = without_correctives(SMPL(replace(data, weights=weights)))
    truth = body(betas.expand(7, 10), rotations).vertices + places[:, None]
    np.testing.assert_allclose(Glb(tmp_path / "a.glb").vertices_at(2 / 30), truth[2], atol=1e-4)


def test_nodes_are_smpls_tree(tmp_path):
    rotations, _, betas = motion(1)
    body = load_body("lite")
    write_animated_glb(tmp_path / "a.glb", body, rotations, None, betas, 30)
    glb = Glb(tmp_path / "a.glb")
    nodes = glb.json["nodes"]
    assert tuple(node["name"] for node in nodes[:24]) == SMPL_JOINTS
    parents = {
        child: parent for parent, node in enumerate(nodes) for child in node.get("children", ())
    }
    assert [parents.get(joint, -1) for joint in range(24)] == list(SMPL_PARENTS)
    # Without translations the root stays where the shape has it.
    truth = without_correctives(body)(betas[None], rotations).vertices[0]
    np.testing.assert_allclose(glb.vertices_at(0), truth, atol=1e-4)
    lengths = np.linalg.norm(
        glb.array(glb.json["meshes"][0]["primitives"][0]["attributes"]["NORMAL"]), axis=1
    )
    np.testing.assert_allclose(lengths, 1, atol=1e-6)


def test_pose_correctives_that_are_left_out_are_millimetres():
    body = load_body("full")
    rotations, _, betas = motion(64)
    full = body(betas.expand(64, 10), rotations).vertices
    plain = without_correctives(load_body("full"))(betas.expand(64, 10), rotations).vertices
    millimetres = 1000 * (full - plain).norm(dim=-1)
    mean, most = float(millimetres.mean()), float(millimetres.amax(1).mean())
    print(f"left out: {mean:.2f} mm on average, {most:.1f} mm at the worst vertex of a pose")
    assert 0.1 < mean < 3
    assert most < 80


def test_quaternions_do_not_jump():
    """A joint that turns twice round: half of the frames have the other sign in canonical form."""
    angles = np.linspace(0, 4 * np.pi, 100)
    truth = Rotation.from_rotvec(np.stack([angles, 0 * angles, 0 * angles], 1))
    rotations = np.tile(np.eye(3), (100, 24, 1, 1))
    rotations[:, 5] = truth.as_matrix()
    q = quaternions(rotations, 5)
    assert (q[1:] * q[:-1]).sum(1).min() > 0.99
    assert (Rotation.from_quat(q) * truth.inv()).magnitude().max() < 1e-6
    expected = np.stack([np.sin(angles / 2), 0 * angles, 0 * angles, np.cos(angles / 2)], 1)
    np.testing.assert_allclose(q * np.sign(q[0] @ expected[0]), expected, atol=1e-6)


def test_strongest_by_hand():
    weights = np.zeros((2, 24))
    weights[0, [3, 7, 9, 11, 20]] = 0.4, 0.1, 0.2, 0.2, 0.1
    weights[1, 23] = 1
    joints, kept = strongest(weights)
    assert joints.tolist() == [[3, 9, 11, 7], [23, 0, 0, 0]]
    np.testing.assert_allclose(kept, [[4 / 9, 2 / 9, 2 / 9, 1 / 9], [1, 0, 0, 0]], rtol=1e-6)


def broken():
    rotations, places, betas = motion(3)
    nan, mirror = rotations.clone(), rotations.clone()
    nan[1, 4, 0, 0] = torch.nan
    mirror[2, 0] *= -1
    far = places.clone()
    far[0, 0] = torch.inf
    good = {"rotations": rotations, "translations": places, "betas": betas, "fps": 30}
    return [
        (good | {"rotations": rotations[:0], "translations": None}, "a frame at least"),
        (good | {"rotations": nan}, "frame 1: the matrix of left_knee is no rotation"),
        (good | {"rotations": mirror}, "frame 2: the matrix of pelvis is no rotation"),
        (good | {"rotations": rotations * 1.01}, "frame 0: the matrix of pelvis"),
        (good | {"translations": places[:2]}, "3 frames of rotations, 2 of translations"),
        (good | {"translations": far}, "translations are not all finite"),
        (good | {"betas": betas * torch.nan}, "betas are not all finite"),
        (good | {"fps": 0}, "must be positive"),
        (good | {"fps": float("nan")}, "must be positive"),
        (good | {"fps": 1e300}, "no distinct times"),
        (good | {"fps": 1e-300}, "no distinct times"),
    ]


@pytest.mark.parametrize(("given", "message"), broken())
def test_what_cannot_be_written_is_named_and_nothing_is(tmp_path, given, message):
    path = tmp_path / "a.glb"
    path.write_text("old")
    with pytest.raises(ValueError, match=message):
        write_animated_glb(path, load_body("lite"), **given)
    assert path.read_text() == "old"
    assert len(list(tmp_path.iterdir())) == 1
