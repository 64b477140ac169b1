"""Jobs that nobody watches now, and jobs that are due: what becomes of each.

A job whose watcher is gone, or lets go, is decided in this order. The watcher is the
runner, so the execution died with it: a failed attempt. It is executed elsewhere: it is
detached, and only a worker that hands over may take it. Nobody began to execute it: it
is ready again.
"""

from __future__ import annotations

import datetime as dt
import math
import threading
import time
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs import transitions
from jobs.conf import settings
from jobs.exceptions import Lost
from jobs.logs import about_the_job, get_logger
from jobs.logs.error_text import for_log
from jobs.process.forgetting import Forgetting
from jobs.process.pruner import Pruner
from jobs.runner import worker_runner
from jobs.states import State
from jobs.store import store_for
from jobs.store.patience import brief, until_available

if TYPE_CHECKING:
    from jobs.execution.outcomes import Recorder
    from jobs.models import AbstractJob
    from jobs.store.base import Store

logger = get_logger(__name__)

#: A busy worker promotes and reaps at most this often, in seconds.
MAINTENANCE_INTERVAL = 1.0
#: Leases that no worker writes are looked for this often, in seconds.
ODD_INTERVAL = 60.0
#: For how many seconds a worker that stops waits for a database that can't be reached.
PATIENCE_AT_END = 5.0
#: Expired leases read at once.
BATCH = 500


class Reaper:
    """Keeps one table of jobs in order. `recorder` writes the failed attempts that it
    finds.
    """

    def __init__(self, model: type[AbstractJob], recorder: Recorder):
        self._model = model
        self._recorder = recorder
        self._maintained_at = -math.inf
        self._odd_at = time.monotonic()
        self._chores = (Forgetting(model), Pruner())

    @property
    def _store(self) -> Store[Any]:
        return store_for(self._model)

    @property
    def is_due(self) -> bool:
        return time.monotonic() - self._maintained_at >= MAINTENANCE_INTERVAL

    def maintain(self, stopping: threading.Event, *, always: bool = False) -> None:
        """Promotes, reaps and forgets, if that is due; waits for the database
        meanwhile.
        """
        if not always and not self.is_due:
            return
        self._maintained_at = time.monotonic()
        for step in (self.promote, self.reap, *(chore.do_if_due for chore in self._chores)):
            until_available(self._store, step, stopping)

    def promote(self) -> int:
        """Makes every scheduled job ready that is due, by the database's clock."""
        now = self._store.now()
        due = {"state": State.SCHEDULED, "run_at__lte": now}
        return self._store.change_many(due, {"state": State.READY, "updated_at": now})

    def reap(self) -> None:
        """Releases every job whose lease has expired.

        Not right after the database couldn't be reached: nobody could renew a lease
        then, so the living get the time to, from when it is seen again.
        """
        with self._store.reaching():
            expired = transitions.lease_expired(self._store)
            any_expired = self._store.ids(expired, limit=1)
        if self._store.seconds_reachable() < settings.LEASE / 2:
            return
        if any_expired:
            self._release(expired, "its lease had expired")
        self._release_odd_leases()

    def let_go_of_all(self, worker_name: str) -> None:
        """Releases every job that is locked by the worker of that name.

        If the database can't be reached for a while, the locks expire.
        """
        where = {"state": State.RUNNING, "locked_by": worker_name}
        release, never = partial(self._release, where, "it was let go of"), threading.Event()
        try:
            until_available(self._store, release, never, give_up_after=PATIENCE_AT_END)
        except Exception as error:
            if not self._store.is_unavailable(error):
                raise
            text = "[%s] Its locks could not be released, so they expire (%s)"
            logger.warning(text, self._recorder, brief(error))

    def _release(self, where: dict[str, Any], why: str) -> None:
        seen: set[Any] = set()
        while jobs := [job for job in self._store.find(where, BATCH) if job.pk not in seen]:
            # First those that died with their watcher, before the statement takes them.
            for job in jobs:
                seen.add(job.pk)
                if not _is_elsewhere(job):
                    self._release_or_condemn(job, why)
            if any(_is_elsewhere(job) for job in jobs):
                self._detach_all(where, why)

    def _detach_all(self, where: dict[str, Any], why: str) -> None:
        """One statement however many there are, by the conditions and not by what was
        read.
        """
        now = self._store.now()
        detached = {**transitions.UNLOCKED, "state": State.DETACHED, "updated_at": now}
        count = self._store.change_many({**where, "handed_over": True}, detached)
        which = "1 job goes" if count == 1 else f"{count} jobs go"
        logger.info("[%s] %s on without a watcher: %s", self._recorder, which, why)

    def _release_odd_leases(self) -> None:
        """Leases that no worker writes, and that would never expire."""
        if time.monotonic() - self._odd_at < ODD_INTERVAL:
            return
        self._odd_at = time.monotonic()
        latest = self._store.now() + dt.timedelta(seconds=2 * settings.LEASE)
        for job in self._store.odd_leases(latest, BATCH):
            self._release_or_condemn(job, "its lease was not one that a worker writes")

    def _release_or_condemn(self, job: AbstractJob, why: str) -> None:
        """Whatever a row contains, the next one gets its turn."""
        with about_the_job(job):
            try:
                job.require_readable()
                if not self._release_one(job, why) and self._is_unchanged(job):
                    raise ValueError("The row's own values don't find it again.")
            except Exception as error:
                if self._store.is_unavailable(error):
                    raise
                self._condemn(job, error)

    def _condemn(self, job: AbstractJob, error: Exception) -> None:
        try:
            self._recorder.condemned(job, error)
        except Exception as refused:
            if self._store.is_unavailable(refused):
                raise
            text = "[%s] Job %s can't even be made to fail: %s"
            logger.error(text, self._recorder, job, for_log(refused))

    def _is_unchanged(self, job: AbstractJob) -> bool:
        row = self._store.get(job.pk)
        names = [field.attname for field in self._model._meta.concrete_fields]
        return row is not None and all(getattr(row, n) == getattr(job, n) for n in names)

    def _release_one(self, job: AbstractJob, why: str) -> bool:
        if _is_elsewhere(job):
            return transitions.detach(job)
        if job.runner:
            error = Lost(f"The worker {job.locked_by} that performed it is gone: {why}.")
            # A renewal since the row was read wins.
            where = {**transitions.as_seen(job), "locked_at": job.locked_at}
            return self._recorder.failed(job, error, where)
        released = transitions.requeue(job)
        if released:
            logger.info("[%s] Job %s is ready again: %s", self._recorder, job, why)
        return released


def _is_elsewhere(job: AbstractJob) -> bool:
    return job.handed_over and job.runner != worker_runner(job.locked_by, job.epoch)
