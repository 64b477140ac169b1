"""The revisions of an environment's job definitions, which deployments leave active."""

from __future__ import annotations

from typing import Any

from batchexec.deploying.account import Account

#: The definitions of an environment, after its name.
ENDINGS = ("", "-machines")


def active(account: Account, name: str) -> list[str]:
    """The ARNs of those that the environment's deployments have made, the oldest first.

    One of that name that logs elsewhere is somebody else's.
    """
    pages = account.client("batch").get_paginator("describe_job_definitions")
    return [
        str(one["jobDefinitionArn"])
        for ending in ENDINGS
        for page in pages.paginate(jobDefinitionName=f"{name}{ending}", status="ACTIVE")
        for one in sorted(page["jobDefinitions"], key=lambda one: int(one["revision"]))
        if _log_group(one) == f"/delayed-jobs/{name}/jobs"
    ]


def deregister(account: Account, arns: list[str]) -> None:
    """Jobs that are submitted already end as they began."""
    batch = account.client("batch")
    for arn in arns:
        batch.deregister_job_definition(jobDefinition=arn)


def _log_group(definition: dict[str, Any]) -> str:
    container = definition.get("containerProperties") or {}
    options = (container.get("logConfiguration") or {}).get("options") or {}
    return str(options.get("awslogs-group") or "")
