"""What an operator does to many jobs at once.

One conditional statement for each thousand of them, whatever finds them: a filter, or
their ids. A job that isn't in a state for it is left alone, and so is one that changed
meanwhile; the outcome says how many and why.
"""

from __future__ import annotations

import datetime as dt
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from typing import TYPE_CHECKING, Any

from jobs import transitions
from jobs.models import Job
from jobs.operator import elsewhere
from jobs.operator.actions import BATCH, reap, tell_cancelled
from jobs.operator.filters import Filter
from jobs.states import FINISHED, UNFINISHED, State
from jobs.store import store_for
from jobs.store.pages import pages_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Keys that one statement reads. For what no index serves, a database may look at every
#: row to find the first of them, so that it must not be asked for each thousand.
READ = 20_000


@dataclass(frozen=True)
class Selection:
    """Jobs by a filter, or by their ids (then the filter applies to these, too).

    With `seen_at`, jobs that changed after that instant are left alone, and so are
    those that meet the filter only since: somebody was shown the others and said yes.
    """

    filter: Filter = field(default_factory=Filter)
    ids: Sequence[Any] | None = None
    seen_at: dt.datetime | None = None
    model: type[AbstractJob] = Job

    def count(self, most: int) -> int:
        """How many there are now; no more than `most` are counted, and all are looked
        at.
        """
        if self.ids is not None:
            return sum(len(rows) for rows in self.thousands())
        return pages_for(self.model).number(self._conditions(), most)

    def count_by_state(self, most: int) -> dict[str, int]:
        """How many there are in each state that has any; up to `most` of each."""
        if self.ids is not None:
            return Counter(row.state for rows in self.thousands() for row in rows)
        pages, found = pages_for(self.model), {}
        conditions = self._conditions()
        conditions.pop("state__in", None)
        for state in self.filter.states or State.values:
            where = {**conditions, "state": str(state)}
            if number := pages.number(where, most):
                found[str(state)] = number
        return found

    def executed_elsewhere(self, most: int) -> int:
        """How many of them have an execution elsewhere now; up to `most`."""
        if self.ids is not None:
            rows = (row for some in self.thousands(("handed_over",)) for row in some)
            return sum(row.handed_over for row in rows)
        where = {**self._conditions(), "handed_over": True}
        return pages_for(self.model).number(where, most)

    def _conditions(self) -> dict[str, Any]:
        return self.filter.conditions(store_for(self.model), self.seen_at)

    def thousands(self, names: Sequence[str] = ("state",)) -> Iterator[list[Any]]:
        """Their keys and these columns, for one statement at a time, in the order of
        keys.
        """
        store = store_for(self.model)
        where = self._conditions()
        if self.ids is not None:
            keys = [key for one in self.ids if (key := store.id_of(one)) is not None]
            for start in range(0, len(keys), BATCH):
                some = {**where, "pk__in": keys[start : start + BATCH]}
                if rows := store.glance(some, names, BATCH, order="pk"):
                    yield rows
            return
        while rows := store.glance(where, names, READ, order="pk"):
            for start in range(0, len(rows), BATCH):
                yield rows[start : start + BATCH]
            if len(rows) < READ:
                return
            where = {**where, "pk__gt": rows[-1].pk}


@dataclass
class Outcome:
    """What came of it, in numbers of jobs."""

    done: int = 0
    #: Left alone, by the state that they were in.
    refused: Counter[str] = field(default_factory=Counter)
    #: Left alone, because they were changed meanwhile, or are still executed after a
    #: cancel.
    changed: int = 0
    #: Of the jobs that were in a state for it, as long as there are few.
    keys: list[Any] = field(default_factory=list)

    @property
    def left(self) -> int:
        return self.changed + self.refused.total()


@dataclass(frozen=True)
class Action:
    """Something to be done to jobs."""

    #: As in the permission: `retry` needs `jobs.retry_job`.
    name: str
    #: `Retry`, and `retried`: for a sentence.
    verb: str
    done: str
    #: The states of the jobs that it can be done to.
    states: Sequence[str]
    #: Of the model, keys and `seen_at`: how many were changed.
    write: Callable[[type[AbstractJob], list[Any], dt.datetime | None], int]
    #: Whether something is lost by it.
    destroys: bool = False
    #: Called once something was changed.
    afterwards: Callable[[type[AbstractJob]], None] | None = None
    #: Called with the job as it was before, if it was the only one that was named. Of
    #: several, only states are read.
    tell: Callable[[AbstractJob], None] | None = None


def retry() -> Action:
    """Failed, cancelled and succeeded jobs are ready at once, with all attempts."""
    return Action("retry", "Retry", "retried", FINISHED, transitions.retry_several)


def reschedule(run_at: dt.datetime | None = None) -> Action:
    """Jobs run at `run_at`, or now if that is None.

    Waiting jobs keep their attempts, finished ones are retried then.
    """

    def write(model: type[AbstractJob], keys: list[Any], seen_at: dt.datetime | None) -> int:
        waiting = transitions.reschedule_several(model, keys, seen_at, run_at)
        if waiting == len(keys):
            return waiting
        return waiting + transitions.retry_several(model, keys, seen_at, run_at)

    states = (*transitions.WAITING, *FINISHED)
    return Action("reschedule", "Reschedule", "rescheduled", states, write)


def cancel() -> Action:
    """Unfinished jobs end as cancelled; what they come to is dropped."""
    write = transitions.cancel_several
    return Action(
        *("cancel", "Cancel", "cancelled", UNFINISHED, write), destroys=True, tell=tell_cancelled
    )


def unlock() -> Action:
    """Locks are let go of as if their leases had expired."""
    write, afterwards = transitions.expire_several, reap
    states = (State.RUNNING,)
    return Action("unlock", "Unlock", "unlocked", states, write, True, afterwards)


def move(queue: str | None = None, priority: int | None = None) -> Action:
    """Jobs that are not being executed get another queue or priority."""

    def write(model: type[AbstractJob], keys: list[Any], seen_at: dt.datetime | None) -> int:
        return transitions.move_several(model, keys, seen_at, queue, priority)

    return Action("move", "Change", "changed", (*transitions.WAITING, *FINISHED), write)


def delete(*, being_executed: bool = False) -> Action:
    """Rows are deleted; running and detached ones only with `being_executed`.

    What is executed elsewhere is ended there, and nothing records its outcome.
    """
    states = State.values if being_executed else [*transitions.WAITING, *FINISHED]

    def write(model: type[AbstractJob], keys: list[Any], seen_at: dt.datetime | None) -> int:
        before = partial(elsewhere.to_be_deleted, model=model)
        return transitions.discard_several(model, keys, seen_at, states, before)

    return Action("delete", "Delete", "deleted", states, write, destroys=True)


#: Keys that an outcome names, at most.
FEW = BATCH


def perform(action: Action, selection: Selection, *, dry_run: bool = False) -> Outcome:
    """Does it; with `dry_run` it only says what would be done."""
    outcome = Outcome()
    tell = None if dry_run or len(selection.ids or ()) != 1 else action.tell
    columns = [one.name for one in selection.model._meta.concrete_fields] if tell else ("state",)
    for rows in selection.thousands(columns):
        fitting = [row.pk for row in rows if row.state in action.states]
        outcome.refused.update(row.state for row in rows if row.state not in action.states)
        if not fitting:
            continue
        if len(outcome.keys) < FEW:
            outcome.keys += fitting[: FEW - len(outcome.keys)]
        done = (
            len(fitting) if dry_run else action.write(selection.model, fitting, selection.seen_at)
        )
        outcome.done += done
        outcome.changed += len(fitting) - done
        if tell and done:
            tell(rows[0])
    if outcome.done and action.afterwards and not dry_run:
        action.afterwards(selection.model)
    return outcome
