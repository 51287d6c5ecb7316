"""Stand-ins for the networks: they see red and green people, or explain keypoints."""

from types import SimpleNamespace

import numpy as np
import torch
from helpers.toy_body import toy_body
from torch import nn

from hmr_edu.body import SMPL
from hmr_edu.camera import fit_weak_perspective
from hmr_edu.fitting.people_search import FoundPerson
from hmr_edu.hmr import HMR

WIDTH, HEIGHT = 200, 120
COLOURS = {1: (255, 0, 0), 2: (0, 255, 0)}


class SeesColours(HMR):
    """The mean body, as large as the red or green patch in the crop; unsure where there is none."""

    def __init__(self, pooling="spatial"):
        nn.Module.__init__(self)
        self.body, self.image_size = SMPL(toy_body()), 64
        self.options = {"encoder": "resnet18", "pooling": pooling, "body": "toy"}
        self.crops = 0

    def forward(self, images, vertices=True, return_features=False):
        self.crops += len(images)
        theta = torch.zeros(len(images), 85)
        points = self.detail(theta).keypoints3d
        heights = torch.full((len(images), 19, 8, 8), -9.0)
        for i, image in enumerate(images):
            seen = (image[:2].amax(0) > 0.5).nonzero()
            theta[i, 0] = 0.01
            if len(seen):
                low, high = seen.amin(0), seen.amax(0) + 1
                corners = torch.stack([low, high]).flip(1) / 32 - 1
                theta[i, :3] = into(points[i], corners)
                heights[i] = 9.0
        steps = [self.detail(theta)]
        return (steps, SimpleNamespace(heatmaps=heights)) if return_features else steps


def into(points, corners):
    """Return the camera that puts the body's keypoints into the middle of a box, as high as it."""
    low, high = points[:, :2].amin(0), points[:, :2].amax(0)
    scale = (corners[1] - corners[0])[1] / (high - low)[1]
    middle = corners.mean(0) / scale - (low + high) / 2
    return torch.cat([scale[None], middle])


def find_patches(model, photo):
    """Find every patch, the larger first: what `find_people` does for people."""
    found = []
    for channel in (0, 1):
        rows, columns = np.nonzero(photo[..., channel] > 128)
        if len(rows):
            box = (columns.min(), rows.min(), columns.max() + 1, rows.max() + 1)
            box = tuple(map(float, box))
            person = FoundPerson(box, 0.9, torch.zeros(19, 2), torch.ones(19), True)
            found.append(person)
    return sorted(found, key=lambda p: -(p.box[2] - p.box[0]))


def picture(*people):
    """Draw people: (which, x, y, size), the middle of a patch."""
    photo = np.zeros((HEIGHT, WIDTH, 3), np.uint8)
    for which, x, y, size in people:
        rows = slice(max(0, int(y - size / 2)), int(y + size / 2))
        photo[rows, max(0, int(x - size / 4)) : int(x + size / 4)] = COLOURS[which]
    return photo


class Explaining(HMR):
    """A network of keypoints: the mean body, seen by the camera that explains the keypoints."""

    def __init__(self):
        nn.Module.__init__(self)
        self.body, self.options = SMPL(toy_body()), {"encoder": "keypoints", "body": "toy"}

    def forward(self, keypoints2d, confidence, *, vertices=True):
        theta = torch.zeros(len(keypoints2d), 85)
        points = self.detail(theta).keypoints3d
        theta[:, :3] = fit_weak_perspective(points, keypoints2d, confidence)
        return [self.detail(theta)]
