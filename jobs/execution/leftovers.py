"""What a job changes in its process is put back before its outcome is recorded."""

from __future__ import annotations

import logging
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import NoReturn

from django.utils import timezone, translation

from jobs.exceptions import Interruption
from jobs.execution.forks import flush, performing
from jobs.store.cleanup import after_job, before_job
from jobs.text import one_line

logger = logging.getLogger(__name__)

#: Signals whose handlers a job may not keep.
NAMES = ("TERM", "INT", "ALRM", "HUP", "QUIT", "USR1", "USR2", "CHLD", "PIPE")
TIMERS = (signal.ITIMER_REAL, signal.ITIMER_VIRTUAL, signal.ITIMER_PROF)
SIGNALS = [getattr(signal, f"SIG{name}") for name in NAMES if hasattr(signal, f"SIG{name}")]


@contextmanager
def left_as_found() -> Iterator[None]:
    """After the body, connections, language, time zone, signal handlers, the alarm, the
    working folder and TZ are as they were before it.

    The error of the body goes on, whatever cleaning up meets.
    """
    connections = before_job()
    restore = [_language(), _time_zone(), _folder.begin(), *_signals()]
    interrupted = False
    try:
        with performing():
            yield
    except Interruption:
        interrupted = True
        raise
    finally:
        for step in (*restore, _folder.end):
            try:
                step()
            except BaseException as error:
                text = "Something that a job changed can't be put back: %s"
                logger.warning(text, one_line(error))
        after_job(connections, interrupted=interrupted)


def _language() -> Callable[[], None]:
    before = translation.get_language()

    def restore() -> None:
        if translation.get_language() == before:
            return
        if before is None:
            translation.deactivate_all()
        else:
            translation.activate(before)

    return restore


def _time_zone() -> Callable[[], None]:
    before = timezone.get_current_timezone()

    def restore() -> None:
        if timezone.get_current_timezone() is not before:
            timezone.activate(before)

    return restore


def _signals() -> list[Callable[[], None]]:
    """Handlers and the alarm belong to the main thread, which alone may set them."""
    if threading.current_thread() is not threading.main_thread():
        return []
    before = {signum: signal.getsignal(signum) for signum in SIGNALS}
    mask = signal.pthread_sigmask(signal.SIG_BLOCK, ())

    def restore() -> None:
        for timer in TIMERS:
            signal.setitimer(timer, 0)
        signal.pthread_sigmask(signal.SIG_SETMASK, mask)
        for signum, handler in before.items():
            if handler is not None and signal.getsignal(signum) is not handler:
                signal.signal(signum, handler)

    return [restore]


class _Folder:
    """The working folder and TZ, which all threads of a process share.

    They are put back to what they were when the process began to perform jobs, so that
    the leavings of one job never become the next one's start.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._performing = 0
        self._folder: str | None = None
        self._tz: str | None = None

    def begin(self) -> Callable[[], None]:
        with self._lock:
            if self._performing == 0:
                self._folder, self._tz = _working_folder(), os.environ.get("TZ")
            self._performing += 1
        return self._restore

    def end(self) -> None:
        with self._lock:
            self._performing -= 1

    def _restore(self) -> None:
        if self._folder is not None and _working_folder() != self._folder:
            os.chdir(self._folder)
        if os.environ.get("TZ") != self._tz:
            if self._tz is None:
                del os.environ["TZ"]
            else:
                os.environ["TZ"] = self._tz
            if hasattr(time, "tzset"):
                time.tzset()


_folder = _Folder()


def _working_folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return None


def threads_left(before: set[threading.Thread]) -> list[threading.Thread]:
    """Threads that began since and would keep the process from ending."""
    return [
        thread
        for thread in threading.enumerate()
        if thread not in before and not thread.daemon and thread.is_alive()
    ]


def end_process(status: int, left: list[threading.Thread]) -> NoReturn:
    """Ends the process without waiting for threads that jobs left; names them in the
    log.
    """
    names = one_line(", ".join(sorted(str(thread.name) for thread in left)))
    logger.warning("Jobs left threads behind, which end with the process: %s", names)
    flush()
    logging.shutdown()
    os._exit(status)
