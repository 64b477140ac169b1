"""Whether jobs are taken in time, for monitoring."""

from __future__ import annotations

import datetime as dt
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from jobs import transitions
from jobs.models import Job, State
from jobs.operator import elsewhere, reports
from jobs.operator.pausing import paused
from jobs.store import store_for
from jobs.text import one_line

if TYPE_CHECKING:
    from jobs.models import AbstractJob
    from jobs.store.base import Store

#: A check counts no further: many jobs are as alarming as very many.
MANY = 10_000


@dataclass
class Check:
    """Whether jobs are taken, with a sentence in `problems` for what is wrong."""

    max_age: float
    oldest_due_seconds: float | None = None
    detached: int = 0
    not_begun: int = 0
    #: Queues and names that are paused, whose jobs may wait.
    paused: list[dict[str, Any]] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)
    #: Running jobs whose workers are dead, and that no worker has freed.
    abandoned: int = 0


def check(max_age: float, model: type[AbstractJob] = Job) -> Check:
    """Looks for jobs that nobody has taken for longer than `max_age` seconds.

    Jobs that are due, detached ones, reserved ones whose execution elsewhere isn't even
    asked for, and running ones whose lease expired that long ago, each with the reason.
    """
    store = store_for(model)
    found = Check(max_age, paused=[reports.pause_as_dict(one) for one in paused()])
    oldest = reports.longest_due(store, **reports.not_paused(found.paused))
    if oldest is not None:
        found.oldest_due_seconds = seconds = reports.waited(store, oldest.run_at)
        if seconds > max_age:
            found.problems.append(
                f"Job {oldest} has been due for {seconds:.0f} seconds: no worker takes it."
            )
    cutoff = store.now() - dt.timedelta(seconds=max_age)
    _check_detached(found, store, cutoff)
    _check_reserved(found, store, cutoff)
    _check_leases(found, store)
    return found


def _check_detached(found: Check, store: Store[Any], cutoff: dt.datetime) -> None:
    """Detached jobs that nobody takes, and what keeps some of them from starting."""
    where = {"state": State.DETACHED, "updated_at__lt": cutoff}
    found.detached = store.count(where, MANY)
    if found.detached:
        number = f"{found.detached:,}" + (" or more" if found.detached == MANY else "")
        subject = "job has" if found.detached == 1 else "jobs have"
        found.problems.append(
            f"{number} detached {subject} waited for more than {found.max_age:g} seconds: "
            "only a worker that hands over (jobworker --batch) takes what is detached."
        )
    jobs = store.glance({**where, "runner": ""}, ("epoch", "name", "updated_at"), MANY)
    _complain(found, jobs, "detached", elsewhere.why_not_started(jobs))


def _check_reserved(found: Check, store: Store[Any], cutoff: dt.datetime) -> None:
    """Reserved jobs that a worker was to hand over by now.

    A renewed lease changes no `updated_at`, so it says when the job was reserved.
    """
    where = {"state": State.RUNNING, "runner": "", "updated_at__lt": cutoff}
    jobs = store.glance(where, ("locked_by", "epoch", "name", "updated_at"), MANY)
    said = elsewhere.why_not_begun(jobs)
    for job in jobs:
        worker = one_line(job.locked_by)
        said.setdefault(str(job.pk), f"the worker {worker} holds it and hasn't begun it.")
    found.not_begun = _complain(found, jobs, "reserved", said)


def _check_leases(found: Check, store: Store[Any]) -> None:
    """Running jobs that any living worker would have freed, or taken over, by now."""
    where = transitions.lease_expired(store, found.max_age)
    jobs = store.glance(where, ("locked_by", "locked_at", "name", "updated_at"), MANY)
    found.abandoned = len(jobs)
    if not jobs:
        return
    first = min(jobs, key=_last_sign)
    seconds = reports.waited(store, _last_sign(first))
    found.problems.append(
        f"{_named(first, jobs, 'is', 'are')} running, but the worker {one_line(first.locked_by)} "
        f"gave its last sign of life {seconds:.0f} seconds ago, and no worker takes over: "
        "start one."
    )


def _last_sign(job: AbstractJob) -> dt.datetime:
    return job.locked_at or job.updated_at


def _complain(
    found: Check, jobs: Iterable[AbstractJob], waits: str, said: Mapping[str, str]
) -> int:
    """Adds a problem for each reason, which names one of the jobs; returns how many
    jobs have one.
    """
    by_reason: dict[str, list[AbstractJob]] = defaultdict(list)
    for job in jobs:
        if reason := said.get(str(job.pk), ""):
            by_reason[reason].append(job)
    for reason, those in by_reason.items():
        first = min(those, key=lambda job: job.updated_at)
        subject = _named(first, those, "has", "have")
        text = f"{subject} been {waits} for more than {found.max_age:g} seconds: {reason}"
        found.problems.append(text)
    return sum(map(len, by_reason.values()))


def _named(first: AbstractJob, jobs: Sequence[AbstractJob], one: str, several: str) -> str:
    """`Job 1 (name) has`, or `Job 1 (name) and 2 more have`."""
    named, others = f"Job {first.pk} ({one_line(first.name)})", len(jobs) - 1
    return f"{named} and {others:,} more {several}" if others else f"{named} {one}"
