"""What the overview of the jobs says of AWS Batch, as the markers know it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from django.http import HttpRequest
from django.urls import reverse
from django.utils.html import format_html
from django.utils.text import Truncator

from batchexec.admin import on_job
from batchexec.models import BatchJob
from batchexec.statuses import NOT_STARTED
from jobs.admin import Link, Panel
from jobs.admin.readonly import may
from jobs.admin.shown import ago, counted
from jobs.store import store_for

#: What a Batch job can be, in the order of its life; without a status it is being
#: submitted, or AWS Batch hasn't been asked about it yet.
STATUSES = ("", *NOT_STARTED, "STARTING", "RUNNING", "SUCCEEDED", "FAILED")
WAITING = ("", *NOT_STARTED)
#: Counted at most of each status.
COUNTED = 10_000
#: Of those that wait longest.
SHOWN = 10
LONGEST_REASON = 200


def panels(request: HttpRequest) -> Sequence[Panel]:
    if not may(request, "batchexec.view_batchjob"):
        return []
    store = store_for(BatchJob)
    counts = {status: store.count({"status": status}, COUNTED) for status in STATUSES}
    waiting = []
    if any(counts[status] for status in WAITING):
        waiting = store.listing({"status__in": list(WAITING)}, "submitted_at", SHOWN)
    panel = Panel(
        "AWS Batch",
        figures=[(_word(status), counted(counts[status], COUNTED)) for status in STATUSES],
        caption="What waits longest, with the reason",
        columns=("Batch job", "Job", "Status", "Since", "Reason", "Queue"),
        rows=[_row(marker) for marker in waiting],
        none="Nothing waits for AWS Batch.",
        links=[Link("All Batch jobs", reverse("admin:batchexec_batchjob_changelist"))],
    )
    return [panel]


def _word(status: str) -> str:
    return status.lower() or "being submitted"


def _row(marker: BatchJob) -> Sequence[Any]:
    address = reverse("admin:batchexec_batchjob_change", args=[marker.pk])
    return (
        format_html('<a href="{}">{}</a>', address, marker.batch_job_id or marker.job_name),
        on_job.job_link(marker.job_id),
        marker.status or _word(""),
        ago(marker.submitted_at),
        Truncator(marker.status_reason).chars(LONGEST_REASON) or "AWS Batch gives no reason.",
        marker.job_queue.rpartition("/")[2],
    )
