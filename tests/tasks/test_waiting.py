"""Waiting for the end of a task."""

from __future__ import annotations

import asyncio
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from django.db import connection, connections
from django.test import override_settings

import jobs
from jobs.models import Job
from jobs.operator import actions
from jobs.tasks import compat, waiting
from tests.tasks import work

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def working() -> Iterator[None]:
    """A worker in another thread."""
    worker = jobs.Worker(name="w", sleep_delay=0.05)

    def run() -> None:
        try:
            worker.start()
        finally:
            connections.close_all()

    thread = threading.Thread(target=run)
    thread.start()
    try:
        yield
    finally:
        worker.stop()
        thread.join()


def test_a_result_waits_for_its_end():
    good = work.add.enqueue(1)
    work.replies.append(ValueError("no"))
    bad = work.reply.enqueue()
    with working():
        assert good.wait(60) is good
        assert bad.wait(60).status == "FAILED"
    assert good.return_value == 1
    assert good.wait(0).is_finished


def test_a_result_is_awaited_in_a_loop():
    async def both() -> list[object]:
        results = [await work.add.aenqueue(1), await work.think.aenqueue(2)]
        return [(await asyncio.wait_for(result, 60)).return_value for result in results]

    with working():
        assert asyncio.run(both()) == [1, 2]


def test_a_wait_that_takes_too_long_is_a_time_out():
    result = work.add.enqueue(1)
    for timeout in (0, 0.2):
        with pytest.raises(TimeoutError, match="READY"):
            result.wait(timeout)

    async def too_long() -> None:
        await asyncio.wait_for(result, 0.2)

    with pytest.raises(asyncio.TimeoutError):
        asyncio.run(too_long())


def test_a_wait_ends_with_a_cancel_and_with_a_row_that_is_deleted():
    cancelled, deleted = work.add.enqueue(1), work.add.enqueue(2)
    actions.cancel(Job.objects.get(pk=cancelled.id))
    assert cancelled.wait(60).status == "FAILED"
    with override_settings(JOBS={"KEEP_RESULTS_FOR": 0}), working():
        with pytest.raises(compat.TaskResultDoesNotExist):
            deleted.wait(60)


def test_the_database_wakes_who_waits_long_before_the_next_look(monkeypatch):
    """Polling alone would take an hour."""
    if connection.vendor not in ("sqlite", "postgresql"):
        pytest.skip("That takes a replica set.")
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 3600.0)
    monkeypatch.setattr(waiting, "LONGEST_PAUSE", 3600.0)
    result = work.add.enqueue(1)

    def cancel_later() -> None:
        time.sleep(1)
        actions.cancel(Job.objects.get(pk=result.id))
        connections.close_all()

    thread = threading.Thread(target=cancel_later)
    thread.start()
    assert result.wait(120).status == "FAILED"
    thread.join()
    async_one = work.add.enqueue(2)
    thread = threading.Thread(
        target=lambda: (
            time.sleep(1),
            actions.cancel(Job.objects.get(pk=async_one.id)),
            connections.close_all(),
        )
    )
    thread.start()

    async def finished() -> str:
        return str((await asyncio.wait_for(async_one, 120)).status)

    assert asyncio.run(finished()) == "FAILED"
    thread.join()
