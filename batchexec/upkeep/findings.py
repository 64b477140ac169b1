"""What can be wrong between markers, jobs and Batch jobs: one function for each case.

Each says in words what was found, and has the step that mends it, if there is one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

from batchexec import markers
from batchexec.aws import cancelled
from batchexec.aws.failures import container_of
from jobs import transitions
from jobs.conf import settings as jobs_settings

if TYPE_CHECKING:
    from batchexec.aws.client import BatchClient
    from batchexec.models import BatchJob
    from jobs.models import Job

#: Why a Batch job is ended.
SUPERFLUOUS = "Another execution performs this job, or it is over."
CANCEL, TERMINATE = "cancel it", "terminate it"
TERMINATE_AND_CLEAR = "terminate its Batch job, then clear the marker"
#: From here on, a CancelJob changes nothing.
STARTED = ("STARTING", "RUNNING")


@dataclass(frozen=True)
class Finding:
    """Something that doesn't belong together.

    `mend()` returns whether it is mended by now, and may be called again until it is.
    It is None if a worker mends this by itself, or only a person can. One that
    `terminates` what runs takes somebody who asks for that.
    """

    kind: str
    job_id: str
    batch_job_id: str
    explanation: str
    remedy: str = ""
    mend: Callable[[], bool] | None = None
    terminates: bool = False


@dataclass(frozen=True)
class Stranger:
    """A Batch job of this installation that goes on, and that no marker names.

    `job` and `marker` are those of the job that it was submitted for.
    """

    detail: dict[str, Any]
    job: Job | None
    marker: BatchJob | None

    @property
    def batch_job_id(self) -> str:
        return str(self.detail["jobId"])

    @property
    def epoch(self) -> str:
        return environment_of(self.detail).get("JOB_EPOCH", "")

    @property
    def has_started(self) -> bool:
        return self.detail["status"] in STARTED

    def found(
        self,
        explanation: str,
        remedy: str = "",
        mend: Callable[[], bool] | None = None,
        *,
        terminates: bool = False,
    ) -> Finding:
        text = f"{self.detail['jobName']} is {self.detail['status']}: {explanation}"
        job_id = environment_of(self.detail).get("JOB_ID", "")
        kind = "no marker names it"
        return Finding(kind, job_id, self.batch_job_id, text, remedy, mend, terminates)


def environment_of(detail: Mapping[str, Any]) -> dict[str, str]:
    """The environment that a Batch job was submitted with."""
    container = container_of(detail)
    pairs = container.get("environment") or container.get("env") or ()
    return {pair.get("name", ""): pair.get("value", "") for pair in pairs}


# Markers


def left_over(marker: BatchJob, job: Job | None) -> Finding:
    """The execution is over, and nobody has cleared its marker."""
    clear = partial(markers.clear, marker)
    return _left_over(marker, job, "clear the marker", clear)


def left_over_by_cancel(client: BatchClient, marker: BatchJob, job: Job | None) -> Finding:
    """The job was cancelled or deleted, so its Batch job is to end before the marker
    goes.
    """
    mend = partial(_terminate_and_clear, client, marker)
    return _left_over(marker, job, TERMINATE_AND_CLEAR, mend)


def of_deleted_row(client: BatchClient, marker: BatchJob, status: str) -> Finding:
    """Nobody said that the Batch job is to end when the row was deleted."""
    text = f"The job's row is gone, but its Batch job is {status}: nothing records its outcome."
    mend = partial(_end_and_clear, client, marker)
    kind, remedy = "marker left over", TERMINATE_AND_CLEAR
    return Finding(kind, marker.job_id, marker.batch_job_id, text, remedy, mend, terminates=True)


def undecided(marker: BatchJob) -> Finding:
    text = (
        "The container was told to end. The marker stays until AWS Batch says why, "
        "because the attempt may not count: a worker with --batch sees to that."
    )
    return Finding("not decided yet", marker.job_id, marker.batch_job_id, text)


def _left_over(marker: BatchJob, job: Job | None, remedy: str, mend: Callable[[], bool]) -> Finding:
    state = "the job is gone" if job is None else f"the job is at epoch {job.epoch}"
    text = f"The marker is of epoch {marker.epoch}, but {state}: its execution is over."
    return Finding("marker left over", marker.job_id, marker.batch_job_id, text, remedy, mend)


def unknown_to_batch(marker: BatchJob) -> Finding:
    text = "AWS Batch doesn't know the job: a worker gives it up after GONE_AFTER."
    return Finding("unknown to AWS Batch", marker.job_id, marker.batch_job_id, text)


def unwatched(marker: BatchJob) -> Finding:
    text = "The job goes on without a watcher: a worker with --batch takes it over."
    return Finding("nobody watches", marker.job_id, marker.batch_job_id, text)


def ended_without_outcome(marker: BatchJob, job: Job, detail: Mapping[str, Any]) -> Finding:
    """The worker is not idle: it gives the runner time to show itself."""
    reason = detail.get("statusReason") or "no reason given"
    waits = (
        f"{job.runner} is given up once it has been silent for {jobs_settings.LEASE:g} seconds"
        if job.runner
        else "the next look settles it"
    )
    watcher = job.locked_by or "a worker with --batch"
    text = (
        f"The Batch job is {detail['status']} ({reason}), but the job's row has no outcome yet: "
        f"{waits}, by {watcher}."
    )
    return Finding("ended in AWS Batch", marker.job_id, marker.batch_job_id, text)


# Jobs


def not_submitted(job: Job) -> Finding:
    text = "The job was handed over, but not submitted yet: a worker with --batch does that."
    return Finding("no marker yet", str(job.pk), "", text)


# Batch jobs that no marker names


def of_cancelled_job(client: BatchClient, stranger: Stranger) -> Finding:
    ids = [stranger.batch_job_id]
    mend = partial(cancelled.terminated, client, ids, cancelled.REASON)
    return stranger.found("its job was cancelled.", TERMINATE, mend)


def of_past_execution(client: BatchClient, stranger: Stranger) -> Finding:
    explanation = "its execution is over, so its outcome will not be recorded."
    ids = [stranger.batch_job_id]
    if stranger.has_started:
        mend = partial(cancelled.terminated, client, ids, SUPERFLUOUS)
        return stranger.found(explanation, TERMINATE, mend, terminates=True)
    return stranger.found(explanation, CANCEL, partial(_cancelled, client, ids))


def runner_beside_marker(stranger: Stranger, marker: BatchJob) -> Finding:
    explanation = "it is the registered runner, but the marker names another."
    mend = partial(markers.record_runner, marker, stranger.batch_job_id)
    return stranger.found(explanation, "name it in the marker", mend)


def runner_without_marker(stranger: Stranger, job: Job) -> Finding:
    mend = partial(_make_marker, job, stranger.detail)
    return stranger.found("it is the registered runner.", "make its marker", mend)


def beside_runner(client: BatchClient, stranger: Stranger, job: Job) -> Finding:
    explanation = f"{job.runner} is the registered runner, so this one is refused."
    if stranger.has_started:  # and ends by itself
        return stranger.found(explanation)
    return stranger.found(explanation, CANCEL, partial(_cancelled, client, [stranger.batch_job_id]))


def of_waiting_job(stranger: Stranger, job: Job) -> Finding:
    """As after a restored backup."""
    explanation = (
        "its job waits as if nothing had been submitted, so the database is older than the truth."
    )
    remedy = "have it watched to its end before another is submitted"
    return stranger.found(explanation, remedy, partial(_adopt, job, stranger.detail))


def may_still_register(stranger: Stranger) -> Finding:
    return stranger.found("it may still become the registered runner, so it is left alone.")


# What mends them


def _terminate_and_clear(client: BatchClient, marker: BatchJob) -> bool:
    if not cancelled.ended_after_cancel(client, marker):
        return False
    return markers.clear(marker)


def _make_marker(job: Job, detail: dict[str, Any]) -> bool:
    marker = markers.commit_intent(
        job,
        job_name=detail["jobName"],
        job_queue=detail["jobQueue"],
        job_definition=detail["jobDefinition"],
    )
    return marker is not None and markers.record_submission(marker, detail["jobId"])


def _adopt(job: Job, detail: dict[str, Any]) -> bool:
    if not transitions.adopt(job):
        return False
    return _make_marker(job, detail)


def _end_and_clear(client: BatchClient, marker: BatchJob) -> bool:
    if not cancelled.terminated(client, [marker.batch_job_id], SUPERFLUOUS):
        return False
    return markers.clear(marker)


def _cancelled(client: BatchClient, ids: list[str]) -> bool:
    return cancelled.cancelled(client, ids, SUPERFLUOUS)
