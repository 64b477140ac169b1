"""A process that a job forks never goes on as the worker."""

from __future__ import annotations

import os
import signal
import sys
import threading
import traceback
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from typing import Any

from jobs.store.cleanup import disown_all

_lock = threading.Lock()
_performing = 0
_registered = False
#: The parent's connections, which a child must neither use nor close.
_kept: list[Any] = []


@contextmanager
def performing() -> Iterator[None]:
    """A child that is forked in the body has default signal handlers, and no connection
    of its parent's.
    """
    global _performing
    _register()
    with _lock:
        _performing += 1
    try:
        yield
    finally:
        with _lock:
            _performing -= 1


class kept_out:
    """A child that is forked in the body ends with it, and records nothing.

    Its exit status is that of its SystemExit, 0 if it returned, and 1 for another
    exception, whose traceback goes to stderr.
    """

    __slots__ = ("_pid",)

    def __enter__(self) -> None:
        self._pid = os.getpid()

    def __exit__(self, kind: Any, error: BaseException | None, trace: Any) -> None:
        if os.getpid() != self._pid:
            _leave(0 if error is None else _status_of(error))


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def _register() -> None:
    global _registered
    with _lock:
        if not _registered and hasattr(os, "register_at_fork"):
            os.register_at_fork(before=_before, after_in_child=_in_child)
            _registered = True


def _before() -> None:
    if _performing:
        flush()  # or the child would write it once more


def _in_child() -> None:
    if not _performing:
        return
    global _lock
    _lock = threading.Lock()  # another thread may have held it
    with suppress(ValueError):  # not in the main thread of a sub-interpreter
        signal.signal(signal.SIGTERM, signal.SIG_DFL)
        signal.signal(signal.SIGALRM, signal.SIG_DFL)
        signal.signal(signal.SIGINT, signal.default_int_handler)
    _kept.extend(disown_all())


def _status_of(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)  # noqa: T201 (as the interpreter does)
        return 1
    with suppress(Exception):
        traceback.print_exception(type(error), error, error.__traceback__)
    return 1


def _leave(status: int) -> None:
    flush()
    os._exit(status & 0xFF)
