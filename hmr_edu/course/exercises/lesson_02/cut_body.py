"""Exercise of lesson 02, `cut_body`: only the vertices that keypoints use."""

from __future__ import annotations

import numpy as np
import torch
from torch import Tensor

from hmr_edu.course.check import (
    Asked,
    Check,
    Report,
    compare,
    described,
    inputs,
    require,
    several,
    shaped,
)
from hmr_edu.course.exercises._common import normal, tensor, uniform
from hmr_edu.course.exercises.registry import Mistake

POINTS = 4
ARRAYS = ("regressor", "template", "shapedirs", "weights")


def check_cut_body(function: Asked) -> Report:
    """Check `cut_body(regressor [K, V], template [V, 3], shapedirs [V, 3, S], weights [V, J])`.

    It returns the four with only those U vertices that some keypoint uses.
    """
    check = Check("cut_body", function)
    # Vertices 0 and 4 are used by nobody, 3 with a minus, 2 in amounts that add up to nothing.
    K = tensor([[0, 0.5, 0.3, 0, 0, 0.2], [0, 0.6, -0.3, -0.1, 0, 0.8]])
    few = (K, normal(106, 6, 3), normal(107, 6, 3, 10), normal(108, 6, 4).softmax(1))
    with check.part("as many vertices as some keypoint uses"):
        slips = {
            6: "these are all: leave out those that no keypoint uses",
            3: "a vertex counts if any weight is not zero: minus counts too, and none outweighs it",
        }
        for name, part in zip(ARRAYS, _four(check, *few), strict=True):
            got = part.shape[name == "regressor"]
            require(got == 4, f"{name}: {got} vertices, wanted 4", slips.get(got, ""))
    with check.part("a weight is as large as it was"):
        total = K[:, [1, 2, 3, 5]]
        shares = total / total.abs().sum(1, keepdim=True)
        slips = {"leave the weights as they are: do not divide by their sum": shares}
        compare(_four(check, *few)[0], total, 1e-12, slips)
        # A weight may be small, and keypoints may be as many as vertices are used.
        tiny = K.clone()
        tiny[0, 4] = 1e-7
        got = _four(check, tiny, *few[1:])[0]
        hint = "a small weight is not zero" * (got.shape[1] == 4)
        require(got.shape[1] == 5, f"{got.shape[1]} vertices, wanted 5", hint)
        compare(_four(check, *few)[1], few[1][[1, 2, 3, 5]], 0.0, _order(few[1]))
        # One keypoint.
        one = _four(check, K[:1], *few[1:])[0]
        compare(one, K[:1, [1, 2, 5]], 0.0)
    many = _sparse_body()
    with check.part("the same keypoints of people at rest, whatever their shape"):
        betas = normal(113, 5, 10)
        for beta in betas:
            compare(_keypoints(_four(check, *many), beta), _keypoints(many, beta), 1e-9)
    with check.part("the same keypoints when joints move"):
        motion = normal(114, 4, 3, 4)
        cut = _four(check, *many)
        wanted = _keypoints(many, betas[0], motion)
        compare(_keypoints(cut, betas[0], motion), wanted, 1e-9)
    return check.report()


def _four(check: Check, *arrays: Tensor) -> tuple[Tensor, ...]:
    result = several(check.call(*arrays), ", ".join(ARRAYS), lists=True)
    for name, part, whole in zip(ARRAYS, result, arrays, strict=True):
        require(isinstance(part, Tensor), f"{name} is {described(part)}, a tensor is wanted")
        flat = part.ndim != whole.ndim
        require(not flat, f"{name}: shape {list(part.shape)}, wanted {whole.ndim} axes")
    left = {part.shape[number == 0] for number, part in enumerate(result)}
    require(len(left) == 1, f"vertices left: {sorted(left)}", "cut all four in the same way")
    for name, part, whole in zip(ARRAYS, result, arrays, strict=True):
        want = list(whole.shape)
        want[name == "regressor"] = left.copy().pop()
        shaped(part, want)
    return result


def _sparse_body() -> tuple[Tensor, Tensor, Tensor, Tensor]:
    """Make forty vertices of which about half are used by some of five keypoints."""
    used = uniform(inputs(112), 5, 40) < 0.12
    K = torch.where(used, normal(109, 5, 40), 0.0)
    return K, normal(110, 40, 3), normal(111, 40, 3, 10), normal(112, 40, 4).softmax(1)


def _keypoints(arrays: tuple[Tensor, ...], beta: Tensor, motion: Tensor | None = None) -> Tensor:
    """Shape, move by blended motions [J, 3, 4], regress; vertex after vertex, in NumPy."""
    K, template, shapedirs, weights = (array.numpy() for array in arrays)
    total = np.zeros((len(K), 3))
    for v in range(len(template)):
        x = template[v] + shapedirs[v] @ beta.numpy()
        if motion is not None:
            blend = sum(w * G for w, G in zip(weights[v], motion.numpy(), strict=True))
            x = blend[:, :3] @ x + blend[:, 3]
        total += K[:, v, None] * x
    return torch.from_numpy(total)


def _order(template: Tensor) -> dict[str, Tensor]:
    most_first = template[[5, 1, 2, 3]]
    return {"keep the vertices in their old order": most_first}


# Wrong answers that people give.


def _keep(use, change=lambda K: K):
    def function(K, *others):
        return change(K[:, use(K)]), *(array[use(K)] for array in others)

    return function


MISTAKES = [
    Mistake(_keep(lambda K: (K > 0).any(0)), "minus counts too", 0.0),
    Mistake(_keep(lambda K: K.sum(0) != 0), "none outweighs it", 2 / 4),
    Mistake(_keep(lambda K: K[0] != 0), "minus counts too", 0.0),
    Mistake(_keep(lambda K: (K == K).all(0)), "these are all", 2 / 4),
    Mistake(_keep(lambda K: (K != 0).any(0), lambda K: K / K.abs().sum(1, True)), "divide", 1 / 4),
    Mistake(lambda K, T, S, W: (K[:, (K != 0).any(0)], T, S, W), "cut all four", 0.0),
    Mistake(_keep(lambda K: K.abs().sum(0) > 1e-3), "a small weight is not zero", 3 / 4),
    Mistake(_keep(lambda K: K.abs().sum(0).argsort(descending=True)[:4]), "", 1 / 4),
    Mistake(_keep(lambda K: (K != 0).squeeze().reshape(-1, K.shape[1])[:2].any(0)), "", 2 / 4),
    Mistake(lambda K, T, S, W: K[:, (K != 0).any(0)], "return regressor, template", 0.0),
]
