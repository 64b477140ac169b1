"""Handlers of many objects of one class, written in a fraction of the time.

Only of plain objects: nothing but their fields tells them apart, so what the class says
(options, hooks, names) is looked up once for all of them.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable
from typing import Any

from jobs.payloads.handler import beginning, text_of, text_of_name
from jobs.payloads.performable import HOOKS, METHODS, Performable
from jobs.payloads.shapes import OPTIONS, shape_of
from jobs.payloads.vetting import VETS

#: What the queue asks each object for before it is stored.
ASKED = ("display_name", "enqueue", "unique_key", "queue_name")
#: Names that a field can't have without meaning something to the queue.
MEANT = frozenset({*HOOKS, *METHODS, *OPTIONS, *ASKED, "perform"})


class NotPlain(Exception):
    """This object has something of its own."""


def writer_of(cls: type) -> Callable[[Any], str] | None:
    """What writes the handler of a plain object, as `dump` does, once that has proven
    that objects of the class come back equal; None if the class has none.

    For an object that isn't plain or can't be stored, it raises NotPlain, or anything
    else: `dump` says what is wrong.
    """
    if not issubclass(cls, Performable):
        return None
    shape = shape_of(cls)
    names = shape.names
    if (
        not shape.plain
        or shape.problem
        or not cls.__dictoffset__
        or hasattr(cls, "__getattr__")
        or not MEANT.isdisjoint(names)
        or any(_is_asked(cls, name) for name in {*ASKED, *VETS})
    ):
        return None
    start = beginning(shape.path)
    if len(names) == 1:
        return _of_one(names[0], f"{start}{text_of_name(names[0])}")
    keys = [(name, text_of_name(name)) for name in names]
    number = len(names)

    def write(payload: Any) -> str:
        own = payload.__dict__
        if len(own) != number:
            raise NotPlain
        fields = ", ".join([key + text_of(own[name]) for name, key in keys])
        return f"{start}{fields}}}}}"

    return write


def _of_one(name: str, start: str) -> Callable[[Any], str]:
    """Most classes have one field."""

    def write(payload: Any) -> str:
        own = payload.__dict__
        if len(own) != 1:
            raise NotPlain
        return f"{start}{text_of(own[name])}}}}}"

    return write


def _is_asked(cls: type, name: str) -> bool:
    """Whether an object may answer, or differently from another one of the class."""
    found = inspect.getattr_static(cls, name, None)
    if name == "queue_name":
        return found is not None and type(found) is not str
    return found is not None
