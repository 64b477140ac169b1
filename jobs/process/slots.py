"""A worker's places for jobs."""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from queue import Empty, SimpleQueue
from typing import Any

from django.db import connections

#: Seconds that a thread waits for its next job, with its connections open.
LINGER = 1.0

Task = tuple[Callable[..., Any], tuple[Any, ...]]


class Slots:
    """The jobs that a worker performs at once.

    A single slot performs its job in the calling thread. Several are threads, which
    keep their database connections from one job to the next: to connect for each job
    would take longer than the job's own statements. `seconds_reachable` says how long
    it is since the database couldn't be reached: what was connected before that may be
    broken.
    """

    def __init__(self, size: int, seconds_reachable: Callable[[], float] = lambda: math.inf):
        self.size = size
        self._seconds_reachable = seconds_reachable
        self._busy = 0
        self._changed = threading.Condition()
        self._threads = 0
        #: For threads that wait; None: that one may end. `_idle` is how many of them
        #: nothing is on its way to.
        self._tasks: SimpleQueue[Task | None] = SimpleQueue()
        self._idle = 0

    @property
    def busy(self) -> int:
        return self._busy

    @property
    def free(self) -> int:
        return self.size - self._busy

    def wait_for_free(self, given_up: Callable[[], bool], seconds: float = 1.0) -> bool:
        """Waits until a slot is free; returns False once `given_up()` is true.

        It is asked at least every `seconds`.
        """
        with self._changed:
            while self._busy >= self.size:
                if given_up():
                    return False
                self._changed.wait(seconds)
        return not given_up()

    def run(self, function: Callable[..., Any], *args: Any) -> None:
        """Runs it in a slot, one of which must be free."""
        with self._changed:
            self._busy += 1
            one_waits = self._idle > 0
            self._idle -= one_waits
            self._threads += self.size > 1 and not one_waits
        if self.size == 1:
            self._perform((function, args), 0)
        elif one_waits:
            self._tasks.put((function, args))
        else:
            # A daemon, so that a job which can't be interrupted doesn't keep the
            # process alive.
            threading.Thread(
                target=self._serve, args=((function, args),), daemon=True, name="jobs-slot"
            ).start()

    def wait_until_idle(self) -> None:
        """Waits for the jobs, and until their threads have closed their connections."""
        with self._changed:
            while self._busy or self._threads:
                for _ in range(self._idle):
                    self._tasks.put(None)
                self._idle = 0
                self._changed.wait()

    def _serve(self, task: Task | None) -> None:
        """Performs one task after the other, until none comes for a while."""
        try:
            while task is not None:
                self._perform(task, 1)
                ended = time.monotonic()
                task = self._next()
                if self._seconds_reachable() < time.monotonic() - ended:
                    connections.close_all()
        finally:
            try:
                connections.close_all()
            finally:
                with self._changed:
                    self._threads -= 1
                    self._changed.notify_all()

    def _perform(self, task: Task, waits: int) -> None:
        """Afterwards, that many more threads wait for a task."""
        function, args = task
        try:
            function(*args)
        except BaseException:
            waits = 0
            raise
        finally:
            with self._changed:
                self._busy -= 1
                self._idle += waits
                self._changed.notify_all()

    def _next(self) -> Task | None:
        try:
            return self._tasks.get(timeout=LINGER)
        except Empty:
            with self._changed:
                if self._idle:
                    self._idle -= 1
                    return None
            return self._tasks.get()  # it is on its way
