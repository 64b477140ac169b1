"""Passes over the queue: jobs are reserved for free slots, and performed in them."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from jobs.execution import moods
from jobs.process.claims import Claims, reservation_of
from jobs.store import store_for

if TYPE_CHECKING:
    from jobs.lifecycle import Lifecycle
    from jobs.models import AbstractJob
    from jobs.process.news import News
    from jobs.process.onward import Onward
    from jobs.process.reaper import Reaper
    from jobs.process.slots import Slots
    from jobs.store.base import Store
    from jobs.store.reserver import Paused, Reserver

#: Jobs reserved by one statement, for as many free slots.
MOST_AT_ONCE = 100


class Passes:
    """The passes of one worker, over one table of jobs.

    `perform` never raises. It returns whether the outcome, or that the job was let go
    of, is in its row.
    """

    def __init__(
        self,
        worker: Reserver,
        model: type[AbstractJob],
        perform: Callable[[AbstractJob], bool],
        lifecycle: Lifecycle,
        slots: Slots,
        reaper: Reaper,
        news: News,
        stopping: threading.Event,
    ):
        self._model = model
        self._perform = perform
        self._slots = slots
        self._reaper = reaper
        self._news = news
        self._stopping = stopping
        self._claims = Claims(worker, stopping)
        #: How many jobs the pass may still reserve.
        self._left = 0
        # A callback that follows an outcome comes before the next claim.
        self._goes_straight_on = (
            slots.size == 1 and not worker.hands_over and not lifecycle.is_followed("perform")
        )
        self._goes_on_from_failures = not lifecycle.is_followed("error")

    @property
    def paused(self) -> Paused:
        """What is paused, as it was read last."""
        return self._claims.paused

    @property
    def _store(self) -> Store[Any]:
        return store_for(self._model)

    def run(self, number: int, was_told: bool | None = None) -> int:
        """One pass: up to `number` jobs are performed, each in a slot, until none is
        ready.

        Returns how many were reserved. `was_told` says whether news ended the worker's
        wait before it, None that it didn't wait. A job that it was told of comes first,
        and maintenance afterwards, where it is due.
        """
        if not was_told:
            self._reaper.maintain(self._stopping, always=True)
        with moods.process:  # read once for all the jobs of the pass
            try:
                reserved = self._fill_slots(number, was_idle=was_told is not None)
            finally:
                self._left = 0
        if was_told:
            self._reaper.maintain(self._stopping)
        return reserved

    def _fill_slots(self, number: int, *, was_idle: bool) -> int:
        self._left = number
        while self._left and self._slots.wait_for_free(given_up=self._stopping.is_set):
            if self._left < number:
                self._reaper.maintain(self._stopping)
            most = min(self._slots.free, self._left, MOST_AT_ONCE)
            jobs: list[AbstractJob] | None = self._claims.reserve(self._store, most)
            if was_idle and self._left == number and jobs and len(jobs) == most:
                self._store.pass_on(self._news)
            while jobs:
                self._left -= len(jobs)
                for job in jobs:
                    self._slots.run(self._perform_in_slot, job)
                jobs = self._claims.following()
            if jobs is not None:
                break  # none is ready
        return number - self._left

    def _perform_in_slot(self, job: AbstractJob) -> None:
        reservation = reservation_of(job)
        if self._perform(job):
            self._claims.is_done_with(reservation)

    def onward(self, failed: bool) -> Onward | None:
        """What writes the outcome of the job in hand, if the next is to be reserved in
        the same step.

        None if anything stands between the two: the end of the pass, a stop,
        maintenance that is due, a plugin's callback, other slots, a transaction.
        """
        if (
            not self._goes_straight_on
            or (failed and not self._goes_on_from_failures)
            or not self._left
            or self._stopping.is_set()
            or self._reaper.is_due
            or not self._store.ends_and_claims
        ):
            return None
        return self._claims.with_outcome(self._store)
