"""Several slots are threads, which keep their connections from one job to the next."""

from __future__ import annotations

import threading
import time

import pytest
from django.db import connection
from django.db.backends.signals import connection_created

import jobs
from jobs.models import Job
from jobs.process import slots
from jobs.process.slots import Slots
from tests.processes import wait_for
from tests.samples import Record


def threads() -> list[threading.Thread]:
    return [thread for thread in threading.enumerate() if thread.name == "jobs-slot"]


@pytest.fixture
def opened():
    """Grows with each connection that a slot makes."""
    found: list[str] = []

    def note(**details: object) -> None:
        if threading.current_thread().name == "jobs-slot":
            found.append(threading.current_thread().name)

    connection_created.connect(note)
    yield found
    connection_created.disconnect(note)


@pytest.mark.django_db(transaction=True)
def test_a_slot_connects_once_for_many_jobs_and_is_closed_with_the_last(opened, monkeypatch):
    monkeypatch.setattr(slots, "LINGER", 3600)
    jobs.enqueue_many([Record(number) for number in range(30)])
    assert jobs.Worker(concurrency=2).work_off() == (30, 0)
    assert len(opened) <= 2
    wait_for(lambda: not threads())


@pytest.mark.skipif(connection.vendor == "mongodb", reason="its client outlives a connection")
@pytest.mark.django_db(transaction=True)
@pytest.mark.parametrize(("reachable", "connected"), [(3600.0, 1), (0.0, 2)])
def test_a_connection_from_before_an_outage_is_not_used_for_the_next_job(
    opened, monkeypatch, reachable, connected
):
    monkeypatch.setattr(slots, "LINGER", 3600)
    found = Slots(2, lambda: reachable)
    ended = threading.Event()

    def ask() -> None:
        Job.objects.exists()
        ended.set()

    for _ in range(2):
        ended.clear()
        found.run(ask)
        assert ended.wait(120)
        wait_for(lambda: found.free == 2)
    found.wait_until_idle()
    assert len(opened) == connected


@pytest.mark.parametrize("linger", [0.001, 3600])
def test_never_more_threads_than_slots_and_nothing_is_left_out(monkeypatch, linger):
    monkeypatch.setattr(slots, "LINGER", linger)
    wait_for(lambda: not threads())  # an earlier test's may still be ending
    found = Slots(3)
    lock = threading.Lock()
    done: list[int] = []
    most = 0

    def work(number: int) -> None:
        nonlocal most
        with lock:
            most = max(most, len(threads()))
            done.append(number)
        time.sleep(0.001 * (number % 3))

    for number in range(300):
        assert found.wait_for_free(given_up=lambda: False)
        found.run(work, number)
    found.wait_until_idle()
    assert sorted(done) == list(range(300))
    # One that has waited for too long may still be closing when the next is started.
    assert linger < 1 or most <= 3
    assert found.free == 3
    wait_for(lambda: not threads())


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_thread_that_dies_frees_its_slot():
    found = Slots(2)

    def die() -> None:
        raise SystemExit

    for _ in range(5):
        assert found.wait_for_free(given_up=lambda: False)
        found.run(die)
    found.wait_until_idle()
    assert found.free == 2
    wait_for(lambda: not threads())


def test_a_thread_without_work_ends_by_itself(monkeypatch):
    monkeypatch.setattr(slots, "LINGER", 0.05)
    found = Slots(2)
    found.run(lambda: None)
    wait_for(lambda: not threads())
    found.run(lambda: None)
    found.wait_until_idle()
    assert found.free == 2
