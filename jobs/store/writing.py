"""From new instances to what the database takes for their columns.

Made once for a model, so that a row costs only what its values need.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Mapping, Sequence
from operator import itemgetter
from typing import Any, NamedTuple

from django.db import models
from django.utils import timezone

from jobs.store.kinds import ByKinds

#: Fields of Django that store a value of this very type, or none, as it is.
PLAIN: dict[type, type] = {
    models.AutoField: int,
    models.BigAutoField: int,
    models.BigIntegerField: int,
    models.BooleanField: bool,
    models.CharField: str,
    models.IntegerField: int,
    models.TextField: str,
}
#: Fields that store what the instance holds, unless they are `auto_now` or
#: `auto_now_add`.
TIMES = (models.DateField, models.DateTimeField, models.TimeField)


def prepared(field: Any, value: Any, connection: Any) -> Any:
    """What the database takes for a value of that field, as Django prepares it."""
    is_instant = type(value) is dt.datetime and type(field) is models.DateTimeField
    if is_instant and timezone.is_aware(value):
        # What Django comes to after many questions.
        return connection.ops.adapt_datetimefield_value(value)
    return field.get_db_prep_save(value, connection)


class ExpressionGiven(TypeError):
    """The database is to compute a value, as of `Now()`."""


class Alike(NamedTuple):
    """New rows that are as the instance `like`, but for the columns `differing`.

    These hold a value for each of the `number` rows, as it is to be stored.
    """

    like: models.Model
    differing: Mapping[str, Sequence[Any]]
    number: int


class Stored(NamedTuple):
    """What is stored of one field of several rows.

    Their `values`, or one `value` if all have the same.
    """

    field: Any
    value: Any
    values: Sequence[Any] | None


class Writer:
    """Prepares the new rows of one model."""

    def __init__(self, model: type[models.Model]):
        fields: list[Any] = list(model._meta.concrete_fields)
        self._columns = [_Column(field) for field in fields]
        #: Whether a field stores something else than what the instance holds.
        self.computes = any(column.computes for column in self._columns)
        self._to_prepare = ByKinds(self._places)
        # With one name alone, it would give no tuple.
        self._held = itemgetter("_state", *(field.attname for field in fields))

    def _places(self, kinds: Sequence[type]) -> list[int]:
        """Of the values that are not stored as they are."""
        columns = enumerate(zip(self._columns, kinds, strict=True))
        return [place for place, (column, kind) in columns if kind not in column.as_they_are]

    def row(self, row: models.Model, connection: Any) -> list[Any]:
        """What is stored of the row's fields, in their order, the primary key too."""
        _, *values = self._held(row.__dict__)
        known: dict[int, Any] = {}
        for place in self._to_prepare.of(values):
            values[place] = self._columns[place].stored(values[place], row, connection, known)
        return values

    def columns(self, rows: Sequence[models.Model], connection: Any) -> list[Stored]:
        """The same of several rows."""
        _, *held = zip(*(self._held(row.__dict__) for row in rows), strict=True)
        known: dict[int, Any] = {}
        found = []
        for column, values in zip(self._columns, held, strict=True):
            if column.are_alike(values):
                value = column.stored(values[0], rows[0], connection, known)
                found.append(Stored(column.field, value, None))
            else:
                stored = [
                    value
                    if type(value) in column.as_they_are
                    else column.stored(value, row, connection, known)
                    for row, value in zip(rows, values, strict=True)
                ]
                found.append(Stored(column.field, None, stored))
        return found

    def alike(self, rows: Alike, connection: Any) -> list[Stored]:
        """The same of rows that are nearly alike."""
        _, *held = self._held(rows.like.__dict__)
        known: dict[int, Any] = {}
        found = []
        for column, value in zip(self._columns, held, strict=True):
            values = rows.differing.get(column.field.attname)
            if values is None:
                stored = column.stored(value, rows.like, connection, known)
                found.append(Stored(column.field, stored, None))
            else:
                found.append(Stored(column.field, None, values))
        return found


class _Column:
    def __init__(self, field: Any):
        self.field = field
        self.computes = _computes(field)
        self._is_instant = type(field) is models.DateTimeField and not self.computes
        plain = PLAIN.get(type(field))
        kinds = {plain, type(None)} if plain else {type(None)} if self._is_instant else set()
        #: Types whose values are stored as they are.
        self.as_they_are = frozenset() if self.computes else frozenset(kinds)

    def are_alike(self, values: Sequence[Any]) -> bool:
        """Whether all are stored as the first is: not equal ones of different types."""
        if self.computes:
            return False
        if len(set(map(id, values))) == 1:
            return True
        # Of other fields' values, equal ones may differ within, as 1 and True do.
        return (
            bool(self.as_they_are)
            and len(set(map(type, values))) == 1
            and values.count(values[0]) == len(values)
        )

    def stored(self, value: Any, row: models.Model, connection: Any, known: dict[int, Any]) -> Any:
        """What the database takes for `value`; `known` are the instants it had."""
        if type(value) in self.as_they_are:
            return value
        if self._is_instant and id(value) in known:  # by many columns and rows
            return known[id(value)]
        if self.computes:
            value = self.field.pre_save(row, True)
        found = prepared(self.field, value, connection)
        if hasattr(found, "resolve_expression"):
            raise ExpressionGiven(f"{self.field.name}: an expression can't be stored as a value.")
        if self._is_instant:
            known[id(value)] = found
        return found


def _computes(field: Any) -> bool:
    """Whether the field stores something else than what the instance holds."""
    method = type(field).pre_save
    if any(method is kind.pre_save for kind in TIMES):
        return bool(field.auto_now or field.auto_now_add)
    return method is not models.Field.pre_save
