"""Fewer paintings than slider events: the first at once, the last always, few between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Throttle:
    """Calls `action` at most once in `every` seconds, and always once more after the last request.

    Where no event loop runs (a plain script, a test), nothing could be put off: every request acts
    at once.
    """

    def __init__(self, action: Callable[[], None], every: float = 0.03) -> None:
        self.action, self.every = action, every
        self._last = -float("inf")
        self._waiting: asyncio.TimerHandle | None = None

    def request(self) -> None:
        """Ask for the action, now or soon."""
        if self._waiting is not None:
            return  # one is due, and will see the newest values
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self.flush()
        left = self._last + self.every - time.monotonic()
        if left <= 0:
            return self.flush()
        self._waiting = loop.call_later(left, self.flush)

    def flush(self) -> None:
        """Act now, and forget what was put off."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        self.action()
        # Counted from the end: a slow action leaves the loop time for the sliders' messages.
        self._last = time.monotonic()
