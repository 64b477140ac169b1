"""What a job's submission says to AWS Batch."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from batchexec.conf import settings
from batchexec.resources import SHORTEST_TIMEOUT, Resources
from jobs.conf.options import duration

if TYPE_CHECKING:
    from batchexec.models import BatchJob
    from jobs.models import AbstractJob

#: How much longer than `max_run_time` a container may live, in seconds: it has to
#: start, and to record its outcome.
MARGIN = 300


def request_for(job: AbstractJob, marker: BatchJob, resources: Resources) -> dict[str, Any]:
    """The arguments of SubmitJob.

    Of the job, only its id and epoch are sent: a payload may be large, or secret.
    """
    environment = {"JOB_ID": str(job.pk), "JOB_EPOCH": str(job.epoch), **resources.environment}
    request: dict[str, Any] = {
        "jobName": marker.job_name,
        "jobQueue": marker.job_queue,
        "jobDefinition": marker.job_definition,
        "containerOverrides": {
            "command": [*settings.COMMAND, str(job.pk)],
            "environment": [{"name": name, "value": value} for name, value in environment.items()],
        },
        "retryStrategy": {"attempts": resources.attempts},
        "tags": dict(resources.tags),
    }
    if requirements := resources.requirements():
        request["containerOverrides"]["resourceRequirements"] = requirements
    if seconds := _timeout(job, resources):
        request["timeout"] = {"attemptDurationSeconds": seconds}
    if resources.share_identifier is not None:
        request["shareIdentifier"] = resources.share_identifier
    if resources.scheduling_priority is not None:
        request["schedulingPriorityOverride"] = resources.scheduling_priority
    return request


def _timeout(job: AbstractJob, resources: Resources) -> int | None:
    if resources.timeout is not None:
        return math.ceil(duration(resources.timeout))
    if limit := job.max_run_time:
        # A container ends its job at the limit and says so. This ends one that no
        # longer can.
        return max(SHORTEST_TIMEOUT, math.ceil(limit) + MARGIN)
    return None
