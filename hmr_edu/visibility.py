"""Which keypoints are visible: a loss for the network's confidence in each.

A network that says where a hidden wrist is should say, too, that it has not seen it.
"""

from __future__ import annotations

from typing import Any

from jaxtyping import Bool, Float
from torch import Tensor
from torch.nn.functional import binary_cross_entropy_with_logits

from hmr_edu.io.precision import at_least_float32
from hmr_edu.labelled import known as known_target
from hmr_edu.labelled import weighted_mean


@at_least_float32
def visibility_loss(
    logits: Float[Tensor, "batch points"],
    visible: Float[Tensor, "batch points"],
    labelled: Bool[Tensor, " batch"],
) -> Float[Tensor, ""]:
    """Return the binary cross-entropy of keypoints being visible, in nats for each.

    `visible` is 1 where a keypoint is visible. `labelled` is False where a 0 only means that nobody
    has annotated the keypoint.
    """
    known = labelled[:, None].expand_as(logits)
    target = known_target(visible, known).to(logits)
    entropy = binary_cross_entropy_with_logits(logits, target, reduction="none")
    return weighted_mean(entropy, known)


def visibility_of(features: Any, batch: Any, _: Any) -> Float[Tensor, ""]:
    """Return `visibility_loss` of `Features`: the entry of the registry of losses.

    Where pixels are labelled, what is hidden or cut off is known, too.
    """
    return visibility_loss(features.visibility, batch.visible, batch.has_parts)
