"""The rows of Delayed Job: a table of Active Record, or a collection of Mongoid."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from django.db import DatabaseError
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from jobs.instants import in_utc

#: What the table and the collection are called, unless somebody renamed them.
TABLE, COLLECTION = "delayed_jobs", "delayed_backend_mongoid_jobs"
COLUMNS = (
    *("id", "handler", "priority", "attempts", "queue", "run_at", "locked_at", "locked_by"),
    *("failed_at", "last_error", "created_at"),
)
REQUIRED = ("id", "handler")
#: Rows that are read at once.
PAGE = 100


class NoSource(ValueError):
    """Why there is nothing to import from."""


@dataclass
class Row:
    """A row, each value as the driver gave it; `problem` if it can't be read."""

    id: Any
    values: dict[str, Any] = field(default_factory=dict)
    problem: str = ""

    def __getattr__(self, name: str) -> Any:
        if name not in COLUMNS:
            raise AttributeError(name)
        return self.values.get(name)


def instant(column: str, value: Any) -> dt.datetime | None:
    """Of a column: Rails stores UTC.

    Raises ValueError for what isn't an instant, or is none that every database holds.
    """
    if value is None:
        return None
    try:
        found = parse_datetime(value) if isinstance(value, str) else value
    except ValueError:  # such as a 13th month
        found = None
    if not isinstance(found, dt.datetime):
        raise ValueError(f"{column} isn't an instant")
    if timezone.is_naive(found):
        found = found.replace(tzinfo=dt.timezone.utc)
    return in_utc(column, found)


def source_of(connection: Any, name: str | None) -> TableSource | CollectionSource:
    """Raises NoSource if the database has no such table or collection."""
    if connection.vendor == "mongodb":
        return CollectionSource(connection, name or COLLECTION)
    return TableSource(connection, name or TABLE)


class TableSource:
    """A table of Active Record, in any SQL database that Django knows."""

    def __init__(self, connection: Any, table: str):
        self._connection = connection
        self.name = table
        with connection.cursor() as cursor:
            if table not in connection.introspection.table_names(cursor):
                raise NoSource(f"The database has no table {table!r}.")
            found = connection.introspection.get_table_description(cursor, table)
        there = {column.name for column in found}
        if missing := [name for name in REQUIRED if name not in there]:
            raise NoSource(f"The table {table!r} lacks {', '.join(missing)}.")
        self._columns = [name for name in COLUMNS if name in there]
        quote = connection.ops.quote_name
        self._table, self._id = quote(table), quote("id")
        shown = ", ".join(map(self._expression, self._columns))
        self._select = f"SELECT {shown} FROM {self._table}"  # noqa: S608 (quoted names)

    def _expression(self, column: str) -> str:
        quoted = str(self._connection.ops.quote_name(column))
        # Django's converter of SQLite makes none of a text that isn't an instant.
        is_text = self._connection.vendor == "sqlite" and column.endswith("_at")
        return f"CAST({quoted} AS TEXT)" if is_text else quoted

    def __iter__(self) -> Iterator[Row]:
        # Keys first: a row that the driver can't read hides no other.
        last: Any = None
        while ids := self._ids_after(last):
            last = ids[-1]
            try:
                marks = ", ".join(["%s"] * len(ids))
                rows = self._fetch(f"{self._select} WHERE {self._id} IN ({marks})", ids)
            except (DatabaseError, ValueError):
                yield from map(self._one, ids)
                continue
            by_id = {values[0]: values for values in rows}
            yield from (self._row(by_id[one]) for one in ids if one in by_id)

    def _ids_after(self, last: Any) -> list[Any]:
        then, given = ("IS NOT NULL", []) if last is None else ("> %s", [last])
        where = f"FROM {self._table} WHERE {self._id} {then}"
        statement = f"SELECT {self._id} {where} ORDER BY {self._id} LIMIT {PAGE}"
        return [one for (one,) in self._fetch(statement, given)]

    def _one(self, pk: Any) -> Row:
        try:
            rows = self._fetch(f"{self._select} WHERE {self._id} = %s", [pk])
        except (DatabaseError, ValueError) as error:
            return Row(pk, problem=f"it can't be read: {' '.join(str(error).split())[:200]}")
        return self._row(rows[0]) if rows else Row(pk, problem="it has gone")

    def _row(self, values: Any) -> Row:
        return Row(values[0], dict(zip(self._columns, values, strict=True)))

    def _fetch(self, statement: str, given: list[Any]) -> list[Any]:
        with self._connection.cursor() as cursor:
            cursor.execute(statement, given)
            return list(cursor.fetchall())

    def delete(self, row: Row) -> bool:
        """Deletes a row that no worker has locked meanwhile, or that had failed."""
        locked = f" AND {self._connection.ops.quote_name('locked_at')} IS NULL"
        condition = locked if "locked_at" in self._columns and row.failed_at is None else ""
        with self._connection.cursor() as cursor:
            cursor.execute(
                f"DELETE FROM {self._table} WHERE {self._id} = %s{condition}",  # noqa: S608
                [row.id],
            )
            return bool(cursor.rowcount == 1)


class CollectionSource:
    """A collection of Mongoid."""

    def __init__(self, connection: Any, collection: str):
        from bson.codec_options import CodecOptions, DatetimeConversion

        self.name = collection
        database = connection.database
        if collection not in database.list_collection_names():
            raise NoSource(f"The database has no collection {collection!r}.")
        # A text that isn't UTF-8 is told by its surrogates, and hides no other row.
        self._documents = database[collection].with_options(
            codec_options=CodecOptions(
                tz_aware=True,
                unicode_decode_error_handler="surrogateescape",
                datetime_conversion=DatetimeConversion.DATETIME_CLAMP,
            )
        )

    def __iter__(self) -> Iterator[Row]:
        for found in self._documents.find().sort("_id").batch_size(PAGE):
            yield Row(found["_id"], {name: found.get(name) for name in COLUMNS})

    def delete(self, row: Row) -> bool:
        """Deletes a row that no worker has locked meanwhile, or that had failed."""
        condition = {} if row.failed_at else {"locked_at": None}
        return bool(self._documents.delete_one({"_id": row.id, **condition}).deleted_count)
