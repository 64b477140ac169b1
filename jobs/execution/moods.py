"""What a process has one of, shared by all its threads, and a job may change."""

from __future__ import annotations

import gc
import locale
import logging
import os
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from operator import eq, is_
from typing import Any

from jobs.execution.functions import Functions
from jobs.execution.streams import streams
from jobs.logs import get_logger
from jobs.text import one_line

logger = get_logger(__name__)


@dataclass(frozen=True)
class Mood:
    """How something is read, and how it is put back."""

    name: str
    read: Callable[[], Any]
    write: Callable[[Any], Any]


def _attribute(module: Any, name: str) -> Mood:
    read, write = partial(getattr, module, name, None), partial(setattr, module, name)
    return Mood(f"{module.__name__}.{name}", read, write)


def _working_folder() -> str | None:
    try:
        return os.getcwd()
    except OSError:  # it was deleted
        return None


def _change_folder(folder: str | None) -> None:
    if folder is not None:
        os.chdir(folder)


def _set_tz(tz: str | None) -> None:
    if tz is None:
        del os.environ["TZ"]
    else:
        os.environ["TZ"] = tz
    if hasattr(time, "tzset"):
        time.tzset()


def _set_gc(enabled: bool) -> None:
    (gc.enable if enabled else gc.disable)()


def _filters() -> list[Any]:
    return list(warnings.filters)


def _set_filters(filters: list[Any]) -> None:
    warnings.resetwarnings()  # which also has all modules look at the filters anew
    warnings.filters.extend(filters)  # type: ignore[attr-defined]


try:
    import resource
except ImportError:  # not POSIX
    LIMITS: list[int] = []
else:
    _names = ("AS", "CORE", "CPU", "DATA", "FSIZE", "NOFILE", "NPROC", "STACK")
    LIMITS = [
        getattr(resource, f"RLIMIT_{name}")
        for name in _names
        if hasattr(resource, f"RLIMIT_{name}")
    ]


def _limits() -> list[tuple[int, int]]:
    return [resource.getrlimit(limit) for limit in LIMITS]


def _set_limits(before: list[tuple[int, int]]) -> None:
    """Only the soft limits, because nobody may raise a hard one again."""
    for limit, (soft, _) in zip(LIMITS, before, strict=True):
        now, hard = resource.getrlimit(limit)
        if now != soft:
            within = soft if hard == resource.RLIM_INFINITY else min(soft, hard)
            allowed = hard if soft == resource.RLIM_INFINITY else within
            resource.setrlimit(limit, (allowed, hard))


#: Objects, which are compared by identity.
OBJECTS = [
    *(_attribute(sys, name) for name in ("stdin", "stdout", "stderr")),
    *(_attribute(sys, name) for name in ("excepthook", "unraisablehook", "displayhook")),
    _attribute(threading, "excepthook"),
    _attribute(warnings, "showwarning"),
    _attribute(warnings, "filters"),
    Mood("the factory of log records", logging.getLogRecordFactory, logging.setLogRecordFactory),
    Mood("threading.settrace", threading.gettrace, threading.settrace),
    Mood("threading.setprofile", threading.getprofile, threading.setprofile),
]
#: Values, which are compared by equality.
VALUES = [
    Mood("the working folder", _working_folder, _change_folder),
    Mood("TZ", partial(os.environ.get, "TZ"), _set_tz),
    Mood(
        "the locale",
        partial(locale.setlocale, locale.LC_ALL),
        partial(locale.setlocale, locale.LC_ALL),
    ),
    Mood("the filters of warnings", _filters, _set_filters),
    Mood("logging.disable", lambda: logging.root.manager.disable, logging.disable),
    Mood("the default timeout of sockets", socket.getdefaulttimeout, socket.setdefaulttimeout),
    Mood("the recursion limit", sys.getrecursionlimit, sys.setrecursionlimit),
    Mood("the switch interval", sys.getswitchinterval, sys.setswitchinterval),
    Mood("garbage collection", gc.isenabled, _set_gc),
    Mood(
        "garbage collection's thresholds", gc.get_threshold, lambda found: gc.set_threshold(*found)
    ),
    Mood("resource limits", _limits, _set_limits),
]


_objects = [mood.read for mood in OBJECTS]
_values = [mood.read for mood in VALUES]


class Process:
    """The moods of this process.

    In the body of `with process`, they are put back by `restore` to what they were when
    the first of all threads entered it, so that the leavings of one job never become
    the next one's start. While another thread still performs a job, they are put back
    all the same.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._performing = 0
        self._objects: list[Any] = []
        self._values: list[Any] = []
        self._umask = 0
        self._functions = Functions()

    def __enter__(self) -> None:
        with self._lock:
            if self._performing == 0:
                streams.keep()
                self._functions.keep()
                self._objects = [read() for read in _objects]
                self._values = [read() for read in _values]
                # There is no other way to read it.
                self._umask = os.umask(0o077)
                os.umask(self._umask)
            self._performing += 1

    def __exit__(self, *error: object) -> None:
        with self._lock:
            self._performing -= 1

    def restore_functions(self) -> list[str]:
        """First, because whatever else is put back calls some of them.

        Returns the names of those that were replaced.
        """
        return self._functions.put_back()

    def restore(self) -> None:
        os.umask(self._umask)
        if not self._is_as_before():
            _restore(OBJECTS, self._objects, is_)
            _restore(VALUES, self._values, eq)

    def _is_as_before(self) -> bool:
        """What nearly every job leaves, found out with as little code as can be."""
        try:
            found = [read() for read in _objects]
            same = all(map(is_, found, self._objects))
            return same and [read() for read in _values] == self._values
        except BaseException:  # one by one, it is said which
            return False


def _restore(moods: list[Mood], values: list[Any], same: Callable[[Any, Any], bool]) -> None:
    for mood, before in zip(moods, values, strict=True):
        try:
            if not same(mood.read(), before):
                mood.write(before)
        except BaseException as error:
            text = "A job changed %s, which can't be put back: %s"
            logger.warning(text, mood.name, one_line(error))


process = Process()
