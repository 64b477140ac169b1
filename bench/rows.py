"""Fills tables with many jobs, inside the database itself where it can do that."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import connection, models
from django.utils import timezone

from jobs import payloads
from jobs.models import Job, State

HANDLER = '{"class": "bench.noop.NoOp", "fields": {}}'
#: Far enough in the future that no job becomes due, expires or is pruned meanwhile.
LATER = dt.timedelta(days=300)
CHUNK = 10_000

INSERT = """
    WITH RECURSIVE n(i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < %s)
    INSERT INTO jobs_job ({columns}) SELECT {values} FROM n
"""


def fill(state: str, number: int) -> None:
    """Adds `number` jobs in that state to the table."""
    if connection.vendor == "mongodb":
        _insert_documents(state, number)
    else:
        _insert_rows(state, number)


def _insert_rows(state: str, number: int) -> None:
    job = _like(state)
    fields = [field for field in Job._meta.concrete_fields if not field.primary_key]
    values = [
        field.get_db_prep_save(getattr(job, field.attname), connection)
        for field in fields
        if field.column != "priority"
    ]
    # The names come from the model.
    columns = ", ".join(str(field.column) for field in fields)
    statement = INSERT.format(columns=columns, values=", ".join(map(_value, fields)))
    with connection.cursor() as cursor:
        cursor.execute(statement, [number, *values])
        cursor.execute("ANALYZE")


def _value(field: models.Field[Any, Any]) -> str:
    """What is selected for a column: a parameter, or one of ten priorities."""
    if field.column == "priority":
        return "i %% 10"
    if connection.vendor == "postgresql":
        # PostgreSQL can't tell the type of a parameter that is only selected.
        return f"CAST(%s AS {field.db_type(connection)})"
    return "%s"


def _like(state: str) -> Job:
    now = timezone.now()
    job = Job(
        name="bench.noop.NoOp", handler=HANDLER, signature=payloads.sign(HANDLER), state=state
    )
    if state == State.SCHEDULED:
        job.run_at = now + LATER
    elif state == State.RUNNING:
        job.locked_by, job.locked_at = "somebody", now + LATER
    elif state in (State.FAILED, State.SUCCEEDED):
        job.finished_at = now + LATER
    return job


def _insert_documents(state: str, number: int) -> None:
    from jobs.store import store_for

    store: Any = store_for(Job)
    document = store._documents.of([_like(state)], store.connection)[0]
    document.pop("_id", None)
    for start in range(0, number, CHUNK):
        indexes = range(start, min(start + CHUNK, number))
        documents = [{**document, "priority": index % 10} for index in indexes]
        store.collection.insert_many(documents, ordered=False)
