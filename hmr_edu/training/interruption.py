"""Ctrl-C and SIGTERM: a training ends after its step, with a checkpoint, not within the step."""

from __future__ import annotations

import signal
import threading
from collections.abc import Generator
from contextlib import contextmanager
from types import FrameType

# What a terminal sends on Ctrl-C, and what a cluster sends before it takes the machine away.
SIGNALS = (signal.SIGINT, signal.SIGTERM)


@contextmanager
def interruptible() -> Generator[threading.Event]:
    """Yield an event that the first signal sets; the block goes on and ends when it can.

    The second signal acts as it would outside the block. Signals are left alone outside the main
    thread, where Python lets nobody handle them.
    """
    asked = threading.Event()
    before = {number: signal.getsignal(number) for number in SIGNALS}

    def restore() -> None:
        for number, handler in before.items():
            signal.signal(number, handler)

    def remember(number: int, frame: FrameType | None) -> None:
        asked.set()
        restore()

    if threading.current_thread() is not threading.main_thread():
        yield asked
        return
    for number in SIGNALS:
        signal.signal(number, remember)
    try:
        yield asked
    finally:
        restore()
