"""The executions of a job on AWS Batch, as people are shown them.

Those that are over have left a trace each, the one that goes on has its marker.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from batchexec import markers
from batchexec.models import BatchExecutionRecord, BatchHistory, BatchJob
from batchexec.statuses import NOT_STARTED
from jobs.logs import about
from jobs.operator.elsewhere import Place
from jobs.store import store_for
from jobs.text import one_line

if TYPE_CHECKING:
    from django.db import models

    from jobs.models import AbstractJob

#: Traces of one job that are shown at most.
MOST = 100


def traces(key: str) -> list[BatchExecutionRecord]:
    """Of a job or a Batch job, by its id, the oldest first."""
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


class AwsBatch(Place):
    """AWS Batch, as the commands and the admin of `jobs` ask it. It calls no AWS."""

    name = "AWS Batch"

    def executions(self, job: AbstractJob) -> list[dict[str, Any]]:
        shown = [self._shown(trace) for trace in traces(str(job.pk))]
        marker = markers.find(job)
        return shown if marker is None else [*shown, self._shown(marker)]

    def _shown(self, row: models.Model) -> dict[str, Any]:
        return {"place": self.name, **as_dict(row)}

    def why_not_begun(self, jobs: Sequence[AbstractJob]) -> dict[str, str]:
        found = {marker.job_id: marker for marker in markers.of_jobs(str(job.pk) for job in jobs)}
        return {str(job.pk): _why(job, found.get(str(job.pk))) for job in jobs}

    def why_not_started(self, jobs: Sequence[AbstractJob]) -> dict[str, str]:
        epochs = {str(job.pk): job.epoch for job in jobs}
        found = [one for one in markers.of_jobs(epochs) if one.epoch == epochs[one.job_id]]
        return {marker.job_id: why for marker in found if (why := _why_not_started(marker))}

    def to_be_deleted(self, ids: Sequence[str]) -> int:
        where: Mapping[str, Any] = {"job_id__in": list(ids)}
        for model in (BatchExecutionRecord, BatchHistory):
            store_for(model).delete_many(where)
        return markers.mark_unwanted(ids)


def _why(job: AbstractJob, marker: BatchJob | None) -> str:
    """Why the job isn't submitted; empty if it is."""
    if marker is None or marker.epoch != job.epoch:
        return f"the worker {one_line(job.locked_by)} holds it and hasn't submitted it."
    return "" if marker.batch_job_id else _why_not_submitted(marker)


def _why_not_submitted(marker: BatchJob) -> str:
    reason = marker.status_reason or "AWS Batch has not said yet whether it took the job."
    return f"it isn't submitted. {one_line(reason)}"


def _why_not_started(marker: BatchJob) -> str:
    """What AWS Batch said last, while somebody watched; empty of what has started."""
    if not marker.batch_job_id:
        return _why_not_submitted(marker)
    if marker.status not in NOT_STARTED:
        return ""
    reason = one_line(marker.status_reason or "no reason given")
    return f"AWS Batch last said that it is {marker.status} on {marker.job_queue}: {reason}"
