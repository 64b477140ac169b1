"""Threads that a job starts: what they log is about the job, too.

A context variable doesn't reach a thread (Python 3.14 lets it, if it is told to). So
`threading.Thread` notes in which job's code it was started, and a pool of threads runs
each call as that of the job that handed it in. Nothing else of the context is passed
on.
"""

from __future__ import annotations

import functools
import threading
from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import ContextVar
from typing import Any, TypeVar

from jobs.logs import context

T = TypeVar("T")

#: Set in the code of a job, and in the calls that it handed to a pool.
_followed: ContextVar[context.Fields | None] = ContextVar("jobs.logs.followed", default=None)
_lock = threading.Lock()
_is_installed = False


def follow() -> None:
    """From here on in this context, what is started is about the job in hand.

    In a process that has called `install`.
    """
    _followed.set(context.current())


def install() -> None:
    """For good, and before the first job, because what a job replaces is put back."""
    global _is_installed
    with _lock:
        if not _is_installed:
            _is_installed = True
            setattr(threading.Thread, "start", _noting(threading.Thread.start))  # noqa: B010
            setattr(ThreadPoolExecutor, "submit", _as_of(ThreadPoolExecutor.submit))  # noqa: B010


def _noting(start: Callable[[threading.Thread], None]) -> Callable[[threading.Thread], None]:
    @functools.wraps(start)
    def noting(self: threading.Thread) -> None:
        fields = _followed.get() or context.of_threads.get(threading.current_thread())
        if fields is not None:
            context.of_threads[self] = fields
        start(self)

    return noting


def _as_of(submit: Callable[..., Future[Any]]) -> Callable[..., Future[Any]]:
    @functools.wraps(submit)
    def as_of_job(self: Any, function: Any, /, *args: Any, **kwargs: Any) -> Future[Any]:
        fields = _followed.get() or context.of_threads.get(threading.current_thread())
        if fields is None:
            return submit(self, function, *args, **kwargs)
        # The pool's threads outlast the job, so they aren't noted as the job's.
        before = _followed.set(None)
        try:
            return submit(self, _called, fields, function, *args, **kwargs)
        finally:
            _followed.reset(before)

    return as_of_job


def _called(fields: context.Fields, function: Callable[..., T], /, *args: Any, **kwargs: Any) -> T:
    before = _followed.set(fields)
    try:
        return context.running_as(fields, function, *args, **kwargs)
    finally:
        _followed.reset(before)
