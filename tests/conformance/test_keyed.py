"""Rows with a key of their own: several writers add up, a later word stays."""

from __future__ import annotations

import datetime as dt
import threading

import pytest
from django.db import OperationalError, connection, connections, transaction

from jobs.models import Activity, FailedAttempt, Progress
from jobs.records import NUMBERS
from jobs.store import store_for
from jobs.store.keyed import keyed_for
from jobs.store.limits import within
from tests.processes import in_a_thread

pytestmark = pytest.mark.django_db(transaction=True)

MINUTE = dt.datetime(2026, 11, 26, 7, 30, tzinfo=dt.timezone.utc)


def activity(key: str = "k", minute: dt.datetime = MINUTE, **numbers: float) -> Activity:
    return Activity(key=key, minute=minute, queue="q", name=f"n {key}", **numbers)


def test_several_writers_of_one_row_add_up():
    """Each begins with the others, so that they also insert at once."""
    begin = threading.Barrier(4)
    errors = []

    def write() -> None:
        try:
            begin.wait(120)
            for _ in range(10):
                rows = [activity(key, performed=1, seconds_run=0.5, ran_03=2) for key in "bac"]
                keyed_for(Activity).add(rows, NUMBERS)
        except Exception as error:
            errors.append(error)
        finally:
            connections.close_all()

    threads = [threading.Thread(target=write) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(180)
    assert errors == []
    sums = keyed_for(Activity).sums({}, ["name", "queue"], ["performed", "seconds_run", "ran_03"])
    assert sorted(sums, key=lambda one: one["name"]) == [
        {"name": f"n {key}", "queue": "q", "performed": 40, "seconds_run": 20.0, "ran_03": 80}
        for key in "abc"
    ]
    assert Activity.objects.count() == 3


def test_more_rows_are_added_than_a_statement_takes():
    rows = [activity(str(number), performed=number) for number in range(300)]
    for _ in range(2):
        keyed_for(Activity).add(rows, NUMBERS)
    [sums] = keyed_for(Activity).sums({}, [], ["performed", "failed"])
    assert sums == {"performed": 2 * sum(range(300)), "failed": 0}


def test_sums_are_of_the_rows_that_are_asked_for_by_minute():
    minutes = [MINUTE + dt.timedelta(minutes=number) for number in range(3)]
    rows = [activity(f"{a}{b}", at, performed=1) for a, at in enumerate(minutes) for b in range(2)]
    keyed_for(Activity).add(rows, NUMBERS)
    found = keyed_for(Activity).sums({"minute__gte": minutes[1]}, ["minute"], ["performed"])
    assert sorted((one["minute"], one["performed"]) for one in found) == [
        (minutes[1], 2),
        (minutes[2], 2),
    ]
    assert (
        keyed_for(Activity).sums({"minute__gte": MINUTE + dt.timedelta(days=1)}, [], ["failed"])
        == []
    )


def progress(epoch: int, done: float, key: str = "k") -> Progress:
    return Progress(key=key, epoch=epoch, done=done, message="$x %s %(a)s", updated_at=MINUTE)


def test_a_row_is_replaced_unless_a_later_one_is_there():
    put = keyed_for(Progress).put
    put([progress(3, 1), progress(1, 5, "other")], "epoch")
    put([progress(3, 2)], "epoch")
    assert Progress.objects.get(key="k").done == 2
    put([progress(2, 9), progress(2, 6, "other")], "epoch")
    rows = {row.key: (row.epoch, row.done) for row in Progress.objects.all()}
    assert rows == {"k": (3, 2), "other": (2, 6)}
    assert Progress.objects.get(key="k").message == "$x %s %(a)s"


def test_a_row_that_is_there_is_not_inserted_again():
    def attempt(key: str, error: str) -> FailedAttempt:
        now = dt.datetime.now(dt.timezone.utc)
        return FailedAttempt(
            key=key, job_model="m", job_id="1", epoch=1, number=1, queue="q", name="n",
            summary="s", error=error, failed_at=now,
        )  # fmt: skip

    keyed = keyed_for(FailedAttempt)
    keyed.insert_missing([attempt("a", "first")])
    keyed.insert_missing([attempt("a", "second"), attempt("b", "first")])
    assert {row.key: row.error for row in FailedAttempt.objects.all()} == {
        "a": "first",
        "b": "first",
    }


def test_a_write_that_waits_too_long_is_given_up():
    keyed = keyed_for(Progress)
    if connection.vendor != "postgresql":
        pytest.skip("Only there does a writer wait for another, and may give up.")
    held, go = threading.Event(), threading.Event()

    def hold() -> None:
        with transaction.atomic():
            keyed_for(Progress).put([progress(1, 1)], "epoch")
            held.set()
            go.wait(300)

    with in_a_thread(hold):
        try:
            assert held.wait(120)
            with pytest.raises(OperationalError), within(keyed.store, 0.2):
                keyed.put([progress(2, 2)], "epoch")
        finally:
            go.set()
    keyed.put([progress(2, 2)], "epoch")
    assert Progress.objects.get().done == 2


def test_a_limit_does_not_last_for_the_rest_of_the_callers_transaction():
    if connection.vendor != "postgresql":
        pytest.skip("PostgreSQL's limit is one of the transaction.")
    with transaction.atomic(), within(store_for(Progress), 0.2), connection.cursor() as cursor:
        cursor.execute("SHOW statement_timeout")
        assert cursor.fetchone() == ("0",)
