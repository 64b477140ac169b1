"""What is kept of a job's executions: failed attempts, and how far it has come."""

from __future__ import annotations

from typing import TYPE_CHECKING

from jobs.records import FailedAttempt, Progress, job_key
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Failed attempts of a job that are read at most.
MOST = 50


def failed_attempts(job: AbstractJob, most: int = MOST) -> list[FailedAttempt]:
    """The newest first.

    They are written a few seconds after the fact, and kept for a while: `last_error`
    may know more.
    """
    found = store_for(FailedAttempt).find({"job_id": str(job.pk)}, 4 * MOST)
    own = [one for one in found if one.job_model == job._meta.label]
    return sorted(own, key=lambda one: (one.epoch, one.number), reverse=True)[:most]


def progress(job: AbstractJob) -> Progress | None:
    """What the execution that goes on has said last; None if it said nothing."""
    found = store_for(Progress).get(job_key(job))
    return found if found is not None and found.epoch == job.epoch else None
