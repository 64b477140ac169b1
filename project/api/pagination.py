"""Lists by page: the body is a plain array, and `Link` headers name the other pages.

The headers follow RFC 8288.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Any
from urllib.parse import urlencode

from django.core.paginator import Paginator
from django.db.models import QuerySet
from rest_framework.exceptions import NotFound, ValidationError
from rest_framework.pagination import BasePagination
from rest_framework.request import Request
from rest_framework.response import Response


class LinkPagination(BasePagination):
    """`?page=` counts from 1; `?page_size=` goes up to `max_page_size`.

    A larger size is cut to that. Anything but a whole number from 1 is invalid. A page
    beyond the last is not found, except for the first page of an empty list.
    """

    page_size = 100
    max_page_size = 1000

    def paginate_queryset(
        self, queryset: QuerySet[Any, Any] | Sequence[Any], request: Request, view: Any = None
    ) -> list[Any]:
        self.request = request
        size = min(_positive(request, "page_size", self.page_size), self.max_page_size)
        paginator = Paginator(queryset, size)
        self.page = _positive(request, "page", 1)
        self.last = paginator.num_pages
        if self.page > self.last:
            raise NotFound(f"There is no such page: the last one is {self.last}.")
        return list(paginator.page(self.page).object_list)

    def get_paginated_response(self, data: Any) -> Response:
        pages = {"first": 1, "prev": self.page - 1, "next": self.page + 1, "last": self.last}
        links = [
            f'<{self._url(page)}>; rel="{rel}"'
            for rel, page in pages.items()
            if 1 <= page <= self.last
        ]
        return Response(data, headers={"Link": ", ".join(links)})

    def _url(self, page: int) -> str:
        query = self.request.query_params.copy()
        query["page"] = str(page)
        text = urlencode(sorted(query.items()))
        return self.request.build_absolute_uri(f"{self.request.path}?{text}")

    def get_schema_operation_parameters(self, view: Any) -> list[dict[str, Any]]:
        page = {"type": "integer", "minimum": 1, "default": 1}
        size = {**page, "default": self.page_size}
        cut = f"More than {self.max_page_size} is cut to {self.max_page_size}."
        return [
            {"name": "page", "in": "query", "schema": page},
            {"name": "page_size", "in": "query", "schema": size, "description": cut},
        ]


def _positive(request: Request, name: str, default: int) -> int:
    text = request.query_params.get(name)
    if text is None:
        return default
    if not re.fullmatch("0*[1-9][0-9]{0,99}", text):
        raise ValidationError({name: ["A whole number from 1 up is required."]})
    return int(text)
