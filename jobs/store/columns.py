"""What is read from a row is of its column's type, whatever somebody wrote into it."""

from __future__ import annotations

import datetime as dt
from typing import Any

from django.db import DataError, OperationalError

from jobs.instants import FIRST
from jobs.text import one_line

#: By Django's name for a field. Others, of your own job classes, may hold anything.
TYPES: dict[str, type] = {
    "AutoField": int,
    "BigAutoField": int,
    "BigIntegerField": int,
    "BooleanField": bool,
    "CharField": str,
    "DateTimeField": dt.datetime,
    "IntegerField": int,
    "TextField": str,
}
#: Whole numbers beyond this can't be counted on without leaving what databases hold.
LARGEST = 2**62
#: Longest text that is made of another value, in characters.
MAX_TEXT = 10_000
#: What drivers and Django raise for a value that they can't make a Python object of.
_UNREADABLE: tuple[type[Exception], ...] = (
    DataError,
    ValueError,
    TypeError,
    AttributeError,
    ArithmeticError,
)
try:
    from bson.errors import BSONError
except ImportError:  # without MongoDB
    pass
else:
    _UNREADABLE += (BSONError,)
#: The beginning of what SQLite's driver says of text that isn't UTF-8.
_NOT_UTF8 = "Could not decode to UTF-8"


def is_unreadable(error: BaseException) -> bool:
    """Whether the error is about a stored value, and not about the database."""
    if isinstance(error, OperationalError):
        return str(error).startswith(_NOT_UTF8)
    return isinstance(error, _UNREADABLE)


def is_whole_number(field: Any) -> bool:
    return TYPES.get(field.get_internal_type()) is int


def checked(field: Any, value: Any) -> Any:
    """The value of the field. Raises TypeError if it is of another type, ValueError for
    a number that is too large to be counted on.
    """
    expected = TYPES.get(field.get_internal_type())
    if expected is None or field.primary_key or (value is None and field.null):
        return value
    if expected is int and type(value) is float and value.is_integer():
        value = int(value)  # as somebody's shell may have written it
    # Exactly text, because the driver of MongoDB has code that is text, too.
    fits = type(value) is str if expected is str else isinstance(value, expected)
    if not fits or (expected is int and isinstance(value, bool)):
        raise TypeError(f"{field.name} holds a {type(value).__name__}.")
    if isinstance(value, int) and abs(value) > LARGEST:
        raise ValueError(f"{field.name} holds a number that is too large.")
    return value


def substitute(field: Any, value: Any = None) -> Any:
    """In the place of a value that can't be read; the same each time.

    For a text, what was in its place, as text.
    """
    if value is not None and TYPES.get(field.get_internal_type()) is str:
        return one_line(value)[: field.max_length or MAX_TEXT]
    if field.null:
        return None
    if field.get_internal_type() == "DateTimeField":
        return FIRST
    default = field.get_default()
    expected = TYPES.get(field.get_internal_type())
    return default if expected is None or isinstance(default, expected) else expected()
