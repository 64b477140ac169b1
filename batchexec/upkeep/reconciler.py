"""Holds markers, jobs and Batch jobs against each other, and finds what doesn't agree.

What a running worker mends by itself, without harm in waiting, is only reported, except
for markers to be swept. What isn't understood is reported and left alone.
"""

from __future__ import annotations

from collections.abc import Container, Iterable, Mapping
from typing import TYPE_CHECKING, Any

from batchexec import markers
from batchexec.aws.container import registered_batch_job
from batchexec.aws.names import common_prefix, is_ours
from batchexec.conf import settings
from batchexec.models import BatchJob
from batchexec.statuses import TERMINAL
from batchexec.upkeep import findings
from batchexec.upkeep.findings import Finding, Stranger, environment_of
from batchexec.upkeep.places import known_queues
from jobs.models import Job
from jobs.states import State
from jobs.store import store_for

if TYPE_CHECKING:
    from batchexec.aws.client import BatchClient


def reconcile(client: BatchClient) -> list[Finding]:
    """Everything that doesn't agree; nothing is mended yet.

    Raises what boto3 raises if AWS Batch can't be asked.
    """
    by_job = {marker.job_id: marker for marker in markers.all_markers()}
    return [
        *_of_markers(client, by_job.values()),
        *_of_strangers(client, by_job),
        *_of_jobs_without_marker(by_job),
    ]


def _of_markers(client: BatchClient, found: Iterable[BatchJob]) -> list[Finding]:
    rows = markers.jobs_of(Job, [marker.job_id for marker in found])
    known = client.describe(marker.batch_job_id for marker in found if marker.batch_job_id)
    cases = [_of_marker(client, marker, rows.get(marker.job_id), known) for marker in found]
    return [finding for finding in cases if finding is not None]


def _of_marker(
    client: BatchClient, marker: BatchJob, job: Job | None, known: Mapping[str, dict[str, Any]]
) -> Finding | None:
    detail = known.get(marker.batch_job_id)
    if job is None:
        return _of_marker_without_job(client, marker, detail)
    if job.epoch != marker.epoch:
        if job.state == State.CANCELLED:
            return findings.left_over_by_cancel(client, marker, job)
        if detail is not None and markers.is_undecided(marker, job):
            return findings.undecided(marker)
        return findings.left_over(marker, job)
    if marker.batch_job_id and detail is None:
        return findings.unknown_to_batch(marker)
    if detail is not None and detail["status"] in TERMINAL:
        return findings.ended_without_outcome(marker, job, detail)
    if job.state == State.DETACHED:
        return findings.unwatched(marker)
    return None


def _of_marker_without_job(
    client: BatchClient, marker: BatchJob, detail: dict[str, Any] | None
) -> Finding:
    if marker.state == BatchJob.State.UNWANTED:
        return findings.left_over_by_cancel(client, marker, None)
    if detail is not None and detail["status"] not in TERMINAL:
        return findings.of_deleted_row(client, marker, detail["status"])
    return findings.left_over(marker, None)


def _of_strangers(client: BatchClient, by_job: dict[str, BatchJob]) -> list[Finding]:
    details = _unnamed(client, by_job.values())
    ids = [environment_of(detail).get("JOB_ID", "") for detail in details]
    rows = markers.jobs_of(Job, ids)
    return [
        _of_stranger(client, Stranger(detail, rows.get(job_id), by_job.get(job_id)))
        for job_id, detail in zip(ids, details, strict=True)
    ]


def _unnamed(client: BatchClient, found: Iterable[BatchJob]) -> list[dict[str, Any]]:
    """The Batch jobs of this installation that go on and that no marker names."""
    prefix = common_prefix()
    ours = [one for queue in known_queues(found) for one in client.find_all(queue, prefix)]
    going_on = {summary["jobId"] for summary in ours if summary["status"] not in TERMINAL}
    named = {marker.batch_job_id for marker in found}
    # Described, because ListJobs may be behind.
    details = client.describe(sorted(going_on - named)).values()
    goes_on = [detail for detail in details if detail["status"] not in TERMINAL]
    return [detail for detail in goes_on if _is_of_this_installation(detail)]


def _is_of_this_installation(detail: dict[str, Any]) -> bool:
    environment = environment_of(detail)
    job_id, epoch = environment.get("JOB_ID", ""), environment.get("JOB_EPOCH", "")
    return is_ours(detail["jobName"], job_id, epoch)


def _of_stranger(client: BatchClient, stranger: Stranger) -> Finding:
    job, marker = stranger.job, stranger.marker
    if job is None:
        return findings.of_past_execution(client, stranger)
    if str(job.epoch) != stranger.epoch:
        if job.state == State.CANCELLED and settings.TERMINATE_ON_CANCEL:
            return findings.of_cancelled_job(client, stranger)
        return findings.of_past_execution(client, stranger)
    if registered_batch_job(job) == stranger.batch_job_id:
        if marker is not None:
            return findings.runner_beside_marker(stranger, marker)
        return findings.runner_without_marker(stranger, job)
    if job.runner:
        return findings.beside_runner(client, stranger, job)
    if job.state in (State.SCHEDULED, State.READY):
        return findings.of_waiting_job(stranger, job)
    return findings.may_still_register(stranger)


def _of_jobs_without_marker(with_marker: Container[str]) -> list[Finding]:
    store = store_for(Job)
    handed_over = [
        job
        for state in (State.RUNNING, State.DETACHED)
        for job in store.find(
            {"state": state, "handed_over": True, "runner": ""}, limit=markers.MOST
        )
    ]
    return [findings.not_submitted(job) for job in handed_over if str(job.pk) not in with_marker]
