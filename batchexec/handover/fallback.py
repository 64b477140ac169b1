"""Which of several queues a job goes to: `Resources(queues=…)`.

A job begins with the first. It goes on to the next once LOST_HOSTS of its executions
there were lost with their host, such as on Spot, or one did not start in time, or at
once if the queue takes no jobs. The job's history counts that. On the last queue it
stays.
"""

from __future__ import annotations

import dataclasses
from typing import TYPE_CHECKING

from batchexec.aws import failures
from batchexec.conf import settings
from batchexec.handover import retries
from jobs.logs import get_logger
from jobs.text import one_line

if TYPE_CHECKING:
    from batchexec.aws.failures import Failure
    from batchexec.models import BatchHistory
    from batchexec.resources import Resources
    from jobs.models import AbstractJob

logger = get_logger(__name__)

#: How many hosts may be lost on a queue before a job goes on to the next.
LOST_HOSTS = 2
#: How a reason begins of a Batch job that the worker cancelled, because it waited.
DID_NOT_START = "It did not start within"


def chosen(resources: Resources, history: BatchHistory | None) -> str:
    """The queue for the next execution; empty if the job names none."""
    if not resources.queues:
        return resources.queue or ""
    return resources.queues[_index(resources, history)]


def with_deadline(resources: Resources, history: BatchHistory | None) -> Resources:
    """The same, with a limit to its wait for a start, if there is another queue."""
    is_last = _index(resources, history) >= len(resources.queues) - 1
    if is_last or resources.start_within is not None:
        return resources
    return dataclasses.replace(resources, start_within=settings.FALLBACK_AFTER)


def passes_over(
    job: AbstractJob, resources: Resources, history: BatchHistory | None, problem: str
) -> BatchHistory | None:
    """The history with which the job goes on to the next queue, as this one takes no
    jobs: `problem` says why.

    None if there is no other queue.
    """
    index = _index(resources, history)
    if index >= len(resources.queues) - 1:
        return None
    row = history if history is not None else retries.history_of(job)
    after = (index + 1) * LOST_HOSTS
    if not retries.change(row, {"setbacks": row.setbacks}, {"setbacks": after}):
        return retries.find(job)  # somebody else has counted, too
    message = "Job %s goes on to the queue %s: %s"
    logger.info(message, job, resources.queues[index + 1], one_line(problem))
    return row


def moves_on(job: AbstractJob, failure: Failure, resources: Resources) -> bool:
    """Counts what the failure says against the job's queue.

    Returns whether the job goes on to the next queue, without an attempt counted,
    because this one had no room for it. It is counted before the outcome is written.
    """
    if len(resources.queues) < 2:
        return False
    is_full = failure.kind == failures.CAPACITY or DID_NOT_START in failure.text
    if not is_full and failure.kind not in failures.INFRASTRUCTURE:
        return False
    row = retries.history_of(job)
    before, index = row.setbacks, _index(resources, row)
    if index == len(resources.queues) - 1:
        return False
    after = (index + 1) * LOST_HOSTS if is_full else (before or 0) + 1
    if not retries.change(row, {"setbacks": before}, {"setbacks": after}):
        return False
    if (now := _index(resources, row)) > index:
        message = "Job %s goes on to the queue %s: %s"
        why = "the one before had no room for it" if is_full else failure.kind
        logger.info(message, job, resources.queues[now], why)
    return is_full


def _index(resources: Resources, history: BatchHistory | None) -> int:
    setbacks = (history.setbacks if history is not None else None) or 0
    return max(0, min(setbacks // LOST_HOSTS, len(resources.queues) - 1))
