"""Keypoints from files: everybody, in pixels, by the formats' own documentation.

COCO: https://cocodataset.org/#format-data and #format-results. OpenPose: doc/02_output.md of its
repository. MediaPipe: a landmark's x and y are shares of the picture's width and height.
"""

import json

import numpy as np
import pytest
import torch
from PIL import Image

from hmr_edu.data.detections.files import read_detections
from hmr_edu.data.detections.joint_sets import JOINT_SETS
from hmr_edu.data.photos.coco_writer import write_person
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCOPLUS

WIDTH, HEIGHT = 200, 100


@pytest.fixture
def picture(tmp_path):
    path = tmp_path / "walk.jpg"
    Image.new("RGB", (WIDTH, HEIGHT)).save(path)
    return path


def write(tmp_path, content, name="found.json"):
    path = tmp_path / name
    path.parent.mkdir(exist_ok=True)
    path.write_text(content if isinstance(content, str) else json.dumps(content))
    return path


def flat(names, shift=0, **known):
    """Return x, y, confidence of each joint, in the set's order; 0, 0, 0 where nothing is known."""
    values = []
    for name in JOINT_SETS[names]:
        x, y, sure = known.get(name, (0, 0, 0))
        values += [x + shift * bool(sure), y, sure]
    return values


def places(detection):
    """Return {name: (x, y, confidence)} of the known keypoints."""
    rows = zip(COCOPLUS, detection.keypoints2d.tolist(), detection.confidence.tolist(), strict=True)
    return {name: (*point, pytest.approx(sure)) for name, point, sure in rows if sure}


KNOWN = {"nose": (50, 20, 0.9), "left_knee": (60, 70, 0.5), "right_ear": (44, 18, 0.25)}
NO_NAMES = {
    # Each with the joint that the set's own order has at this place.
    "body25": {0: "nose", 13: "left_knee", 17: "right_ear", 11: "right_ankle"},
    "openpose18": {0: "nose", 12: "left_knee", 16: "right_ear", 10: "right_ankle"},
}


def openpose(*people):
    return {
        "version": 1.3,
        "people": [{"person_id": [-1], "pose_keypoints_2d": person} for person in people],
    }


@pytest.mark.parametrize("names", ["body25", "openpose18"])
def test_openpose(tmp_path, picture, names):
    values = [0.0] * 3 * len(JOINT_SETS[names])
    for number, name in NO_NAMES[names].items():
        if name in KNOWN:
            values[3 * number : 3 * number + 3] = KNOWN[name]
    moved = [v + 100 * (i % 3 == 0 and values[i + 2] > 0) for i, v in enumerate(values)]
    path = write(tmp_path, openpose(values, moved, [], [0] * len(values)))
    first, second = read_detections(path, picture)
    assert places(first) == KNOWN
    assert places(second) == {name: (x + 100, y, c) for name, (x, y, c) in KNOWN.items()}
    assert (first.file, first.where) == (None, f"{path}: person 0")
    assert len(read_detections(path)) == 2


def test_openpose_before_version_1_2(tmp_path):
    content = {"version": 0.1, "people": [{"pose_keypoints": flat("openpose18", **KNOWN)}]}
    (person,) = read_detections(write(tmp_path, content))
    assert places(person) == KNOWN


def test_openpose_found_nobody(tmp_path, picture):
    assert read_detections(write(tmp_path, openpose()), picture) == []
    assert read_detections(write(tmp_path, "[]"), picture) == []


def test_a_folder_of_openpose(tmp_path, picture):
    for shift, name in ((0, "walk"), (7, "run"), (9, "walk2")):
        content = openpose(flat("body25", shift, **KNOWN))
        write(tmp_path, content, f"json/{name}_keypoints.json")
    folder = tmp_path / "json"
    (person,) = read_detections(folder, picture)
    assert places(person) == KNOWN
    assert person.file == "walk"
    everybody = read_detections(folder)
    assert [each.file for each in everybody] == ["run", "walk", "walk2"]
    assert [places(each)["nose"][0] for each in everybody] == [57, 50, 59]
    other = picture.rename(tmp_path / "swim.jpg")
    with pytest.raises(DataError, match=r"no file belongs to swim.jpg; swim_keypoints.json would"):
        read_detections(folder, other)
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match="empty: a folder without JSON files"):
        read_detections(tmp_path / "empty", other)


def test_results_of_coco(tmp_path, picture):
    people = [
        {"image_id": i, "category_id": 1, "keypoints": flat("coco17", i, **KNOWN), "score": 0.7}
        for i in (785, 12, 785)
    ]
    path = write(tmp_path, people)
    everybody = read_detections(path)
    names = ["000000000785", "000000000012", "000000000785"]
    assert [person.file for person in everybody] == names
    wide = Image.new("RGB", (1000, 100))
    for name in ("000000000012.png", "COCO_val2014_000000000012.jpg"):
        wide.save(tmp_path / name)
        (person,) = read_detections(path, tmp_path / name)
        assert places(person)["nose"] == (62, 20, 0.9)
    with pytest.raises(DataError, match=r"nobody in it belongs to walk\.jpg; there are 0+12"):
        read_detections(path, picture)


def test_results_of_alphapose(tmp_path, picture):
    """Names instead of numbers, and confidences above 1."""
    known = {**KNOWN, "nose": (50, 20, 3.5)}
    people = [
        {"image_id": file, "category_id": 1, "keypoints": flat("coco17", **known), "score": 2.9}
        for file in ("walk.jpg", "other.jpg")
    ]
    (person,) = read_detections(write(tmp_path, people), picture)
    assert places(person)["nose"] == (50, 20, 1)
    assert person.file == "walk.jpg"


def coco(*people, images):
    """Write COCO's annotations; a person is (picture, keypoints)."""
    annotations = [
        {"id": i, "image_id": image, "category_id": 1, "iscrowd": 0, "keypoints": keypoints}
        for i, (image, keypoints) in enumerate(people)
    ]
    return {
        "images": [
            {"id": i, "file_name": name, "width": WIDTH, "height": HEIGHT}
            for i, name in enumerate(images)
        ],
        "annotations": annotations,
        "categories": [{"id": 1, "name": "person", "keypoints": list(JOINT_SETS["coco17"])}],
    }


def annotated(shift=0):
    return flat("coco17", shift, nose=(50, 20, 2), left_knee=(60, 70, 1))


def test_annotations_of_coco(tmp_path, picture):
    nobody = [0] * 51
    people = [(1, annotated()), (0, annotated(5)), (1, annotated(9)), (1, nobody)]
    path = write(tmp_path, coco(*people, images=("run.jpg", "walk.jpg")))
    first, second = read_detections(path, picture)
    assert places(first) == {"nose": (50, 20, 1), "left_knee": (60, 70, 1)}
    assert places(second)["nose"] == (59, 20, 1)
    assert first.where == f"{path}: annotation 0"
    assert [each.file for each in read_detections(path)] == ["walk.jpg", "run.jpg", "walk.jpg"]


def test_what_the_keypoint_editor_saves(tmp_path, picture):
    points = torch.arange(38.0).view(19, 2) + 10
    confidence = torch.tensor([1.0] * 13 + [1.0] + [0.0] * 5)  # neck and head top, which COCO lacks
    path = tmp_path / "clicked.json"
    write_person(path, "walk.jpg", (WIDTH, HEIGHT), points, confidence)
    (person,) = read_detections(path, picture)
    assert person.confidence.tolist() == confidence.tolist()
    torch.testing.assert_close(person.keypoints2d[:14], points[:14])


def test_folders_tell_pictures_of_one_name_apart(tmp_path):
    content = coco((0, annotated()), (1, annotated(9)), images=("left/a.jpg", "right\\a.jpg"))
    path = write(tmp_path, content)
    for side, x in (("left", 50), ("right", 59)):
        (tmp_path / side).mkdir()
        Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / side / "a.jpg")
        (person,) = read_detections(path, tmp_path / side / "a.jpg")
        assert places(person)["nose"][0] == x


def test_a_picture_of_another_size(tmp_path, picture):
    Image.new("RGB", (2 * WIDTH, 2 * HEIGHT)).save(picture)
    path = write(tmp_path, coco((0, annotated()), images=("walk.jpg",)))
    with pytest.raises(DataError, match=r"found.json.* records 200 x 100 pixels.*scaled by 2"):
        read_detections(path, picture)


def test_people_by_name(tmp_path, picture):
    content = {
        "walk.jpg": [{"keypoints": {"nose": [50, 20], "head_top": [50.5, 3]}}, {"keypoints": {}}],
        "run.jpg": [{"keypoints": {"neck": [1, 2]}}],
    }
    path = write(tmp_path, content)
    (person,) = read_detections(path, picture)
    assert places(person) == {"nose": (50, 20, 1), "head_top": (50.5, 3, 1)}
    assert len(read_detections(path)) == 2


def landmarks(**known):
    """Return 33 landmarks; those not given lie in the middle, unseen."""
    values = {name: known.get(name, (0.5, 0.5, 0)) for name in JOINT_SETS["mediapipe33"]}
    return [
        {"x": x, "y": y, "z": -0.1, "visibility": v, "presence": 1.0} for x, y, v in values.values()
    ]


@pytest.mark.parametrize(
    "layout",
    [
        lambda marks: {"landmark": marks},
        lambda marks: {"pose_landmarks": {"landmark": marks}, "pose_world_landmarks": {}},
        lambda marks: {"poseLandmarks": marks},
        lambda marks: {"landmarks": [marks]},
        lambda marks: {"pose_landmarks": [marks], "pose_world_landmarks": [marks]},
        lambda marks: marks,
    ],
)
def test_mediapipe(tmp_path, picture, layout):
    # In a picture 200 wide, x = 0.25 is 50 pixels from the left edge, which is at -0.5.
    marks = landmarks(nose=(0.25, 0.2, 0.9), left_knee=(0, 1, 0.5), right_ankle=(0.3, 1.2, 0.4))
    path = write(tmp_path, layout(marks))
    (person,) = read_detections(path, picture)
    assert places(person) == {"nose": (49.5, 19.5, 0.9), "left_knee": (-0.5, 99.5, 0.5)}
    with pytest.raises(DataError, match=r"found.json: MediaPipe's x and y are shares.*picture too"):
        read_detections(path)


def test_several_people_and_nobody_of_mediapipe(tmp_path, picture):
    people = [landmarks(nose=(0.1 * i, 0.5, 0.9)) for i in (1, 2, 3)]
    found = read_detections(write(tmp_path, {"pose_landmarks": people}), picture)
    assert [person.keypoints2d[14, 0].item() for person in found] == [19.5, 39.5, 59.5]
    for nobody in ([], None):
        assert read_detections(write(tmp_path, {"pose_landmarks": nobody}), picture) == []


def test_an_upright_phone_picture_gives_its_width_to_mediapipe(tmp_path):
    exif = Image.Exif()
    exif[0x0112] = 6
    Image.new("RGB", (WIDTH, HEIGHT)).save(tmp_path / "phone.jpg", exif=exif)  # shown 100 x 200
    path = write(tmp_path, landmarks(nose=(0.25, 0.25, 1)))
    (person,) = read_detections(path, tmp_path / "phone.jpg")
    assert places(person)["nose"] == (24.5, 49.5, 1)


def changed(number, value):
    values = flat("body25", **KNOWN)
    values[number] = value
    return openpose(values)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (changed(0, float("nan")), r"person 0: `pose_keypoints_2d` must be 75 finite numbers"),
        (changed(0, float("inf")), "finite numbers"),
        (changed(1, 1e300), "finite numbers"),
        (changed(1, 10**400), "finite numbers"),
        (changed(1, 1e6), "a keypoint lies far outside the picture, which is 200 x 100"),
        (changed(1, "20"), "finite numbers"),
        (changed(1, None), "finite numbers"),
        (changed(2, True), "finite numbers"),
        (changed(2, -0.1), "person 0: the confidence of nose is -0.1; it must be 0 to 1"),
        (changed(2, 90), "the confidence of nose is 90"),
        (openpose([*flat("body25"), 1]), r"must be 75 numbers \(BODY_25\) or 54 .* not 76"),
        (openpose([1.0] * 45), "not 45"),
        (openpose(7), "not 7"),
        ({"version": 1.3, "people": [3]}, "`people`: entry 0 is not an object"),
        ({"version": 1.3, "people": [{}]}, "`pose_keypoints_2d` must be .* not None"),
        (openpose(flat("body25", nose=(0.4, 0.3, 1), neck=(0.4, 0.4, 1))), "--keypoint_scale 0"),
        (openpose(flat("body25", nose=(250, 30, 1), neck=(260, 40, 1))), "none of the keypoints"),
        (
            [{"image_id": 1, "keypoints": [1.0] * 50}],
            "person 0: `keypoints`, .* must be 51",
        ),
        ([{"image_id": 1, "keypoints": [1.0] * 399}], "must be 51"),
        ([{"image_id": 1, "keypoints": None}], "must be 51"),
        (
            [{"image_id": None, "keypoints": flat("coco17")}],
            "`image_id` must be a number or",
        ),
        ([{"image_id": [], "keypoints": flat("coco17")}], "`image_id` must be a number or"),
        ([{"image_id": 1, "keypoints": []}, 4], "entry 1 is not an object"),
        (
            [{"image_id": 1, "keypoints": flat("coco17", nose=(1, 1, -1))}],
            "confidence of nose is -1",
        ),
        (landmarks()[:32], "must be a list of 33 landmarks, not 32"),
        ({"pose_landmarks": [[]]}, "`pose_landmarks`: person 0 must be a list of 33 .* not 0"),
        ({"pose_landmarks": 7}, "must be a list of 33 landmarks, not 7"),
        ({"landmark": {"landmark": "x"}}, "must be a list of 33 landmarks, not 'x'"),
        (landmarks(nose=(50, 20, 1)), "entry 0: `x` must be .*between -10 and 10, not 50"),
        (landmarks(nose=(float("nan"), 0.2, 1)), "entry 0: `x` must be .*not nan"),
        (landmarks(nose=(0.1, 0.2, 1.5)), "`visibility` must be .*not 1.5"),
        (landmarks(nose=(0.1, 0.2, None)), "`visibility` must be .*not None"),
        ([{"x": 0, "y": 0}] * 33, "`visibility` must be .*not missing"),
        ([*landmarks()[:32], 5], "entry 32 must be an object, not 5"),
        ({"walk.jpg": 5}, "'walk.jpg' must have a list of people"),
        ({"walk.jpg": [{"keypoints": {"tail": [1, 2]}}]}, "no keypoint is called 'tail'"),
        ({"shapes": [], "imagePath": "walk.jpg"}, "LabelMe"),
        ([1, 2], "neither COCO's person keypoints"),
        ("7", "neither COCO's person keypoints"),
        ("{", "not JSON"),
    ],
)
def test_what_is_no_detection_is_named(tmp_path, picture, content, words):
    path = write(tmp_path, content)
    with pytest.raises(DataError, match=rf"found\.json.*{words}") as error:
        read_detections(path, picture)
    assert len(str(error.value).splitlines()) == 1
    assert len(str(error.value)) < 500


def test_missing_files(tmp_path, picture):
    with pytest.raises(FileNotFoundError, match=r"no keypoints .*none\.json"):
        read_detections(tmp_path / "none.json", picture)
    with pytest.raises(FileNotFoundError, match=r"no picture .*none\.jpg"):
        read_detections(write(tmp_path, openpose()), tmp_path / "none.jpg")


def test_all_formats_agree(tmp_path, picture):
    """One person, written in every format: what the sets share is the same in all of them."""
    rng = np.random.default_rng(0)
    person = {
        name: (float(x), float(y), float(c))
        for name, (x, y, c) in zip(
            JOINT_SETS["coco17"],
            np.stack((rng.uniform(5, 190, 17), rng.uniform(5, 90, 17), rng.uniform(0.2, 1, 17)), 1),
            strict=True,
        )
    }
    shares = {n: ((x + 0.5) / WIDTH, (y + 0.5) / HEIGHT, c) for n, (x, y, c) in person.items()}
    files = [
        openpose(flat("body25", **person)),
        openpose(flat("openpose18", **person)),
        [{"image_id": "walk.jpg", "keypoints": flat("coco17", **person)}],
        {"pose_landmarks": [landmarks(**shares)]},
    ]
    first, *others = [
        read_detections(write(tmp_path, content, f"{i}.json"), picture)[0]
        for i, content in enumerate(files)
    ]
    assert int((first.confidence > 0).sum()) == 17
    for other in others:
        torch.testing.assert_close(other.keypoints2d, first.keypoints2d)
        torch.testing.assert_close(other.confidence, first.confidence)
