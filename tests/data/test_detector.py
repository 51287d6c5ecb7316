"""An installed detector: mediapipe as it is, or a module in its place that finds red rectangles.

The stand-in finds one person in what it is shown, as mediapipe does: the largest red rectangle, of
which the landmarks are known shares. So it is known beforehand where everybody is.
"""

import sys
from importlib.util import find_spec
from pathlib import Path
from types import MappingProxyType, ModuleType, SimpleNamespace

import numpy as np
import pytest
import torch
from scipy import ndimage

import hmr_edu
from hmr_edu.data.detections import detector
from hmr_edu.data.detections.detector import detect_people, installed_detectors
from hmr_edu.data.detections.joint_sets import JOINT_SETS
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS

# Where the joints of a person are in its rectangle: share of its width, of its height.
PLACES = {
    "nose": (0.5, 0.05),
    "left_shoulder": (0.9, 0.25),
    "right_shoulder": (0.1, 0.25),
    "left_hip": (0.7, 0.5),
    "right_hip": (0.3, 0.5),
    "left_ankle": (0.8, 1.0),
    "right_ankle": (0.2, 1.0),
}


class RedRectangles:
    """`mediapipe.python.solutions.pose.Pose` for rectangles."""

    def __init__(self, static_image_mode, model_complexity):
        assert static_image_mode  # otherwise a picture would be taken for the next of a video

    def process(self, photo):
        height, width = photo.shape[:2]
        assert photo.flags["C_CONTIGUOUS"]
        labels, _ = ndimage.label((photo[..., 0] > 200) & (photo[..., 1] < 50))
        areas = ndimage.find_objects(labels)
        # Whole ones only: those that the window cuts are not recognised.
        whole = [
            (rows, columns)
            for rows, columns in areas
            if rows.start > 0 and columns.start > 0 and rows.stop < height and columns.stop < width
        ]
        if not whole:
            return SimpleNamespace(pose_landmarks=None)
        rows, columns = max(
            whole, key=lambda s: (s[0].stop - s[0].start) * (s[1].stop - s[1].start)
        )
        marks = []
        for name in JOINT_SETS["mediapipe33"]:
            a, b = PLACES.get(name, (0.5, 0.5))
            x = (columns.start + a * (columns.stop - columns.start)) / width
            y = (rows.start + b * (rows.stop - rows.start)) / height
            marks.append(SimpleNamespace(x=x, y=y, z=0.0, visibility=0.95 * (name in PLACES)))
        return SimpleNamespace(pose_landmarks=SimpleNamespace(landmark=marks))


class Inventing:
    """A detector that sees somebody wherever it looks, each time elsewhere."""

    def __init__(self, static_image_mode, model_complexity):
        self.random = np.random.default_rng(0)

    def process(self, photo):
        marks = [
            SimpleNamespace(x=x, y=y, visibility=0.9) for x, y in self.random.uniform(size=(33, 2))
        ]
        return SimpleNamespace(pose_landmarks=SimpleNamespace(landmark=marks))


@pytest.fixture
def install(monkeypatch):
    """Put modules in the place of mediapipe and rtmlib; None where one is not installed."""

    def put(mediapipe=None, rtmlib=None):
        for load in (detector._mediapipe, detector._rtmlib):
            load.cache_clear()
        there = {"mediapipe": mediapipe, "mediapipe.python.solutions.pose": mediapipe}
        there |= {"rtmlib": rtmlib, "onnxruntime": rtmlib}
        for name, module in there.items():
            monkeypatch.setitem(sys.modules, name, module)
        monkeypatch.setattr(detector, "find_spec", there.get)

    yield put
    for load in (detector._mediapipe, detector._rtmlib):
        load.cache_clear()


def module(**names):
    made = ModuleType("stand-in")
    vars(made).update(names)
    return made


def street(*rectangles, height=300, width=480):
    photo = np.full((height, width, 3), 90, np.uint8)
    for x, y, w, h in rectangles:
        photo[y : y + h, x : x + w] = (255, 0, 0)
    return photo


def expected(x, y, w, h):
    """Pixels of the seven joints; the left edge of the picture is at -0.5."""
    return {name: (x + a * w - 0.5, y + b * h - 0.5) for name, (a, b) in PLACES.items()}


def assert_is(person, rectangle, tolerance=1e-3):
    known = expected(*rectangle)
    for i, name in enumerate(COCOPLUS):
        assert (person.confidence[i] > 0) == (name in known), name
        if name in known:
            np.testing.assert_allclose(person.keypoints2d[i], known[name], atol=tolerance)
            assert person.confidence[i] == pytest.approx(0.95)
        else:
            assert person.keypoints2d[i].tolist() == [0, 0]


PEOPLE = [(40, 60, 60, 200), (200, 100, 50, 160), (380, 120, 30, 110)]


def test_everybody_is_found_with_a_detector_of_one_person(install):
    install(module(Pose=RedRectangles))
    assert installed_detectors() == ["mediapipe"]
    found = detect_people(street(*PEOPLE))
    found = sorted(found, key=lambda person: float(person.keypoints2d[14, 0]))
    assert len(found) == 3
    for person, rectangle in zip(found, PEOPLE, strict=True):
        assert_is(person, rectangle)
        assert person.file is None
        assert person.where.startswith("mediapipe: person ")


def test_one_person_and_nobody(install):
    install(module(Pose=RedRectangles))
    (person,) = detect_people(street(PEOPLE[1]))
    assert_is(person, PEOPLE[1])
    assert detect_people(street()) == []
    assert detect_people(np.zeros((1, 1, 3), np.uint8)) == []
    assert detect_people(np.zeros((1, 900, 3), np.uint8)) == []


def test_people_who_move_at_every_look_are_invented(install):
    install(module(Pose=Inventing))
    assert detect_people(street()) == []


def test_a_huge_picture_is_reduced(install):
    install(module(Pose=RedRectangles))
    big = [(600, 900, 900, 3000), (3000, 1500, 750, 2400)]
    found = detect_people(street(*big, height=4500, width=7200))
    found = sorted(found, key=lambda person: float(person.keypoints2d[14, 0]))
    assert len(found) == 2
    for person, rectangle in zip(found, big, strict=True):
        # One pixel of the reduced picture is 3.6 of it.
        assert_is(person, rectangle, tolerance=3.6)


class Body:
    """`rtmlib.Body`, two people and one of whom it is not sure; BGR in."""

    MODE = MappingProxyType(
        {
            mode: {"det": f"https://x/{mode}-det.zip", "pose": f"https://x/{mode}-pose.zip"}
            for mode in ("performance", "lightweight", "balanced")
        }
    )

    def __init__(self, mode, backend):
        assert (mode, backend) == ("lightweight", "onnxruntime")
        print("load the model")

    def __call__(self, photo):
        assert photo[0, 0].tolist() == [3, 2, 1]
        keypoints = np.arange(3 * 17 * 2, dtype=np.float32).reshape(3, 17, 2)
        scores = np.repeat(np.array([[0.5], [1.25], [0.1]], np.float32), 17, 1)
        return keypoints, scores


def test_rtmlib_where_its_models_are_on_disk(install, tmp_path, monkeypatch, capsys):
    install(rtmlib=module(Body=Body))
    monkeypatch.setenv("TORCH_HOME", str(tmp_path))
    photo = np.full((200, 200, 3), (1, 2, 3), np.uint8)
    assert installed_detectors() == []  # it would download them
    with pytest.raises(DataError, match="rtmlib has not downloaded its models yet"):
        detect_people(photo)
    folder = tmp_path / "hub" / "checkpoints"
    folder.mkdir(parents=True)
    for part in ("det", "pose"):
        (folder / f"lightweight-{part}.onnx").touch()
    assert installed_detectors() == ["rtmlib"]
    surest, other = detect_people(photo)
    coco = JOINT_SETS["coco17"]
    for person, sure, first in ((surest, 1.0, 34), (other, 0.5, 0)):
        for i, name in enumerate(COCOPLUS):
            if name in coco:
                x = first + 2 * coco.index(name)
                assert person.keypoints2d[i].tolist() == [x, x + 1]
                assert person.confidence[i] == sure
            else:
                assert person.confidence[i] == 0
    assert capsys.readouterr().out == ""


def test_without_a_detector_it_is_said_what_to_install(install):
    install()
    photo = street()
    assert installed_detectors() == []
    with pytest.raises(DataError, match=r"no detector is installed: pip install 'hmr_edu\[detect"):
        detect_people(photo)
    install(module(Pose=RedRectangles))
    with pytest.raises(DataError, match="rtmlib is not installed"):
        detect_people(photo, "rtmlib")


def test_a_mediapipe_without_its_model(install, monkeypatch):
    """From 0.10.30 on the wheels lack it."""

    def spec(name):
        if name == "mediapipe":
            return object()
        if name.startswith("mediapipe."):
            raise ModuleNotFoundError("No module named 'mediapipe.python'")
        return None

    install()
    monkeypatch.setattr(detector, "find_spec", spec)
    with pytest.raises(DataError, match=r"no pose model of its own: pip install mediapipe==0\.10"):
        detect_people(street())


@pytest.mark.skipif(
    find_spec("mediapipe") is None, reason="needs mediapipe: pip install 'hmr_edu[detect]'"
)
def test_mediapipe_on_a_photograph():
    """Against the keypoints that a person annotated."""
    folder = Path(hmr_edu.__file__).parent / "assets" / "photos"
    photo = read_photo(folder / "astronaut.jpg")
    (person,) = detect_people(photo, "mediapipe")
    annotated = {"nose": (228, 125), "right_eye": (207, 102), "left_eye": (247, 102)}
    annotated |= {"right_shoulder": (85, 265), "left_shoulder": (330, 260)}
    for name, place in annotated.items():
        i = COCOPLUS.index(name)
        assert person.confidence[i] > 0.9
        assert torch.dist(person.keypoints2d[i], torch.tensor(place).float()) < 60, name
    # Her legs are not in the picture.
    for name in ("left_knee", "right_knee", "left_ankle", "right_ankle"):
        assert person.confidence[COCOPLUS.index(name)] == 0
