"""How an execution ended: recorded, told to plugins and hooks, and logged. Nothing here raises what the job contains."""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from jobs import payloads, transitions
from jobs.conf import settings
from jobs.exceptions import DeserializationError
from jobs.execution.error_text import describe, summary
from jobs.store.patience import until_available

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.worker import Worker

logger = logging.getLogger("jobs.worker")

#: How long an outcome is offered to a database that can't be reached, in seconds: what took hours isn't given up in minutes.
PATIENCE = 3600.0
#: The longest back-off, so that no number of attempts leaves the calendar.
LONGEST_BACK_OFF = dt.timedelta(days=3650)


def succeeded(worker: Worker, job: AbstractJob, seconds: float) -> bool:
    """Records success; False where the job isn't this execution's any more."""
    deletes = not job.succeeded_rows_are_kept
    recorded = _record(job, lambda: transitions.succeed(job), lambda: transitions.has_ended(job, None, deleted=deletes))
    if recorded:
        logger.info("[%s] Job %s COMPLETED after %.4f", worker, job, seconds, extra=_extra(job))
    return recorded


def failed(
    worker: Worker, job: AbstractJob, error: BaseException, where: Mapping[str, Any] | None = None, *, counted: bool = True
) -> bool:
    """Records a failed attempt: rescheduled with its back-off, or failed for good where it was the last one.

    One that isn't `counted` is rescheduled without costing the job one of its attempts.

    `where` is what must still hold of the row; left out, that the job's runner is its executor. False where it doesn't
    hold: then nothing was changed and no `failure` hook was called.
    """
    where = transitions.as_executor(job) if where is None else where
    prior = job.attempts
    logger.error("[%s] Job %s FAILED (%d prior attempts) with %s", worker, job, prior, summary(error), extra=_extra(job))
    attempts = prior + 1
    if counted and attempts >= _max_attempts(job):
        record = _Once(lambda: _fail(worker, job, error, where, attempts))
    else:
        run_at, text = _reschedule_at(job, attempts), describe(error)
        kept = attempts if counted else prior
        write = lambda: transitions.reschedule(job, where, run_at, text, attempts=kept)  # noqa: E731
        record = _Once(lambda: _record(job, write, lambda: transitions.has_ended(job, text, deleted=False)))
    return _through(worker, "error", record, job)


def failed_for_good(worker: Worker, job: AbstractJob, error: DeserializationError, *, as_executor: bool = False) -> bool:
    """A job that can't be loaded: no other attempt would end differently, so none is counted."""
    where = transitions.as_executor(job) if as_executor else transitions.as_seen(job)
    return _fail(worker, job, error, where, job.attempts)


def destroys(job: AbstractJob) -> bool:
    """Whether the job is deleted when it has failed for good; the setting's word where it can't be loaded."""
    try:
        return job.destroys_when_failed
    except Exception as error:
        return bool(_default(job, "destroy_failed_jobs", error, settings.DESTROY_FAILED_JOBS))


def dropped(worker: Worker, job: AbstractJob) -> None:
    """The execution was cancelled or given up meanwhile: its outcome counts for nothing, and its runner is gone now."""
    logger.warning("[%s] Job %s is not this execution's any more: its outcome is dropped", worker, job, extra=_extra(job))
    _record(job, lambda: transitions.clear_runner(job), lambda: True)


def _fail(worker: Worker, job: AbstractJob, error: BaseException, where: Mapping[str, Any], attempts: int) -> bool:
    destroy, text = destroys(job), describe(error)
    write = lambda: transitions.fail(job, where, text, attempts=attempts, destroy=destroy)  # noqa: E731
    record = _Once(lambda: _record(job, write, lambda: transitions.has_ended(job, text, deleted=destroy)))
    recorded = _through(worker, "failure", record, job)
    if recorded:
        logger.error("[%s] Job %s FAILED permanently with %s", worker, job, summary(error), extra=_extra(job))
        # After the write: a hook is not called for an outcome that is dropped.
        _call_failure_hook(job)
    return recorded


class _Once:
    """A write that a plugin may proceed to, or keep from happening by raising: then it is made up for."""

    def __init__(self, write: Callable[[], bool]):
        self._write = write
        self.result: bool | None = None

    def __call__(self, *arguments: Any) -> bool:
        if self.result is None:
            self.result = self._write()
        return self.result


def _through(worker: Worker, event: str, record: _Once, job: AbstractJob) -> bool:
    try:
        worker.lifecycle.run(event, record, worker, job)
    except Exception:
        logger.exception("[%s] A plugin raised while the outcome of job %s was recorded", worker, job)
    return record()


def _record(job: AbstractJob, write: Callable[[], bool], carried_out: Callable[[], bool]) -> bool:
    """Offers the write until the database can be reached. One that finds nothing to change may have been `carried_out`
    by an earlier try, whose answer was lost."""
    store, again = transitions.store_of(job), lambda: write() or carried_out()
    return bool(until_available(store, write, threading.Event(), give_up_after=PATIENCE, again=again))


def _call_failure_hook(job: AbstractJob) -> None:
    try:
        payloads.call_hook(job.payload, "failure", job)
    except DeserializationError:
        pass  # there is no object to call it on
    except Exception:
        logger.exception("The failure hook of job %s raised.", job)


def _max_attempts(job: AbstractJob) -> int:
    try:
        return job.max_attempts
    except Exception as error:
        return int(_default(job, "max_attempts", error, settings.MAX_ATTEMPTS))


def _reschedule_at(job: AbstractJob, attempts: int) -> dt.datetime:
    """The payload's `reschedule_at(now, attempts)`, else now + attempts**4 + 5 seconds, as in Delayed Job."""
    now = timezone.now()
    try:
        own = getattr(job.payload, "reschedule_at", None)
        if callable(own):
            chosen = own(now, attempts)
            return min(timezone.make_aware(chosen) if timezone.is_naive(chosen) else chosen, now + LONGEST_BACK_OFF)
    except Exception as error:
        _default(job, "reschedule_at", error, None)
    seconds = min(attempts**4 + 5, LONGEST_BACK_OFF.total_seconds())
    return now + dt.timedelta(seconds=seconds)


def _default(job: AbstractJob, name: str, error: Exception, value: Any) -> Any:
    if not isinstance(error, DeserializationError):
        logger.warning("Job %s: its %s can't be used (%s): the default is.", job, name, summary(error))
    return value


def _extra(job: AbstractJob) -> dict[str, Any]:
    return {"job_id": str(job.pk), "job_name": job.name, "queue": job.queue, "epoch": job.epoch}
