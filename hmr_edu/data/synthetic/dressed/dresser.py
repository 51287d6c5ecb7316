"""Draw dressed people: what each pixel sees of skin, cloth and hair."""

from __future__ import annotations

from dataclasses import fields
from typing import NamedTuple

import numpy as np
import torch
from jaxtyping import Bool, Float, Float32, UInt8, UInt32
from torch import Tensor

from hmr_edu.body import SMPL, BodyOutput, forward_kinematics
from hmr_edu.body.wardrobe import Wardrobe
from hmr_edu.data.render import rasterizer
from hmr_edu.data.render.renderer import NEAR, GBuffer, Renderer
from hmr_edu.data.source import batch_seed
from hmr_edu.data.synthetic.dressed import kernels
from hmr_edu.data.synthetic.dressed.cloth import LEVELS
from hmr_edu.data.synthetic.dressed.dress_options import AS_SHIPPED, DressConfig
from hmr_edu.data.synthetic.dressed.extras.wear import Extras, with_extras
from hmr_edu.data.synthetic.dressed.outfits import THIGHS, Closet, Outfit, calm_thighs
from hmr_edu.data.synthetic.dressed.rack import Rack
from hmr_edu.data.synthetic.dressed.skirts import DRAPED_THIGHS, Drape, drape
from hmr_edu.data.synthetic.views import PinholeView

# How much nearer than skin each kind counts where two of them are as far from the camera, in
# metres: what is worn above wins, and cloth wins where skin would just pierce it.
ABOVE = {
    **{"socks": 0.002, "shoes": 0.004, "bottom": 0.006, "whole": 0.006, "top": 0.012},
    **{"hair": 0.016, "hat": 0.018},
    **{"beard": 0.006, "glasses": 0.008, "coat": 0.018, "bag": 0.024},
}
# Covered skin moves this far inwards, in metres.
PUSH = 0.006
# Skin shows this far under the hem of cut sleeves and legs, in metres.
UNDER_HEM = 0.01


class _Person(NamedTuple):
    """One posed person; `vertices` and `normals` are those of the body."""

    betas: Float32[np.ndarray, "10"]
    offsets: Float32[np.ndarray, "V 3"]
    transforms: Float32[np.ndarray, "24 3 4"]
    vertices: Float32[np.ndarray, "V 3"]
    focal: float
    translation: Float[np.ndarray, "3"]


class _Canvas(NamedTuple):
    """Room for one person: vertices of all garments and of the skin, faces, samples of pixels."""

    vertices: Float32[np.ndarray, "V 3"]
    normals: Float32[np.ndarray, "V 3"]
    corners: np.ndarray
    keys: np.ndarray
    room: Float32[np.ndarray, " V"]
    surface: Float32[np.ndarray, "V 3"]
    parts: UInt8[np.ndarray, " V"]
    faces: UInt32[np.ndarray, "F 3"]
    cut: UInt32[np.ndarray, "F 3"]
    body_normals: Float32[np.ndarray, "body_V 3"]
    hits: UInt8[np.ndarray, "size size"]
    nearest: Float32[np.ndarray, "size size"]
    winner: np.ndarray


class Dresser:
    """Dresses some of the people of a batch and draws all of them. Holds no state.

    Raises DataError when the wardrobe does not fit the body, or cannot dress people.

    Args:
        body: the body.
        wardrobe: what there is to wear.
        share: how many people are dressed; the others are painted.
        renderer: draws the painted ones.
        options: what they wear beyond the shipped garments as they are.
    """

    def __init__(
        self,
        body: SMPL,
        wardrobe: Wardrobe,
        share: float,
        renderer: Renderer,
        options: DressConfig = AS_SHIPPED,
    ) -> None:
        self.share, self.renderer = share, renderer
        wardrobe = with_extras(wardrobe, options)
        self.rack = Rack.of(body, wardrobe)
        self._thighs = THIGHS
        if options.skirts:
            self.rack, self._thighs = drape(self.rack), DRAPED_THIGHS
        self.drape = Drape(body, self.rack, options.skirts)
        self.extras: Extras | None = None
        if options.extras:
            self.extras = Extras(self.rack, wardrobe.skins, options)
        self.closet = Closet(self.rack, wardrobe.skins)
        self.places = renderer.places
        self._posedirs = body.posedirs.permute(2, 0, 1).flatten(1).contiguous()
        self._J_template, self._J_shapedirs = body.J_template, body.J_shapedirs
        self.textures = len(wardrobe.garments) + len(wardrobe.skins)
        textures = [g.texture for g in wardrobe.garments]
        self._table, self._alpha = _opacities(textures)

    def __call__(
        self,
        output: BodyOutput,
        betas: Float[Tensor, "n 10"],
        view: PinholeView,
        size: int,
        seed: int,
    ) -> tuple[GBuffer, Bool[Tensor, " n"]]:
        """Draw a batch; return also who is dressed.

        `GBuffer.surface` of the dressed is (u, v, number of the texture), as `Cloth` counts. Their
        depth is up to `ABOVE` nearer than cloth is. `seed` alone decides who is dressed, and how.
        """
        rotations = output.rotations.numpy()
        dressed = np.random.default_rng(seed).random(len(rotations)) < self.share
        outfits = self.closet.choose(
            dressed, calm_thighs(rotations, self._thighs), batch_seed(seed, 0)
        )
        if self.extras is not None:
            outfits = self.extras.add(outfits, rotations, batch_seed(seed, 1))
        gbuffer = self._painted(output, view, size, ~dressed)
        if outfits:
            canvas = self._canvas(size)
            rows = torch.from_numpy(np.flatnonzero(dressed))
            people = zip(outfits.items(), self._people(output, betas, view, rows), strict=True)
            for (row, outfit), person in people:
                buffers = [getattr(gbuffer, f.name)[row] for f in fields(gbuffer)]
                self._draw(person, outfit, canvas, buffers)
        return gbuffer, torch.from_numpy(dressed)

    def _painted(
        self, output: BodyOutput, view: PinholeView, size: int, rows: Bool[np.ndarray, " n"]
    ) -> GBuffer:
        """Draw those who are not dressed; the pictures of the others stay empty."""
        assert output.vertices is not None
        some = self.renderer(
            output.vertices[rows], size, translation=view.translation[rows], focal=view.focal[rows]
        )
        if rows.all():
            return some
        whole = {}
        for f in fields(some):
            values = getattr(some, f.name)
            whole[f.name] = np.zeros((len(rows), *values.shape[1:]), values.dtype)
            whole[f.name][rows] = values
        return GBuffer(**whole)

    def _people(
        self, output: BodyOutput, betas: Float[Tensor, "n 10"], view: PinholeView, rows: Tensor
    ) -> list[_Person]:
        """Return what garments need to know of each dressed person, by the body's equations."""
        assert output.vertices is not None
        betas, rotations = betas[rows], output.rotations[rows]
        J = torch.addmm(self._J_template.flatten(), betas, self._J_shapedirs.flatten(1))
        J = J.view(-1, 24, 3)
        R, joints = forward_kinematics(rotations, J)
        transforms = torch.cat([R, (joints - (R @ J[..., None]).squeeze(-1))[..., None]], dim=3)
        bends = (rotations[:, 1:] - torch.eye(3)).flatten(1)
        offsets = (bends @ self._posedirs).view(len(rows), -1, 3)
        vertices = output.vertices[rows].contiguous()
        focal = view.focal[rows].double().tolist()
        shift = view.translation[rows].double().numpy()
        arrays = (t.numpy() for t in (betas.contiguous(), offsets, transforms, vertices))
        return [_Person(*of_one) for of_one in zip(*arrays, focal, shift, strict=True)]

    def _canvas(self, size: int) -> _Canvas:
        rack = self.rack
        V, F = len(rack.template) + len(rack.skin_source), len(rack.faces) + len(rack.skin_faces)
        return _Canvas(
            vertices=np.empty((V, 3), np.float32),
            normals=np.empty((V, 3), np.float32),
            corners=np.empty((V, 2), np.int32),
            keys=np.empty(V, np.float64),
            room=np.ones(V, np.float32),
            surface=np.concatenate([rack.surface, rack.skin_surface]),
            parts=np.concatenate([rack.parts, rack.skin_parts]),
            faces=np.empty((F, 3), np.uint32),
            cut=np.empty((F, 3), np.uint32),
            body_normals=np.empty((len(rack.rest), 3), np.float32),
            hits=np.empty((size, size), np.uint8),
            nearest=np.empty((size, size), np.float32),
            winner=np.empty((size, size), np.int32),
        )

    def _draw(
        self, person: _Person, outfit: Outfit, canvas: _Canvas, buffers: list[np.ndarray]
    ) -> None:
        """Draw one person into the pictures of a G-buffer, which hold zeros."""
        c, size = canvas, len(canvas.hits)
        camera = (person.focal, person.translation, True, NEAR, size)
        n = self._put_on_skin(person, outfit, c, camera)
        m = 0
        for k in outfit.pieces:
            whole, cut = self._put_on(k, person, outfit, c, c.faces[n:], c.cut[m:], camera)
            n, m = n + whole, m + cut
        # Faces that must be tested follow the others, and have numbers of the same kind.
        c.faces[n : n + m] = c.cut[:m]
        c.hits[:] = 0
        rasterizer.rasterize(
            c.corners, c.keys, c.faces[:n], self.places, False, c.hits, c.nearest, c.winner
        )
        kernels.rasterize_cut(
            *(c.corners, c.keys, c.faces[: n + m], n, c.room, c.surface, True, self.places),
            *(self._alpha, self._table, c.hits, c.nearest, c.winner),
        )
        depth, normal, surface, part, coverage = buffers
        rasterizer.resolve(
            *(c.corners, c.keys, c.faces, c.normals, c.surface, c.parts, self.places, True),
            *(c.hits, c.winner, depth, normal, surface, part, coverage),
        )
        kernels.turn_normals(c.corners, c.faces, c.hits, c.winner, normal)
        self._choose_levels(person, size, surface[2])

    def _choose_levels(
        self, person: _Person, size: int, texture: Float32[np.ndarray, "size size"]
    ) -> None:
        """Replace numbers of textures, in place, by those of smaller copies for far people."""
        distance = float(person.vertices[:, 2].mean()) + person.translation[2]
        pixel = 2 / size * distance / person.focal
        pitches, skins = self.rack.pitches, self.textures - len(self.rack.pieces)
        pitches = np.concatenate([pitches[:-1], np.repeat(pitches[-1:], skins)])
        levels = np.log2(pixel / pitches).round().clip(0, LEVELS - 1)
        moved = np.arange(self.textures) + self.textures * levels
        texture[:] = moved[(texture + 0.5).astype(np.int32)]

    def _put_on_skin(self, person: _Person, outfit: Outfit, c: _Canvas, camera: tuple) -> int:
        """Pose the skin; return how many faces of it were written."""
        rack, first = self.rack, len(self.rack.template)
        covered = self._covered(outfit)
        rasterizer.accumulate_normals(person.vertices, rack.body_faces, c.body_normals)
        vertices, normals = c.vertices[first:], c.normals[first:]
        kernels.pose_skin(
            *(person.vertices, c.body_normals, rack.skin_source, covered, np.float32(PUSH)),
            *(vertices, normals),
        )
        c.surface[first:, 2] = len(rack.pieces) + outfit.skin
        focal, shift, perspective, near, size = camera
        corners, keys = c.corners[first:], c.keys[first:]
        rasterizer.project(vertices, focal, shift, perspective, near, size, corners, keys)
        n = kernels.shown_skin(rack.skin_faces, rack.skin_source, covered, corners, c.faces)
        c.faces[:n] += np.uint32(first)
        return n

    def _covered(self, outfit: Outfit) -> Bool[np.ndarray, " V"]:
        """Say which vertices of the body an outfit hides."""
        covered = np.zeros(len(self.rack.rest), bool)
        for k in outfit.pieces:
            inside = outfit.room(self.rack.pieces[k].kind, self.rack.rest) > UNDER_HEM
            if k in self.drape.pieces:
                inside = inside & self.drape.under(k)
            covered |= self.rack.covers[k] & inside
        return covered

    def _put_on(
        self,
        k: int,
        person: _Person,
        outfit: Outfit,
        c: _Canvas,
        faces: UInt32[np.ndarray, "F 3"],
        cut: UInt32[np.ndarray, "C 3"],
        camera: tuple,
    ) -> tuple[int, int]:
        """Pose a piece; return how many faces of it were written to `faces` and to `cut`."""
        rack, piece = self.rack, self.rack.pieces[k]
        span = piece.vertices
        kernels.pose_piece(
            *(rack.template[span], rack.directions[span], rack.corners[span], rack.shares[span]),
            *(rack.joints[span], rack.weights[span], person.betas, person.offsets),
            *(person.transforms, c.vertices[span]),
        )
        normals = c.normals[span]
        if k in self.drape.pieces:
            self.drape.hang(k, person.vertices, c.vertices[span], normals)
        rasterizer.accumulate_normals(c.vertices[span], rack.seamless[piece.faces], normals)
        kernels.copy_seams(rack.weld[span], normals)
        focal, shift, perspective, near, size = camera
        corners, keys = c.corners[span], c.keys[span]
        rasterizer.project(c.vertices[span], focal, shift, perspective, near, size, corners, keys)
        # The key of the z-buffer is -1 / z.
        keys /= 1 + ABOVE[piece.kind] * keys
        c.room[span] = outfit.room(piece.kind, rack.template[span])
        return kernels.whole_faces(
            rack.faces[piece.faces], np.uint32(span.start), c.room, piece.holes, faces, cut
        )


def _opacities(
    textures: list[np.ndarray],
) -> tuple[np.ndarray, UInt8[np.ndarray, " texels"]]:
    """Return where the opacity of each texture begins, its rows and columns; and all opacities."""
    table, flat, first = np.zeros((len(textures), 3), np.int64), [np.zeros(1, np.uint8)], 1
    for k, texture in enumerate(textures):
        if texture.shape[2] == 4:
            table[k] = first, *texture.shape[:2]
            flat.append(texture[..., 3].ravel())
            first += texture[..., 3].size
    return table, np.concatenate(flat)
