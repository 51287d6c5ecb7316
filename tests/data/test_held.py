"""Things in hands: where hands are, and what is hidden."""

import math
from dataclasses import replace

import pytest
import torch

from hmr_edu.body import load_body
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.render.body_pixels import BodyPixels
from hmr_edu.data.synthetic import held
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople

SIZE = 64


def people_with(hands):
    """Pictures with squares of 4 x 4 pixels, from (row, column): a hand's part, or part 1."""
    parts = torch.zeros(len(hands), SIZE, SIZE, dtype=torch.uint8)
    for picture, squares in zip(parts, hands, strict=True):
        for part, row, column in squares:
            picture[row : row + 4, column : column + 4] = part
    index = parts.view(-1).nonzero()[:, 0]
    P = len(index)
    return BodyPixels(
        batch=len(hands),
        size=SIZE,
        index=index,
        part=parts.view(-1)[index],
        coverage=torch.ones(P),
        depth=torch.ones(P),
        normal=torch.zeros(3, P),
        surface=torch.zeros(3, P),
    )


def test_hands_are_in_the_middle_of_their_pixels():
    left, right = held.HANDS
    pixels = people_with([[(left, 8, 20), (right, 40, 50)], [(1, 30, 30)], [(left, 0, 0)]])
    for side, expected in ((False, (8, 20)), (True, (40, 50))):
        middle, seen = held.hands(pixels, torch.tensor([side, False, side]))
        assert seen.tolist() == [True, False, not side]
        row, column = expected
        # Pixels 8 to 11 end at 12 of 64: their middle is 10, in [-1, 1] 10 / 32 - 1.
        torch.testing.assert_close(
            middle[0], torch.tensor([(column + 2) / 32 - 1, (row + 2) / 32 - 1])
        )


def test_things_hide_what_is_behind_them_and_only_that():
    n = 80
    pixels = people_with([[(held.HANDS[0], 30, 28), (held.HANDS[1], 30, 32)]] * n)
    images, hidden = torch.zeros(n, 3, SIZE, SIZE), torch.zeros(n, SIZE, SIZE)
    held.hold(images, hidden, pixels, Draws(n, 0), 0.5, lambda d, x: torch.ones_like(x[: d.batch]))
    there = hidden.flatten(1).any(1)
    assert 0.35 < there.float().mean() < 0.65
    torch.testing.assert_close(images, hidden[:, None].expand(-1, 3, -1, -1))
    # Things are near the hand, none is larger than a third of the picture.
    rows, columns = hidden[there].nonzero()[:, 1:].unbind(1)
    assert (rows - 32).abs().max() < 60
    assert hidden[there].mean((1, 2)).max() < 0.33
    assert hidden[there][:, 28:40, 26:40].amax((1, 2)).min() > 0.5
    assert columns.float().mean() == pytest.approx(32, abs=3)


def test_a_ball_is_a_disc(monkeypatch):
    monkeypatch.setattr(held, "SHARES", (0, 1, 0, 0))
    opacity = held.things(Draws(20, 0), torch.zeros(20, 2), 128)
    area = opacity.sum((1, 2)) / 64**2
    width = opacity.amax(1).sum(1) / 64
    torch.testing.assert_close(area, math.pi / 4 * width.square(), atol=0.002, rtol=0.1)


def test_labels_know_what_is_hidden_and_people_stay_the_same():
    plain = replace(APPEARANCES["plain"], scenes=4, outfits=4, heads=4)

    def batch(share):
        config = SyntheticConfig(
            image_size=SIZE, batch_size=24, appearance=replace(plain, held=share)
        )
        return SyntheticPeople(load_body("lite"), load_pose_prior(), config, seed=2)[0]

    free, full = batch(0.0), batch(1.0)
    assert torch.equal(free.keypoints2d, full.keypoints2d)
    assert (full.visible <= free.visible).all()
    assert (full.visible < free.visible).any()
    same = (free.images == full.images).all(1)
    assert 0.8 < same.float().mean() < 0.999
