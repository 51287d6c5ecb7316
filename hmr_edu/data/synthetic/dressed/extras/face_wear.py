"""Glasses, sunglasses and full beards."""

from __future__ import annotations

import numpy as np

from hmr_edu.body.wardrobe import Garment
from hmr_edu.data.render.renderer import vertex_normals
from hmr_edu.data.synthetic.dressed.extras.shapes import (
    Mesh,
    figure,
    garment,
    joined,
    outside,
    plain,
    ribbon,
    rigid,
)
from hmr_edu.keypoints import COCOPLUS

# Half-size of a lens, width of a rim, distance of the lens in front of the eye; metres.
LENS, RIM, BEFORE = (0.025, 0.018), 0.004, 0.014
FRAMES = {
    "black": ((20, 20, 22), None),
    "brown": ((80, 50, 30), None),
    "metal": ((150, 150, 155), None),
    "sun_black": ((15, 15, 16), (22, 22, 25)),
    "sun_brown": ((60, 40, 25), (50, 34, 24)),
}
# The colour of a beard beside hair that keeps its own: dark brown.
BROWN = (70, 52, 42)
# Lengths of beards, metres.
BEARDS = {"short": 0.006, "full": 0.016, "long": 0.035}


def _points() -> dict[str, np.ndarray]:
    body = figure().data
    return dict(zip(COCOPLUS, body.keypoint_regressor @ body.v_template, strict=True))


def glasses() -> tuple[Garment, ...]:
    """Return glasses with clear and with dark lenses."""
    points = _points()
    eye, ear = points["left_eye"], points["left_ear"]
    made = []
    for name, (frame, lens) in FRAMES.items():
        meshes = []
        for side in (1, -1):
            centre = eye * (side, 1, 1) + (0, 0, BEFORE)
            angle = np.arange(20) * (2 * np.pi / 20)
            round_ = np.stack([np.cos(angle), np.sin(angle)], 1)
            round_ /= (np.abs(round_) ** 3).sum(1, keepdims=True) ** (1 / 3)
            rim = np.concatenate([round_ * LENS, np.zeros((20, 1))], 1)
            # Lenses curve around the face.
            rim[:, 2] = -4 * np.square(rim[:, 0] * side + 0.012).clip(0, 0.002)
            rim += centre
            inner = centre + (rim - centre) * (1 - RIM / np.array([*LENS, LENS[0]]))
            k = np.arange(20)
            m = (k + 1) % 20
            quads = np.stack([k, m, m + 20, k + 20], 1)
            faces = np.concatenate([quads[:, [0, 1, 2]], quads[:, [0, 2, 3]]])
            meshes.append(_flat(np.concatenate([rim, inner]), faces, 0.25))
            if lens is not None:
                fan = np.stack([k, m, np.full(20, 20)], 1)
                meshes.append(_flat(np.concatenate([inner, centre[None]]), fan, 0.75))
            hinge = np.add(centre, (side * LENS[0], LENS[1] * 0.5, -0.006))
            tip = ear * (side, 1, 1) + (side * 0.004, 0.012, 0.0)
            path = np.linspace(hinge, tip, 5)
            path[1:-1, 0] = np.maximum(np.abs(path[1:-1, 0]), 0.072) * side
            temple = ribbon(path, np.tile([[side, 0.0, 0.0]], (5, 1)), RIM)
            meshes.append(temple._replace(uv=np.full((10, 2), 0.25)))
        middle = eye * (0, 1, 1) + (0, 0.004, BEFORE + 0.003)
        reach = eye[0] - LENS[0]
        path = middle + np.array([[-reach, 0, -0.003], [0, 0.002, 0], [reach, 0, -0.003]])
        bridge = ribbon(path, np.tile([[0.0, 0.0, 1.0]], (3, 1)), RIM)
        mesh = joined(*meshes, bridge._replace(uv=np.full((6, 2), 0.25)))
        texture = plain(frame, lens or frame)
        n = len(mesh.vertices)
        # Frames do not bend: they move with the face, and widen with it.
        moves = figure().directions(np.stack([eye, eye * (-1, 1, 1)])).mean(0)
        directions = np.repeat(moves[None], n, 0)
        directions[:, 0] = figure().directions(mesh.vertices)[:, 0]
        made.append(garment(name, "glasses", mesh, texture, rigid({"head": 1.0}, n), directions))
    return tuple(made)


def _flat(vertices: np.ndarray, faces: np.ndarray, u: float) -> Mesh:
    uv = np.tile([[u, 0.5]], (len(vertices), 1))
    return outside(Mesh(vertices, faces, uv), np.tile([[0.0, 0.0, 1.0]], (len(vertices), 1)))


def beards() -> tuple[Garment, ...]:
    """Return beards of all lengths: the skin of jaw and upper lip, moved outwards."""
    body, points = figure().data, _points()
    nose, ear = (points[name].tolist() for name in ("nose", "left_ear"))
    rest, faces = body.v_template, body.faces
    x, y, z = np.abs(rest[:, 0]), rest[:, 1] - nose[1], rest[:, 2]
    normals = vertex_normals(rest[None], faces)[0]

    def ramp(value: np.ndarray, start: float, stop: float) -> np.ndarray:
        return np.clip((value - start) / (stop - start), 0, 1)

    # Jaw: from the sideburns to the chin, below a line that rises towards the ears.
    line = np.where(x < 0.032, -0.036, -0.036 + (x - 0.032) * 1.1)
    jaw = ramp(line - y, 0.0, 0.012) * ramp(z, ear[2] - 0.004, ear[2] + 0.02)
    jaw = jaw * ramp(y, -0.098, -0.08)
    lip = ramp(-0.011 - y, 0.0, 0.004) * ramp(y, -0.026, -0.021) * ramp(0.034 - x, 0.0, 0.008)
    lip = lip * ramp(z, nose[2] - 0.06, nose[2] - 0.05)
    hair = np.maximum(jaw, lip) * (body.weights[:, 15] + body.weights[:, 12] > 0.5)
    used = faces[(hair[faces] > 0).any(1)]
    rows, used = np.unique(used, return_inverse=True)
    used = used.reshape(-1, 3)
    texture = np.empty((64, 64, 4), np.uint8)
    rng = np.random.default_rng(0)
    strands = rng.uniform(0.6, 1.2, (64, 64, 1))
    texture[..., :3] = strands * BROWN
    # Sparse at the edge (v = 0), dense inside.
    v = 1 - (np.arange(64)[:, None] + 0.5) / 64
    texture[..., 3] = np.where(rng.uniform(0.05, 0.7, (64, 64)) < v, 255, 0)
    made = []
    for name, length in BEARDS.items():
        amount = hair[rows, None]
        down = np.array([0.0, -0.7, 0.25]) * amount**2 * (lip[rows] == 0)[:, None]
        vertices = rest[rows] + normals[rows] * (0.0015 + 0.5 * length * amount) + length * down
        around = np.arctan2(rest[rows, 0], rest[rows, 2] - ear[2])
        uv = np.stack([(4 * around + 20 * y[rows]) % 1.0, hair[rows].clip(0.01, 0.99)], 1)
        mesh = Mesh(vertices, used, uv)
        made.append(garment(name, "beard", mesh, texture, body.weights[rows], body.shapedirs[rows]))
    return tuple(made)
