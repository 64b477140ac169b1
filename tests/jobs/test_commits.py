"""Jobs that are stored when a transaction is committed."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, transaction
from django.test import TestCase, override_settings

import jobs
from jobs.models import Job
from tests.samples import Record, Target, calls

pytestmark = [
    pytest.mark.django_db(transaction=True),
    pytest.mark.skipif(connection.vendor == "mongodb", reason="it has no such transaction"),
]


@contextmanager
def rolled_back() -> Iterator[None]:
    with transaction.atomic():
        yield
        transaction.set_rollback(True)


def test_a_job_is_stored_when_the_transaction_is_committed():
    with transaction.atomic():
        job = jobs.enqueue(Record(1), on_commit=True, unique_key="k")
        many = jobs.enqueue_many([Record(2), Record(3)], on_commit=True)
        assert jobs.enqueue_many([Record(4)], on_commit=True, returning=False) == 1
        assert (job.pk, job.being_enqueued) == (None, True)
        assert not Job.objects.exists()
    assert Job.objects.get(unique_key="k").pk == job.pk
    assert not job.being_enqueued
    assert [one.payload.value for one in Job.objects.order_by("pk")] == [1, 2, 3, 4]
    found = [Job.objects.get(pk=one.pk).payload.value for one in many]
    assert found == [2, 3]


def test_without_a_transaction_it_is_stored_at_once():
    assert jobs.enqueue(Record(1), on_commit=True).pk == Job.objects.get().pk


def test_a_delayed_method_is_stored_when_the_transaction_is_committed():
    with transaction.atomic():
        jobs.delay(Target, on_commit=True).remember(1, 2)
        assert not Job.objects.exists()
    assert Job.objects.count() == 1


def test_what_is_rolled_back_was_never_enqueued():
    with rolled_back():
        jobs.enqueue(Record(1), on_commit=True)
    with transaction.atomic():
        with rolled_back():
            jobs.enqueue(Record(2), on_commit=True)
        jobs.enqueue(Record(3), on_commit=True)
    assert Job.objects.get().payload.value == 3


def test_it_is_checked_and_signed_where_it_is_enqueued():
    payload = Record([1])
    with transaction.atomic():
        with pytest.raises(TypeError):
            jobs.enqueue(Record(object()), on_commit=True)
        with pytest.raises(ValueError, match="priority"):
            jobs.enqueue(Record(1), priority=2**40, on_commit=True)
        with pytest.raises(TypeError, match="on_commit must be"):
            jobs.enqueue(Record(1), on_commit="default")  # type: ignore[call-overload]
        jobs.enqueue(payload, on_commit=True)
        payload.value.append(2)
    assert Job.objects.get().payload.value == [1]


def test_a_held_key_is_found_at_the_commit():
    with transaction.atomic():
        late = jobs.enqueue(Record(2), unique_key="k", on_commit=True)
        first = jobs.enqueue(Record(1), unique_key="k")
    assert (late.pk, late.already_enqueued) == (first.pk, True)
    assert late.payload.value == 1
    assert Job.objects.count() == 1


def test_with_delay_jobs_off_it_is_performed_at_the_commit():
    calls.clear()
    with override_settings(JOBS={"DELAY_JOBS": False}):
        with transaction.atomic():
            jobs.enqueue(Record(1), on_commit=True)
            assert calls == []
        with rolled_back():
            jobs.enqueue(Record(2), on_commit=True)
    assert calls == [1]
    assert not Job.objects.exists()


class InATestCase(TestCase):
    """As Django's own `on_commit`: a test captures what waits for the commit."""

    def test_it_waits_in_the_transaction_of_the_test(self) -> None:
        with self.captureOnCommitCallbacks(execute=True) as callbacks:
            jobs.enqueue(Record(1), on_commit=True)
            assert not Job.objects.exists()
        assert len(callbacks) == 1
        assert Job.objects.count() == 1
        callbacks[0]()
        assert Job.objects.count() == 1

    def test_by_default_it_is_stored_at_once(self) -> None:
        with self.captureOnCommitCallbacks() as callbacks:
            jobs.enqueue(Record(1))
        assert not callbacks
        assert Job.objects.count() == 1
