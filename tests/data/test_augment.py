"""Data augmentation: the labels follow the pixels, and every person has numbers of its own."""

import math

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from hmr_edu.body import load_body
from hmr_edu.camera import CropBox, weak_perspective
from hmr_edu.data.augment import (
    AUGMENTATIONS,
    HIPS_UP,
    AugmentConfig,
    Labels,
    OwnDraws,
    Placement,
    cut_out,
    draw_placement,
    place_labels,
    repaint,
)
from hmr_edu.keypoints import COCOPLUS

NOSE, LEFT_WRIST, RIGHT_WRIST = (
    COCOPLUS.index(name) for name in ("nose", "left_wrist", "right_wrist")
)


def labels(keypoints2d, **others) -> Labels:
    n = len(keypoints2d)
    known = {
        "visible": torch.ones(n, 19),
        "keypoints3d": torch.full((n, 19, 3), torch.nan),
        "pose": torch.full((n, 72), torch.nan),
    }
    return Labels(keypoints2d=keypoints2d, **(known | others))


@settings(max_examples=40, deadline=None)
@given(
    x=st.floats(60, 140),
    y=st.floats(60, 140),
    side=st.floats(70, 160),
    angle=st.floats(-math.pi, math.pi),
    mirrored=st.booleans(),
)
def test_the_keypoint_is_where_its_pixels_are(x, y, side, angle, mirrored):
    """A bright spot is painted at a keypoint, and found again in the crop."""
    spot = np.array([x + 0.15 * side, y - 0.1 * side])
    rows, columns = np.mgrid[:200, :200]
    distance = np.hypot(columns - spot[0], rows - spot[1])
    photo = (255 * np.exp(-0.5 * (distance / 4) ** 2))[..., None].repeat(3, 2).astype(np.uint8)
    placement = Placement(CropBox(x, y, side), angle, mirrored)
    size = 96
    crop = cut_out(photo, placement, size)[0].double()
    places = (2 * torch.arange(size).double() + 1) / size - 1
    found = torch.stack([(crop.sum(0) * places).sum(), (crop.sum(1) * places).sum()]) / crop.sum()
    points = torch.zeros(1, 19, 2)
    points[0, :] = torch.from_numpy(spot)
    placed = place_labels(labels(points), [placement]).keypoints2d[0, NOSE]
    torch.testing.assert_close(found.float(), placed, rtol=0, atol=0.02)


@settings(max_examples=20, deadline=None)
@given(st.integers(0, 2**31), st.floats(-3, 3), st.booleans())
def test_the_body_turns_with_the_picture(seed, angle, mirrored):
    """The placed pose, posed by the body and seen by a camera, gives the placed keypoints."""
    g = torch.Generator().manual_seed(seed)
    body = load_body("lite")
    pose = 0.4 * torch.randn(1, 72, generator=g)
    pose[0, :3] = torch.tensor([math.pi, 0, 0]) * 0.9
    keypoints3d = body(torch.zeros(1, 10), pose, vertices=False).keypoints
    camera = torch.tensor([[0.8, 0.1, -0.2]])
    box = CropBox(50, 60, 40)
    crop2d = weak_perspective(keypoints3d, camera)
    pixels = crop2d * 20 + torch.tensor([50.0, 60.0])
    placed = place_labels(
        labels(pixels, keypoints3d=keypoints3d, pose=pose), [Placement(box, angle, mirrored)]
    )
    again = body(torch.zeros(1, 10), placed.pose, vertices=False).keypoints

    # The root turns about the pelvis, keypoints3d about the camera's axis: compare from the hips.
    def centred(points):
        return points - points[:, 2:4].mean(1, keepdim=True)

    torch.testing.assert_close(centred(again), centred(placed.keypoints3d), rtol=0, atol=2e-3)
    flat = placed.keypoints3d[..., :2]
    scale = (placed.keypoints2d - placed.keypoints2d[:, :1]) - 0.8 * (flat - flat[:, :1])
    assert scale.abs().max() < 1e-4


def test_by_hand():
    """A quarter turn clockwise: what was to the right is below. Then the mirror."""
    points = torch.zeros(2, 19, 2)
    points[:, RIGHT_WRIST] = torch.tensor([20.0, 10.0])  # a half-side to the right of the middle
    pose = torch.zeros(2, 72)
    placed = place_labels(
        labels(points, pose=pose),
        [Placement(CropBox(10, 10, 20), math.pi / 2), Placement(CropBox(10, 10, 20), 0.0, True)],
    )
    torch.testing.assert_close(placed.keypoints2d[0, RIGHT_WRIST], torch.tensor([0.0, 1.0]))
    torch.testing.assert_close(placed.keypoints2d[1, LEFT_WRIST], torch.tensor([-1.0, 0.0]))
    root = Rotation.from_rotvec(placed.pose[0, :3].numpy()).as_matrix()
    np.testing.assert_allclose(root @ [1, 0, 0], [0, 1, 0], atol=1e-6)
    photo = np.zeros((21, 21, 3), np.uint8)
    photo[10, 15:18] = 255  # to the right of the middle
    turned = cut_out(photo, Placement(CropBox(10, 10, 21), math.pi / 2), 21)[0]
    assert turned[15:18, 10].min() > 200


def test_unknown_labels_stay_unknown():
    placed = place_labels(
        labels(torch.zeros(2, 19, 2)),
        [Placement(CropBox(0, 0, 2), 0.3, True), Placement(CropBox(0, 0, 2))],
    )
    assert placed.keypoints3d.isnan().all()
    assert placed.pose.isnan().all()


def test_nothing_changes_by_default():
    photo = np.random.default_rng(0).integers(0, 256, (30, 30, 3), np.uint8)
    g = torch.Generator().manual_seed(0)
    points, visible = torch.rand(19, 2) * 30, torch.ones(19)
    box = CropBox(14, 15, 20)
    placement = draw_placement(box, points, visible, AugmentConfig(), g)
    assert placement == Placement(box)
    images = cut_out(photo, placement, 20)[None].float() / 255
    assert torch.equal(repaint(images, AugmentConfig(), OwnDraws([3])), images)


@pytest.mark.parametrize("name", AUGMENTATIONS)
def test_draws_stay_in_their_ranges(name):
    config = AUGMENTATIONS[name]
    box, points, visible = CropBox(50, 50, 40), torch.rand(19, 2) * 30 + 35, torch.ones(19)
    placements = [
        draw_placement(box, points, visible, config, torch.Generator().manual_seed(seed))
        for seed in range(400)
    ]
    if not config.cut:
        scales = [box.size / p.box.size for p in placements]
        assert config.scale[0] - 1e-9 <= min(scales) <= max(scales) <= config.scale[1] + 1e-9
        assert max(abs(p.box.x - 50) / (p.box.size / 2) for p in placements) <= config.shift + 1e-6
    turned = [abs(math.degrees(p.angle)) for p in placements if p.angle]
    assert max(turned, default=0.0) <= 2 * config.rotation + 1e-6
    if config.rotation:
        assert len(turned) / 400 == pytest.approx(config.rotated, abs=0.1)
    assert sum(p.mirrored for p in placements) / 400 == pytest.approx(config.flip, abs=0.1)


def test_a_cut_shows_the_upper_body():
    points = torch.tensor([[50.0, 90.0]]).repeat(19, 1)
    points[list(HIPS_UP)] = torch.stack([torch.linspace(30, 60, 15), torch.linspace(10, 50, 15)], 1)
    box = CropBox(50, 50, 100)
    config = AugmentConfig(cut=1.0)
    sides = set()
    for seed in range(30):
        g = torch.Generator().manual_seed(seed)
        place = draw_placement(box, points, torch.ones(19), config, g)
        sides.add(round(place.box.size))
        assert place.box.y + place.box.size / 2 < 90  # no knees and ankles
    assert len(sides) == 2
    few = torch.zeros(19)
    few[:2] = 1
    assert draw_placement(box, points, few, config, g).box.size == 100


def test_everybody_has_numbers_of_their_own():
    """The same person looks the same alone and in company: processes can share a batch."""
    config = AUGMENTATIONS["strong"]
    images = torch.rand(6, 3, 32, 32, generator=torch.Generator().manual_seed(0))
    together = repaint(images, config, OwnDraws(range(6)))
    for k in range(6):
        alone = repaint(images[k : k + 1], config, OwnDraws([k]))
        torch.testing.assert_close(alone[0], together[k], rtol=0, atol=1e-5)
    assert (together - images).abs().amax((1, 2, 3)).min() > 0.01


def test_channels_by_hand():
    images = torch.full((500, 3, 2, 2), 0.5)
    changed = repaint(images, AugmentConfig(channels=0.4), OwnDraws(range(500)))
    factors = changed[:, :, 0, 0] / 0.5
    assert 0.6 <= factors.min() < 0.62
    assert 1.38 < factors.max() <= 1.4
    assert (changed == changed[:, :, :1, :1]).all()
