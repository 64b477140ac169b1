"""What happens when workers are killed, paused and stopped: real processes, real
signals.
"""

from __future__ import annotations

import signal

import pytest

import jobs
from jobs.models import Job, State
from tests.processes import LEASE, expire_leases, lines, row, wait_for
from tests.samples import Append, Wait, WaitInAnHour

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_killed_workers_job_is_taken_up_within_one_lease(start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(WaitInAnHour(str(log), str(go)))
    victim = start("jobworker", "--name", "victim")
    wait_for(lambda: lines(log), what="the job began")
    victim.kill()
    renewed = row(job).locked_at
    # Its lease is short only now, so that nobody takes the living for dead.
    start("jobworker", "--name", "heir", JOBS_LEASE=str(LEASE))
    wait_for(lambda: row(job).attempts == 1, what="the dead worker's attempt was counted")
    # By the database's clock, so that it counts for nothing how soon this test noticed.
    assert (row(job).updated_at - renewed).total_seconds() > LEASE
    assert (row(job).state, row(job).epoch) == (State.SCHEDULED, 1)
    assert "victim" in row(job).last_error
    go.touch()
    Job.objects.filter(pk=job.pk).update(state=State.READY)
    wait_for(lambda: row(job) is None, what="the heir performed it")
    assert [line.split()[0] for line in lines(log)] == ["began", "began", "ended"]


def test_a_worker_that_is_paused_beyond_its_lease_cannot_overwrite_its_successors_outcome(
    start, tmp_path
):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(WaitInAnHour(str(log), str(go)))
    paused = start("jobworker", "--name", "paused", "--exit-on-complete")
    wait_for(lambda: lines(log), what="the job began")
    paused.send(signal.SIGSTOP)
    # It reaps, and performs nothing.
    heir = start("jobworker", "--name", "heir", "--queues", "none", JOBS_LEASE=str(LEASE))

    def given_up() -> bool:
        expire_leases(locked_by="paused")
        return row(job).attempts == 1

    wait_for(given_up, what="the paused worker's attempt was given up")
    heir.kill()
    go.touch()
    paused.send(signal.SIGCONT)
    wait_for(
        lambda: "its outcome is dropped" in paused.output,
        what="the paused worker dropped its outcome",
    )
    assert (row(job).state, row(job).attempts, row(job).epoch) == (State.SCHEDULED, 1, 1)


def test_on_the_first_term_the_job_in_hand_finishes_and_no_other_is_reserved(start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    jobs.enqueue(Wait(str(log), str(go)))
    second = jobs.enqueue(Append(str(log), "second"))
    worker = start("jobworker")
    wait_for(lambda: lines(log))
    worker.send(signal.SIGTERM)
    wait_for(lambda: "SIGTERM received" in worker.output)
    go.touch()
    assert worker.wait() == 0
    assert [line.split()[0] for line in lines(log)] == ["began", "ended"]
    assert row(second).state == State.READY


def test_on_the_second_term_the_job_in_hand_is_interrupted_which_counts_as_a_failed_attempt(
    start, tmp_path
):
    log = tmp_path / "log"
    job = jobs.enqueue(Wait(str(log), str(tmp_path / "never")))
    worker = start("jobworker")
    wait_for(lambda: lines(log))
    worker.send(signal.SIGTERM)
    wait_for(lambda: "SIGTERM received" in worker.output)
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert row(job).last_error.startswith("Terminated: ")


def test_a_lease_is_renewed_while_a_job_takes_longer_than_it(start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    lease = 16.0  # a busy machine may hold up for long whoever is to renew it
    start("jobworker", "--name", "steady", JOBS_LEASE=str(lease))
    wait_for(lambda: lines(log))
    start("jobworker", "--name", "other", JOBS_LEASE=str(lease))
    first = row(job).locked_at
    wait_for(
        lambda: (row(job).locked_at - first).total_seconds() > lease,
        what="the lease was renewed",
    )
    assert (row(job).locked_by, row(job).epoch) == ("steady", 0)
    go.touch()
    wait_for(lambda: row(job) is None)
    assert len(lines(log)) == 2


def test_idle_sleep_ends_at_once(start):
    worker = start("jobworker", JOBS_SLEEP_DELAY="3600")
    wait_for(lambda: "Starting job worker" in worker.output)
    worker.send(signal.SIGINT)
    assert worker.wait() == 0


def test_many_processes_perform_each_job_once(start, tmp_path):
    log = tmp_path / "log"
    jobs.enqueue_many([Append(str(log), str(number)) for number in range(60)])
    workers = [start("jobworker", "--exit-on-complete") for _ in range(4)]
    assert [worker.wait() for worker in workers] == [0] * 4
    assert sorted(map(int, lines(log))) == list(range(60))
    assert not Job.objects.exists()
