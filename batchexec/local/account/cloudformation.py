"""Follows what moto's CloudFormation makes and deletes, in moto's own tables.

moto drops some properties of a template, such as a definition's timeout and a queue's
scheduling policy.
"""

from __future__ import annotations

from copy import deepcopy
from typing import Any

from batchexec.local.account.queues import type_for
from batchexec.local.account.region import Region


def adopt(region: Region, moto: Any, adopted: set[str]) -> None:
    """Adds what is new in moto's Batch, and removes what a stack has taken away again.

    `adopted` remembers what was added before.
    """
    _forget(region, moto, adopted)
    for shown in moto.describe_compute_environments():
        arn = shown["computeEnvironmentArn"]
        if arn not in adopted:
            region.environments[arn] = {**deepcopy(shown), "containerOrchestrationType": "ECS"}
            adopted.add(arn)
    for shown in moto.describe_job_queues():
        arn = shown["jobQueueArn"]
        if arn not in adopted:
            queue = {key: value for key, value in deepcopy(shown).items() if value is not None}
            region.queues[arn] = queue | {"jobStateTimeLimitActions": []}
            environments = region.environments_of(queue)
            queue = region.queues[arn]
            queue["jobQueueType"] = type_for(environments[0]) if environments else "ECS"
            adopted.add(arn)
    for definition in moto.describe_job_definitions():
        if definition.arn not in adopted:
            shown = deepcopy(definition.describe())
            shown = {key: value for key, value in shown.items() if value is not None}
            shown["containerOrchestrationType"] = "ECS"
            shown["platformCapabilities"] = shown.get("platformCapabilities") or _guess(shown)
            region.definitions[definition.arn] = shown
            adopted.add(definition.arn)


def _forget(region: Region, moto: Any, adopted: set[str]) -> None:
    for known, shown in (
        (region.environments, moto._compute_environments),
        (region.queues, moto._job_queues),
    ):
        for arn in [arn for arn in known if arn in adopted and arn not in shown]:
            del known[arn]
            adopted.remove(arn)
    for definition in moto.describe_job_definitions():
        if definition.status == "INACTIVE" and definition.arn in adopted:
            region.definitions[definition.arn]["status"] = "INACTIVE"


def _guess(definition: dict[str, Any]) -> list[str]:
    """The platform of a template's definition, which moto has dropped."""
    container = definition.get("containerProperties", {})
    fargate = "fargatePlatformConfiguration" in container or "networkConfiguration" in container
    return ["FARGATE" if fargate else "EC2"]
