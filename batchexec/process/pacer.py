"""How fast one process submits: AWS Batch takes 50 jobs a second of a whole account and region, and answers 429 to the rest."""

from __future__ import annotations

import math
import threading
import time

from batchexec.conf import settings

#: After throttling, the rate is halved; at most once in so many seconds, because what is under way together is refused together.
ONCE_IN = 1.0
#: The part of the rate that is always left, and the part that comes back with each submission that is accepted.
LEAST = 1 / 64
RECOVERY = 0.01


class Pacer:
    """Turns to submit, `SUBMIT_RATE` a second, shared by the slots of a process."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._next = 0.0
        self._part = 1.0
        self._halved_at = -math.inf

    @property
    def rate(self) -> float:
        """Turns a second, as of now; 0: no limit."""
        return float(settings.SUBMIT_RATE) * self._part

    def turn(self) -> float:
        """Takes a turn, and returns how many seconds there are until it comes."""
        rate = self.rate
        if not rate:
            return 0.0
        with self._lock:
            now = time.monotonic()
            mine = max(now, self._next)
            self._next = mine + 1 / rate
            return mine - now

    def throttled(self) -> None:
        with self._lock:
            now = time.monotonic()
            if now - self._halved_at >= ONCE_IN:
                self._halved_at = now
                self._part = max(self._part / 2, LEAST)

    def accepted(self) -> None:
        with self._lock:
            self._part = min(self._part + RECOVERY, 1.0)
