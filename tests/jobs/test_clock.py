"""The database's time is known well, also where its answers are slow."""

from __future__ import annotations

import datetime as dt
from typing import Any

import pytest
from django.db import connection, transaction

from jobs.models import Job
from jobs.store import clock, store_for
from jobs.store.clock import DatabaseClock

THEN = dt.datetime(2026, 11, 27, tzinfo=dt.timezone.utc)


class Slow:
    """A database whose answers are as long on their way as `ways` says of each: there,
    and back. It, and this machine, have nothing else to do.
    """

    def __init__(self, monkeypatch: Any, *ways: tuple[float, float]):
        self.passed, self.asked, self._ways = 0.0, 0, list(ways)
        monkeypatch.setattr(clock, "ticks", lambda: self.passed)
        self.clock = DatabaseClock(self._read)

    def _read(self) -> dt.datetime:
        self.asked += 1
        there, back = self._ways.pop(0)
        self.passed += there
        told = self.time
        self.passed += back
        return told

    @property
    def time(self) -> dt.datetime:
        return THEN + dt.timedelta(seconds=self.passed)

    @property
    def error(self) -> float:
        return abs((self.clock.now() - self.time).total_seconds())


@pytest.mark.parametrize("way", [(10.0, 0.0), (0.0, 10.0)])
def test_what_was_told_while_a_machine_stood_still_is_asked_again(monkeypatch, way):
    database = Slow(monkeypatch, way, (0.001, 0.002))
    assert database.error < 0.001
    assert database.asked == 2
    database.passed += clock.CLOCK_KEPT_FOR / 2
    assert database.error < 0.001
    assert database.asked == 2


def test_where_every_answer_is_slow_the_quickest_counts(monkeypatch):
    database = Slow(monkeypatch, (3.0, 0.0), (0.0, 2.0), (0.2, 0.0), (4.0, 0.0), (0.0, 5.0))
    assert database.error == pytest.approx(0.1)
    assert database.asked == clock.TIMES == 5


@pytest.mark.skipif(connection.vendor != "postgresql", reason="a clock that transactions stop")
@pytest.mark.django_db(transaction=True)
def test_the_time_goes_on_in_a_transaction():
    with transaction.atomic():
        first = store_for(Job)._read_clock()
        assert store_for(Job)._read_clock() > first
