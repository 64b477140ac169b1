"""What a job's submission says to AWS Batch."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from batchexec import limits
from batchexec.aws.definitions import ECS_PROPERTIES, EKS_PROPERTIES, Definition
from batchexec.conf import settings
from batchexec.resources import SHORTEST_TIMEOUT, Resources
from batchexec.sizes import Sizes
from jobs.conf.options import duration

if TYPE_CHECKING:
    from batchexec.models import BatchJob
    from jobs.models import AbstractJob

#: How much longer than `max_run_time` a container may live, in seconds: it has to
#: start, and to record its outcome.
MARGIN = 300
#: The exit statuses of `runjob` after which another start is for nothing: the job
#: raised and that is recorded, it is another's, it is gone, it was told to end and that
#: is recorded. After 75 (the database was away), and after an end of which nothing is
#: recorded, such as a kill, another start is what the job's `attempts` are for. AWS
#: Batch retries what no rule names. Source: AWS Batch API, RetryStrategy.
RECORDED = (1, 3, 4, 143)


def request_for(
    job: AbstractJob, marker: BatchJob, resources: Resources, definition: Definition
) -> dict[str, Any]:
    """The arguments of SubmitJob.

    Of the job, only its id and epoch are sent: a payload may be large, or secret.
    Raises ValueError for more overrides than AWS Batch takes.
    """
    request: dict[str, Any] = {
        "jobName": marker.job_name,
        "jobQueue": marker.job_queue,
        "jobDefinition": marker.job_definition,
        "retryStrategy": _retries(resources),
        "tags": dict(resources.tags),
        **_overrides(job, resources, definition),
    }
    if seconds := _timeout(job, resources):
        request["timeout"] = {"attemptDurationSeconds": seconds}
    if resources.share_identifier is not None:
        request["shareIdentifier"] = resources.share_identifier
    if resources.scheduling_priority is not None:
        request["schedulingPriorityOverride"] = resources.scheduling_priority
    return request


def _retries(resources: Resources) -> dict[str, Any]:
    strategy: dict[str, Any] = {"attempts": resources.attempts}
    if resources.evaluate_on_exit:
        strategy["evaluateOnExit"] = [dict(rule) for rule in resources.evaluate_on_exit]
    elif resources.attempts > 1:
        strategy["evaluateOnExit"] = [
            {"onExitCode": str(status), "action": "EXIT"} for status in RECORDED
        ]
    return strategy


def _overrides(job: AbstractJob, resources: Resources, definition: Definition) -> dict[str, Any]:
    command = [*settings.COMMAND, str(job.pk)]
    environment = {"JOB_ID": str(job.pk), "JOB_EPOCH": str(job.epoch), **resources.environment}
    overridden: dict[str, Any]
    if definition.kind == EKS_PROPERTIES:
        container = _on_eks(command, environment, resources.sizes, definition)
        overridden = {"eksPropertiesOverride": {"podProperties": {"containers": [container]}}}
    else:
        container = _on_ecs(command, environment, resources.sizes)
        if definition.kind == ECS_PROPERTIES:
            named = {"name": definition.container, **container}
            task = {"containers": [named]}
            overridden = {"ecsPropertiesOverride": {"taskProperties": [task]}}
        else:
            overridden = {"containerOverrides": container}
    limits.overrides("Resources(environment)", container)
    return overridden


def _on_ecs(command: list[str], environment: Mapping[str, str], sizes: Sizes) -> dict[str, Any]:
    container: dict[str, Any] = {"command": command, "environment": limits.as_pairs(environment)}
    if requirements := sizes.requirements():
        container["resourceRequirements"] = requirements
    return container


def _on_eks(
    command: list[str], environment: Mapping[str, str], sizes: Sizes, definition: Definition
) -> dict[str, Any]:
    """Kubernetes' `args` are what Docker calls the command.

    Its `command` is the entry point, which is the image's unless the definition has
    one: then both are overridden. Source: AWS Batch API, EksContainer.
    """
    container: dict[str, Any] = {
        "name": definition.container,
        "args": command,
        "env": limits.as_pairs(environment),
    }
    if definition.has_command:
        container.update(command=command[:1], args=command[1:])
    texts = {
        "cpu": f"{sizes.vcpu:g}" if sizes.vcpu else "",
        "memory": f"{sizes.memory}Mi" if sizes.memory else "",
        "nvidia.com/gpu": str(sizes.gpu or ""),
    }
    if needs := {kind: text for kind, text in texts.items() if text}:
        # Where both are given they must agree, and the definition may have either.
        container["resources"] = {"limits": needs, "requests": needs}
    return container


def _timeout(job: AbstractJob, resources: Resources) -> int | None:
    if resources.timeout is not None:
        return math.ceil(duration(resources.timeout))
    if limit := job.max_run_time:
        # A container ends its job at the limit and says so. This ends one that no
        # longer can.
        return max(SHORTEST_TIMEOUT, math.ceil(limit) + MARGIN)
    return None
