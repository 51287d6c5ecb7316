"""The encoders by name. A new one is a file beside this one, and an entry here."""

from __future__ import annotations

from collections.abc import Callable

from hmr_edu.encoder.keypoints import KeypointEncoder
from hmr_edu.encoder.resnet import BACKBONES, Encoder

AnyEncoder = Encoder | KeypointEncoder


def _pictures(name: str) -> Callable[..., AnyEncoder]:
    return lambda **options: Encoder(name, **options)


def _keypoints(*, width: int, **_: object) -> AnyEncoder:
    return KeypointEncoder(width)


# Each takes the options width, stem, pooling, image_size; the encoder of keypoints has no pictures,
# and of these a width alone.
ENCODERS: dict[str, Callable[..., AnyEncoder]] = {
    **{name: _pictures(name) for name in BACKBONES},
    "keypoints": _keypoints,
}


def build_encoder(name: str, *, width: int, stem: str, pooling: str, image_size: int) -> AnyEncoder:
    """Build the encoder of a name; it has `feature_dim` and gives `Features`.

    Raises ValueError on an unknown name or option.

    Args:
        name: "resnet18", "resnet50", "efficientnet_lite0" or "keypoints".
        width: channels of a ResNet's first stage, or an eighth of a keypoint encoder's features.
        stem: a backbone's first layers.
        pooling: a backbone's head.
        image_size: pixels along each side of a picture.
    """
    if name not in ENCODERS:
        raise ValueError(f"encoder must be one of {', '.join(ENCODERS)}, got {name!r}")
    return ENCODERS[name](width=width, stem=stem, pooling=pooling, image_size=image_size)
