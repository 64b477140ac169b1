"""What the executions of a job on AWS Batch leave to the next one.

That is the number of retries that cost no attempt, and a larger memory.
"""

from __future__ import annotations

import dataclasses
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from batchexec.aws import failures
from batchexec.conf import settings
from batchexec.models import BatchHistory
from batchexec.sizes import FARGATE, Sizes, largest_on_fargate
from jobs.logs import get_logger
from jobs.store import store_for

if TYPE_CHECKING:
    from batchexec.aws.failures import Failure
    from batchexec.resources import Resources
    from jobs.models import AbstractJob

logger = get_logger(__name__)


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
    row = history_of(job)
    used = row.infrastructure_failures
    if used >= limit:
        return False
    return change(row, {"infrastructure_failures": used}, {"infrastructure_failures": used + 1})


def remember_memory(job: AbstractJob, failure: Failure, resources: Resources) -> None:
    """Raises the next execution's memory if this one ran out and the job wants that.

    `resources` are those of this execution; never beyond their `max_memory`.
    """
    if failure.kind != failures.OUT_OF_MEMORY or resources.on_oom is None:
        return
    had, most = resources.memory, resources.max_memory
    if had is None:
        message = "Job %s ran out of memory, but nothing says how much it had, to raise it."
        logger.warning(message, job)
        return
    memory = math.ceil(had * resources.on_oom)
    if most is not None:
        memory = min(memory, most)
    row = history_of(job)
    change(row, {"memory": row.memory}, {"memory": memory})
    message = "Job %s ran out of memory with %d MiB: the next attempt asks for %d."
    logger.info(message, job, had, memory)


def adjusted(
    resources: Resources, history: BatchHistory | None, defined: Sizes, platform: str
) -> Resources:
    """What the job asks for, with the larger memory that its history says.

    With `on_oom`, the memory is named, the definition's if the job names none: it is
    what the next one is reckoned from.
    """
    memory = resources.memory or defined.memory
    if resources.on_oom is None or memory is None:
        return resources
    raised = (history.memory if history is not None else None) or 0
    if platform == FARGATE:
        # Where it is rounded up to what exists, not beyond the job's limit.
        vcpu = resources.vcpu or defined.vcpu or 0
        raised = min(raised, largest_on_fargate(vcpu, resources.max_memory))
    return dataclasses.replace(resources, memory=max(memory, raised))


def history_of(job: AbstractJob) -> BatchHistory:
    """The job's history, made now if it has none."""
    while (row := find(job)) is None:
        # If two workers make one at once, the unique key refuses the second.
        store_for(BatchHistory).insert([BatchHistory(job_id=str(job.pk))])
    return row


def change(row: BatchHistory, where: Mapping[str, Any], changes: Mapping[str, Any]) -> bool:
    """Changes the history if it still is as `where` says; returns whether it did."""
    return store_for(BatchHistory).apply(row, where, changes)
