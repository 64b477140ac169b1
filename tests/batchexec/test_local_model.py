"""localbatch holds every request against the service model, whoever makes it."""

from __future__ import annotations

import json
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from batchexec.local.guard import SIGNED
from batchexec.local.server import LocalBatch

JOB = {"jobName": "a", "jobQueue": "delayed-jobs", "jobDefinition": "delayed-jobs"}
Call = Callable[..., tuple[int, dict[str, Any]]]


@pytest.fixture(scope="module")
def call() -> Iterator[Call]:
    """Sends a request as it is, and returns the status and the answer."""
    with LocalBatch(create=True, start_delay=3600) as server:

        def send(operation: str, **request: Any) -> tuple[int, dict[str, Any]]:
            url, body = f"{server.url}/v1/{operation.lower()}", json.dumps(request).encode()
            try:
                with urllib.request.urlopen(urllib.request.Request(url, body, SIGNED)) as reply:
                    return reply.status, json.load(reply)
            except urllib.error.HTTPError as error:
                with error:
                    code = {"code": error.headers["x-amzn-ErrorType"]}
                    return error.code, code | json.load(error)

        yield send


def refused(call: Call, operation: str, **request: Any) -> str:
    status, answer = call(operation, **request)
    assert (status, answer["code"]) == (400, "ClientException")
    return str(answer["message"])


@pytest.mark.parametrize("name", JOB)
@pytest.mark.parametrize("missing", [{}, {"null": True}])
def test_required_members(call: Call, name: str, missing: dict[str, bool]) -> None:
    request = {key: value for key, value in JOB.items() if key != name}
    if missing:
        request[name] = None
    expected = f"Value null at '{name}' failed to satisfy constraint: Member must not be null"
    assert expected in refused(call, "SubmitJob", **request)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"schedulingPriorityOverride": "1"}, "'schedulingPriorityOverride'"),
        ({"schedulingPriorityOverride": True}, "must be of type integer"),
        ({"schedulingPriorityOverride": 1.5}, "must be of type integer"),
        ({"timeout": {"attemptDurationSeconds": 2**31}}, "must be of type integer"),
        ({"timeout": {"attemptDurationSeconds": 10**400}}, "must be of type integer"),
        ({"schedulingPriorityOverride": float("nan")}, "must be of type integer"),
        ({"propagateTags": "yes"}, "must be of type boolean"),
        ({"containerOverrides": []}, "must be of type structure"),
        ({"tags": {"a": 1}}, "at 'tags.a.member' failed"),
        ({"parameters": ["a"]}, "must be of type map"),
        ({"dependsOn": {"jobId": "x"}}, "must be of type list"),
        ({"containerOverrides": {"command": "true"}}, "at 'containerOverrides.command' failed"),
        ({"containerOverrides": {"command": [1]}}, "'containerOverrides.command.1.member'"),
    ],
)
def test_types(call: Call, more: dict[str, Any], message: str) -> None:
    assert message in refused(call, "SubmitJob", **JOB, **more)


@pytest.mark.parametrize(
    ("more", "message"),
    [
        ({"priority": 1}, "Unrecognized field 'priority'"),
        (
            {"containerOverrides": {"image": "x"}},
            "Unrecognized field 'image' at 'containerOverrides'",
        ),
    ],
)
def test_unknown_members(call: Call, more: dict[str, Any], message: str) -> None:
    assert message in refused(call, "SubmitJob", **JOB, **more)


def test_a_member_that_is_null_is_not_given(call: Call) -> None:
    nulls = {"propagateTags": None, "timeout": None, "tags": {"a": None}}
    overrides = {"command": ["true"], "environment": None}
    assert call("SubmitJob", **JOB, **nulls, containerOverrides=overrides)[0] == 200
    assert "dependsOn.1.member" in refused(call, "SubmitJob", **JOB, dependsOn=[None])


@pytest.mark.parametrize(
    ("more", "values"),
    [
        (
            {"containerOverrides": {"resourceRequirements": [{"type": "CPU", "value": "1"}]}},
            "[GPU, VCPU, MEMORY]",
        ),
        ({"dependsOn": [{"jobId": "x", "type": "LATER"}]}, "[N_TO_N, SEQUENTIAL]"),
        (
            {"retryStrategy": {"evaluateOnExit": [{"onExitCode": "1", "action": "STOP"}]}},
            "[RETRY, EXIT]",
        ),
    ],
)
def test_enums(call: Call, more: dict[str, Any], values: str) -> None:
    text = refused(call, "SubmitJob", **JOB, **more)
    assert f"Member must satisfy enum value set: {values}" in text


def test_the_action_of_a_rule_may_be_in_any_case(call: Call) -> None:
    retry = {"evaluateOnExit": [{"onExitCode": "1", "action": "exit"}]}
    assert call("SubmitJob", **JOB, retryStrategy=retry)[0] == 200


@pytest.mark.parametrize(
    ("tags", "message"),
    [
        ({"k" * 129: "v"}, "at 'tags.key' failed to satisfy constraint: Member must have length"),
        ({"": "v"}, "greater than or equal to 1"),
        ({"k": "v" * 257}, "less than or equal to 256"),
        ({str(n): "v" for n in range(51)}, "less than or equal to 50"),
    ],
)
def test_the_lengths_and_number_of_tags(call: Call, tags: dict[str, str], message: str) -> None:
    assert message in refused(call, "SubmitJob", **JOB, tags=tags)


def test_tags_of_the_greatest_length_and_no_tags_at_all(call: Call) -> None:
    tags = {f"{n:0128d}": "v" * 256 for n in range(50)}
    assert call("SubmitJob", **JOB, tags=tags)[0] == 200
    assert call("SubmitJob", **JOB, tags={})[0] == 200


@pytest.mark.parametrize(
    ("operation", "request_", "message"),
    [
        ("DescribeJobs", {}, "'jobs' failed to satisfy constraint: Member must not be null"),
        ("TerminateJob", {"jobId": "x"}, "'reason' failed"),
        ("ListJobs", {"jobQueue": "delayed-jobs", "maxResults": "10"}, "of type integer"),
        ("CreateJobQueue", {"jobQueueName": "a"}, "'priority' failed"),
        ("RegisterJobDefinition", {"jobDefinitionName": "a", "type": "pod"}, "[container, mul"),
        ("CreateComputeEnvironment", {"computeEnvironmentName": "a"}, "'type' failed"),
    ],
)
def test_every_call_is_held_against_the_model(
    call: Call, operation: str, request_: dict[str, Any], message: str
) -> None:
    assert message in refused(call, operation, **request_)


def test_what_the_model_does_not_have_is_unknown(call: Call) -> None:
    status, answer = call("RunJob")
    assert (status, answer["code"]) == (404, "UnknownOperationException")


@pytest.mark.parametrize("body", [b"{", b"[]", b"\xff", b'"x"', b"[" * 100_000])
def test_a_body_that_is_no_object(body: bytes) -> None:
    with LocalBatch() as server:
        request = urllib.request.Request(f"{server.url}/v1/submitjob", body, SIGNED)
        with pytest.raises(urllib.error.HTTPError) as error:
            urllib.request.urlopen(request)
        with error.value as answer:
            assert (answer.code, b"The request's body is not" in answer.read()) == (400, True)


def test_what_localbatch_does_not_have_is_said(call: Call) -> None:
    text = refused(call, "CreateConsumableResource", consumableResourceName="licence")
    assert "localbatch doesn't have CreateConsumableResource." in text
