"""Attempts, dependencies, how many run at once, and what servers and regions don't
share.
"""

from __future__ import annotations

import gc
import threading
from pathlib import Path

import pytest
from moto.ec2.models.vpcs import VPC

from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Batch, stay
from tests.processes import wait_for


@pytest.fixture
def batch(server: LocalBatch) -> Batch:
    return Batch(server.url)


def test_attempts_run_the_same_job_again(batch: Batch) -> None:
    code = (
        "import os, sys; n = os.environ['AWS_BATCH_JOB_ATTEMPT']; "
        "print('attempt', n); sys.exit(n != '3')"
    )
    job = batch.python(code, retryStrategy={"attempts": 5})
    detail = batch.finished(job)
    assert detail["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in detail["attempts"]] == [1, 1, 0]
    assert len({attempt["container"]["logStreamName"] for attempt in detail["attempts"]}) == 3
    assert batch.output(job) == ["attempt 3"]


def test_attempts_of_the_definition_and_the_last_failure_counts(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    seen = threading.Event()
    stay(monkeypatch, lambda job: job.status == "RUNNABLE" and job.attempts and not seen.is_set())
    with LocalBatch(create=True, start_delay=0) as server:
        batch = Batch(server.url)
        attempts = {"retryStrategy": {"attempts": 2}}
        batch.register("twice", attempts, command=["sh", "-c", "exit 4"])
        job = batch.client.submit_job(
            jobName="x", jobQueue="delayed-jobs", jobDefinition="twice:1"
        )["jobId"]
        again = wait_for(
            lambda: [j for j in batch.describe(job) if j["status"] == "RUNNABLE" and j["attempts"]]
        )[0]
        seen.set()
        assert "startedAt" not in again
        assert again["retryStrategy"] == {"attempts": 2}
        detail = batch.finished(job)
        assert (detail["status"], detail["container"]["exitCode"], len(detail["attempts"])) == (
            "FAILED",
            4,
            2,
        )


@pytest.mark.parametrize(
    ("rules", "attempts"),
    [
        ([{"onExitCode": "3", "action": "EXIT"}], 1),
        ([{"onExitCode": "4", "action": "EXIT"}], 2),
        (
            [
                {"onStatusReason": "Essential*", "onExitCode": "3", "action": "RETRY"},
                {"onExitCode": "*", "action": "EXIT"},
            ],
            2,
        ),
        ([{"onReason": "Cannot*", "action": "RETRY"}, {"onExitCode": "*", "action": "exit"}], 1),
    ],
)
def test_evaluate_on_exit(batch: Batch, rules: list[dict[str, str]], attempts: int) -> None:
    job = batch.submit("sh", "-c", "exit 3", retryStrategy={"attempts": 2, "evaluateOnExit": rules})
    assert len(batch.finished(job)["attempts"]) == attempts


def until_exists(file: Path) -> tuple[str, ...]:
    """A command that ends once that file exists."""
    return ("sh", "-c", f"until test -e {file}; do sleep 0.05; done")


def test_a_dependency_is_waited_for(batch: Batch, tmp_path: Path) -> None:
    first = batch.submit(*until_exists(tmp_path / "go"))
    second = batch.submit("true", dependsOn=[{"jobId": first}])
    batch.until_status(first, "RUNNING")
    batch.until_status(second, "PENDING")
    (tmp_path / "go").touch()
    assert batch.finished(second)["status"] == "SUCCEEDED"
    assert batch.describe(first)[0]["stoppedAt"] <= batch.describe(second)[0]["startedAt"]


def test_a_failed_dependency_fails_its_dependants(batch: Batch, tmp_path: Path) -> None:
    *shell, wait = until_exists(tmp_path / "go")
    first = batch.submit(*shell, f"{wait}; exit 1")
    second = batch.submit("true", dependsOn=[{"jobId": first}])
    third = batch.submit("true", dependsOn=[{"jobId": second}])
    batch.until_status(third, "PENDING")
    (tmp_path / "go").touch()
    detail = batch.finished(third)
    assert (detail["status"], detail["statusReason"], detail["attempts"]) == (
        "FAILED",
        "Dependent job failed",
        [],
    )


def test_jobs_beyond_the_limit_stay_runnable(tmp_path: Path) -> None:
    with LocalBatch(create=True, max_running=2, start_delay=0) as server:
        batch = Batch(server.url)
        jobs = [batch.submit(*until_exists(tmp_path / "go")) for _ in range(5)]
        statuses = lambda: sorted(job["status"] for job in batch.describe(*jobs))  # noqa: E731
        wait_for(lambda: statuses() == ["RUNNABLE"] * 3 + ["RUNNING"] * 2)
        assert statuses() == ["RUNNABLE"] * 3 + ["RUNNING"] * 2
        (tmp_path / "go").touch()
        assert all(batch.finished(job)["status"] == "SUCCEEDED" for job in jobs)


def test_hundreds_wait_without_a_thread_each_and_all_run() -> None:
    before = threading.active_count()
    with LocalBatch(create=True, max_running=4, start_delay=0) as server:
        batch = Batch(server.url)
        blockers = [batch.submit("sleep", "600") for _ in range(4)]
        jobs = [batch.submit("true") for _ in range(300)]
        wait_for(lambda: len(batch.listed(jobStatus="RUNNABLE")) == 300)
        # Those that have answered our requests may take a moment to end.
        wait_for(lambda: threading.active_count() < before + 20)
        for blocker in blockers:
            batch.client.terminate_job(jobId=blocker, reason="go")
        wait_for(lambda: len(batch.listed(jobStatus="SUCCEEDED")) == len(jobs), 400)


def test_hundreds_run_at_once() -> None:
    with LocalBatch(create=True, max_running=1000, start_delay=0) as server:
        batch = Batch(server.url)
        for _ in range(200):
            batch.submit("sleep", "600")
        wait_for(lambda: len(batch.listed()) == 200, 400)


def test_two_servers_in_one_process_share_nothing() -> None:
    with (
        LocalBatch(create=True, start_delay=0) as one,
        LocalBatch(create=True, start_delay=0) as two,
    ):
        first, second = Batch(one.url), Batch(two.url)
        first.client.update_job_queue(jobQueue="delayed-jobs", state="DISABLED")
        job = second.submit("true")
        assert second.finished(job)["status"] == "SUCCEEDED"
        assert first.describe(job) == []


def test_a_server_that_is_closed_leaves_no_account_in_memory() -> None:
    """Each would be all of moto's objects, of which its network tells."""

    def networks() -> int:
        gc.collect()
        return sum(type(one) is VPC for one in gc.get_objects())

    def serve() -> int:
        with LocalBatch(create=True) as server:
            assert Batch(server.url).client.describe_job_queues()["jobQueues"]
            return networks()

    serve()
    before = networks()
    assert serve() > before
    assert networks() == before


def test_every_region_has_the_queue_and_its_own_jobs(server: LocalBatch) -> None:
    there, here = Batch(server.url, "eu-central-1"), Batch(server.url)
    job = there.submit("true")
    assert there.finished(job)["jobArn"].startswith("arn:aws:batch:eu-central-1:")
    assert here.describe(job) == []
