"""`/metrics` for Prometheus: asked of the database at each scrape, so that any one web process tells of all workers."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from batchexec.aws.statuses import NOT_STARTED
from batchexec.markers import all_markers
from jobs.operator import reports
from jobs.store import store_for


class QueueCollector:
    def collect(self) -> Iterator[GaugeMetricFamily]:
        stats = reports.stats()
        text = f"Jobs in the table, of each state and queue up to {stats['counted_up_to']:,}."
        jobs = GaugeMetricFamily("jobs", text, labels=["state", "queue"])
        for row in stats["counts"]:
            jobs.add_metric([row["state"], row["queue"]], row["count"])
        yield jobs
        oldest = stats["oldest_due_seconds"] or 0
        yield GaugeMetricFamily("jobs_oldest_due_seconds", "For how long a job that is due has waited.", value=oldest)


class BatchCollector:
    def collect(self) -> Iterator[GaugeMetricFamily]:
        markers = all_markers()
        by_status = GaugeMetricFamily("batch_jobs", "Jobs in AWS Batch, by its status when last seen.", labels=["status"])
        for status, count in Counter(marker.status or "submitting" for marker in markers).items():
            by_status.add_metric([status], count)
        yield by_status
        waiting = [marker.submitted_at for marker in markers if marker.status in NOT_STARTED]
        seconds = (store_for(markers[0].__class__).now() - min(waiting)).total_seconds() if waiting else 0
        text = "For how long a Batch job has been waiting to be started."
        yield GaugeMetricFamily("batch_jobs_oldest_waiting_seconds", text, value=seconds)


registry = CollectorRegistry()
registry.register(QueueCollector())
registry.register(BatchCollector())


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """404 unless the setting METRICS is on: names of queues may not be everybody's business."""
    if not settings.METRICS:
        raise Http404
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
