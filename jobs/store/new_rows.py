"""New rows on SQL, one or many of them in one statement.

What all rows have in common is sent once: most columns of a job that nobody has
reserved yet.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from itertools import chain
from typing import Any

from django.db import models
from django.db.models.signals import post_save, pre_save

from jobs.signals import is_heard
from jobs.store.writing import Alike, ExpressionGiven, Stored, Writer

#: Primary keys that the database gives, and that are what it returns.
AUTO = (models.AutoField, models.BigAutoField, models.SmallAutoField)
#: Whose `save` does no more for a new row than insert it.
PLAIN_SAVES = ("django.db.models.base", "jobs.models")

#: Of a statement, where Django knows no limit.
MOST_PARAMETERS = 30_000

TABLE = "SELECT {selected} FROM (VALUES {table})"
Statement = tuple[str, list[Any]]


class NewRows:
    """The statements that insert rows of one model in one database."""

    def __init__(self, model: type[models.Model], connection: Any):
        meta: Any = model._meta
        self._model = model
        self._writer = Writer(model)
        self._is_known = _is_known(model, connection)
        #: Whether the database gives the primary keys.
        self.gives_keys = type(meta.pk) in AUTO
        #: Whether `alike` can insert them.
        self.makes_alike = self._is_known and self.gives_keys and not self._writer.computes
        # The places of the fields that are sent.
        sent = [
            field for field in meta.concrete_fields if not (self.gives_keys and field.primary_key)
        ]
        self._sent = [meta.concrete_fields.index(field) for field in sent]
        self._casts = [_cast(field, connection) for field in sent]
        quote = connection.ops.quote_name
        names = ", ".join(quote(field.column) for field in sent)
        self._beginning = f"INSERT INTO {quote(meta.db_table)} ({names}) "
        self.key = str(meta.pk.attname)
        self._returning = f" RETURNING {quote(meta.pk.column)}" if self.gives_keys else ""
        self._is_sqlite = connection.vendor == "sqlite"
        # By how a parameter is marked, and whether the key is returned.
        self._of_one = {
            (mark, keys): f"{self._beginning}VALUES ({', '.join([mark] * len(sent))})"
            + (self._returning if keys and not self._is_sqlite else "")
            for mark in ("%s", "?")
            for keys in (True, False)
        }
        self._own_mark = "?" if self._is_sqlite else "%s"
        self._most_parameters: int = connection.features.max_query_params or MOST_PARAMETERS

    def one(
        self, row: models.Model, connection: Any, *, keys: bool, by_django: bool
    ) -> Statement | None:
        """The statement that inserts this row, for Django's cursor or the driver's own.

        With `keys`, `key_in` finds afterwards the primary key that the database gave.
        None if only Django's own `save` can insert the row: of fields that are more
        than a column with a value, or a signal that somebody waits for.
        """
        if not self._takes([row]) or self._is_waited_for():
            return None
        try:
            values = self._writer.row(row, connection)
        except ExpressionGiven:
            return None
        text = self._of_one["%s" if by_django else self._own_mark, keys]
        return text, [values[place] for place in self._sent]

    def key_in(self, cursor: Any) -> Any:
        """The primary key of the one row that the cursor has inserted."""
        return cursor.lastrowid if self._is_sqlite else cursor.fetchone()[0]

    def statements(
        self, rows: Sequence[models.Model], connection: Any, *, keys: bool
    ) -> list[Statement]:
        """Statements that insert the rows: one, unless the database limits parameters.

        With `keys`, they return the primary keys that the database gives, in the order
        of the rows. None at all if only Django can insert them: fields that are more
        than a column with a value.
        """
        if not self._takes(rows):
            return []
        try:
            columns = self._writer.columns(rows, connection)
            return self._whole(self._selected(columns, len(rows), connection), keys)
        except ExpressionGiven:
            return []

    def alike(self, rows: Alike, connection: Any, *, keys: bool) -> list[Statement]:
        """The same of rows that are nearly alike."""
        columns = self._writer.alike(rows, connection)
        return self._whole(self._selected(columns, rows.number, connection), keys)

    def _whole(self, parts: Iterable[Statement], keys: bool) -> list[Statement]:
        end = self._returning if keys else ""
        return [(f"{self._beginning}{selected}{end}", values) for selected, values in parts]

    def _takes(self, rows: Sequence[models.Model]) -> bool:
        has_keys = self.gives_keys and any(row.__dict__[self.key] is not None for row in rows)
        return self._is_known and not has_keys

    def _is_waited_for(self) -> bool:
        listeners = is_heard(pre_save, self._model) or is_heard(post_save, self._model)
        return listeners or self._model.save.__module__ not in PLAIN_SAVES

    def _selected(self, columns: list[Stored], number: int, connection: Any) -> Iterator[Statement]:
        columns = [columns[place] for place in self._sent]
        if all(column.values is None for column in columns):
            last = columns[-1]
            columns[-1] = last._replace(values=[last.value] * number)
        if connection.vendor == "postgresql":
            yield self._arrays(columns)
        else:
            yield from self._tables(columns, number)

    def _arrays(self, columns: list[Stored]) -> Statement:
        """PostgreSQL: an array for each column in which the rows differ."""
        selected = ", ".join(
            f"%s::{cast}" if column.values is None else f"unnest(%s::{cast}[])"
            for column, cast in zip(columns, self._casts, strict=True)
        )
        return f"SELECT {selected}", [
            column.value if column.values is None else _array(column.values) for column in columns
        ]

    def _tables(self, columns: list[Stored], number: int) -> Iterator[Statement]:
        """SQLite: tables of the columns in which the rows differ."""
        common = [column.value for column in columns if column.values is None]
        differing = [column.values for column in columns if column.values is not None]
        names = (f"column{place}" for place in range(1, len(differing) + 1))
        selected = ", ".join("%s" if column.values is None else next(names) for column in columns)
        marks = f"({', '.join(['%s'] * len(differing))})"
        rows = list(zip(*differing, strict=True))
        most = (self._most_parameters - len(common)) // len(differing)
        for start in range(0, number, most):
            some = rows[start : start + most]
            table = ", ".join([marks] * len(some))
            yield TABLE.format(selected=selected, table=table), [*common, *chain(*some)]


def _is_known(model: type[models.Model], connection: Any) -> bool:
    """Whether each field is a column of the table whose value is a parameter."""
    if connection.vendor not in ("postgresql", "sqlite") or model._meta.parents:
        return False
    if not connection.features.can_return_columns_from_insert:
        return False
    return not any(
        hasattr(field, "get_placeholder")
        or getattr(field, "generated", False)
        or getattr(field, "db_default", models.NOT_PROVIDED) is not models.NOT_PROVIDED
        or _cast(field, connection).endswith("]")  # arrays of arrays become flat
        or (isinstance(field, models.AutoField) and type(field) not in AUTO)
        for field in model._meta.concrete_fields
    )


def _array(values: Sequence[Any]) -> Any:
    """Texts as PostgreSQL writes an array, which the driver would make one by one.

    Other values are left to the driver.
    """
    if any(type(value) is not str for value in values):
        return values
    text = "\0".join(values)  # which no text of PostgreSQL's holds
    if text.count("\0") >= len(values):
        return values  # the driver says what is wrong
    escaped = text.replace("\\", "\\\\").replace('"', '\\"')
    return '{"' + escaped.replace("\0", '","') + '"}'


def _cast(field: Any, connection: Any) -> str:
    """The column's type without its length, to which a cast would cut a value."""
    return re.sub(r"\(.*?\)", "", field.cast_db_type(connection) or "")
