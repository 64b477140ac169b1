"""A list of jobs for people: any filter, at a cost that doesn't grow with the table."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import TYPE_CHECKING, Any

from jobs.instants import FIRST
from jobs.models import Job
from jobs.operator.filters import Filter
from jobs.states import FINISHED, State
from jobs.store import store_for
from jobs.store.pages import Window, pages_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Rows that are looked at, at most, for what no index serves; and if somebody says that
#: it may take longer, some seconds.
LOOKED_AT = 10_000
FAR = 1_000_000
#: Rows that are counted and paged, at most.
MOST = 10_000
NEWEST = ("-pk",)
ENDED = ("-finished_at", "-pk")
#: Says that there is such an instant, as the index of these rows demands.
HAS_ENDED = {"finished_at__gte": FIRST}
IN_QUEUE = ("priority", "run_at", "pk")


class JobList:
    """The jobs that a filter finds, in the order that their state suggests or in yours.

    Conditions that no index serves (a part of the name, a text), and an order of yours,
    apply to the first `looked_at` jobs of the natural order; `is_cut` says whether
    there are more.
    """

    def __init__(
        self,
        chosen: Filter,
        order: Sequence[str] = (),
        model: type[AbstractJob] = Job,
        looked_at: int | None = None,
    ):
        self.filter = chosen
        self.model = model
        self.looked_at = LOOKED_AT if looked_at is None else looked_at
        self._pages = pages_for(model)
        self._where = chosen.on_rows()
        self._order = tuple(order)

    def count(self, most: int = MOST) -> int:
        """How many there are; no more than `most` are counted."""
        return self._pages.count(self._window, self._where, most)

    def page(self, limit: int, skip: int = 0) -> list[Any]:
        """Rows with their long texts cut: to be shown, not to be used."""
        order = self._order or self._natural
        return self._pages.page(self._window, self._where, order, limit, skip)

    @property
    def is_cut(self) -> bool:
        """Whether not all jobs were looked at."""
        if not self._where and not self._order:
            return False
        return self._pages.number(self._window.where, self.looked_at + 1) > self.looked_at

    @cached_property
    def _natural(self) -> tuple[str, ...]:
        """What ended last comes first, and what waits is in the order of the queue."""
        if self._window.order:
            return tuple(self._window.order)
        return _natural_order(self.filter)

    @cached_property
    def _window(self) -> Window:
        where = self.filter.on_index(store_for(self.model))
        if self.filter.queue is None:
            order = _natural_order(self.filter)
            if order == ENDED:
                if not self._have_all_ended(where):
                    return Window(where, NEWEST, self.looked_at)
                where = {**HAS_ENDED, **where}
            return Window(where, order, self.looked_at)
        has_state = "state" in where
        if not has_state:  # the index of queues begins with it
            where.setdefault("state__in", list(State.values))
        where["queue"] = self.filter.queue
        if self._pages.number(where, self.looked_at) < self.looked_at:
            return Window(where, (), self.looked_at)  # all of a short queue are looked at
        if has_state:
            return Window(where, IN_QUEUE, self.looked_at)  # the index has this order
        del where["state__in"]
        return Window(
            {**where, **self.filter.on_index(store_for(self.model))}, NEWEST, self.looked_at
        )

    def _have_all_ended(self, where: dict[str, Any]) -> bool:
        """Whether they have the time that they are ordered by; as far as is counted.

        The queue itself leaves no finished job without it.
        """
        all_of_them, ended = (
            self._pages.number(some, MOST) for some in (where, {**HAS_ENDED, **where})
        )
        return all_of_them == ended


def _natural_order(chosen: Filter) -> tuple[str, ...]:
    states = chosen.states
    if chosen.error is not None:
        return NEWEST
    if len(states) == 1 and states[0] in FINISHED:
        return ENDED
    if chosen.waiting_longer_than is not None or states == (State.SCHEDULED,):
        return ("run_at", "pk")
    return NEWEST
