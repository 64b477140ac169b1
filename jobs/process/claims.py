from __future__ import annotations

import datetime as dt
import time
from typing import TYPE_CHECKING, Any

from jobs.models import State
from jobs.store.patience import until_available

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.base import Store
    from jobs.worker import Worker

#: What this machine's and the database's count of seconds may differ by while the database can't be reached.
CLOCKS_DIFFER = 1.0


class Reserving:
    """Claims jobs for a worker; also where the reply to a claim is lost: that job is its own, and nobody else would take it."""

    def __init__(self, worker: Worker):
        self._worker = worker
        self._in_hand: set[Any] = set()

    def next(self, store: Store[Any], limit: int) -> list[AbstractJob]:
        """Up to `limit` next jobs, in one statement where the database can; none, too, where the worker is told to stop before
        the database answers."""
        began = time.monotonic()

        def claim_again() -> list[AbstractJob]:
            since = store.now() - dt.timedelta(seconds=time.monotonic() - began + CLOCKS_DIFFER)
            where = {"state": State.RUNNING, "locked_by": self._worker.name, "updated_at__gte": since}
            taken = store.find(where, limit=len(self._in_hand) + limit)
            return [job for job in taken if job.pk not in self._in_hand][:limit] or store.claim(self._worker, limit)

        jobs = until_available(store, lambda: store.claim(self._worker, limit), self._worker.stopping, again=claim_again) or []
        self._in_hand.update(job.pk for job in jobs)
        return jobs

    def is_done_with(self, job: AbstractJob) -> None:
        self._in_hand.discard(job.pk)
