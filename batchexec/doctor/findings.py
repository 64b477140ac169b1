"""What a check finds: how bad it is, a sentence, and the cure."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.text import one_line

if TYPE_CHECKING:
    from batchexec.doctor.deployment import Deployment

OK, WARNING, FAULT = "ok", "warning", "fault"


@dataclass(frozen=True)
class Finding:
    """One line. `level`: "ok", "warning", or "fault", with which jobs can't be done.

    `cure` says what to do, and is empty only where all is well.
    """

    level: str
    text: str
    cure: str = ""
    #: The name of the check that found it, which fills it in.
    check: str = ""


def ok(text: object) -> Finding:
    return Finding(OK, one_line(text))


def warning(text: object, cure: object) -> Finding:
    return Finding(WARNING, one_line(text), one_line(cure))


def fault(text: object, cure: object) -> Finding:
    return Finding(FAULT, one_line(text), one_line(cure))


@dataclass(frozen=True)
class Check:
    """`look` yields what it finds. It may raise anything, and find nothing."""

    name: str
    look: Callable[[Deployment], Iterable[Finding]]


class NotThere(Exception):
    """What a check is about isn't there, which another check says."""


def members(value: Any, key: str) -> Iterator[dict[str, Any]]:
    """The mappings in a list of AWS's answer, whatever else somebody put there."""
    found = value.get(key) if isinstance(value, dict) else None
    for one in found if isinstance(found, list) else ():
        if isinstance(one, dict):
            yield one


def member(value: Any, key: str) -> dict[str, Any]:
    """The mapping of that name in AWS's answer; an empty one if there is none."""
    found = value.get(key) if isinstance(value, dict) else None
    return found if isinstance(found, dict) else {}
