"""What is recorded of workers, of activity, of failed attempts and of progress."""

from __future__ import annotations

import datetime as dt
import socket
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from jobs.models import Activity, FailedAttempt, Progress, WorkerRecord
from jobs.operator import elsewhere
from jobs.operator.histograms import Histogram
from jobs.records import COUNTS, NUMBERS, RAN, SECONDS, WAITED, job_key
from jobs.store import store_for
from jobs.store.columns import is_unreadable
from jobs.store.keyed import keyed_for
from jobs.transitions import IN_EXECUTION

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: Workers that are shown at most.
MOST_WORKERS = 10_000
#: Attempts of one job that are shown at most, the last ones.
MOST_ATTEMPTS = 1_000
#: Rows of activity that are read one by one at most, where some can't be added up.
MOST_ACTIVITY = 200_000
#: What activity can be told apart by.
KEYS = ("minute", "queue", "name")


@dataclass(frozen=True)
class Sign:
    """A worker, and for how many seconds it has given no sign of life."""

    record: WorkerRecord
    silent_for: float

    @property
    def is_alive(self) -> bool:
        """Whether it has been silent for no longer than its lease."""
        return self.silent_for <= self.record.lease


def workers() -> list[Sign]:
    """The workers that run, by name, and those that didn't end in order, for a day.

    By the database's clock. A worker shows a sign of life every quarter of its lease.
    """
    store = store_for(WorkerRecord)
    now = store.now()
    found = store.find({}, MOST_WORKERS)
    signs = [Sign(one, max((now - one.seen_at).total_seconds(), 0.0)) for one in found]
    return sorted(signs, key=lambda sign: sign.record.name)


class Silent(Exception):
    """No worker of that name is alive; the text says what is known."""


def check_worker(name: str | None = None, max_silence: float | None = None) -> Sign:
    """The worker of that name, or the liveliest one of this host.

    Raises Silent if it has been silent for more than `max_silence` seconds, by default
    its lease, or if there is none.
    """
    host = socket.gethostname()
    found = [
        sign
        for sign in workers()
        if (sign.record.host == host if name is None else sign.record.name == name)
    ]
    who = f"worker of this host ({host})" if name is None else f"worker {name!r}"
    if not found:
        raise Silent(f"There is no {who}: it has not started, or it ended.")
    sign = min(found, key=lambda one: one.silent_for)
    limit = sign.record.lease if max_silence is None else max_silence
    if not sign.silent_for <= limit:  # which nothing is, if somebody wrote "nan"
        raise Silent(
            f"The {who} has given no sign of life for {sign.silent_for:.0f} seconds "
            f"({limit:g} are allowed)."
        )
    return sign


@dataclass(frozen=True)
class Sums:
    """What became of jobs; a key that wasn't asked for is None.

    A queue and a name that are both empty are those of too many classes at once.
    """

    minute: dt.datetime | None
    queue: str | None
    name: str | None
    #: Jobs that succeeded, jobs that failed for good, failed attempts with others to
    #: come.
    performed: int
    failed: int
    retried: int
    #: How long executions ran, and how long jobs had waited for them.
    ran: Histogram
    waited: Histogram


def activity(
    since: dt.datetime,
    by: Sequence[str] = (),
    *,
    until: dt.datetime | None = None,
    queue: str | None = None,
    name: str | None = None,
) -> list[Sums]:
    """What became of jobs in the minutes that began from `since` on and before `until`.

    `by` says what is told apart: any of "minute", "queue" and "name" (the class). The
    database adds up, so what comes back has a row for each combination that was active.
    Running workers write every five seconds. Raises ValueError for another `by`.
    """
    if unknown := set(by) - set(KEYS):
        raise ValueError(f"{', '.join(sorted(unknown))}: activity is known by {', '.join(KEYS)}.")
    wanted = {"minute__gte": since, "minute__lt": until, "queue": queue, "name": name}
    where = {key: value for key, value in wanted.items() if value is not None}
    keyed = keyed_for(Activity)
    try:
        return _in_order(keyed.sums(where, by, NUMBERS), since)
    except Exception as error:
        if not is_unreadable(error):
            raise
    return _in_order(keyed.sums_of_rows(where, by, NUMBERS, MOST_ACTIVITY), since)


def _in_order(rows: Iterable[dict[str, Any]], since: dt.datetime) -> list[Sums]:
    """Raises some error for values that no worker writes."""
    found = map(_sums, rows)
    return sorted(found, key=lambda one: (one.minute or since, one.queue or "", one.name or ""))


def _sums(row: dict[str, Any]) -> Sums:
    performed, failed, retried = (int(row[name]) for name in COUNTS)
    run, waited = (float(row[name]) for name in SECONDS)
    return Sums(
        minute=row.get("minute"),
        queue=row.get("queue"),
        name=row.get("name"),
        performed=performed,
        failed=failed,
        retried=retried,
        ran=Histogram([int(row[name]) for name in RAN], run),
        waited=Histogram([int(row[name]) for name in WAITED], waited),
    )


@dataclass(frozen=True)
class Failure:
    """A failed attempt, and what the place where it was executed knows of it."""

    attempt: FailedAttempt
    execution: dict[str, Any] | None


def attempts(job: AbstractJob) -> list[Failure]:
    """The failed attempts of the job, the first one first.

    An attempt on AWS Batch has its execution there, with Batch id and log stream. They
    are kept for KEEP_ATTEMPTS_FOR, and go with the job.
    """
    where = {"job_id": str(job.pk), "job_model": job._meta.label}
    found = store_for(FailedAttempt).find(where, MOST_ATTEMPTS)
    by_epoch = {one.get("epoch"): one for one in elsewhere.executions(job)} if found else {}
    ordered = sorted(found, key=lambda one: one.epoch)
    return [Failure(one, by_epoch.get(one.epoch)) for one in ordered]


def progress_of(jobs: Iterable[AbstractJob]) -> dict[Any, Progress]:
    """How far the executions of these jobs have come, by the jobs' keys, in one
    statement.

    Of jobs that aren't executed now, or have told nothing, there is none.
    """
    wanted = {job_key(job): job for job in jobs if job.state in IN_EXECUTION}
    if not wanted:
        return {}
    found = store_for(Progress).find({"pk__in": list(wanted)}, len(wanted))
    return {wanted[one.key].pk: one for one in found if one.epoch == wanted[one.key].epoch}
