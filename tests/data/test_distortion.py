"""The lens's distortion against OpenCV's own numbers and scipy's solutions of its equations."""

import json

import numpy as np
import pytest
import torch
from PIL import Image
from scipy.optimize import root
from scipy.spatial.transform import Rotation

from hmr_edu.data.photos.annotations import read_annotations
from hmr_edu.data.photos.calibration import View, group_by_moment, read_cameras
from hmr_edu.data.photos.distortion import distort, undistort
from hmr_edu.evaluation.triangulation import triangulate
from hmr_edu.evaluation.views import triangulate_recording
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import LSP

LENS = [-0.28, 0.09, 0.002, -0.0015, -0.012]  # k1, k2, p1, p2, k3
# OpenCV 5.0.0: cv2.projectPoints(X, cv2.Rodrigues((0.2, -0.4, 0.1)), T, K, LENS).
K = [[400.0, 0.0, 118.0], [0.0, 390.0, 122.0], [0.0, 0.0, 1.0]]
T = [0.05, -0.1, 4.0]
X = [[-1.2, 0.9, 0.02], [1.5, -0.7, 0.3], [0.09, 0.0, 0.0], [-0.6, -1.4, 0.5], [2.0, 1.8, -0.5]]
OPENCV = [
    [-5.1434191492314625, 193.8158067357581],
    [232.7575600787595, 61.5498763995034],
    [131.12180630511432, 112.84108990182546],
    [70.17546553926587, -27.963893157561017],
    [262.3286142780891, 267.01044628453405],
]


def exact(values):
    return torch.tensor(np.asarray(values), dtype=torch.float64)


def opencvs_camera(lens=LENS):
    R = Rotation.from_rotvec((0.2, -0.4, 0.1)).as_matrix()
    return View(*map(exact, (K, R, T, lens)))


def test_the_pixels_are_opencvs():
    torch.testing.assert_close(opencvs_camera().pixels(exact(X)), exact(OPENCV), atol=1e-9, rtol=0)


def test_rays_go_back_through_opencvs_pixels():
    view = opencvs_camera()
    seen = view.to_camera(exact(X))
    torch.testing.assert_close(
        view.rays(exact(OPENCV)), seen[:, :2] / seen[:, 2:], atol=1e-10, rtol=0
    )


@pytest.mark.parametrize(
    "lens",
    [
        LENS,
        [0, 0, 0, 0, 0],
        [0.4, 0.1, 0, 0, 0],  # a pincushion
        [-0.3, 0, 0, 0, 0],  # a barrel, which folds over at r = 1.05
        [-0.45, 0.25, 0.01, -0.02, -0.06],
    ],
)
def test_the_inverse_is_scipys(lens):
    k1, k2, p1, p2, k3 = lens

    def published(point, target):
        x, y = point
        r2 = x**2 + y**2
        radial = 1 + k1 * r2 + k2 * r2**2 + k3 * r2**3
        return (
            x * radial + 2 * p1 * x * y + p2 * (r2 + 2 * x**2) - target[0],
            y * radial + p1 * (r2 + 2 * y**2) + 2 * p2 * x * y - target[1],
        )

    grid = np.stack(np.meshgrid(*[np.linspace(-0.55, 0.55, 9)] * 2), -1).reshape(-1, 2)
    pixels = [published(point, (0, 0)) for point in grid]
    found = undistort(exact(pixels), exact(lens))
    solved = [root(published, p, args=(p,), tol=1e-13).x for p in pixels]
    torch.testing.assert_close(found, exact(solved), atol=1e-8, rtol=0)
    torch.testing.assert_close(found, exact(grid), atol=1e-8, rtol=0)


def test_beyond_the_fold_there_is_nothing():
    """1 - 0.3 r^2 times r has its maximum 0.703 at r = 1.054: nothing is seen farther out."""
    lens = exact([-0.3, 0, 0, 0, 0])
    found = undistort(exact([[0.70, 0.0], [0.71, 0.0], [0.0, -5.0]]), lens)
    assert found.isnan().any(1).tolist() == [False, True, True]
    torch.testing.assert_close(distort(found[:1], lens), exact([[0.70, 0.0]]))
    with pytest.raises(DataError, match=r"pixel \(403\.0, 122\.0\) through a lens"):
        opencvs_camera([-0.3, 0, 0, 0, 0]).rays(exact([[118.0, 122.0], [403.0, 122.0]]))


BODY = np.random.default_rng(0).uniform(-0.8, 0.8, (14, 3))


def views(lens):
    rotations = [
        Rotation.from_euler("yx", a, degrees=True).as_matrix() for a in ((-50, 0), (40, 15))
    ]
    return [View(*map(exact, (K, R, [0.05, -0.1, 4.0], lens))) for R in rotations]


def test_points_meet_where_they_are_in_spite_of_the_lens():
    seen = torch.ones(2, 14, dtype=torch.bool)
    pixels = torch.stack([view.pixels(exact(BODY)) for view in views(LENS)])
    points, miss = triangulate(views(LENS), pixels, seen)
    torch.testing.assert_close(points, exact(BODY), atol=1e-8, rtol=0)
    assert miss.max() < 1e-6
    # Without the lens the same pixels meet centimetres away.
    wrong, _ = triangulate(views([0.0] * 5), pixels, seen)
    assert (wrong - exact(BODY)).norm(dim=1).max() > 0.01


def test_what_is_not_seen_may_lie_beyond_the_lens():
    lens = [-0.3, 0.0, 0.0, 0.0, 0.0]
    pixels = torch.stack([view.pixels(exact(BODY)) for view in views(lens)])
    seen = torch.ones(2, 14, dtype=torch.bool)
    seen[1, 3], pixels[1, 3] = False, 1e6
    points, _ = triangulate(views(lens), pixels, seen)
    assert points.isnan().any(1).nonzero().flatten().tolist() == [3]


# ---------------------------------------------------------------------------------------- the file


def recording(tmp_path, lens, **more):
    marks, calibration = {}, {}
    for name, view in zip(("left", "right"), views(lens), strict=True):
        (tmp_path / name).mkdir(exist_ok=True)
        Image.fromarray(np.zeros((200, 240, 3), np.uint8)).save(tmp_path / name / "1.png")
        pixels = view.pixels(exact(BODY)).tolist()
        marks[f"{name}/1.png"] = [{"keypoints": dict(zip(LSP, pixels, strict=True))}]
        calibration[name] = {key: getattr(view, key).tolist() for key in ("K", "R", "t")} | more
    (tmp_path / "marks.json").write_text(json.dumps(marks))
    (tmp_path / "cameras.json").write_text(json.dumps(calibration))
    cameras = read_cameras(tmp_path / "cameras.json")
    return group_by_moment(read_annotations(tmp_path / "marks.json"), cameras), cameras


@pytest.mark.parametrize(
    ("lens", "written"),
    [
        (LENS, LENS),
        ([*LENS[:4], 0.0], LENS[:4]),  # k3 may be left out
        (LENS, [*LENS, 0, 0, 0]),  # OpenCV's longer model, without its further terms
        ([0.0] * 5, [0, 0, 0, 0]),
    ],
)
def test_a_calibration_with_distortion(tmp_path, lens, written):
    measured, errors = triangulate_recording(*recording(tmp_path, lens, distortion=written))
    assert max(errors).pixels < 1e-3
    for one, view in zip(measured, views(lens), strict=True):
        expected = view.to_camera(exact(BODY)).float()
        torch.testing.assert_close(one.joints, expected, atol=1e-4, rtol=0)


def test_pictures_of_the_calibrated_size(tmp_path):
    found, _ = recording(tmp_path, LENS, distortion=LENS)
    assert len(found) == 1
    for size in ([240, 200], [480, 400]):
        content = json.loads((tmp_path / "cameras.json").read_text())
        content["right"]["size"] = size
        (tmp_path / "cameras.json").write_text(json.dumps(content))
        cameras = read_cameras(tmp_path / "cameras.json")
        people = read_annotations(tmp_path / "marks.json")
        if size == [240, 200]:
            assert len(group_by_moment(people, cameras)) == 1
        else:
            with pytest.raises(
                DataError, match=r"camera 'right' records 480 x 400.*scaled by 0\.5"
            ):
                group_by_moment(people, cameras)


@pytest.mark.parametrize(
    ("more", "words"),
    [
        ({"dist": LENS}, "'dist' is not known; `K`, `R`, `t`, `distortion`, `size` are"),
        ({"distortion": LENS[:3]}, "must be OpenCV's"),
        ({"distortion": [*LENS, 0.1, 0, 0]}, "that of k1, k2, p1, p2, k3 can be used"),
        ({"distortion": "none"}, "must be OpenCV's"),
        ({"distortion": [1, 2, 3, None]}, "`distortion` must be 4 finite numbers"),
        ({"size": [240]}, "`size` must be 2 finite numbers"),
        ({"size": [-1, 200]}, "must be positive whole numbers"),
    ],
)
def test_what_a_calibration_cannot_say(tmp_path, more, words):
    with pytest.raises(DataError, match=r"cameras\.json: camera 'left'") as error:
        recording(tmp_path, LENS, **more)
    assert words in str(error.value)


def test_whole_numbers_in_a_calibration():
    """Points keep their fractions beside a camera of whole numbers."""
    turn = [[0, 0, 1], [0, 1, 0], [-1, 0, 0]]
    whole = View(
        *(
            torch.tensor(part)
            for part in ([[400, 0, 118], [0, 390, 122], [0, 0, 1]], turn, [0, 0, 4])
        )
    )
    point = torch.tensor([[0.3, 0.7, 0.5]])
    # R X = (0.5, 0.7, -0.3), at depth 3.7.
    by_hand = [[400 * 0.5 / 3.7 + 118, 390 * 0.7 / 3.7 + 122]]
    torch.testing.assert_close(whole.pixels(point), torch.tensor(by_hand))
