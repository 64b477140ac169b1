"""The bare limit: what the database's driver alone reaches, without a queue around it.

It works on the same database, rows and indexes as the queue.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import Any

from django.db import connection
from django.utils import timezone

from jobs import payloads
from jobs.models import Job

#: Locks the next ready row in the order of the queue.
CLAIM = """
    UPDATE jobs_job SET state = 'running', locked_by = 'bare', locked_at = {mark},
        runner = 'bare@0', started_at = {mark}, heartbeat_at = {mark}, updated_at = {mark}
    WHERE id = (
        SELECT id FROM jobs_job WHERE state = 'ready' ORDER BY priority, run_at, id
        LIMIT 1 {lock}
    )
    RETURNING id
"""
DELETE = "DELETE FROM jobs_job WHERE id = {mark}"
INSERT = "INSERT INTO jobs_job ({columns}) VALUES ({marks})"
COPY = "COPY jobs_job ({columns}) FROM STDIN"


class Driver(ABC):
    """A connection of the database's driver, with the three things a queue does."""

    @abstractmethod
    def claim(self) -> Any:
        """Locks the next ready job; returns its primary key, or None."""

    @abstractmethod
    def delete(self, pk: Any) -> bool:
        """Deletes the job; returns whether it was there."""

    @abstractmethod
    def insert(self) -> None:
        """Adds a ready job."""

    @abstractmethod
    def insert_many(self, number: int) -> None:
        """Adds ready jobs in the way that the driver has for many."""


class Sql(Driver):
    """`mark` stands for a parameter, `lock` ends the SELECT of the claim."""

    def __init__(self, raw: Any, mark: str, lock: str):
        self.raw = raw
        now = timezone.now()
        self._now = [str(now.replace(tzinfo=None)) if connection.vendor == "sqlite" else now] * 4
        self._claim = CLAIM.format(mark=mark, lock=lock)
        self._delete = DELETE.format(mark=mark)
        job = _job()
        fields = [field for field in Job._meta.concrete_fields if not field.primary_key]
        self._row = [
            field.get_db_prep_save(getattr(job, field.attname), connection) for field in fields
        ]
        columns = ", ".join(str(field.column) for field in fields)
        self._copy = COPY.format(columns=columns)
        self._insert = INSERT.format(columns=columns, marks=", ".join([mark] * len(fields)))

    def claim(self) -> Any:
        row = self.raw.execute(self._claim, self._now).fetchone()
        return row and row[0]

    def delete(self, pk: Any) -> bool:
        return bool(self.raw.execute(self._delete, [pk]).rowcount == 1)

    def insert(self) -> None:
        self.raw.execute(self._insert, self._row)

    def insert_many(self, number: int) -> None:
        if connection.vendor == "sqlite":
            self.raw.execute("BEGIN IMMEDIATE")
            self.raw.executemany(self._insert, [self._row for _ in range(number)])
            self.raw.execute("COMMIT")
        else:
            with self.raw.cursor().copy(self._copy) as copy:
                for _ in range(number):
                    copy.write_row(self._row)


class Mongo(Driver):
    def __init__(self) -> None:
        from pymongo import ReturnDocument

        from jobs.store import store_for

        store: Any = store_for(Job)
        now = timezone.now()
        times = dict.fromkeys(("locked_at", "started_at", "heartbeat_at", "updated_at"), now)
        self._collection = store.collection
        self._update = {
            "$set": {"state": "running", "locked_by": "bare", "runner": "bare@0", **times}
        }
        self._options = {
            "sort": [("priority", 1), ("run_at", 1), ("_id", 1)],
            "return_document": ReturnDocument.AFTER,
        }
        self._document = store._documents.of([_job()], connection)[0]
        self._document.pop("_id", None)

    def claim(self) -> Any:
        ready = {"state": "ready"}
        found = self._collection.find_one_and_update(ready, self._update, **self._options)
        return found and found["_id"]

    def delete(self, pk: Any) -> bool:
        return bool(self._collection.delete_one({"_id": pk}).deleted_count == 1)

    def insert(self) -> None:
        self._collection.insert_one(dict(self._document))

    def insert_many(self, number: int) -> None:
        self._collection.insert_many([dict(self._document) for _ in range(number)], ordered=False)


def connect() -> Driver:
    """The driver of the database that Django is connected to."""
    if connection.vendor == "mongodb":
        return Mongo()
    connection.ensure_connection()
    if connection.vendor == "sqlite":
        return Sql(connection.connection, "?", "")
    import psycopg

    # A connection as the driver makes it prepares statements. Django's doesn't.
    parameters = connection.get_connection_params()
    names = ("host", "port", "user", "dbname")
    options = {name: parameters[name] for name in names if name in parameters}
    return Sql(psycopg.connect(autocommit=True, **options), "%s", "FOR UPDATE SKIP LOCKED")


def drain(driver: Driver, number: int) -> int:
    """Claims and deletes `number` jobs, each in two round trips.

    Returns how many there were.
    """
    return sum(driver.delete(driver.claim()) for _ in range(number))


def enqueue(driver: Driver, number: int) -> int:
    """Inserts `number` rows, one at a time, and returns the number."""
    for _ in range(number):
        driver.insert()
    return number


def enqueue_many(driver: Driver, number: int) -> int:
    """Inserts `number` rows together, and returns the number."""
    driver.insert_many(number)
    return number


def _job() -> Job:
    handler = '{"class": "bench.noop.NoOp", "fields": {}}'
    return Job(name="bench.noop.NoOp", handler=handler, signature=payloads.sign(handler))
