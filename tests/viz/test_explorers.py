"""Explorers without a browser: a slider is set, the figure's arrays are looked at."""

import asyncio
import sys
import time
from types import SimpleNamespace

import numpy as np
import pytest
import torch
import trimesh

from hmr_edu.body import load_body
from hmr_edu.camera import weak_perspective_error
from hmr_edu.data import Mocap
from hmr_edu.discriminator import Discriminator
from hmr_edu.keypoints import SMPL_JOINTS
from hmr_edu.rotations import axis_angle_to_matrix
from hmr_edu.theta import mean_theta
from hmr_edu.viz.explore import (
    compare_bodies,
    explore_camera,
    explore_iterations,
    explore_mocap,
    explore_pose,
    explore_prior,
    explore_rotation,
    explore_shape,
    explore_skinning,
    regression_steps,
)
from hmr_edu.viz.explore.arrows import arrow_faces, arrow_points, rodrigues_terms
from hmr_edu.viz.explore.static import film, fragment
from hmr_edu.viz.explore.throttle import Throttle
from hmr_edu.viz.explore.view_state import MeshViewState, neutral_pose, skeleton_lines, to_scene


@pytest.fixture(scope="module")
def lite():
    return load_body("lite")


def test_colab_is_asked_to_show_widgets(monkeypatch):
    asked = []
    output = SimpleNamespace(enable_custom_widget_manager=lambda: asked.append(True))
    monkeypatch.setitem(sys.modules, "google.colab", SimpleNamespace(output=output))
    explore_rotation()
    assert asked


def points(trace) -> np.ndarray:
    return np.stack([trace.x, trace.y, trace.z])


def messages(explorer) -> list:
    """Record what the figure tells the browser."""
    sent = []
    explorer.figure._send_update_msg = lambda *args, **options: sent.append(args or options)
    return sent


class Clock:
    """An event loop with one timer; its time passes only when a test says so."""

    now, due, action = 0.0, float("inf"), None

    def call_later(self, seconds, action):
        self.due, self.action = self.now + seconds, action
        return self

    def cancel(self):
        self.due = float("inf")

    def sleep(self, seconds):
        self.now += seconds
        if self.now >= self.due:
            self.action()


def test_throttle_first_at_once_last_always(monkeypatch):
    clock, seen, slider = Clock(), [], {}
    monkeypatch.setattr(asyncio, "get_running_loop", lambda: clock)
    monkeypatch.setattr(time, "monotonic", lambda: clock.now)
    throttle = Throttle(lambda: seen.append(slider["value"]), every=0.05)
    for value in range(50):
        slider["value"] = value
        throttle.request()
        clock.sleep(0.003)
    assert seen == [0, 16, 33]  # as requested, after 51 and after 102 ms
    clock.sleep(0.1)
    assert seen == [0, 16, 33, 49]


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
    explorer = explore_shape(lite)
    sent = messages(explorer)
    mean, random = explorer.controls["choices"].children
    random.click()
    assert len(sent) == 1
    assert sum(explorer.controls[f"beta {n}"].value != 0 for n in range(10)) >= 9
    mean.click()
    assert all(explorer.controls[f"beta {n}"].value == 0 for n in range(10))


def test_the_script_that_anywidget_waits_for_is_short(lite):
    figure = explore_shape(lite).figure
    assert len(figure._esm) < 10_000
    assert "new MutationObserver" in figure._esm  # and not plotly's own
    assert len(figure._plotly) > 1_000_000


def test_the_camera_is_the_readers(lite):
    explorer = explore_shape(lite)
    sent = messages(explorer)
    explorer.controls["beta 0"].value = 1.0
    assert "camera" not in str(sent)
    assert explorer.figure.layout.uirevision == "kept"


def thetas(n: int) -> torch.Tensor:
    """Some bodies that a network might say, the first of them the mean."""
    g = torch.Generator().manual_seed(1)
    noise = torch.cat(
        [0.02 * torch.randn(n, 3, generator=g), 0.2 * torch.randn(n, 82, generator=g)], 1
    )
    noise[0] = 0
    return mean_theta() + noise


def test_pose_turns_one_joint_and_carries_the_skeleton(lite):
    explorer = explore_pose(lite)
    sent = messages(explorer)
    explorer.controls["joint"].value = "right_knee"
    sent.clear()
    explorer.controls["about x"].value = 50.0
    assert len(sent) == 1
    pose = explorer.clip[0].clone()
    pose[15] = np.deg2rad(50)
    out = lite(torch.zeros(1, 10), pose[None])
    mesh, _, bones, dots = explorer.figure.data
    np.testing.assert_allclose(points(mesh), to_scene(out.vertices[0]), atol=1e-5)
    shift = points(dots) - to_scene(out.joints[0])
    np.testing.assert_allclose(shift, np.repeat(shift[:, :1], 24, 1), atol=1e-5)
    np.testing.assert_array_equal(points(bones), skeleton_lines(points(dots)))


def test_pose_clip_reaches_the_floor_and_not_below(lite):
    explorer = explore_pose(lite)
    floor = explorer.figure.data[1].z[0]
    soles = [lite(torch.zeros(1, 10), pose[None]).vertices[0, :, 1].max() for pose in explorer.clip]
    assert floor == pytest.approx(-float(max(soles)), abs=1e-4)


def test_pose_keeps_to_the_joint_limits(lite):
    explorer = explore_pose(lite)
    explorer.controls["joint"].value = "left_knee"
    knee = explorer.controls["about x"]
    assert -25 < knee.min < 0  # a knee does not bend forwards
    assert 120 < knee.max < 170
    knee.value = 400
    assert knee.value == knee.max
    explorer.controls["joint"].value = "pelvis"  # the root has no limits
    assert explorer.controls["about x"].max == 180


def test_pose_plays_a_clip_of_a_world_with_y_up(lite):
    clip = torch.zeros(3, 72)
    clip[1, 48:51] = torch.tensor([0.0, 0.0, -1.0])
    clip[2, 1] = (
        np.pi / 2
    )  # turns their left shoulder, which was on our right, to the back or front
    explorer = explore_pose(lite, clip, fps=12)
    assert explorer.controls["play"].interval == 83  # milliseconds
    upright = lite(torch.zeros(1, 10), neutral_pose()[None]).vertices[0]
    np.testing.assert_allclose(points(explorer.figure.data[0]), to_scene(upright), atol=1e-5)
    explorer.controls["joint"].value = "left_shoulder"
    explorer.controls["frame"].value = 1
    assert explorer.controls["about z"].value == pytest.approx(-180 / np.pi)
    explorer.controls["frame"].value = 2
    # Heading +90 degrees about up: facing us (towards -y) becomes facing our right (+x).
    foot, ankle = SMPL_JOINTS.index("left_foot"), SMPL_JOINTS.index("left_ankle")
    joints = points(explorer.figure.data[3])
    assert joints[0, foot] - joints[0, ankle] > 0.05
    # Nothing of the scrubbing was read back from the sliders' rounded numbers.
    torch.testing.assert_close(explorer.state.pose[3:], clip[2, 3:])


def test_mocap_plays_the_clips_of_a_file(lite):
    poses = torch.zeros(7, 72)
    poses[3:, 1] = torch.arange(1, 5) * 0.5  # turns about Y
    poses[5:, 12] = torch.tensor([0.4, 0.5])  # the left knee
    clips = torch.tensor([0, 0, 0, 2, 2, 2, 2])
    mocap = Mocap(poses, clips, ("stand", "nothing", "turn"), 10.0)
    explorer = explore_mocap(mocap, lite)
    menu, frame = explorer.controls["clip"], explorer.controls["frame"]
    assert [name for name, _ in menu.options] == ["stand", "turn"]
    assert (frame.max, explorer.controls["play"].interval) == (2, 100)
    frame.value = 2
    sent = messages(explorer)
    menu.value = 2
    assert (len(sent), frame.value, frame.max) == (1, 0, 3)
    frame.value = 2
    upright = torch.tensor([[1.0, -1, -1]]).diag_embed()
    rotations = axis_angle_to_matrix(poses[5].view(1, 24, 3))
    rotations[:, 0] = upright @ rotations[:, 0]
    expected = to_scene(lite(torch.zeros(1, 10), rotations).vertices[0])
    np.testing.assert_allclose(points(explorer.figure.data[0]), expected, atol=1e-5)
    assert explorer.readout_text == "0.20 s; fastest: pelvis, 286° a second"
    with pytest.raises(ValueError, match="no pose"):
        explore_mocap(mocap.select(clips < 0), lite)


def test_pose_joint_is_chosen_by_a_click(lite):
    explorer = explore_pose(lite)
    dots = explorer.figure.data[3]
    (clicked,) = dots._click_callbacks
    clicked(dots, type("Points", (), {"point_inds": [15]}), None)
    assert explorer.controls["joint"].value == "head"
    assert [n for n, c in enumerate(dots.marker.color) if c == "#1b1f24"] == [15]


def test_skinning_shows_weights_and_what_blend_shapes_do(lite):
    explorer = explore_skinning(lite, betas=torch.zeros(10))
    mesh = explorer.figure.data[0]
    np.testing.assert_allclose(mesh.intensity, lite.weights[:, 4], atol=1e-6)
    explorer.controls["joint"].value = "head"
    np.testing.assert_allclose(mesh.intensity, lite.weights[:, 15], atol=1e-6)
    with_blend = points(mesh)
    explorer.controls["pose blend shapes"].value = False
    apart = np.linalg.norm(points(mesh) - with_blend, axis=0)
    assert f"up to {apart.max() * 100:.1f} cm" in explorer.readout.value
    assert apart.max() > 0.005


def test_rotation_arrows_add_up_to_the_turned_point():
    explorer = explore_rotation()
    explorer.controls["tilt"].value = 90
    explorer.controls["heading"].value = 90  # the axis is y
    explorer.controls["angle"].value = 90
    x, y, z = 0.9, 0.2, 0.8
    # A quarter turn about y takes z to x and x to -z.
    tip = points(explorer.figure.data[5])[:, -1]
    np.testing.assert_allclose(tip, [z, y, -x], atol=1e-5)
    # Head to tail: every term begins where the last ended.
    for before, after in ((2, 3), (3, 4)):
        start = points(explorer.figure.data[after])[:, :10].mean(1)
        np.testing.assert_allclose(points(explorer.figure.data[before])[:, -1], start, atol=1e-5)
    np.testing.assert_allclose(points(explorer.figure.data[4])[:, -1], tip, atol=1e-5)


def test_rodrigues_terms_against_the_package():
    g = np.random.default_rng(0)
    for _ in range(5):
        n = g.normal(size=3)
        n /= np.linalg.norm(n)
        t, p = g.uniform(-3, 3), g.normal(size=3)
        R = axis_angle_to_matrix(torch.tensor(n * t))
        np.testing.assert_allclose(sum(rodrigues_terms(n, t, p)), R.numpy() @ p, atol=1e-12)


def test_an_arrow_is_a_closed_mesh_from_tail_to_tip():
    tail, tip = np.array([0.1, 0.2, 0.3]), np.array([0.5, -0.4, 1.0])
    mesh = trimesh.Trimesh(arrow_points(tail, tip).T, arrow_faces().T)  # merges the tip's ring
    mesh.update_faces(mesh.nondegenerate_faces())  # those whose ends met there
    assert mesh.is_watertight
    along = (mesh.vertices - tail) @ (tip - tail) / np.linalg.norm(tip - tail) ** 2
    assert along.min() == pytest.approx(0, abs=1e-5)
    assert along.max() == pytest.approx(1, abs=1e-5)
    assert mesh.volume > 0


def test_camera_error_is_the_unavoidable_one(lite):
    explorer = explore_camera(lite)
    distance = explorer.controls["distance"]
    distance.value = 1.6
    keypoints = explorer.state.output().keypoints[0]
    expected = weak_perspective_error(
        keypoints, torch.tensor([distance.value]), 0.85 * torch.tensor([distance.value])
    )
    assert f"mean error {float(expected):.4f}" in explorer.readout.value
    # Without following, a body further away is smaller.
    explorer.controls["follow"].value = False
    near = np.ptp(explorer.figure.data[1].z)
    distance.value = 16.0
    assert np.ptp(explorer.figure.data[1].z) == pytest.approx(near / 10, rel=0.1)


def test_steps_and_their_errors(lite):
    steps, truth = thetas(4), thetas(5)[4]
    image = np.full((64, 64, 3), 200, np.uint8)
    explorer = explore_iterations(image, steps, truth, lite)
    source = explorer.figure.data[2].source
    explorer.controls["step"].value = 3
    expected = lite(steps[3:4, 75:], steps[3:4, 3:75])
    np.testing.assert_allclose(
        points(explorer.figure.data[0]), to_scene(expected.vertices[0]), atol=1e-5
    )
    assert explorer.figure.data[2].source != source
    right = explore_iterations(image, steps, steps[3], lite)
    right.controls["step"].value = 3
    assert "0.0 pixels off in the picture, 0 mm in space, 0 mm of it pose" in right.readout_text


def test_regression_steps_begin_with_the_mean():
    from hmr_edu.hmr import HMR

    torch.manual_seed(0)
    model = HMR("resnet18", image_size=64, width=8, hidden=16).eval()
    image = torch.rand(3, 64, 64)
    steps = regression_steps(model, image)
    torch.testing.assert_close(steps[0], mean_theta())
    torch.testing.assert_close(steps[1:, None], torch.stack([s.theta for s in model(image[None])]))


def test_prior_shows_25_scores_and_repairs(lite):
    torch.manual_seed(0)
    critics = Discriminator(hidden=16)
    explorer = explore_prior(critics, lite)
    pose = explorer.state.pose
    bars = explorer.figure.data[2]
    theta = torch.cat([torch.zeros(3), pose, torch.zeros(10)])
    np.testing.assert_allclose(bars.x, critics.from_theta(theta[None])[0].detach(), atol=1e-5)
    paid = float(explorer.readout_text.split(";")[0].split()[-1])
    repair, spoil, again = explorer.controls["buttons"].children
    for _ in range(4):
        repair.click()
    assert float(explorer.readout_text.split(";")[0].split()[-1]) < paid
    assert torch.equal(explorer.state.pose[:3], pose[:3])
    spoil.click()
    again.click()
    torch.testing.assert_close(explorer.state.pose, pose)


def test_comparison_heat_is_the_distance(lite):
    prediction, truth = thetas(3)[1:]
    explorer = compare_bodies(prediction, truth, lite)
    pose, betas = (
        torch.stack([prediction, truth])[:, 3:75],
        torch.stack([prediction, truth])[:, 75:],
    )
    out = lite(betas, pose)
    a, b = out.vertices - out.joints[:, :1]
    np.testing.assert_allclose(
        explorer.figure.data[0].intensity, (a - b).norm(dim=1) * 100, atol=1e-3
    )
    at_pelvis = float((a - b).norm(dim=1).mean())
    assert f"mean distance {at_pelvis * 1000:.0f} mm" in explorer.readout.value
    explorer.controls["alignment"].value = explorer.controls["alignment"].options[1]
    assert explorer.figure.data[0].intensity.mean() < at_pelvis * 100
    explorer.controls["blend"].value = 0.0
    assert explorer.figure.data[0].intensity.max() == 0
    explorer.controls["truth"].value = False
    assert explorer.figure.data[2].visible is False


def test_film_has_a_frame_for_each_value(lite):
    explorer = explore_shape(lite)
    figure = film(explorer, "beta 0", [-2.0, 0.0, 2.0])
    assert len(figure.frames) == len(figure.layout.sliders[0].steps) == 3
    betas = torch.zeros(3, 10)
    betas[:, 0] = torch.tensor([-2.0, 0.0, 2.0])
    bodies = lite(betas, neutral_pose().expand(3, 72)).vertices
    for frame, vertices in zip(figure.frames, bodies, strict=True):
        assert frame.traces == (0,)  # the floor does not move
        np.testing.assert_allclose(points(frame.data[0]), to_scene(vertices), atol=1e-5)
        assert frame.data[0].i is None
    np.testing.assert_allclose(points(figure.data[0]), to_scene(bodies[0]), atol=1e-5)
    text = fragment(figure, "a-film")
    assert 'id="a-film"' in text
    assert len(text) < 300_000
    assert "http" not in text.replace("http://www.w3.org", "")
    with pytest.raises(ValueError, match="fewer frames"):
        fragment(film(explorer, "beta 0", list(np.linspace(-3, 3, 40))), "long")
