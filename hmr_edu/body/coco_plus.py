"""Regressors of the 19 COCO+ keypoints for bodies that bring none.

Rows of J_regressor find a joint in the resting body only: on a bent hip or elbow of the free body
they are 40 mm off. So keypoints at joints are fitted to posed bodies, as those of the free body
are: weights >= 0 with sum 1 that keep the mean of a ring of vertices at the joint.
Keypoints of the face are vertices of the surface.
"""

from __future__ import annotations

from collections.abc import Mapping

import numpy as np
from jaxtyping import Float

from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS, SMPL_JOINTS

# Vertices of the surface that public code takes for the face and the top of the head, in the order
# of SMPL's mesh of 6,890 vertices.
SMPL_VERTICES = 6890
SMPL_FACE = {
    "head_top": 411,
    "nose": 333,
    "left_eye": 2801,
    "right_eye": 6261,
    "left_ear": 584,
    "right_ear": 4072,
}
HEAD, NECK = SMPL_JOINTS.index("head"), SMPL_JOINTS.index("neck")
# Bodies that the rows are fitted to, and how the random numbers of their poses begin.
POSES, SHAPES, SEED = 40, 10, 18
# Vertices of which a joint's regressor may choose: of very fine meshes, some.
CANDIDATES = 1000
# An eye's regressor uses vertices at most this far from it, in metres.
EYE_REACH = 0.015

Arrays = Mapping[str, np.ndarray]


def fit_coco_plus(body: Arrays) -> tuple[Float[np.ndarray, "19 V"], str]:
    """Fit the regressor of a body's arrays; return it, and one line about where it is from.

    Raises DataError where the head has too few vertices.
    """
    from hmr_edu.body.build.keypoints import JOINT_KEYPOINTS
    from hmr_edu.body.build.mirror import JOINT_MIRROR

    template = body["v_template"].astype(np.float64)
    regressor = np.zeros((len(COCOPLUS), len(template)))
    bodies, joints = _posed(body)
    places = {NECK: COCOPLUS.index("neck")}
    for left, (right, joint) in JOINT_KEYPOINTS.items():
        places |= {joint: left, int(JOINT_MIRROR[joint]): right}
    for joint, keypoint in places.items():
        regressor[keypoint] = _fit_joint(bodies, joints[:, joint], joint)
    face, how = _face(body, template)
    for name, row in face.items():
        regressor[COCOPLUS.index(name)] = row
    return regressor, f"limbs and neck fitted to this body's joints, {how}"


def _posed(body: Arrays) -> tuple[Float[np.ndarray, "S V 3"], Float[np.ndarray, "S 24 3"]]:
    """Return the resting body, other shapes of it, and poses, with their joints."""
    from hmr_edu.body.build.correctives import corrected_blend
    from hmr_edu.body.build.poses import random_poses

    template, shapedirs, posedirs, J_regressor, weights = (
        body[name].astype(np.float64)
        for name in ("v_template", "shapedirs", "posedirs", "J_regressor", "weights")
    )
    generator = np.random.default_rng(SEED)
    betas = generator.normal(size=(SHAPES, shapedirs.shape[2]))
    resting = template + np.concatenate(
        [0 * template[None], np.einsum("vcb,sb->svc", shapedirs, betas)]
    )
    rest_joints = J_regressor @ resting
    rotations = random_poses(POSES, generator)
    posed, (R, t) = corrected_blend(template, rest_joints[0], weights, posedirs, rotations)
    moved = np.einsum("pjab,jb->pja", R, rest_joints[0]) + t
    return np.concatenate([resting, posed]), np.concatenate([rest_joints, moved])


def _fit_joint(
    bodies: Float[np.ndarray, "S V 3"], targets: Float[np.ndarray, "S 3"], joint: int
) -> Float[np.ndarray, " V"]:
    """Fit the row that stays at a joint; the first body is the mean shape at rest."""
    from hmr_edu.body.build.joints import fit_regressor
    from hmr_edu.body.build.keypoints import REACH, near
    from hmr_edu.body.build.mirror import JOINT_MIRROR

    reach = REACH.get(joint) or REACH[int(JOINT_MIRROR[joint])]
    candidates = np.flatnonzero(near(bodies[0], targets[0], reach))
    candidates = candidates[:: -(-len(candidates) // CANDIDATES)]
    row = np.zeros(bodies.shape[1])
    row[candidates] = fit_regressor(bodies[:, candidates], targets)
    return row


def _face(
    body: Arrays, template: Float[np.ndarray, "V 3"]
) -> tuple[dict[str, Float[np.ndarray, " V"]], str]:
    """Return the rows of the face and the top of the head, and where they are from."""
    owner = body["weights"].argmax(1)
    if len(template) == SMPL_VERTICES and _are_a_face(owner, template):
        one_hot = np.eye(SMPL_VERTICES)
        rows = {name: one_hot[vertex] for name, vertex in SMPL_FACE.items()}
        return rows, "face and top of the head are SMPL's published vertices"
    other = "the mesh is not SMPL's, so face and top of the head are found by their place"
    return _found_face(owner, template), other


def _are_a_face(owner: np.ndarray, template: Float[np.ndarray, "V 3"]) -> bool:
    """Return whether SMPL's vertices are where a face is; other meshes may have 6,890 too."""
    vertices = list(SMPL_FACE.values())
    top, nose, left_eye, right_eye, left_ear, right_ear = template[vertices]
    return bool(
        (owner[vertices] == HEAD).all()
        and left_ear[0] > left_eye[0] > nose[0] > right_eye[0] > right_ear[0]
        and nose[2] > max(left_eye[2], right_eye[2]) > max(left_ear[2], right_ear[2])
        and top[1] > max(left_eye[1], right_eye[1]) > nose[1]
    )


def _found_face(
    owner: np.ndarray, template: Float[np.ndarray, "V 3"]
) -> dict[str, Float[np.ndarray, " V"]]:
    """Find the highest, foremost and widest places of a head; its eyes are those of the free body.

    An eye's place relative to nose and crown is that of the free body, scaled to this head.
    """
    from hmr_edu.body.build.joints import fit_regressor
    from hmr_edu.body.build.keypoints import near
    from hmr_edu.body.files import read_body

    head = np.flatnonzero(owner == HEAD)
    if len(head) < 6:
        raise DataError(f"weights give the head {len(head)} vertices: it has no face")
    at = template[head]
    # A crown is flat: the mean of its highest places is in its middle.
    rows = {
        name: np.isin(np.arange(len(template)), head[height >= height.max() - depth]).astype(float)
        for name, height, depth in (
            ("head_top", at[:, 1], 0.005),
            ("nose", at[:, 2], 0.0),
            ("left_ear", at[:, 0], 0.005),
            ("right_ear", -at[:, 0], 0.005),
        )
    }
    rows = {name: row / row.sum() for name, row in rows.items()}
    top, nose = rows["head_top"] @ template, rows["nose"] @ template
    free = read_body("lite")
    keypoints = dict(zip(COCOPLUS, free.keypoint_regressor @ free.v_template, strict=True))
    scale = (top - nose)[1] / (keypoints["head_top"] - keypoints["nose"])[1]
    for name in ("left_eye", "right_eye"):
        place = nose + scale * (keypoints[name] - keypoints["nose"])
        candidates = head[near(at, place, EYE_REACH)] if len(head) > 12 else head
        rows[name] = np.zeros(len(template))
        rows[name][candidates] = fit_regressor(template[None, candidates], place[None])
    return rows
