"""The executions of a job on AWS Batch, as people are shown them.

Those that are over have left a trace each, the one that goes on has its marker.
"""

from __future__ import annotations

import datetime as dt
from typing import TYPE_CHECKING, Any

from batchexec.models import BatchExecutionRecord, BatchJob
from jobs.logs import about
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
