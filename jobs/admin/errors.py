"""The page of errors: failed jobs that failed with the same error, counted together."""

from __future__ import annotations

import datetime as dt
from dataclasses import dataclass
from typing import Any

from django.utils.safestring import SafeString

from jobs import likeness
from jobs.admin import plots
from jobs.admin.changelist import query_of
from jobs.admin.shown import ago
from jobs.operator import errors
from jobs.operator.filters import Filter

#: Errors that the page shows.
SHOWN = 50
#: In place of the error of jobs that failed before there were groups.
BEFORE = "Failed before errors were grouped: manage.py jobs errors --group-older"


@dataclass
class Group:
    """What a row of the page shows."""

    key: str
    name: str
    error: str
    count: str
    query: str
    first: SafeString | str
    last: SafeString | str
    plot: SafeString


def groups(model: Any) -> tuple[list[Group], int]:
    """The most frequent ones, and how many others there are."""
    found = errors.grouped(model, limit=SHOWN)
    return [_group(one, found.since) for one in found.groups], found.others


def _group(one: errors.ErrorGroup, since: dt.datetime) -> Group:
    hours = range(errors.HOURS)
    counts = [one.hours.get(hour, 0) for hour in hours]
    labels = [f"{since + dt.timedelta(hours=hour):%d %b %H:00} UTC" for hour in hours]
    title = f"{sum(counts):,} in the last {errors.HOURS} hours, {counts[-1]:,} in this hour"
    return Group(
        key=one.key,
        name=one.name,
        error=likeness.normalised(one.error) if one.key else BEFORE,
        count=f"{one.count:,}",
        query=query_of(Filter(error=one.key)) if one.key else "?state=failed",
        first=ago(one.first),
        last=ago(one.last),
        plot=plots.bars(counts, labels, title),
    )
