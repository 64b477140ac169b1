"""Figures of AWS Batch for Prometheus: what the markers say, and the calls of this
process.
"""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Iterator, Sequence

from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, Metric

from batchexec.aws import calls
from batchexec.markers import all_markers
from batchexec.models import BatchJob
from batchexec.statuses import NOT_STARTED
from jobs.store import store_for


class BatchJobs:
    """What is in AWS Batch, from the database."""

    def collect(self) -> Iterator[Metric]:
        markers = all_markers()
        text = "Jobs in AWS Batch, by the status that was last seen."
        by_status = GaugeMetricFamily("batch_jobs", text, labels=["status"])
        for status, count in Counts(marker.status or "submitting" for marker in markers).items():
            by_status.add_metric([status], count)
        yield by_status
        text = "How long the oldest Batch job that hasn't started has waited."
        yield GaugeMetricFamily("batch_jobs_oldest_waiting_seconds", text, value=_waiting(markers))


class Calls:
    """The calls that this process has made: a worker's, which serves them itself."""

    def collect(self) -> Iterator[Metric]:
        text = "Requests to AWS Batch, by operation and answer."
        family = CounterMetricFamily("batch_api_calls", text, labels=["operation", "answer"])
        for (operation, answer), count in calls.made().items():
            family.add_metric([operation, answer], count)
        yield family


def _waiting(markers: Sequence[BatchJob]) -> float:
    """Seconds since the first submission whose Batch job hasn't started."""
    submitted = [marker.submitted_at for marker in markers if marker.status in NOT_STARTED]
    if not submitted:
        return 0
    return (store_for(BatchJob).now() - min(submitted)).total_seconds()
