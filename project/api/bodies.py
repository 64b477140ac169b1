"""Turns the bytes of a request, or of an imported line, into the fields of a record."""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable, Mapping
from typing import Any
from urllib.parse import parse_qsl

from django.conf import settings
from rest_framework.exceptions import ParseError

#: `post[a][b][c]` has a depth of 4.
MAX_FORM_DEPTH = 8


def read_json(body: bytes) -> Any:
    """Reads strict JSON in UTF-8. Whatever else the bytes are, raises ParseError."""
    try:
        return json.loads(body.decode("utf-8-sig"), parse_constant=_refuse_constant)
    except UnicodeDecodeError:
        raise ParseError("This is not UTF-8.") from None
    except RecursionError:
        raise ParseError("This JSON is nested too deeply.") from None
    except json.JSONDecodeError as error:
        raise ParseError(f"This is not JSON: {error}.") from None
    except ValueError:
        reason = "This JSON has a number that isn't one, or has thousands of digits."
        raise ParseError(reason) from None


def _refuse_constant(name: str) -> Any:
    raise ValueError(name)


def read_form(body: bytes) -> dict[str, Any]:
    """Reads a urlencoded form, nested as in `nest`.

    Raises ParseError if it isn't UTF-8 or has too many fields.
    """
    try:
        pairs = parse_qsl(
            body.decode(),
            keep_blank_values=True,
            errors="strict",
            max_num_fields=settings.DATA_UPLOAD_MAX_NUMBER_FIELDS,
        )
    except UnicodeDecodeError:
        raise ParseError("This form is not UTF-8.") from None
    except ValueError:
        raise ParseError("This form has too many fields.") from None
    return nest(pairs)


def nest(pairs: Iterable[tuple[str, Any]]) -> dict[str, Any]:
    """Nests form fields as Rails does.

    `post[title]=hello` becomes `{"post": {"title": "hello"}}`. The last value of a key
    wins. Raises ParseError if a key is a value and an object at once, or is nested too
    deeply.
    """
    nested: dict[str, Any] = {}
    for key, value in pairs:
        head, _, rest = key.partition("[")
        path = [head, *rest.removesuffix("]").split("][", MAX_FORM_DEPTH)] if rest else [key]
        if len(path) > MAX_FORM_DEPTH:
            raise ParseError("This form has a field that is nested too deeply.")
        target = nested
        for name in path[:-1]:
            target = target.setdefault(name, {})
            if not isinstance(target, dict):
                break
        if not isinstance(target, dict) or isinstance(target.get(path[-1]), dict):
            raise ParseError("This form has a field that is a value and an object at once.")
        target[path[-1]] = value
    return nested


def unwrap(body: Any, wrapper: str, fields: Collection[str]) -> Mapping[str, Any]:
    """The fields of a record, from a body that holds them plainly or inside `wrapper`.

    Raises ParseError if it holds none of `fields` and no `wrapper`.
    """
    if not isinstance(body, Mapping):
        raise ParseError("The body must be an object.")
    if wrapper in body:
        if not isinstance(body[wrapper], Mapping):
            raise ParseError(f"{wrapper!r} must be an object with the fields of a {wrapper}.")
        return body[wrapper]
    if not any(name in body for name in fields):
        names = ", ".join(fields)
        raise ParseError(f"The body holds neither {wrapper!r} nor a field of a {wrapper}: {names}.")
    return body
