"""Keyed rows on SQL, by INSERT … ON CONFLICT, as PostgreSQL and SQLite have it."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import AbstractContextManager, nullcontext
from typing import Any

from django.db import transaction
from django.db.models import Sum

from jobs.store.base import Store
from jobs.store.keyed import Keyed
from jobs.store.reading import M
from jobs.store.row_writes import Conditions
from jobs.store.writing import Writer

INSERT = "INSERT INTO {table} ({columns}) VALUES {rows} ON CONFLICT ({key}) DO {otherwise}"
#: Of a statement, where Django knows no limit.
MOST_PARAMETERS = 30_000


class SqlKeyed(Keyed[M]):
    def __init__(self, store: Store[M]):
        super().__init__(store)
        quote = store.connection.ops.quote_name
        meta: Any = self.model._meta
        self._table = quote(meta.db_table)
        self._key = quote(meta.pk.column)
        self._columns = {field.attname: quote(field.column) for field in meta.concrete_fields}
        self._writer = Writer(self.model)

    def put(self, rows: Sequence[M], rising: str) -> None:
        changed = [column for column in self._columns.values() if column != self._key]
        assigned = ", ".join(f"{column} = EXCLUDED.{column}" for column in changed)
        column = self._columns[rising]
        self._insert(
            rows, f"UPDATE SET {assigned} WHERE {self._table}.{column} <= EXCLUDED.{column}"
        )

    def insert_missing(self, rows: Sequence[M]) -> None:
        self._insert(rows, "NOTHING")

    def add(self, rows: Sequence[M], numbers: Sequence[str]) -> None:
        columns = [self._columns[name] for name in numbers]
        added = ", ".join(f"{one} = {self._table}.{one} + EXCLUDED.{one}" for one in columns)
        self._insert(rows, f"UPDATE SET {added}")

    def _insert(self, rows: Sequence[M], otherwise: str) -> None:
        connection = self.store.connection
        # In the order of their keys, so that two writers don't wait for each other.
        ordered = sorted(rows, key=lambda row: str(row.pk))
        most = (connection.features.max_query_params or MOST_PARAMETERS) // len(self._columns)
        chunks = [ordered[start : start + most] for start in range(0, len(ordered), most)]
        with self._all_or_none(len(chunks)), connection.cursor() as cursor:
            for chunk in chunks:
                cursor.execute(self._text(len(chunk), otherwise), self._values(chunk))

    def _text(self, rows: int, otherwise: str) -> str:
        row = f"({', '.join(['%s'] * len(self._columns))})"
        return INSERT.format(
            table=self._table,
            columns=", ".join(self._columns.values()),
            rows=", ".join([row] * rows),
            key=self._key,
            otherwise=otherwise,
        )

    def _values(self, rows: Sequence[M]) -> list[Any]:
        connection = self.store.connection
        return [value for row in rows for value in self._writer.row(row, connection)]

    def _all_or_none(self, statements: int) -> AbstractContextManager[Any]:
        """One that fails doesn't end a transaction that the caller has open."""
        if statements == 1 and self.store.connection.get_autocommit():
            return nullcontext()
        return transaction.atomic(using=self.store.alias)

    def sums(
        self, where: Conditions, by: Sequence[str], numbers: Sequence[str]
    ) -> list[dict[str, Any]]:
        rows: Any = self.model._base_manager.using(self.store.alias).filter(**where)
        added = {f"sum_{name}": Sum(name) for name in numbers}
        found = rows.order_by().values(*by).annotate(**added) if by else [rows.aggregate(**added)]
        return [
            {name.removeprefix("sum_"): value for name, value in one.items()}
            for one in found
            if by or any(value is not None for value in one.values())
        ]
