"""Tables with many jobs in them, filled by the database itself where it can."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import connection
from django.utils import timezone

from jobs import payloads
from jobs.models import Job, State

HANDLER = '{"class": "bench.noop.NoOp", "fields": {}}'
#: Of what is to stay as it is while it is measured: neither due, nor expired, nor to be pruned.
LATER = dt.timedelta(days=300)
CHUNK = 10_000


def fill(state: str, number: int) -> None:
    """`number` jobs in that state, beside what is there."""
    if connection.vendor == "mongodb":
        _documents(state, number)
        return
    job = _like(state)
    fields = [field for field in Job._meta.concrete_fields if not field.primary_key]
    values = [field.get_db_prep_save(getattr(job, field.attname), connection) for field in fields if field.column != "priority"]
    columns = ", ".join(field.column for field in fields)
    # PostgreSQL can't tell the type of a parameter that is only selected.
    types = {field: f"CAST(%s AS {field.db_type(connection)})" if connection.vendor == "postgresql" else "%s" for field in fields}
    marks = ", ".join("i %% 10" if field.column == "priority" else types[field] for field in fields)
    numbers = "WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s)"
    with connection.cursor() as cursor:
        # The names come from the model.
        cursor.execute(f"{numbers} INSERT INTO jobs_job ({columns}) SELECT {marks} FROM n", [number, *values])
        cursor.execute("ANALYZE")


def _like(state: str) -> Job:
    now = timezone.now()
    job = Job(name="bench.noop.NoOp", handler=HANDLER, signature=payloads.sign(HANDLER), state=state)
    if state == State.SCHEDULED:
        job.run_at = now + LATER
    elif state == State.RUNNING:
        job.locked_by, job.locked_at = "somebody", now + LATER
    elif state in (State.FAILED, State.SUCCEEDED):
        job.finished_at = now + LATER
    return job


def _documents(state: str, number: int) -> None:
    from jobs.store import store_for

    store: Any = store_for(Job)
    document = {name: value for name, value in store._document(_like(state)).items() if name != "_id"}
    for start in range(0, number, CHUNK):
        chunk = range(start, min(start + CHUNK, number))
        store.collection.insert_many([{**document, "priority": index % 10} for index in chunk], ordered=False)
