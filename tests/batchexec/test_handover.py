"""From the worker to AWS Batch and back, over real HTTP, with containers that are real
processes.
"""

from __future__ import annotations

import datetime as dt
import signal
import sys
import time

import pytest
from django.utils import timezone

import jobs
from batchexec import markers
from batchexec.aws import names
from batchexec.handover import enter
from batchexec.models import BatchJob
from jobs import transitions
from jobs.models import Job, State
from tests.conformance.test_races import at_once
from tests.handlers import set_handler
from tests.processes import FAST, expire_leases, lines, released, row, wait_for
from tests.samples import Append, Fail, Sized, Wait

pytestmark = pytest.mark.django_db(transaction=True)


DEFINITION = "delayed-jobs:1"


def submissions(batch) -> int:
    return sum(submission["accepted"] for submission in batch.calls()["submissions"])


def test_a_job_is_performed_in_batch_and_the_worker_does_not_run_it(batch, worker, tmp_path, calls):
    job = jobs.enqueue(Append(str(tmp_path / "log"), "in a container"))
    assert worker().work_off() == (1, 0)
    assert lines(tmp_path / "log") == ["in a container"]
    assert calls == []
    assert row(job) is None
    assert not BatchJob.objects.exists()
    (submission,) = batch.calls()["submissions"]
    assert submission["jobName"].startswith("delayed-job-")
    assert submission["jobName"].endswith(f"-{job.pk}-e0")


def test_a_job_that_raises_is_rescheduled_by_its_container(batch, worker):
    job = jobs.enqueue(Fail("in a container"))
    assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).attempts, row(job).epoch, row(job).handed_over) == (
        State.SCHEDULED,
        1,
        1,
        False,
    )
    assert row(job).last_error.startswith("RuntimeError: in a container")
    assert not BatchJob.objects.exists()


def test_each_attempt_is_an_execution_of_its_own_with_a_name_of_its_own(
    batch, worker, settings, monkeypatch
):
    settings.JOBS = {**settings.JOBS, "MAX_ATTEMPTS": 2}
    monkeypatch.setenv("JOBS_MAX_ATTEMPTS", "2")
    job = jobs.enqueue(Fail())
    assert worker().work_off(1) == (0, 1)
    Job.objects.filter(pk=job.pk).update(run_at=timezone.now() - dt.timedelta(seconds=1))
    assert worker().work_off(1) == (0, 1)
    assert (row(job).state, row(job).attempts) == (State.FAILED, 2)
    assert [submission["jobName"][-3:] for submission in batch.calls()["submissions"]] == [
        "-e0",
        "-e1",
    ]


def test_what_is_submitted_names_the_job_and_its_resources_and_nothing_secret(
    batch, worker, client_of
):
    job = jobs.enqueue(Sized("hush-hush"))
    worker().work_off()
    (detail,) = client_of(batch).describe_jobs(jobs=[batch.calls()["submissions"][0]["jobId"]])[
        "jobs"
    ]
    container = detail["container"]
    assert container["command"] == ["python", "manage.py", "runjob", str(job.pk)]
    environment = {pair["name"]: pair["value"] for pair in container["environment"]}
    assert environment["JOB_ID"] == str(job.pk)
    assert environment["JOB_EPOCH"] == "0"
    assert environment["COLOUR"] == "blue"
    # Rounded up to a pair that Fargate has.
    assert {(need["type"], need["value"]) for need in container["resourceRequirements"]} == {
        ("VCPU", "0.5"),
        ("MEMORY", "2048"),
    }
    assert detail["timeout"] == {"attemptDurationSeconds": 600}
    assert detail["jobDefinition"].endswith(":1")
    assert "hush-hush" not in str(detail)


def test_a_killed_worker_is_replaced_without_a_second_submission(batch, start, working, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    victim = start("jobworker", "--batch", "--name", "victim")
    wait_for(lambda: lines(log), what="the container began")
    victim.kill()
    expire_leases()
    working(name="heir")
    wait_for(lambda: row(job).locked_by == "heir", what="the heir took over")
    assert (row(job).epoch, row(job).attempts, row(job).state) == (0, 0, State.RUNNING)
    go.touch()
    wait_for(lambda: row(job) is None and not BatchJob.objects.exists())
    assert [line.split()[0] for line in lines(log)] == ["began", "ended"]
    assert submissions(batch) == 1


def test_a_stopped_worker_lets_go_at_once_and_terminates_nothing(batch, worker, start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    stopped = start("jobworker", "--batch", JOBS_LEASE="60")
    wait_for(lambda: lines(log))
    stopped.send(signal.SIGTERM)
    assert stopped.wait() == 0
    assert (row(job).state, row(job).locked_by, row(job).epoch) == (State.DETACHED, "", 0)
    assert BatchJob.objects.get().batch_job_id == row(job).runner.partition("/")[0]
    # A worker that doesn't hand over may not take it.
    assert jobs.Worker().work_off() == (0, 0)
    # Not before the worker has taken it over.
    with released(go, once=lambda: row(job).locked_by):
        assert worker().work_off() == (1, 0)
    assert submissions(batch) == 1
    assert batch.calls()["counts"].get("TerminateJob", 0) == 0


def test_a_container_that_finishes_without_a_watcher_is_not_run_again(
    batch, worker, start, tmp_path
):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    stopped = start("jobworker", "--batch")
    wait_for(lambda: lines(log))
    stopped.send(signal.SIGTERM)
    assert stopped.wait() == 0
    go.touch()
    wait_for(lambda: row(job) is None, what="the container recorded its success")
    BatchJob.objects.filter(job_id=str(job.pk)).update(
        updated_at=timezone.now() - dt.timedelta(hours=1)
    )
    worker(exit_on_complete=True).start()
    assert not BatchJob.objects.exists()
    assert submissions(batch) == 1


@pytest.mark.parametrize("fault", ["reset-after", "503-after"])
def test_a_lost_reply_is_resolved_by_name_and_not_by_a_second_submission(
    batch, worker, tmp_path, fault
):
    batch.set_faults([f"SubmitJob:{fault}:times=1"])
    jobs.enqueue(Append(str(tmp_path / "log")))
    assert worker().work_off() == (1, 0)
    assert lines(tmp_path / "log") == ["performed"]
    assert submissions(batch) == batch.calls()["counts"]["SubmitJob"] == 1


@pytest.mark.parametrize("fault", ["reset-before", "503-before"])
def test_a_submission_that_never_arrived_is_repeated_once_that_is_settled(
    batch, worker, tmp_path, fault
):
    batch.set_faults([f"SubmitJob:{fault}:times=1"])
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    assert worker().work_off() == (1, 0)
    assert submissions(batch) == 1
    assert batch.calls()["counts"]["SubmitJob"] == 2
    assert {submission["jobName"] for submission in batch.calls()["submissions"]} == {
        batch.calls()["submissions"][0]["jobName"]
    }
    assert row(job) is None


def test_throttling_costs_no_attempt(batch, worker, tmp_path):
    batch.set_faults(["SubmitJob:429:times=2", "DescribeJobs:429:times=4"])
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    with released(
        go, once=lambda: all(fault["left"] == 0 for fault in batch.faults()) and lines(log)
    ):
        assert worker().work_off() == (1, 0)
    assert row(job) is None
    assert [line.split()[0] for line in lines(log)] == ["began", "ended"]
    assert submissions(batch) == 1


def test_an_empty_describe_after_the_submission_is_no_failure(batch, worker, settings, tmp_path):
    settings.BATCHEXEC = {**settings.BATCHEXEC, "GONE_AFTER": 3600}
    batch.set_faults(["DescribeJobs:forget-all"])
    log, go = tmp_path / "log", tmp_path / "go"
    jobs.enqueue(Wait(str(log), str(go)))

    def is_known() -> bool:
        """After a few answers without it."""
        if batch.calls()["counts"].get("DescribeJobs", 0) < 3:
            return False
        batch.set_faults([])
        return True

    with released(go, once=is_known):
        assert worker().work_off() == (1, 0)
    assert [line.split()[0] for line in lines(log)] == ["began", "ended"]
    assert submissions(batch) == 1


@pytest.mark.parametrize(
    ("fault", "kind", "quoted"),
    [
        ("Container:pull-error", "image or start", "CannotPullContainerError"),
        ("Container:oom", "out of memory", "OutOfMemoryError"),
        ("Container:kill:after=0", "Spot or host lost", "Host EC2"),
    ],
)
def test_an_execution_that_died_is_a_failed_attempt_with_batchs_reason(
    batch, worker, settings, tmp_path, fault, kind, quoted
):
    # No line of the job runs, however late the fault is: that isn't an attempt of it.
    settings.BATCHEXEC = {**settings.BATCHEXEC, "COMMAND": ["sh", "-c", "sleep 3600"]}
    batch.set_faults([fault])
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    assert worker().work_off() == (0, 1)
    assert lines(tmp_path / "log") == []
    assert (row(job).state, row(job).attempts, row(job).epoch) == (State.SCHEDULED, 0, 1)
    for part in (kind, quoted, "exit code", "log stream"):
        assert part in row(job).last_error
    assert not BatchJob.objects.exists()


def test_a_refused_submission_is_a_failed_attempt_that_says_why(batch, worker):
    job = jobs.enqueue(Sized("x", queue="no-such-queue"))
    assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert "no-such-queue" in row(job).last_error
    assert not BatchJob.objects.exists()


def test_a_job_that_cannot_be_loaded_fails_without_a_submission(batch, worker):
    job = jobs.enqueue(Fail())
    Job.objects.filter(pk=job.pk).update(handler="garbage")
    assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).attempts) == (State.FAILED, 0)
    assert submissions(batch) == 0


def test_a_job_of_newer_code_is_put_back_without_a_submission(batch, worker):
    job = jobs.enqueue(Fail())
    set_handler(job, '{"class": "tests.samples.NotDeployedYet", "fields": {}}')
    assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 0)
    assert not BatchJob.objects.exists()
    assert submissions(batch) == 0


def test_what_loading_a_job_raises_is_a_failed_attempt_without_a_submission(
    batch, worker, monkeypatch
):
    job = jobs.enqueue(Fail())
    monkeypatch.setattr(Fail, "__init__", lambda self, message: sys.exit("KEY missing"))
    assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert "KEY missing" in row(job).last_error
    assert submissions(batch) == 0


def test_a_job_that_batch_has_forgotten_is_given_up_only_after_a_while(batch, worker, tmp_path):
    batch.set_faults(["DescribeJobs:forget-all", "Container:pull-error"])
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    began = time.monotonic()
    assert worker().work_off() == (0, 1)
    assert time.monotonic() - began >= float(FAST["BATCHEXEC_GONE_AFTER"])
    assert (row(job).attempts, row(job).epoch) == (0, 1)
    assert "no longer knows the job" in row(job).last_error


def test_a_cancelled_job_is_terminated_and_its_container_records_nothing(batch, working, tmp_path):
    log = tmp_path / "log"
    job = jobs.enqueue(Wait(str(log), str(tmp_path / "never")))
    working()
    wait_for(lambda: lines(log))
    assert transitions.cancel(row(job))
    wait_for(lambda: not BatchJob.objects.exists(), what="the Batch job was followed to its end")
    assert (row(job).state, row(job).attempts, row(job).last_error) == (State.CANCELLED, 0, "")
    assert batch.calls()["counts"]["TerminateJob"] >= 1
    wait_for(lambda: row(job).runner == "", what="the container said that it ended")


def test_two_workers_that_come_to_one_marker_submit_once(
    batch, worker, settings, tmp_path, monkeypatch
):
    """Both look for the name in vain, and only then is either told so: both come to the
    submission.
    """
    # However late the one whose try it is submits, the other one looks for that.
    settings.BATCHEXEC = {**settings.BATCHEXEC, "SETTLE": 3600}
    monkeypatch.setattr(enter, "LOOKS", 5 * 3600)
    log, both_looked = tmp_path / "log", tmp_path / "both looked"
    batch.set_faults([f"ListJobs:latency:when={both_looked}"])
    job = jobs.enqueue(Append(str(log)))
    mine = Job.objects.reserve(worker(name="w"))
    assert transitions.hand_over(mine)
    assert markers.commit_intent(
        mine,
        job_name=names.job_name(str(job.pk), 0),
        job_queue="delayed-jobs",
        job_definition=DEFINITION,
    )
    long_ago = timezone.now() - dt.timedelta(days=1)
    BatchJob.objects.filter(job_id=str(job.pk)).update(submitted_at=long_ago)

    def perform() -> bool | None:
        performing = worker(name="w")
        try:
            return performing.perform(row(job))
        finally:
            performing.heartbeat.stop()

    with released(both_looked, once=lambda: batch.calls()["counts"].get("ListJobs", 0) >= 2):
        assert at_once([perform, perform]) == [True, True]
    assert lines(log) == ["performed"]
    assert submissions(batch) == batch.calls()["counts"]["SubmitJob"] == 1
    assert not BatchJob.objects.exists()


def test_several_slots_have_their_jobs_in_batch_at_once(batch, worker, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    jobs.enqueue_many([Wait(str(log), str(go), str(number)) for number in range(4)])
    with released(go, once=lambda: len(lines(log)) == 4):
        assert worker(concurrency=4).work_off() == (4, 0)
    assert submissions(batch) == 4


@pytest.mark.parametrize("concurrency", [1, 2])
def test_what_a_worker_logs_of_a_job_in_batch_names_the_job_and_its_batch_job(
    batch, worker, kept, concurrency
):
    """Whichever thread of its crew logs it."""
    enqueued = [jobs.enqueue(Fail("in a container")) for _ in range(2)]
    assert worker(concurrency=concurrency).work_off(2) == (0, 2)
    batch_jobs = {one["jobName"]: one["jobId"] for one in batch.calls()["submissions"]}
    for job in enqueued:
        told = [
            record
            for record in kept.records
            if record.name.startswith("batchexec") and f"(id={job.pk}," in record.getMessage()
        ]
        assert [record.job_id for record in told] == [str(job.pk)] * len(told)
        [batch_job_id] = {one for name, one in batch_jobs.items() if f"-{job.pk}-e0" in name}
        assert {record.batch_job_id for record in told} == {batch_job_id}
        assert {(record.queue, record.attempt, record.epoch) for record in told} == {
            ("default", 1, 0)
        }
        assert any("FAILED (0 prior attempts)" in record.getMessage() for record in told)
