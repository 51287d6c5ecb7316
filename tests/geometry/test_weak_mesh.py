"""Masks, part silhouettes and dense correspondences: by hand, against scipy, and bad labels."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import distance_transform_edt
from scipy.spatial import cKDTree

from hmr_edu.body import load_body
from hmr_edu.body.surface import mirror_vertices, spread_vertices
from hmr_edu.camera import weak_perspective
from hmr_edu.data.batch import Batch, MeshBatch, SurfacePoints
from hmr_edu.encoder.heads import Features
from hmr_edu.hmr import body_of_theta
from hmr_edu.keypoints import PERSON, SMPL_JOINTS, flip_parts
from hmr_edu.losses import TERMS, parts_loss
from hmr_edu.masks import MaskLabels, nearest_cells
from hmr_edu.theta import mean_theta
from hmr_edu.training.config import LossConfig
from hmr_edu.training.objective import supervised_losses
from hmr_edu.weak_mesh import dense_loss, silhouette_loss

NAN = float("nan")


def image(*rows, dtype=torch.uint8):
    """A batch of one label image."""
    return torch.tensor([rows], dtype=dtype)


def points(*places):
    return torch.tensor([places], dtype=torch.float64)


def ones(*shape):
    return torch.ones(*shape, dtype=torch.bool)


def blobs(batch=3, size=24, seed=0):
    """Label images of two discs, parts 3 and 7, somewhere on the background."""
    rng = np.random.default_rng(seed)
    y, x = np.mgrid[:size, :size]
    images = np.zeros((batch, size, size), np.uint8)
    for sample in images:
        for part in (3, 7):
            cx, cy = rng.uniform(size / 4, 3 * size / 4, 2)
            sample[(x - cx) ** 2 + (y - cy) ** 2 < (size / 6) ** 2] = part
    return torch.from_numpy(images)


def cloud(batch=3, vertices=40, seed=0):
    g = torch.Generator().manual_seed(seed)
    return 1.6 * torch.rand(batch, vertices, 2, generator=g, dtype=torch.float64) - 0.8


# ---------------------------------------------------------------- what is read of masks


def test_points_of_a_mask_by_hand():
    labels = image([0, 5, 5, 0], [0, 0, 9, PERSON])
    masks = MaskLabels.of(labels, points=4)
    # Four cells of a mask of 4 x 2: their centres are at -0.75, -0.25, 0.25, 0.75 and -0.5, 0.5.
    expected = torch.tensor([[[-0.25, -0.5], [0.25, -0.5], [0.25, 0.5], [0.75, 0.5]]])
    assert torch.equal(masks.points, expected)
    assert masks.parts.tolist() == [[5, 5, 9, PERSON]]
    assert masks.shown.tolist() == [True]
    # Two points stand for two cells each; eight repeat them.
    assert MaskLabels.of(labels, points=2).parts.tolist() == [[5, PERSON]]
    assert MaskLabels.of(labels, points=8).parts.tolist() == [[5] * 4 + [9] * 2 + [PERSON] * 2]


def test_points_are_spread_over_all_of_the_mask():
    labels = blobs(size=64)
    masks = MaskLabels.of(labels, points=100)
    for sample, chosen in zip(labels, masks.points, strict=True):
        cells = sample.nonzero().flip(1) / 32 - 1 + 1 / 64
        gaps, _ = cKDTree(chosen.numpy()).query(cells.numpy())
        area = len(cells) / 32**2
        assert gaps.max() < 4 * math.sqrt(area / 100)
    shares = masks.parts.eq(7).float().mean(1)
    torch.testing.assert_close(
        shares, labels.eq(7).sum((1, 2)) / labels.gt(0).sum((1, 2)), atol=0.02, rtol=0
    )


@pytest.mark.parametrize("shape", [(16, 16), (9, 23), (1, 7), (64, 64)])
def test_the_way_into_the_mask_is_scipys_distance_transform(shape):
    mask = torch.rand(4, *shape, generator=torch.Generator().manual_seed(1)) < 0.03
    mask[:, 0, -1] = True
    nearest = nearest_cells(mask)
    height, width = shape
    y = ((torch.arange(height) + 0.5) * 2 / height - 1)[:, None].expand(shape)
    x = ((torch.arange(width) + 0.5) * 2 / width - 1).expand(shape)
    for sample, way in zip(mask, nearest, strict=True):
        distance = (way - torch.stack((x, y), -1)).norm(dim=-1)
        truth = distance_transform_edt(~sample.numpy(), sampling=(2 / height, 2 / width))
        np.testing.assert_allclose(distance.numpy(), truth, atol=1e-6)


def test_large_label_images_are_read_at_the_centres_of_cells():
    big = blobs(size=128)
    small = MaskLabels.of(big)
    assert small.nearest.shape == (3, 64, 64, 2)
    assert set(small.parts.unique().tolist()) == {3, 7}


# ---------------------------------------------------------------- silhouettes


def test_silhouette_by_hand():
    masks = MaskLabels.of(image([4, 0], [0, 0]))
    # The mask is the square [-1, 0] x [-1, 0], read at its centre (-0.5, -0.5).
    inside, right, corner = (-0.5, -0.5), (0.75, -0.5), (0.3, 0.4)
    both = silhouette_loss(points(inside, right), masks, ones(1))
    assert both.item() == pytest.approx(0 + 0.75 / 2)
    # Around the corner (0, 0) of the square: 3-4-5.
    far = silhouette_loss(points(corner), masks, ones(1))
    assert far.item() == pytest.approx(math.hypot(0.8, 0.9) + 0.5)
    # Anywhere in the square there is no overflow.
    assert silhouette_loss(points((-0.01, -0.99)), masks, ones(1)).item() == pytest.approx(
        math.hypot(0.49, 0.49)
    )
    # Outside the crop it is not known what is there.
    beyond = silhouette_loss(points(inside, (1.5, -0.5)), masks, ones(1))
    assert beyond.item() == 0


def test_part_silhouettes_by_hand():
    # Part 2 is the left half, part 5 the right one; each is read at two cells.
    masks = MaskLabels.of(image([2, 5], [2, 5]), points=4)
    pred = points((-0.5, 0.0), (0.5, 0.0))
    right_way = silhouette_loss(pred, masks, ones(1), torch.tensor([[2, 5]]))
    assert right_way.item() == pytest.approx(0.5)
    swapped = silhouette_loss(pred, masks, ones(1), torch.tensor([[5, 2]]))
    assert swapped.item() == pytest.approx(math.hypot(1, 0.5))
    # The silhouette alone does not tell them apart.
    assert silhouette_loss(pred, masks, ones(1)).item() == pytest.approx(0.5)
    # Pixels of a part that the body does not have are not asked for.
    some = silhouette_loss(pred, masks, ones(1), torch.tensor([[2, 9]]))
    assert some.item() == pytest.approx(0.5)
    # A pixel of unknown part may be anybody's.
    unknown = MaskLabels.of(image([PERSON, PERSON], [PERSON, PERSON]), points=4)
    value = silhouette_loss(pred, unknown, ones(1), torch.tensor([[5, 2]]))
    assert value.item() == pytest.approx(0.5)


@pytest.mark.parametrize("with_parts", [False, True])
def test_coverage_and_overflow_against_scipy(with_parts):
    labels, pred = blobs(), cloud()
    masks = MaskLabels.of(labels)
    vertex_parts = torch.tensor([3, 7]).repeat(20).expand(3, -1)
    value = silhouette_loss(pred, masks, ones(3), vertex_parts if with_parts else None)
    covered, off = [], []
    for k in range(3):
        for place, part in zip(masks.points[k].numpy(), masks.parts[k].tolist(), strict=True):
            own = pred[k][vertex_parts[k] == part] if with_parts else pred[k]
            covered.append(cKDTree(own.numpy()).query(place)[0])
        cells = labels[k].nonzero().flip(1).double() / 12 - 1 + 1 / 24
        for vertex in pred[k]:
            to_square = ((vertex - cells).abs() - 1 / 24).clamp_min(0)
            off.append(to_square.norm(dim=1).min().item())
    # The nearest cell is that of the vertex's own cell: at most a cell's diagonal is lost.
    truth = np.mean(covered) + np.mean(off)
    assert truth <= value.item() + 1e-6
    assert value.item() == pytest.approx(truth, abs=0.004)


@pytest.mark.parametrize("with_parts", [False, True])
def test_gradient(with_parts):
    masks = MaskLabels(
        *(x.double() if x.is_floating_point() else x for x in MaskLabels.of(blobs()))
    )
    vertex_parts = torch.tensor([3, 7]).repeat(20).expand(3, -1) if with_parts else None
    labelled = torch.tensor([True, False, True])
    pred = cloud().requires_grad_()
    assert torch.autograd.gradcheck(
        lambda p: silhouette_loss(p, masks, labelled, vertex_parts), (pred,), fast_mode=True
    )


def test_unlabelled_samples_do_not_exist():
    labels, pred = blobs(), cloud().requires_grad_()
    first = silhouette_loss(pred[:1], MaskLabels.of(labels[:1]), ones(1))
    value = silhouette_loss(pred, MaskLabels.of(labels), torch.tensor([True, False, False]))
    torch.testing.assert_close(value, first)
    (gradient,) = torch.autograd.grad(value, pred)
    assert gradient[1:].eq(0).all()
    assert gradient[0].abs().sum() > 0


def test_it_pulls_from_any_distance():
    """A body far from the mask is moved straight to it: no pixel of theirs overlaps."""
    mask = torch.zeros(1, 32, 32, dtype=torch.uint8)
    mask[:, 22:28, 22:28] = 1
    pred = (0.1 * cloud(1, 20) - 0.7).requires_grad_()
    value = silhouette_loss(pred, MaskLabels.of(mask), ones(1))
    (gradient,) = torch.autograd.grad(value, pred)
    assert (gradient.sum(1) < 0).all()


def test_a_mask_alone_finds_the_camera():
    body = load_body("lite")
    theta = mean_theta()[None]
    vertices = body_of_theta(theta, body).vertices
    sample, _ = spread_vertices(body, 512)
    true = torch.tensor([[0.8, 0.1, -0.05]])
    # A mask that no renderer made: cells with a vertex of the whole mesh in them.
    mask = torch.zeros(1, 40, 40, dtype=torch.uint8)
    x, y = ((weak_perspective(vertices, true)[0] + 1) * 20).long().unbind(1)
    mask[0, y, x] = PERSON
    masks = MaskLabels.of(mask)
    camera = torch.tensor([[0.5, -0.3, 0.2]], requires_grad=True)
    optimizer = torch.optim.Adam([camera], 0.02)
    for _ in range(150):
        optimizer.zero_grad()
        silhouette_loss(weak_perspective(vertices[:, sample], camera), masks, ones(1)).backward()
        optimizer.step()
    torch.testing.assert_close(camera.detach(), true, atol=0.03, rtol=0)


# ---------------------------------------------------------------- dense correspondences


def test_dense_by_hand():
    pred = points((0, 0), (1, 0), (0, 1), (9, 9))
    corners = torch.tensor([[[0, 1, 2], [2, 2, 2], [3, 3, 3]]])
    weights = torch.tensor([[[0.5, 0.25, 0.25], [0.2, 0.3, 0.5], [1.0, 0, 0]]], dtype=torch.float64)
    places = points((0.25, 0.25), (0.1, 0.8), (NAN, NAN))
    # Points (0.25, 0.25) and (0, 1): off by 0 and by 0.1 + 0.2; the last is unknown.
    confidence = torch.tensor([[1.0, 1.0, 0.0]], dtype=torch.float64)
    value = dense_loss(pred, corners, weights, places, confidence)
    assert value.item() == pytest.approx(0.3 / 4)
    confidence = torch.tensor([[1.0, 0.5, 0.0]], dtype=torch.float64)
    value = dense_loss(pred, corners, weights, places, confidence)
    assert value.item() == pytest.approx(0.5 * 0.3 / 3)


def test_dense_gradient_goes_to_the_corners_of_the_face():
    pred = cloud(1, 5).requires_grad_()
    corners = torch.tensor([[[0, 2, 4]]])
    weights = torch.tensor([[[0.2, 0.3, 0.5]]], dtype=torch.float64)
    arguments = (corners, weights, points((2.0, 2.0)), torch.ones(1, 1, dtype=torch.float64))
    assert torch.autograd.gradcheck(lambda p: dense_loss(p, *arguments), (pred,))
    (gradient,) = torch.autograd.grad(dense_loss(pred, *arguments), pred)
    torch.testing.assert_close(gradient[0, :, 0] * -2, torch.tensor([0.2, 0, 0.3, 0, 0.5]).double())


# ---------------------------------------------------------------- labels that say nothing or lie

FULL = MaskLabels.of(blobs(1))


def dense_arguments(**changes):
    given = {
        "vertices": torch.tensor([[[0, 1, 2]]]),
        "weights": torch.full((1, 1, 3), 1 / 3, dtype=torch.float64),
        "places": points((0.0, 0.0)),
        "confidence": torch.zeros(1, 1, dtype=torch.float64),
    }
    return (given | changes).values()


NOTHING = {
    "no label": lambda p: silhouette_loss(p, FULL, ~ones(1)),
    "no label, parts": lambda p: silhouette_loss(p, FULL, ~ones(1), torch.full((1, 40), 3)),
    "an empty mask": lambda p: silhouette_loss(p, MaskLabels.of(0 * blobs(1)), ones(1)),
    "a picture of no pixels": lambda p: silhouette_loss(
        p, MaskLabels.of(torch.empty(1, 0, 0, dtype=torch.uint8)), ones(1)
    ),
    "a mask of one background pixel": lambda p: silhouette_loss(
        p, MaskLabels.of(image([0])), ones(1)
    ),
    "no confidence": lambda p: dense_loss(p, *dense_arguments()),
    "NaN places": lambda p: dense_loss(p, *dense_arguments(places=points((NAN, NAN)))),
    "infinite places": lambda p: dense_loss(p, *dense_arguments(places=points((math.inf, 0)))),
    "NaN weights": lambda p: dense_loss(
        p, *dense_arguments(weights=torch.full((1, 1, 3), NAN, dtype=torch.float64))
    ),
    "vertices that do not exist": lambda p: dense_loss(
        p, *dense_arguments(vertices=torch.tensor([[[-7, 40, 10**9]]]))
    ),
    "no points at all": lambda p: dense_loss(
        p, *SurfacePoints.unknown(1, 0).named_tensors().values()
    ),
}


@pytest.mark.parametrize("says", NOTHING)
def test_what_says_nothing_is_zero_with_a_graph(says):
    pred = cloud(1).requires_grad_()
    value = NOTHING[says](pred)
    assert value.item() == 0
    (gradient,) = torch.autograd.grad(value, pred)
    assert gradient.eq(0).all()


ODD = {
    "all vertices outside": (cloud(1) + 5, blobs(1), None),
    "some vertices outside": (3 * cloud(1), blobs(1), None),
    "vertices on one place": (torch.zeros(1, 40, 2).double(), blobs(1), None),
    "vertices on the border of the crop": (cloud(1).sign(), blobs(1), None),
    "one vertex": (cloud(1, 1), blobs(1), None),
    "vertices extremely far away": (1e30 * cloud(1), blobs(1), None),
    "a mask that is everything": (cloud(1), blobs(1) * 0 + PERSON, None),
    "one pixel": (cloud(1), image([PERSON]), None),
    "labels that are no parts": (cloud(1), blobs(1) * 30, torch.full((1, 40), 3)),
    "an oblong picture": (cloud(1), blobs(1)[:, :5], None),
}


@pytest.mark.parametrize("name", ODD)
def test_odd_bodies_and_masks_give_finite_numbers(name):
    pred, labels, vertex_parts = ODD[name]
    pred = pred.clone().requires_grad_()
    value = silhouette_loss(pred, MaskLabels.of(labels), ones(1), vertex_parts)
    (gradient,) = torch.autograd.grad(value, pred)
    assert value.isfinite()
    assert gradient.isfinite().all()


def test_a_prediction_that_is_nan_is_not_hidden():
    """Training finds a divergence by its losses: a mask must not turn NaN into a number."""
    pred = torch.full((1, 40, 2), NAN)
    assert silhouette_loss(pred, MaskLabels.of(blobs(1)), ones(1)).isnan()


def test_pixels_of_unknown_part_teach_no_part():
    logits = torch.randn(1, 25, 2, 2, generator=torch.Generator().manual_seed(0))
    labels = image([PERSON, 3], [0, PERSON])
    expected = -(logits.log_softmax(1)[0, 3, 0, 1] + logits.log_softmax(1)[0, 0, 1, 0]) / 2
    torch.testing.assert_close(parts_loss(logits, labels, ones(1)), expected)


# ---------------------------------------------------------------- mirrors, samples, batches


def test_mirrored_label_images():
    left, right = (1 + SMPL_JOINTS.index(f"{side}_knee") for side in ("left", "right"))
    labels = image([0, left, PERSON], [1, 77, right])
    assert flip_parts(labels).tolist() == [[[PERSON, right, 0], [left, 77, 1]]]
    assert torch.equal(flip_parts(flip_parts(labels)), labels)


@pytest.mark.parametrize("name", ["lite", "full"])
def test_mirrored_vertices(name):
    body = load_body(name)
    partner = mirror_vertices(body)
    v = body.v_template
    torch.testing.assert_close(v[partner] * torch.tensor([-1.0, 1, 1]), v, atol=1e-3, rtol=0)


def test_mirrored_surface_points_are_those_of_the_mirrored_body():
    body = load_body("lite")
    g = torch.Generator().manual_seed(0)
    weights = torch.rand(1, 50, 3, generator=g)
    weights /= weights.sum(2, keepdim=True)
    corners = body.faces[torch.randint(len(body.faces), (1, 50), generator=g)]
    v = body.v_template

    def where(p):
        return (v[p.vertices] * p.weights[..., None]).sum(2)

    dense = SurfacePoints(corners, weights, torch.zeros(1, 50, 2), torch.ones(1, 50))
    dense.places = where(dense)[..., :2]
    mirrored = dense.mirrored(mirror_vertices(body))
    torch.testing.assert_close(mirrored.places, where(mirrored)[..., :2], atol=1e-3, rtol=0)
    assert torch.equal(mirrored.places[..., 0], -dense.places[..., 0])


def test_vertices_are_spread_over_every_part():
    body = load_body("lite")
    sample, parts = spread_vertices(body, 512)
    assert len(set(sample.tolist())) == 512
    assert set(parts.tolist()) == set(range(1, 25))
    assert torch.equal(parts, body.weights.argmax(1)[sample] + 1)
    v = body.v_template
    gaps = torch.cdist(v, v[sample]).amin(1)
    assert gaps.max() < 0.06
    few, _ = spread_vertices(body, 10**6)
    assert sorted(few.tolist()) == list(range(len(v)))


def some_batch(people=2, **more):
    images, places = torch.rand(people, 3, 8, 8), torch.zeros(people, 19, 2)
    batch = Batch.of_2d(images, places, torch.ones(people, 19))
    for name, value in more.items():
        setattr(batch, name, value)
    return batch


def test_a_batch_of_masks_alone():
    """COCO's segmentation: the person is known, and no part of it."""
    batch = some_batch(parts=PERSON * torch.ones(2, 8, 8, dtype=torch.uint8))
    batch.has_silhouette = ones(2)
    assert not batch.has_parts.any()
    batch.dense = SurfacePoints.unknown(2, 3)
    # Without 3D labels and parts, masks and points are still there: they are 2D labels.
    hidden = batch.without_labels(theta=True, keypoints3d=True, parts=True)
    assert hidden.has_silhouette.all()
    assert hidden.dense is batch.dense
    assert not hidden.has_parts.any()
    assert batch.rows(slice(1)).has_silhouette.tolist() == [True]


def test_flags_of_silhouettes_follow_those_of_parts_unless_given():
    assert not some_batch().has_silhouette.any()
    values = some_batch().named_tensors()
    values["has_parts"] = torch.tensor([True, False])
    del values["has_silhouette"]
    assert Batch(**values).has_silhouette.tolist() == [True, False]


def test_batches_with_and_without_dense_points_join():
    dense = SurfacePoints(
        torch.ones(2, 3, 3, dtype=torch.int64),
        torch.full((2, 3, 3), 1 / 3),
        torch.zeros(2, 3, 2),
        torch.ones(2, 3),
    )
    joined = Batch.join([some_batch(), some_batch(dense=dense), some_batch(1)])
    assert joined.dense.confidence.tolist() == [[0] * 3] * 2 + [[1] * 3] * 2 + [[0] * 3]
    assert joined.rows(slice(2, 4)).dense.vertices.eq(1).all()
    assert Batch.join([some_batch(), some_batch()]).dense is None
    assert set(joined.named_tensors()) >= {"parts", "dense.places", "has_silhouette"}


def test_the_objective_reads_the_registry():
    """All three terms from a batch, each regression step; what is not labelled gives 0."""
    body = load_body("lite")
    step = body_of_theta(mean_theta().expand(2, -1), body)
    names = ("silhouette", "part_silhouettes", "dense")
    assert all(TERMS[name].weight == 0 for name in names)
    features = Features(torch.zeros(2, 1))
    config = LossConfig(**{name: 0.0 for name in TERMS} | dict.fromkeys(names, 1.0))
    batch = some_batch(parts=torch.ones(2, 8, 8, dtype=torch.uint8))
    values = supervised_losses([step, step], features, batch, config, body)
    assert {name: value.item() for name, value in values.items()} == dict.fromkeys(names, 0)
    batch.has_silhouette = torch.tensor([True, False])
    batch.has_parts = torch.tensor([False, True])
    batch.dense = SurfacePoints(
        torch.tensor([[[5, 5, 5]], [[6, 6, 6]]]),
        torch.full((2, 1, 3), 1 / 3),
        torch.zeros(2, 1, 2),
        torch.tensor([[1.0], [0.0]]),
    )
    values = supervised_losses([step, step], features, batch, config, body)
    projected = weak_perspective(step.vertices, step.camera)
    sample, parts = spread_vertices(body, 512)
    masks = MaskLabels.of(batch.parts)
    torch.testing.assert_close(values["dense"], projected[0, 5].abs().mean())
    torch.testing.assert_close(
        values["silhouette"], silhouette_loss(projected[:, sample], masks, batch.has_silhouette)
    )
    expected = silhouette_loss(projected[:, sample], masks, batch.has_parts, parts.expand(2, -1))
    torch.testing.assert_close(values["part_silhouettes"], expected)


def test_masks_are_read_once_for_all_steps(monkeypatch):
    asked = []
    original = MaskLabels.of
    monkeypatch.setattr(MaskLabels, "of", lambda parts: asked.append(1) or original(parts))
    batch = MeshBatch.of(some_batch(), torch.zeros(2, 9, 3), torch.arange(3), torch.ones(3).long())
    assert batch.masks is batch.masks
    assert len(asked) == 1
