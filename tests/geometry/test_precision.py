"""Every public function on half-precision inputs and inside autocast, against float64.

`CASES` has a row for each public function of the modules in `MODULES`: its arguments in float64,
and whether its result has the dtype of its inputs or is float32. The truth is the same function in
float64 on the same rounded inputs.
"""

import inspect
import math

import pytest
import torch
from helpers.toy_body import toy_body

from hmr_edu import (
    camera,
    crop,
    discriminator,
    hmr,
    keypoints,
    labelled,
    losses,
    masks,
    metrics,
    rotations,
    theta,
    visibility,
    weak_mesh,
)
from hmr_edu.body import SMPL, smpl
from hmr_edu.camera import CropBox
from hmr_edu.data.photos.calibration import View
from hmr_edu.data.poses import mocap, prior
from hmr_edu.data.poses.real_poses import RealPoses
from hmr_edu.encoder import heads
from hmr_edu.evaluation import triangulation
from hmr_edu.fitting import flip_test, refining, second_starts, smplify
from hmr_edu.io.precision import at_least
from hmr_edu.regressor import RegressionStep

MODULES = (
    rotations,
    camera,
    crop,
    theta,
    keypoints,
    metrics,
    losses,
    labelled,
    masks,
    weak_mesh,
    visibility,
    smpl,
    hmr,
    prior,
    discriminator,
    triangulation,
    flip_test,
    refining,
    second_starts,
    smplify,
    heads,
)
# Public functions and methods that compute nothing from tensors of the caller.
NO_NUMBERS = {
    "flip_permutation",
    "is_pose_prior",
    "load_body",
    "load_pose_prior",
    "load_pretrained",
    "mapping",
    "mean_theta",
    "mirror_features",
    "mirrored_name",
    "step_weights",
    "weights_path",
    "read_network",
    # Pictures: tests/geometry/test_crop.py.
    "crop_image",
    # It makes tensors of whole numbers.
    "as_floats",
    # Positions of cells, in the dtype of their argument.
    "cell_centres",
    # Label images and masks: tests/geometry/test_weak_mesh.py.
    "MaskLabels.of",
    "flip_parts",
    "nearest_cells",
    "under_centres",
    # Entries of the registry of losses, which call those with a row.
    "dense_of",
    "part_silhouettes_of",
    "silhouette_of",
    "visibility_of",
    "CropBox.around_box",
    "HMR.save",
    "Prediction.map",
    # Random numbers, of the prior's dtype.
    "PosePrior.sample",
    # Networks in half precision: tests/model/test_dtypes.py.
    "AverageHead.forward",
    "Discriminator.forward",
    "Discriminator.from_theta",
    "FlipTested.forward",
    "HMR.detail",
    "HMR.forward",
    "JointHeads.forward",
    "Refined.forward",
    "Refined.refine",
    "Refiner.energy",
    "Refiner.fit",
    "Refiner.refine",
    "CropView.rows",
    "SpatialHead.forward",
    "check_lifter",
    "lift",
    "look_turned",
    "run_flip_test",
    # It computes in float64 whatever it gets, and returns that.
    "triangulate",
}
LOW = (torch.float16, torch.bfloat16)
SAME, FLOAT32 = "the dtype of the inputs", "float32"
KNOWN = torch.tensor([True, False, True])


def randn(*shape: int, seed: int = 0, scale: float = 1.0) -> torch.Tensor:
    g = torch.Generator().manual_seed(seed)
    return scale * torch.randn(*shape, generator=g, dtype=torch.float64)


def turns(*shape: int, seed: int = 0) -> torch.Tensor:
    return rotations.axis_angle_to_matrix(randn(*shape, 3, seed=seed, scale=0.6))


def body_numbers(seed: int = 0) -> torch.Tensor:
    camera = torch.tensor([0.8, 0.1, -0.2]).double().expand(3, 3)
    return torch.cat((camera, randn(3, 72, seed=seed, scale=0.4), randn(3, 10, seed=seed)), 1)


def step(numbers: torch.Tensor) -> RegressionStep:
    return RegressionStep.from_theta(numbers)


POINTS, TARGET = randn(3, 19, 3), randn(3, 19, 3, seed=1)
FLAT, FLAT_TARGET = randn(3, 19, 2), randn(3, 19, 2, seed=1)
WEIGHTS = randn(3, 19, seed=2).abs()
MAPS = randn(3, 19, 64, seed=4).softmax(-1).unflatten(-1, (8, 8))
CAMERA = torch.tensor([[0.8, 0.1, -0.2], [1.2, 0.0, 0.3], [0.5, 0.4, 0.1]]).double()
FOCAL = torch.tensor([5.0, 7.0, 9.0]).double()
BOX = CropBox(310.5, 200.0, 123.0)
BOXES = torch.tensor([[0.5, -0.2, 1.4], [-1.0, 2.0, 0.7], [0.1, 0.0, 1.0]]).double()
LAYER = SMPL(toy_body())
MASKS = masks.MaskLabels.of((torch.arange(3 * 64).view(3, 8, 8) % 7 > 4).byte())
CORNERS = torch.arange(3 * 19 * 3).view(3, 19, 3) % 19
PRIOR = prior.load_pose_prior()
POSE = PRIOR.sample(3, torch.Generator().manual_seed(0)).double()
BANK = RealPoses(POSE.float(), "three draws")
# Numbers that all dtypes can hold.
EXACT, EXACT_TARGET = FLAT.bfloat16(), FLAT_TARGET.bfloat16()
OPTIONS = smplify.FitOptions(steps=3)


def fit(start: torch.Tensor) -> smplify.Fit:
    labels = smplify.keypoint_evidence(EXACT_TARGET.to(start), torch.ones(3, 19).to(start))
    return smplify.fit(LAYER, start, labels, OPTIONS, PRIOR)


def fit_to_keypoints(start: torch.Tensor, keypoints2d: torch.Tensor, confidence: torch.Tensor):
    return smplify.fit_to_keypoints(LAYER, [start], keypoints2d, confidence, OPTIONS)


def around(points: torch.Tensor, visibility: torch.Tensor) -> torch.Tensor:
    box = CropBox.around_keypoints(points, visibility)
    return torch.tensor((box.x, box.y, box.size), dtype=at_least(points.dtype))


def evidence(function):
    """The energy of projected keypoints; the maps are what is in low precision."""
    return lambda *labels: function(*labels)(EXACT.to(labels[0]))


# name: (function, arguments, dtype of the result)
CASES = {
    # rotations
    "axis_angle_to_matrix": (rotations.axis_angle_to_matrix, (randn(5, 3),), SAME),
    "matrix_to_axis_angle": (rotations.matrix_to_axis_angle, (turns(5),), SAME),
    "quaternion_to_axis_angle": (rotations.quaternion_to_axis_angle, (randn(5, 4),), SAME),
    "rotation_6d_to_matrix": (rotations.rotation_6d_to_matrix, (randn(5, 6),), SAME),
    "matrix_to_rotation_6d": (rotations.matrix_to_rotation_6d, (turns(5),), SAME),
    "nearest_rotation": (rotations.nearest_rotation, (turns(5) + 0.1 * randn(5, 3, 3),), SAME),
    "geodesic_angle": (rotations.geodesic_angle, (turns(5), turns(5, seed=1)), SAME),
    # camera
    "axis_to_ray": (camera.axis_to_ray, (FLAT[:, 0],), SAME),
    "weak_perspective": (camera.weak_perspective, (POINTS, CAMERA), SAME),
    "perspective": (
        camera.perspective,
        (POINTS, torch.tensor([0.1, 0.2, 9]).double().expand(3, 3), FOCAL),
        SAME,
    ),
    "translation_from_weak": (camera.translation_from_weak, (CAMERA, FOCAL), SAME),
    "weak_from_perspective": (camera.weak_from_perspective, (CAMERA + 1, FOCAL), SAME),
    "fit_weak_perspective": (
        camera.fit_weak_perspective,
        (POINTS, 0.8 * POINTS[..., :2] + 0.1 * FLAT, WEIGHTS),
        SAME,
    ),
    "weak_perspective_error": (
        camera.weak_perspective_error,
        (POINTS[0], torch.tensor([5.0, 8]).double(), FOCAL[:2]),
        FLOAT32,
    ),
    "CropBox.to_crop": (BOX.to_crop, (100 * FLAT + 300,), SAME),
    "CropBox.to_image": (BOX.to_image, (FLAT,), SAME),
    "CropBox.full_camera": (lambda c: BOX.full_camera(c, 640, 480), (CAMERA,), SAME),
    "CropBox.full_translation": (
        lambda c, f: BOX.full_translation(c, 640, 480, f),
        (CAMERA, 100 * FOCAL),
        SAME,
    ),
    "CropBox.around_keypoints": (around, (100 * FLAT[0] + 300, WEIGHTS[0]), FLOAT32),
    # theta and keypoints
    "split_theta": (theta.split_theta, (body_numbers(),), SAME),
    "join_theta": (theta.join_theta, (CAMERA, randn(3, 72), randn(3, 10)), SAME),
    "flip_rotations": (keypoints.flip_rotations, (turns(3, 24),), SAME),
    "flip_pose": (keypoints.flip_pose, (randn(3, 72),), SAME),
    "flip_theta": (keypoints.flip_theta, (body_numbers(),), SAME),
    "flip_keypoints": (keypoints.flip_keypoints, (POINTS,), SAME),
    "align_root": (keypoints.align_root, (POINTS + 5,), SAME),
    # metrics
    "per_joint_error": (metrics.per_joint_error, (POINTS, TARGET), FLOAT32),
    "mpjpe": (metrics.mpjpe, (POINTS, TARGET), FLOAT32),
    "procrustes_align": (metrics.procrustes_align, (POINTS, TARGET), SAME),
    "pa_mpjpe": (metrics.pa_mpjpe, (POINTS, TARGET), FLOAT32),
    "pve": (metrics.pve, (POINTS, TARGET), FLOAT32),
    "pck": (lambda p, t: metrics.pck(p, t, 2.0), (POINTS, TARGET), FLOAT32),
    "auc": (lambda p, t: metrics.auc(p, t, 4.0), (POINTS, TARGET), FLOAT32),
    "pck2d": (lambda *a: metrics.pck2d(*a[:2], 1.5, a[2]), (FLAT, FLAT_TARGET, WEIGHTS), FLOAT32),
    "head_size": (metrics.head_size, (POINTS,), FLOAT32),
    "torso_size": (metrics.torso_size, (POINTS,), FLOAT32),
    "facing_error": (metrics.facing_error, (turns(5), turns(5, seed=1)), FLOAT32),
    # losses
    "keypoints2d_loss": (losses.keypoints2d_loss, (FLAT, FLAT_TARGET, WEIGHTS), FLOAT32),
    "keypoints3d_loss": (
        lambda p, t: losses.keypoints3d_loss(p, t, KNOWN, norm="mse"),
        (POINTS, TARGET),
        FLOAT32,
    ),
    "theta_loss": (
        lambda *a: losses.theta_loss(*a, KNOWN),
        (turns(3, 24), randn(3, 10), turns(3, 24, seed=1), randn(3, 10, seed=1)),
        FLOAT32,
    ),
    "mesh_loss": (
        lambda p, t, a, b: losses.mesh_loss(p, t, KNOWN, (a, b)),
        (POINTS, TARGET, POINTS[:, 0], TARGET[:, 0]),
        FLOAT32,
    ),
    "heatmap_loss": (
        losses.heatmap_loss,
        (randn(3, 19, 8, 8), 0.3 * FLAT_TARGET, WEIGHTS),
        FLOAT32,
    ),
    "depth_loss": (lambda p, t: losses.depth_loss(p, t, KNOWN), (POINTS[..., 2], TARGET), FLOAT32),
    "parts_loss": (
        lambda p: losses.parts_loss(p, torch.arange(64).view(1, 8, 8).expand(3, -1, -1) % 7, KNOWN),
        (randn(3, 7, 8, 8),),
        FLOAT32,
    ),
    "known": (lambda t: labelled.known(t, KNOWN[:, None, None]), (TARGET,), SAME),
    "weighted_mean": (labelled.weighted_mean, (POINTS[..., 0], WEIGHTS), SAME),
    "silhouette_loss": (
        lambda p: weak_mesh.silhouette_loss(p, MASKS, KNOWN),
        (0.5 * FLAT,),
        FLOAT32,
    ),
    "dense_loss": (
        lambda *a: weak_mesh.dense_loss(a[0], CORNERS, *a[1:]),
        (FLAT, FLAT_TARGET.softmax(-1)[..., [0, 1, 1]], FLAT_TARGET, WEIGHTS),
        FLOAT32,
    ),
    "visibility_loss": (
        lambda p: visibility.visibility_loss(p, (WEIGHTS > 0).to(p), KNOWN),
        (randn(3, 19),),
        FLOAT32,
    ),
    "per_step": (lambda *a: losses.per_step(list(a), [0.3, 0.7]), tuple(randn(2)), FLOAT32),
    "lsgan_encoder_loss": (discriminator.lsgan_encoder_loss, (randn(4, 25),), FLOAT32),
    "lsgan_discriminator_loss": (
        discriminator.lsgan_discriminator_loss,
        (randn(4, 25), randn(3, 25, seed=1)),
        FLOAT32,
    ),
    # the box around keypoints
    "visible_box": (crop.visible_box, (FLAT_TARGET, WEIGHTS), FLOAT32),
    "into_box": (crop.into_box, (FLAT_TARGET, BOXES), SAME),
    "camera_out_of_box": (crop.camera_out_of_box, (CAMERA, BOXES), SAME),
    # body
    "forward_kinematics": (smpl.forward_kinematics, (turns(3, 24), randn(3, 24, 3)), SAME),
    "SMPL.forward": (LAYER, (randn(3, 10), randn(3, 72, scale=0.4)), SAME),
    "SMPL of matrices": (LAYER, (randn(3, 10), turns(3, 24)), SAME),
    "body_of_theta": (lambda t: hmr.body_of_theta(t, LAYER), (body_numbers(),), FLOAT32),
    "predict_bodies": (lambda t: hmr.predict_bodies([step(t)], LAYER), (body_numbers(),), SAME),
    # prior
    "split_root": (mocap.split_root, (randn(5, 3),), SAME),
    "pose_to_features": (prior.pose_to_features, (POSE,), SAME),
    "features_to_pose": (prior.features_to_pose, (randn(3, 71),), SAME),
    "PosePrior.log_prob": (PRIOR.log_prob, (POSE,), FLOAT32),
    "PosePrior.log_prob, root": (lambda p: PRIOR.log_prob(p, root=True), (POSE,), FLOAT32),
    "RealPoses.distance": (BANK.distance, (turns(4, 24, seed=3),), FLOAT32),
    # fitting, evaluation and heads
    "soft_argmax": (heads.soft_argmax, (MAPS,), SAME),
    "average_theta": (flip_test.average_theta, (body_numbers(), body_numbers(1)), SAME),
    "heatmap_evidence": (evidence(smplify.heatmap_evidence), (randn(3, 19, 8, 8),), FLOAT32),
    "keypoint_evidence": (
        evidence(smplify.keypoint_evidence),
        (FLAT_TARGET, WEIGHTS),
        FLOAT32,
    ),
    "map_shares": (refining.map_shares, (randn(3, 19, 8, 8),), FLOAT32),
    "outside_probability": (refining.outside_probability, (randn(3, 19, 8, 8),), FLOAT32),
    "crop_evidence": (evidence(refining.crop_evidence), (randn(3, 19, 8, 8),), FLOAT32),
    "turn_theta": (lambda t: second_starts.turn_theta(LAYER, t, 1), (body_numbers(),), FLOAT32),
    "face_about": (second_starts.face_about, (body_numbers(),), FLOAT32),
    "mirror_depth": (second_starts.mirror_depth, (body_numbers(),), FLOAT32),
    "fit": (fit, (body_numbers(),), FLOAT32),
    "fit_to_keypoints": (fit_to_keypoints, (body_numbers(), FLAT_TARGET, WEIGHTS), FLOAT32),
}


def flat(value) -> list[torch.Tensor]:
    """The floating tensors of a result."""
    if isinstance(value, torch.Tensor):
        return [value] if value.is_floating_point() else []
    return [t for part in value for t in flat(part)] if isinstance(value, tuple | list) else []


def public_functions() -> set[str]:
    names = set()
    for module in MODULES:
        for name, found in vars(module).items():
            if getattr(inspect.unwrap(found), "__module__", "") != module.__name__:
                continue
            if name.startswith("_"):
                continue
            if inspect.isclass(found):
                names |= {f"{name}.{method}" for method in public_methods(found)}
            elif inspect.isfunction(inspect.unwrap(found)):
                names.add(name)
    return names


def public_methods(found: type) -> set[str]:
    own = {k: getattr(v, "__func__", v) for k, v in vars(found).items() if not k.startswith("_")}
    return {name for name, value in own.items() if inspect.isfunction(inspect.unwrap(value))}


def test_every_public_function_has_a_row():
    assert public_functions() - CASES.keys() == NO_NUMBERS


def in_float64(name: str, arguments: list[torch.Tensor]) -> list[torch.Tensor]:
    function, _, _ = CASES[name]
    return flat(function(*(a.double() for a in arguments)))


def worst(results: list[torch.Tensor], truth: list[torch.Tensor]) -> float:
    """The largest error, relative to the largest number of its tensor or to 1."""
    assert len(results) == len(truth) > 0
    assert all(result.isfinite().all() for result in results)
    return max(
        float((result.double() - true).abs().max() / true.abs().max().clamp_min(1))
        for result, true in zip(results, truth, strict=True)
    )


# What float32 loses on the way: thirty roundings; a fit takes steps that depend on the ones before.
FLOAT32_LOSS = 4e-6


def loss_of(name: str) -> float:
    return 100 * FLOAT32_LOSS if name.startswith("fit_to") or name == "fit" else FLOAT32_LOSS


@pytest.mark.parametrize("dtype", LOW)
@pytest.mark.parametrize("name", CASES)
def test_half_precision_inputs(name, dtype):
    function, arguments, kind = CASES[name]
    rounded = [a.to(dtype) for a in arguments]
    results = flat(function(*rounded))
    assert {result.dtype for result in results} == {dtype if kind is SAME else torch.float32}
    # Half a unit in the last place where the result is rounded to the caller's dtype, no more.
    allowed = loss_of(name) + (torch.finfo(dtype).eps / 2 if kind is SAME else 0)
    if kind is SAME and name == "predict_bodies":
        allowed *= 8  # its steps hold rotations that were rounded before
    assert worst(results, in_float64(name, rounded)) <= allowed


@pytest.mark.parametrize("dtype", LOW)
@pytest.mark.parametrize("name", CASES)
def test_inside_autocast(name, dtype):
    function, arguments, _ = CASES[name]
    single = [a.float() for a in arguments]
    with torch.autocast("cpu", dtype):
        results = flat(function(*single))
    assert {result.dtype for result in results} == {torch.float32}
    assert worst(results, in_float64(name, single)) <= loss_of(name)


@pytest.mark.parametrize("name", CASES)
def test_float64_stays(name):
    function, arguments, _ = CASES[name]
    assert {result.dtype for result in flat(function(*arguments))} == {torch.float64}


@pytest.mark.parametrize("dtype", LOW)
def test_gradients_come_back_in_the_dtype_of_the_inputs(dtype):
    v = randn(5, 3).to(dtype).requires_grad_()
    with torch.autocast("cpu", torch.bfloat16):
        loss = losses.mesh_loss(v[None], torch.zeros(1, 5, 3), torch.tensor([True]))
        angle = rotations.axis_angle_to_matrix(v)
    for result in (loss, angle.sum()):
        (gradient,) = torch.autograd.grad(result, v)
        assert gradient.dtype == dtype
        assert gradient.isfinite().all()


def test_two_dtypes_meet_in_the_larger():
    a, b = turns(4).float(), turns(4, seed=1)
    assert rotations.geodesic_angle(a, b).dtype == torch.float64
    mixed = rotations.geodesic_angle(a.half(), b.bfloat16())
    assert mixed.dtype == torch.float32
    # A single number does not raise the dtype of arrays, as everywhere in PyTorch.
    image = camera.perspective(
        POINTS.half(), torch.tensor([0, 0, 9.0]).half(), torch.tensor(5.0, dtype=torch.float64)
    )
    assert image.dtype == torch.float16


def test_large_angles_in_half_precision():
    # 300 squared is more than the largest float16.
    v = torch.tensor([[300.0, 0, 0], [0, 200, 100]], dtype=torch.float16)
    truth = torch.linalg.matrix_exp(
        torch.linalg.cross(v.double()[..., None], torch.eye(3).double().expand(2, 3, 3), dim=-2)
    )
    R = rotations.axis_angle_to_matrix(v)
    assert (R.double() - truth).abs().max() < 1e-3


def test_sums_of_many_half_precision_terms():
    """Ten meshes of 6890 vertices: the sum of their coordinates' errors is beyond float16."""
    pred = torch.full((10, 6890, 3), 2.0, dtype=torch.float16)
    target, known = torch.zeros_like(pred), torch.ones(10, dtype=torch.bool)
    assert pred.sum(dtype=torch.float32) > torch.finfo(torch.float16).max
    assert losses.mesh_loss(pred, target, known).item() == 2
    assert losses.keypoints3d_loss(100 * pred, target, known, norm="mse").item() == 0  # aligned
    seen = torch.ones(10, 6890, dtype=torch.float16)
    assert losses.keypoints2d_loss(pred[..., :2], target[..., :2], seen).item() == 2
    assert metrics.pve(pred, target).tolist() == pytest.approx([2 * math.sqrt(3)] * 10)
    outputs = torch.full((4000, 25), 5.0, dtype=torch.float16)
    assert discriminator.lsgan_encoder_loss(outputs).item() == 400


@pytest.mark.parametrize("function", [metrics.mpjpe, metrics.pa_mpjpe, metrics.pve])
@pytest.mark.parametrize("size", [1e-30, 1e-20, 1e20, 1e30])
def test_sizes_whose_squares_are_no_float32(function, size):
    pred, target = POINTS, TARGET
    result = function((size * pred).float(), (size * target).float()) / size
    torch.testing.assert_close(result.double(), function(pred, target), rtol=1e-5, atol=0)
    if function is metrics.pa_mpjpe:  # the scale of the prediction does not matter
        result = function((size * pred).float(), target.float()).double()
        torch.testing.assert_close(result, function(pred, target), rtol=1e-5, atol=0)


def test_a_triangulated_point_is_float64_whatever_the_pixels_are():
    views = [View(torch.eye(3), torch.eye(3), torch.tensor([x, 0, 4.0])) for x in (-1.0, 0.0, 1.0)]
    points = randn(5, 3, scale=0.3)
    pixels = torch.stack([view.pixels(points.float()) for view in views])
    seen = torch.ones(3, 5, dtype=torch.bool)
    for dtype in (torch.float64, *LOW):
        rounded = pixels.to(dtype)
        with torch.autocast("cpu", torch.bfloat16):
            found, error = triangulation.triangulate(views, rounded, seen)
        truth, _ = triangulation.triangulate(views, rounded.double(), seen)
        assert found.dtype == error.dtype == torch.float64
        assert torch.equal(found, truth)


def test_whole_pixels_under_a_low_default_dtype():
    torch.set_default_dtype(torch.bfloat16)
    try:
        places = BOX.to_crop(torch.tensor([[1001, 999]]))
    finally:
        torch.set_default_dtype(torch.float32)
    assert places.dtype == torch.float32
    expected = [(1001 - BOX.x) * 2 / BOX.size, (999 - BOX.y) * 2 / BOX.size]
    assert places[0].tolist() == pytest.approx(expected, rel=1e-6)
