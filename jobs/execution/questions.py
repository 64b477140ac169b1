"""What the queue asks a job object about its failure, whatever the object then does.

An object that this process has just performed is asked here. Any other is asked in a
process apart (`apart.py`), because nothing could end what it does in this one.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, Protocol

from django.utils import timezone

from jobs import payloads
from jobs.children import kept_out
from jobs.conf import settings
from jobs.exceptions import DeserializationError, WorkerTimeout
from jobs.execution.interrupts import time_limit
from jobs.execution.leftovers import left_as_found
from jobs.instants import bounded
from jobs.logs import get_logger
from jobs.logs.error_text import for_log, readable

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = get_logger(__name__)

#: For how many seconds a job object is asked for its options once the job has failed:
#: loading it may take for ever.
ASKED_FOR = 5.0
#: For how many seconds a `failure` hook may run, because the reaper calls it, too, and
#: has other jobs to see to.
HOOK_LIMIT = 60.0
#: For how many seconds a job that can't be interrupted may overstay a limit before its
#: process is ended.
GRACE = 10.0
#: The longest back-off, so that no number of attempts leaves the calendar.
LONGEST_BACK_OFF = dt.timedelta(days=3650)

#: Asks one question within a limit of time, and returns the answer.
Ask = Callable[[Callable[[], Any]], Any]


@dataclass(frozen=True)
class Verdict:
    """What becomes of a job whose attempt failed."""

    #: When it is tried again; None: it has failed for good.
    run_at: dt.datetime | None
    #: Whether its row is deleted then.
    destroy: bool = False


class Asked(Protocol):
    """A way to ask the object of a job. What doesn't come, in time, is the default."""

    def verdict(self, job: AbstractJob, attempts: int, *, counted: bool) -> Verdict:
        """After `attempts` failed attempts, or one that isn't `counted`."""

    def destroys(self, job: AbstractJob) -> bool:
        """Whether the job is deleted once it has failed for good."""

    def call_failure_hook(self, job: AbstractJob) -> None: ...


class Here:
    """Asks in this process, which has just performed the job.

    `limit` is called with the seconds after which the process is to be ended, and with
    None when the object has answered.
    """

    def __init__(self, limit: Callable[[float | None], None]):
        self._limit = limit

    def verdict(self, job: AbstractJob, attempts: int, *, counted: bool) -> Verdict:
        said = dict(answers(job, attempts, counted, self._ask))
        return verdict_of(said, attempts, counted)

    def destroys(self, job: AbstractJob) -> bool:
        return destroys_of(dict(answer_destroys(job, self._ask)))

    def call_failure_hook(self, job: AbstractJob) -> None:
        call_failure_hook(job, partial(self._within, HOOK_LIMIT))

    def tell_succeeded(self, job: AbstractJob) -> None:
        """Tells the object of a job that keeps its result, once that is recorded."""
        try:
            self._within(HOOK_LIMIT, partial(job.payload._succeeded, job))
        except BaseException as error:
            text = "Job %s succeeded, but telling of it raised:"
            logger.error(text, job, exc_info=readable(error))

    def _ask(self, question: Callable[[], Any]) -> Any:
        return self._within(ASKED_FOR, question)

    def _within(self, seconds: float, question: Callable[[], Any]) -> Any:
        self._limit(seconds + GRACE)
        try:
            return left_as_found(_in_time, seconds, question)
        finally:
            self._limit(None)


def verdict_of(said: Mapping[str, Any], attempts: int, counted: bool) -> Verdict:
    """The verdict from as many of the `answers` as came."""
    if counted and attempts >= said.get("max_attempts", settings.MAX_ATTEMPTS):
        return Verdict(None, destroys_of(said))
    return Verdict(said.get("run_at") or _back_off(attempts))


def destroys_of(said: Mapping[str, Any]) -> bool:
    return bool(said.get("destroys", settings.DESTROY_FAILED_JOBS))


def answers(job: AbstractJob, attempts: int, counted: bool, ask: Ask) -> Iterator[tuple[str, Any]]:
    """What the job object says itself, one answer after the other."""
    most = _asked(job, "max_attempts", lambda: job.max_attempts, ask)
    if most is not None:
        yield "max_attempts", most
    if counted and attempts >= (settings.MAX_ATTEMPTS if most is None else most):
        yield from answer_destroys(job, ask)
        return
    run_at = _asked(job, "reschedule_at", lambda: _reschedule_at(job, attempts), ask)
    if run_at is not None:
        yield "run_at", run_at


def answer_destroys(job: AbstractJob, ask: Ask) -> Iterator[tuple[str, Any]]:
    chosen = _asked(job, "destroy_failed_jobs", lambda: job.destroys_when_failed, ask)
    if chosen is not None:
        yield "destroys", chosen


def call_failure_hook(job: AbstractJob, ask: Ask) -> None:
    try:
        ask(lambda: payloads.call_hook(job.payload, "failure", job))
    except DeserializationError:
        if "payload" not in job.__dict__:
            return  # there is no object to call it on
        logger.exception("The failure hook of job %s raised:", job)
    except BaseException as error:
        logger.error("The failure hook of job %s raised:", job, exc_info=readable(error))


def _in_time(seconds: float, question: Callable[[], Any]) -> Any:
    expired = WorkerTimeout(f"it took longer than {seconds:g} seconds")
    with time_limit(seconds, expired), kept_out():
        return question()


def _back_off(attempts: int) -> dt.datetime:
    """Now + attempts**4 + 5 seconds, as in Delayed Job, but at most the longest."""
    seconds = min(attempts**4 + 5, LONGEST_BACK_OFF.total_seconds())
    return timezone.now() + dt.timedelta(seconds=seconds)


def _reschedule_at(job: AbstractJob, attempts: int) -> dt.datetime | None:
    """The payload's `reschedule_at(now, attempts)`; None if it has none."""
    method = getattr(job.payload, "reschedule_at", None)
    if not callable(method):
        return None
    now = timezone.now()
    return bounded(payloads.finished(method(now, attempts)), now, now + LONGEST_BACK_OFF)


def _asked(job: AbstractJob, name: str, question: Callable[[], Any], ask: Ask) -> Any:
    """What the job object says, or None if it can't say so in time."""
    try:
        return ask(question)
    except DeserializationError:
        return None
    except BaseException as error:
        text = "Job %s: its %s can't be used (%s), so the default is."
        logger.warning(text, job, name, for_log(error))
        return None
