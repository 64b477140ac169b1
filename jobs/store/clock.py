"""The database's clock, by which leases are measured."""

from __future__ import annotations

import datetime as dt
import time
from collections.abc import Callable

from django.utils import timezone

#: The database's clock is asked again after this many seconds; this machine's counts on
#: in between.
CLOCK_KEPT_FOR = 30.0
#: An answer that took longer, in seconds, may be as old as that: it is asked for again,
#: so many times in all, and the quickest one counts.
QUICK, TRIES = 0.5, 3


class DatabaseClock:
    """The database's time, which `read` asks it for, in UTC."""

    def __init__(self, read: Callable[[], dt.datetime]):
        self._read = read
        self._known: tuple[dt.datetime, float] | None = None

    def now(self) -> dt.datetime:
        if self._known is None or ticks() - self._known[1] > CLOCK_KEPT_FOR:
            self._known = self._ask()
        told, at = self._known
        return told + dt.timedelta(seconds=ticks() - at)

    def _ask(self) -> tuple[dt.datetime, float]:
        """What it tells, and when that was by this machine's clock."""
        answers = []
        for _ in range(TRIES):
            asked = ticks()
            told = self._read()
            took = ticks() - asked
            answers.append((took, told, asked + took / 2))
            if took <= QUICK:
                break
        _, told, at = min(answers)
        return told, at


def ticks() -> float:
    """Seconds of a clock that nobody sets."""
    if hasattr(time, "CLOCK_BOOTTIME"):  # goes on while the machine is suspended
        return time.clock_gettime(time.CLOCK_BOOTTIME)
    return time.monotonic()


def aware(value: dt.datetime) -> dt.datetime:
    return value if timezone.is_aware(value) else value.replace(tzinfo=dt.timezone.utc)
