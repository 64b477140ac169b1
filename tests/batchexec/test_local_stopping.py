"""How jobs end before they're done: timeouts, TerminateJob, CancelJob, the end of the
server.
"""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path

import pytest

from batchexec.local.leftovers import identity
from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Batch, until

#: Shells, which are ready sooner than Python is.
IGNORES_TERM = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
EXITS_7_ON_TERM = ("sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done")


@pytest.fixture
def batch(server: LocalBatch) -> Batch:
    return Batch(server.url)


def test_a_timeout_sends_sigterm_and_is_not_retried(batch: Batch) -> None:
    job = batch.submit(
        *EXITS_7_ON_TERM, timeout={"attemptDurationSeconds": 1}, retryStrategy={"attempts": 3}
    )
    detail = batch.finished(job)
    assert (detail["status"], detail["statusReason"]) == (
        "FAILED",
        "Job attempt duration exceeded timeout",
    )
    assert detail["container"]["exitCode"] == 7
    assert len(detail["attempts"]) == 1
    assert detail["stoppedAt"] - detail["startedAt"] >= 1000
    assert detail["timeout"] == {"attemptDurationSeconds": 1}


def test_a_timeout_kills_what_ignores_sigterm(batch: Batch) -> None:
    detail = batch.finished(batch.submit(*IGNORES_TERM, timeout={"attemptDurationSeconds": 1}))
    assert (detail["statusReason"], detail["container"]["exitCode"]) == (
        "Job attempt duration exceeded timeout",
        137,
    )


def test_terminating_a_running_job_sends_sigterm_and_shows_the_reason(batch: Batch) -> None:
    job = batch.submit(*EXITS_7_ON_TERM, retryStrategy={"attempts": 2})
    batch.until_output(job, "ready")
    batch.client.terminate_job(jobId=job, reason="not needed")
    batch.client.terminate_job(jobId=job, reason="again")
    detail = batch.finished(job)
    assert (detail["status"], detail["statusReason"]) == ("FAILED", "not needed")
    assert detail["isTerminated"] is True
    assert detail["container"]["exitCode"] == 7
    assert len(detail["attempts"]) == 1


def test_terminating_kills_what_ignores_sigterm_after_the_grace(batch: Batch) -> None:
    job = batch.submit(*IGNORES_TERM)
    batch.until_output(job, "ready")
    start = time.monotonic()
    batch.client.terminate_job(jobId=job, reason="enough")
    assert batch.finished(job)["container"]["exitCode"] == 137
    assert time.monotonic() - start >= 0.3


def test_the_end_of_a_container_is_the_end_of_its_children(batch: Batch, tmp_path: Path) -> None:
    job = batch.submit("sh", "-c", f"sleep 60 & echo $! > {tmp_path}/pid; exit 0")
    assert batch.finished(job)["status"] == "SUCCEEDED"
    child = int((tmp_path / "pid").read_text())
    until(lambda: identity(child) is None)


def test_a_job_that_waits_is_cancelled_or_terminated_at_once() -> None:
    with LocalBatch(create=True, start_delay=60) as server:
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
    with LocalBatch(create=True, start_delay=3) as server:
        batch = Batch(server.url)
        job = batch.submit("touch", str(tmp_path / "ran"))
        batch.until_status(job, "STARTING")
        batch.client.cancel_job(jobId=job, reason="too late")
        batch.client.terminate_job(jobId=job, reason="in time")
        detail = batch.finished(job)
        assert (detail["status"], detail["statusReason"]) == ("FAILED", "in time")
        assert "isCancelled" not in detail
        assert not (tmp_path / "ran").exists()


def test_cancelling_leaves_a_running_job_alone_and_unknown_ids_are_fine(
    batch: Batch, tmp_path: Path
) -> None:
    job = batch.submit("sh", "-c", f"until test -e {tmp_path}/go; do sleep 0.05; done")
    batch.until_status(job, "RUNNING")
    batch.client.cancel_job(jobId=job, reason="too late")
    batch.client.cancel_job(jobId="unknown", reason="x")
    batch.client.terminate_job(jobId="unknown", reason="x")
    assert batch.status(job) == "RUNNING"
    (tmp_path / "go").touch()
    detail = batch.finished(job)
    assert detail["status"] == "SUCCEEDED"
    assert "isCancelled" not in detail
    batch.client.terminate_job(jobId=job, reason="finished long ago")
    assert batch.status(job) == "SUCCEEDED"


def test_many_are_stopped_in_one_call() -> None:
    with LocalBatch(create=True, start_delay=60) as server:
        batch = Batch(server.url)
        jobs = [batch.submit("true") for _ in range(3)]
        reply = batch.client.cancel_jobs(jobs=[*jobs[:2], "unknown"], reason="bulk")
        assert (reply["successful"], reply["errors"]) == ([*jobs[:2], "unknown"], [])
        batch.client.terminate_jobs(jobs=jobs, reason="all")
        assert [job["statusReason"] for job in batch.describe(*jobs)] == ["bulk", "bulk", "all"]


def test_leaving_ends_threads_and_processes(tmp_path: Path) -> None:
    before = set(threading.enumerate())
    with LocalBatch(create=True, start_delay=0, shutdown_grace=0.3) as server:
        batch = Batch(server.url)
        job = batch.submit("sh", "-c", f"echo $$ > {tmp_path}/pid; {IGNORES_TERM[2]}")
        batch.until_output(job, "ready")
        batch.submit("sleep", "60", name="not-started-yet")
    assert set(threading.enumerate()) <= before
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_container_is_told_to_end_once(tmp_path: Path) -> None:
    with LocalBatch(create=True, start_delay=0, shutdown_grace=0.5) as server:
        batch = Batch(server.url)
        told = f"open({str(tmp_path / 'told')!r}, 'a').write('TERM ')"
        code = (
            f"import signal, time; signal.signal(15, lambda *_: {told}); print('ready', flush=True)"
        )
        job = batch.python(f"{code}\nwhile True: time.sleep(60)")
        batch.until_output(job, "ready")
    assert (tmp_path / "told").read_text() == "TERM "
