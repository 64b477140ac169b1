"""How many calls a second AWS Batch takes from an account."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from batchexec.local.errors import ApiError


class Throttle:
    """A bucket of tokens: `rate` calls a second, and as many at once after a pause.

    All operations share it. A rate of None admits everything.
    """

    def __init__(self, rate: float | None, clock: Callable[[], float] = time.monotonic):
        if rate is not None and not 1 <= rate < float("inf"):
            raise ValueError(f"At least one call a second must be taken, not {rate}.")
        self._rate = rate
        self._clock = clock
        self._tokens = rate or 0
        self._filled_at = clock()
        self._lock = threading.Lock()

    def admit(self) -> None:
        """Raises AWS's 429 if there were too many calls. The refused ones are free."""
        if self._rate is None:
            return
        with self._lock:
            now = self._clock()
            gained = (now - self._filled_at) * self._rate
            self._tokens = min(self._rate, self._tokens + gained)
            self._filled_at = now
            if self._tokens < 1:
                raise ApiError(429, "TooManyRequestsException", "Too Many Requests")
            self._tokens -= 1
