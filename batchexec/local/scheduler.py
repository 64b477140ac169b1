"""Moves jobs through their states, and runs a limited number of them at once.

SUBMITTED ──► RUNNABLE ──► STARTING ──► RUNNING ──► SUCCEEDED, FAILED
    └► PENDING ─┘ ▲                        │
     (dependsOn)  └──── another attempt ───┘
"""

from __future__ import annotations

import threading
from collections import deque
from collections.abc import Callable

from batchexec.local import endings
from batchexec.local.account.capacity import Block
from batchexec.local.endings import Ending
from batchexec.local.execution import Execution
from batchexec.local.faults import Faults
from batchexec.local.index import Index
from batchexec.local.job import BEFORE_STARTING, Attempt, Job, milliseconds
from batchexec.local.lag import Lag
from batchexec.local.machine import Machine
from batchexec.local.timers import Timers


class Scheduler:
    """Runs at most `max_running` jobs at once.

    A waiting job costs no thread and no polling. A running job has a thread that sleeps
    until its process ends. `lock` guards the fields of all jobs: hold it while you read
    them. `start_delay` and `stop_grace` are in seconds. With a `lag`, AWS Batch decides
    later, and notices later that a container runs or has ended. `block` tells what
    keeps a job from being placed.
    """

    def __init__(
        self,
        machine: Machine,
        timers: Timers,
        faults: Faults,
        index: Index,
        block: Callable[[Job], Block | None],
        *,
        max_running: int,
        start_delay: float,
        stop_grace: float,
        lag: Lag,
    ):
        self.lock = threading.RLock()
        self.jobs: dict[str, Job] = {}
        self._machine = machine
        self._timers = timers
        self._faults = faults
        self._index = index
        self._block = block
        self._lag = lag
        self.max_running = max_running
        # One step each as SUBMITTED, RUNNABLE and STARTING.
        self._step = start_delay / 3
        self._stop_grace = stop_grace
        self._submitted = 0
        self._pending: set[Job] = set()
        self._waiting: deque[Job] = deque()
        self._blocked: dict[Job, Block] = {}
        self._executions: dict[Job, Execution] = {}
        self._closing = False

    def submit(self, job: Job) -> None:
        with self.lock:
            job.number = self._submitted
            self._submitted += 1
            self.jobs[job.id] = job
            self._index.note(job)
            self._later(job, self._check_dependencies)

    def cancel(self, job_id: str, reason: str) -> None:
        """Cancels a job as CancelJob does.

        A job that is already STARTING, finished or unknown is left alone.
        """
        with self.lock:
            job = self.jobs.get(job_id)
            if job and job.status in BEFORE_STARTING:
                job.is_cancelled = True
                self._finish(job, "FAILED", reason)

    def terminate(self, job_id: str, reason: str) -> None:
        """Ends a job as TerminateJob does: SIGTERM, and SIGKILL after the grace.

        Returns at once. A finished or unknown job is left alone.
        """
        with self.lock:
            job = self.jobs.get(job_id)
            if job is None or job.finished:
                return
            job.is_terminated = True
            self._index.note(job)
            if job in self._executions:
                self._executions[job].stop(endings.terminated(reason))
            else:
                self._finish(job, "FAILED", reason)

    def place_again(self) -> None:
        """Looks at the blocked jobs again, as a queue or environment has changed."""
        with self.lock:
            for job in self._blocked:
                job.status_reason = None
            self._waiting.extend(self._blocked)
            self._blocked.clear()
            self._fill()

    def close(self, grace: float) -> None:
        """Starts no further job, and ends the running ones within `grace` seconds."""
        with self.lock:
            self._closing = True
        self._machine.close(grace)

    def _later(self, job: Job, step: Callable[[Job], None]) -> None:
        self._after(job, self._step + self._lag.draw(), step)

    def _after(self, job: Job, seconds: float, step: Callable[[Job], None]) -> None:
        def callback() -> None:
            with self.lock:
                if not self._closing and not job.finished:
                    step(job)

        self._timers.after(seconds, callback)

    def _become(self, job: Job, status: str, reason: str | None = None) -> None:
        job.status = status
        job.status_reason = reason
        self._index.note(job)

    def _check_dependencies(self, job: Job) -> None:
        needed = [self.jobs.get(dependency["jobId"]) for dependency in job.depends_on]
        if any(other is None or other.status == "FAILED" for other in needed):
            self._finish(job, "FAILED", endings.DEPENDENCY_FAILED)
        elif any(other and other.status != "SUCCEEDED" for other in needed):
            self._become(job, "PENDING")
            self._pending.add(job)
        else:
            self._make_runnable(job)

    def _make_runnable(self, job: Job, reason: str | None = None) -> None:
        self._pending.discard(job)
        self._become(job, "RUNNABLE", reason)
        self._later(job, self._queue)

    def _queue(self, job: Job) -> None:
        self._waiting.append(job)
        self._fill()

    def _fill(self) -> None:
        while self._waiting and len(self._executions) < self.max_running:
            job = self._waiting.popleft()
            if job.finished:
                continue
            if block := self._block(job):
                self._leave_runnable(job, block)
                continue
            self._become(job, "STARTING", job.status_reason)
            self._executions[job] = self._execution(job)
            self._after(job, self._step, self._start)

    def _leave_runnable(self, job: Job, block: Block) -> None:
        def cancel(job: Job) -> None:
            if self._blocked.get(job) is block:
                job.is_cancelled = True
                self._finish(job, "FAILED", endings.TIME_LIMIT.format(block.code))

        self._blocked[job] = block
        self._become(job, "RUNNABLE", block.reason)
        if block.cancel_after is not None:
            self._after(job, block.cancel_after, cancel)

    def _execution(self, job: Job) -> Execution:
        # The option is AWS's 30 seconds; a time of the definition is in proportion.
        grace = self._stop_grace * (job.stop_timeout or endings.STOP_TIMEOUT) / endings.STOP_TIMEOUT
        return Execution(job, self._machine, self._timers, self._faults, grace)

    def _start(self, job: Job) -> None:
        if job.doom:
            del self._executions[job]
            self._finish(job, "FAILED", job.doom)
            return self._fill()
        self._machine.thread(job.id, lambda: self._run(job))

    def _run(self, job: Job) -> None:
        with self.lock:
            attempt = job.new_attempt()
            log_stream = job.log_stream(attempt)

        running_since: list[int] = []

        def started() -> None:
            running_since.append(milliseconds())
            self._after(job, self._lag.draw(), show_running)

        def show_running(job: Job) -> None:
            if running_since and attempt.started_at is None:
                attempt.started_at = running_since[0]
                attempt.log_stream = log_stream
                self._become(job, "RUNNING")

        def show_end(job: Job) -> None:
            show_running(job)
            self._attempt_ended(job, attempt, ending, code)

        ending, code = self._executions[job].run(log_stream, started)
        self._after(job, self._lag.draw(), show_end)

    def _attempt_ended(self, job: Job, attempt: Attempt, ending: Ending, code: int | None) -> None:
        del self._executions[job]
        attempt.stopped_at = milliseconds()
        attempt.status_reason = ending.status_reason
        attempt.reason = ending.reason
        if ending.code_known:
            attempt.exit_code = code if ending.exit_code is None else ending.exit_code
        if attempt.exit_code == 0 and ending.may_succeed:
            self._finish(job, "SUCCEEDED", ending.status_reason)
        elif ending.retryable and endings.tries_again(job, attempt):
            self._make_runnable(job, ending.status_reason)
        else:
            self._finish(job, "FAILED", ending.status_reason)
        self._fill()

    def _finish(self, job: Job, status: str, status_reason: str) -> None:
        job.stopped_at = milliseconds()
        self._become(job, status, status_reason)
        self._pending.discard(job)
        self._blocked.pop(job, None)
        for other in list(self._pending):
            if any(dependency["jobId"] == job.id for dependency in other.depends_on):
                self._check_dependencies(other)
