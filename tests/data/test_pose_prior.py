"""The pose prior against scipy's normal densities, and what its draws must respect."""

import hashlib
import json
from contextlib import suppress

import numpy as np
import pytest
import torch
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from scipy.special import logsumexp
from scipy.stats import multivariate_normal

from hmr_edu.data.poses import fit_prior as fitting
from hmr_edu.data.poses.mocap import find_mocap, load_mocap
from hmr_edu.data.poses.prior import (
    BODY,
    SHIPPED,
    SIZE,
    PosePrior,
    features_to_pose,
    load_pose_prior,
    mirror_features,
    pose_to_features,
)
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import flip_pose


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def random_mixture(K=3, seed=0):
    """Return (weights, means, cholesky) of an arbitrary mixture, far from symmetric."""
    rng = np.random.default_rng(seed)
    cholesky = np.tril(rng.normal(0, 0.03, (K, SIZE, SIZE)), -1)
    cholesky[:, range(SIZE), range(SIZE)] = rng.uniform(0.1, 0.3, (K, SIZE))
    means = rng.normal(0, 0.3, (K, SIZE))
    return [torch.tensor(a).float() for a in (rng.dirichlet(np.ones(K) * 5), means, cholesky)]


@pytest.fixture(scope="module")
def small():
    wide = torch.full((BODY,), 10.0)
    return PosePrior(*random_mixture(), -wide, wide)


@pytest.fixture(scope="module")
def shipped():
    return load_pose_prior()


def scipy_log_prob(features, mixture, size):
    """Return the log density of the mixture and its mirror image, by scipy."""
    weights, means, cholesky = (a.double().numpy() for a in mixture)
    index, sign = (a.numpy() for a in mirror_features())
    terms = []
    for w, mean, L in zip(weights, means, cholesky, strict=True):
        for mirrored in (False, True):
            M = np.eye(SIZE)[index] * sign[:, None] if mirrored else np.eye(SIZE)
            covariance = M @ L @ L.T @ M.T
            normal = multivariate_normal((M @ mean)[:size], covariance[:size, :size])
            terms.append(np.log(w / 2) + normal.logpdf(features[:, :size]))
    return logsumexp(terms, axis=0)


@pytest.mark.parametrize(("root", "size"), [(True, SIZE), (False, BODY)])
def test_log_prob_is_that_of_scipy(small, root, size):
    features = torch.tensor(np.random.default_rng(1).normal(0, 0.4, (20, SIZE)))
    truth = scipy_log_prob(features.numpy(), random_mixture(), size)
    answer = small.log_prob(features_to_pose(features), root=root)
    assert answer.dtype == torch.float64
    np.testing.assert_allclose(answer.numpy(), truth, rtol=1e-5, atol=1e-3)


def test_log_prob_does_not_see_the_yaw(shipped):
    pose = shipped.sample(20, generator())
    turned = pose.clone()
    root = Rotation.from_euler("y", 1.1) * Rotation.from_rotvec(pose[:, :3].numpy())
    turned[:, :3] = torch.tensor(root.as_rotvec())
    for with_root in (True, False):
        difference = shipped.log_prob(turned, with_root) - shipped.log_prob(pose, with_root)
        assert difference.abs().max() < 2e-3


def test_a_pose_and_its_mirror_image_are_equally_likely(shipped):
    pose = shipped.sample(100, generator(), spread=1.5)
    for root in (True, False):
        torch.testing.assert_close(
            shipped.log_prob(flip_pose(pose), root),
            shipped.log_prob(pose, root),
            rtol=1e-4,
            atol=0.01,
        )


@pytest.mark.parametrize("root", [True, False])
def test_gradients_of_log_prob(small, root):
    pose = features_to_pose(torch.tensor(np.random.default_rng(2).normal(0, 0.4, (2, SIZE))))
    assert torch.autograd.gradcheck(lambda p: small.log_prob(p, root), pose.requires_grad_())


def test_log_prob_and_gradient_are_finite_for_the_rest_pose_and_monsters(shipped):
    pose = torch.stack([torch.zeros(72), torch.full((72,), 3.0)]).requires_grad_()
    value = shipped.log_prob(pose, root=True)
    value.sum().backward()
    assert value.isfinite().all()
    assert pose.grad.isfinite().all()
    assert value[0] > value[1]


def test_features_and_pose_are_inverse():
    features = torch.tensor(np.random.default_rng(3).normal(0, 0.5, (50, SIZE)))
    torch.testing.assert_close(pose_to_features(features_to_pose(features)), features)


def test_samples_follow_the_generator_alone(shipped):
    first = shipped.sample(30, generator(1))
    torch.rand(5)
    assert torch.equal(first, shipped.sample(30, generator(1)))
    assert not torch.equal(first, shipped.sample(30, generator(2)))
    assert first.dtype == torch.float32
    assert first.shape == (30, 72)


@pytest.mark.parametrize("n", [0, 1, 257])
@pytest.mark.parametrize("chance", [0.0, 0.5, 1.0])
def test_any_number_of_samples(shipped, n, chance):
    pose = shipped.sample(n, generator(), mix=chance, recline=chance)
    assert pose.shape == (n, 72)
    assert pose.isfinite().all()


@pytest.mark.parametrize("spread", [1.0, 2.0, 8.0])
def test_samples_keep_the_joint_limits_and_have_no_yaw(shipped, spread):
    pose = shipped.sample(500, generator(), spread=spread)
    assert (pose[:, 3:] >= shipped.low).all()
    assert (pose[:, 3:] <= shipped.high).all()
    assert (pose[:, 1] == 0).all()


def test_samples_have_the_moments_of_the_mixture(small):
    pose = small.sample(40_000, generator(), mix=0.0, recline=0.0)
    weights, means, cholesky = (a.double() for a in random_mixture())
    index, sign = mirror_features()
    means = torch.cat([means, means[:, index] * sign])
    covariance = cholesky @ cholesky.mT
    covariance = torch.cat([covariance, covariance[:, index][:, :, index] * sign[:, None] * sign])
    weights = torch.cat([weights, weights]) / 2
    mean = weights @ means
    centred = means - mean
    truth = torch.einsum("k,kij->ij", weights, covariance + centred[:, :, None] * centred[:, None])
    features = pose_to_features(pose).double()
    assert (features.mean(0) - mean).abs().max() < 0.02
    assert (features.T.cov() - truth).abs().max() < 0.02


def test_mixing_the_arms_unties_them_and_leaves_the_rest(shipped):
    def correlation(mix):
        pose = shipped.sample(4000, generator(), mix=mix, recline=0.0).view(-1, 24, 3)
        left, right, knee = pose[:, 16, 2], pose[:, 17, 2], pose[:, 4, 0]
        hips = torch.corrcoef(torch.stack([pose[:, 1, 0], knee]))[0, 1]
        return torch.corrcoef(torch.stack([left, right]))[0, 1], hips

    (tied, leg), (untied, same_leg) = correlation(0.0), correlation(1.0)
    assert tied < -0.3
    assert abs(untied) < 0.06
    assert abs(leg - same_leg) < 0.1


def test_recline_lays_bodies_down(shipped):
    pose = shipped.sample(1000, generator(), recline=0.3)
    lean = pose[:, :3].norm(dim=1)
    assert 0.25 < (lean > np.pi / 4).float().mean() < 0.4
    # Lying on the back and on the belly, on the left and on the right.
    lying = pose[lean > np.pi / 4]
    assert 0.35 < (lying[:, 0] > 0).float().mean() < 0.65
    assert 0.35 < (lying[:, 2] > 0).float().mean() < 0.65


@pytest.mark.parametrize(
    "option", [{"spread": -1.0}, {"spread": np.nan}, {"mix": 2}, {"recline": -1}]
)
def test_options_out_of_range_are_refused(shipped, option):
    with pytest.raises(ValueError, match=next(iter(option))):
        shipped.sample(3, generator(), **{k: float(v) for k, v in option.items()})


def test_shipped_file_is_small_and_says_where_it_is_from():
    assert SHIPPED.stat().st_size < 2e6
    provenance = json.loads(SHIPPED.with_suffix(".json").read_text())
    assert "mocap.cs.cmu.edu" in provenance["acknowledgement"]
    assert provenance["output"]["sha256"] == hashlib.sha256(SHIPPED.read_bytes()).hexdigest()


def test_missing_file_is_named(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        load_pose_prior(tmp_path / "none.npz")


def rewritten(path, **changes):
    with np.load(SHIPPED, allow_pickle=False) as archive:
        arrays = {**archive, **changes}
    np.savez(path, **{name: value for name, value in arrays.items() if value is not None})
    return path


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"means": None}, "'means' is missing"),
        ({"format": np.array("pickle")}, "format"),
        ({"weights": np.zeros(0)}, "weights"),
        ({"weights": np.full(64, 0.5)}, "sum to 1"),
        ({"weights": np.full(64, 1)}, "floating point"),
        ({"means": np.zeros((64, 70))}, "means"),
        ({"means": np.full((64, SIZE), np.nan)}, "NaN"),
        ({"cholesky": np.zeros((64, 4))}, "cholesky"),
        ({"cholesky": np.zeros((64, SIZE * (SIZE + 1) // 2))}, "diagonals"),
        ({"low": np.full(BODY, 9.0)}, "low"),
        ({"weights": np.array([{}], dtype=object)}, "no pickle"),
    ],
)
def test_files_that_are_no_prior_are_refused(tmp_path, changes, message):
    path = rewritten(tmp_path / "odd.npz", **changes)
    with pytest.raises(DataError, match=message) as caught:
        load_pose_prior(path)
    assert "odd.npz" in str(caught.value)


@settings(max_examples=25)
@given(cut=st.integers(0, 10**7), at=st.integers(0, 10**7), byte=st.integers(0, 255))
@example(cut=0, at=769, byte=0)  # a header that stops in the middle: the tokenizer's error
def test_damaged_files_are_refused_or_read(tmp_path_factory, cut, at, byte):
    path = tmp_path_factory.mktemp("damaged") / "prior.npz"
    whole = SHIPPED.read_bytes()
    path.write_bytes(whole[: cut % len(whole)])
    with pytest.raises(DataError):
        load_pose_prior(path)
    changed = bytearray(whole)
    changed[at % len(whole)] = byte
    path.write_bytes(changed)
    with suppress(DataError):
        load_pose_prior(path)


def test_fit_finds_two_separate_humps(monkeypatch):
    """EM on data from a known mixture comes as close to the data as the truth does."""
    monkeypatch.setattr(fitting, "SHRINKAGE", 1.0)
    rng = np.random.default_rng(0)
    centres = rng.normal(0, 1, (2, SIZE))
    truth = [torch.tensor([0.3, 0.7]), torch.tensor(centres), torch.eye(SIZE).repeat(2, 1, 1) * 0.1]
    wide = torch.full((BODY,), 10.0)
    target = PosePrior(*(a.float() for a in truth), -wide, wide)
    drawn = target.sample(6000, generator(), mix=0.0, recline=0.0).double()
    features = pose_to_features(drawn)
    mixture = fitting.fit_mixture(features, torch.ones(6000), components=2, seed=1)
    expected = target.log_prob(drawn, root=True).mean()
    assert abs(mixture.log_likelihood - expected) < 2.5
    assert np.allclose(sorted(mixture.weights.numpy()), [0.3, 0.7], atol=0.03)


def test_fit_refuses_more_components_than_poses():
    with pytest.raises(DataError, match="components"):
        fitting.fit_mixture(torch.zeros(3, SIZE), torch.ones(3), components=4)


def test_fit_prior_writes_a_file_and_its_provenance(tmp_path):
    rng = np.random.default_rng(0)
    np.savez(
        tmp_path / "walk.npz",
        poses=rng.normal(0, 0.2, (60, 72)).astype(np.float32),
        clip=np.zeros(60, int),
        clip_names=np.array(["walk"]),
        fps=np.array(12),
    )
    path = fitting.fit_prior(tmp_path / "walk.npz", tmp_path / "out" / "prior.npz", components=2)
    again = fitting.fit_prior(tmp_path / "walk.npz", tmp_path / "again.npz", components=2)
    assert path.read_bytes() == again.read_bytes()
    assert load_pose_prior(path).sample(4, generator()).shape == (4, 72)
    provenance = json.loads(path.with_suffix(".json").read_text())
    assert provenance["input"]["poses"] == 60
    assert provenance["options"] == {
        "components": 2,
        "seed": 0,
        "weights": "root",
        "straight_legs": 0,
    }


def test_other_people_are_likelier_than_random_poses(shipped):
    path = find_mocap("hdm05_poses.npz")
    if path is None:
        pytest.skip("hdm05_poses.npz is neither in $HMR_EDU_MOCAP nor in ../shared/mocap")
    people = shipped.log_prob(load_mocap(path).poses[::20])
    uniform = torch.rand(300, BODY, generator=generator())
    body = shipped.low + (shipped.high - shipped.low) * uniform
    random = shipped.log_prob(torch.cat([torch.zeros(300, 3), body], 1))
    assert (people[:, None] > random).float().mean() > 0.99
