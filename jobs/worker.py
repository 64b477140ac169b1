"""The worker: reserves jobs, performs them, records their outcomes."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING, Any

from jobs.conf import settings
from jobs.exceptions import DeserializationError
from jobs.execution.journal import Journal
from jobs.execution.outcomes import Recorder
from jobs.lifecycle import Lifecycle, Plugin, instantiate
from jobs.logs import about_the_job, get_logger
from jobs.logs.error_text import readable
from jobs.models import Job
from jobs.process.bulletin import Card
from jobs.process.claims import check_bounds, check_queue
from jobs.process.executor import Executor
from jobs.process.holds import Hold
from jobs.process.leases import Heartbeat
from jobs.process.listener import Listener
from jobs.process.news import News
from jobs.process.passes import Passes
from jobs.process.reaper import MAINTENANCE_INTERVAL, Reaper
from jobs.process.shutdown import signals_handled
from jobs.process.slots import Slots
from jobs.process.tally import Tally
from jobs.runner import check_name, default_name
from jobs.store import store_for
from jobs.store.patience import FIRST_PAUSE, brief
from jobs.store.reserver import Paused
from jobs.text import one_line

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = get_logger(__name__)

#: Jobs performed in one pass of the loop.
PASS = 100
#: A worker gives up after this many failed passes in a row, not counting those for
#: which the database couldn't be reached. Delayed Job: ten errors while it reserves.
FAILURES_IN_A_ROW = 10


class Worker:
    """Performs jobs. A parameter that you leave out (None, or no queues) is the
    setting's.

    `name` is what `locked_by` holds; it must be unique among running workers. If you
    pass a name, this worker replaces the previous worker of that name: on start it
    frees the jobs that worker still held. `concurrency` jobs are performed at once, in
    threads if it is more than one. `plugins`, classes or dotted paths, replace the
    setting's list.
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
        heartbeat: Callable[[Callable[[], None], Card], Heartbeat] = Heartbeat,
    ):
        if isinstance(queues, str):
            raise TypeError(f"queues must be a list of names, not the string {queues!r}.")
        if concurrency < 1:
            raise ValueError(f"concurrency must be 1 or more, not {concurrency}.")
        check_name("A worker's name", name or "")
        self.name = name or default_name()
        self._name_is_fixed = bool(name)
        self.queues = tuple(check_queue(queue) for queue in queues or settings.QUEUES)
        self.min_priority = _given(min_priority, "MIN_PRIORITY")
        self.max_priority = _given(max_priority, "MAX_PRIORITY")
        check_bounds(self.min_priority, self.max_priority)
        self.sleep_delay = _given(sleep_delay, "SLEEP_DELAY")
        self.exit_on_complete = _given(exit_on_complete, "EXIT_ON_COMPLETE")
        self.model = model
        self.plugins = instantiate(_given(plugins, "PLUGINS"))
        #: Whether jobs are executed elsewhere, so that this worker may take one over.
        self.hands_over = any(plugin.hands_over for plugin in self.plugins)
        self.lifecycle = Lifecycle(self.plugins)
        #: Whether no plugin comes between a job's lease and its execution.
        self._performs_at_once = not self.lifecycle.is_heard("perform")
        self.journal = Journal()
        self.recorder = Recorder(self.name, self.lifecycle, self, self.journal)
        self.stopping = threading.Event()
        #: Set when there may be something to do: ready jobs, or a stop.
        self._news = News((self.queues, self.min_priority, self.max_priority, self.hands_over))
        self._reaper = Reaper(model, self.recorder)
        # With the heartbeat, so that leases are reaped while every slot is busy for
        # hours.
        card = Card(self.name, self.queues, concurrency, self.hands_over)
        self.heartbeat = heartbeat(self._reaper.reap, card)
        self._slots = Slots(concurrency, lambda: self._store.seconds_reachable())
        self._passes = Passes(
            self,
            model,
            self._perform_and_count,
            self.lifecycle,
            self._slots,
            self._reaper,
            self._news,
            self.stopping,
        )
        #: Whether news ended the wait before this pass; None: there was no wait.
        self._was_told: bool | None = None
        self._executor = Executor(
            self.recorder, self.lifecycle, self.heartbeat, self._passes.onward
        )
        self._tally = Tally()
        self._on_stop: list[Callable[[], None]] = []
        self._held: dict[int, Hold] = {}

    def __repr__(self) -> str:
        return f"Worker({one_line(self.name)})"

    # The loop

    def start(self) -> None:
        """Works until it is stopped, or, with `exit_on_complete`, until no job is left.

        In the main thread, TERM and INT stop it. The first signal lets jobs in this
        process finish and lets go of jobs that are executed elsewhere; the second
        interrupts the jobs in this process, too.
        """
        with signals_handled(self), self.journal:
            logger.info("[%s] Starting job worker", self)
            if not self.exit_on_complete:  # it would leave before it took anybody for dead
                self._store.count_anew()
            try:
                if self._name_is_fixed:
                    # What a killed worker of this name held need not wait for its
                    # lease.
                    self.let_go_of_all()
                self.heartbeat.appear()
                with Listener(lambda stop: self._store.listen(self._news, stop)):
                    self.lifecycle.run("execute", Worker._loop, self)
            finally:
                self.heartbeat.disappear()
                self.heartbeat.stop()
        logger.info("[%s] Stopped", self)

    def stop(self) -> None:
        """Reserves no more. Jobs in this process finish; others are let go of now."""
        self.stopping.set()
        self._news.tell()
        for callback in self._on_stop:
            callback()

    def on_stop(self, callback: Callable[[], None]) -> None:
        """Has `callback` called, in another thread, when the worker is to stop."""
        self._on_stop.append(callback)

    def interrupt(self) -> None:
        """Ends the jobs in this process, and any that begins later: failed attempts."""
        self._executor.interrupt()

    @property
    def paused(self) -> Paused:
        """The queues and names of which it begins no job."""
        return self._passes.paused

    @property
    def interrupted(self) -> bool:
        return self._executor.interrupted

    def _loop(self) -> None:
        failures = 0
        while not self.stopping.is_set():
            self._news.forget()
            self._tally.begin()
            try:
                reserved = self.lifecycle.run("loop", _one_pass, self)
            except Exception as error:
                failures += 1
                if failures == FAILURES_IN_A_ROW:
                    raise
                text = "[%s] A pass over the queue failed: %s"
                logger.error(text, self, brief(error), exc_info=error)
                self.stopping.wait(max(self.sleep_delay, FIRST_PAUSE))
                continue
            failures = 0
            self._tell_tally()
            self._was_told = None
            if reserved:
                continue
            if self.exit_on_complete and not self._slots.busy:
                logger.info("[%s] No more jobs available. Exiting", self)
                break
            self._was_told = self._news.wait(self._idle_delay())
        self._slots.wait_until_idle()
        self._tell_tally()

    def _tell_tally(self) -> None:
        if told := self._tally.end():
            logger.info("[%s] %d %s processed at %.4f jobs/s, %d failed", self, *told)

    def _idle_delay(self) -> float:
        if self.exit_on_complete and self._slots.busy:
            # Notices soon that the last of the other slots has ended.
            return float(min(self.sleep_delay, MAINTENANCE_INTERVAL))
        return float(self.sleep_delay)

    def work_off(self, number: int = PASS) -> tuple[int, int]:
        """Performs up to `number` jobs and waits for them.

        Returns how many succeeded and how many failed.
        """
        before = self._tally.counts
        try:
            self._passes.run(number)
            self._slots.wait_until_idle()
        finally:
            self.heartbeat.stop()
            self.journal.write()
        succeeded, failed = self._tally.counts
        return succeeded - before[0], failed - before[1]

    @property
    def _store(self) -> Any:
        return store_for(self.model)

    # A job

    def _perform_and_count(self, job: AbstractJob) -> bool:
        """Whether the job was performed, or let go of, as far as its row is
        concerned.
        """
        try:
            result = self.perform(job)
        except BaseException as error:
            # A plugin or the bookkeeping raised: the job keeps its lock until its lease
            # expires.
            with about_the_job(job, self.name):
                text = "[%s] Job %s could not be performed:"
                logger.error(text, self, job, exc_info=readable(error))
            result, is_in_row = False, False
        else:
            is_in_row = not job.is_refused
        self._tally.count(result)
        return is_in_row

    def perform(self, job: AbstractJob) -> bool | None:
        """Performs a reserved job through the plugins, with its lease renewed.

        Returns whether it succeeded; None if the outcome isn't known here, because the
        job was let go of or isn't this worker's now.
        """
        watched = self.heartbeat.watching(job, with_execution=self._performs_at_once)
        with about_the_job(job, self.name), watched as hold:
            self._held[id(job)] = hold
            try:
                job.require_readable()
                result: bool | None = self.lifecycle.run("perform", run, self, job)
            except DeserializationError as error:
                result = False if self.recorder.failed_for_good(job, error) else None
            finally:
                del self._held[id(job)]
        return result

    def still_holds(self, job: AbstractJob) -> bool:
        """Whether the last renewal of the lease found the job locked by this worker.

        True before the first.
        """
        hold = self._held.get(id(job))
        return hold is None or not hold.lost.is_set()

    def run(self, job: AbstractJob) -> bool | None:
        """Performs a reserved job in this process and records its outcome: the block
        that `perform` callbacks wrap.

        Returns True for success, False for failure, and None if the job isn't this
        execution's now, so that nothing was recorded. Never raises what the job raised.
        """
        return self._executor.run(job)

    def let_go_of_all(self) -> None:
        """Frees every job that is locked by this worker's name."""
        self._reaper.let_go_of_all(self.name)


def run(worker: Worker, job: AbstractJob) -> bool | None:
    """What the `perform` event wraps."""
    return worker.run(job)


def _one_pass(worker: Worker) -> int:
    return worker._passes.run(PASS, worker._was_told)


def _given(value: Any, setting: str) -> Any:
    return getattr(settings, setting) if value is None else value
