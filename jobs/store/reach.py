"""Since when a database can be reached: whoever takes others for dead has to know."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager

from jobs.conf import settings
from jobs.store.clock import ticks


class Reach:
    """Of a store, as far as this process knows."""

    #: None: the last call didn't reach it.
    _reached_at: float | None = -math.inf

    @contextmanager
    def reaching(self) -> Iterator[None]:
        """Around calls of the database. The driver may make them wait for an absent
        one, and then succeed: nobody could renew a lease meanwhile.
        """
        began = ticks()
        yield
        if self._reached_at is None or ticks() - began > settings.LEASE / 4:
            self._reached_at = ticks()

    def count_anew(self) -> None:
        """Counts from the next call that reaches it: the last one didn't, or an outage
        may just have ended of which this process knows nothing.
        """
        self._reached_at = None

    def seconds_reachable(self) -> float:
        """How long the database can be reached: since the first call that did after one
        that didn't, or after one that had to wait.
        """
        return 0.0 if self._reached_at is None else ticks() - self._reached_at
