"""The body model: the SMPL layer, body files, the wardrobe and the build of both."""

from hmr_edu.body.data import BodyData
from hmr_edu.body.files import read_body, same_shapes, save_body
from hmr_edu.body.smpl import SMPL, BodyOutput, forward_kinematics, load_body
from hmr_edu.body.wardrobe import Garment, Wardrobe, load_wardrobe

__all__ = [
    "SMPL",
    "BodyData",
    "BodyOutput",
    "Garment",
    "Wardrobe",
    "forward_kinematics",
    "load_body",
    "load_wardrobe",
    "read_body",
    "same_shapes",
    "save_body",
]
