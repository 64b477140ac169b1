"""What an IAM policy allows on localbatch, per action and resource."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.conf import settings
from django.core.management import CommandError, call_command

from batchexec.local.iam.errors import PolicyError
from batchexec.local.iam.policy import Decision, Policy
from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Batch

Servers = Callable[..., LocalBatch]
HERE = "arn:aws:batch:us-east-1:123456789012"


def allow(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def deny(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(*actions, resource=resource, **more), "Effect": "Deny"}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


def decide(*statements: dict[str, Any], action: str, resource: str, **context: Any) -> Decision:
    found = {key.replace("__", ":").lower(): value for key, value in context.items()}
    return Policy(document(*statements)).decide(action, resource, found)


SUBMITTING = allow(
    "batch:SubmitJob",
    resource=[
        "arn:aws:batch:*:*:job-queue/delayed-jobs",
        "arn:aws:batch:*:*:job-definition/delayed-jobs",
        "arn:aws:batch:*:*:job-definition/delayed-jobs:*",
        "arn:aws:batch:*:*:job/*",
    ],
)


@pytest.fixture
def start(local_batch: Servers) -> Callable[..., Batch]:
    def started(*statements: dict[str, Any]) -> Batch:
        return Batch(local_batch(start_delay=3600, policy=document(*statements)).url)

    return started


def denied(call: Callable[..., Any], *args: Any, **options: Any) -> str:
    with pytest.raises(ClientError) as error:
        call(*args, **options)
    response = error.value.response
    assert response["Error"]["Code"] == "AccessDeniedException"
    assert response["ResponseMetadata"]["HTTPStatusCode"] == 403
    return str(response["Error"]["Message"])


def test_a_refusal_has_awss_words(start: Callable[..., Batch]) -> None:
    batch = start(SUBMITTING, deny("batch:ListJobs"))
    pattern = (
        r"User: arn:aws:iam::\d{12}:user/localbatch is not authorized to perform: "
        r"batch:SubmitJob on resource: arn:aws:batch:us-east-1:\d{12}:job-queue/other "
        r"because no identity-based policy allows the batch:SubmitJob action"
    )
    assert re.fullmatch(pattern, denied(batch.submit, "true", queue="other"))
    text = denied(batch.listed)
    assert "batch:ListJobs on resource: * with an explicit deny in an identity" in text


@pytest.mark.parametrize(
    ("options", "resource"),
    [
        ({"queue": "other"}, "job-queue/other"),
        ({"queue": "arn:aws:batch:us-east-1:1:job-queue/other"}, "job-queue/other"),
        ({"definition": "other"}, "job-definition/other"),
        ({"definition": "other:3"}, "job-definition/other:3"),
        ({"definition": "delayed-jobs-2"}, "job-definition/delayed-jobs-2"),
    ],
)
def test_submitting_is_allowed_by_queue_and_definition(
    start: Callable[..., Batch], options: dict[str, str], resource: str
) -> None:
    batch = start(SUBMITTING)
    assert f"{resource} because" in denied(batch.submit, "true", **options)
    assert batch.submit("true")
    assert batch.submit("true", definition="delayed-jobs:1")


def test_submitting_needs_the_job_too(start: Callable[..., Batch]) -> None:
    only = [arn for arn in SUBMITTING["Resource"] if "job/" not in arn]
    assert ":job/* because" in denied(start(allow("batch:SubmitJob", resource=only)).submit, "true")


def test_tags_need_tag_resource(start: Callable[..., Batch]) -> None:
    batch = start(SUBMITTING)
    assert batch.submit("true")
    text = denied(batch.submit, "true", tags={"team": "a"})
    assert "perform: batch:TagResource on resource: arn:aws:batch:us-east-1:" in text
    more = start(SUBMITTING, allow("batch:TagResource", resource="arn:aws:batch:*:*:job/*"))
    assert more.submit("true", tags={"team": "a"})


def test_stopping_is_allowed_by_job_and_by_its_tags(start: Callable[..., Batch]) -> None:
    ours = {"StringEquals": {"aws:ResourceTag/team": "a"}}
    jobs = "arn:aws:batch:*:*:job/*"
    stop = allow("batch:TerminateJob", resource=jobs, Condition=ours)
    batch = start(allow("batch:SubmitJob", "batch:TagResource"), stop)
    mine, other = (batch.submit("true", tags={"team": team}) for team in "ab")
    batch.client.terminate_job(jobId=mine, reason="x")
    assert f":job/{other} because" in denied(batch.client.terminate_job, jobId=other, reason="x")
    assert f":job/{mine} because" in denied(batch.client.cancel_job, jobId=mine, reason="x")
    batch.client.terminate_jobs(jobs=[mine], reason="x")
    denied(batch.client.terminate_jobs, jobs=[mine, other], reason="x")


def test_describe_and_list_have_no_resource(start: Callable[..., Batch]) -> None:
    batch = start(allow("batch:Describe*", "batch:List*", resource="arn:aws:batch:*:*:job/*"))
    assert "batch:DescribeJobs on resource: * because" in denied(batch.describe, "x")
    assert "batch:ListJobs on resource: * because" in denied(batch.listed)
    batch = start(allow("batch:Describe*", "batch:List*"))
    assert batch.describe("x") == batch.listed() == []
    assert batch.client.describe_job_queues()["jobQueues"]


def test_what_a_call_makes_and_what_it_uses_are_both_needed(start: Callable[..., Batch]) -> None:
    batch = start(allow("batch:CreateJobQueue", resource="arn:aws:batch:*:*:job-queue/*"))
    order = [{"order": 1, "computeEnvironment": "fargate"}]
    request = {"jobQueueName": "new", "priority": 1, "computeEnvironmentOrder": order}
    text = denied(batch.client.create_job_queue, **request)
    assert "compute-environment/fargate because" in text
    text = denied(batch.client.register_job_definition, jobDefinitionName="x", type="container")
    assert "batch:RegisterJobDefinition on resource: " in text
    assert "job-definition/x because" in text


def test_the_policy_of_the_documentation_is_enough_for_what_the_worker_calls(
    start: Callable[..., Batch],
) -> None:
    text = (settings.BASE_DIR / "docs" / "deploying.md").read_text()
    (block,) = [
        b for b in re.findall(r"```json\n(.*?)```", text, re.DOTALL) if "batch:SubmitJob" in b
    ]
    batch = start(*json.loads(block.replace(":111122223333:", ":*:"))["Statement"])
    for options in ({}, {"definition": "delayed-jobs:1"}, {"tags": {"a": "b"}}):
        job = batch.submit("true", **options)
        assert batch.describe(job)
    batch.listed(filters=[{"name": "JOB_NAME", "values": ["a-job"]}])
    batch.client.describe_job_definitions(jobDefinitionName="delayed-jobs", status="ACTIVE")
    batch.client.describe_job_queues(jobQueues=["delayed-jobs"])
    batch.client.cancel_job(jobId=job, reason="x")
    batch.client.terminate_job(jobId=job, reason="x")


QUEUE = f"{HERE}:job-queue/a"


@pytest.mark.parametrize(
    ("statement", "allowed"),
    [
        (allow("batch:SubmitJob", resource=QUEUE), True),
        (allow("BATCH:submitjob", resource=QUEUE), True),
        (allow("batch:Submit*", resource=QUEUE), True),
        (allow("batch:SubmitJo?", resource=QUEUE), True),
        (allow("*", resource=QUEUE), True),
        (allow("*:*", resource=QUEUE), True),
        (allow("batch:SubmitJo", resource=QUEUE), False),
        (allow("s3:*", resource=QUEUE), False),
        (allow("batch:SubmitJob", resource=f"{HERE}:job-queue/A"), False),
        (allow("batch:SubmitJob", resource=f"{HERE}:job-queue/*"), True),
        (allow("batch:SubmitJob", resource="arn:aws:batch:*:*:*"), True),
        (allow("batch:SubmitJob", resource="arn:*:batch:us-*:1234????9012:job-queue/a"), True),
        # A wildcard stays in its part of the ARN.
        (allow("batch:SubmitJob", resource="arn:aws:*:*:*:job-queue"), False),
        (allow("batch:SubmitJob", resource=[f"{HERE}:job-queue/b", QUEUE]), True),
        ({"Effect": "Allow", "NotAction": "batch:Describe*", "Resource": "*"}, True),
        ({"Effect": "Allow", "NotAction": "batch:*", "Resource": "*"}, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": QUEUE}, False),
        ({"Effect": "Allow", "Action": "*", "NotResource": f"{HERE}:job-queue/b"}, True),
    ],
)
def test_wildcards_and_their_negations(statement: dict[str, Any], allowed: bool) -> None:
    decision = decide(statement, action="batch:SubmitJob", resource=QUEUE)
    assert decision is (Decision.ALLOWED if allowed else Decision.IMPLICIT_DENY)


def test_a_deny_wins_wherever_it_stands() -> None:
    for statements in ([allow("*"), deny("batch:*")], [deny("batch:*"), allow("*")]):
        decision = decide(*statements, action="batch:SubmitJob", resource=QUEUE)
        assert decision is Decision.EXPLICIT_DENY


TAG = {"aws__RequestTag/Team": ("a",)}
KEYS = {"aws__TagKeys": ("team", "cost")}


@pytest.mark.parametrize(
    ("condition", "context", "holds"),
    [
        ({"StringEquals": {"aws:RequestTag/Team": "a"}}, TAG, True),
        ({"StringEquals": {"aws:requesttag/team": ["b", "a"]}}, TAG, True),
        ({"StringEquals": {"aws:RequestTag/Team": "A"}}, TAG, False),
        ({"StringEqualsIgnoreCase": {"aws:RequestTag/Team": "A"}}, TAG, True),
        ({"StringEquals": {"aws:RequestTag/Team": "a*"}}, TAG, False),
        ({"StringLike": {"aws:RequestTag/Team": "?*"}}, TAG, True),
        ({"StringNotEquals": {"aws:RequestTag/Team": ["a", "b"]}}, TAG, False),
        ({"StringNotLike": {"aws:RequestTag/Team": "b*"}}, TAG, True),
        # A key that the call doesn't have.
        ({"StringEquals": {"aws:RequestTag/Team": "a"}}, {}, False),
        ({"StringEqualsIfExists": {"aws:RequestTag/Team": "a"}}, {}, True),
        ({"StringEqualsIfExists": {"aws:RequestTag/Team": "b"}}, TAG, False),
        ({"StringNotEquals": {"aws:RequestTag/Team": "a"}}, {}, True),
        ({"Null": {"aws:RequestTag/Team": "true"}}, {}, True),
        ({"Null": {"aws:RequestTag/Team": False}}, {}, False),
        ({"Null": {"aws:RequestTag/Team": False}}, TAG, True),
        # Several values.
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team", "cost", "x"]}}, KEYS, True),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, KEYS, False),
        ({"ForAllValues:StringEquals": {"aws:TagKeys": ["team"]}}, {}, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["team"]}}, KEYS, True),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["x"]}}, KEYS, False),
        ({"ForAnyValue:StringEquals": {"aws:TagKeys": ["x"]}}, {}, False),
        # All operators and keys must hold.
        ({"StringEquals": {"aws:RequestTag/Team": "a", "aws:RequestedRegion": "x"}}, TAG, False),
    ],
)
def test_conditions(condition: dict[str, Any], context: dict[str, Any], holds: bool) -> None:
    statement = allow("*", Condition=condition)
    decision = decide(statement, action="batch:SubmitJob", resource=QUEUE, **context)
    assert (decision is Decision.ALLOWED) == holds


@pytest.mark.parametrize(
    ("policy", "message"),
    [
        ([], "A policy is a JSON object with a Statement."),
        ({"Version": "2012-10-17"}, "Statement must be an object or a list of objects."),
        ({**document(), "Statement": []}, "Statement must be an object or a list"),
        ({**document(allow("*")), "Statments": 1}, "unknown element 'Statments'"),
        ({**document(allow("*")), "Version": "2026-01-01"}, "not '2026-01-01'"),
        (document({**allow("*"), "Sid": "Mine", "Effect": "allow"}), "Statement Mine: Effect must"),
        (document(allow("*", Principal="*")), "has no principal"),
        (document({"Effect": "Allow", "Resource": "*"}), "either Action or NotAction"),
        (document(allow("*", NotAction="*")), "either Action or NotAction"),
        (document({"Effect": "Allow", "Action": "*"}), "either Resource or NotResource"),
        (document(allow("SubmitJob")), "Action 'SubmitJob' must be service:action, or *."),
        (document(allow("*", resource="job/*")), "Resource 'job/*' must be an ARN, or *."),
        (document(allow("*", resource=[])), "Resource must be a string or a list of strings."),
        (document(allow("*", resource=[1])), "Resource must be a string or a list of strings."),
        (document(allow("*", resource="arn:aws:batch:*:*:job/${aws:username}")), "variables"),
        (document(allow("*", Condition={"Bool": {"aws:SecureTransport": "true"}})), "'Bool'"),
        (document(allow("*", Condition={"StringEquals": {"aws:SourceIp": "x"}})), "aws:SourceIp"),
        (document(allow("*", Condition={"StringEquals": {"aws:TagKeys": "x"}})), "ForAnyValue"),
        (
            document(allow("*", Condition={"StringEquals": {"aws:RequestTag/": "x"}})),
            "the condition key",
        ),
        (
            document(allow("*", Condition={"StringEquals": {"aws:RequestTag/a": []}})),
            "list of strings",
        ),
        (
            document(allow("*", Condition={"StringEquals": {"aws:RequestTag/a": "${x}"}})),
            "variables",
        ),
        (document(allow("*", Condition={"Null": {"aws:RequestTag/a": "no"}})), "true or false"),
        (document(allow("*", Condition=[])), "Condition must be an object"),
        (document(allow("*", Condition={"StringEquals": []})), "must be an object of keys"),
    ],
)
def test_what_cannot_be_decided_is_refused_in_one_sentence(policy: Any, message: str) -> None:
    with pytest.raises(PolicyError) as error:
        Policy(policy)
    assert message in str(error.value)
    assert "\n" not in str(error.value)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (None, "can't be read: No such file or directory."),
        (b"{", "is not JSON"),
        (b"\xff", "is not JSON"),
        (b"[" * 100_000, "is not JSON"),
        (b"[]", "can't be used: A policy is a JSON object with a Statement."),
    ],
)
def test_a_file_that_is_no_policy_is_one_line(
    tmp_path: Path, content: bytes | None, message: str
) -> None:
    file = tmp_path / "policy.json"
    if content is not None:
        file.write_bytes(content)
    with pytest.raises(CommandError) as error:
        call_command("localbatch", "--policy", str(file))
    assert str(error.value).startswith(f"The policy {file} ")
    assert message in str(error.value)
