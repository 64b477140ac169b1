"""The bare limit: what the same database does by its driver alone, on the same rows and indexes, without a queue around it."""

from __future__ import annotations

from typing import Any

from django.db import connection
from django.utils import timezone

from jobs import payloads
from jobs.models import Job

#: The next ready row, locked, in the order of the queue.
CLAIM = """
    UPDATE jobs_job SET state = 'running', locked_by = 'bare', locked_at = {0}, runner = 'bare@0', started_at = {0},
        heartbeat_at = {0}, updated_at = {0}
    WHERE id = (SELECT id FROM jobs_job WHERE state = 'ready' ORDER BY priority, run_at, id LIMIT 1 {1}) RETURNING id
"""
DELETE = "DELETE FROM jobs_job WHERE id = {0}"


class Driver:
    def claim(self) -> Any: ...

    def delete(self, pk: Any) -> bool: ...

    def insert(self) -> None: ...


class Sql(Driver):
    def __init__(self, raw: Any, mark: str, lock: str):
        self._raw = raw
        now = timezone.now()
        self._now = [str(now.replace(tzinfo=None)) if connection.vendor == "sqlite" else now] * 4
        self._claim, self._delete = CLAIM.format(mark, lock), DELETE.format(mark)
        fields = [field for field in Job._meta.concrete_fields if not field.primary_key]
        self._row = [field.get_db_prep_save(getattr(_job(), field.attname), connection) for field in fields]
        columns, marks = ", ".join(field.column for field in fields), ", ".join([mark] * len(fields))
        self._insert = f"INSERT INTO jobs_job ({columns}) VALUES ({marks})"

    def claim(self) -> Any:
        row = self._raw.execute(self._claim, self._now).fetchone()
        return row and row[0]

    def delete(self, pk: Any) -> bool:
        return bool(self._raw.execute(self._delete, [pk]).rowcount == 1)

    def insert(self) -> None:
        self._raw.execute(self._insert, self._row)


class Mongo(Driver):
    def __init__(self) -> None:
        from pymongo import ReturnDocument

        from jobs.store import store_for

        store: Any = store_for(Job)
        now = timezone.now()
        locked = {"state": "running", "locked_by": "bare", "locked_at": now, "runner": "bare@0", "started_at": now}
        self._collection = store.collection
        self._update = {"$set": {**locked, "heartbeat_at": now, "updated_at": now}}
        self._options = {
            "sort": [("priority", 1), ("run_at", 1), ("_id", 1)],
            "return_document": ReturnDocument.AFTER,
        }
        self._document = {name: value for name, value in store._document(_job()).items() if name != "_id"}

    def claim(self) -> Any:
        found = self._collection.find_one_and_update({"state": "ready"}, self._update, **self._options)
        return found and found["_id"]

    def delete(self, pk: Any) -> bool:
        return bool(self._collection.delete_one({"_id": pk}).deleted_count == 1)

    def insert(self) -> None:
        self._collection.insert_one(dict(self._document))


def connect() -> Driver:
    if connection.vendor == "mongodb":
        return Mongo()
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        return Sql(connection.connection, "?", "")
    import psycopg

    # A connection as the driver makes it, which prepares statements; Django's doesn't.
    options = {
        name: value for name, value in connection.get_connection_params().items() if name in ("host", "port", "user", "dbname")
    }
    return Sql(psycopg.connect(autocommit=True, **options), "%s", "FOR UPDATE SKIP LOCKED")


def drain(driver: Driver, number: int) -> int:
    """One claim and one delete for each of `number` jobs, each a round trip; returns how many there were."""
    return sum(driver.delete(driver.claim()) for _ in range(number))


def enqueue(driver: Driver, number: int) -> int:
    """`number` rows, one at a time."""
    for _ in range(number):
        driver.insert()
    return number


def _job() -> Job:
    handler = '{"class": "bench.noop.NoOp", "fields": {}}'
    return Job(name="bench.noop.NoOp", handler=handler, signature=payloads.sign(handler))
