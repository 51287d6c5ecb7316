"""Damaged folders of runs, and who reads them."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from helpers.damages import (
    ANY_FILE,
    Bomb,
    Damage,
    copied,
    json_damages,
    npz_damages,
    some,
    zeros_without_end,
)
from helpers.hostile import Call, Case, command
from helpers.hostile_networks import weight_damages, wide_zip
from helpers.small_run import small


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


def ships(good: Path) -> Iterator[Case]:
    def call(run: Path) -> Call:
        return command("ship", run, "tiny", "--out", run.parent / "out")

    any_text = _torn_is_no_damage(ANY_FILE)
    damages: dict[str, dict[str, Damage]] = {
        "config.json": ANY_FILE | json_damages("seed"),
        "environment.json": ANY_FILE | json_damages("command"),
        "evaluation.json": ANY_FILE | json_damages("test-prior", "after"),
        "metrics.jsonl": any_text | _metrics(),
        "model.safetensors": ANY_FILE | some(weight_damages()),
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
        "3 GB of zeros": wide_zip,
    }


def resumes(good: Path) -> Iterator[Case]:
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


def reports(good: Path) -> Iterator[Case]:
    """A report is drawn whatever is damaged; a file that cannot be read is named in it."""

    def drawn(named: bool) -> Callable[[Path], Call]:
        def call(run: Path) -> Call:
            def draw() -> int:
                from hmr_edu.viz.report.page import write_report

                text = write_report(run).read_text(encoding="utf-8")
                return 0 if "Not complete" in text or not named else 3

            return draw

        return call

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
    # Drawing takes seconds: of each file, every fourth damage.
    for file, table in damages.items():
        chosen = some(table)
        for named in (True, False):
            part = {n: d for n, d in chosen.items() if (n in ANY_FILE) == named}
            yield from _run_cases("report", good, {file: part}, drawn(named), code=0)
