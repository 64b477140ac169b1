"""What somebody on call looks at first: what waits, what runs, who works, how it went.

Every look is bounded: counts end at COUNTED, rows are read from the front of an index,
and what became of jobs comes from the activity by the minute, never from the jobs.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import TYPE_CHECKING, Any

from jobs.models import Job, Pause, Progress
from jobs.operator import monitoring
from jobs.operator.histograms import Histogram
from jobs.operator.lists import IN_QUEUE
from jobs.operator.monitoring import Sign, Sums
from jobs.operator.pausing import paused
from jobs.states import State
from jobs.store import store_for
from jobs.store.pages import Window, pages_for
from jobs.transitions import IN_EXECUTION

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.pages.base import Pages

#: The states that matter now.
STATES = (State.READY, State.SCHEDULED, State.RUNNING, State.DETACHED, State.FAILED)
#: Jobs counted at most of each state, and of each queue.
COUNTED = 10_000
#: Queues that are looked at, and priorities of each.
QUEUES = 20
PRIORITIES = 5
#: Jobs of a state among which the longest running ones are looked for, and how many
#: are shown.
LOOKED_AT = 5_000
LONGEST = 10
#: Days of activity that are kept for a minute, of one queue or class each.
KEPT = 32

BY_DUE = ("run_at", "pk")


@dataclass(frozen=True)
class Waiting:
    """The ready jobs of a queue."""

    queue: str
    #: No more than COUNTED are counted.
    count: int
    #: When the first of them was due; None if its row can't be read.
    since: dt.datetime | None
    #: Whether there may be one that has waited longer, because not all priorities were
    #: looked at.
    is_at_least: bool = False


@dataclass(frozen=True)
class Now:
    """How it is at this moment, by the database's clock."""

    at: dt.datetime
    #: By state; no more than COUNTED are counted.
    counts: dict[str, int]
    #: The queues with ready jobs, the one that has waited longest first.
    waiting: list[Waiting]
    #: Whether more than QUEUES have some.
    has_more_queues: bool
    #: Scheduled jobs that are due: no worker has made them ready. Counted to COUNTED.
    overdue: int
    overdue_since: dt.datetime | None
    paused: list[Pause]
    workers: list[Sign]
    #: The jobs that have been executed for longest, and how far they have come.
    longest: list[Any]
    progress: dict[Any, Progress]


def now(model: type[AbstractJob] = Job) -> Now:
    """Reads it, in about twenty statements and two for each queue that has ready
    jobs.
    """
    pages, at = pages_for(model), store_for(model).now()
    counts = {state.value: pages.number({"state": state}, COUNTED) for state in STATES}
    is_due = {"state": State.SCHEDULED, "run_at__lte": at}
    overdue = pages.number(is_due, COUNTED) if counts[State.SCHEDULED] else 0
    first_due = pages.page(Window(is_due, BY_DUE, 1), {}, BY_DUE, 1) if overdue else []
    names: list[str] = []
    if counts[State.READY]:
        names = sorted(store_for(model).queues(State.READY, QUEUES + 1))
    waiting = [_waiting(pages, queue) for queue in names[:QUEUES]]
    longest = _longest(pages, at) if counts[State.RUNNING] or counts[State.DETACHED] else []
    return Now(
        at=at,
        counts=counts,
        waiting=sorted(waiting, key=lambda one: (one.since or at, one.queue)),
        has_more_queues=len(names) > QUEUES,
        overdue=overdue,
        overdue_since=first_due[0].run_at if first_due else None,
        paused=paused(),
        workers=monitoring.workers(),
        longest=longest,
        progress=monitoring.progress_of(longest),
    )


def _waiting(pages: Pages[Any], queue: str) -> Waiting:
    """From one priority to the next on the index of the claim, whose order within a
    priority is that of waiting.
    """
    of_queue: dict[str, Any] = {"state": State.READY, "queue": queue}
    where, found = of_queue, []
    for _ in range(PRIORITIES):
        first = pages.page(Window(where, IN_QUEUE, 1), {}, IN_QUEUE, 1)
        if not first or first[0].unreadable:
            break
        found.append(first[0].run_at)
        where = {**of_queue, "priority__gt": first[0].priority}
    is_at_least = len(found) == PRIORITIES or bool(first and first[0].unreadable)
    return Waiting(queue, pages.number(of_queue, COUNTED), min(found, default=None), is_at_least)


def _longest(pages: Pages[Any], at: dt.datetime) -> list[Any]:
    """Among the first LOOKED_AT of each state.

    Each by itself and in the order of an index: a prepared statement for both states
    would read the table.
    """
    order = ("started_at", "pk")
    found = [
        job
        for state in IN_EXECUTION
        for job in pages.page(
            Window({"state": state}, ("pk",), LOOKED_AT), {"started_at__lte": at}, order, LONGEST
        )
        if "started_at" not in job.unreadable
    ]
    return sorted(found, key=lambda job: job.started_at)[:LONGEST]


@dataclass(frozen=True)
class Span:
    """A time up to now, in parts of some minutes each."""

    name: str
    label: str
    minutes: int
    part: int

    def begins(self, at: dt.datetime) -> dt.datetime:
        """So that the minute of `at` is its last one."""
        return at.replace(second=0, microsecond=0) - dt.timedelta(minutes=self.minutes - 1)

    def ends(self, begins: dt.datetime) -> dt.datetime:
        return begins + dt.timedelta(minutes=self.minutes)


HOUR = Span("hour", "the last hour", 60, 1)
DAY = Span("day", "the last day", 24 * 60, 15)
SPANS = {span.name: span for span in (HOUR, DAY)}


@dataclass(frozen=True)
class Part:
    """What became of jobs in some minutes."""

    begins: dt.datetime
    minutes: int
    performed: int
    failed: int
    retried: int
    ran: Histogram
    waited: Histogram

    @classmethod
    def of(cls, parts: Sequence[Part]) -> Part:
        """All of them together, the first one first."""
        return _part(parts[0].begins, sum(part.minutes for part in parts), parts)


def course(
    span: Span, at: dt.datetime, queue: str | None = None, name: str | None = None
) -> Sequence[Part]:
    """How the span went, part by part, of all jobs or those of a queue or a class.

    One statement. A day's is kept for the minute.
    """
    read = _course if span is HOUR else _kept_course
    return read(span, span.begins(at), queue, name)


def _course(span: Span, begins: dt.datetime, queue: str | None, name: str | None) -> list[Part]:
    minutes = dt.timedelta(minutes=span.part)
    by_part: list[list[Sums]] = [[] for _ in range(span.minutes // span.part)]
    until = span.ends(begins)
    for one in monitoring.activity(begins, ["minute"], until=until, queue=queue, name=name):
        if one.minute is not None:
            by_part[(one.minute - begins) // minutes].append(one)
    return [
        _part(begins + number * minutes, span.part, sums) for number, sums in enumerate(by_part)
    ]


def _part(begins: dt.datetime, minutes: int, sums: Sequence[Sums | Part]) -> Part:
    return Part(
        begins,
        minutes,
        performed=sum(one.performed for one in sums),
        failed=sum(one.failed for one in sums),
        retried=sum(one.retried for one in sums),
        ran=Histogram.of([one.ran for one in sums]),
        waited=Histogram.of([one.waited for one in sums]),
    )


def compared(span: Span, at: dt.datetime, by: str) -> Sequence[Sums]:
    """What became of jobs in the span by "queue" or by "name" (the class), the busiest
    first.

    One statement. A day's is kept for the minute.
    """
    read = _compared if span is HOUR else _kept_comparison
    return read(span, span.begins(at), by)


def _compared(span: Span, begins: dt.datetime, by: str) -> list[Sums]:
    found = monitoring.activity(begins, [by], until=span.ends(begins))
    return sorted(found, key=lambda one: -(one.performed + one.failed + one.retried))


#: For all viewers, because a day of many classes is a hundred thousand rows to add up.
_kept_course = lru_cache(maxsize=KEPT)(_course)
_kept_comparison = lru_cache(maxsize=KEPT)(_compared)


def forget() -> None:
    """Has the next look read the last day anew."""
    _kept_course.cache_clear()
    _kept_comparison.cache_clear()
