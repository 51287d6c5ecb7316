"""crop.py against Pillow, torch's own resampling and pictures made by formula."""

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from hmr_edu import crop
from hmr_edu.camera import CropBox, weak_perspective
from hmr_edu.crop import (
    camera_out_of_box,
    cell_centres,
    crop_image,
    into_box,
    under_centres,
    visible_box,
)


def noise(height=60, width=80):
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def ramp(height, width):
    """Red is the pixel's x, green its y: a picture that says where it was sampled."""
    y, x = torch.meshgrid(torch.arange(height), torch.arange(width), indexing="ij")
    return torch.stack([x, y, torch.ones_like(x)]).double()


def test_whole_picture_at_its_own_size_is_untouched():
    image = noise(64, 64)
    assert np.array_equal(crop_image(image, CropBox.around_box(0, 0, 64, 64), 64), image)


def test_whole_pixels_are_a_slice():
    image = noise()
    cropped = crop_image(image, CropBox.around_box(10, 20, 42, 52), 32)
    assert np.array_equal(cropped, image[20:52, 10:42])


@pytest.mark.parametrize(
    ("corner", "side", "size"),
    [((20, 15), 32, 8), ((20.3, 14.6), 31.7, 12), ((22, 18), 20, 50), ((21.1, 17.2), 20.5, 21)],
)
def test_inside_the_picture_it_is_pillows_bilinear(corner, side, size):
    image, (x, y) = noise(), corner
    edges = (x, y, x + side, y + side)
    ours = crop_image(image, CropBox.around_box(*edges), size)
    peer = Image.fromarray(image).resize((size, size), Image.Resampling.BILINEAR, box=edges)
    assert np.abs(ours.astype(int) - np.asarray(peer)).max() <= 1


def test_whole_picture_smaller_is_torchs_antialiased_bilinear():
    image = torch.rand(3, 64, 64, dtype=torch.float64)
    ours = crop_image(image, CropBox.around_box(0, 0, 64, 64), 16)
    peer = torch.nn.functional.interpolate(
        image[None], size=16, mode="bilinear", antialias=True, align_corners=False
    )[0]
    # At the border ours blends in the black outside, torch's reweights the pixels it has.
    torch.testing.assert_close(ours[:, 1:-1, 1:-1], peer[:, 1:-1, 1:-1])


boxes = st.builds(CropBox, st.floats(35, 45), st.floats(27, 32), st.floats(4, 40))


@given(boxes, st.integers(4, 50))
def test_a_pixel_shows_the_place_that_its_crop_coordinates_say(box, size):
    cropped = crop_image(ramp(60, 80), box, size)
    centres = 2 * (torch.arange(size, dtype=torch.float64) + 0.5) / size - 1
    expected = box.to_image(torch.stack([centres, centres], 1))
    # A triangle that covers a fraction of pixels is not quite balanced about its centre.
    tolerance = 0.1 * max(1, box.size / size)
    assert (cropped[0] - expected[:, 0]).abs().max() < tolerance
    assert (cropped[1] - expected[:, 1, None]).abs().max() < tolerance
    torch.testing.assert_close(cropped[2], torch.ones(size, size, dtype=torch.float64))


@given(st.floats(-50, 90), st.floats(-50, 70), st.floats(1, 300), st.integers(1, 40))
def test_outside_is_black_and_inside_is_not(x, y, side, size):
    picture = torch.ones(3, 40, 60, dtype=torch.float64)
    box = CropBox(x, y, side)
    reach = side / 2 + max(side / size, 1)
    touches = -reach < x < 59 + reach and -reach < y < 39 + reach
    if not touches:
        with pytest.raises(ValueError, match="does not touch"):
            crop_image(picture, box, size)
        return
    try:
        cropped = crop_image(picture, box, size)
    except ValueError:
        assert abs(x - 29.5) > 29.5 or abs(y - 19.5) > 19.5  # between the last pixel and its reach
        return
    assert cropped.min() >= 0
    assert cropped.max() <= 1 + 1e-12
    centres = 2 * (torch.arange(size, dtype=torch.float64) + 0.5) / size - 1
    column, row = box.to_image(torch.stack([centres, centres], 1)).T
    step = max(side / size, 1)
    deep = lambda p, n: (p > step) & (p < n - 1 - step)  # noqa: E731
    far = lambda p, n: (p < -step) | (p > n - 1 + step)  # noqa: E731
    inside = deep(row, 40)[:, None] & deep(column, 60)
    outside = far(row, 40)[:, None] | far(column, 60)
    torch.testing.assert_close(cropped[0][inside], torch.ones(int(inside.sum())).double())
    assert (cropped[0][outside] == 0).all()


def test_fine_stripes_turn_grey():
    stripes = np.zeros((256, 256, 3), np.uint8)
    stripes[:, ::2] = 254
    grey = crop_image(stripes, CropBox.around_box(0, 0, 256, 256), 17)
    assert np.abs(grey[2:-2, 2:-2].astype(int) - 127).max() <= 2


def test_a_huge_box_costs_no_memory():
    cropped = crop_image(noise(), CropBox.around_box(-1e9, -1e9, 1e9, 1e9), 32)
    assert cropped.max() == 0  # the picture is far smaller than a pixel of it


def test_gradients_pass_and_dtype_stays():
    image = torch.rand(3, 12, 10, dtype=torch.float64, requires_grad=True)
    box = CropBox(4.3, 5.2, 14)
    assert torch.autograd.gradcheck(lambda x: crop_image(x, box, 5), image)
    assert crop_image(image.detach().float(), box, 5).dtype == torch.float32


BOX = CropBox(41.3, 30.2, 35.5)


@pytest.mark.parametrize(
    "change",
    [
        lambda image: image / 255,
        lambda image: (image / 255).astype(np.float32),
        lambda image: image.astype(np.int64),
        lambda image: image.astype(np.uint16) * 257,
        lambda image: np.dstack([image, np.full(image.shape[:2], 255, np.uint8)]),
        lambda image: np.asfortranarray(image),
        lambda image: image[::-1, :, ::-1].copy()[::-1, :, ::-1],
    ],
)
def test_an_array_of_any_type_gives_the_same_bytes(change):
    image = noise()
    expected = crop_image(image, BOX, 21)
    found = crop_image(change(image), BOX, 21)
    assert found.dtype == np.uint8
    np.testing.assert_array_equal(found, expected)


def test_an_array_that_may_not_be_written_is_read():
    image = noise()
    image.flags.writeable = False
    assert crop_image(image, BOX, 21).any()


def test_tensors_of_any_type():
    image = noise()
    expected = crop_image(image, BOX, 21)
    tensor = torch.from_numpy(image).permute(2, 0, 1)
    for whole in (tensor, tensor.int(), tensor.long()):
        found = crop_image(whole, BOX, 21)
        assert found.dtype == torch.uint8
        np.testing.assert_array_equal(found.permute(1, 2, 0), expected)
    for dtype, tolerance in ((torch.float16, 1), (torch.bfloat16, 2), (torch.float64, 0.5)):
        found = crop_image((tensor / 255).to(dtype), BOX, 21)
        assert found.dtype == dtype
        miss = found.permute(1, 2, 0).double().numpy() * 255 - expected
        assert np.abs(miss).max() <= tolerance


def test_a_picture_of_the_wrong_range_is_no_black_crop():
    with pytest.raises(ValueError, match="divide by 255"):
        crop_image(noise().astype(np.float32), BOX, 21)
    with pytest.raises(ValueError, match=r"\[3, H, W\], got \[60, 80, 3\]"):
        crop_image(torch.from_numpy(noise()), BOX, 21)
    with pytest.raises(ValueError, match="divide by 255"):
        crop_image(np.full((60, 80), 200.0), BOX, 21)


@pytest.mark.parametrize(("height", "width"), [(60, 80), (1, 500), (500, 1), (70, 300)])
@pytest.mark.parametrize("size", [1, 2, 7, 30])
def test_parts_are_the_whole(monkeypatch, height, width, size):
    """With room for a thousandth of what a picture may take, it is the same crop."""
    image = torch.rand(3, height, width, dtype=torch.float64)
    for box in (CropBox.around_box(0, 0, width, height), CropBox(width / 3, height / 2, 33.3)):
        whole = crop_image(image, box, size)
        with monkeypatch.context() as patched:
            patched.setattr(crop, "LARGEST", 64)
            torch.testing.assert_close(crop_image(image, box, size), whole, rtol=0, atol=1e-12)


@pytest.mark.parametrize(("height", "width"), [(1, 500), (500, 1)])
def test_no_part_takes_more_memory_than_it_may(monkeypatch, height, width):
    """A matrix of 30 x 500 weights counts four times: 60,000 are too many."""
    sizes, weights = [], crop._Axis.weights

    def noted(axis, first, last):
        found = weights(axis, first, last)
        sizes.append(4 * found.numel())
        return found

    monkeypatch.setattr(crop._Axis, "weights", noted)
    monkeypatch.setattr(crop, "LARGEST", 50_000)
    crop_image(torch.rand(3, height, width), CropBox.around_box(0, 0, width, height), 30)
    assert 15_000 < max(sizes) <= 50_000


def test_what_cannot_be_cropped():
    with pytest.raises(ValueError, match=r"does not touch a picture of 80 x 60"):
        crop_image(noise(), CropBox(500, 30, 20), 32)
    with pytest.raises(ValueError, match="at least one pixel"):
        crop_image(noise(), CropBox(40, 30, 20), 0)


def test_centres_of_cells_by_hand():
    assert cell_centres(4, torch.zeros(1)).tolist() == [-0.75, -0.25, 0.25, 0.75]
    assert cell_centres(1, torch.zeros(1)).tolist() == [0.0]


def test_pixels_under_the_centres_of_cells_by_hand():
    labels = torch.arange(100).view(1, 10, 10)
    assert under_centres(labels, 2, 5).tolist() == [[[21, 23, 25, 27, 29], [71, 73, 75, 77, 79]]]
    assert under_centres(torch.tensor([[[7, 8]]]), 2, 4).tolist() == [[[7, 7, 8, 8]] * 2]


def test_a_person_of_100_pixels_gets_a_crop_of_120():
    """As in SPIN."""
    assert CropBox.around_box(0, 0, 50, 100, padding=crop.PADDING).size == pytest.approx(120)


def test_boxes_of_known_keypoints_by_hand():
    """Of two keypoints, of one, and of none; what is not known may be anything."""
    keypoints = torch.full((3, 19, 2), torch.nan)
    keypoints[:, 4], keypoints[:, 7] = torch.tensor([10.0, 20]), torch.tensor([14.0, 40])
    confidence = torch.zeros(3, 19)
    confidence[:2, 4], confidence[0, 7] = 0.5, 1.0
    assert visible_box(keypoints, confidence).tolist() == [[12, 30, 10], [10, 20, 1], [0, 0, 1]]


def test_a_camera_out_of_a_box_by_hand():
    """Half a box of 8 pixels is 4; a camera that shows nothing stays finite."""
    camera, box = torch.tensor([[0.5, 1, 2], [0, 1, 2]]), torch.tensor([[10.0, 20, 4]] * 2)
    found = camera_out_of_box(camera, box)
    torch.testing.assert_close(found, torch.tensor([[2, 6, 12], [0, 1 + 1e7, 2 + 2e7]]))


def test_a_camera_of_the_box_sees_the_same_keypoints():
    """In the box it sees points that, moved out of the box, the other camera sees."""
    generator = torch.Generator().manual_seed(0)
    keypoints = torch.randn(3, 19, 2, generator=generator, dtype=torch.float64) + 2
    points = torch.randn(3, 19, 3, generator=generator, dtype=torch.float64)
    camera = torch.tensor([[0.9, 0.1, -0.2], [0.5, 0.0, 0.3], [1.4, -0.6, 0.2]]).double()
    box = visible_box(keypoints, torch.ones(3, 19, dtype=torch.float64))
    inside, outside = (
        weak_perspective(points, camera),
        weak_perspective(points, camera_out_of_box(camera, box)),
    )
    torch.testing.assert_close(into_box(outside, box), inside)
