"""The columns that only the queue writes, and what a row can hold."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

import pytest
from django.db import DatabaseError, OperationalError, connection
from django.utils import timezone

import jobs
from jobs.exceptions import KeyNotVisible
from jobs.instants import FIRST, LAST
from jobs.models import OWN_COLUMNS, Job, State
from jobs.store import store_for
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

HOUR = dt.timedelta(hours=1)


def the_job() -> Job:
    return Job.objects.get()


def worked_off() -> Job:
    """One pass, after which a job behind the broken one has been performed."""
    jobs.enqueue(Record("next"), priority=9)
    assert jobs.Worker().work_off() == (1, 1)
    return the_job()


@dataclass
class Saves(jobs.Performable):
    """Changes its row as a hook may, after somebody else did."""

    hook: str
    names: list[str] | None = None

    def _called(self, hook: str, job: Any) -> None:
        if hook != self.hook:
            return
        Job.objects.filter(pk=job.pk).update(attempts=7, last_error="meanwhile", unique_key="u")
        job.priority, job.queue = 5, "changed"
        job.state, job.epoch, job.locked_by, job.runner = State.READY, 99, "nobody", ""
        job.attempts, job.last_error, job.run_at = 0, "", timezone.now() + HOUR
        job.save(update_fields=self.names)

    def before(self, job: Any) -> None:
        self._called("before", job)

    def success(self, job: Any) -> None:
        self._called("success", job)

    def perform(self) -> None: ...


def test_a_job_that_saves_itself_leaves_the_queues_own_columns_alone():
    jobs.enqueue(Saves("before"))
    worker = jobs.Worker(name="w")
    job = Job.objects.reserve(worker)
    job.payload.before(job)
    row = the_job()
    assert (row.priority, row.queue) == (5, "changed")
    assert (row.state, row.epoch, row.locked_by, row.runner) == (State.RUNNING, 0, "w", "w@0")
    assert (row.attempts, row.last_error, row.unique_key) == (7, "meanwhile", "u")


@pytest.mark.parametrize("name", sorted(OWN_COLUMNS))
def test_a_column_of_the_queues_own_cannot_be_saved_by_name(name):
    job = jobs.enqueue(Record())
    with pytest.raises(ValueError, match=name):
        job.save(update_fields=[name])


def test_saving_a_job_that_is_gone_does_not_bring_it_back():
    job = jobs.enqueue(Record())
    Job.objects.filter(pk=job.pk).delete()
    with pytest.raises(DatabaseError):
        job.save()
    assert not Job.objects.exists()


@dataclass
class SavesWhenEnqueued(jobs.Performable):
    def enqueue(self, job: Any) -> None:
        job.priority = 3
        job.save()

    def perform(self) -> None: ...


def test_a_job_that_is_saved_in_its_enqueue_hook_is_stored_once():
    jobs.enqueue(SavesWhenEnqueued(), unique_key="k")
    jobs.enqueue_many([SavesWhenEnqueued()])
    assert [job.priority for job in Job.objects.all()] == [3, 3]


def test_a_job_that_the_database_cannot_hold_is_refused_and_the_largest_one_is_performed(calls):
    limit = store_for(Job).largest_row
    if limit > 2**24:
        pytest.skip("MongoDB's limit")
    for too_much in ("x" * limit, "x" * 2**24, "\0" * (limit // 5)):
        with pytest.raises(ValueError, match="can be stored"):
            jobs.enqueue(Record(too_much))
        with pytest.raises(ValueError, match="can be stored"):
            jobs.enqueue_many([Record(), Record(too_much)])
    assert not Job.objects.exists()
    jobs.enqueue(Record("x" * (limit - 2000)))
    assert jobs.Worker().work_off() == (1, 0)
    assert len(calls) == 1


def test_the_limit_leaves_room_for_the_error(monkeypatch):
    monkeypatch.setattr(type(store_for(Job)), "largest_row", 1000)
    with pytest.raises(ValueError, match="at most 1,000 can be stored"):
        jobs.enqueue(Record("x" * 1000))
    jobs.enqueue(Record("x" * 500))


@pytest.mark.parametrize(
    "zone", [dt.timezone(dt.timedelta(hours=9)), dt.timezone(-dt.timedelta(hours=9)), None]
)
@pytest.mark.parametrize("instant", [dt.datetime.min, dt.datetime.max])
def test_an_instant_that_cannot_be_expressed_is_refused(zone, instant):
    with pytest.raises(ValueError, match="run_at"):
        jobs.enqueue(Record(), run_at=instant.replace(tzinfo=zone))
    with pytest.raises(ValueError, match="run_at"):
        jobs.enqueue_many([Record()], run_at=instant.replace(tzinfo=zone))
    assert not Job.objects.exists()


@pytest.mark.parametrize("instant", [FIRST, LAST])
def test_the_first_and_the_last_instant_are_stored_and_come_back(instant):
    jobs.enqueue(Record(), run_at=instant)
    assert the_job().run_at == instant
    assert jobs.Worker().work_off() == ((1, 0) if instant == FIRST else (0, 0))


@dataclass
class Again(jobs.Performable):
    at: dt.datetime | None = None
    kind: str = ""

    def perform(self) -> None:
        raise RuntimeError("it broke")

    def reschedule_at(self, now: dt.datetime, attempts: int) -> Any:
        return {"": self.at, "text": "tomorrow", "none": None}[self.kind]


@pytest.mark.parametrize(
    "payload",
    [
        Again(dt.datetime.min.replace(tzinfo=dt.timezone(dt.timedelta(hours=9)))),
        Again(dt.datetime.max.replace(tzinfo=dt.timezone(-dt.timedelta(hours=9)))),
        Again(dt.datetime.min),
        Again(dt.datetime.max),
        Again(kind="text"),
        Again(kind="none"),
    ],
)
def test_an_instant_that_a_payload_computes_is_bounded(payload):
    jobs.enqueue(payload)
    before = timezone.now() - dt.timedelta(seconds=1)
    # One job, because the next attempt may be due at once.
    assert jobs.Worker().work_off(1) == (0, 1)
    row = the_job()
    assert (row.state, row.attempts) == (State.SCHEDULED, 1)
    assert before < row.run_at < before + dt.timedelta(days=3652)


def test_enqueueing_ends_where_the_holder_of_the_key_cannot_be_seen(monkeypatch):
    jobs.enqueue(Record(1), unique_key="k")
    store = store_for(Job)
    looks = []
    monkeypatch.setattr(store, "holder_of", looks.append)
    with pytest.raises(KeyNotVisible, match="'k'"):
        jobs.enqueue(Record(2), unique_key="k")
    assert 1 < len(looks) <= 20
    assert Job.objects.count() == 1


@pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's isolation levels")
@pytest.mark.parametrize("level", ["REPEATABLE READ", "SERIALIZABLE"])
def test_enqueueing_ends_under_every_isolation_level(level):
    import threading

    from django.db import connections, transaction

    def elsewhere() -> None:
        jobs.enqueue(Record("first"), unique_key="k")
        connections.close_all()

    @transaction.atomic
    def here() -> None:
        with connection.cursor() as cursor:
            cursor.execute(f"SET TRANSACTION ISOLATION LEVEL {level}")
            cursor.execute("SELECT count(*) FROM jobs_job")
        thread = threading.Thread(target=elsewhere)
        thread.start()
        thread.join()
        jobs.enqueue(Record("second"), unique_key="k")

    with pytest.raises((KeyNotVisible, OperationalError)):
        here()
    assert Job.objects.count() == 1


def test_an_instant_that_python_cannot_express_is_read_as_the_nearest_that_it_can():
    if connection.vendor != "mongodb":
        pytest.skip("MongoDB's range of instants")
    import bson
    from bson.datetime_ms import DatetimeMS

    options = store_for(Job).collection.codec_options
    for milliseconds, year in ((10**17, 9999), (-(10**17), 1)):
        document = bson.encode({"at": DatetimeMS(milliseconds)})
        assert bson.decode(document, options)["at"].year == year
