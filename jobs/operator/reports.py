"""What people and programs get to see of jobs."""

from __future__ import annotations

import contextlib
import datetime as dt
import json
import math
from typing import TYPE_CHECKING, Any

from jobs import payloads, results
from jobs.exceptions import DeserializationError
from jobs.models import Job, State
from jobs.operator.filters import Filter
from jobs.operator.pausing import paused
from jobs.store import store_for
from jobs.store.clock import aware
from jobs.store.pages import Window, pages_for
from jobs.text import first_line, one_line, storable

if TYPE_CHECKING:
    from jobs.models import AbstractJob, FailedAttempt, Pause, Progress
    from jobs.store.base import Store

#: Longest payload shown, in characters.
MAX_PAYLOAD = 100_000
#: Jobs counted at most of each state and queue.
MOST = 100_000
#: From here on `:.10g` writes an exponent.
WITH_ALL_DIGITS = 1e9
#: Fields that may be long.
LONG = ("handler", "signature", "last_error", "result")


def as_dict(job: AbstractJob, *, full: bool = False) -> dict[str, Any]:
    """The job's fields for JSON: ids as text, datetimes as ISO 8601 in UTC.

    `error` is the first line of its error. `full` adds the long fields, `payload` (the
    parsed handler) and `signature_valid`. The handler is shown, never loaded.
    """
    found: dict[str, Any] = {}
    for model_field in job._meta.concrete_fields:
        if full or model_field.name not in LONG:
            found[model_field.name] = plain(getattr(job, model_field.attname))
    found["id"] = str(job.pk)
    found["error"] = first_line(job.last_error)
    if full:
        found["payload"] = _parsed(job.handler)
        found["signature_valid"] = is_signed(job)
    return found


def return_value_text(job: AbstractJob) -> str:
    """What a job that keeps its result returned, as JSON; empty if it didn't yet.

    If that isn't signed, it is the sentence that says so.
    """
    try:
        kept = results.stored(job)
    except DeserializationError as error:
        return str(error)
    return json.dumps(kept["return_value"], indent=2) if "return_value" in kept else ""


def attempt_as_dict(attempt: FailedAttempt) -> dict[str, Any]:
    """A failed attempt for JSON."""
    own = ("key", "job_model", "job_id")
    fields = [field.name for field in attempt._meta.concrete_fields if field.name not in own]
    return {name: plain(getattr(attempt, name)) for name in fields}


def pause_as_dict(pause: Pause) -> dict[str, Any]:
    """A pause for JSON: `kind` is "queue" or "name"."""
    return {name: plain(getattr(pause, name)) for name in ("kind", "value", "since", "reason")}


def progress_as_dict(progress: Progress) -> dict[str, Any]:
    """Progress for JSON."""
    names = ("done", "total", "message", "updated_at")
    return {name: plain(getattr(progress, name)) for name in names}


def progress_text(progress: Progress) -> str:
    """`30 of 120 (25 %): message`. It is 100 % only if it is done."""
    done, total = progress.done, progress.total
    parts = [_number(done)]
    if total is not None:
        parts.append(f"of {_number(total)}")
        if math.isfinite(done) and 0 < total < math.inf:
            share = 100 if done >= total else min(100 * (done / total), 99)
            parts.append(f"({share:.0f} %)")
    text = " ".join(parts)
    return one_line(f"{text}: {progress.message}" if progress.message else text)


def _number(value: float) -> str:
    """Whole ones, and large ones, with all their digits."""
    is_large = WITH_ALL_DIGITS <= abs(value) < math.inf
    return f"{value:,.0f}" if is_large else f"{value:,.10g}"


def listed(chosen: Filter, limit: int, model: type[AbstractJob] = Job) -> list[AbstractJob]:
    """All jobs that the filter finds, the youngest first, with long texts cut."""
    window = Window(chosen.conditions(store_for(model)), ("-pk",), limit)
    return list(pages_for(model).page(window, {}, window.order, limit))


def payload_text(job: AbstractJob, *, whole: bool = False) -> str:
    """The handler, laid out if it is JSON, and cut if it is very long, unless you want
    the `whole` of it.
    """
    parsed = _parsed(job.handler)
    # A database without types may hold anything there.
    text = job.handler if isinstance(job.handler, str) else repr(job.handler)
    if parsed is not None:
        with contextlib.suppress(RecursionError):
            text = json.dumps(parsed, indent=2, ensure_ascii=False)
    # An escaped lone surrogate is valid JSON, but can't be written anywhere.
    text = storable(text)
    left_out = len(text) - MAX_PAYLOAD
    return (
        text
        if whole or left_out <= 0
        else f"{text[:MAX_PAYLOAD]}\n… {left_out:,} characters left out …"
    )


def is_signed(job: AbstractJob) -> bool:
    """Whether the handler's signature holds. Without that a worker never loads it."""
    return payloads.verified(job.handler, job.signature)


def age(seconds: float) -> str:
    """A length of time in its largest unit: `45 s`, `12 m`, `3 h`, `7 d`."""
    for size, unit in ((86400, "d"), (3600, "h"), (60, "m")):
        if seconds >= size:
            return f"{int(seconds // size)} {unit}"
    return f"{max(0, int(seconds))} s"


def counts(model: type[AbstractJob] = Job) -> list[dict[str, Any]]:
    """`state`, `queue` and `count` of every pair that has jobs, in a job's order of
    life.

    Counting ends at MOST, which bounds what a look at a long queue costs.
    """
    order = State.values
    found = store_for(model).count_by_state(MOST)
    rows = [
        {"state": state, "queue": queue, "count": count} for (state, queue), count in found.items()
    ]
    return sorted(
        rows,
        key=lambda row: (
            order.index(row["state"]) if row["state"] in order else len(order),
            row["queue"],
        ),
    )


def stats(model: type[AbstractJob] = Job) -> dict[str, Any]:
    """`counts`, their `total`, how many are `detached`, `oldest_due_seconds`, and what
    is `paused`.

    `oldest_due_seconds` is for how long a due job that isn't paused has waited, or
    None. A count that equals `counted_up_to` may be higher in truth.
    """
    rows, pauses = counts(model), [pause_as_dict(one) for one in paused()]
    oldest = longest_due(store_for(model), **not_paused(pauses))
    return {
        "counts": rows,
        "counted_up_to": MOST,
        "total": sum(row["count"] for row in rows),
        "oldest_due_seconds": None if oldest is None else waited(store_for(model), oldest.run_at),
        "detached": sum(row["count"] for row in rows if row["state"] == State.DETACHED),
        "paused": pauses,
    }


def not_paused(paused: list[dict[str, Any]]) -> dict[str, Any]:
    """The conditions of a job that isn't paused."""
    of: dict[str, list[str]] = {}
    for one in paused:
        of.setdefault(f"{one['kind']}__nin", []).append(one["value"])
    return of


def longest_due(store: Store[Any], **where: Any) -> Any:
    """The due job that has waited for longest; None if there is none."""
    now = store.now()
    due = [
        job
        for state in (State.SCHEDULED, State.READY)
        for job in store.listing({"state": state, "run_at__lte": now, **where}, "run_at", limit=1)
    ]
    return min(due, key=lambda job: job.run_at, default=None)


def waited(store: Store[Any], since: dt.datetime) -> float:
    """Seconds, by the database's clock."""
    return round((store.now() - since).total_seconds(), 3)


def plain(value: Any) -> Any:
    """The value of a column for JSON: a datetime as ISO 8601 in UTC."""
    if isinstance(value, dt.datetime):
        return aware(value).astimezone(dt.timezone.utc).isoformat(timespec="milliseconds")
    return value if value is None or isinstance(value, (bool, int, float, str)) else str(value)


def _parsed(handler: str) -> Any:
    def refuse(constant: str) -> Any:
        raise ValueError(f"{constant} is not JSON.")

    try:
        return json.loads(handler, parse_constant=refuse)
    except (ValueError, TypeError, RecursionError):
        return None
