"""What an IAM policy allows on localbatch, per action and resource."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from typing import Any

import pytest
from botocore.exceptions import ClientError
from django.conf import settings

from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Batch

Servers = Callable[..., LocalBatch]


def allow(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {"Effect": "Allow", "Action": list(actions), "Resource": resource, **more}


def deny(*actions: str, resource: Any = "*", **more: Any) -> dict[str, Any]:
    return {**allow(*actions, resource=resource, **more), "Effect": "Deny"}


def document(*statements: dict[str, Any]) -> dict[str, Any]:
    return {"Version": "2012-10-17", "Statement": list(statements)}


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
