"""From what a driver returned to an instance, whatever somebody wrote into the row."""

from __future__ import annotations

import datetime as dt
import inspect
from collections.abc import Callable, Iterable, Sequence
from functools import lru_cache
from typing import Any, Generic, TypeVar

from django.db import models
from django.db.models.base import ModelState
from django.db.models.signals import post_init, pre_init

from jobs.signals import is_heard
from jobs.store.columns import LARGEST, Column
from jobs.store.kinds import ByKinds

M = TypeVar("M", bound=models.Model)

#: Of a value and a connection.
Read = Callable[[Any, Any], Any]


def is_filled_plainly(model: type[models.Model]) -> bool:
    """Whether making an instance does nothing but fill its attributes.

    Then they can be filled directly, which takes a tenth of the time.
    """
    heard = is_heard(pre_init, model) or is_heard(post_init, model)
    return _has_plain_attributes(model) and not heard


@lru_cache(maxsize=64)
def _has_plain_attributes(model: type[models.Model]) -> bool:
    made_by: Any = (model.__init__, model.__new__, getattr(model.from_db, "__func__", None))
    of_django: Any = models.Model
    return made_by == (of_django.__init__, object.__new__, of_django.from_db.__func__) and not any(
        hasattr(inspect.getattr_static(model, field.attname, None), "__set__")
        for field in model._meta.concrete_fields
    )


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
        self._others: list[tuple[int, frozenset[type], Read, bool]] = []
        for place, column in enumerate(columns):
            if int in column.as_they_are:
                self._numbers.append((place, column.read))
            elif column.needs_reading:
                is_instant = type(column.field) is models.DateTimeField
                self._others.append((place, column.as_they_are, column.read, is_instant))
        self._to_read = ByKinds(self._reads)
        self._checked = [column for column in columns if column.expected]

    def _reads(self, kinds: Sequence[type]) -> list[tuple[int, Read, bool]]:
        """Of values that aren't what their columns hold; and which are instants."""
        return [
            (place, read, is_instant and kinds[place] in (str, dt.datetime))
            for place, as_they_are, read, is_instant in self._others
            if kinds[place] not in as_they_are
        ]

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
            instants: dict[Any, Any] = {}  # a claim writes one into several columns
            for place, other, is_instant in self._to_read.of(read):
                value = read[place]
                if is_instant:
                    if value not in instants:
                        instants[value] = other(value, connection)
                    read[place] = instants[value]
                else:
                    read[place] = other(value, connection)
            return self._made(read)
        except Exception:
            return self._salvaged(values, connection)

    def _made(self, values: list[Any]) -> M:
        model = self._model
        if not is_filled_plainly(model):
            return model.from_db(self._alias, self._names, values)
        row = model.__new__(model)
        state = ModelState()
        state.adding, state.db = False, self._alias
        row.__dict__.update(zip(self._names, values, strict=True), _state=state)
        return row

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
