"""Many jobs at once are stored as `enqueue` stores each, however many they are, in the
same memory.
"""

from __future__ import annotations

import datetime as dt
import tracemalloc
from collections.abc import Iterator
from itertools import islice
from typing import Any

import pytest
from django.db import connection, transaction
from django.db.models.functions import Now
from django.db.models.signals import post_save
from django.test.utils import CaptureQueriesContext
from django.utils import timezone

import jobs
from jobs.enqueueing import BATCH_SIZE
from jobs.models import Job
from jobs.signals import enqueueing
from jobs.store.writing import Writer
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

on_sql = pytest.mark.skipif(
    connection.vendor not in ("postgresql", "sqlite"), reason="transactions and signals of SQL"
)
#: What differs between two jobs that were enqueued alike.
OF_ITS_OWN = {"id", "run_at", "created_at", "updated_at"}


class Keyed(jobs.Performable):
    number: int
    unique_key: str | None = None

    def perform(self) -> None: ...


class Hears(jobs.Performable):
    number: int

    def enqueue(self, job: Any) -> None:
        job.priority = self.number

    def perform(self) -> None: ...


def records(number: int) -> Iterator[Record]:
    return (Record("x" * 200) for _ in range(number))


def peak_of(number: int) -> int:
    """Bytes of Python's objects at most, while so many jobs are enqueued."""
    tracemalloc.start()
    try:
        assert jobs.enqueue_many(records(number), returning=False) == number
        return tracemalloc.get_traced_memory()[1]
    finally:
        tracemalloc.stop()


def test_memory_is_flat_however_long_an_iterator_is(monkeypatch):
    size = 300  # it doesn't depend on it, and a thousand rows take seconds on MongoDB
    monkeypatch.setattr("jobs.enqueueing.BATCH_SIZE", size)
    peak_of(size)  # what is read and kept once
    assert peak_of(10 * size) < 1.5 * peak_of(2 * size)
    assert Job.objects.count() == 13 * size


def test_no_more_than_a_batch_is_asked_for_before_it_is_stored():
    stored = []

    def payloads() -> Iterator[Record]:
        for number in range(2 * BATCH_SIZE + 1):
            if number % BATCH_SIZE == 0:
                stored.append(Job.objects.count())
            yield Record(number)

    assert jobs.enqueue_many(payloads(), returning=False) == 2 * BATCH_SIZE + 1
    assert stored == [0, BATCH_SIZE, 2 * BATCH_SIZE]


def test_each_way_of_enqueueing_stores_the_same_rows():
    def row(job: Job) -> dict[str, Any]:
        values = Job.objects.filter(pk=job.pk).values().get()
        return {name: value for name, value in values.items() if name not in OF_ITS_OWN}

    options: dict[str, Any] = {"queue": "mail", "priority": 3}
    one = row(jobs.enqueue(Record("é\\'\""), **options))
    many = jobs.enqueue_many([Record("é\\'\"")] * 3 + [Record(2)], **options)
    assert [row(job) for job in many[:3]] == [one] * 3
    assert [job.payload.value for job in map(the_row, many)] == ["é\\'\""] * 3 + [2]
    Job.objects.all().delete()
    assert jobs.enqueue_many([Record("é\\'\"")] * 3, returning=False, **options) == 3
    assert [row(job) for job in Job.objects.all()] == [one] * 3


def the_row(job: Job) -> Job:
    return Job.objects.get(pk=job.pk)


def test_jobs_get_the_keys_of_their_own_rows():
    found = jobs.enqueue_many(Record(number) for number in range(BATCH_SIZE + 300))
    assert len({job.pk for job in found}) == len(found)
    for number in (0, 1, 299, BATCH_SIZE - 1, BATCH_SIZE, BATCH_SIZE + 299):
        assert the_row(found[number]).payload.value == number


def test_what_is_due_later_is_scheduled_and_the_rest_is_ready():
    later = timezone.now() + dt.timedelta(hours=1)
    assert jobs.enqueue_many(records(3), returning=False, run_at=later) == 3
    assert jobs.enqueue_many(records(2), returning=False) == 2
    assert Job.objects.filter(state="scheduled").count() == 3
    assert jobs.Worker().work_off() == (2, 0)


def test_hooks_and_signals_have_their_say_for_each_of_many():
    heard = []

    def hear(sender: Any, job: Any, **kwargs: Any) -> None:
        heard.append(job.payload.number)
        job.queue = f"q{job.payload.number}"

    enqueueing.connect(hear)
    try:
        jobs.enqueue_many((Hears(number) for number in range(5)), returning=False)
    finally:
        enqueueing.disconnect(hear)
    assert heard == list(range(5))
    stored = {(job.priority, job.queue) for job in Job.objects.all()}
    assert stored == {(number, f"q{number}") for number in range(5)}


def test_held_keys_are_not_counted_and_hold_nothing_up():
    held = jobs.enqueue(Keyed(0, "held"))
    payloads = [Keyed(1, "a"), Keyed(2, "held"), Keyed(3, "a"), Keyed(4), Keyed(5, "b")]
    assert jobs.enqueue_many(payloads, returning=False) == 3
    assert {job.payload.number for job in Job.objects.all()} == {0, 1, 4, 5}
    assert Job.objects.get(unique_key="held").pk == held.pk


@on_sql
def test_many_held_keys_cost_a_few_statements():
    jobs.enqueue_many([Keyed(number, f"k{number}") for number in range(0, 200, 2)])
    with CaptureQueriesContext(connection) as sent:
        payloads = (Keyed(number, f"k{number}") for number in range(200))
        assert jobs.enqueue_many(payloads, returning=False) == 100
    assert len(sent) < 20


def test_an_object_that_is_no_job_ends_it_and_those_before_its_batch_stay():
    def payloads() -> Iterator[Any]:
        yield from records(BATCH_SIZE + 5)
        yield "no job"

    with pytest.raises(TypeError, match="so it can't be enqueued"):
        jobs.enqueue_many(payloads(), returning=False)
    assert Job.objects.count() == BATCH_SIZE
    with pytest.raises(TypeError, match="so it can't be enqueued"):
        jobs.enqueue_many(payloads())
    assert Job.objects.count() == BATCH_SIZE


@on_sql
def test_an_iterator_that_fails_in_a_transaction_leaves_nothing():
    def payloads() -> Iterator[Record]:
        yield from records(BATCH_SIZE + 5)
        raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError), transaction.atomic():
        jobs.enqueue_many(payloads(), returning=False)
    assert not Job.objects.exists()


def test_nothing_is_enqueued_of_nothing():
    assert jobs.enqueue_many([]) == []
    assert jobs.enqueue_many(iter(()), returning=False) == 0


def test_what_is_equal_and_not_the_same_is_stored_as_each_is():
    writer = Writer(Job)
    rows = [Job(priority=1, last_error="é"), Job(priority=True, last_error="e" + chr(0x301))]
    stored = {column.field.name: column for column in writer.columns(rows, connection)}
    assert stored["priority"].values is not None
    assert list(stored["last_error"].values) == [row.last_error for row in rows]
    assert (stored["queue"].value, stored["queue"].values) == ("default", None)


@on_sql
def test_who_waits_for_the_signal_of_saving_hears_of_a_job():
    heard = []

    def hear(sender: Any, instance: Any, created: bool, **kwargs: Any) -> None:
        heard.append((instance.pk, created))

    post_save.connect(hear, sender=Job)
    try:
        job = jobs.enqueue(Record(1))
    finally:
        post_save.disconnect(hear, sender=Job)
    assert heard == [(job.pk, True)]


@on_sql
def test_an_expression_is_computed_by_the_database():
    before = timezone.now() - dt.timedelta(seconds=5)
    one = jobs.enqueue(Record(1), created_at=Now())
    many = jobs.enqueue_many([Record(1), Record(2)], created_at=Now())
    assert all(before < the_row(job).created_at for job in (one, *many))


@on_sql
def test_a_refused_row_marks_the_transaction_as_one_to_roll_back():
    jobs.enqueue(Record(1))

    class Refused(Exception): ...

    def refuse(execute: Any, sql: str, params: Any, many: bool, context: Any) -> Any:
        if sql.startswith("INSERT"):
            raise Refused
        return execute(sql, params, many, context)

    with transaction.atomic():
        with connection.execute_wrapper(refuse), pytest.raises(Refused):
            jobs.enqueue(Record(2))
        assert connection.needs_rollback
    assert [job.payload.value for job in islice(Job.objects.all(), 9)] == [1]
