"""A job's own page: how it lived, why it failed, and what other apps know of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from django.http import HttpRequest
from django.utils import timezone

from jobs.admin import shown
from jobs.models import AbstractJob
from jobs.operator import monitoring, reports
from jobs.operator.monitoring import Failure
from jobs.records import FailedAttempt
from jobs.states import FINISHED, State
from jobs.text import first_line, storable
from jobs.transitions import IN_EXECUTION

NOT_SIGNED = (
    "Its signature doesn't hold, so it is never loaded: somebody else than this project "
    "wrote or changed it, or with another key."
)


@dataclass(frozen=True)
class Link:
    label: str
    address: str
    #: Whether it leads out of this site.
    leaves: bool = False


@dataclass
class Section:
    """A part of a job's page that another app adds."""

    title: str
    #: Labels and values.
    rows: Sequence[tuple[str, Any]] = ()
    links: Sequence[Link] = ()
    #: Answers with plain text that is shown in the page if somebody asks for it.
    text_address: str = ""
    text_label: str = ""


#: Links on a job's page that other apps add: each function returns a label and a URL,
#: or None.
links: list[Callable[[AbstractJob], tuple[str, str] | None]] = []
#: Parts of a job's page that other apps add.
sections: list[Callable[[HttpRequest, AbstractJob], Sequence[Section]]] = []


@dataclass
class Event:
    """A point of the timeline."""

    kind: str
    label: str
    at: dt.datetime
    #: What it took until the next one, in words.
    until_next: str = ""
    detail: str = ""

    @property
    def shown_at(self) -> str:
        return shown.in_current_zone(self.at)


@dataclass
class Attempt:
    """A failed attempt as the page shows it, its traceback folded."""

    title: str
    error: str
    text: str
    rows: list[tuple[str, Any]] = field(default_factory=list)


def context(request: HttpRequest, job: AbstractJob) -> dict[str, Any]:
    """What the page shows besides the columns of the row."""
    failures = monitoring.attempts(job)[::-1]
    kept = [failure.attempt for failure in failures]
    progress = monitoring.progress_of([job]).get(job.pk)
    return {
        "job": job,
        "badge": shown.badge(job.state),
        "when": shown.when(job),
        "attempts": shown.attempts_of(job),
        "error": shown.error_in_short(job),
        "timeline": timeline(job, kept),
        "failed_attempts": failed_attempts(job, failures),
        "progress": progress,
        "progress_text": reports.progress_text(progress) if progress else "",
        "payload": reports.payload_text(job),
        "is_signed": reports.is_signed(job),
        "not_signed": NOT_SIGNED,
        "sections": [section for function in sections for section in function(request, job)],
        "see_also": [found for function in links if (found := function(job)) is not None],
    }


def failed_attempts(job: AbstractJob, failures: Sequence[Failure]) -> list[Attempt]:
    """The newest first; the row's own error, if that isn't among those that are
    kept.
    """
    found = [_attempt(one) for one in failures]
    text = storable(str(job.last_error))
    if text and not (failures and failures[0].attempt.error == job.last_error):
        found.insert(0, Attempt("Last error", first_line(text), text))
    return found


def _attempt(failure: Failure) -> Attempt:
    one, execution = failure.attempt, failure.execution or {}
    rows: list[tuple[str, Any]] = [
        ("Failed", shown.in_current_zone(one.failed_at)),
        ("Ran for", _ran_for(one)),
        ("Worker", one.worker),
        ("Executed by", one.runner if one.runner != one.worker else ""),
        ("Batch job", execution.get("batch_job_id") or one.place),
        ("Log stream", execution.get("log_stream")),
    ]
    title = f"Attempt {one.number}" + ("" if one.is_counted else " (not counted)")
    error = first_line(one.error) or one.summary
    return Attempt(title, error, one.error, [row for row in rows if row[1]])


def _ran_for(one: FailedAttempt) -> str:
    if one.started_at is None:
        return ""
    return reports.age((one.failed_at - one.started_at).total_seconds())


def timeline(job: AbstractJob, kept: Sequence[FailedAttempt]) -> list[Event]:
    """The job's life as far as its row and its failed attempts tell it, in order."""
    events = [Event("enqueued", "Enqueued", job.created_at)]
    for one in kept:
        if one.started_at is not None:
            events.append(Event("started", f"Attempt {one.number} began", one.started_at))
        error = first_line(one.error)[: shown.SHORT_ERROR]
        label = f"Attempt {one.number} failed" + (" for good" if one.is_last else "")
        events.append(Event("attempt", label, one.failed_at, detail=error))
    if job.run_at != job.created_at and job.state in (State.SCHEDULED, State.READY):
        is_due = job.run_at <= timezone.now()
        events.append(Event("due", "Due" if is_due else "Will be due", job.run_at))
    told = {one.started_at for one in kept}
    if job.started_at is not None and job.started_at not in told:
        events.append(Event("started", "Began", job.started_at, detail=job.runner))
    ended_by = kept[0] if kept and kept[0].is_last and kept[0].epoch + 1 == job.epoch else None
    if job.finished_at is not None and job.state in FINISHED and not ended_by:
        events.append(Event(job.state, job.state.capitalize(), job.finished_at))
    elif job.state in IN_EXECUTION:
        events.append(Event(job.state, job.state.capitalize(), timezone.now(), detail="now"))
    events.sort(key=lambda event: event.at)
    for event, following in pairwise(events):
        took = (following.at - event.at).total_seconds()
        doing = "ran for" if event.kind == "started" else "waited"
        event.until_next = f"{doing} {reports.age(took)}" if took >= 1 else ""
    return events
