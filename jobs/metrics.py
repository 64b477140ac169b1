"""Figures of the queue for Prometheus, and a view that serves them.

    path("metrics", jobs.metrics.view)

They are read from the database at each scrape, so any web process answers for all
workers. Needs `prometheus-client` (the extra `metrics`). The view is open to everybody
who reaches it: names of queues and classes are in it.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Iterator
from typing import Any, TypeVar

from django.http import HttpRequest, HttpResponse
from django.utils.module_loading import import_string
from django.views.decorators.cache import never_cache
from django.views.decorators.http import require_safe
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    ProcessCollector,
    generate_latest,
    start_http_server,
)
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    Metric,
)

from jobs import monitors, transitions
from jobs.models import Activity, Job
from jobs.operator import monitoring, reports
from jobs.operator.histograms import Histogram
from jobs.store import store_for
from jobs.store.patience import brief
from jobs.text import storable

#: Pairs of queue and class, and queues, that are told apart; what is more is counted
#: without their names.
MOST_SERIES = 1000
MOST_QUEUES = 200

Labels = tuple[str, ...]
T = TypeVar("T")


class Queues:
    """What is in the queues now."""

    def collect(self) -> Iterator[Metric]:
        stats = reports.stats()
        text = f"Jobs by state and queue, each counted up to {stats['counted_up_to']:,}."
        jobs = GaugeMetricFamily("jobs", text, labels=["state", "queue"])
        rows = (((row["state"], row["queue"]), row["count"]) for row in stats["counts"])
        for labels, counts in _bounded(rows, MOST_SERIES, kept=1).items():
            jobs.add_metric(_written(labels), sum(counts))
        yield jobs
        oldest = stats["oldest_due_seconds"] or 0
        text = "How long the oldest job that is due, and not paused, has waited."
        yield GaugeMetricFamily("jobs_oldest_due_seconds", text, value=oldest)
        store = store_for(Job)
        text = "Running jobs whose lease has expired, and that no worker has freed."
        number = store.count(transitions.lease_expired(store), reports.MOST)
        yield GaugeMetricFamily("jobs_leases_expired", text, value=number)


class Workers:
    """The workers, by their signs of life."""

    def collect(self) -> Iterator[Metric]:
        signs = monitoring.workers()
        alive = [sign.record for sign in signs if sign.is_alive]
        labels = ["batch"]
        workers = GaugeMetricFamily("jobs_workers", "Workers that are alive.", labels=labels)
        slots = GaugeMetricFamily("jobs_worker_slots", "Their places for jobs.", labels=labels)
        text = "Jobs that they have in hand."
        in_hand = GaugeMetricFamily("jobs_worker_slots_in_use", text, labels=labels)
        for batch in (False, True):
            of_kind = [record for record in alive if record.hands_over is batch]
            label = ["true" if batch else "false"]
            workers.add_metric(label, len(of_kind))
            slots.add_metric(label, sum(record.slots for record in of_kind))
            in_hand.add_metric(label, sum(record.in_hand for record in of_kind))
        yield from (workers, slots, in_hand)
        text = "Workers that have been silent for longer than their lease."
        yield GaugeMetricFamily("jobs_workers_silent", text, value=len(signs) - len(alive))


class Ended:
    """What became of jobs since midnight, UTC.

    A counter that goes on for ever would fall when old activity is deleted, and
    Prometheus would take that for a restart and count all of it anew. So it begins at 0
    every midnight, for all web processes at once, and a scrape reads one day at most.
    """

    def collect(self) -> Iterator[Metric]:
        now = store_for(Activity).now().astimezone(dt.timezone.utc)
        midnight = now.replace(hour=0, minute=0, second=0, microsecond=0)
        sums = monitoring.activity(midnight, ["queue", "name"])
        texts = {
            "performed": "Jobs that succeeded.",
            "failed": "Jobs that failed for good.",
            "retried": "Failed attempts with others to come.",
        }
        for name, text in texts.items():
            family = CounterMetricFamily(f"jobs_{name}", text, labels=["queue", "job"])
            pairs = (((one.queue or "", one.name or ""), getattr(one, name)) for one in sums)
            for labels, counts in _bounded(pairs, MOST_SERIES).items():
                family.add_metric(_written(labels), sum(counts))
            yield family
        yield _histogram("jobs_run_seconds", "How long executions ran.", sums, "ran")
        text = "How long jobs had been due when their execution began."
        yield _histogram("jobs_wait_seconds", text, sums, "waited")


def _histogram(name: str, text: str, sums: Iterable[Any], which: str) -> HistogramMetricFamily:
    family = HistogramMetricFamily(name, text, labels=["queue"])
    found = (((one.queue or "",), getattr(one, which)) for one in sums)
    for labels, parts in _bounded(found, MOST_QUEUES).items():
        added = Histogram.of(parts)
        buckets = [(str(float(bound)), number) for bound, number in added.cumulated()]
        buckets.append(("+Inf", added.count))
        family.add_metric(_written(labels), buckets, added.seconds)
    return family


def _bounded(pairs: Iterable[tuple[Labels, T]], most: int, kept: int = 0) -> dict[Labels, list[T]]:
    """What has the same labels together; beyond the first `most`, only the first `kept`
    labels tell it apart.
    """
    found: dict[Labels, list[T]] = {}
    for labels, value in pairs:
        is_known = labels in found or len(found) < most
        key = labels if is_known else (*labels[:kept], *[""] * (len(labels) - kept))
        found.setdefault(key, []).append(value)
    return found


def _written(labels: Iterable[str]) -> list[str]:
    return [storable(str(label)) for label in labels]


def exposition() -> bytes:
    """What the database says, in Prometheus' text format. Raises what that raises."""
    return generate_latest(_registry(monitors.OF_THE_DATABASE))


def serve(port: int, address: str = "127.0.0.1") -> None:
    """Serves what only this process knows: its memory, its time, and its calls.

    Raises OSError if the port can't be listened on.
    """
    registry = _registry(monitors.OF_A_PROCESS)
    ProcessCollector(registry=registry)
    start_http_server(port, address, registry)


def _registry(paths: Iterable[str]) -> CollectorRegistry:
    registry = CollectorRegistry(auto_describe=False)
    for path in paths:
        registry.register(_Described(import_string(path)()))
    return registry


class _Described:
    """A registry would collect once more, only to learn the names."""

    def __init__(self, collector: Any):
        self.collect = collector.collect

    def describe(self) -> list[Metric]:
        return []


@require_safe
@never_cache
def view(request: HttpRequest) -> HttpResponse:
    """The figures; 503, which a scraper takes for "down", if the database can't be
    reached.
    """
    try:
        return HttpResponse(exposition(), content_type=CONTENT_TYPE_LATEST)
    except Exception as error:
        if not store_for(Job).is_unavailable(error):
            raise
        text = f"The database can't be reached: {brief(error)}\n"
        return HttpResponse(text, status=503, content_type="text/plain; charset=utf-8")
