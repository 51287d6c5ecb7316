"""A recorded skeleton as its file has it: joints, bones at rest, and a rotation for each frame."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float
from scipy.spatial.transform import Rotation

from hmr_edu.io.errors import DataError

# Joints of the largest skeleton.
MOST_JOINTS = 1000
Matrix = Float[np.ndarray, "3 3"]
Vector = Float[np.ndarray, " 3"]


@dataclass(frozen=True)
class Recording:
    """A skeleton with its motion, in the axes of its file.

    Where all rotations are zero, the bones lie as `offsets` say: that is the rest pose.

    Args:
        names: of the joints; parents come before their children.
        parents: index of each joint's parent, -1 for the root.
        offsets: each joint's place from its parent, at rest.
        rotation: called with a joint and a range of frames, returns the joint's rotations against
            its parent: identity at rest.
        frames: how many frames there are.
        fps: frames a second.
        flexion: by part ("left_elbow"), the axis about which a hinge bends, at rest.
        neutral: by part ("left_wrist"), the rotation that counts as no rotation.
        rolled_feet: whether the feet are rolled with legs that splay at rest; else they are flat.
        spine: shares of the trunk's bend that spine1, spine2 and spine3 get.
        missing: frames without a pose: the file has no number there.
    """

    names: Sequence[str]
    parents: Sequence[int]
    offsets: Float[np.ndarray, "J 3"]
    rotation: Callable[[int, slice], Rotation]
    frames: int
    fps: float
    flexion: dict[str, Vector] = field(default_factory=dict)
    neutral: dict[str, Matrix] = field(default_factory=dict)
    rolled_feet: bool = False
    spine: tuple[float, float, float] = (0.4, 0.3, 0.3)
    missing: Bool[np.ndarray, " T"] | None = None

    def ancestors(self, joint: int) -> list[int]:
        """Return the joints from the root down to a joint, itself included."""
        chain = []
        while joint >= 0:
            chain.append(joint)
            joint = self.parents[joint]
        return chain[::-1]

    def common(self, a: int, b: int) -> int:
        """Return the joint from which both joints hang: the last of their common ancestors."""
        shared = [i for i, j in zip(self.ancestors(a), self.ancestors(b), strict=False) if i == j]
        return shared[-1]

    def turned(self, joints: Sequence[int], frames: slice) -> dict[int, Rotation]:
        """Return the rotations of joints against the world, for a range of frames."""
        done: dict[int, Rotation] = {}
        for joint in sorted({i for j in joints for i in self.ancestors(j)}):
            own = self.rotation(joint, frames)
            parent = self.parents[joint]
            done[joint] = own if parent < 0 else done[parent] * own
        return {joint: done[joint] for joint in joints}

    def places(self, frame: int | None = None) -> Float[np.ndarray, "J 3"]:
        """Return where the joints are at rest, or in a frame; the root is at the origin."""
        everything = range(len(self.names))
        turned = {}
        if frame is not None:
            turned = self.turned(everything, slice(frame, frame + 1))
        places = np.zeros((len(self.names), 3))
        for joint in everything:
            parent = self.parents[joint]
            if parent >= 0:
                offset = self.offsets[joint]
                if frame is not None:
                    offset = turned[parent].apply(offset)[0]
                places[joint] = places[parent] + offset
        return places


def check_tree(names: Sequence[str]) -> None:
    """Raise DataError where the joints are too many, or a name stands for two of them."""
    if len(names) > MOST_JOINTS:
        raise DataError(f"more than {MOST_JOINTS} joints")
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise DataError(f"two joints have the name {name!r:.60}")
        seen.add(name)
