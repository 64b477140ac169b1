"""Queues and job definitions of a local AWS Batch, made as anybody would make them, and
jobs that ask for them.
"""

from __future__ import annotations

import heapq
from typing import Any

from tests.processes import wait_for
from tests.samples import Append

ROLE = "arn:aws:iam::123456789012:role/execution"


def sized(vcpu: str, memory: str) -> list[dict[str, str]]:
    return [{"type": "VCPU", "value": vcpu}, {"type": "MEMORY", "value": memory}]


def add_definition(
    client: Any, name: str, vcpu: str = "0.25", memory: str = "512", **options: Any
) -> str:
    """Registers a revision, for Fargate unless `options` say otherwise."""
    container = {
        "image": "x",
        "command": ["true"],
        "resourceRequirements": sized(vcpu, memory),
        "executionRoleArn": ROLE,
    }
    request: dict[str, Any] = {
        "type": "container",
        "platformCapabilities": ["FARGATE"],
        "containerProperties": container,
        **options,
    }
    kept = {key: value for key, value in request.items() if value is not None}
    reply = client.register_job_definition(jobDefinitionName=name, **kept)
    return f"{name}:{reply['revision']}"


CLUSTER = {
    "eksClusterArn": "arn:aws:eks:us-east-1:123456789012:cluster/c",
    "kubernetesNamespace": "jobs",
}


def add_queue(
    client: Any, name: str, *, on_ec2: bool = False, on_eks: bool = False, fair: bool = False
) -> None:
    """A queue on the compute environment that is there, or on one of its own."""
    environment = "localbatch"
    if on_ec2 or on_eks:
        environment = f"{name}-machines"
        cluster = {"eksConfiguration": CLUSTER} if on_eks else {}
        client.create_compute_environment(
            computeEnvironmentName=environment, type="UNMANAGED", **cluster
        )
    options: dict[str, Any] = {}
    if fair:
        options["schedulingPolicyArn"] = client.create_scheduling_policy(name=f"{name}-policy")[
            "arn"
        ]
    client.create_job_queue(
        jobQueueName=name,
        priority=1,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": environment}],
        **options,
    )


def asking(path: Any, text: str = "performed", **batch: Any) -> Append:
    """A job that asks AWS Batch for that."""
    payload = Append(str(path), text)
    if batch:
        payload.batch = batch
    return payload


def details(client: Any, batch: Any) -> list[dict[str, Any]]:
    """The JobDetails of what was accepted, the oldest submission first."""
    ids = [one["jobId"] for one in batch.calls()["submissions"] if one["accepted"]]
    found = {one["jobId"]: one for one in client.describe_jobs(jobs=ids)["jobs"]} if ids else {}
    return [found[batch_job_id] for batch_job_id in ids]


def status_of(client: Any, batch_job_id: str) -> str:
    return str(client.describe_jobs(jobs=[batch_job_id])["jobs"][0]["status"])


def sizes_of(detail: dict[str, Any]) -> dict[str, str]:
    return {need["type"]: need["value"] for need in detail["container"]["resourceRequirements"]}


#: Seconds, longer than any test: a lag of AWS Batch that the test itself ends.
NEVER = 3600.0


def notice_now(batch: Any) -> None:
    """AWS Batch notices that all containers have ended, however late it was to do so.

    They have to end by themselves.
    """
    machine = batch._scheduler._machine
    wait_for(
        lambda: not any(thread.is_alive() for thread in machine._threads),
        what="all containers ended",
    )
    batch.set_lag(0)
    timers = batch._timers
    with timers._changed:
        timers._due = [(0.0, order, timer) for _, order, timer in timers._due]
        heapq.heapify(timers._due)
        timers._changed.notify()
