"""What a worker's log says of a job that ended in AWS Batch.

The same as of one that ended in the worker's own process. The traceback is in the
container's log.
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING

from jobs.logs import get_logger, learn
from jobs.states import State
from jobs.text import first_line, one_line

if TYPE_CHECKING:
    from batchexec.handover.slot import Slot
    from batchexec.models import BatchJob
    from jobs.models import AbstractJob

logger = get_logger(__name__)

#: Of a job whose row was deleted when it failed.
UNKNOWN = "an error that its container's log has"


def tell(slot: Slot, marker: BatchJob | None, row: AbstractJob | None, outcome: str) -> None:
    """Logs the end of the slot's job, whose row now is `row`, None if it is gone."""
    batch_job_id = marker.batch_job_id if marker is not None else ""
    told = partial(_log, slot, batch_job_id)
    error = _error_of(slot.job, row)
    told(logging.INFO, "ended in Batch: %s", outcome)
    if error:
        told(logging.ERROR, "FAILED (%s prior attempts) with %s", slot.job.attempts, error)
    if outcome == State.FAILED:
        told(logging.ERROR, "FAILED permanently with %s", error or UNKNOWN)


def _error_of(job: AbstractJob, row: AbstractJob | None) -> str:
    """The first line of what the execution raised; empty if it didn't fail."""
    if row is None or row.state in (State.SUCCEEDED, State.CANCELLED):
        return ""
    has_failed = row.state == State.FAILED or row.attempts > job.attempts
    return one_line(first_line(row.last_error)) if has_failed else ""


def _log(slot: Slot, batch_job_id: str, level: int, text: str, *facts: object) -> None:
    learn(batch_job_id=batch_job_id)
    values = (slot.watcher, slot.job, *facts, batch_job_id or "-")
    logger.log(level, f"[%s] Job %s {text} (Batch job %s)", *values)
