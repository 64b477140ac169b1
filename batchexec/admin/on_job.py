"""What a job's page says of its executions on AWS Batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.contrib.admin.utils import quote
from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString

from batchexec import markers
from batchexec.aws.console import console_for, is_arn
from batchexec.executions import standing, status_of, traces
from batchexec.models import BatchExecutionRecord, BatchJob
from jobs.admin import Link, Section
from jobs.admin.readonly import may
from jobs.admin.shown import ago
from jobs.models import AbstractJob

#: Past executions that the page describes; all of them have a list of their own.
SHOWN = 3


def sections(request: HttpRequest, job: AbstractJob) -> Sequence[Section]:
    """The execution that goes on, and the last ones that are over."""
    found = []
    marker = markers.find(job)
    if marker is not None and may(request, "batchexec.view_batchjob"):
        found.append(_of_marker(marker, job))
    if may(request, "batchexec.view_batchexecutionrecord"):
        found += [_of_trace(trace) for trace in traces(str(job.pk))[: -SHOWN - 1 : -1]]
    return found


def _of_marker(marker: BatchJob, job: AbstractJob) -> Section:
    rows = [
        ("Status seen last", marker.status or marker.state),
        ("Changed", ago(marker.updated_at)),
        ("By the job's row", standing(marker, job)),
        ("Reason", marker.status_reason),
        ("Batch job", marker.batch_job_id),
        ("Queue", marker.job_queue),
        ("Definition", marker.job_definition),
        ("Log stream", marker.log_stream),
        ("Submitted", ago(marker.submitted_at)),
    ]
    is_over = job.epoch != marker.epoch
    title = "On AWS Batch, until its marker is cleared" if is_over else "On AWS Batch now"
    return _section(title, rows, marker, "batchjob")


def _of_trace(trace: BatchExecutionRecord) -> Section:
    size = (
        (trace.vcpu, "vCPU"),
        (trace.memory, "MiB"),
        (trace.gpu, "GPU"),
    )
    rows = [
        ("Status", status_of(trace)),
        ("Outcome", trace.outcome),
        ("Failure", trace.failure),
        ("Reason", trace.status_reason),
        ("Container's reason", trace.reason),
        ("Exit code", trace.exit_code),
        ("Batch job", trace.batch_job_id),
        ("Queue", trace.job_queue),
        ("Definition", trace.job_definition),
        ("Size", ", ".join(f"{number} {unit}" for number, unit in size if number)),
        ("Log stream", trace.log_stream),
        ("Submitted", ago(trace.submitted_at)),
        ("Started", ago(trace.started_at)),
        ("Ended", ago(trace.stopped_at)),
    ]
    title = f"Execution {trace.epoch} on AWS Batch"
    return _section(title, rows, trace, "batchexecutionrecord")


def _section(
    title: str, rows: list[tuple[str, Any]], row: BatchJob | BatchExecutionRecord, model: str
) -> Section:
    known = [(label, value) for label, value in rows if value not in ("", None, "-")]
    has_log = bool(row.batch_job_id or row.log_stream)
    return Section(
        title,
        known,
        console_links(row),
        reverse(f"admin:batchexec_{model}_log", args=[row.pk]) if has_log else "",
        "Last lines of its log",
    )


def console_links(row: BatchJob | BatchExecutionRecord) -> list[Link]:
    """To AWS's console: the Batch job, its queue and definition, its log."""
    console = console_for((row.job_queue, row.job_definition))
    if console is None:
        return []
    found = []
    if row.batch_job_id:
        found.append(Link("Batch job in AWS's console", console.job(row.batch_job_id), True))
    if is_arn(row.job_queue):
        found.append(Link("Queue", console.queue(row.job_queue), True))
    if is_arn(row.job_definition):
        found.append(Link("Definition", console.definition(row.job_definition), True))
    if row.log_stream:
        found.append(Link("Log in CloudWatch", console.log(row.log_stream), True))
    return found


def link_to_executions(job: AbstractJob) -> tuple[str, str] | None:
    """The label and address of the list of the job's past executions."""
    number = len(traces(str(job.pk)))
    if not number:
        return None
    label = f"{number} past Batch execution{'' if number == 1 else 's'}"
    address = reverse("admin:batchexec_batchexecutionrecord_changelist")
    return label, f"{address}?{urlencode({'job_id__exact': str(job.pk)})}"


def link_to_marker(job: AbstractJob) -> tuple[str, str] | None:
    """The label and address of the job's marker; None if it has none."""
    marker = markers.find(job)
    if marker is None:
        return None
    label = f"Batch job {marker.batch_job_id or marker.job_name}"
    return label, reverse("admin:batchexec_batchjob_change", args=[marker.pk])


def job_link(job_id: str) -> SafeString | str:
    """To the page of the job of that id."""
    if not job_id:
        return "-"
    address = reverse("admin:jobs_job_change", args=[quote(job_id)])
    return format_html('<a href="{}">{}</a>', address, job_id)
