"""How an execution ended: recorded, told to plugins and hooks, and logged.

Nothing here raises what the job contains.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from jobs import payloads, transitions
from jobs.conf import settings
from jobs.exceptions import DeserializationError
from jobs.execution.error_text import describe, summary
from jobs.store.patience import until_available

if TYPE_CHECKING:
    from jobs.lifecycle import Lifecycle
    from jobs.models import AbstractJob

logger = logging.getLogger(__name__)

#: For how many seconds an outcome is offered to a database that can't be reached. The
#: work of hours is not given up in minutes.
PATIENCE = 3600.0
#: The longest back-off, so that no number of attempts leaves the calendar.
LONGEST_BACK_OFF = dt.timedelta(days=3650)


class Recorder:
    """Records outcomes in the name of a worker, and tells its plugins.

    `worker` is what the plugins' `error` and `failure` callbacks get. Leave it out if
    no worker is there, as in the keeper or for an operator: they get the recorder,
    which has a `name`, too.
    """

    def __init__(self, name: str, lifecycle: Lifecycle, worker: Any = None):
        self.name = name
        self._lifecycle = lifecycle
        self._worker = self if worker is None else worker

    def __repr__(self) -> str:
        return f"Worker({self.name})"

    def succeeded(self, job: AbstractJob, seconds: float) -> bool:
        """Records success after `seconds`; False if the execution is over."""
        deletes = not job.succeeded_rows_are_kept
        recorded = _offer(
            job,
            partial(transitions.succeed, job),
            partial(transitions.has_ended, job, None, deleted=deletes),
        )
        if recorded:
            text = "[%s] Job %s COMPLETED after %.4f"
            logger.info(text, self, job, seconds, extra=_extra(job))
        return recorded

    def failed(
        self,
        job: AbstractJob,
        error: BaseException,
        where: Mapping[str, Any] | None = None,
        *,
        counted: bool = True,
    ) -> bool:
        """Records a failed attempt: rescheduled with its back-off, or, after the last
        one, failed for good.

        An attempt that is not `counted` is rescheduled and costs the job nothing.
        `where` is what must still hold of the row; by default, that the job's runner is
        its executor. Returns False if it doesn't: then nothing was changed and no hook
        was called.
        """
        where = transitions.as_executor(job) if where is None else where
        prior = job.attempts
        text = "[%s] Job %s FAILED (%d prior attempts) with %s"
        logger.error(text, self, job, prior, summary(error), extra=_extra(job))
        attempts = prior + 1
        if counted and attempts >= _max_attempts(job):
            return self._through("error", partial(self._fail, job, error, where, attempts), job)
        run_at, described = _reschedule_at(job, attempts), describe(error)
        record = partial(
            _offer,
            job,
            partial(
                transitions.reschedule,
                job,
                where,
                run_at,
                described,
                attempts=attempts if counted else prior,
            ),
            partial(transitions.has_ended, job, described, deleted=False),
        )
        return self._through("error", record, job)

    def failed_for_good(
        self, job: AbstractJob, error: DeserializationError, *, as_executor: bool = False
    ) -> bool:
        """Records a job that can't be loaded.

        Another attempt would end the same way, so none is counted.
        """
        where = transitions.as_executor(job) if as_executor else transitions.as_seen(job)
        return self._fail(job, error, where, job.attempts)

    def dropped(self, job: AbstractJob) -> None:
        """The execution was cancelled or given up: its outcome is ignored, its runner
        gone.
        """
        text = "[%s] Job %s is not this execution's any more: its outcome is dropped"
        logger.warning(text, self, job, extra=_extra(job))
        _offer(job, partial(transitions.clear_runner, job), lambda: True)

    def _fail(
        self, job: AbstractJob, error: BaseException, where: Mapping[str, Any], attempts: int
    ) -> bool:
        destroy, described = destroys(job), describe(error)
        write = partial(transitions.fail, job, where, described, attempts=attempts, destroy=destroy)
        ended = partial(transitions.has_ended, job, described, deleted=destroy)
        recorded = self._through("failure", partial(_offer, job, write, ended), job)
        if recorded:
            text = "[%s] Job %s FAILED permanently with %s"
            logger.error(text, self, job, summary(error), extra=_extra(job))
            # After the write: a hook is not called for an outcome that is dropped.
            _call_failure_hook(job)
        return recorded

    def _through(self, event: str, write: Callable[[], bool], job: AbstractJob) -> bool:
        """Runs the event around the write, which happens even if a plugin raises."""
        record = _Once(write)
        try:
            self._lifecycle.run(event, record, self._worker, job)
        except Exception:
            text = "[%s] A plugin raised while the outcome of job %s was recorded"
            logger.exception(text, self, job)
        return record()


def destroys(job: AbstractJob) -> bool:
    """Whether the job is deleted once it has failed for good.

    The setting decides if the job can't be loaded.
    """
    try:
        return job.destroys_when_failed
    except Exception as error:
        default = settings.DESTROY_FAILED_JOBS
        return bool(_default(job, "destroy_failed_jobs", error, default))


class _Once:
    """A write that happens at most once, however often it is called."""

    def __init__(self, write: Callable[[], bool]):
        self._write = write
        self.result: bool | None = None

    def __call__(self, *arguments: Any) -> bool:
        if self.result is None:
            self.result = self._write()
        return self.result


def _offer(job: AbstractJob, write: Callable[[], bool], carried_out: Callable[[], bool]) -> bool:
    """Offers the write until the database can be reached.

    A repeated write that finds nothing to change asks `carried_out` whether the earlier
    one, whose answer was lost, was carried out.
    """

    def again() -> bool:
        return write() or carried_out()

    store = transitions.store_of(job)
    recorded = until_available(store, write, threading.Event(), give_up_after=PATIENCE, again=again)
    return bool(recorded)


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
    """The payload's `reschedule_at(now, attempts)`, else now + attempts**4 + 5 seconds.

    As in Delayed Job.
    """
    now = timezone.now()
    try:
        own = getattr(job.payload, "reschedule_at", None)
        if callable(own):
            chosen = own(now, attempts)
            if timezone.is_naive(chosen):
                chosen = timezone.make_aware(chosen)
            return min(chosen, now + LONGEST_BACK_OFF)
    except Exception as error:
        _default(job, "reschedule_at", error, None)
    seconds = min(attempts**4 + 5, LONGEST_BACK_OFF.total_seconds())
    return now + dt.timedelta(seconds=seconds)


def _default(job: AbstractJob, name: str, error: Exception, value: Any) -> Any:
    if not isinstance(error, DeserializationError):
        text = "Job %s: its %s can't be used (%s), so the default is."
        logger.warning(text, job, name, summary(error))
    return value


def _extra(job: AbstractJob) -> dict[str, Any]:
    return {
        "job_id": str(job.pk),
        "job_name": job.name,
        "queue": job.queue,
        "epoch": job.epoch,
    }
