"""Places for a layered drawing: nodes in rows, lines that run between them and never behind them.

Sugiyama's method, in short: a line that skips rows gets a narrow stand-in in each of them.
Rows are ordered by where their neighbours are, then spread as far as their widths ask for.
"""

from itertools import pairwise

import numpy as np
from scipy.optimize import isotonic_regression

Line = tuple[str, str]
GAP, NARROW = 14, 8  # between neighbours, and the width of a stand-in


def stand_ins(rows: list[list[str]], lines: set[Line]) -> dict[Line, list[str]]:
    """Add stand-ins to the rows, in place; return the nodes of each line, ends included."""
    row_of = {node: i for i, row in enumerate(rows) for node in row}
    paths = {}
    for start, end in sorted(lines):
        skipped = range(row_of[start] + 1, row_of[end])
        between = [f"{start}>{end}@{i}" for i in skipped]
        for i, node in zip(skipped, between, strict=True):
            rows[i].append(node)
        paths[start, end] = [start, *between, end]
    return paths


def lay_out(
    rows: list[list[str]], lines: set[Line], width: float, box: float
) -> tuple[dict[str, float], dict[Line, list[str]]]:
    """Return each node's x in [0, width], stand-ins included, and the nodes that a line passes."""
    rows = [list(row) for row in rows]
    nodes = {node for row in rows for node in row}
    paths = stand_ins(rows, lines)
    near: dict[str, list[str]] = {node: [] for row in rows for node in row}
    for path in paths.values():
        for upper, lower in pairwise(path):
            near[upper].append(lower)
            near[lower].append(upper)
    x: dict[str, float] = {}
    for row in rows:
        x |= dict(zip(row, np.linspace(0, width, len(row) + 2)[1:-1].tolist(), strict=True))
    for sweep in range(240):
        for row in rows if sweep % 2 else rows[::-1]:
            wished = {node: float(np.mean([x[n] for n in near[node]] or [x[node]])) for node in row}
            if sweep < 30:  # afterwards the order stays
                row.sort(key=lambda node, wished=wished: wished[node])
            widths = np.array([box if node in nodes else NARROW for node in row])
            steps = np.concatenate([[0], (widths[:-1] + widths[1:]) / 2 + GAP]).cumsum()
            free = isotonic_regression(np.array([wished[node] for node in row]) - steps).x
            last = width - widths[-1] / 2 - steps[-1]
            placed = np.clip(free, min(widths[0] / 2, last), last) + steps
            x |= dict(zip(row, placed.tolist(), strict=True))
    return x, paths
