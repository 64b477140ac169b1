"""The proof that a job object comes back from its row as it was enqueued."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from typing import Any

from django.db import models

from jobs.payloads import codec
from jobs.payloads.shapes import OPTIONS, TYPING, Shape, cached_properties

MISSING = object()


def prove(payload: Any, shape: Shape, load: Callable[[codec.Fetch], Any]) -> None:
    """Raises TypeError if what `load` makes of the row isn't equal to `payload`.

    Model instances aren't read again for that: `load` gets those of `payload`.
    """
    cls = type(payload)
    # Options that are stored, and no property that the class computes.
    options = [name for name in OPTIONS if name in getattr(payload, "__dict__", {})]
    instances = {
        json.dumps(codec.encode(instance)["$model"]): instance
        for name in (*shape.names, *options)
        for instance in _instances_in(getattr(payload, name, None))
    }
    try:
        loaded = load(lambda body: instances[json.dumps(body)])
    except Exception as error:
        raise TypeError(
            f"{cls.__qualname__} can't be made again from its fields: {error}"
        ) from error
    own = {**_attributes(payload), **_attributes(loaded)}
    passing = {*cached_properties(cls), *TYPING}
    for name in sorted(own.keys() | set(shape.names)):
        if name in shape.names or name not in passing:
            before, after = getattr(payload, name, MISSING), getattr(loaded, name, MISSING)
            if not _equal(before, after):
                raise TypeError(
                    f"{cls.__qualname__}.{name} would not come back from the row as it is: "
                    "only fields are stored, and the object is made again from them."
                )


def _attributes(payload: Any) -> dict[str, Any]:
    slots = [
        name
        for cls in type(payload).__mro__
        for name in _slots(cls)
        if name not in ("__dict__", "__weakref__")
    ]
    found = {name: value for name in slots if (value := getattr(payload, name, MISSING)) != MISSING}
    return {**found, **getattr(payload, "__dict__", {})}


def _slots(cls: type) -> tuple[str, ...]:
    slots = cls.__dict__.get("__slots__", ())
    return (slots,) if isinstance(slots, str) else tuple(slots)


def _equal(before: Any, after: Any) -> bool:
    if before is after:
        return True
    try:
        # As they would be stored: values of exact types, and the same instances.
        return json.dumps(codec.encode(before)) == json.dumps(codec.encode(after))
    except Exception:
        return type(before) is type(after) and bool(before == after)


def _instances_in(value: Any) -> Iterator[models.Model]:
    if isinstance(value, models.Model):
        yield value
    elif isinstance(value, dict):
        for pair in value.items():
            yield from _instances_in(pair)
    elif isinstance(value, (list, tuple, set)):
        for item in value:
            yield from _instances_in(item)
