"""Values as people are shown them: instants, states, payloads, errors."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import sys
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from django.utils import timezone
from django.utils.html import format_html
from django.utils.safestring import SafeString

from jobs.compat import display
from jobs.conf import settings
from jobs.operator import reports
from jobs.states import State
from jobs.text import first_line, one_line, storable
from jobs.transitions import IN_EXECUTION

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Characters of a payload and of an error in a list.
SHORT_PAYLOAD = 120
SHORT_ERROR = 200


def instant(name: str) -> Callable[[Any, Any], SafeString | str]:
    """A column for that datetime, with seconds, because leases are short."""

    @display(description=name.replace("_", " "), ordering=name)
    def shown(self: Any, row: Any) -> SafeString | str:
        value = getattr(row, name)
        if value is None:
            return "-"
        return format_html('<span class="instant">{}</span>', in_current_zone(value))

    return shown


def in_current_zone(value: dt.datetime) -> str:
    """With the zone's name; in UTC if the zone can't express the instant."""
    with contextlib.suppress(OverflowError, ValueError):
        value = timezone.localtime(value)
    # By hand, because strftime has no years of less than four digits everywhere.
    return f"{value.replace(tzinfo=None).isoformat(' ', 'seconds')} {value.tzname() or ''}"


def ago(value: dt.datetime | None, words: str = "{} ago", ahead: str = "in {}") -> SafeString | str:
    """How long ago that is, or how far ahead; the exact instant on hover."""
    if value is None:
        return "-"
    seconds = (timezone.now() - value).total_seconds()
    text = (words if seconds >= 0 else ahead).format(reports.age(abs(seconds)))
    exact = value.replace(tzinfo=None).isoformat(timespec="seconds")
    template = '<time datetime="{}Z" title="{}">{}</time>'
    return format_html(template, exact, in_current_zone(value), text)


def when(job: AbstractJob) -> SafeString | str:
    """What a job's state makes worth knowing of its times."""
    if job.state == State.SCHEDULED:
        return ago(job.run_at, "due for {}", "runs in {}")
    if job.state == State.READY:
        return ago(job.run_at, "waits for {}")
    if job.state in IN_EXECUTION:
        return ago(job.started_at or job.locked_at or job.updated_at, "for {}")
    return ago(job.finished_at or job.updated_at)


def counted(number: int, most: int) -> str:
    """`1,234`; `10,000+` if no more than `most` = 10,000 were counted."""
    return f"{number:,}{'+' if number == most else ''}"


def badge(state: str) -> SafeString:
    """A state as a word on its colour."""
    known = state if state in State.values else "unknown"
    return format_html('<span class="job-state job-state-{}">{}</span>', known, state)


def payload_in_short(job: AbstractJob) -> str:
    """`message="Hello", number=7`: the fields of a handler, which may have been cut."""
    handler = job.handler if isinstance(job.handler, str) else repr(job.handler)
    try:
        stored = json.loads(handler)
        given = stored["fields"]
        text = ", ".join(f"{name}={json.dumps(value)}" for name, value in given.items())
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        _, found, rest = handler.partition('"fields":')
        text = rest.strip(" {") if found else handler
    text = one_line(text)
    return text if len(text) <= SHORT_PAYLOAD else f"{text[:SHORT_PAYLOAD]}…"


def error_in_short(job: AbstractJob) -> str:
    """What its traceback ends with, which is the first line of `last_error`."""
    text = first_line(storable(str(job.last_error)))
    return text if len(text) <= SHORT_ERROR else f"{text[:SHORT_ERROR]}…"


def attempts_of(job: AbstractJob) -> str:
    """`2 of 25`, or `2` where this process doesn't know how many its class allows."""
    most = _most_attempts(job)
    return str(job.attempts) if most is None else f"{job.attempts} of {most}"


def _most_attempts(job: AbstractJob) -> int | None:
    """As the row or its class says, else the setting; None if neither the row says it
    nor the class is loaded.

    The payload isn't loaded to be looked at.
    """
    try:
        stored = json.loads(job.handler)
        found = stored["fields"].get("max_attempts")
        if found is None:
            module, _, name = stored["class"].rpartition(".")
            known = vars(sys.modules[module])[name]
            found = next(
                (vars(cls)["max_attempts"] for cls in known.__mro__ if "max_attempts" in vars(cls)),
                None,
            )
    except (ValueError, TypeError, KeyError, AttributeError, RecursionError):
        return None
    return found if type(found) is int else settings.MAX_ATTEMPTS
