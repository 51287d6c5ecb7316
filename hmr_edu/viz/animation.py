"""A moving body as one file for other programs: binary glTF 2.0 with a skeleton and an animation.

The file holds the body of one shape in its rest pose, SMPL's 24 joints as a tree of nodes, the
skinning weights, and a curve for the rotation of each joint and for the place of the root. Blender,
three.js, game engines and the viewers of operating systems play it. The frame is the body's own: Y
up, metres.

The skin is SMPL's own (eq. 3) but for two things that glTF cannot express:

- The pose blend shapes B_P(theta) are left out: glTF has no blend shapes that follow the rotations.
  Elbows and knees are a little thinner where they bend.
- A vertex has four joints at most. The shipped bodies need no more; of other bodies the four
  largest weights are kept, and sum to 1.

The format is written here directly: of the libraries, trimesh writes no animations, and pygltflib
only packs JSON that would have to be spelled out all the same. Source: Khronos Group, "glTF 2.0
Specification", sections 3.6-3.7 (buffers, meshes, skins), 3.11 (animations), 4.4 (binary files).
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import IO, Any

import numpy as np
import torch
import trimesh
from jaxtyping import Float, Float32, Float64, Shaped, UInt8
from scipy.spatial.transform import Rotation
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.io.files import atomic_write
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.viz.palette import PREDICTION, rgb
from hmr_edu.viz.shading import as_array

# glTF's numbers for what an array holds and what it is for.
FLOAT, UBYTE, UINT = 5126, 5121, 5125
VERTICES, TRIANGLES = 34962, 34963
INFLUENCES = 4  # joints of a vertex
TURNED = 1e-3  # how far R^T R may be from the identity
LARGEST = 2**32 - 1  # bytes of a file


def write_animated_glb(
    path: str | Path,
    body: SMPL,
    rotations: Float[Tensor, "T 24 3 3"] | Float[np.ndarray, "T 24 3 3"],
    translations: Float[Tensor, "N 3"] | Float[np.ndarray, "N 3"] | None,
    betas: Float[Tensor, " 10"] | Float[np.ndarray, " 10"],
    fps: float | int,
) -> None:
    """Write a moving body as binary glTF 2.0, with skeleton, skin weights and animation.

    Besides the arrays given, it holds one joint's curve in memory at a time.

    Raises ValueError where there is no frame, where a number is not finite, where a matrix is no
    rotation, and where the frames have no distinct times.

    Args:
        path: of the file, which ends in .glb.
        body: whose mesh moves.
        rotations: of every frame and joint, relative to the parent; the body's own frame, Y up.
        translations: added to all joints, metres, as AMASS's `trans`; None leaves the root where
            the shape has it.
        betas: the shape, one for all frames.
        fps: frames a second.
    """
    turns = as_array(rotations)
    moves = None if translations is None else as_array(translations).astype(np.float64)
    times = _times(turns, moves, fps)
    shape = torch.as_tensor(as_array(betas), dtype=torch.float64, device="cpu")
    if not torch.isfinite(shape).all():
        raise ValueError("betas are not all finite")
    vertices, joints = _rest(body, shape)
    parents = body.parents

    file = _Binary()
    indices, weights = strongest(as_array(body.weights))
    corners = as_array(body.faces).astype(np.uint32)
    bind = np.tile(np.eye(4, dtype=np.float32), (len(joints), 1, 1))
    bind[:, 3, :3] = -joints  # column by column: the last row is the translation
    mesh = {
        "attributes": {
            "POSITION": file.add(vertices.astype(np.float32), "VEC3", FLOAT, VERTICES, True),
            "NORMAL": file.add(_normals(vertices, corners), "VEC3", FLOAT, VERTICES),
            "JOINTS_0": file.add(indices, "VEC4", UBYTE, VERTICES),
            "WEIGHTS_0": file.add(weights, "VEC4", FLOAT, VERTICES),
        },
        "indices": file.add(corners.reshape(-1), "SCALAR", UINT, TRIANGLES),
        "material": 0,
    }
    matrices = file.add(bind.reshape(-1, 16), "MAT4", FLOAT)

    bones = joints - np.where(np.arange(len(joints))[:, None] > 0, joints[list(parents)], 0)
    nodes: list[dict[str, Any]] = [
        {"name": name, "translation": bone.tolist()}
        for name, bone in zip(SMPL_JOINTS, bones.astype(np.float32), strict=True)
    ]
    for joint, parent in enumerate(parents):
        if parent >= 0:
            nodes[parent].setdefault("children", []).append(joint)
    nodes.append({"name": "body", "mesh": 0, "skin": 0})

    clock = file.add(times, "SCALAR", FLOAT, bounds=True)
    curves: list[tuple[int, int, str]] = []
    for joint in range(len(joints)):
        # `joint=joint`: each function keeps its own.
        curve = file.later((len(times), 4), "VEC4", lambda joint=joint: quaternions(turns, joint))
        curves.append((joint, curve, "rotation"))
    if moves is not None:
        places = (moves + joints[0]).astype(np.float32)
        curves.append((0, file.add(places, "VEC3", FLOAT), "translation"))
    # glTF colours are linear light.
    base = [*(channel**2.2 for channel in rgb(PREDICTION)), 1.0]
    rough = {"baseColorFactor": base, "metallicFactor": 0.0, "roughnessFactor": 0.65}
    document = {
        "asset": {"version": "2.0", "generator": "hmr_edu"},
        "scene": 0,
        "scenes": [{"nodes": [0, len(joints)]}],
        "nodes": nodes,
        "meshes": [{"name": "body", "primitives": [mesh]}],
        "materials": [{"name": "body", "pbrMetallicRoughness": rough}],
        "skins": [
            {
                "name": "SMPL",
                "joints": list(range(len(joints))),
                "skeleton": 0,
                "inverseBindMatrices": matrices,
            }
        ],
        "animations": [
            {
                "name": "motion",
                "samplers": [
                    {"input": clock, "output": curve, "interpolation": "LINEAR"}
                    for _, curve, _ in curves
                ],
                "channels": [
                    {"sampler": k, "target": {"node": joint, "path": what}}
                    for k, (joint, _, what) in enumerate(curves)
                ],
            }
        ],
    }
    with atomic_write(path) as temporary, temporary.open("wb") as stream:
        file.write(stream, document)


def quaternions(rotations: Float[np.ndarray, "T 24 3 3"], joint: int) -> Float32[np.ndarray, "T 4"]:
    """Return a joint's rotations as quaternions (x, y, z, w) without a jump between frames.

    q and -q are the same rotation, but a viewer that goes from one to the other goes the long way
    round. So each has the sign that is nearer to the one before.
    """
    q = Rotation.from_matrix(rotations[:, joint].astype(np.float64)).as_quat()
    turns_back = (q[1:] * q[:-1]).sum(1) < 0
    q[1:] *= np.where(np.cumsum(turns_back) % 2, -1.0, 1.0)[:, None]
    return q.astype(np.float32)


def strongest(
    weights: Float[np.ndarray, "V 24"],
) -> tuple[UInt8[np.ndarray, "V 4"], Float32[np.ndarray, "V 4"]]:
    """Return the four joints that move each vertex most, and their weights, which sum to 1."""
    order = np.argsort(-weights, axis=1, kind="stable")[:, :INFLUENCES]
    kept = np.take_along_axis(weights, order, 1).astype(np.float64).clip(0)
    kept /= kept.sum(1, keepdims=True)
    # A joint that does not count has number 0, as the format wants.
    return np.where(kept > 0, order, 0).astype(np.uint8), kept.astype(np.float32)


def _times(
    rotations: Float[np.ndarray, "T 24 3 3"],
    translations: Float64[np.ndarray, "N 3"] | None,
    fps: float | int,
) -> Float32[np.ndarray, " T"]:
    """Return the seconds of every frame; raise ValueError on a motion that cannot be written."""
    count = len(rotations)
    if count == 0:
        raise ValueError("a motion needs a frame at least")
    if translations is not None:
        if len(translations) != count:
            raise ValueError(f"{count} frames of rotations, {len(translations)} of translations")
        if not np.isfinite(translations).all():
            raise ValueError("translations are not all finite")
    if not 0 < fps < np.inf:
        raise ValueError(f"frames a second must be positive, got {fps}")
    for joint, name in enumerate(SMPL_JOINTS):
        R = rotations[:, joint].astype(np.float64)
        good = np.isfinite(R).all((1, 2))
        R[~good] = 0
        good &= np.abs(R.mT @ R - np.eye(3)).max((1, 2)) < TURNED
        good &= np.linalg.det(R) > 0
        if not good.all():
            raise ValueError(f"frame {int(good.argmin())}: the matrix of {name} is no rotation")
    with np.errstate(over="ignore"):
        times = (np.arange(count) / fps).astype(np.float32)
    if not (times[1:] > times[:-1]).all() or not np.isfinite(times).all():
        raise ValueError(f"{count} frames at {fps} a second have no distinct times in float32")
    return times


def _rest(
    body: SMPL, betas: Float64[Tensor, " 10"]
) -> tuple[Float64[np.ndarray, "V 3"], Float64[np.ndarray, "24 3"]]:
    """Return the vertices and joints of a shape in the rest pose, eq. 8 and 10."""

    def shaped(template: Tensor, directions: Tensor) -> np.ndarray:
        return (template.double().cpu() + directions.double().cpu() @ betas).numpy()

    joints = shaped(body.J_template, body.J_shapedirs.permute(1, 2, 0))
    return shaped(body.v_template, body.shapedirs), joints


def _normals(
    vertices: Float64[np.ndarray, "V 3"], faces: Shaped[np.ndarray, "F 3"]
) -> Float32[np.ndarray, "V 3"]:
    """Return smooth normals of length 1; up, where a vertex has no face of any area."""
    normals = np.array(trimesh.Trimesh(vertices, faces, process=False).vertex_normals)
    length = np.linalg.norm(normals, axis=1, keepdims=True)
    flat = length[:, 0] < 0.5
    normals = normals / np.where(flat[:, None], 1, length)
    normals[flat] = (0, 1, 0)
    return normals.astype(np.float32)


class _Binary:
    """The arrays of a glTF file, one after the other, and what the JSON part says of them.

    Their sizes are known before they are: arrays made later are never in memory together.
    """

    def __init__(self) -> None:
        self.views: list[dict[str, int]] = []
        self.accessors: list[dict[str, Any]] = []
        self.parts: list[Callable[[], np.ndarray]] = []
        self.size = 0

    def add(
        self,
        array: Shaped[np.ndarray, "..."],
        kind: str,
        component: int,
        target: int | None = None,
        bounds: bool = False,
    ) -> int:
        """Add an array and return its number.

        Args:
            array: the numbers, a row for each element.
            kind: of an element: "SCALAR", "VEC3", ...
            component: number type of the array.
            target: what a mesh uses it for.
            bounds: also write the least and the greatest.
        """
        number = self._describe(array.shape[0], array.nbytes, kind, component)
        if target is not None:
            self.views[number]["target"] = target
        if bounds:
            rows = array.reshape(len(array), -1)
            self.accessors[number] |= {"min": rows.min(0).tolist(), "max": rows.max(0).tolist()}
        self.parts.append(lambda: array)
        return number

    def later(self, shape: Sequence[int], kind: str, make: Callable[[], np.ndarray]) -> int:
        """Add an array of float32 that is made when it is written, and return its number."""
        self.parts.append(make)
        return self._describe(shape[0], 4 * int(np.prod(shape)), kind, FLOAT)

    def _describe(self, count: int, size: int, kind: str, component: int) -> int:
        self.views.append({"buffer": 0, "byteOffset": self.size, "byteLength": size})
        number = len(self.accessors)
        described = {"bufferView": number, "componentType": component, "count": count}
        self.accessors.append({**described, "type": kind})
        self.size += size + -size % 4
        return number

    def write(self, stream: IO[bytes], document: dict[str, Any]) -> None:
        """Write the file: a header, the JSON part, the arrays. Each starts at a multiple of 4."""
        document |= {"accessors": self.accessors, "bufferViews": self.views}
        document["buffers"] = [{"byteLength": self.size}]
        text = json.dumps(document, allow_nan=False, separators=(",", ":")).encode()
        text += b" " * (-len(text) % 4)
        total = 12 + 8 + len(text) + 8 + self.size
        if total > LARGEST:
            raise ValueError(f"the file would have {total} bytes, and glTF allows {LARGEST}")

        def numbers(*values: int) -> bytes:
            return np.array(values, "<u4").tobytes()

        stream.write(b"glTF" + numbers(2, total) + numbers(len(text)) + b"JSON" + text)
        stream.write(numbers(self.size) + b"BIN\0")
        for make, view in zip(self.parts, self.views, strict=True):
            data = np.ascontiguousarray(make())
            data = data.astype(data.dtype.newbyteorder("<"), copy=False).tobytes()
            assert len(data) == view["byteLength"]
            stream.write(data + bytes(-len(data) % 4))
