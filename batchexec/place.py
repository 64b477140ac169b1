"""AWS Batch, as the commands and the admin of `jobs` ask it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

from batchexec import markers
from batchexec.executions import as_dict, remark_on, standing, traces
from batchexec.models import BatchExecutionRecord, BatchHistory, BatchJob
from batchexec.statuses import NOT_STARTED
from jobs.operator.elsewhere import Log, NoLog, Place
from jobs.store import store_for
from jobs.text import one_line

if TYPE_CHECKING:
    from django.db import models

    from jobs.models import AbstractJob


class AwsBatch(Place):
    """Nothing but reading a log calls AWS."""

    name = "AWS Batch"

    def executions(self, job: AbstractJob) -> list[dict[str, Any]]:
        shown = [self._shown(trace, remark_on(trace)) for trace in traces(str(job.pk))]
        marker = markers.find(job)
        return shown if marker is None else [*shown, self._shown(marker, standing(marker, job))]

    def _shown(self, row: models.Model, remark: str) -> dict[str, Any]:
        """The columns are what was seen last; the remark says what they are worth."""
        return {"place": self.name, **as_dict(row), "remark": remark}

    def why_not_begun(self, jobs: Sequence[AbstractJob]) -> dict[str, str]:
        found = {marker.job_id: marker for marker in markers.of_jobs(str(job.pk) for job in jobs)}
        return {str(job.pk): _why(job, found.get(str(job.pk))) for job in jobs}

    def log_of(self, pk: str) -> Log | None:
        marker, past = markers.look_up(pk), traces(pk)
        newest = marker or (past[-1] if past else None)
        if newest is None:
            return None
        try:
            from batchexec.aws.logs import ContainerLog
        except ImportError as error:  # without boto3
            raise NoLog(str(error)) from error
        return ContainerLog(newest.batch_job_id, newest.log_stream)

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
