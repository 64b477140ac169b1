"""Performs jobs in this process, with a heartbeat, and has their outcomes recorded."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs import transitions
from jobs.conf import settings
from jobs.execution.interrupts import Stretches
from jobs.execution.invoke import invoke, is_of_loading, load
from jobs.execution.leftovers import left_as_found
from jobs.execution.offers import PATIENCE
from jobs.execution.questions import GRACE, Here
from jobs.logs import get_logger, threads
from jobs.logs.error_text import readable
from jobs.payloads import reported_to
from jobs.process.reporter import Reporter
from jobs.runner import worker_runner

if TYPE_CHECKING:
    from jobs.execution.outcomes import Recorder
    from jobs.lifecycle import Lifecycle
    from jobs.models import AbstractJob
    from jobs.process.holds import Hold
    from jobs.process.leases import Heartbeat
    from jobs.store.row_writes import RowWrites

logger = get_logger(__name__)


class Executor:
    """Performs jobs in the name of the worker for whom `recorder` records.

    `onward`, called with whether the job failed, may give what is to write its outcome.
    """

    def __init__(
        self,
        recorder: Recorder,
        lifecycle: Lifecycle,
        heartbeat: Heartbeat,
        onward: Callable[[bool], RowWrites[Any] | None],
    ):
        self._recorder = recorder
        self._lifecycle = lifecycle
        self._heartbeat = heartbeat
        self._onward = onward
        threads.install()
        self._stretches = Stretches("This process was told to stop at once.")

    def interrupt(self) -> None:
        """Ends the jobs in this process, and any that begins later: failed attempts."""
        self._stretches.interrupt()

    @property
    def interrupted(self) -> bool:
        return self._stretches.interrupted

    def run(self, job: AbstractJob) -> bool | None:
        """Performs a reserved job and records its outcome, as `Worker.run` says."""
        began = time.monotonic()
        runner = worker_runner(self._recorder.name, job.epoch)
        if not job.runner and not transitions.register(job, runner):
            logger.warning("[%s] Job %s is executed by somebody else", self._recorder, job)
            return None
        logger.info("[%s] Job %s RUNNING", self._recorder, job)
        with self._heartbeat.executing(job, _ended_after(settings.MAX_RUN_TIME)) as hold:
            error = self._execute(job, hold)
            self._lift_deadline(hold)
            if error is None:
                onward = partial(self._onward, False)
                seconds = time.monotonic() - began
                recorded = self._recorder.succeeded(job, seconds, through=onward)
                if recorded and job.result:
                    Here(partial(self._heartbeat.limit, hold)).tell_succeeded(job)
            else:
                recorded = self._failed(job, error, hold)
            if not recorded:
                self._recorder.dropped(job)
        return error is None if recorded else None

    def _failed(self, job: AbstractJob, error: BaseException, hold: Hold) -> bool:
        asked = Here(partial(self._heartbeat.limit, hold))
        if is_of_loading(error, job):
            return self._recorder.failed_for_good(job, error, asked=asked)
        onward = partial(self._onward, True)
        return self._recorder.failed(job, error, asked=asked, through=onward)

    def _execute(self, job: AbstractJob, hold: Hold) -> BaseException | None:
        """Performs the job, puts back what it changed, and returns what it raised."""
        try:
            left_as_found(self._invoke, job, hold)
        except BaseException as error:
            return readable(error)
        return None

    def _invoke(self, job: AbstractJob, hold: Hold) -> None:
        with self._stretches.interruptible():
            self._lifecycle.run("invoke_job", partial(self._load_and_invoke, hold), job)

    def _lift_deadline(self, hold: Hold) -> None:
        """An outcome is offered for longer than its job's deadline, if need be.

        A deadline that is far away stays, because telling the keeper costs time.
        """
        if hold.deadline is not None and hold.deadline - time.monotonic() < 2 * PATIENCE:
            self._heartbeat.limit(hold, None)

    def _load_and_invoke(self, hold: Hold, job: AbstractJob) -> None:
        threads.follow()
        limit = load(job)
        if limit != settings.MAX_RUN_TIME:
            self._heartbeat.limit(hold, _ended_after(limit))
        with reported_to(Reporter(job, partial(self._heartbeat.report, hold))):
            invoke(job, limit)


def _ended_after(limit: float) -> float | None:
    """Seconds after which the process is ended, if the job can't be interrupted."""
    return limit + GRACE if limit else None
