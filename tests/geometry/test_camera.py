"""camera.py: projections by hand, least squares against scipy, crops there and back."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import least_squares

from hmr_edu.camera import (
    CropBox,
    fit_weak_perspective,
    perspective,
    translation_from_weak,
    weak_from_perspective,
    weak_perspective,
    weak_perspective_error,
)

DOUBLE = torch.float64
finite = st.floats(-1e3, 1e3, allow_subnormal=False)
positive = st.floats(0.05, 1e3)
boxes = st.builds(CropBox, finite, finite, positive)


def tensor(*values):
    return torch.tensor(values[0] if len(values) == 1 else values, dtype=DOUBLE)


def people(seed=0, batch=4, n=19):
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, n, 3, generator=generator, dtype=DOUBLE) * tensor(0.3, 0.6, 0.2)


def test_weak_perspective_by_hand():
    points = tensor([[1, 2, 3], [0, 0, 9]])[None]
    image = weak_perspective(points, tensor([0.5, 0.1, -1]))
    torch.testing.assert_close(image, tensor([[0.55, 0.5], [0.05, -0.5]])[None])


def test_perspective_by_hand():
    points = tensor([[1, 2, 0], [1, 2, 2]])[None]
    image = perspective(points, tensor([1, 0, 2]), tensor(3))
    torch.testing.assert_close(image, tensor([[3, 3], [1.5, 1.5]])[None])


def test_one_camera_for_a_batch_or_one_each():
    points = people()
    cameras = tensor([0.9, 0, 0.1]).expand(4, 3)
    together = weak_perspective(points, cameras[:1])
    torch.testing.assert_close(together, weak_perspective(points, cameras))
    assert weak_perspective(points[0], cameras[0]).shape == (19, 2)
    assert weak_perspective(points[None], cameras[None]).shape == (1, 4, 19, 2)


def test_behind_the_camera_is_an_error():
    with pytest.raises(ValueError, match="2 points lie behind the camera"):
        perspective(tensor([[[0, 0, 0], [0, 0, -1], [0, 0, -2]]]), tensor([[0, 0, 1]]), tensor(1))


def test_both_cameras_agree_at_the_depth_of_the_body():
    camera, focal = tensor([[0.9, 0.1, -0.2]]), tensor(7)
    flat = people(batch=1) * tensor(1, 1, 0)
    image = perspective(flat, translation_from_weak(camera, focal), focal)
    torch.testing.assert_close(image, weak_perspective(flat, camera))


def test_perspective_becomes_weak_far_away():
    points, camera = people(), tensor([[0.9, 0.1, -0.2]])
    weak = weak_perspective(points, camera)
    errors = []
    for focal in (tensor(1e2), tensor(1e4), tensor(1e6)):
        image = perspective(points, translation_from_weak(camera, focal), focal)
        errors.append(float((image - weak).abs().max()))
    # One over the distance.
    assert errors[0] / errors[1] == pytest.approx(100, rel=0.05)
    assert errors[1] / errors[2] == pytest.approx(100, rel=0.05)


@given(st.tuples(positive, finite, finite), positive)
def test_weak_and_translation_round_trip(camera, focal):
    camera, focal = tensor(*camera), tensor(focal).squeeze()
    back = weak_from_perspective(translation_from_weak(camera, focal), focal)
    torch.testing.assert_close(back, camera, rtol=1e-12, atol=0)


def test_each_person_may_have_a_lens_of_their_own():
    camera = tensor([1.0, 0.1, 0.2], [2.0, 0.3, 0.4]).view(2, 1, 3).expand(2, 3, 3)
    focal = tensor([1.0, 2, 3], [4.0, 5, 6])
    found = translation_from_weak(camera, focal)
    torch.testing.assert_close(found[..., 2], tensor([1.0, 2, 3], [2.0, 2.5, 3]))
    torch.testing.assert_close(found[..., :2], camera[..., 1:])
    torch.testing.assert_close(weak_from_perspective(found, focal), camera)


def test_scales_and_depths_must_be_positive():
    for scale in (0.0, -1.0, math.nan):
        with pytest.raises(ValueError, match="positive"):
            translation_from_weak(tensor(scale, 0, 0), tensor(5).squeeze())
        with pytest.raises(ValueError, match="positive"):
            weak_from_perspective(tensor(0, 0, scale), tensor(5).squeeze())


def test_fit_finds_the_camera_it_was_made_with():
    points = people()
    camera = tensor([0.9, 0.1, -0.2]) * torch.rand(4, 3, dtype=DOUBLE).add(0.5)
    found = fit_weak_perspective(points, weak_perspective(points, camera))
    torch.testing.assert_close(found, camera, rtol=1e-12, atol=1e-12)


def test_fit_is_the_least_squares_solution():
    generator = torch.Generator().manual_seed(3)
    points = people()
    image = weak_perspective(points, tensor([0.9, 0.1, -0.2]))
    image = image + 0.1 * torch.randn(image.shape, generator=generator, dtype=DOUBLE)
    weight = torch.rand(4, 19, generator=generator, dtype=DOUBLE)
    found = fit_weak_perspective(points, image, weight)
    for X, x, v, ours in zip(points, image, weight, found, strict=True):

        def residual(camera, X=X, x=x, v=v):
            return (
                ((weak_perspective(X, tensor(*camera)) - x) * v.sqrt()[:, None]).flatten().numpy()
            )

        best = least_squares(residual, [1, 0, 0], xtol=1e-15, ftol=1e-15, gtol=1e-15)
        np.testing.assert_allclose(ours.numpy(), best.x, atol=1e-7)


def test_fit_does_not_look_at_hidden_keypoints():
    points, camera = people(), tensor([0.9, 0.1, -0.2]).expand(4, 3)
    image = weak_perspective(points, camera)
    visibility = torch.ones(4, 19, dtype=DOUBLE)
    visibility[:, 5:] = 0
    image[:, 5:] = math.nan
    for v in (visibility, visibility.bool()):
        torch.testing.assert_close(fit_weak_perspective(points, image, v), camera)


def test_fit_refuses_what_no_camera_explains():
    points = people(batch=2)
    image = weak_perspective(points, tensor([0.9, 0, 0]))
    one_visible = torch.zeros(2, 19, dtype=DOUBLE)
    one_visible[:, 0] = 1
    collapsed = points.clone()
    collapsed[1] = 0.3
    for arguments in (
        (points, image, one_visible),
        (points, image, torch.zeros_like(one_visible)),
        (collapsed, image),
        (points, -image),
        (points, torch.ones_like(image)),  # the best scale is exactly 0
        (points, image * math.nan),
    ):
        with pytest.raises(ValueError, match="no weak-perspective camera"):
            fit_weak_perspective(*arguments)


def test_fit_gradcheck():
    points, camera = people(batch=2, n=4), tensor([0.9, 0.1, -0.2])
    image = weak_perspective(points, camera) + 0.05 * people(1, batch=2, n=4)[..., :2]
    inputs = (points.requires_grad_(), image.requires_grad_())
    assert torch.autograd.gradcheck(fit_weak_perspective, inputs)


def test_error_of_weak_perspective_by_hand():
    # Two pairs of points one metre apart, 2 m nearer and 2 m farther than the middle at d:
    # they appear f / (d -+ 2) long, and the best weak camera makes both the same, halfway.
    points = tensor([-0.5, 0, -2], [0.5, 0, -2], [-0.5, 0, 2], [0.5, 0, 2])
    d, f = tensor(4, 10, 100), 5.0
    expected = 0.25 * f * (1 / (d - 2) - 1 / (d + 2))
    torch.testing.assert_close(weak_perspective_error(points, d, f), expected)


def test_error_of_weak_perspective_is_the_mean_distance_to_the_best_image():
    """Against numpy's least squares in s and in the shift s t."""
    points, d, f = people()[0].numpy(), 4.0, 3.0
    image = f * points[:, :2] / (points[:, 2:] + d)
    zero, one = np.zeros(len(points)), np.ones(len(points))
    rows = np.vstack(
        [np.stack([points[:, 0], one, zero], 1), np.stack([points[:, 1], zero, one], 1)]
    )
    best = np.linalg.lstsq(rows, image.T.reshape(-1), rcond=None)[0]
    off = (rows @ best).reshape(2, -1) - image.T
    expected = np.hypot(*off).mean()
    found = weak_perspective_error(torch.from_numpy(points), tensor([d]), f)
    assert float(found) == pytest.approx(expected, rel=1e-9)


def test_error_falls_with_distance_for_a_crop_that_follows():
    points, d = people()[0], tensor(2, 4, 8, 16, 32, 64)
    error = weak_perspective_error(points, d, 0.9 * d)
    ratio = error[:-1] / error[1:]
    assert (ratio > 1.9).all()
    torch.testing.assert_close(ratio[-1], tensor(2).squeeze(), rtol=0.02, atol=0)
    # In metres at the body the lens does not matter.
    fixed = weak_perspective_error(points, d, 3.0) / (3.0 / d)
    torch.testing.assert_close(error / 0.9, fixed)


def test_crop_by_hand():
    # A picture 8 wide, whole: pixel centres at 2 (p + 0.5) / 8 - 1.
    box = CropBox.around_box(0, 0, 8, 8)
    assert box == CropBox(3.5, 3.5, 8)
    pixels = torch.arange(8, dtype=DOUBLE)
    expected = 2 * (pixels + 0.5) / 8 - 1
    torch.testing.assert_close(box.to_crop(torch.stack([pixels, pixels], 1))[:, 0], expected)
    assert CropBox.around_box(10, 20, 14, 30, padding=1.5) == CropBox(11.5, 24.5, 15)


def test_box_around_keypoints():
    points = tensor([10, 20], [14, 30], [999, 999])
    assert CropBox.around_keypoints(points, tensor(1, 1, 0)) == CropBox(12, 25, 12)
    corner = CropBox.around_keypoints(points[:2], padding=1.0).to_crop(points[:2])
    torch.testing.assert_close(corner, tensor([-0.4, -1], [0.4, 1]))


def test_bad_boxes_are_refused():
    with pytest.raises(ValueError, match="x0 < x1"):
        CropBox.around_box(5, 0, 5, 10)
    for size in (0, -1, math.nan, math.inf):
        with pytest.raises(ValueError, match="not a box"):
            CropBox(0, 0, size)
    with pytest.raises(ValueError, match="not a box"):
        CropBox.around_keypoints(tensor([3, 4], [3, 4]))
    with pytest.raises(ValueError, match="no keypoint is visible"):
        CropBox.around_keypoints(tensor([3, 4], [3, 4]), tensor(0, 0))


@given(boxes, st.tuples(finite, finite))
def test_crop_round_trip(box, point):
    pixel = tensor(*point)
    largest = max(1, *map(abs, (*point, box.x, box.y)))
    back = box.to_image(box.to_crop(pixel))
    torch.testing.assert_close(back, pixel, rtol=0, atol=1e-14 * largest)


def full_pixels(camera, points, width, height):
    image = points[..., :2] + camera[..., None, 2:]
    image = image * camera[..., None, :2]
    return (image + 1) * tensor(width, height) / 2 - 0.5


@given(boxes, st.tuples(positive, finite, finite), st.integers(1, 5000), st.integers(1, 5000))
def test_full_camera_sees_the_same_pixels(box, camera, width, height):
    camera, points = tensor(*camera), people()[0]
    through_the_crop = box.to_image(weak_perspective(points, camera))
    direct = full_pixels(box.full_camera(camera, width, height), points, width, height)
    scale = float(through_the_crop.abs().max()) + width + height
    torch.testing.assert_close(direct, through_the_crop, rtol=0, atol=1e-12 * scale)


def test_full_camera_by_hand():
    # The right half of a picture 200 x 100: half as wide, as high, centred halfway to the right.
    box = CropBox.around_box(100, 0, 200, 100)
    full = box.full_camera(tensor(0.8, 0, 0.25), 200, 100)
    torch.testing.assert_close(full, tensor(0.4, 0.8, 1.25, 0.25))


@given(boxes, st.tuples(positive, finite, finite), st.floats(10, 1e4))
def test_full_translation_puts_the_body_where_the_crop_saw_it(box, camera, focal):
    camera, width, height = tensor(*camera), 640, 480
    flat = people()[0] * tensor(1, 1, 0)  # at the body's own depth both cameras must agree
    translation = box.full_translation(camera, width, height, focal)
    centred = perspective(flat, translation, tensor(focal).squeeze())
    pixels = centred + (tensor(width, height) - 1) / 2
    expected = box.to_image(weak_perspective(flat, camera))
    scale = float(expected.abs().max()) + width
    torch.testing.assert_close(pixels, expected, rtol=0, atol=1e-11 * scale)


PIXELS = [[120, 7], [3, 250], [41, 90]]
BOX = CropBox(100.25, 80.75, 37.5)


@pytest.mark.parametrize(
    "kind",
    [
        lambda values: values,
        lambda values: torch.tensor(values),
        lambda values: torch.tensor(values, dtype=torch.uint8),
        lambda values: torch.tensor(values, dtype=torch.int16),
        lambda values: np.array(values),
        lambda values: np.array(values, np.uint8),
        lambda values: np.array(values, np.uint16),
        lambda values: np.array(values, np.float32),
    ],
)
def test_pixels_of_any_number_type(kind):
    """The centre of the box is not cut to whole pixels, and small numbers do not overflow."""
    by_hand = [[(x - 100.25) / 18.75, (y - 80.75) / 18.75] for x, y in PIXELS]
    found = BOX.to_crop(kind(PIXELS))
    torch.testing.assert_close(found, torch.tensor(by_hand, dtype=found.dtype))
    by_hand = [[100.25 + 18.75 * x, 80.75 + 18.75 * y] for x, y in PIXELS]
    found = BOX.to_image(kind(PIXELS))
    torch.testing.assert_close(found, torch.tensor(by_hand, dtype=found.dtype))
    # Between the lowest and the highest: x 3 to 120, y 7 to 250.
    around = CropBox.around_keypoints(kind(PIXELS), padding=1.0)
    assert around == CropBox(61.5, 128.5, 243.0)
    corner = PIXELS[0] + PIXELS[1]  # 120, 7, 3, 250
    x0, y0, x1, y1 = kind([corner])[0]
    assert CropBox.around_box(x1, y0, x0, y1) == CropBox(61.0, 128.0, 243.0)
    assert CropBox(x0, y0, y1) == CropBox(120.0, 7.0, 250.0)


def test_whole_cameras():
    """A camera of whole numbers on a box of fractions."""
    whole, exact = torch.tensor([[2, 0, 1]]), torch.tensor([[2.0, 0.0, 1.0]])
    for found, expected in (
        (BOX.full_camera(whole, 640, 480), BOX.full_camera(exact, 640, 480)),
        (
            BOX.full_translation(whole, 640, 480, 700.5),
            BOX.full_translation(exact, 640, 480, 700.5),
        ),
    ):
        torch.testing.assert_close(found, expected)
    points = torch.tensor([[0, 0, -1], [1, 1, 0], [-1, 2, 1]])
    image = torch.tensor([[0, 1], [2, 3], [-2, 5]])
    torch.testing.assert_close(
        fit_weak_perspective(points, image), fit_weak_perspective(points.float(), image.float())
    )
    torch.testing.assert_close(
        weak_perspective_error(points, torch.tensor([4, 9]), 2.5),
        weak_perspective_error(points.float(), torch.tensor([4.0, 9.0]), 2.5),
    )


@pytest.mark.parametrize("number", ["ten", None, 10**400, [1, 2], 1j])
def test_a_box_of_no_numbers_is_refused(number):
    for build in (lambda x: CropBox.around_box(0, 0, x, x), lambda x: CropBox(1, 2, x)):
        with pytest.raises((ValueError, TypeError)):
            build(number)
