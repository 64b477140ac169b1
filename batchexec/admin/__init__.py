"""Markers and traces in Django's admin, and the way from a job to them and back."""

from __future__ import annotations

from django.contrib import admin
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from batchexec import markers
from batchexec.admin import on_job, on_overview
from batchexec.admin.log import WithLog
from batchexec.executions import standing, status_of
from batchexec.models import BatchExecutionRecord, BatchJob
from jobs.admin import instant, links, panels, sections
from jobs.compat import display
from jobs.models import Job


@admin.register(BatchJob)
class BatchJobAdmin(WithLog):
    list_display = (
        "job_name",
        "job",
        "batch_job_id",
        "state",
        "status",
        "reason",
        "log_stream",
        "submitted",
    )
    list_filter = ("state", "status")
    lookups = ("state__exact", "status")
    search_fields = ("job_id", "job_name", "batch_job_id", "status_reason")
    search_help_text = "Part of the job's id, of the Batch job's id or name, or of the reason."
    fieldsets = (
        (None, {"fields": ("job", "epoch", "job_name", "batch_job_id")}),
        ("Submission", {"fields": ("state", "job_queue", "job_definition", "submitted")}),
        (
            "As AWS Batch said last",
            {"fields": ("status", "status_reason", "log_stream", "updated", "by_row")},
        ),
    )
    submitted, updated = instant("submitted_at"), instant("updated_at")

    @display(ordering="job_id")
    def job(self, marker: BatchJob) -> SafeString | str:
        return on_job.job_link(marker.job_id)

    @display(description="by the job's row")
    def by_row(self, marker: BatchJob) -> str:
        return standing(marker, markers.jobs_of(Job, [marker.job_id]).get(marker.job_id))

    @display(description="reason")
    def reason(self, marker: BatchJob) -> str:
        return Truncator(marker.status_reason).chars(80)


@admin.register(BatchExecutionRecord)
class BatchExecutionAdmin(WithLog):
    list_display = (
        "job_name",
        "job",
        "name",
        "outcome",
        "status_shown",
        "exit_code",
        "failure",
        "ended",
        "reason_shown",
    )
    list_filter = ("outcome", "failure")
    lookups = ("outcome", "failure", "job_id__exact")
    search_fields = ("job_id", "job_name", "name", "batch_job_id", "status_reason", "reason")
    search_help_text = "Part of an id, of a name, or of a reason."
    fieldsets = (
        (None, {"fields": ("job", "name", "epoch", "outcome", "failure")}),
        (
            "In AWS Batch",
            {"fields": ("job_name", "batch_job_id", "job_queue", "job_definition")},
        ),
        (
            "How it ended",
            {"fields": ("status_shown", "status_reason", "exit_code", "reason", "log_stream")},
        ),
        ("Sizes", {"fields": ("vcpu", "memory", "gpu", "attempts")}),
        ("Times", {"fields": ("submitted", "started", "ended", "recorded")}),
    )
    submitted, started = instant("submitted_at"), instant("started_at")
    ended, recorded = instant("stopped_at"), instant("recorded_at")

    @display(ordering="job_id")
    def job(self, trace: BatchExecutionRecord) -> SafeString | str:
        return on_job.job_link(trace.job_id)

    @display(description="status")
    def status_shown(self, trace: BatchExecutionRecord) -> str:
        return status_of(trace)

    @display(description="reason")
    def reason_shown(self, trace: BatchExecutionRecord) -> str:
        return Truncator(trace.reason or trace.status_reason).chars(80)


links.extend([on_job.link_to_marker, on_job.link_to_executions])
sections.append(on_job.sections)
panels.append(on_overview.panels)
