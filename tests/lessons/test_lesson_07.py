"""Lesson 07: its table, its words and its numbers are those of the records, and these are whole."""

import json
import re
from pathlib import Path

import nbformat
import pytest
import scipy.stats

from hmr_edu.experiments.claims.catalogue import EXPERIMENTS
from hmr_edu.experiments.results_table import values
from hmr_edu.experiments.runner import read_record
from hmr_edu.experiments.verdicts import WORDS, claims_table

ROOT = Path(__file__).parents[2]
LESSON = nbformat.read(ROOT / "notebooks" / "07_claims_on_trial.ipynb", as_version=4)
PATHS = sorted((ROOT / "hmr_edu" / "experiments" / "records").glob("*.json"))
RECORDS = {path.stem: read_record(path) for path in PATHS}
NUMBER = re.compile(r"\d[\d,]*(?:\.\d+)?(?!D)")  # and not the 3 of 3D

LESSONS = re.compile(r"[Ll]esson \d+(?:, section \d+)?")


def printed(cell) -> str:
    return "".join(o.get("text", "") for o in cell.get("outputs", []))


@pytest.mark.parametrize("path", PATHS, ids=lambda path: path.stem)
def test_records_are_whole_and_of_todays_experiments(path):
    record, experiment = read_record(path), EXPERIMENTS[path.stem]
    assert path.stat().st_size < 200_000
    about = {"claim": experiment.claim, "source": experiment.source, "shared": experiment.shared}
    about |= {"variants": experiment.variants, "lab": experiment.lab}
    assert {key: record[key] for key in about} == json.loads(json.dumps(about))
    tried = [(run["variant"], run["seed"]) for run in record["runs"]]
    seeds = {seed for _, seed in tried}
    assert len(tried) == len(set(tried)) == len(seeds) * len(experiment.variants)
    assert len(seeds) >= 3
    assert record["command"] == f"hmr-edu experiment {path.stem} --seeds {len(seeds)}"
    for run in record["runs"]:
        assert re.fullmatch("[0-9a-f]{12}", run["commit"]), "made from a changed checkout"
        assert run["minutes"] > 0
        assert run["cpu"] or run["gpu"]


def test_the_table_is_the_records():
    shown = [
        output.data["text/markdown"]
        for cell in LESSON.cells
        for output in cell.get("outputs", [])
        if "text/markdown" in output.get("data", {})
    ]
    kept = [RECORDS[path.stem] for path in PATHS]
    kept.sort(key=lambda record: list(EXPERIMENTS).index(record["name"]))
    assert shown == [claims_table(kept)]


def test_the_tables_verdicts_follow_from_the_numbers():
    rows = claims_table(RECORDS[path.stem] for path in PATHS).splitlines()[2:]
    forecasts = [(RECORDS[p.stem], f) for p in PATHS for f in EXPERIMENTS[p.stem].predicts]
    assert len(rows) == len(forecasts)
    for row, (record, f) in zip(rows, forecasts, strict=True):
        better, worse = (values(record, side, f.measure) for side in (f.better, f.worse))
        test = scipy.stats.ttest_rel(better, worse)
        if test.pvalue < 0.05 and test.statistic > 0:
            want = "does not hold"
        elif f.relation == "<=":
            within = test.confidence_interval().high < 0.02 * sum(worse) / len(worse)
            want = "holds" if within else "not settled"
        else:
            want = "holds" if test.pvalue < 0.05 else "not settled"
        assert row.endswith(f"| **{want}** |"), row


def verdict_cells():
    for k, cell in enumerate(LESSON.cells):
        if "verdict" in cell.metadata.get("tags", []):
            yield pytest.param(cell.source, printed(LESSON.cells[k - 1]), id=cell.source[:40])


@pytest.mark.parametrize(("words", "judged"), list(verdict_cells()))
def test_words_say_what_was_judged(words, judged):
    outputs = "\n".join(printed(cell) for cell in LESSON.cells)
    said = {number.replace(",", "") for number in NUMBER.findall(outputs)}
    rounded = said | {f"{float(n):.{k}f}" for n in said for k in (0, 1)}
    words = LESSONS.sub("", words)
    unknown = [n for n in NUMBER.findall(words) if n.replace(",", "") not in rounded]
    assert not unknown, f"no output of the lesson says {unknown}"
    if judged:
        found = {word for word in WORDS.values() if re.search(rf": {word}$", judged, re.MULTILINE)}
        assert {word for word in WORDS.values() if f"**{word}**" in words} == found
