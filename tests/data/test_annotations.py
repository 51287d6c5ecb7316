"""What an annotation file records is compared: with the picture, with itself, with COCO's format.

COCO's definitions: https://cocodataset.org/#format-data. "id" are unique; "num_keypoints" is the
number of keypoints with v > 0; v is 0, 1 or 2; "iscrowd" is 0 or 1; a category of people lists its
keypoints.
"""

import codecs
import json
import re
from pathlib import Path

import numpy as np
import pytest
import torch
from PIL import Image

from hmr_edu.camera import CropBox
from hmr_edu.data.photos.annotations import annotated_person, read_annotations
from hmr_edu.data.photos.crops import crop_person, person_crop
from hmr_edu.data.photos.described import Described
from hmr_edu.data.photos.pictures import read_photo
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import COCO17

PERSON = {"id": 1, "name": "person", "keypoints": list(COCO17)}
BALL = {"id": 37, "name": "sports ball"}
DOG = {"id": 18, "name": "dog", "keypoints": ["nose", "tail"]}
KEYPOINTS = [0] * 3 * 17
KEYPOINTS[:6] = [30, 10, 2, 40, 70, 1]  # a nose that is visible, an eye that is hidden


def person(**changes):
    whole = {"id": 5, "image_id": 7, "category_id": 1, "keypoints": KEYPOINTS, "num_keypoints": 2}
    whole |= {"bbox": [10, 5, 40, 90], "iscrowd": 0} | changes
    return {key: value for key, value in whole.items() if value is not ...}


def image(**changes):
    return {"id": 7, "file_name": "a.png", "width": 200, "height": 100} | changes


def write(
    tmp_path, *annotations, images=None, categories=(PERSON,), orientation=1, size=(200, 100)
):
    exif = Image.Exif()
    exif[0x0112] = orientation
    Image.new("RGB", size, "red").save(tmp_path / "a.png", exif=exif)
    content = {"images": [image()] if images is None else images, "annotations": list(annotations)}
    content |= {} if categories is None else {"categories": list(categories)}
    (tmp_path / "marks.json").write_text(json.dumps(content))
    return tmp_path / "marks.json"


def failing(path):
    with pytest.raises(DataError, match=r"marks\.json") as error:
        read_annotations(path)
    return str(error.value)


def test_a_picture_of_the_recorded_size(tmp_path):
    (read,) = read_annotations(write(tmp_path, person()))
    assert read.visible.sum() == 2
    # A phone's picture: stored on its side, annotated as it is shown.
    turned = write(tmp_path, person(), orientation=6, size=(100, 200))
    assert len(read_annotations(turned)) == 1
    # Nothing recorded, nothing to compare.
    bare = [{"id": 7, "file_name": "a.png"}]
    assert len(read_annotations(write(tmp_path, person(), images=bare))) == 1


@pytest.mark.parametrize(
    ("made", "words"),
    [
        ({"orientation": 6}, "has 100 x 200: its EXIF turns the picture"),
        ({"orientation": 8}, "has 100 x 200: its EXIF turns the picture"),
        ({"size": (100, 50)}, "has 100 x 50: it was scaled by 0.5 after"),
        ({"size": (100, 200)}, "has 100 x 200: it was turned after"),
        ({"size": (180, 100)}, "has 180 x 100: it was cut after"),
    ],
)
def test_a_picture_of_another_size_is_named(tmp_path, made, words):
    said = failing(write(tmp_path, person(), **made))
    assert "annotation 0 records 200 x 100 pixels, but" in said
    assert words in said


def test_our_own_format_may_record_the_size(tmp_path):
    write(tmp_path)
    entry = {"keypoints": {"nose": [30, 10], "neck": [40, 70]}, "size": [200, 100]}
    path = tmp_path / "marks.json"
    path.write_text(json.dumps({"a.png": [entry]}))
    assert len(read_annotations(path)) == 1
    for size, words in (
        ([100, 200], "person 0 of 'a.png' records 100 x 200 pixels, but"),
        ([100.5, 200], "must be positive whole numbers, not 100.5 and 200"),
        ([0, 200], "must be positive whole numbers"),
        (["100", 200], "`size` must be 2 finite numbers"),
    ):
        path.write_text(json.dumps({"a.png": [{**entry, "size": size}]}))
        assert words in failing(path)


def test_keys_that_our_own_format_does_not_have_are_named(tmp_path):
    """A box under another name would be lost in silence."""
    path = write(tmp_path)
    path.write_text(json.dumps({"a.png": [{"bbox": [0, 0, 9, 9], "keypoints": {"nose": [1, 1]}}]}))
    assert "'bbox' is not known; `box`, `keypoints`, `size` are" in failing(path)


def test_one_person_of_two_is_not_lost(tmp_path):
    path = write(tmp_path)
    one = json.dumps([{"keypoints": {"nose": [30, 10], "neck": [40, 70]}}])
    path.write_text(f'{{"a.png": {one}, "a.png": {one}}}')
    assert "the key 'a.png' stands twice" in failing(path)


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ((person(), person(image_id=7)), "annotation 1 has the id 5 of annotation 0"),
        ((person(num_keypoints=17),), "`num_keypoints` is 17, but 2 keypoints have v > 0"),
        ((person(num_keypoints=None),), "`num_keypoints` is None, but 2"),
        ((person(keypoints=[1, 1, 3] + [0] * 48),), "the visibility of nose is 3; COCO has 0"),
        ((person(keypoints=[1, 1, 0.9] + [0] * 48),), "the visibility of nose is 0.9"),
        ((person(keypoints=[1, 1, -1] + [0] * 48),), "the visibility of nose is -1"),
        ((person(iscrowd="0"),), "`iscrowd` must be 0 or 1, not '0'"),
        ((person(iscrowd=2),), "`iscrowd` must be 0 or 1, not 2"),
        ((person(category_id=3),), "no category has the id 3; 1 are"),
        ((person(category_id=[1]),), "no category has the id [1]"),
        ((person(image_id=True),), "belongs to no image"),
        ((person(image_id=8),), "belongs to no image"),
        ((person(id=[1]),), "`id` must be a whole number"),
        ((person(keypoints=[]),), "`num_keypoints` is 2, but 0 keypoints"),
    ],
)
def test_facts_that_contradict_each_other_are_named(tmp_path, content, words):
    assert words in failing(write(tmp_path, *content))


@pytest.mark.parametrize(
    ("images", "words"),
    [
        ([image(), image(file_name="b.png")], "two images have the id 7, a.png and b.png"),
        ([image(width=0)], "image 7: `width` and `height` must be positive whole numbers"),
        ([image(width=200.5)], "positive whole numbers, not 200.5 and 100"),
        ([image(height=None)], "`width` and `height` must be 2 finite numbers"),
        ([image(id=7.0)], "without `id` or `file_name`"),
    ],
)
def test_images_that_are_not_cocos(tmp_path, images, words):
    assert words in failing(write(tmp_path, person(), images=images))


def test_balls_and_dogs_beside_people(tmp_path):
    """Categories without keypoints, or with others, are no people; people may have none."""
    ball = person(id=6, category_id=37, keypoints=..., num_keypoints=...)
    empty = person(id=8, category_id=37, keypoints=[], num_keypoints=0)
    dog = person(id=9, category_id=18, keypoints=[1, 1, 2, 3, 3, 2], num_keypoints=2)
    nobody = person(id=10, keypoints=..., num_keypoints=...)
    crowd = person(id=11, iscrowd=1, keypoints=[0] * 51, num_keypoints=0)
    path = write(
        tmp_path, ball, dog, empty, nobody, crowd, person(), categories=[PERSON, BALL, DOG]
    )
    (read,) = read_annotations(path)
    assert read.crop == CropBox(29.5, 49.5, 108.0)
    # Names of the keypoints are not always exported.
    bare = [{"id": 1, "name": "person"}, BALL]
    assert len(read_annotations(write(tmp_path, ball, person(), categories=bare))) == 1
    assert len(read_annotations(write(tmp_path, person(category_id=...), categories=None))) == 1
    assert "not COCO's 17 but ['nose', 'tail']" in failing(write(tmp_path, dog, categories=[DOG]))
    twice = write(tmp_path, person(), categories=[PERSON, PERSON])
    assert "a category's `id` is no number, or another's: 1" in failing(twice)


def test_only_balls(tmp_path):
    """COCO's instances_*.json: it has everything but keypoints."""
    ball = person(category_id=37, keypoints=..., num_keypoints=...)
    said = failing(write(tmp_path, ball, categories=[{"id": 1, "name": "person"}, BALL]))
    assert "nobody in it has a keypoint: COCO's are in person_keypoints_*.json" in said


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (
            [{"image_id": 7, "category_id": 1, "keypoints": KEYPOINTS, "score": 0.9}],
            "COCO's format of results: a network's predictions, not annotations",
        ),
        (
            {"version": 1.3, "people": [{"person_id": [-1], "pose_keypoints_2d": [0.0] * 75}]},
            "the output of OpenPose, which is not read",
        ),
        ({"version": "5.0.1", "shapes": [], "imagePath": "a.png"}, "a file of LabelMe"),
        ({"images": [image()], "categories": [PERSON]}, "list of pictures, without `annotations`"),
        ([1, 2], "neither COCO's person keypoints nor"),
        ("marks", "neither COCO's person keypoints nor"),
    ],
)
def test_files_of_other_tools_are_named(tmp_path, content, words):
    (tmp_path / "marks.json").write_text(json.dumps(content))
    assert words in failing(tmp_path / "marks.json")


def test_a_byte_order_mark_is_no_fault(tmp_path):
    path = write(tmp_path, person())
    path.write_bytes(codecs.BOM_UTF8 + path.read_bytes())
    assert len(read_annotations(path)) == 1


def test_keypoints_beside_the_picture_are_named(tmp_path):
    """A picture that was halved, in a file that records no size."""
    path = write(tmp_path, size=(100, 50))
    entry = {"box": [80, 40, 190, 95], "keypoints": {"nose": [150, 60], "neck": [140, 80]}}
    path.write_text(json.dumps({"a.png": [entry]}))
    (read,) = read_annotations(path)
    with pytest.raises(DataError, match=r"none of the keypoints lies in the picture.*100 x 50"):
        crop_person(read_photo(read.path), read, 16)
    # One keypoint in the picture is enough: others may be guessed beyond its edge.
    entry["keypoints"]["left_hip"] = [99.4, 49]
    path.write_text(json.dumps({"a.png": [entry]}))
    (read,) = read_annotations(path)
    assert crop_person(read_photo(read.path), read, 16).shape == (3, 16, 16)


def test_boxes_of_any_number_type_and_far_ones():
    photo = np.zeros((100, 250, 3), np.uint8)
    expected = CropBox.around_box(120, 3, 250, 90, padding=1.2)
    for box in ([120, 3, 250, 90], np.array([120, 3, 250, 90], np.uint8), (120.0, 3, 250, 90)):
        assert person_crop(photo, box) == expected
    for far in (1e300, -1e308, float("nan")):
        with pytest.raises(DataError, match="four finite numbers"):
            person_crop(photo, (0, 0, 10, far))


def described(named, box=None):
    """As a reader of one's own describes a person: nobody has looked at the values."""
    return annotated_person(Path("a.png"), Described("a.png", None, box, named, "b.txt: line 3"))


@pytest.mark.parametrize(
    "place", [[226], [226, 134, 2], [], 226, "ab", None, [226, "134"], [226, np.nan], [[1, 2]]]
)
def test_a_place_is_two_numbers_whoever_reads_it(place):
    """One number was taken for both, three were an error of PyTorch's."""
    words = f"b.txt: line 3: nose, x and y in pixels, must be 2 finite numbers, not {place!r:.60}"
    with pytest.raises(DataError, match=f"^{re.escape(words)}$"):
        described({"neck": [5, 5], "nose": place})


@pytest.mark.parametrize("box", [[1, 2, 3], [1, 2, 3, 4, 5], 7, [1, 2, 3, None], [1, 2, 3, np.inf]])
def test_a_box_is_four_numbers_whoever_reads_it(box):
    words = (
        f"b.txt: line 3: the box, x0, y0, x1 and y1 in pixels, must be 4 finite numbers, not {box}"
    )
    with pytest.raises(DataError, match=f"^{re.escape(words)}$"):
        described({"nose": [2, 3]}, box)


def test_numbers_of_any_kind_are_places_and_boxes():
    expected = described({"nose": [226, 134]}, [200, 100, 300, 400])
    for kind in (tuple, np.array, np.float32, torch.tensor, lambda v: list(np.float32(v))):
        person = described({"nose": kind([226, 134])}, kind([200, 100, 300, 400]))
        assert person.crop == expected.crop
        assert torch.equal(person.keypoints2d, expected.keypoints2d)
