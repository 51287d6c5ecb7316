"""Tables as text: what a reader sees, written down by hand."""

import pytest

from hmr_edu.io.tables import markdown_table, number_cell, text_table


def test_titles_units_and_numbers_end_at_one_place():
    rows = [
        ["", "MPJPE", "PA"],
        ["", "mm", ""],
        ["mean theta", "120.5", "-"],
        ["a ± b", "7.0 ± 0.1", "007"],
    ]
    assert text_table(rows).split("\n") == [
        "                MPJPE   PA",
        "                   mm",
        "mean theta      120.5    -",
        "a ± b       7.0 ± 0.1  007",
    ]


def test_markdown_has_one_space_around_a_cell():
    table = markdown_table(("claim", "result"), [("a long sentence", "1.50"), ("", "007")])
    assert table.split("\n") == [
        "| claim | result |",
        "|---|---|",
        "| a long sentence | 1.50 |",
        "|  | 007 |",
    ]


def test_a_number_that_is_not_there():
    assert number_cell(None) == "-"
    assert number_cell(0.12347, 2, factor=100) == "12.35"
    assert number_cell(0.0) == "0.0"


@pytest.mark.parametrize("rows", [[["a", "b"], ["c"]], []])
def test_rows_that_make_no_table(rows):
    with pytest.raises(ValueError, match="as many cells each"):
        text_table(rows)
    with pytest.raises(ValueError, match="as many cells each"):
        markdown_table(["one", "two", "three"], rows or [["a"]])
