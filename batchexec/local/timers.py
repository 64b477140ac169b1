"""Runs callbacks at a later time, all on one thread."""

from __future__ import annotations

import heapq
import itertools
import logging
import threading
import time
from collections.abc import Callable

#: Seconds until the thread looks at its timers again.
LONGEST_WAIT = 3600

logger = logging.getLogger(__name__)


class Timer:
    """A callback to come. `cancel()` drops it, and does nothing once it has run."""

    def __init__(self, callback: Callable[[], None]):
        self.callback: Callable[[], None] | None = callback

    def cancel(self) -> None:
        self.callback = None


class Timers:
    """Runs callbacks in the order of their times. Waiting for many costs nothing."""

    def __init__(self) -> None:
        self._due: list[tuple[float, int, Timer]] = []
        self._order = itertools.count()
        self._changed = threading.Condition()
        self._closed = False
        self._thread = threading.Thread(target=self._run, name="localbatch-timers", daemon=True)
        self._thread.start()

    def after(self, seconds: float, callback: Callable[[], None]) -> Timer:
        """Calls `callback()` once, `seconds` from now. It must not block."""
        timer = Timer(callback)
        with self._changed:
            heapq.heappush(self._due, (time.monotonic() + seconds, next(self._order), timer))
            self._changed.notify()
        return timer

    def close(self) -> None:
        """Drops the callbacks to come and ends the thread."""
        with self._changed:
            self._closed = True
            self._changed.notify()
        self._thread.join()

    def _run(self) -> None:
        while timer := self._next():
            callback = timer.callback
            try:
                if callback:
                    callback()
            except Exception:
                logger.exception("A timer's callback failed.")

    def _next(self) -> Timer | None:
        with self._changed:
            while not self._closed:
                wait = self._due[0][0] - time.monotonic() if self._due else None
                if wait is not None and wait <= 0:
                    return heapq.heappop(self._due)[2]
                # No lock can be waited for longer than some centuries.
                self._changed.wait(wait and min(wait, LONGEST_WAIT))
            return None
