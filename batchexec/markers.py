"""Every change of a marker: one function, one conditional write. False means that somebody else was first."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from batchexec.models import BatchJob
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.base import Store


def _store() -> Store[BatchJob]:
    return store_for(BatchJob)


def find(job: AbstractJob) -> BatchJob | None:
    found = _store().find({"job_id": str(job.pk)}, limit=1)
    return found[0] if found else None


def _change(marker: BatchJob, where: dict[str, Any], changes: dict[str, Any]) -> bool:
    changes = {**changes, "updated_at": _store().now()}
    if not _store().change(marker.pk, {"epoch": marker.epoch, **where}, changes):
        return False
    for name, value in changes.items():
        setattr(marker, name, value)
    return True


def commit_intent(job: AbstractJob, **request: str) -> BatchJob | None:
    """The intent to submit `job` under its epoch, committed before anything is submitted; None where another has it.

    A marker of an older epoch is replaced, on condition that it still is of that epoch.
    """
    now = _store().now()
    fresh = BatchJob(job_id=str(job.pk), epoch=job.epoch, submitted_at=now, updated_at=now, **request)
    old = find(job)
    if old is None:
        return None if _store().insert([fresh]) else fresh
    if old.epoch >= job.epoch:
        return None
    names = [field.attname for field in BatchJob._meta.concrete_fields if not field.primary_key]
    changes = {name: getattr(fresh, name) for name in names}
    if not _store().change(old.pk, {"epoch": old.epoch}, changes):
        return None
    # Read again for what a write doesn't return; meanwhile it may have become a later epoch's.
    found = find(job)
    return found if found is not None and found.epoch == job.epoch else None


def repeat_intent(marker: BatchJob) -> bool:
    """The submission is to be repeated: of two workers that come to this, one does it."""
    where = {"batch_job_id": "", "submitted_at": marker.submitted_at}
    return _change(marker, where, {"submitted_at": _store().now()})


def record_submission(marker: BatchJob, batch_job_id: str) -> bool:
    """The Batch job's id, where none is recorded yet."""
    changes = {"batch_job_id": batch_job_id, "state": BatchJob.State.SUBMITTED}
    return _change(marker, {"batch_job_id": ""}, changes)


def record_runner(marker: BatchJob, batch_job_id: str) -> bool:
    """The Batch job that registered as the runner takes the place of the one that was recorded."""
    changes = {"batch_job_id": batch_job_id, "state": BatchJob.State.SUBMITTED, "status": ""}
    return _change(marker, {"batch_job_id": marker.batch_job_id}, changes)


def record_status(marker: BatchJob, status: str, status_reason: str, log_stream: str) -> None:
    """What AWS Batch said last, for people to see; nothing is decided by it."""
    _change(marker, {}, {"status": status, "status_reason": status_reason, "log_stream": log_stream})


def clear(marker: BatchJob) -> bool:
    return _store().delete(marker.pk, {"epoch": marker.epoch})
