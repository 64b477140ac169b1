"""Rows at random, written past the queue and its models: any value in any column."""

from __future__ import annotations

import datetime as dt
from random import Random
from typing import Any

from django.db import DatabaseError, connection
from django.utils import timezone

from jobs import payloads
from jobs.models import Job
from jobs.states import State
from jobs.store import store_for
from tests.fuzz.handlers import REAL, TOKENS, damaged

COLUMNS = [field.column for field in Job._meta.concrete_fields if not field.primary_key]
#: What a worker looks at first is broken more often.
LEASE = ["locked_at", "locked_by", "epoch", "runner", "heartbeat_at", "handed_over", "run_at"]
STATES = [*[State.READY] * 8, *[State.RUNNING] * 6, *State.values]
NUMBERS = [0, 1, -1, 2**31, 2**53 + 1, 2**63 - 1, -(2**63), 0.5, -0.0, 1e308, float("inf"), True]
TEXTS = [
    *(
        "",
        " ",
        "7",
        "\n[Worker x] Job 1 COMPLETED",
        "\x1b[2J\x1b]0;x\x07",
        "\x00",
        "$epoch",
        "%s{0}",
    ),
    *("é" * 300, "x" * 70_000, "fuzz-one", "fuzz-one@0", "-", "default", "\u202e\u2028", "1e999"),
    *("now", "2026-99-99 00:00:00", "0000-00-00", "9999-12-31 23:59:59.999999", "24:00"),
    *("0001-01-01 00:00:00", "2026-11-24T10:00:00+25:00", "-4713-01-01", "99999-01-01 00:00:00"),
]


def instants() -> list[Any]:
    now = timezone.now()
    steps = (-(10**9), -3600, -6, -1, 0, 3, 12, 3600, 10**9)
    found: list[Any] = [now + dt.timedelta(seconds=step) for step in steps]
    ends = dt.datetime(1, 1, 1), dt.datetime(9999, 12, 31, 23, 59, 59, 999999)
    return [*found, *(end.replace(tzinfo=dt.timezone.utc) for end in ends)]


class Missing:
    """In place of a value: the document has no such field."""


class NotText(bytes):
    """Bytes that SQLite is told are text."""


def strange() -> list[Any]:
    """What only this database can hold in any column."""
    if connection.vendor == "sqlite":
        return [NotText(b"\xff\xfe"), NotText(b"\xed\xa0\x80"), b"", b"\xff" * 300]
    from bson import (
        Binary,
        Code,
        DatetimeMS,
        Decimal128,
        MaxKey,
        MinKey,
        ObjectId,
        Regex,
        Timestamp,
    )

    return [
        *(Missing(), [], [1, "a"], ["ready"], {}, {"$set": 1}, {"a": {"b": [None]}}, b"\xff"),
        *(Decimal128("NaN"), Decimal128("9.9E+6111"), ObjectId(), Binary(b"x", 4), Code("x")),
        *(Regex("("), MinKey(), MaxKey(), Timestamp(1, 1), DatetimeMS(2**62), DatetimeMS(-(2**62))),
    ]


def value(random: Random) -> Any:
    kind = random.random()
    if kind < 0.3:
        return random.choice(instants())
    if kind < 0.5:
        return random.choice(NUMBERS)
    if kind < 0.75:
        return random.choice(TEXTS)
    if kind < 0.8:
        return None
    return random.choice(strange())


def handler(random: Random) -> tuple[str, str]:
    """A handler and its signature; one in five isn't valid."""
    text = random.choice(REAL)
    if random.random() < 0.5:
        text = damaged(text, random)
    elif random.random() < 0.1:
        text = random.choice(TOKENS)
    text = text.encode("utf-8", "replace").decode()
    return text, random.choice([*[payloads.sign(text)] * 8, "", payloads.sign(text + " ")])


def hostile_row(random: Random) -> dict[str, Any]:
    """The columns of a row; up to five of them are broken."""
    now = timezone.now()
    text, signature = handler(random)
    state = random.choice(STATES)
    row: dict[str, Any] = {field.column: field.get_default() for field in Job._meta.concrete_fields}
    del row[Job._meta.pk.column]
    row |= {"handler": text, "signature": signature, "state": str(state), "name": "fuzzed"}
    row |= {"priority": random.randint(-5, 5), "queue": random.choice(["default", "mail"])}
    if state == State.RUNNING:
        name = random.choice(["dead", "fuzz-one", "fuzz-two", ""])
        began = random.choice(instants()[1:5])
        row |= {"locked_by": name, "locked_at": began, "heartbeat_at": began, "started_at": began}
        row["runner"] = random.choice([f"{name}@0", "", "elsewhere"])
        row["handed_over"] = random.random() < 0.3
    for column in random.sample(COLUMNS, random.choice([0, 1, 1, 2, 3])):
        row[column] = value(random)
    for column in random.sample(LEASE, random.choice([0, 0, 1, 2])):
        row[column] = value(random)
    if row["unique_key"] is None:
        row["unique_key"] = f"fuzz {random.random()} {now}"  # NULL is stored by other tests
    if random.random() < 0.03:
        row["state"] = value(random)
    return row


def write(row: dict[str, Any]) -> bool:
    """Whether the database took the row."""
    try:
        if connection.vendor == "mongodb":
            document = {key: item for key, item in row.items() if not isinstance(item, Missing)}
            store_for(Job).collection.insert_one(document)
            return True
        names = ", ".join(row)
        places = ", ".join(
            "CAST(%s AS TEXT)" if isinstance(item, NotText) else "%s" for item in row.values()
        )
        with connection.cursor() as cursor:
            cursor.execute(
                f"INSERT INTO jobs_job ({names}) VALUES ({places})",
                [_adapted(item) for item in row.values()],
            )
    except (DatabaseError, OverflowError, UnicodeError):
        return False
    except Exception as error:
        if connection.vendor == "mongodb" and type(error).__module__.startswith(
            ("bson", "pymongo")
        ):
            return False
        raise
    return True


def stored(state: str) -> list[dict[str, Any]]:
    """Rows in that state as the database holds them, without their long texts."""
    found: list[dict[str, Any]]
    if connection.vendor == "mongodb":
        found = list(store_for(Job).collection.find({"state": state}, limit=5))
    else:
        listed = ", ".join(f"quote(substr({column}, 1, 80))" for column in ["id", *COLUMNS])
        with connection.cursor() as cursor:
            cursor.execute(f"SELECT {listed} FROM jobs_job WHERE state = %s LIMIT 5", [state])
            found = [dict(zip(["id", *COLUMNS], row, strict=True)) for row in cursor.fetchall()]
    return [{key: item for key, item in row.items() if len(repr(item)) < 100} for row in found]


def _adapted(item: Any) -> Any:
    if isinstance(item, dt.datetime):
        return connection.ops.adapt_datetimefield_value(item)
    return bytes(item) if isinstance(item, NotText) else item
