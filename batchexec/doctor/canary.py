"""A job that does nothing, on its way through AWS Batch, with the time of each step."""

from __future__ import annotations

import secrets
import threading
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import jobs
from batchexec import markers
from batchexec.aws.client import BatchClient
from batchexec.doctor.deployment import Deployment
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
#: Seconds in which the worker lets go of the job, once told to stop.
GRACE = 30
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
        self._is_home = False
        #: Why it failed, in a sentence; empty if it didn't.
        self.outcome = ""

    def steps(self) -> Iterator[Step]:
        """Yields each as it happens. Removes the job at the end, however it ends."""
        queue = f"{QUEUE}{secrets.token_hex(4)}"
        worker = Worker(queues=[queue], plugins=[HandOver])
        self._client = next(
            plugin.client for plugin in worker.plugins if isinstance(plugin, HandOver)
        )
        thread = threading.Thread(
            target=self._work, args=(worker,), name="doctor-canary", daemon=True
        )
        job = jobs.enqueue(Canary(), queue=queue)
        yield self._step(f"enqueued as job {job.pk}")
        thread.start()
        try:
            yield from self._followed(job, thread)
        finally:
            worker.stop()
            thread.join(GRACE)
            self._remove(job)

    def _work(self, worker: Worker) -> None:
        try:
            worker.work_off(1)
        except BaseException as error:
            self.outcome = self.outcome or of_error(error).text
        finally:
            from django.db import connections

            connections.close_all()

    def _followed(self, job: Job, thread: threading.Thread) -> Iterator[Step]:
        until = time.monotonic() + self._limit
        while time.monotonic() < until:
            row = Job.objects.filter(pk=job.pk).first()
            yield from self._new_statuses(job)
            if row is None or row.state in OVER:
                if row is not None and row.state != State.SUCCEEDED:
                    self.outcome = first_line(row.last_error or f"it is {row.state}")
                self._is_home = True
                yield self._step("its outcome is recorded in the database")
                return
            if self.outcome:
                return
            thread.join(PAUSE)
            if not thread.is_alive():
                time.sleep(PAUSE / 10)
        self.outcome = f"it was not over after {self._limit:g} s"
        if self._statuses:
            self.outcome += f", and last {self._statuses[-1]}"

    def _new_statuses(self, job: Job) -> Iterator[Step]:
        marker = markers.look_up(str(job.pk))
        # By the marker, if another worker has taken it.
        noted = self._client.submitted if self._client else ""
        found = noted or (marker.batch_job_id if marker else "")
        if found and not self._batch_job_id:
            self._batch_job_id = found
            yield self._step(f"submitted as Batch job {self._batch_job_id}")
        if not self._batch_job_id:
            if marker is not None and marker.status_reason:
                self.outcome = f"it was not submitted: {first_line(marker.status_reason)}"
            return
        detail = self._batch.describe_one(self._batch_job_id) or {}
        status = str(detail.get("status") or "")
        if status and status not in self._statuses:
            self._statuses.append(status)
            yield self._step(f"AWS Batch says {status}{_reason(detail)}")

    def _step(self, text: str) -> Step:
        return Step(time.monotonic() - self._began, text)

    def _remove(self, job: Job) -> None:
        """Whatever is left: the row, its marker and traces, the Batch job."""
        row = Job.objects.filter(pk=job.pk).first()
        if row is not None and row.state not in OVER:
            cancel(row)
        if self._batch_job_id and not self._is_home:
            self._batch.terminate(self._batch_job_id, "manage.py batchexec doctor gave up")
        AwsBatch().to_be_deleted([str(job.pk)])
        marker = markers.look_up(str(job.pk))
        if marker is not None:
            markers.clear(marker)
        Job.objects.filter(pk=job.pk).delete()


def _reason(detail: dict[str, Any]) -> str:
    reason = detail.get("statusReason")
    return f": {first_line(str(reason))}" if reason else ""


def fly(
    deployment: Deployment, limit: float, tell: Callable[[Step], None]
) -> tuple[list[Step], Finding]:
    """Has a canary fly for so many seconds at most. Returns its steps and a verdict."""
    steps: list[Step] = []
    try:
        flight = Flight(deployment, limit)
        for step in flight.steps():
            steps.append(step)
            tell(step)
    except Exception as error:
        found = of_error(error)
        return steps, fault(f"The canary did not fly. {found.text}", found.cure)
    if flight.outcome:
        return steps, fault(
            f"The canary failed: {flight.outcome}.",
            "see docs/troubleshooting.md for that sentence, and mend the faults above.",
        )
    if not flight._batch_job_id:
        return steps, warning(
            "The canary was performed, but not on AWS Batch: another worker took it.",
            "start your workers with --batch.",
        )
    return steps, ok(f"The canary flew: {steps[-1].seconds:.1f} s.")
