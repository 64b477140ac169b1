"""How far a job has come, as its own code tells it."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterable, Iterator, Sized
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from decimal import Decimal
from numbers import Real
from typing import Any, TypeVar

T = TypeVar("T")

#: Takes what is done, the total and a message, and never raises.
Report = Callable[[float, "float | None", str], None]

_report: ContextVar[Report | None] = ContextVar("report", default=None)


@contextmanager
def reported_to(report: Report) -> Iterator[None]:
    """What the code in the body tells of its progress, `report` is told."""
    token = _report.set(report)
    try:
        yield
    finally:
        _report.reset(token)


def progress(done: float, total: float | None = None, message: str = "") -> None:
    """Tells how far the job that is being performed has come: `done` of `total`.

    It is shown by `manage.py jobs show` and in the admin, at most a second old, until
    the execution ends. Call it as often as you like. Where no job is being performed,
    as in a test that calls `perform()`, or in a thread or a process that the job
    started, it does nothing.

    `done` and `total` are numbers in a unit of yours; None: nobody knows the total. Of
    the message, the first 200 characters are shown. Raises TypeError for an argument of
    another type, ValueError for a number that is negative or not finite.
    """
    numbers = _number("done", done), _total(total)
    if not isinstance(message, str):
        raise TypeError(f"message must be a string, not {message!r}.")
    report = _report.get()
    if report is not None:
        report(*numbers, message)


def track(
    iterable: Iterable[T], total: float | None = None, desc: str | None = "", **options: Any
) -> Iterator[T]:
    """The items of `iterable`, while the job's progress is told: `for row in
    jobs.track(rows)`.

    Takes what `tqdm` takes: `total` is the number of items, by default the length if
    there is one, and infinite if nobody knows it; `desc` is the message. tqdm's other
    options are accepted and ignored. Raises what `progress` raises, before the first
    item.
    """
    if total is None and isinstance(iterable, Sized):
        with suppress(TypeError, OverflowError):  # of a length that nobody knows
            total = len(iterable)
    total, message = None if total == math.inf else total, "" if desc is None else desc
    progress(0, total, message)
    return _tracked(iterable, _total(total), message)


def _tracked(iterable: Iterable[T], total: float | None, desc: str) -> Iterator[T]:
    report = _report.get()
    for done, item in enumerate(iterable, 1):
        yield item
        if report is not None:
            report(done, total, desc)


def _total(value: Any) -> float | None:
    return None if value is None else _number("total", value)


def _number(label: str, value: Any) -> float:
    if isinstance(value, bool) or not isinstance(value, (Real, Decimal)):
        raise TypeError(f"{label} must be a number, not {value!r}.")
    try:
        number = float(value)
    except (OverflowError, ValueError):  # a whole number that no float holds, or an sNaN
        number = math.inf
    if not 0 <= number < math.inf:
        raise ValueError(f"{label} must be a number from 0 on, not {value!r}.")
    return number
