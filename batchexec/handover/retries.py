"""What the executions of a job on AWS Batch leave to the next one.

That is the number of retries that cost no attempt, and a larger memory.
"""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from batchexec.aws import failures
from batchexec.conf import settings
from batchexec.models import BatchHistory
from batchexec.resources import FARGATE, Resources
from jobs.store import store_for

if TYPE_CHECKING:
    from batchexec.aws.failures import Failure
    from jobs.models import AbstractJob

logger = logging.getLogger(__name__)

#: The most memory that Fargate has, in MiB.
LARGEST_MEMORY = max(FARGATE[32])


def find(job: AbstractJob) -> BatchHistory | None:
    """The job's history; None if it has none."""
    return store_for(BatchHistory).find_one({"job_id": str(job.pk)})


def grants_free_retry(
    job: AbstractJob, failure: Failure, resources: Resources, *, has_begun: bool = True
) -> bool:
    """Counts a free retry, if AWS lost the execution and the job's limit allows one.

    It is lost if AWS took the machine away, or if no runner ever registered, so that
    not a line of the job ran, whatever AWS says about it. But who ended a Batch job on
    purpose, a person or a deadline, has not lost it.

    Returns whether a retry is granted. It is counted before the outcome is written: if
    the worker dies in between, the job loses a free retry, and the limit holds.
    """
    own = resources.infrastructure_retries
    limit = settings.INFRASTRUCTURE_RETRIES if own is None else own
    taken = failure.kind in failures.INFRASTRUCTURE
    is_lost = taken or (not has_begun and failure.kind != failures.CANCELLED)
    if not is_lost or not limit:
        return False
    row = _row_of(job)
    used = row.infrastructure_failures
    if used >= limit:
        return False
    return _change(row, {"infrastructure_failures": used}, {"infrastructure_failures": used + 1})


def remember_memory(job: AbstractJob, failure: Failure, resources: Resources) -> None:
    """Raises the next execution's memory if this one ran out and the job wants that."""
    if failure.kind != failures.OUT_OF_MEMORY:
        return
    if resources.on_oom is None or resources.memory is None:
        return
    row = _row_of(job)
    memory = math.ceil(resources.memory * resources.on_oom)
    if settings.PLATFORM == "FARGATE":
        memory = min(memory, LARGEST_MEMORY)
    _change(row, {"memory": row.memory}, {"memory": memory})
    message = "Job %s ran out of memory with %d MiB: the next attempt gets %d."
    logger.info(message, job, resources.memory, memory)


def adjusted(job: AbstractJob, resources: Resources) -> Resources:
    """What the job asks for, with the larger memory that its history says."""
    if resources.on_oom is None or resources.memory is None:
        return resources
    row = find(job)
    if row is None or row.memory is None or row.memory <= resources.memory:
        return resources
    return dataclasses.replace(resources, memory=row.memory)


def _row_of(job: AbstractJob) -> BatchHistory:
    while (row := find(job)) is None:
        # If two workers make one at once, the unique key refuses the second.
        store_for(BatchHistory).insert([BatchHistory(job_id=str(job.pk))])
    return row


def _change(row: BatchHistory, where: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    return store_for(BatchHistory).apply(row, where, changes)
