"""Lists and pages of rows that programs write and people look at."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, ClassVar

from django.contrib import admin
from django.core.paginator import Paginator
from django.db import models
from django.db.models.query import ModelIterable
from django.http import HttpRequest
from django.utils.functional import cached_property

from jobs.compat import NO_FACETS
from jobs.store import store_for
from jobs.store.columns import is_unreadable

#: Longest search, in characters, because databases limit patterns.
LONGEST_SEARCH = 255


def may(request: HttpRequest, permission: str) -> bool:
    """Whether this user has it, such as `jobs.view_job`."""
    user: Any = request.user  # of whatever class a project's users are
    return bool(user.has_perm(permission))


class BoundedPaginator(Paginator):  # type: ignore[type-arg]
    """Counts and pages no further than `most` rows; filter or search to see others."""

    most = 10_000

    @cached_property
    def count(self) -> int:
        rows: Any = self.object_list
        return store_for(rows.model).count_rows(rows, self.most)


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

    ordering: ClassVar[tuple[str, ...]] = ("-pk",)
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
