"""How the parts of `hmr-edu bench` are timed."""

from __future__ import annotations

from collections.abc import Callable

import torch
from torch.utils.benchmark import Timer


def milliseconds(call: Callable[[], object], seconds: float) -> float:
    """Return the median time of a call; `seconds` are spent on measuring it."""
    timer = Timer("call()", globals={"call": call}, num_threads=torch.get_num_threads())
    return 1e3 * timer.blocked_autorange(min_run_time=seconds).median
