"""What ListJobs knows of the jobs, which is what was true some time ago.

DescribeJobs shows a job as it is. How late ListJobs is isn't documented by AWS.
"""

from __future__ import annotations

import time
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from batchexec.local.job import Job
from batchexec.local.lag import Lag


@dataclass(frozen=True)
class Entry:
    """A job as ListJobs shows it: `summary` is its JobSummary."""

    job: Job
    status: str
    summary: dict[str, Any]


class Index:
    """The entries of all jobs. Hold the scheduler's lock while you use it."""

    def __init__(self, lag: Lag):
        self._lag = lag
        # For each job: its entries and when each is shown, the one shown now first.
        self._history: dict[str, deque[tuple[float, Entry]]] = {}

    def note(self, job: Job) -> None:
        """Has the job shown as it is now, after the lag. Changes keep their order."""
        history = self._history.setdefault(job.id, deque())
        shown_at = time.monotonic() + self._lag.draw()
        if history:
            shown_at = max(shown_at, history[-1][0])
        history.append((shown_at, Entry(job, job.status, job.summary())))

    def forget(self, job_id: str) -> None:
        self._history.pop(job_id, None)

    def entries(self) -> Iterator[Entry]:
        now = time.monotonic()
        for history in self._history.values():
            while len(history) > 1 and history[1][0] <= now:
                history.popleft()
            if history[0][0] <= now:
                yield history[0][1]
