"""Batch jobs that are to end, such as those of a job that was cancelled or deleted."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import TYPE_CHECKING

from batchexec import markers
from batchexec.conf import settings
from batchexec.statuses import TERMINAL

if TYPE_CHECKING:
    from batchexec.aws.client import BatchClient
    from batchexec.models import BatchJob

REASON = "The job was cancelled or deleted."


def ended_after_cancel(
    client: BatchClient,
    marker: BatchJob,
    is_settled: Callable[[BatchJob], bool] = markers.is_settled,
) -> bool:
    """Asks AWS Batch to terminate the marker's Batch job; returns whether it is over.

    A Batch job that AWS Batch doesn't know, or that TERMINATE_ON_CANCEL says to leave
    alone, counts as over. One that was perhaps submitted is looked for by its name, and
    counts as over once SETTLE has passed without it: `is_settled` asks the database.
    Raises what boto3 raises if AWS Batch can't be asked.
    """
    if not settings.TERMINATE_ON_CANCEL:
        return True
    if marker.batch_job_id:
        return terminated(client, [marker.batch_job_id], REASON)
    is_last_look = is_settled(marker)
    found = client.find(marker.job_queue, marker.job_name)
    is_over = terminated(client, [one["jobId"] for one in found], REASON)
    return is_over and (bool(found) or is_last_look)


def terminated(client: BatchClient, ids: Iterable[str], reason: str) -> bool:
    """Asks AWS Batch to terminate those that go on; returns whether all are over."""
    return _ended(client, ids, lambda one: client.terminate(one, reason))


def cancelled(client: BatchClient, ids: Iterable[str], reason: str) -> bool:
    """Asks AWS Batch to end those that have not started; returns whether all are
    over.
    """
    return _ended(client, ids, lambda one: client.cancel(one, reason))


def _ended(client: BatchClient, ids: Iterable[str], end: Callable[[str], None]) -> bool:
    details = client.describe(ids).values()
    alive = [detail["jobId"] for detail in details if detail["status"] not in TERMINAL]
    for batch_job_id in alive:
        end(batch_job_id)
    return not alive
