"""One DescribeJobs for every hundred Batch jobs that AWS Batch is to be asked about.

The row of a job says most of what a worker wants to know, and sooner. AWS Batch is
asked about the others, and in between, seldom, about every one.
"""

from __future__ import annotations

import random
import time
from typing import Any

from batchexec.aws.answers import is_throttling
from batchexec.aws.client import MOST_IDS, BatchClient
from batchexec.aws.failures import essence
from batchexec.conf import settings
from batchexec.process.watches import Watch
from jobs.logs import get_logger
from jobs.store.patience import Backoff
from jobs.text import one_line

logger = get_logger(__name__)

#: How much the time between two polls varies, as a part of it, so that many workers
#: don't poll in step.
JITTER = 0.1
#: A Batch job that is due within this part of POLL_INTERVAL is asked about now.
EARLY = 0.5
#: The longest pause after throttling or errors, in seconds.
LONGEST_PAUSE = 60.0


class Poller:
    """Asks AWS Batch about the watches that are due.

    A poll that fails changes nothing that is known of any Batch job.
    """

    def __init__(self, client: BatchClient):
        self._client = client
        self._not_before = 0.0
        first = 2 * _interval()
        self._backoff = Backoff(first, max(first, LONGEST_PAUSE))

    def look(self, watches: list[Watch]) -> float:
        """Polls once; returns the seconds until the next poll."""
        asked_at = time.monotonic()
        if asked_at < self._not_before:  # throttling is waited out
            return self._not_before - asked_at
        chosen = _chosen(watches, asked_at)
        if not chosen:
            return _interval()
        try:
            found = self._describe(chosen)
        except Exception as error:
            return self._put_off(error)
        self._backoff.reset()
        now = time.monotonic()
        for watch in watches:
            if watch.batch_job_id in chosen:
                watch.tell(found.get(watch.batch_job_id), asked_at, now)
        return _interval()

    def _put_off(self, error: Exception) -> float:
        pause = self._backoff.next()
        self._not_before = time.monotonic() + pause
        kind = "is throttling" if is_throttling(error) else "can't be asked"
        logger.warning("AWS Batch %s; next poll in %.0f s: %s", kind, pause, one_line(error))
        return pause

    def _describe(self, chosen: set[str]) -> dict[str, dict[str, Any]]:
        """The essence of each Batch job; the whole JobDetails of a call are dropped."""
        found: dict[str, dict[str, Any]] = {}
        ids = sorted(chosen)
        for start in range(0, len(ids), MOST_IDS):
            described = self._client.describe(ids[start : start + MOST_IDS])
            for batch_job_id, detail in described.items():
                found[batch_job_id] = essence(detail)
        return found


def _chosen(watches: list[Watch], now: float) -> set[str]:
    """The ids that are due, and those due next, as many as cost no further call."""
    soon = now + settings.POLL_INTERVAL * EARLY
    due = {watch.batch_job_id for watch in watches if watch.due <= soon}
    if room := -len(due) % MOST_IDS:
        in_order = sorted(watches, key=lambda watch: watch.due)
        others = dict.fromkeys(watch.batch_job_id for watch in in_order)
        due.update([one for one in others if one not in due][:room] if due else [])
    return due


def _interval() -> float:
    variation = random.uniform(1 - JITTER, 1 + JITTER)  # noqa: S311 (no secret)
    return float(settings.POLL_INTERVAL * variation)
