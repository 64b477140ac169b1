"""The handler: a job object as JSON, and back."""

from __future__ import annotations

import dataclasses
import json
from collections.abc import Iterable
from importlib import import_module
from typing import Any

from jobs.exceptions import DeserializationError
from jobs.payloads import codec
from jobs.payloads.performable import Performable

#: Options that are stored with the fields if you set them on an instance. `batch` is
#: for batchexec.
OPTIONS = ("queue_name", "max_attempts", "max_run_time", "destroy_failed_jobs", "batch")


def dump(payload: Any) -> str:
    """The JSON of the dotted path of the payload's class and of its fields.

    Raises TypeError for a value that can't be stored or a class that can't be found
    again, and ValueError for an unsaved model instance.
    """
    cls = type(payload)
    path = f"{cls.__module__}.{cls.__qualname__}"
    if "<locals>" in path or cls.__module__ == "__main__":
        raise TypeError(f"{path} can't be imported by a worker: define it at the top of a module.")
    names = {field.name for field in dataclasses.fields(payload) if field.init}
    own = getattr(payload, "__dict__", {})
    stored = {"class": path, "fields": _encode(payload, sorted(names))}
    if options := [name for name in OPTIONS if name in own and name not in names]:
        stored["options"] = _encode(payload, options)
    return json.dumps(stored, allow_nan=False)


def _encode(payload: Any, names: Iterable[str]) -> dict[str, Any]:
    encoded = {}
    for name in names:
        try:
            encoded[name] = codec.encode(getattr(payload, name))
        except (TypeError, ValueError) as error:
            raise type(error)(f"{type(payload).__qualname__}.{name}: {error}") from None
    return encoded


def load(handler: str) -> Any:
    """The job object of a handler. Raises DeserializationError if it can't be made."""
    try:
        stored = json.loads(handler)
        path, fields = stored["class"], dict(stored["fields"])
        options = dict(stored.get("options", {}))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DeserializationError(
            "The handler is not the JSON of a job: it needs a class and fields."
        ) from error
    cls = _performable(path)
    if "__dataclass_fields__" not in cls.__dict__:
        dataclasses.dataclass(cls)
    expected = {field.name for field in dataclasses.fields(cls) if field.init}  # type: ignore[arg-type]
    if unknown := (set(fields) - expected) | (set(options) - set(OPTIONS)):
        raise DeserializationError(f"{path} has no field {', '.join(sorted(unknown))} (any more).")
    try:
        payload = cls(**{name: codec.decode(value) for name, value in fields.items()})
        for name, value in options.items():
            object.__setattr__(payload, name, codec.decode(value))
        return payload
    except DeserializationError:
        raise
    except Exception as error:
        raise DeserializationError(f"{path} can't be made from what is stored: {error}.") from error


def _performable(path: Any) -> type[Performable]:
    found = import_dotted(path)
    performable = isinstance(found, type) and issubclass(found, Performable)
    if not performable or not hasattr(found, "perform"):
        raise DeserializationError(
            f"{path} is not a jobs.Performable with perform(), so it is not called."
        )
    return found


def import_dotted(path: Any) -> Any:
    """The attribute of a module, or of a class in it, that a dotted path names."""
    if not isinstance(path, str) or not all(part.isidentifier() for part in path.split(".")):
        raise DeserializationError(f"{path!r} is not a dotted path.")
    parts = path.split(".")
    for length in range(len(parts) - 1, 0, -1):
        module_name = ".".join(parts[:length])
        try:
            found: Any = import_module(module_name)
        except ModuleNotFoundError as error:
            if error.name and not f"{module_name}.".startswith(f"{error.name}."):
                raise DeserializationError(f"{module_name} can't be imported: {error}.") from error
            continue
        except Exception as error:
            raise DeserializationError(f"{module_name} can't be imported: {error}.") from error
        try:
            for part in parts[length:]:
                found = getattr(found, part)
        except AttributeError as error:
            raise DeserializationError(f"{path} doesn't exist (any more).") from error
        return found
    raise DeserializationError(f"{path} doesn't exist (any more).")
