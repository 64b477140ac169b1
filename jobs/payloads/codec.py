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

from django.db import models

from jobs.exceptions import DeserializationError, NotKnownYet
from jobs.payloads import instances, times

try:
    from bson import ObjectId
except ImportError:  # without MongoDB there are none to store
    ObjectId = None  # type: ignore[assignment,misc]

#: Deeper nesting is refused: a worker may have less of the stack left to read it.
MAX_DEPTH = 100
#: Python reads no longer whole numbers from JSON, in bits.
MAX_BITS = 14_000

Fetch = Callable[[Any], Any]


def encode(value: Any, depth: int = 0) -> Any:
    """`value` as JSON can hold it.

    Raises TypeError for a type that can't be stored, and for values that are nested too
    deeply or contain themselves; ValueError for an unsaved instance.
    """
    kind = type(value)
    if value is None or kind is str or kind is bool:
        return value
    if depth > MAX_DEPTH:
        raise TypeError(
            f"its values are nested more than {MAX_DEPTH} levels deep, or contain themselves."
        )
    if kind is int:
        if value.bit_length() > MAX_BITS:
            raise TypeError(f"a whole number of more than {MAX_BITS:,} bits can't be stored.")
        return value
    if kind is float:
        return value if math.isfinite(value) else {"$float": repr(value)}
    if kind is list:
        return [encode(item, depth + 1) for item in value]
    if kind is dict:
        return _encode_dict(value, depth + 1)
    if kind is tuple:
        return {"$tuple": [encode(item, depth + 1) for item in value]}
    if kind is set:
        # Sorted, so that equal sets are stored alike.
        return {"$set": sorted((encode(item, depth + 1) for item in value), key=json.dumps)}
    if isinstance(value, models.Model):
        return {"$model": [*instances.reference(value), *_encoded_key(value)]}
    if kind in _DUMPS:
        tag, dump = _DUMPS[kind]
        return {tag: dump(value)}
    raise TypeError(
        f"{kind.__module__}.{kind.__qualname__} can't be stored in a job: "
        "use JSON's types, dates and times, Decimal, UUID, ObjectId, bytes, tuple, set, "
        "or saved model instances."
    )


def decode(value: Any, fetch: Fetch | None = None) -> Any:
    """The value that `encode` got.

    `fetch` makes a model instance of its stored reference; by default it is read from
    the database. Raises DeserializationError if the value can't be made, and whatever
    the database raises if it can't answer.
    """
    if isinstance(value, list):
        return [decode(item, fetch) for item in value]
    if not isinstance(value, dict):
        return value
    if len(value) != 1 or not next(iter(value)).startswith("$"):
        return {key: decode(item, fetch) for key, item in value.items()}
    tag, body = next(iter(value.items()))
    if tag == "$model":
        return (fetch or _read)(body)
    known = tag in _LOADS or tag in ("$dict", "$tuple", "$set")
    if not known:
        raise NotKnownYet(f"{tag!r} is not a kind of stored value that is known here.")
    # First, because what reading a model instance raises is not the value's fault.
    inner = decode(body, fetch) if tag in ("$dict", "$tuple", "$set") else body
    try:
        if tag == "$dict":
            return {key: item for key, item in _list(inner)}  # noqa: C416 (checks the pairs)
        if tag == "$tuple":
            return tuple(_list(inner))
        if tag == "$set":
            return _set(_list(inner))
        return _LOADS[tag](body)
    except DeserializationError:
        raise
    except Exception as error:
        raise DeserializationError(
            f"A stored value of kind {tag!r} can't be read: {error}."
        ) from error


def register(tag: str, cls: type, dump: Callable[[Any], Any], load: Callable[[Any], Any]) -> None:
    """Makes values of `cls` storable: `dump` makes JSON of one, `load` reads it."""
    _DUMPS[cls] = (tag, dump)
    _LOADS[tag] = load


def _encode_dict(value: dict[Any, Any], depth: int) -> Any:
    plain = all(type(key) is str for key in value)
    if plain and not (len(value) == 1 and next(iter(value)).startswith("$")):
        return {key: encode(item, depth) for key, item in value.items()}
    return {"$dict": [[encode(key, depth), encode(item, depth)] for key, item in value.items()]}


def _encoded_key(instance: models.Model) -> list[Any]:
    alias = instances.alias_of(instance)
    return [encode(instance.pk), *([] if alias is None else [alias])]


def _read(body: Any) -> models.Model:
    if isinstance(body, list) and len(body) in (2, 3):
        label, pk, *alias = body
        if all(isinstance(name, str) for name in (label, *alias)):
            return instances.read(label, decode(pk), *alias)
    raise DeserializationError(
        "A stored model instance is a label, a key, and perhaps the name of a database."
    )


def _set(items: list[Any]) -> set[Any]:
    """Makes a set in steps of Python, which a time limit can interrupt.

    With colliding hashes, its time grows with the square of its size.
    """
    found = set()
    for item in items:
        found.add(item)
    return found


def _list(body: Any) -> list[Any]:
    if not isinstance(body, list):
        raise TypeError("it is not a list")
    return body


_DUMPS: dict[type, tuple[str, Callable[[Any], Any]]] = {}
_LOADS: dict[str, Callable[[Any], Any]] = {"$float": float}

register("$datetime", dt.datetime, times.dump, times.load_datetime)
register("$date", dt.date, dt.date.isoformat, dt.date.fromisoformat)
register("$time", dt.time, times.dump, times.load_time)
# Whole microseconds, because seconds as a float would lose some.
register(
    "$timedelta",
    dt.timedelta,
    lambda value: value // dt.timedelta(microseconds=1),
    lambda body: dt.timedelta(microseconds=body),
)
register("$decimal", decimal.Decimal, str, decimal.Decimal)
register("$uuid", uuid.UUID, str, uuid.UUID)
register(
    "$bytes",
    bytes,
    lambda value: base64.b64encode(value).decode(),
    lambda body: base64.b64decode(body, validate=True),
)
if ObjectId is not None:
    register("$oid", ObjectId, str, ObjectId)
