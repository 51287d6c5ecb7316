"""From posed meshes to G-buffers: what each pixel sees, before any light or colour.

Bodies are rasterised once, on the CPU. Skin, clothes and light are then painted on these pictures
on the training device. Camera frame: x right, y down, z away from the camera, in metres. Picture:
the crop's [-1, 1] square, where pixel p (from 0) has its centre at 2 (p + 0.5) / size - 1.
"""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, fields
from itertools import pairwise

import numpy as np
from jaxtyping import Float, Float32, Integer, UInt8
from torch import Tensor

from hmr_edu.data.render import rasterizer

NEAR = 0.05  # metres


@dataclass(frozen=True)
class GBuffer:
    """What the pixels of a batch show; zero where a pixel is empty (`part == 0`)."""

    depth: Float32[np.ndarray, "batch size size"]  # camera z, metres
    normal: Float32[np.ndarray, "batch 3 size size"]  # unit, smooth, camera frame
    surface: Float32[np.ndarray, "batch 3 size size"]  # place on the rest body, metres
    part: UInt8[np.ndarray, "batch size size"]  # 0 background, else 1 + joint index
    coverage: Float32[np.ndarray, "batch size size"]  # share of the pixel covered, 0 to 1


def vertex_normals(
    vertices: Float[np.ndarray, "batch vertices 3"] | Float[Tensor, "batch vertices 3"],
    faces: Integer[np.ndarray, "faces 3"] | Integer[Tensor, "faces 3"],
) -> Float32[np.ndarray, "batch vertices 3"]:
    """Average the face normals around each vertex, weighted by area; unit length.

    They point outwards for faces that run counter-clockwise seen from outside. A vertex without a
    face, or with faces of zero area only, gets zeros.
    """
    vertices = _array(vertices, np.float32)
    faces = _faces(faces, vertices.shape[1])
    normals = np.empty_like(vertices)
    for sample, out in zip(vertices, normals, strict=True):
        rasterizer.accumulate_normals(sample, faces, out)
    return normals


class Renderer:
    """Renders posed copies of one mesh. Needs no display and no OpenGL; holds no state.

    Args:
        faces: [F, 3], counter-clockwise seen from outside.
        rest_vertices: [V, 3], the place of each vertex on the rest body; `GBuffer.surface` shows
            it.
        vertex_parts: [V], the joint index of each vertex.
        samples: 4 smooths the outline (`coverage` in quarters), 1 uses pixel centres only.
        cull: leave out faces that look away. On a closed mesh nothing visible changes, and the time
            falls by a third.
        threads: pictures rendered at once; the result is the same.
    """

    def __init__(
        self,
        faces: Integer[np.ndarray, "faces 3"] | Integer[Tensor, "faces 3"],
        rest_vertices: Float[np.ndarray, "vertices 3"] | Float[Tensor, "vertices 3"],
        vertex_parts: Integer[np.ndarray, " vertices"] | Integer[Tensor, " vertices"],
        *,
        samples: int = 4,
        cull: bool = True,
        threads: int = 1,
    ) -> None:
        if samples not in (1, 4):
            raise ValueError(f"samples must be 1 or 4, not {samples}")
        if threads < 1:
            raise ValueError(f"threads must be at least 1, not {threads}")
        self.rest_vertices = _array(rest_vertices, np.float32)
        parts = _array(vertex_parts, np.int64)
        if parts.size and not 0 <= parts.min() <= parts.max() <= 254:
            raise ValueError(f"vertex_parts must lie in 0..254, not {parts.min()}..{parts.max()}")
        self.vertex_parts = parts.astype(np.uint8)
        self.faces = _faces(faces, len(self.rest_vertices))
        if len(self.vertex_parts) != len(self.rest_vertices):
            raise ValueError(
                f"{len(self.vertex_parts)} vertex_parts do not fit "
                f"{len(self.rest_vertices)} rest_vertices"
            )
        self.places = rasterizer.CENTRE if samples == 1 else rasterizer.ROTATED_GRID
        self.cull = cull
        self.threads = threads

    def __call__(
        self,
        vertices: Float[np.ndarray, "batch vertices 3"] | Float[Tensor, "batch vertices 3"],
        size: int,
        *,
        camera: Float[np.ndarray, "batch 3"] | Float[Tensor, "batch 3"] | None = None,
        translation: Float[np.ndarray, "batch 3"] | Float[Tensor, "batch 3"] | None = None,
        focal: Float[np.ndarray, " batch"] | Float[Tensor, " batch"] | None = None,
    ) -> GBuffer:
        """Render a batch of posed meshes.

        Weak perspective needs `camera`: x = s (X + tx), depth is Z. Full perspective needs
        `translation` and `focal`: x = focal (X + tx) / (Z + tz), depth is Z + tz. Faces that come
        nearer than 5 cm to the camera, or that reach more than 65,536 pixels out, are left out
        completely.

        Raises ValueError for wrong shapes, for both cameras or none, and for vertices or cameras
        that are not finite (it names the sample).

        Args:
            vertices: [B, V, 3] in the camera frame, metres.
            size: pixels along each side of a picture.
            camera: (s, tx, ty) of weak perspective.
            translation: of full perspective, metres.
            focal: of full perspective, in half-crops.
        """
        vertices = _array(vertices, np.float32)
        batch = len(vertices)
        if vertices.shape[1:] != self.rest_vertices.shape:
            raise ValueError(
                f"vertices of shape {vertices.shape} do not fit the renderer's mesh "
                f"of {len(self.rest_vertices)} vertices"
            )
        if size < 1:
            raise ValueError(f"size must be at least one pixel, not {size}")
        perspective = camera is None
        if camera is not None and (translation is not None or focal is not None):
            raise ValueError("give either camera, or translation and focal, not both")
        if camera is None:
            if translation is None or focal is None:
                raise ValueError("give either camera, or translation and focal")
            scale, shift = _array(focal, np.float64), _array(translation, np.float64)
        else:
            camera = _array(camera, np.float64)
            scale = np.ascontiguousarray(camera[:, 0])
            shift = np.column_stack([camera[:, 1:], np.zeros(len(camera))])
        if scale.shape != (batch,) or shift.shape != (batch, 3):
            raise ValueError(f"one camera per sample is needed: {batch} samples")
        _require_finite("vertices", vertices)
        _require_finite("camera", np.column_stack([scale, shift]))

        image = (batch, size, size)
        out = GBuffer(
            depth=np.zeros(image, np.float32),
            normal=np.zeros((batch, 3, size, size), np.float32),
            surface=np.zeros((batch, 3, size, size), np.float32),
            part=np.zeros(image, np.uint8),
            coverage=np.zeros(image, np.float32),
        )

        def render(first: int, last: int) -> None:
            span = slice(first, last)
            rasterizer.render_images(
                vertices[span],
                self.faces,
                self.rest_vertices,
                self.vertex_parts,
                scale[span],
                shift[span],
                perspective,
                NEAR,
                self.places,
                self.cull,
                *(getattr(out, field.name)[span] for field in fields(out)),
            )

        workers = min(self.threads, batch)
        if workers <= 1:
            render(0, batch)
            return out
        cuts = np.linspace(0, batch, workers + 1).astype(int).tolist()
        # A new pool for each call: an old one would not survive the fork of a data loader.
        with ThreadPoolExecutor(workers) as pool:
            list(pool.map(render, *zip(*pairwise(cuts), strict=True)))
        return out


def _array(values: np.ndarray | Tensor, dtype: type) -> np.ndarray:
    """Return a contiguous numpy array of this type, from an array or a tensor."""
    if isinstance(values, Tensor):
        values = values.detach().cpu().numpy()
    return np.ascontiguousarray(values, dtype=dtype)


def _faces(faces: np.ndarray | Tensor, n_vertices: int) -> np.ndarray:
    """Return faces as the kernels need them: unsigned and checked, as kernels check no index."""
    faces = _array(faces, np.int64)
    if faces.size and not 0 <= faces.min() <= faces.max() < n_vertices:
        raise ValueError(
            f"faces use vertices {faces.min()} to {faces.max()}, but there are {n_vertices}"
        )
    return faces.astype(np.uint32)


def _require_finite(name: str, values: np.ndarray) -> None:
    finite = np.isfinite(values).all(axis=tuple(range(1, values.ndim)))
    if not finite.all():
        bad = int(np.flatnonzero(~finite)[0])
        raise ValueError(f"{name} of sample {bad} are not all finite")
