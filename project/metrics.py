"""`/metrics` for Prometheus.

The figures are read from the database at each scrape, so any web process can answer for
all workers.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Sequence

from django.conf import settings
from django.http import Http404, HttpRequest, HttpResponse
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, generate_latest
from prometheus_client.core import GaugeMetricFamily

from batchexec.markers import all_markers
from batchexec.models import BatchJob
from batchexec.statuses import NOT_STARTED
from jobs.operator import reports
from jobs.store import store_for


class QueueCollector:
    """What is in the queues."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        stats = reports.stats()
        text = f"Jobs by state and queue, each counted up to {stats['counted_up_to']:,}."
        jobs = GaugeMetricFamily("jobs", text, labels=["state", "queue"])
        for row in stats["counts"]:
            jobs.add_metric([row["state"], row["queue"]], row["count"])
        yield jobs
        oldest = stats["oldest_due_seconds"] or 0
        text = "How long the oldest job that is due has waited."
        yield GaugeMetricFamily("jobs_oldest_due_seconds", text, value=oldest)


class BatchCollector:
    """What is in AWS Batch."""

    def collect(self) -> Iterator[GaugeMetricFamily]:
        markers = all_markers()
        text = "Jobs in AWS Batch, by the status that was last seen."
        by_status = GaugeMetricFamily("batch_jobs", text, labels=["status"])
        for status, count in Counter(marker.status or "submitting" for marker in markers).items():
            by_status.add_metric([status], count)
        yield by_status
        text = "How long the oldest Batch job that hasn't started has waited."
        yield GaugeMetricFamily("batch_jobs_oldest_waiting_seconds", text, value=_waiting(markers))


def _waiting(markers: Sequence[BatchJob]) -> float:
    """Seconds since the first submission whose Batch job hasn't started."""
    submitted = [marker.submitted_at for marker in markers if marker.status in NOT_STARTED]
    if not submitted:
        return 0
    return (store_for(BatchJob).now() - min(submitted)).total_seconds()


registry = CollectorRegistry()
registry.register(QueueCollector())
registry.register(BatchCollector())


@require_safe
@never_cache
def metrics(request: HttpRequest) -> HttpResponse:
    """404 unless the setting METRICS is on, because queue names may be confidential."""
    if not settings.METRICS:
        raise Http404
    return HttpResponse(generate_latest(registry), content_type=CONTENT_TYPE_LATEST)
