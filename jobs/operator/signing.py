"""Signing jobs that somebody restored or wrote by hand: what they call, and what is
signed.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs import payloads, results, transitions
from jobs.models import Job, State
from jobs.operator.actions import Refused, find
from jobs.store import store_for
from jobs.text import visible

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Rows read at once: each may hold a large handler.
PAGE = 100
#: The class of delayed methods, whose fields say what is called.
METHOD = "jobs.delayed.PerformableMethod"


@dataclass(frozen=True)
class Seen:
    """A job as somebody was shown it: nothing else is signed."""

    pk: Any
    calls: str
    #: Of the handler, in characters.
    length: int
    digest: bytes

    @classmethod
    def of(cls, job: AbstractJob) -> Seen:
        text = _text_of(job)
        return cls(job.pk, called(text), len(text), _digest(text))


def called(handler: str) -> str:
    """What a worker calls for this handler, once it is signed, in ASCII and never cut.

    The dotted path of its class; for a delayed method, the method and its target, too.
    Read as workers read it, so that neither padding nor an escape hides anything.
    """
    try:
        stored = json.loads(handler)
    except (ValueError, RecursionError):
        return "nothing: it is not JSON"
    path = stored.get("class") if isinstance(stored, dict) else None
    if not isinstance(path, str):
        return "nothing: it names no class"
    fields = stored.get("fields")
    if path == METHOD and isinstance(fields, dict):
        shown = {name: fields.get(name) for name in ("method", "target", "implemented_by")}
        path += " " + json.dumps({name: value for name, value in shown.items() if value})
    return visible(path).encode("ascii", "backslashreplace").decode()


def sign(seen: Seen, model: type[AbstractJob] = Job) -> None:
    """Signs the handler that was shown, so that workers load it: you answer for what it
    says.

    For rows that you restored or wrote by hand. Refused for what isn't text, and for a
    row that changed since.
    """
    job = find(seen.pk, model)
    if not isinstance(job.handler, str):
        raise Refused(f"The handler of job {job.pk} is not text, so it can't be signed.")
    same = _digest(job.handler) == seen.digest
    if not (same and transitions.sign(job, payloads.sign(job.handler))):
        raise Refused(f"Job {job.pk} changed meanwhile: look at it again.")


def to_be_signed(
    model: type[AbstractJob] = Job, leave_out: Callable[[], None] = lambda: None
) -> Iterator[AbstractJob]:
    """Jobs that were stored before there were signatures, or signed with an older key.

    Not those whose signature doesn't hold: somebody has to look at them, and
    `leave_out` is called for each. A page of them is in memory at a time.
    """
    store = store_for(model)
    for state in State.values:
        where: dict[str, Any] = {"state": state}
        while jobs := store.listing(where, "pk", PAGE):
            for job in jobs:
                if not job.signature or _has_older_key(job):
                    yield job
                elif not payloads.verified(job.handler, job.signature):
                    leave_out()
            where["pk__gt"] = jobs[-1].pk


def _has_older_key(job: AbstractJob) -> bool:
    text, signature = job.handler, job.signature
    if not payloads.verified(text, signature):
        return False
    return not payloads.is_current(text, signature) or results.signed_again(job) is not None


def _text_of(job: AbstractJob) -> str:
    # A database without types may hold anything there.
    return job.handler if isinstance(job.handler, str) else repr(job.handler)


def _digest(text: str) -> bytes:
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).digest()
