"""Checks SubmitJob's request as AWS does, and makes a job of it.

The rules and limits are those of SubmitJob in the API reference of AWS Batch.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from copy import deepcopy
from typing import Any

from batchexec.local.cloud import Cloud
from batchexec.local.errors import refuse
from batchexec.local.job import Job

JOB_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,127}")
MAX_PAYLOAD = 30 * 1024
MAX_TAGS = 50
MIN_TIMEOUT = 60
#: What AWS Batch can run and localbatch can't.
NOT_HERE = ("arrayProperties", "nodeOverrides", "eksPropertiesOverride", "ecsPropertiesOverride")
CONTAINER_LISTS = (
    "command",
    "environment",
    "resourceRequirements",
    "mountPoints",
    "secrets",
    "ulimits",
    "volumes",
)

Items = list[dict[str, str]]


def make_job(
    cloud: Cloud, region: str, request: Mapping[str, Any], size: int, *, allow_short_timeouts: bool
) -> Job:
    """The job that a request submits. Raises ApiError if AWS would refuse it.

    `size` is the request's size in bytes.
    """
    if size > MAX_PAYLOAD:
        raise refuse(f"The request has {size} bytes; at most {MAX_PAYLOAD} are allowed.")
    for key in ("jobName", "jobQueue", "jobDefinition"):
        if not isinstance(request.get(key), str) or not request[key]:
            raise refuse(f"{key} must be given.")
    for key in NOT_HERE:
        if request.get(key):
            raise refuse(f"{key}: localbatch runs single-container jobs only.")
    if not JOB_NAME.fullmatch(request["jobName"]):
        raise refuse(
            f"Job name {request['jobName']!r} must have 1 to 128 letters, digits, - and _, "
            "and begin with a letter or digit."
        )
    queue = _queue(cloud, region, request)
    definition = cloud.definition(region, request["jobDefinition"])
    if definition is None:
        raise refuse(f"Job definition {request['jobDefinition']} does not exist, or is not active.")
    if definition.container_properties is None:
        raise refuse(f"Job definition {definition.name} has no containerProperties.")
    retry = request.get("retryStrategy") or definition.retry_strategy or {}
    job = Job(
        name=request["jobName"],
        region=region,
        account=cloud.account,
        queue=queue.name,
        queue_arn=queue.arn,
        compute_environment=queue.environments[0].name,
        definition=definition.name,
        definition_arn=definition.arn,
        container=_container(
            definition.container_properties, request.get("containerOverrides") or {}
        ),
        parameters={**definition.parameters, **(request.get("parameters") or {})},
        tags=dict(request.get("tags") or {}),
        depends_on=_dependencies(request),
        timeout=_timeout(request, definition, allow_short_timeouts),
        max_attempts=_attempts(retry),
        evaluate_on_exit=list(retry.get("evaluateOnExit") or []),
        share_identifier=request.get("shareIdentifier"),
        scheduling_priority=request.get("schedulingPriorityOverride"),
        propagate_tags=bool(request.get("propagateTags", definition.propagate_tags)),
    )
    if len(job.tags) > MAX_TAGS:
        raise refuse(f"A job takes at most {MAX_TAGS} tags, not {len(job.tags)}.")
    return job


def _queue(cloud: Cloud, region: str, request: Mapping[str, Any]) -> Any:
    queue = cloud.queue(region, request["jobQueue"])
    if queue is None:
        raise refuse(f"Job queue {request['jobQueue']} does not exist.")
    if queue.state != "ENABLED":
        raise refuse(f"Job queue {queue.name} is {queue.state} and takes no jobs.")
    if bool(queue.schedule_policy) != bool(request.get("shareIdentifier")):
        wanted = "must" if queue.schedule_policy else "must not"
        raise refuse(
            f"shareIdentifier {wanted} be given for the job queue {queue.name}, "
            "because of its scheduling policy."
        )
    return queue


def _container(properties: Mapping[str, Any], overrides: Mapping[str, Any]) -> dict[str, Any]:
    """The definition's container, overridden by the submission."""
    command = overrides.get("command") or []
    if not all(isinstance(part, str) and part for part in command):
        raise refuse("containerOverrides.command must not contain empty strings.")
    environment = overrides.get("environment") or []
    for variable in environment:
        if str(variable.get("name", "")).startswith("AWS_BATCH"):
            raise refuse(
                f"Environment variable {variable['name']}: "
                "names that start with AWS_BATCH are reserved."
            )
    container = {key: [] for key in CONTAINER_LISTS} | deepcopy(dict(properties))
    if command:
        container["command"] = list(command)
    container["environment"] = _merged(container["environment"], environment, "name")
    container["resourceRequirements"] = _merged(
        container["resourceRequirements"], overrides.get("resourceRequirements") or [], "type"
    )
    return container


def _merged(first: Items, second: Items, key: str) -> Items:
    """Both lists of AWS's named values; a later value replaces an earlier one."""
    merged = {item[key]: item.get("value", "") for item in [*first, *second]}
    return [{key: name, "value": value} for name, value in merged.items()]


def _dependencies(request: Mapping[str, Any]) -> list[dict[str, str]]:
    dependencies = list(request.get("dependsOn") or [])
    if len(dependencies) > 20:
        raise refuse("A job takes at most 20 dependencies.")
    if not all(dependency.get("jobId") for dependency in dependencies):
        raise refuse("dependsOn: localbatch knows dependencies on a jobId only.")
    return dependencies


def _timeout(request: Mapping[str, Any], definition: Any, allow_short: bool) -> float | None:
    timeout = request.get("timeout") or definition.timeout
    return check_timeout(timeout, allow_short) if timeout else None


def check_timeout(timeout: Mapping[str, Any], allow_short: bool) -> float:
    """The time-out in seconds. Raises ApiError under 60, unless short ones may be."""
    seconds = timeout.get("attemptDurationSeconds")
    least = 0 if allow_short else MIN_TIMEOUT
    if not isinstance(seconds, (int, float)) or seconds <= 0 or seconds < least:
        raise refuse(f"attemptDurationSeconds must be at least {MIN_TIMEOUT}, not {seconds}.")
    return seconds


def _attempts(retry: Mapping[str, Any]) -> int:
    attempts = retry.get("attempts", 1)
    if not isinstance(attempts, int) or not 1 <= attempts <= 10:
        raise refuse(f"retryStrategy.attempts must be 1 to 10, not {attempts}.")
    if len(retry.get("evaluateOnExit") or []) > 5:
        raise refuse("retryStrategy.evaluateOnExit takes at most 5 rules.")
    return attempts
