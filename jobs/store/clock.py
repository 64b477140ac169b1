"""The database's clock, by which leases are measured."""

from __future__ import annotations

import datetime as dt
import math
import time
from collections.abc import Callable

from django.utils import timezone

#: The database's clock is asked again after this many seconds; this machine's counts on
#: in between.
CLOCK_KEPT_FOR = 30.0
#: If an answer took longer than this many seconds, nobody knows well enough which
#: instant it tells: the clock is asked again, up to so many times in all.
LONG, TIMES = 0.1, 5


class DatabaseClock:
    """The database's time, which `read` asks it for, in UTC."""

    def __init__(self, read: Callable[[], dt.datetime]):
        self._read = read
        self._known: tuple[dt.datetime, float] | None = None

    def now(self) -> dt.datetime:
        known = self._known
        if known is None or ticks() - known[1] > CLOCK_KEPT_FOR:
            self._known = known = self._asked()
        told, at = known
        return told + dt.timedelta(seconds=ticks() - at)

    def _asked(self) -> tuple[dt.datetime, float]:
        """The time that the quickest answer told, and when that was."""
        quickest = math.inf
        for _ in range(TIMES):
            asked = ticks()
            told = self._read()
            took = ticks() - asked
            if took < quickest:
                quickest, known = took, (told, asked + took / 2)
            if quickest <= LONG:
                break
        return known


def ticks() -> float:
    """Seconds of a clock that nobody sets."""
    if hasattr(time, "CLOCK_BOOTTIME"):  # goes on while the machine is suspended
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def aware(value: dt.datetime) -> dt.datetime:
    return value if timezone.is_aware(value) else value.replace(tzinfo=dt.timezone.utc)
