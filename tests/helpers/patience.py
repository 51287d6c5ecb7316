"""How browser tests wait: they act until it shows, and wait as long as this machine needs."""

from __future__ import annotations

import itertools
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:  # where playwright is missing, the other tests run
    from playwright.sync_api import Page

START = 600  # seconds that a first start may take: the machine's pace is not known yet
FLOOR, TIMES = 300, 20  # a state may take these seconds, or as many slowest starts, if that is more
LOOK = 50  # milliseconds between two looks at a state
FRAMES = """n => new Promise(done => {
  const frame = () => n-- ? requestAnimationFrame(frame) : done();
  frame();
})"""


class Pace:
    """How slowly this machine starts a browser, a server, a page."""

    slowest = 0.0

    @contextmanager
    def measured(self) -> Iterator[None]:
        """Measure a start."""
        began = time.monotonic()
        yield
        self.slowest = max(self.slowest, time.monotonic() - began)

    @property
    def limit(self) -> float:
        """Seconds after which a state that has not come will not come."""
        return max(FLOOR, TIMES * self.slowest)

    @property
    def pause(self) -> float:
        """Seconds that an act has to show itself before it is repeated."""
        return max(1.0, self.slowest / 4)


PACE = Pace()


def be_patient(page: Page) -> None:
    """Give playwright's own waits the limit of this machine, as far as it is known."""
    page.set_default_timeout(1000 * PACE.limit)


def act_until(
    page: Page,
    act: Callable[[], object],
    state: str | Callable[[], object],
    says: str,
    pause: float | None = None,
) -> object:
    """Act, and act again, until the page shows that the act was taken; return what it shows.

    A key or a click that comes before its listener is lost without a word. One that is taken late
    is sent twice, so repeating the act must do no harm.

    Args:
        page: where it happens.
        act: what a reader does. It may fail to find its target: then it is repeated.
        state: an expression for the page, or a function; true once the act was taken.
        says: the state in words, for the failure.
        pause: seconds before the act is repeated, doubled each time; this machine's by default.
    """
    from playwright.sync_api import TimeoutError as NothingThere

    shown = state if callable(state) else lambda: page.evaluate(state)
    began, pause = time.monotonic(), PACE.pause if pause is None else pause
    for tries in itertools.count(1):
        missed = None
        try:
            act()
        except NothingThere as error:
            missed = error
        again = time.monotonic() + pause
        while not (found := shown()) and time.monotonic() < again:
            page.wait_for_timeout(LOOK)
        waited = time.monotonic() - began
        if found:
            return found
        if waited > PACE.limit:
            raise AssertionError(f"not after {tries} tries in {waited:.0f} s: {says}") from missed
        pause = min(2 * pause, PACE.limit - waited)
    raise AssertionError("unreachable")


def frames(page: Page, count: int = 3) -> None:
    """Wait until the page has drawn a few frames: it has seen the mouse by then."""
    page.evaluate(FRAMES, count)
