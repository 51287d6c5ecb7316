from .heads import AverageHead, Features, SpatialHead, cell_centres, soft_argmax
from .resnet import Encoder, ResNet

__all__ = [
    "AverageHead",
    "Encoder",
    "Features",
    "ResNet",
    "SpatialHead",
    "cell_centres",
    "soft_argmax",
]
