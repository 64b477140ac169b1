"""New instances of a job class, each as `model(**fields)` makes it now, but in a
fraction of the time.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Iterator
from functools import lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from django.db import models
from django.db.models.base import ModelState

from jobs.store.reading import is_filled_plainly

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Columns that say when the job was enqueued, unless you do.
TIMES = ("run_at", "created_at", "updated_at")


class Blank(NamedTuple):
    """What new instances of a model have in common.

    Their attributes, the rows that they refer to, and what computes the rest.
    """

    attributes: dict[str, Any]
    related: dict[str, Any]
    computed: list[tuple[str, Callable[[], Any]]]


def alike(
    model: type[AbstractJob], fields: dict[str, Any], now: dt.datetime
) -> Iterator[AbstractJob]:
    """Instances without end."""
    times = {name: now for name in TIMES if name not in fields}
    if not is_filled_plainly(model):
        while True:
            yield model(**times, **fields)
    blank = blank_of(model, fields)
    own = {**blank.attributes, **times}
    while True:
        instance = model.__new__(model)
        held = instance.__dict__
        held.update(own)
        held["_state"] = ModelState()
        if blank.related:
            held["_state"].fields_cache = dict(blank.related)
        for name, default in blank.computed:
            held[name] = default()
        yield instance


def differ_in_fields(model: type[AbstractJob], fields: dict[str, Any]) -> bool:
    """Whether two of them can differ in more than what is set afterwards."""
    if not is_filled_plainly(model):
        return True
    blank = blank_of(model, fields)
    computed = (hasattr(value, "resolve_expression") for value in fields.values())
    return bool(blank.related or blank.computed or any(computed))


def copies(like: AbstractJob, alias: str) -> Iterator[AbstractJob]:
    """Instances without end, of rows in that database, with the attributes of
    `like`.
    """
    model, attributes = type(like), dict(like.__dict__)
    while True:
        instance = model.__new__(model)
        state = ModelState()
        state.adding, state.db = False, alias
        instance.__dict__.update(attributes, _state=state)
        yield instance


def blank_of(model: type[AbstractJob], fields: dict[str, Any]) -> Blank:
    return _blank(model, fields) if fields else _blank_without_fields(model)


def _blank(model: type[AbstractJob], fields: dict[str, Any]) -> Blank:
    made = model(**fields)
    computed = [
        (field.attname, field.get_default)
        for field in model._meta.concrete_fields
        if field.default is not models.NOT_PROVIDED
        and callable(field.default)
        and not {field.name, field.attname} & {*TIMES, *fields}
    ]
    return Blank(dict(vars(made)), dict(made._state.fields_cache), computed)


@lru_cache(maxsize=64)
def _blank_without_fields(model: type[AbstractJob]) -> Blank:
    return _blank(model, {})
