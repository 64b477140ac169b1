"""Starts containers, waits for them on threads, and ends them all."""

from __future__ import annotations

import signal
import threading
import time
from collections.abc import Callable
from pathlib import Path

from batchexec.local.container import Container
from batchexec.local.job import Job
from batchexec.local.leftovers import ProcessGroups
from batchexec.local.logs import Logs


class Machine:
    """The machine that containers run on."""

    def __init__(self, folder: Path, groups: ProcessGroups, logs: Logs):
        self.logs = logs
        self._folder = folder
        self._groups = groups
        self._lock = threading.Lock()
        self._containers: set[Container] = set()
        self._threads: set[threading.Thread] = set()

    def start(self, job: Job) -> Container:
        """Starts a process for the job's attempt.

        Raises OSError or ValueError if its command can't be executed.
        """
        log = self.logs.path(job.id)
        container = Container(job.command(), job.environment(), self._folder, log, self._groups)
        with self._lock:
            self._containers.add(container)
        return container

    def wait(self, container: Container) -> int:
        """Blocks until the container ends, and returns its exit code."""
        code = container.wait()
        with self._lock:
            self._containers.discard(container)
        return code

    def thread(self, name: str, target: Callable[[], None]) -> None:
        """Runs `target` on a thread that `close()` waits for."""
        thread = threading.Thread(target=target, name=f"localbatch-{name}", daemon=True)
        with self._lock:
            # None takes itself out, as `close()` is to wait for the very end of each.
            self._threads = {one for one in self._threads if one.is_alive()}
            self._threads.add(thread)
            thread.start()  # here, as `close()` can't wait for one that hasn't started

    def close(self, grace: float) -> None:
        """Ends every process: SIGTERM, `grace` seconds, SIGKILL.

        Returns when all threads have ended.
        """
        deadline = time.monotonic() + grace
        told: set[tuple[Container, int]] = set()
        while True:
            number = signal.SIGTERM if time.monotonic() < deadline else signal.SIGKILL
            with self._lock:
                threads = [one for one in self._threads if one.is_alive()]
                # Each container gets a signal once. We look again and again, because a
                # thread may have been about to start its process.
                for container in self._containers:
                    if (container, number) not in told:
                        told.add((container, number))
                        container.signal(number)
            if not threads:
                return
            threads[0].join(0.1)
