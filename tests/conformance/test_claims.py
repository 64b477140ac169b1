"""Claims beside other workers'.

Each job is the one's that its conditional write says.
"""

from __future__ import annotations

from typing import Any

import pytest
from django.db import connection

import jobs
from jobs.models import Job, State
from jobs.store import store_for
from tests.samples import Record

pytestmark = pytest.mark.django_db(transaction=True)

on_mongodb = pytest.mark.skipif(
    connection.vendor not in ("mongodb", "djongo"), reason="one statement elsewhere"
)
on_sql = pytest.mark.skipif(
    connection.vendor in ("mongodb", "djongo"), reason="SQL without RETURNING"
)


def enqueue(number: int) -> list[Any]:
    return [job.pk for job in jobs.enqueue_many([Record(value) for value in range(number)])]


@pytest.mark.parametrize("number", [1, 6])
def test_the_runner_is_named_by_the_worker_and_the_epoch_of_each_job(number):
    for epoch, pk in enumerate(enqueue(number), 5):
        Job.objects.filter(pk=pk).update(epoch=epoch)
    claimed = store_for(Job).claim(jobs.Worker(name="w"), number)
    assert [job.runner for job in claimed] == [f"w@{epoch}" for epoch in range(5, 5 + number)]
    assert {job.runner for job in Job.objects.all()} == {job.runner for job in claimed}


def before_the_lock(monkeypatch: pytest.MonkeyPatch, action: Any) -> None:
    """Has `action` happen between a claim's look at what waits and its lock."""
    store = store_for(Job)
    collection = type(store.collection)
    lock, actions = collection.update_many, [action]

    def late(*args: Any, **kwargs: Any) -> Any:
        if actions:
            actions.pop()()
        return lock(*args, **kwargs)

    monkeypatch.setattr(collection, "update_many", late)


@on_mongodb
def test_what_another_worker_locked_between_look_and_lock_is_that_workers(monkeypatch):
    pks, store = enqueue(6), store_for(Job)
    quicker: list[Any] = []
    worker = jobs.Worker(name="quicker")
    before_the_lock(monkeypatch, lambda: quicker.extend(store.claim(worker)[0] for _ in range(2)))
    claimed = store.claim(jobs.Worker(name="slower"), 5)
    assert [job.pk for job in quicker] == pks[:2]
    assert [job.pk for job in claimed] == pks[2:5]
    assert [job.locked_by for job in Job.objects.order_by("pk")] == ["quicker"] * 2 + [
        "slower"
    ] * 3 + [""]


@on_mongodb
def test_where_others_locked_all_that_was_seen_there_is_another_look(monkeypatch):
    pks, store = enqueue(6), store_for(Job)
    quicker: list[Any] = []
    before_the_lock(
        monkeypatch, lambda: quicker.extend(store.claim(jobs.Worker(name="quicker"), 5))
    )
    assert [job.pk for job in store.claim(jobs.Worker(name="slower"), 5)] == pks[5:]
    assert len(quicker) == 5


@on_sql
@pytest.mark.parametrize(
    "meanwhile",
    [
        {"state": State.RUNNING, "locked_by": "quicker", "epoch": 1},
        {"state": State.CANCELLED},
        {"epoch": 1},
        {"locked_by": "quicker"},
    ],
)
def test_a_claim_without_returning_takes_no_job_that_changed_after_it_was_read(
    monkeypatch, meanwhile
):
    pks, store = enqueue(5), store_for(Job)
    change, changed = store.change, []

    def late(pk: Any, where: Any, changes: Any) -> bool:
        if not changed:
            changed.append(Job.objects.filter(pk__in=pks[:2]).update(**meanwhile))
        return change(pk, where, changes)

    monkeypatch.setattr(store, "change", late)
    claimed = store._claim_by_comparing("ready", jobs.Worker(name="w"), 2)
    assert [job.pk for job in claimed] == pks[2:4]
    assert {job.runner for job in claimed} == {"w@0"}
    assert set(Job.objects.filter(locked_by="w").values_list("pk", flat=True)) == set(pks[2:4])
