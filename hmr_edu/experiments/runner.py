"""Running an experiment: every variant from every seed, one record, which a kill cannot spoil."""

from __future__ import annotations

import json
import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import Annotated, Any, TypedDict

from tqdm import tqdm

from hmr_edu.experiments.design import Experiment
from hmr_edu.experiments.laboratories import run_variant
from hmr_edu.experiments.real_pictures import RealPictures
from hmr_edu.io.errors import DataError
from hmr_edu.io.jsonfile import read_json, write_json
from hmr_edu.io.lock import lock
from hmr_edu.io.provenance import environment
from hmr_edu.io.ranges import Range
from hmr_edu.io.schema import check_type, shown

# The records of all experiments travel with the package.
RECORDS = Path(__file__).parent / "records"
# Those that the docs show, of presets and of weak mesh supervision; lesson 07 reads the others,
# which have more seeds.
PRESET_RECORDS = RECORDS / "presets"
# What all runs of one record share.
SAME = ("lab", "images", "shared", "real_pictures")
HARDWARE = ("commit", "cpu", "gpu", "threads", "torch")


class Trained(TypedDict):
    """One training of an experiment, as far as other parts read it; its numbers are beside."""

    variant: str
    seed: Annotated[int, Range(0, 2**32 - 1)]


class Record(TypedDict):
    """A record of an experiment; what it is about is beside."""

    variants: dict[str, dict[str, Any]]
    runs: list[Trained]


def run_experiment(
    experiment: Experiment,
    seeds: int,
    images: int | None,
    resume: bool,
    out: Path,
    real: RealPictures | None = None,
    training: Sequence[str] = (),
) -> dict[str, Any]:
    """Train what has no record yet and return the record, which is `out`/NAME.json.

    Written anew after every training: one that is interrupted is all that is lost. Raises
    DataError when there is a record and `resume` is not asked for, or it is another's, and when
    another process runs the experiment.

    Args:
        experiment: what to run.
        seeds: how often each variant is trained.
        images: samples that each training learns from; the laboratory's own number without it.
        resume: go on with the record that is there.
        out: folder of the record.
        real: annotated pictures that networks are also measured on.
        training: the words on the command line that changed `experiment.shared`, for the record.
    """
    path = out / f"{experiment.name}.json"
    with lock(out / f".{experiment.name}.lock", f"{path}: another process runs this experiment"):
        return _run(experiment, seeds, images, resume, path, real, training)


def _run(
    experiment: Experiment,
    seeds: int,
    images: int | None,
    resume: bool,
    path: Path,
    real: RealPictures | None,
    training: Sequence[str],
) -> dict[str, Any]:
    record = _begun(experiment, images, path, resume, real)
    done = {(run["variant"], run["seed"]) for run in record["runs"]}
    tried = max([seeds, *(seed + 1 for _, seed in done)])
    words = ["hmr-edu", "experiment", experiment.name, "--seeds", str(tried)]
    words += ["--images", str(images)] if images else []
    for name, given in (real.paths if real else {}).items():
        words += [f"--{name}", given]
    record["command"] = shlex.join([*words, "--", *training] if training else words)
    # Seed by seed: what is cut short has tried every variant equally often, or nearly.
    missing = [
        (variant, seed)
        for seed in range(seeds)
        for variant in experiment.variants
        if (variant, seed) not in done
    ]
    here = {name: environment()[name] for name in HARDWARE}
    for variant, seed in (bar := tqdm(missing, desc=experiment.name, unit="run")):
        bar.set_postfix_str(f"{variant}, seed {seed}")
        record["runs"].append(run_variant(experiment, variant, seed, images, real) | here)
        write_json(path, record)
    return record


def read_record(path: Path) -> dict[str, Any]:
    """Read an experiment's record. Raises FileNotFoundError, or DataError when it is none."""
    record = read_json(path, "record")
    check_type(record, Record, f"{path}: not a record of an experiment")
    for number, run in enumerate(record["runs"]):
        if run["variant"] not in record["variants"]:
            variant = shown(run["variant"])
            raise DataError(f"{path}: run {number} is of the unknown variant {variant}")
    return record


def _begun(
    experiment: Experiment, images: int | None, path: Path, resume: bool, real: RealPictures | None
) -> dict[str, Any]:
    about = {
        "name": experiment.name,
        "claim": experiment.claim,
        "source": experiment.source,
        "lab": experiment.lab,
        "images": images,
        "shared": experiment.shared,
        "variants": experiment.variants,
    }
    if real is not None:
        about["real_pictures"] = dict(real.paths)
    about = json.loads(json.dumps(about, default=str))
    if not os.path.lexists(path):
        return about | {"runs": []}
    if not resume:
        raise DataError(
            f"{path} holds results already: go on with --resume, or choose another --out"
        )
    record = read_record(path)
    same = all(record.get(key) == about.get(key) for key in SAME)
    made = {run["variant"] for run in record["runs"]}
    # A variant may join; those that have run must still be what they were.
    same &= all(record["variants"][name] == about["variants"].get(name) for name in made)
    if not same:
        raise DataError(f"{path}: its runs were made with other options; choose another --out")
    return record | about
