"""Scores, baselines and evaluation against truths made by hand."""

import json

import numpy as np
import pytest
import torch
from helpers.toy_body import toy_body
from scipy.optimize import minimize
from scipy.spatial import procrustes
from scipy.spatial.transform import Rotation
from torch import Tensor

from hmr_edu.body import SMPL, save_body
from hmr_edu.camera import weak_perspective
from hmr_edu.data.batch import Batch
from hmr_edu.data.poses.real_poses import RealPoses
from hmr_edu.evaluation import baselines, scores
from hmr_edu.evaluation.held_out import evaluate, predict, starting_theta, table
from hmr_edu.evaluation.scores import Truth, score, score_joints
from hmr_edu.evaluation.test_sets import TestSet
from hmr_edu.hmr import HMR, Prediction, body_of_theta
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import LSP
from hmr_edu.rotations import axis_angle_to_matrix

N, SIZE = 24, 16


@pytest.fixture(scope="module")
def body() -> SMPL:
    return SMPL(toy_body())


@pytest.fixture(scope="module")
def real_poses() -> RealPoses:
    return RealPoses(random_poses(40, 9), "made up")


def random_poses(n: int, seed: int) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    return 0.4 * torch.randn(n, 72, generator=g)


def truth_of(theta: Tensor, body: SMPL) -> Truth:
    """What is true when people are exactly these thetas; everything is visible."""
    p = body_of_theta(theta, body, vertices=False)
    visible = torch.ones(len(theta), 19)
    return Truth(p.keypoints2d, visible, p.keypoints3d, p.rotations, p.betas, p.camera)


def random_theta(n: int = N, seed: int = 0) -> Tensor:
    g = torch.Generator().manual_seed(seed)
    camera = torch.tensor([0.9, 0.0, 0.0]) + 0.1 * torch.randn(n, 3, generator=g)
    pose = random_poses(n, seed)
    pose[:, :3] *= 4
    return torch.cat([camera, pose, torch.randn(n, 10, generator=g)], 1)


@pytest.fixture(scope="module")
def theta() -> Tensor:
    return random_theta()


@pytest.fixture(scope="module")
def truth(theta: Tensor, body: SMPL) -> Truth:
    return truth_of(theta, body)


def moved(truth: Truth, theta: Tensor, body: SMPL, offset: Tensor) -> Prediction:
    """The truth, its keypoints moved."""
    p = body_of_theta(theta, body, vertices=False)
    return p._replace(keypoints3d=p.keypoints3d + offset)


# ---------------------------------------------------------------------- scores


def test_the_truth_has_no_error(theta, truth, body, real_poses):
    row = score(body_of_theta(theta, body, vertices=False), truth, body, real_poses)
    for name in ("mpjpe", "pa_mpjpe", "pve", "betas", "facing_median", "facing_wrong"):
        assert row[name] == pytest.approx(0, abs=0.02), name
    for name in ("pck", "auc", "pck2d"):
        assert row[name] == pytest.approx(1, abs=1e-3), name
    assert list(row["per_joint"]) == list(LSP)


def test_one_wrong_joint(theta, truth, body):
    """A wrist that is 30 mm off, then one that is 200 mm off: the mean over 14 joints."""
    wrist = LSP.index("right_wrist")
    for millimetres, right in ((30, 1.0), (200, 13 / 14)):
        offset = torch.zeros(19, 3)
        offset[wrist, 0] = millimetres / 1000
        row = score_joints(moved(truth, theta, body, offset).keypoints3d, truth)
        assert row["mpjpe"] == pytest.approx(millimetres / 14, rel=1e-3)
        assert row["per_joint"]["right_wrist"] == pytest.approx(millimetres, rel=1e-3)
        assert row["per_joint"]["left_knee"] == pytest.approx(0, abs=1e-3)
        assert row["pck"] == pytest.approx(right)
        assert 0 < row["pa_mpjpe"] < millimetres


def test_place_and_face_keypoints_do_not_count(theta, truth, body):
    offset = torch.ones(19, 3)
    offset[14:] = 7
    row = score_joints(moved(truth, theta, body, offset).keypoints3d, truth)
    assert row["mpjpe"] == pytest.approx(0, abs=1e-3)


def test_similarity_is_forgiven_and_a_mirror_image_is_not(truth):
    turn = torch.tensor(Rotation.random(rng=1).as_matrix(), dtype=torch.float32)
    similar = 1.3 * truth.keypoints3d @ turn.T + 2
    row = score_joints(similar, truth)
    assert row["pa_mpjpe"] == pytest.approx(0, abs=0.01)
    assert row["mpjpe"] > 50

    mirrored = truth.keypoints3d * torch.tensor([-1.0, 1.0, 1.0])
    assert score_joints(mirrored, truth)["pa_mpjpe"] > 20
    # scipy's alignment, which allows reflections, sees no difference.
    assert procrustes(truth.keypoints3d[0, :14].numpy(), mirrored[0, :14].numpy())[2] < 1e-10


def test_facing(theta, truth, body, real_poses):
    """A quarter turned by 100 degrees about the vertical, the others by 80."""
    angle = torch.full((N,), 80.0)
    angle[: N // 4] = 100
    about_y = torch.stack([torch.zeros(N), angle.deg2rad(), torch.zeros(N)], 1)
    upright = theta.clone()
    upright[:, 3:6] = torch.tensor([torch.pi, 0, 0])
    rotations = body_of_theta(upright, body, vertices=False).rotations
    turned = rotations.clone()
    turned[:, 0] = axis_angle_to_matrix(about_y) @ rotations[:, 0]
    p = body_of_theta(upright, body, vertices=False)._replace(rotations=turned)
    row = score(p, truth_of(upright, body), body, real_poses)
    assert row["facing_wrong"] == 0.25
    assert row["facing_median"] == pytest.approx(80, abs=0.1)


def test_leaning_people_are_scored_apart(theta, body, real_poses):
    """Of N people a quarter lies on the side, another one leans by 15 degrees, half stand."""
    sideways = torch.zeros(N)
    sideways[: N // 4], sideways[N // 4 : N // 2] = 90, 15
    about_z = torch.stack([torch.zeros(N), torch.zeros(N), sideways.deg2rad()], 1)
    upright = torch.diag(torch.tensor([1.0, -1.0, -1.0]))
    placed = theta.clone()
    placed[:, 3:6] = torch.tensor([torch.pi, 0, 0])
    truth = truth_of(placed, body)
    roots = truth.rotations.clone()
    roots[:, 0] = axis_angle_to_matrix(about_z) @ upright
    truth = truth._replace(rotations=roots)
    p = body_of_theta(placed, body, vertices=False)
    moved = p.keypoints3d.clone()
    moved[: N // 4, LSP.index("left_wrist"), 0] += 0.3
    row = score(p._replace(keypoints3d=moved), truth, body, real_poses)
    groups = row["by_lean"]
    people = {name: group["people"] for name, group in groups.items()}
    assert people == {"0 to 10": N // 2, "10 to 20": N // 4, "60 to 180": N // 4}
    assert groups["60 to 180"]["pa_mpjpe"] > 10
    assert groups["0 to 10"]["pa_mpjpe"] == pytest.approx(0, abs=0.01)
    mean = sum(group["people"] * group["pa_mpjpe"] for group in groups.values()) / N
    assert mean == pytest.approx(row["pa_mpjpe"], rel=1e-4)


def test_pck2d_counts_what_is_visible(theta, truth, body, real_poses):
    """A tenth of the crop is 0.2: 0.19 is near, 0.21 is not; what is hidden does not count."""
    p = body_of_theta(theta, body, vertices=False)
    keypoints2d = p.keypoints2d + torch.tensor([0.19, 0.0])
    keypoints2d[:, 0] += torch.tensor([0.02, 0.0])
    keypoints2d[:, 1] += 5
    visible = torch.zeros(N, 19)
    visible[:, [0, 2, 3, 4]] = 1
    p = p._replace(keypoints2d=keypoints2d)
    row = score(p, truth._replace(visible=visible), body, real_poses)
    assert row["pck2d"] == pytest.approx(0.75)
    hidden = score(p, truth._replace(visible=torch.zeros(N, 19)), body, real_poses)
    assert hidden["pck2d"] is None


def test_vertex_error_by_hand(theta, truth, body, real_poses, monkeypatch):
    """PVE of other betas, against the vertices of both bodies; chunks do not show."""
    other = theta.clone()
    other[:, 75:] += 0.5
    p = body_of_theta(other, body, vertices=False)
    monkeypatch.setattr(scores, "CHUNK", 7)
    row = score(p, truth, body, real_poses)
    a, b = body(p.betas, p.rotations), body(truth.betas, truth.rotations)
    distance = np.linalg.norm(
        (a.vertices - a.joints[:, :1]).numpy() - (b.vertices - b.joints[:, :1]).numpy(), axis=-1
    )
    assert row["pve"] == pytest.approx(1000 * distance.mean(), rel=1e-4)
    assert row["betas"] == pytest.approx(0.5, rel=1e-5)


def test_degenerate_predictions(theta, truth, body, real_poses):
    p = body_of_theta(theta, body, vertices=False)
    heap = score(p._replace(keypoints3d=torch.zeros(N, 19, 3)), truth, body, real_poses)
    json.dumps(heap, allow_nan=False)
    broken = p.keypoints3d.clone()
    broken[3, 5] = torch.nan
    with pytest.raises(DataError, match=f"1 of {N} predicted bodies are NaN"):
        score(p._replace(keypoints3d=broken), truth, body, real_poses)
    with pytest.raises(DataError, match="no predictions"):
        score_joints(p.keypoints3d[:0], Truth(*(part[:0] for part in truth)))


# ---------------------------------------------------------------------- real poses


def test_distance_to_real_poses_is_the_smallest_of_all():
    """Against scipy, every pose with every other."""
    bank, poses = random_poses(60, 1), random_poses(5, 2)

    def rotations(poses: Tensor) -> Rotation:
        return Rotation.from_rotvec(poses.view(-1, 24, 3)[:, 1:22].reshape(-1, 3).numpy())

    real = rotations(bank)
    angles = np.stack(
        [
            (rotations(pose.repeat(60, 1)).inv() * real).magnitude().reshape(60, 21).mean(1)
            for pose in poses
        ]
    )
    R = axis_angle_to_matrix(poses.view(-1, 24, 3))
    nearest = np.rad2deg(angles.min(1))
    np.testing.assert_allclose(RealPoses(bank, "").distance(R), nearest, rtol=1e-4)


def test_distance_by_hand():
    """A pose of the bank is no distance away, whatever its root and hands do; an elbow 42 / 21."""
    bank = random_poses(50, 3)
    pose = bank[[7]].clone()
    pose[:, :3] += 1
    pose[:, 66:] += 1
    real = RealPoses(bank, "")
    R = axis_angle_to_matrix(pose.view(1, 24, 3))
    assert real.distance(R).item() == pytest.approx(0, abs=0.05)
    turn = torch.tensor(np.deg2rad([42.0, 0, 0]), dtype=torch.float32)
    R[:, 18] = R[:, 18] @ axis_angle_to_matrix(turn)
    assert real.distance(R).item() == pytest.approx(2, abs=0.05)


# ---------------------------------------------------------------------- baselines


def test_no_constant_is_better_than_the_best(truth):
    best = baselines.best_constant(truth.keypoints3d)
    hips = [LSP.index("right_hip"), LSP.index("left_hip")]
    assert best[0, hips].mean(0).abs().max() < 1e-5

    def error(joints: Tensor) -> float:
        return score_joints(joints.expand(N, -1, -1), truth)["mpjpe"]

    least = error(best)
    g = torch.Generator().manual_seed(0)
    for size in (1e-3, 1e-2, 1e-1):
        for _ in range(20):
            assert error(best + size * torch.randn(best.shape, generator=g)) > least
    assert error(truth.keypoints3d.mean(0, keepdim=True)) > least


def test_best_constant_is_the_geometric_median(truth):
    """One joint, against scipy's general minimiser of the sum of distances."""
    best = baselines.best_constant(truth.keypoints3d)[0]
    hips = [LSP.index("right_hip"), LSP.index("left_hip")]
    points = (truth.keypoints3d - truth.keypoints3d[:, hips].mean(1, keepdim=True)).numpy()
    for joint in (0, 6, 13):
        sample = points[:, joint].astype(float)
        found = minimize(
            lambda x, sample=sample: np.linalg.norm(sample - x, axis=1).sum(), sample.mean(0)
        )
        np.testing.assert_allclose(best[joint], found.x, atol=1e-4)


def test_best_constant_of_equal_people_is_that_person(truth):
    same = truth.keypoints3d[:1].expand(5, -1, -1)
    best = baselines.best_constant(same)
    distance = score_joints(best.expand(N, -1, -1)[:5], Truth(*(p[:5] for p in truth)))
    assert np.isfinite(distance["mpjpe"])
    row = score_joints(best.expand(5, -1, -1), truth._replace(keypoints3d=same))
    assert row["mpjpe"] == pytest.approx(0, abs=1e-3)


def test_best_single_yaw_finds_the_turn(body):
    mean = random_theta(1, 5)[0]
    everybody = mean.repeat(N, 1)
    root = Rotation.from_rotvec([0, np.deg2rad(73), 0]) * Rotation.from_rotvec(mean[3:6].numpy())
    everybody[:, 3:6] = torch.tensor(root.as_rotvec())
    truth = truth_of(everybody, body)
    turned = baselines.best_single_yaw(mean, truth, body)
    found = Rotation.from_rotvec(turned[3:6].numpy())
    assert (found * root.inv()).magnitude() < 1e-3
    torch.testing.assert_close(turned[:3], mean[:3])
    torch.testing.assert_close(turned[6:], mean[6:])


def test_baselines_are_in_their_order(truth, body, real_poses):
    mean = random_theta(1, 5)[0]
    rows = baselines.score_baselines(mean, truth, body, real_poses)
    assert rows["best single yaw"]["mpjpe"] <= rows["mean theta"]["mpjpe"]
    assert rows["best single yaw"]["pa_mpjpe"] == pytest.approx(rows["mean theta"]["pa_mpjpe"])
    # The yaw's joints are a constant too.
    assert rows["best constant prediction"]["mpjpe"] <= rows["best single yaw"]["mpjpe"]
    assert rows["best constant prediction"]["pve"] is None
    looked_up = rows["mean pose with the true root"]
    assert looked_up["facing_wrong"] == 0
    assert looked_up["mpjpe"] < rows["mean theta"]["mpjpe"]
    for row in rows.values():
        assert list(row) == list(rows["mean theta"])


def test_the_true_root_is_all_that_is_looked_up(body, real_poses):
    """When people are the mean pose turned anywhere, root and camera explain them wholly."""
    mean = random_theta(1, 5)[0]
    everybody = mean.repeat(N, 1)
    everybody[:, :6] = random_theta(N, 6)[:, :6]
    rows = baselines.score_baselines(mean, truth_of(everybody, body), body, real_poses)
    assert rows["mean pose with the true root"]["mpjpe"] == pytest.approx(0, abs=0.02)
    assert rows["mean pose with the true root"]["pck2d"] == 1
    assert rows["mean theta"]["pa_mpjpe"] == pytest.approx(0, abs=0.02)
    assert rows["mean theta"]["mpjpe"] > 10


# ---------------------------------------------------------------------- evaluation


class Numbered(TestSet):
    """Blank pictures whose grey value is their number, with a given truth."""

    def __init__(self, truth: Truth, body: SMPL) -> None:
        self.name, self.source, self.images = "numbered", "made up", len(truth.betas)
        self.truth, self.toy = truth, body

    body = property(lambda self: self.toy)
    image_size = property(lambda self: SIZE)

    def __len__(self) -> int:
        return 3

    def __getitem__(self, index: int) -> Batch:
        n = N // 3
        part = slice(index * n, (index + 1) * n)
        number = torch.arange(N)[part] / N
        yes = torch.ones(n, dtype=torch.bool)
        return Batch(
            images=number[:, None, None, None].expand(-1, 3, SIZE, SIZE),
            **{name: getattr(self.truth, name)[part] for name in Truth._fields},
            parts=torch.zeros(n, SIZE, SIZE, dtype=torch.uint8),
            has_3d=yes,
            has_theta=yes,
            has_parts=yes,
        )


class Knows(HMR):
    """A network that reads the number and knows everything about it by heart."""

    thetas: list[Tensor]

    def forward(self, images, vertices=True):
        assert not self.training
        assert not torch.is_grad_enabled()
        index = (images[:, 0, 0, 0] * N).round().long()
        return [body_of_theta(theta[index], self.body, vertices=False) for theta in self.thetas]


@pytest.fixture(scope="module")
def body_file(tmp_path_factory) -> str:
    path = tmp_path_factory.mktemp("body") / "toy.npz"
    save_body(path, toy_body())
    return str(path)


def network(kind: type[HMR], body_file: str, **options) -> HMR:
    torch.manual_seed(0)
    return kind("resnet18", body_file, image_size=SIZE, width=8, stem="small", hidden=8, **options)


def test_evaluate_knows_the_truth(theta, truth, body, body_file, real_poses):
    model = network(Knows, body_file)
    model.thetas = [random_theta(N, 8), theta]
    model.train()
    record = evaluate({"after": model}, [Numbered(truth, body)], real_poses)
    assert model.training
    row = record["numbered"]["after"]
    assert row["mpjpe"] == pytest.approx(0, abs=1e-3)
    assert row["steps"][1]["mpjpe"] == row["mpjpe"]
    assert row["steps"][0]["pa_mpjpe"] > 10
    assert len(row["steps"]) == 2
    assert row["distance_to_real_pose"] == record["numbered"]["truth"]["distance_to_real_pose"]
    assert record["numbered"]["about"]["images"] == N
    json.dumps(record, allow_nan=False)


@pytest.mark.parametrize("representation", ["axis_angle", "6d"])
def test_a_network_that_does_nothing_is_the_mean_theta(truth, body, body_file, representation):
    mean = random_theta(1, 5)[0]
    mean[3:6] = torch.tensor([3.0, 0.2, 0.1])  # less than pi, or the logarithm finds another
    model = network(HMR, body_file, mean_theta=mean, representation=representation)
    with torch.no_grad():
        model.regressor.perceptrons[0][-1].weight.zero_()
    torch.testing.assert_close(starting_theta(model), mean, atol=1e-5, rtol=0)
    record = evaluate({"before": model}, [Numbered(truth, body)], RealPoses(mean[None, 3:75], ""))
    rows = record["numbered"]
    expected = dict(rows["baselines"]["mean theta"])
    for group, errors in expected.pop("by_lean").items():
        assert rows["before"]["by_lean"][group] == pytest.approx(errors, rel=1e-3)
    for name, value in expected.items():
        assert rows["before"][name] == pytest.approx(value, rel=1e-3, abs=1e-3), name
    assert rows["before"]["distance_to_real_pose"] == pytest.approx(0, abs=0.05)


def test_predict_keeps_the_order(theta, truth, body, body_file):
    model = network(Knows, body_file)
    model.thetas = [theta]
    (prediction,), found = predict(model.eval(), Numbered(truth, body))
    assert not model.training
    torch.testing.assert_close(prediction.theta, theta)
    assert prediction.vertices is None
    torch.testing.assert_close(found.keypoints2d, truth.keypoints2d)
    torch.testing.assert_close(
        prediction.keypoints2d, weak_perspective(found.keypoints3d, found.camera)
    )


def test_a_broken_network_is_named(truth, body, body_file, real_poses):
    model = network(HMR, body_file)
    with torch.no_grad():
        model.regressor.perceptrons[0][-1].bias.fill_(torch.nan)
    with pytest.raises(DataError, match="NaN or infinite: the weights are damaged"):
        evaluate({"after": model}, [Numbered(truth, body)], real_poses)


def test_sets_of_one_name_are_refused(truth, body, body_file, real_poses):
    model = network(HMR, body_file)
    with pytest.raises(DataError, match="two test sets are called 'numbered'"):
        evaluate({"after": model}, [Numbered(truth, body), Numbered(truth, body)], real_poses)
    with pytest.raises(DataError, match="no test set"):
        evaluate({"after": model}, [], real_poses)


def test_sizes_must_agree(truth, body, body_file, real_poses):
    model = network(HMR, body_file)
    model.image_size = 2 * SIZE
    with pytest.raises(DataError, match="pictures of 16 pixels, the network takes 32"):
        evaluate({"after": model}, [Numbered(truth, body)], real_poses)


def test_table(theta, truth, body, body_file, real_poses):
    model = network(Knows, body_file)
    model.thetas = [theta]
    record = evaluate({"before": model, "after": model}, [Numbered(truth, body)], real_poses)
    lines = table(record).splitlines()
    assert lines[0] == f"numbered: {N} pictures, poses: made up"
    assert lines[1].split()[:2] == ["MPJPE", "PA-MPJPE"]
    rows = {line[:27].strip(): line[27:].split() for line in lines[3:-1]}
    assert list(rows) == [
        *("mean theta", "best single yaw", "best constant prediction"),
        *("mean pose with the true root"[:27], "before", "after", "truth"),
    ]
    assert rows["mean theta"][2] == "1.00"
    assert rows["best constant prediction"][3:] == ["-"] * 4
    assert rows["after"][:5] == ["0.0", "0.0", "0.00", "0.0", "0.0"]
    assert rows["after"][6] == "100.0"
    assert len({len(line) for line in lines[3:-1]}) == 1
