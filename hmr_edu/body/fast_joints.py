"""What comes before the skin in the fast layer, compiled: Rodrigues, and the tree of joints.

Twenty-four joints are too few for PyTorch: its operations cost more than the numbers in them. Here
each body is a loop over its joints. Gradients are by hand, below the function they belong to. All
arrays are contiguous; what a function writes is named last.
"""

from __future__ import annotations

from typing import no_type_check

import numpy as np

from hmr_edu.io.compiled import compiled

SMALL_SQUARED = 1e-4  # as in `hmr_edu.rotations`: below, series take the place of the closed forms


@compiled
@no_type_check
def factors(s):
    """Return A, B and their derivatives by s = t^2; R = cos(t) I + A K + B v v^T."""
    if s < SMALL_SQUARED:
        return (
            1 - s / 6 * (1 - s / 20),
            0.5 - s / 24 * (1 - s / 30),
            -1 / 6 + s / 60 * (1 - s / 28),
            -1 / 24 + s / 360 * (1 - s * 3 / 112),
        )
    t = np.sqrt(s)
    A, B = np.sin(t) / t, 2 * (np.sin(t / 2) / t) ** 2
    return A, B, (np.cos(t) - A) / (2 * s), (A / 2 - B) / s


@compiled
@no_type_check
def rotate(axis_angle, R):
    """Write the rotation matrices [N, 3, 3] of axis-angle vectors [N, 3]: Rodrigues' formula."""
    for n in range(len(axis_angle)):
        v = axis_angle[n].astype(np.float64)
        s = v[0] * v[0] + v[1] * v[1] + v[2] * v[2]
        A, B, _, _ = factors(s)
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            R[n, i, i] = 1 - B * (v[j] * v[j] + v[k] * v[k])
            R[n, i, j] = B * v[i] * v[j] - A * v[k]
            R[n, j, i] = B * v[i] * v[j] + A * v[k]


@compiled
@no_type_check
def rotate_backward(axis_angle, dR, d):
    """Write the gradients [N, 3] of axis-angle vectors, from those of their matrices."""
    for n in range(len(axis_angle)):
        v = axis_angle[n].astype(np.float64)
        s = v[0] * v[0] + v[1] * v[1] + v[2] * v[2]
        A, B, dA_ds, dB_ds = factors(s)
        by_A, by_B, trace = 0.0, 0.0, 0.0
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            skew, both = dR[n, j, i] - dR[n, i, j], dR[n, j, i] + dR[n, i, j]
            by_A += v[k] * skew
            by_B += v[i] * v[j] * both - (v[j] * v[j] + v[k] * v[k]) * dR[n, i, i]
            trace += dR[n, i, i]
        by_s = 2 * (by_A * dA_ds + by_B * dB_ds)
        for i in range(3):
            j, k = (i + 1) % 3, (i + 2) % 3
            value = v[i] * by_s + A * (dR[n, k, j] - dR[n, j, k])
            value -= 2 * B * v[i] * (trace - dR[n, i, i])
            value += B * v[j] * (dR[n, i, j] + dR[n, j, i])
            value += B * v[k] * (dR[n, i, k] + dR[n, k, i])
            d[n, i] = value


@compiled
@no_type_check
def pose_joints(rotations, rest, parents, G, transforms, coefficients):
    """Pose the joints (eq. 3, 4), and lay out what the skin needs, bodies last.

    Args:
        rotations, rest: [B, 24, 3, 3] relative to the parents, and joints [B, 24, 3] at rest.
        parents: [24].
        G: global [R | p] of the joints [B, 24, 3, 4]; written.
        transforms: [24, 4, 3, B], the columns of [R | p - R J] first; written.
        coefficients: [207, B], vec(R - I) without the root; written.
    """
    for b in range(len(rest)):
        G[b, 0, :, :3] = rotations[b, 0]
        G[b, 0, :, 3] = rest[b, 0]
        for j in range(24):
            p = parents[j]
            for r in range(3):
                if j > 0:
                    moved = np.float64(G[b, p, r, 3])
                    for k in range(3):
                        moved += G[b, p, r, k] * (rest[b, j, k] - rest[b, p, k])
                    G[b, j, r, 3] = moved
                turned = 0.0
                for c in range(3):
                    if j > 0:
                        row = 9 * (j - 1) + 3 * r + c
                        coefficients[row, b] = rotations[b, j, r, c] - (1.0 if r == c else 0.0)
                        value = 0.0
                        for k in range(3):
                            value += G[b, p, r, k] * rotations[b, j, k, c]
                        G[b, j, r, c] = value
                    transforms[j, c, r, b] = G[b, j, r, c]
                    turned += G[b, j, r, c] * rest[b, j, c]
                transforms[j, 3, r, b] = G[b, j, r, 3] - turned


@compiled
@no_type_check
def pose_joints_backward(
    rotations, rest, parents, G, d_transforms, d_coefficients, d_joints, d_rotations, d_rest
):
    """Write the gradients of rotations and rest joints, from those of the other three.

    `d_joints` [B, 24, 3] are those of the posed joints; the rest is as in `pose_joints`.
    """
    dG = np.empty((24, 3, 4), np.float64)
    for b in range(len(rest)):
        dG[:] = 0.0
        d_rest[b] = 0.0
        for j in range(23, -1, -1):
            p = parents[j]
            for r in range(3):
                d_t = d_transforms[j, 3, r, b]
                dG[j, r, 3] += d_t + d_joints[b, j, r]
                for c in range(3):
                    dG[j, r, c] += d_transforms[j, c, r, b] - d_t * rest[b, j, c]
                    d_rest[b, j, c] -= G[b, j, r, c] * d_t
            if j == 0:
                d_rotations[b, 0] = dG[0, :, :3]
                d_rest[b, 0] += dG[0, :, 3]
                continue
            for r in range(3):
                bone_r = 0.0
                for k in range(3):
                    bone_r += G[b, p, k, r] * dG[j, k, 3]
                d_rest[b, j, r] += bone_r
                d_rest[b, p, r] -= bone_r
                dG[p, r, 3] += dG[j, r, 3]
                for c in range(3):
                    value = np.float64(d_coefficients[9 * (j - 1) + 3 * r + c, b])
                    back = dG[j, r, 3] * (rest[b, j, c] - rest[b, p, c])
                    for k in range(3):
                        value += G[b, p, k, r] * dG[j, k, c]
                        back += dG[j, r, k] * rotations[b, j, c, k]
                    d_rotations[b, j, r, c] = value
                    dG[p, r, c] += back
