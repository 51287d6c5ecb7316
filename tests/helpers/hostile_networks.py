"""Damaged files of weights, and who reads them."""

from __future__ import annotations

import json
import zipfile
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from helpers.damages import ANY_FILE, Bomb, Damage, some
from helpers.hostile import Call, Case, command, files_of


def weights(good: Path) -> Iterator[Case]:
    def demo(path: Path) -> Call:
        out = path.parent / "out"
        box = ("--box", 2, 2, 28, 38)
        return command("demo", good / "someone.png", *box, "--weights", path, "--out", out)

    def start(path: Path) -> Call:
        return command("train", "cpu", "--start", path, "--out", path.parent)

    def evaluate(path: Path) -> Call:
        return command("evaluate", path, "--images", 2, "--sets", "test-prior")

    source, damages = good / "tiny.safetensors", ANY_FILE | weight_damages()
    yield from files_of("weights", source, _named(damages, "demo"), demo)
    for damage_of, call in (("evaluate", evaluate), ("start", start)):
        # Tensors that do not fit start at random.
        free = ("a tensor missing", "a tensor too many", "another shape", "no dimension")
        fine = tuple(f"start, {name}" for name in free)
        yield from files_of("weights", source, _named(some(damages), damage_of), call, fine)
    shared = {"share_weights flipped": _options(share_weights=False)}
    yield from files_of("weights", good / "shared.safetensors", shared, demo)


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


def weight_damages() -> dict[str, Damage]:
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


def backbones(good: Path) -> Iterator[Case]:
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
        "3 GB of zeros": wide_zip,
    }
    yield from files_of("backbone", good / "backbone.pth", damages, call)


def wide_zip(path: Path) -> None:
    """Pack what `torch.save` wrote anew, its first tensor followed by gigabytes of zeros."""
    with zipfile.ZipFile(path) as archive:
        members = {name: archive.read(name) for name in archive.namelist()}
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED, compresslevel=1) as archive:
        for name, content in members.items():
            with archive.open(name, "w", force_zip64=True) as member:
                member.write(content)
                for _ in range(192 if name.endswith("data/0") else 0):
                    member.write(bytes(16 * 2**20))
