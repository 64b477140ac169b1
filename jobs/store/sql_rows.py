"""Rows as SQL databases keep them, read one way or another."""

from __future__ import annotations

import datetime as dt
from collections.abc import Iterable, Sequence
from contextlib import suppress
from functools import cache, cached_property
from typing import Any

from django.db.models import BinaryField, DateTimeField, QuerySet
from django.db.models.functions import Cast

from jobs.store.base import Store
from jobs.store.columns import Converter, is_unreadable
from jobs.store.reading import M, Reader
from jobs.store.row_writes import Conditions
from jobs.store.statements import Sql, Statements

UTC = dt.timezone.utc


class SqlRows(Store[M]):
    """What a store of SQL reads; its writes are in `SqlStore`."""

    @cached_property
    def _statements(self) -> Statements:
        return Statements(self.model, self.connection)

    def _converters_of(self, field: Any) -> list[Converter]:
        found = super()._converters_of(field)
        if self.connection.vendor == "sqlite" and type(field) is DateTimeField:
            return [_InstantOfSqlite(found)]
        return found

    @property
    def _rows(self) -> QuerySet[M]:
        rows: QuerySet[M] = self.model._base_manager.using(self.alias)
        return rows

    def cursor(self, connection: Any) -> Any:
        """Django's cursor; on PostgreSQL one that can prepare the queue's statements.

        `prepare_threshold` in the database's OPTIONS switches that on. Django's own
        statements are never prepared, because it writes parameters into their text.
        """
        connection.ensure_connection()
        if not _prepares(connection) or connection.queries_logged:
            return connection.cursor()  # the log would lack their text
        return connection.make_cursor(_server_binding()(connection.connection))

    def cursor_of_statements(self, connection: Any) -> Any:
        """The same for the texts of `Statements`, which on SQLite are in the driver's
        own format.

        It is the driver's own cursor, unless Django is to log or to look after what is
        sent.
        """
        connection.ensure_connection()
        sqlite = connection.vendor == "sqlite"
        if self.is_watched(connection):
            if not sqlite:
                return self.cursor(connection)
            raw = connection.connection.cursor()
            logs = connection.queries_logged
            return (connection.make_debug_cursor if logs else connection.make_cursor)(raw)
        if sqlite:
            return OwnCursor(connection, connection.connection.cursor())
        if _prepares(connection):
            return OwnCursor(connection, _server_binding()(connection.connection))
        return connection.cursor()

    def is_watched(self, connection: Any) -> bool:
        """Whether Django is to log, or to look after, what is sent."""
        watched = connection.execute_wrappers or connection.in_atomic_block
        return bool(watched or connection.queries_logged)

    def taken(self, column: str, values: list[Any]) -> set[Any]:
        """Which of the values some row has in that column."""
        most = self.connection.features.max_query_params or len(values)
        found: set[Any] = set()
        for start in range(0, len(values), most):
            where = {f"{column}__in": values[start : start + most]}
            found.update(
                row[0] for row in self._fetch(self._statements.select(where, names=[column]))
            )
        return found

    def get(self, pk: Any) -> M | None:
        pk = self.id_of(pk)
        return None if pk is None else self.find_one({"pk": pk})

    def find(self, where: Conditions, limit: int) -> list[M]:
        return self._read(where, "", limit)

    def glance(
        self, where: Conditions, names: Sequence[str], limit: int, order: str = ""
    ) -> list[M]:
        return self._read(where, order, limit, self._reader.of(names))

    def listing(self, where: Conditions, order: str, limit: int) -> list[M]:
        return self._read(where, order, limit)

    def _read(
        self, where: Conditions, order: str, limit: int, reader: Reader[M] | None = None
    ) -> list[M]:
        names = [column.name for column in reader.columns] if reader else None
        statement = self._statements.select(where, names=names, order=order, limit=limit)
        try:
            rows = self._fetch(statement)
        except Exception as error:
            if not is_unreadable(error):
                raise
            # A column of one of them can't be read: the driver gives none of them.
            keys = self._statements.select(where, names=["pk"], order=order, limit=limit)
            return self.read_each([key for (key,) in self._fetch(keys)])
        reader = reader or self._reader
        return [reader.instance(row, self.connection) for row in rows]

    def _fetch(self, statement: Sql) -> list[Any]:
        with self.cursor_of_statements(self.connection) as cursor:
            cursor.execute(*statement)
            return cursor.fetchall()

    def read_each(self, pks: Iterable[Any]) -> list[M]:
        return [row for pk in pks if (row := self._read_one(pk)) is not None]

    def _read_one(self, pk: Any) -> M | None:
        """The row; column by column if the driver can't return one of them."""
        try:
            rows = self._fetch(self._statements.select({"pk": pk}))
            return self._instance(rows[0]) if rows else None
        except Exception as error:
            if not is_unreadable(error):
                raise
        values: list[Any] = []
        unreadable: list[str] = []
        for name in (field.attname for field in self._fields):
            try:
                found = self._fetch(self._statements.select({"pk": pk}, names=[name]))
            except Exception as error:
                if not is_unreadable(error):
                    raise
                unreadable.append(name)
                values.append(None)
                continue
            if not found:
                return None
            values.append(found[0][0])
        row = self._instance(values)
        known = getattr(row, "unreadable", ())
        row.__dict__["unreadable"] = tuple(dict.fromkeys((*unreadable, *known)))
        return row

    def ids(self, where: Conditions, limit: int) -> list[Any]:
        return list(self._rows.filter(**where).values_list("pk", flat=True)[:limit])

    def count(self, where: Conditions, limit: int) -> int:
        return self._rows.filter(**where)[:limit].count()

    def queues(self, state: str, most: int | None = None) -> set[str]:
        rows = self._rows.filter(state=state)
        try:
            return self._queues_by_index(rows, most)
        except Exception as error:
            if not is_unreadable(error):
                raise
            # A name isn't text. That may not hide the other queues.
            raw = rows.annotate(raw=Cast("queue", BinaryField())).values_list("raw", flat=True)
            return {found for name in raw.distinct() if (found := _decoded(name)) is not None}

    def _queues_by_index(self, rows: QuerySet[M], most: int | None) -> set[str]:
        # From one to the next on the index, because SELECT DISTINCT reads every entry.
        found: set[str] = set()
        names = rows.order_by("queue").values_list("queue", flat=True)
        name = names.first()
        while name is not None and (most is None or len(found) < most):
            if not isinstance(name, str):
                raise TypeError(f"A queue's name is a {type(name).__name__}.")
            found.add(name)
            name = names.filter(queue__gt=name).first()
        return found


def _decoded(name: Any) -> str | None:
    try:
        return bytes(name).decode()
    except UnicodeError:
        return None


class _InstantOfSqlite:
    """From SQLite's text to an instant, as Django's converters make it."""

    def __init__(self, converters: list[Converter]):
        self._converters = converters

    def __call__(self, value: Any, expression: Any, connection: Any) -> Any:
        if type(value) is str and connection.timezone is UTC:
            try:  # what they come to, of nearly every row
                found = dt.datetime.fromisoformat(value)
                return found if found.tzinfo else found.replace(tzinfo=UTC)
            except ValueError:
                pass
        for convert in self._converters:
            value = convert(value, expression, connection)
        return value


class OwnCursor:
    """The driver's own cursor. What it raises becomes Django's errors in the end."""

    __slots__ = ("_connection", "_cursor")

    def __init__(self, connection: Any, cursor: Any):
        self._connection = connection
        self._cursor = cursor

    def __enter__(self) -> Any:
        return self._cursor

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        with suppress(self._connection.Database.Error):  # of a connection that broke
            self._cursor.close()
        if error is not None:
            self._connection.wrap_database_errors.__exit__(kind, error, trace)


def _prepares(connection: Any) -> bool:
    return getattr(connection.connection, "prepare_threshold", None) is not None


@cache
def _server_binding() -> Any:
    from django.db.backends.postgresql.base import ServerBindingCursor

    return ServerBindingCursor
