"""What the records say of the claims, by one rule for all of them."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Any

from scipy.stats import t

from hmr_edu.experiments.claims.catalogue import find
from hmr_edu.experiments.design import Forecast
from hmr_edu.experiments.results_table import TITLES, mean_and_spread, values
from hmr_edu.io.tables import markdown_table

# A difference of less than this share is none.
NO_WORSE = 0.02
WORDS = {"yes": "holds", "no": "does not hold", "open": "not settled"}


def verdict(record: dict[str, Any], forecast: Forecast) -> str:
    """Say whether a record bears a forecast out: "yes", "no", or "open".

    A difference stands when a paired t-test over the seeds finds it at the level of 5 %. That one
    is no worse than the other ("<=") is borne out when the test's interval excludes that it is
    worse by more than 2 %. With one seed nothing stands.
    """
    pairs = zip(
        values(record, forecast.better, forecast.measure),
        values(record, forecast.worse, forecast.measure),
        strict=False,
    )
    gains = [worse - better for better, worse in pairs]
    if len(gains) < 2:
        return "open"
    mean, spread = mean_and_spread(gains)
    uncertain = t.ppf(0.975, len(gains) - 1) * spread / math.sqrt(len(gains))
    if mean < -uncertain:
        return "no"
    if forecast.relation == "<=":
        worse_mean, _ = mean_and_spread(values(record, forecast.worse, forecast.measure))
        return "yes" if mean - uncertain > -NO_WORSE * worse_mean else "open"
    return "yes" if mean > uncertain else "open"


def result(record: dict[str, Any], forecast: Forecast) -> str:
    """Say what both sides of a forecast measured."""
    title, unit, digits = TITLES[forecast.measure]
    sides = []
    for variant in (forecast.better, forecast.worse):
        mean, spread = mean_and_spread(values(record, variant, forecast.measure))
        sides.append(f"{variant}: {mean:.{digits}f} ± {spread:.{digits}f}")
    return f"{title}{f' ({unit})' if unit else ''} {'; '.join(sides)}"


def claims_table(records: Iterable[dict[str, Any]]) -> str:
    """Lay out claims, sources, results and verdicts as Markdown, a row a forecast."""
    rows: list[list[str]] = []
    for record in records:
        claim = [record["claim"], f"{record['source']} (`{record['name']}`)"]
        for forecast in find(record["name"]).predicts:
            word = WORDS[verdict(record, forecast)]
            rows.append([*claim, forecast.says, result(record, forecast), f"**{word}**"])
            claim = ["", ""]  # said once
    return markdown_table(("claim", "source", "forecast", "result", "verdict"), rows)
