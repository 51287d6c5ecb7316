"""Tables as text: aligned columns for a terminal, Markdown for a page."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

from tabulate import DataRow, TableFormat, tabulate

# One space around each cell. The Markdown formats of tabulate pad every cell to the width of its
# column, which is that of the longest sentence in it.
_MARKDOWN = TableFormat(
    lineabove=None,
    linebelowheader=lambda widths, _: "|" + "---|" * len(widths),
    linebetweenrows=None,
    linebelow=None,
    headerrow=DataRow("| ", " | ", " |"),
    datarow=DataRow("| ", " | ", " |"),
    padding=0,
    with_header_hide=None,
)


def text_table(rows: Sequence[Sequence[str]]) -> str:
    """Align cells in columns: the first column to the left, the others to the right.

    The first rows may be titles and units; they are treated like all other rows. Raises ValueError
    when rows differ in length.
    """
    columns = _columns(rows)
    alignment = ["left", *["right"] * (columns - 1)]
    text = tabulate(rows, tablefmt="plain", colalign=alignment, disable_numparse=True)
    return "\n".join(line.rstrip() for line in text.splitlines())


def markdown_table(titles: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Format cells as a Markdown table.

    Raises ValueError when a row differs in length from the titles.
    """
    rows = list(rows)
    _columns([titles, *rows])
    return tabulate(rows, titles, tablefmt=_MARKDOWN, stralign=None, disable_numparse=True)


def number_cell(value: float | int | None, digits: int = 1, factor: float | int = 1) -> str:
    """Format `factor` times a number for a cell; "-" when the number is None."""
    return "-" if value is None else f"{factor * value:.{digits}f}"


def _columns(rows: Sequence[Sequence[str]]) -> int:
    """Return the number of cells in each row."""
    lengths = sorted({len(row) for row in rows})
    if len(lengths) != 1:
        raise ValueError(f"the rows of a table need as many cells each, got {lengths}")
    return lengths[0]
