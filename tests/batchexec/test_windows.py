"""The windows in which a hand-over to AWS Batch can lose a job or run it twice, each
opened for real.

The numbers are those of the table in docs/hand-over.md.
"""

from __future__ import annotations

import datetime as dt
import logging
import shlex
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.utils import timezone

import jobs
from batchexec import markers
from batchexec.models import BatchExecutionRecord, BatchHistory, BatchJob
from jobs import transitions
from jobs.models import Job, State
from tests.crash import died_at
from tests.fixtures import batch_execution_of
from tests.processes import (
    expire_leases,
    late,
    lines,
    make_due,
    released,
    row,
    silence_runners,
    wait_for,
)
from tests.samples import Append, Fail, Greedy, Wait

pytestmark = pytest.mark.django_db(transaction=True)

PLUGINS = "jobs.plugins.ClearLocks,tests.crash.Crash"
#: A shell's command that performs the job whose id is the first argument.
RUNJOB = f"{shlex.quote(sys.executable)} manage.py runjob $0"


def accepted(batch) -> list[dict]:
    return [submission for submission in batch.calls()["submissions"] if submission["accepted"]]


def submissions(batch) -> list[str]:
    return [submission["jobName"] for submission in accepted(batch)]


def all_over(batch, client) -> bool:
    """Whether no Batch job goes on."""
    ids = [submission["jobId"] for submission in accepted(batch)]
    return all(
        job["status"] in ("SUCCEEDED", "FAILED") for job in client.describe_jobs(jobs=ids)["jobs"]
    )


def used_up(batch) -> bool:
    """Whether every fault has happened as many times as it says."""
    return all(fault["left"] == 0 for fault in batch.faults())


@pytest.mark.parametrize(
    "step", ["hand_over", "commit_intent", "submit", "record_submission", "record_status", "clear"]
)
@pytest.mark.parametrize("place", ["before", "after"])
def test_1_2_3_6_7_8_a_worker_that_is_killed_at_any_step_is_replaced_and_the_job_runs_once(
    batch, start, heir, tmp_path, step, place
):
    log = tmp_path / "log"
    job = jobs.enqueue(Append(str(log)))
    victim = start("jobworker", "--batch", JOBS_PLUGINS=PLUGINS, CRASH_AT=f"{place}:{step}")
    assert victim.wait() == -signal.SIGKILL
    assert died_at(f"{place}:{step}") in victim.output
    expire_leases()
    heir()
    wait_for(
        lambda: row(job) is None and not BatchJob.objects.exists(),
        what="the heir brought it to its end",
    )
    assert lines(log) == ["performed"]
    assert len(submissions(batch)) == 1


@pytest.mark.parametrize("step", ["classify", "reschedule", "clear"])
@pytest.mark.parametrize("place", ["before", "after"])
def test_7_8_a_worker_that_is_killed_while_it_records_a_dead_execution_counts_one_attempt(
    batch, start, heir, tmp_path, step, place
):
    batch.set_faults(["Container:pull-error:times=1"])
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    victim = start("jobworker", "--batch", JOBS_PLUGINS=PLUGINS, CRASH_AT=f"{place}:{step}")
    assert victim.wait() == -signal.SIGKILL
    assert died_at(f"{place}:{step}") in victim.output
    expire_leases()
    heir()
    make_due(job)
    wait_for(lambda: row(job) is None, what="the second attempt succeeded")
    assert lines(tmp_path / "log") == ["performed"]
    assert [name[-3:] for name in submissions(batch)] == ["-e0", "-e1"]


def test_3_a_reply_that_hangs_is_a_lost_reply(batch, worker, settings, tmp_path, monkeypatch):
    monkeypatch.setattr("batchexec.aws.client.READ_TIMEOUT", 1)
    settings.BATCHEXEC = {**settings.BATCHEXEC, "SETTLE": 60}
    batch.set_faults([f"SubmitJob:hang-after:times=1,when={tmp_path / 'never'}"])
    jobs.enqueue(Append(str(tmp_path / "log")))
    assert worker().work_off() == (1, 0)
    assert lines(tmp_path / "log") == ["performed"]
    assert len(submissions(batch)) == 1


def test_3_4_a_list_that_is_blind_for_longer_than_settle_makes_a_second_batch_job_but_no_second_run(
    batch, worker, client_of, settings, tmp_path
):
    """The first reply is lost, and no container starts before there is a second:
    nothing else tells of the first.
    """
    batch.set_faults(["SubmitJob:reset-after:times=1", "ListJobs:blind:seconds=600"])
    log, gate = tmp_path / "log", tmp_path / "gate"
    settings.BATCHEXEC = {**settings.BATCHEXEC, "SETTLE": 0.5, "COMMAND": behind(gate)}
    jobs.enqueue(Append(str(log)))
    with released(gate, once=lambda: len(accepted(batch)) == 2):
        assert worker().work_off() == (1, 0)
    assert len(accepted(batch)) == 2
    assert len(set(submissions(batch))) == 1
    wait_for(lambda: all_over(batch, client_of(batch)), what="the refused container ended, too")
    assert lines(log) == ["performed"]


def behind(gate) -> list[str]:
    """A container's command that begins once that file exists."""
    return ["sh", "-c", f"until test -e {gate}; do sleep 0.05; done; {RUNJOB}"]


@pytest.mark.usefixtures("endless_lease")
def test_4_of_several_of_one_name_one_is_adopted_and_a_started_one_is_not_terminated(
    batch, worker, client_of, tmp_path
):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    first = worker()
    mine = Job.objects.reserve(first)
    assert transitions.hand_over(mine)
    from batchexec.aws.names import job_name

    name = job_name(str(job.pk), 0)
    marker = markers.commit_intent(
        mine, job_name=name, job_queue="delayed-jobs", job_definition="delayed-jobs:1"
    )
    overrides = {
        "command": ["python", "manage.py", "runjob", str(job.pk)],
        "environment": [{"name": "JOB_EPOCH", "value": "0"}],
    }
    for _ in range(3):
        client_of(batch).submit_job(
            jobName=name,
            jobQueue="delayed-jobs",
            jobDefinition="delayed-jobs:1",
            containerOverrides=overrides,
        )
    wait_for(lambda: lines(log), what="one of them registered and began")
    assert transitions.detach(mine)
    with released(go, once=lambda: row(job).locked_by):
        assert worker().work_off() == (1, 0)
    assert [line.split()[0] for line in lines(log)] == ["began", "ended"]
    assert batch.calls()["counts"].get("TerminateJob", 0) == 0
    assert marker is not None
    assert not BatchJob.objects.exists()


def test_5_a_worker_that_is_paused_beyond_its_lease_changes_nothing_when_it_wakes(
    batch, start, heir, tmp_path
):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    paused = start("jobworker", "--batch", "--name", "paused")
    wait_for(lambda: lines(log))
    paused.send(signal.SIGSTOP)
    heir(name="heir")

    def taken_over() -> bool:
        expire_leases(locked_by="paused")
        return row(job).locked_by == "heir"

    wait_for(taken_over)
    paused.send(signal.SIGCONT)
    wait_for(lambda: "to watch now" in paused.output, what="the paused worker noticed")
    assert (row(job).locked_by, row(job).epoch, row(job).attempts) == ("heir", 0, 0)
    go.touch()
    wait_for(lambda: row(job) is None and not BatchJob.objects.exists())
    assert len(submissions(batch)) == 1


def test_9_a_marker_that_outlived_its_job_is_swept_and_nothing_is_submitted(
    batch, worker, tmp_path
):
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    assert worker().work_off() == (1, 0)
    BatchJob.objects.create(
        job_id=str(job.pk),
        epoch=0,
        job_name="n",
        job_queue="q",
        job_definition="d:1",
        updated_at=timezone.now() - dt.timedelta(hours=1),
    )
    one = worker(exit_on_complete=True)
    one.start()
    assert not BatchJob.objects.exists()
    assert len(submissions(batch)) == 1


def test_10_a_cancel_that_races_the_submission_leaves_no_run_and_no_batch_job(
    batch, start, client_of, tmp_path
):
    cancelled = tmp_path / "cancelled"
    batch.set_faults([f"SubmitJob:latency:when={cancelled}"])
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    worker = start("jobworker", "--batch")
    wait_for(lambda: batch.calls()["counts"].get("SubmitJob"), what="the submission is under way")
    assert transitions.cancel(row(job))
    cancelled.touch()
    wait_for(
        lambda: len(accepted(batch)) == 1 and all_over(batch, client_of(batch)),
        what="the Batch job ended",
    )
    wait_for(lambda: not BatchJob.objects.exists(), what="the marker was cleared")
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert lines(tmp_path / "log") == []
    assert (row(job).state, row(job).runner) == (State.CANCELLED, "")


@pytest.mark.usefixtures("endless_lease")
def test_11_a_finished_job_that_batch_has_forgotten_is_judged_by_its_own_record(
    batch, start, worker, settings, tmp_path
):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    first = start("jobworker", "--batch")
    wait_for(lambda: lines(log), what="the container began")
    first.kill()
    batch.set_faults(["DescribeJobs:forget-all"])
    settings.BATCHEXEC = {**settings.BATCHEXEC, "GONE_AFTER": 0.1}
    batch.reset_calls()
    expire_leases()
    wait_for(
        lambda: worker().work_off(0) == (0, 0) and row(job).state == State.DETACHED,
        what="the lease expired",
    )
    # Forgotten for longer than GONE_AFTER, so that only the living container keeps the
    # heir from giving it up.
    with released(go, once=lambda: batch.calls()["counts"].get("DescribeJobs", 0) >= 5):
        assert worker().work_off() == (1, 0)
    assert [line.split()[0] for line in lines(log)] == ["began", "ended"]
    assert row(job) is None
    assert not BatchJob.objects.exists()
    assert "SubmitJob" not in batch.calls()["counts"]


def test_11_a_status_that_goes_backwards_is_no_failure(batch, worker, tmp_path):
    batch.set_faults(["DescribeJobs:backwards:times=3"])
    log, go = tmp_path / "log", tmp_path / "go"
    jobs.enqueue(Wait(str(log), str(go)))
    with released(go, once=lambda: used_up(batch)):
        assert worker().work_off() == (1, 0)
    assert [line.split()[0] for line in lines(log)] == ["began", "ended"]
    assert len(submissions(batch)) == 1


def test_12_batchs_own_retry_goes_on_only_when_the_earlier_attempt_can_no_longer_write(
    batch, worker, client_of, tmp_path
):
    log, go, lost = tmp_path / "log", tmp_path / "go", tmp_path / "lost"
    batch.set_faults([f"Container:kill:when={lost},times=1"])
    payload = Wait(str(log), str(go))
    payload.batch = {"attempts": 2}
    job = jobs.enqueue(payload)

    def silence_it_once_it_is_dead() -> bool:
        found = client_of(batch).describe_jobs(jobs=[one["jobId"] for one in accepted(batch)])
        if not found["jobs"][0]["attempts"]:
            return False
        silence_runners()
        return True

    with (
        released(lost, once=lambda: lines(log)),
        released(tmp_path / "silent", once=lambda: lost.exists() and silence_it_once_it_is_dead()),
        released(go, once=lambda: len(lines(log)) == 2),
    ):
        assert worker().work_off() == (1, 0)
    assert row(job) is None
    assert [line.split()[0] for line in lines(log)] == ["began", "began", "ended"]
    assert len(submissions(batch)) == 1


def test_12_the_same_container_started_twice_performs_the_job_once(batch, worker, tmp_path):
    batch.set_faults(["Container:twice:times=1"])
    jobs.enqueue(Append(str(tmp_path / "log")))
    assert worker().work_off() == (1, 0)
    assert lines(tmp_path / "log") == ["performed"]


def test_13_a_container_whose_success_was_recorded_is_not_run_again_though_batch_says_failed(
    batch, performing, tmp_path, caplog
):
    """The slot is free before Batch says so; the trace tells what it said later."""
    work_off = performing("sleep 3600")
    log, recorded = tmp_path / "log", tmp_path / "recorded"
    batch.set_faults([f"Container:kill:when={recorded},times=1"])
    job = jobs.enqueue(Append(str(log)))
    with released(recorded, once=lambda: row(job) is None):
        assert work_off() == (1, 0)
    assert lines(log) == ["performed"]
    assert len(submissions(batch)) == 1
    trace = wait_for(lambda: BatchExecutionRecord.objects.first(), what="the trace")
    assert (trace.outcome, trace.status) == ("succeeded", "FAILED")
    assert trace.status_reason.startswith("Host EC2")
    assert f"Job {job} ended in Batch: succeeded" in caplog.text


def test_13_a_job_whose_row_is_gone_succeeded_though_the_container_that_batch_goes_by_was_refused(
    performing, tmp_path, caplog
):
    work_off = performing("exit 3")
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    assert work_off() == (1, 0)
    assert lines(tmp_path / "log") == ["performed"]
    assert row(job) is None
    assert f"Job {job} ended in Batch: succeeded" in caplog.text


def test_13_a_job_that_is_deleted_when_it_failed_is_taken_for_failed_where_batch_says_so(
    performing, caplog
):
    work_off = performing("exit 1")
    payload = Fail()
    payload.max_attempts, payload.destroy_failed_jobs = 1, True
    job = jobs.enqueue(payload)
    assert work_off() == (0, 1)
    assert row(job) is None
    assert f"Job {job} ended in Batch: failed" in caplog.text


@pytest.fixture
def performing(worker, settings, caplog):
    """A worker whose containers perform their job and then end with a shell's
    command.
    """

    def with_end(command):
        settings.BATCHEXEC = {**settings.BATCHEXEC, "COMMAND": ["sh", "-c", f"{RUNJOB}; {command}"]}
        return worker().work_off

    caplog.set_level(logging.INFO)
    return with_end


def test_14_a_container_that_exits_0_on_sigterm_is_not_taken_for_a_success(batch, worker, tmp_path):
    log, term = tmp_path / "log", tmp_path / "term"
    batch.set_faults([f"Container:exit0-on-term:when={term}"])
    job = jobs.enqueue(Wait(str(log), str(tmp_path / "never")))
    with released(term, once=lambda: lines(log)):
        assert worker().work_off() == (0, 1)
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert row(job).last_error.startswith("Terminated: ")


def test_14_a_batch_job_that_succeeded_without_a_recorded_outcome_is_a_failed_attempt(
    batch, worker, settings
):
    settings.BATCHEXEC = {**settings.BATCHEXEC, "COMMAND": ["true"]}
    job = jobs.enqueue(Append("never written"))
    assert worker().work_off() == (0, 1)
    # Its container never registered, so the job has not begun: no attempt is counted.
    assert (row(job).state, row(job).attempts, row(job).epoch) == (State.SCHEDULED, 0, 1)
    assert "SUCCEEDED" in row(job).last_error


@pytest.mark.parametrize(
    "fault",
    ["DescribeJobs:503:times=4", "DescribeJobs:reset-before:times=4", "DescribeJobs:403:times=3"],
)
def test_16_17_a_poll_that_fails_changes_nothing(batch, worker, tmp_path, fault):
    batch.set_faults([fault])
    log, go = tmp_path / "log", tmp_path / "go"
    jobs.enqueue(Wait(str(log), str(go)))
    with released(go, once=lambda: used_up(batch)):
        assert worker().work_off() == (1, 0)
    assert [line.split()[0] for line in lines(log)] == ["began", "ended"]
    assert len(submissions(batch)) == 1


def test_17_expired_credentials_cost_the_job_nothing(batch, worker, tmp_path):
    batch.set_faults(["*:403:times=3"])
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    assert worker().work_off() == (1, 0)
    assert row(job) is None
    assert len(submissions(batch)) == 1


def test_infrastructure_failures_cost_no_attempt_up_to_a_limit(batch, worker, tmp_path, settings):
    settings.BATCHEXEC = {**settings.BATCHEXEC, "INFRASTRUCTURE_RETRIES": 1}
    batch.set_faults(["Container:kill:after=0"])
    job = jobs.enqueue(Wait(str(tmp_path / "log"), str(tmp_path / "never")))
    for attempts in (0, 1, 2):
        assert worker().work_off() == (0, 1)
        assert (row(job).state, row(job).attempts) == (State.SCHEDULED, attempts)
        assert "Spot or host lost" in row(job).last_error
        Job.objects.update(state=State.READY)
    assert BatchHistory.objects.get().infrastructure_failures == 1


def test_a_spot_reclaim_that_the_container_had_the_time_to_record_costs_no_attempt_either(
    batch, worker, tmp_path, settings
):
    settings.BATCHEXEC = {**settings.BATCHEXEC, "INFRASTRUCTURE_RETRIES": 1}
    log = tmp_path / "log"
    job = jobs.enqueue(Wait(str(log), str(tmp_path / "never")))
    for began, attempts in ((1, 0), (2, 1)):
        reclaimed = tmp_path / f"reclaimed {began}"
        batch.set_faults([f"Container:reclaim:when={reclaimed}"])
        with released(reclaimed, once=lambda: len(lines(log)) == began):  # noqa: B023
            assert worker().work_off() == (0, 1)
        assert len(lines(log)) == began
        assert row(job).last_error.startswith("Terminated: ")
        # Once AWS Batch has said why, which the slot doesn't wait for.
        wait_for(
            lambda: not BatchJob.objects.exists() and row(job).attempts == attempts,  # noqa: B023
            what="the attempt was decided about",
        )
        assert row(job).state == State.SCHEDULED
        Job.objects.update(state=State.READY)


def test_out_of_memory_raises_the_memory_for_the_next_attempt_where_the_job_says_so(
    batch, worker, client_of, tmp_path
):
    batch.set_faults(["Container:oom:times=1"])
    job = jobs.enqueue(Greedy(str(tmp_path / "log")))
    assert worker().work_off() == (0, 1)
    Job.objects.update(state=State.READY)
    assert worker().work_off() == (1, 0)
    ids = [submission["jobId"] for submission in batch.calls()["submissions"]]
    details = {
        detail["jobId"]: detail for detail in client_of(batch).describe_jobs(jobs=ids)["jobs"]
    }
    memory = [
        next(
            need["value"]
            for need in details[number]["container"]["resourceRequirements"]
            if need["type"] == "MEMORY"
        )
        for number in ids
    ]
    assert memory == ["2048", "4096"]
    assert row(job) is None


def test_a_batch_job_that_does_not_start_is_reported_and_ends_only_at_a_deadline(
    batch, worker, tmp_path, settings, caplog
):
    settings.BATCHEXEC = {**settings.BATCHEXEC, "RUNNABLE_REPORT_AFTER": late(0.3)}
    payload = Append(str(tmp_path / "log"))
    payload.batch = {"start_within": late(2)}
    job = jobs.enqueue(payload)
    with full(batch):
        assert worker().work_off() == (0, 1)
    assert "has been RUNNABLE in Batch for" in caplog.text
    assert f"did not start within {late(2):g} s" in row(job).last_error
    assert lines(tmp_path / "log") == []


def test_the_sweep_leaves_alone_what_is_in_flight(batch, worker):
    job = jobs.enqueue(Append("x"))
    mine = Job.objects.reserve(worker())
    transitions.hand_over(mine)
    markers.commit_intent(mine, job_name="n", job_queue="q", job_definition="d:1")
    BatchJob.objects.update(updated_at=timezone.now() - dt.timedelta(hours=1))
    assert batch_execution_of(worker()).sweeper.sweep(Job) == 0
    assert BatchJob.objects.get().job_id == str(job.pk)


@contextmanager
def full(batch) -> Iterator[None]:
    """A compute environment with no room: what is submitted stays RUNNABLE."""
    scheduler = batch._scheduler
    before, scheduler.max_running = scheduler.max_running, 0
    try:
        yield
    finally:
        scheduler.max_running = before
