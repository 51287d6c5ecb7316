"""Measure a body: whether it is sound, whether it is plausible, how well its parts fit."""

from __future__ import annotations

from pathlib import Path

import numpy as np
from jaxtyping import Float, Int

from hmr_edu.body.build.correctives import blend_dual_quaternions, corrected_blend
from hmr_edu.body.build.keypoints import JOINT_KEYPOINTS
from hmr_edu.body.build.mirror import Half
from hmr_edu.body.build.poses import random_poses
from hmr_edu.body.build.shape_space import ShapeSpace
from hmr_edu.body.files import BodyData, read_body
from hmr_edu.keypoints import SMPL_JOINTS

# Poses and people for measuring have another random seed than those for fitting.
MEASURING_SEED = 20_180_618
POSES, STATURES = 100, 2000
MILLIMETRE = 1e3


def volume(vertices: Float[np.ndarray, "V 3"], faces: Int[np.ndarray, "F 3"]) -> float:
    """Return the signed volume in cubic metres; positive when the faces look outwards."""
    a, b, c = (vertices[faces[:, k]].astype(np.float64) for k in range(3))
    return float((a * np.cross(b, c)).sum() / 6)


def open_edges(faces: Int[np.ndarray, "F 3"]) -> int:
    """Count the directed edges without exactly one partner in the opposite direction."""
    edges = np.concatenate([faces[:, [0, 1]], faces[:, [1, 2]], faces[:, [2, 0]]])
    directed, count = np.unique(edges, axis=0, return_counts=True)
    _, undirected_count = np.unique(np.sort(directed, axis=1), axis=0, return_counts=True)
    return int((count > 1).sum() + (undirected_count != 2).sum())


def components(faces: Int[np.ndarray, "F 3"], count: int) -> int:
    """Count the connected pieces of the mesh, loose vertices included."""
    from scipy.sparse import coo_array
    from scipy.sparse.csgraph import connected_components

    links = coo_array((np.ones(2 * len(faces)), (faces[:, :2].ravel(), faces[:, 1:].ravel())))
    links.resize(count, count)
    return int(connected_components(links, directed=False)[0])


def winding_numbers(
    points: Float[np.ndarray, "P 3"],
    vertices: Float[np.ndarray, "V 3"],
    faces: Int[np.ndarray, "F 3"],
) -> Float[np.ndarray, " P"]:
    """Return the winding number at each point: 0 outside, 1 inside, 2 where the surface overlaps.

    Solid angles by van Oosterom and Strackee, 1983.
    """
    total = np.zeros(len(points))
    corners = vertices[faces].astype(np.float64)
    for k, point in enumerate(points):
        a, b, c = (corners[:, i] - point for i in range(3))
        la, lb, lc = (np.sqrt((x * x).sum(1)) for x in (a, b, c))
        above = (a * np.cross(b, c)).sum(1)
        below = la * lb * lc + (a * b).sum(1) * lc + (b * c).sum(1) * la + (c * a).sum(1) * lb
        total[k] = np.arctan2(above, below).sum() / (2 * np.pi)
    return total


def buried_share(body: BodyData, looks: int = 500) -> float:
    """Return the share of the resting skin inside the body, half a millimetre above the skin."""
    corners = body.v_template[body.faces].astype(np.float64)
    normal = np.cross(corners[:, 1] - corners[:, 0], corners[:, 2] - corners[:, 0])
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    chosen = np.linspace(0, len(corners) - 1, min(looks, len(corners))).astype(int)
    points = corners[chosen].mean(1) + 5e-4 * normal[chosen]
    return float((winding_numbers(points, body.v_template, body.faces) > 0.5).mean())


def is_symmetric(body: BodyData) -> bool:
    """Return whether template, faces, weights and shape space equal their mirror images exactly."""
    from hmr_edu.body.build.mirror import FLIP, JOINT_MIRROR

    flip = FLIP.astype(np.float32)
    place = {v.tobytes(): k for k, v in enumerate(body.v_template + np.float32(0))}
    partner = np.array([place.get(v.tobytes(), -1) for v in body.v_template * flip + np.float32(0)])
    if (partner < 0).any():
        return False
    faces = {tuple(np.roll(f, -f.argmin()).tolist()) for f in body.faces}
    mirrored = {tuple(np.roll(f, -f.argmin()).tolist()) for f in partner[body.faces][:, ::-1]}
    return bool(
        faces == mirrored
        and (body.weights[partner][:, JOINT_MIRROR] == body.weights).all()
        and (body.shapedirs[partner] * flip[:, None] == body.shapedirs).all()
    )


def joint_table(body: BodyData, stature: float = 1.7) -> dict[str, list[float]]:
    """Return the joints (metres) of the body that beta 0 makes as tall as `stature`."""
    height = np.ptp(body.v_template[:, 1])
    crown, sole = body.v_template[:, 1].argmax(), body.v_template[:, 1].argmin()
    growth = body.shapedirs[crown, 1, 0] - body.shapedirs[sole, 1, 0]
    shaped = body.v_template + body.shapedirs[:, :, 0] * ((stature - height) / growth)
    joints = (body.J_regressor @ shaped).astype(np.float64).round(3) + 0.0
    return {name: place.tolist() for name, place in zip(SMPL_JOINTS, joints, strict=True)}


def measure_body(body: BodyData) -> dict:
    """Measure everything that a body file alone shows. Millimetres, metres, litres."""
    generator = np.random.default_rng(MEASURING_SEED)
    heights = body.shapedirs[:, 1]
    random = generator.normal(size=(STATURES, 10)).astype(np.float32)
    statures = np.array([np.ptp(body.v_template[:, 1] + heights @ betas) for betas in random])
    extremes = [np.ptp(body.v_template[:, 1] + heights[:, 0] * b) for b in (-2, 2)]
    rotations = random_poses(POSES, generator)
    rest, joints = body.v_template.astype(np.float64), body.J_regressor @ body.v_template
    weights = body.weights.astype(np.float64)
    posed, (R, t) = corrected_blend(rest, joints, weights, body.posedirs, rotations)
    plain, _ = corrected_blend(rest, joints, weights, 0 * body.posedirs, rotations)
    goal = np.stack(
        [blend_dual_quaternions(rest, weights, *move) for move in zip(R, t, strict=True)]
    )
    before, after = (np.linalg.norm(x - goal, axis=2) * MILLIMETRE for x in (plain, posed))
    places = np.einsum("pjab,jb->pja", R, joints) + t
    keypoints = body.keypoint_regressor @ posed
    drift = {
        SMPL_JOINTS[joint]: round(
            float(np.linalg.norm(keypoints[:, k] - places[:, joint], axis=1).mean() * MILLIMETRE), 1
        )
        for k, (_, joint) in JOINT_KEYPOINTS.items()
    }
    return {
        "vertices": len(body.v_template),
        "faces": len(body.faces),
        "open_edges": open_edges(body.faces),
        "components": components(body.faces, len(body.v_template)),
        "mirror_symmetric": is_symmetric(body),
        "volume_litres": round(volume(body.v_template, body.faces) * 1e3, 1),
        "buried_share": round(buried_share(body), 4),
        "template_stature": round(float(np.ptp(body.v_template[:, 1])), 3),
        "stature_at_beta0_minus2_plus2": [round(float(x), 3) for x in extremes],
        "stature_of_random_betas_mean_std": [
            round(float(statures.mean()), 3),
            round(float(statures.std()), 3),
        ],
        "correctives_error_mm": {
            "linear_blend": {"mean": round(float(before.mean()), 2), "p99": _p99(before)},
            "corrected": {"mean": round(float(after.mean()), 2), "p99": _p99(after)},
        },
        "keypoint_to_joint_mm": drift,
        "J_regressor_non_zeros": [int(n) for n in np.sort((body.J_regressor > 0).sum(1))[[0, -1]]],
        "joints_at_1.7_m": joint_table(body),
    }


def _p99(values: np.ndarray) -> float:
    return round(float(np.percentile(values, 99)), 2)


def measure_fit(
    body: BodyData,
    half: Half,
    shapes: Float[np.ndarray, "S H 3"],
    joints: Float[np.ndarray, "S 24 3"],
) -> dict:
    """Measure how well a body explains people that it was not fitted to.

    Args:
        body: the body.
        half: the left half of its mesh.
        shapes: left halves of the people.
        joints: true joints of the people.
    """
    count = len(half.mid)
    dirs = body.shapedirs[:count].astype(np.float64)
    space = ShapeSpace(body.v_template[:count].astype(np.float64), dirs, np.ones(10))
    again = space.mean + np.einsum("hck,sk->shc", dirs, space.project(shapes))
    # The half stands for the whole body: middle vertices once, the others twice.
    share = np.where(half.mid, 1.0, 2.0) / half.size
    error = np.linalg.norm(again - shapes, axis=2) @ share * MILLIMETRE
    without = np.linalg.norm(space.mean - shapes, axis=2) @ share * MILLIMETRE
    whole = np.stack([half.points(shape) for shape in shapes])
    residual = np.linalg.norm(body.J_regressor @ whole - joints, axis=2).mean(0) * MILLIMETRE
    return {
        "held_out_people": len(shapes),
        "held_out_shape_error_mm": round(float(error.mean()), 2),
        "held_out_mean_shape_error_mm": round(float(without.mean()), 1),
        "J_regressor_residual_mm": {
            "mean": round(float(residual.mean()), 2),
            **{n: round(float(r), 1) for n, r in zip(SMPL_JOINTS, residual, strict=True)},
        },
    }


def measure(name_or_path: str | Path) -> dict:
    """Measure a shipped body ("lite", "full") or a body file; see `measure_body`."""
    return measure_body(read_body(name_or_path))
