"""What happens when workers are killed, paused and stopped: real processes, real
signals.
"""

from __future__ import annotations

import signal

import pytest

import jobs
from jobs.models import Job, State
from tests.processes import LEASE, lines, row, wait_for
from tests.samples import Append, Wait

pytestmark = pytest.mark.django_db(transaction=True)


def test_a_killed_workers_job_is_taken_up_within_one_lease(start, tmp_path):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(Wait(str(log), str(go)))
    victim = start("jobworker", "--name", "victim")
    wait_for(lambda: lines(log), what="the job began")
    heir = start("jobworker", "--name", "heir")
    wait_for(lambda: "Starting job worker" in heir.output)
    victim.kill()
    renewed = row(job).locked_at
    wait_for(lambda: row(job).attempts == 1, what="the dead worker's attempt was counted")
    # By the database's clock, so that it counts for nothing how soon this test noticed.
    assert LEASE < (row(job).updated_at - renewed).total_seconds() < LEASE + 20
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
    job = jobs.enqueue(Wait(str(log), str(go)))
    paused = start("jobworker", "--name", "paused", "--exit-on-complete")
    wait_for(lambda: lines(log), what="the job began")
    paused.send(signal.SIGSTOP)
    heir = start(
        "jobworker", "--name", "heir", "--queues", "none"
    )  # it reaps, and performs nothing
    wait_for(lambda: row(job).attempts == 1, what="the paused worker's attempt was given up")
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
    start("jobworker", "--name", "steady")
    wait_for(lambda: lines(log))
    start("jobworker", "--name", "other")
    first = row(job).locked_at
    wait_for(
        lambda: (row(job).locked_at - first).total_seconds() > LEASE * 1.5,
        what="the lease was renewed",
    )
    assert (row(job).locked_by, row(job).epoch) == ("steady", 0)
    go.touch()
    wait_for(lambda: row(job) is None)
    assert len(lines(log)) == 2


def test_idle_sleep_ends_at_once(start):
    worker = start("jobworker", JOBS_SLEEP_DELAY="60")
    wait_for(lambda: "Starting job worker" in worker.output)
    worker.send(signal.SIGINT)
    assert worker.wait(30) == 0


def test_many_processes_perform_each_job_once(start, tmp_path):
    log = tmp_path / "log"
    jobs.enqueue_many([Append(str(log), str(number)) for number in range(60)])
    workers = [start("jobworker", "--exit-on-complete", JOBS_LEASE="60") for _ in range(4)]
    assert [worker.wait() for worker in workers] == [0] * 4
    assert sorted(map(int, lines(log))) == list(range(60))
    assert not Job.objects.exists()
