"""The renderer against geometry worked out by hand and against an independent ray caster."""

import concurrent.futures

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from jaxtyping import TypeCheckError
from scipy.spatial.transform import Rotation

from hmr_edu.data.render.renderer import GBuffer, Renderer, vertex_normals

trimesh = pytest.importorskip("trimesh")
FIELDS = ("depth", "normal", "surface", "part", "coverage")
IDENTITY = np.array([[1.0, 0.0, 0.0]])  # weak-perspective camera


def parts_of(vertices):
    return np.arange(len(vertices)) % 24


def capsules():
    """Three capsules that interpenetrate: closed each, like limbs pressed into a trunk."""
    meshes = []
    for angle, length in ((0.0, 0.9), (1.0, 0.7), (2.2, 0.8)):
        mesh = trimesh.creation.capsule(height=length, radius=0.17, count=[20, 20])
        mesh.apply_translation(-mesh.centroid)
        mesh.apply_transform(trimesh.transformations.rotation_matrix(angle, [0.6, 1, 0.2]))
        meshes.append(mesh)
    return trimesh.util.concatenate(meshes)


SHAPES = {
    "sphere": lambda: trimesh.creation.icosphere(subdivisions=4, radius=0.7),
    "torus": lambda: trimesh.creation.torus(0.5, 0.2, major_sections=48, minor_sections=24),
    "capsules": capsules,
    "box": lambda: trimesh.creation.box((0.5, 0.9, 0.3)),
}


def cast_rays(vertices, faces, size, *, camera=None, translation=None, focal=None):
    """What embree sees through the pixel centres: hit mask, faces, points, barycentrics."""
    from trimesh.ray.ray_pyembree import RayMeshIntersector

    centres = 2 * (np.arange(size) + 0.5) / size - 1
    x, y = (grid.ravel() for grid in np.meshgrid(centres, centres))
    if camera is not None:
        s, tx, ty = camera
        origins = np.stack([x / s - tx, y / s - ty, np.full_like(x, vertices[:, 2].min() - 1)], 1)
        directions = np.tile([0.0, 0.0, 1.0], (len(x), 1))
    else:
        vertices = vertices + translation
        directions = np.stack([x / focal, y / focal, np.ones_like(x)], 1)
        origins = np.zeros_like(directions)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    found = RayMeshIntersector(mesh).intersects_first(origins, directions)
    hit = found >= 0
    triangles, o, d = mesh.triangles[found[hit]], origins[hit], directions[hit]
    normals = np.cross(triangles[:, 1] - triangles[:, 0], triangles[:, 2] - triangles[:, 0])
    steps = ((triangles[:, 0] - o) * normals).sum(1) / (d * normals).sum(1)
    points = o + steps[:, None] * d
    weights = trimesh.triangles.points_to_barycentric(triangles, points)
    return hit.reshape(size, size), faces[found[hit]], points, weights


CAMERAS = {
    "weak": {"camera": np.array([[0.9, 0.05, -0.1]])},
    "full": {"translation": np.array([[0.1, -0.05, 2.2]]), "focal": np.array([1.9])},
}


@pytest.mark.parametrize("view", CAMERAS)
@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("seed", [0, 1])
def test_agrees_with_ray_casting(shape, view, seed):
    pytest.importorskip("embreex")
    mesh = SHAPES[shape]()
    faces, rest = np.asarray(mesh.faces), np.asarray(mesh.vertices)
    turn = Rotation.random(random_state=seed).as_matrix()
    posed = (rest @ turn.T).astype(np.float32)
    camera = CAMERAS[view]
    out = Renderer(faces, rest, parts_of(rest), samples=1)(posed[None], 224, **camera)
    hit, corners, points, weights = cast_rays(
        posed.astype(float), faces, 224, **{name: value[0] for name, value in camera.items()}
    )
    seen = out.part[0] > 0
    assert (seen & hit).sum() / (seen | hit).sum() >= 0.999
    np.testing.assert_array_equal(out.coverage[0], seen)

    # Compare where both hit, and only where the surface is not seen edge-on or torn: there a
    # ten-thousandth of a pixel decides which of two surfaces is in front.
    both = seen & hit
    of_hits = both[hit]
    depth = np.abs(out.depth[0][both] - points[of_hits, 2])
    surface = np.einsum("nk,nkd->nd", weights, rest[corners])[of_hits]
    distance = np.linalg.norm(surface - out.surface[0][:, both].T, axis=1)
    normals = area_weighted_normals(posed.astype(float), faces)
    normal = np.einsum("nk,nkd->nd", weights, normals[corners])[of_hits]
    normal /= np.linalg.norm(normal, axis=1, keepdims=True)
    angle = np.linalg.norm(normal - out.normal[0][:, both].T, axis=1)
    for error, bound in ((depth, 1e-4), (distance, 1e-4), (angle, 1e-3)):
        assert np.quantile(error, 0.99) < bound
    assert (depth > 1e-3).mean() < 1e-4
    nearest = corners[np.arange(len(corners)), weights.argmax(1)][of_hits]
    assert (parts_of(rest)[nearest] + 1 == out.part[0][both]).mean() > 0.999


def area_weighted_normals(vertices, faces):
    """The definition, face by face: numpy's unbuffered add in float64."""
    a, b, c = (vertices[faces[:, corner]] for corner in range(3))
    normals = np.zeros_like(vertices)
    for corner in range(3):
        np.add.at(normals, faces[:, corner], np.cross(b - a, c - a))
    return normals / np.linalg.norm(normals, axis=1, keepdims=True)


def test_vertex_normals_follow_the_definition():
    mesh = SHAPES["torus"]()
    expected = area_weighted_normals(mesh.vertices, mesh.faces)
    got = vertex_normals(torch.tensor(mesh.vertices)[None], torch.tensor(mesh.faces))
    np.testing.assert_allclose(got[0], expected, atol=1e-5)
    outward = trimesh.creation.icosphere(subdivisions=3).vertices
    sphere = vertex_normals(outward[None], trimesh.creation.icosphere(subdivisions=3).faces)
    np.testing.assert_allclose(sphere[0], outward, atol=0.02)


def test_vertex_without_faces_has_no_normal():
    points = np.array([[[0, 0, 0], [1, 0, 0], [0, 1, 0], [5, 5, 5.0]]])
    got = vertex_normals(points, np.array([[0, 1, 2]]))
    np.testing.assert_array_equal(got[0], [[0, 0, 1]] * 3 + [[0, 0, 0]])


@pytest.mark.parametrize("view", CAMERAS)
def test_sphere_has_its_analytic_depth_and_normal(view):
    radius, size = 0.7, 128
    mesh = trimesh.creation.icosphere(subdivisions=5, radius=radius)
    camera = {"weak": {"camera": IDENTITY}}.get(view, CAMERAS["full"])
    render = Renderer(mesh.faces, mesh.vertices, parts_of(mesh.vertices))
    out = render(np.asarray(mesh.vertices)[None], size, **camera)
    centres = 2 * (np.arange(size) + 0.5) / size - 1
    x, y = np.meshgrid(centres, centres)
    if view == "weak":
        depth = -np.sqrt(np.maximum(radius**2 - x**2 - y**2, 0))
        normal = np.stack([x, y, depth]) / radius
        inside = np.hypot(x, y) < 0.9 * radius
    else:  # |depth * ray - centre|^2 = radius^2, nearer root
        centre, focal = camera["translation"][0], camera["focal"][0]
        ray = np.stack([x / focal, y / focal, np.ones_like(x)])
        a, b = (ray**2).sum(0), np.tensordot(centre, ray, 1)
        root = b**2 - a * (centre @ centre - radius**2)
        inside = root > 0.2 * root.max()
        depth = (b - np.sqrt(np.maximum(root, 0))) / a
        normal = (depth * ray - centre[:, None, None]) / radius
    assert inside.sum() > 3000
    assert np.abs(out.depth[0] - depth)[inside].max() < 1e-3
    assert np.abs(out.normal[0] - normal)[:, inside].max() < 0.01
    assert np.all(out.coverage[0][inside] == 1)


def test_rest_positions_are_perspective_correct():
    """A floor that runs away from the camera: its far half takes less of the picture."""
    corners = np.array([[-1, 1, 2], [1, 1, 2], [1, 1, 8], [-1, 1, 8.0]])
    faces = np.array([[0, 1, 2], [0, 2, 3]])
    render = Renderer(faces, corners, np.zeros(4, np.uint8), cull=False)
    out = render(corners[None], 64, translation=np.zeros((1, 3)), focal=np.ones(1))
    seen = out.part[0] > 0
    np.testing.assert_allclose(out.surface[0][2][seen], out.depth[0][seen], rtol=1e-4)
    rows = 2 * (np.nonzero(seen)[0] + 0.5) / 64 - 1
    centred = out.coverage[0][seen] == 1  # elsewhere a sample off the centre stands in
    np.testing.assert_allclose(1 / rows[centred], out.depth[0][seen][centred], rtol=1e-3)


def square(x0, y0, x1, y1, z=0.0):
    """Two triangles that face the camera."""
    corners = np.array([[x0, y0, z], [x1, y0, z], [x1, y1, z], [x0, y1, z]], float)
    return corners, np.array([[0, 2, 1], [0, 3, 2]])


@pytest.mark.parametrize("samples", [1, 4])
def test_square_covers_exactly_half(samples):
    corners, faces = square(-1, -1, 1, 0)
    out = Renderer(faces, corners, np.full(4, 7), samples=samples)(
        corners[None], 64, camera=IDENTITY
    )
    expected = np.zeros((64, 64))
    expected[:32] = 1
    np.testing.assert_array_equal(out.coverage[0], expected)
    np.testing.assert_array_equal(out.part[0], 8 * expected)
    np.testing.assert_array_equal(out.normal[0][2], -expected)


def test_outline_is_smooth_and_its_area_right():
    corners, faces = square(-0.5, -0.5, 0.5, 0.5)
    angle = np.radians(7)
    turned = corners.copy()
    turned[:, :2] @= np.array([[np.cos(angle), np.sin(angle)], [-np.sin(angle), np.cos(angle)]])
    out = Renderer(faces, corners, np.zeros(4, int))(turned[None], 64, camera=IDENTITY)
    assert set(np.unique(out.coverage)) == {0, 0.25, 0.5, 0.75, 1}
    assert out.coverage.sum() == pytest.approx(32 * 32, rel=0.005)
    np.testing.assert_array_equal(out.coverage > 0, out.part > 0)


def test_coverage_counts_the_rotated_grid():
    """Against one-sample pictures of eight times the size, read at the four sample places."""
    mesh = capsules()
    vertices = np.asarray(mesh.vertices)[None]
    fine = Renderer(mesh.faces, mesh.vertices, parts_of(mesh.vertices), samples=1)
    # Shift by half a fine pixel: fine centres then lie on multiples of 1/8 coarse pixel.
    camera = np.array([[1, 1 / 512, 1 / 512]])
    hits = fine(vertices, 512, camera=camera).part[0] > 0
    places = [(3, 1), (7, 3), (1, 5), (5, 7)]
    expected = sum(hits[y::8, x::8] for x, y in places) / 4
    smooth = Renderer(mesh.faces, mesh.vertices, parts_of(mesh.vertices))
    got = smooth(vertices, 64, camera=IDENTITY).coverage[0]
    assert (got == expected).mean() > 0.999  # the two snap their corners differently


def test_thin_parts_between_pixel_centres_are_seen():
    corners, faces = square(-0.9, -0.005, 0.9, -0.025, z=3)  # 0.64 pixel high
    thin = corners[[3, 2, 1, 0]]
    smooth = Renderer(faces, thin, np.zeros(4, int))(thin[None], 64, camera=IDENTITY)
    assert smooth.coverage.max() in (0.5, 0.75)
    seen = smooth.part[0] > 0
    np.testing.assert_allclose(smooth.depth[0][seen], 3, rtol=1e-6)


def test_nearer_triangle_wins_in_any_order():
    near, faces = square(-0.5, -0.5, 0.5, 0.5, z=1)
    far, _ = square(-2, -2, 2, 2, z=2)
    for first, second, nearest in ((near, far, 1), (far, near, 2)):
        corners = np.concatenate([first, second])
        render = Renderer(
            np.concatenate([faces, faces + 4]), corners, np.repeat([0, 1], 4), samples=4
        )
        for camera in (
            {"camera": IDENTITY},
            {"translation": np.zeros((1, 3)), "focal": np.ones(1)},
        ):
            out = render(corners[None], 32, **camera)
            assert out.depth[0, 16, 16] == pytest.approx(1)
            assert out.depth[0, 1, 1] == pytest.approx(2)
            assert out.part[0, 16, 16] == nearest


def test_slanted_triangles_that_cross_change_places_at_the_crossing():
    rising, faces = square(-1, -1, 1, 1)
    rising[:, 2] = rising[:, 0]
    corners = np.concatenate([rising, rising * [1, 1, -1]])
    render = Renderer(np.concatenate([faces, faces + 4]), corners, np.repeat([0, 1], 4))
    out = render(corners[None], 64, camera=IDENTITY)
    np.testing.assert_array_equal(out.part[0, :, :32], 1)
    np.testing.assert_array_equal(out.part[0, :, 32:], 2)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), st.sampled_from([7, 32, 65]))
def test_shared_edges_neither_leak_nor_count_twice(seed, size):
    """A random fan that tiles the picture, one triangle at a time: each pixel exactly once."""
    rng = np.random.default_rng(seed)
    grid = np.linspace(-1.5, 1.5, 5)
    points = np.stack([*np.meshgrid(grid, grid), np.ones((5, 5))], -1)
    points[1:-1, 1:-1, :2] += rng.uniform(-0.2, 0.2, (3, 3, 2))
    # Corners right on pixel centres and edges are the hard cases.
    points[..., :2] = np.round(points[..., :2] * size * 2) / (size * 2)
    index = np.arange(25).reshape(5, 5)
    a, b, c, d = index[:-1, :-1], index[:-1, 1:], index[1:, 1:], index[1:, :-1]
    faces = np.stack([np.stack([a, c, b], -1), np.stack([a, d, c], -1)]).reshape(-1, 3)
    # One picture per face: the others shrink to a point there.
    own = points.reshape(-1, 3)[faces]
    alone = np.ones((len(faces), *own.shape))
    alone[range(len(faces)), range(len(faces))] = own
    alone = alone.reshape(len(faces), -1, 3)
    apart = np.arange(faces.size).reshape(-1, 3)
    for samples in (1, 4):
        render = Renderer(apart, alone[0], parts_of(alone[0]), samples=samples)
        out = render(alone, size, camera=np.repeat(IDENTITY, len(faces), 0))
        np.testing.assert_array_equal(out.coverage.sum(0), 1)


def same(a: GBuffer, b: GBuffer) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(a, name), getattr(b, name), err_msg=name)


@pytest.fixture(scope="module")
def people():
    """The lite body in eight poses, in the camera frame."""
    from hmr_edu.body import load_body

    body = load_body("lite")
    generator = torch.Generator().manual_seed(5)
    pose = 0.3 * torch.randn(8, 72, generator=generator)
    pose[:, :3] = torch.tensor(Rotation.random(8, random_state=1).as_rotvec())
    betas = torch.randn(8, 10, generator=generator)
    vertices = body(betas, pose).vertices
    parts = body.weights.argmax(1).to(torch.uint8)
    return body.faces, body.v_template, parts, vertices


def cameras(n):
    away, focal = torch.tensor([[0, 0, 3.0]]).repeat(n, 1), torch.full((n,), 3.0)
    return {
        "weak": {"camera": torch.tensor([[0.8, 0.0, 0.1]]).repeat(n, 1)},
        "full": {"translation": away, "focal": focal},
    }


@pytest.mark.parametrize("view", ["weak", "full"])
def test_batch_equals_singles_for_any_number_of_threads(people, view):
    faces, rest, parts, vertices = people
    camera = cameras(8)[view]
    whole = Renderer(faces, rest, parts)(vertices, 64, **camera)
    for threads in (2, 3, 16):
        same(Renderer(faces, rest, parts, threads=threads)(vertices, 64, **camera), whole)
    for n in range(8):
        one = {name: value[n : n + 1] for name, value in camera.items()}
        single = Renderer(faces, rest, parts)(vertices[n : n + 1].numpy(), 64, **one)
        same(single, GBuffer(*(getattr(whole, name)[n : n + 1] for name in FIELDS)))
    assert (whole.part > 0).mean() > 0.03


def test_concurrent_callers_do_not_disturb_each_other(people):
    faces, rest, parts, vertices = people
    render, camera = Renderer(faces, rest, parts, threads=2), cameras(8)["weak"]
    expected = render(vertices, 64, **camera)
    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        for got in pool.map(lambda _: render(vertices, 64, **camera), range(8)):
            same(got, expected)


@pytest.mark.parametrize("view", ["weak", "full"])
def test_culling_changes_nothing_visible_on_the_body(people, view):
    """Bodies cross themselves in these poses: inside-out folds may show, a handful of pixels."""
    faces, rest, parts, vertices = people
    with_culling, without = (
        Renderer(faces, rest, parts, cull=cull)(vertices, 128, **cameras(8)[view])
        for cull in (True, False)
    )
    np.testing.assert_array_equal(with_culling.coverage, without.coverage)
    seen = with_culling.part > 0
    differ = (with_culling.depth != without.depth) & seen
    assert differ.sum() <= 0.001 * seen.sum()


def test_body_agrees_with_ray_casting(people):
    pytest.importorskip("embreex")
    faces, rest, parts, vertices = people
    for view in ("weak", "full"):
        camera = cameras(8)[view]
        out = Renderer(faces, rest, parts, samples=1)(vertices, 224, **camera)
        for n in range(8):
            one = {name: value[n].numpy() for name, value in camera.items()}
            hit, _, points, _ = cast_rays(vertices[n].double().numpy(), faces.numpy(), 224, **one)
            seen = out.part[n] > 0
            assert (seen & hit).sum() / (seen | hit).sum() >= 0.999
            depth = np.abs(out.depth[n][seen & hit] - points[(seen & hit)[hit], 2])
            assert np.quantile(depth, 0.99) < 1e-4


def test_faces_behind_or_at_the_camera_are_left_out():
    corners, faces = square(-1, -1, 1, 1)
    render = Renderer(faces, corners, np.zeros(4, int))
    for distance, visible in ((-1.0, False), (0.0, False), (0.04, False), (0.06, True)):
        out = render(corners[None], 16, translation=np.array([[0, 0, distance]]), focal=np.ones(1))
        assert (out.part > 0).any() == visible
    # One corner behind the camera: its faces go, the others stay.
    poked = corners.copy()
    poked[1, 2] = -5
    out = render(poked[None], 16, translation=np.array([[0, 0, 1.0]]), focal=np.ones(1))
    assert 0 < (out.part > 0).mean() < 0.7
    assert np.isfinite(out.depth).all()


@pytest.mark.parametrize("scale", [0.0, 1e-12, 1e12, -0.5])
def test_absurd_cameras_give_a_picture(scale, people):
    faces, rest, parts, vertices = people
    camera = np.array([[scale, 0.0, 0.0]])
    out = Renderer(faces, rest, parts)(vertices[:1], 32, camera=camera)
    assert all(np.isfinite(getattr(out, name)).all() for name in FIELDS)


def test_empty_batch():
    corners, faces = square(-1, -1, 1, 1)
    out = Renderer(faces, corners, np.zeros(4, int))(
        np.zeros((0, 4, 3)), 8, camera=np.zeros((0, 3))
    )
    assert out.normal.shape == (0, 3, 8, 8)


def test_bad_input_is_named():
    corners, faces = square(-1, -1, 1, 1)
    parts = np.zeros(4, int)
    render = Renderer(faces, corners, parts)
    batch = np.repeat(corners[None], 3, 0)
    weak = np.repeat(IDENTITY, 3, 0)
    broken = batch.copy()
    broken[1, 2, 0] = np.nan
    with pytest.raises(ValueError, match="vertices of sample 1"):
        render(broken, 8, camera=weak)
    broken = weak.copy()
    broken[2, 0] = np.inf
    with pytest.raises(ValueError, match="camera of sample 2"):
        render(batch, 8, camera=broken)
    with pytest.raises(ValueError, match=r"\(3, 3, 3\) do not fit .* 4 vertices"):
        render(batch[:, :3], 8, camera=weak)
    with pytest.raises((ValueError, TypeCheckError)):
        render(batch, 8, camera=weak[:2])
    with pytest.raises((ValueError, TypeCheckError)):
        Renderer(faces, corners, parts[:3])
    with pytest.raises(ValueError, match="either"):
        render(batch, 8)
    with pytest.raises(ValueError, match="not both"):
        render(batch, 8, camera=weak, focal=np.ones(3))
    with pytest.raises(ValueError, match="one pixel"):
        render(batch, 0, camera=weak)
    with pytest.raises(ValueError, match="vertices 1 to 4"):
        Renderer(faces + 1, corners, parts)
    with pytest.raises(ValueError, match="300"):
        Renderer(faces, corners, parts + 300)
    with pytest.raises(ValueError, match="samples"):
        Renderer(faces, corners, parts, samples=2)
    with pytest.raises(ValueError, match="threads"):
        Renderer(faces, corners, parts, threads=0)
