"""Jobs in Django's admin, to be looked at.

The queue itself changes them; people may delete finished ones.
"""

from __future__ import annotations

import contextlib
import datetime as dt
from collections.abc import Callable, Iterator
from typing import Any

from django.contrib import admin, messages
from django.contrib.admin.views.main import ChangeList
from django.core.exceptions import PermissionDenied
from django.core.paginator import Paginator
from django.db import models
from django.db.models.query import ModelIterable
from django.http import HttpRequest
from django.utils import timezone
from django.utils.functional import cached_property
from django.utils.html import format_html, format_html_join
from django.utils.safestring import SafeString

from jobs import transitions
from jobs.compat import NO_FACETS, display
from jobs.models import FINISHED, AbstractJob, Job, State
from jobs.operator import elsewhere, reports
from jobs.store import store_for
from jobs.store.columns import is_unreadable

#: Longest search, in characters, because databases limit patterns.
LONGEST_SEARCH = 255
NOT_SIGNED = (
    "Its signature doesn't hold, so it is never loaded: somebody else than this project "
    "wrote or changed it, or with another key."
)
#: Links on a job's page that other apps add: each function returns a label and a URL,
#: or None.
links: list[Callable[[AbstractJob], tuple[str, str] | None]] = []


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts and pages no further than `most` rows; filter or search to see others."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return store_for(rows.model).count_rows(rows, self.most)


def instant(name: str) -> Callable[[Any, Any], SafeString | str]:
    """A column for that datetime, with seconds, because leases are short."""

    @display(description=name.replace("_", " "), ordering=name)
    def shown(self: Any, row: Any) -> SafeString | str:
        value = getattr(row, name)
        if value is None:
            return "-"
        return format_html(
            '<span style="white-space: nowrap">{}</span>',
            in_current_zone(value),
        )

    return shown


def in_current_zone(value: dt.datetime) -> str:
    """With the zone's name; in UTC if the zone can't express the instant."""
    with contextlib.suppress(OverflowError, ValueError):
        value = timezone.localtime(value)
    # By hand, because strftime has no years of less than four digits everywhere.
    return f"{value.replace(tzinfo=None).isoformat(' ', 'seconds')} {value.tzname() or ''}"


class AsFarAsReadable(ModelIterable):  # type: ignore[type-arg]
    """Reads each row by itself if one of them can't be read, so that none hides the
    others.
    """

    def __iter__(self) -> Iterator[models.Model]:
        store = store_for(self.queryset.model)
        try:
            found = store.sound(list(super().__iter__()))
        except Exception as error:
            if not is_unreadable(error):
                raise
            found = store.read_each(list(self.queryset.values_list("pk", flat=True)))
        return iter(found)


class ReadOnlyAdmin(admin.ModelAdmin):  # type: ignore[type-arg]
    """For rows that programs write and people look at.

    Its pages cost the same, however many rows there are.
    """

    ordering = ("-pk",)
    list_per_page = 50
    paginator = BoundedPaginator
    show_full_result_count = False
    show_facets = NO_FACETS
    #: The query parameters that may filter the list, because others could be expensive.
    lookups: tuple[str, ...] = ()

    def get_queryset(self, request: HttpRequest) -> models.QuerySet[Any]:
        found = super().get_queryset(request)
        found._iterable_class = AsFarAsReadable
        return found

    def has_add_permission(self, request: HttpRequest) -> bool:
        return False

    def has_change_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        return False

    def lookup_allowed(self, lookup: str, value: str, request: HttpRequest | None = None) -> bool:
        return lookup in self.lookups

    def get_search_results(
        self, request: HttpRequest, queryset: models.QuerySet[Any], search_term: str
    ) -> tuple[models.QuerySet[Any], bool]:
        """The row of that id, or the rows that contain the words."""
        search_term = search_term.strip()[:LONGEST_SEARCH]
        pk = store_for(self.model).id_of(search_term)
        if pk is not None and (found := queryset.filter(pk=pk)).exists():
            return found, False
        return super().get_search_results(
            request, queryset, store_for(self.model).searchable(search_term)
        )

    def get_object(
        self, request: HttpRequest, object_id: str, from_field: str | None = None
    ) -> Any:
        if store_for(self.model).id_of(object_id) is None:
            return None
        return super().get_object(request, object_id, from_field)


class QueueFilter(admin.SimpleListFilter):
    title = parameter_name = "queue"

    def lookups(
        self, request: HttpRequest, model_admin: admin.ModelAdmin[Any]
    ) -> list[tuple[str, str]]:
        store = store_for(model_admin.model)
        queues = {queue for state in State.values for queue in store.queues(state)}
        return [(queue, queue) for queue in sorted(queues)]

    def queryset(
        self, request: HttpRequest, queryset: models.QuerySet[Any]
    ) -> models.QuerySet[Any]:
        return queryset if self.value() is None else queryset.filter(queue=self.value())


class JobList(ChangeList):
    def get_queryset(self, *args: Any, **kwargs: Any) -> models.QuerySet[Any]:
        return super().get_queryset(*args, **kwargs).defer(*reports.LONG)


@admin.register(Job)
class JobAdmin(ReadOnlyAdmin):
    list_display = (
        "name",
        "state",
        "queue",
        "priority",
        "due",
        "attempts",
        "age",
        "locked_by",
        "runner",
    )
    list_filter = ("state", QueueFilter)
    lookups = ("state__exact", "queue")
    search_fields = ("name", "queue", "locked_by")
    search_help_text = (
        "An id, or part of a name, a queue or a worker; among failed jobs also of the error."
    )
    fieldsets = (
        (
            None,
            {
                "fields": (
                    "id",
                    "name",
                    "state",
                    "queue",
                    "priority",
                    "due",
                    "attempts",
                    "unique_key",
                    "elsewhere",
                )
            },
        ),
        ("Error", {"fields": ("error",)}),
        ("Payload", {"fields": ("payload_shown",)}),
        (
            "Watched by",
            {
                "fields": ("locked_by", "locked"),
                "description": "The lock is a lease; “locked at” is when it was last renewed.",
            },
        ),
        ("Executed by", {"fields": ("runner", "started", "heartbeat", "handed_over", "epoch")}),
        ("History", {"fields": ("created", "updated", "failed", "finished")}),
    )
    due, locked, started, heartbeat = (
        instant("run_at"),
        instant("locked_at"),
        instant("started_at"),
        instant("heartbeat_at"),
    )
    created, updated, failed, finished = map(
        instant, ("created_at", "updated_at", "failed_at", "finished_at")
    )

    def get_changelist(self, request: HttpRequest, **kwargs: Any) -> type[ChangeList]:
        return JobList

    def get_search_fields(self, request: HttpRequest) -> tuple[str, ...]:
        # Long texts are searched only if the state narrows them down.
        searches_errors = request.GET.get("state__exact") == State.FAILED
        return (*self.search_fields, "last_error") if searches_errors else self.search_fields

    def has_delete_permission(self, request: HttpRequest, obj: models.Model | None = None) -> bool:
        if isinstance(obj, AbstractJob) and obj.state not in FINISHED:
            return False
        return admin.ModelAdmin.has_delete_permission(self, request, obj)

    def delete_model(self, request: HttpRequest, obj: Job) -> None:
        if elsewhere.to_be_deleted([obj.pk]):
            text = f"Job {obj.pk} may still be executed in {elsewhere.names()}: it is ended there."
            messages.warning(request, text)
        if not transitions.discard(obj):
            raise PermissionDenied  # it was retried meanwhile

    def delete_queryset(self, request: HttpRequest, queryset: models.QuerySet[Any]) -> None:
        for job in queryset:
            self.delete_model(request, job)

    @display(ordering="created_at")
    def age(self, job: Job) -> str:
        return reports.age((timezone.now() - job.created_at).total_seconds())

    @display(description="payload")
    def payload_shown(self, job: Job) -> SafeString:
        shown = _preformatted(reports.payload_text(job))
        if reports.is_signed(job):
            return format_html("<p>Its signature holds.</p>{}", shown)
        return format_html('<p class="errornote">{}</p>{}', NOT_SIGNED, shown)

    @display(description="last error")
    def error(self, job: Job) -> SafeString | str:
        return _preformatted(job.last_error) if job.last_error else "-"

    @display(description="see also")
    def elsewhere(self, job: Job) -> SafeString | str:
        found = [link for function in links if (link := function(job)) is not None]
        return format_html_join(", ", '<a href="{1}">{0}</a>', found) or "-"


def _preformatted(text: str) -> SafeString:
    return format_html(
        '<pre style="margin: 0; max-height: 40em; overflow: auto; white-space: pre-wrap">{}</pre>',
        text,
    )
