"""A job's way into AWS Batch: once, whoever dies, and whatever becomes of the reply."""

from __future__ import annotations

import datetime as dt
import logging
from collections.abc import Mapping
from functools import cached_property
from typing import TYPE_CHECKING, Any

from batchexec import markers
from batchexec.aws.client import NotAccepted, NotConfigured, Rejected, Unknown
from batchexec.aws.container import registered_batch_job
from batchexec.aws.names import job_name
from batchexec.aws.request import request_for
from batchexec.aws.statuses import PROGRESS
from batchexec.conf import settings
from batchexec.handover import retries
from batchexec.handover.slot import FIRST_PAUSE, LONGEST_PAUSE, LetGo
from batchexec.models import BatchJob
from batchexec.process.aside import TookTooLong, aside
from batchexec.resources import Resources, resources_of
from jobs import transitions
from jobs.exceptions import DeserializationError
from jobs.execution.error_text import summary
from jobs.store import store_for
from jobs.store.patience import Backoff
from jobs.text import one_line

if TYPE_CHECKING:
    from batchexec.handover.slot import Slot

logger = logging.getLogger(__name__)

#: For how many seconds a job object may be loaded before its submission. Its container
#: loads it again, within the job's own time limit.
LOADING = 60.0
#: How often, within SETTLE, AWS Batch is asked for a submission without a reply.
LOOKS = 6


class Entry:
    """The entry of a slot's job into AWS Batch.

    Every method may raise LetGo and Ended, as those of Slot do.
    """

    def __init__(self, slot: Slot):
        self._slot = slot
        self._job = slot.job

    def enter(self) -> BatchJob:
        """The marker of a Batch job that performs this epoch, found or submitted now.

        Raises Rejected if AWS Batch won't take the job, DeserializationError if the job
        can't be loaded.
        """
        marker = self._slot.marker()
        if marker is None:
            with self._slot.entrance():
                marker = self._commit()
                self._submit(marker)
            return marker
        self._slot.log("takes over", marker)
        if marker.state != BatchJob.State.SUBMITTED:
            with self._slot.entrance():
                if not self._found(marker):
                    self._submit(marker)
        return marker

    def registered(self) -> BatchJob:
        """The marker, with the Batch job that is registered as the runner."""
        batch_job_id = registered_batch_job(self._slot.row())
        marker = self._slot.marker()
        if marker is None or not batch_job_id:
            raise LetGo
        self._record(marker, batch_job_id)
        return marker

    def reread(self, marker: BatchJob) -> bool:
        """Brings the marker up to date after somebody else wrote to it.

        Returns whether it names a Batch job now.
        """
        current = self._slot.marker()
        if current is None:
            raise LetGo
        marker.__dict__.update(current.__dict__)
        return bool(marker.batch_job_id)

    # What the job asks for

    @cached_property
    def resources(self) -> Resources:
        """What the job asks for. Raises Rejected if AWS Batch has nothing like it."""
        return self._slot.persist(self._read_resources)  # a payload may name rows of the database

    def _read_resources(self) -> Resources:
        try:
            own = aside(self._ask_payload, LOADING)
            asked = retries.adjusted(self._job, own)
            fitted = asked.fitted(settings.PLATFORM)
        except (TypeError, ValueError) as error:
            raise Rejected(str(error)) from error
        except DeserializationError:
            raise
        except TookTooLong as error:
            raise Rejected(f"It can't be loaded within {LOADING:g} seconds.") from error
        except BaseException as error:
            if store_for(type(self._job)).is_unavailable(error):
                raise  # waited for
            # Of the job's own code: a failed attempt.
            raise Rejected(f"It can't be loaded: {summary(error)}") from error
        if fitted != asked:
            message = "Fargate has no %s vCPU with %s MiB: rounded up to %s with %s."
            sizes = (asked.vcpu, asked.memory, fitted.vcpu, fitted.memory)
            logger.info(message, *sizes, extra=self._slot.label)
        return fitted

    def _ask_payload(self) -> Resources:
        return resources_of(self._job.payload)

    @property
    def wishes(self) -> Resources:
        """What the job says about retries and waiting; nothing if it can't be read.

        Never raises.
        """
        try:
            return self.resources
        except BaseException:
            return Resources()

    def _pinned_definition(self) -> str:
        if self.resources.definition:
            return self._slot.ask_batch(self._pin_own, self.resources.definition)
        # If the settings name none that exists, the job waits until that is mended.
        return self._slot.ask_batch(self._slot.client.pinned_definition, settings.JOB_DEFINITION)

    def _pin_own(self, definition: str) -> str:
        try:
            return self._slot.client.pinned_definition(definition)
        except NotConfigured as error:
            raise Rejected(str(error)) from error  # the job's own choice

    # Steps

    def _commit(self) -> BatchJob:
        """Commits the intent before anything is submitted.

        First to the job, so that no worker performs it itself, then to the marker.
        """
        request = {
            "job_name": self._slot.persist(job_name, str(self._job.pk), self._job.epoch),
            "job_queue": self.resources.queue or settings.JOB_QUEUE,
            "job_definition": self._pinned_definition(),
        }
        if not self._slot.persist(transitions.hand_over, self._job):
            raise LetGo
        marker = self._slot.persist(markers.commit_intent, self._job, **request)
        if marker is None:
            raise LetGo
        return marker

    def _submit(self, marker: BatchJob) -> None:
        """Submits until AWS Batch has the job, by this submission or by another."""
        backoff = Backoff(FIRST_PAUSE, LONGEST_PAUSE)
        while True:
            self._slot.check_in()
            try:
                request = request_for(self._job, marker, self.resources)
                batch_job_id = self._slot.submit(request)
            except NotAccepted as error:
                message = "Job %s isn't submitted yet, and is tried again: %s"
                logger.warning(message, self._job, one_line(error), extra=self._slot.label)
                self._slot.pause(backoff.next())
                if self._submitted_meanwhile(marker):
                    return
            except Unknown as error:
                message = "Job %s may be submitted or not: %s"
                logger.warning(message, self._job, one_line(error), extra=self._slot.label)
                if self._found(marker):
                    return
            else:
                self._record(marker, batch_job_id)
                self._slot.log("submitted", marker)
                return

    def _submitted_meanwhile(self, marker: BatchJob) -> bool:
        """Waits for its turn, and takes the next try for itself.

        Returns False once this worker may submit, True if the job is in AWS Batch.
        """
        self._slot.wait_for_turn()
        # SETTLE counts from the try whose reply may be lost. Only one worker may try.
        if self._slot.persist(markers.repeat_intent, marker):
            return False
        return self.reread(marker) or self._found(marker)

    def _found(self, marker: BatchJob) -> bool:
        """Looks for the submission by its name, several times while it settles.

        Returns False once this worker may submit again. AWS does not say how soon
        ListJobs shows a new job, so an absence means something only after a while.
        """
        settled = _settled_at(marker)
        while True:
            if batch_job_id := registered_batch_job(self._slot.row()):
                self._record(marker, batch_job_id)
                return bool(marker.batch_job_id)
            is_last_look = self._slot.now() >= settled
            find = self._slot.client.find
            if found := self._slot.ask_batch(find, marker.job_queue, marker.job_name):
                self._adopt(marker, found)
                return True
            if is_last_look:
                if self._slot.persist(markers.repeat_intent, marker):
                    return False
                if self.reread(marker):
                    return True
                settled = _settled_at(marker)
            self._slot.pause(settings.SETTLE / LOOKS)

    def _adopt(self, marker: BatchJob, found: list[dict[str, Any]]) -> None:
        """Records one of several Batch jobs; cancels those that have not started.

        One that has started may be the job's registered runner, or become it.
        Registration decides between them, and the refused one ends by itself.
        """
        winner, *others = sorted(found, key=_in_order_of_adoption)
        self._record(marker, winner["jobId"])
        self._slot.log("adopted", marker)
        reason = f"{marker.batch_job_id} performs this job."
        for other in others:
            if other["jobId"] != marker.batch_job_id:
                self._slot.ask_batch(self._slot.client.cancel, other["jobId"], reason)

    def _record(self, marker: BatchJob, batch_job_id: str) -> None:
        """Records the Batch job, or goes on with the one that is recorded already."""
        if not self._slot.persist(markers.record_submission, marker, batch_job_id):
            self.reread(marker)


def _settled_at(marker: BatchJob) -> dt.datetime:
    return marker.submitted_at + dt.timedelta(seconds=settings.SETTLE)


def _in_order_of_adoption(summary: Mapping[str, Any]) -> tuple[int, int, str]:
    """The one that has come furthest, then the oldest, then by id."""
    return PROGRESS.index(summary["status"]), summary.get("createdAt", 0), summary["jobId"]
