"""Idle workers on PostgreSQL hear of a job, and few of them look for it."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager

import pytest
from django.db import connection, connections

import jobs
from jobs.models import Job
from jobs.process.news import News
from jobs.store import hearing, store_for
from jobs.store.sql import SqlStore
from tests.processes import in_a_thread, wait_for
from tests.samples import Record

pytestmark = [
    pytest.mark.skipif(connection.vendor != "postgresql", reason="PostgreSQL's messages"),
    pytest.mark.django_db(transaction=True),
]


class Told(News):
    """An idle worker's, which counts what it is told."""

    def __init__(self, appetite: object = "all"):
        super().__init__(appetite)
        self.awaited = True
        self.times = 0

    def tell(self) -> None:
        super().tell()
        self.times += 1


@contextmanager
def listening(*news: Told) -> Iterator[None]:
    """Each hears in a session of its own, and knows of the others."""
    stop = threading.Event()

    def listen(one: Told) -> None:
        try:
            store_for(Job).listen(one, stop)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=listen, args=(one,), daemon=True) for one in news]
    try:
        for thread in threads:
            thread.start()
        for one in news:
            like_it = [other for other in news if other.appetite == one.appetite]
            wait_for(lambda one=one, like_it=like_it: one.others == len(like_it) - 1)
            one.times = 0
        yield
    finally:
        stop.set()
        for thread in threads:
            thread.join(120)


def total(news: list[Told]) -> int:
    return sum(one.times for one in news)


def settled(news: list[Told]) -> int:
    """How often they were told once nothing more comes: a session that listens has
    heard a later message, and so all earlier ones.
    """
    last = Told("the last to come")
    with listening(last):
        wait_for(lambda: total(news) > 0)
    return total(news)


def test_of_many_idle_workers_one_is_told_of_a_job():
    news = [Told() for _ in range(12)]
    with listening(*news):
        for _ in range(3):
            for one in news:
                one.times = 0
            jobs.enqueue(Record(1))
            assert settled(news) == 1


def test_one_that_found_a_job_has_another_one_told():
    news = [Told() for _ in range(6)]
    with listening(*news):
        jobs.enqueue(Record(1))
        assert settled(news) == 1
        [first] = [one for one in news if one.times]
        first.awaited, first.times = False, 0
        store_for(Job).pass_on(first)
        others = [one for one in news if one is not first]
        assert settled(others) == 1
        wait_for(lambda: first.times)
        assert first.times == 1  # it looks again when it is free


def test_one_of_each_appetite_is_told():
    news = [Told(appetite) for appetite in ("mail", "reports") for _ in range(5)]
    with listening(*news):
        jobs.enqueue(Record(1))
        wait_for(lambda: all(total(some) for some in (news[:5], news[5:])))
        assert settled(news) == 2


def test_busy_workers_keep_no_idle_one_from_being_told():
    news = [Told() for _ in range(6)]
    for busy in news[1:]:
        busy.awaited = False
    with listening(*news):
        jobs.enqueue(Record(1))
        wait_for(lambda: news[0].times)


def test_a_few_are_all_told_at_once():
    news = [Told() for _ in range(hearing.FEW)]
    with listening(*news):
        jobs.enqueue(Record(1))
        wait_for(lambda: all(one.times for one in news))


def test_a_moment_is_short_and_none_where_there_are_few():
    assert {hearing.moment(others) for others in range(hearing.FEW)} == {0.0}
    for others in (hearing.FEW, 10, 100, 1000):
        moments = sorted(hearing.moment(others) for _ in range(2000))
        assert moments[0] >= 0
        assert moments[-1] < 0.15
        # A twentieth of them comes much earlier than half of them do.
        assert moments[100] < moments[1000] * 0.75


def test_one_job_costs_idle_workers_a_few_claims_and_many_jobs_wake_them_all(monkeypatch):
    claims: list[str] = []
    claim = SqlStore._claim

    def counted(self, state, worker, limit):
        claims.append(worker.name)
        return claim(self, state, worker, limit)

    number = 10
    workers = [jobs.Worker(name=f"w{index}", sleep_delay=3600) for index in range(number)]
    with ExitStack() as stack:
        for worker in workers:
            stack.enter_context(in_a_thread(worker.start))
            stack.callback(worker.stop)
        for worker in workers:
            wait_for(lambda worker=worker: worker._news.others >= number - 1)
            wait_for(lambda worker=worker: idle(worker))
        monkeypatch.setattr(SqlStore, "_claim", counted)
        jobs.enqueue(Record(1))
        wait_for(lambda: not Job.objects.exists())
        wait_for(lambda: all(idle(worker) for worker in workers))
        assert 1 <= len(claims) <= 6
        jobs.enqueue_many([Wait() for _ in range(number)])
        wait_for(lambda: Job.objects.filter(state="running").count() == number)
        go_on.set()
        wait_for(lambda: not Job.objects.exists())


def idle(worker: jobs.Worker) -> bool:
    """Whether it waits, and nothing that it was told is about to end that."""
    return worker._news.awaited and not worker._news._told.is_set()


go_on = threading.Event()


class Wait(jobs.Performable):
    """Lasts until the test says so."""

    def perform(self) -> None:
        go_on.wait(300)
