"""Dressed people against independent truths: garments that are pieces of the body, pushed out."""

import dataclasses

import numpy as np
import torch

from hmr_edu.body import load_body
from hmr_edu.body.wardrobe import Garment, Skin, SkinChart, Wardrobe
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.render.renderer import vertex_normals
from hmr_edu.data.synthetic.appearance import APPEARANCES
from hmr_edu.data.synthetic.people import SyntheticConfig, SyntheticPeople
from hmr_edu.keypoints import SMPL_JOINTS

OUT = 0.01
FEET = ("ankle", "foot")
LEGS = ("pelvis", "hip", "knee", "ankle")
HEAD = ("head",)


def piece(body, full, kind, joints, texture):
    """A garment that is the part of the body that belongs to some joints, pushed out by 1 cm."""
    wanted = [k for k, name in enumerate(SMPL_JOINTS) if name.split("_")[-1] in joints]
    owner = body.weights.argmax(1)
    faces = body.faces[torch.isin(owner[body.faces], torch.tensor(wanted)).any(1)]
    used, faces = faces.unique(return_inverse=True)
    normals = vertex_normals(body.v_template[None], body.faces)[0]
    template = body.v_template.numpy() + OUT * normals
    x, y, _ = body.v_template[used].T
    uv = torch.stack([(x + 1) / 2, (y + 1.3) / 2], 1).clamp(0, 1)
    covers = torch.isin(full.weights.argmax(1), torch.tensor(wanted))
    return Garment(
        name=f"female_{kind}",
        kind=kind,
        template=template[used].astype(np.float32),
        directions=body.shapedirs[used].numpy().copy(),
        weights=body.weights[used].numpy().copy(),
        uv=uv.numpy().astype(np.float32),
        faces=faces.numpy().astype(np.int32),
        weld=np.arange(len(used), dtype=np.int32),
        covers=covers.numpy(),
        texture=texture,
    )


def chequered(*colours, channels=3, size=64):
    cell = (np.indices((size, size)) // 4).sum(0) % 2
    return np.array(colours, np.uint8)[cell][..., :channels]


def wardrobe_of(body, full):
    cloth = chequered((200, 40, 40), (240, 240, 240))
    holes = chequered((60, 40, 20, 255), (60, 40, 20, 0), channels=4)
    rest = {name.split("_")[-1] for name in SMPL_JOINTS}
    torso = rest - set(LEGS) - set(FEET) - set(HEAD) - {"wrist", "hand", "neck"}
    pieces = (
        piece(body, full, "top", torso, cloth),
        piece(body, full, "bottom", LEGS, cloth),
        piece(body, full, "shoes", FEET, cloth),
        piece(body, full, "hair", HEAD, holes),
    )
    skin = Skin("pale", "female", "young", "european", np.full((16, 16, 3), 220, np.uint8))
    x, y = body.v_template[:, 0], body.v_template[:, 1]
    uv = torch.stack([(x + 1) / 2, (y + 1.3) / 2], 1).clamp(0, 1).numpy()
    chart = SkinChart(uv, np.arange(len(uv), dtype=np.int32), body.faces.numpy().astype(np.int32))
    return Wardrobe(pieces, (skin,), {"lite": chart})


def people(dressed, wardrobe=None, level="clear", **changes):
    body = load_body("lite")
    wardrobe = wardrobe or wardrobe_of(body, load_body("full"))
    appearance = dataclasses.replace(
        APPEARANCES[level], scenes=4, outfits=4, heads=4, cast_shadow=0.0, dressed=dressed
    )
    config = SyntheticConfig(image_size=96, batch_size=8, appearance=appearance)
    config = dataclasses.replace(config, **changes)
    return SyntheticPeople(body, load_pose_prior(), config, 0, wardrobe)
