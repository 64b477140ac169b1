"""What the class of a job object declares that can't work: options and methods."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Iterable
from typing import Any

from jobs.conf.options import boolean, duration, positive_integer, string

#: Options that the queue reads as attributes, and what they take.
ATTRIBUTES: dict[str, Callable[[Any], Any]] = {
    "queue_name": string,
    "max_attempts": positive_integer,
    "max_run_time": duration,
    "destroy_failed_jobs": boolean,
}
#: Those that may be a method, too.
METHODS = ("destroy_failed_jobs",)
PARTIAL = (functools.partial, functools.partialmethod, functools.singledispatchmethod)


def check_options(cls: type, names: Iterable[str]) -> None:
    """Raises TypeError or ValueError for a value that the class gives an option.

    Not for one that the class computes, because that is asked for when it is needed.
    """
    for name in ATTRIBUTES.keys() - set(names):
        found = inspect.getattr_static(cls, name, None)
        if isinstance(found, (classmethod, staticmethod)) or callable(found):
            if name not in METHODS:
                raise TypeError(
                    f"{cls.__qualname__}.{name} is a method: make it an attribute or a property."
                )
        elif not hasattr(type(found), "__get__"):
            check_option(cls, name, found)


def check_option(cls: type, name: str, value: Any) -> None:
    """Raises TypeError or ValueError if that option can't have this value."""
    if value is None or name not in ATTRIBUTES:
        return
    if callable(value) and name in METHODS:
        return
    try:
        ATTRIBUTES[name](value)
    except (TypeError, ValueError) as error:
        raise type(error)(f"{cls.__qualname__}.{name} is {value!r}: it takes {error}.") from None


def check_no_generators(cls: type, names: Iterable[str]) -> None:
    """Raises TypeError for a method that is a generator, however it is wrapped."""
    for name in names:
        function = _innermost(inspect.getattr_static(cls, name, None))
        if inspect.isgeneratorfunction(function) or inspect.isasyncgenfunction(function):
            raise TypeError(
                f"{cls.__qualname__}.{name} is a generator, which the queue would not run: "
                "leave out its `yield`."
            )


def check_perform(cls: type) -> None:
    """Raises TypeError for a `perform` that needs an argument, because it gets none."""
    function = inspect.getattr_static(cls, "perform", None)
    if not inspect.isfunction(function):
        return
    # A decorator may give what the function in it wants.
    parameters = inspect.signature(function, follow_wrapped=False).parameters.values()
    needed = [
        one.name
        for one in [*parameters][1:]
        if one.default is one.empty and one.kind not in (one.VAR_POSITIONAL, one.VAR_KEYWORD)
    ]
    if needed:
        raise TypeError(
            f"{cls.__qualname__}.perform() gets no argument, but wants {', '.join(needed)}: "
            "make it a field."
        )


def _innermost(found: Any) -> Any:
    """The function within decorators that say what they wrap."""
    seen: set[int] = set()
    while id(found) not in seen:
        seen.add(id(found))
        if isinstance(found, PARTIAL):
            found = found.func
        elif isinstance(found, (classmethod, staticmethod)) or inspect.ismethod(found):
            found = found.__func__
        elif "__wrapped__" in getattr(found, "__dict__", {}):
            found = found.__wrapped__
        elif not inspect.isroutine(found) and not isinstance(found, type) and callable(found):
            found = inspect.getattr_static(type(found), "__call__")
    return found
