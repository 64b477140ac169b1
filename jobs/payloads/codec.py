"""Values in a payload, as JSON and back.

JSON's own values stand for themselves. Everything else is an object with one key that
starts with `$`: `{"$datetime": "2026-11-24T10:00:00+00:00"}`. A dictionary that JSON
can't hold as it is, or that could be mistaken for one of these, is `{"$dict": [[key,
value], …]}`.
"""

from __future__ import annotations

import base64
import datetime as dt
import decimal
import json
import math
import uuid
from collections.abc import Callable
from typing import Any

from django.apps import apps
from django.db import models

from jobs.exceptions import DeserializationError

try:
    from bson import ObjectId
except ImportError:  # without MongoDB there are none to store
    ObjectId = None  # type: ignore[assignment,misc]


def encode(value: Any) -> Any:
    """`value` as JSON can hold it.

    Raises TypeError for a type that can't be stored, ValueError for an unsaved
    instance.
    """
    if value is None or (isinstance(value, (bool, str)) and type(value) in (bool, str)):
        return value
    if type(value) is int:
        return value
    if type(value) is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if type(value) is list:
        return [encode(item) for item in value]
    if type(value) is dict:
        return _encode_dict(value)
    if isinstance(value, models.Model):
        return {"$model": _reference(value)}
    for tag, (cls, dump, _) in _TYPES.items():
        if type(value) is cls:
            return {tag: dump(value)}
    raise TypeError(
        f"{type(value).__module__}.{type(value).__qualname__} can't be stored in a job: "
        "use JSON's types, dates and times, Decimal, UUID, ObjectId, bytes, tuple, set, "
        "or saved model instances."
    )


def decode(value: Any) -> Any:
    """The value that `encode` got. Raises DeserializationError if it can't be made."""
    if isinstance(value, list):
        return [decode(item) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or not next(iter(value)).startswith("$"):
        return {key: decode(item) for key, item in value.items()}
    tag, body = next(iter(value.items()))
    try:
        if tag == "$model":
            return _fetch(body)
        if tag == "$dict":
            return {decode(key): decode(item) for key, item in body}
        if tag == "$float":
            return float(body)
        return _TYPES[tag][2](body)
    except DeserializationError:
        raise
    except KeyError as error:
        raise DeserializationError(f"{tag!r} is no kind of stored value.") from error
    except Exception as error:
        raise DeserializationError(
            f"A stored value of kind {tag!r} can't be read: {error}."
        ) from error


def register(tag: str, cls: type, dump: Callable[[Any], Any], load: Callable[[Any], Any]) -> None:
    """Makes values of `cls` storable: `dump` makes JSON of one, `load` reads it."""
    _TYPES[tag] = (cls, dump, load)


def _encode_dict(value: dict[Any, Any]) -> Any:
    plain = all(type(key) is str for key in value)
    if plain and not (len(value) == 1 and next(iter(value)).startswith("$")):
        return {key: encode(item) for key, item in value.items()}
    return {"$dict": [[encode(key), encode(item)] for key, item in value.items()]}


def _reference(instance: models.Model) -> list[Any]:
    if instance.pk is None or instance._state.adding:
        raise ValueError(
            f"An unsaved {instance._meta.label} can't be stored in a job: save it first."
        )
    reference = [instance._meta.label_lower, encode(instance.pk)]
    if instance._state.db not in (None, "default"):
        reference.append(instance._state.db)
    return reference


def _fetch(reference: Any) -> models.Model:
    label, pk, *using = reference
    try:
        model = apps.get_model(label)
    except (LookupError, ValueError, TypeError) as error:
        raise DeserializationError(f"There is no model {label!r} (any more).") from error
    manager = model._base_manager
    if using:
        manager = manager.using(using[0])
    try:
        found: models.Model = manager.get(pk=decode(pk))
        return found
    except model.DoesNotExist as error:
        raise DeserializationError(f"{label} {decode(pk)} doesn't exist (any more).") from error


def _encode_items(items: Any) -> list[Any]:
    return [encode(item) for item in items]


_TYPES: dict[str, tuple[type, Callable[[Any], Any], Callable[[Any], Any]]] = {
    "$datetime": (dt.datetime, dt.datetime.isoformat, dt.datetime.fromisoformat),
    "$date": (dt.date, dt.date.isoformat, dt.date.fromisoformat),
    "$time": (dt.time, dt.time.isoformat, dt.time.fromisoformat),
    # Whole microseconds, because seconds as a float would lose some.
    "$timedelta": (
        dt.timedelta,
        lambda value: value // dt.timedelta(microseconds=1),
        lambda body: dt.timedelta(microseconds=body),
    ),
    "$decimal": (decimal.Decimal, str, decimal.Decimal),
    "$uuid": (uuid.UUID, str, uuid.UUID),
    "$bytes": (
        bytes,
        lambda value: base64.b64encode(value).decode(),
        lambda body: base64.b64decode(body, validate=True),
    ),
    "$tuple": (tuple, _encode_items, lambda body: tuple(decode(item) for item in body)),
    # Sorted, so that equal sets are stored, and signed, alike.
    "$set": (
        set,
        lambda value: sorted(_encode_items(value), key=json.dumps),
        lambda body: {decode(item) for item in body},
    ),
}
if ObjectId is not None:
    _TYPES["$oid"] = (ObjectId, str, ObjectId)
