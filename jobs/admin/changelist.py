"""The list of jobs: a filter that is in the URL, and pages that cost the same however
many jobs there are.
"""

from __future__ import annotations

import time
from collections.abc import Mapping
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING, Any
from urllib.parse import urlencode

from django.contrib import messages
from django.contrib.admin.views.main import ORDER_VAR, ChangeList
from django.core.paginator import Paginator
from django.db import models
from django.http import HttpRequest

from jobs.admin import shown
from jobs.compat import FIRST_PAGE
from jobs.operator import lists, monitoring, reports
from jobs.operator.filters import LONGEST_TEXT, BadFilter, Filter
from jobs.operator.lists import JobList
from jobs.states import State
from jobs.store import store_for
from jobs.store.pages import pages_for

if TYPE_CHECKING:
    from jobs.models import AbstractJob

#: The filter's fields by their names in the URL.
PARAMETERS = {
    "state": "state",
    "queue": "queue",
    "name": "name",
    "failed_within": "failed_within",
    "waiting": "waiting_longer_than",
    "unique_key": "unique_key",
    "q": "text",
    "error": "error",
    # By an id itself, and never by a text that was one when it was looked for.
    "job": "id",
}
#: Has a search look at many more jobs, which takes longer.
FAR = "far"
#: As links of earlier releases had it.
OLD = {"state__exact": "state"}
#: Counted at most beside a state, and queues that are offered.
COUNTED = 10_000
OFFERED = 100
#: Seconds for which the queues that are offered may be old.
KEPT = 60


def filter_of(given: Mapping[str, str], model: type[AbstractJob]) -> Filter:
    """Of the parameters of a URL or a form. Raises BadFilter.

    The id of a job in the place of a text finds that job.
    """
    found = {field: given.get(name, "") for name, field in PARAMETERS.items()}
    for name, field in OLD.items():
        found[field] = found[field] or given.get(name, "")
    chosen = Filter.parse(found)
    is_id = chosen.text is not None and store_for(model).get(chosen.text) is not None
    return chosen.but(id=chosen.text, text=None) if is_id else chosen


def parameters_of(chosen: Filter) -> dict[str, str]:
    given = chosen.given()
    return {name: given[field] for name, field in PARAMETERS.items() if field in given}


def query_of(chosen: Filter) -> str:
    """The URL's query for the jobs of that filter."""
    return f"?{urlencode(parameters_of(chosen))}"


@lru_cache(maxsize=16)
def _queues_of(model: type[AbstractJob], when: int) -> list[str]:
    """Read once in KEPT seconds for all viewers, because it takes many statements."""
    store = store_for(model)
    found: set[str] = set()
    for state in State.values:
        if len(found) < OFFERED:
            found |= store.queues(state, OFFERED)
    return sorted(found)[:OFFERED]


class JobChangeList(ChangeList):
    model: type[AbstractJob]
    model_admin: Any
    #: None if it can't be understood: then nothing is listed.
    chosen: Filter | None

    def get_filters_params(self, params: Any = None) -> dict[str, Any]:
        own = (*PARAMETERS, *OLD, FAR)
        others = super().get_filters_params(params)
        return {name: value for name, value in others.items() if name not in own}

    def get_queryset(
        self, request: HttpRequest, exclude_parameters: Any = None
    ) -> models.QuerySet[Any]:
        self.filter_specs: list[Any] = []
        self.has_filters = self.has_active_filters = False
        try:
            if unknown := self.get_filters_params():
                names = ", ".join(map(ascii, sorted(unknown)))
                raise BadFilter(f"There is no filter {names[:LONGEST_TEXT]}: choose one of these.")
            self.chosen = filter_of(request.GET, self.model)
        except BadFilter as error:
            self.chosen = None
            messages.error(request, str(error))
        return self.root_queryset.none()

    def get_results(self, request: HttpRequest) -> None:
        size = self.list_per_page
        found = None if self.chosen is None else self._found(request)
        number = 0 if found is None else found.count(self.model_admin.paginator.most)
        paginator = Paginator(range(number), size)
        last = paginator.num_pages - 1
        self.page_num = FIRST_PAGE + min(max(self.page_num - FIRST_PAGE, 0), last)
        skip = (self.page_num - FIRST_PAGE) * size
        some = found is not None and number > skip
        self.result_list = found.page(min(size, number - skip), skip) if found and some else []
        told = monitoring.progress_of(self.result_list)
        for job in self.result_list:
            job.progress_shown = reports.progress_text(told[job.pk]) if job.pk in told else ""
        self.paginator = paginator
        self.result_count = number
        self.full_result_count = None
        self.show_full_result_count = False
        self.show_admin_actions = True
        self.can_show_all = False
        self.multi_page = number > size
        self.is_bounded = number == self.model_admin.paginator.most
        self.is_cut = found is not None and found.is_cut
        self.looked_at = f"{self._looked_at:,}"
        self.is_far = self._looked_at == lists.FAR
        self.far_query = self.get_query_string({FAR: 1}, ["p"])

    def _found(self, request: HttpRequest) -> JobList:
        wanted: Any = (
            self.get_ordering(request, self.queryset) if self.params.get(ORDER_VAR) else ()
        )
        fields = {field.name for field in self.model._meta.concrete_fields} | {"pk"}
        order = [str(name) for name in wanted if str(name).removeprefix("-") in fields]
        assert self.chosen is not None
        return JobList(self.chosen, order, self.model, self._looked_at)

    @property
    def _looked_at(self) -> int:
        return lists.FAR if self.params.get(FAR) == "1" else lists.LOOKED_AT

    # What the page's own form needs

    @property
    def counted(self) -> str:
        """`1,234`, or `10,000+` if there may be more."""
        return f"{self.result_count:,}{'+' if self.is_bounded or self.is_cut else ''}"

    @property
    def given(self) -> dict[str, str]:
        """The filter's fields as they are in the URL, also if they make no sense."""
        names = {**{name: name for name in PARAMETERS}, **OLD}
        return {names[name]: value for name, value in self.params.items() if name in names}

    @property
    def searched(self) -> str:
        return self.given.get("q", "") or self.given.get("job", "")

    @property
    def parameters(self) -> list[tuple[str, str]]:
        return [] if self.chosen is None else list(parameters_of(self.chosen).items())

    @cached_property
    def tabs(self) -> list[dict[str, Any]]:
        """A link for every state, with how many jobs there are.

        The page names the states twice, and they are counted once.
        """
        pages = pages_for(self.model)
        chosen = self.chosen or Filter()
        found = [{"label": "All", "query": "?", "count": "", "current": not chosen.states}]
        for state in State.values:
            number = pages.number({"state": state}, COUNTED)
            found.append(
                {
                    "label": state.capitalize(),
                    "query": f"?{urlencode({'state': state})}",
                    "count": shown.counted(number, COUNTED),
                    "current": chosen.state == state,
                }
            )
        return found

    def queues(self) -> list[str]:
        """Some of the queues that have jobs, as of a while ago."""
        return _queues_of(self.model, int(time.monotonic() // KEPT))

    def names(self) -> list[str]:
        """Of the jobs on this page."""
        return sorted({str(job.name) for job in self.result_list})
