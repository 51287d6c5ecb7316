"""Measure how long a body takes to move: python scripts/browser/explorer_latency.py [presses]."""

import statistics
import sys
import tempfile
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[2] / "tests"))

from helpers.lab import Lab, handle, latencies, launch, new_page, open_explorers
from playwright.sync_api import sync_playwright

CELLS = "from hmr_edu.viz.explore import explore_shape", "explore_shape()"


def main(presses: int) -> None:
    """Print the median, the least and the worst time of a beta's slider on the "lite" body."""
    with (
        tempfile.TemporaryDirectory() as folder,
        Lab(Path(folder) / "home") as lab,
        sync_playwright() as playwright,
    ):
        browser = launch(playwright)
        page = new_page(browser)
        (first,) = open_explorers(page, lab.notebook("latency", *CELLS), cells_before=1)
        print(f"from running the cell to the first picture: {first:.1f} s")
        found = latencies(page, handle(page, "beta 0"), presses)
        print(
            f"key to painted, {presses} presses: median {statistics.median(found):.0f} ms, "
            f"least {min(found):.0f}, worst {max(found):.0f}"
        )
        browser.close()


if __name__ == "__main__":
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 40)
