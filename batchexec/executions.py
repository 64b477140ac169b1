"""The executions of a job on AWS Batch, as people are shown them.

Those that are over have left a trace each, the one that goes on has its marker.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from batchexec.models import BatchExecutionRecord, BatchJob
from batchexec.statuses import TERMINAL
from jobs.logs import about
from jobs.states import State
from jobs.store import store_for
from jobs.text import one_line, storable

if TYPE_CHECKING:
    from django.db import models

    from jobs.models import AbstractJob

#: Traces of one job that are shown at most.
MOST = 100


def traces(key: str) -> list[BatchExecutionRecord]:
    """Of a job or a Batch job, by its id, the oldest first."""
    if storable(key) != key:
        return []
    store = store_for(BatchExecutionRecord)
    found = store.find({"job_id": key}, MOST) or store.find({"batch_job_id": key}, MOST)
    return sorted(found, key=lambda trace: (trace.epoch, trace.recorded_at))


def is_unconfirmed(trace: BatchExecutionRecord) -> bool:
    """Whether its worker was gone before AWS Batch said its last word."""
    return trace.status not in TERMINAL


def remark_on(trace: BatchExecutionRecord) -> str:
    """What its status is worth, unless that is AWS Batch's last word."""
    if not is_unconfirmed(trace):
        return ""
    said = f"AWS Batch last said {trace.status}" if trace.status else "AWS Batch was not asked"
    return f"{said}, before the execution ended"


def status_of(trace: BatchExecutionRecord) -> str:
    """The status as people may read it."""
    return remark_on(trace) or trace.status


def state_of_job(marker: BatchJob, job: AbstractJob | None) -> str:
    """In short, what the job's row says of the marker's execution."""
    if job is None:
        return "gone"
    return str(job.state) if job.epoch == marker.epoch else f"{job.state}, execution over"


def standing(marker: BatchJob, job: AbstractJob | None) -> str:
    """The same in a sentence, with who watches it."""
    if job is None:
        if marker.state == BatchJob.State.UNWANTED:
            return "Its row was deleted by somebody, so its Batch job is to end."
        return "Its row is gone, as it is after a success: the execution is over."
    if job.epoch != marker.epoch:
        return f"The job is {job.state}: this execution is over."
    if job.state == State.RUNNING:
        return f"The job is running, and the worker {one_line(job.locked_by)} watches it."
    return f"The job is {job.state}, and no worker watches it now."


def as_dict(row: models.Model) -> dict[str, Any]:
    """The columns of a marker or a trace, for people and for JSON."""
    fields = [field for field in row._meta.concrete_fields if not field.primary_key]
    values = {field.attname: getattr(row, field.attname) for field in fields}
    return {name: _plain(value) for name, value in values.items()}


def about_execution(marker: BatchJob, row: AbstractJob | None = None) -> about:
    """What is logged in the body is about the execution of that marker.

    `row` is its job's, if that is still there.
    """
    return about(
        job_id=marker.job_id,
        job_name="" if row is None else one_line(row.name),
        queue="" if row is None else one_line(row.queue),
        epoch=marker.epoch,
        batch_job_id=marker.batch_job_id,
    )


def _plain(value: Any) -> Any:
    return value.isoformat() if isinstance(value, dt.datetime) else value
