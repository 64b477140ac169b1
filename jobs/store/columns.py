"""What is read from a row is of its column's type, whatever somebody wrote into it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
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
    "FloatField": float,
    "IntegerField": int,
    "TextField": str,
}
#: Of these, a value that has the type is what the column holds.
PLAIN = (bool, int, str)
#: As Django's: of a value, an expression and a connection.
Converter = Callable[[Any, Any, Any], Any]
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
#: The beginning of what SQLite says of text that isn't UTF-8, and of a sum of numbers
#: that nobody counted.
_OF_SQLITE = ("Could not decode to UTF-8", "integer overflow")


def is_unreadable(error: BaseException) -> bool:
    """Whether the error is about a stored value, and not about the database."""
    if isinstance(error, OperationalError):
        return str(error).startswith(_OF_SQLITE)
    return isinstance(error, _UNREADABLE)


class Column:
    """How the values of one field are read.

    `converters` are the database's and the field's own, as Django calls them.
    """

    def __init__(self, field: Any, converters: Sequence[Converter]):
        self.field = field
        self.name: str = field.attname
        self.nullable: bool = field.null
        self._converters = tuple(converters)
        self._kind = TYPES.get(field.get_internal_type())
        self.expected = None if field.primary_key else self._kind
        self.is_whole_number = self.expected is int
        self.as_they_are = self._as_they_are()

    @property
    def needs_reading(self) -> bool:
        """Whether there is anything to convert or to check."""
        return bool(self.expected or self._converters)

    def _as_they_are(self) -> frozenset[type]:
        """Types whose values are what the column holds; only a number's size is
        checked.

        No database's converter changes a number, a truth value or a text that is one
        already, nor a null.
        """
        if self.expected is None or hasattr(self.field, "from_db_value"):
            return frozenset()
        exact = {self.expected} if self.expected in PLAIN or not self._converters else set()
        return frozenset({*exact, type(None)} if self.nullable else exact)

    def read(self, value: Any, connection: Any) -> Any:
        """What the column holds, from what the driver returned.

        Raises some error if that isn't of the column's type.
        """
        if self.is_whole_number:
            # First: a number that was made of something else is found by no condition.
            value = self.checked(value)
        found = value
        for convert in self._converters:
            found = convert(found, None, connection)
        if found is None and value is not None and self.expected:
            # A text that isn't an instant: a condition on "none" would never hold.
            raise ValueError(f"{self.field.name} holds something that can't be read.")
        return self.checked(found)

    def checked(self, value: Any) -> Any:
        """The value. Raises TypeError if it is of another type than the column's,
        ValueError for a number that is too large to be counted on.
        """
        expected = self.expected
        if expected is None or (value is None and self.nullable):
            return value
        if expected is int and type(value) is float and value.is_integer():
            value = int(value)  # as somebody's shell may have written it
        elif expected is float and type(value) is int:
            value = float(value)
        # Exactly text, because the driver of MongoDB has code that is text, too.
        fits = type(value) is str if expected is str else isinstance(value, expected)
        if not fits or (expected is int and isinstance(value, bool)):
            raise TypeError(f"{self.field.name} holds a {type(value).__name__}.")
        if isinstance(value, int) and abs(value) > LARGEST:
            raise ValueError(f"{self.field.name} holds a number that is too large.")
        return value

    def substitute(self, value: Any = None) -> Any:
        """In the place of a value that can't be read; the same each time.

        For a text, what was in its place, as text.
        """
        field = self.field
        if value is not None and self._kind is str:
            return one_line(value)[: field.max_length or MAX_TEXT]
        if self.nullable:
            return None
        if self._kind is dt.datetime:
            return FIRST
        default = field.get_default()
        return default if self._kind is None or isinstance(default, self._kind) else self._kind()
