"""`jobs errors`: failed jobs by their error."""

from __future__ import annotations

import datetime as dt
from typing import Any

from jobs import likeness
from jobs.management.queue.console import Console, Options, counted
from jobs.management.terminal import moment
from jobs.operator import errors
from jobs.operator.errors import ErrorGroup
from jobs.operator.reports import plain

TITLES = ("KEY", "JOBS", "THIS HOUR", "24 HOURS", "FIRST", "LAST", "NAME", "ERROR")

#: In place of the error of jobs that failed before there were groups.
BEFORE = "(from before errors were grouped: see --group-older)"


def list_errors(console: Console, options: Options) -> int:
    newly = errors.group_older() if options["group_older"] else 0
    found = errors.grouped(limit=options["limit"])
    if options["json"]:
        return console.say_json([_plain(group, found.since) for group in found.groups])
    if options["group_older"]:
        console.say(f"{counted(newly)} newly grouped.")
    if not found.groups:
        return console.say("No failed jobs.")
    console.say_table([TITLES, *(_row(group) for group in found.groups)])
    if found.others:
        console.say(f"… and {found.others:,} more errors: --limit is {options['limit']}.")
    return console.say("With --error KEY, `jobs list`, `retry` and `clear` take those jobs.")


def _row(group: ErrorGroup) -> tuple[str, ...]:
    return (
        group.key or "-",
        f"{group.count:,}",
        f"{group.hours.get(errors.HOURS - 1, 0):,}",
        f"{sum(group.hours.values()):,}",
        moment(group.first),
        moment(group.last),
        group.name,
        likeness.normalised(group.error) if group.key else BEFORE,
    )


def _plain(group: ErrorGroup, since: dt.datetime) -> dict[str, Any]:
    """`hours` has a number for each of the last 24 hours, this one last."""
    return {
        "key": group.key,
        "count": group.count,
        "first": plain(group.first),
        "last": plain(group.last),
        "hours_since": plain(since),
        "hours": [group.hours.get(hour, 0) for hour in range(errors.HOURS)],
        "name": group.name,
        "error": group.error,
    }
