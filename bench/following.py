"""What a worker asks about jobs that run, and how soon their slots are free."""

from __future__ import annotations

import datetime as dt
import signal
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from statistics import median
from types import SimpleNamespace
from typing import Any
from unittest import mock

from bench.databases import Database
from scripts.stack import Stack, free_port

#: What localbatch takes around that many seconds for, and how often a worker looks.
LAG, POLL = 20.0, 5.0
#: When a container of the simulated hour registers, in seconds from its submission, and
#: how many are submitted a second.
STARTS_AFTER, SUBMITTED_A_SECOND = 40.0, 25.0
HOUR = 3600.0


def free_slots(database: Database, number: int) -> dict[str, Any]:
    """Seconds from the outcome in the row to the free slot, of `number` jobs.

    AWS Batch says only after LAG that a container has ended.
    """
    environment = {
        **database.environment,
        "BATCHEXEC_POLL_INTERVAL": str(POLL),
        "BATCHEXEC_SETTLE": "120",
    }
    with (
        tempfile.TemporaryDirectory(prefix="delayed-jobs-following-") as folder,
        Stack(Path(folder), environment) as stack,
    ):
        stack.start_batch(free_port(), "--lag", str(LAG), "--max-running", "4")
        stack.start("worker", "jobworker", "--batch", "--concurrency", str(number))
        database.measure("many", number=number)
        seconds = database.measure("freed", number=number)["seconds"]
        stack.end("worker", signal.SIGTERM)
    return {"lag": LAG, "poll": POLL, "seconds": seconds}


def calls_in_an_hour(number: int, longest: float) -> int:
    """DescribeJobs calls for `number` jobs that run for an hour, by a simulated clock.

    The poller and the watches are the real ones. A row says that its runner beats from
    STARTS_AFTER on. `longest` is POLL_LONGEST: with that of POLL_INTERVAL, every job is
    asked about at each look, as before rows were asked.
    """
    from django.test import override_settings

    from batchexec.process.poller import Poller
    from batchexec.process.watches import Watch

    with (
        override_settings(BATCHEXEC={"POLL_INTERVAL": POLL, "POLL_LONGEST": longest}),
        _simulated() as clock,
    ):
        client: Any = _Client(clock)
        poller = Poller(client)
        watches: list[Watch] = []
        look_at = rows_at = clock.now
        while clock.now < HOUR + number / SUBMITTED_A_SECOND:
            while len(watches) < min(number, clock.now * SUBMITTED_A_SECOND):
                job: Any = _row("", None)
                watches.append(Watch(f"{len(watches):036}", job))
                client.submitted[watches[-1].batch_job_id] = clock.now
            if clock.now >= rows_at:
                for watch in watches:
                    watch.tell_row(*client.row_of(watch.batch_job_id))
                rows_at = clock.now + 0.8 * POLL
            if clock.now >= look_at:
                look_at = clock.now + poller.look(watches)
            clock.now += 0.2
        return int(client.calls)


class _Clock:
    now = 0.0

    def monotonic(self) -> float:
        return self.now


class _Client:
    """Counts calls, and says of every Batch job that it runs once it has started."""

    def __init__(self, clock: _Clock):
        self._clock = clock
        self.submitted: dict[str, float] = {}
        self.calls = 0

    def _has_started(self, batch_job_id: str) -> bool:
        return self._clock.now - self.submitted[batch_job_id] >= STARTS_AFTER

    def describe(self, ids: list[str]) -> dict[str, dict[str, Any]]:
        self.calls += 1
        return {
            one: {"jobId": one, "status": "RUNNING" if self._has_started(one) else "STARTING"}
            for one in ids
        }

    def row_of(self, batch_job_id: str) -> tuple[Any, dt.datetime]:
        now = dt.datetime.fromtimestamp(self._clock.now, dt.timezone.utc)
        runner = f"{batch_job_id}/1@0#n" if self._has_started(batch_job_id) else ""
        return _row(runner, now), now - dt.timedelta(seconds=30)


def _row(runner: str, heartbeat_at: dt.datetime | None) -> SimpleNamespace:
    lock = {"epoch": 0, "locked_by": "w", "state": "running"}
    return SimpleNamespace(**lock, runner=runner, heartbeat_at=heartbeat_at)


@contextmanager
def _simulated() -> Iterator[_Clock]:
    """The poller's clock, and the watches', as this one says."""
    clock = _Clock()
    with (
        mock.patch("batchexec.process.watches.time", clock),
        mock.patch("batchexec.process.poller.time", clock),
    ):
        yield clock


def freed(number: int, seconds: float = 900.0) -> list[float]:
    """Watches the rows and markers of `number` jobs: how long each marker outlives its
    row. The slot is free once it is cleared.
    """
    from batchexec.models import BatchJob
    from jobs.models import Job

    ended: dict[str, float] = {}
    found: dict[str, float] = {}
    known: set[str] = set()
    deadline = time.monotonic() + seconds
    while len(found) < number:
        if time.monotonic() > deadline:
            raise SystemExit(f"Only {len(found)} of {number} slots were free in time.")
        markers = {marker.job_id for marker in BatchJob.objects.all()}
        rows = {str(pk) for pk in Job.objects.values_list("pk", flat=True)}
        now = time.monotonic()
        known |= markers
        for one in known - rows:
            ended.setdefault(one, now)
        for one in set(ended) - markers:
            found.setdefault(one, now - ended[one])
        time.sleep(0.02)
    return sorted(found.values())


def run(database: Database, number: int, jobs_of_an_hour: int) -> dict[str, Any]:
    """The figures of the suite."""
    found = free_slots(database, number)
    seconds = found.pop("seconds")
    return {
        **found,
        "number": number,
        "freed": median(seconds),
        "freed_longest": seconds[-1],
        "jobs": jobs_of_an_hour,
        **database.measure("hour", number=jobs_of_an_hour),
    }
