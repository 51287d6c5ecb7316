"""The encoders by name. A new one is a file beside this one, and an entry here.

An entry from outside may come at any time: names are looked up when a network is built.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from typing import Any

from hmr_edu.encoder.backbone import check_choice
from hmr_edu.encoder.keypoints import KeypointEncoder
from hmr_edu.encoder.resnet import Encoder, backbone_names

# `Any` stands for modules from outside, which have `image_size` and `feature_dim`, too.
AnyEncoder = Encoder | KeypointEncoder | Any


def _keypoints(*, width: int, **_: object) -> AnyEncoder:
    return KeypointEncoder(width)


# The encoders beside those of a backbone, which have the backbone's name. Each takes the options
# width, stem, pooling, image_size, confidence; the encoder of keypoints has no pictures, and of
# these a width alone.
ENCODERS: dict[str, Callable[..., AnyEncoder]] = {"keypoints": _keypoints}


def build_encoder(
    name: str,
    *,
    width: int,
    stem: str,
    pooling: str,
    image_size: int,
    confidence: bool = False,
) -> AnyEncoder:
    """Build the encoder of a name; it has `feature_dim` and gives `Features`.

    Raises ValueError on an unknown name or option.

    Args:
        name: "resnet18", "resnet50", "efficientnet_lite0" or "keypoints".
        width: channels of a ResNet's first stage, or an eighth of a keypoint encoder's features.
        stem: a backbone's first layers.
        pooling: a backbone's head.
        image_size: pixels along each side of a picture.
        confidence: whether a spatial head says of each keypoint whether it is visible.
    """
    check_choice("encoder", name, dict.fromkeys([*backbone_names(), *ENCODERS]))
    build = ENCODERS[name] if name in ENCODERS else partial(Encoder, name)
    return build(
        width=width, stem=stem, pooling=pooling, image_size=image_size, confidence=confidence
    )
