"""Ending from outside what a thread does: at a time limit, or because the process
stops.
"""

from __future__ import annotations

import _signal  # type: ignore[import-not-found]  # `signal` makes enums of numbers
import signal
import threading
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import Any

from jobs.exceptions import Interruption, Terminated
from jobs.threads import raise_in

ALARM = int(getattr(signal, "SIGALRM", 0))


def time_limit(seconds: float, error: Interruption) -> AbstractContextManager[None]:
    """Raises `error` in the body once it has lasted `seconds`; 0 means no limit.

    In the main thread a timer signal does it, which also ends a system call that
    blocks. In another thread the exception is raised between two steps of Python code:
    code that blocks in C is interrupted when it returns.
    """
    if not seconds:
        return nullcontext()
    if threading.current_thread() is threading.main_thread() and hasattr(signal, "setitimer"):
        return _Alarm(seconds, error)
    return _timer(seconds, error)


class _Alarm:
    __slots__ = ("_error", "_previous", "_seconds")

    def __init__(self, seconds: float, error: Interruption):
        self._seconds = seconds
        self._error = error

    def __enter__(self) -> None:
        self._previous = _signal.signal(ALARM, self._expire)
        signal.setitimer(signal.ITIMER_REAL, self._seconds)

    def __exit__(self, *error: object) -> None:
        signal.setitimer(signal.ITIMER_REAL, 0)
        _signal.signal(ALARM, self._previous)

    def _expire(self, signum: int, frame: Any) -> None:
        raise self._error


@contextmanager
def _timer(seconds: float, error: Interruption) -> Iterator[None]:
    target = Interruptible(error)
    timer = threading.Timer(seconds, target.interrupt)
    timer.daemon = True
    with target:
        timer.start()
        try:
            yield
        finally:
            timer.cancel()


class Interruptible:
    """A stretch of the current thread's work that another thread may interrupt.

    Once, and never after it has ended.
    """

    def __init__(self, error: Interruption):
        self._error = error
        self._lock = threading.Lock()
        self._thread: int | None = None
        self._raised = False

    def __enter__(self) -> Interruptible:
        self._thread = threading.get_ident()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: Any
    ) -> None:
        with self._lock:
            self._thread = None
        if not self._raised or error is self._error:
            return
        if not isinstance(error, _Interrupt):
            # It may still be on its way: taken back, it can't strike what comes later.
            raise_in(threading.get_ident(), None)
        raise self._error from error

    def interrupt(self) -> None:
        """Called by a signal handler in the same thread, this raises there.

        That also ends a system call that blocks.
        """
        if self._thread == threading.get_ident():
            self._raised = True
            raise self._error
        with self._lock:
            if self._thread is not None and not self._raised:
                self._raised = True
                raise_in(self._thread, _raising(self._error))


class Stretches:
    """What the threads of this process perform, so that all of it can be interrupted at
    once.

    Terminated is raised in each; one that begins afterwards is interrupted as it
    begins.
    """

    def __init__(self, reason: str):
        self._reason = reason
        self._stretches: dict[int, Interruptible] = {}
        self.interrupted = False

    @contextmanager
    def interruptible(self) -> Iterator[None]:
        thread = threading.get_ident()
        with Interruptible(Terminated(self._reason)) as stretch:
            self._stretches[thread] = stretch
            try:
                if self.interrupted:
                    stretch.interrupt()
                yield
            finally:
                del self._stretches[thread]

    def interrupt(self) -> None:
        self.interrupted = True
        # The main thread's own stretch last, because interrupting it raises here.
        main = threading.main_thread().ident
        for _, stretch in sorted(self._stretches.items(), key=lambda item: item[0] == main):
            stretch.interrupt()


class _Interrupt(Interruption):
    """Raised in another thread, where only a class can be raised.

    The stretch's own error takes its place when the stretch ends.
    """


def _raising(error: Interruption) -> type[_Interrupt]:
    """A class whose instances are for the job what `error` is: by their class's name,
    for `except`, and by their text.
    """
    kind = type(error)
    names = {name: getattr(kind, name) for name in ("__module__", "__qualname__")}
    own = {**names, "__init__": lambda self: kind.__init__(self, *error.args)}
    return type(kind.__name__, (_Interrupt, kind), own)
