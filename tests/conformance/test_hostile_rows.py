"""One row may cost itself, never a worker: whatever it raises, and whatever it
contains.
"""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection

import jobs
from jobs.models import Job, State
from jobs.process import reaper
from jobs.process.reaper import Reaper
from jobs.store import store_for
from tests.hostile import Raise
from tests.processes import row
from tests.samples import Fail, Record, calls

pytestmark = pytest.mark.django_db(transaction=True)

any_type = pytest.mark.skipif(
    connection.vendor not in ("sqlite", "mongodb"), reason="columns that hold values of any type"
)

#: A column, and a value that it can't have been given by the queue.
BROKEN: list[tuple[str, Any]] = [
    ("attempts", "many"),
    ("attempts", 2**62),
    ("epoch", "first"),
    ("epoch", 0.5),
    ("epoch", 1e308),
    ("epoch", 2**63 - 1),
    ("epoch", -(2**63)),
    ("priority", float("inf")),
    ("run_at", "garbage"),
    ("run_at", "2026-99-99 00:00:00"),
    ("run_at", 12),
    ("priority", "high"),
    ("queue", 7),
    ("name", 7),
    ("handler", 7),
    ("handler", ""),
    ("heartbeat_at", "now"),
    ("started_at", b"\xff"),
    ("created_at", "long ago"),
    ("last_error", 7),
]


def write(job: Job, **values: Any) -> None:
    """Writes to the row as somebody else would: past the queue, the models and their
    types.
    """
    if connection.vendor in ("mongodb", "djongo"):
        store = store_for(Job)
        store.collection.update_one({store._pk: job.pk}, {"$set": values})
        return
    assigned = ", ".join(f"{name} = %s" for name in values)
    stored = [
        connection.ops.adapt_datetimefield_value(value) if isinstance(value, dt.datetime) else value
        for value in values.values()
    ]
    with connection.cursor() as cursor:
        cursor.execute(f"UPDATE jobs_job SET {assigned} WHERE id = %s", [*stored, job.pk])


def state_of(job: Job) -> str | None:
    return Job.objects.filter(pk=job.pk).values_list("state", flat=True).first()


@pytest.fixture
def worker(settings, monkeypatch):
    settings.JOBS = {"LEASE": 60}
    monkeypatch.setattr(reaper, "ODD_INTERVAL", 0)
    return jobs.Worker()


@pytest.mark.parametrize("kind", ["exit", "interrupt", "unreadable"])
@pytest.mark.parametrize(
    "place",
    [
        "perform",
        "before",
        "after",
        "error",
        "failure",
        "max_attempts",
        "reschedule_at",
        "destroy_failed_jobs",
    ],
)
def test_what_a_job_raises_costs_that_job_alone(worker, place, kind):
    job = jobs.enqueue(Raise(place, kind))
    jobs.enqueue(Record("next"))
    worker.work_off(2)
    assert calls == ["next"]
    gone = place == "error" and state_of(job) is None
    # On a slow machine it may be due again by now.
    assert gone or Job.objects.filter(pk=job.pk, attempts=1).exclude(state=State.RUNNING).exists()


@pytest.mark.parametrize("place", ["max_attempts", "reschedule_at", "destroy_failed_jobs"])
def test_what_a_dead_workers_job_raises_does_not_end_the_reaper(worker, place):
    bad, good = jobs.enqueue(Raise(place)), jobs.enqueue(Record())
    long_ago = store_for(Job).now() - dt.timedelta(hours=1)
    for job in (bad, good):
        assert Job.objects.reserve(jobs.Worker(name="dead")) is not None
        write(job, locked_at=long_ago)
    Reaper(Job, worker.recorder).reap()
    assert state_of(good) == State.SCHEDULED
    assert state_of(bad) in (State.SCHEDULED, State.FAILED)


@any_type
@pytest.mark.parametrize(("column", "value"), BROKEN)
@pytest.mark.parametrize("payload", [Record("bad"), Fail()], ids=["succeeds", "fails"])
def test_a_row_with_a_broken_column_ends_and_the_next_is_performed(worker, column, value, payload):
    bad, good = jobs.enqueue(payload, priority=-5), jobs.enqueue(Record("good"))
    write(bad, **{column: value})
    for _ in range(3):
        worker.work_off(5)
    assert "good" in calls
    assert state_of(good) is None
    write_expired = store_for(Job).now() - dt.timedelta(hours=1)
    if state_of(bad) == State.RUNNING:
        write(bad, locked_at=write_expired)
    Reaper(Job, worker.recorder).reap()
    assert state_of(bad) != State.RUNNING


@any_type
@pytest.mark.parametrize(("column", "value"), BROKEN)
def test_a_running_row_with_a_broken_column_is_reaped_and_so_is_the_next(worker, column, value):
    bad, good = jobs.enqueue(Record(), priority=-5), jobs.enqueue(Record())
    long_ago = store_for(Job).now() - dt.timedelta(hours=1)
    for job in (bad, good):
        assert Job.objects.reserve(jobs.Worker(name="dead")) is not None
        write(job, locked_at=long_ago)
    write(bad, **{column: value})
    Reaper(Job, worker.recorder).reap()
    assert state_of(good) == State.SCHEDULED
    assert state_of(bad) in (State.SCHEDULED, State.FAILED)
    if state_of(bad) == State.FAILED:
        assert row(bad).last_error


@pytest.mark.skipif(connection.vendor != "postgresql", reason="instants that Python can't hold")
@pytest.mark.parametrize("value", ["infinity", "-infinity", "20000-01-01", "0044-03-15 BC"])
@pytest.mark.parametrize("column", ["run_at", "created_at", "heartbeat_at"])
def test_an_instant_that_python_cannot_hold_costs_its_row_alone(worker, column, value):
    bad, _good = jobs.enqueue(Record("bad"), priority=-5), jobs.enqueue(Record("good"))
    write(bad, **{column: value})
    worker.work_off(5)
    assert "good" in calls
    if state_of(bad) == State.RUNNING:
        write(bad, locked_at=store_for(Job).now() - dt.timedelta(hours=1))
    Reaper(Job, worker.recorder).reap()
    assert state_of(bad) != State.RUNNING


@pytest.mark.parametrize("lease", ["missing", "far", "garbage", "with an offset"])
def test_a_lease_that_no_worker_wrote_does_not_last_for_ever(worker, lease):
    if lease in ("garbage", "with an offset") and connection.vendor not in ("sqlite", "mongodb"):
        pytest.skip("columns that hold values of any type")
    job = jobs.enqueue(Record())
    assert Job.objects.reserve(jobs.Worker(name="dead")) is not None
    far = store_for(Job).now() + dt.timedelta(days=400)
    values = {
        "missing": None,
        "far": far,
        "garbage": "zzz",
        "with an offset": "2999-01-01T00:00:00+09:00",
    }
    write(job, locked_at=values[lease])
    Reaper(Job, worker.recorder).reap()
    assert state_of(job) in (State.SCHEDULED, State.FAILED)


def test_a_lease_that_a_worker_renews_is_not_taken_for_an_odd_one(worker):
    job = jobs.enqueue(Record())
    assert Job.objects.reserve(jobs.Worker(name="alive")) is not None
    Reaper(Job, worker.recorder).reap()
    assert (row(job).state, row(job).locked_by) == (State.RUNNING, "alive")
