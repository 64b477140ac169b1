"""Makes a job of SubmitJob's request, if AWS would take it.

The rules are in `batchexec.local.rules`; the limits here are SubmitJob's own, from the
API reference and the service quotas of AWS Batch.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchexec.local.account.definitions import on_fargate
from batchexec.local.account.region import Detail, Region
from batchexec.local.errors import refuse
from batchexec.local.job import Job
from batchexec.local.rules import containers, tags
from batchexec.local.rules.names import check_name
from batchexec.local.rules.placing import check_platform, queue_for
from batchexec.local.rules.retries import (
    check_retry_strategy,
    check_scheduling_priority,
    check_timeout,
)
from batchexec.local.rules.sizes import check_sizes, sizes
from batchexec.local.rules.tasks import Task, task_for

MAX_PAYLOAD = 30 * 1024
MOST_DEPENDENCIES = 20
ARRAY_SIZES = range(2, 10_001)

Request = Mapping[str, Any]


def make_job(region: Region, request: Request, size: int, *, allow_short_timeouts: bool) -> Job:
    """The job that a request submits. Raises ApiError if AWS would refuse it.

    `size` is the request's size in bytes.
    """
    if size > MAX_PAYLOAD:
        raise refuse(f"The request has {size} bytes; at most {MAX_PAYLOAD} are allowed.")
    check_name("Job name", request["jobName"])
    _check_array(request)
    queue = queue_for(region, request)
    definition = region.definition(request["jobDefinition"])
    if definition is None:
        raise refuse(f"Job definition {request['jobDefinition']} does not exist, or is not active.")
    task = task_for(definition, request)
    check_platform(queue, definition)
    _check_sizes(task, definition)
    retry = request.get("retryStrategy") or definition.get("retryStrategy") or {}
    timeout = request.get("timeout") or definition.get("timeout")
    return Job(
        name=request["jobName"],
        region=region.name,
        account=region.account,
        queue=queue["jobQueueName"],
        queue_arn=queue["jobQueueArn"],
        compute_environment=_environment(region, queue),
        definition=definition["jobDefinitionName"],
        definition_arn=definition["jobDefinitionArn"],
        container=task.container,
        ecs=task.ecs,
        pod=task.pod,
        platform=definition.get("platformCapabilities"),
        parameters={**definition.get("parameters", {}), **(request.get("parameters") or {})},
        tags=tags.check_tags(request.get("tags")),
        depends_on=_dependencies(request),
        timeout=check_timeout(timeout, allow_short_timeouts) if timeout else None,
        max_attempts=check_retry_strategy(retry),
        evaluate_on_exit=list(retry.get("evaluateOnExit") or []),
        share_identifier=request.get("shareIdentifier"),
        scheduling_priority=check_scheduling_priority(
            request.get("schedulingPriorityOverride", definition.get("schedulingPriority"))
        ),
        propagate_tags=_propagates(request, definition),
        doom=_doom(task, request, definition),
    )


def _environment(region: Region, queue: Detail) -> str:
    valid = [one for one in region.environments_of(queue) if one["status"] == "VALID"]
    return str(valid[0]["computeEnvironmentName"])


def _check_array(request: Request) -> None:
    if array := request.get("arrayProperties"):
        if array.get("size") not in ARRAY_SIZES:
            raise refuse(f"Array size must be 2 to 10000, not {array.get('size')}.")
        raise refuse("arrayProperties: localbatch runs no array jobs.")


def _check_sizes(task: Task, definition: Detail) -> None:
    fargate = on_fargate(definition)
    for key in ("vcpus", "memory"):
        if fargate and key in task.overrides:
            raise refuse(f"containerOverrides.{key} is not supported on Fargate resources.")
    if task.pod is not None:
        return
    if task.ecs is None or containers.requirements(task.container):
        merged = sizes(task.container, containers.requirements(task.container))
        check_sizes(merged, fargate=fargate)


def _dependencies(request: Request) -> list[dict[str, str]]:
    dependencies = list(request.get("dependsOn") or [])
    if len(dependencies) > MOST_DEPENDENCIES:
        raise refuse(f"A job takes at most {MOST_DEPENDENCIES} dependencies.")
    if not all(dependency.get("jobId") for dependency in dependencies):
        raise refuse("dependsOn: localbatch knows dependencies on a jobId only.")
    return dependencies


def _propagates(request: Request, definition: Detail) -> bool:
    return bool(request.get("propagateTags", definition.get("propagateTags", False)))


def _doom(task: Task, request: Request, definition: Detail) -> str | None:
    """Why the job will be FAILED before it starts, though it is accepted, or None."""
    if containers.too_long(task.overrides):
        return containers.TOO_LONG
    too_many = tags.too_many_propagated(request.get("tags") or {}, definition)
    return tags.TOO_MANY if too_many and _propagates(request, definition) else None
