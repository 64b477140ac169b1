"""The worker: reserves jobs, performs them, records their outcomes."""

from __future__ import annotations

import logging
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

from jobs import transitions
from jobs.conf import settings
from jobs.exceptions import DeserializationError, Terminated
from jobs.execution import outcomes
from jobs.execution.interrupts import Interruptible
from jobs.execution.invoke import invoke
from jobs.lifecycle import Lifecycle, Plugin, instantiate
from jobs.models import Job
from jobs.process.claims import Reserving
from jobs.process.leases import Heartbeat, Hold
from jobs.process.listener import Listener
from jobs.process.reaper import Reaper
from jobs.process.shutdown import signals_handled
from jobs.process.slots import Slots
from jobs.runner import default_name, worker_runner
from jobs.store import store_for
from jobs.store.patience import FIRST_PAUSE, brief, until_available

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = logging.getLogger(__name__)

#: How long after its time limit a job that can't be interrupted may go on, in seconds, before its process is ended.
GRACE = 10.0
#: Jobs performed in one pass of the loop.
PASS = 100
#: Jobs reserved by one statement, for as many free slots.
MOST_AT_ONCE = 100
#: A worker whose passes fail so often in a row, for another reason than a database that can't be reached, gives up. Delayed
#: Job: ten errors while it reserves.
FAILURES_IN_A_ROW = 10
#: Scheduled jobs are promoted and expired leases reaped at most this often, in seconds, while a worker is busy.
MAINTENANCE_INTERVAL = 1.0
#: How long a worker that stops waits for a database that can't be reached, in seconds: whoever stopped it may not wait long.
PATIENCE_AT_END = 5.0


class Worker:
    """Performs jobs. Every parameter left out (None, or no queues) is the setting of that name.

    `name` is what `locked_by` holds; it must be unique among running workers. One that is given is taken to be the successor
    of a worker of that name, so that it frees at its start what that one still held. `concurrency` jobs are performed at once, in
    threads where it is more than one. `plugins`, classes or dotted paths, replace the setting's list.
    """

    def __init__(
        self,
        name: str | None = None,
        queues: Iterable[str] = (),
        min_priority: int | None = None,
        max_priority: int | None = None,
        sleep_delay: float | None = None,
        exit_on_complete: bool | None = None,
        concurrency: int = 1,
        plugins: Iterable[type[Plugin] | str] | None = None,
        model: type[AbstractJob] = Job,
        heartbeat: Callable[[Callable[[], None]], Heartbeat] = Heartbeat,
    ):
        if isinstance(queues, str):
            raise TypeError(f"queues must be a list of names, not the string {queues!r}.")
        if concurrency < 1:
            raise ValueError(f"concurrency must be 1 or more, not {concurrency}.")
        self.name = name or default_name()
        self._name_is_fixed = bool(name)
        self.queues = tuple(queues or settings.QUEUES)
        self.min_priority = settings.MIN_PRIORITY if min_priority is None else min_priority
        self.max_priority = settings.MAX_PRIORITY if max_priority is None else max_priority
        self.sleep_delay = settings.SLEEP_DELAY if sleep_delay is None else sleep_delay
        self.exit_on_complete = settings.EXIT_ON_COMPLETE if exit_on_complete is None else exit_on_complete
        self.model = model
        self.plugins = instantiate(settings.PLUGINS if plugins is None else plugins)
        #: Whether jobs are executed elsewhere, so that this worker may take over one that already is.
        self.hands_over = any(plugin.hands_over for plugin in self.plugins)
        self.lifecycle = Lifecycle(self.plugins)
        self.stopping = threading.Event()
        #: Set when there may be something to do: jobs that became ready, or that the worker is to stop.
        self._news = threading.Event()
        self.heartbeat = heartbeat(self._reap)
        self._reaper = Reaper(self)
        self._slots = Slots(concurrency)
        self._counting = threading.Lock()
        self._succeeded = self._failed = 0
        self._maintained_at = 0.0
        self._on_stop: list[Callable[[], None]] = []
        self._held: dict[int, Hold] = {}
        self._reserving = Reserving(self)
        self.interrupted = False
        self._performing: dict[int, Interruptible] = {}

    def __repr__(self) -> str:
        return f"Worker({self.name})"

    # The loop

    def start(self) -> None:
        """Works until it is stopped, or, with `exit_on_complete`, until nothing is left to do.

        In the main thread, TERM and INT stop it: the first lets jobs in this process finish and lets go of those that
        are executed elsewhere, the second interrupts the jobs in this process, too.
        """
        logger.info("[%s] Starting job worker", self)
        with signals_handled(self):
            try:
                if self._name_is_fixed:
                    self.let_go_of_all()  # what a worker of this name held when it was killed needn't wait for its lease
                with Listener(self._store, self._news.set):
                    self.lifecycle.run("execute", lambda worker: worker._loop(), self)
            finally:
                self.heartbeat.stop()
        logger.info("[%s] Stopped", self)

    def stop(self) -> None:
        """Reserve no more. Jobs in this process finish; those that are executed elsewhere are let go of at once."""
        self.stopping.set()
        self._news.set()
        for callback in self._on_stop:
            callback()

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Has `callback` called when the worker is told to stop, from another thread than the worker's."""
        self._on_stop.append(callback)

    def interrupt(self) -> None:
        """Ends the jobs that are being performed in this process, and any that still begins: each a failed attempt."""
        self.interrupted = True
        # The main thread's own stretch last: there, interrupting raises.
        main = threading.main_thread().ident
        for _, stretch in sorted(self._performing.items(), key=lambda item: item[0] == main):
            stretch.interrupt()

    def _loop(self) -> None:
        failures = 0
        while not self.stopping.is_set():
            self._news.clear()
            began, failed_before = time.monotonic(), self._failed
            try:
                reserved = self.lifecycle.run("loop", lambda worker: worker._pass(PASS), self)
            except Exception as error:
                failures += 1
                if failures == FAILURES_IN_A_ROW:
                    raise
                logger.exception("[%s] A pass over the queue failed: %s", self, brief(error))
                self.stopping.wait(max(self.sleep_delay, FIRST_PAUSE))
                continue
            failures = 0
            if reserved:
                seconds = max(time.monotonic() - began, 1e-6)
                failed = self._failed - failed_before
                logger.info("[%s] %d jobs processed at %.4f j/s, %d failed", self, reserved, reserved / seconds, failed)
            elif self.exit_on_complete and not self._slots.busy:
                logger.info("[%s] No more jobs available. Exiting", self)
                break
            else:
                self._news.wait(self._idle_delay())
        self._slots.wait_until_idle()

    def _idle_delay(self) -> float:
        # With jobs in other slots, the end of the last one is noticed soon.
        return min(self.sleep_delay, MAINTENANCE_INTERVAL) if self.exit_on_complete and self._slots.busy else self.sleep_delay

    def work_off(self, number: int = PASS) -> tuple[int, int]:
        """Performs up to `number` jobs and waits for them; returns how many succeeded and how many failed."""
        before = self._succeeded, self._failed
        try:
            self._pass(number)
            self._slots.wait_until_idle()
        finally:
            self.heartbeat.stop()
        return self._succeeded - before[0], self._failed - before[1]

    def _pass(self, number: int) -> int:
        self._maintain(always=True)
        reserved = 0
        while reserved < number and self._slots.wait_for_free(given_up=self.stopping.is_set):
            self._maintain()
            jobs = self._reserving.next(self._store, min(self._slots.free, number - reserved, MOST_AT_ONCE))
            if not jobs:
                break
            reserved += len(jobs)
            for job in jobs:
                self._slots.run(self._perform_and_count, job)
        return reserved

    def _maintain(self, *, always: bool = False) -> None:
        """Promotes scheduled jobs that are due, and reaps expired leases."""
        if not always and time.monotonic() - self._maintained_at < MAINTENANCE_INTERVAL:
            return
        self._maintained_at = time.monotonic()
        until_available(self._store, self._reaper.promote, self.stopping)
        until_available(self._store, self._reaper.reap, self.stopping)
        until_available(self._store, self._reaper.forget_succeeded, self.stopping)

    def _reap(self) -> None:
        # With the heartbeat, so that it also happens while every slot is busy for hours.
        self._reaper.reap()

    @property
    def _store(self) -> Any:
        return store_for(self.model)

    # A job

    def _perform_and_count(self, job: AbstractJob) -> None:
        try:
            result = self.perform(job)
        except BaseException:
            # Whatever a plugin or the bookkeeping raised: the job keeps its lock until the lease expires.
            logger.exception("[%s] Job %s could not be performed", self, job)
            result = False
        self._reserving.is_done_with(job)
        with self._counting:
            self._succeeded += result is True
            self._failed += result is False

    def perform(self, job: AbstractJob) -> bool | None:
        """The whole of a reserved job, through the plugins, with its lease renewed; returns whether it succeeded.

        None where the outcome isn't known here: the job was let go of, or isn't this worker's any more.
        """
        with self.heartbeat.watching(job) as hold:
            self._held[id(job)] = hold
            try:
                result: bool | None = self.lifecycle.run("perform", lambda worker, job: worker.run(job), self, job)
            except DeserializationError as error:
                result = False if outcomes.failed_for_good(self, job, error) else None
            finally:
                del self._held[id(job)]
        return result

    def still_holds(self, job: AbstractJob) -> bool:
        """Whether the last renewal of the lease, if there was one, still found the job locked by this worker."""
        hold = self._held.get(id(job))
        return hold is None or not hold.lost.is_set()

    def run(self, job: AbstractJob) -> bool | None:
        """Performs a reserved job in this process and records its outcome: the block that `perform` callbacks wrap.

        Returns True or False for success or failure, None where the job isn't this execution's any more, so that nothing
        was recorded. Never raises what the job raised.
        """
        began = time.monotonic()
        if not job.runner and not transitions.register(job, worker_runner(self.name, job.epoch)):
            logger.warning("[%s] Job %s is executed by somebody else", self, job)
            return None
        logger.info("[%s] Job %s RUNNING", self, job, extra={"job_id": str(job.pk), "job_name": job.name})
        with self.heartbeat.executing(job, self._longest(job)):
            try:
                with self._interruptible():
                    self.lifecycle.run("invoke_job", invoke, job)
            except DeserializationError as error:
                recorded, succeeded = outcomes.failed_for_good(self, job, error, as_executor=True), False
            except BaseException as error:
                recorded, succeeded = outcomes.failed(self, job, error), False
            else:
                recorded, succeeded = outcomes.succeeded(self, job, time.monotonic() - began), True
            if not recorded:
                outcomes.dropped(self, job)
        return succeeded if recorded else None

    def _longest(self, job: AbstractJob) -> float | None:
        """Seconds after which the process is ended for a job that could not be interrupted at its limit."""
        try:
            limit = job.max_run_time
            return limit + GRACE if limit else None
        except Exception:
            return None  # whatever is wrong with the payload is met, and recorded, when it is performed

    @contextmanager
    def _interruptible(self) -> Iterator[None]:
        thread = threading.get_ident()
        with Interruptible(Terminated("The worker was told to stop at once.")) as stretch:
            self._performing[thread] = stretch
            try:
                if self.interrupted:
                    stretch.interrupt()
                yield
            finally:
                del self._performing[thread]

    def let_go_of_all(self) -> None:
        """Frees every job that is locked by this worker's name."""
        try:
            until_available(self._store, self._reaper.release_all, threading.Event(), give_up_after=PATIENCE_AT_END)
        except Exception as error:
            if not self._store.is_unavailable(error):
                raise
            logger.warning("[%s] Its locks could not be released: they expire by themselves (%s)", self, brief(error))
