"""The bare limit: what the same database does by its driver alone, on the same rows and indexes, without a queue around it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from django.db import connection
from django.utils import timezone

from jobs.models import Job

#: The claim that the limit is measured with: the next ready row, locked, in the order of the queue.
CLAIM = """
    UPDATE jobs_job SET state = 'running', locked_by = 'bare', locked_at = {0}, runner = 'bare@0', started_at = {0},
        heartbeat_at = {0}, updated_at = {0}
    WHERE id = (SELECT id FROM jobs_job WHERE state = 'ready' ORDER BY priority, run_at, id LIMIT 1 {1}) RETURNING id
"""


def drain(number: int) -> int:
    """One claim and one delete for each of `number` jobs, each a round trip; returns how many there were."""
    claim_and_delete = {"sqlite": _sqlite, "postgresql": _postgres, "mongodb": _mongodb}[connection.vendor]()
    return sum(claim_and_delete() for _ in range(number))


def _sqlite() -> Callable[[], bool]:
    connection.ensure_connection()
    raw, claim = connection.connection, CLAIM.format("?", "")
    now = str(timezone.now().replace(tzinfo=None))

    def claim_and_delete() -> bool:
        row = raw.execute(claim, [now] * 4).fetchone()
        return row is not None and raw.execute("DELETE FROM jobs_job WHERE id = ?", row).rowcount == 1

    return claim_and_delete


def _postgres() -> Callable[[], bool]:
    connection.ensure_connection()
    claim = CLAIM.format("%s", "FOR UPDATE SKIP LOCKED")
    now = timezone.now()
    # The driver's own cursor: Django's would add its bookkeeping.
    cursor = connection.connection.cursor()

    def claim_and_delete() -> bool:
        row = cursor.execute(claim, [now] * 4).fetchone()
        return row is not None and cursor.execute("DELETE FROM jobs_job WHERE id = %s", row).rowcount == 1

    return claim_and_delete


def _mongodb() -> Callable[[], bool]:
    from pymongo import ReturnDocument

    from jobs.store import store_for

    collection: Any = store_for(Job).collection
    now = timezone.now()
    locked = {"state": "running", "locked_by": "bare", "locked_at": now, "runner": "bare@0", "started_at": now}
    update = {"$set": {**locked, "heartbeat_at": now, "updated_at": now}}
    order = [("priority", 1), ("run_at", 1), ("_id", 1)]

    def claim_and_delete() -> bool:
        row = collection.find_one_and_update({"state": "ready"}, update, sort=order, return_document=ReturnDocument.AFTER)
        return row is not None and collection.delete_one({"_id": row["_id"]}).deleted_count == 1

    return claim_and_delete


def enqueue(number: int) -> None:
    """`number` rows by one INSERT each, as the driver sends it."""
    from jobs.store import store_for

    template = Job(name="bench.noop.NoOp", handler='{"class": "bench.noop.NoOp", "fields": {}}')
    if connection.vendor == "mongodb":
        store: Any = store_for(Job)
        collection = store.collection
        document = {name: value for name, value in store._document(template).items() if name != "_id"}
        for _ in range(number):
            collection.insert_one(dict(document))
        return
    connection.ensure_connection()
    fields = [field for field in Job._meta.concrete_fields if not field.primary_key]
    values = [field.get_db_prep_save(getattr(template, field.attname), connection) for field in fields]
    mark = "?" if connection.vendor == "sqlite" else "%s"
    # Names come from the model, values are parameters.
    columns = ", ".join(field.column for field in fields)
    sql = f"INSERT INTO jobs_job ({columns}) VALUES ({', '.join([mark] * len(fields))})"
    raw = connection.connection
    for _ in range(number):
        raw.execute(sql, values)
