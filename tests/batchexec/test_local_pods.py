"""Jobs of `eksProperties` definitions."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Made, refused

CLUSTER = {
    "eksClusterArn": "arn:aws:eks:us-east-1:123456789012:cluster/c",
    "kubernetesNamespace": "jobs",
}


@pytest.fixture
def made() -> Iterator[Made]:
    """With the queue `eks`."""
    with LocalBatch(start_delay=0) as server:
        made = Made(server.url)
        resources = {
            "type": "EC2",
            "maxvCpus": 4,
            "subnets": [made.subnet],
            "instanceTypes": ["optimal"],
            "instanceRole": "eksInstanceRole",
        }
        made.client.create_compute_environment(
            computeEnvironmentName="eks",
            type="MANAGED",
            eksConfiguration=CLUSTER,
            computeResources=resources,
        )
        made.queue("eks", "eks")
        yield made


def register(made: Made, *containers: dict[str, Any]) -> None:
    made.client.register_job_definition(
        jobDefinitionName="pod",
        type="container",
        eksProperties={"podProperties": {"containers": list(containers)}},
    )


def submit(made: Made, *containers: dict[str, Any], **options: Any) -> str:
    reply = made.client.submit_job(
        jobName="a-job",
        jobQueue="eks",
        jobDefinition="pod",
        eksPropertiesOverride={"podProperties": {"containers": list(containers)}},
        **options,
    )
    return str(reply["jobId"])


def test_a_pod_runs_with_its_overrides(made: Made) -> None:
    assert made.shown_queue("eks")["jobQueueType"] == "EKS"
    memory = {"limits": {"memory": "512Mi", "cpu": "0.25"}}
    register(made, {"image": "x", "env": [{"name": "A", "value": "2"}], "resources": memory})
    args = ["sh", "-c", "exit $(($A + $B))"]
    env = [{"name": "B", "value": "3"}, {"name": "C", "value": ""}]
    override = {"name": "Default", "args": args, "env": env, "resources": {"limits": {"cpu": "1"}}}
    detail = made.finished(submit(made, override))
    assert (detail["status"], detail["attempts"], "container" in detail) == ("FAILED", [], False)
    pod = detail["eksProperties"]["podProperties"]
    assert pod["podName"]
    (container,) = pod["containers"]
    assert (container["name"], container["exitCode"]) == ("Default", 5)
    assert container["env"] == [{"name": "A", "value": "2"}, {"name": "B", "value": "3"}]
    assert container["resources"] == {"limits": {"memory": "512Mi", "cpu": "1"}}
    (attempt,) = detail["eksAttempts"]
    assert attempt["containers"] == [{"name": "Default", "exitCode": 5}]
    assert attempt["startedAt"] <= attempt["stoppedAt"]


def test_a_command_is_the_entry_point_and_comes_before_the_args(made: Made) -> None:
    register(made, {"name": "main", "image": "x", "command": ["false"], "args": ["x"]})
    assert made.finished(submit(made))["status"] == "FAILED"
    job = submit(made, {"name": "main", "command": ["sh", "-c"], "args": ["exit 0"]})
    assert made.finished(job)["status"] == "SUCCEEDED"


def test_kubernetes_takes_no_container_overrides(made: Made) -> None:
    register(made, {"image": "x"})
    text = refused(made.submit, "true", queue="eks", definition="pod")
    wanted = "Container overrides or node overrides should not be set for Batch on EKS jobs."
    assert wanted in text


def test_a_queue_is_for_kubernetes_or_not(made: Made) -> None:
    made.environment("fargate")
    made.queue("fargate", "fargate")
    register(made, {"image": "x"})
    made.register("job")
    text = refused(made.submit, "true", queue="eks", definition="job")
    assert "Job queue eks of type EKS doesn't take this job." in text
    text = refused(made.client.submit_job, jobName="a", jobQueue="fargate", jobDefinition="pod")
    assert "Job queue fargate of type ECS_FARGATE doesn't take this job." in text
    assert "can't be mixed" in refused(made.queue, "both", "eks", "fargate")


@pytest.mark.parametrize(
    ("override", "message"),
    [
        ({"name": "other"}, "the pod has no container 'other'"),
        ({"env": [{"name": "AWS_BATCH_X", "value": "1"}]}, "are reserved"),
        ({"resources": {"limits": {"memory": "512"}}}, "memory must be at least 4Mi"),
        ({"resources": {"limits": {"memory": "3Mi"}}}, "memory must be at least 4Mi"),
        ({"resources": {"limits": {"cpu": "0.3"}}}, "cpu must be a multiple of 0.25, not 0.3"),
        ({"resources": {"requests": {"cpu": "0"}}}, "cpu must be a multiple of 0.25, not 0"),
        ({"resources": {"limits": {"nvidia.com/gpu": "0.5"}}}, "must be a multiple of 1"),
        ({"resources": {"limits": {"disk": "1"}}}, "neither cpu, memory nor nvidia.com/gpu"),
        (
            {"resources": {"limits": {"memory": "8Mi"}, "requests": {"memory": "9Mi"}}},
            "memory in limits must be equal",
        ),
    ],
)
def test_overrides_that_are_refused(made: Made, override: dict[str, Any], message: str) -> None:
    register(made, {"image": "x"})
    assert message in refused(submit, made, override)


def test_pods_that_are_refused(made: Made) -> None:
    assert "must have containers" in refused(register, made)
    memory = {"resources": {"requests": {"memory": "1Gi"}}}
    assert "memory must be at least 4Mi" in refused(register, made, {"image": "x", **memory})
    register(made, {"name": "a", "image": "x"}, {"name": "b", "image": "x"})
    assert "localbatch runs one container of a pod" in refused(submit, made)
