"""How late AWS Batch is, and how many calls it takes."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from botocore.exceptions import ClientError

from batchexec.local.errors import ApiError
from batchexec.local.lag import Lag
from batchexec.local.leftovers import identity
from batchexec.local.server import LocalBatch
from batchexec.local.throttle import Throttle
from tests.batchexec.local_helpers import Batch
from tests.processes import wait_for

Servers = Callable[..., LocalBatch]


def test_a_lag_is_drawn_around_its_seconds() -> None:
    drawn = [Lag(2).draw() for _ in range(200)]
    assert 1 <= min(drawn) < 1.5 < 2.5 < max(drawn) <= 3
    assert Lag().draw() == 0


def draws(monkeypatch: pytest.MonkeyPatch, *seconds: float | Callable[[], float]) -> None:
    """Has a job's changes take these times: RUNNABLE, STARTING, RUNNING, the end.

    What is to be called is called when AWS Batch begins to be late.
    """
    left = list(seconds)

    def draw(lag: Lag) -> float:
        drawn = left.pop(0) if lag._seconds and left else 0
        return drawn() if callable(drawn) else drawn

    monkeypatch.setattr(Lag, "draw", draw)


def test_a_container_works_before_its_job_is_seen_to_run(
    local_batch: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    draws(monkeypatch, 0, 0, 3600)
    batch = Batch(local_batch(start_delay=0, lag=1).url)
    job = batch.submit("sh", "-c", f"touch {tmp_path}/began; exec sleep 600")
    wait_for((tmp_path / "began").exists)
    detail = batch.describe(job)[0]
    assert (detail["status"], "startedAt" in detail) == ("STARTING", False)
    assert "logStreamName" not in detail["container"]


def test_the_end_of_a_container_is_seen_late(
    local_batch: Servers, monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    draws(monkeypatch, 0, 0, 0, 3600)
    batch = Batch(local_batch(start_delay=0, lag=1).url)
    command = "echo $$ > pid; until test -e go; do sleep 0.05; done"
    job = batch.submit("sh", "-c", f"cd {tmp_path}; {command}")
    batch.until_status(job, "RUNNING")
    wait_for(lambda: (tmp_path / "pid").exists() and (tmp_path / "pid").read_text())
    (tmp_path / "go").touch()
    wait_for(lambda: identity(int((tmp_path / "pid").read_text())) is None)
    detail = batch.describe(job)[0]
    assert (detail["status"], "stoppedAt" in detail) == ("RUNNING", False)
    assert "exitCode" not in detail["container"]


def test_every_change_takes_its_time(local_batch: Servers) -> None:
    batch = Batch(local_batch(start_delay=0, lag=0.4).url)
    detail = batch.finished(batch.submit("true"))
    assert detail["stoppedAt"] - detail["createdAt"] >= 3 * 200


def test_a_container_may_be_over_before_it_is_seen_to_run(local_batch: Servers) -> None:
    batch = Batch(local_batch(start_delay=0, lag=0.4).url)
    jobs = [batch.submit("sh", "-c", "exit 3") for _ in range(6)]
    for job in jobs:
        detail = batch.finished(job)
        assert (detail["status"], detail["container"]["exitCode"]) == ("FAILED", 3)
        assert detail["createdAt"] <= detail["startedAt"] <= detail["stoppedAt"]
        assert detail["container"]["logStreamName"]


def test_a_job_that_is_terminated_after_its_end_may_have_succeeded(
    local_batch: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    has_ended, terminated = threading.Event(), threading.Event()

    def until_terminated() -> float:
        has_ended.set()
        terminated.wait(120)
        return 0

    draws(monkeypatch, 0, 0, 0, until_terminated)
    batch = Batch(local_batch(start_delay=0, lag=1).url)
    job = batch.submit("true")
    assert has_ended.wait(120)
    batch.client.terminate_job(jobId=job, reason="too late")
    terminated.set()
    detail = batch.finished(job)
    assert (detail["status"], detail["isTerminated"]) == ("SUCCEEDED", True)


def test_list_jobs_is_late_and_describe_jobs_is_not(local_batch: Servers) -> None:
    batch = Batch(local_batch(start_delay=0, list_lag=3600).url)
    job = batch.submit("true")
    batch.finished(job)
    assert batch.listed(filters=[{"name": "JOB_NAME", "values": ["a-job"]}]) == []
    assert batch.listed(jobStatus="SUCCEEDED") == []


def test_list_jobs_shows_what_was_true_some_time_ago(
    local_batch: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    # The first of its changes is listed at once, the second never.
    draws(monkeypatch, 0, 3600, 0, 0, 0)
    batch = Batch(local_batch(start_delay=0, list_lag=1).url)
    job = batch.submit("true")
    batch.finished(job)
    assert batch.listed(jobStatus="SUBMITTED") == [job]
    assert batch.listed(jobStatus="SUCCEEDED") == []


def test_list_jobs_shows_changes_in_their_order(local_batch: Servers) -> None:
    batch = Batch(local_batch(start_delay=0.3, list_lag=0.3).url)
    batch.submit("sleep", "0.3")
    seen: list[str] = []
    by_name = [{"name": "JOB_NAME", "values": ["a-job"]}]

    def look() -> bool:
        summaries = batch.client.list_jobs(jobQueue="delayed-jobs", filters=by_name)
        for summary in summaries["jobSummaryList"]:
            if summary["status"] not in seen:
                seen.append(summary["status"])
        return "SUCCEEDED" in seen

    wait_for(look)
    order = ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
    assert seen == [status for status in order if status in seen]


def test_too_many_calls_of_all_operations_together_are_refused(
    local_batch: Servers, monkeypatch: pytest.MonkeyPatch
) -> None:
    server = local_batch(start_delay=3600, tps=5)
    now = [server._throttle._clock()]
    monkeypatch.setattr(server._throttle, "_clock", lambda: now[0])
    batch = Batch(server.url)
    job = batch.submit("true")

    def refusal_of(call: Callable[[], object]) -> dict[str, Any] | None:
        try:
            call()
        except ClientError as error:
            return dict(error.response)
        return None

    calls = [lambda: batch.describe(job), batch.listed] * 2
    assert [refusal_of(call) for call in calls] == [None] * 4
    refusal = refusal_of(batch.listed)
    assert refusal
    assert refusal["Error"] == {"Code": "TooManyRequestsException", "Message": "Too Many Requests"}
    assert refusal["ResponseMetadata"]["HTTPStatusCode"] == 429
    refusals = server.calls()["refusals"]
    assert sum(refusals.get(name, {}).get("429", 0) for name in ("DescribeJobs", "ListJobs")) == 1
    now[0] += 0.3
    assert refusal_of(calls[0]) is None
    assert refusal_of(calls[1])


def test_a_refused_call_costs_nothing_and_a_second_later_there_is_room() -> None:
    now = [0.0]
    throttle = Throttle(3, clock=lambda: now[0])
    for _ in range(3):
        throttle.admit()
    for _ in range(10):
        with pytest.raises(ApiError, match="Too Many Requests"):
            throttle.admit()
    now[0] = 1.0
    for _ in range(3):
        throttle.admit()
    with pytest.raises(ApiError):
        throttle.admit()
    now[0] = 60.0
    for _ in range(3):
        throttle.admit()
    with pytest.raises(ApiError):
        throttle.admit()


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"lag": -1}, "A lag is 0 seconds or more, not -1."),
        ({"list_lag": float("nan")}, "A lag is 0 seconds or more, not nan."),
        ({"tps": 0}, "At least one call a second must be taken, not 0."),
        ({"tps": float("inf")}, "At least one call a second must be taken, not inf."),
    ],
)
def test_what_cannot_be_is_one_sentence(options: dict[str, float], message: str) -> None:
    with pytest.raises(ValueError, match=message):
        LocalBatch(**options)
