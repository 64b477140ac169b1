"""How many jobs have ended since that was told last, and how fast."""

from __future__ import annotations

import time


class Tally:
    """Counts the jobs that ended in or between a worker's passes.

    Jobs that were only reserved, or let go of, are not processed.
    """

    def __init__(self) -> None:
        self._told = (0, 0)
        self._since = time.monotonic()

    def begin(self, succeeded: int, failed: int) -> None:
        """A pass begins: idle time before it doesn't slow the rate."""
        if (succeeded, failed) == self._told:
            self._since = time.monotonic()

    def end(self, succeeded: int, failed: int) -> tuple[int, str, float, int] | None:
        """How many ended, "job" or "jobs", how many a second, how many failed; None if
        none ended.
        """
        ended = succeeded + failed - sum(self._told)
        if not ended:
            return None
        seconds = max(time.monotonic() - self._since, 1e-6)
        noun = "job" if ended == 1 else "jobs"
        told = ended, noun, ended / seconds, failed - self._told[1]
        self._told, self._since = (succeeded, failed), time.monotonic()
        return told
