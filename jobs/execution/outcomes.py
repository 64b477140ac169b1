"""How an execution ended: recorded, told to plugins and hooks, and logged.

Nothing here raises what the job contains.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs import signals, transitions
from jobs.exceptions import DeserializationError, NotKnownYet
from jobs.execution.apart import Apart
from jobs.execution.journal import AtOnce
from jobs.execution.newer_code import postponement
from jobs.execution.offers import offer
from jobs.execution.once import Once
from jobs.execution.telling import tell
from jobs.execution.tries import result_after
from jobs.logs import get_logger
from jobs.logs.error_text import describe, for_log, readable
from jobs.text import one_line

if TYPE_CHECKING:
    from jobs.execution.journal import Journal
    from jobs.execution.notes import Attempt
    from jobs.execution.offers import Through
    from jobs.execution.questions import Asked
    from jobs.lifecycle import Lifecycle
    from jobs.models import AbstractJob

logger = get_logger(__name__)


class Recorder:
    """Records outcomes in the name of a worker, and tells its plugins.

    `worker` is what the plugins' `error` and `failure` callbacks get. Leave it out if
    no worker is there, as in the keeper or for an operator: they get the recorder,
    which has a `name`, too. What is recorded is noted in the `journal`, by default at
    once.
    """

    def __init__(
        self, name: str, lifecycle: Lifecycle, worker: Any = None, journal: Journal | None = None
    ):
        self.name = name
        self.journal = AtOnce() if journal is None else journal
        self._lifecycle = lifecycle
        self._worker = self if worker is None else worker

    def __repr__(self) -> str:
        return f"Worker({one_line(self.name)})"

    def succeeded(
        self, job: AbstractJob, seconds: float, *, through: Through | None = None
    ) -> bool:
        """Records success after `seconds`; False if the execution is over.

        `through` may give what is to write it, in the place of the store.
        """
        return self._or_condemned(job, partial(self._succeeded, job, seconds, through))

    def _succeeded(self, job: AbstractJob, seconds: float, through: Through | None) -> bool:
        deletes = not job.succeeded_rows_are_kept
        recorded = offer(
            job,
            partial(transitions.succeed, job),
            partial(transitions.has_ended, job, None, deleted=deletes),
            through,
        )
        if recorded:
            text = "[%s] Job %s COMPLETED after %.4f s"
            logger.info(text, self, job, seconds, extra={"run_seconds": seconds})
            self.journal.succeeded(job, seconds)
            tell(signals.job_succeeded, job)
        return recorded

    def failed(
        self,
        job: AbstractJob,
        error: BaseException,
        where: Mapping[str, Any] | None = None,
        *,
        counted: bool = True,
        asked: Asked | None = None,
        through: Through | None = None,
    ) -> bool:
        """Records a failed attempt: rescheduled with its back-off, or, after the last
        one, failed for good.

        An attempt that is not `counted` is rescheduled and costs the job nothing.
        `where` is what must still hold of the row; by default, that the job's runner is
        its executor. Returns False if it doesn't: then nothing was changed and no hook
        was called. The job object is `asked` what becomes of it, in a process apart by
        default, because it may never answer. `through` may give what is to write a job
        that is rescheduled, in the place of the store.
        """
        if job.unreadable:  # conditions on what can't be read would never hold
            return self.condemned(job, error, where)
        record = partial(self._failed, job, error, where, counted, asked or Apart(), through)
        return self._noted_or_condemned(job, error, record)

    def _failed(
        self,
        job: AbstractJob,
        error: BaseException,
        where: Mapping[str, Any] | None,
        counted: bool,
        asked: Asked,
        through: Through | None,
        attempt: Attempt,
    ) -> bool:
        attempt.counted = counted
        where = transitions.as_executor(job) if where is None else where
        prior = job.attempts
        text = "[%s] Job %s FAILED (%s prior attempts) with %s"
        logger.error(text, self, job, one_line(prior), for_log(error), exc_info=_raised(error))
        attempts = prior + 1
        verdict, described = asked.verdict(job, attempts, counted=counted), describe(error)
        if verdict.run_at is None:
            attempt.last, attempt.deleted = True, verdict.destroy
            fail = partial(self._fail, job, error, where, attempts, verdict.destroy, asked)
            return self._through("error", fail, job, error)
        record = partial(
            offer,
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
            through,
        )
        rescheduled = self._through("error", record, job, error)
        if rescheduled:
            tell(signals.job_rescheduled, job, error=error)
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
        record = partial(self._not_loaded, job, error, where, asked or Apart())
        return self._noted_or_condemned(job, error, record)

    def condemned(
        self, job: AbstractJob, error: BaseException, where: Mapping[str, Any] | None = None
    ) -> bool:
        """Records that the job failed for good, because its row itself is broken.

        The last resort: all columns that can't be used are set to their defaults. If
        the database refuses even that, the row is left alone.
        """
        described, attempt = describe(error), self.journal.attempt(job, self.name, error)
        attempt.last = True
        try:
            recorded = offer(job, partial(transitions.condemn, job, described, where), lambda: True)
        except Exception as refusal:
            if transitions.store_of(job).is_unavailable(refusal):
                raise
            job.is_refused = True
            text = "[%s] Job %s can't be made to fail:"
            logger.error(text, self, job, exc_info=refusal)
            return False
        if recorded:
            text = "[%s] Job %s FAILED permanently, because its row is broken: %s"
            logger.error(text, self, job, for_log(error))
            tell(signals.job_failed, job, error=error)
        return recorded and self.journal.failed(job, attempt)

    def _noted_or_condemned(
        self, job: AbstractJob, error: BaseException, record: Callable[[Attempt], bool]
    ) -> bool:
        attempt = self.journal.attempt(job, self.name, error)

        def record_and_note() -> bool:
            return record(attempt) and self.journal.failed(job, attempt)

        return self._or_condemned(job, record_and_note)

    def _or_condemned(self, job: AbstractJob, record: Callable[[], bool]) -> bool:
        """A row whose values stop the record of its outcome stops nothing else."""
        try:
            return record()
        except Exception as error:
            if transitions.store_of(job).is_unavailable(error):
                raise
            text = "[%s] The outcome of job %s can't be recorded:"
            logger.error(text, self, job, exc_info=error)
            return self.condemned(job, error)

    def _not_loaded(
        self,
        job: AbstractJob,
        error: DeserializationError,
        where: Mapping[str, Any],
        asked: Asked,
        attempt: Attempt,
    ) -> bool:
        if isinstance(error, NotKnownYet) and (pause := postponement(job)) is not None:
            attempt.postponed = True
            return self._postpone(job, error, where, pause)
        attempt.last, attempt.counted = True, False
        attempt.deleted = destroy = asked.destroys(job)
        return self._fail(job, error, where, job.attempts, destroy, asked)

    def _postpone(
        self, job: AbstractJob, error: NotKnownYet, where: Mapping[str, Any], pause: float
    ) -> bool:
        run_at = transitions.store_of(job).now() + dt.timedelta(seconds=pause)
        described = describe(error)
        recorded = offer(
            job,
            partial(transitions.postpone, job, where, run_at, described),
            partial(transitions.has_ended, job, described, deleted=False),
        )
        if recorded:
            text = "[%s] Job %s is put back for %.0f s, because it may be for newer code: %s"
            logger.warning(text, self, job, pause, for_log(error))
        return recorded

    def dropped(self, job: AbstractJob) -> None:
        """The execution was cancelled or given up: its outcome is ignored, its runner
        gone.
        """
        text = "[%s] Job %s no longer belongs to this execution: its outcome is dropped"
        logger.warning(text, self, job)
        offer(job, partial(transitions.clear_runner, job), lambda: True)

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
        # That of an attempt is in the log already.
        trace = _raised(error) if attempts == job.attempts else None
        write = partial(transitions.fail, job, where, described)
        write = partial(write, attempts=attempts, destroy=destroy, result=result_after(job, error))
        ended = partial(transitions.has_ended, job, described, deleted=destroy)
        recorded = self._through("failure", partial(offer, job, write, ended), job, error)
        if recorded:
            text = "[%s] Job %s FAILED permanently with %s"
            logger.error(text, self, job, for_log(error), exc_info=trace)
            tell(signals.job_failed, job, error=error)
            # After the write: a hook is not called for an outcome that is dropped.
            asked.call_failure_hook(job)
        return recorded

    def _through(
        self, event: str, write: Callable[[], bool], job: AbstractJob, error: BaseException
    ) -> bool:
        """Runs the event around the write, which happens even if a plugin raises.

        Meanwhile plugins find the attempt's `error` with the job.
        """
        record = Once(write)
        before, job._error = job._error, error
        try:
            self._lifecycle.run(event, record, self._worker, job)
        except BaseException as raised:
            if record.raised is raised:
                raise
            text = "[%s] A plugin raised while the outcome of job %s was recorded:"
            logger.error(text, self, job, exc_info=readable(raised))
        finally:
            job._error = before
        return record()


def _raised(error: BaseException) -> BaseException | None:
    """The error, if it has a traceback: not that of a worker that is gone."""
    return error if error.__traceback__ is not None else None
