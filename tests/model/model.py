"""The queue as design and documentation have it, in plain Python: who owns each job,
and what each step makes of it.

Nothing here knows of the database or of the code under test. A method that is a
question says whether an actor may do something; the method that does it takes that for
granted.
"""

from __future__ import annotations

import copy
import datetime as dt
from dataclasses import dataclass, field
from typing import Any

from tests.model.world import LEASE

WAITING = ("scheduled", "ready")
UNFINISHED = ("scheduled", "ready", "running", "detached")
FINISHED = ("succeeded", "failed", "cancelled")
SILENT_AFTER = dt.timedelta(seconds=LEASE)


@dataclass
class ModelJob:
    pk: Any
    queue: str
    priority: int
    run_at: dt.datetime
    unique_key: str | None
    max_attempts: int
    destroyed_when_failed: bool
    state: str
    attempts: int = 0
    epoch: int = 0
    locked_by: str = ""
    locked_at: dt.datetime | None = None
    handed_over: bool = False
    runner: str = ""
    heartbeat_at: dt.datetime | None = None
    #: How a job ended whose row is gone.
    gone: str = ""

    def snapshot(self) -> ModelJob:
        return copy.copy(self)

    # Questions

    def watched_by(self, name: str, epoch: int) -> bool:
        return (
            not self.gone
            and self.state == "running"
            and (self.locked_by, self.epoch) == (name, epoch)
        )

    def executed_by(self, runner: str, epoch: int) -> bool:
        return not self.gone and (self.runner, self.epoch) == (runner, epoch)

    def runs_as(self, runner: str) -> bool:
        return not self.gone and self.runner == runner

    def as_seen(self, seen: ModelJob) -> bool:
        """Whether neither the watcher nor the runner is another, nor the runner has
        shown itself since.
        """
        mine = self.watched_by(seen.locked_by, seen.epoch)
        return mine and (self.runner, self.heartbeat_at) == (seen.runner, seen.heartbeat_at)

    def free_to_requeue(self, seen: ModelJob) -> bool:
        return self.as_seen(seen) and not self.handed_over and self.locked_at == seen.locked_at

    def admits(self, runner: str, epoch: int) -> bool:
        going_on = not self.gone and self.state in ("running", "detached") and self.epoch == epoch
        return going_on and self.runner in ("", runner)

    def free_for_a_later_attempt(self, seen: ModelJob, now: dt.datetime) -> bool:
        same = (self.runner, self.heartbeat_at) == (seen.runner, seen.heartbeat_at)
        return (
            self.at(seen.epoch, ("running", "detached")) and same and not seen.runner_is_alive(now)
        )

    def at(self, epoch: int, states: tuple[str, ...]) -> bool:
        return not self.gone and self.epoch == epoch and self.state in states

    def retriable(self, seen: ModelJob, now: dt.datetime) -> bool:
        same = (self.runner, self.heartbeat_at) == (seen.runner, seen.heartbeat_at)
        return self.at(seen.epoch, FINISHED) and same and not self.runner_is_alive(now)

    def runner_is_alive(self, now: dt.datetime) -> bool:
        return (
            bool(self.runner)
            and self.heartbeat_at is not None
            and now - self.heartbeat_at <= SILENT_AFTER
        )

    def expired(self, now: dt.datetime) -> bool:
        return not self.gone and self.state == "running" and now - self.locked_at > SILENT_AFTER

    # Steps

    def lock(self, name: str, now: dt.datetime) -> None:
        self.state, self.locked_by, self.locked_at = "running", name, now

    def begin(self, runner: str, now: dt.datetime) -> None:
        self.runner, self.heartbeat_at = runner, now

    def detach(self) -> None:
        self.state, self.locked_by, self.locked_at = "detached", "", None

    def requeue(self) -> None:
        self._execution_over("ready")

    def succeed(self, *, kept: bool) -> None:
        self._execution_over("succeeded")
        self._ended(kept)

    def attempt_failed(self, now: dt.datetime, *, counted: bool = True) -> str:
        """Returns whether there are others to come: "rescheduled", or "failed"."""
        attempts = self.attempts + 1
        if counted:
            self.attempts = attempts
        if self.attempts >= self.max_attempts:
            self.fail()
            return "failed"
        self.run_at = now + dt.timedelta(seconds=attempts**4 + 5)
        self._execution_over("scheduled")
        return "rescheduled"

    def fail(self) -> None:
        self._execution_over("failed")
        self._ended(not self.destroyed_when_failed)

    def cancel(self) -> None:
        runner, heartbeat_at = self.runner, self.heartbeat_at
        self._execution_over("cancelled")
        self._ended(True)
        self.runner, self.heartbeat_at = runner, heartbeat_at

    def retry(self, now: dt.datetime) -> None:
        """The end raised the epoch; to begin again doesn't."""
        self.state, self.attempts, self.run_at = "ready", 0, now
        self.clear_runner()

    def clear_runner(self) -> None:
        self.runner, self.heartbeat_at = "", None

    def _execution_over(self, state: str) -> None:
        self.state, self.epoch, self.handed_over = state, self.epoch + 1, False
        self.locked_by, self.locked_at = "", None
        self.clear_runner()

    def _ended(self, kept: bool) -> None:
        self.unique_key = None
        if not kept:
            self.gone = self.state


@dataclass
class ModelQueue:
    jobs: dict[Any, ModelJob] = field(default_factory=dict)

    def present(self) -> list[ModelJob]:
        return [job for job in self.jobs.values() if not job.gone]

    def in_states(self, *states: str) -> list[ModelJob]:
        return [job for job in self.present() if job.state in states]

    def holder_of(self, key: str | None) -> ModelJob | None:
        return next(
            (job for job in self.present() if key is not None and job.unique_key == key), None
        )

    def promote(self, now: dt.datetime) -> int:
        due = [job for job in self.in_states("scheduled") if job.run_at <= now]
        for job in due:
            job.state = "ready"
        return len(due)

    def next_for(self, worker: Any) -> ModelJob | None:
        """Detached first, for a worker that hands over; then the ready one with the
        lowest (priority, run_at, id).
        """
        for state in ("detached", "ready") if worker.hands_over else ("ready",):
            if found := [job for job in self.in_states(state) if _wants(worker, job)]:
                return min(found, key=lambda job: (job.priority, job.run_at, job.pk))
        return None

    def expired(self, now: dt.datetime) -> list[ModelJob]:
        return [job for job in self.present() if job.expired(now)]


def _wants(worker: Any, job: ModelJob) -> bool:
    low = job.priority if worker.min_priority is None else worker.min_priority
    high = job.priority if worker.max_priority is None else worker.max_priority
    return (not worker.queues or job.queue in worker.queues) and low <= job.priority <= high
