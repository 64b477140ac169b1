"""The overview: how it is now, and how the last hour or day went."""

from __future__ import annotations

import datetime as dt
import sys
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlencode

from django.http import HttpRequest
from django.utils import timezone

from jobs.admin import charts, shown
from jobs.admin.changelist import query_of
from jobs.admin.charts import Chart, Series
from jobs.admin.detail import Link
from jobs.operator import overview, reports
from jobs.operator.filters import BadFilter, Filter
from jobs.operator.monitoring import Sums
from jobs.operator.overview import COUNTED, Now, Part, Span
from jobs.records import MAX_TEXT, Pause
from jobs.states import State

#: Queues or classes, and workers, that the page shows.
SHOWN = 20
#: What jobs are compared by, with the words for it.
BY = {"queue": "queue", "name": "class"}
#: With jobs in these, somebody has to work: those that run may have lost their worker.
UNFINISHED_NOW = (State.READY, State.RUNNING, State.DETACHED)
#: Seconds between two refreshes that can be chosen; 0 is never.
REFRESHES = (5, 15, 60, 0)


@dataclass
class Panel:
    """A part of the overview that another app adds."""

    title: str
    #: Labels and numbers.
    figures: Sequence[tuple[str, str]] = ()
    #: A table: what it shows, the heads of its columns, and its rows.
    caption: str = ""
    columns: Sequence[str] = ()
    rows: Sequence[Sequence[Any]] = ()
    #: Said if there are no rows.
    none: str = ""
    links: Sequence[Link] = ()


#: Parts of the overview that other apps add.
panels: list[Callable[[HttpRequest], Sequence[Panel]]] = []


@dataclass(frozen=True)
class Chosen:
    """What the URL says: a span, what is compared, and one queue or class of all."""

    span: Span
    by: str
    only: str | None

    @classmethod
    def of(cls, request: HttpRequest) -> Chosen:
        """What can't be understood is as if it weren't there."""
        span = overview.SPANS.get(request.GET.get("span", ""), overview.HOUR)
        by = request.GET.get("by", "")
        by = by if by in BY else "queue"
        only = request.GET.get("only", "").replace("\x00", "")[:MAX_TEXT]
        return cls(span, by, only or None)

    def query(self, **changes: str | None) -> str:
        """The URL's query for this, but for the changes."""
        given = {"span": self.span.name, "by": self.by, "only": self.only, **changes}
        return f"?{urlencode({name: value for name, value in given.items() if value})}"

    @property
    def where(self) -> dict[str, str]:
        return {} if self.only is None else {self.by: self.only}


def context(request: HttpRequest, model: Any) -> dict[str, Any]:
    chosen = Chosen.of(request)
    now = overview.now(model)
    return {
        "at": shown.in_current_zone(now.at),
        "chosen": chosen,
        "refreshes": REFRESHES,
        "fragment": chosen.query(fragment="1"),
        "states": [_state(now, state) for state in overview.STATES],
        "waiting": [_waiting(now, one) for one in now.waiting],
        "has_more_queues": now.has_more_queues,
        "overdue": shown.counted(now.overdue, COUNTED) if now.overdue else "",
        "overdue_for": _since(now, now.overdue_since),
        "paused": [{"one": one, "for": _since(now, one.since)} for one in now.paused],
        "workers": _workers(now),
        "longest": [_running(now, job) for job in now.longest],
        **_activity(now, chosen),
        "panels": [panel for function in panels for panel in function(request)],
    }


def _since(now: Now, instant: dt.datetime | None) -> str:
    return "" if instant is None else reports.age((now.at - instant).total_seconds())


def _state(now: Now, state: State) -> dict[str, Any]:
    number = shown.counted(now.counts[state], COUNTED)
    return {"name": state.value, "count": number, "query": query_of(Filter(state=state.value))}


def _query(**wanted: Any) -> str:
    try:
        return query_of(Filter(**wanted))
    except BadFilter:  # a name that somebody wrote
        return ""


def _waiting(now: Now, one: overview.Waiting) -> dict[str, Any]:
    is_paused = any(
        pause.kind == Pause.Kind.QUEUE and pause.value == one.queue for pause in now.paused
    )
    return {
        "queue": one.queue,
        "query": _query(queue=one.queue, state=State.READY.value),
        "count": shown.counted(one.count, COUNTED),
        "for": _since(now, one.since) or "unknown",
        "is_at_least": one.is_at_least,
        "is_paused": is_paused,
    }


def _workers(now: Now) -> dict[str, Any]:
    alive = [sign for sign in now.workers if sign.is_alive]
    silent = [sign for sign in now.workers if not sign.is_alive]
    slots = sum(sign.record.slots for sign in alive)
    is_work_left = any(now.counts[state] for state in UNFINISHED_NOW)
    ordered = sorted(silent, key=lambda sign: sign.silent_for) + alive
    return {
        "alive": f"{len(alive):,}",
        "silent": f"{len(silent):,}" if silent else "",
        "in_hand": f"{sum(sign.record.in_hand for sign in alive):,}",
        "slots": f"{slots:,}",
        "nobody": not alive and (is_work_left or now.overdue > 0),
        "rows": [
            {
                "one": sign.record,
                "is_alive": sign.is_alive,
                "seen": reports.age(sign.silent_for),
                "started": _since(now, sign.record.started_at),
            }
            for sign in ordered[:SHOWN]
        ],
        "others": f"{len(ordered) - SHOWN:,}" if len(ordered) > SHOWN else "",
    }


def _running(now: Now, job: Any) -> dict[str, Any]:
    progress = now.progress.get(job.pk)
    return {
        "job": job,
        "badge": shown.badge(job.state),
        "for": _since(now, job.started_at),
        "progress": progress,
        "text": reports.progress_text(progress) if progress else "",
    }


def _activity(now: Now, chosen: Chosen) -> dict[str, Any]:
    span = chosen.span
    parts = overview.course(span, now.at, **chosen.where)
    total = Part.of(parts)
    rows = overview.compared(span, now.at, chosen.by)
    spans = [
        {"label": one.label, "query": chosen.query(span=one.name), "is_chosen": one is span}
        for one in overview.SPANS.values()
    ]
    ways = [
        {"label": word, "query": chosen.query(by=by, only=None), "is_chosen": by == chosen.by}
        for by, word in BY.items()
    ]
    return {
        "spans": spans,
        "ways": ways,
        "by": BY[chosen.by],
        "all_query": chosen.query(only=None),
        "charts": _charts(span, parts, total),
        "points": [_point(part) for part in reversed(parts)],
        "total": _sums(total),
        "compared": [_compared(chosen, one) for one in rows[:SHOWN]],
        "others": len(rows) - SHOWN if len(rows) > SHOWN else 0,
        "from": _clock(parts[0].begins),
        "middle": _clock(parts[len(parts) // 2].begins),
    }


def _clock(instant: dt.datetime) -> str:
    return f"{timezone.localtime(instant):%H:%M}"


def _charts(span: Span, parts: Sequence[Part], total: Part) -> list[Chart]:
    when = [_clock(part.begins) for part in parts]
    outcomes = [
        Series("failed", "failed", [part.failed / span.part for part in parts]),
        Series("failed, tried again", "retried", [part.retried / span.part for part in parts]),
        Series("performed", "performed", [part.performed / span.part for part in parts]),
    ]
    summary = (
        f"In {span.label} {total.performed:,} jobs were performed and {total.failed:,} failed "
        f"for good; {total.retried:,} attempts failed and are tried again."
    )
    hovers = [
        f"{at}: {part.performed:,} performed, {part.failed:,} failed, {part.retried:,} to be "
        "tried again"
        for at, part in zip(when, parts, strict=True)
    ]
    return [
        charts.columns("Jobs per minute", summary, outcomes, hovers),
        _times("Waiting time", "waited", "Jobs had waited", span, parts, total),
        _times("Run time", "ran", "Executions ran", span, parts, total),
    ]


def _times(
    title: str, which: str, words: str, span: Span, parts: Sequence[Part], total: Part
) -> Chart:
    def both(part: Part) -> tuple[float | None, float | None]:
        found = getattr(part, which)
        return found.quantile(0.5), found.quantile(0.95)

    half, most = map(charts.duration, both(total))
    pairs = [both(part) for part in parts]
    series = [
        Series("95 of 100 (p95)", "p95", [pair[1] for pair in pairs]),
        Series("half of them (p50)", "p50", [pair[0] for pair in pairs]),
    ]
    hovers = [
        f"{_clock(part.begins)}: p50 {charts.duration(pair[0])}, p95 {charts.duration(pair[1])}"
        for part, pair in zip(parts, pairs, strict=True)
    ]
    summary = f"{words}, in {span.label}: half of them {half} at most, 95 of 100 {most} at most."
    if not getattr(total, which).count:
        summary = f"{title} in {span.label}: none is known."
    return charts.steps(title, summary, series, hovers)


def _sums(one: Any) -> dict[str, Any]:
    return {
        "performed": f"{one.performed:,}",
        "failed": f"{one.failed:,}",
        "retried": f"{one.retried:,}",
        "has_failed": bool(one.failed),
        "waited": [charts.duration(one.waited.quantile(part)) for part in (0.5, 0.95)],
        "ran": [charts.duration(one.ran.quantile(part)) for part in (0.5, 0.95)],
    }


def _point(part: Part) -> dict[str, Any]:
    return {"at": _clock(part.begins), **_sums(part)}


def _condition(by: str, label: str) -> str:
    """Activity is by class: where its jobs have names of their own, their payloads say
    the class. Known of classes that this process has loaded.
    """
    module, _, cls = label.rpartition(".")
    known = getattr(sys.modules.get(module), cls, None)
    return "text" if by == "name" and hasattr(known, "display_name") else by


def _compared(chosen: Chosen, one: Sums) -> dict[str, Any]:
    label = (one.queue if chosen.by == "queue" else one.name) or ""
    return {
        "label": label or "others together",
        "query": chosen.query(only=label) if label else "",
        "jobs": _query(**{_condition(chosen.by, label): label}) if label else "",
        "is_chosen": label == chosen.only,
        **_sums(one),
    }
