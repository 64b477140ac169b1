"""Job definitions and their revisions.

Source: RegisterJobDefinition, EcsProperties and TaskContainerProperties in the API
reference.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from batchexec.local.account.pages import check_number, page
from batchexec.local.account.region import Detail, Region
from batchexec.local.errors import refuse
from batchexec.local.rules import containers, pods
from batchexec.local.rules.names import check_name
from batchexec.local.rules.retries import (
    check_retry_strategy,
    check_scheduling_priority,
    check_timeout,
)
from batchexec.local.rules.sizes import check_sizes, sizes
from batchexec.local.rules.tags import check_tags

Request = Mapping[str, Any]

#: Of a definition, in bytes. Source: service quotas of AWS Batch.
LARGEST = 24 * 1024
KINDS = ("containerProperties", "ecsProperties", "eksProperties", "nodeProperties")
KEPT = ("parameters", "retryStrategy", "timeout", "schedulingPriority", "propagateTags", *KINDS)
STOP_TIMEOUT = range(2, 121)


def on_fargate(definition: Detail) -> bool:
    return definition.get("platformCapabilities") == ["FARGATE"]


def register(region: Region, request: Request, *, allow_short_timeouts: bool) -> dict[str, Any]:
    name = request["jobDefinitionName"]
    check_name("jobDefinitionName", name)
    size = len(json.dumps(request, separators=(",", ":")))
    if size > LARGEST:
        raise refuse(f"The job definition has {size} bytes; at most {LARGEST} are allowed.")
    if timeout := request.get("timeout"):
        check_timeout(timeout, allow_short_timeouts)
    check_retry_strategy(request.get("retryStrategy") or {})
    check_scheduling_priority(request.get("schedulingPriority"))
    platform = _platform(request)
    kind = _kind(request)
    revision = 1 + max((one["revision"] for one in _named(region, name)), default=0)
    arn = region.arn("job-definition", f"{name}:{revision}")
    definition: Detail = {
        "jobDefinitionName": name,
        "jobDefinitionArn": arn,
        "revision": revision,
        "status": "ACTIVE",
        "type": request["type"],
        "tags": check_tags(request.get("tags")),
        "containerOrchestrationType": "EKS" if kind == "eksProperties" else "ECS",
        **{key: request[key] for key in KEPT if request.get(key) is not None},
    }
    if kind in ("containerProperties", "ecsProperties"):
        definition["platformCapabilities"] = platform
    fargate = on_fargate(definition)
    if kind == "containerProperties":
        definition[kind] = _container(request[kind], fargate=fargate)
    elif kind == "ecsProperties":
        definition[kind] = _tasks(request[kind], fargate=fargate)
    elif kind == "eksProperties":
        definition[kind] = pods.named(request[kind])
    region.definitions[arn] = definition
    return {"jobDefinitionName": name, "jobDefinitionArn": arn, "revision": revision}


def describe(region: Region, request: Request) -> dict[str, Any]:
    names = request.get("jobDefinitions") or []
    check_number("DescribeJobDefinitions", names)
    found = list(region.definitions.values())
    if names:
        arns = {region.arn("job-definition", name) for name in names}
        found = [one for one in found if one["jobDefinitionArn"] in arns]
    if name := request.get("jobDefinitionName"):
        found = [one for one in found if one["jobDefinitionName"] == name]
    if status := request.get("status"):
        found = [one for one in found if one["status"] == status]
    return page("jobDefinitions", found, request)


def deregister(region: Region, request: Request) -> dict[str, Any]:
    given = request["jobDefinition"]
    arn = region.arn("job-definition", given)
    if arn not in region.definitions:
        raise refuse(f"Job definition {given} does not exist; name its revision.")
    region.definitions[arn]["status"] = "INACTIVE"
    return {}


def _named(region: Region, name: str) -> list[Detail]:
    return [one for one in region.definitions.values() if one["jobDefinitionName"] == name]


def _platform(request: Request) -> list[str]:
    platform = list(request.get("platformCapabilities") or ["EC2"])
    if len(platform) > 1:
        raise refuse("platformCapabilities takes one platform.")
    return platform


def _kind(request: Request) -> str:
    given = [key for key in KINDS if request.get(key) is not None]
    wanted = ["nodeProperties"] if request["type"] == "multinode" else list(KINDS[:3])
    if len(given) != 1 or given[0] not in wanted:
        raise refuse(f"A definition of type {request['type']} has one of {', '.join(wanted)}.")
    return given[0]


def _container(properties: Mapping[str, Any], *, fargate: bool) -> Detail:
    if not properties.get("image"):
        raise refuse("containerProperties.image must not be empty.")
    container = containers.with_defaults(properties)
    containers.check_environment(container["environment"])
    if fargate:
        for key in ("vcpus", "memory"):
            if key in properties:
                raise refuse(f"containerProperties.{key} is not supported on Fargate resources.")
        if not properties.get("executionRoleArn"):
            raise refuse("executionRoleArn is required for jobs that run on Fargate resources.")
        if properties.get("privileged"):
            raise refuse("privileged isn't applicable to jobs that run on Fargate resources.")
        container.setdefault("fargatePlatformConfiguration", {"platformVersion": "LATEST"})
    check_sizes(sizes(container, containers.requirements(container)), fargate=fargate)
    return container


def _tasks(properties: Mapping[str, Any], *, fargate: bool) -> Detail:
    tasks = properties["taskProperties"]
    if len(tasks) != 1 or not 1 <= len(tasks[0]["containers"]) <= 10:
        raise refuse("ecsProperties takes one task of 1 to 10 containers.")
    task = tasks[0]
    if fargate and not task.get("executionRoleArn"):
        raise refuse("executionRoleArn is required for jobs that run on Fargate resources.")
    found = []
    for number, one in enumerate(task["containers"]):
        stop = one.get("stopTimeout", 30)
        if stop not in STOP_TIMEOUT:
            raise refuse(f"stopTimeout must be 2 to 120 seconds, not {stop}.")
        container: Detail = {"name": f"container-{number}"} | containers.with_defaults(one)
        containers.check_environment(container["environment"])
        found.append(container)
    if not any(one.get("essential", True) for one in found):
        raise refuse("At least one container must be essential.")
    return {"taskProperties": [{**task, "containers": found}]}
