"""What the films of explorers are about, where an explorer wants to be given something."""

from functools import cache

import numpy as np
import torch
from front_page import people, thetas

from hmr_edu.crop import crop_image
from hmr_edu.data import read_photo
from hmr_edu.data.batch import Batch
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.synthetic.people import SyntheticConfig
from hmr_edu.discriminator import Discriminator, lsgan_discriminator_loss
from hmr_edu.evaluation.test_sets import test_set
from hmr_edu.fitting.refining import Refined
from hmr_edu.hmr import HMR, load_pretrained
from hmr_edu.rotations import axis_angle_to_matrix, matrix_to_axis_angle
from hmr_edu.training.adversarial import critic_weights
from hmr_edu.viz import explore
from hmr_edu.viz.explore.explorer import Explorer

PERSON = 2  # of the held-out people: the one that lesson 00 looks at


@cache
def _person() -> tuple[HMR, Batch]:
    model = load_pretrained("resnet18")
    config = SyntheticConfig(image_size=model.image_size)
    return model, test_set("test-prior", model.body, config)[0]


def _thetas() -> tuple[torch.Tensor, torch.Tensor]:
    """Every step's theta, and the true one."""
    model, people = _person()
    pose = matrix_to_axis_angle(people.rotations[PERSON]).flatten()
    truth = torch.cat([people.camera[PERSON], pose, people.betas[PERSON]])
    return explore.regression_steps(model, people.images[PERSON]), truth


def explore_iterations() -> Explorer:
    """Show the regression steps of the shipped network on a person that is not in its training."""
    model, people = _person()
    pixels = (people.images[PERSON].permute(1, 2, 0) * 255).round().byte().numpy()
    return explore.explore_iterations(np.ascontiguousarray(pixels), *_thetas(), model.body)


def photograph_steps() -> Explorer:
    """Show the steps over a shipped photograph; the last is the fit to the heat-maps."""
    model, person = Refined(load_pretrained("resnet18")), people()["cameraman.jpg"]
    pixels = crop_image(read_photo(person.path), person.crop, 300)
    return explore.explore_iterations(pixels, thetas(model, person), body=model.body)


def compare_bodies() -> Explorer:
    """Show the same person: the prediction of the network, and the ground truth."""
    thetas, truth = _thetas()
    return explore.compare_bodies(thetas[-1], truth, _person()[0].body)


def explore_prior() -> Explorer:
    """Critics that learnt for seconds to tell the prior's poses from the same with noise."""
    torch.manual_seed(0)
    critics, weights = Discriminator(hidden=256), critic_weights()
    optimiser = torch.optim.Adam(critics.parameters(), 1e-3)
    prior, g = load_pose_prior(), torch.Generator().manual_seed(0)
    for _ in range(450):
        real, other = prior.sample(256, g).view(2, 128, 24, 3)[:, :, 1:]
        fake = other + torch.rand(128, 1, 1, generator=g) * torch.randn(128, 23, 3, generator=g)
        # People of all builds, and builds twice as far from the mean.
        betas = torch.tensor([1.0, 2.0])[:, None, None] * torch.randn(2, 128, 10, generator=g)
        scores = critics(axis_angle_to_matrix(torch.cat([real, fake])), betas.flatten(0, 1))
        loss = lsgan_discriminator_loss(*scores.split(128), weights)
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
    return explore.explore_prior(critics.requires_grad_(False))
