"""Performing a job: its hooks, perform(), and the limit on its time."""

from __future__ import annotations

from contextlib import AbstractContextManager
from typing import TYPE_CHECKING, TypeGuard

from jobs import payloads
from jobs.children import kept_out
from jobs.conf import settings
from jobs.exceptions import DeserializationError, WorkerTimeout
from jobs.execution.interrupts import time_limit
from jobs.logs import get_logger
from jobs.logs.error_text import readable

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = get_logger(__name__)


def load(job: AbstractJob) -> float:
    """Loads the job object, and returns the seconds that the job may take; 0: no limit.

    Loading may take as long as the setting allows a job, because the job's own limit
    isn't known yet. Raises what loading raises, or WorkerTimeout. `is_of_loading` tells
    a job that can't be loaded from errors of its code.
    """
    with _limited(settings.MAX_RUN_TIME), kept_out():
        try:
            job.payload._require_known()
        except DeserializationError as error:
            job._load_failure = error
            raise
        return job.max_run_time


def is_of_loading(error: BaseException, job: AbstractJob) -> TypeGuard[DeserializationError]:
    """Whether the error says that the job can't be loaded.

    What its own code raises is not, even if that found another job that can't be.
    """
    return isinstance(error, DeserializationError) and error is job._load_failure


def invoke(job: AbstractJob, limit: float | None = None) -> None:
    """Calls before, perform, success, after; or error and after, if one of them raises.

    The exception goes on to the caller. A job that lasts longer than its `max_run_time`
    is interrupted by a WorkerTimeout. A process that the job forks ends here.
    """
    if limit is None:
        limit = load(job)
    payload = job.payload
    try:
        try:
            with _limited(limit):
                _call_hook(payload, "before", job)
                with kept_out():
                    job.returned = payloads.perform(payload)
                _call_hook(payload, "success", job)
        except BaseException as error:
            _report_error(payload, job, error)
            raise
    finally:
        _call_hook(payload, "after", job)


def _limited(seconds: float) -> AbstractContextManager[None]:
    expired = WorkerTimeout(f"execution expired (max_run_time is {seconds:g} seconds)")
    return time_limit(seconds, expired)


def _call_hook(payload: object, name: str, *arguments: object) -> None:
    with kept_out():  # looking the hook up may run the job's code, too
        payloads.call_hook(payload, name, *arguments)


def _report_error(payload: object, job: AbstractJob, error: BaseException) -> None:
    try:
        _call_hook(payload, "error", job, error)
    except BaseException as raised:
        # The job's own error matters more than that of its hook.
        logger.error("The error hook of job %s raised:", job, exc_info=readable(raised))
