"""Lesson 06: its inline code against the package and against peers."""

import math
from pathlib import Path

import pytest
import torch
from helpers.lesson_code import definitions

from hmr_edu import WEIGHTS
from hmr_edu.body import load_body
from hmr_edu.course.check import Check
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.losses import keypoints3d_loss
from hmr_edu.training.adversarial import critic_weights
from hmr_edu.training.config import OptimizerConfig
from hmr_edu.training.optimizers import learning_rate
from hmr_edu.viz import read_run

LESSON = Path(__file__).parents[2] / "notebooks" / "06_gan_training.ipynb"
EXERCISES = ("labelled_l1", "fakes_of", "schedule", "take_turns")


@pytest.fixture(scope="module")
def lesson():
    names = (
        "keypoints_of",
        "draw_people",
        "EveryStep",
        "trio",
        "Setting",
        "FALLING",
        "train_three",
        *EXERCISES,
    )
    found = definitions(LESSON, *names)
    found.update(body=load_body("lite"), prior=load_pose_prior(), output_weights=critic_weights())
    return found


def randn(*shape, seed=0, dtype=torch.float64):
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=dtype)


# What the lesson builds, against the package and peers.


def test_labelled_l1_is_the_package_s(lesson):
    pred, target = randn(6, 19, 3), randn(6, 19, 3, seed=1)
    # Hips in the origin, where the package puts them.
    pred[:, 2:4], target[:, 2:4] = 0.0, 0.0
    for labelled in (torch.tensor([True, False] * 3), torch.zeros(6, dtype=torch.bool)):
        ours = lesson["labelled_l1"](pred.flatten(1), target.flatten(1), labelled)
        torch.testing.assert_close(ours, keypoints3d_loss(pred, target, labelled))


def test_schedule_is_the_package_s(lesson):
    options = OptimizerConfig(learning_rate=3e-3, warmup=7)
    for step in range(50):
        theirs = learning_rate(options, step, step / 50)
        assert math.isclose(lesson["schedule"](step, 50, 7, 3e-3), theirs, rel_tol=1e-12)


def test_the_stack_trains_each_network_as_if_alone(lesson):
    """Three in a stack, or one by itself: the same updates of network and critics."""
    setting, n = lesson["Setting"](adversary=0.5, three_d=1.0, mocap=30), 4
    R = lesson["draw_people"](40, 0)
    X = lesson["keypoints_of"](R)
    phi = X[..., :2].flatten(1)
    lesson.update(R=R, X=X, phi=phi, phi_test=phi[:5], mocap=lesson["draw_people"](30, 1)[:, 1:])
    together, curve = lesson["train_three"](setting, updates=3, n=n)
    assert together.shape == (3, 3, 5, 24, 3, 3)
    assert curve.shape == (3, 2)

    g = torch.Generator().manual_seed(5)
    torch.manual_seed(1)
    one = lesson["EveryStep"]()
    torch.manual_seed(1)
    judge = lesson["Discriminator"](16, 64)
    opt, judge_opt = (
        torch.optim.Adam(one.parameters(), 5e-3),
        torch.optim.Adam(judge.parameters(), 1e-3),
    )
    for k in range(3):
        opt.param_groups[0]["lr"] = lesson["schedule"](k, 3, 25, 5e-3)
        who = torch.randint(len(R), (3, n), generator=g)[1]
        steps = one(phi[who])
        off = (lesson["keypoints_of"](steps[-1]) - X[who]).abs()
        fake = steps[:, :, 1:].flatten(0, 1)
        E = (
            (judge(fake, torch.zeros(len(fake), 10)) - 1).square() @ lesson["output_weights"]
        ).mean()
        opt.zero_grad()
        (10 * off[..., :2].mean() + off.mean() + 0.5 * E).backward()
        opt.step()
        real = lesson["mocap"][torch.randint(setting.mocap, (3, n), generator=g)[1]]
        says, says_real = (
            judge(fake.detach(), torch.zeros(len(fake), 10)),
            judge(real, real.new_zeros(n, 10)),
        )
        judge_opt.zero_grad()
        D = says.square() @ lesson["output_weights"]
        (D.mean() + ((says_real - 1).square() @ lesson["output_weights"]).mean()).backward()
        judge_opt.step()
    torch.testing.assert_close(together[1], one(phi[:5]).detach(), atol=1e-4, rtol=0)


def test_a_check_lets_nan_be_an_argument():
    check = Check("same", lambda x: x)
    with check.part("NaN"):
        check.call(torch.tensor([1.0, torch.nan]))
    assert check.report().passed


def test_the_shipped_critics_win_as_the_lesson_says():
    """By section 5's rule: the last tenth of the run, against chance for 19 critics."""
    run = read_run(WEIGHTS / "resnet18-gpu")
    tail = run.steps[-len(run.steps) // 10 :]
    network, critics = (
        sum(step.losses[name] for step in tail) / len(tail) for name in ("adversary", "critics")
    )
    count = run.config["critics"]
    assert critics < 0.5 * count
    assert network > 0.25 * count
    words = " ".join(LESSON.read_text(encoding="utf-8").split())
    assert "By this rule the critics of this run are winning" in words
    assert f"at {critics:.2f} instead of {0.5 * count:.1f}" in words
    assert f"at {network:.2f} instead of {0.25 * count:.2f}" in words
    rows = run.evaluation["test-prior"]
    assert round(rows["after"]["distance_to_real_pose"]) == 11
    assert round(rows["truth"]["distance_to_real_pose"]) == 13
    loss, optimizer = run.config["loss"], run.config["optimizer"]
    assert (loss["adversary"], loss["keypoints3d"], loss["pose"]) == (0.01, 10.0, 10.0)
    assert optimizer["critic_every"] == 4
