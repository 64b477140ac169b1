"""What became of a job: its own record decides, AWS Batch's status is only a hint."""

from __future__ import annotations

import logging
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from batchexec import markers
from batchexec.aws.cancelled import ended_after_cancel
from batchexec.aws.container import registered_batch_job
from batchexec.aws.failures import Failure, classify
from batchexec.conf import settings
from batchexec.handover import fallback, retries
from jobs import transitions
from jobs.exceptions import Lost, Terminated
from jobs.execution import outcomes
from jobs.states import State
from jobs.text import one_line

if TYPE_CHECKING:
    from batchexec.handover.enter import Entry
    from batchexec.handover.slot import Slot
    from batchexec.models import BatchJob
    from batchexec.resources import Resources
    from jobs.models import AbstractJob

logger = logging.getLogger(__name__)

#: The container's log has the error; the worker's says that there is one.
LEVELS: dict[str, int] = {State.FAILED: logging.ERROR, State.SCHEDULED: logging.WARNING}


class Settlement:
    """The decisions at the end of a slot's job.

    The methods raise Ended once the job's record has an outcome, LetGo if the job is
    another's to watch.
    """

    def __init__(self, slot: Slot, entry: Entry):
        self._slot = slot
        self._entry = entry
        self._job = slot.job

    def settle(self, marker: BatchJob, detail: Mapping[str, Any] | None) -> bool:
        """Decides about a Batch job that is over, or forgotten: then `detail` is None.

        Returns True if it ended without an outcome, and a failed attempt is recorded
        instead; False if the execution may go on.
        """
        row = self._slot.row()
        runner = registered_batch_job(row)
        if runner and runner != marker.batch_job_id:
            if not self._slot.persist(markers.record_runner, marker, runner):
                self._entry.reread(marker)
            return False
        if row.runner and self._slot.persist(transitions.runner_is_alive, row):
            return False
        failure, wishes = classify(detail), self._entry.wishes
        if not self._slot.on_database(self._record_death, row, failure, wishes):
            return False
        self._slot.persist(markers.clear, marker)
        return True

    def _record_death(self, row: AbstractJob, failure: Failure, wishes: Resources) -> bool:
        """Records the failed attempt, if the runner still is as it was just read.

        A container that shows itself meanwhile wins.
        """
        is_free = fallback.moves_on(row, failure, wishes)
        is_free = is_free or retries.grants_free_retry(row, failure, wishes)
        retries.remember_memory(row, failure, wishes)
        recorder, seen = self._slot.watcher.recorder, transitions.as_seen(row)
        return recorder.failed(row, Lost(failure.text), seen, counted=not is_free)

    def give_up(self, reason: str) -> bool:
        """Records a failed attempt, because the submission was refused for good.

        Returns False if a container performs the job all the same: another worker's
        submission may have been accepted, and it wins until the very write.
        """
        failed = self._slot.watcher.recorder.failed
        while True:
            row = self._slot.row()
            if registered_batch_job(row):
                return False
            seen = transitions.as_seen(row)
            if self._slot.on_database(failed, row, Lost(reason), seen):
                self._clear_marker()
                return True

    def outcome_of_record(self, detail: Mapping[str, Any] | None) -> bool | None:
        """Ends the watch of an execution that is over by the job's record.

        `detail` is what AWS Batch said of it last. Returns whether the job succeeded;
        None if the worker stops before the Batch job of a cancelled job is over.
        """
        row = self._slot.read()
        is_cancelled = row is not None and row.state == State.CANCELLED
        if is_cancelled and not self._ended_after_cancel():
            return None
        if row is not None and detail is not None:
            self._refund(row, classify(detail))
        marker = self._clear_marker()
        state = row.state if row is not None else self._state_of_deleted(detail, marker)
        message = "[%s] Job %s ended in Batch: %s"
        level = LEVELS.get(state, logging.INFO)
        logger.log(level, message, self._slot.watcher, self._job, state, extra=self._slot.label)
        return state == State.SUCCEEDED

    def _state_of_deleted(self, detail: Mapping[str, Any] | None, marker: BatchJob | None) -> State:
        """How a job ended whose row is gone.

        It succeeded, even if Batch says FAILED, because a second start of its container
        was refused, or the container was killed after it recorded the success. Only if
        failed jobs are deleted too, Batch's word is all that is left.
        """
        if _last_status(detail, marker) != "FAILED":
            return State.SUCCEEDED
        deletes_failed = self._slot.on_database(outcomes.destroys, self._job)
        return State.FAILED if deletes_failed else State.SUCCEEDED

    def _refund(self, row: AbstractJob, failure: Failure) -> None:
        """Gives back the attempt that a container counted when AWS took its machine.

        The container was told to end. It had time to record that, but didn't know why.
        """
        was_told_to_end = row.last_error.startswith(f"{Terminated.__name__}:")
        if row.epoch != self._job.epoch + 1 or not was_told_to_end:
            return
        wishes = self._entry.wishes
        self._slot.on_database(fallback.moves_on, row, failure, wishes)
        if self._slot.on_database(retries.grants_free_retry, row, failure, wishes):
            self._slot.persist(transitions.refund, row)

    def _ended_after_cancel(self) -> bool:
        """Has the cancelled job's Batch job terminated, and waits until it is over.

        Returns False if the worker stops before that; then a sweep goes on with it.
        """
        marker = self._slot.marker()
        while marker is not None:
            try:
                if ended_after_cancel(self._slot.client, marker):
                    return True
            except Exception as error:
                message = "The Batch job of the cancelled job %s isn't terminated yet: %s"
                logger.warning(message, self._job, one_line(error), extra=self._slot.label)
            if self._slot.pause(settings.POLL_INTERVAL):
                return False
        return True

    def _clear_marker(self) -> BatchJob | None:
        """Clears the marker of this epoch, and returns it as it last was."""
        marker = self._slot.marker()
        if marker is not None:
            self._slot.persist(markers.clear, marker)
        return marker


def _last_status(detail: Mapping[str, Any] | None, marker: BatchJob | None) -> str:
    """What AWS Batch said last; empty if it has said nothing."""
    if detail is not None:
        return str(detail["status"])
    return marker.status if marker is not None else ""
