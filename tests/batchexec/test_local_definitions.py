"""Job definitions, their revisions and pages, and the log groups that they name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Made, boto, refused, requirements

EC2 = {"instanceTypes": ["optimal"], "instanceRole": "ecsInstanceRole"}


@pytest.fixture
def made() -> Iterator[Made]:
    with LocalBatch(start_delay=0) as server:
        yield Made(server.url)


def test_definitions_come_in_pages_of_100_the_oldest_first(made: Made) -> None:
    arns = [made.register("many") for _ in range(205)]
    made.register("other")
    describe = made.client.describe_job_definitions
    first = describe(jobDefinitionName="many", status="ACTIVE")
    assert len(first["jobDefinitions"]) == 100
    assert first["nextToken"]
    pages = made.client.get_paginator("describe_job_definitions")
    found = pages.paginate(jobDefinitionName="many", status="ACTIVE").build_full_result()
    assert [one["jobDefinitionArn"] for one in found["jobDefinitions"]] == arns
    assert [one["revision"] for one in found["jobDefinitions"]] == list(range(1, 206))
    few = describe(jobDefinitionName="many", maxResults=2)
    assert len(few["jobDefinitions"]) == 2
    assert "maxResults must be 1 to 100, not 101" in refused(describe, maxResults=101)
    assert "nextToken is not one" in refused(describe, nextToken="?")
    assert "at most 100 names" in refused(describe, jobDefinitions=["x"] * 101)


def test_a_deregistered_revision_is_inactive_and_its_number_is_not_used_again(made: Made) -> None:
    made.environment("fargate")
    made.queue("mine", "fargate")
    first, second = made.register("job"), made.register("job")
    made.client.deregister_job_definition(jobDefinition="job:2")
    shown = made.client.describe_job_definitions(jobDefinitions=[first, "job:2"])["jobDefinitions"]
    assert [(one["jobDefinitionArn"], one["status"]) for one in shown] == [
        (first, "ACTIVE"),
        (second, "INACTIVE"),
    ]
    assert made.register("job").endswith(":3")
    text = refused(made.submit, "true", queue="mine", definition="job:2")
    assert "job:2 does not exist, or is not active" in text
    text = refused(made.client.deregister_job_definition, jobDefinition="job")
    assert "name its revision" in text


@pytest.mark.parametrize(
    ("definition", "container", "message"),
    [
        ({"jobDefinitionName": "a b"}, {}, "must have 1 to 128 letters"),
        ({"containerProperties": None}, {}, "has one of containerProperties, ecsProperties"),
        ({"type": "multinode"}, {}, "type multinode has one of nodeProperties"),
        ({"platformCapabilities": ["EC2", "FARGATE"]}, {}, "takes one platform"),
        ({"retryStrategy": {"attempts": 0}}, {}, "must be 1 to 10, not 0"),
        ({"timeout": {}}, {}, None),
        ({"timeout": {"attemptDurationSeconds": 59}}, {}, "at least 60, not 59"),
        ({"schedulingPriority": 10_000}, {}, "must be 0 to 9999"),
        ({}, {"image": ""}, "image must not be empty"),
        ({}, {"executionRoleArn": ""}, "executionRoleArn is required"),
        ({}, {"vcpus": 1}, "vcpus is not supported on Fargate"),
        ({}, {"privileged": True}, "privileged isn't applicable"),
        ({}, {"resourceRequirements": []}, "must contain VCPU"),
        ({}, {"resourceRequirements": requirements("1", "2048")[:1]}, "must contain MEMORY"),
        ({}, {"resourceRequirements": requirements("1", "1024")}, "(1.00 vCPU, 1024 MiB) not val"),
        ({}, {"environment": [{"name": "AWS_BATCH_X", "value": "1"}]}, "are reserved"),
        ({}, {"environment": [{"name": "A", "value": "x" * 25_000}]}, "at most 24576 are allowed"),
        (
            {"platformCapabilities": ["EC2"]},
            {"resourceRequirements": requirements("0.5", "1024")},
            "whole number",
        ),
    ],
)
def test_definitions_that_are_refused(
    made: Made, definition: dict[str, Any], container: dict[str, Any], message: str | None
) -> None:
    definition = {"jobDefinitionName": "x", **definition}
    if definition.get("containerProperties", ...) is None:
        request = {"jobDefinitionName": "x", "type": "container"}
        text = refused(made.client.register_job_definition, **request)
    elif message is None:
        made.register("x", definition, **container)
        return
    else:
        text = refused(made.register, "x", definition, **container)
    assert message
    assert message in text


def test_the_old_sizes_are_for_ec2(made: Made) -> None:
    made.environment("ec2", "EC2", **EC2)
    made.queue("mine", "ec2")
    container = {"image": "x", "vcpus": 1, "memory": 512}
    made.client.register_job_definition(
        jobDefinitionName="old", type="container", containerProperties=container
    )
    made.submit("true", queue="mine", definition="old", overrides={"memory": 1024})


# Log groups


def logging_to(group: str, **options: str) -> dict[str, Any]:
    return {
        "logConfiguration": {"logDriver": "awslogs", "options": {"awslogs-group": group, **options}}
    }


def test_a_missing_log_group_keeps_the_container_from_starting(made: Made, tmp_path: Path) -> None:
    made.environment("fargate")
    made.queue("mine", "fargate")
    made.register("job", **logging_to("/mine"))
    options = {"queue": "mine", "definition": "job"}
    detail = made.finished(made.submit("touch", f"{tmp_path}/ran", **options))
    assert (detail["status"], detail["statusReason"]) == ("FAILED", "Task failed to start")
    reason = detail["container"]["reason"]
    assert reason.startswith("CannotStartContainerError: Error response from daemon: failed to")
    assert reason.endswith("ResourceNotFoundException: The specified log group does not exist.")
    assert len(reason) <= 255
    assert not (tmp_path / "ran").exists()


def test_a_log_group_that_exists_or_may_be_made_has_the_output() -> None:
    with LocalBatch(start_delay=0) as server:
        made, logs = Made(server.url), boto(server.url, "logs")
        made.environment("fargate")
        made.queue("mine", "fargate")
        logs.create_log_group(logGroupName="/mine")
        made.register("job", **logging_to("/mine", **{"awslogs-stream-prefix": "web"}))
        made.register("new", **logging_to("/new", **{"awslogs-create-group": "true"}))
        for definition, group, prefix in (
            ("job", "/mine", "web/"),
            ("new", "/new", "new/default/"),
        ):
            job = made.submit("echo", "hello", queue="mine", definition=definition)
            stream = made.finished(job)["container"]["logStreamName"]
            assert stream.startswith(prefix)
            reply = logs.get_log_events(logGroupName=group, logStreamName=stream)
            assert [event["message"] for event in reply["events"]] == ["hello"]
