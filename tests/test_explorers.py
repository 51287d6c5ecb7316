"""Explorers without a browser: a slider is set, the figure's arrays are looked at."""

import asyncio

import numpy as np
import pytest
import torch

from hmr_edu.body import load_body
from hmr_edu.viz.explore.shape import explore_shape
from hmr_edu.viz.explore.throttle import Throttle
from hmr_edu.viz.view_state import MeshViewState, neutral_pose, to_scene


@pytest.fixture(scope="module")
def lite():
    return load_body("lite")


def points(trace) -> np.ndarray:
    return np.stack([trace.x, trace.y, trace.z])


def messages(explorer) -> list:
    """Record what the figure tells the browser."""
    sent = []
    explorer.figure._send_update_msg = lambda *args, **options: sent.append(args or options)
    return sent


def test_throttle_first_at_once_last_always():
    seen, slider = [], {}

    async def events():
        throttle = Throttle(lambda: seen.append(slider["value"]), every=0.05)
        for value in range(50):
            slider["value"] = value
            throttle.request()
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.1)

    asyncio.run(events())
    assert seen[0] == 0
    assert seen[-1] == 49
    assert len(seen) < 15


def test_throttle_without_a_loop_acts_at_once():
    seen = []
    throttle = Throttle(lambda: seen.append(1))
    throttle.request()
    throttle.request()
    assert len(seen) == 2


def test_shape(lite):
    explorer = explore_shape(lite)
    sent = messages(explorer)
    explorer.controls["beta 1"].value = -2.0
    betas = torch.zeros(1, 10)
    betas[0, 1] = -2
    expected = to_scene(lite(betas, neutral_pose()[None]).vertices[0])
    mesh = explorer.figure.data[0]
    np.testing.assert_allclose(points(mesh), expected, atol=1e-6)
    assert len(sent) == 1
    assert mesh.x.dtype == np.float32
    assert mesh.i.dtype == np.uint16
    state = MeshViewState(lite, betas[0])
    assert f"{state.weight():.1f} kg" in explorer.readout.value


def test_shape_buttons_paint_once(lite):
    explorer = explore_shape(lite, seed=3)
    sent = messages(explorer)
    mean, random = explorer.controls["choices"].children
    random.click()
    assert len(sent) == 1
    assert sum(explorer.controls[f"beta {n}"].value != 0 for n in range(10)) >= 9
    mean.click()
    assert all(explorer.controls[f"beta {n}"].value == 0 for n in range(10))


def test_the_camera_is_the_readers(lite):
    explorer = explore_shape(lite)
    sent = messages(explorer)
    explorer.controls["beta 0"].value = 1.0
    assert "camera" not in str(sent)
    assert explorer.figure.layout.uirevision == "kept"
