"""What became of a job: its own record decides, AWS Batch's status is only a hint."""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from functools import partial
from typing import TYPE_CHECKING, Any

from batchexec import markers
from batchexec.aws.cancelled import ended_after_cancel
from batchexec.aws.container import registered_batch_job
from batchexec.aws.failures import Failure, classify, essence
from batchexec.conf import settings
from batchexec.handover import endings, fallback, reprieve, retries
from batchexec.models import BatchJob
from batchexec.process.aside import aside
from batchexec.process.traces import Trace
from batchexec.statuses import TERMINAL
from jobs import transitions
from jobs.exceptions import Lost
from jobs.execution.apart import Apart
from jobs.execution.questions import ASKED_FOR
from jobs.logs import get_logger
from jobs.states import FINISHED, State
from jobs.text import one_line

if TYPE_CHECKING:
    from batchexec.handover.enter import Entry
    from batchexec.handover.slot import Slot
    from batchexec.process.traces import Traces
    from batchexec.resources import Resources
    from jobs.models import AbstractJob

logger = get_logger(__name__)

#: What an execution came to, besides the states in which a job has ended: it is tried
#: again, or somebody deleted its row.
RESCHEDULED, DELETED = str(State.SCHEDULED), "deleted"


class Settlement:
    """The decisions at the end of a slot's job.

    The methods raise Ended once the job's record has an outcome, LetGo if the job is
    another's to watch.
    """

    def __init__(self, slot: Slot, entry: Entry, traces: Traces):
        self._slot = slot
        self._entry = entry
        self._traces = traces
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
        if self._slot.persist(markers.clear, marker):
            outcome = outcome_of(row, marker)
            self._traces.add(Trace(marker, row.name, outcome, failure.kind, detail))
        return True

    def _record_death(self, row: AbstractJob, failure: Failure, wishes: Resources) -> bool:
        """Records the failed attempt, if the runner still is as it was just read.

        A container that shows itself meanwhile wins.
        """
        is_free = fallback.moves_on(row, failure, wishes)
        has_begun = bool(row.runner)
        is_free = is_free or retries.grants_free_retry(row, failure, wishes, has_begun=has_begun)
        retries.remember_memory(row, failure, wishes)
        recorder, seen = self._slot.watcher.recorder, transitions.as_seen(row)
        return recorder.failed(row, Lost(failure.text), seen, counted=not is_free)

    def give_up(self, reason: str, *, counted: bool = True) -> bool:
        """Records a failed attempt, because the submission was refused for good.

        It costs no attempt if it isn't `counted`.

        Returns False if a container performs the job all the same: another worker's
        submission may have been accepted, and it wins until the very write.
        """
        failed = self._slot.watcher.recorder.failed
        while True:
            row = self._slot.row()
            if registered_batch_job(row):
                return False
            seen = transitions.as_seen(row)
            if self._slot.on_database(failed, row, Lost(reason), seen, counted=counted):
                self._clear_marker()
                return True

    def outcome_of_record(
        self, row: AbstractJob | None, detail: Mapping[str, Any] | None
    ) -> bool | None:
        """Ends the watch of an execution that is over by the job's record, `row`.

        `detail` is what AWS Batch said of it last. Returns whether the job succeeded;
        None if it was deleted, or the worker stops before the Batch job of a cancelled
        job is over.
        """
        marker = self._slot.marker()
        if is_unwanted(row, marker) and not self._ended_after_cancel():
            return None
        outcome = outcome_of(row, marker)
        if row is None and outcome == State.SUCCEEDED and self._deletes_failed():
            if (detail := self._last_word(marker, detail)) is None:
                return None
            outcome = State.FAILED if detail["status"] == "FAILED" else outcome
        if marker is not None:
            self._end_marker(marker, row, detail, outcome)
        endings.tell(self._slot, marker, row, outcome)
        return None if outcome == DELETED else outcome == State.SUCCEEDED

    def _end_marker(
        self,
        marker: BatchJob,
        row: AbstractJob | None,
        detail: Mapping[str, Any] | None,
        outcome: str,
    ) -> None:
        """Clears the marker and leaves a trace; unless AWS Batch has yet to say whether
        the attempt counts.
        """
        trace = Trace(marker, self._job.name, outcome, detail=detail)
        if row is not None and markers.is_undecided(marker, row):
            decide = partial(reprieve.decide_if_waiting, marker, type(row), row.pk)
            if not trace.is_complete():
                trace.then = decide
                self._traces.add(trace)
                return
            if self._slot.on_database(decide, trace.detail or {}):
                self._traces.add(trace)
        elif self._slot.persist(markers.clear, marker):
            self._traces.add(trace)

    def _deletes_failed(self) -> bool:
        """Whether the row would be gone, too, if the job had failed for good.

        Otherwise a row that is gone means success, even if Batch says FAILED, because a
        second start of its container was refused, or the container was killed after it
        recorded the success.
        """
        job = self._job
        if "payload" in vars(job):  # loaded before the submission
            with contextlib.suppress(Exception):
                return aside(lambda: job.destroys_when_failed, ASKED_FOR)
        return self._slot.on_database(Apart().destroys, job)

    def _last_word(
        self, marker: BatchJob | None, detail: Mapping[str, Any] | None
    ) -> Mapping[str, Any] | None:
        """What AWS Batch says of the Batch job when it is over.

        Where rows of failed jobs are deleted, it is all that is left. An empty status
        if AWS Batch doesn't know the job; None if the worker stops before it says so.
        """
        unsaid = {"status": ""}
        while detail is None or detail["status"] not in TERMINAL:
            batch_job_id = marker.batch_job_id if marker is not None else ""
            if not batch_job_id:
                return unsaid
            try:
                found = self._slot.client.describe_one(batch_job_id)
            except Exception as error:
                message = "AWS Batch can't be asked how job %s ended: %s"
                logger.warning(message, self._job, one_line(error))
            else:
                if found is None:
                    return unsaid
                detail = essence(found)
            if self._slot.pause(settings.POLL_INTERVAL):
                return None
        return detail

    def _ended_after_cancel(self) -> bool:
        """Has the cancelled job's Batch job terminated, and waits until it is over.

        Returns False if the worker stops before that; then a sweep goes on with it.
        """
        marker = self._slot.marker()
        while marker is not None:
            try:
                if ended_after_cancel(self._slot.client, marker, self._is_settled):
                    return True
            except Exception as error:
                message = "The Batch job of the cancelled job %s isn't terminated yet: %s"
                logger.warning(message, self._job, one_line(error))
            if self._slot.pause(settings.POLL_INTERVAL):
                return False
        return True

    def _is_settled(self, marker: BatchJob) -> bool:
        return self._slot.persist(markers.is_settled, marker)

    def _clear_marker(self) -> None:
        """Clears the marker of this epoch, for which nothing was submitted."""
        marker = self._slot.marker()
        if marker is not None:
            self._slot.persist(markers.clear, marker)


def outcome_of(row: AbstractJob | None, marker: BatchJob | None) -> str:
    """What an execution came to, by its job's row; a success if that is gone."""
    if row is None:
        return DELETED if is_unwanted(row, marker) else str(State.SUCCEEDED)
    return str(row.state) if row.state in FINISHED else RESCHEDULED


def is_unwanted(row: AbstractJob | None, marker: BatchJob | None) -> bool:
    """Whether somebody has ended the execution: its job was cancelled, or deleted."""
    if row is None:
        return marker is not None and marker.state == BatchJob.State.UNWANTED
    return bool(row.state == State.CANCELLED)
