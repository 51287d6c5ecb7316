from .build import build_encoder
from .efficientnet_lite import EfficientNetLite
from .heads import AverageHead, Features, SpatialHead, cell_centres, soft_argmax
from .keypoints import KeypointEncoder
from .resnet import Encoder, ResNet

__all__ = [
    "AverageHead",
    "EfficientNetLite",
    "Encoder",
    "Features",
    "KeypointEncoder",
    "ResNet",
    "SpatialHead",
    "build_encoder",
    "cell_centres",
    "soft_argmax",
]
