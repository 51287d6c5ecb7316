"""Simulated 2D keypoints of posed bodies: what the network of keypoints is trained on.

No picture is made, so a batch of thousands takes a fraction of a second.
"""

from __future__ import annotations

from copy import deepcopy
from dataclasses import dataclass

import torch
from jaxtyping import Float
from torch import Tensor

from hmr_edu.body import SMPL
from hmr_edu.camera import perspective
from hmr_edu.crop import into_box, visible_box
from hmr_edu.data.batch import KeypointBatch, TensorDataclass
from hmr_edu.data.detections.noise import DetectionConfig, disturb, redefine, seen
from hmr_edu.data.poses.varied import vary
from hmr_edu.data.source import batch_seed
from hmr_edu.data.synthetic.people import PoseSource, SyntheticConfig
from hmr_edu.data.synthetic.views import draw_view, draw_viewpoints
from hmr_edu.io.precision import float32_by_default
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle, nearest_rotation

# (share, multiple of the pitch's spread, of the roll's): most cameras are level, some are not, and
# for a few the person lies, falls or stands on the hands.
TILTS = ((0.6, 1.0, 1.0), (0.3, 2.2, 2.5), (0.1, 4.3, 11.0))
# Weight in the 2D loss of keypoints that the network was not told.
HIDDEN = 0.15


@dataclass
class Detected(TensorDataclass):
    """A batch of people, in the coordinates of the box around their detected keypoints."""

    detected: Float[Tensor, "batch 19 2"]
    confidence: Float[Tensor, "batch 19"]
    keypoints2d: Float[Tensor, "batch 19 2"]
    keypoints3d: Float[Tensor, "batch 19 3"]
    rotations: Float[Tensor, "batch 24 3 3"]
    betas: Float[Tensor, "batch 10"]
    camera: Float[Tensor, "batch 3"]


class DetectedPeople:
    """A `BatchSource` of people of whom a detector has found the 2D keypoints.

    Args:
        body: the body model.
        poses: where poses come from.
        config: cameras and sizes, as for pictures; appearance, boxes, borders, neighbours and turns
            are not used.
        detections: errors of the keypoints.
        seed: random seed of the stream.
    """

    @float32_by_default
    def __init__(
        self,
        body: SMPL,
        poses: PoseSource,
        config: SyntheticConfig,
        detections: DetectionConfig | None = None,
        seed: int = 0,
    ) -> None:
        self.body = body if body.v_template.dtype == torch.float32 else deepcopy(body).float()
        self.poses, self.config, self.seed = poses, config, seed
        self.detections = detections or DetectionConfig()
        self.batch_size, self.image_size = config.batch_size, config.image_size

    @torch.no_grad()
    @float32_by_default
    def prepare(self, index: int) -> Detected:
        """Draw, pose and detect the people of batch `index`, on the CPU."""
        c, n = self.config, self.config.batch_size
        g = torch.Generator().manual_seed(batch_seed(self.seed, index))
        betas = c.betas * torch.randn(n, 10, generator=g)
        pose = vary(self.poses.sample(n, g), g)
        rotations = axis_angle_to_matrix(pose.view(n, 24, 3))
        pitch, roll = self._tilts(g)
        rotations[:, 0] = draw_viewpoints(pitch, roll, g) @ rotations[:, 0]
        keypoints3d = self.body(betas, rotations, vertices=False).keypoints
        view = draw_view(keypoints3d, c, g)

        redefined = redefine(keypoints3d, self.detections.definitions, g)
        seen2d = perspective(redefined, view.translation, view.focal)
        places, confidence = disturb(seen2d, self.detections, g)
        # Outside the crop there is no picture.
        known = seen(keypoints3d, self.detections, g) & (places.abs() <= 1).all(2)
        confidence = confidence * known
        return put_in_box(
            Detected(
                detected=places * known[..., None],
                confidence=confidence,
                keypoints2d=view.keypoints2d,
                keypoints3d=keypoints3d,
                rotations=rotations,
                betas=betas,
                camera=view.weak_camera(keypoints3d),
            )
        )

    def finish(self, prepared: Detected, device: torch.device | str = "cpu") -> KeypointBatch:
        """Return the batch on `device`."""
        return as_batch(prepared.to(device))

    @float32_by_default
    def mean_theta(self, batches: int = 4) -> Float[Tensor, "85"]:
        """Return the mean camera, pose and shape of the stream: the start of the regression.

        The pose is the mean rotation of each joint. The root faces the camera.
        """
        people = [self.prepare(2**31 + k) for k in range(batches)]
        R = nearest_rotation(torch.cat([p.rotations for p in people]).mean(0))
        R[0] = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
        camera = torch.cat([p.camera for p in people]).median(0).values
        return torch.cat([camera, matrix_to_axis_angle(R).flatten(), torch.zeros(10)])

    def _tilts(self, g: torch.Generator) -> tuple[Float[Tensor, " batch"], Float[Tensor, " batch"]]:
        """Draw the standard deviations of each camera's pitch and roll, in degrees."""
        shares = torch.tensor([share for share, _, _ in TILTS])
        which = torch.multinomial(shares, self.config.batch_size, True, generator=g)
        factors = torch.tensor([factors for _, *factors in TILTS])[which]
        return self.config.pitch * factors[:, 0], self.config.roll * factors[:, 1]


def as_batch(people: Detected) -> KeypointBatch:
    """Return people as a batch for training or testing, with all their labels."""
    n, device = len(people.betas), people.betas.device
    everybody = torch.ones(n, dtype=torch.bool, device=device)
    # In a box around a face the legs are far away: their errors count less.
    reach = people.keypoints2d.abs().amax((1, 2)).clamp_min(1.0)[:, None]
    return KeypointBatch(
        images=torch.ones(n, 3, 1, 1, device=device),
        keypoints2d=people.keypoints2d,
        visible=torch.where(people.confidence > 0, 1.0, HIDDEN / reach),
        keypoints3d=people.keypoints3d,
        rotations=people.rotations,
        betas=people.betas,
        camera=people.camera,
        parts=torch.zeros(n, 1, 1, dtype=torch.uint8, device=device),
        has_3d=everybody,
        has_theta=everybody,
        has_parts=~everybody,
        detected=people.detected,
        confidence=people.confidence,
    )


def put_in_box(people: Detected) -> Detected:
    """Put 2D keypoints and cameras into the boxes of the detected keypoints.

    x' = (s (X + t) - middle) / half = (s / half) (X + t - middle / s).
    """
    box = visible_box(people.detected, people.confidence)
    scale = people.camera[:, :1]
    people.detected = into_box(people.detected, box) * (people.confidence > 0)[..., None]
    people.keypoints2d = into_box(people.keypoints2d, box)
    translation = people.camera[:, 1:] - box[:, :2] / scale
    people.camera = torch.cat([scale / box[:, 2:], translation], dim=1)
    return people
