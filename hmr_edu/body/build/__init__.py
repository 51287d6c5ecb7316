"""Build the free body from CC0 data; this needs the package's `build` extra."""

from hmr_edu.body.build.measure import measure
from hmr_edu.body.build.pipeline import build_body

__all__ = ["build_body", "measure"]
