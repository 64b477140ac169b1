"""The database goes away and comes back while real workers work. Nothing is lost, and
nothing is counted twice.
"""

from __future__ import annotations

import signal
import time

import pytest

import jobs
from jobs.models import Job, State
from tests.processes import lines, row, wait_for
from tests.samples import Append, Wait, WaitAndFail

UNREACHABLE = "The database can't be reached"


def words(log):
    return [line.split()[0] for line in lines(log)]


def notices(process):
    wait_for(lambda: UNREACHABLE in process.output, what="it noticed that the database is gone")


def test_an_idle_worker_survives_and_goes_on(own, start_on, tmp_path):
    log = tmp_path / "log"
    worker = start_on("jobworker")
    jobs.enqueue(Append(str(log), "first"))
    wait_for(lambda: lines(log))
    own.crash()
    notices(worker)
    own.start()
    jobs.enqueue(Append(str(log), "second"))
    wait_for(lambda: len(lines(log)) == 2)
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert "Traceback" not in worker.output
    assert "can be reached again" in worker.output


def test_a_worker_that_is_told_to_stop_meanwhile_stops(own, start_on):
    worker = start_on("jobworker")
    wait_for(lambda: "Starting job worker" in worker.output)
    own.crash()
    notices(worker)
    worker.send(signal.SIGTERM)
    assert worker.wait() == 0
    assert "so they expire" in worker.output


@pytest.mark.parametrize(("payload", "attempts"), [(Wait, None), (WaitAndFail, 1)])
def test_a_workers_job_in_hand_is_recorded_once_the_database_is_back(
    own, start_on, tmp_path, payload, attempts
):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(payload(str(log), str(go)))
    worker = start_on("jobworker")
    wait_for(lambda: lines(log))
    own.crash()
    go.touch()
    wait_for(lambda: len(lines(log)) == 2)
    notices(worker)
    own.start()
    if attempts is None:
        wait_for(lambda: row(job) is None, what="its success was recorded")
    else:
        wait_for(lambda: row(job).state == State.SCHEDULED, what="its failure was recorded")
        assert (row(job).attempts, row(job).epoch) == (1, 1)
        assert row(job).last_error.startswith("RuntimeError: after all")
    assert words(log) == ["began", "ended"]
    assert "dropped" not in worker.output


@pytest.mark.parametrize(("payload", "status"), [(Wait, 0), (WaitAndFail, 1)])
@pytest.mark.parametrize("container", [True, False])
def test_runjob_records_its_outcome_once_the_database_is_back(
    own, start_on, tmp_path, payload, status, container
):
    log, go = tmp_path / "log", tmp_path / "go"
    job = jobs.enqueue(payload(str(log), str(go)))
    if container:
        Job.objects.filter(pk=job.pk).update(
            state=State.RUNNING, locked_by="watcher", handed_over=True
        )
    process = start_on("runjob", str(job.pk), **({"JOB_EPOCH": "0"} if container else {}))
    wait_for(lambda: lines(log))
    own.crash()
    go.touch()
    notices(process)
    assert process.popen.poll() is None
    own.start()
    assert process.wait() == status
    assert row(job) is None if status == 0 else (row(job).attempts, row(job).epoch) == (1, 1)
    assert words(log) == ["began", "ended"]


def test_runjob_waits_for_the_database_before_it_begins(own, start_on, tmp_path):
    log = tmp_path / "log"
    job = jobs.enqueue(Append(str(log)))
    own.crash()
    process = start_on("runjob", str(job.pk))
    notices(process)
    own.start()
    assert process.wait() == 0
    assert lines(log) == ["performed"]


def test_runjob_that_is_told_to_end_before_it_begins_says_so_and_changes_nothing(
    own, start_on, tmp_path
):
    job = jobs.enqueue(Append(str(tmp_path / "log")))
    own.crash()
    process = start_on("runjob", str(job.pk))
    notices(process)
    process.send(signal.SIGTERM)
    assert process.wait() == 75
    assert "was not begun" in process.output.splitlines()[-1]
    own.start()
    assert (row(job).state, row(job).attempts) == (State.READY, 0)


def test_after_an_outage_longer_than_the_lease_the_living_are_not_taken_for_dead(
    own, start_on, tmp_path
):
    lease = 24.0  # half of it is time enough to renew it, on a busy machine too
    log, go = tmp_path / "log", tmp_path / "go"
    jobs.enqueue_many([Wait(str(log), str(go), str(number)) for number in range(3)])
    worker = start_on("jobworker", "--concurrency", "2", JOBS_LEASE=str(lease))
    other = start_on("jobworker", JOBS_LEASE=str(lease))
    wait_for(lambda: len(lines(log)) == 3)
    own.crash()
    expired = time.monotonic() + lease
    wait_for(lambda: time.monotonic() > expired, what="the leases expired")
    own.start()
    idle = start_on("jobworker", "--queues", "none", JOBS_LEASE="60")
    first = min(job.locked_at for job in Job.objects.all())
    wait_for(
        lambda: min(job.locked_at for job in Job.objects.all()) > first,
        what="all leases were renewed",
    )
    go.touch()
    wait_for(lambda: not Job.objects.exists(), what="all were recorded")
    assert sorted(words(log)) == ["began"] * 3 + ["ended"] * 3
    for process in (worker, other, idle):
        assert "is gone" not in process.output
