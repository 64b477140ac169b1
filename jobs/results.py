"""What a job keeps of its tries, in its column `result`: errors, workers, return value.

Most jobs keep nothing, and the column is empty. A job that keeps results has it filled
when it is enqueued. Whoever records how a try ended adds to the text that was read with
the job, and writes it in the same statement as the outcome: the condition on the epoch
says that nobody has added to it meanwhile.

The text is signed for its row, because it names classes of exceptions, which are
imported when somebody asks for them. The signature is its first member, so that the
column still is JSON.
"""

from __future__ import annotations

import datetime as dt
import json
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobs.exceptions import DeserializationError
from jobs.logs import get_logger
from jobs.payloads import codec, signing
from jobs.states import State
from jobs.text import first_line, storable

if TYPE_CHECKING:
    from jobs.models import AbstractJob

logger = get_logger(__name__)

#: Of a job that keeps results, before its first try. It says nothing, and isn't signed.
EMPTY = "{}"
#: Around the signature, of 64 digits.
_BEFORE, _AFTER = '{"signature":"', '",'
_BODY = len(_BEFORE) + 64 + len(_AFTER)
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


def read(job: AbstractJob) -> Kept:
    """What the column holds. Raises what `stored` raises."""
    found = stored(job)
    began = found.get("started_at")
    return Kept(
        [Failure(each["class"], each["traceback"]) for each in found.get("errors", ())],
        found.get("worker_ids", []),
        dt.datetime.fromisoformat(began) if began else None,
        codec.decode(found.get("return_value")),
    )


def stored(job: AbstractJob) -> dict[str, Any]:
    """The column's JSON.

    Raises DeserializationError if it isn't signed for this row with one of the keys, or
    if the job has succeeded and no return value is there: somebody else wrote it.
    """
    if not job.result or job.result == EMPTY:
        found = {}
    elif (signed := _signed(job)) and signing.verified(*signed, signing.RESULT):
        found = json.loads(_body(job.result))
    else:
        raise DeserializationError(
            f"What job {job.pk} keeps of its tries isn't signed with one of this project's keys "
            "(SIGNING_KEYS, or SECRET_KEY and its fallbacks), so it isn't read."
        )
    if job.state == State.SUCCEEDED and job.result and "return_value" not in found:
        raise DeserializationError(f"Job {job.pk} has succeeded, but keeps no return value.")
    return found


def signed_again(job: AbstractJob) -> str | None:
    """The column, signed with the key that signs today; None if it has no older key."""
    signed = _signed(job)
    if signed is None or not signing.verified(*signed, signing.RESULT):
        return None
    if signing.is_current(*signed, signing.RESULT):
        return None
    return _sign(job, _body(job.result))


def _sign(job: AbstractJob, body: str) -> str:
    signature = signing.sign(_of_row(job, body), signing.RESULT)
    return f"{_BEFORE}{signature}{_AFTER}{body[1:]}"


def _signed(job: AbstractJob) -> tuple[str, str] | None:
    """What was signed, and the signature, if there is one."""
    text = job.result
    if not isinstance(text, str) or not text.startswith(_BEFORE):
        return None
    return _of_row(job, _body(text)), text[len(_BEFORE) : _BODY - len(_AFTER)]


def _body(text: str) -> str:
    return "{" + text[_BODY:]


def _of_row(job: AbstractJob, body: str) -> str:
    """With the row's place, so that no row takes the result of another."""
    return f"{job._meta.db_table}\n{job.pk}\n{body}"


def after_failure(job: AbstractJob, path: str, traceback: str, *, begun: bool = True) -> str:
    """The column after a try that failed; a try that was not `begun` has no worker."""
    kept = _so_far(job)
    kept.errors.append(Failure(path, storable(traceback)))
    _shorten(kept.errors)
    return _text(job, kept, begun)


def after_success(job: AbstractJob, returned: Any) -> str:
    """The column after a try that returned that.

    Raises TypeError for a value that can't be stored.
    """
    return _text(job, _so_far(job), True, return_value=codec.encode(returned))


def worker_of(job: AbstractJob) -> str:
    """Who executes the job: a worker by its name, a container by its place and attempt.

    If nobody began to, it is the worker that watches the job.
    """
    return job.runner.rpartition("@")[0] or job.runner or job.locked_by


def _so_far(job: AbstractJob) -> Kept:
    """What the column holds; if somebody else wrote it, it begins anew."""
    try:
        return read(job)
    except DeserializationError as error:
        logger.warning("%s What follows is kept.", error)
        return Kept()


def _text(job: AbstractJob, kept: Kept, begun: bool, **more: Any) -> str:
    if begun:
        kept.worker_ids.append(worker_of(job))
    began = kept.started_at or job.started_at
    told: dict[str, Any] = {
        "errors": [{"class": each.path, "traceback": each.traceback} for each in kept.errors],
        "worker_ids": kept.worker_ids,
        **more,
    }
    if began is not None:
        told["started_at"] = began.isoformat()
    return _sign(job, _encoder.encode(told))


def _shorten(errors: list[Failure]) -> None:
    total = sum(len(each.traceback) for each in errors)
    for each in errors[:-1]:
        if total <= MAX_TRACEBACKS:
            return
        total -= len(each.traceback)
        # The last line says what was raised.
        each.traceback = first_line(each.traceback.strip().rpartition("\n")[2])[:SHORTENED]
        total += len(each.traceback)
