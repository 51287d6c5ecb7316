"""The front page's pictures: made by today's weights, small, and still for those who want it."""

import sys
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("sphinx")
DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

import front_page  # noqa: E402 - docs/_ext is no package

from hmr_edu.fitting.refining import Refined  # noqa: E402
from hmr_edu.hmr import load_pretrained  # noqa: E402
from hmr_edu.rotations import axis_angle_to_matrix, geodesic_angle  # noqa: E402


@pytest.mark.slow
def test_pictures_are_those_of_the_shipped_weights():
    model = Refined(load_pretrained("resnet18")).eval()
    made = list(front_page.frames(model, front_page.people()["cameraman.jpg"]))
    with Image.open(DOCS / "images" / "steps.webp") as moving:
        assert moving.n_frames == len(made)
        for n, (picture, _) in enumerate(made):
            moving.seek(n)
            shown = np.asarray(moving.convert("RGB"), np.int16)
            # WebP's losses are about 2; another body is 10 and more.
            assert np.abs(shown - picture).mean() < 5, f"frame {n}: python docs/_ext/front_page.py"
    still = np.asarray(Image.open(DOCS / "images" / "steps.png").convert("RGB"), np.int16)
    assert np.abs(still - made[-1][0]).mean() < 2


def test_pictures_are_small():
    for name, largest in (
        ("steps.webp", 300_000),
        ("steps.png", 250_000),
        ("photographs.webp", 200_000),
    ):
        assert (DOCS / "images" / name).stat().st_size < largest, name


def test_half_way_is_half_way():
    model = load_pretrained("resnet18")
    a = model.regressor.read(model.regressor.mean_state[None]).theta[0].detach()
    b = a.clone()
    b[3 + 3 * 16] += 1.0
    b[80] += 2.0
    middle = front_page.between(a, b, 0.5)
    turns = [axis_angle_to_matrix(theta[3:75].view(24, 3)) for theta in (a, middle, b)]
    there, whole = geodesic_angle(turns[0], turns[1]), geodesic_angle(turns[0], turns[2])
    assert np.allclose(there, whole / 2, atol=1e-5)
    assert whole[16] > 0.5
    assert np.isclose(middle[80], a[80] + 1.0)
