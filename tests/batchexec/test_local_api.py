"""What AWS Batch refuses, describes and lists, and localbatch as well. Nothing runs
here: jobs stay SUBMITTED.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import boto3
import pytest

from batchexec.local.job import milliseconds
from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Batch, refused
from tests.processes import wait_for


@pytest.fixture
def batch() -> Iterator[Batch]:
    with LocalBatch(create=True, start_delay=3600) as server:
        yield Batch(server.url)


@pytest.fixture(scope="module")
def shared() -> Iterator[Batch]:
    """For tests that change nothing."""
    with LocalBatch(create=True, start_delay=3600) as server:
        yield Batch(server.url)


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"name": "-a"}, "Job name '-a' must"),
        ({"name": "a" * 129}, "must have 1 to 128 letters"),
        ({"name": "a b"}, "must have 1 to 128 letters"),
        ({"queue": "no-such"}, "JobQueue no-such not found"),
        ({"queue": ""}, "JobQueue  not found"),
        ({"definition": "no-such"}, "Job definition no-such does not exist"),
        ({"definition": "delayed-jobs:7"}, "Job definition delayed-jobs:7 does not exist"),
        ({"timeout": {"attemptDurationSeconds": 59}}, "at least 60, not 59"),
        (
            {"overrides": {"environment": [{"name": "AWS_BATCH_X", "value": "1"}]}},
            "AWS_BATCH are reserved",
        ),
        (
            {"overrides": {"environment": [{"name": "BIG", "value": "x" * 31000}]}},
            "at most 30720 are allowed",
        ),
        ({"overrides": {"command": ["a", ""]}}, "empty strings"),
        ({"retryStrategy": {"attempts": 11}}, "must be 1 to 10, not 11"),
        (
            {"arrayProperties": {"size": 2}},
            "arrayProperties: localbatch runs no array jobs",
        ),
        ({"shareIdentifier": "me"}, "shareIdentifier must not be given"),
        (
            {"tags": {str(n): "x" for n in range(51)}},
            "at 'tags' failed to satisfy constraint: Member must have length less",
        ),
        ({"dependsOn": [{"type": "SEQUENTIAL"}]}, "dependencies on a jobId only"),
    ],
)
def test_submissions_that_aws_refuses(
    shared: Batch, request_: dict[str, Any], message: str
) -> None:
    assert message in refused(shared.submit, "true", **request_)
    assert shared.listed(jobStatus="SUBMITTED") == []


def test_a_name_of_one_character_and_of_128(batch: Batch) -> None:
    assert batch.submit("true", name="a") != batch.submit("true", name="a" * 128)


def test_a_disabled_queue_is_refused(batch: Batch) -> None:
    batch.client.update_job_queue(jobQueue="delayed-jobs", state="DISABLED")
    assert "is DISABLED" in refused(batch.submit, "true")


def test_a_definition_with_a_short_timeout_is_refused(batch: Batch) -> None:
    timeout = lambda seconds: {"timeout": {"attemptDurationSeconds": seconds}}  # noqa: E731
    assert "at least 60" in refused(batch.register, "x", timeout(5))
    batch.register("x", timeout(60))
    assert batch.describe(batch.submit("true", definition="x"))[0]["timeout"] == {
        "attemptDurationSeconds": 60
    }


def test_a_name_means_the_latest_active_revision(batch: Batch) -> None:
    (first,) = batch.client.describe_job_definitions(jobDefinitionName="delayed-jobs")[
        "jobDefinitions"
    ]
    second = batch.register("delayed-jobs")
    used = lambda name: batch.describe(batch.submit("true", definition=name))[0]["jobDefinition"]  # noqa: E731
    assert used("delayed-jobs") == second
    assert used("delayed-jobs:1") == used(first["jobDefinitionArn"]) == first["jobDefinitionArn"]
    batch.client.deregister_job_definition(jobDefinition=second)
    assert used("delayed-jobs") == first["jobDefinitionArn"]
    assert "is not active" in refused(batch.submit, "true", definition="delayed-jobs:2")


def test_a_fair_share_queue_needs_a_share_identifier(batch: Batch) -> None:
    policy = batch.client.create_scheduling_policy(name="fair")["arn"]
    (queue,) = batch.client.describe_job_queues(jobQueues=["delayed-jobs"])["jobQueues"]
    batch.client.create_job_queue(
        jobQueueName="fair",
        priority=1,
        state="ENABLED",
        schedulingPolicyArn=policy,
        computeEnvironmentOrder=queue["computeEnvironmentOrder"],
    )
    assert "shareIdentifier must be given" in refused(batch.submit, "true", queue="fair")
    job = batch.submit("true", queue="fair", shareIdentifier="me", schedulingPriorityOverride=3)
    detail = batch.describe(job)[0]
    assert (detail["shareIdentifier"], detail["schedulingPriority"]) == ("me", 3)


def test_describe_takes_100_ids_and_leaves_out_unknown_ones(batch: Batch) -> None:
    job = batch.submit("true", tags={"token": "7"})
    (detail,) = batch.client.describe_jobs(jobs=[job, *[f"unknown-{n}" for n in range(99)]])["jobs"]
    assert (detail["jobId"], detail["tags"], detail["status"]) == (job, {"token": "7"}, "SUBMITTED")
    assert batch.describe(detail["jobArn"])[0]["jobId"] == job
    message = refused(batch.client.describe_jobs, jobs=["x"] * 101)
    assert "Exception : Maximum number of jobs supported is 100, RequestId: " in message
    assert batch.describe() == []


def test_stopping_needs_a_reason(batch: Batch) -> None:
    job = batch.submit("true")
    assert "reason must be given" in refused(batch.client.terminate_job, jobId=job, reason="")
    assert "reason must be given" in refused(batch.client.cancel_job, jobId=job, reason="")
    assert "1 to 50 jobs" in refused(batch.client.cancel_jobs, jobs=[job] * 51, reason="x")


def test_list_shows_running_jobs_when_nothing_is_asked_for() -> None:
    with LocalBatch(create=True, start_delay=0) as server:
        batch = Batch(server.url)
        done, running = batch.submit("true"), batch.submit("sleep", "600")
        batch.finished(done)
        batch.until_status(running, "RUNNING")
        assert batch.listed() == [running]
        assert batch.listed(jobStatus="SUCCEEDED") == [done]
        (summary,) = batch.client.list_jobs(jobQueue="delayed-jobs", jobStatus="SUCCEEDED")[
            "jobSummaryList"
        ]
        assert summary["container"] == {"exitCode": 0}
        by_name = [{"name": "JOB_NAME", "values": ["A-JOB"]}]
        assert batch.listed(jobStatus="RUNNING", filters=by_name) == [running, done]


def test_list_filters_by_name_whatever_its_case(batch: Batch) -> None:
    one, ten, other = (batch.submit("true", name=name) for name in ("Job-A1", "job-a10", "else"))
    by = lambda value: batch.listed(filters=[{"name": "JOB_NAME", "values": [value]}])  # noqa: E731
    assert by("job-a1") == [one]
    assert by("JOB-A*") == [one, ten]
    assert by("e") == []
    assert by("*") == [other, one, ten]


def test_list_filters_by_creation_and_definition(batch: Batch) -> None:
    first = batch.submit("true")
    created = batch.describe(first)[0]["createdAt"]
    wait_for(lambda: milliseconds() > created)
    second = batch.submit("true")
    by = lambda name, value: batch.listed(filters=[{"name": name, "values": [value]}])  # noqa: E731
    assert first not in by("AFTER_CREATED_AT", str(created))
    assert second in by("AFTER_CREATED_AT", str(created))
    assert by("BEFORE_CREATED_AT", str(created + 1)) == [first]
    for value in (
        "delayed-jobs",
        "delayed-jobs:1",
        "delayed*",
        batch.describe(first)[0]["jobDefinition"],
    ):
        assert first in by("JOB_DEFINITION", value)
    assert by("JOB_DEFINITION", "Delayed-Jobs") == []
    assert by("SHARE_IDENTIFIER", "me") == []


@pytest.mark.parametrize(
    ("request_", "message"),
    [
        ({"filters": [{"name": "JOB_NAME", "values": ["a"]}] * 2}, "Only one filter"),
        ({"filters": [{"name": "job_name", "values": ["a"]}]}, "no filter 'job_name'"),
        ({"filters": [{"name": "JOB_NAME", "values": []}]}, "has no values"),
        ({"filters": [{"name": "AFTER_CREATED_AT", "values": ["today"]}]}, "milliseconds"),
        (
            {"jobStatus": "DONE"},
            "Value 'DONE' at 'jobStatus' failed to satisfy constraint: Member must satisfy enum",
        ),
        ({"nextToken": "nonsense"}, "not one that ListJobs gave"),
        ({"arrayJobId": "x"}, "Exactly one of"),
        ({"jobQueue": "no-such"}, "JobQueue no-such not found"),
    ],
)
def test_lists_that_aws_refuses(shared: Batch, request_: dict[str, Any], message: str) -> None:
    assert message in refused(shared.client.list_jobs, **{"jobQueue": "delayed-jobs", **request_})


def test_pages_are_newest_first_and_complete_while_jobs_come_in(batch: Batch) -> None:
    jobs = [batch.submit("true") for _ in range(7)]
    pages = batch.client.get_paginator("list_jobs").paginate(
        jobQueue="delayed-jobs", jobStatus="SUBMITTED", PaginationConfig={"PageSize": 3}
    )
    seen = []
    for page in pages:
        seen.append([job["jobId"] for job in page["jobSummaryList"]])
        batch.submit("true")
    newest_first = jobs[::-1]
    assert seen == [newest_first[:3], newest_first[3:6], newest_first[6:]]


def test_a_filtered_page_has_at_most_100_jobs(batch: Batch) -> None:
    for _ in range(101):
        batch.submit("true")
    request = {"jobQueue": "delayed-jobs", "filters": [{"name": "JOB_NAME", "values": ["a-job"]}]}
    first = batch.client.list_jobs(**request, maxResults=500)
    second = batch.client.list_jobs(**request, nextToken=first["nextToken"])
    assert [len(page["jobSummaryList"]) for page in (first, second)] == [100, 1]
    assert "nextToken" not in second
    assert len(batch.listed(jobStatus="SUBMITTED")) == 101


def test_finished_jobs_are_forgotten(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalBatch(create=True, start_delay=0, forget_after=3600) as server:
        batch = Batch(server.url)
        job = batch.submit("true")
        wait_for(lambda: batch.listed(jobStatus="SUCCEEDED") == [job])
        later = milliseconds() + 3_600_001
        monkeypatch.setattr("batchexec.local.api.milliseconds", lambda: later)
        assert batch.describe(job) == []
        assert batch.listed(jobStatus="SUCCEEDED") == []


def test_the_endpoint_variable_and_tags_are_enough(monkeypatch: pytest.MonkeyPatch) -> None:
    with LocalBatch(create=True, start_delay=3600) as server:
        monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", server.url)
        client = boto3.client("batch")
        (queue,) = client.describe_job_queues()["jobQueues"]
        assert (queue["jobQueueName"], queue["state"], queue["status"]) == (
            "delayed-jobs",
            "ENABLED",
            "VALID",
        )
        (definition,) = client.describe_job_definitions(status="ACTIVE")["jobDefinitions"]
        assert (definition["type"], definition["platformCapabilities"]) == (
            "container",
            ["FARGATE"],
        )
        assert definition["retryStrategy"] == {"attempts": 1}
        client.tag_resource(resourceArn=queue["jobQueueArn"], tags={"a": "b"})
        assert client.list_tags_for_resource(resourceArn=queue["jobQueueArn"])["tags"] == {"a": "b"}
        assert server.calls()["counts"]["TagResource"] == 1


def test_an_unknown_region_is_named() -> None:
    with LocalBatch() as server:
        assert "no region 'mars-1'" in refused(Batch(server.url, "mars-1").describe, "x")
