"""Which job a record is about: a context variable, and the filter that reads it.

Tasks of asyncio, `asyncio.to_thread`, and forked processes inherit the variable; for
threads that a job starts, see `jobs.logs.threads`.
"""

from __future__ import annotations

import logging
import threading
from collections.abc import Callable
from contextvars import ContextVar
from typing import TYPE_CHECKING, Any, TypeVar
from weakref import WeakKeyDictionary

from jobs.logs.error_text import traceback_for_log
from jobs.runner import place_of
from jobs.text import one_line

if TYPE_CHECKING:
    from django.db.models import Model

#: The attributes of a record about a job. `attempt` counts from 1. What isn't known is
#: an empty text.
FIELDS = ("job_id", "job_name", "queue", "attempt", "epoch", "worker", "batch_job_id")
NOTHING: dict[str, Any] = dict.fromkeys(FIELDS, "")

T = TypeVar("T")


class Fields(dict[str, Any]):
    """The FIELDS of a job in hand."""

    #: Whether it is no longer in hand. A thread may outlast the job that started it,
    #: and then serve another.
    is_over = False


_current: ContextVar[Fields | None] = ContextVar("jobs.logs.current", default=None)
#: What threads are about that a job started.
of_threads: WeakKeyDictionary[threading.Thread, Fields] = WeakKeyDictionary()
#: What every thread of a process is about that has one job only.
_of_process: list[Fields] = []


class about:
    """What is logged in the body is about the job of these fields (see FIELDS).

    With `whole_process`, so is what other threads log meanwhile: for a process that
    performs one job.
    """

    __slots__ = ("_before", "_fields", "_whole_process")

    def __init__(self, *, whole_process: bool = False, **fields: Any):
        self._fields = Fields({**NOTHING, **fields})
        self._whole_process = whole_process

    def __enter__(self) -> None:
        self._before = _current.get()
        _current.set(self._fields)
        if self._whole_process:
            _of_process.append(self._fields)

    def __exit__(self, *error: object) -> None:
        # Not by a token: whatever the body did to its context, this is what was before.
        _current.set(self._before)
        self._fields.is_over = True
        if self._whole_process:
            _of_process.remove(self._fields)


def about_the_job(
    job: Model, worker: str = "", *, whole_process: bool = False, **more: Any
) -> about:
    """`about`, with what the row says now."""
    own = job.__dict__
    attempts, runner = own.get("attempts"), own.get("runner")
    place = place_of(runner) if isinstance(runner, str) else ""
    fields = {
        "job_id": "" if job.pk is None else str(job.pk),
        "job_name": one_line(own.get("name", "")),
        "queue": one_line(own.get("queue", "")),
        "attempt": attempts + 1 if isinstance(attempts, int) else "",
        "epoch": own.get("epoch", ""),
        "worker": one_line(worker or own.get("locked_by") or ""),
        "batch_job_id": "" if place.startswith("pid:") else one_line(place),
    }
    return about(whole_process=whole_process, **{**fields, **more})


def current() -> Fields | None:
    """Those that hold in this context."""
    return _current.get()


def running_as(fields: Fields, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    """Calls the function as a part of that job."""
    before = _current.set(fields)
    try:
        return function(*args, **kwargs)
    finally:
        _current.reset(before)


def learn(**fields: Any) -> None:
    """From now on, what is logged in the innermost `about` has these fields, too."""
    known = _current.get()
    if known is not None:
        known.update(fields)


def fill(record: logging.LogRecord) -> None:
    """Adds the FIELDS that the record lacks. One about another job gets none."""
    own = record.__dict__
    known: dict[str, Any] | None = _current.get()
    if known is None:
        known = _of_this_thread() or (_of_process[-1] if _of_process else NOTHING)
    if own.get("job_id", known["job_id"]) != known["job_id"]:
        known = NOTHING
    for name in FIELDS:
        own.setdefault(name, known[name])


def _of_this_thread() -> Fields | None:
    fields = of_threads.get(threading.current_thread()) if of_threads else None
    return None if fields is None or fields.is_over else fields


class JobFilter(logging.Filter):
    """Lets every record pass, with the FIELDS of the job that it is about.

    On a handler of LOGGING, it adds them to what the job's own code logs, for formats
    such as `%(job_id)s`. On a QueueHandler it must be on that, not on what listens.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        fill(record)
        return True


class _OwnFilter(JobFilter):
    """For loggers of the queue. Tracebacks are indented, whatever formats them, so that
    no line of a job's error passes for another record.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        if record.exc_info and record.exc_info[1] is not None and not record.exc_text:
            record.exc_text = traceback_for_log(record.exc_info[1])
        return super().filter(record)


_own_filter = _OwnFilter()


def get_logger(name: str) -> logging.Logger:
    """The logger of a module of the queue: its records have the FIELDS, whatever
    LOGGING says.
    """
    logger = logging.getLogger(name)
    logger.addFilter(_own_filter)
    return logger
