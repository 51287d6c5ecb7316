from .build import build_encoder
from .heads import AverageHead, Features, SpatialHead, cell_centres, soft_argmax
from .keypoints import KeypointEncoder, camera_out_of_box, into_box, visible_box
from .resnet import Encoder, ResNet

__all__ = [
    "AverageHead",
    "Encoder",
    "Features",
    "KeypointEncoder",
    "ResNet",
    "SpatialHead",
    "build_encoder",
    "camera_out_of_box",
    "cell_centres",
    "into_box",
    "soft_argmax",
    "visible_box",
]
