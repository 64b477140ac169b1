"""What a job changes in its process is put back before its outcome is recorded."""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` makes enums of numbers
import decimal
import signal
import sys
import threading
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from operator import is_
from sys import setprofile, setrecursionlimit, settrace  # a job may replace them
from typing import Any, TypeVar

from jobs.exceptions import Interruption
from jobs.execution import moods
from jobs.execution.forks import performing
from jobs.execution.streams import streams
from jobs.logs import get_logger
from jobs.store.cleanup import after_job, before_job
from jobs.text import one_line

logger = get_logger(__name__)

T = TypeVar("T")

#: Signals whose handlers a job may not keep.
NAMES = ("TERM", "INT", "ALRM", "HUP", "QUIT", "USR1", "USR2", "CHLD", "PIPE")
SIGNALS = [int(getattr(signal, f"SIG{name}")) for name in NAMES if hasattr(signal, f"SIG{name}")]
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)


def left_as_found(function: Callable[..., T], *arguments: Any) -> T:
    """Calls `function(*arguments)`, and returns what it returns.

    Afterwards, everything is as it was before: connections, what belongs to the context
    (language, time zone, decimal context, all context variables), signal handlers and
    timers of the main thread, and what the process has one of (`moods.py`,
    `streams.py`). The error of the function goes on, whatever cleaning up meets.
    """
    connections = before_job()
    replaced: list[str] = []
    steps = [*_signals(), moods.process.restore]
    trace, profile, depth = sys.gettrace(), sys.getprofile(), sys.getrecursionlimit()
    interrupted = False
    try:
        with moods.process:
            try:
                with performing():
                    try:
                        return copy_context().run(_with_own_decimals, function, *arguments)
                    finally:
                        # First and without a call of Python code, which a low limit or
                        # a function that traces it may stop: such a function once.
                        for _ in range(2):
                            try:
                                setrecursionlimit(depth)
                                setprofile(profile)
                                settrace(trace)
                            except BaseException:  # noqa: S112 (its own error)
                                continue
                            break
            finally:
                replaced = moods.process.restore_functions()
                for step in steps:
                    put_back(step)
    except Interruption:
        interrupted = True
        raise
    finally:
        # A connection may have got the number of a stream that the job closed.
        changed = streams.changed()
        after_job(connections, interrupted=interrupted or bool(changed))
        if changed:
            put_back(streams.restore, changed)
        if replaced:  # said when there is something to write to
            logger.warning("A job replaced %s, which is put back.", ", ".join(replaced))


def _with_own_decimals(function: Callable[..., T], *arguments: Any) -> T:
    decimal.setcontext(decimal.getcontext().copy())  # a job may change the object itself
    return function(*arguments)


def put_back(step: Callable[..., None], *arguments: Any) -> None:
    try:
        step(*arguments)
    except BaseException as error:
        text = "Something that a job changed can't be put back: %s"
        with suppress(Exception):  # the job may have closed what the log is written to
            logger.warning(text, one_line(error))


def _signals() -> list[Callable[[], None]]:
    """Handlers and the alarm belong to the main thread, which alone may set them."""
    if threading.current_thread() is not threading.main_thread():
        return []
    before = list(map(_signal.getsignal, SIGNALS))
    mask = _signal.pthread_sigmask(signal.SIG_BLOCK, ())
    wakeup = _wakeup()

    def restore() -> None:
        for timer in TIMERS:
            signal.setitimer(timer, 0)
        signal.set_wakeup_fd(wakeup)
        _signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        if all(map(is_, map(_signal.getsignal, SIGNALS), before)):
            return
        for signum, handler in zip(SIGNALS, before, strict=True):
            if handler is not None and _signal.getsignal(signum) is not handler:
                signal.signal(signum, handler)

    return [restore]


def _wakeup() -> int:
    """The descriptor to which arriving signals are written; -1: none."""
    found = signal.set_wakeup_fd(-1)  # there is no other way to read it
    if found != -1:
        signal.set_wakeup_fd(found)
    return found
