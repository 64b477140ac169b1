"""One job on AWS Batch, from its marker to its outcome.

Every step is one conditional write or one remote call, so that a worker may die between any two: the next one goes on from
the marker and the job's record. `docs/hand-over.md` explains the order.
"""

from __future__ import annotations

import datetime as dt
import logging
import threading
import time
from collections.abc import Callable
from functools import cached_property
from typing import TYPE_CHECKING, Any, TypeVar

from batchexec import failures, markers, naming, submission
from batchexec.client import BatchClient, NotAccepted, NotConfigured, Rejected, Unknown, configuration_error
from batchexec.conf import settings
from batchexec.models import BatchJob
from batchexec.poller import Poller, Watch
from batchexec.resources import Resources, resources_of
from batchexec.sweeping import TERMINAL, Sweeper
from jobs import outcomes, transitions
from jobs.conf import settings as jobs_settings
from jobs.exceptions import Lost
from jobs.models import State
from jobs.retrying import until_available
from jobs.runners import batch_job_id_of
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.worker import Worker

logger = logging.getLogger(__name__)

T = TypeVar("T")

#: How often, within SETTLE, a submission with an unknown outcome is looked for.
LOOKS = 6
#: Pause before a submission that wasn't accepted is tried again: the first, and the longest, in seconds.
FIRST_PAUSE = 1.0
LONGEST_PAUSE = 30.0


class LetGo(Exception):
    """The worker stops, or doesn't hold the job any more: it is to be watched by somebody else."""


class Ended(Exception):
    """The execution is over, as the job's own record says."""


class Execution:
    def __init__(self, worker: Worker, job: AbstractJob, client: BatchClient, poller: Poller):
        self._worker = worker
        self._job = job
        self._client = client
        self._poller = poller
        self._store = store_for(type(job))
        self._label = {"job_id": str(job.pk), "job_name": job.name, "epoch": job.epoch}

    def follow(self) -> bool | None:
        """Submits the job, or takes it over where it is submitted, and waits for its outcome.

        Returns whether it succeeded, or None where the worker let go of it. DeserializationError where the job can't be loaded.
        """
        try:
            marker = self._marker()
            if marker.state == BatchJob.State.SUBMITTING:
                self._find_or_submit(marker)
            return self._watch(marker)
        except Rejected as error:
            return self._failed(str(error))
        except Ended:
            return self._outcome_of_record()
        except LetGo:
            self._let_go()
            return None

    # Getting into Batch

    def _marker(self) -> BatchJob:
        """The marker of this epoch: found, as the job is in Batch already; or committed now, before anything is submitted."""
        found = self._persist(lambda: markers.find(self._job))
        if found is not None and found.epoch == self._job.epoch:
            self._log("takes over", found)
            self._taken_over = True
            return found
        self._taken_over = False
        resources = self._resources
        definition = self._pinned_definition(resources)
        request = {
            "job_name": naming.job_name(str(self._job.pk), self._job.epoch),
            "job_queue": resources.queue or settings.JOB_QUEUE,
            "job_definition": definition,
        }
        if not self._persist(lambda: transitions.hand_over(self._job)):
            raise LetGo
        marker = self._persist(lambda: markers.commit_intent(self._job, **request))
        if marker is None:
            raise LetGo
        return marker

    @cached_property
    def _resources(self) -> Resources:
        try:
            asked = resources_of(self._job.payload)
            fitted = asked.fitted(settings.PLATFORM)
        except (TypeError, ValueError) as error:
            raise Rejected(str(error)) from error
        if fitted != asked:
            sizes = (asked.vcpu, asked.memory, fitted.vcpu, fitted.memory)
            logger.info("Fargate has no %s vCPU with %s MiB: rounded up to %s with %s.", *sizes, extra=self._label)
        return fitted

    def _pinned_definition(self, resources: Resources) -> str:
        def ask() -> str | NotConfigured:
            try:
                return self._client.pinned_definition(resources.definition or settings.JOB_DEFINITION)
            except NotConfigured as error:
                if resources.definition is None:
                    raise  # the settings' fault: the job waits until it is mended
                return error

        answer = self._ask_batch(ask)
        if isinstance(answer, NotConfigured):
            raise Rejected(str(answer))
        return answer

    def _find_or_submit(self, marker: BatchJob) -> None:
        """Submits; but first, where somebody may have done so before, looks for what there is."""
        if self._taken_over and self._found(marker):
            return
        pause = FIRST_PAUSE
        while True:
            self._check_in()
            try:
                batch_job_id = self._client.submit(submission.build(self._job, marker, self._resources))
            except NotAccepted as error:
                logger.warning("Job %s isn't submitted yet, and is tried again: %s", self._job, error, extra=self._label)
                self._pause(pause)
                pause = min(pause * 2, LONGEST_PAUSE)
                continue
            except Unknown as error:
                logger.warning("Job %s may be submitted or not: %s", self._job, error, extra=self._label)
                if self._found(marker):
                    return
                continue
            self._persist(lambda: markers.record_submission(marker, batch_job_id))  # noqa: B023 (called at once)
            self._log("submitted", marker)
            return

    def _found(self, marker: BatchJob) -> bool:
        """Looks for the name on the recorded queue, several times while it settles; False once the submission may be repeated.

        How soon ListJobs shows a new job isn't documented, so that absent means absent only after a while.
        """
        settled = marker.submitted_at + dt.timedelta(seconds=settings.SETTLE)
        while True:
            self._check_in()
            if runner := self._registered():
                return self._persist(lambda: markers.record_submission(marker, runner)) or self._reread(marker)
            last_look = self._store.now() >= settled
            found = self._ask_batch(lambda: self._client.find(marker.job_queue, marker.job_name))
            if found:
                self._adopt(marker, found)
                return True
            if last_look:
                if self._persist(lambda: markers.repeat_intent(marker)):
                    return False
                if self._reread(marker):
                    return True
                settled = marker.submitted_at + dt.timedelta(seconds=settings.SETTLE)
            self._pause(settings.SETTLE / LOOKS)

    def _reread(self, marker: BatchJob) -> bool:
        """Somebody else wrote to the marker: goes on from what it says now; True where it names a Batch job."""
        current = self._persist(lambda: markers.find(self._job))
        if current is None or current.epoch != marker.epoch:
            raise LetGo
        marker.__dict__.update(current.__dict__)
        return bool(marker.batch_job_id)

    def _adopt(self, marker: BatchJob, found: list[dict[str, Any]]) -> None:
        """Of several, the one that has come furthest, then the oldest, then by id. The others are cancelled unless they started.

        One that has started may be the job's registered runner, or may become it: registration decides between them, and
        the refused one ends by itself.
        """
        progress = ["RUNNING", "STARTING", "SUCCEEDED", "RUNNABLE", "PENDING", "SUBMITTED", "FAILED"]
        winner, *others = sorted(found, key=lambda job: (progress.index(job["status"]), job.get("createdAt", 0), job["jobId"]))
        if not self._persist(lambda: markers.record_submission(marker, winner["jobId"])):
            self._reread(marker)
        self._log("adopted", marker)
        for other in others:
            if other["jobId"] != marker.batch_job_id:
                self._ask_batch(lambda: self._client.cancel(other["jobId"], f"{marker.batch_job_id} runs this job."))  # noqa: B023

    # Watching

    def _watch(self, marker: BatchJob) -> bool | None:
        watch = self._poller.watch(marker.batch_job_id)
        last_status = ""
        try:
            while True:
                self._wait_for_poll(watch)
                detail = watch.detail
                if detail is not None:
                    if detail["status"] != last_status:
                        last_status = detail["status"]
                        self._log(last_status, marker)
                    self._persist(lambda: _record_status(marker, detail))  # noqa: B023
                    if detail["status"] not in TERMINAL:
                        continue
                elif time.monotonic() - (watch.unknown_since or time.monotonic()) < settings.GONE_AFTER:
                    continue
                if self._settle(marker, detail):
                    return False
                if marker.batch_job_id != watch.batch_job_id:
                    self._poller.unwatch(watch)
                    watch = self._poller.watch(marker.batch_job_id)
        finally:
            self._poller.unwatch(watch)

    def _wait_for_poll(self, watch: Watch) -> None:
        before = watch.polled
        while watch.polled == before:
            self._check_in()
            watch.changed.wait(jobs_settings.LEASE / 4)
            watch.changed.clear()

    def _settle(self, marker: BatchJob, detail: dict[str, Any] | None) -> bool:
        """The Batch job is over, or gone: what happened is in the job's own record. Raises Ended where an outcome is recorded.

        Returns True where none was and a failed attempt is recorded in its stead; False where the execution may go on.
        """
        row = self._row()
        runner = batch_job_id_of(row.runner)
        if runner and runner != marker.batch_job_id:
            self._persist(lambda: markers.record_runner(marker, runner))
            return False
        if row.runner and transitions.runner_is_alive(row):
            return False
        failure = failures.classify(detail)
        # Conditional on the runner and its heartbeat as they were just read: a container that shows itself meanwhile wins.
        if not outcomes.failed(self._worker, row, Lost(failure.text), transitions.as_seen(row)):
            return False
        self._persist(lambda: markers.clear(marker))
        return True

    def _failed(self, text: str) -> bool | None:
        """The submission was refused for good."""
        row = self._row()
        recorded = outcomes.failed(self._worker, row, Lost(text), transitions.as_seen(row))
        marker = self._persist(lambda: markers.find(self._job))
        if recorded and marker is not None and marker.epoch == self._job.epoch:
            self._persist(lambda: markers.clear(marker))
        return False if recorded else None

    def _outcome_of_record(self) -> bool | None:
        """The job's record is past this epoch: whatever ended it is recorded. Clears the marker."""
        row = self._persist(lambda: self._store.get(self._job.pk))
        marker = self._persist(lambda: markers.find(self._job))
        mine = marker is not None and marker.epoch == self._job.epoch
        if row is not None and row.state == State.CANCELLED and mine and not self._terminated(marker):
            return None
        if marker is not None and mine:
            self._persist(lambda: markers.clear(marker))
        if row is None:
            # Deleted: that is success, unless failed jobs are deleted, too.
            succeeded = marker is None or marker.status != "FAILED"
        else:
            succeeded = row.state == State.SUCCEEDED
        logger.info("[%s] Job %s ended in Batch: %s", self._worker, self._job, row.state if row else "deleted", extra=self._label)
        return succeeded

    def _terminated(self, marker: BatchJob | None) -> bool:
        """Follows the Batch job of a cancelled job until it is over; False where the worker stops before: a sweep finishes it."""
        sweeper = Sweeper(self._client)
        while marker is not None:
            try:
                if sweeper.ended_after_cancel(marker):
                    return True
            except Exception as error:
                logger.warning("The Batch job of the cancelled %s isn't terminated yet: %s", self._job, error, extra=self._label)
            if self._worker.stopping.wait(settings.POLL_INTERVAL):
                return False
        return True

    # The job's own record

    def _row(self) -> AbstractJob:
        """The job as it is now. Ended where this execution is over, LetGo where it is another's to watch."""
        row = self._persist(lambda: self._store.get(self._job.pk))
        if row is None or row.epoch != self._job.epoch:
            raise Ended
        if row.locked_by != self._job.locked_by or row.state != State.RUNNING:
            raise LetGo
        return row

    def _registered(self) -> str:
        return batch_job_id_of(self._row().runner)

    def _check_in(self) -> None:
        """Before each step: whether the worker is to go on."""
        if self._worker.stopping.is_set():
            raise LetGo
        if not self._worker.still_holds(self._job):
            self._row()
            raise LetGo

    def _let_go(self) -> None:
        job = self._job
        let_go = transitions.detach if job.handed_over else transitions.requeue
        if self._persist(lambda: let_go(job)):
            logger.info("[%s] Job %s was let go of", self._worker, job, extra=self._label)

    # Patience

    def _persist(self, step: Callable[[], T]) -> T:
        """A step on the database: retried while that can't be reached, because the job goes on meanwhile."""
        result = until_available(self._store, step, threading.Event(), give_up_after=outcomes.PATIENCE)
        return result  # type: ignore[return-value]

    def _ask_batch(self, question: Callable[[], T]) -> T:
        """A call that changes nothing: asked again until AWS Batch answers. What is configured wrongly costs the job nothing."""
        pause = FIRST_PAUSE
        while True:
            self._check_in()
            try:
                return question()
            except Exception as error:
                text = configuration_error(error) or str(error)
                logger.warning("AWS Batch can't be asked about job %s: %s", self._job, text, extra=self._label)
            self._pause(pause)
            pause = min(pause * 2, LONGEST_PAUSE)

    def _pause(self, seconds: float) -> None:
        self._worker.stopping.wait(seconds)

    def _log(self, what: str, marker: BatchJob) -> None:
        extra = {**self._label, "batch_job_id": marker.batch_job_id}
        logger.info("[%s] Job %s in Batch (%s): %s", self._worker, self._job, marker.batch_job_id or "-", what, extra=extra)


def _record_status(marker: BatchJob, detail: dict[str, Any]) -> None:
    markers.record_status(marker, detail["status"], str(detail.get("statusReason") or ""), failures.log_stream(detail))
