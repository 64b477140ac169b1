"""The markers: every look-up of one, and every change.

A change is one function and one conditional write. It returns False, or None, if
somebody else was first.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any, TypeVar

from batchexec.conf import settings
from batchexec.models import BatchJob
from jobs.exceptions import Terminated
from jobs.states import State
from jobs.store import store_for
from jobs.text import storable

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.base import Store

J = TypeVar("J", bound="AbstractJob")

#: How many markers are listed at most.
MOST = 100_000


def _store() -> Store[BatchJob]:
    return store_for(BatchJob)


# Look-ups


def find(job: AbstractJob) -> BatchJob | None:
    """The marker of the job, of whatever epoch."""
    return _store().find_one({"job_id": str(job.pk)})


def of_jobs(ids: Iterable[str]) -> list[BatchJob]:
    """The markers of these jobs."""
    wanted = list(ids)
    return _store().find({"job_id__in": wanted}, limit=len(wanted)) if wanted else []


def look_up(key: str) -> BatchJob | None:
    """The marker that has this job's id, or this Batch job's."""
    if not key or storable(key) != key:
        return None  # no database has it, and some refuse to look
    return _store().find_one({"job_id": key}) or _store().find_one({"batch_job_id": key})


def all_markers() -> list[BatchJob]:
    """Every marker, the oldest submission first."""
    return _store().listing({}, "submitted_at", MOST)


def jobs_of(model: type[J], ids: Iterable[str]) -> dict[str, J]:
    """The jobs of these ids, by id; an empty, unknown or malformed id has none."""
    store = store_for(model)
    keys = [pk for key in set(ids) if key and (pk := store.id_of(key)) is not None]
    if not keys:
        return {}
    return {str(job.pk): job for job in store.find({"pk__in": keys}, limit=len(keys))}


# What they say with their jobs


def settles_at(marker: BatchJob) -> dt.datetime:
    """From when on it means something that ListJobs doesn't show its submission."""
    return marker.submitted_at + dt.timedelta(seconds=settings.SETTLE)


def is_settled(marker: BatchJob) -> bool:
    """Whether that time has come, by the database's clock."""
    return _store().now() >= settles_at(marker)


def was_told_to_end(job: AbstractJob) -> bool:
    """Whether the last execution recorded that it was told to end."""
    return job.last_error.startswith(f"{Terminated.__name__}:")


def is_undecided(marker: BatchJob, row: AbstractJob | None) -> bool:
    """Whether AWS Batch has yet to say why the marker's container was told to end.

    Until then, and until the next execution is handed over, the attempt that it counted
    may be given back.
    """
    if row is None or row.epoch <= marker.epoch or not marker.batch_job_id:
        return False
    is_waiting = row.state in (State.SCHEDULED, State.READY)
    is_unstarted = is_waiting or (row.state == State.RUNNING and not row.handed_over)
    return is_unstarted and row.attempts > 0 and was_told_to_end(row)


# Changes


def _change(marker: BatchJob, where: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    return _store().apply(marker, {"epoch": marker.epoch, **where}, changes)


def commit_intent(job: AbstractJob, **request: str) -> BatchJob | None:
    """Commits the intent to submit `job` under its epoch, before anything is submitted.

    `request` is the Batch job's name, queue and definition and, if it is not submitted
    at once, the `status_reason`. A marker of an older epoch is replaced, on condition
    that it still is of that epoch. Returns None if another worker has the intent.
    """
    now = _store().now()
    fresh = BatchJob(
        job_id=str(job.pk), epoch=job.epoch, submitted_at=now, updated_at=now, **request
    )
    old = find(job)
    if old is None:
        is_refused = bool(_store().insert([fresh]))
        return None if is_refused else fresh
    if old.epoch >= job.epoch:
        return None
    names = [field.attname for field in BatchJob._meta.concrete_fields if not field.primary_key]
    changes = {name: getattr(fresh, name) for name in names}
    if not _store().change(old.pk, {"epoch": old.epoch}, changes):
        return None
    # Read again for what a write doesn't return. Meanwhile it may be a later epoch's.
    found = find(job)
    return found if found is not None and found.epoch == job.epoch else None


def repeat_intent(marker: BatchJob, **place: str) -> bool:
    """Claims the next try to submit; of two workers that come to this, one has it.

    `place` is the queue and definition of that try, where they have changed.
    """
    where = {"batch_job_id": "", "submitted_at": marker.submitted_at}
    return _change(marker, where, {**place, "submitted_at": _store().now()})


def record_delay(marker: BatchJob, reason: str) -> None:
    """Records why the job isn't submitted yet, for people; it decides nothing."""
    _change(marker, {"batch_job_id": ""}, {"status_reason": reason})


def record_submission(marker: BatchJob, batch_job_id: str) -> bool:
    """Records the Batch job's id, if none is recorded yet."""
    changes = {"batch_job_id": batch_job_id, "status_reason": ""}
    return _change_to_submitted(marker, {"batch_job_id": ""}, changes)


def record_runner(marker: BatchJob, batch_job_id: str) -> bool:
    """Records the registered runner's Batch job in place of the recorded one."""
    changes = {"batch_job_id": batch_job_id, "status": ""}
    return _change_to_submitted(marker, {"batch_job_id": marker.batch_job_id}, changes)


def _change_to_submitted(
    marker: BatchJob, where: Mapping[str, Any], changes: Mapping[str, Any]
) -> bool:
    """A mark that somebody wants its Batch job to end stays."""
    unwanted = BatchJob.State.UNWANTED
    return _change(
        marker,
        {**where, "state__in": [BatchJob.State.SUBMITTING, BatchJob.State.SUBMITTED]},
        {**changes, "state": BatchJob.State.SUBMITTED},
    ) or _change(marker, {**where, "state": unwanted}, changes)


def record_status(marker: BatchJob, status: str, status_reason: str, log_stream: str) -> None:
    """Records what AWS Batch said last, for people to read; it decides nothing."""
    said = {"status": status, "status_reason": status_reason, "log_stream": log_stream}
    _change(marker, {}, said)


def mark_unwanted(ids: Iterable[str]) -> int:
    """The rows of these jobs are about to be deleted: their Batch jobs are to end.

    Only once the row is gone: a job that is kept after all goes on. Returns how many
    have a marker.
    """
    return _store().change_many({"job_id__in": list(ids)}, {"state": BatchJob.State.UNWANTED})


def clear(marker: BatchJob) -> bool:
    """Deletes the marker, if it still is of its epoch."""
    return _store().delete(marker.pk, {"epoch": marker.epoch})
