"""Runs one attempt of a job, from the start of its process to its end.

Faults may make it end early or otherwise than it would.
"""

from __future__ import annotations

import signal
import threading
from collections.abc import Callable
from functools import partial

from batchexec.local import causes, endings
from batchexec.local.container import Container
from batchexec.local.endings import Ending
from batchexec.local.faults import CONTAINER, CONTAINER_KINDS, LOOK, Fault, Faults
from batchexec.local.job import Job
from batchexec.local.machine import Machine
from batchexec.local.timers import Timer, Timers


class Execution:
    """One attempt of a job.

    You may call `stop()` at any time, before, during and after `run()`. The first
    reason to end is the one that counts.
    """

    def __init__(
        self, job: Job, machine: Machine, timers: Timers, faults: Faults, stop_grace: float
    ):
        self.job = job
        self._machine = machine
        self._timers = timers
        self._faults = faults
        self._stop_grace = stop_grace
        self._lock = threading.Lock()
        self._ending: Ending | None = None
        self._stopping = False
        self._containers: list[Container] = []
        self._running_timers: list[Timer] = []

    def run(self, log_stream: str, started: Callable[[], None]) -> tuple[Ending, int | None]:
        """Blocks until the attempt has ended. Calls `started` once its process runs.

        Returns how it ended, and the process's exit code if there was a process.
        """
        faults = {kind: self._faults.take(CONTAINER, {kind}) for kind in CONTAINER_KINDS}
        if fault := faults["pull-error"]:
            fault.hits += 1
            self._note(endings.CANNOT_PULL)
        if (fault := faults["fails"]) and fault.options["cause"] in causes.BEFORE_START:
            fault.hits += 1
            self._note(causes.BEFORE_START[fault.options["cause"]])
        if self._ending:
            return self._ending, None
        if not self._machine.logs.has_group(self.job):
            return endings.NO_LOG_GROUP, None
        log = self._machine.logs.open(self.job, log_stream)
        try:
            container = self._machine.start(self.job)
        except (OSError, ValueError) as error:
            return endings.cannot_start(self.job.command(), error), None
        else:
            started()
            if fault := faults["twice"]:
                fault.hits += 1
                self._machine.thread(f"{self.job.id}-twin", self._run_twin)
            if self.job.timeout:
                self._after(self.job.timeout, partial(self.stop, endings.TIMED_OUT))
            if fault := faults["kill"]:
                exit_code = int(fault.options["exit"]) if "exit" in fault.options else None
                ending = endings.host_terminated(exit_code)
                self._befall(fault, partial(self._kill, container, ending))
            if fault := faults["oom"]:
                self._befall(fault, partial(self._kill, container, endings.OUT_OF_MEMORY))
            if fault := faults["fails"]:
                ending = causes.WHILE_RUNNING[fault.options["cause"]]
                self._befall(fault, partial(self._kill, container, ending))
            if fault := faults["reclaim"]:
                self._befall(fault, partial(self.stop, endings.RECLAIMED))
            if (fault := faults["exit0-on-term"]) and fault.options:
                self._befall(fault, partial(container.signal, signal.SIGTERM))
            self._add(container)
            code = self._machine.wait(container)
        finally:
            for timer in self._running_timers:
                timer.cancel()
            self._machine.logs.close(log)
        if (fault := faults["exit0-on-term"]) and code in (0, 128 + signal.SIGTERM):
            fault.hits += not fault.options
            return endings.EXITED_0_AFTER_SIGTERM, 0
        return self._ending or endings.EXITED, code

    def stop(self, ending: Ending) -> None:
        """Ends the attempt: SIGTERM, and SIGKILL after the grace.

        AWS does the same to a job that timed out or was terminated.
        """
        self._note(ending)
        with self._lock:
            if self._stopping:
                return
            self._stopping = True
            for container in self._containers:
                container.signal(signal.SIGTERM)
        self._timers.after(self._stop_grace, self._kill_all)

    def _kill_all(self) -> None:
        with self._lock:
            for container in self._containers:
                container.signal(signal.SIGKILL)

    def _note(self, ending: Ending) -> None:
        with self._lock:
            self._ending = self._ending or ending

    def _add(self, container: Container) -> None:
        with self._lock:
            self._containers.append(container)
            if self._stopping:
                container.signal(signal.SIGTERM)
                # The grace may have ended before the container began.
                self._timers.after(self._stop_grace, self._kill_all)

    def _run_twin(self) -> None:
        twin = self._machine.start(self.job)
        self._add(twin)
        self._machine.wait(twin)

    def _kill(self, container: Container, ending: Ending) -> None:
        self._note(ending)
        container.signal(signal.SIGKILL)

    def _befall(self, fault: Fault, action: Callable[[], None]) -> None:
        """Acts once the fault's time is over or its file exists."""

        def act() -> None:
            if fault.waits:
                self._after(LOOK, act)
            else:
                fault.hits += 1
                action()

        self._after(fault.seconds("after"), act)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        self._running_timers.append(self._timers.after(seconds, action))
