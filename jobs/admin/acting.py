"""What the admin does to jobs: on one, on those that are ticked, or on all that match
the filter.

Every form posts to the list. What destroys something, takes a value, or is for all that
match is asked about first, with numbers.
"""

from __future__ import annotations

import datetime as dt
from collections.abc import Sequence
from typing import Any

from django.contrib import messages
from django.contrib.admin.helpers import ACTION_CHECKBOX_NAME
from django.contrib.admin.models import CHANGE, DELETION, LogEntry
from django.contrib.admin.utils import quote
from django.contrib.contenttypes.models import ContentType
from django.core.exceptions import PermissionDenied
from django.http import HttpRequest, HttpResponse, HttpResponseRedirect, QueryDict
from django.template.response import TemplateResponse
from django.urls import reverse

from jobs.admin.changelist import filter_of, parameters_of, query_of
from jobs.admin.offers import BY_NAME, OFFERS, Offer, Unclear, action_of
from jobs.admin.readonly import may
from jobs.instants import in_utc
from jobs.operator import bulk, elsewhere, errors
from jobs.operator.bulk import Action, Outcome, Selection
from jobs.operator.filters import BadFilter, Filter
from jobs.states import State
from jobs.store import store_for
from jobs.transitions import IN_EXECUTION

#: Jobs that are counted at most before somebody is asked.
COUNTED = 1_000_000
#: Ids that one form may name.
MOST_IDS = 1_000
#: Entries of the admin's log that one action makes at most, one a job.
LOGGED = 100


class Acts:
    """For a ModelAdmin of a job model."""

    model: Any
    opts: Any
    admin_site: Any
    media: Any

    def offers(self, request: HttpRequest, chosen: Filter | None = None) -> list[Offer]:
        """What this user may do to jobs that such a filter finds."""
        return [
            offer
            for offer in OFFERS
            if may(request, offer.permission(self.opts)) and offer.suits(chosen or Filter())
        ]

    def act(self, request: HttpRequest) -> HttpResponse:
        """Answers a form that says what to do to which jobs."""
        offer = BY_NAME.get(request.POST.get("action", ""))
        if offer is None:
            return self._back(request, "Nothing was done: choose an action.")
        if not may(request, offer.permission(self.opts)):
            raise PermissionDenied
        try:
            selection = self._selection(request)
            confirmed = "confirmed" in request.POST
            if not confirmed and (offer.destroys or offer.takes or selection.ids is None):
                return self._ask(request, offer, selection)
            action = action_of(offer, request)
        except (Unclear, BadFilter) as error:
            return self._back(request, str(error))
        outcome = bulk.perform(action, selection)
        self._log(request, offer, selection, outcome)
        return self._done(request, offer, action, outcome)

    def _selection(self, request: HttpRequest) -> Selection:
        given = request.POST if "confirmed" in request.POST else request.GET
        chosen = filter_of({**_texts(given), **_posted_filter(request)}, self.model)
        seen_at = None
        if text := request.POST.get("seen_at"):
            try:
                seen_at = in_utc("seen_at", dt.datetime.fromisoformat(text))
            except ValueError as error:
                raise Unclear("Nothing was done: the form is not one of this page.") from error
        if request.POST.get("select_across") == "1":
            return Selection(chosen, None, seen_at, self.model)
        ids = request.POST.getlist(ACTION_CHECKBOX_NAME)
        if not ids:
            raise Unclear("Nothing was done: tick the jobs that you mean.")
        if len(ids) > MOST_IDS:
            raise Unclear(f"Nothing was done: at most {MOST_IDS:,} jobs can be ticked.")
        return Selection(Filter(), list(dict.fromkeys(ids)), seen_at, self.model)

    def _ask(self, request: HttpRequest, offer: Offer, selection: Selection) -> HttpResponse:
        # Before they are counted: what changes meanwhile may not be among them.
        seen_at = store_for(self.model).now()
        counts = selection.count_by_state(COUNTED)
        taken = {state: number for state, number in counts.items() if state in offer.states}
        left = {state: number for state, number in counts.items() if state not in offer.states}
        number = sum(taken.values())
        if not number:
            return self._back(request, f"Nothing was done: {_none_of(offer, left)}")
        outside = selection.executed_elsewhere(COUNTED) if offer.destroys else 0
        context = {
            **self.admin_site.each_context(request),
            "title": f"{offer.label}: {_jobs(number)}?",
            "opts": self.opts,
            "media": self.media,
            "offer": offer,
            "number": _jobs(number),
            "is_bounded": COUNTED in counts.values(),
            "taken": _parts(taken),
            "left": _parts(left),
            "executing": sum(taken.get(state, 0) for state in IN_EXECUTION),
            "outside": _jobs(outside) if outside else "",
            "places": elsewhere.names(),
            "which": str(selection.filter) if selection.ids is None else "",
            "error": errors.in_words(selection.filter.error, self.model)
            if selection.filter.error
            else "",
            "ids": selection.ids,
            "parameters": parameters_of(selection.filter).items(),
            "ids_name": ACTION_CHECKBOX_NAME,
            "seen_at": seen_at.isoformat(),
            "back": self._address_back(request),
            "from_job": request.POST.get("from_job", ""),
        }
        return TemplateResponse(request, "admin/jobs/job/confirm.html", context)

    def _done(
        self, request: HttpRequest, offer: Offer, action: Action, outcome: Outcome
    ) -> HttpResponse:
        if outcome.done:
            messages.success(request, f"{_jobs(outcome.done)} {action.done}.")
        if outcome.left:
            messages.warning(request, left_alone(offer, outcome))
        if not outcome.done and not outcome.left:
            messages.warning(request, "Nothing was done: there is no such job now.")
        return HttpResponseRedirect(self._address_back(request, deleted=action.name == "delete"))

    def _back(self, request: HttpRequest, text: str) -> HttpResponse:
        messages.warning(request, text)
        return HttpResponseRedirect(self._address_back(request))

    def _address_back(self, request: HttpRequest, *, deleted: bool = False) -> str:
        """The job's page for a form of it, else the list with the same filter."""
        name = f"admin:{self.opts.app_label}_{self.opts.model_name}"
        site = self.admin_site.name
        pk = request.POST.get("from_job", "")
        if pk and not deleted and store_for(self.model).get(pk) is not None:
            return reverse(f"{name}_change", args=[quote(pk)], current_app=site)
        try:
            query = query_of(
                filter_of({**_texts(request.GET), **_posted_filter(request)}, self.model)
            )
        except BadFilter:
            query = "?"
        return reverse(f"{name}_changelist", current_app=site) + (query if len(query) > 1 else "")

    def _log(
        self, request: HttpRequest, offer: Offer, selection: Selection, outcome: Outcome
    ) -> None:
        """Who did what to which jobs, in the admin's own log."""
        if not outcome.done:
            return
        content_type = ContentType.objects.get_for_model(self.model, for_concrete_model=False)
        said = f"{offer.label}: {_jobs(outcome.done)}"
        if outcome.left:
            said += f", {outcome.left:,} left alone"
        entry: dict[str, Any] = {
            "user_id": request.user.pk,
            "content_type_id": content_type.pk,
            "action_flag": DELETION if offer.name == "delete" else CHANGE,
        }
        if selection.ids is None or outcome.left or len(outcome.keys) > LOGGED:
            which = str(selection.filter) if selection.ids is None else "ticked"
            LogEntry.objects.create(
                **entry, object_repr=f"Jobs: {which}"[:200], change_message=f"{said} ({which})"
            )
            return
        for key in outcome.keys:
            LogEntry.objects.create(
                **entry, object_id=str(key), object_repr=f"Job {key}", change_message=said
            )


def _posted_filter(request: HttpRequest) -> dict[str, str]:
    """The filter that a form carries in fields of its own, as on the page of errors."""
    posted = _texts(request.POST)
    return {name[2:]: value for name, value in posted.items() if name.startswith("f_")}


def _texts(given: QueryDict) -> dict[str, str]:
    return {name: str(value) for name, value in given.items()}


def left_alone(offer: Offer, outcome: Outcome) -> str:
    """`2 jobs left alone: 1 is running, 1 changed meanwhile.`"""
    reasons = [
        f"{number:,} {'is' if number == 1 else 'are'} {state}"
        for state, number in sorted(outcome.refused.items())
    ]
    if outcome.changed:
        also = " or is still executed" if offer.name in ("retry", "reschedule") else ""
        reasons.append(f"{outcome.changed:,} changed meanwhile{also}")
    return f"{_jobs(outcome.left)} left alone: {', '.join(reasons)}."


def _none_of(offer: Offer, left: dict[str, int]) -> str:
    if not left:
        return "there is no such job now."
    return f"{offer.label} is for jobs that are {_or(offer.states)}; these are {_parts(left)}."


def _parts(counts: dict[str, int]) -> str:
    """`12 ready, 3 running`, in the order of a job's life."""
    order = [*State.values, *sorted(set(counts) - set(State.values))]
    return ", ".join(f"{counts[state]:,} {state}" for state in order if counts.get(state))


def _or(states: Sequence[str]) -> str:
    *others, last = map(str, states)
    return f"{', '.join(others)} or {last}" if others else last


def _jobs(number: int) -> str:
    return f"{number:,} job{'' if number == 1 else 's'}"
