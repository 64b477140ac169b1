"""What becomes of jobs whose watcher is gone or lets go, and what a worker's
maintenance leaves alone.
"""

from __future__ import annotations

import datetime as dt
import threading
from collections.abc import Callable
from typing import Any

import pytest
from django.db import connections

import jobs
from jobs.models import Job, State
from jobs.process.reaper import Reaper
from jobs.store import store_for
from tests.model.world import after_the_next_read
from tests.processes import wait_for
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

SECOND = dt.timedelta(seconds=1)
HOUR = dt.timedelta(hours=1)
CONTAINER = "batch-1/1@3#a"


def now() -> dt.datetime:
    return store_for(Job).now()


def watched(**fields: Any) -> Job:
    """A running job whose lease expired long ago."""
    job = jobs.enqueue(Record())
    expired = {
        "state": State.RUNNING,
        "epoch": 3,
        "attempts": 1,
        "locked_by": "w",
        "locked_at": now() - HOUR,
    }
    Job.objects.filter(pk=job.pk).update(**{**expired, **fields})
    return job


def by_its_watcher(**fields: Any) -> Job:
    return watched(**{"runner": "w@3", "heartbeat_at": now() - HOUR, **fields})


def outcome(job: Job) -> tuple[str, int, int]:
    row = Job.objects.get(pk=job.pk)
    return row.state, row.epoch, row.attempts


def maintain() -> None:
    """A worker that reaps, and performs nothing."""
    assert jobs.Worker(queues=["none"]).work_off() == (0, 0)


def restart() -> None:
    """A worker of the same name starts, and frees what its predecessor held."""
    jobs.Worker(name="w", queues=["none"], exit_on_complete=True).start()


def let_go() -> None:
    """The worker's own last act."""
    jobs.Worker(name="w").let_go_of_all()


def unlock() -> None:
    jobs.unlock(worker="w")


COUNTED, DETACHED, READY = (State.SCHEDULED, 4, 2), (State.DETACHED, 3, 1), (State.READY, 4, 1)


@pytest.mark.parametrize("release", [maintain, restart, let_go, unlock])
def test_the_watchers_own_execution_died_one_elsewhere_goes_on_and_one_not_begun_is_ready_again(
    release,
):
    """All in one pass, so that what is done to some by one statement is done to no
    other.
    """
    expected = {
        by_its_watcher().pk: COUNTED,
        # Handed over, and performed by the worker itself all the same: it died with the
        # worker.
        by_its_watcher(handed_over=True).pk: COUNTED,
        watched(handed_over=True).pk: DETACHED,
        watched(handed_over=True, runner=CONTAINER, heartbeat_at=now() - HOUR).pk: DETACHED,
        # The runner of an earlier epoch, or of another worker, isn't the watcher.
        watched(handed_over=True, runner="w@2").pk: DETACHED,
        watched(handed_over=True, runner="w 2@3").pk: DETACHED,
        watched().pk: READY,
        watched(runner=CONTAINER).pk: COUNTED,
    }
    release()
    assert {job.pk: outcome(job) for job in Job.objects.all()} == expected
    for job in Job.objects.all():
        assert (job.locked_by, job.locked_at) == ("", None)
        assert job.runner == "" or job.state == State.DETACHED
        assert job.handed_over is (job.state == State.DETACHED)


@pytest.mark.parametrize("release", [maintain, let_go])
@pytest.mark.parametrize("make", [by_its_watcher, watched])
def test_a_renewal_between_the_reapers_read_and_its_write_wins(make, release):
    job, elsewhere = make(), watched(handed_over=True)

    def renew() -> None:
        Job.objects.filter(pk=job.pk).update(locked_at=now())

    with after_the_next_read(renew):
        release()
    assert outcome(job) == (State.RUNNING, 3, 1)
    assert outcome(elsewhere) == DETACHED


def test_a_job_that_is_handed_over_between_the_reapers_read_and_its_write_is_not_made_ready():
    job = watched()
    with after_the_next_read(lambda: Job.objects.filter(pk=job.pk).update(handed_over=True)):
        maintain()
    assert outcome(job)[0] in (State.RUNNING, State.DETACHED)


def test_only_leases_that_have_expired_are_reaped(settings):
    settings.JOBS = {"LEASE": 3600}
    living = [by_its_watcher(locked_at=now() - silent * SECOND) for silent in (0, 3500)]
    dead = by_its_watcher(locked_at=now() - 3700 * SECOND)
    maintain()
    assert [outcome(job) for job in living] == [(State.RUNNING, 3, 1)] * 2
    assert outcome(dead) == COUNTED


@pytest.mark.parametrize(
    ("reachable", "state"), [(0.0, State.RUNNING), (29.0, State.RUNNING), (31.0, State.SCHEDULED)]
)
def test_after_an_outage_the_living_get_half_a_lease_to_renew_theirs(
    monkeypatch, settings, reachable, state
):
    settings.JOBS = {"LEASE": 60}
    job = by_its_watcher()
    monkeypatch.setattr(store_for(Job), "seconds_reachable", lambda: reachable)
    maintain()
    assert outcome(job)[0] == state


def renew_and_reap() -> None:
    """As the heartbeat's thread does."""
    worker = jobs.Worker()
    own = jobs.enqueue(Record())
    try:
        with worker.heartbeat.watching(Job.objects.get(pk=own.pk)):
            worker.heartbeat.beat()
            Reaper(Job, worker.recorder).reap()
    finally:
        worker.heartbeat.stop()


def reaped_after_half_a_lease(
    job: Job, keep_house: Callable[[], None], passed: list[float]
) -> None:
    """It isn't before that, from when the database was seen again."""
    for _ in range(2):
        passed[0] += 14
        keep_house()
        assert outcome(job)[0] == State.RUNNING
    passed[0] += 3
    keep_house()
    assert outcome(job) == COUNTED


@pytest.mark.parametrize("keep_house", [maintain, renew_and_reap])
def test_an_outage_that_the_driver_waits_through_is_one_too(monkeypatch, passed, keep_house):
    job = by_its_watcher()
    store, waited = store_for(Job), []

    def write_late(*arguments: Any) -> int:
        passed[0] += 16  # more than a quarter of the lease, and no error
        waited.append(True)
        return type(store).change_many(store, *arguments)

    with monkeypatch.context() as away:
        away.setattr(store, "change_many", write_late)
        keep_house()
    assert waited
    assert outcome(job)[0] == State.RUNNING
    reaped_after_half_a_lease(job, keep_house, passed)


@pytest.mark.parametrize("keep_house", [maintain, renew_and_reap])
def test_an_outage_lasts_until_the_database_is_seen_again(passed, keep_house):
    job = by_its_watcher()
    store_for(Job).reconnect()
    passed[0] += 3000  # nothing is asked meanwhile
    keep_house()
    assert outcome(job)[0] == State.RUNNING
    reaped_after_half_a_lease(job, keep_house, passed)


def test_a_worker_that_starts_gives_the_living_half_a_lease_too(settings, passed, calls):
    """An outage may just have ended of which it knows nothing."""
    settings.JOBS = {"LEASE": 600}
    running = by_its_watcher()
    worker = jobs.Worker(sleep_delay=0.05)

    def work() -> None:
        worker.start()
        connections.close_all()

    thread = threading.Thread(target=work)
    thread.start()
    try:
        # Never by a quarter of the lease at once, as if a call had had to wait.
        for passed[0] in (0.0, 145.0, 290.0):
            calls.clear()
            jobs.enqueue(Record())
            wait_for(lambda: calls)  # after a look at the leases
            assert outcome(running)[0] == State.RUNNING
        passed[0] = 310.0
        wait_for(lambda: outcome(running) == COUNTED)
    finally:
        worker.stop()
        thread.join(120)
    assert not thread.is_alive()


@pytest.mark.parametrize("release", [restart, unlock])
def test_only_what_that_worker_has_locked_is_let_go_of(release):
    mine, others = (
        by_its_watcher(locked_at=now()),
        by_its_watcher(locked_at=now(), locked_by="other"),
    )
    release()
    assert outcome(mine) == COUNTED
    assert outcome(others) == (State.RUNNING, 3, 1)


def test_only_scheduled_jobs_that_are_due_are_promoted():
    late, soon = now() - HOUR, now() + HOUR
    rows = {}
    for state in State:
        rows[state] = watched(state=state, run_at=late, locked_at=now())
    waiting = watched(state=State.SCHEDULED, run_at=soon)
    maintain()
    assert outcome(rows.pop(State.SCHEDULED))[0] == State.READY
    assert {state: outcome(job)[0] for state, job in rows.items()} == {
        state: state for state in rows
    }
    assert outcome(waiting)[0] == State.SCHEDULED


def test_only_succeeded_jobs_are_forgotten_and_only_after_their_time(settings):
    settings.JOBS = {"KEEP_SUCCEEDED_FOR": 3600}
    old = now() - 3700 * SECOND
    for state in State:
        watched(state=state, finished_at=old, locked_at=now(), run_at=now() + HOUR)
    young = watched(state=State.SUCCEEDED, finished_at=now() - 3500 * SECOND)
    maintain()
    assert [job.pk for job in Job.objects.filter(state=State.SUCCEEDED)] == [young.pk]
    assert Job.objects.count() == len(State)
