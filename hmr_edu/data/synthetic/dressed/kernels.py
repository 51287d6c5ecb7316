"""The compiled core of dressing: garments take a pose, faces are hidden, hair has holes.

The functions release the GIL and hold no state, as those of the rasteriser.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from hmr_edu.data.render.rasterizer import ONE, SUBPIXEL_BITS, set_up_face
from hmr_edu.io.compiled import compiled

# Opacity from which a texel is there.
OPAQUE = 128


@compiled
@no_type_check
def pose_piece(
    template, directions, corners, shares, joints, weights, betas, offsets, transforms, out
):
    """Write the posed vertices [V, 3] of a garment.

    Args:
        template, directions, corners, shares, joints, weights: as in `Rack`, of one piece.
        betas: [10].
        offsets: [body_V, 3] what the pose blend shapes move each vertex of the body by, metres.
        transforms: [24, 3, 4] of the joints.
        out: written here.
    """
    for v in range(template.shape[0]):
        x, y, z = template[v, 0], template[v, 1], template[v, 2]
        for k in range(betas.shape[0]):
            x += directions[v, 0, k] * betas[k]
            y += directions[v, 1, k] * betas[k]
            z += directions[v, 2, k] * betas[k]
        for k in range(3):
            c, share = corners[v, k], shares[v, k]
            x += share * offsets[c, 0]
            y += share * offsets[c, 1]
            z += share * offsets[c, 2]
        px = py = pz = np.float32(0.0)
        for k in range(joints.shape[1]):
            w = weights[v, k]
            if w > 0.0:
                t = transforms[joints[v, k]]
                px += w * (t[0, 0] * x + t[0, 1] * y + t[0, 2] * z + t[0, 3])
                py += w * (t[1, 0] * x + t[1, 1] * y + t[1, 2] * z + t[1, 3])
                pz += w * (t[2, 0] * x + t[2, 1] * y + t[2, 2] * z + t[2, 3])
        out[v, 0], out[v, 1], out[v, 2] = px, py, pz


@compiled
@no_type_check
def copy_seams(weld, normals):
    """Give vertices that were doubled at seams the normal of the seamless mesh."""
    for v in range(weld.shape[0]):
        w = weld[v]
        if w != v:
            for axis in range(3):
                normals[v, axis] = normals[w, axis]


@compiled
@no_type_check
def pose_skin(vertices, normals, source, covered, depth, out, out_normals):
    """Write the vertices of the skin chart; covered ones move inwards by `depth` metres."""
    for v in range(source.shape[0]):
        s = source[v]
        inwards = depth if covered[s] else np.float32(0.0)
        for axis in range(3):
            out[v, axis] = vertices[s, axis] - inwards * normals[s, axis]
            out_normals[v, axis] = normals[s, axis]


@compiled
@no_type_check
def shown_skin(faces, source, covered, corners, out):
    """Write the faces of the skin that can be seen, and return how many there are.

    Faces with three covered corners are hidden; others may look away.
    """
    n = 0
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
        if covered[source[i]] and covered[source[j]] and covered[source[k]]:
            continue
        ax, ay = np.int64(corners[i, 0]), np.int64(corners[i, 1])
        bx, by = np.int64(corners[j, 0]) - ax, np.int64(corners[j, 1]) - ay
        cx, cy = np.int64(corners[k, 0]) - ax, np.int64(corners[k, 1]) - ay
        if bx * cy - by * cx < 0:
            out[n, 0], out[n, 1], out[n, 2] = i, j, k
            n += 1
    return n


@compiled
@no_type_check
def whole_faces(faces, first, room, holes, whole, cut):
    """Sort the faces of a piece: those that show completely, and those that must be tested.

    Args:
        faces: [F, 3] counted from the first vertex of the piece.
        first: this vertex's number.
        room: [V] distance from where the garment is cut off, of all vertices; negative is beyond.
        holes: whether the texture has holes.
        whole, cut: written here.

    Returns:
        Both counts.
    """
    n = m = 0
    for f in range(faces.shape[0]):
        i, j, k = faces[f, 0] + first, faces[f, 1] + first, faces[f, 2] + first
        a, b, c = room[i], room[j], room[k]
        if a < 0 and b < 0 and c < 0:
            continue
        if holes or a < 0 or b < 0 or c < 0:
            cut[m, 0], cut[m, 1], cut[m, 2] = i, j, k
            m += 1
        else:
            whole[n, 0], whole[n, 1], whole[n, 2] = i, j, k
            n += 1
    return n, m


@compiled
@no_type_check
def rasterize_cut(
    corners,
    keys,
    faces,
    first,
    room,
    surface,
    perspective,
    places,
    alpha,
    table,
    hits,
    nearest,
    winner,
):
    """Add faces with holes to what `rasterize` has found: a sample counts only where cloth is.

    Args:
        corners, keys: of all vertices, from `project`.
        faces: [F, 3] of which those from `first` on are drawn; none is left out for looking away.
        first: see there.
        room: as in `whole_faces`.
        surface: [V, 3] u, v and the number of the texture.
        perspective: full perspective, instead of weak.
        places: sample places in a pixel.
        alpha: the opacities of all textures with holes, flat.
        table: [textures, 3] first texel, rows and columns of each; no rows where there are none.
        hits, nearest, winner: as in `rasterize`.
    """
    size = hits.shape[0]
    for f in range(first, faces.shape[0]):
        area, i, j, k, ax, ay, bx, by, cx, cy = set_up_face(corners, faces, f, False)
        if area == 0:
            continue
        x_min, x_max = min(ax, bx, cx), max(ax, bx, cx)
        y_min, y_max = min(ay, by, cy), max(ay, by, cy)
        inverse = 1.0 / area
        texture = np.int64(surface[i, 2] + 0.5)
        start, rows, columns = table[texture, 0], table[texture, 1], table[texture, 2]
        for place in range(places.shape[0]):
            px, py = places[place, 0], places[place, 1]
            first_x = max((x_min - px + ONE - 1) >> SUBPIXEL_BITS, 0)
            last_x = min((x_max - px) >> SUBPIXEL_BITS, size - 1)
            first_y = max((y_min - py + ONE - 1) >> SUBPIXEL_BITS, 0)
            last_y = min((y_max - py) >> SUBPIXEL_BITS, size - 1)
            bit = np.uint8(1 << place)
            for y in range(first_y, last_y + 1):
                sy = (y << SUBPIXEL_BITS) + py
                for x in range(first_x, last_x + 1):
                    sx = (x << SUBPIXEL_BITS) + px
                    a = (cx - bx) * (sy - by) - (cy - by) * (sx - bx)
                    b = (ax - cx) * (sy - cy) - (ay - cy) * (sx - cx)
                    c = (bx - ax) * (sy - ay) - (by - ay) * (sx - ax)
                    if (a | b | c) < 0:
                        continue
                    wa, wb, wc = a * inverse, b * inverse, c * inverse
                    key = np.float32(wa * keys[i] + wb * keys[j] + wc * keys[k])
                    if perspective:
                        wa, wb, wc = wa * keys[i], wb * keys[j], wc * keys[k]
                        total = wa + wb + wc
                        wa, wb, wc = wa / total, wb / total, wc / total
                    if wa * room[i] + wb * room[j] + wc * room[k] < 0.0:
                        continue
                    if rows > 0:
                        u = wa * surface[i, 0] + wb * surface[j, 0] + wc * surface[k, 0]
                        v = wa * surface[i, 1] + wb * surface[j, 1] + wc * surface[k, 1]
                        row = min(max(np.int64((1.0 - v) * rows), 0), rows - 1)
                        column = min(max(np.int64(u * columns), 0), columns - 1)
                        if alpha[start + row * columns + column] < OPAQUE:
                            continue
                    hit = hits[y, x]
                    hits[y, x] = hit | bit
                    if place == 0 or not hit & 1:
                        rivals = hit & 1 if place == 0 else hit
                        if not rivals or key < nearest[y, x]:
                            nearest[y, x] = key
                            winner[y, x] = (f << 3) | place


@compiled
@no_type_check
def turn_normals(corners, faces, hits, winner, normal):
    """Turn normals [3, size, size] towards the viewer where the inside of a face shows."""
    for y in range(hits.shape[0]):
        for x in range(hits.shape[1]):
            if hits[y, x] == 0:
                continue
            f = winner[y, x] >> 3
            i, j, k = faces[f, 0], faces[f, 1], faces[f, 2]
            ax, ay = np.int64(corners[i, 0]), np.int64(corners[i, 1])
            bx, by = np.int64(corners[j, 0]) - ax, np.int64(corners[j, 1]) - ay
            cx, cy = np.int64(corners[k, 0]) - ax, np.int64(corners[k, 1]) - ay
            if bx * cy - by * cx > 0:
                for axis in range(3):
                    normal[axis, y, x] = -normal[axis, y, x]
