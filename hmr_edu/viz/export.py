"""A predicted body as files for other programs: OBJ, PLY and GLB meshes.

Meshes are written upright, Y up and Z towards the camera, in metres. Vertices keep the body's
order, so that vertex numbers from elsewhere stay valid.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import trimesh
from jaxtyping import Float32
from trimesh.visual.material import PBRMaterial
from trimesh.visual.texture import TextureVisuals

from hmr_edu.io.files import atomic_write
from hmr_edu.viz.palette import PREDICTION, rgb
from hmr_edu.viz.shading import Faces, Vertices, as_array


def upright(vertices: Vertices) -> Float32[np.ndarray, "V 3"]:
    """Turn camera-frame vertices (y down, z away) to Y up, Z towards the viewer: Rx(pi)."""
    return (as_array(vertices) * (1, -1, -1)).astype(np.float32)


def write_obj(path: str | Path, vertices: Vertices, faces: Faces) -> None:
    """Write a mesh given in the camera frame (metres) as OBJ. Raises as `write_glb`."""
    _write(path, _mesh(vertices, faces), "obj")


def write_ply(path: str | Path, vertices: Vertices, faces: Faces) -> None:
    """Write a mesh given in the camera frame (metres) as binary PLY. Raises as `write_glb`."""
    _write(path, _mesh(vertices, faces), "ply")


def write_glb(path: str | Path, vertices: Vertices, faces: Faces) -> None:
    """Write a mesh given in the camera frame (metres) as binary glTF 2.0, with smooth normals.

    Raises ValueError on NaN, and that says the shape of what is not one body.
    """
    mesh = _mesh(vertices, faces)
    # glTF colours are linear light.
    base = [*(channel**2.2 for channel in rgb(PREDICTION)), 1.0]
    material = PBRMaterial(baseColorFactor=base, metallicFactor=0.0, roughnessFactor=0.65)
    mesh.visual = TextureVisuals(material=material)
    _write(path, mesh, "glb", include_normals=True)


def _mesh(vertices: Vertices, faces: Faces) -> trimesh.Trimesh:
    points, corners = as_array(vertices), as_array(faces)
    if points.ndim != 2 or points.shape[1] != 3:
        batch = points.ndim == 3 and points.shape[2] == 3
        hint = ". Write the bodies of a batch one by one: vertices[0]" if batch else ""
        raise ValueError(f"vertices have shape {list(points.shape)}, not one body: [V, 3]{hint}")
    if corners.ndim != 2 or corners.shape[1] != 3:
        raise ValueError(f"faces have shape {list(corners.shape)}, not triangles: [F, 3]")
    if corners.size and not (corners.min() >= 0 and corners.max() < len(points)):
        raise ValueError(
            f"faces number the vertices from {corners.min()} to {corners.max()}, but there are "
            f"{len(points)}: give the faces of the same body"
        )
    points = upright(points)
    if not np.isfinite(points).all():
        raise ValueError("vertices are not all finite")
    # process=False: vertices are neither merged nor reordered.
    return trimesh.Trimesh(points, corners, process=False)


def _write(path: str | Path, mesh: trimesh.Trimesh, kind: str, **options: Any) -> None:
    data: Any = mesh.export(file_type=kind, **options)
    with atomic_write(path) as temporary:
        temporary.write_bytes(data.encode() if isinstance(data, str) else data)
