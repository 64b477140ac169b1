"""What earlier executions of a job on AWS Batch leave to the next: retries that cost no attempt, and a larger memory."""

from __future__ import annotations

import dataclasses
import logging
import math
from collections.abc import Mapping
from typing import TYPE_CHECKING

from batchexec.aws import failures
from batchexec.conf import settings
from batchexec.models import BatchHistory
from batchexec.resources import FARGATE, Resources
from jobs.store import store_for

if TYPE_CHECKING:
    from batchexec.aws.failures import Failure
    from jobs.models import AbstractJob

logger = logging.getLogger(__name__)

LARGEST_MEMORY = max(FARGATE[32])


def find(job: AbstractJob) -> BatchHistory | None:
    found = store_for(BatchHistory).find({"job_id": str(job.pk)}, limit=1)
    return found[0] if found else None


def grants_free_retry(job: AbstractJob, failure: Failure, resources: Resources) -> bool:
    """Whether the attempt is not to be counted: AWS took the machine away, and that happened to the job not too often yet.

    Counted before the outcome is written: a worker that dies between the two costs the job a free retry, not the limit.
    """
    own = resources.infrastructure_retries
    limit = settings.INFRASTRUCTURE_RETRIES if own is None else own
    if failure.kind not in failures.INFRASTRUCTURE or not limit:
        return False
    row = _row_of(job)
    if row.infrastructure_failures >= limit:
        return False
    where = {"infrastructure_failures": row.infrastructure_failures}
    return _change(row, where, {"infrastructure_failures": row.infrastructure_failures + 1})


def remember_memory(job: AbstractJob, failure: Failure, resources: Resources) -> None:
    """After an execution that ran out of memory, the next one gets more, where the job says so."""
    if failure.kind != failures.OUT_OF_MEMORY or resources.on_oom is None or resources.memory is None:
        return
    row = _row_of(job)
    memory = math.ceil(resources.memory * resources.on_oom)
    if settings.PLATFORM == "FARGATE":
        memory = min(memory, LARGEST_MEMORY)
    _change(row, {"memory": row.memory}, {"memory": memory})
    logger.info("Job %s ran out of memory with %d MiB: the next attempt gets %d.", job, resources.memory, memory)


def adjusted(job: AbstractJob, resources: Resources) -> Resources:
    """The resources that the job asks for, with the memory that its history says."""
    if resources.on_oom is None or resources.memory is None:
        return resources
    row = find(job)
    if row is None or row.memory is None or row.memory <= resources.memory:
        return resources
    return dataclasses.replace(resources, memory=row.memory)


def _row_of(job: AbstractJob) -> BatchHistory:
    while (row := find(job)) is None:
        # Of two that make one at once, the unique key refuses the second.
        store_for(BatchHistory).insert([BatchHistory(job_id=str(job.pk))])
    return row


def _change(row: BatchHistory, where: Mapping[str, object], changes: Mapping[str, object]) -> bool:
    store = store_for(BatchHistory)
    return store.change(row.pk, where, {**changes, "updated_at": store.now()})
