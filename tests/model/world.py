"""What the machine's world is made of: job objects, workers, and a clock that only the
machine moves.
"""

from __future__ import annotations

import datetime as dt
import logging
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any
from unittest import mock

from django.test import override_settings
from django.utils import timezone

import jobs
from jobs.models import Job
from jobs.store import patience, store_for
from jobs.store.base import Store

LEASE = 60
MAX_ATTEMPTS = 3
QUEUES = ("a", "b")
BY_HAND = "by hand"


@dataclass
class Task(jobs.Performable):
    unique_key: str | None = None

    def perform(self) -> None:
        raise AssertionError("the machine decides how an execution ends")


@dataclass
class Fragile(Task):
    """One attempt, and no row is kept of its failure."""

    max_attempts = 1
    destroy_failed_jobs = True


class HandsOver(jobs.Plugin):
    hands_over = True


class Clock:
    """Stands still within a step, so that the model knows every time that is stored;
    whole milliseconds, as MongoDB keeps.
    """

    def __init__(self) -> None:
        self.now = dt.datetime(2030, 1, 1, tzinfo=dt.timezone.utc)

    def advance(self, seconds: float) -> None:
        self.now += dt.timedelta(seconds=seconds)


def workers() -> list[jobs.Worker]:
    return [
        jobs.Worker(name="$plain", plugins=[]),
        jobs.Worker(name="choosy", plugins=[], queues=["a"], min_priority=0),
        jobs.Worker(name="batch 1", plugins=[HandsOver]),
        jobs.Worker(name="batch 2", plugins=[HandsOver], queues=QUEUES, max_priority=1),
        jobs.Worker(name=BY_HAND, plugins=[], queues=["none"]),
    ]


@contextmanager
def world(clock: Clock, *, keeps_succeeded: bool) -> Iterator[None]:
    """An empty table, the clock in place of the database's and of Django's, and no log
    of thousands of failures.
    """
    options = {
        "LEASE": LEASE,
        "MAX_ATTEMPTS": MAX_ATTEMPTS,
        "KEEP_SUCCEEDED_FOR": 3600 if keeps_succeeded else 0,
    }

    def now(*store: Store[Any]) -> dt.datetime:
        return clock.now

    def forever(store: Store[Any]) -> float:
        return math.inf

    logging.disable(logging.CRITICAL)
    try:
        with (
            override_settings(JOBS=options),
            mock.patch.object(Store, "now", now),
            mock.patch.object(Store, "seconds_reachable", forever),
            mock.patch.object(timezone, "now", now),
            mock.patch.object(patience, "FIRST_PAUSE", 0),
        ):
            store_for(Job).delete_many({})
            yield
            store_for(Job).delete_many({})
    finally:
        logging.disable(logging.NOTSET)


@contextmanager
def with_the_next_answer_lost() -> Iterator[None]:
    """The next write of one row happens, and the claim that may go with it; but whoever
    made it is told that the database can't be reached.
    """
    store = store_for(Job)
    waiting = ["the answer"]

    def losing(write: Callable[..., Any]) -> Callable[..., Any]:
        def written(*args: Any, **kwargs: Any) -> Any:
            result = write(*args, **kwargs)
            if waiting:
                raise store.unavailable[0](waiting.pop())
            return result

        return written

    writes = ("change", "delete", "end_and_claim")
    patches = {name: losing(getattr(store, name)) for name in writes}
    with mock.patch.multiple(store, reconnect=lambda: None, **patches):
        yield


@contextmanager
def after_the_next_read(action: Callable[[], None]) -> Iterator[None]:
    """Has `action` happen between the next read of several rows and what its reader
    does with them.
    """
    store = store_for(Job)
    find = store.find
    waiting = [action]

    def read(*args: Any, **kwargs: Any) -> list[Job]:
        found = find(*args, **kwargs)
        if waiting:
            waiting.pop()()
        return found

    with mock.patch.object(store, "find", read):
        yield
