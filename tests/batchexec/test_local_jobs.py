"""The life of a job on localbatch, as a boto3 client sees it."""

from __future__ import annotations

import os
import shlex
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest
from django.conf import settings

from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import PYTHON, Batch, until

IGNORES_TERM = "import signal, time; signal.signal(15, signal.SIG_IGN); print('ready', flush=True); time.sleep(60)"
EXITS_7_ON_TERM = (
    "import signal, sys, time; signal.signal(15, lambda *_: sys.exit(7)); print('ready', flush=True); time.sleep(60)"
)


@pytest.fixture
def server() -> Iterator[LocalBatch]:
    with LocalBatch(start_delay=0.06, stop_grace=0.3, allow_short_timeouts=True, max_running=8) as server:
        yield server


@pytest.fixture
def batch(server: LocalBatch) -> Batch:
    return Batch(server.url)


def test_a_job_is_seen_in_every_state_and_starts_soon() -> None:
    with LocalBatch(start_delay=0.3) as server:
        batch = Batch(server.url)
        job = batch.submit("sleep", "0.2")
        seen: list[str] = []

        def look() -> bool:
            status = batch.status(job)
            if status not in seen:
                seen.append(status)
            return status == "SUCCEEDED"

        until(look)
        assert seen == ["SUBMITTED", "RUNNABLE", "STARTING", "RUNNING", "SUCCEEDED"]
        detail = batch.describe(job)[0]
        assert 300 <= detail["startedAt"] - detail["createdAt"] < 800


def test_nobody_needs_to_look_for_a_job_to_run(batch: Batch, server: LocalBatch, tmp_path: Path) -> None:
    batch.submit("touch", str(tmp_path / "ran"))
    until((tmp_path / "ran").exists)
    assert set(server.calls()["counts"]) == {"SubmitJob"}


def test_success_is_exit_code_0(batch: Batch) -> None:
    detail = batch.finished(batch.python("print('hello'); print('wörld')"))
    assert detail["status"] == "SUCCEEDED"
    assert detail["statusReason"] == "Essential container in task exited"
    assert detail["container"]["exitCode"] == 0
    assert "reason" not in detail["container"]
    assert batch.output(detail["jobId"]) == ["hello", "wörld"]


def test_failure_keeps_the_exit_code(batch: Batch) -> None:
    detail = batch.finished(batch.submit("sh", "-c", "echo oops >&2; exit 3"))
    assert (detail["status"], detail["statusReason"]) == ("FAILED", "Essential container in task exited")
    assert detail["container"]["exitCode"] == 3
    (attempt,) = detail["attempts"]
    assert attempt["container"]["exitCode"] == 3
    assert attempt["container"]["logStreamName"] == detail["container"]["logStreamName"]
    assert attempt["statusReason"] == "Essential container in task exited"
    assert detail["createdAt"] <= attempt["startedAt"] <= attempt["stoppedAt"]
    assert batch.output(detail["jobId"]) == ["oops"]


def test_a_signal_is_reported_as_128_and_its_number(batch: Batch) -> None:
    assert batch.finished(batch.submit("sh", "-c", "kill -9 $$"))["container"]["exitCode"] == 137


def test_a_missing_binary_fails_to_start(batch: Batch) -> None:
    detail = batch.finished(batch.submit("/no/such/binary"))
    assert (detail["status"], detail["statusReason"]) == ("FAILED", "Task failed to start")
    assert detail["container"]["reason"].startswith("CannotStartContainerError: ")
    assert "exitCode" not in detail["container"]
    assert "logStreamName" not in detail["container"]
    assert "startedAt" not in detail


def test_the_environment_is_the_servers_without_aws_and_with_batchs_own(batch: Batch, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_ENDPOINT_URL_BATCH", "http://127.0.0.1:1")
    monkeypatch.setenv("FROM_THE_SERVER", "yes")
    batch.client.register_job_definition(
        jobDefinitionName="with-environment",
        type="container",
        containerProperties={
            "image": "x",
            "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}],
            "environment": [{"name": "A", "value": "definition"}, {"name": "B", "value": "definition"}],
        },
    )
    overrides = {"environment": [{"name": "B", "value": "override"}]}
    code = "import os; print(*sorted(f'{k}={v}' for k, v in os.environ.items()), os.getcwd(), sep='\\n')"
    job = batch.python(code, definition="with-environment", overrides=overrides)
    detail = batch.finished(job)
    output = batch.output(job)
    assert {
        f"AWS_BATCH_JOB_ID={job}",
        "AWS_BATCH_JOB_ATTEMPT=1",
        "AWS_BATCH_JQ_NAME=delayed-jobs",
        "AWS_BATCH_CE_NAME=localbatch",
        "A=definition",
        "B=override",
        "FROM_THE_SERVER=yes",
        str(settings.BASE_DIR),
    } <= set(output)
    assert not [line for line in output if line.startswith(("AWS_ACCESS_KEY", "AWS_SECRET", "AWS_ENDPOINT"))]
    expected = [{"name": "A", "value": "definition"}, {"name": "B", "value": "override"}]
    assert detail["container"]["environment"] == expected
    assert batch.describe(job)[0]["container"]["environment"] == expected


def test_python_is_the_servers_own(batch: Batch) -> None:
    job = batch.python("import sys; print(sys.executable)")
    batch.finished(job)
    assert batch.output(job) == [PYTHON]


def test_parameters_fill_placeholders(batch: Batch) -> None:
    job = batch.submit("echo", "Ref::what", "Ref::whatever", parameters={"what": "a", "whatever": "b"})
    batch.finished(job)
    assert batch.output(job) == ["a b"]


def test_resource_overrides_are_described(batch: Batch) -> None:
    wanted = [{"type": "VCPU", "value": "2"}, {"type": "MEMORY", "value": "4096"}]
    detail = batch.describe(batch.submit("true", overrides={"resourceRequirements": wanted}))[0]
    assert detail["container"]["resourceRequirements"] == wanted


def test_logs_can_be_read_while_it_runs_and_are_a_file(tmp_path: Path) -> None:
    with LocalBatch(folder=tmp_path, start_delay=0) as server:
        batch = Batch(server.url)
        job = batch.submit("sh", "-c", "echo ready; exec sleep 60")
        batch.until_output(job, "ready")
        assert (tmp_path / f"{job}.log").read_text() == "ready\n"


def test_echo_shows_output(capfd: pytest.CaptureFixture[str]) -> None:
    with LocalBatch(echo=True, start_delay=0) as server:
        batch = Batch(server.url)
        job = batch.submit("sh", "-c", "echo seen; exec sleep 60")
        until(lambda: f"{job[:8]} seen\n" in capfd.readouterr().out)


def test_a_timeout_sends_sigterm_and_is_not_retried(batch: Batch) -> None:
    job = batch.python(EXITS_7_ON_TERM, timeout={"attemptDurationSeconds": 1}, retryStrategy={"attempts": 3})
    detail = batch.finished(job)
    assert (detail["status"], detail["statusReason"]) == ("FAILED", "Job attempt duration exceeded timeout")
    assert detail["container"]["exitCode"] == 7
    assert len(detail["attempts"]) == 1
    assert 1000 <= detail["stoppedAt"] - detail["startedAt"] < 2500
    assert detail["timeout"] == {"attemptDurationSeconds": 1}


def test_a_timeout_kills_what_ignores_sigterm(batch: Batch) -> None:
    detail = batch.finished(batch.python(IGNORES_TERM, timeout={"attemptDurationSeconds": 1}))
    assert (detail["statusReason"], detail["container"]["exitCode"]) == ("Job attempt duration exceeded timeout", 137)


def test_terminating_a_running_job_sends_sigterm_and_shows_the_reason(batch: Batch) -> None:
    job = batch.python(EXITS_7_ON_TERM, retryStrategy={"attempts": 2})
    batch.until_output(job, "ready")
    batch.client.terminate_job(jobId=job, reason="not needed")
    batch.client.terminate_job(jobId=job, reason="again")
    detail = batch.finished(job)
    assert (detail["status"], detail["statusReason"]) == ("FAILED", "not needed")
    assert detail["isTerminated"] is True
    assert detail["container"]["exitCode"] == 7
    assert len(detail["attempts"]) == 1


def test_terminating_kills_what_ignores_sigterm_after_the_grace(batch: Batch) -> None:
    job = batch.python(IGNORES_TERM)
    batch.until_output(job, "ready")
    start = time.monotonic()
    batch.client.terminate_job(jobId=job, reason="enough")
    assert batch.finished(job)["container"]["exitCode"] == 137
    assert time.monotonic() - start >= 0.3


def test_the_end_of_a_container_is_the_end_of_its_children(batch: Batch, tmp_path: Path) -> None:
    job = batch.submit("sh", "-c", f"(sleep 1; touch {tmp_path}/survived) & exit 0")
    assert batch.finished(job)["status"] == "SUCCEEDED"
    later = batch.submit("sleep", "1.3")
    batch.finished(later)
    assert not (tmp_path / "survived").exists()


def test_a_job_that_waits_is_cancelled_or_terminated_at_once() -> None:
    with LocalBatch(start_delay=60) as server:
        batch = Batch(server.url)
        first, second = batch.submit("true"), batch.submit("true")
        batch.client.cancel_job(jobId=first, reason="changed my mind")
        batch.client.terminate_job(jobId=second, reason="me too")
        cancelled, terminated = batch.describe(first, second)
        assert (cancelled["status"], cancelled["statusReason"]) == ("FAILED", "changed my mind")
        assert cancelled["attempts"] == terminated["attempts"] == []
        assert cancelled["isCancelled"] is True
        assert terminated["isTerminated"] is True
        assert (terminated["status"], terminated["statusReason"]) == ("FAILED", "me too")


def test_a_job_terminated_while_it_starts_never_runs(tmp_path: Path) -> None:
    with LocalBatch(start_delay=0.6) as server:
        batch = Batch(server.url)
        job = batch.submit("touch", str(tmp_path / "ran"))
        batch.until_status(job, "STARTING")
        batch.client.cancel_job(jobId=job, reason="too late")
        batch.client.terminate_job(jobId=job, reason="in time")
        detail = batch.finished(job)
        assert (detail["status"], detail["statusReason"]) == ("FAILED", "in time")
        assert "isCancelled" not in detail
        assert not (tmp_path / "ran").exists()


def test_cancelling_leaves_a_running_job_alone_and_unknown_ids_are_fine(batch: Batch) -> None:
    job = batch.submit("sleep", "0.3")
    batch.until_status(job, "RUNNING")
    batch.client.cancel_job(jobId=job, reason="too late")
    batch.client.cancel_job(jobId="unknown", reason="x")
    batch.client.terminate_job(jobId="unknown", reason="x")
    detail = batch.finished(job)
    assert detail["status"] == "SUCCEEDED"
    assert "isCancelled" not in detail
    batch.client.terminate_job(jobId=job, reason="finished long ago")
    assert batch.status(job) == "SUCCEEDED"


def test_many_are_stopped_in_one_call() -> None:
    with LocalBatch(start_delay=60) as server:
        batch = Batch(server.url)
        jobs = [batch.submit("true") for _ in range(3)]
        reply = batch.client.cancel_jobs(jobs=[*jobs[:2], "unknown"], reason="bulk")
        assert (reply["successful"], reply["errors"]) == ([*jobs[:2], "unknown"], [])
        batch.client.terminate_jobs(jobs=jobs, reason="all")
        assert [job["statusReason"] for job in batch.describe(*jobs)] == ["bulk", "bulk", "all"]


def test_attempts_run_the_same_job_again(batch: Batch) -> None:
    code = "import os, sys; n = os.environ['AWS_BATCH_JOB_ATTEMPT']; print('attempt', n); sys.exit(n != '3')"
    job = batch.python(code, retryStrategy={"attempts": 5})
    detail = batch.finished(job)
    assert detail["status"] == "SUCCEEDED"
    assert [attempt["container"]["exitCode"] for attempt in detail["attempts"]] == [1, 1, 0]
    assert len({attempt["container"]["logStreamName"] for attempt in detail["attempts"]}) == 3
    assert batch.output(job) == ["attempt 3"]


def test_attempts_of_the_definition_and_the_last_failure_counts() -> None:
    with LocalBatch(start_delay=0.6) as server:
        batch = Batch(server.url)
        batch.client.register_job_definition(
            jobDefinitionName="twice",
            type="container",
            retryStrategy={"attempts": 2},
            containerProperties={
                "image": "x",
                "command": ["sh", "-c", "exit 4"],
                "resourceRequirements": [{"type": "VCPU", "value": "1"}, {"type": "MEMORY", "value": "2048"}],
            },
        )
        job = batch.client.submit_job(jobName="x", jobQueue="delayed-jobs", jobDefinition="twice:1")["jobId"]
        again = until(lambda: [j for j in batch.describe(job) if j["status"] == "RUNNABLE" and j["attempts"]])[0]
        assert "startedAt" not in again
        assert again["retryStrategy"] == {"attempts": 2}
        detail = batch.finished(job)
        assert (detail["status"], detail["container"]["exitCode"], len(detail["attempts"])) == ("FAILED", 4, 2)


@pytest.mark.parametrize(
    ("rules", "attempts"),
    [
        ([{"onExitCode": "3", "action": "EXIT"}], 1),
        ([{"onExitCode": "4", "action": "EXIT"}], 2),
        ([{"onStatusReason": "Essential*", "onExitCode": "3", "action": "RETRY"}, {"onExitCode": "*", "action": "EXIT"}], 2),
        ([{"onReason": "Cannot*", "action": "RETRY"}, {"onExitCode": "*", "action": "exit"}], 1),
    ],
)
def test_evaluate_on_exit(batch: Batch, rules: list[dict[str, str]], attempts: int) -> None:
    job = batch.submit("sh", "-c", "exit 3", retryStrategy={"attempts": 2, "evaluateOnExit": rules})
    assert len(batch.finished(job)["attempts"]) == attempts


def test_a_dependency_is_waited_for(batch: Batch) -> None:
    first = batch.submit("sleep", "0.3")
    second = batch.submit("true", dependsOn=[{"jobId": first}])
    batch.until_status(second, "PENDING")
    assert batch.finished(second)["status"] == "SUCCEEDED"
    assert batch.describe(first)[0]["stoppedAt"] <= batch.describe(second)[0]["startedAt"]


def test_a_failed_dependency_fails_its_dependants(batch: Batch) -> None:
    first = batch.submit("sh", "-c", "sleep 0.2; exit 1")
    second = batch.submit("true", dependsOn=[{"jobId": first}])
    third = batch.submit("true", dependsOn=[{"jobId": second}])
    detail = batch.finished(third)
    assert (detail["status"], detail["statusReason"], detail["attempts"]) == ("FAILED", "Dependent Job failed", [])


def test_jobs_beyond_the_limit_stay_runnable() -> None:
    with LocalBatch(max_running=2, start_delay=0) as server:
        batch = Batch(server.url)
        jobs = [batch.submit("sleep", "0.3") for _ in range(5)]
        batch.until_status(jobs[1], "RUNNING")
        assert [job["status"] for job in batch.describe(*jobs)].count("RUNNABLE") == 3
        assert all(batch.finished(job)["status"] == "SUCCEEDED" for job in jobs)


def test_hundreds_wait_without_a_thread_each_and_all_run() -> None:
    with LocalBatch(max_running=4, start_delay=0) as server:
        batch = Batch(server.url)
        blockers = [batch.submit("sleep", "60") for _ in range(4)]
        jobs = [batch.submit("true") for _ in range(300)]
        until(lambda: len(batch.listed(jobStatus="RUNNABLE")) == 300)
        assert threading.active_count() < 20
        for blocker in blockers:
            batch.client.terminate_job(jobId=blocker, reason="go")
        until(lambda: len(batch.listed(jobStatus="SUCCEEDED")) == len(jobs))


def test_hundreds_run_at_once() -> None:
    with LocalBatch(max_running=1000, start_delay=0) as server:
        batch = Batch(server.url)
        for _ in range(200):
            batch.submit("sleep", "60")
        until(lambda: len(batch.listed()) == 200)


def test_leaving_ends_threads_and_processes(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with LocalBatch(start_delay=0, shutdown_grace=0.3) as server:
        batch = Batch(server.url)
        job = batch.submit("sh", "-c", f"echo $$ > {tmp_path}/pid; exec {PYTHON} -c {shlex.quote(IGNORES_TERM)}")
        batch.until_output(job, "ready")
        batch.submit("sleep", "60", name="not-started-yet")
    assert set(threading.enumerate()) == before
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_container_is_told_to_end_once(tmp_path: Path) -> None:
    with LocalBatch(start_delay=0, shutdown_grace=0.5) as server:
        batch = Batch(server.url)
        told = f"open({str(tmp_path / 'told')!r}, 'a').write('TERM ')"
        code = f"import signal, time; signal.signal(15, lambda *_: {told}); print('ready', flush=True)"
        job = batch.python(f"{code}\nwhile True: time.sleep(60)")
        batch.until_output(job, "ready")
    assert (tmp_path / "told").read_text() == "TERM "


def test_two_servers_in_one_process_share_nothing() -> None:
    with LocalBatch(start_delay=0) as one, LocalBatch(start_delay=0) as two:
        first, second = Batch(one.url), Batch(two.url)
        first.client.update_job_queue(jobQueue="delayed-jobs", state="DISABLED")
        job = second.submit("true")
        assert second.finished(job)["status"] == "SUCCEEDED"
        assert first.describe(job) == []


def test_every_region_has_the_queue_and_its_own_jobs(server: LocalBatch) -> None:
    there, here = Batch(server.url, "eu-central-1"), Batch(server.url)
    job = there.submit("true")
    assert there.finished(job)["jobArn"].startswith("arn:aws:batch:eu-central-1:")
    assert here.describe(job) == []
