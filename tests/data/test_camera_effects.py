import numpy as np
import scipy.fft
import scipy.ndimage
import torch

from hmr_edu.data.synthetic import camera_effects
from hmr_edu.data.synthetic.draws import Draws


def test_compression_is_a_quantised_dct():
    torch.testing.assert_close(
        camera_effects._dct(),
        torch.from_numpy(scipy.fft.dct(np.eye(8), axis=0, norm="ortho")).float(),
    )
    images = torch.rand(3, 3, 20, 20, generator=torch.Generator().manual_seed(0))
    quality = torch.tensor([1.0, 0.6, 0.0])
    error = (camera_effects.compress(images, quality) - images).square().mean((1, 2, 3))
    assert error[0] < 4e-3
    assert error[0] < error[1] < error[2]


def test_blur_is_a_convolution():
    images = torch.rand(4, 3, 30, 30, generator=torch.Generator().manual_seed(0))
    kernels = camera_effects.blur_kernels(Draws(4, 1), 64, 1.0)
    torch.testing.assert_close(kernels.sum((1, 2)), torch.ones(4))
    blurred = camera_effects.blur(images, kernels)
    for image, kernel, out in zip(images, kernels, blurred, strict=True):
        for channel in range(3):
            expected = scipy.ndimage.correlate(image[channel], kernel, mode="nearest")
            np.testing.assert_allclose(out[channel], expected, atol=1e-5)


def test_noise_has_no_bias_and_its_share():
    images = torch.zeros(400, 3, 16, 16)
    reel = camera_effects.noise_reel(0)
    camera_effects.add_noise(images, Draws(400, 0), reel, share=0.5, strength=1.0)
    noisy = (images != 0).flatten(1).any(1)
    assert 0.4 < noisy.float().mean() < 0.6
    assert images.mean().abs() < 1e-3


def test_no_blur_is_the_picture_itself():
    kernels = camera_effects.blur_kernels(Draws(64, 0, torch.device("cpu")), 64, 0.0)
    images = torch.rand(64, 3, 16, 16, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(camera_effects.blur(images, kernels), images)
