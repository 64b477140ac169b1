"""How fast one process submits.

AWS Batch takes 50 jobs a second from an account and region, and refuses the others.
"""

from __future__ import annotations

import math
import threading
import time

from batchexec.conf import settings

#: Throttling halves the rate, at most once in this many seconds: submissions that are
#: under way together are refused together.
ONCE_IN = 1.0
#: The smallest part of the rate that throttling leaves.
LEAST = 1 / 64
#: The part of the rate that each accepted submission brings back.
RECOVERY = 0.01


class Pacer:
    """Turns to submit, `SUBMIT_RATE` a second, for all the slots of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0
        self._part = 1.0
        self._halved_at = -math.inf

    @property
    def rate(self) -> float:
        """How many turns a second there are now; 0 means no limit."""
        return float(settings.SUBMIT_RATE) * self._part

    def turn(self) -> float:
        """Takes a turn, and returns how many seconds to wait for it."""
        rate = self.rate
        if not rate:
            return 0.0
        with self._lock:
            now = time.monotonic()
            mine = max(now, self._next)
            self._next = mine + 1 / rate
            return mine - now

    def throttled(self) -> None:
        """AWS Batch refused a submission because there were too many."""
        with self._lock:
            now = time.monotonic()
            if now - self._halved_at >= ONCE_IN:
                self._halved_at = now
                self._part = max(self._part / 2, LEAST)

    def accepted(self) -> None:
        """AWS Batch took a submission."""
        with self._lock:
            self._part = min(self._part + RECOVERY, 1.0)
