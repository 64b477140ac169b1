"""Signs of life: leases renewed for what is watched, heartbeats for what is executed, by one thread for all jobs of a process."""

from __future__ import annotations

import logging
import threading
from collections import defaultdict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from django.db import connections

from jobs.conf import settings
from jobs.models import State
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = logging.getLogger(__name__)

#: A heartbeat that failed is tried again this much sooner than the next one is due.
HURRY = 5


class Hold:
    """One job that this process watches or executes. `lost` is set once the database says that it no longer does."""

    def __init__(self, job: AbstractJob, where: dict[str, Any], changed: str):
        self.model = type(job)
        self.pk = job.pk
        self.where = where
        self.changed = changed
        self.lost = threading.Event()

    @property
    def group(self) -> tuple[Any, ...]:
        return (self.model, self.changed, *sorted(self.where.items()))


class Heartbeat:
    """Renews what is held every quarter of the lease, also while a job keeps the process busy. `also` is called at each beat."""

    def __init__(self, also: Callable[[], None] | None = None):
        self._also = also
        self._holds: dict[int, Hold] = {}
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._thread: threading.Thread | None = None

    @contextmanager
    def watching(self, job: AbstractJob) -> Iterator[Hold]:
        """Renews the watcher's lease, on condition that the lock and the epoch still are as they are in `job`."""
        where = {"state": State.RUNNING, "locked_by": job.locked_by, "epoch": job.epoch}
        with self._held(Hold(job, where, "locked_at")) as hold:
            yield hold

    @contextmanager
    def executing(self, job: AbstractJob) -> Iterator[Hold]:
        """Renews the runner's heartbeat, on condition of being the runner alone: it goes on after a cancel."""
        with self._held(Hold(job, {"runner": job.runner}, "heartbeat_at")) as hold:
            yield hold

    @contextmanager
    def _held(self, hold: Hold) -> Iterator[Hold]:
        with self._lock:
            self._holds[id(hold)] = hold
            if self._thread is None:
                self._wake.clear()
                self._thread = threading.Thread(target=self._run, name="jobs-heartbeat", daemon=True)
                self._thread.start()
        try:
            yield hold
        finally:
            with self._lock:
                del self._holds[id(hold)]

    def stop(self) -> None:
        """Ends the thread; it starts again with the next hold."""
        with self._lock:
            thread, self._thread = self._thread, None
            self._wake.set()
        if thread is not None:
            thread.join(timeout=10)

    def _run(self) -> None:
        me = threading.current_thread()
        wait = settings.LEASE / 4
        try:
            while not self._wake.wait(wait) and self._thread is me:
                wait = settings.LEASE / 4
                try:
                    self.beat()
                    if self._also is not None:
                        self._also()
                except Exception as error:
                    logger.warning("A heartbeat failed, and is tried again: %s", error)
                    connections.close_all()
                    wait /= HURRY
        finally:
            connections.close_all()

    def beat(self) -> None:
        """One renewal now: one statement for all jobs with the same conditions, which nearly always are all jobs."""
        with self._lock:
            holds = list(self._holds.values())
        groups = defaultdict(list)
        for hold in holds:
            if not hold.lost.is_set():
                groups[hold.group].append(hold)
        for group in groups.values():
            self._renew(group)

    def _renew(self, group: list[Hold]) -> None:
        first = group[0]
        store = store_for(first.model)
        where = {"pk__in": [hold.pk for hold in group], **first.where}
        if store.change_many(where, {first.changed: store.now()}) == len(group):
            return
        kept = {job.pk for job in store.find(where, limit=len(group))}
        with self._lock:
            ended = {id(hold) for hold in group} - set(self._holds)
        for hold in group:
            if hold.pk not in kept and id(hold) not in ended:
                logger.warning("Job %s is not held any more: %s isn't renewed.", hold.pk, hold.changed)
                hold.lost.set()
