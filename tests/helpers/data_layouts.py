"""Small data sets in the true layouts, written from one list of people.

The numbers of joints are copied from each data set's publication, not from the package.
"""

from __future__ import annotations

import json
import pickle
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image
from scipy.io import savemat
from scipy.spatial.transform import Rotation

# COCO+: R ankle, R knee, R hip, L hip, L knee, L ankle, R wrist, R elbow, R shoulder, L shoulder,
# L elbow, L wrist, neck, head top, nose, L eye, R eye, L ear, R ear. For each of them the number of
# the joint in a data set, -1 where it has none.
NONE5 = (-1,) * 5
IN_COCO = (16, 14, 12, 11, 13, 15, 10, 8, 6, 5, 7, 9, -1, -1, 0, 1, 2, 3, 4)
IN_LSP = (*range(14), *NONE5)
IN_MPII = (0, 1, 2, 3, 4, 5, 10, 11, 12, 13, 14, 15, 8, 9, *NONE5)
IN_AIC = (8, 7, 6, 9, 10, 11, 2, 1, 0, 3, 4, 5, 13, 12, *NONE5)
IN_3DHP = (25, 24, 23, 18, 19, 20, 16, 15, 14, 9, 10, 11, 5, 7, *NONE5)
IN_SPIN = (*range(14), 19, 20, 21, 22, 23)
IN_BODY25 = (11, 10, 9, 12, 13, 14, 4, 3, 2, 5, 6, 7, 1, -1, 0, 16, 15, 18, 17)
IN_OPENPOSE18 = (10, 9, 8, 11, 12, 13, 4, 3, 2, 5, 6, 7, 1, -1, 0, 15, 14, 17, 16)
IN_SMPL = (8, 5, 2, 1, 4, 7, 21, 19, 17, 16, 18, 20, -1, -1, *NONE5)
NAMES = [
    "right_ankle",
    "right_knee",
    "right_hip",
    "left_hip",
    "left_knee",
    "left_ankle",
    "right_wrist",
    "right_elbow",
    "right_shoulder",
    "left_shoulder",
    "left_elbow",
    "left_wrist",
    "neck",
    "head_top",
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
]
COCO_NAMES = [
    "nose",
    "left_eye",
    "right_eye",
    "left_ear",
    "right_ear",
    "left_shoulder",
    "right_shoulder",
    "left_elbow",
    "right_elbow",
    "left_wrist",
    "right_wrist",
    "left_hip",
    "right_hip",
    "left_knee",
    "right_knee",
    "left_ankle",
    "right_ankle",
]


@dataclass
class People:
    """What is true of some people, in COCO+ order; pixels are counted from 0."""

    files: list[str]  # names of pictures, without their ending
    keypoints2d: np.ndarray
    visible: np.ndarray
    keypoints3d: np.ndarray
    pose: np.ndarray
    betas: np.ndarray
    center: np.ndarray
    side: np.ndarray
    pictures: dict[str, np.ndarray]

    def __len__(self) -> int:
        return len(self.files)

    def picture(self, number: int) -> np.ndarray:
        return self.pictures[self.files[number]]


def made_up(people: int = 4, seed: int = 0) -> People:
    """Return people at random places of pictures of 320 x 240; the last two share a picture."""
    g = np.random.default_rng(seed)
    files = [f"{n + 1:04d}" for n in range(people - 1)]
    points = g.uniform((20, 20), (300, 220), (people, 19, 2)).round(2)
    return People(
        files=[*files, files[-1]],
        keypoints2d=points,
        visible=(g.random((people, 19)) < 0.8).astype(float),
        keypoints3d=g.normal((0, 0, 4), 0.5, (people, 19, 3)),
        pose=g.normal(0, 0.3, (people, 72)),
        betas=g.normal(0, 1, (people, 10)),
        center=g.uniform(100, 140, (people, 2)).round(2),
        side=g.uniform(150, 200, people).round(2),
        pictures={f: g.integers(0, 255, (240, 320, 3)).astype(np.uint8) for f in files},
    )


def into(order: tuple[int, ...], joints: int, values: np.ndarray, empty: float = 0) -> np.ndarray:
    """Return values [n, 19, ...] in a data set's order; `empty` where COCO+ has nothing."""
    result = np.full((len(values), joints, *values.shape[2:]), empty, float)
    for here, there in enumerate(order):
        if there >= 0:
            result[:, there] = values[:, here]
    return result


def has(order: tuple[int, ...]) -> np.ndarray:
    """Return which keypoints of COCO+ a data set has."""
    return np.array(order) >= 0


def save(folder: Path, people: People, name: Callable[[int], str]) -> None:
    """Write each person's picture under a name that may depend on the person."""
    for number in range(len(people)):
        path = folder / name(number)
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.fromarray(people.picture(number)).save(path)


def points3(people: People, order: tuple[int, ...], joints: int) -> np.ndarray:
    """Return x, y, 1 where visible and 0, 0, 0 elsewhere, in a data set's order."""
    known = people.visible[..., None]
    return into(order, joints, np.concatenate([people.keypoints2d * known, known], 2))


def write_coco(folder: Path, people: People, extra: dict | None = None) -> Path:
    points = points3(people, IN_COCO, 17)
    points[..., 2] *= 1 + (np.arange(17) % 2)  # hidden and visible
    images = sorted(people.pictures)
    entries = [
        {
            "id": 10 + n,
            "image_id": 100 - images.index(people.files[n]),
            "category_id": 1,
            "iscrowd": 0,
            "num_keypoints": int((points[n, :, 2] > 0).sum()),
            "keypoints": points[n].ravel().tolist(),
            # The box has the crop's middle; its longer side is the crop's over 1.2.
            "bbox": [
                people.center[n, 0] + 0.5 - people.side[n] / 2.4,
                people.center[n, 1] + 0.5 - people.side[n] / 4.8,
                people.side[n] / 1.2,
                people.side[n] / 2.4,
            ],
            "segmentation": [[1.0, 2.0, 3.0, 4.0]],
            **(extra or {}),
        }
        for n in range(len(people))
    ]
    content = {
        "info": {},
        "images": [
            {
                "id": 100 - k,  # in no order
                "file_name": f"{name}.jpg",
                "width": people.pictures[name].shape[1],
                "height": people.pictures[name].shape[0],
            }
            for k, name in enumerate(images)
        ],
        "annotations": entries,
        "categories": [{"id": 1, "name": "person", "keypoints": COCO_NAMES}],
    }
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    (folder / "annotations" / "person_keypoints_train2017.json").write_text(json.dumps(content))
    save(folder, people, lambda n: f"train2017/{people.files[n]}.jpg")
    return folder


def write_lsp(folder: Path, people: People) -> Path:
    """3 x 14 x N, one person a picture, from 1, 1 = hidden."""
    joints = np.concatenate([people.keypoints2d + 1, 1 - people.visible[..., None]], 2)[:, :14]
    save(folder, people, lambda n: f"images/im{n + 1:04d}.jpg")
    savemat(folder / "joints.mat", {"joints": joints.transpose(2, 1, 0)})
    return folder


def write_lspet(folder: Path, people: People) -> Path:
    """14 x 3 x N, one person a picture, from 1, 1 = annotated; others have places all the same."""
    joints = np.concatenate([people.keypoints2d + 1, people.visible[..., None]], 2)[:, :14]
    save(folder, people, lambda n: f"images/im{n + 1:05d}.jpg")
    savemat(folder / "joints.mat", {"joints": joints.transpose(1, 2, 0)}, do_compression=True)
    return folder


def struct(rows: list[dict]) -> np.ndarray:
    """Return MATLAB's array of structures."""
    kind = [(name, object) for name in rows[0]]
    array = np.empty((1, len(rows)), kind)
    for n, row in enumerate(rows):
        for name, value in row.items():
            array[0, n][name] = value
    return array


def write_mpii(folder: Path, people: People) -> Path:
    """`RELEASE`, with a picture without people, and one rectangle without joints."""
    known, places = into(IN_MPII, 16, people.visible), into(IN_MPII, 16, people.keypoints2d)
    pictures = {}
    for n in range(len(people)):
        points = [
            {"x": places[n, j, 0] + 1, "y": places[n, j, 1] + 1, "id": j, "is_visible": j % 2}
            for j in range(16)
            if known[n, j]
        ]
        scale = people.side[n] / 250
        middle = {
            "x": people.center[n, 0] + 1,
            "y": people.center[n, 1] + 1 - 15 * scale,
        }
        pictures.setdefault(people.files[n], []).append(
            {
                "x1": 3.0,
                "annopoints": struct([{"point": struct(points)}]),
                "scale": scale,
                "objpos": struct([middle]),
            }
        )
    empty = np.zeros((0, 0))
    annolist = [
        {"image": struct([{"name": f"{name}.jpg"}]), "annorect": struct(rectangles)}
        for name, rectangles in pictures.items()
    ]
    annolist.append({"image": struct([{"name": "nobody.jpg"}]), "annorect": empty})
    alone = {"x1": 3.0, "annopoints": empty, "scale": empty, "objpos": empty}
    annolist.append({"image": struct([{"name": "other.jpg"}]), "annorect": struct([alone])})
    release = {"annolist": struct(annolist), "img_train": np.ones((1, len(annolist)))}
    (folder / "annotations").mkdir(parents=True, exist_ok=True)
    path = folder / "annotations" / "mpii_human_pose_v1_u12_1.mat"
    savemat(path, {"RELEASE": struct([release])}, do_compression=True)
    save(folder, people, lambda n: f"images/{people.files[n]}.jpg")
    return folder


def write_mpii_json(folder: Path, people: People) -> Path:
    """HRNet's `annot/train.json`."""
    known, places = into(IN_MPII, 16, people.visible), into(IN_MPII, 16, people.keypoints2d)
    scale = people.side / 250
    entries = [
        {
            "image": f"{people.files[n]}.jpg",
            "scale": scale[n],
            "center": [people.center[n, 0] + 1, people.center[n, 1] + 1 - 15 * scale[n]],
            "joints_vis": known[n].astype(int).tolist(),
            "joints": np.where(known[n, :, None] > 0, places[n] + 1, -1).tolist(),
        }
        for n in range(len(people))
    ]
    (folder / "annot").mkdir(parents=True)
    (folder / "annot" / "train.json").write_text(json.dumps(entries))
    save(folder, people, lambda n: f"images/{people.files[n]}.jpg")
    return folder


def write_hourglass_json(folder: Path, people: People) -> Path:
    """The hourglass's `mpii_annotations.json`; the second person is of the other split."""
    known, places = into(IN_MPII, 16, people.visible), into(IN_MPII, 16, people.keypoints2d)
    scale = people.side / 250
    entries = []
    for n in range(len(people)):
        joints = np.zeros((16, 3))
        joints[known[n] > 0, :2] = places[n, known[n] > 0] + 1
        joints[::2, 2] = known[n, ::2]  # hidden ones have 0 too
        entries.append(
            {
                "dataset": "MPI",
                "isValidation": float(n == 1),
                "img_paths": f"{people.files[n]}.jpg",
                "objpos": [people.center[n, 0] + 1, people.center[n, 1] + 1 - 15 * scale[n]],
                "joint_self": joints.tolist(),
                "scale_provided": scale[n],
            }
        )
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "mpii_annotations.json").write_text(json.dumps(entries))
    save(folder, people, lambda n: f"images/{people.files[n]}.jpg")
    return folder


def write_aic(folder: Path, people: People) -> Path:
    """1 = visible, 2 = hidden, 3 = not annotated."""
    points = points3(people, IN_AIC, 14)
    flags = np.where(points[..., 2] > 0, 1 + np.arange(14) % 2, 3)
    points[..., 2] = flags
    pictures = {}
    for n in range(len(people)):
        entry = pictures.setdefault(
            people.files[n],
            {
                "image_id": people.files[n],
                "url": "",
                "keypoint_annotations": {},
                "human_annotations": {},
            },
        )
        name = f"human{1 + len(entry['human_annotations'])}"
        entry["keypoint_annotations"][name] = points[n].ravel().tolist()
        # The last pixel belongs to the box.
        (x, y), half = people.center[n], (people.side[n] / 1.2 - 1) / 2
        entry["human_annotations"][name] = [x - half, y - half / 2, x + half, y + half / 2]
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "keypoint_train_annotations_20170909.json"
    path.write_text(json.dumps(list(pictures.values())))
    save(folder, people, lambda n: f"keypoint_train_images_20170902/{people.files[n]}.jpg")
    return folder


def write_3dhp(folder: Path, people: People) -> Path:
    """Person n is frame n + 1 of camera n % 2; the other camera has frames without pictures."""
    sequence = folder / "S1" / "Seq1"
    sequence.mkdir(parents=True)
    cells2, cells3 = np.empty((14, 1), object), np.empty((14, 1), object)
    for camera in range(14):
        cells2[camera, 0] = into(IN_3DHP, 28, people.keypoints2d).reshape(len(people), -1)
        cells3[camera, 0] = 1000 * into(IN_3DHP, 28, people.keypoints3d).reshape(len(people), -1)
    savemat(sequence / "annot.mat", {"annot2": cells2, "annot3": cells3, "univ_annot3": cells3})
    save(
        folder,
        people,
        lambda n: f"S1/Seq1/imageFrames/video_{n % 2}/frame_{n + 1:06d}.jpg",
    )
    return folder


def camera(turn: float = 0.7) -> np.ndarray:
    """Return extrinsics: a turn about an oblique axis, and a shift."""
    matrix = np.eye(4)
    matrix[:3, :3] = Rotation.from_rotvec(turn * np.array([0.6, -0.8, 0.3])).as_matrix()
    matrix[:3, 3] = 0.2, -0.1, 3
    return matrix


def write_3dpw(folder: Path, people: People) -> Path:
    """One sequence of two people: the first half and the second; the last picture has no camera."""
    half = len(people) // 2
    M = camera()
    world = (people.keypoints3d - M[:3, 3]) @ M[:3, :3]  # R^T (x - t)
    roots = Rotation.from_matrix(M[:3, :3]).inv() * Rotation.from_rotvec(people.pose[:, :3])
    poses = np.concatenate([roots.as_rotvec(), people.pose[:, 3:]], 1)
    marks = points3(people, IN_OPENPOSE18, 18).transpose(0, 2, 1)
    joints = into(IN_SMPL, 24, world).reshape(len(people), 72)

    def padded(rows: np.ndarray) -> np.ndarray:
        return np.concatenate([rows, np.zeros_like(rows[:1])])

    parts = (slice(half), slice(half, 2 * half))
    sequence = {
        "sequence": "walking_00",
        "poses": [padded(poses[part]) for part in parts],
        "betas": [people.betas[0], people.betas[1]],
        "trans": [np.zeros((half + 1, 3))] * 2,
        "poses2d": [padded(marks[part]) for part in parts],
        "jointPositions": [padded(joints[part]) for part in parts],
        "cam_poses": np.stack([M] * half + [np.zeros((4, 4))]),
        "cam_intrinsics": np.eye(3),
        "campose_valid": [np.array([1] * half + [0])] * 2,
        "genders": ["m", "f"],
    }
    (folder / "sequenceFiles" / "train").mkdir(parents=True)
    path = folder / "sequenceFiles" / "train" / "walking_00.pkl"
    path.write_bytes(pickle.dumps(sequence, protocol=2))
    save(folder, people, lambda n: f"imageFiles/walking_00/image_{n % half:05d}.jpg")
    return folder


def with_known(places: np.ndarray, known: np.ndarray) -> np.ndarray:
    return np.concatenate([places * known[..., None], known[..., None]], 2)


def spin_arrays(people: People) -> dict[str, np.ndarray]:
    known = people.visible
    return {
        "imgname": np.array([f"images/{name}.jpg" for name in people.files]),
        "center": people.center,
        "scale": people.side / 200,
        "part": into(IN_SPIN, 24, with_known(people.keypoints2d, known)),
        "openpose": np.zeros((len(people), 25, 3)),
        "S": into(IN_SPIN, 24, with_known(people.keypoints3d, known)),
        "pose": people.pose,
        "shape": people.betas,
        "has_smpl": (np.arange(len(people)) % 2 == 0).astype(float),
    }


def write_spin(folder: Path, people: People, name: str = "mpi_inf_train", **changed) -> Path:
    save(folder, people, lambda n: f"images/{people.files[n]}.jpg")
    np.savez(folder / f"{name}.npz", **{**spin_arrays(people), **changed})
    return folder


def write_h36m(folder: Path, people: People) -> Path:
    return write_spin(folder, people, "h36m_train")


def write_4dhumans(folder: Path, people: People) -> Path:
    """`scale` in pixels, width and height; names as bytes; root and body apart."""
    save(folder, people, lambda n: f"images/{people.files[n]}.jpg")
    known = people.visible
    even = np.arange(len(people)) % 2 == 0
    np.savez_compressed(
        folder / "anything_train.npz",
        imgname=np.array([f"{name}.jpg".encode() for name in people.files]),
        center=people.center[:, None],
        scale=np.stack([people.side / 2, people.side], 1),
        body_keypoints_2d=into(IN_BODY25, 25, with_known(people.keypoints2d, known)),
        extra_keypoints_2d=into(IN_LSP, 19, with_known(people.keypoints2d, known)),
        body_keypoints_3d=into(IN_BODY25, 25, with_known(people.keypoints3d, known)),
        extra_keypoints_3d=into(IN_LSP, 19, with_known(people.keypoints3d, known)),
        body_pose=people.pose[:, 3:],
        global_orient=Rotation.from_rotvec(people.pose[:, :3]).as_matrix()[:, None],
        has_body_pose=even.astype(np.float32),
        betas=people.betas,
        has_betas=even.astype(np.float32),
    )
    return folder


def write_openpose(folder: Path, people: People) -> Path:
    points = points3(people, IN_BODY25, 25)
    for name in people.pictures:
        rows = [n for n in range(len(people)) if people.files[n] == name]
        content = {
            "version": 1.3,
            "people": [{"pose_keypoints_2d": points[n].ravel().tolist()} for n in rows],
        }
        folder.mkdir(parents=True, exist_ok=True)
        (folder / f"{name}_keypoints.json").write_text(json.dumps(content))
    save(folder, people, lambda n: f"{people.files[n]}.jpg")
    return folder


def write_json(folder: Path, people: People) -> Path:
    content = {}
    for n, name in enumerate(people.files):
        (x, y), half = people.center[n] + 0.5, people.side[n] / 2.4
        content.setdefault(f"{name}.jpg", []).append(
            {
                "box": [x - half, y - half / 2, x + half, y + half / 2],
                "keypoints": {
                    k: people.keypoints2d[n, i].tolist()
                    for i, k in enumerate(NAMES)
                    if people.visible[n, i]
                },
            }
        )
    save(folder, people, lambda n: f"{people.files[n]}.jpg")
    (folder / "annotations.json").write_text(json.dumps(content))
    return folder


# Each layout: the data set's name, who writes it, and the order of its joints.
LAYOUTS = {
    "coco": ("coco", write_coco, IN_COCO),
    "lsp": ("lsp", write_lsp, IN_LSP),
    "lspet": ("lspet", write_lspet, IN_LSP),
    "mpii": ("mpii", write_mpii, IN_MPII),
    "mpii of HRNet": ("mpii", write_mpii_json, IN_MPII),
    "mpii of the hourglass": ("mpii", write_hourglass_json, IN_MPII),
    "aic": ("aic", write_aic, IN_AIC),
    "mpi-inf-3dhp": ("mpi-inf-3dhp", write_3dhp, IN_3DHP),
    "3dpw": ("3dpw", write_3dpw, IN_OPENPOSE18),
    "h36m": ("h36m", write_h36m, IN_SPIN),
    "spin": ("spin", write_spin, IN_SPIN),
    "4dhumans": ("4dhumans", write_4dhumans, IN_BODY25),
    "openpose": ("openpose", write_openpose, IN_BODY25),
    "json": ("json", write_json, tuple(range(19))),
}
