"""A line at the bottom of a terminal, for somebody who waits for the last job."""

from __future__ import annotations

import contextlib
import logging
import shutil
import sys
import threading
import time
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any

from django.db import connections

from jobs.lifecycle import Plugin
from jobs.management.terminal import cut
from jobs.states import State
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.worker import Worker

#: Seconds between two drawings; and between two counts of what is left, at least.
#: Counting takes a twentieth of the time at most.
DRAWN_EVERY, COUNTED_EVERY, PART = 0.5, 2.0, 20
#: Waiting jobs are counted no further.
MOST = 100_000
WIDTH = 24
#: To the beginning of the line, and the rest of it empty.
ERASE = "\r\x1b[K"


class Footer:
    """The last line of a terminal; what others write appears above it.

    The program's own streams and log handlers do, that is. What a child process writes
    may run into it, until the next drawing.
    """

    def __init__(self, stream: Any):
        self._stream = stream
        self._lock = threading.RLock()
        self._is_drawn = False
        self._at_line_start = True

    @contextlib.contextmanager
    def _locked(self) -> Iterator[None]:
        # A job may be interrupted, or may fork, while another thread writes: then
        # rather an untidy line than none.
        taken = self._lock.acquire(timeout=1)
        try:
            yield
        finally:
            if taken:
                self._lock.release()

    def draw(self, text: str) -> None:
        with self._locked():
            if self._at_line_start:
                self._put(ERASE + cut(text, shutil.get_terminal_size().columns - 1))
                self._is_drawn = True

    def erase(self) -> None:
        with self._locked():
            if self._is_drawn:
                self._put(ERASE)
                self._is_drawn = False

    def finish(self, text: str) -> None:
        """The line stays, and what comes later appears below it."""
        self.draw(text)
        with self._locked():
            if self._is_drawn:
                self._put("\n")
                self._is_drawn = False

    def above(self, write: Callable[[str], Any], text: str) -> Any:
        with self._locked():
            self.erase()
            if text:
                self._at_line_start = text.endswith("\n")
            return write(text)

    def _put(self, text: str) -> None:
        # A terminal may be closed meanwhile, or a job may have closed the stream.
        with contextlib.suppress(OSError, ValueError):
            self._stream.write(text)
            self._stream.flush()

    @contextlib.contextmanager
    def in_place(self) -> Iterator[None]:
        """What is written to the terminal in the body appears above it."""
        streams = {name: getattr(sys, name) for name in ("stdout", "stderr")}
        wrapped = {
            id(stream): Above(self, stream) for stream in streams.values() if _is_terminal(stream)
        }
        handlers = [one for one in _log_handlers() if id(one.stream) in wrapped]
        before = [(handler, handler.stream) for handler in handlers]
        for handler in handlers:
            handler.stream = wrapped[id(handler.stream)]
        for name, stream in streams.items():
            setattr(sys, name, wrapped.get(id(stream), stream))
        try:
            yield
        finally:
            self.erase()
            for name, stream in streams.items():
                # A job may have closed it; then there is another one.
                if isinstance(getattr(sys, name), Above):
                    setattr(sys, name, stream)
            for handler, stream in before:
                if isinstance(handler.stream, Above):
                    handler.stream = stream


class Above:
    """A stream of the program whose text appears above the footer."""

    def __init__(self, footer: Footer, stream: Any):
        self._footer = footer
        self._stream = stream

    def __getattr__(self, name: str) -> Any:
        return getattr(self._stream, name)

    def write(self, text: str) -> Any:
        return self._footer.above(self._stream.write, text)


class ProgressBar(Plugin):
    """Shows how many of the jobs that were due a worker has performed.

    No library draws it: those that are worth a dependency keep log lines and the prints
    of jobs apart from their bar no better than this.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._succeeded = self._failed = self._begun = self._ended = 0
        #: How many waited when they were counted last, and how many had begun then.
        self._counted: int | None = None
        self._counted_at = 0
        self._since = time.monotonic()
        self._over = threading.Event()

    def around_execute(self, worker: Worker, proceed: Callable[[], Any]) -> Any:
        footer = Footer(sys.stderr)
        self._since = time.monotonic()
        with footer.in_place():
            thread = threading.Thread(
                target=self._show, args=(worker, footer), name="jobs-progress", daemon=True
            )
            thread.start()
            try:
                result = proceed()
                if not worker.stopping.is_set():
                    self._counted = 0  # that is why it ends
                return result
            finally:
                self._over.set()
                thread.join(timeout=2)
                footer.finish(self.text())

    def around_perform(self, worker: Worker, job: AbstractJob, proceed: Callable[[], Any]) -> Any:
        with self._lock:
            self._begun += 1
        result: Any = False  # a job that can't be loaded raises
        try:
            result = proceed()
            return result
        finally:
            with self._lock:
                self._ended += 1
                self._succeeded += result is True
                self._failed += result is False

    def _show(self, worker: Worker, footer: Footer) -> None:
        count_at = 0.0
        try:
            while not self._over.wait(DRAWN_EVERY):
                began = time.monotonic()
                if began >= count_at:
                    self._counted_at, self._counted = self._begun, _due(worker)
                    now = time.monotonic()
                    count_at = now + max(COUNTED_EVERY, PART * (now - began))
                footer.draw(self.text(worker.stopping.is_set()))
        finally:
            connections.close_all()

    def text(self, stopping: bool = False) -> str:
        """The line, such as `[######      ] 120 of 480 jobs, 3 failed, 4 running`."""
        with self._lock:
            running, done = self._begun - self._ended, self._succeeded + self._failed
            since = self._begun - self._counted_at
        left = None if self._counted is None else max(self._counted - since, 0)
        parts = [f"{done:,} jobs" if left is None else self._share(done, running, left)]
        if self._failed:
            parts.append(f"{self._failed:,} failed")
        if running:
            parts.append(f"{running:,} running")
        rate = done / max(time.monotonic() - self._since, 1e-6)
        if done:
            parts.append(f"{rate:,.1f}/s")
        if stopping:
            parts.append("stopping: another Ctrl-C interrupts what is running")
        elif done and left is not None and left + running and self._counted != MOST:
            parts.append(f"{_length((left + running) / rate)} left")
        return ", ".join(parts)

    def _share(self, done: int, running: int, left: int) -> str:
        total = done + running + left
        filled = WIDTH * done // total if total else WIDTH
        more = "+" if self._counted == MOST else ""
        return f"[{'#' * filled}{' ' * (WIDTH - filled)}] {done:,} of {total:,}{more} jobs"


def _due(worker: Worker) -> int | None:
    """How many jobs wait that this worker may take; None if nobody can tell."""
    store = store_for(worker.model)
    where: dict[str, Any] = {"state": State.READY}
    if worker.queues:
        where["queue__in"] = list(worker.queues)
    if worker.min_priority is not None:
        where["priority__gte"] = worker.min_priority
    if worker.max_priority is not None:
        where["priority__lte"] = worker.max_priority
    try:
        return store.count(where, MOST)
    except Exception:  # the worker says what is wrong with the database, and waits for it
        connections.close_all()
        return None


def _length(seconds: float) -> str:
    minutes, rest = divmod(int(seconds + 0.5), 60)
    hours, minutes = divmod(minutes, 60)
    if hours:
        return f"{hours} h {minutes:02} min"
    return f"{minutes} min {rest:02} s" if minutes else f"{rest} s"


def _is_terminal(stream: Any) -> bool:
    try:
        return stream is not None and bool(stream.isatty())
    except ValueError:
        return False


def _log_handlers() -> list[Any]:
    known = [logging.root, *logging.root.manager.loggerDict.values()]
    return [
        handler
        for logger in known
        for handler in getattr(logger, "handlers", ())
        if isinstance(handler, logging.StreamHandler)
    ]
