"""One job on AWS Batch, followed from its marker to its outcome.

Every step is one conditional write or one remote call. A worker may die between any
two: the next one goes on from the marker and the job's record. `docs/hand-over.md`
explains the order.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchexec import markers
from batchexec.aws.errors import DeniedAsAll, Rejected
from batchexec.aws.failures import log_stream
from batchexec.conf import settings
from batchexec.handover import reprieve
from batchexec.handover.enter import Entry
from batchexec.handover.late_start import LateStart
from batchexec.handover.settle import Settlement
from batchexec.handover.slot import Ended, LetGo
from batchexec.statuses import TERMINAL
from jobs import transitions
from jobs.conf import settings as jobs_settings
from jobs.logs import get_logger

if TYPE_CHECKING:
    from batchexec.handover.slot import Slot
    from batchexec.models import BatchJob
    from batchexec.process.traces import Traces
    from batchexec.process.watches import Watch, Watches

logger = get_logger(__name__)


class Follower:
    """Follows the job of a slot, with the watches and the traces of its process."""

    def __init__(self, slot: Slot, watches: Watches, traces: Traces):
        self._slot = slot
        self._watches = watches
        self._traces = traces
        self._entry = Entry(slot)
        self._settlement = Settlement(slot, self._entry, traces)
        #: What AWS Batch said last.
        self._detail: dict[str, Any] | None = None

    def follow(self) -> bool | None:
        """Submits the job, or takes over a submitted one, and waits for its outcome.

        Returns whether it succeeded; None if the worker let go of it. Raises
        DeserializationError if the job can't be loaded.
        """
        try:
            return self._follow()
        except Ended as ended:
            return self._settlement.outcome_of_record(ended.row, self._detail)
        except LetGo:
            self._let_go()
            return None

    def _follow(self) -> bool:
        reprieve.decide_before_the_next(self._slot, self._traces)
        try:
            marker = self._entry.enter()
        except Rejected as error:
            counted = not isinstance(error, DeniedAsAll)
            if self._settlement.give_up(str(error), counted=counted):
                return False
            marker = self._entry.registered()
        return self._watch(marker)

    def _watch(self, marker: BatchJob) -> bool:
        """Watches until a failed attempt is recorded, and returns False then.

        Raises Ended once the job's record has an outcome.
        """
        watch = self._watches.begin(marker.batch_job_id, self._slot.job)
        late_start = LateStart(self._slot, self._entry)
        seen = 0
        try:
            while True:
                self._wait_for_news(watch, seen)
                seen, self._detail = watch.polled, watch.detail
                if self._detail is not None:
                    self._see(marker, self._detail)
                    late_start.look_at(self._detail)
                if _goes_on(watch, self._detail):
                    continue
                if self._settlement.settle(marker, self._detail):
                    return False
                if marker.batch_job_id != watch.batch_job_id:
                    self._watches.end(watch)
                    watch = self._watches.begin(marker.batch_job_id, self._slot.job)
                    seen = 0
        finally:
            self._watches.end(watch)

    def _wait_for_news(self, watch: Watch, seen: int) -> None:
        """Waits for the next poll.

        Raises Ended or LetGo if the row says before that that the execution is over, or
        that it is another's to watch.
        """
        while watch.polled == seen:
            self._slot.check_in()
            if watch.row_has_moved:
                watch.row_has_moved = False
                self._slot.row()
            watch.changed.wait(jobs_settings.LEASE / 4)
            watch.changed.clear()

    def _see(self, marker: BatchJob, detail: dict[str, Any]) -> None:
        """Records what AWS Batch says in the marker, for people to read."""
        status = detail["status"]
        if status != marker.status:
            self._slot.log(status, marker)
        seen = {
            "status": status,
            "status_reason": str(detail.get("statusReason") or ""),
            "log_stream": log_stream(detail),
        }
        if any(getattr(marker, name) != value for name, value in seen.items()):
            self._slot.persist(markers.record_status, marker, **seen)

    def _let_go(self) -> None:
        """Leaves the job to another worker; an execution in AWS Batch goes on."""
        job = self._slot.job
        let_go = transitions.detach if job.handed_over else transitions.requeue
        if self._slot.persist(let_go, job):
            message = "[%s] Job %s was let go of"
        else:
            message = "[%s] Job %s isn't this worker's to watch now"
        logger.info(message, self._slot.watcher, job)


def _goes_on(watch: Watch, detail: dict[str, Any] | None) -> bool:
    """Whether there is nothing to settle yet.

    The Batch job isn't over, or AWS Batch has been without it only for a short time.
    """
    if detail is not None:
        return detail["status"] not in TERMINAL
    return watch.unknown_since is None or watch.unknown_for < settings.GONE_AFTER
