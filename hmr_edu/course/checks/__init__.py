"""One check for every exercise: `check_<name>(your_function)` -> `Report`."""

from __future__ import annotations
