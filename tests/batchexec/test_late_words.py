"""AWS Batch says late how a Batch job ended. The job's row says it at once, so the slot
is free, and what AWS says later is still acted upon.
"""

from __future__ import annotations

import datetime as dt
import signal

import pytest
from django.utils import timezone

import jobs
from batchexec.handover import enter, reprieve
from batchexec.models import BatchHistory, BatchJob
from batchexec.statuses import TERMINAL
from jobs.models import Job, State
from jobs.operator import actions
from tests.batchexec.places import NEVER, notice_now, status_of
from tests.fixtures import batch_execution_of
from tests.processes import lines, released, row, wait_for
from tests.samples import Append, Wait, WaitAndFail

pytestmark = pytest.mark.django_db(transaction=True)

#: Seconds, around which localbatch says that a container has ended.
LAG = 2.0


@pytest.fixture(params=[LAG])
def batch(request, batch_with):
    return batch_with(lag=request.param)


def recorded() -> BatchJob | None:
    """The marker, once it names its Batch job: the container may be quicker."""
    return BatchJob.objects.exclude(batch_job_id="").first()


@pytest.mark.parametrize(("payload", "outcome"), [(Wait, (1, 0)), (WaitAndFail, (0, 1))])
def test_a_slot_is_free_as_soon_as_the_row_says_so_whatever_the_lag(
    batch, worker, settings, client_of, tmp_path, monkeypatch, payload, outcome
):
    """LEASE is long, so that it is not the renewal that notices."""
    settings.JOBS = {**settings.JOBS, "LEASE": 600}
    monkeypatch.setenv("JOBS_LEASE", "600")
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(payload(str(log), str(go)))
    ended = []
    mine = worker()
    original = batch_execution_of(mine).traces.add
    monkeypatch.setattr(
        batch_execution_of(mine).traces, "add", lambda t: ended.append(t) or original(t)
    )

    def runs() -> bool:
        """AWS Batch says nothing more from then on."""
        if not (lines(log) and recorded()):
            return False
        batch.set_lag(NEVER)
        return True

    with released(go, once=runs):
        assert mine.work_off() == outcome
    (trace,) = ended
    assert status_of(client_of(batch), trace.marker.batch_job_id) not in TERMINAL
    assert not BatchJob.objects.exists()
    if payload is WaitAndFail:
        assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)


@pytest.mark.parametrize("batch", [0.5, 5.0], indirect=True)
def test_a_reclaimed_machine_costs_no_attempt_however_late_aws_says_why(batch, worker, tmp_path):
    log, reclaimed = tmp_path / "log", tmp_path / "reclaimed"
    batch.set_faults([f"Container:reclaim:when={reclaimed}"])
    job = jobs.enqueue(Wait(str(log), str(tmp_path / "never")))
    mine = worker()
    with released(reclaimed, once=lambda: lines(log)):
        assert mine.work_off() == (0, 1)
    assert row(job).last_error.startswith("Terminated: ")
    wait_for(lambda: row(job).attempts == 0, what="the attempt was given back")
    wait_for(lambda: not BatchJob.objects.exists())
    assert (row(job).state, row(job).epoch) == (State.SCHEDULED, 1)
    assert BatchHistory.objects.get().infrastructure_failures == 1


def told_to_end(batch, start, tmp_path) -> Job:
    """A job that recorded that it was told to end.

    Its worker died before AWS said why, which it does not before `notice_now`.
    """
    log, reclaimed = tmp_path / "log", tmp_path / "reclaimed"
    batch.set_faults([f"Container:reclaim:when={reclaimed},times=1"])
    job = jobs.enqueue(Wait(str(log), str(tmp_path / "go")))
    # It looks at nothing, so it sees nothing of that, however slow this test is.
    victim = start("jobworker", "--batch", BATCHEXEC_POLL_INTERVAL="3600", JOBS_LEASE="3600")
    wait_for(lambda: lines(log) and recorded(), what="the container began")
    batch.set_lag(NEVER)
    reclaimed.touch()
    wait_for(lambda: row(job).epoch == 1, what="the container recorded it")
    victim.kill()
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert BatchJob.objects.get().epoch == 0
    return job


def test_a_sweep_gives_the_attempt_back_after_the_workers_death(batch, worker, start, tmp_path):
    job = told_to_end(batch, start, tmp_path)
    Job.objects.update(run_at=timezone.now() + dt.timedelta(hours=1))
    BatchJob.objects.update(updated_at=timezone.now() - dt.timedelta(hours=1))
    sweeper = batch_execution_of(worker()).sweeper
    assert sweeper.sweep(Job) == 0
    notice_now(batch)
    wait_for(lambda: sweeper.sweep(Job), what="AWS said why, and the sweep acted on it")
    assert (row(job).attempts, row(job).state) == (0, State.SCHEDULED)
    assert not BatchJob.objects.exists()


def test_the_next_attempt_is_put_off_until_it_is_known_whether_the_last_one_counts(
    batch, worker, start, tmp_path, monkeypatch
):
    monkeypatch.setattr(reprieve, "PUT_OFF", 0.5)
    job = told_to_end(batch, start, tmp_path)
    Job.objects.update(state=State.READY)
    assert worker().work_off(1) == (0, 0)  # let go of: it was put off, its slot is free
    assert (row(job).state, row(job).epoch, row(job).attempts) == (State.SCHEDULED, 2, 1)
    assert row(job).last_error.startswith("Terminated: ")
    (tmp_path / "go").touch()
    notice_now(batch)
    mine = worker()
    wait_for(lambda: mine.work_off(1) == (1, 0), what="it was decided and performed")
    assert row(job) is None
    assert BatchHistory.objects.get().infrastructure_failures == 1
    assert not BatchJob.objects.exists()


def test_the_next_attempt_is_put_off_for_a_while_only(batch, worker, start, tmp_path, monkeypatch):
    monkeypatch.setattr(reprieve, "MOST_PUT_OFFS", 0)
    job = told_to_end(batch, start, tmp_path)
    Job.objects.update(state=State.READY)
    mine = worker()

    def submitted() -> bool:
        if not BatchJob.objects.filter(epoch=1).exclude(batch_job_id="").exists():
            return False
        mine.stop()
        return True

    with released(tmp_path / "unused", once=submitted):
        assert mine.work_off(1) == (0, 0)
    assert (row(job).state, row(job).attempts) == (State.DETACHED, 1)
    assert not BatchHistory.objects.exists()  # it counted


def test_an_attempt_that_somebody_ended_counts(batch, worker, client_of, tmp_path):
    log = tmp_path / "log"
    job = jobs.enqueue(Wait(str(log), str(tmp_path / "never")))

    def terminate() -> bool:
        marker = recorded()
        if not (lines(log) and marker):
            return False
        client_of(batch).terminate_job(jobId=marker.batch_job_id, reason="I say so")
        return True

    with released(tmp_path / "unused", once=terminate):
        assert worker().work_off() == (0, 1)
    wait_for(lambda: not BatchJob.objects.exists(), what="AWS said why")
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert not BatchHistory.objects.exists()


def test_a_silent_runner_is_given_up_as_soon_as_its_lease_and_awss_word_are_there(
    batch, worker, tmp_path, settings, monkeypatch
):
    """Its host is lost while AWS Batch was hardly asked about it."""
    settings.JOBS = {**settings.JOBS, "LEASE": 5}
    monkeypatch.setenv("JOBS_LEASE", "5")
    settings.BATCHEXEC = {**settings.BATCHEXEC, "POLL_LONGEST": NEVER}
    log, lost = tmp_path / "log", tmp_path / "lost"
    batch.set_faults([f"Container:kill:when={lost}"])
    job = jobs.enqueue(Wait(str(log), str(tmp_path / "never")))
    with released(lost, once=lambda: lines(log)):
        assert worker().work_off() == (0, 1)
    assert "Spot or host lost" in row(job).last_error
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 0)


def test_a_worker_that_stops_leaves_what_is_undecided_to_others(batch, start, worker, tmp_path):
    log, reclaimed = tmp_path / "log", tmp_path / "reclaimed"
    batch.set_faults([f"Container:reclaim:when={reclaimed},times=1"])
    job = jobs.enqueue(WaitAndFail(str(log), str(tmp_path / "never")))  # a long back-off
    stopped = start("jobworker", "--batch")
    wait_for(lambda: lines(log) and recorded())
    batch.set_lag(NEVER)
    reclaimed.touch()
    wait_for(lambda: "with Terminated" in stopped.output, what="the worker saw that")
    stopped.send(signal.SIGTERM)
    assert stopped.wait() == 0
    assert row(job).attempts == 1
    notice_now(batch)
    BatchJob.objects.update(updated_at=timezone.now() - dt.timedelta(hours=1))
    sweeper = batch_execution_of(worker()).sweeper
    wait_for(lambda: sweeper.sweep(Job), what="AWS said why, and the sweep acted on it")
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 0)


@pytest.mark.parametrize("batch", [0], indirect=True)
def test_10_a_cancelled_job_whose_reply_was_lost_leaves_no_batch_job_though_it_is_listed_late(
    batch_with, worker, settings, client_of, tmp_path, monkeypatch
):
    server = batch_with(list_lag=2, start_delay=NEVER)
    server.set_faults(["SubmitJob:reset-after:times=1"])
    # Longer than ListJobs is late, however slow this machine is.
    settings.BATCHEXEC = {**settings.BATCHEXEC, "SETTLE": NEVER}
    monkeypatch.setattr(enter, "LOOKS", NEVER * 5)
    job = jobs.enqueue(Append(str(tmp_path / "log")))

    def cancelled() -> bool:
        return bool(server.calls()["submissions"]) and actions.cancel(row(job)) is None

    with released(tmp_path / "cancelled", once=cancelled):
        worker().work_off()
    assert row(job).state == State.CANCELLED
    assert not BatchJob.objects.exists()
    (submitted,) = server.calls()["submissions"]
    (detail,) = client_of(server).describe_jobs(jobs=[submitted["jobId"]])["jobs"]
    assert detail["status"] == "FAILED"
