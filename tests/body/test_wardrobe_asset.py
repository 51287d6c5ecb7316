"""The shipped wardrobe: whole, small, of the body's shape, and decent."""

import hashlib
import json
from functools import cache

import numpy as np
import pytest
from helpers.toy_wardrobe import toy_wardrobe
from scipy.ndimage import gaussian_filter
from scipy.spatial import KDTree

from hmr_edu.body import read_body
from hmr_edu.body.build.garments.catalogue import ITEMS, SKINS
from hmr_edu.body.build.garments.raster import texel_map
from hmr_edu.body.build.garments.writing import save_wardrobe, strongest
from hmr_edu.body.wardrobe import KINDS, SHIPPED_WARDROBE, STEP, load_wardrobe
from hmr_edu.io.errors import DataError

wardrobe = cache(load_wardrobe)
NAMES = [garment.name for garment in wardrobe().garments]


def named(name):
    return wardrobe().garments[NAMES.index(name)]


def test_the_files_are_small_and_accounted_for():
    record = json.loads(SHIPPED_WARDROBE.with_suffix(".json").read_text())
    data = SHIPPED_WARDROBE.read_bytes()
    assert record["outputs"]["wardrobe.npz"]["sha256"] == hashlib.sha256(data).hexdigest()
    assert record["outputs"]["wardrobe.npz"]["bytes"] == len(data)
    assert len(data) + SHIPPED_WARDROBE.with_suffix(".json").stat().st_size <= 3e6
    assert {"command", "commit", "versions", "hardware", "processor_minutes"} <= set(record)
    assert record["measurements"]["body_recomputed"]["template_mm"] < 0.01


def test_every_piece_has_an_origin():
    record = json.loads(SHIPPED_WARDROBE.with_suffix(".json").read_text())
    works = {item.folder.rpartition("/")[2] for item in ITEMS}
    listed = {folder.rpartition("/")[2]: item for folder, item in record["items"].items()}
    for garment in wardrobe().garments:
        work = garment.name.split("/")[0]
        work = work if work in works else work.rpartition("_")[0]
        assert work in works
        assert listed[work]["licence"] == "CC0 1.0"
        assert listed[work]["holders"]
        assert all(len(digest) == 64 for digest in listed[work]["files"].values())
    for skin in wardrobe().skins:
        assert listed[skin.name]["licence"] == "CC0 1.0"
    assert "2020" in record["note"]
    assert "AGPL3" in record["note"]


def test_there_is_something_of_every_kind():
    assert len(set(NAMES)) == len(NAMES)
    counts = {kind: len(wardrobe().of_kind(kind)) for kind in KINDS}
    assert sum(counts.values()) == len(NAMES)
    assert counts["top"] >= 8
    assert counts["bottom"] >= 6
    assert counts["hair"] == 10
    assert min(counts.values()) >= 1
    assert len(wardrobe().skins) == len(SKINS) == 20
    assert {skin.sex for skin in wardrobe().skins} == {"female", "male"}


@pytest.mark.parametrize("name", NAMES)
def test_a_garment_is_whole(name):
    g = named(name)
    V = len(g.template)
    for array in (g.template, g.directions, g.weights, g.uv):
        assert np.isfinite(array).all()
    assert np.unique(g.faces).tolist() == list(range(V))
    welded = g.weld[g.faces]
    assert (np.sort(welded, axis=1)[:, 1:] > np.sort(welded, axis=1)[:, :-1]).all()
    # A vertex and the one that it is welded to are at the same place for every shape.
    np.testing.assert_array_equal(g.weld[g.weld], g.weld)
    np.testing.assert_array_equal(g.template[g.weld], g.template)
    np.testing.assert_array_equal(g.directions[g.weld], g.directions)
    np.testing.assert_allclose(g.weights.sum(1), 1, atol=1e-6)
    assert ((g.weights > 0).sum(1) <= 4).all()
    assert 0 <= g.uv.min() <= g.uv.max() <= 1
    assert np.ptp(g.uv, axis=0).min() > 0.8  # the texture is cut to the piece
    assert g.texture.shape[2] == (4 if g.kind == "hair" else 3)
    assert len(g.covers) == len(read_body("full").v_template)
    assert g.covers.any() == (g.kind not in ("hat", "hair"))


@pytest.mark.parametrize("name", [n for n in NAMES if named(n).kind not in ("hair", "hat")])
def test_a_garment_moves_with_the_skin_below_it(name):
    """A vertex within three centimetres of the skin follows it through every beta."""
    g, body = named(name), read_body("full")
    gap, nearest = KDTree(body.v_template).query(g.template)
    near = gap < 0.03
    assert near.mean() > 0.5
    gaps, moves = [], []
    for k in range(10):
        skin = 2 * body.shapedirs[nearest, :, k]
        apart = np.linalg.norm(2 * g.directions[:, :, k] - skin, axis=1)[near] * 1e3
        gaps.append(apart.mean())
        moves.append(np.linalg.norm(skin, axis=1)[near].mean() * 1e3)
        assert np.percentile(apart, 90) < 16, (k, moves[-1])
    # Clothes hang on a body of helpers that is smoother than the skin: some millimetres.
    assert np.mean(gaps) < 5
    assert np.sum(gaps) < 0.5 * np.sum(moves)


@pytest.mark.parametrize("name", [n for n in NAMES if named(n).kind in ("top", "bottom", "whole")])
def test_what_a_garment_hides_is_below_it(name):
    g, body = named(name), read_body("full")
    gap = KDTree(g.template).query(body.v_template[g.covers])[0]
    assert np.percentile(gap, 95) < 0.1


def test_faces_look_outwards():
    """Most of a garment's surface looks away from the skin below it."""
    body = read_body("full")
    tree = KDTree(body.v_template)
    for g in wardrobe().garments:
        p = g.template[g.faces].astype(np.float64)
        normal = np.cross(p[:, 1] - p[:, 0], p[:, 2] - p[:, 0])
        outwards = p.mean(1) - body.v_template[tree.query(p.mean(1))[1]]
        area = np.linalg.norm(normal, axis=1)
        ahead = (normal * outwards).sum(1) > 0
        if g.kind in ("top", "bottom", "whole"):
            assert area[ahead].sum() > 0.75 * area.sum(), g.name


@pytest.mark.parametrize("name", ["lite", "full"])
def test_a_chart_is_the_body_with_doubled_vertices(name):
    chart, body = wardrobe().charts[name], read_body(name)
    np.testing.assert_array_equal(chart.source[chart.faces], body.faces)
    assert 0 <= chart.uv.min() <= chart.uv.max() <= 1
    assert len(body.v_template) < len(chart.uv) < 1.25 * len(body.v_template)
    # The texture stretches nowhere as a seam would: the left hand is not the right foot.
    size = np.ptp(body.v_template[body.faces], axis=1).max(1)
    spread = np.ptp(chart.uv[chart.faces], axis=1).max(1)
    assert (spread > 3 * size + 0.02).mean() < 0.002


def test_both_charts_show_the_same_texture():
    full, lite = (read_body(name) for name in ("full", "lite"))
    charts = wardrobe().charts
    texture = wardrobe().skins[0].texture.astype(np.float64)

    def colours(chart):
        rows = np.clip(((1 - chart.uv[:, 1]) * len(texture)).astype(int), 0, len(texture) - 1)
        columns = np.clip((chart.uv[:, 0] * len(texture)).astype(int), 0, len(texture) - 1)
        return texture[rows, columns]

    near = KDTree(full.v_template[charts["full"].source])
    found = near.query(lite.v_template[charts["lite"].source])[1]
    difference = np.abs(colours(charts["full"])[found] - colours(charts["lite"])).mean(1)
    assert np.median(difference) < 6


@cache
def texels():
    """What lies at the texels of the skins: points of the T-pose, and which texels are used."""
    chart, body = wardrobe().charts["full"], read_body("full")
    size = len(wardrobe().skins[0].texture)
    return texel_map(chart.uv, chart.faces, body.v_template[chart.source], size)


def detail(texture, inside):
    """The largest difference of a texel to the others around it inside, in steps of 255."""
    near = np.maximum(gaussian_filter(inside.astype(float), 4), 1e-9)
    image = texture.astype(float)
    gaps = [image[..., k] - gaussian_filter(image[..., k] * inside, 4) / near for k in range(3)]
    return max(np.abs(gap[inside]).max() for gap in gaps)


@pytest.mark.parametrize("skin", wardrobe().skins, ids=lambda skin: skin.name)
def test_no_skin_has_detail_on_chest_and_groin(skin):
    """Nobody is drawn undressed, and the textures would not show it."""
    places, used = texels()
    x, y = np.abs(places[..., 0]), places[..., 1]
    torso = used & (x < 0.2) & (y > -0.5) & (y < 0.08)
    head = used & (y > 0.35) & (x < 0.07) & (places[..., 2] > 0.05)
    assert torso.mean() > 0.1
    assert detail(skin.texture, torso) < 12
    assert detail(skin.texture, head) > 50


def test_what_is_written_is_read(tmp_path):
    made = toy_wardrobe()
    path = tmp_path / "w.npz"
    save_wardrobe(path, made)
    found = load_wardrobe(path)
    for before, after in zip(made.garments, found.garments, strict=True):
        assert (before.name, before.kind) == (after.name, after.kind)
        np.testing.assert_allclose(after.template, before.template, atol=STEP / 2 + 1e-7)
        np.testing.assert_allclose(after.directions, before.directions, atol=STEP / 2 + 1e-7)
        np.testing.assert_allclose(after.weights, before.weights, atol=1e-6)
        np.testing.assert_allclose(after.uv, before.uv, atol=1e-4)
        for name in ("faces", "weld", "covers"):
            np.testing.assert_array_equal(getattr(after, name), getattr(before, name))
        assert np.abs(after.texture[..., :3].astype(int) - before.texture[..., :3]).max() <= 3
    assert found.garments[0].template is found.garments[1].template
    assert found.garments[2].texture.shape[2] == 4
    assert [vars(s) | {"texture": 0} for s in found.skins] == [
        vars(s) | {"texture": 0} for s in made.skins
    ]
    np.testing.assert_array_equal(found.charts["lite"].faces, made.charts["lite"].faces)
    again = tmp_path / "again.npz"
    save_wardrobe(again, made)
    assert path.read_bytes() == again.read_bytes()


def test_no_wardrobe_is_one_error(tmp_path):
    with pytest.raises(FileNotFoundError, match=r"none\.npz"):
        load_wardrobe(tmp_path / "none.npz")
    with pytest.raises(DataError, match=r"full\.npz.*missing"):
        load_wardrobe(SHIPPED_WARDROBE.with_name("full.npz"))


def test_rounded_weights_still_sum_to_one():
    rng = np.random.default_rng(0)
    weights = np.zeros((50, 24), np.float32)
    weights[:, [3, 9, 11, 20]] = rng.dirichlet(np.ones(4), 50)
    joints, shares = strongest(weights)
    assert (shares.sum(1, dtype=int) == 255).all()
    again = np.zeros_like(weights)
    np.put_along_axis(again, joints.astype(int), shares / np.float32(255), 1)
    assert np.abs(again - weights).max() < 1 / 255
