"""Scheduling policies, which make a queue a fair-share queue."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from batchexec.local.account.pages import check_number, page
from batchexec.local.account.region import Detail, Region
from batchexec.local.errors import refuse
from batchexec.local.rules.names import check_name
from batchexec.local.rules.tags import check_tags

Request = Mapping[str, Any]


def create(region: Region, request: Request) -> dict[str, Any]:
    name = request["name"]
    check_name("name", name)
    arn = region.arn("scheduling-policy", name)
    if arn in region.policies:
        raise refuse("Object already exists")
    region.policies[arn] = {
        "name": name,
        "arn": arn,
        "fairsharePolicy": request.get("fairsharePolicy") or {},
        "tags": check_tags(request.get("tags")),
    }
    return {"name": name, "arn": arn}


def describe(region: Region, request: Request) -> dict[str, Any]:
    check_number("DescribeSchedulingPolicies", request["arns"])
    found = [one for arn, one in region.policies.items() if arn in request["arns"]]
    return {"schedulingPolicies": found}


def list_all(region: Region, request: Request) -> dict[str, Any]:
    return page("schedulingPolicies", [{"arn": arn} for arn in region.policies], request)


def update(region: Region, request: Request) -> dict[str, Any]:
    _existing(region, request["arn"])["fairsharePolicy"] = request.get("fairsharePolicy") or {}
    return {}


def delete(region: Region, request: Request) -> dict[str, Any]:
    arn = _existing(region, request["arn"])["arn"]
    if any(queue.get("schedulingPolicyArn") == arn for queue in region.queues.values()):
        raise refuse("Cannot delete, found existing JobQueue relationship")
    del region.policies[arn]
    return {}


def _existing(region: Region, arn: str) -> Detail:
    if arn not in region.policies:
        raise refuse(f"Scheduling policy {arn} does not exist.")
    return region.policies[arn]
