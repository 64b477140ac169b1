"""The handler: a job object as JSON, and back."""

from __future__ import annotations

import inspect
import json
from collections.abc import Iterable, Mapping
from typing import Any

from jobs.exceptions import DeserializationError, Interruption, LoadingFailed, NotKnownYet
from jobs.payloads import codec
from jobs.payloads.declared import check_option
from jobs.payloads.paths import import_dotted
from jobs.payloads.performable import Performable
from jobs.payloads.proof import prove
from jobs.payloads.shapes import OPTIONS, shape_of
from jobs.payloads.signing import verified

#: Of one carried text, in characters.
LONGEST_CARRIED = 1024

_encoder = json.JSONEncoder(allow_nan=False)
_text = json.encoder.encode_basestring_ascii
_options = frozenset(OPTIONS)


def dump(payload: Any, carried: Mapping[str, str] | None = None) -> str:
    """The JSON of the dotted path of the payload's class and of its fields.

    What is `carried` goes with it, and is none of the object's: see `carried_by`.
    Raises TypeError for a value that can't be stored, for a class that can't be found
    again, and for an object that would come back different; ValueError for an unsaved
    model instance.
    """
    shape = shape_of(type(payload))
    if shape.problem:
        raise TypeError(shape.problem)
    own = getattr(payload, "__dict__", {})
    handler = f"{beginning(shape.path)}{_encode(payload, shape.names)}}}"
    if not _options.isdisjoint(own):
        given = [name for name in OPTIONS if name in own]
        for name in given:
            check_option(type(payload), name, own[name])
        if stored := [name for name in given if name not in shape.names]:
            handler += f', "options": {{{_encode(payload, stored)}}}'
    if carried:
        handler += f', "carried": {_encoder.encode(dict(carried))}'
    handler += "}"
    if not (shape.proven and own.keys() <= shape.known):
        prove(payload, shape, lambda fetch: read(handler, fetch))
        shape.proven = shape.plain
    return handler


def _encode(payload: Any, names: Iterable[str]) -> str:
    encoded = []
    for name in names:
        try:
            value = getattr(payload, name)
            text = text_of(value)
        except ValueError as error:
            raise ValueError(f"{type(payload).__qualname__}.{name}: {error}") from None
        except (TypeError, AttributeError, RecursionError) as error:
            raise TypeError(f"{type(payload).__qualname__}.{name}: {error}") from None
        encoded.append(text_of_name(name) + text)
    return ", ".join(encoded)


def beginning(path: str) -> str:
    """A handler up to its first field."""
    return f'{{"class": {_text(path)}, "fields": {{'


def text_of_name(name: str) -> str:
    return f"{_text(name)}: "


def text_of(value: Any) -> str:
    """A field's value as JSON. Raises what `codec.encode` raises."""
    return _text(value) if type(value) is str else _encoder.encode(codec.encode(value))


def load(handler: Any, signature: Any) -> Any:
    """The job object of a handler.

    Nothing that the handler names is imported before its signature is verified. Raises
    DeserializationError if the object can't be made, NotKnownYet if this process's code
    may be too old for it, and whatever else its code or the database raises.
    """
    if not verified(handler, signature):
        raise DeserializationError(
            "The handler isn't signed with one of this project's keys (SIGNING_KEYS, or "
            "SECRET_KEY and its fallbacks), so nothing that it names is loaded."
        )
    return read(handler)


def read(handler: str, fetch: codec.Fetch | None = None) -> Any:
    """As `load`, without a look at the signature; `fetch` as in `codec.decode`."""
    path, fields, options = _parsed(handler)
    cls = _performable(path)
    shape = shape_of(cls)
    if unknown := (fields.keys() - shape.stored) | (options.keys() - _options):
        names = ", ".join(sorted(unknown))
        raise NotKnownYet(
            f"{path} has no field {names} in this process. "
            "If you have just added it, restart the process."
        )
    if shape.required - fields.keys():
        missing = ", ".join(sorted(shape.required - fields.keys()))
        raise NotKnownYet(
            f"{path} has fields that aren't stored: {missing}. Give a field that you add a "
            "default, for jobs that are stored already."
        )
    try:
        values = {name: codec.decode(value, fetch) for name, value in fields.items()}
        chosen = {name: codec.decode(value, fetch) for name, value in options.items()}
    except RecursionError as error:
        raise DeserializationError("The handler's values are nested too deeply.") from error
    payload = _made(cls, values)
    for name, value in chosen.items():
        object.__setattr__(payload, name, value)
    return payload


def _parsed(handler: str) -> tuple[Any, dict[str, Any], dict[str, Any]]:
    try:
        stored = json.loads(handler)
    except (ValueError, RecursionError) as error:
        raise DeserializationError("The handler is not JSON.") from error
    if isinstance(stored, dict):
        path, fields = stored.get("class"), stored.get("fields")
        options = stored.get("options", {})
        if isinstance(path, str) and isinstance(fields, dict) and isinstance(options, dict):
            return path, fields, options
    raise DeserializationError(
        "The handler is not the JSON of a job: it needs a class and fields by name."
    )


def carried_by(handler: Any) -> dict[str, str]:
    """The texts by name that plugins had put beside the job object; never raises.

    Whoever wrote the row chose them: trust them for nothing.
    """
    try:
        found = json.loads(handler).get("carried")
    except (ValueError, TypeError, AttributeError, RecursionError):
        return {}
    if not isinstance(found, dict):
        return {}
    return {
        name: value
        for name, value in found.items()
        if isinstance(value, str) and len(value) <= LONGEST_CARRIED
    }


def _performable(path: str) -> type[Performable]:
    found = import_dotted(path)
    performable = isinstance(found, type) and issubclass(found, Performable)
    if not performable or not hasattr(found, "perform"):
        raise DeserializationError(
            f"{path} is not a jobs.Performable with perform(), so it is not called."
        )
    return found


def _made(cls: type[Performable], values: dict[str, Any]) -> Performable:
    try:
        return cls(**values)
    except TypeError as error:
        try:
            inspect.signature(cls).bind(**values)
        except TypeError:
            raise NotKnownYet(
                f"{cls.__qualname__} can't be made from what is stored: {error}."
            ) from error
        raise  # of its own code
    except (Exception, Interruption):
        raise
    except BaseException as error:
        raise LoadingFailed(f"Making a {cls.__qualname__} raised {error!r}.") from error
