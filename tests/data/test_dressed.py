"""Dressed people against independent truths: garments that are pieces of the body, pushed out."""

import dataclasses
import pickle

import numpy as np
import pytest
import torch
import trimesh
from scipy.spatial.transform import Rotation
from scipy.stats import binom

from hmr_edu.body import load_body
from hmr_edu.body.wardrobe import Garment, Skin, SkinChart, Wardrobe
from hmr_edu.data.poses.prior import load_pose_prior
from hmr_edu.data.render.renderer import vertex_normals
from hmr_edu.data.source import batch_seed
from hmr_edu.data.synthetic.draws import Draws
from hmr_edu.data.synthetic.dressed import cloth, dresser, outfits
from hmr_edu.data.synthetic.dressed.rack import near_faces
from hmr_edu.data.synthetic.options import APPEARANCES
from hmr_edu.data.synthetic.people import DRESSING, SyntheticConfig, SyntheticPeople
from hmr_edu.io.errors import DataError
from hmr_edu.keypoints import SMPL_JOINTS

OUT = 0.01
TEXTURES = 5  # four garments, one skin
FEET = ("ankle", "foot")
LEGS = ("pelvis", "hip", "knee", "ankle")
HEAD = ("head",)
# Parts whose body is completely under cloth: back, chest, thighs, shins.
WEARING = [1 + SMPL_JOINTS.index(n) for n in ("spine1", "spine2", "spine3", "left_knee")]


def piece(body, full, kind, joints, texture):
    """A garment that is the part of the body that belongs to some joints, pushed out by 1 cm."""
    wanted = [k for k, name in enumerate(SMPL_JOINTS) if name.split("_")[-1] in joints]
    owner = body.weights.argmax(1)
    faces = body.faces[torch.isin(owner[body.faces], torch.tensor(wanted)).any(1)]
    used, faces = faces.unique(return_inverse=True)
    normals = vertex_normals(body.v_template[None], body.faces)[0]
    template = body.v_template.numpy() + OUT * normals
    x, y, _ = body.v_template[used].T
    uv = torch.stack([(x + 1) / 2, (y + 1.3) / 2], 1).clamp(0, 1)
    covers = torch.isin(full.weights.argmax(1), torch.tensor(wanted))
    return Garment(
        name=f"female_{kind}",
        kind=kind,
        template=template[used].astype(np.float32),
        directions=body.shapedirs[used].numpy().copy(),
        weights=body.weights[used].numpy().copy(),
        uv=uv.numpy().astype(np.float32),
        faces=faces.numpy().astype(np.int32),
        weld=np.arange(len(used), dtype=np.int32),
        # Hair hides nothing: the head shows through its holes.
        covers=covers.numpy() & (kind != "hair"),
        texture=texture,
    )


def chequered(*colours, channels=3, size=64):
    cell = (np.indices((size, size)) // 4).sum(0) % 2
    return np.array(colours, np.uint8)[cell][..., :channels]


def wardrobe_of(body, full):
    cloth = chequered((200, 40, 40), (240, 240, 240))
    holes = chequered((60, 40, 20, 255), (60, 40, 20, 0), channels=4)
    rest = {name.split("_")[-1] for name in SMPL_JOINTS}
    torso = rest - set(LEGS) - set(FEET) - set(HEAD) - {"wrist", "hand", "neck"}
    pieces = (
        piece(body, full, "top", torso, cloth),
        piece(body, full, "bottom", LEGS, cloth),
        piece(body, full, "shoes", FEET, cloth),
        piece(body, full, "hair", HEAD, holes),
    )
    skin = Skin("pale", "female", "young", "european", np.full((16, 16, 3), 220, np.uint8))
    x, y = body.v_template[:, 0], body.v_template[:, 1]
    uv = torch.stack([(x + 1) / 2, (y + 1.3) / 2], 1).clamp(0, 1).numpy()
    chart = SkinChart(uv, np.arange(len(uv), dtype=np.int32), body.faces.numpy().astype(np.int32))
    return Wardrobe(pieces, (skin,), {"lite": chart})


def people(dressed, wardrobe=None, level="clear", **changes):
    body = load_body("lite")
    wardrobe = wardrobe or wardrobe_of(body, load_body("full"))
    appearance = dataclasses.replace(
        APPEARANCES[level], scenes=4, outfits=4, heads=4, cast_shadow=0.0, dressed=dressed
    )
    config = SyntheticConfig(image_size=96, batch_size=8, appearance=appearance)
    config = dataclasses.replace(config, **changes)
    return SyntheticPeople(body, load_pose_prior(), config, 0, wardrobe)


@pytest.fixture(scope="module")
def dressed():
    return people(1.0)


@pytest.fixture(scope="module")
def bare():
    return people(0.0)


def test_labels_do_not_know_of_clothes():
    config = {"level": "full", "dense": 20}
    first, second = (people(share, **config)[3].named_tensors() for share in (0.0, 1.0))
    for name in first.keys() - {"images", "parts"}:
        assert torch.equal(first[name], second[name]), name
    # The outline grows by a centimetre of cloth, no more; hair with holes takes some of the head.
    a, b = first["parts"] > 0, second["parts"] > 0
    assert (a & b).sum() > 0.85 * (a | b).sum()
    both = a & b
    assert (first["parts"] == second["parts"])[both].float().mean() > 0.9


def test_painted_people_stay_the_same_beside_dressed_ones(bare):
    mixed = people(0.5)
    for index in range(2):
        pictures, own = mixed[index].images, bare[index].images
        same = (pictures == own).flatten(1).all(1)
        who = mixed.prepare(index).pixels.dressed
        assert torch.equal(same, ~who)
        assert 0 < who.sum() < len(who)


def test_a_batch_without_the_option_is_drawn_as_ever(bare):
    pixels = bare.prepare(0).pixels
    assert pixels.dressed is None
    assert bare.dresser is None


def test_a_share_of_people_is_dressed():
    stream = people(0.3, image_size=8, batch_size=100)
    dressed = sum(int(stream.prepare(k).pixels.dressed.sum()) for k in range(5))
    low, high = binom.interval(0.9999, 500, 0.3)
    assert low <= dressed <= high


def test_same_seed_same_people_in_any_process_and_order(dressed):
    other = pickle.loads(pickle.dumps(people(1.0)))
    other[2]
    for name, value in dressed[1].named_tensors().items():
        assert torch.equal(value, other[1].named_tensors()[name]), name
    assert not torch.equal(dressed[0].images, dressed[1].images)


@pytest.mark.parametrize("spread", [0.0, 2.0])
def test_cloth_lies_on_the_part_of_the_body_it_was_cut_from(spread, monkeypatch):
    """A pixel that shows cloth is as far as the body, less the thickness of the cloth."""
    monkeypatch.setattr(dresser, "ABOVE", dict.fromkeys(dresser.ABOVE, 0.0))
    for cut in ("CUT_SLEEVES", "CUT_LEGS"):
        monkeypatch.setattr(outfits, cut, 0.0)
    config = {"betas": spread, "image_size": 160}
    on, off = (people(share, **config).prepare(0).pixels for share in (1.0, 0.0))
    texture = on.plane(on.surface[2].round() % TEXTURES + 1).long() - 1
    cloth = (texture >= 0) & (texture < 3)
    depth, naked = on.plane(on.depth), off.plane(off.depth)
    both = cloth & (naked > 0)
    gap = (naked - depth)[both]
    # Where both show the same side of the body; the outline shows what lies behind.
    same = gap.abs() < 0.06
    assert same.float().mean() > 0.95
    gap = gap[same]
    assert (gap > -0.004).float().mean() > 0.99
    assert (gap < 0.03).float().mean() > 0.94
    assert 0.008 < gap.median() < 0.016
    # Hardly any skin where the body under it wears cloth.
    skin = (texture == 4) & torch.isin(off.plane(off.part), torch.tensor(WEARING))
    assert skin.sum() < 0.01 * cloth.sum()


def test_holes_are_not_there(dressed):
    wardrobe = wardrobe_of(load_body("lite"), load_body("full"))
    hair = wardrobe.garments[3].texture
    pixels = people(1.0, image_size=160).prepare(0).pixels
    u, v, texture = pixels.surface
    texture = texture % TEXTURES
    head = texture.round() == 3
    row = ((1 - v[head]) * 64).long().clamp(0, 63)
    column = (u[head] * 64).long().clamp(0, 63)
    alpha = torch.from_numpy(hair[..., 3])[row, column]
    # Interpolated once for each pixel in single precision: a rounding at the edge of a texel.
    assert (alpha == 255).float().mean() > 0.99
    # Half of the cells are holes, through which the skin of the head shows.
    both = head.sum() + ((pixels.part == 16) & (texture.round() == 4)).sum()
    assert 0.3 < head.sum() / both < 0.75


def test_seams_of_the_texture_do_not_show_in_the_normals():
    body, full = load_body("lite"), load_body("full")
    whole = wardrobe_of(body, full)
    split = []
    for g in whole.garments:
        corner = g.faces.ravel()
        rows = {n: getattr(g, n)[corner] for n in ("template", "directions", "weights", "uv")}
        faces = np.arange(len(corner), dtype=np.int32).reshape(-1, 3)
        _, weld = np.unique(corner, return_inverse=True)
        split.append(dataclasses.replace(g, **rows, faces=faces, weld=weld.astype(np.int32)))
    first = people(1.0, whole).prepare(0).pixels
    second = people(1.0, dataclasses.replace(whole, garments=tuple(split))).prepare(0).pixels
    assert torch.equal(first.index, second.index)
    torch.testing.assert_close(first.normal, second.normal, rtol=0, atol=1e-5)
    torch.testing.assert_close(first.surface, second.surface, rtol=0, atol=1e-5)


def test_the_inside_of_cloth_faces_the_viewer(dressed):
    body, full = load_body("lite"), load_body("full")
    whole = wardrobe_of(body, full)
    inverted = [
        dataclasses.replace(g, faces=np.ascontiguousarray(g.faces[:, ::-1])) for g in whole.garments
    ]
    first = dressed.prepare(0).pixels
    second = people(1.0, dataclasses.replace(whole, garments=tuple(inverted))).prepare(0).pixels
    cloth = first.surface[2] % TEXTURES < 3
    apart = (first.normal - second.normal)[:, cloth].abs().amax(0) > 1e-4
    assert apart.float().mean() < 0.01


def test_cut_sleeves_and_legs_end_where_they_should(monkeypatch):
    monkeypatch.setattr(outfits, "CUT_SLEEVES", 1.0)
    monkeypatch.setattr(outfits, "CUT_LEGS", 1.0)
    stream = people(1.0, image_size=160)
    seed = batch_seed(batch_seed(0, 0), DRESSING)
    chosen = stream.dresser.closet.choose(np.ones(8, bool), np.ones(8, bool), batch_seed(seed, 0))
    pixels = stream.prepare(0).pixels
    u, v, texture = pixels.surface
    texture = texture % TEXTURES
    for person, outfit in chosen.items():
        of = pixels.sample == person
        # The test's textures are maps of the rest body.
        x = (2 * u - 1).abs()[of & (texture.round() == 0)]
        y = (2 * v - 1.3)[of & (texture.round() == 1)]
        assert outfit.sleeve < 0.64
        assert (x < outfit.sleeve + 0.002).all()
        assert (y > outfit.leg - 0.002).all()


def test_nobody_is_undressed_whatever_is_drawn():
    body = load_body("lite")
    closet = people(1.0).dresser.closet
    everybody, skirts = np.ones(2000, bool), np.arange(2000) % 2 == 0
    for outfit in closet.choose(everybody, skirts, 3).values():
        kinds = [closet.rack.pieces[k].kind for k in outfit.pieces]
        assert kinds.count("whole") == 1 or (kinds.count("top"), kinds.count("bottom")) == (1, 1)
        assert kinds.count("shoes") == 1
        assert len(kinds) == len(set(kinds))
    wardrobe = wardrobe_of(body, load_body("full"))
    for missing, garment in enumerate(wardrobe.garments[:3]):
        rest = wardrobe.garments[:missing] + wardrobe.garments[missing + 1 :]
        with pytest.raises(DataError, match=garment.kind):
            people(1.0, dataclasses.replace(wardrobe, garments=rest))


def test_thighs_that_hang_down_are_calm():
    rotations = np.tile(np.eye(3, dtype=np.float32), (4, 24, 1, 1))
    for person, degrees in enumerate((0, 30, 40, -40)):
        axis = np.radians([0.0, 0, degrees] if person == 3 else [degrees, 0, 0])
        rotations[person, 1] = Rotation.from_rotvec(axis).as_matrix()
    assert outfits.calm_thighs(rotations).tolist() == [True, True, False, False]


def test_the_wardrobe_must_fit_the_body():
    wardrobe = wardrobe_of(load_body("lite"), load_body("full"))
    appearance = dataclasses.replace(APPEARANCES["plain"], dressed=1.0)
    config = SyntheticConfig(appearance=appearance)
    with pytest.raises(DataError, match="lite"):
        SyntheticPeople(load_body("full"), load_pose_prior(), config, 0, wardrobe)


def test_near_faces_are_nearly_the_nearest():
    body = load_body("lite")
    vertices, faces = body.v_template.numpy(), body.faces.numpy()
    rng = np.random.default_rng(0)
    points = vertices[::9] + rng.normal(0, 0.01, vertices[::9].shape).astype(np.float32)
    corners, weights = near_faces(points, vertices, faces)
    np.testing.assert_allclose(weights.sum(1), 1, atol=1e-5)
    found = np.linalg.norm((vertices[corners] * weights[..., None]).sum(1) - points, axis=1)
    mesh = trimesh.Trimesh(vertices, faces, process=False)
    _, least, _ = trimesh.proximity.closest_point_naive(mesh, points)
    assert (found > least - 1e-5).all()
    assert np.mean(found - least) < 1e-4
    assert np.max(found - least) < 4e-3


def test_a_garment_keeps_its_folds_when_it_changes_colour(monkeypatch):
    monkeypatch.setattr(cloth, "AS_MADE", 1.0)
    stream = people(1.0)
    scene = stream.prepare(0)
    painted = torch.zeros(3, len(scene.pixels.index))

    def albedo():
        look = stream.appearance
        return look._cloth.paint(painted, bare, scene.pixels, look._sheets[0], Draws(8, 5))

    bare = torch.zeros(len(scene.pixels.index), dtype=torch.bool)
    own, is_skin = albedo()
    top = scene.pixels.surface[2].round() % TEXTURES == 0
    red = (torch.tensor([200.0, 40.0, 40.0]) / 255).square()
    white = (torch.tensor([240.0, 240.0, 238.0]) / 255).square()
    near = torch.stack([(own[:, top] - c[:, None]).abs().amax(0) < 0.02 for c in (red, white)])
    assert near.any(0).all()
    assert near.any(1).all()
    monkeypatch.setattr(cloth, "AS_MADE", 0.0)
    other, _ = albedo()
    skin = scene.pixels.surface[2].round() % TEXTURES == 4
    assert torch.equal(own[:, skin], other[:, skin])
    assert torch.equal(is_skin, skin)
    one = top & (scene.pixels.sample == 0)
    bright, dark = (other[:, one][:, near[k][scene.pixels.sample[top] == 0]] for k in (1, 0))
    assert bright.mean() > dark.mean() * 1.3


def test_far_people_wear_smaller_copies_of_textures(monkeypatch):
    monkeypatch.setattr(cloth, "AS_MADE", 1.0)
    far = people(1.0, image_size=24, fill=(0.2, 0.21))
    near = people(1.0, image_size=160, fill=(3.0, 3.1))
    pixels = far.prepare(0).pixels
    levels = pixels.surface[2].round() // TEXTURES
    assert levels[pixels.surface[2].round() % TEXTURES < 4].min() >= 2
    assert (near.prepare(0).pixels.surface[2].round() < TEXTURES).all()
    # A texel of the smallest copy is as many red ones as white ones.
    bare = torch.zeros(len(pixels.index), dtype=torch.bool)
    black = torch.zeros(3, len(pixels.index))
    look = far.appearance
    albedo, _ = look._cloth.paint(black, bare, pixels, look._sheets[0], Draws(8, 5))
    mean = (torch.tensor([220.0, 140.0, 140.0]) / 255).square()
    top = pixels.surface[2].round() == TEXTURES * (cloth.LEVELS - 1)
    assert top.sum() > 10
    assert (albedo[:, top] - mean[:, None]).abs().max() < 0.01
