"""A hint says what somebody did: it is given where the values fit, and not for a failed part.

Each answer fails the part at which a hint used to be shown, and did something else.
"""

import pytest
import torch

from hmr_edu.course.exercises import registry
from hmr_edu.course.exercises.lesson_06 import take_turns
from hmr_edu.rotations import geodesic_angle, rotation_6d_to_matrix


def told(name, answer):
    return repr(registry.find(name).check(answer))


def nearly_right(R1, R2):
    angle = geodesic_angle(R1, R2)
    return angle + 3e-10 * torch.where(angle < 1e-6, 1.0, -1.0)


def negative_scale(points, x, v):
    camera = torch.randn(len(points), 3, generator=torch.Generator().manual_seed(0)).double()
    return camera.abs() + 1


def a_row_negated(six):
    R = rotation_6d_to_matrix(six)
    return torch.cat([R[..., :2], R[..., 2:] * 0.5], -1)


@pytest.mark.parametrize(
    ("name", "answer", "hint"),
    [
        ("geodesic_angle", nearly_right, "acos"),
        ("geodesic_angle", lambda a, b: geodesic_angle(a, b) * 0, "acos"),
        ("half_turn_axis", lambda R: R[..., 0] * torch.nan, "the column you divide by"),
        ("half_turn_axis", lambda R: R[..., 0] * 0, "small column"),
        ("rotation_6d", a_row_negated, "mirror image"),
        ("rodrigues", lambda v: v[..., None, :] * torch.full((3, 1), torch.nan).to(v), "0 * inf"),
        ("rodrigues", lambda v: v[..., None, :] * torch.zeros(3, 1).to(v), "sin(t / 2)^2"),
        ("skew", lambda v: v[..., None, :].expand(*v.shape, 3), "half of the six"),
        ("fit_camera", negative_scale, "no abs"),
        ("fit_camera", lambda p, x, v: torch.zeros(len(p), 3).double(), "is cut"),
        ("schedule", lambda k, K, w, p: 0.3 * p, "cos(pi)"),
        ("schedule", lambda k, K, w, p: 0.0, "(step + 1)"),
        ("robust", lambda q, s, o: torch.zeros_like(q), ".item()"),
        ("labelled_l1", lambda p, t, m: torch.zeros(()).double(), "no .item()"),
        ("growing_loss", lambda x, p: torch.zeros(()).double(), ".item()"),
        ("steps_loss", lambda x, s: torch.zeros(()).double(), ".item()"),
        ("steps_loss", lambda x, s: torch.stack(x).sum(), "0 times infinity"),
        ("lsgan", lambda r, f: (torch.zeros(()).double(), torch.ones(()).double()), ".item()"),
        ("gradient_penalty", lambda c, r, f, m: torch.zeros(()).double(), "create_graph"),
        ("take_turns", take_turns._cleared_too_late, "call the network's step()"),
        ("take_turns", take_turns._means, "detach"),
        ("take_apart", lambda t: (t[:, :3], t[:, 3:75], t[:, 75:]), "theta[0, :3]"),
        ("feedback_loop", lambda f, phi, mean: [mean] * (len(f) + 2), "not among them"),
        ("correction_cosines", lambda s: torch.zeros(len(s) - 2).double(), "hint"),
    ],
)
def test_who_did_something_else_does_not_get_the_hint(name, answer, hint):
    report = told(name, answer)
    assert "FAIL" in report
    assert hint not in report, report
