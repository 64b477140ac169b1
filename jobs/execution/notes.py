"""What is noted of executions until it is written; bounded, whatever a queue holds.

Seconds are this machine's, and minutes those of its clock.
"""

from __future__ import annotations

import datetime as dt
import hashlib
import re
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from functools import partial
from itertools import islice
from typing import TYPE_CHECKING, Any

from jobs.conf import settings
from jobs.exceptions import Lost
from jobs.logs.error_text import describe, summary
from jobs.records import (
    MAX_TEXT,
    NUMBERS,
    RAN,
    WAITED,
    Activity,
    FailedAttempt,
    Progress,
    class_of,
    job_key,
)
from jobs.runner import LONGEST_PLACE, place_of
from jobs.store import store_for
from jobs.store.keyed import keyed_for
from jobs.store.limits import waiting
from jobs.text import first_line, storable

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Pairs of queue and class that are told apart at most between two writes; what is more
#: is counted without their names.
MOST_KINDS = 1000
#: Failed attempts that are kept at most while the database doesn't take them.
MOST_ATTEMPTS = 1000
#: Jobs that are gone, whose attempts and progress have yet to be deleted.
MOST_GONE = 10_000
#: Rows written or deleted by one statement.
AT_ONCE = 200
LARGEST_NUMBER = 2**31 - 1
#: The class of delayed methods, whose name says which.
METHOD = "jobs.delayed.PerformableMethod"

_CLASS = re.compile(r'\{"class": "([^"\\]+)"')
_PLACES = {name: place for place, name in enumerate(NUMBERS)}
_FIRST_RAN, _FIRST_WAITED = _PLACES[RAN[0]], _PLACES[WAITED[0]]
_RUN, _WAITED = _PLACES["seconds_run"], _PLACES["seconds_waited"]

#: The minute since 1970, the queue, the class.
Kind = tuple[int, str, str]


class Notes:
    """Not thread-safe."""

    def __init__(self) -> None:
        self._sums: dict[Kind, list[float]] = {}
        self._attempts: list[FailedAttempt] = []
        self._gone: dict[str, tuple[type[AbstractJob], Any]] = {}
        #: Attempts that found no room.
        self.lost = 0

    def __bool__(self) -> bool:
        return bool(self._sums or self._attempts or self._gone or self.lost)

    @property
    def is_urgent(self) -> bool:
        """Whether so much is noted that it should be written now."""
        return len(self._attempts) >= AT_ONCE or len(self._gone) >= MOST_GONE // 2

    def ended(
        self, how: str, queue: str, name: str, ran: float | None, waited: float | None
    ) -> None:
        """An execution ended: `how` is one of COUNTS; lengths are in seconds, None if
        nobody knows them.
        """
        # The job's own hooks may have set it to anything.
        sums = self._sums_of((int(time.time() // 60), storable(str(queue))[:MAX_TEXT], name))
        sums[_PLACES[how]] += 1
        if ran is not None:
            sums[_RUN] += ran
            sums[_FIRST_RAN + class_of(ran)] += 1
        if waited is not None:
            sums[_WAITED] += waited
            sums[_FIRST_WAITED + class_of(waited)] += 1

    def _sums_of(self, kind: Kind) -> list[float]:
        sums = self._sums.get(kind)
        if sums is None:
            if len(self._sums) >= MOST_KINDS:
                kind = kind[0], "", ""
            sums = self._sums.setdefault(kind, [0] * len(NUMBERS))
        return sums

    def failed(self, job: AbstractJob, attempt: Attempt, now: dt.datetime) -> None:
        row = attempt.row
        if row is None or attempt.postponed:
            return
        row.is_counted, row.is_last, row.failed_at = attempt.counted, attempt.last, now
        if attempt.last or attempt.counted:
            how = "failed" if attempt.last else "retried"
            self.ended(how, row.queue, row.name, attempt.ran(now), attempt.waited)
        if attempt.deleted:
            self.gone(job)
        else:
            self._attempts.append(row)
            self._bound()

    def gone(self, job: AbstractJob) -> None:
        """The job's row is deleted, so its attempts and its progress go, too."""
        if len(self._gone) < MOST_GONE:  # else they go when they are old
            self._gone[job_key(job)] = type(job), job.pk

    def _bound(self) -> None:
        self.lost += max(len(self._attempts) - MOST_ATTEMPTS, 0)
        del self._attempts[:-MOST_ATTEMPTS]

    def put_back(self, notes: Notes) -> None:
        """What the database didn't take, older than what is noted here."""
        for kind, sums in notes._sums.items():
            known = self._sums_of(kind)
            known[:] = [a + b for a, b in zip(known, sums, strict=True)]
        self._attempts = notes._attempts + self._attempts
        self.lost += notes.lost
        self._bound()
        self._gone = dict(islice({**notes._gone, **self._gone}.items(), MOST_GONE))

    def write(self) -> None:
        """Writes all of it, and forgets what is written.

        Raises what the database raises. While that can't be reached, the rest is still
        noted; what it refuses is forgotten. If the reply to a write is lost, its
        numbers may be counted twice.
        """
        refusals: list[Exception] = []
        while attempts := self._attempts[:AT_ONCE]:
            if settings.KEEP_ATTEMPTS_FOR:
                self._insert_attempts(attempts, refusals)
            del self._attempts[:AT_ONCE]
        while kinds := dict(islice(self._sums.items(), AT_ONCE)):
            if settings.KEEP_ACTIVITY_FOR:
                rows = [_activity(*each) for each in kinds.items()]
                self._try(partial(keyed_for(Activity).add, rows, NUMBERS), refusals)
            for kind in kinds:
                del self._sums[kind]
        while some := dict(islice(self._gone.items(), AT_ONCE)):
            for model in {model for model, _ in some.values()}:
                pks = [pk for known, pk in some.values() if known is model]
                self._try(partial(forget_jobs, model, pks), refusals)
            for key in some:
                del self._gone[key]
        if refusals:
            raise refusals[0]

    def _insert_attempts(self, attempts: list[FailedAttempt], refusals: list[Exception]) -> None:
        """In one statement; if that is refused, one by one: none costs another."""
        insert = keyed_for(FailedAttempt).insert_missing
        refused: list[Exception] = []
        self._try(partial(insert, attempts), refused)
        if refused and len(attempts) > 1:
            refused.clear()
            for attempt in attempts:
                self._try(partial(insert, [attempt]), refused)
        refusals += refused

    def _try(self, step: Callable[[], object], refusals: list[Exception]) -> None:
        store = store_for(Activity)
        try:
            with waiting(store):
                step()
        except Exception as error:
            if store.is_unavailable(error):
                raise
            refusals.append(error)


def _activity(kind: Kind, sums: list[float]) -> Activity:
    at, queue, name = kind
    minute = dt.datetime.fromtimestamp(at * 60, dt.timezone.utc)
    # It begins with the minute, so that new rows are neighbours in the index.
    digest = hashlib.sha256(f"{queue}\0{name}".encode()).hexdigest()[:24]
    return Activity(
        key=f"{minute:%Y%m%d%H%M}-{digest}",
        minute=minute,
        queue=queue,
        name=name,
        **dict(zip(NUMBERS, sums, strict=True)),
    )


def forget_jobs(model: type[AbstractJob], pks: Iterable[Any]) -> None:
    """Deletes what is kept of jobs whose rows are deleted: attempts and progress."""
    keys = list(pks)
    label = model._meta.label
    store_for(FailedAttempt).delete_many(
        {"job_model": label, "job_id__in": [str(pk) for pk in keys]}
    )
    store_for(Progress).delete_many({"pk__in": [f"{label}:{pk}" for pk in keys]})


def class_name(job: AbstractJob) -> str:
    """The dotted path of the class of the job's object, or the name of the delayed
    method. Nothing is loaded for it.
    """
    payload = job.__dict__.get("payload")
    if payload is not None:
        path = f"{type(payload).__module__}.{type(payload).__qualname__}"
    else:
        found = _CLASS.match(job.handler)
        path = found[1] if found else job.name
    return storable(job.name if path == METHOD else path)[:MAX_TEXT]


def waited(job: AbstractJob) -> float | None:
    """Seconds from when the job was due until it was begun."""
    if job.started_at is None:
        return None
    return max((job.started_at - job.run_at).total_seconds(), 0.0)


@dataclass
class Attempt:
    """A failed execution: its job as it was before the outcome was written, and what
    the outcome is.
    """

    #: None if the job's row couldn't be described.
    row: FailedAttempt | None
    #: Seconds that the job had waited for it.
    waited: float | None
    #: When it gave its last sign of life, if nobody saw it end.
    seen_at: dt.datetime | None
    #: Whether it cost the job an attempt.
    counted: bool = True
    #: Whether the job failed for good; and whether its row is deleted then.
    last: bool = False
    deleted: bool = False
    #: Whether nothing was executed, because that is left to newer code.
    postponed: bool = False

    @classmethod
    def of(cls, job: AbstractJob, worker: str, error: BaseException) -> Attempt:
        row = FailedAttempt(
            key=f"{job_key(job)}@{job.epoch}",
            job_model=job._meta.label,
            job_id=str(job.pk),
            epoch=job.epoch,
            number=min(job.attempts + 1, LARGEST_NUMBER),
            queue=storable(job.queue)[:MAX_TEXT],
            name=class_name(job),
            summary=first_line(summary(error))[:MAX_TEXT],
            error=describe(error),
            worker=storable(worker)[:MAX_TEXT],
            runner=storable(job.runner)[:MAX_TEXT],
            place=place_of(job.runner)[:LONGEST_PLACE],
            started_at=job.started_at,
        )
        seen_at = job.heartbeat_at if isinstance(error, Lost) else None
        return cls(row, waited(job), seen_at)

    def ran(self, until: dt.datetime) -> float | None:
        """For how many seconds it ran, if it ended at `until`."""
        if self.row is None or self.row.started_at is None:
            return None
        return max(((self.seen_at or until) - self.row.started_at).total_seconds(), 0.0)
