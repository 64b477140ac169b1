"""Enqueueing in a transaction of MongoDB's, which the first error would end."""

from __future__ import annotations

import pytest
from django.db import connection

import jobs
from jobs.models import Job
from tests.conformance.test_races import Keyed
from tests.samples import Record

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor != "mongodb", reason="MongoDB's transactions"),
]


@pytest.fixture
def atomic():
    from django_mongodb_backend.transaction import atomic

    return atomic


def test_what_is_rolled_back_was_never_enqueued(atomic):
    def enqueue_and_fail():
        with atomic():
            jobs.enqueue(Record(), unique_key="k")
            jobs.enqueue_many([Record(), Record()])
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        enqueue_and_fail()
    assert not Job.objects.exists()
    assert jobs.enqueue(Record(), unique_key="k").already_enqueued is False


def test_what_is_committed_was_enqueued(atomic):
    with atomic():
        enqueued = [
            jobs.enqueue(Record(), unique_key="k"),
            *jobs.enqueue_many([Record(), Record()]),
        ]
    assert set(Job.objects.values_list("pk", flat=True)) == {job.pk for job in enqueued}


def test_a_key_that_is_held_does_not_end_the_callers_transaction(atomic):
    first = jobs.enqueue(Record(), unique_key="k")
    with atomic():
        other = jobs.enqueue(Record())
        again = jobs.enqueue(Record(), unique_key="k")
        assert (again.pk, again.already_enqueued) == (first.pk, True)
        assert [job.pk for job in jobs.enqueue_many([Keyed("k"), Keyed("k")])] == [first.pk] * 2
    assert set(Job.objects.values_list("pk", flat=True)) == {first.pk, other.pk}


def test_a_key_is_held_by_what_the_same_transaction_enqueued(atomic):
    with atomic():
        first = jobs.enqueue(Record(), unique_key="k")
        assert jobs.enqueue(Record(), unique_key="k").pk == first.pk
        many = jobs.enqueue_many([Keyed("l"), Keyed("k"), Keyed("l")])
        assert [job.pk for job in many] == [many[0].pk, first.pk, many[0].pk]
    assert set(Job.objects.values_list("unique_key", flat=True)) == {"k", "l"}
