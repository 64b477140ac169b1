"""From what a driver returned to an instance, whatever somebody wrote into the row."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from typing import Any, Generic, TypeVar

from django.db import models

from jobs.store.columns import LARGEST, Column

M = TypeVar("M", bound=models.Model)

#: Of a value and a connection.
Read = Callable[[Any, Any], Any]


def inserted(rows: Iterable[models.Model], alias: str) -> None:
    """Marks instances as rows of the database, as Django does after a save."""
    for row in rows:
        row._state.adding = False
        row._state.db = alias


class Reader(Generic[M]):
    """Reads the rows of one model: made once, so that a row costs only what its values
    need.

    A value that has its column's type already is looked at and left alone; nothing is
    called for it.
    """

    def __init__(self, model: type[M], alias: str, columns: Sequence[Column]):
        self._model = model
        self._alias = alias
        self.columns = list(columns)
        self._names = [column.name for column in columns]
        self._numbers: list[tuple[int, Read]] = []
        self._others: list[tuple[int, frozenset[type], Read]] = []
        for place, column in enumerate(columns):
            if int in column.as_they_are:
                self._numbers.append((place, column.read))
            elif column.needs_reading:
                self._others.append((place, column.as_they_are, column.read))
        self._checked = [column for column in columns if column.expected]

    def of(self, names: Iterable[str]) -> Reader[M]:
        """A reader of these columns and the key; the others are deferred."""
        wanted = set(names)
        chosen = [one for one in self.columns if one.name in wanted or one.field.primary_key]
        return Reader(self._model, self._alias, chosen)

    def instance(self, values: Sequence[Any], connection: Any) -> M:
        """Of the values of all columns, in their order.

        Columns that can't be read have a substitute of their type, and are named in the
        instance's `unreadable`, so that the row stops no other.
        """
        read = list(values)
        try:
            for place, number in self._numbers:
                value = read[place]
                if type(value) is not int or not -LARGEST <= value <= LARGEST:
                    read[place] = number(value, connection)
            for place, as_they_are, other in self._others:
                value = read[place]
                if type(value) not in as_they_are:
                    read[place] = other(value, connection)
            return self._model.from_db(self._alias, self._names, read)
        except Exception:
            return self._salvaged(values, connection)

    def _salvaged(self, values: Sequence[Any], connection: Any) -> M:
        read, unreadable = list(values), []
        for place, column in enumerate(self.columns):
            try:
                read[place] = column.read(values[place], connection)
            except Exception:
                read[place] = column.substitute(values[place])
                unreadable.append(column.name)
        row = self._model.from_db(self._alias, self._names, read)
        row.__dict__["unreadable"] = tuple(unreadable)
        return row

    def sound(self, rows: list[M]) -> list[M]:
        """Rows that Django read, if all their values are of their columns' types.

        Raises TypeError or ValueError if one isn't.
        """
        for row in rows:
            own = row.__dict__
            for column in self._checked:
                if column.name in own:  # it isn't deferred
                    own[column.name] = column.checked(own[column.name])
        return rows

    def repaired(self, row: M, connection: Any) -> dict[str, Any]:
        """Defaults for the columns of `row` whose values the database wouldn't take
        back.
        """
        defaults = {}
        unreadable = getattr(row, "unreadable", ())
        for field in (column.field for column in self.columns):
            if field.primary_key:
                continue
            try:
                value = getattr(row, field.attname)
                if field.attname in unreadable:
                    raise ValueError("a value can't be read")
                if value is None and not field.null:
                    raise ValueError("a value is missing")
                if value is not None and type(field.to_python(value)) is not type(value):
                    raise TypeError("a value of another type")
                field.get_db_prep_save(value, connection)
            except Exception:
                text = row.__dict__.get(field.attname)
                salvaged = field.attname in unreadable and type(text) is str
                defaults[field.attname] = text if salvaged else field.get_default()
        return defaults
