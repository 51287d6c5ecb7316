"""People in whole pictures: found where they were pasted, and nobody where there is nobody."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from helpers.scripts import load_script
from PIL import Image

from hmr_edu.camera import CropBox
from hmr_edu.crop import PADDING
from hmr_edu.data.photos.pictures import EXAMPLES, read_photo
from hmr_edu.encoder.resnet import Encoder
from hmr_edu.fitting import find_people as handed_out
from hmr_edu.fitting.people_search import (
    MARGIN,
    OVERLAP,
    SMALLEST,
    _reduce,
    _settle,
    _windows,
    find_people,
    overlap,
)
from hmr_edu.fitting.refining import Refined
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.io.errors import DataError

SIDE = 320


@pytest.fixture(scope="module")
def model() -> HMR:
    return load_pretrained("resnet18")


@pytest.fixture(scope="module")
def pasted():
    return load_script("find_people/pasted.py").paste_people(3, SIDE, seed=1)


@pytest.fixture(scope="module")
def found(model, pasted):
    return [find_people(model, person.photo) for person in pasted]


def square_overlap(one, other) -> float:
    """The IoU of the crops that two boxes give."""
    edges = []
    for box in (one, other):
        crop = CropBox.around_box(*box, padding=PADDING)
        low = torch.tensor((crop.x, crop.y)) - crop.size / 2
        edges.append(torch.cat((low, low + crop.size)))
    return overlap(*edges)


def test_a_pasted_person_is_found_at_its_place(pasted, found):
    for person, people in zip(pasted, found, strict=True):
        best = people[0]
        assert square_overlap(best.box, person.box) > 0.6
        sure = (best.confidence > 0.5).numpy()
        assert sure.sum() >= 10
        apart = np.linalg.norm(best.keypoints2d.numpy() - person.keypoints2d, axis=1)[sure]
        assert np.median(apart) < 0.08 * max(person.box[2] - person.box[0], person.box[3])


def test_the_best_comes_first_and_nobody_twice(found):
    for people in found:
        scores = [person.score for person in people]
        assert scores == sorted(scores, reverse=True)
        assert all(0 <= score <= 1 for score in scores)
        boxes = [torch.tensor(person.box) for person in people]
        assert all(overlap(a, b) <= OVERLAP for i, a in enumerate(boxes) for b in boxes[:i])
        for x0, y0, x1, y1 in (person.box for person in people):
            assert 0 <= x0 < x1 <= SIDE
            assert 0 <= y0 < y1 <= SIDE


def test_a_shifted_and_a_larger_picture_show_the_person_there(model, pasted, found):
    photo, before = pasted[0].photo, np.array(found[0][0].box)
    shifted = np.full((SIDE, SIDE + 120, 3), photo.mean((0, 1)).astype(np.uint8))
    shifted[:, 120:] = photo
    (right, *_) = find_people(model, shifted, most=1)
    assert square_overlap(right.box, before + np.array((120, 0, 120, 0))) > 0.7
    large = np.asarray(
        Image.fromarray(photo).resize((5 * SIDE, 5 * SIDE), Image.Resampling.LANCZOS)
    )
    (twice, *_) = find_people(model, large, most=1)
    assert square_overlap(twice.box, 5 * before) > 0.7


def nobody() -> dict[str, np.ndarray]:
    rng = np.random.default_rng(0)
    ramp = np.linspace(0, 255, 240).astype(np.uint8)
    return {
        "black": np.zeros((200, 300, 3), np.uint8),
        "one colour": np.full((300, 200, 3), (180, 90, 40), np.uint8),
        "noise": rng.integers(0, 256, (240, 240, 3), dtype=np.uint8),
        "gradient": np.repeat(np.repeat(ramp[None, :, None], 160, 0), 3, 2),
        "one pixel": np.full((1, 1, 3), 200, np.uint8),
        "a line": rng.integers(0, 256, (1, 3000, 3), dtype=np.uint8),
        "a column": rng.integers(0, 256, (3000, 1, 3), dtype=np.uint8),
    }


@pytest.mark.parametrize("name", nobody())
def test_nobody_where_nobody_is(model, name):
    photo = nobody()[name]
    before = photo.copy()
    assert find_people(model, photo) == []
    assert (photo == before).all()


@pytest.mark.parametrize(
    "shape",
    [(1, 1), (1, 2_000_000), (2_000_000, 1), (3, 5), (1000, 1000), (12_000, 9_000), (7, 300)],
)
def test_the_work_is_bounded_for_any_picture(shape):
    # One byte that is repeated: no memory, however large the picture.
    photo = np.broadcast_to(np.uint8(7), (min(shape[0], 3000), min(shape[1], 3000), 3)).copy()
    height, width = _reduce(photo).shape[:2]
    assert max(height, width) <= 1024
    windows = _windows(*shape)
    assert 1 <= len(windows) <= 130
    smallest = min(float(box[2] - box[0]) for box in windows)
    assert smallest >= 0.999 * min(SMALLEST, max(shape))


class Dots(Encoder):
    """An encoder that sees the keypoint j at the brightest place of the colour j modulo 3."""

    def __init__(self):
        super().__init__("resnet18", width=8, image_size=128)

    def forward(self, images):
        maps = torch.nn.functional.avg_pool2d(images, 4) * 200 - 5
        parts = torch.zeros(len(images), 25, 32, 32)
        parts[:, 0] = 9.0  # background everywhere
        return SimpleNamespace(heatmaps=maps[:, [j % 3 for j in range(19)]], parts=parts)


def test_the_box_settles_around_the_peaks():
    photo = np.zeros((200, 260, 3), np.uint8)
    # Red, green and blue dots of 5 pixels: the places are known exactly.
    places = torch.tensor([(80.0, 50.0), (130.0, 60.0), (100.0, 150.0)])
    for colour, (x, y) in enumerate(places.int().tolist()):
        photo[y - 2 : y + 3, x - 2 : x + 3, colour] = 255
    best, *others = _settle(Dots(), photo, most=3)
    assert best.still
    assert not others  # it is one person, whichever window saw it
    margin = MARGIN * 100
    expected = torch.tensor((80.5 - margin, 50.5 - margin, 130.5 + margin, 150.5 + margin))
    assert (best.box - expected).abs().max() < 4  # a cell of the crop is four pixels
    assert (best.points[:3] - (places + 0.5)).abs().max() < 3


def test_many_allowed_and_few_allowed(model, pasted, found):
    one = find_people(model, pasted[0].photo, most=1)
    assert len(one) == 1
    assert square_overlap(one[0].box, found[0][0].box) > 0.7
    assert find_people(model, pasted[0].photo, threshold=1.01) == []


def test_the_same_again_and_through_a_refined_network(model, pasted, found):
    again = find_people(Refined(model), pasted[0].photo)
    assert [person.box for person in again] == [person.box for person in found[0]]
    assert all(
        torch.equal(a.keypoints2d, b.keypoints2d) for a, b in zip(again, found[0], strict=True)
    )
    assert handed_out is find_people


def test_networks_that_cannot_find_anybody(model, pasted):
    photo = pasted[0].photo
    with pytest.raises(DataError, match="no heat-maps"):
        find_people(HMR("resnet18", width=8, image_size=64).eval(), photo)
    small = HMR("resnet18", width=8, image_size=64, pooling="spatial", stem="small")
    with pytest.raises(ValueError, match="eval"):
        find_people(small, photo)
    with pytest.raises(ValueError, match="at least one"):
        find_people(model, photo, most=0)
    torch.nn.init.constant_(small.encoder.head.maps.weight, float("nan"))
    with pytest.raises(DataError, match="not finite"):
        find_people(small.eval(), photo)


@pytest.mark.parametrize(
    ("name", "box"), [("cameraman", (0, 60, 350, 512)), ("astronaut", (20, 0, 400, 512))]
)
def test_the_people_of_the_shipped_photographs_are_found(model, name, box):
    """Boxes by eye. So `hmr-edu demo` of these pictures needs no box."""
    people = find_people(model, read_photo(EXAMPLES / f"{name}.jpg"))
    assert square_overlap(people[0].box, box) > 0.6
