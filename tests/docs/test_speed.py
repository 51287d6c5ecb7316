"""The page on speed shows the record of `hmr-edu bench`."""

import json
import re
import sys
from pathlib import Path

import pytest

pytest.importorskip("sphinx")
DOCS = Path(__file__).parents[2] / "docs"
sys.path.insert(0, str(DOCS / "_ext"))

import speed_tables  # noqa: E402 - docs/_ext is no package

PARTS = re.findall(r"\{speed\} (\w+)", (DOCS / "development" / "speed.md").read_text("utf-8"))


def test_the_page_shows_every_part():
    assert sorted(PARTS) == ["cpu", "gpu", "keypoints", "layer", "renderer"]


@pytest.mark.parametrize("part", PARTS)
def test_a_table_has_a_line_for_each_row_of_the_record(part):
    record = json.loads(speed_tables.RECORD.read_text("utf-8"))
    rows = {
        "layer": [row["milliseconds"]["fast"] for row in record["layer"]],
        "renderer": [row["ours_ms"] for row in record["rows"]],
        "keypoints": [row["milliseconds"] for row in record["keypoints"]],
        **{name: list(step["milliseconds"].values()) for name, step in record["steps"].items()},
    }[part]
    lines = [line.replace(",", "") for line in speed_tables.table(part).splitlines()]
    for milliseconds in rows:
        shown = {f"{milliseconds:.{digits}f}" for digits in (2, 3)}
        assert any(shown & set(line.split()) for line in lines), milliseconds


def test_all_is_measured_beside_its_peer_and_in_a_known_commit():
    record = json.loads(speed_tables.RECORD.read_text("utf-8"))
    assert re.fullmatch("[0-9a-f]{12}", record["environment"]["commit"])
    assert all(row["milliseconds"].keys() >= {"smplx", "limit"} for row in record["layer"])
    assert all(row["peer_ms"] for row in record["rows"])
