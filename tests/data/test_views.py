"""Several calibrated pictures of one person: points in space, and scores that are known."""

import json
import math

import numpy as np
import pytest
import torch
from helpers.toy_body import toy_body
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.optimize import least_squares
from scipy.spatial.transform import Rotation
from torch import nn

from hmr_edu.body import SMPL
from hmr_edu.cli import main
from hmr_edu.data.photos.annotations import read_annotations
from hmr_edu.data.photos.calibration import group_by_moment, read_cameras
from hmr_edu.evaluation.triangulation import View, triangulate
from hmr_edu.evaluation.views import evaluate_views, triangulate_recording, view_table
from hmr_edu.hmr import HMR
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import LSP

SIZE = 240
PERSON = np.array(
    [
        *([-0.1, 0.9, 0.02], [-0.1, 0.5, 0.03], [-0.09, 0.0, 0.0], [0.09, 0.0, 0.0]),
        *([0.1, 0.45, -0.2], [0.1, 0.85, 0.1], [-0.6, -0.5, 0.1], [-0.4, -0.5, 0.05]),
        *([-0.18, -0.5, 0.0], [0.18, -0.5, 0.0], [0.3, -0.2, -0.1], [0.4, 0.0, -0.25]),
        *([0.0, -0.52, 0.0], [0.0, -0.8, 0.0]),
    ]
)


def camera(yaw: float, height: float = 0.0, distance: float = 4.0) -> View:
    R = Rotation.from_euler("yx", [yaw, height], degrees=True).as_matrix()
    K = [[400.0, 0.0, 118.0], [0.0, 390.0, 122.0], [0.0, 0.0, 1.0]]
    parts = K, R, [0.05, -0.1, distance]
    return View(*(torch.tensor(np.asarray(part), dtype=torch.float32) for part in parts))


CAMERAS = {"left": camera(-50), "middle": camera(0, 15), "right": camera(60, -10, 3.0)}


def as_json(view: View) -> dict:
    return {name: getattr(view, name).tolist() for name in ("K", "R", "t")}


def recording(tmp_path, places=PERSON, moments=("1", "2"), keep=lambda camera, name: True):
    """Pictures of nothing, marked by the cameras themselves; and the calibration."""
    marks = {}
    for number, moment in enumerate(moments):
        turned = places @ Rotation.from_euler("y", 20 * number, degrees=True).as_matrix().T
        for name, view in CAMERAS.items():
            file = f"{name}/{moment}.png"
            (tmp_path / name).mkdir(exist_ok=True)
            Image.fromarray(np.zeros((SIZE, SIZE, 3), np.uint8)).save(tmp_path / file)
            pixels = view.pixels(torch.tensor(turned, dtype=torch.float32)).tolist()
            named = {joint: p for joint, p in zip(LSP, pixels, strict=True) if keep(name, joint)}
            marks[file] = [{"keypoints": named}]
    (tmp_path / "marks.json").write_text(json.dumps(marks))
    calibration = {name: as_json(view) for name, view in CAMERAS.items()}
    (tmp_path / "cameras.json").write_text(json.dumps(calibration))
    return tmp_path / "marks.json", tmp_path / "cameras.json"


def read(tmp_path, **options):
    marks, calibration = recording(tmp_path, **options)
    cameras = read_cameras(calibration)
    return group_by_moment(read_annotations(marks), cameras), cameras


class Knows(HMR):
    """A network that answers with given keypoints, whatever the pictures."""

    def __init__(self, keypoints3d):
        nn.Module.__init__(self)
        self.body, self.image_size = SMPL(toy_body()), 16
        self.keypoints3d, self.weight = keypoints3d, nn.Parameter(torch.zeros(1))
        self.regressor = HMR("resnet18", image_size=32, width=8, stem="small").regressor

    def forward(self, images, vertices=True):
        theta = torch.zeros(len(images), 85)
        theta[:, 0] = 0.5
        return [self.detail(theta)._replace(keypoints3d=self.keypoints3d)]


@given(
    seed=st.integers(0, 2**31),
    hidden=st.lists(st.tuples(st.integers(0, 2), st.integers(0, 13)), max_size=8),
)
def test_exact_marks_meet_where_the_points_are(seed, hidden):
    points = torch.tensor(np.random.default_rng(seed).uniform(-1, 1, (14, 3)))
    views = [View(*(part.double() for part in view)) for view in CAMERAS.values()]
    pixels = torch.stack([view.pixels(points) for view in views])
    seen = torch.ones(3, 14, dtype=torch.bool)
    for view, joint in hidden:
        seen[view, joint] = False
        pixels[view, joint] = torch.nan if joint % 2 else 1e4
    found, miss = triangulate(views, pixels, seen)
    known = seen.sum(0) >= 2
    torch.testing.assert_close(found[known], points[known], atol=1e-6, rtol=0)
    assert (miss[known] < 1e-4).all()
    assert found[~known].isnan().all()


def test_rough_marks_meet_near_the_least_squares_point():
    rng = np.random.default_rng(0)
    views = list(CAMERAS.values())
    points = torch.tensor(PERSON, dtype=torch.float32)
    exact = torch.stack([view.pixels(points) for view in views])
    rough = exact + torch.tensor(rng.normal(0, 1.0, exact.shape), dtype=torch.float32)
    found, miss = triangulate(views, rough, torch.ones(3, 14, dtype=torch.bool))

    def off(x, joint):
        x = torch.tensor(x, dtype=torch.float32)[None]
        return torch.stack(
            [v.pixels(x)[0] - rough[k, joint] for k, v in enumerate(views)]
        ).flatten()

    best = [least_squares(off, PERSON[j], args=(j,), diff_step=1e-3).x for j in range(14)]
    # Four metres off, a pixel is a centimetre.
    assert np.abs(found.numpy() - best).max() < 0.004
    assert 0.5 < miss.mean() < 2


def test_a_point_behind_a_camera_is_not_known():
    views = [camera(0), camera(0)]
    views[1] = views[1]._replace(t=torch.tensor([-0.5, 0.0, 4.0]))
    # Rays that part in front of the cameras meet behind them.
    pixels = torch.tensor([[[100.0, 122.0]], [[140.0, 122.0]]])
    found, _ = triangulate(views, pixels, torch.ones(2, 1, dtype=torch.bool))
    swapped, _ = triangulate(views, pixels.flip(0), torch.ones(2, 1, dtype=torch.bool))
    assert found.isnan().all() != swapped.isnan().all()


def test_truth_in_each_cameras_frame(tmp_path):
    measured, errors = triangulate_recording(*read(tmp_path))
    assert len(measured) == 6
    assert max(errors).pixels < 1e-3
    for _, joints, known, _ in measured:
        assert known.all()
        # Bones keep their length whatever the camera.
        length = np.linalg.norm(PERSON[0] - PERSON[1])
        assert float((joints[0] - joints[1]).norm()) == pytest.approx(length, abs=1e-4)
    middle = next(m for m in measured if m.person.path.parts[-2:] == ("middle", "1.png"))
    expected = CAMERAS["middle"].to_camera(torch.tensor(PERSON, dtype=torch.float32))
    assert middle.joints.dtype == torch.float32
    torch.testing.assert_close(middle.joints, expected, atol=1e-4, rtol=0)


def answers(measured, change):
    joints = torch.stack([change(m.joints) for m in measured])
    return torch.cat([joints, torch.zeros(len(joints), 5, 3)], 1)


def test_scores_that_are_known(tmp_path):
    found, cameras = read(tmp_path)
    measured, _ = triangulate_recording(found, cameras)
    quarter = torch.tensor(Rotation.from_euler("z", 90, degrees=True).as_matrix()).float()
    models = {
        "right": Knows(answers(measured, lambda j: j + 3.0)),
        "large": Knows(answers(measured, lambda j: 1.5 * j)),
        "facing_flipped": Knows(answers(measured, lambda j: j @ quarter)),
        "mirrored": Knows(answers(measured, lambda j: j * torch.tensor([-1.0, 1.0, 1.0]))),
        "away": Knows(answers(measured, lambda j: j * torch.tensor([-1.0, 1.0, -1.0]))),
    }
    record = evaluate_views(models, found, cameras)
    assert record["right"]["mpjpe"] == pytest.approx(0, abs=0.1)
    middles = [m.joints - m.joints[2:4].mean(0) for m in measured]
    half = 1000 * 0.5 * torch.stack(middles).norm(dim=-1).mean()
    assert record["large"]["mpjpe"] == pytest.approx(float(half), rel=1e-3)
    for name in ("right", "large", "facing_flipped", "away"):
        assert record[name]["pa_mpjpe"] == pytest.approx(0, abs=0.1)
    assert record["facing_flipped"]["mpjpe"] > 100
    assert record["mirrored"]["pa_mpjpe"] > 10
    around = {"right": 0.0, "large": 0.0, "away": 1.0}
    assert {name: record[name]["facing_flipped"] for name in around} == around
    assert record["right, shuffled"]["mpjpe"] > 100
    assert "6 pictures, 2 moments, 3 cameras" in view_table(record)
    assert len(view_table(record).splitlines()) == 4 + 2 * len(models)


def test_nobody_is_handed_an_answer_for_his_own_moment(tmp_path):
    found, cameras = read(tmp_path, moments=("1",))
    measured, _ = triangulate_recording(found, cameras)
    record = evaluate_views({"right": Knows(answers(measured, lambda j: j))}, found, cameras)
    assert record["right, shuffled"] == {"mpjpe": None, "pa_mpjpe": None, "facing_flipped": None}
    assert record["right"]["mpjpe"] == pytest.approx(0, abs=0.1)
    assert "-" in view_table(record).splitlines()[4]


def slip(tmp_path, pixels):
    """A recording with one mark that many pixels off."""
    marks, calibration = recording(tmp_path)
    content = json.loads(marks.read_text())
    content["left/1.png"][0]["keypoints"]["right_knee"][0] += pixels
    marks.write_text(json.dumps(content))
    cameras = read_cameras(calibration)
    return group_by_moment(read_annotations(marks), cameras), cameras


def test_a_mark_that_slipped_is_no_truth_and_is_named(tmp_path):
    knee = LSP.index("right_knee")
    measured, errors = triangulate_recording(*slip(tmp_path, pixels=300))
    assert max(errors)[1:] == ("right_knee", "1")
    for m in measured:
        others = [j for j in range(14) if j != knee]
        assert m.known[others].all()
        assert bool(m.known[knee]) == (m.person.path.stem != "1")
    found, cameras = slip(tmp_path, pixels=2)
    measured, errors = triangulate_recording(found, cameras)
    assert all(m.known.all() for m in measured)
    assert max(errors)[1:] == ("right_knee", "1")
    record = evaluate_views({"right": Knows(answers(measured, lambda j: j))}, found, cameras)
    assert "the right_knee of moment 1" in view_table(record)


def test_cameras_at_one_place_measure_nothing():
    views = [camera(0), camera(0)]
    points = torch.tensor(PERSON, dtype=torch.float32)
    pixels = torch.stack([view.pixels(points) for view in views])
    found, _ = triangulate(views, pixels, torch.ones(2, 14, dtype=torch.bool))
    assert found.isnan().all()


def test_a_world_whose_origin_is_far_away_keeps_its_digits(tmp_path):
    _, calibration = recording(tmp_path)
    near = read_cameras(calibration)
    content = json.loads(calibration.read_text())
    far = torch.tensor([4e5, 5e6, 100.0], dtype=torch.float64)
    for view in content.values():
        R, t = (torch.tensor(view[key], dtype=torch.float64) for key in ("R", "t"))
        view["t"] = (t - R @ far).tolist()
    calibration.write_text(json.dumps(content))
    points = torch.tensor(PERSON, dtype=torch.float64)
    for name, view in read_cameras(calibration).items():
        expected = near[name].to_camera(points)
        torch.testing.assert_close(view.to_camera(points + far), expected, atol=1e-5, rtol=0)


def test_joints_that_one_camera_alone_sees_do_not_count(tmp_path):
    hand = ("right_wrist", "right_elbow")
    found, cameras = read(
        tmp_path, keep=lambda camera, joint: camera == "left" or joint not in hand
    )
    measured, _ = triangulate_recording(found, cameras)
    unknown = [LSP.index(joint) for joint in hand]

    def spoilt(joints):
        joints = joints.clone()
        joints[unknown] = 7.0
        return joints

    assert all(not m.known[unknown].any() and m.known.sum() == 12 for m in measured)
    record = evaluate_views({"network": Knows(answers(measured, spoilt))}, found, cameras)
    assert record["network"]["mpjpe"] == pytest.approx(0, abs=0.1)


def test_pictures_without_hips_are_left_out(tmp_path):
    found, cameras = read(tmp_path, keep=lambda _, joint: joint != "left_hip")
    with pytest.raises(DataError, match="both hips"):
        triangulate_recording(found, cameras)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (lambda c: c.update(left={"K": 1}), "camera 'left': `K` must be 3 rows"),
        (lambda c: c["left"].update(R=[[2, 0, 0], [0, 1, 0], [0, 0, 1]]), "`R` is no rotation"),
        (lambda c: c["left"].update(R=[[-1, 0, 0], [0, 1, 0], [0, 0, 1]]), "`R` is no rotation"),
        (lambda c: c["left"].update(t=[0, 0, math.nan]), "`t` must be 3 finite numbers"),
        (lambda c: c["left"].update(K=[[0, 0, 1], [0, 1, 1], [0, 0, 1]]), "`K` is not"),
        (lambda c: c["left"].pop("t"), "`t` must be 3 finite numbers"),
        (lambda c: [c.pop("left"), c.pop("right")], "at least two cameras"),
        (lambda c: c.pop("left"), "no camera is called 'left'; middle, right are"),
    ],
)
def test_what_is_wrong_with_a_calibration(tmp_path, capsys, change, message):
    marks, calibration = recording(tmp_path)
    content = json.loads(calibration.read_text())
    change(content)
    calibration.write_text(json.dumps(content))
    assert main(["evaluate-views", str(marks), str(calibration)]) == 2
    assert message in capsys.readouterr().err


def test_what_is_wrong_with_the_pictures(tmp_path):
    marks, calibration = recording(tmp_path)
    cameras = read_cameras(calibration)
    people = read_annotations(marks)
    with pytest.raises(DataError, match="two people"):
        group_by_moment([people[0], people[0]], cameras)
    with pytest.raises(DataError, match="no moment"):
        group_by_moment(people[:1], cameras)
    with pytest.raises(FileNotFoundError, match="nowhere"):
        read_cameras(tmp_path / "nowhere.json")
    (tmp_path / "broken.json").write_text("{")
    with pytest.raises(DataError, match="not JSON"):
        read_cameras(tmp_path / "broken.json")


@pytest.mark.slow
def test_the_command(tmp_path, capsys):
    marks, calibration = recording(tmp_path)
    out = tmp_path / "scores.json"
    assert main(["evaluate-views", str(marks), str(calibration), "--out", str(out)]) == 0
    assert "network, shuffled" in capsys.readouterr().out
    record = json.loads(out.read_text())
    assert record["about"]["pictures"] == 6
    assert 0 < record["network"]["pa_mpjpe"] < record["network"]["mpjpe"]


def test_answers_in_the_frame_of_the_crop_are_brought_to_the_cameras(tmp_path):
    people, cameras = read(tmp_path, places=PERSON + np.array([0.5, 0.1, 0.0]))
    measured, _ = triangulate_recording(people, cameras)
    answers = torch.zeros(len(measured), 19, 3)
    for answer, (person, joints, _, view) in zip(answers, measured, strict=True):
        # What a camera sees that looks at the middle of the crop, by scipy.
        centre = np.array([person.crop.x, person.crop.y, 1.0])
        ray = np.linalg.solve(view.K.double().numpy(), centre)
        across = np.cross([0.0, 0.0, 1.0], ray)
        angle = np.arctan2(np.linalg.norm(across), ray[2])
        back = Rotation.from_rotvec(-across / np.linalg.norm(across) * angle).as_matrix()
        answer[:14] = joints @ torch.tensor(back, dtype=torch.float32).T
    network = Knows(answers)
    straight = evaluate_views({"network": network}, people, cameras, rays=True)["network"]
    plain = evaluate_views({"network": network}, people, cameras)["network"]
    assert straight["mpjpe"] < 0.1
    assert plain["mpjpe"] > 20
    assert plain["pa_mpjpe"] == pytest.approx(straight["pa_mpjpe"], abs=0.1)
