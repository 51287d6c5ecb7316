"""Sources of training batches: the protocol, mixtures, annotated photographs."""

import numpy as np
import pytest
import torch
from helpers.few_looks import few_looks
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image
from scipy.spatial.transform import Rotation

from hmr_edu.camera import CropBox
from hmr_edu.data import AnnotatedPerson, AnnotatedPhotos, Batch, BatchSource, Mixture
from hmr_edu.data.source import HELD_OUT, share_out, showcase
from hmr_edu.data.synthetic.people import SyntheticPeople
from hmr_edu.io import DataError
from hmr_edu.theta import split_theta

SIZE = 32


def people(batch_size: int = 3, seed: int = 0) -> SyntheticPeople:
    return few_looks(seed, image_size=SIZE, batch_size=batch_size)


@pytest.fixture(scope="module")
def photographs(tmp_path_factory):
    """Three pictures of one colour each, 40 x 20 pixels; each has one keypoint in its middle."""
    folder, annotated = tmp_path_factory.mktemp("photos"), []
    for number, colour in enumerate([(255, 0, 0), (0, 255, 0), (0, 0, 255)]):
        path = folder / f"{number}.png"
        Image.fromarray(np.full((20, 40, 3), colour, np.uint8)).save(path)
        keypoints, visible = torch.zeros(19, 2), torch.zeros(19)
        # Pixel (9, 9): its centre lies half a pixel from the middle of the crop below.
        keypoints[14], visible[14] = torch.tensor([9.0, 9.0]), 1.0
        annotated.append(AnnotatedPerson(path, CropBox(9.5, 9.5, 20), keypoints, visible))
    return annotated


def as_matrices(theta: torch.Tensor) -> torch.Tensor:
    pose = split_theta(theta).pose.reshape(24, 3)
    return torch.from_numpy(Rotation.from_rotvec(pose.numpy()).as_matrix())


def same(a: Batch, b: Batch) -> bool:
    # NaN marks what is unknown.
    mine, other = a.named_tensors(), b.named_tensors()
    return mine.keys() == other.keys() and all(
        torch.equal(mine[k].nan_to_num(nan=1e30), other[k].nan_to_num(nan=1e30)) for k in mine
    )


def test_all_sources_keep_the_protocol(photographs):
    photos = AnnotatedPhotos(photographs, 2, SIZE)
    for source in (people(), photos, Mixture([people(), photos])):
        assert isinstance(source, BatchSource)
        batch = source.finish(source.prepare(0))
        assert len(batch) == source.batch_size
        assert batch.images.shape[-1] == source.image_size


def test_photographs_have_keypoints_and_no_other_label(photographs):
    batch = AnnotatedPhotos(photographs, 8, 20, seed=1).finish(
        AnnotatedPhotos(photographs, 8, 20, seed=1).prepare(4)
    )
    assert not torch.stack([batch.has_3d, batch.has_theta, batch.has_parts]).any()
    assert batch.visible.sum(1).tolist() == [1] * 8
    # By hand: a crop of 20 pixels around pixel 9.5; pixel 9 lies half a pixel to the left.
    torch.testing.assert_close(batch.keypoints2d[:, 14], torch.full((8, 2), -0.05))
    # One colour a picture, and all three come up in 8 draws with this seed.
    colours = batch.images.flatten(2).amax(2)
    torch.testing.assert_close(colours.sum(1), torch.ones(8))
    assert len(colours.unique(dim=0)) == 3


def test_a_batch_follows_from_its_number_alone(photographs):
    source = AnnotatedPhotos(photographs, 4, SIZE)
    first = source.finish(source.prepare(7))
    source.prepare(3)
    assert same(source.finish(source.prepare(7)), first)


def test_nobody_is_no_source():
    with pytest.raises(DataError, match="at least one annotated person"):
        AnnotatedPhotos([], 4, SIZE)


def test_a_crop_beside_the_picture_names_the_file(photographs, tmp_path):
    far = photographs[0]._replace(crop=CropBox(500, 500, 20))
    with pytest.raises(DataError, match=str(far.path)):
        AnnotatedPhotos([far], 1, SIZE).prepare(0)


def test_a_mixture_holds_every_source_in_order(photographs):
    synthetic, photos = people(3), AnnotatedPhotos(photographs, 2, SIZE)
    mixture = Mixture([synthetic, photos])
    batch = mixture.finish(mixture.prepare(5))
    assert len(batch) == mixture.batch_size == 5
    assert same(batch.rows(slice(3)), synthetic[5])
    assert same(batch.rows(slice(3, 5)), photos.finish(photos.prepare(5)))
    assert batch.has_theta.tolist() == [True] * 3 + [False] * 2


def test_a_mixture_travels_from_a_worker(photographs):
    mixture = Mixture([people(2), AnnotatedPhotos(photographs, 2, SIZE)])
    moved = mixture.prepare(0).to("cpu")
    assert same(mixture.finish(moved), mixture.finish(mixture.prepare(0)))


def test_shares_become_batch_sizes(photographs):
    makers = [
        (0.3, lambda n: AnnotatedPhotos(photographs, n, SIZE)),
        (0.7, lambda n: people(n)),
    ]
    mixture = Mixture.of_shares(10, makers)
    assert [source.batch_size for source in mixture.sources] == [3, 7]


def test_pictures_of_two_sizes_do_not_mix(photographs):
    with pytest.raises(ValueError, match=r"one picture size, got \[32, 48\]"):
        Mixture([people(), AnnotatedPhotos(photographs, 2, 48)])


def test_the_mean_theta_comes_from_those_who_know_one(photographs):
    photos = AnnotatedPhotos(photographs, 5, SIZE)
    assert photos.mean_theta() is None
    assert Mixture([photos]).mean_theta() is None
    known = people(2).mean_theta()
    mean = Mixture([people(2), photos]).mean_theta()
    torch.testing.assert_close(as_matrices(mean), as_matrices(known), rtol=0, atol=1e-5)
    # The root turns by pi, whose axis-angle has two signs; all else is equal as it is.
    torch.testing.assert_close(mean[6:], known[6:], rtol=0, atol=1e-4)
    torch.testing.assert_close(mean[:3], known[:3])


def test_two_mean_thetas_are_averaged_as_rotations():
    class Fixed(SyntheticPeople):
        def mean_theta(self, batches: int = 16):
            return self.fixed

    # Turns about one axis by 20 and 80 degrees, weights 1 and 3: scipy's weighted mean.
    sources = [people(1), people(3)]
    angles = [20.0, 80.0]
    for source, angle in zip(sources, angles, strict=True):
        source.__class__ = Fixed
        theta = torch.zeros(85)
        theta[0], theta[75] = angle, angle
        theta[6:9] = torch.tensor([0.0, angle, 0.0]).deg2rad()
        source.fixed = theta
    camera, pose, betas = split_theta(Mixture(sources).mean_theta()[None])
    turns = Rotation.from_euler("y", [[angle] for angle in angles], degrees=True)
    want = turns.mean(weights=[1, 3]).as_rotvec()
    np.testing.assert_allclose(pose[0, 3:6].numpy(), want, atol=1e-5)
    assert float(camera[0, 0]) == pytest.approx(65.0)
    assert float(betas[0, 0]) == pytest.approx(65.0)


def test_the_showcase_is_nothing_that_is_trained_on():
    source = people(3)
    few = showcase(source, 2)
    assert same(few, source[HELD_OUT].first(2))
    assert not torch.equal(few.images[0], source[0].images[0])


@given(
    st.integers(1, 500),
    st.lists(st.floats(0.05, 1.0), min_size=1, max_size=6),
)
def test_samples_are_shared_out_as_asked(total, shares):
    exact = [total * share / sum(shares) for share in shares]
    if min(int(x) for x in exact) == 0:
        return
    counts = share_out(total, shares)
    assert sum(counts) == total
    assert all(abs(count - x) < 1 for count, x in zip(counts, exact, strict=True))


@pytest.mark.parametrize("shares", [[], [0.5, 0.0], [1.0, -1.0], [float("nan")], [float("inf"), 1]])
def test_impossible_shares_are_said(shares):
    with pytest.raises(ValueError, match="shares must be positive"):
        share_out(10, shares)


def test_a_source_without_a_sample_is_said():
    with pytest.raises(ValueError, match="one gets none"):
        share_out(2, [0.98, 0.01, 0.01])
