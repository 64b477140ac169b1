"""Signs of life: leases of the jobs that a process watches, heartbeats of those it
executes.

One thread renews them for all jobs of the process.
"""

from __future__ import annotations

import datetime as dt
import threading
import time
from collections import defaultdict
from collections.abc import Callable, Iterable
from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, Any

from django.db import connections

from jobs.conf import settings
from jobs.logs import get_logger
from jobs.process.bulletin import Bulletin, Card, Report, Teller
from jobs.process.holds import EXECUTED, WATCHED, Hold
from jobs.records import WorkerRecord
from jobs.states import State
from jobs.store import store_for
from jobs.store.patience import brief

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = get_logger(__name__)

#: A heartbeat that failed is tried again this many times sooner than the next one is
#: due.
HURRY = 5


class Heartbeat:
    """Renews every hold each quarter of the lease.

    `also` is called at each beat, as long as something is held. `card` is shown of the
    worker, from `appear` to `disappear`.
    """

    def __init__(self, also: Callable[[], None] | None = None, card: Card | None = None):
        self._also = also
        self._bulletin = Bulletin(card)
        self._teller = Teller(self._bulletin, self._in_hand)
        #: Since when the worker is shown; None: it isn't.
        self._present_since: dt.datetime | None = None
        self._holds: dict[int, Hold] = {}
        #: Jobs whose watch and execution begin and end together.
        self._together: set[Any] = set()
        self._lock = threading.Lock()
        self._stopped = threading.Event()
        self._thread: threading.Thread | None = None

    def watching(
        self, job: AbstractJob, *, with_execution: bool = False
    ) -> AbstractContextManager[Hold]:
        """Renews the watcher's lease, if lock and epoch still are those of `job`.

        `with_execution` says that nothing comes between this and `executing`, neither
        when they begin nor when they end.
        """
        where = {"state": str(State.RUNNING), "locked_by": job.locked_by, "epoch": job.epoch}
        hold = Hold(type(job), job.pk, where, WATCHED)
        hold.with_execution = with_execution
        return _Held(self, hold)

    def executing(
        self, job: AbstractJob, limit: float | None = None
    ) -> AbstractContextManager[Hold]:
        """Renews the runner's heartbeat, if `runner` still is as it is in `job`.

        The epoch doesn't matter, because the heartbeat goes on after a cancel. If the
        process has a keeper, that ends it once the job has lasted longer than `limit`
        seconds.
        """
        hold = Hold(type(job), job.pk, {"runner": job.runner}, EXECUTED)
        hold.job = job
        hold.deadline = time.monotonic() + limit if limit else None
        return _Held(self, hold)

    def appear(self) -> None:
        """From now on the worker is shown, with a sign of life at each beat."""
        self._present_since = started_at = _now()
        self._bulletin.appear(started_at)
        self._have_shown(started_at)
        with self._lock:
            self._start()

    def disappear(self) -> None:
        """The worker ends in order, and its row with it."""
        if self._present_since is not None:
            self._present_since = None
            self._have_hidden()
            self._bulletin.remove()

    def report(self, hold: Hold, report: Report) -> None:
        """Shows how far an execution has come; of several reports in a second, the last
        one.
        """
        self._teller.tell(self._bulletin.report, hold.number, report)

    def _have_shown(self, started_at: dt.datetime) -> None:
        self._teller.tell(self._bulletin.appear, started_at)

    def _have_hidden(self) -> None:
        self._teller.tell(self._bulletin.disappear)
        self._teller.stop()

    def _in_hand(self) -> int:
        holds = list(self._holds.values())
        return sum(hold.changed == WATCHED for hold in holds)

    def still_running(self) -> tuple[list[AbstractJob], int]:
        """The jobs that this process executes, and how many it watches elsewhere."""
        holds = list(self._holds.values())
        here = {hold.pk: hold.job for hold in holds if hold.changed == EXECUTED}
        elsewhere = sum(hold.changed == WATCHED and hold.pk not in here for hold in holds)
        return [job for job in here.values() if job is not None], elsewhere

    def limit(self, hold: Hold, seconds: float | None) -> None:
        """From now on, the execution may last `seconds`; None: for ever."""
        hold.deadline = time.monotonic() + seconds if seconds else None

    def take(self, hold: Hold) -> None:
        with self._lock:
            self._holds[hold.number] = hold
            if hold.with_execution:
                self._together.add(hold.pk)
            elif hold.pk in self._together:
                hold.within_watch = True
            self._begin(hold)

    def let_go(self, hold: Hold) -> None:
        with self._lock:
            del self._holds[hold.number]
            if hold.with_execution:
                self._together.discard(hold.pk)
            self._end(hold)

    def _begin(self, hold: Hold) -> None:
        self._start()

    def _start(self) -> None:
        if self._thread is None:
            self._stopped.clear()
            self._thread = threading.Thread(target=self._run, name="jobs-heartbeat", daemon=True)
            self._thread.start()

    def _end(self, hold: Hold) -> None:
        if self._bulletin.knows(hold.number):  # of most nothing was reported
            self._teller.tell(self._bulletin.forget, hold.number)

    def stop(self) -> None:
        """Ends the thread; it starts again with the next hold."""
        self._teller.stop()
        with self._lock:
            thread, self._thread = self._thread, None
            self._stopped.set()
        if thread is not None:
            thread.join(timeout=10)

    def _run(self) -> None:
        me = threading.current_thread()
        pause = settings.LEASE / 4
        try:
            while True:
                self._wait(pause)
                if self._stopped.is_set() or self._thread is not me:
                    return
                pause = settings.LEASE / 4
                with self._lock:
                    if not self._holds and self._present_since is None:
                        self._thread = None
                        return
                    if not self._holds:
                        continue
                try:
                    self.beat()
                    if self._also is not None:
                        self._also()
                except BaseException as error:
                    logger.warning("A heartbeat failed, and is tried again: %s", brief(error))
                    self._note_failure()
                    connections.close_all()
                    pause /= HURRY
        finally:
            connections.close_all()

    def _wait(self, seconds: float) -> None:
        self._stopped.wait(seconds)

    def _note_failure(self) -> None:
        with self._lock:
            models = {hold.model for hold in self._holds.values()}
        for model in models:
            store_for(model).reconnect()

    def beat(self) -> None:
        """One renewal now."""
        with self._lock:
            holds = list(self._holds.values())
        lost = renew(hold for hold in holds if not hold.lost.is_set())
        with self._lock:
            for hold in lost:
                if hold.number in self._holds:
                    hold.lost.set()


class _Held:
    """A hold that is renewed in the body."""

    __slots__ = ("_heartbeat", "_hold")

    def __init__(self, heartbeat: Heartbeat, hold: Hold):
        self._heartbeat = heartbeat
        self._hold = hold

    def __enter__(self) -> Hold:
        self._heartbeat.take(self._hold)
        return self._hold

    def __exit__(self, *error: object) -> None:
        self._heartbeat.let_go(self._hold)


def _now() -> dt.datetime:
    """The database's time, or this machine's, as exactly as any database keeps it."""
    try:
        now = store_for(WorkerRecord).now()
    except Exception:
        now = dt.datetime.now(dt.timezone.utc)
    return now.replace(microsecond=now.microsecond // 1000 * 1000)


def renew(holds: Iterable[Hold]) -> list[Hold]:
    """Renews the holds, and returns those that the database says are lost.

    One statement for all holds with the same conditions, which nearly always are all of
    them.
    """
    groups = defaultdict(list)
    for hold in holds:
        groups[hold.group].append(hold)
    return [lost for group in groups.values() for lost in _renew(group)]


def _renew(group: list[Hold]) -> list[Hold]:
    first = group[0]
    store = store_for(first.model)
    where = {"pk__in": [hold.pk for hold in group], **first.where}
    with store.reaching():
        if store.change_many(where, {first.changed: store.now()}) == len(group):
            return []
        kept = {job.pk for job in store.find(where, limit=len(group))}
    lost = [hold for hold in group if hold.pk not in kept]
    for hold in lost:
        text = "The lease of job %s isn't renewed: it has ended, or another process has it now."
        logger.info(text, hold.pk, extra={"job_id": str(hold.pk)})
    return lost
