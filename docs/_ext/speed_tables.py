"""The directive `{speed} PART`: a table of the record that `hmr-edu bench` has left."""

import json
from pathlib import Path
from typing import Any

from docutils import nodes
from sphinx.application import Sphinx
from sphinx.util.docutils import SphinxDirective

import hmr_edu
from hmr_edu.cli.bench import Row, peer_table
from hmr_edu.cli.bench_keypoints import Speed, speed_table
from hmr_edu.cli.bench_layer import LayerSpeed, layer_table
from hmr_edu.cli.bench_step import StepShares

RECORD = Path(hmr_edu.__file__).parent / "assets" / "speed.json"


def table(part: str) -> str:
    """Return one part of the record as the command prints it.

    Raises KeyError on a part that the record lacks.
    """
    record = json.loads(RECORD.read_text(encoding="utf-8"))
    if part == "layer":
        return layer_table([LayerSpeed(**row) for row in record["layer"]])
    if part == "renderer":
        return peer_table([Row(r["what"], r["ours_ms"], r["peer_ms"]) for r in record["rows"]])
    if part == "keypoints":
        return speed_table([Speed(**speed) for speed in record["keypoints"]])
    return str(StepShares(**record["steps"][part]))


class SpeedTable(SphinxDirective):
    """The part of the record that the argument names."""

    required_arguments = 1

    def run(self) -> list[nodes.Node]:
        """Return the table as it is printed."""
        self.env.note_dependency(str(RECORD))
        text = table(self.arguments[0])
        return [nodes.literal_block(text, text, language="text")]


def setup(app: Sphinx) -> dict[str, Any]:
    """Make the directive known."""
    app.add_directive("speed", SpeedTable)
    return {"parallel_read_safe": True}
