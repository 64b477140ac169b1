"""A job's own page: how it lived, why it failed, and what other apps know of it."""

from __future__ import annotations

import datetime as dt
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from itertools import pairwise
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.safestring import SafeString

from jobs.admin import shown
from jobs.models import AbstractJob
from jobs.operator import reports
from jobs.states import FINISHED, State
from jobs.text import first_line, storable

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
    return {
        "job": job,
        "badge": shown.badge(job.state),
        "when": shown.when(job),
        "attempts": shown.attempts_of(job),
        "error": shown.error_in_short(job),
        "timeline": timeline(job),
        "failed_attempts": failed_attempts(job),
        "payload": reports.payload_text(job),
        "is_signed": reports.is_signed(job),
        "not_signed": NOT_SIGNED,
        "sections": [section for function in sections for section in function(request, job)],
        "see_also": [found for function in links if (found := function(job)) is not None],
    }


def failed_attempts(job: AbstractJob) -> list[Attempt]:
    """The newest first."""
    if not job.last_error:
        return []
    text = storable(str(job.last_error))
    return [Attempt("Last error", first_line(text), text)]


def timeline(job: AbstractJob) -> list[Event]:
    """The job's life as far as its row tells it, in order."""
    events = [Event("enqueued", "Enqueued", job.created_at)]
    if job.run_at != job.created_at and job.state in (State.SCHEDULED, State.READY):
        label = "Due" if job.run_at <= timezone.now() else "Due then"
        events.append(Event("due", label, job.run_at))
    if job.started_at is not None:
        events.append(Event("started", "Started", job.started_at, detail=job.runner))
    if job.finished_at is not None and job.state in FINISHED:
        events.append(Event(job.state, job.state.capitalize(), job.finished_at))
    elif job.state in (State.RUNNING, State.DETACHED):
        events.append(Event(job.state, job.state.capitalize(), timezone.now(), detail="now"))
    events.sort(key=lambda event: event.at)
    for event, following in pairwise(events):
        took = (following.at - event.at).total_seconds()
        doing = "ran for" if event.kind == "started" else "waited"
        event.until_next = f"{doing} {reports.age(took)}" if took >= 1 else ""
    return events


def preformatted(text: str) -> SafeString:
    return shown.preformatted(text)
