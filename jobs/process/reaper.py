"""Jobs whose watcher is gone, or lets go: what becomes of each is decided in one place.

In this order: the watcher is the runner, so the execution died with it: a failed attempt. It is executed elsewhere: it is
detached, and only a worker that hands over may take it. Nobody began to execute it: it is ready again.
"""

from __future__ import annotations

import datetime as dt
import logging
import time
from typing import TYPE_CHECKING, Any

from jobs import transitions
from jobs.conf import settings
from jobs.exceptions import Lost
from jobs.execution import outcomes
from jobs.models import State
from jobs.runner import worker_runner
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.base import Store
    from jobs.worker import Worker

logger = logging.getLogger("jobs.worker")

#: Succeeded jobs that were kept for long enough are looked for every so many seconds.
FORGET_INTERVAL = 60.0
#: Expired leases read at once.
BATCH = 500


class Reaper:
    def __init__(self, worker: Worker):
        self._worker = worker
        self._forgot_at = float("-inf")

    @property
    def _store(self) -> Store[Any]:
        return store_for(self._worker.model)

    def promote(self) -> int:
        """Makes every scheduled job ready that is due, by the database's clock."""
        now = self._store.now()
        return self._store.change_many({"state": State.SCHEDULED, "run_at__lte": now}, {"state": State.READY, "updated_at": now})

    def reap(self) -> None:
        """Releases every job whose lease has expired.

        Not right after the database couldn't be reached: nobody could renew a lease then, and the living get the time to.
        """
        if self._store.seconds_reachable() < settings.LEASE / 2:
            return
        cutoff = self._store.now() - dt.timedelta(seconds=settings.LEASE)
        self._release({"state": State.RUNNING, "locked_at__lt": cutoff}, "its lease had expired")

    def forget_succeeded(self) -> None:
        """Deletes jobs that have been kept after success for as long as the setting says; looked for once in a while."""
        kept = settings.KEEP_SUCCEEDED_FOR
        if not kept or time.monotonic() - self._forgot_at < FORGET_INTERVAL:
            return
        self._forgot_at = time.monotonic()
        cutoff = self._store.now() - dt.timedelta(seconds=kept)
        self._store.delete_many({"state": State.SUCCEEDED, "finished_at__lt": cutoff})

    def release_all(self) -> None:
        """Releases every job that is locked by this worker's name."""
        self._release({"state": State.RUNNING, "locked_by": self._worker.name}, "it was let go of")

    def _release(self, where: dict[str, Any], why: str) -> None:
        seen: set[Any] = set()
        while jobs := [job for job in self._store.find(where, limit=BATCH) if job.pk not in seen]:
            # First those that died with their watcher, which the statement below would take along.
            for job in jobs:
                seen.add(job.pk)
                if not _is_elsewhere(job):
                    self._release_one(job, why)
            if any(_is_elsewhere(job) for job in jobs):
                # However many: one statement, by the conditions and not by what was read.
                changes = {**transitions.UNLOCKED, "state": State.DETACHED, "updated_at": self._store.now()}
                count = self._store.change_many({**where, "handed_over": True}, changes)
                logger.info("[%s] %d jobs go on without a watcher: %s", self._worker, count, why)

    def _release_one(self, job: AbstractJob, why: str) -> None:
        if job.runner:
            text = f"The worker {job.locked_by} that performed it is gone: {why}."
            # A renewal since the row was read wins.
            outcomes.failed(self._worker, job, Lost(text), {**transitions.as_seen(job), "locked_at": job.locked_at})
        elif transitions.requeue(job):
            logger.info("[%s] Job %s is ready again: %s", self._worker, job, why)


def _is_elsewhere(job: AbstractJob) -> bool:
    return job.handed_over and job.runner != worker_runner(job.locked_by, job.epoch)
