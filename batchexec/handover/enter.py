"""A job's way into AWS Batch: once, whoever dies, and whatever becomes of the reply."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from batchexec import markers
from batchexec.aws.container import registered_batch_job
from batchexec.aws.errors import NotAccepted, NotConfigured, Refused, Rejected, Throttled, Unknown
from batchexec.aws.names import job_name
from batchexec.aws.request import request_for
from batchexec.conf import settings
from batchexec.handover.delays import Delays
from batchexec.handover.order import Order, Placement
from batchexec.handover.slot import LetGo
from batchexec.models import BatchJob
from batchexec.resources import Resources
from batchexec.statuses import PROGRESS
from jobs import transitions
from jobs.logs import get_logger
from jobs.text import one_line, storable

if TYPE_CHECKING:
    from batchexec.handover.slot import Slot

logger = get_logger(__name__)

#: How often, within SETTLE, AWS Batch is asked for a submission without a reply.
LOOKS = 6
#: Of a reason in a marker, in characters.
LONGEST_REASON = 1000


class Entry:
    """The entry of a slot's job into AWS Batch.

    Every method may raise LetGo and Ended, as those of Slot do.
    """

    def __init__(self, slot: Slot):
        self._slot = slot
        self._job = slot.job
        self._order = Order(slot)
        self._marker: BatchJob | None = None

    def enter(self) -> BatchJob:
        """The marker of a Batch job that performs this epoch, found or submitted now.

        Raises Rejected if AWS Batch won't take the job, DeserializationError if the job
        can't be loaded.
        """
        marker = self._marker = self._slot.marker()
        if marker is None:
            return self._submit_until_accepted()
        self._slot.log("takes over", marker)
        if marker.state == BatchJob.State.SUBMITTED or self._found(marker):
            return marker
        return self._submit_until_accepted()

    def registered(self) -> BatchJob:
        """The marker, with the Batch job that is registered as the runner.

        If there is none, it is made: somebody else has submitted the job.
        """
        batch_job_id = registered_batch_job(self._slot.row())
        if not batch_job_id:
            raise LetGo
        # Its id is known, so it is never looked for by its place.
        place = {"job_queue": settings.JOB_QUEUE, "job_definition": settings.JOB_DEFINITION}
        marker = self._slot.marker() or self._commit(**place)
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

    @property
    def wishes(self) -> Resources:
        """What the job says about retries and waiting; nothing if it can't be read.

        Never raises.
        """
        return self._order.wishes(self._marker)

    # Steps

    def _submit_until_accepted(self) -> BatchJob:
        """Submits until AWS Batch has the job, by this submission or by another.

        While it waits for anything, it has no place in the entrance.
        """
        delays = Delays(self._slot, self._order)
        while True:
            self._slot.check_in()
            try:
                placement = self._order.placed()
                delays.wait(placement, self._say_why)
                with self._slot.entrance():
                    marker = self._take_try(placement)
                    if marker is not None:
                        self._submit(marker, placement)
                        delays.over(placement)
                        return marker
            except Unknown as error:
                message = "Job %s may be submitted or not: %s"
                logger.warning(message, self._job, one_line(error))
            except (NotAccepted, NotConfigured, Refused) as error:
                reason = delays.after(error)
                if not isinstance(error, Throttled):
                    self._say_why(reason)
                delays.pause()
                continue
            # The outcome of this try isn't known, or somebody else has made it.
            assert self._marker is not None
            if self._found(self._marker):
                return self._marker

    def _take_try(self, placement: Placement) -> BatchJob | None:
        """The marker, if the next try to submit is this worker's.

        Else the marker is brought up to date. SETTLE counts from the try whose reply
        may be lost, and only one worker may try.
        """
        place = {
            "job_queue": placement.queue.name,
            "job_definition": placement.definition.pinned,
        }
        if self._marker is None:
            self._marker = self._commit(**place)
            return self._marker
        # It may have waited for long, and its job been cancelled or deleted meanwhile.
        self._slot.row()
        if not self._slot.persist(markers.repeat_intent, self._marker, **place):
            self.reread(self._marker)
            return None
        return self._marker

    def _commit(self, **request: str) -> BatchJob:
        """Commits the intent before anything is submitted.

        First to the job, so that no worker performs it itself, then to the marker.
        """
        name = self._slot.persist(job_name, str(self._job.pk), self._job.epoch)
        if not self._slot.persist(transitions.hand_over, self._job):
            raise LetGo
        marker = self._slot.persist(markers.commit_intent, self._job, job_name=name, **request)
        if marker is None:
            raise LetGo
        return marker

    def _say_why(self, reason: str) -> None:
        """Records in the marker why the job waits: `jobs check` reads it.

        If there is none, it is made for that.
        """
        reason = storable(reason)[:LONGEST_REASON]
        if self._marker is None:
            order = self._order
            place = {"job_queue": order.queue_name, "job_definition": order.definition_name}
            self._marker = self._commit(**place, status_reason=reason)
        elif self._marker.status_reason != reason:
            self._slot.persist(markers.record_delay, self._marker, reason)

    def _submit(self, marker: BatchJob, placement: Placement) -> None:
        try:
            resources, definition = placement.resources, placement.definition
            request = request_for(self._job, marker, resources, definition)
        except ValueError as error:
            raise Rejected(str(error)) from error
        self._record(marker, self._slot.submit(request))
        self._slot.log("submitted", marker)

    def _found(self, marker: BatchJob) -> bool:
        """Looks for the submission by its name, several times while it settles.

        Returns False once this worker may try to submit again. AWS does not say how
        soon ListJobs shows a new job, so an absence means something only after a while.
        """
        while not marker.batch_job_id:
            self._slot.take_turn()
            if batch_job_id := registered_batch_job(self._slot.row()):
                self._record(marker, batch_job_id)
                return bool(marker.batch_job_id)
            is_last_look = self._slot.persist(markers.is_settled, marker)
            place = marker.job_queue, marker.job_name
            if found := self._slot.ask_batch(self._slot.client.find, *place):
                self._adopt(marker, found)
                return True
            if is_last_look:
                return False
            self._slot.pause(settings.SETTLE / LOOKS)
        return True

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


def _in_order_of_adoption(summary: Mapping[str, Any]) -> tuple[int, int, str]:
    """The one that has come furthest, then the oldest, then by id."""
    return PROGRESS.index(summary["status"]), summary.get("createdAt", 0), summary["jobId"]
