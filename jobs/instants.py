"""Instants that UTC and every database can express."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.utils import timezone

#: Whole days that every time zone can express, too.
FIRST = dt.datetime(1, 1, 2, tzinfo=dt.timezone.utc)
LAST = dt.datetime(9999, 12, 30, tzinfo=dt.timezone.utc)


def in_utc(label: str, value: Any) -> dt.datetime:
    """The instant in UTC; a naive datetime is taken in the current time zone.

    Raises TypeError for another type, ValueError for an instant that UTC or a database
    can't express.
    """
    if not isinstance(value, dt.datetime):
        raise TypeError(f"{label} must be a datetime, not {value!r}.")
    try:
        if timezone.is_naive(value):
            value = timezone.make_aware(value)
        found = value.astimezone(dt.timezone.utc)
    except Exception as error:  # also of a time zone that somebody wrote
        raise ValueError(f"{label} isn't an instant that UTC can express: {error}.") from error
    if not FIRST <= found <= LAST:
        raise ValueError(f"{label} must lie between {FIRST:%Y-%m-%d} and {LAST:%Y-%m-%d}.")
    return found


def bounded(value: Any, earliest: dt.datetime, latest: dt.datetime) -> dt.datetime:
    """The instant in UTC, or the nearer of the two bounds.

    Raises TypeError for another type.
    """
    try:
        return min(max(in_utc("It", value), earliest), latest)
    except ValueError:
        return earliest if value.year < latest.year else latest
