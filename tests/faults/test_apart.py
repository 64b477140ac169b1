"""A job object that somebody asks who doesn't perform it may never answer."""

from __future__ import annotations

import datetime as dt
import os
import socket
import time
from collections.abc import Iterator
from typing import Any

import pytest

import jobs
from jobs.execution import apart, questions
from jobs.execution.apart import Apart
from jobs.models import Job, State
from jobs.operator import actions
from jobs.store import store_for
from tests.limits import AN_HOUR
from tests.processes import lines, row, wait_for
from tests.samples import Record, append
from tests.stuck import WAYS, Stuck

pytestmark = pytest.mark.django_db(transaction=True)

#: Job objects have an hour for their answers, until they are stuck.
PLUGINS = "jobs.plugins.ClearLocks,tests.limits.AnHour"
PLACES = ["constructor", "max_attempts", "destroy_failed_jobs", "reschedule_at"]


def died(payload: jobs.Performable) -> Any:
    """The job of a worker that died while it performed it; its lease has expired."""
    job = jobs.enqueue(payload, priority=-1)
    assert Job.objects.reserve(jobs.Worker(name="dead")).pk == job.pk
    long_ago = store_for(Job).now() - dt.timedelta(hours=1)
    Job.objects.filter(pk=job.pk).update(locked_at=long_ago)
    return job


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("place", PLACES)
def test_a_reaper_is_not_held_by_an_object_that_is_stuck_in_c_code(
    monkeypatch, tmp_path, place, way
):
    monkeypatch.setattr(questions, "ASKED_FOR", AN_HOUR)
    log = tmp_path / "log"
    job = died(Stuck(str(log), place, way, os.getpid()))
    following = jobs.enqueue(Record())
    assert jobs.Worker().work_off() == (1, 0)
    assert lines(log) == [f"stuck in {place}"]
    assert row(following) is None
    assert (row(job).attempts, row(job).epoch) == (1, 1)
    final = place == "destroy_failed_jobs"
    assert row(job).state == (State.FAILED if final else State.SCHEDULED)


@pytest.mark.parametrize("place", ["import", "max_attempts"])
def test_the_reaper_of_another_worker_process_is_not_held(start, tmp_path, place):
    log = tmp_path / "log"
    job = died(Stuck(str(log), place, "deadlock", os.getpid()))
    following = jobs.enqueue(Record())
    stuck = {"STUCK_LOG": str(log)} if place == "import" else {}
    worker = start(
        "jobworker", "--exit-on-complete", "--concurrency", "2", JOBS_PLUGINS=PLUGINS, **stuck
    )
    assert worker.wait() == 0, worker.output
    assert lines(log) == [f"stuck in {place}"]
    assert row(following) is None
    assert (row(job).state, row(job).attempts) == (State.SCHEDULED, 1)
    assert "didn't answer" in worker.output


def test_a_failure_hook_that_is_stuck_in_c_code_is_ended(monkeypatch, tmp_path):
    monkeypatch.setattr(questions, "HOOK_LIMIT", AN_HOUR)
    log = tmp_path / "log"
    job, following = died(Stuck(str(log), "failure", tests=os.getpid())), jobs.enqueue(Record())
    assert jobs.Worker().work_off() == (1, 0)
    assert lines(log) == ["stuck in failure"]
    assert row(job).state == State.FAILED
    assert row(following) is None


def test_unlocking_a_job_is_not_held_either(monkeypatch, tmp_path):
    monkeypatch.setattr(questions, "ASKED_FOR", AN_HOUR)
    log = tmp_path / "log"
    job = died(Stuck(str(log), "max_attempts", tests=0))
    assert actions.unlock(row(job)).state == State.SCHEDULED
    assert lines(log) == ["stuck in max_attempts"]


@pytest.mark.parametrize("place", ["perform", "max_attempts"])
def test_a_worker_that_is_stuck_with_a_job_is_ended_once_and_no_other_follows_it(
    start, tmp_path, place
):
    log = tmp_path / "log"
    job = jobs.enqueue(Stuck(str(log), place, "deadlock", os.getpid()))
    options = {"JOBS_PLUGINS": PLUGINS, "JOBS_MAX_RUN_TIME": "10", "ASKED_FOR": "10"}
    worker = start("jobworker", "--name", "stuck", **options)
    assert worker.wait() == -9
    wait_for(lambda: row(job).attempts == 1, what="the attempt was recorded")
    assert (row(job).state, row(job).epoch) == (State.SCHEDULED, 1)
    assert lines(log)[0] == f"stuck in {place}"
    later = row(job).run_at + dt.timedelta(hours=1)  # not due, however slow the machine is
    Job.objects.filter(pk=job.pk).update(run_at=later)
    heir = start("jobworker", "--name", "heir", "--exit-on-complete")
    assert heir.wait() == 0, heir.output
    assert row(job).attempts == 1


class Tells(jobs.Performable):
    log: str
    max_attempts = 1

    def failure(self, job: Any) -> None:
        append(
            self.log,
            f"{job.state} {job.attempts} {sorted(job.get_deferred_fields())} {os.getpid()}",
        )

    def perform(self) -> None: ...


@pytest.mark.parametrize("command", [False, True])
def test_a_failure_hook_that_is_called_apart_sees_the_job_as_it_was_recorded(
    start, tmp_path, command
):
    log = tmp_path / "log"
    job = died(Tells(str(log)))
    if command:
        worker = start("jobworker", "--exit-on-complete", "--concurrency", "2")
        assert worker.wait() == 0, worker.output
    else:
        jobs.Worker().work_off()
    assert row(job).state == State.FAILED
    [line] = lines(log)
    assert line.startswith("failed 1 [] ")
    assert not line.endswith(f" {os.getpid()}")


class Leaves(jobs.Performable):
    """Starts a process that would hold the socket, and ends without an answer."""

    log: str

    @property
    def max_attempts(self) -> int:
        if os.fork() == 0:
            append(self.log, "child")
            time.sleep(AN_HOUR)
        os._exit(0)

    def perform(self) -> None: ...


def test_what_an_object_starts_apart_is_ended_with_it(monkeypatch, tmp_path):
    """The time for its answers is over once that has begun."""
    log, answers = tmp_path / "log", apart._lines

    def hardly_longer(here: socket.socket, seconds: float) -> Iterator[dict[str, Any]]:
        wait_for(lambda: lines(log), what="the process that it starts")
        return answers(here, 0.5)

    monkeypatch.setattr(questions, "ASKED_FOR", AN_HOUR)
    monkeypatch.setattr(apart, "FORKED_WITHIN", AN_HOUR)
    monkeypatch.setattr(apart, "_lines", hardly_longer)
    verdict = Apart().verdict(jobs.enqueue(Leaves(str(log))), 1, counted=True)
    assert verdict.run_at is not None
    assert lines(log) == ["child"]
