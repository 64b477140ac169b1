"""A forked process ends with what its parent was in the middle of."""

from __future__ import annotations

import os
import sys
import traceback
from contextlib import suppress
from typing import Any


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
            leave(error)


def end_with_work_item() -> None:
    """In a child: it ends with the work item of the thread pool in which it was forked.

    Else its only thread would wait for another item for ever. Does nothing in a thread
    of another kind.
    """
    frame = sys._getframe()
    while frame is not None:
        if frame.f_code.co_name == "run":
            item = frame.f_locals.get("self")
            # concurrent.futures' own, which asyncio uses, and that of asgiref.
            if type(item).__name__ == "_WorkItem" and hasattr(item, "future"):
                item.future = _Leaving()  # type: ignore[union-attr]
                return
        elif frame.f_code.co_name == "worker" and "inqueue" in frame.f_locals:
            tasks = frame.f_locals["inqueue"]  # of multiprocessing.pool.ThreadPool
            while not tasks.empty():
                tasks.get()
            tasks.put(None)
            return
        frame = frame.f_back  # type: ignore[assignment]


class _Leaving:
    """In place of the future that waits for a work item's result in the parent."""

    def set_result(self, result: Any) -> None:
        leave(None)

    def set_exception(self, error: BaseException) -> None:
        leave(error)


def flush() -> None:
    for stream in (sys.stdout, sys.stderr):
        with suppress(Exception):
            stream.flush()


def leave(error: BaseException | None) -> None:
    """Ends the process at once. Nothing that belongs to its parent is cleaned up."""
    status = 0 if error is None else _status_of(error)
    flush()
    os._exit(status & 0xFF)


def _status_of(error: BaseException) -> int:
    if isinstance(error, SystemExit):
        if error.code is None or isinstance(error.code, int):
            return error.code or 0
        print(error.code, file=sys.stderr)  # noqa: T201 (as the interpreter does)
        return 1
    with suppress(Exception):
        traceback.print_exception(type(error), error, error.__traceback__)
    return 1
