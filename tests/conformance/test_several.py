"""Several jobs reserved at once, for as many free slots."""

from __future__ import annotations

import threading
from dataclasses import dataclass

import pytest
from django.db import connection, connections

import jobs
from jobs.models import Job, State
from jobs.process.claims import Claims
from jobs.store import store_for
from tests.conformance.test_races import at_once
from tests.samples import Record, calls

pytestmark = pytest.mark.django_db(transaction=True)


@dataclass
class Meet(jobs.Performable):
    """Goes on when as many as take part in it are being performed at the same time."""

    value: int

    def perform(self) -> None:
        calls.append(self.value)
        meeting.wait(120)


meeting = threading.Barrier(4)


def enqueue(priorities: list[int]) -> None:
    jobs.enqueue_many([Record(priority) for priority in priorities])
    for job in Job.objects.all():
        Job.objects.filter(pk=job.pk).update(priority=job.payload.value)


def test_they_are_the_first_ones_and_in_the_order_of_the_queue():
    enqueue([7, 3, 9, 1, 5, 8, 2, 6])
    claimed = store_for(Job).claim(jobs.Worker(name="w"), 5)
    assert [job.priority for job in claimed] == [1, 2, 3, 5, 6]
    for job in claimed:
        row = Job.objects.get(pk=job.pk)
        assert (row.state, row.locked_by, row.runner) == (State.RUNNING, "w", "w@0")
        assert (job.state, job.locked_by, job.runner, job.locked_at) == (
            row.state,
            row.locked_by,
            row.runner,
            row.locked_at,
        )
    assert Job.objects.filter(state=State.READY).count() == 3


def test_no_more_than_there_are_of_its_queues_and_priorities():
    enqueue([1, 2, 3, 4, 5, 6])
    jobs.enqueue_many([Record(0) for _ in range(5)], queue="other")
    worker = jobs.Worker(queues=["default"], min_priority=2, max_priority=5)
    assert [job.priority for job in store_for(Job).claim(worker, 50)] == [2, 3, 4, 5]
    assert store_for(Job).claim(worker, 50) == []


def test_detached_ones_come_first_for_a_worker_that_hands_over():
    class HandsOver(jobs.Plugin):
        hands_over = True

    enqueue([1, 2, 3, 4, 5, 6])
    Job.objects.filter(priority__gte=5).update(state=State.DETACHED, handed_over=True)
    claimed = store_for(Job).claim(jobs.Worker(plugins=[HandsOver]), 6)
    assert [job.priority for job in claimed] == [5, 6, 1, 2, 3, 4]
    assert [job.runner for job in claimed] == [""] * 6


def test_workers_that_reserve_at_the_same_moment_get_different_jobs():
    jobs.enqueue_many([Record(number) for number in range(60)])

    def reserve(number: int) -> list[object]:
        try:
            worker, mine = jobs.Worker(name=f"w{number}"), []
            while claimed := store_for(Job).claim(worker, 7):
                mine += [job.pk for job in claimed]
            return mine
        finally:
            connections.close_all()

    got = at_once([lambda number=number: reserve(number) for number in range(4)])
    everybody = [pk for mine in got for pk in mine]
    assert len(everybody) == len(set(everybody)) == 60
    for number, mine in enumerate(got):
        assert set(Job.objects.filter(locked_by=f"w{number}").values_list("pk", flat=True)) == set(
            mine
        )


def test_a_worker_fills_its_free_slots_in_the_order_of_the_queue(calls):
    jobs.enqueue_many([Meet(number) for number in range(8)])
    jobs.Worker(concurrency=4).work_off()
    assert sorted(calls[:4]) == [0, 1, 2, 3]
    assert sorted(calls[4:]) == [4, 5, 6, 7]


def test_it_performs_no_more_of_them_than_it_was_told_to():
    jobs.enqueue_many([Record(number) for number in range(9)])
    assert jobs.Worker(concurrency=4).work_off(5) == (5, 0)
    assert Job.objects.filter(state=State.READY).count() == 4


def test_all_of_them_are_found_again_where_the_answer_was_lost(monkeypatch):
    jobs.enqueue_many([Record(number) for number in range(6)])
    store, worker = store_for(Job), jobs.Worker(name="w")
    claim, lost = store.claim, []

    def lose_the_first_answer(*arguments):
        found = claim(*arguments)
        if not lost:
            lost.extend(found)
            raise store.unavailable[0]("the answer was lost")
        return found

    monkeypatch.setattr(store, "claim", lose_the_first_answer)
    claims = Claims(worker, worker.stopping)
    found = claims.reserve(store, 5)
    assert {job.pk for job in found} == {job.pk for job in lost}
    assert len(found) == 5
    assert [job.payload.value for job in claims.reserve(store, 5)] == [5]


@pytest.mark.skipif(
    connection.vendor in ("mongodb", "djongo"),
    reason="MongoDB has no statement that locks several and returns them",
)
@pytest.mark.usefixtures("known_clock")
def test_they_take_one_statement(django_assert_num_queries):
    jobs.enqueue_many([Record(number) for number in range(6)])
    store, worker = store_for(Job), jobs.Worker()
    with django_assert_num_queries(1):
        assert len(store.claim(worker, 5)) == 5
