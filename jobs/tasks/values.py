"""Arguments and return values as JSON has them, by the rules of `django.tasks`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import Any

from jobs.payloads.codec import MAX_DEPTH, encode

#: More values are refused. A list that is in another twice counts twice, so that a few
#: lists can stand for more than any memory holds.
MAX_VALUES = 1_000_000


def plain(value: Any) -> Any:
    """`value` of JSON's types alone, each exactly what it was.

    Tuples and other sequences become lists, bytes become text. Infinite numbers and
    NaN, lone surrogates, NUL, and keys that aren't text are kept. Raises TypeError for
    another type, for values that are too many, are nested too deeply or contain
    themselves, and for whole numbers that are too long to be read again; ValueError for
    bytes that aren't UTF-8.
    """
    found = _plain(value, 0, count(1))
    encode(found)
    return found


def _plain(value: Any, depth: int, number: Iterator[int]) -> Any:
    if next(number) > MAX_VALUES:
        raise TypeError(f"it has more than {MAX_VALUES:,} values.")
    if depth > MAX_DEPTH:
        raise TypeError(f"it is nested more than {MAX_DEPTH} levels deep, or contains itself.")
    if value is None or isinstance(value, bool):
        return value
    # Without the value's own class, such as that of an enumeration.
    if isinstance(value, str):
        return str.__str__(value)
    if isinstance(value, int):
        return int.__int__(value)
    if isinstance(value, float):
        return float.__float__(value)
    if isinstance(value, bytes):
        return _text(value)
    if isinstance(value, Mapping):
        return {
            _plain(key, depth + 1, number): _plain(each, depth + 1, number)
            for key, each in value.items()
        }
    if isinstance(value, Sequence):
        return [_plain(each, depth + 1, number) for each in value]
    kind = type(value)
    raise TypeError(f"{kind.__module__}.{kind.__qualname__} has no counterpart in JSON.")


def _text(value: bytes) -> str:
    try:
        return value.decode()
    except UnicodeDecodeError:
        raise ValueError("bytes that aren't UTF-8 have no counterpart in JSON.") from None
