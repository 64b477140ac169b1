"""The actions that the admin offers, and what its forms say of them."""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from django.http import HttpRequest
from django.utils import timezone
from django.utils.dateparse import parse_datetime

from jobs.instants import in_utc
from jobs.operator import bulk
from jobs.operator.bulk import Action
from jobs.operator.filters import Filter, length_of_time
from jobs.terms import checked_priority, checked_text


@dataclass(frozen=True)
class Offer:
    """An action as the admin offers it."""

    #: Without the value, if it takes one.
    action: Action
    label: str
    #: What it means, for the page that asks.
    meaning: str
    #: What the value is, which is asked for.
    takes: str = ""

    @property
    def name(self) -> str:
        return self.action.name

    @property
    def states(self) -> Sequence[str]:
        return self.action.states

    @property
    def destroys(self) -> bool:
        return self.action.destroys

    def suits(self, chosen: Filter) -> bool:
        return not chosen.states or any(state in self.states for state in chosen.states)

    def permission(self, opts: Any) -> str:
        return f"{opts.app_label}.{self.name}_{opts.model_name}"


OFFERS = [
    Offer(
        bulk.retry(),
        "Retry now",
        "Failed, cancelled and succeeded jobs run again at once, with all their attempts.",
    ),
    Offer(
        bulk.reschedule(),
        "Run later or now",
        "Waiting jobs run at that time and keep their attempts. Failed, cancelled and "
        "succeeded jobs are retried then.",
        takes="time",
    ),
    Offer(
        bulk.move(),
        "Change queue or priority",
        "Jobs that are being executed keep theirs.",
        takes="place",
    ),
    Offer(
        bulk.cancel(),
        "Cancel",
        "They end as cancelled, and can be retried. What is being executed is told to end "
        "where that is possible, and its outcome is dropped.",
    ),
    Offer(
        bulk.unlock(),
        "Unlock",
        "Their workers lose them, as if their leases had expired. A job that its worker "
        "performs counts a failed attempt, and may run a second time beside the first if "
        "that worker is alive. One that is executed elsewhere goes on.",
    ),
    Offer(
        bulk.delete(being_executed=True),
        "Delete",
        "The rows, with their payloads and errors, are gone for good.",
    ),
]
BY_NAME = {offer.name: offer for offer in OFFERS}


class Unclear(Exception):
    """The form doesn't say what to do; the text says what is missing."""


def action_of(offer: Offer, request: HttpRequest) -> Action:
    """Raises Unclear for a value that is missing, or that no job can have."""
    given = request.POST
    try:
        if offer.takes == "time":
            return bulk.reschedule(_instant(given.get("delay", ""), given.get("run_at", "")))
        if offer.takes == "place":
            queue, priority = given.get("to_queue", ""), given.get("to_priority", "")
            if not queue and not priority.strip():
                raise Unclear("Nothing was done: say a queue, a priority, or both.")
            return bulk.move(
                checked_text("The queue", queue) if queue else None,
                checked_priority(int(priority)) if priority.strip() else None,
            )
    except (ValueError, TypeError, OverflowError) as error:
        raise Unclear(f"Nothing was done: {error}") from error
    return offer.action


def _instant(delay: str, run_at: str) -> dt.datetime | None:
    """None for now."""
    if delay.strip():
        return in_utc("The time", timezone.now() + length_of_time(delay.strip()))
    if run_at.strip():
        value = parse_datetime(run_at.strip())
        if value is None:
            raise Unclear(f"Nothing was done: {run_at[:50]!r} is not a date and time.")
        return in_utc("The time", value)
    return None
