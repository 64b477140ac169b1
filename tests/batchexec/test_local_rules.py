"""What AWS Batch refuses of a submission, though the service model allows it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Batch, refused, requirements


@pytest.fixture(scope="module")
def batch() -> Iterator[Batch]:
    """Each test registers definitions and makes queues under names of its own."""
    with LocalBatch(create=True, start_delay=3600) as server:
        yield Batch(server.url)


@pytest.fixture
def quick() -> Iterator[Batch]:
    with LocalBatch(create=True, start_delay=0) as server:
        yield Batch(server.url)


def test_a_refusal_is_worded_as_aws_words_it(batch: Batch) -> None:
    text = refused(batch.submit, "true", queue="no-such")
    assert text.startswith("Error executing request, Exception : JobQueue no-such not found., ")
    assert text != refused(batch.submit, "true", queue="no-such")


# Sizes


@pytest.mark.parametrize(
    ("overrides", "pair"),
    [
        (requirements("1", "4000"), "(1.00 vCPU, 4000 MiB)"),
        (requirements("0.3", "1024"), "(0.30 vCPU, 1024 MiB)"),
        (requirements("0.25", "4096"), "(0.25 vCPU, 4096 MiB)"),
        (requirements("8", "16385"), "(8.00 vCPU, 16385 MiB)"),
        (requirements("32", "65536"), "(32.00 vCPU, 65536 MiB)"),
        # What isn't overridden is the definition's: 1 vCPU and 2048 MiB.
        (requirements("1", "16384")[1:], "(1.00 vCPU, 16384 MiB)"),
        (requirements("2", "1")[:1], "(2.00 vCPU, 2048 MiB)"),
    ],
)
def test_the_merged_pair_must_exist_on_fargate(
    batch: Batch, overrides: list[dict[str, str]], pair: str
) -> None:
    batch.register("sized")
    options: dict[str, Any] = {"overrides": {"resourceRequirements": overrides}}
    text = refused(batch.submit, "true", definition="sized", **options)
    assert f"Fargate resource requirements {pair} not valid." in text


def test_a_pair_that_exists_when_merged_is_taken(batch: Batch) -> None:
    batch.register("merged")
    memory = {"resourceRequirements": requirements("", "8192")[1:]}
    job = batch.submit("true", definition="merged", overrides=memory)
    shown = batch.describe(job)[0]["container"]["resourceRequirements"]
    assert shown == requirements("1", "8192")


@pytest.mark.parametrize(
    ("one", "message"),
    [
        ({"type": "GPU", "value": "1"}, "GPU isn't available for jobs that run on Fargate"),
        ({"type": "VCPU", "value": "two"}, "VCPU must be a positive number, not 'two'"),
        ({"type": "VCPU", "value": "nan"}, "VCPU must be a positive number, not 'nan'"),
        ({"type": "MEMORY", "value": "-1"}, "MEMORY must be a positive number, not '-1'"),
    ],
)
def test_sizes_that_fargate_does_not_have(batch: Batch, one: dict[str, str], message: str) -> None:
    assert message in refused(batch.submit, "true", overrides={"resourceRequirements": [one]})


def test_the_old_sizes_are_not_for_fargate(batch: Batch) -> None:
    assert "vcpus is not supported" in refused(batch.submit, "true", overrides={"vcpus": 1})


@pytest.fixture(scope="module")
def on_ec2(batch: Batch) -> Batch:
    """With the queue `ec2` and the definition `ec2`, of 2 vCPUs and 1000 MiB."""
    network = batch.client.describe_compute_environments()["computeEnvironments"][0]
    subnets = network["computeResources"]["subnets"]
    batch.client.create_compute_environment(
        computeEnvironmentName="ec2",
        type="MANAGED",
        computeResources={
            "type": "EC2",
            "maxvCpus": 8,
            "subnets": subnets,
            "instanceTypes": ["optimal"],
            "instanceRole": "ecsInstanceRole",
        },
    )
    order = [{"order": 1, "computeEnvironment": "ec2"}]
    batch.client.create_job_queue(jobQueueName="ec2", priority=1, computeEnvironmentOrder=order)
    platform = {"platformCapabilities": ["EC2"]}
    batch.register("ec2", platform, resourceRequirements=requirements("2", "1000"))
    return batch


@pytest.mark.parametrize(
    ("one", "message"),
    [
        ({"type": "VCPU", "value": "0.5"}, "VCPU must be a whole number of at least 1 on EC2"),
        ({"type": "VCPU", "value": "1.5"}, "whole number"),
        ({"type": "MEMORY", "value": "3"}, "MEMORY must be at least 4 MiB, not 3"),
        ({"type": "GPU", "value": "0.5"}, "GPU must be a whole number"),
    ],
)
def test_sizes_that_ec2_does_not_have(on_ec2: Batch, one: dict[str, str], message: str) -> None:
    options = {"queue": "ec2", "definition": "ec2"}
    overrides = {"resourceRequirements": [one]}
    assert message in refused(on_ec2.submit, "true", overrides=overrides, **options)
    gpu = {"resourceRequirements": [{"type": "GPU", "value": "1"}]}
    assert on_ec2.submit("true", overrides=gpu, **options)


def test_a_definition_is_for_its_platforms_queues(on_ec2: Batch) -> None:
    text = refused(on_ec2.submit, "true", queue="ec2")
    assert "delayed-jobs is for FARGATE, and job queue ec2 has EC2" in text
    text = refused(on_ec2.submit, "true", definition="ec2")
    assert "ec2 is for EC2, and job queue delayed-jobs has FARGATE" in text


# Overrides


def test_overrides_that_are_too_long_are_accepted_and_fail(quick: Batch) -> None:
    def job_of(length: int) -> str:
        overrides = {"command": ["true"], "environment": [{"name": "BIG", "value": ""}]}
        rest = len(json.dumps(overrides, separators=(",", ":")))
        overrides["environment"] = [{"name": "BIG", "value": "x" * (length - rest)}]
        return quick.submit("true", overrides=overrides)

    detail = quick.finished(job_of(8193))
    assert (detail["status"], detail["statusReason"], detail["attempts"]) == (
        "FAILED",
        "Container Overrides length must be at most 8192",
        [],
    )
    assert quick.finished(job_of(8192))["status"] == "SUCCEEDED"


def test_empty_variables_are_dropped_in_silence(batch: Batch) -> None:
    batch.register(
        "variables", environment=[{"name": "A", "value": "a"}, {"name": "B", "value": ""}]
    )
    (definition,) = batch.client.describe_job_definitions(jobDefinitionName="variables")[
        "jobDefinitions"
    ]
    assert definition["containerProperties"]["environment"] == [{"name": "A", "value": "a"}]
    variables = [{"name": "A", "value": ""}, {"name": "C"}, {"name": "D", "value": "d"}]
    job = batch.submit("true", definition="variables", overrides={"environment": variables})
    assert batch.describe(job)[0]["container"]["environment"] == [
        {"name": "A", "value": "a"},
        {"name": "D", "value": "d"},
    ]


# Tags


def test_tags_of_awss_own_are_refused(batch: Batch) -> None:
    for key in ("aws:x", "AWS:x"):
        assert "prefix aws: is reserved" in refused(batch.submit, "true", tags={key: "v"})
    with_tag = {"tags": {"aws:x": "v"}}
    assert "prefix aws: is reserved" in refused(batch.register, "tagged", with_tag)


def test_more_than_50_tags_with_the_definitions_fail_the_job(quick: Batch) -> None:
    quick.register("thirty", {"tags": {f"d{n}": "v" for n in range(30)}})
    tags = {f"j{n}": "v" for n in range(21)}
    failed = quick.submit("true", definition="thirty", tags=tags, propagateTags=True)
    detail = quick.finished(failed)
    assert (detail["status"], detail["attempts"]) == ("FAILED", [])
    assert "over 50" in detail["statusReason"]
    unpropagated = quick.submit("true", definition="thirty", tags=tags)
    assert quick.finished(unpropagated)["status"] == "SUCCEEDED"
    # One that both have is counted once.
    tags = {**{f"j{n}": "v" for n in range(20)}, "d0": "v"}
    fifty = quick.submit("true", definition="thirty", tags=tags, propagateTags=True)
    assert quick.finished(fifty)["status"] == "SUCCEEDED"


def test_tags_are_changed_and_listed(batch: Batch) -> None:
    job = batch.submit("true", tags={"a": "1"})
    arn = batch.describe(job)[0]["jobArn"]
    batch.client.tag_resource(resourceArn=arn, tags={"b": "2"})
    batch.client.untag_resource(resourceArn=arn, tagKeys=["a", "x"])
    assert batch.client.list_tags_for_resource(resourceArn=arn)["tags"] == {"b": "2"}
    assert batch.describe(job)[0]["tags"] == {"b": "2"}
    more = {str(n): "v" for n in range(50)}
    assert "at most 50 tags" in refused(batch.client.tag_resource, resourceArn=arn, tags=more)
    unknown = {"resourceArn": f"{arn}x"}
    assert "does not exist" in refused(batch.client.list_tags_for_resource, **unknown)


# Arrays, retries, priorities, shares


@pytest.mark.parametrize("size", [-1, 0, 1, 10_001])
def test_the_size_of_an_array(batch: Batch, size: int) -> None:
    text = refused(batch.submit, "true", arrayProperties={"size": size})
    assert f"Array size must be 2 to 10000, not {size}." in text
    for size in (2, 10_000):
        text = refused(batch.submit, "true", arrayProperties={"size": size})
        assert "localbatch runs no array jobs" in text


@pytest.mark.parametrize(
    ("rule", "message"),
    [
        ({"onStatusReason": "Host EC2 (instance*"}, "onStatusReason 'Host EC2 (instance*' must"),
        ({"onReason": "*Error"}, "and * only at its end"),
        ({"onReason": "x" * 513}, "up to 512"),
        ({"onReason": ""}, "onReason ''"),
        ({"onExitCode": "1a"}, "onExitCode '1a' must have up to 512 digits"),
    ],
)
def test_the_patterns_of_retry_rules(batch: Batch, rule: dict[str, str], message: str) -> None:
    retry = {"attempts": 2, "evaluateOnExit": [{**rule, "action": "EXIT"}]}
    assert message in refused(batch.submit, "true", retryStrategy=retry)


def test_there_are_at_most_five_retry_rules(batch: Batch) -> None:
    rules = [{"onExitCode": str(n), "action": "EXIT"} for n in range(6)]
    retry = {"attempts": 2, "evaluateOnExit": rules}
    assert "at most 5 rules" in refused(batch.submit, "true", retryStrategy=retry)
    assert batch.submit("true", retryStrategy={"attempts": 10, "evaluateOnExit": rules[:5]})


@pytest.mark.parametrize("priority", [-1, 10_000])
def test_the_scheduling_priority(batch: Batch, priority: int) -> None:
    text = refused(batch.submit, "true", schedulingPriorityOverride=priority)
    assert f"must be 0 to 9999, not {priority}" in text


def test_the_reason_of_a_stop_has_at_most_1024_characters(batch: Batch) -> None:
    job = batch.submit("true")
    text = refused(batch.client.cancel_job, jobId=job, reason="x" * 1025)
    assert "reason has 1025 characters; at most 1024 are allowed." in text
    batch.client.cancel_job(jobId=job, reason="x" * 1024)


@pytest.mark.parametrize("share", ["", "a-b", "a.b", "x" * 256])
def test_a_share_identifier_has_letters_and_digits(batch: Batch, share: str) -> None:
    name = f"fair{len(share)}{share[:3].count('-')}{share[:3].count('.')}"
    policy = batch.client.create_scheduling_policy(name=name)["arn"]
    batch.client.create_job_queue(
        jobQueueName=name,
        priority=1,
        schedulingPolicyArn=policy,
        computeEnvironmentOrder=[{"order": 1, "computeEnvironment": "localbatch"}],
    )
    text = refused(batch.submit, "true", queue=name, shareIdentifier=share)
    assert "must have 1 to 255 letters and digits" in text
    assert batch.submit("true", queue=name, shareIdentifier="A1" * 127)
