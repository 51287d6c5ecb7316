"""The body model: the SMPL layer, body files and the build of the free body."""

from hmr_edu.body.data import BodyData
from hmr_edu.body.files import read_body, same_shapes, save_body
from hmr_edu.body.smpl import SMPL, BodyOutput, forward_kinematics, load_body

__all__ = [
    "SMPL",
    "BodyData",
    "BodyOutput",
    "forward_kinematics",
    "load_body",
    "read_body",
    "same_shapes",
    "save_body",
]
