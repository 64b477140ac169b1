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

from jobs import signals, transitions
from jobs.conf import settings
from jobs.exceptions import DeserializationError, NotKnownYet
from jobs.execution.apart import Apart
from jobs.execution.error_text import describe, for_log, traceback_for_log
from jobs.execution.tries import result_after
from jobs.store.base import aware
from jobs.store.patience import until_available
from jobs.text import one_line

if TYPE_CHECKING:
    from jobs.execution.questions import Asked
    from jobs.lifecycle import Lifecycle
    from jobs.models import AbstractJob

logger = logging.getLogger(__name__)

#: For how many seconds an outcome is offered to a database that can't be reached. The
#: work of hours is not given up in minutes.
PATIENCE = 3600.0
#: For how many seconds a job is put back that this process's code may be too old for:
#: half its age, between these.
SHORTEST_POSTPONEMENT, LONGEST_POSTPONEMENT = 5.0, 60.0


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
        return f"Worker({one_line(self.name)})"

    def succeeded(self, job: AbstractJob, seconds: float) -> bool:
        """Records success after `seconds`; False if the execution is over."""
        return self._or_condemned(job, partial(self._succeeded, job, seconds))

    def _succeeded(self, job: AbstractJob, seconds: float) -> bool:
        deletes = not job.succeeded_rows_are_kept
        recorded = _offer(
            job,
            partial(transitions.succeed, job),
            partial(transitions.has_ended, job, None, deleted=deletes),
        )
        if recorded:
            text = "[%s] Job %s COMPLETED after %.4f"
            logger.info(text, self, job, seconds, extra=_extra(job))
            signals.tell(signals.job_succeeded, job)
        return recorded

    def failed(
        self,
        job: AbstractJob,
        error: BaseException,
        where: Mapping[str, Any] | None = None,
        *,
        counted: bool = True,
        asked: Asked | None = None,
    ) -> bool:
        """Records a failed attempt: rescheduled with its back-off, or, after the last
        one, failed for good.

        An attempt that is not `counted` is rescheduled and costs the job nothing.
        `where` is what must still hold of the row; by default, that the job's runner is
        its executor. Returns False if it doesn't: then nothing was changed and no hook
        was called. The job object is `asked` what becomes of it, in a process apart by
        default, because it may never answer.
        """
        if job.unreadable:  # conditions on what can't be read would never hold
            return self.condemned(job, error, where)
        record = partial(self._failed, job, error, where, counted, asked or Apart())
        return self._or_condemned(job, record)

    def _failed(
        self,
        job: AbstractJob,
        error: BaseException,
        where: Mapping[str, Any] | None,
        counted: bool,
        asked: Asked,
    ) -> bool:
        where = transitions.as_executor(job) if where is None else where
        prior = job.attempts
        text = "[%s] Job %s FAILED (%s prior attempts) with %s"
        logger.error(text, self, job, prior, for_log(error), extra=_extra(job))
        attempts = prior + 1
        verdict, described = asked.verdict(job, attempts, counted=counted), describe(error)
        if verdict.run_at is None:
            fail = partial(self._fail, job, error, where, attempts, verdict.destroy, asked)
            return self._through("error", fail, job)
        record = partial(
            _offer,
            job,
            partial(
                transitions.reschedule,
                job,
                where,
                verdict.run_at,
                described,
                attempts=attempts if counted else prior,
                result=result_after(job, error),
            ),
            partial(transitions.has_ended, job, described, deleted=False),
        )
        rescheduled = self._through("error", record, job)
        if rescheduled:
            signals.tell(signals.job_rescheduled, job, error=error)
        return rescheduled

    def failed_for_good(
        self, job: AbstractJob, error: DeserializationError, *, asked: Asked | None = None
    ) -> bool:
        """Records a job that can't be loaded.

        Another attempt would end the same way, so none is counted. A job that was
        enqueued a moment ago may be meant for newer code than this process has: it is
        put back for as long as DEPLOY_WINDOW. With `asked`, this process is its
        executor.
        """
        if job.unreadable:
            return self.condemned(job, error)
        where = transitions.as_seen(job) if asked is None else transitions.as_executor(job)
        return self._or_condemned(
            job, partial(self._not_loaded, job, error, where, asked or Apart())
        )

    def condemned(
        self, job: AbstractJob, error: BaseException, where: Mapping[str, Any] | None = None
    ) -> bool:
        """Records that the job failed for good, because its row itself is broken.

        The last resort: all columns that can't be used are set to their defaults. If
        the database refuses even that, the row is left alone.
        """
        described = describe(error)
        try:
            recorded = _offer(
                job, partial(transitions.condemn, job, described, where), lambda: True
            )
        except Exception as refusal:
            if transitions.store_of(job).is_unavailable(refusal):
                raise
            text = "[%s] Job %s can't be made to fail:\n%s"
            logger.error(text, self, job, traceback_for_log(refusal))
            return False
        if recorded:
            text = "[%s] Job %s FAILED permanently, because its row is broken: %s"
            logger.error(text, self, job, for_log(error), extra=_extra(job))
            signals.tell(signals.job_failed, job, error=error)
        return recorded

    def _or_condemned(self, job: AbstractJob, record: Callable[[], bool]) -> bool:
        """A row whose values stop the record of its outcome stops nothing else."""
        try:
            return record()
        except Exception as error:
            if transitions.store_of(job).is_unavailable(error):
                raise
            text = "[%s] The outcome of job %s can't be recorded:\n%s"
            logger.error(text, self, job, traceback_for_log(error))
            return self.condemned(job, error)

    def _not_loaded(
        self,
        job: AbstractJob,
        error: DeserializationError,
        where: Mapping[str, Any],
        asked: Asked,
    ) -> bool:
        if isinstance(error, NotKnownYet) and (age := _young(job)) is not None:
            return self._postpone(job, error, where, age)
        return self._fail(job, error, where, job.attempts, asked.destroys(job), asked)

    def _postpone(
        self, job: AbstractJob, error: NotKnownYet, where: Mapping[str, Any], age: float
    ) -> bool:
        pause = min(max(age / 2, SHORTEST_POSTPONEMENT), LONGEST_POSTPONEMENT)
        run_at = transitions.store_of(job).now() + dt.timedelta(seconds=pause)
        described = describe(error)
        recorded = _offer(
            job,
            partial(transitions.postpone, job, where, run_at, described),
            partial(transitions.has_ended, job, described, deleted=False),
        )
        if recorded:
            text = "[%s] Job %s is put back for %.0f s, because it may be for newer code: %s"
            logger.warning(text, self, job, pause, for_log(error), extra=_extra(job))
        return recorded

    def dropped(self, job: AbstractJob) -> None:
        """The execution was cancelled or given up: its outcome is ignored, its runner
        gone.
        """
        text = "[%s] Job %s is not this execution's any more: its outcome is dropped"
        logger.warning(text, self, job, extra=_extra(job))
        _offer(job, partial(transitions.clear_runner, job), lambda: True)

    def _fail(
        self,
        job: AbstractJob,
        error: BaseException,
        where: Mapping[str, Any],
        attempts: int,
        destroy: bool,
        asked: Asked,
    ) -> bool:
        described = describe(error)
        write = partial(
            transitions.fail,
            job,
            where,
            described,
            attempts=attempts,
            destroy=destroy,
            result=result_after(job, error),
        )
        ended = partial(transitions.has_ended, job, described, deleted=destroy)
        recorded = self._through("failure", partial(_offer, job, write, ended), job)
        if recorded:
            text = "[%s] Job %s FAILED permanently with %s"
            logger.error(text, self, job, for_log(error), extra=_extra(job))
            signals.tell(signals.job_failed, job, error=error)
            # After the write: a hook is not called for an outcome that is dropped.
            asked.call_failure_hook(job)
        return recorded

    def _through(self, event: str, write: Callable[[], bool], job: AbstractJob) -> bool:
        """Runs the event around the write, which happens even if a plugin raises."""
        record = _Once(write)
        try:
            self._lifecycle.run(event, record, self._worker, job)
        except BaseException as error:
            if record.raised is error:
                raise
            text = "[%s] A plugin raised while the outcome of job %s was recorded:\n%s"
            logger.error(text, self, job, traceback_for_log(error))
        return record()


def _young(job: AbstractJob) -> float | None:
    """The age of the job in seconds, if it is younger than DEPLOY_WINDOW."""
    window = settings.DEPLOY_WINDOW
    if not isinstance(job.created_at, dt.datetime):
        return None
    age = (transitions.store_of(job).now() - aware(job.created_at)).total_seconds()
    # Clocks may disagree, but a job from a far future would never grow old.
    return age if -window < age < window else None


class _Once:
    """A write that happens at most once, however often it is called."""

    def __init__(self, write: Callable[[], bool]):
        self._write = write
        self.result: bool | None = None
        self.raised: BaseException | None = None

    def __call__(self, *arguments: Any) -> bool:
        if self.result is None:
            try:
                self.result = self._write()
            except BaseException as error:
                self.raised = error
                raise
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


def _extra(job: AbstractJob) -> dict[str, Any]:
    return {
        "job_id": str(job.pk),
        "job_name": job.name,
        "queue": job.queue,
        "epoch": job.epoch,
    }
