"""Compute environments and queues that calls make, and an account that begins empty."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Batch, Made, boto, refused

ROLE = "arn:aws:iam::123456789012:role/execution"
EC2 = {"instanceTypes": ["optimal"], "instanceRole": "ecsInstanceRole"}


@pytest.fixture
def made() -> Iterator[Made]:
    with LocalBatch(start_delay=0) as server:
        yield Made(server.url)


def test_an_account_is_empty_unless_it_is_asked_for(made: Made) -> None:
    client = made.client
    assert client.describe_compute_environments()["computeEnvironments"] == []
    assert client.describe_job_queues()["jobQueues"] == []
    assert client.describe_job_definitions()["jobDefinitions"] == []
    assert "JobQueue delayed-jobs not found." in refused(made.submit, "true")


def test_a_job_runs_in_what_calls_have_made(made: Made) -> None:
    made.environment("fargate")
    made.queue("mine", "fargate")
    made.register("job", command=["echo", "hello"])
    job = made.client.submit_job(jobName="a", jobQueue="mine", jobDefinition="job")["jobId"]
    detail = made.finished(job)
    assert detail["status"] == "SUCCEEDED"
    assert detail["jobQueue"] == made.shown_queue("mine")["jobQueueArn"]
    assert made.output(job) == ["hello"]


# Compute environments


@pytest.mark.parametrize(
    ("kind", "more", "queue_type"),
    [
        ("FARGATE", {}, "ECS_FARGATE"),
        ("FARGATE_SPOT", {}, "ECS_FARGATE"),
        ("EC2", EC2, "ECS"),
        ("SPOT", {**EC2, "bidPercentage": 60}, "ECS"),
    ],
)
def test_the_platform_can_be_read_from_the_queue(
    made: Made, kind: str, more: dict[str, Any], queue_type: str
) -> None:
    arn = made.environment("it", kind, **more)
    made.queue("mine", "it")
    queue = made.shown_queue("mine")
    assert (queue["jobQueueType"], queue["state"], queue["status"]) == (
        queue_type,
        "ENABLED",
        "VALID",
    )
    assert queue["computeEnvironmentOrder"] == [{"order": 1, "computeEnvironment": arn}]
    environment = made.shown_environment(arn)
    assert environment["computeResources"]["type"] == kind
    assert (environment["state"], environment["status"]) == ("ENABLED", "VALID")
    assert environment["containerOrchestrationType"] == "ECS"


@pytest.mark.parametrize(
    ("kind", "more", "message"),
    [
        ("FARGATE", {"minvCpus": 0}, "minvCpus is not applicable to FARGATE"),
        ("FARGATE_SPOT", {"instanceTypes": ["optimal"]}, "instanceTypes is not applicable"),
        ("FARGATE", {"subnets": []}, "computeResources.subnets is required for FARGATE"),
        ("FARGATE", {"securityGroupIds": []}, "securityGroupIds is required"),
        ("EC2", {"instanceRole": "x"}, "instanceTypes is required for EC2"),
        ("SPOT", {"instanceTypes": ["optimal"]}, "instanceRole is required for SPOT"),
        ("FARGATE", {"maxvCpus": 0}, "maxvCpus must be at least 1"),
        ("EC2", {**EC2, "minvCpus": 17}, "and at least minvCpus"),
    ],
)
def test_environments_that_are_refused(
    made: Made, kind: str, more: dict[str, Any], message: str
) -> None:
    assert message in refused(made.environment, "it", kind, **more)


def test_an_environment_that_cannot_work_is_invalid_and_no_queue_takes_it(made: Made) -> None:
    made.environment("broken", subnets=["subnet-00000000"])
    environment = made.shown_environment("broken")
    assert environment["status"] == "INVALID"
    assert "The subnet ID 'subnet-00000000' does not exist" in environment["statusReason"]
    assert "is not VALID" in refused(made.queue, "mine", "broken")


def test_a_queue_whose_environments_have_become_invalid_takes_no_jobs(made: Made) -> None:
    made.environment("fargate")
    made.queue("mine", "fargate")
    made.register("job")
    broken = {"subnets": ["subnet-00000000"]}
    made.client.update_compute_environment(computeEnvironment="fargate", computeResources=broken)
    assert made.shown_queue("mine")["status"] == "INVALID"
    text = refused(made.submit, "true", queue="mine", definition="job")
    assert "Job queue mine is INVALID and takes no jobs." in text


def test_an_environment_in_use_or_enabled_is_not_deleted(made: Made) -> None:
    client = made.client
    made.environment("fargate")
    made.queue("mine", "fargate")
    delete = client.delete_compute_environment
    assert "must be disabled first" in refused(delete, computeEnvironment="fargate")
    client.update_compute_environment(computeEnvironment="fargate", state="DISABLED")
    assert "found existing JobQueue relation" in refused(delete, computeEnvironment="fargate")
    client.update_job_queue(jobQueue="mine", state="DISABLED")
    client.delete_job_queue(jobQueue="mine")
    delete(computeEnvironment="fargate")
    assert client.describe_compute_environments()["computeEnvironments"] == []
    assert "does not exist" in refused(delete, computeEnvironment="fargate")


# Queues


def test_queues_that_are_refused(made: Made) -> None:
    made.environment("fargate")
    made.environment("ec2", "EC2", **EC2)
    made.queue("mine", "fargate")
    assert "Object already exists" in refused(made.queue, "mine", "fargate")
    assert "can't be mixed" in refused(made.queue, "other", "fargate", "ec2")
    assert "must have 1 to 3 entries" in refused(made.queue, "other")
    assert "must have 1 to 3 entries" in refused(made.queue, "other", *["fargate"] * 4)
    assert "environment x does not exist" in refused(made.queue, "other", "x")
    assert "must have 1 to 128 letters" in refused(made.queue, "a b", "fargate")
    assert "must be 0 or more" in refused(made.queue, "other", "fargate", priority=-1)
    policy = {"schedulingPolicyArn": "arn:aws:batch:us-east-1:1:scheduling-policy/x"}
    assert "x does not exist" in refused(made.queue, "other", "fargate", **policy)
    assert "are ECS_FARGATE" in refused(made.queue, "other", "fargate", jobQueueType="ECS")
    change = made.client.update_job_queue
    assert "can't get one" in refused(change, jobQueue="mine", **policy)
    order = [{"order": 1, "computeEnvironment": "ec2"}]
    assert "is ECS_FARGATE, its environments ECS" in refused(
        change, jobQueue="mine", computeEnvironmentOrder=order
    )


def test_a_queue_is_deleted_with_its_jobs(made: Made) -> None:
    made.environment("fargate")
    made.queue("mine", "fargate")
    made.register("job")
    job = made.submit("sleep", "600", queue="mine", definition="job")
    made.until_status(job, "RUNNING")
    delete = made.client.delete_job_queue
    assert "must be disabled first" in refused(delete, jobQueue="mine")
    made.client.update_job_queue(jobQueue="mine", state="DISABLED")
    delete(jobQueue="mine")
    assert made.finished(job)["isTerminated"] is True
    assert made.client.describe_job_queues(jobQueues=["mine"])["jobQueues"] == []
    assert "JobQueue mine not found." in refused(made.client.list_jobs, jobQueue="mine")


def test_what_cannot_be_made_at_the_start_is_one_sentence(settings: Any) -> None:
    settings.BATCHEXEC = {"JOB_QUEUE": "my queue"}
    with pytest.raises(ValueError, match=r"BATCHEXEC_JOB_QUEUE and .* can't be made: .*'my queue'"):
        LocalBatch(create=True).__enter__()


def test_arns_and_revisions_in_the_settings_are_names_to_make(settings: Any) -> None:
    prefix = "arn:aws:batch:us-east-1:123456789012"
    settings.BATCHEXEC = {
        "JOB_QUEUE": f"{prefix}:job-queue/mine",
        "JOB_DEFINITION": f"{prefix}:job-definition/job:1",
    }
    with LocalBatch(create=True, start_delay=3600) as server:
        batch = Batch(server.url)
        assert batch.submit("true", queue="mine", definition="job:1")


def test_a_stack_of_cloudformation_is_adopted() -> None:
    with LocalBatch(start_delay=0) as server:
        made = Made(server.url)
        role = boto(server.url, "iam").create_role(RoleName="batch", AssumeRolePolicyDocument="{}")
        container = {
            "Image": "x",
            "ExecutionRoleArn": ROLE,
            "FargatePlatformConfiguration": {"PlatformVersion": "LATEST"},
            "ResourceRequirements": [
                {"Type": "VCPU", "Value": "1"},
                {"Type": "MEMORY", "Value": "2048"},
            ],
        }
        resources = {
            "Compute": {
                "Type": "AWS::Batch::ComputeEnvironment",
                "Properties": {
                    "Type": "MANAGED",
                    "ServiceRole": role["Role"]["Arn"],
                    "ComputeResources": {
                        "Type": "FARGATE",
                        "MaxvCpus": 4,
                        "Subnets": [made.subnet],
                        "SecurityGroupIds": [made.group],
                    },
                },
            },
            "Queue": {
                "Type": "AWS::Batch::JobQueue",
                "Properties": {
                    "Priority": 1,
                    "ComputeEnvironmentOrder": [
                        {"Order": 1, "ComputeEnvironment": {"Ref": "Compute"}}
                    ],
                },
            },
            "Definition": {
                "Type": "AWS::Batch::JobDefinition",
                "Properties": {
                    "Type": "container",
                    "RetryStrategy": {"Attempts": 1},
                    "ContainerProperties": container,
                },
            },
        }
        body = json.dumps({"Resources": resources})
        boto(server.url, "cloudformation").create_stack(StackName="mine", TemplateBody=body)
        (queue,) = made.client.describe_job_queues()["jobQueues"]
        assert (queue["jobQueueType"], queue["status"]) == ("ECS_FARGATE", "VALID")
        (definition,) = made.client.describe_job_definitions()["jobDefinitions"]
        job = made.submit(
            "echo",
            "hello",
            queue=queue["jobQueueArn"],
            definition=definition["jobDefinitionArn"],
        )
        assert made.finished(job)["status"] == "SUCCEEDED"
