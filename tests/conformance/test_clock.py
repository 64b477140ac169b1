"""The database's clock tells the time also where its answer takes long."""

from __future__ import annotations

import datetime as dt

import pytest
from django.db import connection, transaction

from jobs.models import Job
from jobs.store import clock, store_for
from jobs.store.clock import DatabaseClock

NOON = dt.datetime(2026, 11, 26, 12, tzinfo=dt.timezone.utc)


class Slow:
    """A database that is asked at noon, and for each question a pause before it looks
    at its clock and one before its answer arrives.
    """

    def __init__(self, *pauses: tuple[float, float]):
        self.passed = 0.0
        self._pauses = list(pauses)

    def read(self) -> dt.datetime:
        before, after = self._pauses.pop(0)
        self.passed += before
        told = NOON + dt.timedelta(seconds=self.passed)
        self.passed += after
        return told


@pytest.mark.parametrize(
    ("pauses", "off"),
    [
        ([(0.2, 0.2)], 0.0),
        ([(0, 9), (0, 0)], 0.0),
        ([(9, 0), (0, 7), (0.4, 0)], 0.2),
        ([(9, 0), (0, 2), (7, 0)], 1.0),
    ],
    ids=str,
)
def test_an_answer_that_took_long_is_asked_for_again_and_the_quickest_counts(
    monkeypatch, pauses, off
):
    slow = Slow(*pauses)
    monkeypatch.setattr(clock, "ticks", lambda: slow.passed)
    told = DatabaseClock(slow.read).now()
    assert abs(told - NOON - dt.timedelta(seconds=slow.passed)) <= dt.timedelta(seconds=off)
    assert slow._pauses == []


@pytest.mark.skipif(connection.vendor != "postgresql", reason="its transactions stop the clock")
@pytest.mark.django_db(transaction=True)
def test_the_clock_goes_on_in_a_transaction_that_lasts():
    with transaction.atomic():
        with connection.cursor() as cursor:
            cursor.execute("SELECT CURRENT_TIMESTAMP")
            [(began,)] = cursor.fetchall()
        assert store_for(Job)._read_clock() > began
