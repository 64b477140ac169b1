"""How jobs end before they're done: timeouts, TerminateJob, CancelJob, the end of the
server.
"""

from __future__ import annotations

import os
import threading
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from batchexec.local.execution import Execution
from batchexec.local.faults import LOOK
from batchexec.local.leftovers import identity
from batchexec.local.server import LocalBatch
from tests.batchexec.local_helpers import Batch, stay
from tests.processes import wait_for

#: Shells, which are ready sooner than Python is.
IGNORES_TERM = ("sh", "-c", "trap '' TERM; echo ready; while :; do sleep 1; done")
EXITS_7_ON_TERM = ("sh", "-c", "trap 'exit 7' TERM; echo ready; while :; do sleep 0.1; done")


@pytest.fixture
def batch(server: LocalBatch) -> Batch:
    return Batch(server.url)


@pytest.fixture
def patient(local_batch: Callable[..., LocalBatch]) -> Batch:
    """Where a job has as long to end as it takes."""
    server = local_batch(start_delay=0.06, stop_grace=3600, allow_short_timeouts=True)
    return Batch(server.url)


@pytest.fixture
def _once_ready(monkeypatch: pytest.MonkeyPatch) -> None:
    """A time-out comes in its time, but not before the job has said "ready"."""
    after = Execution._after

    def later(self: Execution, seconds: float, action: Callable[[], None]) -> None:
        log = self._machine.logs.path(self.job.id)

        def once_ready() -> None:
            if b"ready\n" in log.read_bytes():
                action()
            else:
                after(self, LOOK, once_ready)

        after(self, seconds, once_ready)

    monkeypatch.setattr(Execution, "_after", later)


@pytest.mark.usefixtures("_once_ready")
def test_a_timeout_sends_sigterm_and_is_not_retried(patient: Batch) -> None:
    job = patient.submit(
        *EXITS_7_ON_TERM, timeout={"attemptDurationSeconds": 1}, retryStrategy={"attempts": 3}
    )
    detail = patient.finished(job)
    assert (detail["status"], detail["statusReason"]) == (
        "FAILED",
        "Job attempt duration exceeded timeout",
    )
    assert detail["container"]["exitCode"] == 7
    assert len(detail["attempts"]) == 1
    assert detail["stoppedAt"] - detail["startedAt"] >= 1000
    assert detail["timeout"] == {"attemptDurationSeconds": 1}


@pytest.mark.usefixtures("_once_ready")
def test_a_timeout_kills_what_ignores_sigterm(batch: Batch) -> None:
    detail = batch.finished(batch.submit(*IGNORES_TERM, timeout={"attemptDurationSeconds": 1}))
    assert (detail["statusReason"], detail["container"]["exitCode"]) == (
        "Job attempt duration exceeded timeout",
        137,
    )


def test_terminating_a_running_job_sends_sigterm_and_shows_the_reason(patient: Batch) -> None:
    job = patient.submit(*EXITS_7_ON_TERM, retryStrategy={"attempts": 2})
    patient.until_output(job, "ready")
    patient.client.terminate_job(jobId=job, reason="not needed")
    patient.client.terminate_job(jobId=job, reason="again")
    detail = patient.finished(job)
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
    job = batch.submit("sh", "-c", f"sleep 600 & echo $! > {tmp_path}/pid; exit 0")
    assert batch.finished(job)["status"] == "SUCCEEDED"
    child = int((tmp_path / "pid").read_text())
    wait_for(lambda: identity(child) is None)


def test_a_job_that_waits_is_cancelled_or_terminated_at_once() -> None:
    with LocalBatch(create=True, start_delay=3600) as server:
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


def test_a_job_terminated_while_it_starts_never_runs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    terminated = threading.Event()
    stay(monkeypatch, lambda job: job.status == "STARTING" and not terminated.is_set())
    with LocalBatch(create=True, start_delay=0) as server:
        batch = Batch(server.url)
        job = batch.submit("touch", str(tmp_path / "ran"))
        batch.until_status(job, "STARTING")
        batch.client.cancel_job(jobId=job, reason="too late")
        batch.client.terminate_job(jobId=job, reason="in time")
        terminated.set()
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
    with LocalBatch(create=True, start_delay=3600) as server:
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
        batch.submit("sleep", "600", name="not-started-yet")
    assert set(threading.enumerate()) <= before
    with pytest.raises(ProcessLookupError):
        os.kill(int((tmp_path / "pid").read_text()), 0)


def test_a_container_is_told_to_end_once(tmp_path: Path) -> None:
    with LocalBatch(create=True, start_delay=0, shutdown_grace=600) as server:
        batch = Batch(server.url)
        # Goes on for as long as it might be told again.
        code = f"""
import pathlib, signal, time
told = pathlib.Path({str(tmp_path / "told")!r})
signal.signal(15, lambda *_: told.open("a").write("TERM "))
print("ready", flush=True)
while not told.exists():
    time.sleep(0.02)
time.sleep(0.5)
"""
        batch.until_output(batch.python(code), "ready")
    assert (tmp_path / "told").read_text() == "TERM "
