"""Getting a job into AWS Batch: once, whoever dies, and whatever becomes of the reply."""

from __future__ import annotations

import datetime as dt
from functools import cached_property
from typing import Any

from batchexec import markers
from batchexec.aws import names as naming
from batchexec.aws import request as submission
from batchexec.aws.client import NotAccepted, NotConfigured, Rejected, Unknown
from batchexec.conf import settings
from batchexec.handover import retries
from batchexec.handover.slot import FIRST_PAUSE, LONGEST_PAUSE, LetGo, Steps, logger
from batchexec.models import BatchJob
from batchexec.resources import Resources, resources_of
from jobs import transitions
from jobs.runner import place_of

#: How often, within SETTLE, a submission with an unknown outcome is looked for.
LOOKS = 6
#: Of several Batch jobs of one epoch, the one that has come furthest is adopted.
PROGRESS = ("RUNNING", "STARTING", "SUCCEEDED", "RUNNABLE", "PENDING", "SUBMITTED", "FAILED")


class Entering:
    def __init__(self, steps: Steps):
        self._steps = steps
        self._job = steps.job

    def enter(self) -> BatchJob:
        """The marker of a Batch job that performs this epoch: found, as it is in Batch already, or submitted now.

        Raises Rejected where AWS Batch won't take the job, LetGo and Ended as Steps does, DeserializationError where it can't
        be loaded.
        """
        marker = self._steps.persist(lambda: markers.find(self._job))
        if marker is not None and marker.epoch == self._job.epoch:
            self._steps.log("takes over", marker)
            if marker.state == BatchJob.State.SUBMITTED:
                return marker
            with self._steps.entrance():
                if not self._found(marker):
                    self._submit(marker)
                return marker
        with self._steps.entrance():
            marker = self._commit()
            self._submit(marker)
            return marker

    def _commit(self) -> BatchJob:
        """The intent, before anything is submitted: first on the job, so that no worker performs it itself; then the marker."""
        request = {
            "job_name": self._steps.persist(lambda: naming.job_name(str(self._job.pk), self._job.epoch)),
            "job_queue": self.resources.queue or settings.JOB_QUEUE,
            "job_definition": self._pinned_definition(),
        }
        if not self._steps.persist(lambda: transitions.hand_over(self._job)):
            raise LetGo
        marker = self._steps.persist(lambda: markers.commit_intent(self._job, **request))
        if marker is None:
            raise LetGo
        return marker

    @cached_property
    def resources(self) -> Resources:
        return self._steps.persist(self._read_resources)  # a payload may name rows of the database

    def _read_resources(self) -> Resources:
        try:
            asked = retries.adjusted(self._job, resources_of(self._job.payload))
            fitted = asked.fitted(settings.PLATFORM)
        except (TypeError, ValueError) as error:
            raise Rejected(str(error)) from error
        if fitted != asked:
            sizes = (asked.vcpu, asked.memory, fitted.vcpu, fitted.memory)
            logger.info("Fargate has no %s vCPU with %s MiB: rounded up to %s with %s.", *sizes, extra=self._steps.label)
        return fitted

    @property
    def wishes(self) -> Resources:
        """What the job says about retries and waiting: nothing, where that can't be read any more. Never raises."""
        try:
            return self.resources
        except Exception:
            return Resources()

    def _pinned_definition(self) -> str:
        def ask() -> str | NotConfigured:
            try:
                return self._steps.client.pinned_definition(self.resources.definition or settings.JOB_DEFINITION)
            except NotConfigured as error:
                if self.resources.definition is None:
                    raise  # the settings' fault: the job waits until it is mended
                return error

        answer = self._steps.ask_batch(ask)
        if isinstance(answer, NotConfigured):
            raise Rejected(str(answer))
        return answer

    def _submit(self, marker: BatchJob) -> None:
        pause = FIRST_PAUSE
        while True:
            self._steps.check_in()
            try:
                batch_job_id = self._steps.submit(submission.build(self._job, marker, self.resources))
            except NotAccepted as error:
                logger.warning("Job %s isn't submitted yet, and is tried again: %s", self._job, error, extra=self._steps.label)
                self._steps.pause(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                self._steps.wait_for_turn()
                # The time to settle counts from the try whose reply may be lost, and only one worker may try.
                if not self._steps.persist(lambda: markers.repeat_intent(marker)) and self.reread(marker):
                    return
                continue
            except Unknown as error:
                logger.warning("Job %s may be submitted or not: %s", self._job, error, extra=self._steps.label)
                if self._found(marker):
                    return
                continue
            if not self._record(marker, batch_job_id):
                self.reread(marker)
            self._steps.log("submitted", marker)
            return

    def registered(self) -> BatchJob:
        """The marker, with the Batch job that is registered as the runner."""
        runner = place_of(self._steps.row().runner)
        marker = self._steps.persist(lambda: markers.find(self._job))
        if marker is None or marker.epoch != self._job.epoch or not runner:
            raise LetGo
        if not self._record(marker, runner):
            self.reread(marker)
        return marker

    def _record(self, marker: BatchJob, batch_job_id: str) -> bool:
        return self._steps.persist(lambda: markers.record_submission(marker, batch_job_id))

    def _found(self, marker: BatchJob) -> bool:
        """Looks for the name on the recorded queue, several times while it settles; False once the submission may be repeated.

        How soon ListJobs shows a new job isn't documented, so that absent means absent only after a while.
        """
        settled = marker.submitted_at + dt.timedelta(seconds=settings.SETTLE)
        while True:
            if runner := place_of(self._steps.row().runner):
                return self._record(marker, runner) or self.reread(marker)
            last_look = self._steps.now() >= settled
            if found := self._steps.ask_batch(lambda: self._steps.client.find(marker.job_queue, marker.job_name)):
                self._adopt(marker, found)
                return True
            if last_look:
                if self._steps.persist(lambda: markers.repeat_intent(marker)):
                    return False
                if self.reread(marker):
                    return True
                settled = marker.submitted_at + dt.timedelta(seconds=settings.SETTLE)
            self._steps.pause(settings.SETTLE / LOOKS)

    def reread(self, marker: BatchJob) -> bool:
        """Somebody else wrote to the marker: goes on from what it says now; True where it names a Batch job."""
        current = self._steps.persist(lambda: markers.find(self._job))
        if current is None or current.epoch != marker.epoch:
            raise LetGo
        marker.__dict__.update(current.__dict__)
        return bool(marker.batch_job_id)

    def _adopt(self, marker: BatchJob, found: list[dict[str, Any]]) -> None:
        """Of several, the one that has come furthest, then the oldest, then by id. The others are cancelled unless they started.

        One that has started may be the job's registered runner, or may become it: registration decides between them, and
        the refused one ends by itself.
        """
        winner, *others = sorted(found, key=lambda job: (PROGRESS.index(job["status"]), job.get("createdAt", 0), job["jobId"]))
        if not self._record(marker, winner["jobId"]):
            self.reread(marker)
        self._steps.log("adopted", marker)
        for other in others:
            if other["jobId"] != marker.batch_job_id:
                reason = f"{marker.batch_job_id} performs this job."
                self._steps.ask_batch(lambda: self._steps.client.cancel(other["jobId"], reason))  # noqa: B023 (called at once)
