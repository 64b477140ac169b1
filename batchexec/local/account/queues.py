"""Job queues.

Source: CreateJobQueue and JobQueueDetail in the API reference.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchexec.local.account.environments import on_fargate
from batchexec.local.account.pages import check_number, page
from batchexec.local.account.region import Detail, Region
from batchexec.local.errors import refuse
from batchexec.local.rules.names import check_name
from batchexec.local.rules.tags import check_tags

Request = Mapping[str, Any]
MOST_ENVIRONMENTS = 3
#: Seconds of a JobStateTimeLimitAction.
LIMITS = (600, 86_400)


def create(region: Region, request: Request, *, allow_short_timeouts: bool) -> dict[str, Any]:
    name = request["jobQueueName"]
    check_name("jobQueueName", name)
    arn = region.arn("job-queue", name)
    if arn in region.queues:
        raise refuse("Object already exists")
    order, kind = _order(region, request.get("computeEnvironmentOrder"))
    if request.get("jobQueueType", kind) != kind:
        raise refuse(
            f"jobQueueType {request['jobQueueType']}: its compute environments are {kind}."
        )
    queue: Detail = {
        "jobQueueName": name,
        "jobQueueArn": arn,
        "state": request.get("state", "ENABLED"),
        "priority": _priority(request["priority"]),
        "computeEnvironmentOrder": order,
        "jobQueueType": kind,
        "tags": check_tags(request.get("tags")),
        "jobStateTimeLimitActions": _limits(request, allow_short_timeouts),
    }
    if policy := request.get("schedulingPolicyArn"):
        queue["schedulingPolicyArn"] = _policy(region, policy)
    region.queues[arn] = queue
    return {"jobQueueName": name, "jobQueueArn": arn}


def describe(region: Region, request: Request) -> dict[str, Any]:
    names = request.get("jobQueues") or []
    check_number("DescribeJobQueues", names)
    wanted = {region.arn("job-queue", name) for name in names}
    found = [
        {**queue, **status(region, queue)}
        for arn, queue in region.queues.items()
        if not names or arn in wanted
    ]
    return page("jobQueues", found, request)


def update(region: Region, request: Request, *, allow_short_timeouts: bool) -> dict[str, Any]:
    queue = existing(region, request["jobQueue"])
    changed: Detail = {}
    if "computeEnvironmentOrder" in request:
        changed["computeEnvironmentOrder"], kind = _order(
            region, request["computeEnvironmentOrder"]
        )
        if kind != queue["jobQueueType"]:
            raise refuse(f"The job queue is {queue['jobQueueType']}, its environments {kind}.")
    if "schedulingPolicyArn" in request:
        if "schedulingPolicyArn" not in queue:
            raise refuse("A job queue without a scheduling policy can't get one.")
        changed["schedulingPolicyArn"] = _policy(region, request["schedulingPolicyArn"])
    if "priority" in request:
        changed["priority"] = _priority(request["priority"])
    if "jobStateTimeLimitActions" in request:
        changed["jobStateTimeLimitActions"] = _limits(request, allow_short_timeouts)
    if "state" in request:
        changed["state"] = request["state"]
    queue.update(changed)
    return {key: queue[key] for key in ("jobQueueName", "jobQueueArn")}


def delete(region: Region, request: Request) -> dict[str, Any]:
    queue = existing(region, request["jobQueue"])
    if queue["state"] != "DISABLED":
        raise refuse("Cannot delete, resource must be disabled first")
    del region.queues[queue["jobQueueArn"]]
    return {}


def existing(region: Region, name: str) -> Detail:
    if queue := region.queue(name):
        return queue
    raise refuse(f"JobQueue {name} not found.")


def status(region: Region, queue: Detail) -> dict[str, str]:
    """VALID if one of its environments is."""
    environments = region.environments_of(queue)
    if any(environment["status"] == "VALID" for environment in environments):
        return {"status": "VALID", "statusReason": "JobQueue Healthy"}
    return {"status": "INVALID", "statusReason": "None of its compute environments is VALID"}


def _order(region: Region, order: Any) -> tuple[list[Detail], str]:
    """The order of the environments, and the queue's type that follows from them."""
    if not order or len(order) > MOST_ENVIRONMENTS:
        raise refuse(f"computeEnvironmentOrder must have 1 to {MOST_ENVIRONMENTS} entries.")
    kinds = set()
    for one in order:
        environment = region.environment(one["computeEnvironment"])
        if environment is None:
            raise refuse(f"Compute environment {one['computeEnvironment']} does not exist.")
        if environment["status"] != "VALID":
            arn = environment["computeEnvironmentArn"]
            raise refuse(f"{arn} is not VALID: {environment['statusReason']}")
        kinds.add(type_for(environment))
    if len(kinds) > 1:
        raise refuse("Fargate, EC2 and EKS compute environments can't be mixed in a job queue.")
    arns = [region.arn("compute-environment", one["computeEnvironment"]) for one in order]
    found = [
        {"order": one["order"], "computeEnvironment": arn}
        for one, arn in zip(order, arns, strict=True)
    ]
    return found, kinds.pop()


def type_for(environment: Detail) -> str:
    """The type of a queue with this compute environment."""
    if environment["containerOrchestrationType"] == "EKS":
        return "EKS"
    if environment.get("computeResources", {}).get("type") == "ECS_MANAGED_INSTANCES":
        return "ECS_MANAGED_INSTANCES"
    return "ECS_FARGATE" if on_fargate(environment) else "ECS"


def _limits(request: Request, allow_short: bool) -> list[Detail]:
    actions: list[Detail] = request.get("jobStateTimeLimitActions", [])
    for action in actions:
        seconds = action["maxTimeSeconds"]
        if not (1 if allow_short else LIMITS[0]) <= seconds <= LIMITS[1]:
            raise refuse(f"maxTimeSeconds must be {LIMITS[0]} to {LIMITS[1]}, not {seconds}.")
    return actions


def _priority(priority: int) -> int:
    if priority < 0:
        raise refuse(f"priority must be 0 or more, not {priority}.")
    return priority


def _policy(region: Region, arn: str) -> str:
    if arn not in region.policies:
        raise refuse(f"Scheduling policy {arn} does not exist.")
    return arn
