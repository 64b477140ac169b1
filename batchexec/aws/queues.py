"""A job queue, as far as a submission depends on it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from batchexec.sizes import EC2, EKS, FARGATE

#: What a queue's type says of its platform. Source: AWS Batch API, JobQueueDetail.
PLATFORM_OF_TYPE = {
    "ECS_FARGATE": FARGATE,
    "ECS": EC2,
    "ECS_MANAGED_INSTANCES": EC2,
    "EKS": EKS,
}
#: What the type of a compute environment says. Source: AWS Batch API, ComputeResource.
PLATFORM_OF_ENVIRONMENT = {
    "FARGATE": FARGATE,
    "FARGATE_SPOT": FARGATE,
    "EC2": EC2,
    "SPOT": EC2,
    "ECS_MANAGED_INSTANCES": EC2,
}
#: A queue of this type takes no containers.
SERVICE_JOBS = "SAGEMAKER_TRAINING"
#: In these states a queue takes no jobs, and will not soon.
UNUSABLE = ("INVALID", "DELETING", "DELETED")


@dataclass(frozen=True)
class Queue:
    """`platform` is empty, and `fair_share` None, if AWS may not be asked."""

    name: str
    platform: str = ""
    fair_share: bool | None = None
    #: Why it takes no jobs, in a sentence; empty if it does.
    problem: str = ""


def queue_of(
    name: str, detail: Mapping[str, Any] | None, environments: Sequence[Mapping[str, Any]] = ()
) -> Queue:
    """The queue that a JobQueueDetail and its ComputeEnvironmentDetails describe."""
    if detail is None:
        return Queue(
            name, problem=f"AWS Batch has no job queue {name!r}: create it, or name another."
        )
    return Queue(
        name,
        platform_of(detail, environments),
        bool(detail.get("schedulingPolicyArn")),
        _problem(name, detail),
    )


def platform_of(detail: Mapping[str, Any], environments: Sequence[Mapping[str, Any]]) -> str:
    """Where its containers run; empty if that isn't known."""
    if platform := PLATFORM_OF_TYPE.get(detail.get("jobQueueType", "")):
        return platform
    found = {_platform_of_environment(environment) for environment in environments}
    return found.pop() if len(found) == 1 else ""


def _platform_of_environment(environment: Mapping[str, Any]) -> str:
    if environment.get("containerOrchestrationType") == "EKS" or environment.get(
        "eksConfiguration"
    ):
        return EKS
    resources = environment.get("computeResources") or {}
    return PLATFORM_OF_ENVIRONMENT.get(resources.get("type", ""), "")


def _problem(name: str, detail: Mapping[str, Any]) -> str:
    if detail.get("jobQueueType") == SERVICE_JOBS:
        return (
            f"The job queue {name!r} takes SageMaker's training jobs, and no containers: "
            "name another."
        )
    if detail.get("state") == "DISABLED":
        return f"The job queue {name!r} is disabled: enable it, or name another."
    status = detail.get("status", "")
    if status in UNUSABLE:
        reason = str(detail.get("statusReason") or "no reason given").rstrip(".")
        return f"The job queue {name!r} is {status} ({reason}): mend it, or name another."
    return ""
