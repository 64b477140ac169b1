"""A job that does nothing, on its way through AWS Batch, with the time of each step."""

from __future__ import annotations

import datetime as dt
import secrets
import signal
import threading
import time
from collections.abc import Callable, Generator, Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from functools import cached_property
from typing import Any

from django.utils import timezone

import jobs
from batchexec import markers
from batchexec.aws.client import BatchClient
from batchexec.aws.failures import INFRASTRUCTURE, classify
from batchexec.doctor.deployment import Deployment
from batchexec.doctor.ending import ENDED, explain
from batchexec.doctor.findings import Finding, fault, ok, warning
from batchexec.doctor.rounds import of_error
from batchexec.place import AwsBatch
from batchexec.plugin import BatchExecution
from jobs.models import Job, State
from jobs.text import first_line
from jobs.transitions import cancel
from jobs.worker import Worker

#: The queue of canaries begins so. Each has its own, which no other worker names.
QUEUE = "batchexec-doctor-"
#: Seconds between two looks at the Batch job.
PAUSE = 1.0
#: How old a canary is that a killed doctor has left, at least.
LEFT_AFTER = dt.timedelta(hours=1)
#: Seconds in which the worker lets go of the job, once told to stop.
GRACE = 30
#: A worker says so of a job whose container has recorded nothing.
WITHOUT = "without recording an outcome"
#: States in which a job is over.
OVER = (State.SUCCEEDED, State.FAILED, State.CANCELLED)


class Canary(jobs.Performable):
    """Does nothing, once."""

    max_attempts = 1

    def perform(self) -> None:
        pass


class NotingClient(BatchClient):
    """Keeps the id of what it has submitted, which may be over before one looks."""

    submitted = ""

    def submit(self, request: dict[str, Any]) -> str:
        self.submitted = super().submit(request)
        return self.submitted


class HandOver(BatchExecution):
    """The hand-over as every worker's."""

    @cached_property
    def client(self) -> NotingClient:
        return NotingClient()


@dataclass
class Step:
    """What happened, and how many seconds after the canary was enqueued."""

    seconds: float
    text: str


class Flight:
    """One canary, from enqueueing it to the last trace of it.

    It is a real row, which a worker of this process hands over; another worker that
    takes it may do as well.
    """

    def __init__(self, deployment: Deployment, limit: float):
        self._batch = deployment.batch
        self._client: NotingClient | None = None
        self._limit = limit
        self._began = time.monotonic()
        self._batch_job_id = ""
        self._statuses: list[str] = []
        #: The worker has done something.
        self._news = threading.Event()
        self._is_home = False
        self._detail: dict[str, Any] = {}
        #: Why it failed, in a sentence; empty if it didn't. And what to do about it.
        self.outcome = ""
        self.cure = "see docs/troubleshooting.md for that sentence, and mend the faults above."
        #: The signal that has ended it early.
        self.ended_by = ""

    def steps(self) -> Generator[Step, None, None]:
        """Yields each as it happens. Removes the job at the end, however it ends."""
        queue = f"{QUEUE}{secrets.token_hex(4)}"
        worker = Worker(queues=[queue], plugins=[HandOver])
        hand_over = next(plugin for plugin in worker.plugins if isinstance(plugin, HandOver))
        self._client = hand_over.client
        thread = threading.Thread(
            target=self._work, args=(worker,), name="doctor-canary", daemon=True
        )
        job = jobs.enqueue(Canary(), queue=queue)
        try:
            yield self._step(f"enqueued as job {job.pk}")
            thread.start()
            yield from self._followed(job)
        finally:
            worker.stop()
            if thread.ident is not None:
                thread.join(GRACE)
            # A trace that is written later would be left.
            hand_over.close()
            self._remove(job)

    def _work(self, worker: Worker) -> None:
        """Again and again: one that lost its machine is submitted once more."""
        try:
            while not worker.stopping.is_set():
                worker.work_off(1)
                self._news.set()
                worker.stopping.wait(PAUSE)
        except BaseException as error:
            self.outcome = self.outcome or of_error(error).text
        finally:
            from django.db import connections

            connections.close_all()

    def _followed(self, job: Job) -> Iterator[Step]:
        until = time.monotonic() + self._limit
        while time.monotonic() < until and not self.ended_by:
            # Read first: what a container records, it records before it ends.
            ended = self._batch_job_id if self._has_ended else None
            row = Job.objects.filter(pk=job.pk).first()
            yield from self._new_statuses(job)
            # Another Batch job may have taken its place since.
            if row is not None and ended == self._batch_job_id and self._is_lost(row):
                self.outcome, self.cure = explain(self._detail)
                return
            if row is None or row.state in OVER:
                if row is not None and row.state != State.SUCCEEDED:
                    self.outcome = first_line(row.last_error or f"it is {row.state}")
                self._is_home = True
                yield self._step("its outcome is recorded in the database")
                return
            if self.outcome:
                return
            self._news.wait(PAUSE)
            self._news.clear()
        if self.ended_by:
            self.outcome, self.cure = f"{self.ended_by} ended it", "run this again."
            return
        self.outcome = f"it was not over after {self._limit:g} s"
        if self._statuses:
            self.outcome += f", and last {self._statuses[-1]}"

    @property
    def _has_ended(self) -> bool:
        return self._detail.get("status") in ENDED

    def _is_lost(self, row: Job) -> bool:
        """Whether its container, which has ended, has recorded no outcome.

        One that lost its machine is submitted again.
        """
        is_recorded = row.state in OVER and WITHOUT not in (row.last_error or "")
        return not is_recorded and classify(self._detail).kind not in INFRASTRUCTURE

    def _new_statuses(self, job: Job) -> Iterator[Step]:
        marker = markers.look_up(str(job.pk))
        # By the marker, if another worker has taken it.
        noted = self._client.submitted if self._client else ""
        found = noted or (marker.batch_job_id if marker else "")
        if found and found != self._batch_job_id:
            # A later one takes the place of one that lost its machine.
            self._batch_job_id, self._statuses = found, []
            yield self._step(f"submitted as Batch job {self._batch_job_id}")
        if not self._batch_job_id:
            if marker is not None and marker.status_reason:
                self.outcome = f"it was not submitted: {first_line(marker.status_reason)}"
            return
        detail = self._detail = self._batch.describe_one(self._batch_job_id) or {}
        status = str(detail.get("status") or "")
        if status and status not in self._statuses:
            self._statuses.append(status)
            yield self._step(f"AWS Batch says {status}{_reason(detail)}")

    def _step(self, text: str) -> Step:
        return Step(time.monotonic() - self._began, text)

    def _remove(self, job: Job) -> None:
        unfinished = "" if self._is_home or self._has_ended else self._batch_job_id
        if self._client and self._client.submitted not in ("", self._batch_job_id):
            unfinished = self._client.submitted  # since the last look
        _remove(self._batch, job, unfinished)


def _remove(batch: BatchClient, job: Job, batch_job_id: str) -> None:
    """Removes whatever is left: row, marker, traces, and the Batch job of that id."""
    row = Job.objects.filter(pk=job.pk).first()
    if row is not None and row.state not in OVER:
        cancel(row)
    if batch_job_id:
        batch.terminate(batch_job_id, "manage.py batchexec doctor gave up")
    AwsBatch().to_be_deleted([str(job.pk)])
    marker = markers.look_up(str(job.pk))
    if marker is not None:
        markers.clear(marker)
    Job.objects.filter(pk=job.pk).delete()


def remove_leftovers(deployment: Deployment) -> int:
    """Removes canaries that doctors have left who were killed; returns their number."""
    before = timezone.now() - LEFT_AFTER
    found = list(Job.objects.filter(queue__startswith=QUEUE, created_at__lt=before))
    for job in found:
        marker = markers.look_up(str(job.pk))
        noted = marker.batch_job_id if marker else ""
        detail = deployment.batch.describe_one(noted) if noted else None
        unfinished = str(detail["jobId"]) if detail and detail["status"] not in ENDED else ""
        _remove(deployment.batch, job, unfinished)
    return len(found)


@contextmanager
def _heeding(flight: Flight) -> Iterator[None]:
    """SIGTERM and SIGINT end the flight at its next look, and it removes what is left.

    Signals can be heeded in the main thread only.
    """

    def end(signum: int, frame: Any) -> None:
        flight.ended_by = signal.Signals(signum).name

    if threading.current_thread() is not threading.main_thread():
        yield
        return
    before = {number: signal.signal(number, end) for number in (signal.SIGTERM, signal.SIGINT)}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


def _reason(detail: dict[str, Any]) -> str:
    reason = detail.get("statusReason")
    return f": {first_line(str(reason))}" if reason else ""


def fly(
    deployment: Deployment, limit: float, tell: Callable[[Step], None]
) -> tuple[list[Step], Finding]:
    """Has a canary fly for a limited time. Returns its steps and a verdict."""
    steps: list[Step] = []
    try:
        remove_leftovers(deployment)
        flight = Flight(deployment, limit)
        with _heeding(flight), closing(flight.steps()) as flying:
            for step in flying:
                steps.append(step)
                tell(step)
    except Exception as error:
        found = of_error(error)
        return steps, fault(f"The canary did not fly. {found.text}", found.cure)
    if flight.outcome:
        return steps, fault(f"The canary failed: {flight.outcome.rstrip('.')}.", flight.cure)
    if not flight._batch_job_id:
        return steps, warning(
            "The canary was performed, but not on AWS Batch: another worker took it.",
            "start your workers with --batch.",
        )
    return steps, ok(f"The canary flew: {steps[-1].seconds:.1f} s.")
