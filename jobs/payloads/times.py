"""Dates with a time, and times, as JSON and back.

`"2026-11-24T10:00:00+01:00"`; with a zone, or if it is the second of two equal wall
times, `{"at": "2026-10-25T02:30:00", "zone": "Europe/Berlin", "fold": 1}`.
"""

from __future__ import annotations

import datetime as dt
from typing import Any, TypeVar
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from jobs.exceptions import NotKnownYet

T = TypeVar("T", dt.datetime, dt.time)


def dump(value: dt.datetime | dt.time) -> Any:
    """Raises TypeError for a time zone that can't be made again from its name."""
    zone = value.tzinfo
    if isinstance(zone, ZoneInfo):
        if zone.key is None:
            raise TypeError("a ZoneInfo without a key can't be stored in a job.")
        stored = {"at": value.replace(tzinfo=None, fold=0).isoformat(), "zone": zone.key}
    elif zone is None or (type(zone) is dt.timezone and _has_whole_seconds(zone)):
        if not value.fold:
            return value.isoformat()
        stored = {"at": value.replace(fold=0).isoformat()}
    elif _is_utc(zone):
        return dump(value.replace(tzinfo=dt.timezone.utc))  # that of another library
    else:
        raise TypeError(
            f"a {type(value).__name__} whose time zone is a "
            f"{type(zone).__module__}.{type(zone).__qualname__} can't be stored in a job: "
            "use zoneinfo.ZoneInfo, or datetime.timezone with whole seconds."
        )
    return {**stored, "fold": value.fold} if value.fold else stored


def _has_whole_seconds(zone: dt.timezone) -> bool:
    return zone.utcoffset(None).microseconds == 0  # Python reads no others


def _is_utc(zone: dt.tzinfo) -> bool:
    try:
        return zone.tzname(None) == "UTC" and zone.utcoffset(None) == dt.timedelta(0)
    except Exception:
        return False  # whatever its own code raises


def load_datetime(body: Any) -> dt.datetime:
    return _load(dt.datetime.fromisoformat, body)


def load_time(body: Any) -> dt.time:
    return _load(dt.time.fromisoformat, body)


def _load(read: Any, body: Any) -> Any:
    if not isinstance(body, dict):
        return read(body)
    found = read(body["at"]).replace(fold=body.get("fold", 0))
    if "zone" not in body:
        return found
    try:
        return found.replace(tzinfo=ZoneInfo(body["zone"]))
    except ZoneInfoNotFoundError as error:
        raise NotKnownYet(f"The time zone {body['zone']!r} isn't known here.") from error
