"""Markers, jobs and Batch jobs held against each other: what doesn't belong together is found, explained, and mended on request.

Nothing is mended that a running worker would mend by itself without harm in waiting, except the sweep of markers. What is
not understood is shown and left alone.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

from batchexec import markers
from batchexec.aws import names as naming
from batchexec.aws.client import BatchClient
from batchexec.conf import settings
from batchexec.models import BatchJob
from batchexec.upkeep.sweeper import TERMINAL, Sweeper
from jobs import transitions
from jobs.models import Job, State
from jobs.runner import place_of
from jobs.store import store_for

#: Markers looked at in one go.
MOST = 100_000


@dataclass
class Finding:
    """Something that doesn't belong together. `mend()` returns whether it was mended; None where only people can."""

    kind: str
    job_id: str
    batch_job_id: str
    explanation: str
    remedy: str = ""
    mend: Callable[[], bool] | None = None


def all_markers() -> list[BatchJob]:
    return store_for(BatchJob).listing({}, "submitted_at", MOST)


def marker_of(key: str) -> BatchJob | None:
    """The marker of a job's id, or of a Batch job's."""
    store = store_for(BatchJob)
    for name in ("job_id", "batch_job_id"):
        if key and (found := store.find({name: key}, limit=1)):
            return found[0]
    return None


def reconcile(client: BatchClient) -> list[Finding]:
    """Every finding, nothing mended yet. Raises what boto3 raises where AWS Batch can't be asked."""
    found = all_markers()
    rows = _rows(marker.job_id for marker in found)
    known = client.describe(marker.batch_job_id for marker in found if marker.batch_job_id)
    findings = [finding for marker in found for finding in _of_marker(client, marker, rows.get(marker.job_id), known)]
    strangers = _strangers(client, {marker.batch_job_id for marker in found}, {marker.job_queue for marker in found})
    rows.update(_rows(_environment(detail).get("JOB_ID", "") for detail in strangers))
    by_job = {marker.job_id: marker for marker in found}
    findings += [_of_stranger(client, detail, rows, by_job) for detail in strangers]
    return findings + _handed_over_without_marker(set(by_job))


def _rows(ids: Iterable[str]) -> dict[str, Job]:
    store = store_for(Job)
    keys = [pk for key in set(ids) if key and (pk := store.id_of(key)) is not None]
    return {str(job.pk): job for job in store.find({"pk__in": keys}, limit=len(keys))} if keys else {}


def _of_marker(client: BatchClient, marker: BatchJob, job: Job | None, known: dict[str, Any]) -> Iterable[Finding]:
    over = "the job is gone" if job is None else f"the job is at epoch {job.epoch}" if job.epoch != marker.epoch else ""
    if over:
        cancelled = job is not None and job.state == State.CANCELLED

        def sweep() -> bool:
            return (not cancelled or Sweeper(client).ended_after_cancel(marker)) and markers.clear(marker)

        remedy = "terminate its Batch job, then clear the marker" if cancelled else "clear the marker"
        explanation = f"The marker is of epoch {marker.epoch}, but {over}: its execution is over."
        yield Finding("marker left over", marker.job_id, marker.batch_job_id, explanation, remedy, sweep)
    elif marker.batch_job_id and marker.batch_job_id not in known:
        explanation = "AWS Batch doesn't know the job (any more): a worker gives it up after GONE_AFTER."
        yield Finding("unknown to AWS Batch", marker.job_id, marker.batch_job_id, explanation)
    elif job is not None and job.state == State.DETACHED:
        explanation = "The job goes on without a watcher: a worker with --batch takes it over."
        yield Finding("nobody watches", marker.job_id, marker.batch_job_id, explanation)


def _strangers(client: BatchClient, ours: set[str], queues: set[str]) -> list[dict[str, Any]]:
    """Batch jobs of this installation's name that go on and that no marker names."""
    prefix = naming.common_prefix()
    found = [job for queue in queues | {settings.JOB_QUEUE} for job in client.find_all(queue, prefix)]
    ids = {job["jobId"] for job in found if job["status"] not in TERMINAL} - ours
    return list(client.describe(sorted(ids)).values())


def _of_stranger(client: BatchClient, detail: dict[str, Any], rows: dict[str, Job], by_job: dict[str, BatchJob]) -> Finding:
    environment = _environment(detail)
    job_id, batch_job_id = environment.get("JOB_ID", ""), detail["jobId"]
    job, marker = rows.get(job_id), by_job.get(job_id)
    label = f"{detail['jobName']} is {detail['status']}"

    def finding(explanation: str, remedy: str = "", mend: Callable[[], Any] | None = None) -> Finding:
        return Finding("no marker names it", job_id, batch_job_id, f"{label}: {explanation}", remedy, mend)

    if job is None or str(job.epoch) != environment.get("JOB_EPOCH"):
        cancelled = job is not None and job.state == State.CANCELLED and settings.TERMINATE_ON_CANCEL
        if cancelled:
            return finding("its job was cancelled.", "terminate it", lambda: _terminate(client, batch_job_id))
        return finding(
            "its execution is over, so that whatever it still does isn't recorded.",
            "cancel it, unless it has started",
            lambda: _cancel(client, batch_job_id),
        )
    if place_of(job.runner) == batch_job_id:
        if marker is not None:
            return finding(
                "it is the registered runner, but the marker names another.",
                "name it in the marker",
                lambda: markers.record_runner(marker, batch_job_id),
            )
        return finding("it is the registered runner.", "make its marker", lambda: _make_marker(job, detail))
    if job.runner:
        return finding(
            f"{job.runner} is the registered runner, so that this one would be refused.",
            "cancel it, unless it has started",
            lambda: _cancel(client, batch_job_id),
        )
    if job.state in (State.SCHEDULED, State.READY):
        return finding(
            "its job waits as if nothing had been submitted, so the database is older than the truth.",
            "have it watched to its end before another is submitted",
            lambda: transitions.adopt(job) and _make_marker(job, detail),
        )
    return finding("it may still become the registered runner: left alone.")


def _handed_over_without_marker(with_marker: set[str]) -> list[Finding]:
    store = store_for(Job)
    explanation = "The job was handed over, but nothing was submitted yet: a worker with --batch does that."
    return [
        Finding("no marker yet", str(job.pk), "", explanation)
        for state in (State.RUNNING, State.DETACHED)
        for job in store.find({"state": state, "handed_over": True, "runner": ""}, limit=MOST)
        if str(job.pk) not in with_marker
    ]


def _make_marker(job: Job, detail: dict[str, Any]) -> bool:
    request = {"job_name": detail["jobName"], "job_queue": detail["jobQueue"], "job_definition": detail["jobDefinition"]}
    marker = markers.commit_intent(job, **request)
    return marker is not None and markers.record_submission(marker, detail["jobId"])


def _terminate(client: BatchClient, batch_job_id: str) -> bool:
    client.terminate(batch_job_id, "The job was cancelled.")
    return True


def _cancel(client: BatchClient, batch_job_id: str) -> bool:
    client.cancel(batch_job_id, "Another execution performs this job, or it is over.")
    return True


def _environment(detail: dict[str, Any]) -> dict[str, str]:
    return {pair["name"]: pair["value"] for pair in detail.get("container", {}).get("environment", [])}
