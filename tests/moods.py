"""What a job may change in its process: how, and how to see it."""

from __future__ import annotations

import contextvars
import datetime as dt
import decimal
import gc
import io
import locale
import logging
import os
import resource
import signal
import socket
import sys
import threading
import time
import warnings
from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

from django.utils import timezone, translation
from django.utils.module_loading import import_string

import jobs

mine: contextvars.ContextVar[str] = contextvars.ContextVar("mine", default="nobody's")


def _ignore(*arguments: Any) -> None:
    return None


def _raise(*arguments: Any) -> None:
    raise ValueError("of a trace")


def _own_records(*arguments: Any, **named: Any) -> logging.LogRecord:
    return logging.LogRecord(*arguments, **named)


def _depth() -> int:
    frame, depth = sys._getframe(), 0
    while frame.f_back is not None:
        frame, depth = frame.f_back, depth + 1
    return depth


def _lower(limit: int) -> Callable[[], None]:
    def lower() -> None:
        soft, hard = resource.getrlimit(limit)
        resource.setrlimit(limit, (500 if soft == resource.RLIM_INFINITY else soft - 1, hard))

    return lower


def _tz() -> None:
    os.environ["TZ"] = "Asia/Tokyo"
    time.tzset()


def _handlers() -> None:
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    signal.signal(signal.SIGUSR1, signal.SIG_IGN)


def _alarm() -> None:
    signal.signal(signal.SIGALRM, signal.SIG_DFL)
    signal.setitimer(signal.ITIMER_REAL, 3600)  # its end would be the process's


def _replace_filters() -> None:
    warnings.catch_warnings().__enter__()
    warnings.simplefilter("ignore")


CHANGES: dict[str, Callable[[], Any]] = {
    "language": lambda: translation.activate("de"),
    "no language": translation.deactivate_all,
    "time zone": lambda: timezone.activate("Asia/Tokyo"),
    "decimal context": lambda: setattr(decimal.getcontext(), "prec", 3),
    "another decimal context": lambda: decimal.setcontext(decimal.Context(prec=2)),
    "context variable": lambda: mine.set("the job's"),
    "folder": lambda: os.chdir("/"),
    "TZ": _tz,
    "umask": lambda: os.umask(0),
    "locale": lambda: locale.setlocale(locale.LC_ALL, "C.UTF-8"),
    "socket timeout": lambda: socket.setdefaulttimeout(0.001),
    "stdout": lambda: setattr(sys, "stdout", io.StringIO()),
    "stderr": lambda: setattr(sys, "stderr", None),
    "stdin": lambda: setattr(sys, "stdin", io.StringIO()),
    "recursion limit": lambda: sys.setrecursionlimit(20_000),
    "logging": lambda: logging.disable(logging.CRITICAL),
    "log records": lambda: logging.setLogRecordFactory(_own_records),
    "warnings filter": lambda: warnings.simplefilter("ignore"),
    "warnings filters": _replace_filters,
    "no warnings": warnings.resetwarnings,
    "open files": _lower(resource.RLIMIT_NOFILE),
    "core files": _lower(resource.RLIMIT_CORE),
    "excepthook": lambda: setattr(sys, "excepthook", _ignore),
    "threads' excepthook": lambda: setattr(threading, "excepthook", _ignore),
    "garbage collection": gc.disable,
    "its thresholds": lambda: gc.set_threshold(1),
    "trace": lambda: sys.settrace(_ignore),
    "profile": lambda: sys.setprofile(_ignore),
    "threads' trace": lambda: threading.settrace(_ignore),
    "switch interval": lambda: sys.setswitchinterval(0.5),
    "handlers": _handlers,
    "blocked signals": lambda: signal.pthread_sigmask(signal.SIG_BLOCK, [signal.SIGTERM]),
    "alarm": _alarm,
    "a low recursion limit": lambda: sys.setrecursionlimit(_depth() + 30),
    "a trace that raises": lambda: sys.settrace(_raise),
    "a profile that raises": lambda: sys.setprofile(_raise),
    "no stdout at all": lambda: delattr(sys, "stdout"),
    "no hook at all": lambda: delattr(threading, "excepthook"),
    "no filters": lambda: setattr(warnings, "filters", None),
    "wake-up": lambda: signal.set_wakeup_fd(_non_blocking(), warn_on_full_buffer=False),
}
#: In which nothing can be looked at.
UNSEEN = {name for name in CHANGES if name.startswith(("a ", "no stdout", "no hook", "no filters"))}
#: Of the main thread, which alone can change them.
OF_MAIN_THREAD = {"handlers", "blocked signals", "alarm", "wake-up"}


def _non_blocking() -> int:
    told, tell = os.pipe()
    os.close(told)
    os.set_blocking(tell, False)
    return tell


def _umask() -> str:
    """Not by changing it, because another thread may look at the same time."""
    status = Path("/proc/self/status").read_text()
    return next(line for line in status.splitlines() if line.startswith("Umask:"))


def seen() -> dict[str, Any]:
    """All of it, as it is now in this thread."""
    wakeup = -1
    if threading.current_thread() is threading.main_thread():
        wakeup = signal.set_wakeup_fd(-1)
    return {
        "language": translation.get_language(),
        "time zone": timezone.get_current_timezone_name(),
        "decimal context": decimal.getcontext().prec,
        "context variable": mine.get(),
        "folder": os.getcwd(),
        "TZ": (os.environ.get("TZ"), time.tzname),
        "umask": _umask(),
        "locale": locale.setlocale(locale.LC_ALL),
        "socket timeout": socket.getdefaulttimeout(),
        "streams": (id(sys.stdin), id(sys.stdout), id(sys.stderr)),
        "recursion limit": sys.getrecursionlimit(),
        "logging": logging.root.manager.disable,
        "log records": logging.getLogRecordFactory(),
        "warnings": (id(warnings.filters), list(warnings.filters)),
        "limits": [resource.getrlimit(limit) for limit in range(10)],
        "hooks": (sys.excepthook, threading.excepthook),
        "garbage collection": (gc.isenabled(), gc.get_threshold()),
        "tracing": (sys.gettrace(), sys.getprofile(), threading.gettrace()),
        "switch interval": sys.getswitchinterval(),
        "handlers": [signal.getsignal(number) for number in signal.valid_signals()],
        "blocked signals": signal.pthread_sigmask(signal.SIG_BLOCK, []),
        "alarm": signal.getitimer(signal.ITIMER_REAL),
        "wake-up": wakeup,
    }


@dataclass
class Change(jobs.Performable):
    """Changes `what`, and fails in perform(), in after() or nowhere."""

    what: str
    fails_in: str = ""

    def perform(self) -> None:
        if self.what in UNSEEN:
            CHANGES[self.what]()
            return
        before = seen()
        for _ in range(100):  # another thread may put warnings' filters back meanwhile
            CHANGES[self.what]()
            if seen() != before:
                break
        else:
            raise AssertionError("it changed nothing")
        if self.what == "wake-up":  # which looking at it has undone
            CHANGES[self.what]()
        if self.fails_in == "perform":
            raise RuntimeError("the job's own error")

    def after(self) -> None:
        if self.fails_in == "after":
            raise RuntimeError("the job's own error")


@dataclass
class Tell(jobs.Performable):
    """Says in which mood it finds its process."""

    told: Any = None

    def perform(self) -> None:
        from tests.samples import calls

        calls.append(seen())


@dataclass
class CloseStreams(jobs.Performable):
    """Closes the standard streams in one of the usual ways, and prints afterwards."""

    how: str
    fails: bool = False

    def perform(self) -> None:
        getattr(self, self.how)()
        if self.fails:
            raise RuntimeError("the job's own error")

    def reschedule_at(self, now: dt.datetime, attempts: int) -> dt.datetime:
        return now + dt.timedelta(hours=1)  # not while the test still runs

    def close(self) -> None:
        for stream in (sys.stdin, sys.stdout, sys.stderr):
            stream.close()

    def detach(self) -> None:
        sys.stdout.detach()
        sys.stderr.detach()

    def descriptors(self) -> None:
        os.closerange(0, 3)

    def reused(self) -> None:
        """As a daemon does, and the numbers go to something else."""
        os.closerange(0, 3)
        self.kept = [os.open(os.devnull, os.O_RDWR) for _ in range(3)]

    def query(self) -> None:
        """The number of the stream goes to a connection."""
        from django.db import connection

        connection.close()
        os.closerange(0, 3)
        jobs.Job.objects.count()


#: Replaced by a function that raises, each by a job of its own.
_REPLACED = (
    "time.time time.monotonic time.clock_gettime logging.Logger.info logging.Logger.handle "
    "logging.Logger.isEnabledFor logging.Handler.handle logging.LogRecord.__init__ os.getpid "
    "os.write os.umask json.dumps json.loads marshal.dumps datetime.datetime datetime.timedelta "
    "threading.Thread.start threading.Event.wait threading.current_thread signal.setitimer "
    "sys.settrace sys.setrecursionlimit hmac.compare_digest builtins.len builtins.isinstance "
    "builtins.getattr builtins.map builtins.print builtins.open"
)
REPLACED = _REPLACED.split()


@dataclass
class Replace(jobs.Performable):
    """Replaces a function of the standard library for good, or takes it away."""

    what: str
    gone: bool = False

    def reschedule_at(self, now: dt.datetime, attempts: int) -> dt.datetime:
        return now + dt.timedelta(hours=1)  # not while the test still runs

    def perform(self) -> None:
        owner, _, name = self.what.rpartition(".")
        found: Any = import_string(owner) if "." in owner else import_module(owner)
        if self.gone:
            delattr(found, name)
        else:
            setattr(found, name, _broken)


def _broken(*arguments: Any, **named: Any) -> Any:
    raise RuntimeError("it was replaced")
