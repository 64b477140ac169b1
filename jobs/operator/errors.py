"""Failed jobs by their error, for people."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs import likeness
from jobs.models import Job
from jobs.states import State
from jobs.store import store_for
from jobs.store.pages import Window, pages_for
from jobs.text import first_line

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Hours that failures are counted in, this one included.
HOURS = 24
#: Jobs that are read at once with their whole errors.
AT_ONCE = 500


@dataclass
class ErrorGroup:
    """Failed jobs of the same class with the same error, but for numbers and ids."""

    #: As `Filter(error=key)` takes it; empty for jobs that failed before there were
    #: groups: see `group_older`.
    key: str
    count: int
    first: dt.datetime
    last: dt.datetime
    #: By hours since `Errors.since`.
    hours: dict[int, int]
    #: Of one of the jobs: its name and the first line of its error.
    name: str = ""
    error: str = ""


@dataclass
class Errors:
    #: The beginning of the first hour that is counted by itself.
    since: dt.datetime
    groups: list[ErrorGroup]
    #: Groups that are left out.
    others: int


def group_older(model: type[AbstractJob] = Job) -> int:
    """Puts jobs into their groups that failed before there were groups, or with older
    code; returns how many.

    A job that is changed meanwhile is left as it is.
    """
    store, done = store_for(model), 0
    where = {"state": State.FAILED, "error_key": ""}
    after: dict[str, Any] = {}
    while rows := store.glance({**where, **after}, ("name", "last_error"), AT_ONCE, order="pk"):
        alike: defaultdict[str, list[Any]] = defaultdict(list)
        for row in rows:
            alike[likeness.key(row.name, row.last_error)].append(row.pk)
        for key, pks in alike.items():
            done += store.change_many({**where, "pk__in": pks}, {"error_key": key})
        after = {"pk__gt": rows[-1].pk}
    return done


def grouped(model: type[AbstractJob] = Job, limit: int = 50) -> Errors:
    """The errors with the most failed jobs first. Two statements."""
    hour = store_for(model).now().replace(minute=0, second=0, microsecond=0)
    since = hour - dt.timedelta(hours=HOURS - 1)
    found = sorted(pages_for(model).failures(since), key=lambda one: (-one.count, one.key))
    shown = found[:limit]
    window = Window({"pk__in": [one.example for one in shown]}, (), limit)
    rows = pages_for(model).page(window, {}, (), limit) if shown else []
    examples = {job.pk: job for job in rows}
    groups = []
    for one in shown:
        group = ErrorGroup(one.key, one.count, one.first, one.last, one.hours)
        if (example := examples.get(one.example)) is not None:
            group.name = str(example.name)
            group.error = first_line(str(example.last_error))
        groups.append(group)
    return Errors(since, groups, len(found) - len(shown))


def in_words(key: str, model: type[AbstractJob] = Job) -> str:
    """The error of a group, with numbers, ids and addresses replaced; empty if no job
    has failed so.
    """
    failed = {"state": State.FAILED, "error_key": key}
    rows = store_for(model).glance(failed, ("last_error",), 1, order="pk")
    return likeness.normalised(str(rows[0].last_error)) if rows else ""
