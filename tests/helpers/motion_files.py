"""Write known motion as BVH, ASF/AMC and DeepMimic, on skeletons of other rest poses.

Nothing here comes from the package but SMPL's names: rotations are scipy's.
"""

import json

import numpy as np
from scipy.spatial.transform import Rotation

from hmr_edu.keypoints import SMPL_JOINTS, SMPL_PARENTS

# SMPL's joints that a rig has, in an order with parents first.
RIG = [name for name in SMPL_JOINTS if name not in ("left_hand", "right_hand")]
AXES = {
    "y up, facing z": np.eye(3),
    "y up, facing x": np.array([[0.0, 0, 1], [0, 1, 0], [-1, 0, 0]]),  # ours -> the file's
    "z up, facing -y": np.array([[1.0, 0, 0], [0, 0, -1], [0, 1, 0]]),
}
LEG = ("hip", "knee", "ankle", "foot")
ARM = ("shoulder", "elbow", "wrist")


def turn(axis: str, degrees: float) -> Rotation:
    """A rotation about x, y or z."""
    return Rotation.from_euler(axis, degrees, degrees=True)


def globals_of(poses: np.ndarray) -> dict[str, Rotation]:
    """Each joint's rotation against the world."""
    joints = poses.reshape(len(poses), 24, 3)
    turned: dict[str, Rotation] = {}
    for j, (name, parent) in enumerate(zip(SMPL_JOINTS, SMPL_PARENTS, strict=True)):
        own = Rotation.from_rotvec(joints[:, j])
        turned[name] = own if parent < 0 else turned[SMPL_JOINTS[parent]] * own
    return turned


def parent_of(name: str) -> str | None:
    """The SMPL parent's name."""
    parent = SMPL_PARENTS[SMPL_JOINTS.index(name)]
    return SMPL_JOINTS[parent] if parent >= 0 else None


def rest_pose(kind: str) -> dict[str, Rotation]:
    """How each joint of a rig is turned at rest against the T-pose, in the world."""
    rest = {name: Rotation.identity() for name in RIG}
    for side, sign in (("left", 1), ("right", -1)):
        arm = {"hanging": -88, "A-pose": -45}.get(kind, 0)
        for part in ARM:
            rest[f"{side}_{part}"] = turn("z", sign * arm)
        splay = {"splayed": 20, "splayed, feet flat": 20}.get(kind, 0)
        for part in LEG if kind == "splayed" else LEG[:2]:
            rest[f"{side}_{part}"] = turn("z", sign * splay)
    return rest


def rig_of(
    poses: np.ndarray, T: dict[str, np.ndarray], rest: dict[str, Rotation], axes: np.ndarray
) -> tuple[dict[str, np.ndarray], dict[str, Rotation]]:
    """The rig's offsets and local rotations, in the file's axes, that move as SMPL's poses do."""
    turned = globals_of(poses)
    K = Rotation.from_matrix(axes)
    offsets, local, world = {}, {}, {}
    for name in RIG:
        parent = parent_of(name)
        world[name] = turned[name] * rest[name].inv()
        own = world[name] if parent is None else world[parent].inv() * world[name]
        local[name] = K * own * K.inv()
        bone = np.zeros(3) if parent is None else rest[parent].apply(T[name] - T[parent])
        offsets[name] = K.apply(100 * bone)
    if "pelvis" in local:  # the root also turns the file's axes
        local["pelvis"] = K * world["pelvis"] * K.inv()
    return offsets, local


def write_bvh(path, offsets, local, names, order="ZXY", fps=30.0, position=True) -> None:
    """Write a BVH file; `names` are the rig's names of SMPL's joints."""
    lines, columns = ["HIERARCHY"], []
    frames = len(local["pelvis"])

    def joint(name: str, depth: int) -> None:
        pad = "\t" * depth
        lines.append(f"{pad}{'ROOT' if depth == 0 else 'JOINT'} {names.get(name, name)}")
        lines.append(pad + "{")
        numbers = " ".join(f"{x:.6f}" for x in offsets[name])
        lines.append(f"{pad}\tOFFSET {numbers}")
        channels = [f"{a}rotation" for a in order]
        if depth == 0 and position:
            channels = ["Xposition", "Yposition", "Zposition", *channels]
            columns.append(np.random.default_rng(0).normal(0, 50, (frames, 3)))
        lines.append(f"{pad}\tCHANNELS {len(channels)} {' '.join(channels)}")
        columns.append(local[name].as_euler(order, degrees=True))
        children = [other for other in RIG if parent_of(other) == name]
        for child in children:
            joint(child, depth + 1)
        if not children:
            lines.extend([f"{pad}\tEnd Site", pad + "\t{", f"{pad}\t\tOFFSET 0 0 5", pad + "\t}"])
        lines.append(pad + "}")

    joint("pelvis", 0)
    lines += ["MOTION", f"Frames: {frames}", f"Frame Time: {1 / fps:.8f}"]
    for row in np.concatenate(columns, 1):
        lines.append(" ".join(f"{x:.6f}" for x in row))
    path.write_text("\n".join(lines) + "\n")


# CMU's names of SMPL's joints: a bone is named after what it turns.
CMU = {
    "pelvis": "root", "spine1": "lowerback", "spine2": "upperback", "spine3": "thorax",
    "neck": "lowerneck", "head": "head",
    **{f"{side}_{part}": side[0] + bone
       for side in ("left", "right")
       for part, bone in (("hip", "femur"), ("knee", "tibia"), ("ankle", "foot"), ("foot", "toes"),
                          ("collar", "clavicle"), ("shoulder", "humerus"), ("elbow", "radius"),
                          ("wrist", "hand"))},
}  # fmt: skip


def write_asf_amc(asf, amc, T, rest, poses, elbow_roll=30.0, degrees=True) -> None:
    """Write a skeleton and its motion as CMU's are: legs splay, elbows are rolled hinges.

    The rest pose is `rest`; in addition the arms are rolled by `elbow_roll` about themselves.
    Axes C are such that a hinge turns about their x: knees about the splayed leg's x, elbows
    about the rolled arm's vertical.
    """
    rest = dict(rest)
    for side, sign in (("left", 1), ("right", -1)):
        for part in ARM:
            rest[f"{side}_{part}"] = rest[f"{side}_{part}"] * turn("x", sign * elbow_roll)
    offsets, local = rig_of(poses, T, rest, np.eye(3))
    C = {name: Rotation.identity() for name in RIG}
    freedom = dict.fromkeys(RIG, "rx ry rz")
    for side, sign in (("left", 1), ("right", -1)):
        for part in ("hip", "knee"):
            C[f"{side}_{part}"] = rest[f"{side}_{part}"]
        C[f"{side}_ankle"] = rest[f"{side}_ankle"] * turn("x", -90)
        # x of the elbow's axes: where the forearm's flexion axis lies at rest (-y left, y right).
        C[f"{side}_elbow"] = rest[f"{side}_elbow"] * turn("z", -sign * 90)
        freedom[f"{side}_knee"] = freedom[f"{side}_elbow"] = "rx"
    unit = "deg" if degrees else "rad"
    lines = ["# made by a test", ":version 1.10", ":name VICON", ":units", "  mass 1.0",
             "  length 0.45", f"  angle {unit}", ":documentation", "   nothing", ":root",
             "   order TX TY TZ RX RY RZ", "   axis XYZ", "   position 0 0 0",
             "   orientation 0 0 0", ":bonedata"]  # fmt: skip

    def bone(name: str, vector: np.ndarray, axes: Rotation, dof: str) -> None:
        length = np.linalg.norm(vector)
        direction = vector / length
        angles = axes.as_euler("xyz", degrees=degrees)
        lines.extend([
            "  begin", f"     id {len(lines)}", f"     name {name}",
            f"     direction {' '.join(f'{x:.7f}' for x in direction)}",
            f"     length {length:.6f}",
            f"     axis {' '.join(f'{x:.6f}' for x in angles)}  XYZ",
        ])  # fmt: skip
        if dof:
            lines.append(f"    dof {dof}")
            many = [f"({-10 if dof == 'rx' else -180}.0 170.0)"] * len(dof.split())
            lines.append("    limits " + "\n           ".join(many))
        lines.append("  end")

    # A bone reaches from its joint to the next; where several follow, bones without freedom do.
    main = {"pelvis": None, "spine3": "neck", "head": None}
    hierarchy: dict[str, list[str]] = {}
    for name in RIG:
        children = [other for other in RIG if parent_of(other) == name]
        next_joint = main.get(name, children[0] if children else None)
        if name != "pelvis":
            vector = offsets[next_joint] if next_joint else np.array([0.0, 4.0, 1.0])
            bone(CMU[name], vector, C[name], freedom[name])
        for child in children:
            if child == next_joint:
                hierarchy.setdefault(CMU[name], []).append(CMU[child])
                continue
            # From the pelvis a bone to each hip; from the end of the thorax back to each collar.
            start = offsets[next_joint] if next_joint else np.zeros(3)
            between = {"left_hip": "lhipjoint", "right_hip": "rhipjoint"}.get(child, f"to_{child}")
            bone(between, offsets[child] - start, Rotation.identity(), "")
            hierarchy.setdefault(CMU[name], []).append(between)
            hierarchy.setdefault(between, []).append(CMU[child])
    lines += [":hierarchy", "  begin"]
    lines += [f"    {name} {' '.join(children)}" for name, children in hierarchy.items()]
    asf.write_text("\n".join([*lines, "  end", ""]))

    frames = ["#!OML:ASF none", ":FULLY-SPECIFIED", ":DEGREES" if degrees else ":RADIANS"]
    values = {}
    for name in RIG:
        M = C[name].inv() * local[name] * C[name]
        angles = M.as_euler("xyz", degrees=degrees)
        if freedom[name] == "rx":
            rest_of_it = np.degrees(1) * np.abs(M.as_rotvec()[:, 1:]).max()
            assert rest_of_it < 1e-3, f"{name} is no hinge"
            angles = np.degrees(M.as_rotvec()[:, :1]) if degrees else M.as_rotvec()[:, :1]
        values[name] = angles
    for t in range(len(poses)):
        frames.append(str(t + 1))
        for name in RIG:
            numbers = " ".join(f"{x:.6f}" for x in values[name][t])
            frames.append(f"{CMU[name]} {'1.5 17.2 -3.0 ' if name == 'pelvis' else ''}{numbers}")
    amc.write_text("\n".join([*frames, ""]))


def write_deepmimic(path, poses, fps=30.0) -> None:
    """Write the humanoid of DeepMimic: arms hang at rest, x forward, y up, z right."""
    K = Rotation.from_matrix([[0, 0, 1], [0, 1, 0], [-1, 0, 0]])  # ours -> x forward, z right
    rest = rest_pose("T")
    for side, sign in (("left", 1), ("right", -1)):
        for part in ARM:
            rest[f"{side}_{part}"] = turn("z", -sign * 90)
    turned = globals_of(poses)
    world = {name: turned[name] * rest[name].inv() for name in RIG}

    def relative(name: str, parent: str | None) -> Rotation:
        own = world[name] if parent is None else world[parent].inv() * world[name]
        return K * own * K.inv()

    def wxyz(rotation: Rotation) -> np.ndarray:
        return rotation.as_quat(scalar_first=True)

    def hinge(name: str, parent: str) -> np.ndarray:
        return relative(name, parent).as_rotvec()[:, 2:]

    columns = [np.full((len(poses), 1), 1 / fps), np.ones((len(poses), 3))]
    columns += [wxyz(relative("pelvis", None)), wxyz(relative("spine3", "pelvis"))]
    columns += [wxyz(relative("head", "spine3"))]
    for side in ("right", "left"):
        hip, knee, ankle = (f"{side}_{part}" for part in ("hip", "knee", "ankle"))
        shoulder, elbow = f"{side}_shoulder", f"{side}_elbow"
        columns += [wxyz(relative(hip, "pelvis")), hinge(knee, hip), wxyz(relative(ankle, knee))]
        columns += [wxyz(relative(shoulder, "spine3")), hinge(elbow, shoulder)]
    rows = np.concatenate(columns, 1)
    assert rows.shape[1] == 44
    path.write_text(json.dumps({"Loop": "wrap", "Frames": rows.tolist()}))


def known_motion(frames: int = 40, seed: int = 0) -> np.ndarray:
    """A made-up motion: hinges bend as knees and elbows do, everything else turns a little.

    The person faces a new way in every frame.
    """
    rng = np.random.default_rng(seed)
    poses = np.zeros((frames, 24, 3))
    phase = np.linspace(0, 2 * np.pi, frames)[:, None]
    for j, name in enumerate(SMPL_JOINTS):
        amount, shift = rng.uniform(0.1, 0.35, 3), rng.uniform(0, 6, 3)
        poses[:, j] = amount * np.sin(phase + shift)
        side = 1 if name.startswith("left") else -1
        if name.endswith("knee"):
            poses[:, j] = np.concatenate(
                [0.9 + 0.6 * np.sin(phase + side), 0 * phase, 0 * phase], 1
            )
        if name.endswith("elbow"):
            bend = 1.0 + 0.7 * np.sin(phase - side)
            poses[:, j] = np.concatenate([0 * phase, -side * bend, 0 * phase], 1)
        if name.endswith("shoulder"):  # arms down, swinging
            poses[:, j, 2] += -side * 1.0
        if name.endswith("hip"):
            poses[:, j, 0] = -0.6 + 0.6 * np.sin(phase[:, 0] + side)
        if name.endswith(("_hand", "_foot")):
            poses[:, j] = 0
        if name in ("spine2", "spine3"):
            poses[:, j] *= 0.3
    heading = Rotation.from_euler("y", np.linspace(-150, 200, frames)[:, None], degrees=True)
    poses[:, 0] = (heading * Rotation.from_rotvec(poses[:, 0])).as_rotvec()
    return poses.reshape(frames, 72)
