"""The motion of one person in a video, from what was recovered in each frame.

Three things make it one motion. A person has one shape, so the betas of all frames are averaged,
and each camera is fitted again so that the body covers the same pixels. Cameras leave the units of
their crops, which jump, for pixels of the picture. And rotations and cameras can be smoothed.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import NamedTuple

import torch
from jaxtyping import Float, Float64, Int64
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.fitting.smoothing import smooth_both_ways, smooth_rotations_both_ways
from hmr_edu.fitting.tracks import Tracked
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.theta import split_theta

# Bodies that are computed at a time.
BATCH = 256


class Seen(NamedTuple):
    """A person in one frame: the number of the frame, its time in seconds, and the body."""

    frame: int
    seconds: float
    body: Tracked


class Motion(NamedTuple):
    """A person's motion, in the frames in which the person was seen. Camera frame, metres.

    A point X of the body lands at `scale` * X_xy + `place`, in pixels counted from the picture's
    edge. `crop` is the square that the network read: middle (pixel centres) and side.
    """

    frames: Int64[Tensor, " T"]
    seconds: Float64[Tensor, " T"]
    rotations: Float[Tensor, "T 24 3 3"]
    betas: Float[Tensor, "T 10"]
    scale: Float[Tensor, " T"]
    place: Float[Tensor, "T 2"]
    crop: Float[Tensor, "T 3"]

    def translations(self, width: int, height: int, focal: float) -> Float[Tensor, "T 3"]:
        """Return where the body's origin is, in metres from the camera: x right, y down, z away.

        One metre has `scale` pixels, so the body is focal / scale metres away. The focal length of
        a video is rarely known; a wrong one makes every distance wrong by the same factor, and
        leaves the places across the picture as they are.

        Args:
            width: of the picture, pixels.
            height: of the picture, pixels.
            focal: focal length, pixels.
        """
        middle = self.place.new_tensor((width / 2, height / 2))
        across = (self.place - middle) / self.scale[:, None]
        return torch.cat([across, focal / self.scale[:, None]], dim=1)


def recover_motion(
    seen: Sequence[Seen], body: SMPL, one_shape: bool = True, smoothed: bool = False
) -> Motion | None:
    """Make one motion of a person's bodies; None if none of them is in front of the camera.

    Args:
        seen: the person, frame by frame.
        body: the body model.
        one_shape: average the betas over the frames.
        smoothed: smooth rotations, cameras and, if each frame has its own, betas.
    """
    seen = [person for person in seen if person.body.theta[0] > 0]
    if not seen:
        return None
    camera, pose, betas = split_theta(torch.stack([person.body.theta for person in seen]).float())
    rotations = axis_angle_to_matrix(pose.view(-1, 24, 3))
    seconds = torch.tensor([person.seconds for person in seen], dtype=torch.float64)
    boxes = [person.body.crop for person in seen]
    crop = torch.tensor([[box.x, box.y, box.size] for box in boxes])
    scale = camera[:, 0] * crop[:, 2] / 2
    place = crop[:, :2] + 0.5 + scale[:, None] * camera[:, 1:]
    if one_shape:
        mean = betas.mean(0).expand_as(betas)
        scale, place = _refit(body, rotations, (betas, mean), scale, place)
        betas = mean
    if smoothed:
        rotations = smooth_rotations_both_ways(rotations, seconds)
        # In sizes of the body: a large picture has no faster people.
        usual = scale.median()
        place = smooth_both_ways(place / usual, seconds) * usual
        scale = smooth_both_ways(scale.log(), seconds).exp()
        betas = betas if one_shape else smooth_both_ways(betas, seconds)
    frames = torch.tensor([person.frame for person in seen])
    return Motion(frames, seconds, rotations, betas, scale, place, crop)


@torch.no_grad()
def _refit(
    body: SMPL,
    rotations: Float[Tensor, "T 24 3 3"],
    betas: tuple[Float[Tensor, "T 10"], Float[Tensor, "T 10"]],
    scale: Float[Tensor, " T"],
    place: Float[Tensor, "T 2"],
) -> tuple[Float[Tensor, " T"], Float[Tensor, "T 2"]]:
    """Return the cameras that put the new shape's keypoints nearest to those of the old one.

    The best scale and place of sum |scale X + place - x|^2, with x = old scale Y + old place, where
    X and Y are the keypoints of the new and the old shape. The old ones stay where the two do not
    look alike at all.

    Args:
        body: the body model.
        rotations: of every frame.
        betas: of every frame, old and new.
        scale: of the old cameras.
        place: of the old cameras.
    """
    device = body.J_template.device
    found = []
    for start in range(0, len(scale), BATCH):
        part = slice(start, start + BATCH)
        Y, X = (
            body(shape[part].to(device), rotations[part].to(device), vertices=False)
            .keypoints[..., :2]
            .cpu()
            for shape in betas
        )
        dX, dY = X - X.mean(1, keepdim=True), Y - Y.mean(1, keepdim=True)
        ratio = (dX * dY).sum((1, 2)) / dX.square().sum((1, 2)).clamp_min(1e-9)
        ratio = torch.where(ratio > 0.5, ratio, 1.0)
        new = scale[part] * ratio
        middle = place[part] + scale[part, None] * Y.mean(1)
        found.append(torch.cat([new[:, None], middle - new[:, None] * X.mean(1)], dim=1))
    cameras = torch.cat(found)
    return cameras[:, 0], cameras[:, 1:]
