"""Jobs that take too long, and jobs that don't let go of the process."""

from __future__ import annotations

import datetime as dt
import json
import os
import threading
import time
from contextlib import suppress

import pytest

import jobs
from jobs.exceptions import Terminated, WorkerTimeout
from jobs.execution import questions
from jobs.execution.interrupts import Interruptible
from jobs.models import Job, State
from jobs.plugins import ErrorReports
from jobs.store import store_for
from tests.handlers import set_handler
from tests.limits import AN_HOUR, AnHour, end_is_near
from tests.processes import lines, row, wait_for
from tests.samples import HogUntil, Record, Stubborn, append, calls

pytestmark = pytest.mark.django_db(transaction=True)


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_job_is_ended_at_its_limit_by_what_except_exception_does_not_swallow(
    settings, tmp_path, concurrency
):
    settings.JOBS = {"MAX_RUN_TIME": dt.timedelta(seconds=0.3)}
    log = tmp_path / "log"
    job = jobs.enqueue(Stubborn(str(log)))
    assert jobs.Worker(concurrency=concurrency).work_off(1) == (0, 1)
    assert row(job).last_error.startswith(
        "WorkerTimeout: execution expired (max_run_time is 0.3 seconds)"
    )
    assert "swallowed" not in lines(log)


class Cleans(jobs.Performable):
    def perform(self) -> None:
        try:
            end_is_near()
            while True:
                time.sleep(0.01)
        except jobs.WorkerTimeout as error:
            calls.append(str(error))
            raise


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_job_that_is_interrupted_can_clean_up_after_its_documented_error(
    settings, calls, concurrency
):
    settings.JOBS = {"MAX_RUN_TIME": AN_HOUR}
    job = jobs.enqueue(Cleans())
    assert jobs.Worker(concurrency=concurrency).work_off(1) == (0, 1)
    assert calls == ["execution expired (max_run_time is 3600 seconds)"]
    assert row(job).last_error.startswith(f"WorkerTimeout: {calls[0]}")


@pytest.mark.parametrize("error", [WorkerTimeout("too long"), Terminated("told to stop")])
def test_what_interrupts_a_thread_is_caught_by_its_class_and_has_its_text(error):
    caught: list[BaseException] = []
    begun = threading.Event()

    def run() -> None:
        with suppress(type(error)), stretch:
            try:
                begun.set()
                while True:
                    time.sleep(0.01)
            except type(error) as raised:
                caught.append(raised)
                raise

    stretch = Interruptible(error)
    thread = threading.Thread(target=run)
    thread.start()
    assert begun.wait(60)
    stretch.interrupt()
    thread.join(60)
    [raised] = caught
    assert (type(raised).__name__, str(raised)) == (type(error).__name__, str(error))


def test_the_shorter_limit_counts_and_is_named(settings, tmp_path):
    settings.JOBS = {"MAX_RUN_TIME": 3600}
    payload = Stubborn(str(tmp_path / "log"))
    payload.max_run_time = 0.2
    job = jobs.enqueue(payload)
    jobs.Worker().work_off(1)
    assert "max_run_time is 0.2 seconds" in row(job).last_error
    settings.JOBS = {"MAX_RUN_TIME": 0.1}
    Job.objects.update(state=State.READY)
    jobs.Worker().work_off(1)
    assert "max_run_time is 0.1 seconds" in row(job).last_error


def test_a_job_that_cannot_be_interrupted_is_recorded_and_its_process_is_ended(start, tmp_path):
    log = tmp_path / "log"
    job = jobs.enqueue(Stubborn(str(log), "BaseException"))
    plugins = [f"{one.__module__}.{one.__name__}" for one in (Raises, Reports, AnHour)]
    reports = tmp_path / "reports"
    worker = start(
        "jobworker",
        JOBS_MAX_RUN_TIME="10",  # by then it has begun, however slow the machine is
        JOBS_PLUGINS=",".join(plugins),
        REPORTS=str(reports),
    )
    wait_for(lambda: lines(log))
    assert worker.wait() == -9
    wait_for(lambda: row(job).attempts == 1)
    assert (row(job).state, row(job).epoch) == (State.SCHEDULED, 1)
    assert "could not be interrupted" in row(job).last_error
    assert "swallowed" in lines(log)
    told = f"{job.pk} WorkerTimeout attempts=1 last=False"
    wait_for(lambda: lines(reports) == [told], what="it was reported, once")


class Reports(ErrorReports):
    def report(self, job, error, *, last):
        text = f"{job.pk} {type(error).__name__} attempts={job.attempts} last={last}"
        append(os.environ["REPORTS"], text)


class Raises(ErrorReports):
    def report(self, job, error, *, last):
        raise SystemExit("the reporter is broken")


def test_a_lease_is_renewed_while_a_job_holds_the_interpreters_lock(start, tmp_path):
    log, fifo = tmp_path / "log", tmp_path / "fifo"
    os.mkfifo(fifo)
    job = jobs.enqueue(HogUntil(str(log), str(fifo)))
    lease = 16.0  # a busy machine may hold up for long whoever is to renew it
    other = start("jobworker", "--name", "other", "--queues", "none", JOBS_LEASE=str(lease))
    wait_for(lambda: "Starting job worker" in other.output)
    start("jobworker", "--name", "hogged", JOBS_LEASE=str(lease))
    wait_for(lambda: lines(log))
    first = row(job).locked_at
    wait_for(
        lambda: (row(job).locked_at - first).total_seconds() > lease,
        what="the lease was renewed",
    )
    assert lines(log) == ["began"]
    os.close(os.open(fifo, os.O_WRONLY | os.O_NONBLOCK))
    wait_for(lambda: row(job) is None, what="its success was recorded")
    assert lines(log) == ["began", "ended"]
    assert "FAILED" not in other.output


def test_nothing_of_a_killed_worker_is_left_behind(start, tmp_path):
    jobs.enqueue(Record())
    worker = start("jobworker")
    children = wait_for(
        lambda: children_of(worker.popen.pid), what="the process that renews leases"
    )
    worker.kill()
    wait_for(lambda: not any(os.path.exists(f"/proc/{pid}") for pid in children))


def children_of(pid: int) -> list[int]:
    with open(f"/proc/{pid}/task/{pid}/children") as file:
        return [int(child) for child in file.read().split()]


@pytest.mark.parametrize("concurrency", [1, 2])
def test_a_payload_that_takes_for_ever_to_load_is_a_time_out_like_any_other(settings, concurrency):
    settings.JOBS = {"MAX_RUN_TIME": 1}
    job = jobs.enqueue(Record({1}))
    # Numbers with one hash: a set of so many takes minutes to make.
    colliding = [number * (2**61 - 1) for number in range(60_000)]
    stored = json.loads(job.handler)
    stored["fields"]["value"] = {"$set": colliding}
    set_handler(job, json.dumps(stored))
    following = jobs.enqueue(Record("next"))
    working = jobs.Worker(concurrency=concurrency)
    assert working.work_off(1) == (0, 1)
    assert row(job).last_error.startswith("WorkerTimeout: execution expired (max_run_time is 1 ")
    settings.JOBS = {"MAX_RUN_TIME": AN_HOUR}
    assert working.work_off(1) == (1, 0)
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert row(following) is None


def test_a_failure_hook_that_never_returns_does_not_hold_the_reaper(settings, monkeypatch):
    monkeypatch.setattr(questions, "HOOK_LIMIT", 0.3)
    job, following = jobs.enqueue(FailsForEver(), priority=-1), jobs.enqueue(Record())
    assert Job.objects.reserve(jobs.Worker(name="dead")).pk == job.pk
    long_ago = store_for(Job).now() - dt.timedelta(hours=1)
    Job.objects.filter(pk=job.pk).update(locked_at=long_ago)
    assert jobs.Worker().work_off() == (1, 0)
    assert row(job).state == State.FAILED
    assert row(following) is None


class FailsForEver(Record):
    max_attempts = 1

    def failure(self) -> None:
        threading.Event().wait()
