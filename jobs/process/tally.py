"""How many jobs have ended since that was told last, and how fast."""

from __future__ import annotations

import threading
import time


class Tally:
    """Counts the jobs that ended in or between a worker's passes.

    Jobs that were only reserved, or let go of, are not processed.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._succeeded = self._failed = 0
        self._told = self.counts
        self._since = time.monotonic()

    @property
    def counts(self) -> tuple[int, int]:
        """How many succeeded, and how many failed."""
        return self._succeeded, self._failed

    def count(self, result: bool | None) -> None:
        """A job succeeded, or failed; None: neither."""
        with self._lock:
            self._succeeded += result is True
            self._failed += result is False

    def begin(self) -> None:
        """A pass begins: idle time before it doesn't slow the rate."""
        if self.counts == self._told:
            self._since = time.monotonic()

    def end(self) -> tuple[int, str, float, int] | None:
        """How many ended, "job" or "jobs", how many a second, how many failed; None if
        none ended.
        """
        counts = self.counts
        ended = sum(counts) - sum(self._told)
        if not ended:
            return None
        seconds = max(time.monotonic() - self._since, 1e-6)
        noun = "job" if ended == 1 else "jobs"
        told = ended, noun, ended / seconds, counts[1] - self._told[1]
        self._told, self._since = counts, time.monotonic()
        return told
