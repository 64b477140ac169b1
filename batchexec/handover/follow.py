"""One job on AWS Batch, from its marker to its outcome.

Every step is one conditional write or one remote call, so that a worker may die between any two: the next one goes on from
the marker and the job's record. `docs/hand-over.md` explains the order.
"""

from __future__ import annotations

import time
from functools import partial
from typing import TYPE_CHECKING, Any

from batchexec import markers
from batchexec.aws import failures
from batchexec.aws.client import BatchClient, Rejected
from batchexec.conf import settings
from batchexec.handover import retries
from batchexec.handover.enter import Entering
from batchexec.handover.late_start import Waiting
from batchexec.handover.slot import Ended, Gates, LetGo, Steps, logger
from batchexec.models import BatchJob
from batchexec.process.poller import Poller, Watch
from batchexec.upkeep.sweeper import TERMINAL, Sweeper
from jobs import transitions
from jobs.conf import settings as jobs_settings
from jobs.exceptions import Lost, Terminated
from jobs.execution import outcomes
from jobs.models import State
from jobs.runner import place_of

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.worker import Worker


class Execution:
    def __init__(self, worker: Worker, job: AbstractJob, client: BatchClient, poller: Poller, gates: Gates):
        self._worker = worker
        self._job = job
        self._client = client
        self._poller = poller
        self._steps = Steps(worker, job, client, gates)
        self._entering = Entering(self._steps)
        self._detail: dict[str, Any] | None = None

    def follow(self) -> bool | None:
        """Submits the job, or takes it over where it is submitted, and waits for its outcome.

        Returns whether it succeeded, or None where the worker let go of it. DeserializationError where the job can't be loaded.
        """
        try:
            try:
                marker = self._entering.enter()
            except Rejected as error:
                if self._give_up(str(error)):
                    return False
                marker = self._entering.registered()
            return self._watch(marker)
        except Ended:
            return self._outcome_of_record()
        except LetGo:
            self._let_go()
            return None

    def _watch(self, marker: BatchJob) -> bool:
        """Follows the Batch job until a failed attempt is recorded for it; Ended where its container recorded an outcome."""
        watch = self._poller.watch(marker.batch_job_id)
        waiting = Waiting(self._steps, self._entering)
        seen = 0
        try:
            while True:
                self._wait_for_poll(watch, seen)
                seen, self._detail = watch.polled, watch.detail
                if self._detail is not None:
                    self._see(marker, self._detail)
                    waiting.look_at(self._detail)
                if _goes_on(watch, self._detail):
                    continue
                if self._settle(marker, self._detail):
                    return False
                if marker.batch_job_id != watch.batch_job_id:
                    self._poller.unwatch(watch)
                    watch, seen = self._poller.watch(marker.batch_job_id), 0
        finally:
            self._poller.unwatch(watch)

    def _wait_for_poll(self, watch: Watch, seen: int) -> None:
        while watch.polled == seen:
            self._steps.check_in()
            watch.changed.wait(jobs_settings.LEASE / 4)
            watch.changed.clear()

    def _see(self, marker: BatchJob, detail: dict[str, Any]) -> None:
        status = detail["status"]
        if status != marker.status:
            self._steps.log(status, marker)
        seen = {
            "status": status,
            "status_reason": str(detail.get("statusReason") or ""),
            "log_stream": failures.log_stream(detail),
        }
        if any(getattr(marker, name) != value for name, value in seen.items()):
            self._steps.persist(lambda: markers.record_status(marker, **seen))

    def _settle(self, marker: BatchJob, detail: dict[str, Any] | None) -> bool:
        """The Batch job is over, or gone: what happened is in the job's own record. Raises Ended where an outcome is recorded.

        Returns True where none was and a failed attempt is recorded in its stead; False where the execution may go on.
        """
        row = self._steps.row()
        runner = place_of(row.runner)
        if runner and runner != marker.batch_job_id:
            if not self._steps.persist(lambda: markers.record_runner(marker, runner)):
                self._entering.reread(marker)
            return False
        if row.runner and self._steps.persist(lambda: transitions.runner_is_alive(row)):
            return False
        failure, wishes = failures.classify(detail), self._entering.wishes

        def fail() -> bool:
            counted = not retries.grants_free_retry(row, failure, wishes)
            retries.remember_memory(row, failure, wishes)
            # Conditional on the runner and its heartbeat as they were just read: a container that shows itself meanwhile wins.
            return self._worker.recorder.failed(row, Lost(failure.text), transitions.as_seen(row), counted=counted)

        if not self._steps.on_database(fail):
            return False
        self._steps.persist(lambda: markers.clear(marker))
        return True

    def _give_up(self, text: str) -> bool:
        """The submission was refused for good: records a failed attempt; False where a container is at work all the same.

        Another worker's submission may have been accepted, so that one is looked for first, and wins until the very write.
        """
        while True:
            row = self._steps.row()
            if place_of(row.runner):
                return False
            fail = partial(self._worker.recorder.failed, row, Lost(text), transitions.as_seen(row))
            if self._steps.on_database(fail):
                self._clear_marker()
                return True

    def _clear_marker(self) -> BatchJob | None:
        """Clears the marker of this epoch, and returns it as it last was."""
        marker = self._steps.persist(lambda: markers.find(self._job))
        if marker is None or marker.epoch != self._job.epoch:
            return None
        self._steps.persist(lambda: markers.clear(marker))
        return marker

    def _outcome_of_record(self) -> bool | None:
        """The job's record is past this epoch: whatever ended it is recorded."""
        row = self._steps.persist(lambda: self._steps.store.get(self._job.pk))
        if row is not None and row.state == State.CANCELLED and not self._followed_to_its_end():
            return None
        if row is not None and self._detail is not None:
            self._refund(row, failures.classify(self._detail))
        marker = self._clear_marker()
        state = row.state if row is not None else self._state_of_deleted(marker)
        logger.info("[%s] Job %s ended in Batch: %s", self._worker, self._job, state, extra=self._steps.label)
        return state == State.SUCCEEDED

    def _state_of_deleted(self, marker: BatchJob | None) -> str:
        """How a job ended whose row is gone: with success, whatever Batch says of a container that was refused, or killed
        after it recorded that; only where failed jobs are deleted, too, is Batch's word all that is left."""
        status = self._detail["status"] if self._detail is not None else marker.status if marker is not None else ""
        failed = status == "FAILED" and self._steps.on_database(lambda: outcomes.destroys(self._job))
        return State.FAILED if failed else State.SUCCEEDED

    def _refund(self, row: AbstractJob, failure: failures.Failure) -> None:
        """A container that was told to end had the time to record a failed attempt, but not to know that AWS took its machine."""
        interrupted = row.epoch == self._job.epoch + 1 and row.last_error.startswith(f"{Terminated.__name__}:")
        wishes = self._entering.wishes
        if interrupted and self._steps.on_database(lambda: retries.grants_free_retry(row, failure, wishes)):
            self._steps.persist(lambda: transitions.refund(row))

    def _followed_to_its_end(self) -> bool:
        """Has the Batch job of a cancelled job terminated; False where the worker stops before it is: a sweep finishes that."""
        marker = self._steps.persist(lambda: markers.find(self._job))
        sweeper = Sweeper(self._client)
        while marker is not None and marker.epoch == self._job.epoch:
            try:
                if sweeper.ended_after_cancel(marker):
                    return True
            except Exception as error:
                text = "The Batch job of the cancelled %s isn't terminated yet: %s"
                logger.warning(text, self._job, error, extra=self._steps.label)
            if self._worker.stopping.wait(settings.POLL_INTERVAL):
                return False
        return True

    def _let_go(self) -> None:
        job = self._job
        let_go = transitions.detach if job.handed_over else transitions.requeue
        if self._steps.persist(lambda: let_go(job)):
            logger.info("[%s] Job %s was let go of", self._worker, job, extra=self._steps.label)


def _goes_on(watch: Watch, detail: dict[str, Any] | None) -> bool:
    """Whether there is nothing to settle: the Batch job isn't over, or AWS Batch hasn't been without it for long."""
    if detail is not None:
        return detail["status"] not in TERMINAL
    since = watch.unknown_since
    return since is None or time.monotonic() - since < settings.GONE_AFTER
