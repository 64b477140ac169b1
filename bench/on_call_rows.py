"""A table as somebody on call meets it: jobs of all states, and a day of activity."""

from __future__ import annotations

import datetime as dt
import random
from collections.abc import Iterable, Iterator
from itertools import islice
from typing import Any

from django.db import connection, models
from django.utils import timezone

from jobs import likeness
from jobs.models import Activity, Job

CHUNK = 20_000
QUEUES = [*["default"] * 6, *["mail"] * 3, "reports"]
CLASSES = 30
#: Of a thousand jobs, how many are in which state.
STATES = {"failed": 100, "succeeded": 600, "ready": 100, "scheduled": 190, "cancelled": 10}
ENDED = ("failed", "succeeded", "cancelled")
FRAMES = "".join(f'  File "app/mail.py", line {line}, in step_{line}\n' for line in range(12))
ERROR = "ValueError: order {number} has no address in {group}\nTraceback:\n" + FRAMES
HANDLER = '{{"class": "{name}", "fields": {{"order": {number}, "message": "{text}"}}}}'
DAY = 24 * 60


def fill(number: int) -> None:
    """Adds `number` jobs, and what became of jobs in each minute of the last day."""
    now = timezone.now()
    _insert(_jobs(number, now))
    _insert(_activity(now.replace(second=0, microsecond=0)))
    with connection.cursor() as cursor:
        cursor.execute("VACUUM ANALYZE" if connection.vendor == "postgresql" else "ANALYZE")


def _jobs(number: int, now: dt.datetime) -> Iterator[Job]:
    chance = random.Random(4)
    states = [state for state, part in STATES.items() for _ in range(part)]
    for index in range(number):
        state, name = chance.choice(states), f"shop.orders.Send{chance.randrange(CLASSES)}"
        created = now - dt.timedelta(seconds=(number - index) * 0.3)
        ended = created + dt.timedelta(seconds=5) if state in ENDED else None
        group = f"group {chr(97 + chance.randrange(26))}"
        error = ERROR.format(number=index, group=group) if state == "failed" else ""
        later = now + dt.timedelta(days=1, seconds=index)
        yield Job(
            queue=chance.choice(QUEUES),
            priority=chance.randrange(3),
            name=name,
            handler=HANDLER.format(name=name, number=index, text="lorem ipsum " * 20),
            signature="s" * 64,
            state=state,
            run_at=later if state == "scheduled" else created,
            attempts=25 if error else 0,
            finished_at=ended,
            failed_at=ended if error else None,
            last_error=error,
            error_key=likeness.key(name, error) if error else "",
            created_at=created,
            updated_at=created,
        )


def _activity(now: dt.datetime) -> Iterator[Activity]:
    chance = random.Random(5)
    for minute in range(DAY):
        at = now - dt.timedelta(minutes=minute)
        for number in range(CLASSES):
            performed = chance.randrange(50)
            yield Activity(
                key=f"{at:%Y%m%d%H%M}-{number}",
                minute=at,
                queue=chance.choice(QUEUES),
                name=f"shop.orders.Send{number}",
                performed=performed,
                failed=chance.randrange(3),
                seconds_run=performed * 0.5,
                seconds_waited=performed * 0.1,
                ran_05=performed,
                waited_03=performed,
            )


def _insert(rows: Iterable[models.Model]) -> None:
    left = iter(rows)
    while some := list(islice(left, CHUNK)):
        model: Any = type(some[0])
        model.objects.bulk_create(some, batch_size=1_000)
