"""Every fault, as a real boto3 client meets it."""

from __future__ import annotations

import json
import time
import urllib.error
import urllib.request
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.config import Config
from botocore.exceptions import (
    ClientError,
    ConnectionClosedError,
    HTTPClientError,
    ReadTimeoutError,
)

from batchexec.local.faults import FaultError, parse
from batchexec.local.guard import SIGNED
from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Batch
from tests.processes import wait_for


@pytest.fixture
def server(local_batch: Callable[..., LocalBatch]) -> LocalBatch:
    return local_batch(start_delay=0, stop_grace=0.3)


@pytest.fixture
def batch(server: LocalBatch) -> Batch:
    return Batch(server.url)


def by_name(batch: Batch, name: str = "a-job") -> list[str]:
    return batch.listed(filters=[{"name": "JOB_NAME", "values": [name]}])


def error_of(call: Any, *args: Any, **options: Any) -> tuple[int, str]:
    with pytest.raises(ClientError) as error:
        call(*args, **options)
    response = error.value.response
    return response["ResponseMetadata"]["HTTPStatusCode"], response["Error"]["Code"]


def test_reset_after_accepting(server: LocalBatch, batch: Batch) -> None:
    server.set_faults(["SubmitJob:reset-after:times=1"])
    with pytest.raises((ConnectionClosedError, HTTPClientError)):
        batch.submit("true")
    (job,) = by_name(batch)
    assert batch.finished(job)["status"] == "SUCCEEDED"
    assert server.calls()["submissions"] == [
        {"jobName": "a-job", "accepted": True, "jobId": job, "reply": "reset"}
    ]
    assert batch.submit("true")


def test_a_default_client_submits_again_after_a_lost_reply(server: LocalBatch) -> None:
    batch = Batch(server.url, config=Config(retries={"mode": "standard", "total_max_attempts": 3}))
    server.set_faults(["SubmitJob:reset-after:times=2"])
    batch.submit("true")
    assert len(by_name(batch)) == 3
    assert [one["reply"] for one in server.calls()["submissions"]] == ["reset", "reset", 200]


def test_reset_before_accepting(server: LocalBatch, batch: Batch) -> None:
    server.set_faults(["SubmitJob:reset-before"])
    for _ in range(2):
        with pytest.raises((ConnectionClosedError, HTTPClientError)):
            batch.submit("true")
    assert by_name(batch) == []
    assert [one["accepted"] for one in server.calls()["submissions"]] == [False, False]


@pytest.fixture
def impatient(server: LocalBatch) -> Batch:
    """Gives up soon, and doesn't try again."""
    config = Config(retries={"total_max_attempts": 1}, connect_timeout=120, read_timeout=0.2)
    return Batch(server.url, config=config)


def test_hang_after_accepting(
    server: LocalBatch, batch: Batch, impatient: Batch, tmp_path: Path
) -> None:
    server.set_faults([f"SubmitJob:hang-after:times=1,when={tmp_path}/never"])
    with pytest.raises(ReadTimeoutError):
        impatient.submit("true")
    # It may have given up before the server took the request up.
    assert len(wait_for(lambda: by_name(batch))) == 1


def test_a_request_that_hangs_before_lands_later(
    server: LocalBatch, batch: Batch, impatient: Batch, tmp_path: Path
) -> None:
    given_up = tmp_path / "given-up"
    server.set_faults([f"SubmitJob:hang-before:times=1,when={given_up}"])
    with pytest.raises(ReadTimeoutError):
        impatient.submit("true")
    assert by_name(batch) == []
    given_up.touch()
    wait_for(lambda: by_name(batch))


@pytest.mark.parametrize(
    ("spec", "answer", "accepted"),
    [
        ("SubmitJob:503-after", (503, "ServiceUnavailableException"), 1),
        ("SubmitJob:503-before", (503, "ServiceUnavailableException"), 0),
        ("SubmitJob:429", (429, "TooManyRequestsException"), 0),
        ("submitjob:500", (500, "ServerException"), 0),
        ("*:403", (403, "ExpiredTokenException"), 0),
        ("*:403:code=AccessDeniedException,times=1", (403, "AccessDeniedException"), 0),
        ("SubmitJob:599", (599, "ServerException"), 0),
    ],
)
def test_statuses(
    server: LocalBatch, batch: Batch, spec: str, answer: tuple[int, str], accepted: int
) -> None:
    server.set_faults([spec])
    assert error_of(batch.submit, "true") == answer
    server.set_faults([])
    assert len(by_name(batch)) == accepted


def test_times_are_counted_and_other_operations_are_untouched(
    server: LocalBatch, batch: Batch
) -> None:
    server.set_faults(["DescribeJobs:429:times=2"])
    job = batch.submit("true")
    assert error_of(batch.describe, job) == (429, "TooManyRequestsException")
    assert server.faults() == [{"spec": "DescribeJobs:429:times=2", "left": 1}]
    assert error_of(batch.describe, job) == (429, "TooManyRequestsException")
    assert batch.describe(job)
    assert server.calls()["counts"] == {"SubmitJob": 1, "DescribeJobs": 3}


def test_latency(server: LocalBatch, batch: Batch) -> None:
    server.set_faults(["*:latency:seconds=0.2", "ListJobs:429"])
    start = time.monotonic()
    batch.submit("true")
    assert error_of(batch.listed)[0] == 429
    assert time.monotonic() - start >= 0.4


def test_new_jobs_are_not_seen_at_once(server: LocalBatch, batch: Batch) -> None:
    server.set_faults(["ListJobs:blind:seconds=3600", "DescribeJobs:blind:seconds=3600"])
    job = batch.submit("true")
    assert by_name(batch) == batch.describe(job) == []
    server.set_faults(["ListJobs:blind:seconds=0.5", "DescribeJobs:blind:seconds=0.3"])
    wait_for(lambda: batch.describe(job))
    wait_for(lambda: by_name(batch) == [job])


def test_finished_or_all_jobs_are_unknown(server: LocalBatch, batch: Batch) -> None:
    running, done = batch.submit("sleep", "600"), batch.submit("true")
    batch.until_status(running, "RUNNING")
    batch.finished(done)
    server.set_faults(["DescribeJobs:forget"])
    assert [job["jobId"] for job in batch.describe(running, done)] == [running]
    server.set_faults(["DescribeJobs:forget-all:times=1"])
    assert batch.describe(running, done) == []
    assert len(batch.describe(running, done)) == 2


def test_a_status_goes_backwards(server: LocalBatch, batch: Batch) -> None:
    job = batch.submit("sleep", "600")
    batch.until_status(job, "RUNNING")
    server.set_faults(["DescribeJobs:backwards:times=2"])
    assert [batch.status(job) for _ in range(3)] == ["RUNNABLE", "RUNNABLE", "RUNNING"]


@pytest.mark.parametrize(
    ("spec", "code"), [("Container:kill:after=0.1", None), ("Container:kill:exit=137", 137)]
)
def test_a_host_is_lost(server: LocalBatch, batch: Batch, spec: str, code: int | None) -> None:
    server.set_faults([spec])
    detail = batch.finished(batch.submit("sleep", "600"))
    assert detail["status"] == "FAILED"
    assert detail["statusReason"].startswith("Host EC2 (instance i-")
    assert detail["container"].get("exitCode") == code


def test_a_lost_host_is_another_attempt(server: LocalBatch, batch: Batch) -> None:
    server.set_faults(["Container:kill:after=0.1,times=1"])
    command = "test $AWS_BATCH_JOB_ATTEMPT = 2 || exec sleep 600"
    job = batch.submit("sh", "-c", command, retryStrategy={"attempts": 2})
    detail = batch.finished(job)
    assert detail["status"] == "SUCCEEDED"
    assert [attempt["container"].get("exitCode") for attempt in detail["attempts"]] == [None, 0]


def test_a_fault_waits_for_a_file(server: LocalBatch, batch: Batch, tmp_path: Path) -> None:
    lost = tmp_path / "lost"
    server.set_faults([f"Container:kill:when={lost}"])
    job = batch.submit("sh", "-c", "echo ready; exec sleep 600")
    batch.until_output(job, "ready")
    assert batch.status(job) == "RUNNING"
    lost.touch()
    assert batch.finished(job)["statusReason"].startswith("Host EC2")


def test_faults_that_never_happened_are_told(
    batch: Batch, server: LocalBatch, tmp_path: Path
) -> None:
    never = f"Container:oom:when={tmp_path}/never"
    server.set_faults(["TerminateJob:429", "SubmitJob:429:times=2", "ListJobs:500:times=1", never])
    assert error_of(batch.submit, "true")[0] == 429
    assert error_of(batch.listed)[0] == 500
    server.set_faults(["DescribeJobs:500", never])
    assert server.unmet_faults() == [
        "TerminateJob:429",
        "SubmitJob:429:times=2",
        never,
        "DescribeJobs:500",
        never,
    ]
    assert server.unmet_faults() == []


def test_exit_code_0_after_sigterm(server: LocalBatch, batch: Batch) -> None:
    server.set_faults(["Container:exit0-on-term:after=0.1,times=1"])
    detail = batch.finished(batch.submit("sleep", "600"))
    assert (detail["status"], detail["container"]["exitCode"]) == ("SUCCEEDED", 0)
    server.set_faults(["Container:exit0-on-term"])
    job = batch.submit("sleep", "600")
    batch.until_status(job, "RUNNING")
    batch.client.terminate_job(jobId=job, reason="x")
    assert batch.finished(job)["status"] == "SUCCEEDED"
    assert batch.finished(batch.submit("sh", "-c", "exit 5"))["container"]["exitCode"] == 5


def test_a_container_runs_twice(server: LocalBatch, batch: Batch, tmp_path: Path) -> None:
    server.set_faults(["Container:twice:times=1"])
    command = f"echo $AWS_BATCH_JOB_ID $AWS_BATCH_JOB_ATTEMPT > {tmp_path}/$$; exec sleep 600"
    job = batch.submit("sh", "-c", command)
    wait_for(lambda: [file.read_text() for file in tmp_path.iterdir()] == [f"{job} 1\n"] * 2)
    batch.client.terminate_job(jobId=job, reason="both")
    assert batch.finished(job)["container"]["exitCode"] == 143


def test_the_twin_outlives_the_container(server: LocalBatch, batch: Batch, tmp_path: Path) -> None:
    server.set_faults(["Container:twice"])
    # Whoever comes first ends, the other one works on until it's told.
    command = (
        "mkdir first && exit 0; touch second; until test -e go; do sleep 0.05; done; touch done"
    )
    batch.submit("sh", "-c", f"cd {tmp_path}; {command}")
    wait_for((tmp_path / "second").exists)
    (tmp_path / "go").touch()
    wait_for((tmp_path / "done").exists)


def test_an_image_that_cannot_be_pulled(server: LocalBatch, batch: Batch) -> None:
    server.set_faults(["Container:pull-error"])
    detail = batch.finished(batch.submit("true"))
    assert (detail["status"], detail["statusReason"]) == ("FAILED", "Task failed to start")
    assert detail["container"]["reason"].startswith("CannotPullContainerError: ")
    assert "exitCode" not in detail["container"]
    assert "logStreamName" not in detail["container"]


def test_out_of_memory(server: LocalBatch, batch: Batch) -> None:
    server.set_faults(["Container:oom:after=0.1"])
    detail = batch.finished(batch.submit("sleep", "600"))
    assert detail["statusReason"] == "Essential container in task exited"
    assert detail["container"]["exitCode"] == 137
    assert detail["container"]["reason"] == "OutOfMemoryError: Container killed due to memory usage"


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("SubmitJob", "is not of the form"),
        ("a:b:c:d", "is not of the form"),
        ("Submit:429", "names 'Submit', which is neither"),
        ("SubmitJob:explode", "has the kind 'explode', but SubmitJob knows"),
        ("SubmitJob:blind", "has the kind 'blind'"),
        ("SubmitJob:200", "has the kind '200'"),
        ("Container:429", "has the kind '429', but Container knows kill"),
        ("*:kill", "has the kind 'kill'"),
        ("SubmitJob:429:seconds=1", "has the option 'seconds=1'"),
        ("SubmitJob:429:times", "has the option 'times'"),
        ("SubmitJob:429:times=-1", "has times='-1'"),
        ("*:latency:seconds=9999999999", "has seconds='9999999999'"),
        ("*:latency:seconds=soon", "has seconds='soon'"),
        ("Container:kill:exit=1.5", "has exit='1.5'"),
    ],
)
def test_a_malformed_fault_is_one_clear_sentence(spec: str, message: str) -> None:
    with pytest.raises(FaultError) as error:
        parse(spec)
    assert message in str(error.value)
    assert str(error.value).count("\n") == 0


def ask(server: LocalBatch, method: str, path: str, value: Any = None) -> tuple[int, Any]:
    body = None if value is None else json.dumps(value).encode()
    request = urllib.request.Request(server.url + path, body, SIGNED, method=method)
    try:
        with urllib.request.urlopen(request, timeout=120) as reply:
            return reply.status, json.load(reply)
    except urllib.error.HTTPError as error:
        with error:
            return error.code, json.load(error)


def test_faults_and_calls_over_http(server: LocalBatch, batch: Batch) -> None:
    spec = "SubmitJob:429:times=1"
    assert ask(server, "POST", "/_faults", [spec]) == (200, [{"spec": spec, "left": 1}])
    status, answer = ask(server, "POST", "/_faults", ["nonsense"])
    assert (status, "is not of the form" in answer["message"]) == (400, True)
    assert ask(server, "POST", "/_faults", {"a": 1})[0] == 400
    assert ask(server, "GET", "/_faults") == (200, [{"spec": spec, "left": 1}])
    assert error_of(batch.submit, "true", name="refused")[0] == 429
    job = batch.submit("true", name="accepted")
    assert ask(server, "GET", "/_calls") == (
        200,
        {
            "counts": {"SubmitJob": 2},
            "refusals": {"SubmitJob": {"429": 1}},
            "submissions": [
                {"jobName": "refused", "accepted": False, "jobId": None, "reply": 429},
                {"jobName": "accepted", "accepted": True, "jobId": job, "reply": 200},
            ],
        },
    )
    assert ask(server, "DELETE", "/_calls") == (
        200,
        {"counts": {}, "refusals": {}, "submissions": []},
    )
    assert ask(server, "PUT", "/_calls")[0] == 405
