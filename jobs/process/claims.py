"""Reserving jobs for a worker, even if the reply to a claim is lost."""

from __future__ import annotations

import datetime as dt
import threading
import time
from typing import TYPE_CHECKING, Any

from jobs.conf import LONGEST_QUEUE_NAME
from jobs.process.onward import Onward
from jobs.process.pauses import Pauses
from jobs.states import State
from jobs.store.patience import until_available
from jobs.text import storable

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.base import Store
    from jobs.store.reserver import Paused, Reserver

#: A job's key, and its epoch when it was reserved.
Reservation = tuple[Any, int]

#: By how many seconds this machine's clock may drift from the database's during an
#: outage.
CLOCKS_DIFFER = 1.0


class Claims:
    """The jobs that `reserver` has in hand.

    A job that was claimed by a call whose reply was lost is locked by the reserver, so
    nobody else takes it: the next call finds it. So it is with a job that was claimed
    together with an outcome.
    """

    def __init__(self, reserver: Reserver, stopping: threading.Event):
        self._reserver = reserver
        self._stopping = stopping
        self._in_hand: set[Reservation] = set()
        self._onward: Onward | None = None
        #: Since when, by time.monotonic(), a claim may be without an answer.
        self._unanswered_since: float | None = None
        self._pauses = Pauses()

    @property
    def paused(self) -> Paused:
        """What is paused, as it was read last."""
        return self._pauses.now

    def reserve(self, store: Store[Any], limit: int) -> list[AbstractJob]:
        """Up to `limit` next jobs, in one statement if the database can do that.

        Empty if the reserver is told to stop before the database answers.
        """
        until_available(store, self._pauses.refresh, self._stopping)
        is_first = self._unanswered_since is None
        began = self._unanswered_since or time.monotonic()

        def claim() -> list[AbstractJob]:
            return store.claim(self._reserver, limit)

        def claim_again() -> list[AbstractJob]:
            elapsed = dt.timedelta(seconds=time.monotonic() - began + CLOCKS_DIFFER)
            return self._claimed_since(store, store.now() - elapsed, limit) or claim()

        first = claim if is_first else claim_again
        jobs = until_available(store, first, self._stopping, again=claim_again)
        if jobs is None:
            return []
        self._unanswered_since = None
        self._in_hand.update(map(reservation_of, jobs))
        return jobs

    def with_outcome(self, store: Store[Any]) -> Onward | None:
        """Writes the outcome of the job in hand, and claims the next in the same step.

        None if such a step is on its way already. Ask `following` afterwards.
        """
        if self._onward is not None:
            return None
        self._onward = Onward(store, self._reserver)
        return self._onward

    def following(self) -> list[AbstractJob] | None:
        """What was claimed together with the last outcome.

        None if nothing was asked for, or the answer isn't known: then `reserve`.
        """
        onward, self._onward = self._onward, None
        if onward is None or onward.began is None:
            return None
        if onward.claimed is None:
            self._unanswered_since = onward.began
            return None
        self._in_hand.update(map(reservation_of, onward.claimed))
        return onward.claimed

    def _claimed_since(
        self, store: Store[Any], since: dt.datetime, limit: int
    ) -> list[AbstractJob]:
        own = {
            "state": State.RUNNING,
            "locked_by": self._reserver.name,
            "updated_at__gte": since,
        }
        # As it is before the rows are read: a job that ends while they are must not
        # look like a claim without a reply, or it is performed twice.
        in_hand = frozenset(self._in_hand)
        taken = store.find(own, limit=len(in_hand) + limit)
        return [job for job in taken if reservation_of(job) not in in_hand][:limit]

    def is_done_with(self, reservation: Reservation) -> None:
        """The outcome of that reservation, or that it was let go of, is in its row.

        Don't call it otherwise: a row that still names the reserver counts as claimed
        by the call whose reply was lost.
        """
        self._in_hand.discard(reservation)


def reservation_of(job: AbstractJob) -> Reservation:
    """Ask before the job is performed, because its outcome raises the epoch."""
    return job.pk, job.epoch


def check_queue(name: str) -> str:
    """The name of a queue that may hold jobs. Raises ValueError for any other."""
    if not 1 <= len(name) <= LONGEST_QUEUE_NAME or storable(name) != name:
        raise ValueError(f"No queue can have the name {name!a}.")
    return name


def check_bounds(least: int | None, most: int | None) -> None:
    """Raises ValueError for bounds on the priority that no job is between."""
    if least is not None and most is not None and least > most:
        raise ValueError(
            f"No priority is at least {least} and at most {most}, so no job would ever be "
            "taken: make the minimum priority the smaller one."
        )
