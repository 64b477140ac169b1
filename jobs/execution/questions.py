"""What the queue asks a job object about its failure, whatever the object then does."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.utils import timezone

from jobs import payloads
from jobs.conf import settings
from jobs.exceptions import DeserializationError, WorkerTimeout
from jobs.execution.error_text import for_log, traceback_for_log
from jobs.execution.forks import kept_out
from jobs.execution.interrupts import time_limit
from jobs.instants import bounded

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = logging.getLogger(__name__)

#: For how many seconds a job object is asked for its options once the job has failed:
#: loading it may take for ever.
ASKED_FOR = 5.0
#: For how many seconds a `failure` hook may run, because the reaper calls it, too, and
#: has other jobs to see to.
HOOK_LIMIT = 60.0
#: The longest back-off, so that no number of attempts leaves the calendar.
LONGEST_BACK_OFF = dt.timedelta(days=3650)


def destroys(job: AbstractJob) -> bool:
    """Whether the job is deleted once it has failed for good.

    The setting decides if the job can't be loaded.
    """
    default = bool(settings.DESTROY_FAILED_JOBS)
    return bool(_asked(job, "destroy_failed_jobs", lambda: job.destroys_when_failed, default))


def call_failure_hook(job: AbstractJob) -> None:
    try:
        expired = WorkerTimeout("the failure hook took too long")
        with time_limit(HOOK_LIMIT, expired), kept_out():
            payloads.call_hook(job.payload, "failure", job)
    except DeserializationError:
        pass  # there is no object to call it on
    except BaseException as error:
        logger.error("The failure hook of job %s raised:\n%s", job, traceback_for_log(error))


def max_attempts(job: AbstractJob) -> int:
    return int(_asked(job, "max_attempts", lambda: job.max_attempts, settings.MAX_ATTEMPTS))


def reschedule_at(job: AbstractJob, attempts: int) -> dt.datetime:
    """The payload's `reschedule_at(now, attempts)`, else now + attempts**4 + 5 seconds.

    As in Delayed Job, but never beyond the longest back-off.
    """
    now = timezone.now()
    latest = now + LONGEST_BACK_OFF

    def own() -> dt.datetime | None:
        method = getattr(job.payload, "reschedule_at", None)
        if not callable(method):
            return None
        return bounded(payloads.finished(method(now, attempts)), now, latest)

    seconds = min(attempts**4 + 5, LONGEST_BACK_OFF.total_seconds())
    default = now + dt.timedelta(seconds=seconds)
    chosen: dt.datetime | None = _asked(job, "reschedule_at", own, default)
    return default if chosen is None else chosen


def _asked(job: AbstractJob, name: str, ask: Callable[[], Any], default: Any) -> Any:
    """What the job object says, or the default if it can't say so in time."""
    try:
        with time_limit(ASKED_FOR, WorkerTimeout("it took too long")), kept_out():
            return ask()
    except DeserializationError:
        return default
    except BaseException as error:
        text = "Job %s: its %s can't be used (%s), so the default is."
        logger.warning(text, job, name, for_log(error))
        return default
