"""Job objects: what they look like, what is stored of them, and what the queue asks of them."""

from __future__ import annotations

import dataclasses
import inspect
import json
import sys
from collections.abc import Callable, Iterable
from importlib import import_module
from typing import Any

from jobs.conf import settings
from jobs.conf.options import duration
from jobs.exceptions import DeserializationError
from jobs.payloads import codec

#: Set on an instance instead of its class, these are stored with its fields. `batch` is what batchexec reads.
OPTIONS = ("queue_name", "max_attempts", "max_run_time", "destroy_failed_jobs", "batch")


class Performable:
    """Base of job objects. Subclasses are dataclasses, decorated or not, with a `perform()` method.

    All of these are optional, and as in Delayed Job: the attributes `queue_name`, `max_attempts`, `max_run_time`
    (seconds or a timedelta), `destroy_failed_jobs`, and `unique_key` (or a method); the methods `display_name()` and
    `reschedule_at(now, attempts)`; the hooks `enqueue(job)`, `before(job)`, `success(job)`, `error(job, exception)`,
    `after(job)`, `failure(job)`. A hook that declares no parameter is called without any.
    """

    def __new__(cls, *args: Any, **kwargs: Any) -> Performable:
        if "__dataclass_fields__" not in cls.__dict__:
            # Not in __init_subclass__: a decorator that comes later would find the fields' defaults gone.
            dataclasses.dataclass(cls)
        return super().__new__(cls)


def check(payload: Any) -> None:
    """TypeError where `payload` isn't a job object that can be stored and performed."""
    if isinstance(payload, type):
        raise TypeError(f"{payload.__qualname__} is a class: enqueue an instance of it.")
    if not isinstance(payload, Performable):
        raise TypeError(f"{type(payload).__qualname__} is not a jobs.Performable, so it can't be enqueued.")
    if not callable(getattr(payload, "perform", None)):
        raise TypeError(f"{type(payload).__qualname__} has no perform() method, so it can't be enqueued.")


def dump(payload: Any) -> str:
    """The handler: JSON of the dotted path of the payload's class and its fields.

    TypeError for a value that can't be stored or a class that can't be found again, ValueError for an unsaved instance.
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
    """The job object of a handler; DeserializationError where there is none, whatever the reason."""
    try:
        stored = json.loads(handler)
        path, fields, options = stored["class"], dict(stored["fields"]), dict(stored.get("options", {}))
    except (ValueError, TypeError, KeyError, RecursionError) as error:
        raise DeserializationError("The handler is not the JSON of a job: it needs a class and fields.") from error
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
    if not (isinstance(found, type) and issubclass(found, Performable)) or not hasattr(found, "perform"):
        raise DeserializationError(f"{path} is not a jobs.Performable with perform(), so it is not called.")
    return found


def import_dotted(path: Any) -> Any:
    """What a dotted path names: a module's attribute, or an attribute of a class in it."""
    if not isinstance(path, str) or not all(part.isidentifier() for part in path.split(".")):
        raise DeserializationError(f"{path!r} is no dotted path.")
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


def display_name(payload: Any) -> str:
    own = getattr(payload, "display_name", None)
    if callable(own):
        return str(own())
    return f"{type(payload).__module__}.{type(payload).__qualname__}"


def call_hook(payload: Any, name: str, *args: Any) -> None:
    """Calls the hook where the payload has one; without arguments where it declares no parameter."""
    hook = getattr(payload, name, None)
    if callable(hook):
        call_with_accepted(hook, *args)


def call_with_accepted(function: Callable[..., Any], *args: Any) -> Any:
    """Calls `function` with as many of `args` as it declares parameters for."""
    return function(*args[: _positional(function)])


def _positional(function: Callable[..., Any]) -> int:
    count = 0
    for parameter in inspect.signature(function).parameters.values():
        if parameter.kind is parameter.VAR_POSITIONAL:
            return sys.maxsize
        if parameter.kind in (parameter.POSITIONAL_ONLY, parameter.POSITIONAL_OR_KEYWORD):
            count += 1
    return count


def unique_key(payload: Any) -> str | None:
    key = getattr(payload, "unique_key", None)
    key = key() if callable(key) else key
    return None if key is None else str(key)


def max_attempts(payload: Any) -> int:
    own = getattr(payload, "max_attempts", None)
    return int(settings.MAX_ATTEMPTS if own is None else own)


def max_run_time(payload: Any) -> float:
    own = getattr(payload, "max_run_time", None)
    limit = float(settings.MAX_RUN_TIME)
    return limit if own is None else min(duration(own), limit)


def destroys_when_failed(payload: Any) -> bool:
    own = getattr(payload, "destroy_failed_jobs", None)
    own = own() if callable(own) else own
    return bool(settings.DESTROY_FAILED_JOBS if own is None else own)
