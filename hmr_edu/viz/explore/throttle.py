"""Paint less often than a slider moves: at its first event, after its last, at times between."""

from __future__ import annotations

import asyncio
import time
from collections.abc import Callable


class Throttle:
    """Calls `action` at most once in `every` seconds, and always once more after the last request.

    Without an event loop (a plain script, a test) nothing can be put off: every request acts at
    once.
    """

    def __init__(self, action: Callable[[], None], every: float = 0.03) -> None:
        self.action, self.every = action, every
        self._last = -float("inf")
        self._waiting: asyncio.TimerHandle | None = None

    def request(self) -> None:
        """Ask for the action, now or soon."""
        if self._waiting is not None:
            return  # the action is due, and will see the newest values
        try:
            loop = asyncio.get_running_loop()
        except RuntimeError:
            return self.flush()
        wait = self._last + self.every - time.monotonic()
        if wait <= 0:
            return self.flush()
        self._waiting = loop.call_later(wait, self.flush)

    def flush(self) -> None:
        """Act now, and drop what was put off."""
        if self._waiting is not None:
            self._waiting.cancel()
            self._waiting = None
        self.action()
        # Counted from the action's end, so that a slow one leaves time for the sliders' messages.
        self._last = time.monotonic()
