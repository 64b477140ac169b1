"""Markers in Django's admin, and the way from a job to its marker and back."""

from __future__ import annotations

from django.contrib import admin
from django.contrib.admin.utils import quote
from django.urls import reverse
from django.utils.html import format_html
from django.utils.safestring import SafeString
from django.utils.text import Truncator

from batchexec import markers
from batchexec.models import BatchJob
from jobs.admin import ReadOnlyAdmin, instant, links
from jobs.compat import display
from jobs.models import AbstractJob


@admin.register(BatchJob)
class BatchJobAdmin(ReadOnlyAdmin):
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
            {"fields": ("status", "status_reason", "log_stream", "updated")},
        ),
    )
    submitted, updated = instant("submitted_at"), instant("updated_at")

    @display(ordering="job_id")
    def job(self, marker: BatchJob) -> SafeString | str:
        if not marker.job_id:
            return "-"
        address = reverse("admin:jobs_job_change", args=[quote(marker.job_id)])
        return format_html('<a href="{}">{}</a>', address, marker.job_id)

    @display(description="reason")
    def reason(self, marker: BatchJob) -> str:
        return Truncator(marker.status_reason).chars(80)


def link_to_marker(job: AbstractJob) -> tuple[str, str] | None:
    """The label and address of the job's marker; None if it has none."""
    marker = markers.find(job)
    if marker is None:
        return None
    label = f"Batch job {marker.batch_job_id or marker.job_name}"
    return label, reverse("admin:batchexec_batchjob_change", args=[marker.pk])


links.append(link_to_marker)
