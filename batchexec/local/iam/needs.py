"""Which actions on which resources a call needs.

Source: "Actions, resources, and condition keys for AWS Batch" in the Service
Authorization Reference. That of SubmitJob on a definition named without its revision is
checked as `job-definition/<name>`, which isn't documented.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

Request = Mapping[str, Any]

#: The resource that an operation acts on: its kind, and the member that names it.
TARGETS = {
    "CreateComputeEnvironment": ("compute-environment", "computeEnvironmentName"),
    "UpdateComputeEnvironment": ("compute-environment", "computeEnvironment"),
    "DeleteComputeEnvironment": ("compute-environment", "computeEnvironment"),
    "CreateJobQueue": ("job-queue", "jobQueueName"),
    "UpdateJobQueue": ("job-queue", "jobQueue"),
    "DeleteJobQueue": ("job-queue", "jobQueue"),
    "GetJobQueueSnapshot": ("job-queue", "jobQueue"),
    "RegisterJobDefinition": ("job-definition", "jobDefinitionName"),
    "DeregisterJobDefinition": ("job-definition", "jobDefinition"),
    "CreateSchedulingPolicy": ("scheduling-policy", "name"),
    "UpdateSchedulingPolicy": ("scheduling-policy", "arn"),
    "DeleteSchedulingPolicy": ("scheduling-policy", "arn"),
    "CancelJob": ("job", "jobId"),
    "TerminateJob": ("job", "jobId"),
    "TagResource": ("", "resourceArn"),
    "UntagResource": ("", "resourceArn"),
    "ListTagsForResource": ("", "resourceArn"),
}
#: Calls with many jobs need the action of the call with one.
BULK = {"CancelJobs": "CancelJob", "TerminateJobs": "TerminateJob"}


@dataclass(frozen=True)
class Need:
    """An action on a resource, which is `*` where AWS knows no resource of the call."""

    action: str
    resource: str


def needs(operation: str, request: Request, prefix: str) -> Iterator[Need]:
    """What a call needs, in the order in which it is checked.

    `prefix` is what the ARNs of the account and region begin with.
    """
    if operation == "SubmitJob":
        resources = [
            _arn(prefix, "job-queue", request.get("jobQueue")),
            _arn(prefix, "job-definition", request.get("jobDefinition")),
            # The job has no id yet.
            _arn(prefix, "job", "*"),
        ]
        made = resources[-1]
    elif operation in BULK:
        operation, jobs = BULK[operation], request.get("jobs") or []
        resources = [_arn(prefix, "job", job) for job in jobs]
        made = ""
    elif operation in TARGETS:
        kind, member = TARGETS[operation]
        made = _arn(prefix, kind, request.get(member))
        resources = [made, *_others(operation, request, prefix)]
    else:
        resources, made = ["*"], ""
    for resource in resources:
        yield Need(f"batch:{operation}", resource)
    if request.get("tags") and operation != "TagResource":
        yield Need("batch:TagResource", made)


def _others(operation: str, request: Request, prefix: str) -> Iterator[str]:
    if operation in ("CreateJobQueue", "UpdateJobQueue"):
        for one in request.get("computeEnvironmentOrder") or []:
            yield _arn(prefix, "compute-environment", one.get("computeEnvironment"))
        if policy := request.get("schedulingPolicyArn"):
            yield str(policy)


def _arn(prefix: str, kind: str, name: Any) -> str:
    return str(name) if str(name).startswith("arn:") else f"{prefix}:{kind}/{name}"
