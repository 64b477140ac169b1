"""The job queues on which Batch jobs of this installation may be."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from typing import TYPE_CHECKING

from batchexec.conf import settings
from batchexec.models import BatchExecutionRecord
from batchexec.resources import resources_of
from jobs.payloads import Performable, subclasses
from jobs.store import store_for

if TYPE_CHECKING:
    from batchexec.models import BatchJob

#: How many of the latest executions are looked at.
LATEST = 10_000


def known_queues(found: Iterable[BatchJob]) -> set[str]:
    """Those of the settings, of the markers, of job classes that this process has
    loaded, and of the latest executions.
    """
    traces = store_for(BatchExecutionRecord).listing({}, "-recorded_at", LATEST)
    return {
        settings.JOB_QUEUE,
        *(marker.job_queue for marker in found),
        *(trace.job_queue for trace in traces),
        *_of_classes(),
    }


def _of_classes() -> Iterator[str]:
    for job_class in subclasses(Performable):
        try:
            resources = resources_of(job_class)
        except Exception:  # noqa: S112 — its jobs are refused, so they are on no queue
            continue
        yield from resources.queues
        if resources.queue:
            yield resources.queue
