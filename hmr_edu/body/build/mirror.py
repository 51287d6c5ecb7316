"""Exact left-right symmetry: everything is made for the left half and mirrored.

A half holds the vertices with x >= 0. `mid` marks those on the plane x = 0, which have no partner.
The whole body lists the vertices of the half first, then the partners.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float, Int

# SMPL joints with left and right exchanged.
JOINT_MIRROR = np.array(
    [0, 2, 1, 3, 5, 4, 6, 8, 7, 9, 11, 10, 12, 14, 13, 15, 17, 16, 19, 18, 21, 20, 23, 22]
)
FLIP = np.array([-1.0, 1.0, 1.0])
# vec(S R S) = vec(R) * these signs, S = diag(-1, 1, 1).
FLIP_ROTATION = np.outer(FLIP, FLIP).ravel()


@dataclass(frozen=True)
class Half:
    """The left half of a symmetric mesh: H vertices, faces that look outwards."""

    faces: Int[np.ndarray, "F 3"]
    mid: Bool[np.ndarray, " H"]

    @property
    def size(self) -> int:
        """Number of vertices of the whole body."""
        return 2 * len(self.mid) - int(self.mid.sum())

    @property
    def partner(self) -> Int[np.ndarray, " V"]:
        """The mirror image of each vertex of the whole body."""
        side = np.flatnonzero(~self.mid)
        partner = np.arange(self.size)
        partner[side] = len(self.mid) + np.arange(len(side))
        partner[len(self.mid) :] = side
        return partner

    def whole_faces(self) -> Int[np.ndarray, "G 3"]:
        """Return the faces of the whole body."""
        return np.concatenate([self.faces, self.partner[self.faces][:, ::-1]])

    def whole(self, values: np.ndarray, image: np.ndarray) -> np.ndarray:
        """Append to the rows of the half the mirror images of those off the middle plane."""
        return np.concatenate([values, image[~self.mid]])

    def points(self, half: Float[np.ndarray, "H 3 *rest"]) -> Float[np.ndarray, "V 3 *rest"]:
        """Return positions, or directions for each component, of the whole body."""
        half = half.copy()
        half[self.mid, 0] = 0
        flip = FLIP.astype(half.dtype).reshape(3, *[1] * (half.ndim - 2))
        # Adding zero turns -0.0 into 0.0, so that mirrored bytes are equal too.
        return self.whole(half, half * flip) + half.dtype.type(0)

    def weights(self, half: Float[np.ndarray, "H 24"]) -> Float[np.ndarray, "V 24"]:
        """Return the skinning weights of the whole body."""
        image = half[:, JOINT_MIRROR]
        half = np.where(self.mid[:, None], (half + image) / 2, half)
        return self.whole(half, image)

    def posedirs(self, half: Float[np.ndarray, "H 3 207"]) -> Float[np.ndarray, "V 3 207"]:
        """Return the pose correctives of the whole body."""
        blocks = half.reshape(len(half), 3, 23, 9)
        image = blocks[:, :, JOINT_MIRROR[1:] - 1] * FLIP[:, None, None] * FLIP_ROTATION
        image = image.reshape(half.shape)
        half = np.where(self.mid[:, None, None], (half + image) / 2, half)
        return self.whole(half, image) + 0.0
