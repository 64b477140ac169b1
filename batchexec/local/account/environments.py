"""Compute environments.

Source: CreateComputeEnvironment and ComputeResource in the API reference.
"""

from __future__ import annotations

import uuid
from collections.abc import Mapping
from typing import Any

from batchexec.local.account.pages import check_number, page
from batchexec.local.account.region import Detail, Region
from batchexec.local.errors import refuse
from batchexec.local.rules.names import check_name
from batchexec.local.rules.tags import check_tags

Request = Mapping[str, Any]

FARGATE = ("FARGATE", "FARGATE_SPOT")
#: "Don't specify it" for jobs on Fargate.
NOT_ON_FARGATE = (
    "minvCpus",
    "desiredvCpus",
    "instanceTypes",
    "imageId",
    "ec2KeyPair",
    "instanceRole",
    "tags",
    "placementGroup",
    "bidPercentage",
    "spotIamFleetRole",
    "launchTemplate",
    "ec2Configuration",
    "allocationStrategy",
)


def on_fargate(environment: Detail) -> bool:
    return environment.get("computeResources", {}).get("type") in FARGATE


def create(region: Region, request: Request) -> dict[str, Any]:
    name = request["computeEnvironmentName"]
    check_name("computeEnvironmentName", name)
    arn = region.arn("compute-environment", name)
    if arn in region.environments:
        raise refuse("Object already exists")
    managed = request["type"] == "MANAGED"
    if managed:
        _check_resources(request.get("computeResources"))
    kubernetes = "eksConfiguration" in request
    region.environments[arn] = {
        "computeEnvironmentName": name,
        "computeEnvironmentArn": arn,
        "ecsClusterArn": f"arn:aws:ecs:{region.name}:{region.account}:cluster/{name}_Batch",
        "tags": check_tags(request.get("tags")),
        "type": request["type"],
        "state": request.get("state", "ENABLED"),
        "serviceRole": request.get("serviceRole")
        or f"arn:aws:iam::{region.account}:role/aws-service-role/batch.amazonaws.com/"
        "AWSServiceRoleForBatch",
        "containerOrchestrationType": "EKS" if kubernetes else "ECS",
        "uuid": str(uuid.uuid4()),
        **{key: request[key] for key in ("computeResources", "eksConfiguration") if key in request},
    }
    _validate(region, region.environments[arn])
    return {"computeEnvironmentName": name, "computeEnvironmentArn": arn}


def describe(region: Region, request: Request) -> dict[str, Any]:
    names = request.get("computeEnvironments") or []
    check_number("DescribeComputeEnvironments", names)
    wanted = {region.arn("compute-environment", name) for name in names}
    found = [one for arn, one in region.environments.items() if not names or arn in wanted]
    return page("computeEnvironments", found, request)


def update(region: Region, request: Request) -> dict[str, Any]:
    environment = _existing(region, request)
    if "state" in request:
        environment["state"] = request["state"]
    if changed := request.get("computeResources"):
        resources = {**environment.get("computeResources", {}), **changed}
        _check_resources(resources)
        environment["computeResources"] = resources
    _validate(region, environment)
    keys = ("computeEnvironmentName", "computeEnvironmentArn")
    return {key: environment[key] for key in keys}


def delete(region: Region, request: Request) -> dict[str, Any]:
    environment = _existing(region, request)
    arn = environment["computeEnvironmentArn"]
    if environment["state"] != "DISABLED":
        raise refuse("Cannot delete, resource must be disabled first")
    if any(environment in region.environments_of(queue) for queue in region.queues.values()):
        raise refuse("Cannot delete, found existing JobQueue relationship")
    del region.environments[arn]
    return {}


def _existing(region: Region, request: Request) -> Detail:
    name = request["computeEnvironment"]
    if environment := region.environment(name):
        return environment
    raise refuse(f"Compute environment {name} does not exist.")


def _check_resources(resources: Mapping[str, Any] | None) -> None:
    if resources is None:
        raise refuse("computeResources must be specified for a MANAGED compute environment.")
    fargate = resources["type"] in FARGATE
    needed = ["subnets"] + (["securityGroupIds"] if fargate else ["instanceTypes", "instanceRole"])
    if resources["type"] == "ECS_MANAGED_INSTANCES":
        needed = ["managedInstancesProvider"]
    for key in needed:
        if not resources.get(key):
            raise refuse(f"computeResources.{key} is required for {resources['type']}.")
    for key in NOT_ON_FARGATE:
        if fargate and key in resources:
            raise refuse(f"computeResources.{key} is not applicable to {resources['type']}.")
    if resources["maxvCpus"] < max(1, resources.get("minvCpus", 0)):
        raise refuse("computeResources.maxvCpus must be at least 1, and at least minvCpus.")


def _validate(region: Region, environment: Detail) -> None:
    """An environment that can't work is made all the same, and is INVALID."""
    subnets = environment.get("computeResources", {}).get("subnets", [])
    missing = [subnet for subnet in subnets if not region.has_subnet(subnet)]
    environment["status"] = "INVALID" if missing else "VALID"
    environment["statusReason"] = (
        f"CLIENT_ERROR - The subnet ID '{missing[0]}' does not exist"
        if missing
        else "ComputeEnvironment Healthy"
    )
