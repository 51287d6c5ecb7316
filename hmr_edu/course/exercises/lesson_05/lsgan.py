"""Exercise of lesson 05, `lsgan`: least-squares GAN losses."""

from __future__ import annotations

from typing import Any

import torch
from torch import Tensor

from hmr_edu.course import questions
from hmr_edu.course.check import Asked, Check, Mismatch, Report, compare, inputs, require, several
from hmr_edu.course.exercises._common import DOUBLE, draw, tensor
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4


def check_lsgan(function: Asked) -> Report:
    """Check `lsgan(real [N, C], fake [M, C]) -> (encoder loss [], discriminator loss [])`."""
    check = Check("lsgan", function)
    half = torch.full((4, 25), 0.5, dtype=DOUBLE)
    g = inputs(0)
    real = draw(g, 3, 25)
    fake = draw(g, 5, 25)
    with check.part("25 critics at chance: 6.25 for the encoder"):
        _encoder(_pair(check, half, half), half, half)
    with check.part("25 critics at chance: 12.5 for the critics"):
        _critics(_pair(check, half, half), half, half)
    with check.part("any scores, encoder"):
        _encoder(_pair(check, real, fake), real, fake)
    with check.part("any scores, critics; batches of two sizes"):
        _critics(_pair(check, real, fake), real, fake)
        # One sample of each, and one critic.
        _critics(_pair(check, real[:1, :1], fake[:1, :1]), real[:1, :1], fake[:1, :1])
    with check.part("critics that are always right pay nothing, the encoder pays 1 for each"):
        encoder, critics = _pair(check, torch.ones_like(half), torch.zeros_like(half))
        compare(critics, tensor(0.0), 1e-12)
        compare(encoder, tensor(25.0), 1e-12)
    with check.part("the encoder's gradient calls for higher scores of the fakes"):
        zero = torch.zeros(2, 3, dtype=DOUBLE)
        (slope,) = _slopes(check, zero, zero, of=[1], part=0)
        compare(slope, torch.full_like(zero, -1.0), 1e-12)
    with check.part("the critics' gradient comes from both, real bodies and fakes"):
        r, f = torch.full((2, 2, 3), 0.5, dtype=DOUBLE)
        on_real, on_fake = _slopes(check, r, f, of=[0, 1], part=1)
        compare(on_real, torch.full_like(r, -0.5), 1e-12)
        compare(on_fake, torch.full_like(f, 0.5), 1e-12)
    return check.report()


def _pair(check: Check, real: Tensor, fake: Tensor) -> tuple[Any, Any]:
    return _in_order(check.call(real, fake), real, fake)


def _in_order(result: object, real: Tensor, fake: Tensor) -> tuple[Any, Any]:
    pair = several(result, "encoder, critics")
    encoder, critics = _losses(real, fake)
    if not torch.allclose(encoder, critics) and all(
        isinstance(got, Tensor) and got.shape == () and torch.allclose(got.detach(), want)
        for got, want in zip(pair, (critics, encoder), strict=True)
    ):
        raise Mismatch("the two losses are exchanged", "return encoder, critics: in this order")
    return pair[0], pair[1]


def _losses(real: Tensor, fake: Tensor) -> tuple[Tensor, Tensor]:
    """Sum both losses number by number."""
    on_real = sum((d - 1) ** 2 for d in real.flatten().tolist()) / len(real)
    on_fake = sum(d**2 for d in fake.flatten().tolist()) / len(fake)
    encoder = sum((d - 1) ** 2 for d in fake.flatten().tolist()) / len(fake)
    return real.new_tensor(encoder), real.new_tensor(on_real + on_fake)


def _slopes(check: Check, real: Tensor, fake: Tensor, of: list[int], part: int) -> list[Tensor]:
    """Return the gradients of one of the losses."""
    depends, result, slopes = check.ask(questions.gradients, [real, fake], of, part)
    compare(_in_order(result, real, fake)[part], _losses(real, fake)[part], 1e-9)
    hint = "the value is right; keep the graph: no .item(), no .detach() in here"
    require(depends, "the loss has no gradient", hint)
    require(None not in slopes, "no gradient reaches the scores", hint)
    return slopes


def _encoder(pair: tuple[Any, Any], real: Tensor, fake: Tensor) -> None:
    M, C = fake.shape
    want = _losses(real, fake)[0]
    compare(
        pair[0],
        want,
        1e-12,
        {
            "sum over the critics, and take the mean over the samples only": want / C,
            "take the mean over the samples, do not sum over them": want * M,
            "the encoder wants its fakes to be called real, 1": fake.square().sum() / M,
            "the encoder is judged by the fakes, not by the real bodies": (real - 1).square().sum()
            / len(real),
        },
    )


def _critics(pair: tuple[Any, Any], real: Tensor, fake: Tensor) -> None:
    N, M, C = len(real), len(fake), real.shape[1]
    want = _losses(real, fake)[1]
    on_real = (real - 1).square().sum()
    on_fake = fake.square().sum()
    swapped = real.square().sum() / N + (fake - 1).square().sum() / M
    compare(
        pair[1],
        want,
        1e-12,
        {
            "sum over the critics, and take the mean over the samples only": want / C,
            "take the mean over the samples, do not sum over them": on_real + on_fake,
            "a mean over the real, plus a mean over the fakes: do not average the two": want / 2,
            "each batch has its own size: a mean of each, then the sum": (on_real + on_fake)
            / (N + M),
            "real is 1, fake is 0: yours are exchanged": swapped,
            "the fakes are missing: the critics must call them 0": on_real / N,
        },
    )


# Wrong answers that people give.


def _lsgan_of(r, f):
    encoder = (f - 1).square().sum(1).mean()
    return encoder, (r - 1).square().sum(1).mean() + f.square().sum(1).mean()


MISTAKES = [
    Mistake(lambda r, f: _lsgan_of(r, f)[::-1], "in this order", 0.0),
    Mistake(lambda r, f: (_lsgan_of(r, f)[0], _lsgan_of(r, f)[1] / 2), "do not average", 4 / 7),
    Mistake(
        lambda r, f: (_lsgan_of(r, f)[0], _lsgan_of(r, f.detach())[1]), "keep the graph", 6 / 7
    ),
    Mistake(lambda r, f: ((f - 1).square().mean(), (r - 1).square().mean()), "sum over", 0.0),
    Mistake(
        lambda r, f: ((f - 1).square().sum(), (r - 1).square().sum() + f.square().sum()),
        "do not sum over",
        0.0,
    ),
    Mistake(
        lambda r, f: (f.square().sum(1).mean(), r.square().sum(1).mean()), "called real", 1 / 7
    ),
    Mistake(
        lambda r, f: (
            (f - 1).square().sum(1).mean(),
            (f - 1).square().sum(1).mean() + r.square().sum(1).mean(),
        ),
        "exchanged",
        4 / 7,
    ),
    Mistake(
        lambda r, f: ((f - 1).square().sum(1).mean(), torch.cat([r - 1, f]).square().sum(1).mean()),
        "own size",
        4 / 7,
    ),
    Mistake(lambda r, f: tuple(loss.detach() for loss in _lsgan_of(r, f)), "keep the graph", 5 / 7),
    Mistake(
        lambda r, f: ((1 - f).relu().square().sum(1).mean(), _lsgan_of(r, f)[1]),
        "",
        6 / 7,
        name="one-sided",
    ),
    Mistake(
        lambda r, f: (_lsgan_of(r, f)[0], _lsgan_of(r.squeeze()[None], f.squeeze()[None])[1]),
        "",
        None,
        name="squeezed",
    ),
]
