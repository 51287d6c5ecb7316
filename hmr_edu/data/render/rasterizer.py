"""The compiled core of the renderer: triangles in, nearest surface of each pixel out.

A plain z-buffer after Pineda ("A Parallel Algorithm for Polygon Rasterization", 1988), compiled by
numba. Three choices matter:

- Corners are rounded to 1/4096 pixel. *Whether* a sample is covered is decided in integer
  arithmetic, with the top-left rule on shared edges. So neighbouring triangles never leave a hole
  and never both cover a sample.
- The passes over triangles keep only a depth and a face number for each pixel. Normals and other
  attributes are interpolated once for each pixel at the end ("deferred").
- A pixel is sampled at its centre, which decides what it shows, and at a few more places, which
  only decide how much of it is covered. In a 64-pixel picture a triangle of the body is about half
  a pixel large. So the loops run over the samples in its bounding box: mostly none.

The functions release the GIL and hold no state: threads may render different pictures at once, and
forked data-loader workers inherit no thread pool.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np
from numba import njit

from hmr_edu.io.compiled import compiled

SUBPIXEL_BITS = 12
ONE = 1 << SUBPIXEL_BITS  # one pixel
GUARD = 1 << 28  # 65,536 pixels: products of two differences still fit 64 bits
OUTSIDE = np.int32(-(1 << 31))  # marks a vertex too near or too far out to be projected

# Where a pixel is sampled, in 1/4096 pixel from its top-left corner. The first place is the
# centre. The other four are the usual rotated grid: no two share a row or a column.
CENTRE = np.array([[4, 4]], np.int64) * (ONE // 8)
ROTATED_GRID = np.array([[4, 4], [3, 1], [7, 3], [1, 5], [5, 7]], np.int64) * (ONE // 8)


@compiled
@no_type_check
def accumulate_normals(vertices, faces, normals):
    """Write unit vertex normals [V, 3]: the area-weighted mean of the faces around a vertex."""
    normals[:] = 0.0
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        ax, ay, az = vertices[i, 0], vertices[i, 1], vertices[i, 2]
        ux, uy, uz = vertices[j, 0] - ax, vertices[j, 1] - ay, vertices[j, 2] - az
        vx, vy, vz = vertices[k, 0] - ax, vertices[k, 1] - ay, vertices[k, 2] - az
        nx, ny, nz = uy * vz - uz * vy, uz * vx - ux * vz, ux * vy - uy * vx
        for v in (i, j, k):
            normals[v, 0] += nx
            normals[v, 1] += ny
            normals[v, 2] += nz
    for v in range(normals.shape[0]):
        x, y, z = normals[v, 0], normals[v, 1], normals[v, 2]
        length = np.sqrt(x * x + y * y + z * z)
        if length > 0.0:
            normals[v, 0], normals[v, 1], normals[v, 2] = x / length, y / length, z / length


@compiled
@no_type_check
def project(vertices, scale, shift, perspective, near, size, corners, keys):
    """Round vertices to the pixel grid; write the keys of the z-buffer (smaller is nearer).

    The key is affine over the picture, so that it can be interpolated with screen barycentrics: the
    depth itself for weak perspective, minus its inverse for full perspective.

    Args:
        vertices, scale, shift, perspective, near: as in `render_images`, of one picture.
        size: pixels along each side of the picture.
        corners, keys: [V, 2] in 1/4096 pixel; [V] for the z-buffer; both written here.
    """
    half = 0.5 * size * ONE
    for v in range(vertices.shape[0]):
        z = np.float64(vertices[v, 2]) + shift[2]
        factor = scale * half
        keys[v] = z
        corners[v, 0] = OUTSIDE
        if perspective:
            if z < near:
                continue
            factor /= z
            keys[v] = -1.0 / z
        x = (vertices[v, 0] + shift[0]) * factor + half
        y = (vertices[v, 1] + shift[1]) * factor + half
        if abs(x) < GUARD and abs(y) < GUARD:
            corners[v, 0] = np.int32(np.floor(x + 0.5))
            corners[v, 1] = np.int32(np.floor(y + 0.5))


@njit(inline="always", error_model="numpy")
@no_type_check
def set_up_face(corners, faces, f, cull):
    """Return a face with its corners in one order round: area, vertices, then x and y of each.

    The area is twice the face's, in 1/4096 pixel squared; where it is 0, nothing is drawn. Change
    it, and delete `__pycache__` where it is inlined in other files: they do not notice.
    """
    i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
    ax, bx, cx = np.int64(corners[i, 0]), np.int64(corners[j, 0]), np.int64(corners[k, 0])
    ay, by, cy = np.int64(corners[i, 1]), np.int64(corners[j, 1]), np.int64(corners[k, 1])
    area = (bx - ax) * (cy - ay) - (by - ay) * (cx - ax)
    # The normal of a face that looks at the camera has negative z, and so has this area.
    if ax == OUTSIDE or bx == OUTSIDE or cx == OUTSIDE or (cull and area > 0):
        area = np.int64(0)
    if area < 0:
        j, k, area = k, j, -area
        bx, by, cx, cy = cx, cy, bx, by
    return area, i, j, k, ax, ay, bx, by, cx, cy


@compiled
@no_type_check
def rasterize(corners, keys, faces, places, cull, hits, nearest, winner):
    """Find the sample places hit in each pixel, the nearest key, and its face.

    Once the centre of a pixel is hit, only hits of the centre compete for the pixel. Until then the
    nearest hit of any place is kept, because a thin part can pass between all the centres. A face
    is set up only when a sample lies in its bounding box: small faces mostly fall between all
    samples.

    Args:
        corners, keys: from `project`.
        faces, places, cull: as in `render_images`.
        hits, nearest: [size, size] a bit for each sample place; the nearest key; written here.
        winner: [size, size] face times 8 plus sample place; written here.
    """
    size = hits.shape[0]
    for f in range(faces.shape[0]):
        area, i, j, k, ax, ay, bx, by, cx, cy = set_up_face(corners, faces, f, cull)
        if area == 0:
            continue
        x_min, x_max = min(ax, bx, cx), max(ax, bx, cx)
        y_min, y_max = min(ay, by, cy), max(ay, by, cy)
        ready = False
        for place in range(places.shape[0]):
            px, py = places[place, 0], places[place, 1]
            first_x = max((x_min - px + ONE - 1) >> SUBPIXEL_BITS, 0)
            last_x = min((x_max - px) >> SUBPIXEL_BITS, size - 1)
            first_y = max((y_min - py + ONE - 1) >> SUBPIXEL_BITS, 0)
            last_y = min((y_max - py) >> SUBPIXEL_BITS, size - 1)
            if first_x > last_x or first_y > last_y:
                continue
            if not ready:
                ready = True
                # Edge functions: twice the area of (edge, sample), positive inside. A sample
                # exactly on an edge is inside only if the edge is a left or a top one.
                a_dx, a_dy = by - cy, cx - bx
                b_dx, b_dy = cy - ay, ax - cx
                c_dx, c_dy = ay - by, bx - ax
                a_open = 0 if a_dx > 0 or (a_dx == 0 and a_dy > 0) else 1
                b_open = 0 if b_dx > 0 or (b_dx == 0 and b_dy > 0) else 1
                c_open = 0 if c_dx > 0 or (c_dx == 0 and c_dy > 0) else 1
                key_a = keys[i]
                inverse = 1.0 / area
                slope_b = (keys[j] - key_a) * inverse
                slope_c = (keys[k] - key_a) * inverse
            sx = (first_x << SUBPIXEL_BITS) + px
            sy = (first_y << SUBPIXEL_BITS) + py
            row_a = (sx - bx) * a_dx + (sy - by) * a_dy - a_open
            row_b = (sx - cx) * b_dx + (sy - cy) * b_dy - b_open
            row_c = (sx - ax) * c_dx + (sy - ay) * c_dy - c_open
            bit = np.uint8(1 << place)
            for y in range(first_y, last_y + 1):
                a, b, c = row_a, row_b, row_c
                for x in range(first_x, last_x + 1):
                    if (a | b | c) >= 0:  # no sign bit set
                        hit = hits[y, x]
                        hits[y, x] = hit | bit
                        if place == 0 or not hit & 1:
                            rivals = hit & 1 if place == 0 else hit
                            key = np.float32(key_a + b * slope_b + c * slope_c)
                            if not rivals or key < nearest[y, x]:
                                nearest[y, x] = key
                                winner[y, x] = (f << 3) | place
                    a += a_dx << SUBPIXEL_BITS
                    b += b_dx << SUBPIXEL_BITS
                    c += c_dx << SUBPIXEL_BITS
                row_a += a_dy << SUBPIXEL_BITS
                row_b += b_dy << SUBPIXEL_BITS
                row_c += c_dy << SUBPIXEL_BITS


@compiled
@no_type_check
def resolve(
    corners,
    keys,
    faces,
    normals,
    rest,
    parts,
    places,
    perspective,
    hits,
    winner,
    depth,
    normal,
    surface,
    part,
    coverage,
):
    """Interpolate the attributes of the nearest faces, and write the five pictures.

    Args:
        corners, keys: from `project`.
        faces, normals, rest, parts, places, perspective: as in `render_images`.
        hits, winner: from `rasterize`.
        depth, normal, surface, part, coverage: the pictures; written here.
    """
    n_places = places.shape[0]
    for y in range(hits.shape[0]):
        for x in range(hits.shape[1]):
            hit = hits[y, x]
            if hit == 0:
                continue
            # With one place the centre counts; with more it only chooses what is shown.
            count = hit & 1 if n_places == 1 else 0
            for place in range(1, n_places):
                count += (hit >> place) & 1
            if count == 0:
                continue
            coverage[y, x] = count / max(n_places - 1, 1)

            f, place = winner[y, x] >> 3, winner[y, x] & 7
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            ax, ay = np.int64(corners[i, 0]), np.int64(corners[i, 1])
            bx, by = corners[j, 0] - ax, corners[j, 1] - ay
            cx, cy = corners[k, 0] - ax, corners[k, 1] - ay
            sx = (x << SUBPIXEL_BITS) + places[place, 0] - ax
            sy = (y << SUBPIXEL_BITS) + places[place, 1] - ay
            inverse = 1.0 / (bx * cy - by * cx)
            b = (sx * cy - sy * cx) * inverse
            c = (bx * sy - by * sx) * inverse
            a = 1.0 - b - c
            key = a * keys[i] + b * keys[j] + c * keys[k]
            if perspective:  # screen barycentrics to those of the surface
                a *= keys[i] / key
                b *= keys[j] / key
                c *= keys[k] / key
                key = -1.0 / key
            depth[y, x] = key
            nx = a * normals[i, 0] + b * normals[j, 0] + c * normals[k, 0]
            ny = a * normals[i, 1] + b * normals[j, 1] + c * normals[k, 1]
            nz = a * normals[i, 2] + b * normals[j, 2] + c * normals[k, 2]
            inverse = 1.0 / max(np.sqrt(nx * nx + ny * ny + nz * nz), 1e-12)
            normal[0, y, x] = nx * inverse
            normal[1, y, x] = ny * inverse
            normal[2, y, x] = nz * inverse
            for axis in range(3):
                surface[axis, y, x] = a * rest[i, axis] + b * rest[j, axis] + c * rest[k, axis]
            main = i if a >= b and a >= c else (j if b >= c else k)
            part[y, x] = parts[main] + 1


@compiled
@no_type_check
def render_images(
    vertices,
    faces,
    rest,
    parts,
    scale,
    shift,
    perspective,
    near,
    places,
    cull,
    depth,
    normal,
    surface,
    part,
    coverage,
):
    """Render a batch, one picture after the other, into arrays that hold zeros.

    Args:
        vertices: [B, V, 3] in the camera frame, metres.
        faces: [F, 3] vertex indices.
        rest: [V, 3] places on the rest body.
        parts: [V] joint index of each vertex.
        scale, shift: [B] s or the focal length; [B, 3] translations.
        perspective: full perspective, instead of weak.
        near: vertices nearer than this to the camera are left out.
        places: sample places in a pixel; the first is its centre.
        cull: leave out faces that look away.
        depth, normal, surface, part, coverage: as in `GBuffer`; written here.
    """
    size = depth.shape[1]
    n_vertices = vertices.shape[1]
    corners = np.empty((n_vertices, 2), np.int32)
    keys = np.empty(n_vertices, np.float64)
    normals = np.empty((n_vertices, 3), np.float32)
    hits = np.empty((size, size), np.uint8)
    nearest = np.empty((size, size), np.float32)
    winner = np.empty((size, size), np.int32)
    for n in range(vertices.shape[0]):
        project(vertices[n], scale[n], shift[n], perspective, near, size, corners, keys)
        accumulate_normals(vertices[n], faces, normals)
        hits[:] = 0
        rasterize(corners, keys, faces, places, cull, hits, nearest, winner)
        resolve(
            corners,
            keys,
            faces,
            normals,
            rest,
            parts,
            places,
            perspective,
            hits,
            winner,
            depth[n],
            normal[n],
            surface[n],
            part[n],
            coverage[n],
        )
