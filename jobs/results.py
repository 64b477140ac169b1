"""What a job keeps of its tries, in its column `result`: errors, workers, return value.

Most jobs keep nothing, and the column is empty. A job that keeps results has it filled
when it is enqueued. Whoever records how a try ended adds to the text that was read with
the job, and writes it in the same statement as the outcome: the condition on the epoch
says that nobody has added to it meanwhile.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobs.payloads import codec
from jobs.text import first_line, storable

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Of a job that keeps results, before its first try.
EMPTY = "{}"
#: All tracebacks of a job together, in characters. The oldest are shortened first: an
#: entry always stays, but not always its frames.
MAX_TRACEBACKS = 200_000
#: What stays of a traceback that is shortened, in characters.
SHORTENED = 200

_encoder = json.JSONEncoder(allow_nan=False, separators=(",", ":"))


@dataclass
class Failure:
    """A failed try: the dotted path of what it raised, and its traceback."""

    path: str
    traceback: str


@dataclass
class Kept:
    """The tries of a job that are over.

    `worker_ids` has one entry for each of them. `started_at` is the begin of the first.
    """

    errors: list[Failure] = field(default_factory=list)
    worker_ids: list[str] = field(default_factory=list)
    started_at: dt.datetime | None = None
    return_value: Any = None


def read(text: Any) -> Kept:
    """What the column holds. Of a text that nobody here wrote, what can be read."""
    try:
        stored = json.loads(text)
        began = stored.get("started_at")
        return Kept(
            # A path that begins with a dot would be taken for a relative one.
            [
                Failure(str(each["class"]).lstrip("."), str(each["traceback"]))
                for each in stored["errors"]
            ],
            [str(each) for each in stored["worker_ids"]],
            dt.datetime.fromisoformat(began) if began else None,
            codec.decode(stored.get("return_value"), _refuse),
        )
    except Exception:
        return Kept()


def _refuse(reference: Any) -> Any:
    """The column isn't signed, so whoever wrote it has no row read by it."""
    raise ValueError("A return value refers to no model instance.")


def after_failure(job: AbstractJob, path: str, traceback: str, *, begun: bool = True) -> str:
    """The column after a try that failed; a try that was not `begun` has no worker."""
    kept = read(job.result)
    kept.errors.append(Failure(path, storable(traceback)))
    _shorten(kept.errors)
    return _text(job, kept, begun)


def after_success(job: AbstractJob, returned: Any) -> str:
    """The column after a try that returned that.

    Raises TypeError for a value that can't be stored.
    """
    return _text(job, read(job.result), True, return_value=codec.encode(returned))


def worker_of(job: AbstractJob) -> str:
    """Who executes the job: a worker by its name, a container by its place and attempt.

    If nobody began to, it is the worker that watches the job.
    """
    return job.runner.rpartition("@")[0] or job.runner or job.locked_by


def _text(job: AbstractJob, kept: Kept, begun: bool, **more: Any) -> str:
    if begun:
        kept.worker_ids.append(worker_of(job))
    began = kept.started_at or job.started_at
    stored: dict[str, Any] = {
        "errors": [{"class": each.path, "traceback": each.traceback} for each in kept.errors],
        "worker_ids": kept.worker_ids,
        **more,
    }
    if began is not None:
        stored["started_at"] = began.isoformat()
    return _encoder.encode(stored)


def _shorten(errors: list[Failure]) -> None:
    total = sum(len(each.traceback) for each in errors)
    for each in errors[:-1]:
        if total <= MAX_TRACEBACKS:
            return
        total -= len(each.traceback)
        # The last line says what was raised.
        each.traceback = first_line(each.traceback.strip().rpartition("\n")[2])[:SHORTENED]
        total += len(each.traceback)
