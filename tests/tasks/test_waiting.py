"""Waiting for the end of a task."""

from __future__ import annotations

import asyncio
import os
import threading
from collections.abc import Iterator
from contextlib import contextmanager, nullcontext
from typing import Any

import pytest
from django.test import override_settings

import jobs
from jobs.models import Job
from jobs.operator import actions
from jobs.store import store_for
from jobs.tasks import compat, waiting
from tests.processes import in_a_thread, wait_for
from tests.tasks import work
from tests.tasks.loops import in_a_loop, listeners_have_ended

pytestmark = pytest.mark.django_db(transaction=True)


@contextmanager
def working() -> Iterator[None]:
    """A worker in another thread."""
    worker = jobs.Worker(name="w", sleep_delay=0.05)
    with in_a_thread(worker.start):
        try:
            yield
        finally:
            worker.stop()


def test_a_result_waits_for_its_end():
    good = work.add.enqueue(1)
    work.replies.append(ValueError("no"))
    bad = work.reply.enqueue()
    with working():
        assert good.wait(120) is good
        assert bad.wait(120).status == "FAILED"
    assert good.return_value == 1
    assert good.wait(0).is_finished


def test_a_result_is_awaited_in_a_loop():
    async def both() -> list[object]:
        results = [await work.add.aenqueue(1), await work.think.aenqueue(2)]
        return [(await asyncio.wait_for(result, 120)).return_value for result in results]

    with working():
        assert in_a_loop(both()) == [1, 2]


def test_a_wait_that_takes_too_long_is_a_time_out():
    result = work.add.enqueue(1)
    for timeout in (0, 0.2):
        with pytest.raises(TimeoutError, match="READY"):
            result.wait(timeout)

    async def too_long() -> None:
        await asyncio.wait_for(result, 0.2)

    with pytest.raises(asyncio.TimeoutError):
        in_a_loop(too_long())


class Unfinished:
    """A result that is looked at in no time, and never finished."""

    is_finished = False

    def __init__(self) -> None:
        self.looks = 0

    async def arefresh(self) -> None:
        self.looks += 1


@pytest.mark.parametrize("steps", range(6))
def test_a_cancel_of_the_wait_ends_it_however_far_news_have_come(monkeypatch, steps):
    """News take a few steps of the loop to the task that waits for them."""
    tells: list[Any] = []
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 60)
    monkeypatch.setattr(waiting, "Listener", lambda listen: nullcontext(listen()))
    monkeypatch.setattr(
        type(store_for(Job)), "listen_for_ends", lambda store, tell: tells.append(tell)
    )

    async def cancelled() -> bool:
        result: Any = Unfinished()
        task = asyncio.ensure_future(waiting.finished(result))
        while result.looks < 2:
            await asyncio.sleep(0)
        await asyncio.sleep(0)  # now it waits
        tells[0]()
        for _ in range(steps):
            await asyncio.sleep(0)
        task.cancel()
        await asyncio.wait({task}, timeout=120)
        return task.cancelled()

    assert asyncio.run(cancelled())


def test_a_wait_ends_with_a_cancel_and_with_a_row_that_is_deleted():
    cancelled, deleted = work.add.enqueue(1), work.add.enqueue(2)
    cancel(cancelled)
    assert cancelled.wait(120).status == "FAILED"
    kept_for = override_settings(JOBS={"KEEP_RESULTS_FOR": 0})
    with kept_for, working(), pytest.raises(compat.TaskResultDoesNotExist):
        deleted.wait(120)


def cancel(result: Any) -> None:
    actions.cancel(Job.objects.get(pk=result.id))


@contextmanager
def cancelled_soon(result: Any) -> Iterator[None]:
    """Cancels the task in another thread, once this one waits for it."""

    def run() -> None:
        wait_for(lambda: any(each.name == "jobs-listener" for each in threading.enumerate()))
        cancel(result)

    with in_a_thread(run):
        yield


def test_the_database_wakes_who_waits_long_before_the_next_look(monkeypatch):
    if os.environ.get("TEST_DATABASE") == "documentdb":
        pytest.skip("Its engine has no change streams.")
    monkeypatch.setattr(waiting, "FIRST_PAUSE", 3600.0)
    monkeypatch.setattr(waiting, "LONGEST_PAUSE", 3600.0)
    result = work.add.enqueue(1)
    with cancelled_soon(result):
        assert result.wait(120).status == "FAILED"
    listeners_have_ended()
    other = work.add.enqueue(2)

    async def finished() -> Any:
        return await asyncio.wait_for(other, 120)

    with cancelled_soon(other):
        assert in_a_loop(finished()).status == "FAILED"
